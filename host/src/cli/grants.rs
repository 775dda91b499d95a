//! `kennel grants`: what each plugin was granted, what of it it holds, what is withheld and why, and the line each
//! grant stands in.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::config::{Home, Origin, Surroundings};
use crate::grants::PluginName;

use super::Failure;
use super::call::Format;
use super::holder::{Holder, Written};

/// Show what plugins were granted, what of it they hold, and by which line
///
/// A plugin holds what kennel.toml grants it, as far as it asks for it, once you approved its bytes. What it does not
/// get is shown as withheld, with the reason.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only this plugin
    plugin: Option<PluginName>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Shows them.
///
/// # Errors
/// When the configuration or the lock does not read, or there is no such plugin.
pub fn run(
    args: &Args,
    home: &Home,
    surroundings: &Surroundings,
    out: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let written = Written::read(home, surroundings)?;
    let holders = written.holders(args.plugin.as_ref())?;
    match args.format {
        Format::Json => {
            let plugins: Vec<_> = holders.iter().map(|holder| as_json(&written, holder)).collect();
            writeln!(out, "{:#}", json!({ "plugins": plugins }))?;
        }
        Format::Text => {
            if holders.is_empty() {
                writeln!(out, "no plugins in {}", written.config.plugins_folder.display())?;
            }
            holders.iter().try_for_each(|holder| print(&written, holder, out))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn print(written: &Written<'_>, holder: &Holder, out: &mut dyn Write) -> std::io::Result<()> {
    let name = &holder.config.name;
    writeln!(out, "{name}")?;
    let shares = holder.shares();
    if shares.iter().all(|share| share.held.is_empty()) {
        writeln!(out, "  holds      nothing")?;
    }
    for share in &shares {
        let place = written.origin(name, &share.key);
        let place = place.map(|origin| format!("  ({})", short(&origin))).unwrap_or_default();
        for held in &share.held {
            writeln!(out, "  holds      {held}{place}")?;
        }
        if let Some(why) = &share.withheld {
            writeln!(out, "  withheld   {}: {why}{place}", share.granted)?;
        }
    }
    match holder.nothing() {
        Some(why) if !shares.is_empty() => writeln!(out, "  why        {why}"),
        _ => Ok(()),
    }
}

/// `kennel.toml:12`.
pub(super) fn short(origin: &Origin) -> String {
    let file = origin.file.file_name().unwrap_or(origin.file.as_os_str());
    format!("{}:{}", file.display(), origin.line)
}

/// A place for programs.
pub(super) fn place(origin: Option<Origin>) -> Value {
    origin.map_or(
        Value::Null,
        |origin| json!({ "file": origin.file.display().to_string(), "line": origin.line, "key": origin.key }),
    )
}

fn as_json(written: &Written<'_>, holder: &Holder) -> Value {
    let name = &holder.config.name;
    let shares = holder.shares().into_iter().map(|share| {
        json!({
            "granted": share.granted,
            "held": share.held,
            "withheld": share.withheld,
            "rule": place(written.origin(name, &share.key)),
        })
    });
    json!({ "name": name.as_str(), "nothing": holder.nothing(), "grants": shares.collect::<Vec<_>>() })
}
