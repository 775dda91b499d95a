//! `kennel plan`: what approving a waiting update, or another configuration, would change. Changes nothing, and runs no
//! plugin with anything granted.

mod compare;
mod side;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use crate::config::{Config, ConfigError, Home, NewPlugins, Surroundings};
use crate::grants::{Lock, LockError, PluginName, units};

use super::call::Format;
use super::candidates::Read;

use compare::{KeyChange, PluginPlan, key_change};
use side::Sides;

/// Code when something would change: neither success, nor a failure, nor a misuse.
const CHANGES: u8 = 3;

/// Show what approving an update, or another configuration, would change
///
/// Without --file: for each plugin that waits for approval, what its update offers, asks for and would hold, beside what
/// was approved. With --file: what would be different if that file were kennel.toml. Changes nothing; components are
/// asked what they offer with nothing granted. Answers 0 when nothing would change, 3 when something would, 1 when that
/// cannot be said.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only these plugins
    pub plugins: Vec<PluginName>,
    /// A configuration to compare with kennel.toml; relative paths in it begin where kennel.toml is
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A configuration has faults.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No such plugin.
    #[error("{0}: there is no such plugin; `kennel list` shows those there are")]
    Unknown(PluginName),
    /// A plugins folder cannot be listed.
    #[error("{}: cannot be listed: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nobody reads.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// Everything that would change.
#[derive(Debug, Default, Serialize)]
struct Plan {
    /// Keys of the configuration that belong to no plugin.
    configuration: Vec<KeyChange>,
    plugins: Vec<PluginPlan>,
    /// What could not be looked at.
    faults: Vec<String>,
}

/// Compares and prints. `read` looks into a component.
///
/// # Errors
/// When a configuration or the lock cannot be used, or a plugin is named that is not there.
pub fn run(
    args: &Args,
    home: &Home,
    surroundings: &Surroundings,
    read: &mut Read<'_>,
    out: &mut dyn Write,
    failed: &mut dyn Write,
) -> Result<ExitCode, PlanError> {
    let config = Config::load(home, surroundings)?;
    let lock = Lock::load(&home.lock_file())?;
    let mut sides = Sides::new(home, &lock, read);
    let mut plan = match &args.file {
        None => sides.updates(&config, &args.plugins)?,
        Some(file) => {
            let other = Config::load_other(home, file, surroundings)?;
            let mut plan = sides.between(&config, &other, &args.plugins)?;
            if args.plugins.is_empty() {
                plan.configuration = configuration(&config, &other);
            }
            plan
        }
    };
    plan.plugins.retain(PluginPlan::changes);
    for fault in &plan.faults {
        writeln!(failed, "{fault}")?;
    }
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &plan).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Format::Text => plan.print(args.file.as_deref(), out)?,
    }
    out.flush()?;
    Ok(if !plan.faults.is_empty() {
        ExitCode::FAILURE
    } else if plan.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(CHANGES)
    })
}

impl Plan {
    fn is_empty(&self) -> bool {
        self.configuration.is_empty() && self.plugins.is_empty()
    }

    fn print(&self, file: Option<&Path>, out: &mut dyn Write) -> io::Result<()> {
        for change in &self.configuration {
            writeln!(out, "{change}")?;
        }
        for plugin in &self.plugins {
            plugin.print(out)?;
        }
        match (self.is_empty(), file) {
            (true, None) if self.faults.is_empty() => writeln!(out, "no update waits"),
            (true, Some(_)) if self.faults.is_empty() => writeln!(out, "nothing would change"),
            (true, _) => Ok(()),
            (false, None) => writeln!(out, "nothing was changed; to approve: kennel approve NAME"),
            (false, Some(_)) => writeln!(out, "nothing was changed"),
        }
    }
}

/// What is different in the keys that belong to no plugin. Limits for all show at each plugin that has them.
fn configuration(old: &Config, new: &Config) -> Vec<KeyChange> {
    let word = |config: &Config| match config.new_plugins {
        NewPlugins::Sandboxed => "sandboxed".to_owned(),
        NewPlugins::Hold => "hold".to_owned(),
    };
    let protocol = |config: &Config| {
        let it = &config.protocol;
        [
            ("page-size", it.page_size.to_string()),
            ("tasks.ttl", units::show_duration(it.task_ttl)),
            ("tasks.patience", units::show_duration(it.task_patience)),
            ("tasks.most", it.tasks.to_string()),
            ("tasks.most-per-caller", it.tasks_per_caller.to_string()),
            ("tasks.results", units::show_size(it.task_results as u64)),
        ]
    };
    let folder = |config: &Config| config.plugins_folder.display().to_string();
    let first = [
        key_change("plugins-folder", folder(old), folder(new)),
        key_change("new-plugins", word(old), word(new)),
        key_change("on-denied", old.on_denied.to_string(), new.on_denied.to_string()),
    ];
    let rest = protocol(old).into_iter().zip(protocol(new));
    first.into_iter().chain(rest.map(|((key, old), (_, new))| key_change(key, old, new))).flatten().collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
