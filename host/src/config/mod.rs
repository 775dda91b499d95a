//! Reads `kennel.toml` and turns its text into checked values once; nothing after it sees a string that
//! should be a size, a path or a URL. Touches neither wasmtime nor any plugin, and grants nothing that is
//! not written there: a key it does not know is an error.

mod audit;
mod comments;
pub mod edit;
mod egress;
mod expand;
mod home;
mod limits;
mod mounts;
mod origin;
mod places;
mod plugin;
mod protocol;
mod reader;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::grants::{Limits, NameError, PluginName, shared_file};

pub use audit::AuditConfig;
pub use expand::{ExpandError, Surroundings};
pub use home::{Home, HomeError};
pub use limits::{LimitKey, default_limits, limit_keys};
pub use origin::Origin;
pub use places::{Conflict, Places, PlacesError};
pub use plugin::{Argument, CommandTool, Kind, PluginConfig, ToolFilter, Where};
pub use protocol::ProtocolConfig;
pub use reader::Fault;

use reader::{Faults, Section};

/// Largest configuration read, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// What `kennel.toml` says, or what holds without one.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder in which components are looked for. Absolute; may not exist yet.
    pub plugins_folder: PathBuf,
    /// What happens to a plugin that nobody approved.
    pub new_plugins: NewPlugins,
    /// What happens when a plugin is denied something, for every plugin that does not say otherwise.
    pub on_denied: OnDenied,
    /// For every plugin that does not say otherwise.
    pub limits: Limits,
    /// The protocol's side.
    pub protocol: ProtocolConfig,
    /// How the audit is kept.
    pub audit: AuditConfig,
    /// The plugins that are mentioned.
    pub plugins: BTreeMap<PluginName, PluginConfig>,
}

/// What happens to a plugin that nobody approved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewPlugins {
    /// It runs with nothing granted.
    #[default]
    Sandboxed,
    /// It does not run.
    Hold,
}

/// What happens when a plugin is denied something that it asked for and nobody granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDenied {
    /// It is denied.
    #[default]
    Deny,
    /// The person behind the client is asked, if that is possible; else it is denied.
    Ask,
}

impl fmt::Display for OnDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deny => "deny",
            Self::Ask => "ask",
        })
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: cannot be read: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It says things that cannot be. One line each, in the order of the file.
    #[error("{}", lines(.0))]
    Faults(Vec<Fault>),
}

/// Why a file in the plugins folder is no plugin by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileNameError {
    /// Its name makes no plugin name.
    #[error("{file}: {source}; rename the file, or name it with `file = {file:?}` under a plugin")]
    Name {
        /// The file.
        file: String,
        /// Why.
        source: NameError,
    },
    /// The configuration gives that plugin name to another file.
    #[error(
        "{file}: the plugin {name} is {other} by kennel.toml; rename this file, or name it under another plugin"
    )]
    Taken {
        /// The file.
        file: String,
        /// The name it would get.
        name: PluginName,
        /// The file that has the name.
        other: String,
    },
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl ConfigError {
    /// The single faults; empty when the file could not be read at all.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Read { .. } => &[],
            Self::Faults(faults) => faults,
        }
    }
}

impl Config {
    /// Reads the configuration of this home. Without a file the defaults hold, unless a file was named
    /// by hand.
    ///
    /// # Errors
    /// When there is a file that cannot be read, or any fault in it: then nothing of it holds.
    pub fn load(home: &Home, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        Self::parse(&Self::text(home)?, home, surroundings)
    }

    /// The text of this home's configuration, unchecked.
    ///
    /// # Errors
    /// When there is a file that cannot be read, or none where one was named by hand.
    pub fn text(home: &Home) -> Result<String, ConfigError> {
        let file = home.config_file();
        let read = |source| ConfigError::Read { file: file.to_owned(), source };
        let text = shared_file::read(file, MAX_CONFIG).map_err(read)?;
        if text.is_none() && home.config_is_given() {
            return Err(read(io::ErrorKind::NotFound.into()));
        }
        Ok(text.unwrap_or_default())
    }

    /// Reads another file as if it were the configuration of this home, without putting it in force.
    ///
    /// # Errors
    /// As [`Config::load`], with the other file's name.
    pub fn load_other(home: &Home, file: &Path, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { file: file.to_owned(), source };
        let text = shared_file::read(file, MAX_CONFIG).map_err(read)?;
        let text = text.ok_or_else(|| read(io::ErrorKind::NotFound.into()))?;
        Self::parse(&text, home, surroundings).map_err(|error| match error {
            ConfigError::Faults(faults) => ConfigError::Faults(
                faults.into_iter().map(|fault| Fault { file: file.to_owned(), ..fault }).collect(),
            ),
            other => other,
        })
    }

    /// Reads a text as the configuration of this home. Looks at the file system to check directories.
    ///
    /// # Errors
    /// With every fault that was found, in the order of the text.
    pub fn parse(text: &str, home: &Home, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let mut faults = Faults::new(home.config_file(), text);
        let (table, errors) = toml::de::DeTable::parse_recoverable(text);
        for error in errors {
            faults.add(error.span().map_or(0, |span| span.start), "", error.message());
        }
        if !faults.is_empty() {
            return Err(ConfigError::Faults(faults.into_list()));
        }
        let mut root = Section::new(String::new(), 0, table.get_ref());
        let config = Self::read(&mut root, home, surroundings, &mut faults);
        root.finish(&mut faults);
        if faults.is_empty() { Ok(config) } else { Err(ConfigError::Faults(faults.into_list())) }
    }

    fn read(
        root: &mut Section<'_, '_>,
        home: &Home,
        surroundings: &Surroundings,
        faults: &mut Faults<'_>,
    ) -> Self {
        let base = home.config_file().parent().unwrap_or(Path::new("/"));
        let folder = root.read(faults, "plugins-folder", |item| {
            Ok((item.at, surroundings.path(item.text()?, base).map_err(|e| e.to_string())?))
        });
        let (at, plugins_folder) = folder.unwrap_or_else(|| (0, home.default_plugins()));
        let places = match Places::new(home, &plugins_folder) {
            Ok(places) => Some(places),
            Err(error) => {
                faults.add(at, "plugins-folder", error.to_string());
                None
            }
        };
        let new_plugins = root.read(faults, "new-plugins", |item| match item.text()? {
            "sandboxed" => Ok(NewPlugins::Sandboxed),
            "hold" => Ok(NewPlugins::Hold),
            other => Err(format!("{other:?} is neither \"sandboxed\" nor \"hold\"")),
        });
        let on_denied = root.read(faults, "on-denied", plugin::on_denied).unwrap_or_default();
        let mut common = default_limits();
        if let Some(mut section) = root.section(faults, "limits") {
            limits::read(&mut section, &mut common, faults);
            section.finish(faults);
        }
        let protocol = protocol::read(root, faults);
        let audit = audit::read(root, faults);
        let egress = egress::read(root, surroundings, base, faults);
        let mut plugins = BTreeMap::new();
        if let Some(all) = root.section(faults, "plugins") {
            let mut written = BTreeMap::new();
            let places = places.as_ref();
            let context =
                plugin::Context { surroundings, base, places, on_denied, limits: &common, egress: &egress };
            for (name, item) in all.every() {
                match PluginName::new(name) {
                    Err(error) => faults.add(item.at, &item.key, error.to_string()),
                    Ok(name) => {
                        if let Some(plugin) = plugin::read(&name, &item, &context, faults) {
                            written.insert(name.clone(), item);
                            plugins.insert(name, plugin);
                        }
                    }
                }
            }
            for (name, message) in plugin::secrets::reachable(&plugins) {
                if let Some(item) = written.get(&name) {
                    faults.add(item.at, &item.key, message);
                }
            }
        }
        let new_plugins = new_plugins.unwrap_or_default();
        Self { plugins_folder, new_plugins, on_denied, limits: common, protocol, audit, plugins }
    }

    /// The plugins that a file in the plugins folder is: those that name it, or else one of the file's own
    /// name with nothing granted.
    ///
    /// # Errors
    /// When no plugin names the file and its own name cannot be one.
    pub fn plugins_of_file(&self, file: &str) -> Result<Vec<PluginConfig>, FileNameError> {
        let named: Vec<_> = self.plugins.values().filter(|p| p.file == file).cloned().collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let name = PluginName::from_file_name(file)
            .map_err(|source| FileNameError::Name { file: file.to_owned(), source })?;
        match self.plugins.get(&name) {
            Some(taken) => {
                Err(FileNameError::Taken { file: file.to_owned(), name, other: taken.file.clone() })
            }
            None => {
                let plugin = PluginConfig::unmentioned(name, file, self.limits.clone());
                Ok(vec![PluginConfig { on_denied: self.on_denied, ..plugin }])
            }
        }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
