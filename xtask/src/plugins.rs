//! Builds the `plugins/` workspace to `target/plugins/NAME.wasm`, and the attackers of the hostile tests, a
//! workspace like it, to `target/hostile/NAME.wasm`. The guests have a compiler and a target folder of their own, so that they never invalidate the host's build.
//! It must not run or inspect what it built.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::toolchain::{self, TARGET};
use crate::workspace::{Workspace, output, run, say};

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

/// Builds all plugins; returns their names, sorted.
pub(crate) fn build(workspace: &Workspace) -> Result<BTreeSet<String>> {
    say("building the plugins");
    let c = toolchain::c_environment(workspace)?;
    components(workspace, "plugins", "plugins", &c)
}

/// Builds the attackers, which are no plugins for anyone.
pub(crate) fn build_hostile(workspace: &Workspace) -> Result<()> {
    say("building the attackers of the hostile tests");
    components(workspace, "tests/hostile", "hostile", &[]).map(drop)
}

/// Builds the workspace in `sources` and puts its components into `target/INTO`.
fn components(
    workspace: &Workspace,
    sources: &str,
    into: &str,
    environment: &[(&str, OsString)],
) -> Result<BTreeSet<String>> {
    let compiler = toolchain::find(workspace)?;
    let manifest = workspace.path(&format!("{sources}/Cargo.toml"));
    // One folder for both: what they depend on is the same, and is built once.
    let built = workspace.path("plugins/target");
    let command = |args: &[&str]| {
        let mut command = workspace.cargo(args);
        command.arg("--manifest-path").arg(&manifest).env("CARGO_TARGET_DIR", &built);
        command.envs(environment.iter().map(|(key, value)| (key, value)));
        // Meant for the host's compiler.
        for key in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "CARGO_BUILD_TARGET",
        ] {
            command.env_remove(key);
        }
        if let Some(rustc) = &compiler {
            command.env("RUSTC", rustc);
        }
        command
    };
    let metadata: Metadata =
        serde_json::from_str(&output(command(&["metadata", "--no-deps", "--format-version=1"]))?)
            .with_context(|| format!("cargo metadata of {sources}/"))?;
    run(command(&["build", "--release", "--target", TARGET]))?;

    let folder = workspace.target(into);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut names = BTreeSet::new();
    for package in &metadata.packages {
        for target in
            package.targets.iter().filter(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))
        {
            let file = format!("{}.wasm", target.name.replace('-', "_"));
            let from = built.join(TARGET).join("release").join(file);
            copy_if_changed(&from, &folder.join(format!("{}.wasm", package.name)))?;
            names.insert(package.name.clone());
        }
    }
    if names.is_empty() {
        bail!("{sources}/ has no crate of type cdylib");
    }
    remove_others(&folder, &names)?;
    Ok(names)
}

/// Keeps the file (and its time) when the bytes are the same. Replaces it atomically.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if std::fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let aside = to.with_extension("part");
    std::fs::write(&aside, bytes).with_context(|| format!("cannot write {}", aside.display()))?;
    std::fs::rename(&aside, to).with_context(|| format!("cannot write {}", to.display()))
}

/// Removes components of plugins that are no more.
fn remove_others(folder: &Path, names: &BTreeSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "wasm") && !names.contains(&stem) {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}
