//! `kennel audit tail`: lines as they are written, by whichever process, until it is interrupted.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::Failure;
use crate::observe::audit::{self, Follow};

use super::text::{Filter, Format};

/// Between two looks.
const TURN: Duration = Duration::from_millis(250);

/// Show calls and changes of grants as they come, until it is interrupted
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// How many of those before to begin with
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    last: u32,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args, folder: &Path, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let unread = |error| Failure::new(format!("{}: cannot be read: {error}", folder.display()));
    // Before the latest: a line between the two is shown twice rather than never.
    let mut follow = Follow::from_now(folder).map_err(unread)?;
    let most = usize::try_from(args.last).unwrap_or(usize::MAX);
    let mut lines = audit::recent(folder, most, |line| args.filter.takes(line)).map_err(unread)?;
    loop {
        for line in lines.iter().filter(|line| args.filter.takes(&line.json)) {
            args.format.print(line, out)?;
        }
        out.flush()?;
        std::thread::sleep(TURN);
        lines = follow.new_lines().map_err(unread)?;
    }
}
