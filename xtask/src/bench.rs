//! The benchmarks, on release builds of the host and the plugins.
//! It prints what the benchmarks print.
//! It must not judge figures: machines differ.

use anyhow::Result;

use crate::plugins;
use crate::workspace::{self, Workspace, say};

/// Builds for release and runs the benchmarks.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    plugins::build(workspace)?;
    say("building kennel for release");
    // Both packages each time: chosen alone they have other features, and wasmtime would be built twice.
    let both = ["--package", "kennel", "--package", "kennel-tests", "--bench", "kennel"];
    workspace::run(workspace.cargo(&[&["build", "--release", "--bin", "kennel"], both.as_slice()].concat()))?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    workspace::run(workspace.cargo(&[&["bench"], both.as_slice(), &["--"], args.as_slice()].concat()))
}
