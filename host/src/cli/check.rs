//! `kennel check`: every fault of the configuration, the lock and the plugins, one line each, with where
//! it is. Changes nothing and runs no plugin with a grant.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::config::{Config, ConfigError, Home, PluginConfig, Surroundings};
use crate::grants::{Lock, LockError, holding};
use crate::observe::escape_for_people;
use crate::plugin::PluginFile;

use super::candidates::{Read, candidates};

/// Check the configuration and the plugins
///
/// Prints each fault with its file, line and key, and a note for what is granted but not in effect.
/// Answers 0 when there is no fault, else 1.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// How to print
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum CheckFormat {
    /// One line each
    Text,
    /// One JSON object with `faults` and `notes`
    Json,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Nobody reads.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// One thing to say.
#[derive(Debug, Serialize)]
struct Finding {
    /// The configuration, the lock or the plugin's file.
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// The dotted key, or the plugin's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    key: String,
    message: String,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    faults: Vec<Finding>,
    notes: Vec<Finding>,
    plugins: usize,
}

/// Looks at everything and prints what it found. `read` looks into a component.
///
/// # Errors
/// Only when nothing can be printed; every fault is a finding.
pub fn run(
    args: &Args,
    home: &Home,
    surroundings: &Surroundings,
    read: &mut Read<'_>,
    out: &mut dyn Write,
) -> Result<ExitCode, CheckError> {
    let report = look(home, surroundings, read);
    match args.format {
        CheckFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &report).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        CheckFormat::Text => report.print(out)?,
    }
    out.flush()?;
    Ok(if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn look(home: &Home, surroundings: &Surroundings, read: &mut Read<'_>) -> Report {
    let mut report = Report::default();
    let whole = |file: &Path, message: String| {
        let file = file.display().to_string();
        // The message of an error about a file begins with the file's name.
        let message = message.strip_prefix(&format!("{file}: ")).map(str::to_owned).unwrap_or(message);
        Finding { file, line: None, key: String::new(), message }
    };
    let lock = Lock::load(&home.lock_file()).map_err(|error| {
        report.faults.push(match error {
            LockError::Form { path, line, message } => Finding { line: Some(line), ..whole(&path, message) },
            other => whole(&home.lock_file(), other.to_string()),
        });
    });
    let config = match Config::load(home, surroundings) {
        Ok(config) => config,
        Err(ConfigError::Faults(faults)) => {
            report.faults.extend(faults.into_iter().map(|fault| Finding {
                file: fault.file.display().to_string(),
                line: Some(fault.line),
                key: fault.key,
                message: fault.message,
            }));
            return report;
        }
        Err(error) => {
            report.faults.push(whole(home.config_file(), error.to_string()));
            return report;
        }
    };
    let (there, faults) = match candidates(&config) {
        Ok(found) => found,
        Err(error) => {
            report.faults.push(whole(&config.plugins_folder, format!("cannot be listed: {error}")));
            return report;
        }
    };
    report.faults.extend(faults.into_iter().map(|fault| whole(&config.plugins_folder, fault)));
    report.plugins = there.len();
    for plugin in &there {
        let say = |message: String| Finding {
            file: config.plugins_folder.join(&plugin.file).display().to_string(),
            line: None,
            key: plugin.name.to_string(),
            message,
        };
        match inspect(plugin, &config, lock.as_ref().ok(), read) {
            Ok(notes) => report.notes.extend(notes.into_iter().map(say)),
            Err(fault) => report.faults.push(say(fault)),
        }
    }
    report
}

/// What a person should know of a sound plugin; or what is wrong with it.
fn inspect(
    plugin: &PluginConfig,
    config: &Config,
    lock: Option<&Lock>,
    read: &mut Read<'_>,
) -> Result<Vec<String>, String> {
    let path = config.plugins_folder.join(&plugin.file);
    let file = PluginFile::read(&path).map_err(|error| error.to_string())?;
    let reading = read(&file)?;
    let mut notes = Vec::new();
    // Without a lock nothing is approved; that it does not read is said once.
    let empty = Lock::default();
    let lock = lock.unwrap_or(&empty);
    let approval = lock.approval(&plugin.name, &file.digest);
    let held = holding(&plugin.grants, reading.asked.as_ref(), plugin.trust, &approval);
    match held.unapproved {
        Some(reason) => notes.push(reason),
        None => notes.extend(held.withheld.iter().map(|withheld| format!("withheld: {withheld}"))),
    }
    if let Some(entry) = lock.plugins.get(&plugin.name).filter(|entry| entry.sha256 == file.digest) {
        let changes = entry.definitions.changes(&reading.wording.hashes());
        if !changes.is_empty() {
            let names: Vec<_> = changes.iter().map(|c| c.to_string().escape_debug().to_string()).collect();
            return Err(format!("the approved bytes now say something else: {}", names.join(", ")));
        }
    }
    Ok(notes)
}

impl Report {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        for finding in &self.faults {
            writeln!(out, "{}", escape_for_people(&finding.to_string()))?;
        }
        for finding in &self.notes {
            writeln!(out, "note: {}", escape_for_people(&finding.to_string()))?;
        }
        match self.faults.len() {
            0 => writeln!(out, "no faults in the configuration and {}", plural(self.plugins, "plugin")),
            n => writeln!(out, "{}", plural(n, "fault")),
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

fn plural(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
