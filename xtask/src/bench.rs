//! The benchmarks, on release builds of the host and the plugins.
//! It prints what the benchmarks print.
//! It must not judge figures: machines differ.

use anyhow::Result;

use crate::plugins;
use crate::workspace::{self, Workspace, say};

/// Both packages each time: chosen alone they have other features, and wasmtime would be built twice.
pub(crate) const PACKAGES: [&str; 4] = ["--package", "kennel", "--package", "kennel-tests"];

/// Builds for release and runs the benchmarks.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    plugins::build(workspace)?;
    build(workspace)?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    workspace::run(
        workspace.cargo(&[&["bench"], &PACKAGES[..], &["--bench", "kennel", "--"], args.as_slice()].concat()),
    )
}

/// Builds `kennel` as it is measured.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    say("building kennel for release");
    workspace::run(
        workspace.cargo(
            &[
                &["build", "--release", "--bin", "kennel"],
                &PACKAGES[..],
                &["--bench", "kennel", "--bench", "compare"],
            ]
            .concat(),
        ),
    )
}
