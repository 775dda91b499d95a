//! The attackers' suite alone, with a table at its end: row, attack, how it ended, how long it took, and the most memory
//! that a `kennel` under test had meanwhile. The tests report into `target/hostile-report/` (`kennel_tests::report`).
//! It must not judge: what failed is what the test runner says.

use anyhow::{Context as _, Result};
use kennel_tests::report::{self, Entry};

use crate::workspace::{self, Workspace, say};
use crate::{lint, plugins};

/// Builds the attackers and runs the suite.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    plugins::build(workspace)?;
    plugins::build_hostile(workspace)?;
    forget(workspace)?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ran = if lint::has("nextest") {
        say("running the attackers");
        let suite = ["nextest", "run", "--workspace", "--no-fail-fast", "-E", "binary(/^hostile_/)"];
        workspace::run(workspace.cargo(&[&suite, args.as_slice()].concat()))
    } else {
        say("running the attackers (with cargo's own runner; cargo-nextest is not installed)");
        let suite = ["test", "--workspace", "--no-fail-fast", "--test", "hostile_*"];
        workspace::run(workspace.cargo(&[&suite, args.as_slice()].concat()))
    };
    print(workspace)?;
    ran
}

/// Runs the long test alone for so many minutes.
pub(crate) fn soak(workspace: &Workspace, minutes: u64) -> Result<()> {
    plugins::build(workspace)?;
    plugins::build_hostile(workspace)?;
    workspace.build_host()?;
    let mut soak = workspace.cargo(&["test", "--workspace", "--test", "soak", "--", "--nocapture"]);
    soak.env("KENNEL_SOAK_MINUTES", minutes.to_string());
    workspace::run(soak)
}

/// Forgets what tests reported before.
pub(crate) fn forget(workspace: &Workspace) -> Result<()> {
    let folder = report::folder(&workspace.target(""));
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Prints what the attackers' tests reported.
pub(crate) fn print(workspace: &Workspace) -> Result<()> {
    let entries =
        report::read(&workspace.target(""), &workspace.path("")).context("the report of the attackers")?;
    if entries.is_empty() {
        return Ok(());
    }
    println!("{:<12} {:<62} {:<8} {:>7} {:>8}", "row", "attack", "outcome", "s", "MiB");
    for Entry { rows, attack, passed, millis, peak_bytes } in &entries {
        let outcome = if *passed { "repelled" } else { "FAILED" };
        let seconds = *millis as f64 / 1e3;
        let memory = match peak_bytes {
            0 => "–".to_owned(),
            bytes => (bytes >> 20).to_string(),
        };
        println!("{rows:<12} {attack:<62} {outcome:<8} {seconds:>7.1} {memory:>8}");
    }
    let failed = entries.iter().filter(|entry| !entry.passed).count();
    println!("{} attacks, {} repelled, {failed} failed", entries.len(), entries.len() - failed);
    Ok(())
}
