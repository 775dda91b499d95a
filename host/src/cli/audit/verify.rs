//! `kennel audit verify`: says whether the audit is what was written, and where it is not.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use crate::cli::Failure;
use crate::grants::units;
use crate::observe::audit::{self, Link, VerifyOptions};

/// Check that no line of the audit was altered, cut, moved or put in
///
/// Prints the first such line of each file, as FILE:LINE: WHAT. Answers 0 when there is none, else 1. What was cut from
/// the end of the newest file by its owner leaves no trace; note the hash that this prints elsewhere, and ask for it later
/// with --holds.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Leave out files that ended before: a time such as 2026-11-21T08:00:00Z, or an age such as 7d
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<SystemTime>,
    /// A hash that was noted down earlier: its line must still be there
    #[arg(long, value_name = "HASH")]
    holds: Option<Link>,
}

fn since(text: &str) -> Result<SystemTime, String> {
    if let Ok(time) = humantime::parse_rfc3339_weak(text) {
        return Ok(time);
    }
    let age: Duration = units::parse_duration(text).map_err(|_| {
        format!("{text:?} is neither a time such as 2026-11-21T08:00:00Z nor an age such as 7d")
    })?;
    Ok(SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH))
}

pub(super) fn run(args: &Args, folder: &Path, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let options = VerifyOptions { since: args.since, holds: args.holds };
    let found = audit::verify(folder, &options)
        .map_err(|error| Failure::new(format!("{}: cannot be read: {error}", folder.display())))?;
    for fault in &found.faults {
        writeln!(out, "{fault}")?;
    }
    for note in &found.notes {
        writeln!(out, "note: {note}")?;
    }
    let amount = format!("{} in {}", count(found.lines, "line"), count(found.segments, "file"));
    if !found.faults.is_empty() {
        writeln!(out, "the audit is not what was written ({amount} read)")?;
        return Ok(ExitCode::FAILURE);
    }
    writeln!(out, "the audit is whole: {amount}")?;
    if let Some(last) = found.last {
        writeln!(
            out,
            "the newest ends with line {} of {:08}.jsonl, hash {}",
            last.lines, last.segment, last.hash
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
