//! One `[plugins.NAME]` of `kennel.toml`: what a person grants under this name, its settings and limits.
//! Each kind of grant is read by a module of its own.

mod command;
mod commands;
mod directories;
mod env;
mod http;
pub(super) mod secrets;
mod sockets;
mod state;

pub use command::{Argument, CommandTool, Kind, Where};

use std::fmt;
use std::path::Path;

use globset::{Glob, GlobSet, GlobSetBuilder};
use serde_json::{Map, Value};

use super::places::Places;
use super::reader::{Faults, Item};
use super::{OnDenied, Surroundings, limits};
use crate::grants::{Egress, Grants, Limits, PluginName, Trust};

/// Longest prefix of tool names: with `__` it leaves half of the 64 characters to the tool.
const MAX_PREFIX: usize = 32;

/// One plugin as the person wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginConfig {
    /// Its name.
    pub name: PluginName,
    /// The file in the plugins folder; several plugins may be one file.
    pub file: String,
    /// Whether `kennel.toml` has an entry for it.
    pub mentioned: bool,
    /// Whose bytes get the grants.
    pub trust: Trust,
    /// Before `__` in its tools' names; empty for none.
    pub prefix: String,
    /// What it can read about itself; never secret.
    pub settings: Map<String, Value>,
    /// What it may have, before its approval and what it asks are looked at.
    pub grants: Grants,
    /// What happens when it is denied something.
    pub on_denied: OnDenied,
    /// Which of its tools are offered.
    pub tools: ToolFilter,
    /// What it is run with, when it is a command.
    pub command: Option<CommandTool>,
    /// Bounds of its calls.
    pub limits: Limits,
    /// The way out that all plugins share.
    pub egress: Egress,
}

impl PluginConfig {
    /// A plugin that nobody mentioned: nothing granted.
    #[must_use]
    pub fn unmentioned(name: PluginName, file: &str, limits: Limits) -> Self {
        Self {
            file: file.to_owned(),
            mentioned: false,
            trust: Trust::Approved,
            prefix: name.to_string(),
            settings: Map::new(),
            grants: Grants::default(),
            on_denied: OnDenied::Deny,
            tools: ToolFilter::default(),
            command: None,
            limits,
            egress: Egress::default(),
            name,
        }
    }
}

/// Which tools are offered, by patterns over the plugin's own names for them.
#[derive(Clone, Debug, Default)]
pub struct ToolFilter {
    /// `None` shows all.
    show: Option<Patterns>,
    hide: Patterns,
}

#[derive(Clone, Default)]
struct Patterns {
    text: Vec<String>,
    set: GlobSet,
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl ToolFilter {
    /// Whether a tool of this name (the plugin's own, without prefix) is offered: shown, and not hidden.
    #[must_use]
    pub fn shows(&self, tool: &str) -> bool {
        self.show.as_ref().is_none_or(|show| show.set.is_match(tool)) && !self.hide.set.is_match(tool)
    }

    /// The patterns as written: shown (`None` for all) and hidden.
    #[must_use]
    pub fn patterns(&self) -> (Option<&[String]>, &[String]) {
        (self.show.as_ref().map(|show| show.text.as_slice()), &self.hide.text)
    }
}

impl PartialEq for ToolFilter {
    fn eq(&self, other: &Self) -> bool {
        self.patterns() == other.patterns()
    }
}

/// What the values of a plugin refer to.
pub(super) struct Context<'a> {
    pub(super) surroundings: &'a Surroundings,
    /// Where relative paths begin.
    pub(super) base: &'a Path,
    /// Absent when these have a fault of their own, which is reported.
    pub(super) places: Option<&'a Places>,
    /// For what the plugin does not say.
    pub(super) on_denied: OnDenied,
    pub(super) limits: &'a Limits,
    pub(super) egress: &'a Egress,
}

/// Reads one plugin; every fault is noted, and any makes the whole configuration void.
pub(super) fn read(
    name: &PluginName,
    item: &Item<'_, '_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<PluginConfig> {
    let mut section = item.section(faults)?;
    let mut plugin = PluginConfig::unmentioned(name.clone(), &format!("{name}.wasm"), context.limits.clone());
    plugin.mentioned = true;
    plugin.egress = context.egress.clone();
    if let Some(file) = section.read(faults, "file", |item| file_name(item.text()?)) {
        plugin.file = file;
    }
    if let Some(trust) = section.read(faults, "trust", |item| match item.text()? {
        "approved" => Ok(Trust::Approved),
        "dev" => Ok(Trust::Dev),
        other => Err(format!("{other:?} is neither \"approved\" nor \"dev\"")),
    }) {
        plugin.trust = trust;
    }
    plugin.on_denied = section.read(faults, "on-denied", on_denied).unwrap_or(context.on_denied);
    if let Some(prefix) = section.read(faults, "prefix", |item| prefix(item.text()?)) {
        plugin.prefix = prefix;
    }
    if let Some(settings) = section.section(faults, "settings") {
        for (name, item) in settings.every() {
            match item.json() {
                Ok(value) => {
                    plugin.settings.insert(name.to_owned(), value);
                }
                Err(message) => faults.add(item.at, &item.key, message),
            }
        }
    }
    if let Some(env) = section.section(faults, "env") {
        plugin.grants.env = env::read(&env, faults);
    }
    if let Some(mut tools) = section.section(faults, "tools") {
        let show = tools.read(faults, "show", patterns);
        let hide = tools.read(faults, "hide", patterns).unwrap_or_default();
        plugin.tools = ToolFilter { show, hide };
        tools.finish(faults);
    }
    if let Some(mut section) = section.section(faults, "limits") {
        limits::read(&mut section, &mut plugin.limits, faults);
        section.finish(faults);
    }
    plugin.command = command::read(&mut section, name, faults);
    plugin.grants.elicit = section.read(faults, "elicit", Item::boolean).unwrap_or(false);
    plugin.grants.sample = section.read(faults, "sample", Item::boolean).unwrap_or(false);
    plugin.grants.roots = section.read(faults, "roots", Item::boolean).unwrap_or(false);
    plugin.grants.directories = directories::read(&mut section, context, faults);
    plugin.grants.http = http::read(&mut section, context, faults);
    plugin.grants.tcp = sockets::read(&mut section, "tcp", context, faults);
    plugin.grants.udp = sockets::read(&mut section, "udp", context, faults);
    let resolve = section.read(faults, "resolve", |item| sockets::read_names(item, context));
    plugin.grants.resolve = resolve.unwrap_or_default();
    plugin.grants.secrets = secrets::read(&mut section, &plugin.grants, context, faults);
    plugin.grants.state = state::read(&mut section, faults);
    plugin.grants.commands = commands::read(&mut section, &plugin.grants.directories, context, faults);
    section.finish(faults);
    Some(plugin)
}

/// Reads `on-denied`.
pub(super) fn on_denied(item: &Item<'_, '_>) -> Result<OnDenied, String> {
    match item.text()? {
        "deny" => Ok(OnDenied::Deny),
        "ask" => Ok(OnDenied::Ask),
        other => Err(format!("{other:?} is neither \"deny\" nor \"ask\"")),
    }
}

fn file_name(text: &str) -> Result<String, String> {
    let plain = text.ends_with(".wasm") && text.len() > ".wasm".len() && !text.contains(['/', '\\', '\0']);
    if plain {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is not the name of a file in the plugins folder; write for example \"fetch.wasm\""
        ))
    }
}

fn prefix(text: &str) -> Result<String, String> {
    let plain = text.len() <= MAX_PREFIX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if plain {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not a prefix; use at most {MAX_PREFIX} of a-z, A-Z, 0-9, \"_\" and \"-\""))
    }
}

fn patterns(item: &Item<'_, '_>) -> Result<Patterns, String> {
    let mut set = GlobSetBuilder::new();
    let mut text = Vec::new();
    for pattern in item.texts()? {
        set.add(Glob::new(pattern).map_err(|e| format!("{pattern:?} is not a pattern: {}", e.kind()))?);
        text.push(pattern.to_owned());
    }
    Ok(Patterns { text, set: set.build().map_err(|e| e.to_string())? })
}
