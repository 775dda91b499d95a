//! Grants written into and taken out of `kennel.toml` in place: comments, order and everything else stay, the edited
//! file is checked as a whole before it replaces the old one, and nothing is written when nothing changes. Must not
//! grant or keep more than it was told: what the edited file says is read back and compared.

use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike, Value, value};

use super::{AuditConfig, Config, ConfigError, Fault, Home, MAX_CONFIG, Surroundings, comments};
use crate::grants::{DirectoryMode, Grants, PluginName, SocketKind, shared_file};
use tables::{change_first, list, push, set, texts};

mod network;
#[cfg(test)]
mod scratch;
mod secret;
mod tables;
mod typed;

pub use secret::{SecretAs, SecretText};

/// The keys of a plugin that grant something.
const GRANT_KEYS: [&str; 12] = [
    "directories",
    "http",
    "tcp",
    "udp",
    "resolve",
    "env",
    "secrets",
    "state",
    "commands",
    "elicit",
    "sample",
    "roots",
];

/// Something to grant, as a person says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allow {
    /// A directory; what is not said stays as it is, or is what the configuration's default is.
    Directory {
        /// As it is written into the file: absolute, or beginning with `~`.
        path: String,
        /// The path the plugin sees.
        guest: Option<String>,
        /// What may be done there.
        mode: Option<DirectoryMode>,
        /// Only files with these extensions.
        extensions: Vec<String>,
    },
    /// HTTP; methods are added to those of the same place.
    Http {
        /// Scheme, host, port and path prefix.
        url: String,
        /// Upper case; the default ones when there are none.
        methods: Vec<String>,
        /// Whether private and local addresses may be dialled too; what is written stays when not.
        private: bool,
    },
    /// TCP or UDP to a host and port.
    Socket {
        /// Which.
        kind: SocketKind,
        /// Host and port.
        to: String,
        /// As for HTTP.
        private: bool,
    },
    /// To look up this name.
    Resolve(String),
    /// A secret.
    Secret(SecretText),
    /// An environment variable.
    Env {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A store of at most so much, as a size is written.
    State(String),
    /// Command components of a folder; what is not said stays as it is.
    Commands {
        /// As it is written into the file: absolute, or beginning with `~`.
        path: String,
        /// Only these.
        only: Vec<String>,
    },
    /// To ask the person.
    Elicit,
    /// To ask the client's model.
    Sample,
    /// To ask for the client's directories.
    Roots,
    /// No grant: a limit of its calls.
    Limit {
        /// Its key.
        name: String,
        /// As it is written: a size, a duration or a number.
        to: String,
    },
}

/// Something to take back, as a person says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoke {
    /// The directory with this path on the machine or for the plugin.
    Directory(String),
    /// HTTP to this place; some methods or, when there are none, all of it.
    Http {
        /// Scheme, host, port and path prefix.
        url: String,
        /// Upper case.
        methods: Vec<String>,
    },
    /// TCP or UDP to this host and port.
    Socket(SocketKind, String),
    /// To look up this name.
    Resolve(String),
    /// The secret of this name.
    Secret(String),
    /// An environment variable.
    Env(String),
    /// The store.
    State,
    /// The commands.
    Commands,
    /// To ask the person.
    Elicit,
    /// To ask the client's model.
    Sample,
    /// To ask for the client's directories.
    Roots,
    /// Everything.
    All,
}

/// What an edit did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edited {
    /// Whether the file is another one now.
    pub changed: bool,
    /// What the file granted before.
    pub before: Grants,
    /// What it grants now.
    pub now: Grants,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The configuration has faults as it is.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration would have faults; their lines would be those of a file that is not written.
    #[error("{}; nothing was changed", .0.iter().map(|fault| format!("{}: {}", fault.key, fault.message)).collect::<Vec<_>>().join("\n"))]
    Would(Vec<Fault>),
    /// It cannot be read, locked or replaced.
    #[error("{}: {source}; nothing was changed", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is to be taken back is not there.
    #[error("{plugin}: nothing in kennel.toml grants it {what}; `kennel grants {plugin}` shows what does")]
    NotThere {
        /// The plugin.
        plugin: PluginName,
        /// What.
        what: String,
    },
    /// A text is not what it should be.
    #[error("{0}; nothing was changed")]
    Text(String),
    /// The file has a form in which this cannot be written.
    #[error("{0}: has a form that cannot be edited here; change the file by hand")]
    Form(String),
}

/// An edit that was made and checked, and is not written yet. Other writers wait for it.
#[derive(Debug)]
pub struct Prepared {
    guard: shared_file::Guard,
    named: PathBuf,
    text: String,
    edited: Edited,
    audit: AuditConfig,
}

impl Prepared {
    /// What it does.
    #[must_use]
    pub fn edited(&self) -> &Edited {
        &self.edited
    }

    /// How the edited file wants the audit kept.
    #[must_use]
    pub fn audit(&self) -> &AuditConfig {
        &self.audit
    }

    /// Replaces the file, if it is another one now.
    ///
    /// # Errors
    /// When it cannot be replaced; then nothing was changed.
    pub fn write(self) -> Result<Edited, EditError> {
        if self.edited.changed {
            let fault = |source| EditError::File { file: self.named.clone(), source };
            self.guard.replace(self.text.as_bytes()).map_err(fault)?;
        }
        Ok(self.edited)
    }
}

/// Makes an edit that grants these things to this plugin.
///
/// # Errors
/// When the file cannot be read, or would have a fault.
pub fn allow(
    home: &Home,
    surroundings: &Surroundings,
    plugin: &PluginName,
    grants: &[Allow],
) -> Result<Prepared, EditError> {
    edit(home, surroundings, plugin, |edit| grants.iter().try_for_each(|grant| edit.allow(grant)))
}

/// Makes an edit that takes these grants back.
///
/// # Errors
/// As [`allow`], and when one of them is not there.
pub fn revoke(
    home: &Home,
    surroundings: &Surroundings,
    plugin: &PluginName,
    grants: &[Revoke],
) -> Result<Prepared, EditError> {
    edit(home, surroundings, plugin, |edit| grants.iter().try_for_each(|grant| edit.revoke(grant)))
}

/// Makes an edit that grants what was worked out, as it is. What is written of the same place already is widened.
///
/// # Errors
/// As [`allow`].
pub fn grant(
    home: &Home,
    surroundings: &Surroundings,
    plugin: &PluginName,
    grants: &Grants,
) -> Result<Prepared, EditError> {
    edit(home, surroundings, plugin, |edit| edit.grant(grants))
}

/// The lines of `kennel.toml` that grant this to a plugin that holds nothing.
///
/// # Errors
/// When a path cannot be written.
pub fn lines(plugin: &PluginName, grants: &Grants) -> Result<String, EditError> {
    // Nothing is there to be compared with, so nothing is expanded.
    let surroundings = &Surroundings::new(None, |_| None);
    let mut edit = Edit { document: DocumentMut::new(), plugin, surroundings, base: Path::new("/") };
    edit.grant(grants)?;
    Ok(edit.document.to_string().trim_start().to_owned())
}

/// The configuration as [`allow`] would make it. Writes nothing.
///
/// # Errors
/// As [`allow`].
pub fn preview(
    home: &Home,
    surroundings: &Surroundings,
    plugin: &PluginName,
    grants: &[Allow],
) -> Result<Config, EditError> {
    let text = Config::text(home)?;
    let change = |edit: &mut Edit<'_>| grants.iter().try_for_each(|grant| edit.allow(grant));
    Ok(changed(&text, home, surroundings, plugin, change)?.now)
}

struct Edit<'a> {
    document: DocumentMut,
    plugin: &'a PluginName,
    surroundings: &'a Surroundings,
    base: &'a Path,
}

fn edit(
    home: &Home,
    surroundings: &Surroundings,
    plugin: &PluginName,
    change: impl FnOnce(&mut Edit<'_>) -> Result<(), EditError>,
) -> Result<Prepared, EditError> {
    let named = home.config_file();
    // Whoever linked the file here keeps the link.
    let file = named.canonicalize().unwrap_or_else(|_| named.to_owned());
    let fault = |source| EditError::File { file: named.to_owned(), source };
    let guard = shared_file::Guard::lock(&file).map_err(fault)?;
    let text = shared_file::read(&file, MAX_CONFIG).map_err(fault)?.unwrap_or_default();
    let Changed { text: edited, before, now } = changed(&text, home, surroundings, plugin, change)?;
    let (changed, audit) = (edited != text, now.audit.clone());
    let grants = |config: Config| config.plugins.get(plugin).map(|p| p.grants.clone()).unwrap_or_default();
    let told = Edited { changed, before: grants(before), now: grants(now) };
    Ok(Prepared { guard, named: named.to_owned(), text: edited, edited: told, audit })
}

/// A configuration before and after an edit, and the text that it would be.
struct Changed {
    text: String,
    before: Config,
    now: Config,
}

/// Edits a text; the outcome is sound, and says the same as before of all other plugins.
fn changed(
    text: &str,
    home: &Home,
    surroundings: &Surroundings,
    plugin: &PluginName,
    change: impl FnOnce(&mut Edit<'_>) -> Result<(), EditError>,
) -> Result<Changed, EditError> {
    // Faults of the old file are told as faults, not met half-way through an edit.
    let before = Config::parse(text, home, surroundings)?;
    let document = text.parse::<DocumentMut>().map_err(|error| EditError::Form(error.to_string()))?;
    let base = home.config_file().parent().unwrap_or(Path::new("/"));
    let mut edit = Edit { document, plugin, surroundings, base };
    change(&mut edit)?;
    let edited = edit.document.to_string();
    let now = Config::parse(&edited, home, surroundings)
        .map_err(|error| EditError::Would(error.faults().to_vec()))?;
    let others_differ =
        before.plugins.iter().any(|(name, old)| name != plugin && now.plugins.get(name) != Some(old))
            || now.plugins.keys().any(|name| name != plugin && !before.plugins.contains_key(name));
    if others_differ || edited.len() as u64 > MAX_CONFIG {
        return Err(EditError::Form(format!("plugins.{plugin}")));
    }
    Ok(Changed { text: edited, before, now })
}

impl Edit<'_> {
    fn form(&self) -> EditError {
        EditError::Form(format!("plugins.{}", self.plugin))
    }

    fn missing(&self, what: impl Into<String>) -> EditError {
        EditError::NotThere { plugin: self.plugin.clone(), what: what.into() }
    }

    /// `[plugins.NAME]`, made when it is not there.
    fn section(&mut self) -> Result<&mut dyn TableLike, EditError> {
        let form = self.form();
        let implicit = || {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        };
        let plugins = self.document.entry("plugins").or_insert_with(implicit);
        let Some(plugins) = plugins.as_table_like_mut() else { return Err(form) };
        let item = plugins.entry(self.plugin.as_str()).or_insert_with(implicit);
        item.as_table_like_mut().ok_or(form)
    }

    fn allow(&mut self, grant: &Allow) -> Result<(), EditError> {
        match grant {
            Allow::Directory { path, guest, mode, extensions } => {
                self.allow_directory(path, guest.as_deref(), *mode, extensions)
            }
            Allow::Http { url, methods, private } => self.allow_http(url, methods, *private),
            Allow::Socket { kind, to, private } => self.allow_socket(*kind, to, *private),
            Allow::Resolve(name) => self.allow_resolve(name),
            Allow::Secret(secret) => self.allow_secret(secret),
            Allow::Env { name, value } => self.set_in("env", name, value.into()),
            Allow::State(quota) => self.set_in("state", "quota", quota.into()),
            Allow::Commands { path, only } => {
                self.set_in("commands", "path", path.into())?;
                if only.is_empty() { Ok(()) } else { self.set_in("commands", "only", list(only)) }
            }
            Allow::Limit { name, to } => {
                let number = to.replace('_', "").parse::<i64>();
                self.set_in("limits", name, number.map_or_else(|_| to.into(), Value::from))
            }
            Allow::Elicit => self.set_flag("elicit", true),
            Allow::Sample => self.set_flag("sample", true),
            Allow::Roots => self.set_flag("roots", true),
        }
    }

    fn revoke(&mut self, grant: &Revoke) -> Result<(), EditError> {
        match grant {
            Revoke::Directory(path) => self.revoke_directory(path),
            Revoke::Http { url, methods } => self.revoke_http(url, methods),
            Revoke::Socket(kind, to) => self.revoke_socket(*kind, to),
            Revoke::Resolve(name) => self.revoke_resolve(name),
            Revoke::Secret(name) => self.revoke_secret(name),
            Revoke::Env(name) => {
                let what = format!("the environment variable {name}");
                let removed = match self.section()?.get_mut("env").and_then(Item::as_table_like_mut) {
                    Some(env) => comments::remove_key(env, name),
                    None => None,
                };
                let left = removed.ok_or_else(|| self.missing(what))?;
                comments::keep(&mut self.document, left);
                Ok(())
            }
            Revoke::State => self.drop_key("state").then_some(()).ok_or_else(|| self.missing("state")),
            Revoke::Commands => {
                self.drop_key("commands").then_some(()).ok_or_else(|| self.missing("commands"))
            }
            Revoke::Elicit => self.unset_flag("elicit", "to ask the person"),
            Revoke::Sample => self.unset_flag("sample", "to ask the client's model"),
            Revoke::Roots => self.unset_flag("roots", "to ask for the client's directories"),
            Revoke::All => {
                let dropped: Vec<bool> = GRANT_KEYS.iter().map(|key| self.drop_key(key)).collect();
                dropped.contains(&true).then_some(()).ok_or_else(|| self.missing("anything"))
            }
        }
    }

    fn set_flag(&mut self, key: &str, to: bool) -> Result<(), EditError> {
        let section = self.section()?;
        if section.get(key).and_then(Item::as_bool) != Some(to) {
            set(section, key, to.into());
        }
        Ok(())
    }

    /// Writes `false` rather than nothing: what a person wrote beside it stays where it was.
    fn unset_flag(&mut self, key: &str, what: &str) -> Result<(), EditError> {
        if self.section()?.get(key).and_then(Item::as_bool) != Some(true) {
            return Err(self.missing(what));
        }
        self.set_flag(key, false)
    }

    /// Sets a text or number in a table of the plugin.
    fn set_in(&mut self, table: &str, key: &str, to: Value) -> Result<(), EditError> {
        let form = self.form();
        let section = self.section()?;
        if section.get(table).is_none() {
            section.insert(table, Item::Table(Table::new()));
        }
        let Some(table) = section.get_mut(table).and_then(Item::as_table_like_mut) else { return Err(form) };
        let old = table.get(key).and_then(Item::as_value);
        let same = |old: &Value| match (old.as_str(), old.as_integer()) {
            (None, None) => false,
            (text, number) => text == to.as_str() && number == to.as_integer(),
        };
        if !old.is_some_and(same) {
            set(table, key, to);
        }
        Ok(())
    }

    /// Removes all of a kind; says whether there was anything.
    fn drop_key(&mut self, key: &str) -> bool {
        let Ok(section) = self.section() else { return false };
        let Some(left) = comments::remove_key(section, key) else { return false };
        comments::keep(&mut self.document, left);
        true
    }

    /// The place of a path on the machine, in one spelling.
    fn real(&self, text: &str) -> Option<PathBuf> {
        self.surroundings.path(text, self.base).ok()?.canonicalize().ok()
    }

    fn allow_directory(
        &mut self,
        path: &str,
        guest: Option<&str>,
        mode: Option<DirectoryMode>,
        extensions: &[String],
    ) -> Result<(), EditError> {
        let place = self.real(path);
        let (surroundings, base) = (self.surroundings, self.base);
        let same = |entry: &dyn TableLike| {
            let written = entry.get("path").and_then(Item::as_str);
            let real = written.and_then(|text| surroundings.path(text, base).ok()?.canonicalize().ok());
            let named = entry.get("as").and_then(Item::as_str);
            (real.is_some() && real == place || written == Some(path))
                && guest.is_none_or(|guest| named == Some(guest))
        };
        let form = self.form();
        let section = self.section()?;
        let change = |entry: &mut dyn TableLike| {
            if let Some(mode) = mode
                && entry.get("mode").and_then(Item::as_str).unwrap_or("read-only") != mode.to_string()
            {
                set(entry, "mode", mode.to_string().into());
                if mode == DirectoryMode::ReadOnly {
                    // Nothing can be added there any more.
                    entry.remove("quota");
                }
            }
            if !extensions.is_empty() && texts(entry.get("extensions")) != extensions {
                set(entry, "extensions", list(extensions));
            }
        };
        if !change_first(section, "directories", &same, change) {
            let mut entry = Table::new();
            entry.insert("path", value(path));
            if let Some(guest) = guest {
                entry.insert("as", value(guest));
            }
            entry.insert("mode", value(mode.unwrap_or(DirectoryMode::ReadOnly).to_string()));
            if !extensions.is_empty() {
                entry.insert("extensions", Item::Value(list(extensions)));
            }
            push(section, "directories", entry).ok_or(form)?;
        }
        Ok(())
    }

    fn revoke_directory(&mut self, path: &str) -> Result<(), EditError> {
        let place = self.real(path);
        let (surroundings, base) = (self.surroundings, self.base);
        let same = |entry: &dyn TableLike| {
            let written = entry.get("path").and_then(Item::as_str);
            let real = written.and_then(|text| surroundings.path(text, base).ok()?.canonicalize().ok());
            let named = entry.get("as").and_then(Item::as_str);
            written == Some(path) || real.is_some() && real == place || named == Some(path)
        };
        let left = comments::remove_entries(self.section()?, "directories", &same);
        let left = left.ok_or_else(|| self.missing(format!("the directory {path}")))?;
        comments::keep(&mut self.document, left);
        Ok(())
    }
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
