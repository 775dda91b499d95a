//! Two sides of a plugin beside each other: what is different, as values and as lines. Looks at nothing itself.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use crate::catalog::public_name;
use crate::config::limit_keys;
use crate::grants::{Asked, Difference, Trust};

use super::super::shown;
use super::side::Side;

/// A key whose value is another.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct KeyChange {
    key: String,
    old: String,
    new: String,
}

/// `None` when both are the same.
pub(super) fn key_change(key: impl Into<String>, old: String, new: String) -> Option<KeyChange> {
    (old != new).then(|| KeyChange { key: key.into(), old, new })
}

impl fmt::Display for KeyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.key, shown::plain(&self.old), shown::plain(&self.new))
    }
}

/// What comes and what goes.
#[derive(Debug, Default, Serialize)]
struct Lines {
    added: Vec<String>,
    removed: Vec<String>,
}

impl Lines {
    fn between(old: &[String], new: &[String]) -> Self {
        let without = |all: &[String], others: &[String]| {
            all.iter().filter(|line| !others.contains(line)).cloned().collect()
        };
        Self { added: without(new, old), removed: without(old, new) }
    }

    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    fn print(&self, label: &str, out: &mut dyn Write) -> io::Result<()> {
        let removed = self.removed.iter().map(|line| ('-', line));
        for (sign, line) in removed.chain(self.added.iter().map(|line| ('+', line))) {
            writeln!(out, "  {label:<9} {sign} {}", shown::plain(line))?;
        }
        Ok(())
    }
}

/// What would change for one plugin.
#[derive(Debug, Serialize)]
pub(super) struct PluginPlan {
    plugin: String,
    /// Which bytes, whose trust, which limits and settings.
    keys: Vec<KeyChange>,
    /// Words of tools, prompts and templates.
    definitions: Vec<Difference>,
    /// Names that clients see.
    tools: Lines,
    /// What it asks for.
    asks: Lines,
    /// What its calls hold.
    holds: Lines,
    /// Where new words hold what a person does not see.
    beware: Vec<String>,
}

impl PluginPlan {
    /// What is different in `new`; none is a plugin that is not there.
    pub(super) fn between(old: Option<&Side>, new: Option<&Side>) -> Self {
        let name = old.or(new).map(|side| side.config.name.to_string()).unwrap_or_default();
        let words = |side: Option<&Side>| side.map(|side| side.wording.clone()).unwrap_or_default();
        let list = |side: Option<&Side>, of: fn(&Side) -> Vec<String>| side.map(of).unwrap_or_default();
        let lines = |of: fn(&Side) -> Vec<String>| Lines::between(&list(old, of), &list(new, of));
        let definitions = words(old).differences(&words(new));
        let beware = if definitions.is_empty() { Vec::new() } else { shown::hidden(&words(new)) };
        Self {
            plugin: name,
            keys: keys(old, new),
            definitions,
            tools: lines(tools),
            asks: lines(|side| side.asked.as_ref().map(Asked::describe).unwrap_or_default()),
            holds: lines(|side| side.holding.grants.describe()),
            beware,
        }
    }

    pub(super) fn changes(&self) -> bool {
        !(self.keys.is_empty()
            && self.definitions.is_empty()
            && self.tools.is_empty()
            && self.asks.is_empty()
            && self.holds.is_empty())
    }

    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.plugin)?;
        for change in &self.keys {
            writeln!(out, "  {change}")?;
        }
        self.asks.print("asks", out)?;
        self.holds.print("holds", out)?;
        self.tools.print("offers", out)?;
        for line in shown::differences(&self.definitions) {
            writeln!(out, "  {line}")?;
        }
        for line in &self.beware {
            writeln!(out, "  beware    {line}")?;
        }
        Ok(())
    }
}

/// The names under which clients see its tools.
fn tools(side: &Side) -> Vec<String> {
    let shown = side.wording.tools.keys().filter(|tool| side.config.tools.shows(tool));
    shown.filter_map(|tool| public_name(&side.config.prefix, tool).ok()).collect()
}

fn keys(old: Option<&Side>, new: Option<&Side>) -> Vec<KeyChange> {
    let (Some(old), Some(new)) = (old, new) else {
        let stands = |side: Option<&Side>| match side {
            Some(side) => side.stands_out.clone().unwrap_or_else(|| "is there".to_owned()),
            None => "is not there".to_owned(),
        };
        return key_change("plugin", stands(old), stands(new)).into_iter().collect();
    };
    let trust = |side: &Side| match side.config.trust {
        Trust::Approved => "approved".to_owned(),
        Trust::Dev => "dev".to_owned(),
    };
    let approval = |side: &Side| match (&side.stands_out, &side.holding.unapproved) {
        (Some(why), _) => why.clone(),
        (None, Some(_)) => "not approved, runs with nothing".to_owned(),
        (None, None) => "gets what is granted".to_owned(),
    };
    let patterns = |side: &Side| {
        let (show, hide) = side.config.tools.patterns();
        let shown = show.map_or_else(|| "all".to_owned(), |show| show.join(", "));
        if hide.is_empty() { shown } else { format!("{shown} but {}", hide.join(", ")) }
    };
    let mut all: Vec<_> = [
        ("file", old.config.file.clone(), new.config.file.clone()),
        ("sha256", old.sha256.clone(), new.sha256.clone()),
        ("trust", trust(old), trust(new)),
        ("on-denied", old.config.on_denied.to_string(), new.config.on_denied.to_string()),
        ("standing", approval(old), approval(new)),
        ("prefix", old.config.prefix.clone(), new.config.prefix.clone()),
        ("tools", patterns(old), patterns(new)),
    ]
    .into_iter()
    .filter_map(|(key, old, new)| key_change(key, old, new))
    .collect();
    all.extend(limit_keys().filter_map(|key| {
        key_change(format!("limits.{}", key.name), key.value_text(&old.limits), key.value_text(&new.limits))
    }));
    // Settings are for approved bytes alone, as grants are.
    let settings = |side: &Side| match side.holding.unapproved {
        None => side.config.settings.clone(),
        Some(_) => serde_json::Map::new(),
    };
    let (before, after) = (settings(old), settings(new));
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let value = |map: &serde_json::Map<String, serde_json::Value>, name: &str| {
        map.get(name).map_or_else(|| "(not set)".to_owned(), ToString::to_string)
    };
    all.extend(names.into_iter().filter_map(|name| {
        key_change(format!("settings.{}", shown::plain(name)), value(&before, name), value(&after, name))
    }));
    // Values may be what nobody else should read over a shoulder.
    let (before, after) = (&old.holding.grants.env, &new.holding.grants.env);
    let other = before.iter().filter(|(name, value)| after.get(*name).is_some_and(|now| now != *value));
    all.extend(other.map(|(name, _)| KeyChange {
        key: format!("env.{name}"),
        old: "(a value)".to_owned(),
        new: "(another)".to_owned(),
    }));
    all
}
