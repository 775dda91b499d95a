//! Where things are: the binary under test, the built plugins, the installed clients.
//! Everything is found from the running test's own place in the target folder.
//! It must not build or install anything; a missing thing is a panic that says which command makes it.

use std::path::PathBuf;

/// The workspace's target folder: two above `deps/`, in which every test executable lies.
pub fn target_dir() -> PathBuf {
    let exe = std::env::current_exe().expect("the test executable has a path");
    exe.ancestors().nth(3).expect("test executables lie in target/PROFILE/deps").to_path_buf()
}

/// The folder of the sources (the workspace's root).
pub fn source_root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").expect("run the tests with cargo");
    PathBuf::from(manifest).parent().expect("tests/ lies in the workspace").to_path_buf()
}

/// The `kennel` binary: `KENNEL_BIN` when set, else the one beside the test executables.
pub fn kennel_bin() -> PathBuf {
    if let Some(path) = std::env::var_os("KENNEL_BIN") {
        return PathBuf::from(path);
    }
    let exe = std::env::current_exe().expect("the test executable has a path");
    let profile = exe.ancestors().nth(2).expect("test executables lie in target/PROFILE/deps");
    let bin = profile.join("kennel");
    assert!(bin.exists(), "{} does not exist; run `cargo xtask test`", bin.display());
    bin
}

/// The component of one of the project's own plugins, built by `cargo xtask plugins`.
pub fn plugin_file(name: &str) -> PathBuf {
    let path = target_dir().join("plugins").join(format!("{name}.wasm"));
    assert!(path.exists(), "{} does not exist; run `cargo xtask plugins`", path.display());
    path
}

/// The component of one of the attackers in `tests/hostile/`, built by `cargo xtask attackers`.
pub fn hostile_file(name: &str) -> PathBuf {
    let path = target_dir().join("hostile").join(format!("{name}.wasm"));
    assert!(path.exists(), "{} does not exist; run `cargo xtask attackers`", path.display());
    path
}

/// The folder under `target/` into which `cargo xtask test` installs the clients.
pub fn clients_dir() -> PathBuf {
    let dir = target_dir().join("clients");
    assert!(dir.exists(), "the test clients are not installed; run `cargo xtask test`");
    dir
}

/// The Node of the test clients.
pub fn node() -> PathBuf {
    let path = clients_dir().join("node/node_modules/.bin/node");
    assert!(path.exists(), "{} does not exist; run `cargo xtask test`", path.display());
    path
}

/// The script that starts Chromium.
pub(crate) fn chromium() -> PathBuf {
    let path = clients_dir().join("chromium/chromium");
    assert!(path.exists(), "{} does not exist; run `cargo xtask clients`", path.display());
    path
}

/// The Python with the packages of `tests/clients/requirements.txt`.
pub fn python() -> PathBuf {
    environment("python")
}

/// The Python with the packages of `tests/clients/requirements-mcp1.txt`: servers that were last published for mcp 1.x.
pub fn python_mcp1() -> PathBuf {
    environment("python-mcp1")
}

fn environment(name: &str) -> PathBuf {
    let path = clients_dir().join(name).join("bin/python");
    assert!(path.exists(), "{} does not exist; run `cargo xtask test`", path.display());
    path
}
