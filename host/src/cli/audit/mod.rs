//! `kennel audit`: checks the audit, and shows what is in it. Writes nothing there.

mod show;
mod tail;
mod text;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use crate::config::{AuditConfig, Home};
use crate::observe::audit::{Options, WhenFull};

use super::Failure;

/// Check the audit, or show what is in it
///
/// Every call of a plugin and every change of grants leaves a line in the audit folder of the home.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Verb {
    Verify(verify::Args),
    Show(show::Args),
    Tail(tail::Args),
}

/// Runs one of its verbs.
///
/// # Errors
/// When the audit cannot be read or nothing can be printed.
pub(super) fn run(args: &Args, home: &Home, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    match &args.verb {
        Verb::Verify(args) => verify::run(args, &home.audit(), out),
        Verb::Show(args) => show::run(args, &home.audit(), out),
        Verb::Tail(args) => tail::run(args, &home.audit(), out),
    }
}

/// How the configuration wants the audit kept.
pub(super) fn options(config: &AuditConfig) -> Options {
    Options {
        when_full: if config.goes_on { WhenFull::Say } else { WhenFull::Refuse },
        max_size: config.max_size,
        max_age: config.max_age,
        keep: config.keep,
        max_total: config.max_total,
    }
}
