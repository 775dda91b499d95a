//! `kennel.lock`: which bytes a person approved for each plugin, and how their tools, prompts and
//! templates read then. Keeps the record; decides nothing but equality.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{Approval, Definitions, Digest, PluginName, shared_file};

/// Largest lock file read, in bytes.
const MAX_LOCK: u64 = 8 << 20;
/// The form written here; another is refused, not guessed at.
const VERSION: u32 = 1;

const HEADER: &str = "\
# Written by `kennel approve`. Each entry is one person's word that these bytes may have what kennel.toml
# grants under this name. Do not edit: to take an approval back, run `kennel approve --revoke NAME`.
";

/// Everything approved on this machine by this user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// By plugin.
    pub plugins: BTreeMap<PluginName, LockEntry>,
}

/// One approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockEntry {
    /// Of the component.
    pub sha256: Digest,
    /// Of its tools, prompts and templates, as listed with nothing granted.
    pub definitions: Definitions,
    /// When, to the second, UTC.
    pub approved_at: SystemTime,
    /// The user's name on this machine.
    pub approved_by: String,
}

/// What can be wrong with the lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Cannot be read.
    #[error("{}: cannot be read: {source}; no plugin gets its grants until it can", path.display())]
    Read {
        /// The lock.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Cannot be written.
    #[error("{}: cannot be written: {source}; nothing was changed", path.display())]
    Write {
        /// The lock.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Is not a lock.
    #[error("{}:{line}: {message}; restore it, or move it away and approve your plugins again", path.display())]
    Form {
        /// The lock.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: u32,
    #[serde(default)]
    plugins: BTreeMap<String, RawEntry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawEntry {
    sha256: Digest,
    approved_at: String,
    approved_by: String,
    definitions: Digest,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tools: BTreeMap<String, Digest>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    prompts: BTreeMap<String, Digest>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    templates: BTreeMap<String, Digest>,
}

impl Lock {
    /// Reads the lock; a missing file is an empty one. No waiting: a replacement is atomic.
    ///
    /// # Errors
    /// When there is a file that cannot be read or is not a lock. Nothing is approved then.
    pub fn load(path: &Path) -> Result<Self, LockError> {
        let text = shared_file::read(path, MAX_LOCK)
            .map_err(|source| LockError::Read { path: path.to_owned(), source })?;
        text.map_or_else(|| Ok(Self::default()), |text| Self::parse(&text, path))
    }

    /// Reads, changes and replaces the lock with no other process in between; gives back what was written
    /// and what `change` answered. When nothing changed, nothing is written.
    ///
    /// # Errors
    /// As [`Lock::load`], and when the new text cannot be written.
    pub fn update<T>(path: &Path, change: impl FnOnce(&mut Self) -> T) -> Result<(Self, T), LockError> {
        let write = |source| LockError::Write { path: path.to_owned(), source };
        let guard = shared_file::Guard::lock(path).map_err(write)?;
        let before = Self::load(path)?;
        let mut lock = before.clone();
        let answer = change(&mut lock);
        if lock != before {
            let text = lock.to_text().map_err(|error| write(io::Error::other(error)))?;
            guard.replace(text.as_bytes()).map_err(write)?;
        }
        Ok((lock, answer))
    }

    /// What the lock says about these bytes under this name.
    #[must_use]
    pub fn approval(&self, name: &PluginName, found: &Digest) -> Approval {
        match self.plugins.get(name) {
            Some(entry) if entry.sha256 == *found => Approval::Approved,
            Some(entry) => Approval::Changed { approved: entry.sha256, found: *found },
            None => {
                Approval::Unapproved(format!("not approved yet; look at it and run `kennel approve {name}`"))
            }
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self, LockError> {
        let form = |line: usize, message: String| LockError::Form { path: path.to_owned(), line, message };
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = 1 + text.as_bytes().iter().take(start).filter(|b| **b == b'\n').count();
            form(line, error.message().replace('\n', " "))
        })?;
        if raw.version != VERSION {
            return Err(form(
                1,
                format!("version {} is not {VERSION}, which this Kennel reads", raw.version),
            ));
        }
        let mut plugins = BTreeMap::new();
        for (name, raw) in raw.plugins {
            let at = |message: String| form(1, format!("plugins.{name}: {message}"));
            let key = PluginName::new(&name).map_err(|error| at(error.to_string()))?;
            let approved_at = humantime::parse_rfc3339(&raw.approved_at)
                .map_err(|_| at(format!("{:?} is not a time (RFC 3339, UTC)", raw.approved_at)))?;
            let definitions = Definitions::from_items(raw.tools, raw.prompts, raw.templates);
            if definitions.hash() != raw.definitions {
                return Err(at("`definitions` does not fit the items under it".to_owned()));
            }
            let approved_by = raw.approved_by;
            plugins.insert(key, LockEntry { sha256: raw.sha256, definitions, approved_at, approved_by });
        }
        Ok(Self { plugins })
    }

    fn to_text(&self) -> Result<String, toml::ser::Error> {
        let plugins = self.plugins.iter().map(|(name, entry)| {
            let raw = RawEntry {
                sha256: entry.sha256,
                approved_at: humantime::format_rfc3339_seconds(entry.approved_at).to_string(),
                approved_by: entry.approved_by.clone(),
                definitions: entry.definitions.hash(),
                tools: entry.definitions.tools().clone(),
                prompts: entry.definitions.prompts().clone(),
                templates: entry.definitions.templates().clone(),
            };
            (name.to_string(), raw)
        });
        let raw = Raw { version: VERSION, plugins: plugins.collect() };
        Ok(format!("{HEADER}{}", toml::to_string(&raw)?))
    }
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;
