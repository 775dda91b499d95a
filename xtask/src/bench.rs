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
    workspace::run(workspace.cargo(&["build", "--release", "--package", "kennel", "--bin", "kennel"]))?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    workspace::run(
        workspace.cargo(&[&["bench", "--package", "kennel-tests", "--"], args.as_slice()].concat()),
    )
}
