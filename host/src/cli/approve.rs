//! `kennel approve`: shows what a plugin's bytes are, ask for and would get, and records a person's word
//! for exactly these bytes. The only writer of the lock.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use crate::config::{Config, ConfigError, Home, HomeError, PluginConfig, Surroundings};
use crate::grants::{
    Approval, Asked, Digest, Grants, Lock, LockEntry, LockError, PluginName, Trust, Wording, effective,
    shared_file, units,
};
use crate::observe::audit::{self, AuditError, Change};
use crate::plugin::{PluginFile, manifest};

use super::candidates::{Read, Reading, candidates};
use super::shown;

/// Approve plugins, or show what waits for approval
///
/// Grants in kennel.toml take effect only for bytes that you approved. Without a plugin and without
/// --all, shows what waits and changes nothing.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The plugins to approve
    pub plugins: Vec<PluginName>,
    /// Approve every plugin that waits
    #[arg(long, conflicts_with_all = ["plugins", "revoke"])]
    pub all: bool,
    /// Take the approval of these plugins back
    #[arg(long, requires = "plugins")]
    pub revoke: bool,
}

/// Why nothing was approved.
#[derive(Debug, thiserror::Error)]
pub enum ApproveError {
    /// The configuration has faults.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The home cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No such plugin.
    #[error("{name}: there is no such plugin; there are: {known}")]
    Unknown {
        /// As asked for.
        name: PluginName,
        /// Those there are.
        known: String,
    },
    /// The plugins folder cannot be listed.
    #[error("{}: cannot be listed: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The bytes cannot be kept, so they could not serve once the file changes.
    #[error("{}: cannot be written: {source}; nothing was approved", path.display())]
    Keep {
        /// The copy.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It would leave no audit line.
    #[error("{0}; nothing was changed")]
    Audit(#[from] AuditError),
    /// Nobody reads.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// A plugin as it would be approved.
struct Proposal {
    plugin: PluginConfig,
    file: PluginFile,
    reading: Reading,
    approval: Approval,
    before: Before,
}

/// What was approved before, as far as it was kept.
#[derive(Default)]
struct Before {
    asked: Option<Asked>,
    wording: Option<Wording>,
}

impl Before {
    fn of(name: &PluginName, lock: &Lock, home: &Home) -> Self {
        let Some(entry) = lock.plugins.get(name) else { return Self::default() };
        let bytes = PluginFile::read(&home.approved().join(format!("{}.wasm", entry.sha256)));
        let bytes = bytes.ok().filter(|kept| kept.digest == entry.sha256);
        Self {
            asked: bytes.and_then(|kept| manifest(&kept.bytes).ok().flatten()),
            wording: Wording::kept(&home.approved(), &entry.definitions.hash()),
        }
    }
}

/// Shows and approves. `read` looks into a component; `failed` gets a line for each plugin that could not
/// be approved. Answers failure when one could not, or (with nothing to approve named) when some wait.
///
/// # Errors
/// When nothing could be looked at or recorded.
pub fn run(
    args: &Args,
    home: &Home,
    surroundings: &Surroundings,
    read: &mut Read<'_>,
    out: &mut dyn Write,
    failed: &mut dyn Write,
) -> Result<ExitCode, ApproveError> {
    if args.revoke {
        return revoke(args, home, surroundings, out, failed);
    }
    let config = Config::load(home, surroundings)?;
    let lock = Lock::load(&home.lock_file())?;
    let folder = config.plugins_folder.clone();
    let (there, faults) = candidates(&config).map_err(|source| ApproveError::Folder { folder, source })?;
    if let Some(name) = args.plugins.iter().find(|name| there.iter().all(|plugin| plugin.name != **name)) {
        let known: Vec<_> = there.iter().map(|plugin| plugin.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(ApproveError::Unknown { name: name.clone(), known });
    }
    let mut clean = true;
    for fault in faults {
        writeln!(failed, "{fault}")?;
        clean &= !args.plugins.is_empty();
    }
    let mut proposals = Vec::new();
    for plugin in there {
        let named = args.plugins.contains(&plugin.name);
        if !named && (!args.plugins.is_empty() || plugin.trust == Trust::Dev) {
            continue;
        }
        match propose(plugin, &config, &lock, home, read) {
            Ok(proposal) if !named && proposal.approval == Approval::Approved => {}
            Ok(proposal) => proposals.push(proposal),
            Err(line) => {
                writeln!(failed, "{line}")?;
                clean = false;
            }
        }
    }
    for proposal in &proposals {
        proposal.show(&lock, out)?;
    }
    let write = args.all || !args.plugins.is_empty();
    if proposals.is_empty() {
        if clean {
            writeln!(out, "nothing waits for approval")?;
        }
    } else if write {
        record(&proposals, home, surroundings, &config)?;
        let names: Vec<_> = proposals.iter().map(|p| p.plugin.name.as_str()).collect();
        writeln!(out, "approved: {}", names.join(", "))?;
    } else {
        writeln!(out, "nothing was approved; to do so: kennel approve NAME, or --all")?;
        clean = false;
    }
    out.flush()?;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn propose(
    plugin: PluginConfig,
    config: &Config,
    lock: &Lock,
    home: &Home,
    read: &mut Read<'_>,
) -> Result<Proposal, String> {
    let path = config.plugins_folder.join(&plugin.file);
    let file = PluginFile::read(&path).map_err(|e| format!("{}: {}: {e}", plugin.name, plugin.file))?;
    let reading = read(&file).map_err(|e| format!("{}: {}: {e}", plugin.name, plugin.file))?;
    let approval = lock.approval(&plugin.name, &file.digest);
    let before = Before::of(&plugin.name, lock, home);
    Ok(Proposal { plugin, file, reading, approval, before })
}

impl Proposal {
    /// What these bytes hold from now on. Grants belong to bytes: those that were not approved held nothing.
    fn change(&self, before: &Lock, by: String) -> Change {
        let (now, _) = effective(&self.plugin.grants, self.reading.asked.as_ref());
        let same = before.plugins.get(&self.plugin.name).is_some_and(|old| old.sha256 == self.file.digest);
        Change {
            plugin: self.plugin.name.to_string(),
            digest: Some(self.file.digest),
            by,
            what: "approved",
            before: if same { now.clone() } else { Grants::default() },
            now,
        }
    }

    fn show(&self, lock: &Lock, out: &mut dyn Write) -> io::Result<()> {
        let size = units::show_size(self.file.bytes.len() as u64);
        writeln!(out, "{} ({}, {size})", self.plugin.name, self.plugin.file)?;
        let mut rows = Rows { out, indent: "" };
        rows.row("sha256", [self.file.digest.to_string()])?;
        let before = lock.plugins.get(&self.plugin.name);
        if let Some(before) = before {
            let when = humantime::format_rfc3339_seconds(before.approved_at);
            let line = format!("{} ({when}, by {})", before.sha256, before.approved_by.escape_debug());
            rows.row("approved", [line])?;
        }
        let asked = self.reading.asked.as_ref();
        let asks =
            asked.map_or_else(|| vec!["(no manifest)".to_owned()], |asked| or_nothing(asked.describe()));
        rows.row("asks for", asks)?;
        let (held, withheld) = effective(&self.plugin.grants, asked);
        rows.row("gets", or_nothing(held.describe()))?;
        rows.row("withheld", withheld.iter().map(ToString::to_string))?;
        if before.is_some() {
            let old = self.before.asked.as_ref();
            rows.row("new asks", shown::new_asks(old, asked))?;
        }
        let found = &self.reading.wording;
        match before {
            Some(before) if before.definitions != found.hashes() => {
                let lines = match &self.before.wording {
                    Some(old) => shown::differences(&old.differences(found)),
                    // Approved by a Kennel that kept no words.
                    None => before.definitions.changes(&found.hashes()).iter().map(shown::change).collect(),
                };
                rows.row("changed", lines)?;
            }
            Some(_) => rows.row("offers", ["what it offered before".to_owned()])?,
            None => rows.row("offers", or_nothing(shown::offers(found)))?,
        }
        rows.row("beware", shown::hidden(found))?;
        if self.plugin.trust == Trust::Dev {
            rows.row("note", ["trust = \"dev\" gives any bytes in this file the grants".to_owned()])?;
        }
        Ok(())
    }
}

struct Rows<'a> {
    out: &'a mut dyn Write,
    indent: &'static str,
}

impl Rows<'_> {
    fn row(&mut self, label: &str, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
        let mut label = label;
        for line in lines {
            writeln!(self.out, "{}  {label:<9} {line}", self.indent)?;
            label = "";
        }
        Ok(())
    }
}

fn or_nothing(lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() { vec!["nothing".to_owned()] } else { lines }
}

/// Keeps the bytes, then writes the lock, both under the lock's guard: no other process can take away
/// bytes that are about to be named.
fn record(
    proposals: &[Proposal],
    home: &Home,
    surroundings: &Surroundings,
    config: &Config,
) -> Result<(), ApproveError> {
    home.create()?;
    let approved_by = user(surroundings);
    let (_, kept) = Lock::update(&home.lock_file(), |lock| {
        let before = lock.clone();
        let mut changes = Vec::new();
        for proposal in proposals {
            let digest = proposal.file.digest;
            let path = home.approved().join(format!("{digest}.wasm"));
            if let Err(source) = keep(&path, &proposal.file) {
                *lock = before;
                return Err(ApproveError::Keep { path, source });
            }
            let words = &proposal.reading.wording;
            if let Err(source) = words.keep(&home.approved()) {
                *lock = before;
                let path = Wording::place(&home.approved(), &words.hashes().hash());
                return Err(ApproveError::Keep { path, source });
            }
            let entry = LockEntry {
                sha256: digest,
                definitions: words.hashes(),
                approved_at: SystemTime::now(),
                approved_by: approved_by.clone(),
            };
            // Also of what is approved already: who approves again wants what was pinned then.
            lock.plugins.insert(proposal.plugin.name.clone(), entry);
            changes.push(proposal.change(&before, approved_by.clone()));
        }
        // Before the lock is written: no approval without its line.
        audit::note(&home.audit(), &super::audit::options(&config.audit), &changes).map_err(|error| {
            *lock = before;
            error.into()
        })
    })?;
    kept
}

/// Who is at the machine, as the system calls them.
pub(super) fn user(surroundings: &Surroundings) -> String {
    let user = ["LOGNAME", "USER"].into_iter().find_map(|name| surroundings.variable(name));
    let user = user.and_then(|name| name.into_string().ok());
    user.unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()))
}

fn keep(path: &std::path::Path, file: &PluginFile) -> io::Result<()> {
    match PluginFile::read(path) {
        Ok(kept) if kept.digest == file.digest => Ok(()),
        _ => shared_file::replace(path, &file.bytes),
    }
}

fn revoke(
    args: &Args,
    home: &Home,
    surroundings: &Surroundings,
    out: &mut dyn Write,
    failed: &mut dyn Write,
) -> Result<ExitCode, ApproveError> {
    home.create()?;
    // Also with a configuration that has faults an approval can be taken back.
    let config = Config::load(home, surroundings).ok();
    let options = config.as_ref().map(|config| super::audit::options(&config.audit)).unwrap_or_default();
    let by = user(surroundings);
    let (_, gone) = Lock::update(&home.lock_file(), |lock| {
        let before = lock.clone();
        let mut changes = Vec::new();
        let mut gone = Vec::new();
        for name in &args.plugins {
            let entry = lock.plugins.remove(name);
            gone.push(entry.is_some());
            changes.extend(entry.map(|entry| {
                Change {
                    plugin: name.to_string(),
                    digest: Some(entry.sha256),
                    by: by.clone(),
                    what: "approval taken back",
                    before: config
                        .as_ref()
                        .and_then(|c| c.plugins.get(name))
                        .map_or(Grants::default(), |p| p.grants.clone()),
                    now: Grants::default(),
                }
            }));
        }
        if let Err(error) = audit::note(&home.audit(), &options, &changes) {
            *lock = before;
            return Err(ApproveError::from(error));
        }
        forget(home, lock);
        Ok(gone)
    })?;
    let gone = gone?;
    let mut code = ExitCode::SUCCESS;
    for (name, gone) in args.plugins.iter().zip(gone) {
        if gone {
            writeln!(out, "{name}: approval taken back")?;
        } else {
            writeln!(failed, "{name}: was not approved; `kennel approve` shows what waits")?;
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// Removes kept bytes and words that no approval names any more. What cannot be removed does no harm: bytes count
/// only through the lock.
fn forget(home: &Home, lock: &Lock) {
    let named: HashSet<Digest> =
        lock.plugins.values().flat_map(|entry| [entry.sha256, entry.definitions.hash()]).collect();
    let Ok(entries) = fs::read_dir(home.approved()) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let digest =
            path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<Digest>().ok());
        if digest.is_some_and(|digest| !named.contains(&digest)) {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
#[path = "approve_tests.rs"]
mod tests;
