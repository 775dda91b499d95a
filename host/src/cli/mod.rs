//! The verbs, one file each: arguments in, text out. Holds no logic that another room needs.

pub mod allow;
pub mod approve;
pub mod audit;
pub mod call;
mod candidates;
pub mod check;
pub mod client_config;
mod edited;
pub mod explain;
pub mod grants;
mod holder;
pub mod inspect;
pub mod learn;
pub mod list;
pub mod new;
mod opened;
pub mod plan;
pub mod revoke;
pub mod serve;
mod shown;
pub mod test;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::debug_fn;

use crate::config::{Home, Surroundings};
use crate::observe::{ScrubbedLog, escape_for_log, escape_for_people};
use crate::plugin::compile_verb;

pub use candidates::{Read, Reading};
use opened::Opened;

#[cfg(test)]
mod testing;

/// Runs WebAssembly components as MCP tools, each in a sandbox that holds only what you granted
///
/// Put components into ~/.kennel/plugins, grant them what they need in ~/.kennel/kennel.toml, approve them with
/// `kennel approve`, and point an MCP client at `kennel serve` (`kennel client-config CLIENT` prints the lines).
#[derive(Debug, Parser)]
#[command(name = "kennel", version, max_term_width = 100, propagate_version = true)]
struct Cli {
    /// The folder of configuration, plugins, state and cache [default: $KENNEL_HOME or ~/.kennel]
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    /// The configuration [default: kennel.toml in the home]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What to log to standard error: error, warn, info, debug, or directives such as `kennel=debug`
    /// [default: info for `serve`, else warn]
    #[arg(long, global = true, value_name = "LEVEL", env = "KENNEL_LOG")]
    log: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Serve(serve::Args),
    List(list::Args),
    Inspect(inspect::Args),
    Call(call::Args),
    Approve(approve::Args),
    Allow(allow::Args),
    Revoke(revoke::Args),
    Grants(grants::Args),
    Explain(explain::Args),
    Learn(learn::Args),
    Plan(plan::Args),
    Check(check::Args),
    Audit(audit::Args),
    ClientConfig(client_config::Args),
    New(new::Args),
    Test(test::Args),
}

/// Why a verb failed before it could do its work.
#[derive(Debug)]
pub enum Failure {
    /// In words for people.
    Said(String),
    /// The reader of standard output went away.
    NobodyReads,
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(error) = cause {
            if error.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe) {
                return Self::NobodyReads;
            }
            cause = error.source();
        }
        Self::Said(error.to_string())
    }
}

impl Failure {
    fn new(text: impl Into<String>) -> Self {
        Self::Said(text.into())
    }

    /// As words.
    fn into_text(self) -> String {
        match self {
            Self::Said(text) => text,
            Self::NobodyReads => "nobody reads standard output".into(),
        }
    }
}

/// Parses the arguments and runs the verb. The exit code is 0 when all went well, 1 when something failed
/// or a check found a fault, 2 when the arguments make no sense.
#[must_use]
pub fn main() -> ExitCode {
    // Before anything else: the compiling child takes no arguments, no configuration and no log.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == compile_verb::NAME) {
        return compile_verb::run();
    }
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        // Whoever read has seen enough, as with `kennel list | head -1`.
        Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Err(Failure::Said(text)) => {
            let mut err = io::stderr().lock();
            for line in text.lines() {
                let _ = writeln!(err, "kennel: {}", escape_for_people(line));
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    start_log(cli.log.as_deref(), matches!(cli.verb, Verb::Serve(_)))?;
    let surroundings = Surroundings::of_process();
    // Found only by the verbs that use it: what an author does needs none.
    let home = || Home::locate(cli.home.as_deref(), cli.config.as_deref(), &surroundings);
    let mut out = io::stdout().lock();
    let mut err = io::stderr();
    match cli.verb {
        Verb::Serve(args) => {
            // The protocol writes there by itself.
            drop(out);
            serve::run(&args, home()?, surroundings)
        }
        Verb::List(args) => list::run(&args, &Opened::open(home()?, surroundings)?, &mut out),
        Verb::Call(args) => call::run(&args, Opened::open(home()?, surroundings)?, &mut out, &mut err),
        Verb::Inspect(args) => inspect::run(&args, home()?, surroundings, &mut out),
        Verb::Approve(args) => {
            let opened = Opened::lazily(home()?, surroundings);
            Ok(approve::run(
                &args,
                opened.home(),
                opened.surroundings(),
                &mut opened.reader(),
                &mut out,
                &mut err,
            )?)
        }
        Verb::Plan(args) => {
            let opened = Opened::lazily(home()?, surroundings);
            Ok(plan::run(
                &args,
                opened.home(),
                opened.surroundings(),
                &mut opened.reader(),
                &mut out,
                &mut err,
            )?)
        }
        Verb::Check(args) => {
            let opened = Opened::lazily(home()?, surroundings);
            Ok(check::run(&args, opened.home(), opened.surroundings(), &mut opened.reader(), &mut out)?)
        }
        Verb::Allow(args) => allow::run(&args, &home()?, &surroundings, &std::env::current_dir()?, &mut out),
        Verb::Revoke(args) => {
            revoke::run(&args, &home()?, &surroundings, &std::env::current_dir()?, &mut out)
        }
        Verb::Grants(args) => grants::run(&args, &home()?, &surroundings, &mut out),
        Verb::Explain(args) => explain::run(&args, &home()?, &surroundings, &mut out),
        Verb::Learn(args) => learn::run(
            &args,
            &Opened::lazily(home()?, surroundings),
            &std::env::current_dir()?,
            &mut out,
            &mut err,
        ),
        Verb::Audit(args) => audit::run(&args, &home()?, &mut out),
        Verb::ClientConfig(args) => {
            let command = std::env::current_exe()?;
            Ok(client_config::run(&args, &home()?, &command, &mut out, &mut err)?)
        }
        Verb::New(_) | Verb::Test(_) if cli.home.is_some() => {
            Err(Failure::new("--home: this verb uses no home; leave it out"))
        }
        Verb::New(_) if cli.config.is_some() => {
            Err(Failure::new("--config: `kennel new` reads no configuration; leave it out"))
        }
        Verb::New(args) => {
            let (here, program) = (std::env::current_dir()?, std::env::current_exe()?);
            Ok(new::run(&args, &here, &program, &mut out)?)
        }
        Verb::Test(args) => test::run(&args, cli.config.as_deref(), &mut out, &mut err),
    }
}

/// Libraries that write requests, signatures or what is signed at `debug` or `trace`. Whatever is asked for, they say
/// no more than at `info`.
const TALKATIVE: [&str; 9] = [
    "hyper",
    "hyper_util",
    "h2",
    "rustls",
    "tokio_rustls",
    "aws_sigv4",
    "aws_credential_types",
    "aws_smithy_runtime_api",
    "aws_smithy_http",
];

/// Writes the parts of a log entry, whatever a plugin or a client put into them, so that they are what they look like.
fn safe_fields() -> impl for<'w> FormatFields<'w> + 'static {
    debug_fn(|writer, field, value| {
        let text = format!("{value:?}");
        match field.name() {
            "message" => write!(writer, "{}", escape_for_log(&text)),
            name => write!(writer, "{name}={}", escape_for_log(&text)),
        }
    })
    .delimited(" ")
}

fn start_log(directives: Option<&str>, serving: bool) -> Result<(), Failure> {
    // The protocol library tells of every notification at `info`.
    let default = if serving { "info,rmcp=warn" } else { "warn" };
    let mut filter = EnvFilter::try_new(directives.unwrap_or(default))
        .map_err(|error| Failure::new(format!("--log {}: {error}", directives.unwrap_or(default))))?;
    for library in TALKATIVE {
        let directive = format!("{library}=info").parse();
        filter = filter.add_directive(directive.map_err(|error| Failure::new(format!("--log: {error}")))?);
    }
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| ScrubbedLog(io::stderr()))
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .fmt_fields(safe_fields())
        .init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_verbs_are_declared_soundly() {
        super::Cli::command().debug_assert();
    }
}
