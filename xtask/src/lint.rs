//! Formatting and the dependency rules of `deny.toml`, for the host's workspace and the plugins'; clippy for the host's.
//! A tool that is not installed is named and left out; what is installed must pass.
//! It must not change any file.

use std::process::Command;

use anyhow::Result;

use crate::workspace::{self, Workspace, say, works};

/// Runs every check.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    if has("fmt") {
        workspace::run(workspace.cargo(&["fmt", "--all", "--check"]))?;
        for guests in ["plugins/Cargo.toml", "tests/hostile/Cargo.toml"] {
            let mut check = workspace.cargo(&["fmt", "--all", "--check", "--manifest-path"]);
            check.arg(workspace.path(guests));
            workspace::run(check)?;
        }
    } else {
        say("left out: formatting (rustfmt is not installed; `rustup component add rustfmt`)");
    }
    if has("clippy") {
        workspace::run(workspace.cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]))?;
    } else {
        say("left out: lints (clippy is not installed; `rustup component add clippy`)");
    }
    if has("deny") {
        for manifest in ["Cargo.toml", "plugins/Cargo.toml"] {
            let manifest = workspace.path(manifest);
            // It looks at every platform's dependencies; a build has fetched those of one.
            let mut fetch = workspace.cargo(&["fetch", "--locked", "--quiet", "--manifest-path"]);
            fetch.arg(&manifest);
            workspace::run(fetch)?;
            let mut check = workspace.cargo(&["deny", "--offline", "--manifest-path"]);
            check.arg(&manifest).args(["check", "bans", "licenses", "sources"]);
            workspace::run(check)?;
        }
    } else {
        say("left out: dependency rules (cargo-deny is not installed; `cargo install cargo-deny`)");
    }
    say("lint: everything that is installed passed");
    Ok(())
}

/// Whether `cargo TOOL` is there.
pub(crate) fn has(tool: &str) -> bool {
    let mut command = Command::new("cargo");
    command.args([tool, "--version"]);
    works(command)
}
