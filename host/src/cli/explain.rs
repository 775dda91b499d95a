//! `kennel explain`: whether a plugin may do something, by which line or why not, by the same decision as the running
//! host's.

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use crate::config::{Home, Surroundings};
use crate::grants::{Intent, PluginName};

use super::Failure;
use super::call::Format;
use super::grants::place;
use super::holder::Written;

/// Say whether a plugin may do something, and by which line of kennel.toml
///
/// Operations: read PATH, write PATH, list PATH, mkdir PATH (by the path the plugin sees); a method and a URL; secret NAME
/// with a method and a URL; tcp HOST:PORT; udp HOST:PORT; resolve HOST; env NAME; state [SIZE]; run COMMAND; elicit; sample;
/// roots. For
/// example:
///
///   kennel explain filesystem read /docs/a.md
///
///   kennel explain weather-us GET https://api.weather.gov/alerts
///
///   kennel explain issues secret token GET https://api.example.org/issues
///
/// A name's addresses are seen only when a request is made: those that are private or local are refused then, unless the
/// grant allows them. Answers 0 when it may, else 1.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The plugin
    plugin: PluginName,
    /// What it would do
    #[arg(required = true, num_args = 1.., value_name = "OPERATION")]
    operation: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Says it.
///
/// # Errors
/// When the configuration or the lock does not read, there is no such plugin, or the words are no operation.
pub fn run(
    args: &Args,
    home: &Home,
    surroundings: &Surroundings,
    out: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let intent: Intent = args.operation.join(" ").parse()?;
    let written = Written::read(home, surroundings)?;
    let holders = written.holders(Some(&args.plugin))?;
    let holder =
        holders.first().ok_or_else(|| Failure::new(format!("{}: there is no such plugin", args.plugin)))?;
    let said = holder.explain(&intent);
    let origin = said.by.as_ref().and_then(|key| written.origin(&args.plugin, key));
    let grant = said.by.as_ref().and_then(|key| {
        let each = holder.config.grants.each();
        each.into_iter().find(|(found, _)| found == key).map(|(_, alone)| alone.describe().join(", "))
    });
    match args.format {
        Format::Json => {
            let all = json!({
                "plugin": args.plugin.as_str(),
                "operation": intent.to_string(),
                "allowed": said.allowed,
                "withheld": said.withheld,
                "why": said.why,
                "rule": place(origin),
                "grant": grant,
            });
            writeln!(out, "{all:#}")?;
        }
        Format::Text => {
            let word = if said.allowed { "allowed" } else { "denied" };
            writeln!(out, "{word}: {intent}")?;
            if let Some(why) = &said.why {
                writeln!(out, "  why        {why}")?;
            }
            if let Some(grant) = grant {
                let label = if said.allowed { "by" } else { "granted" };
                writeln!(out, "  {label:<10} {grant}")?;
            }
            if let Some(origin) = origin {
                writeln!(out, "  at         {origin}")?;
            }
        }
    }
    out.flush()?;
    Ok(if said.allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
