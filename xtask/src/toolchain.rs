//! Finds or sets up compilers for `wasm32-wasip2`: of Rust, and of the C that a few plugins have in them.
//! The target in the active toolchain comes first; else `KENNEL_WASM_TOOLCHAIN` decides. `CC_wasm32_wasip2` names a C compiler.
//! It must not install anything outside `target/`, except that `rustup target add` adds to rustup's own folder.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::workspace::{Workspace, output, run, say};

/// The target that plugins are built for.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Which way to take when the active toolchain has no such target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Rustup,
    Debian,
    RustupThenDebian,
}

fn way() -> Result<Way> {
    match std::env::var("KENNEL_WASM_TOOLCHAIN") {
        Err(std::env::VarError::NotPresent) => Ok(Way::RustupThenDebian),
        Ok(text) if text == "rustup" => Ok(Way::Rustup),
        Ok(text) if text == "debian" => Ok(Way::Debian),
        Ok(text) => {
            bail!("KENNEL_WASM_TOOLCHAIN is {text:?}; set it to \"rustup\" or \"debian\", or not at all")
        }
        Err(error) => bail!("KENNEL_WASM_TOOLCHAIN: {error}"),
    }
}

/// The compiler to use: `None` is the active toolchain's own, `Some` a path for `RUSTC`.
pub(crate) fn find(workspace: &Workspace) -> Result<Option<PathBuf>> {
    if active_has_target()? {
        return Ok(None);
    }
    match way()? {
        Way::Rustup => rustup().context("KENNEL_WASM_TOOLCHAIN=rustup").map(|()| None),
        Way::Debian => debian(workspace).map(Some),
        Way::RustupThenDebian => match rustup() {
            Ok(()) => Ok(None),
            Err(error) => {
                say(&format!("{error:#}; trying the Debian way"));
                debian(workspace).map(Some)
            }
        },
    }
}

/// What `cc`, the crate that compiles C for others, reads to find the compiler of this target.
const CC: &str = "CC_wasm32_wasip2";

/// The environment in which plugins with C in them build: the compiler that the person named in `CC_wasm32_wasip2`, else
/// clang from Debian, whichever way the Rust compiler came. The archiver is the machine's own, because rustc makes the
/// index anew.
pub(crate) fn c_environment(workspace: &Workspace) -> Result<Vec<(&'static str, OsString)>> {
    // What distributions build SQLite with, and so what people expect of it.
    let sqlite = ("LIBSQLITE3_FLAGS", "-DSQLITE_ENABLE_MATH_FUNCTIONS -USQLITE_ENABLE_STAT4".into());
    if std::env::var_os(CC).is_some() {
        return Ok(vec![sqlite]);
    }
    let folder = workspace.target("wasm-c-compiler");
    if !folder.join(".ok").exists() {
        say("unpacking a C compiler for wasm from Debian into target/ (about 60 MB to download, once)");
    }
    let clang = script(workspace, "scripts/wasm-c-compiler.sh", &folder).with_context(|| {
        format!(
            "no C compiler for {TARGET}: set {CC} to a clang with a WASI sysroot, for example the WASI SDK's"
        )
    })?;
    Ok(vec![(CC, clang.into()), ("AR_wasm32_wasip2", "ar".into()), sqlite])
}

fn active_has_target() -> Result<bool> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    let folder = PathBuf::from(output(rustc).context("no Rust compiler; install Rust first")?);
    Ok(std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    }))
}

fn rustup() -> Result<()> {
    say(&format!("adding the target {TARGET} with rustup"));
    let mut command = Command::new("rustup");
    command.args(["target", "add", TARGET]);
    run(command)
}

fn debian(workspace: &Workspace) -> Result<PathBuf> {
    let first = workspace.target("wasm-toolchain");
    // Once the fallback had to be built, it is used as long as it is there.
    let second = workspace.target("wasm-toolchain-fallback");
    if second.join(".ok").exists() && !first.join(".ok").exists() {
        return script(workspace, "scripts/wasm-toolchain-fallback.sh", &second);
    }
    if !first.join(".ok").exists() {
        say("unpacking a wasm compiler from Debian into target/ (about 200 MB to download, once)");
    }
    script(workspace, "scripts/wasm-toolchain.sh", &first).or_else(|error| {
        say(&format!("{error:#}; building std for wasm from source instead"));
        script(workspace, "scripts/wasm-toolchain-fallback.sh", &second).context(
            "no wasm compiler: install the target with `rustup target add wasm32-wasip2`, \
             or see docs on KENNEL_WASM_TOOLCHAIN in CONTRIBUTING.md",
        )
    })
}

fn script(workspace: &Workspace, script: &str, prefix: &std::path::Path) -> Result<PathBuf> {
    let mut command = Command::new("bash");
    command.arg(workspace.path(script)).arg(prefix);
    let path = PathBuf::from(output(command)?);
    if !path.exists() {
        bail!("{script} printed {path:?}, which does not exist");
    }
    Ok(path)
}
