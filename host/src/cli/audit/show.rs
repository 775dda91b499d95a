//! `kennel audit show`: the latest lines, of all processes together.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::cli::Failure;
use crate::observe::audit;

use super::text::{Filter, Format};

/// Most lines shown; they are held in memory to be put in order.
const MOST: i64 = 100_000;

/// Show the latest calls and changes of grants
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=MOST))]
    last: u32,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args, folder: &Path, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let most = usize::try_from(args.last).unwrap_or(usize::MAX);
    let lines = audit::recent(folder, most, |line| args.filter.takes(line))
        .map_err(|error| Failure::new(format!("{}: cannot be read: {error}", folder.display())))?;
    for line in &lines {
        args.format.print(line, out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
