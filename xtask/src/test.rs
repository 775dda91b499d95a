//! Everything that must hold: lints, documentation tests, unit tests and end-to-end tests through the binary.
//! The runner's own closing lines come last on standard output, and after them the table of the attackers.
//! The runner builds the `kennel` binary with the tests, so that it is not built twice with other features.
//! It must not skip a test: what a test needs is built or installed here.

use anyhow::Result;

use crate::workspace::{self, Workspace, say};
use crate::{clients, hostile, lint, plugins, toolchain};

/// Builds and installs what the tests need, then runs all of them.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    clients::install(workspace)?;
    plugins::build(workspace)?;
    plugins::build_hostile(workspace)?;
    lint::run(workspace)?;
    // Tests that build a plugin use the compiler that the plugins were built with.
    let wasm = toolchain::find(workspace)?;
    let tests = |args: &[&str]| {
        let mut command = workspace.cargo(args);
        command.env_remove("KENNEL_TEST_RUSTC");
        command.envs(wasm.iter().map(|rustc| ("KENNEL_TEST_RUSTC", rustc)));
        command
    };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    hostile::forget(workspace)?;
    say("running the plugins' unit tests, on this machine's own target");
    let mut units = workspace.cargo(&["test", "--workspace", "--quiet", "--manifest-path"]);
    units.arg(workspace.path("plugins/Cargo.toml"));
    workspace::run(units)?;
    let ran = if lint::has("nextest") {
        say("running the documentation tests");
        workspace::run(workspace.cargo(&["test", "--workspace", "--doc", "--quiet"]))?;
        say("running the tests");
        workspace::run(tests(&[&["nextest", "run", "--workspace"], args.as_slice()].concat()))
    } else {
        say("running the tests (with cargo's own runner; cargo-nextest is not installed)");
        workspace::run(tests(&[&["test", "--workspace", "--no-fail-fast"], args.as_slice()].concat()))
    };
    hostile::print(workspace)?;
    ran
}
