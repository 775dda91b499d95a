//! One `[plugins.NAME]` of `kennel.toml`: what a person grants under this name, its settings and limits.
//! Checks that a directory exists and is none of Kennel's; opens nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use globset::{Glob, GlobSet, GlobSetBuilder};
use serde_json::{Map, Value};

use super::expand::is_variable_name;
use super::places::Places;
use super::reader::{Faults, Item, Section};
use super::{Surroundings, limits};
use crate::grants::{
    DEFAULT_METHODS, DirectoryGrant, DirectoryMode, DiskQuota, Grants, HttpGrant, HttpPlace, Limits,
    PluginName, StateGrant, StateScope, Trust, check_method,
};

/// What a read-write directory may grow by when nothing is written.
const DEFAULT_QUOTA: DiskQuota = DiskQuota { bytes: 1 << 30, files: 100_000 };
/// A store when nothing is written, in bytes.
const DEFAULT_STATE: u64 = 16 << 20;
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
    /// Which of its tools are offered.
    pub tools: ToolFilter,
    /// Bounds of its calls.
    pub limits: Limits,
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
            tools: ToolFilter::default(),
            limits,
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
    pub(super) limits: &'a Limits,
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
        plugin.grants.env = environment(&env, faults);
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
    plugin.grants.elicit = section.read(faults, "elicit", Item::boolean).unwrap_or(false);
    plugin.grants.sample = section.read(faults, "sample", Item::boolean).unwrap_or(false);
    plugin.grants.roots = section.read(faults, "roots", Item::boolean).unwrap_or(false);
    for directory in section.sections(faults, "directories") {
        let (at, key) = (directory.at(), directory.key().to_owned());
        if let Some(grant) = read_directory(directory, context, faults) {
            match plugin.grants.directories.iter().find(|other| other.guest == grant.guest) {
                Some(other) => {
                    let message = format!(
                        "{:?} is already {}; give one another `as`",
                        grant.guest,
                        other.host.display()
                    );
                    faults.add(at, &key, message);
                }
                None => plugin.grants.directories.push(grant),
            }
        }
    }
    for http in section.sections(faults, "http") {
        plugin.grants.http.extend(read_http(http, context, faults));
    }
    if let Some(mut state) = section.section(faults, "state") {
        let quota = state.read(faults, "quota", Item::size).unwrap_or(DEFAULT_STATE);
        let scope = state.read(faults, "scope", |item| match item.text()? {
            "plugin" => Ok(StateScope::Plugin),
            "caller" => Ok(StateScope::Caller),
            other => Err(format!("{other:?} is neither \"plugin\" nor \"caller\"")),
        });
        state.finish(faults);
        plugin.grants.state = Some(StateGrant { quota, scope: scope.unwrap_or(StateScope::Plugin) });
    }
    section.finish(faults);
    Some(plugin)
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

fn environment(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for (name, item) in section.every() {
        let value = match item.text() {
            _ if !is_variable_name(name) => Err("is not a name of an environment variable".to_owned()),
            Ok(value) if value.contains('\0') => Err("holds a NUL character".to_owned()),
            other => other,
        };
        match value {
            Ok(value) => {
                env.insert(name.to_owned(), value.to_owned());
            }
            Err(message) => faults.add(item.at, &item.key, message),
        }
    }
    env
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

fn read_directory(
    mut section: Section<'_, '_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<DirectoryGrant> {
    let path = section.read(faults, "path", |item| {
        let written = context.surroundings.path(item.text()?, context.base).map_err(|e| e.to_string())?;
        let real = written.canonicalize().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => format!("{} does not exist; make it first", written.display()),
            _ => format!("{}: {e}", written.display()),
        })?;
        if !real.is_dir() {
            return Err(format!("{} is not a directory; grant the directory it is in", written.display()));
        }
        if let Some(places) = context.places {
            let answer = places.check(&real).map_err(|e| format!("{}: {e}", real.display()))?;
            answer.map_err(|conflict| conflict.to_string())?;
        }
        Ok((written, real))
    });
    let named = section.read(faults, "as", |item| guest_path(item.text()?));
    let mode = section.read(faults, "mode", |item| match item.text()? {
        "read-only" => Ok(DirectoryMode::ReadOnly),
        "read-write" => Ok(DirectoryMode::ReadWrite),
        other => Err(format!("{other:?} is neither \"read-only\" nor \"read-write\"")),
    });
    let mode = mode.unwrap_or(DirectoryMode::ReadOnly);
    let mut quota = DEFAULT_QUOTA;
    if let Some(item) = section.item("quota") {
        if mode == DirectoryMode::ReadOnly {
            faults.add(
                item.at,
                &item.key,
                "nothing can be added here; add `mode = \"read-write\"`, or drop it",
            );
        }
        if let Some(mut section) = item.section(faults) {
            quota.bytes = section.read(faults, "bytes", Item::size).unwrap_or(quota.bytes);
            quota.files = section.read(faults, "files", Item::count).unwrap_or(quota.files);
            section.finish(faults);
        }
    }
    let missing = section.item("path").is_none();
    if missing {
        faults.add(
            section.at(),
            section.key(),
            "`path` is missing; write for example path = \"~/Documents\"",
        );
    }
    let (at, key) = (section.at(), section.key().to_owned());
    section.finish(faults);
    let (written, host) = path?;
    let guest = named.map_or_else(
        || {
            // The path as the person wrote it, so that a plugin and its user speak of the same one; the
            // path without links when it cannot be taken word by word.
            let as_written = written.to_str().and_then(|text| guest_path(text).ok());
            as_written.or_else(|| host.to_str().and_then(|text| guest_path(text).ok()))
        },
        Some,
    );
    if guest.is_none() {
        faults.add(at, &key, "the path is not UTF-8; add `as` with the path the plugin shall see");
    }
    Some(DirectoryGrant { host, guest: guest?, mode, quota })
}

/// An absolute path of one spelling.
fn guest_path(text: &str) -> Result<String, String> {
    let path = if text.len() > 1 { text.trim_end_matches('/') } else { text };
    let plain = text.starts_with('/')
        && !path.contains(['\0', '\\'])
        && (path == "/" || path.split('/').skip(1).all(|part| !matches!(part, "" | "." | "..")));
    if plain {
        Ok(path.to_owned())
    } else {
        Err(format!("{text:?} is not an absolute path without \".\" and \"..\"; write for example \"/docs\""))
    }
}

fn read_http(
    mut section: Section<'_, '_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<HttpGrant> {
    let place = section.read(faults, "url", |item| {
        let url = context.surroundings.text(item.text()?).map_err(|e| e.to_string())?;
        HttpPlace::parse(&url).map_err(|e| e.to_string())
    });
    let methods = section.read(faults, "methods", |item| {
        let methods = item.texts()?;
        if methods.is_empty() {
            return Err("no method, so no request; name at least one, or drop the grant".to_owned());
        }
        let methods = methods.into_iter().map(|method| check_method(method).map(|()| method.to_owned()));
        methods.collect::<Result<Vec<_>, _>>()
    });
    let private = section.read(faults, "private-addresses", Item::boolean);
    if section.item("url").is_none() {
        faults.add(
            section.at(),
            section.key(),
            "`url` is missing; write for example url = \"https://api.example.org/v1\"",
        );
    }
    section.finish(faults);
    let place = place?;
    let private_addresses = private.unwrap_or_else(|| place.names_private());
    let methods = methods.unwrap_or_else(|| DEFAULT_METHODS.map(str::to_owned).to_vec());
    let HttpPlace { scheme, host, port, path } = place;
    Some(HttpGrant { scheme, host, port, methods, path, private_addresses })
}
