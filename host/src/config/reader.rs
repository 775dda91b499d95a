//! Walks a TOML text and collects every fault with file, line and dotted key. Knows the form of the
//! text only; what a key means is with the thing it is about.
//!
//! Not `serde`: it stops at the first fault and loses the line of a value once it is read.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::escape::escape_for_line;
use crate::grants::units;

/// One thing that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The configuration.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// Dotted, as `plugins.fs.limits.memory`; empty for the text as a whole.
    pub key: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        // Paths and words as they were written.
        f.write_str(&escape_for_line(&self.message))
    }
}

/// The faults found so far in one text.
pub(super) struct Faults<'t> {
    file: &'t Path,
    text: &'t str,
    list: Vec<Fault>,
}

impl<'t> Faults<'t> {
    pub(super) fn new(file: &'t Path, text: &'t str) -> Self {
        Self { file, text, list: Vec::new() }
    }

    /// Adds a fault at this byte of the text. A fault is one line, whatever its parts say.
    pub(super) fn add(&mut self, at: usize, key: &str, message: impl AsRef<str>) {
        let line = 1 + self.text.bytes().take(at).filter(|b| *b == b'\n').count();
        let message = message.as_ref().split('\n').collect::<Vec<_>>().join(" ");
        self.list.push(Fault { file: self.file.to_owned(), line, key: key.to_owned(), message });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn into_list(mut self) -> Vec<Fault> {
        self.list.sort_by_key(|fault| fault.line);
        self.list
    }
}

/// A value with its place.
pub(super) struct Item<'a, 'i> {
    pub(super) key: String,
    pub(super) at: usize,
    pub(super) value: &'a DeValue<'i>,
}

/// A table whose known keys are taken one by one; what is left is a fault.
pub(super) struct Section<'a, 'i> {
    key: String,
    at: usize,
    table: &'a DeTable<'i>,
    known: Vec<&'static str>,
}

impl<'a, 'i> Section<'a, 'i> {
    pub(super) fn new(key: String, at: usize, table: &'a DeTable<'i>) -> Self {
        Self { key, at, table, known: Vec::new() }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    fn dotted(&self, name: &str) -> String {
        let quoted;
        let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let name = if !name.is_empty() && name.chars().all(bare) {
            name
        } else {
            quoted = format!("{name:?}");
            &quoted
        };
        if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) }
    }

    /// The value of a key this section knows.
    pub(super) fn item(&mut self, name: &'static str) -> Option<Item<'a, 'i>> {
        if !self.known.contains(&name) {
            self.known.push(name);
        }
        self.every().find(|(key, _)| *key == name).map(|(_, item)| item)
    }

    /// Every key with its value, for tables whose keys are names.
    pub(super) fn every(&self) -> impl Iterator<Item = (&'a str, Item<'a, 'i>)> {
        let table: &'a DeTable<'i> = self.table;
        table.iter().map(|(key, value)| {
            let name: &'a str = key.get_ref();
            (name, Item { key: self.dotted(name), at: key.span().start, value: value.get_ref() })
        })
    }

    /// Takes a value, or notes why it cannot be taken.
    pub(super) fn read<T>(
        &mut self,
        faults: &mut Faults<'_>,
        name: &'static str,
        read: impl FnOnce(&Item<'a, 'i>) -> Result<T, String>,
    ) -> Option<T> {
        let item = self.item(name)?;
        read(&item).map_err(|message| faults.add(item.at, &item.key, message)).ok()
    }

    /// Takes a table.
    pub(super) fn section(&mut self, faults: &mut Faults<'_>, name: &'static str) -> Option<Section<'a, 'i>> {
        self.item(name)?.section(faults)
    }

    /// Takes an array of tables.
    pub(super) fn sections(&mut self, faults: &mut Faults<'_>, name: &'static str) -> Vec<Section<'a, 'i>> {
        let Some(item) = self.item(name) else { return Vec::new() };
        let Some(array) = item.value.as_array() else {
            faults.add(
                item.at,
                &item.key,
                format!("{}; write [[{}]]", wrong("a list of tables", item.value), item.key),
            );
            return Vec::new();
        };
        let tables = array.iter().enumerate().filter_map(|(i, value): (usize, &Spanned<DeValue<'i>>)| {
            let at = value.span().start;
            Item { key: format!("{}[{i}]", item.key), at, value: value.get_ref() }.section(faults)
        });
        tables.collect()
    }

    /// Notes every key that was never asked for.
    pub(super) fn finish(self, faults: &mut Faults<'_>) {
        for (name, item) in self.every().filter(|(name, _)| !self.known.contains(name)) {
            // Above 0.8 by Jaro and Winkler is a slip of the finger rather than another word.
            let close = self.known.iter().map(|known| (strsim::jaro_winkler(name, known), known));
            let close = close.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
            let help = match close {
                Some((_, known)) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            faults.add(item.at, &item.key, format!("unknown key; {help}"));
        }
    }
}

impl<'a, 'i> Item<'a, 'i> {
    pub(super) fn section(&self, faults: &mut Faults<'_>) -> Option<Section<'a, 'i>> {
        match self.value {
            DeValue::Table(table) => Some(Section::new(self.key.clone(), self.at, table)),
            other => {
                faults.add(self.at, &self.key, wrong("a table", other));
                None
            }
        }
    }

    pub(super) fn text(&self) -> Result<&'a str, String> {
        self.value.as_str().ok_or_else(|| wrong("a text in quotes", self.value))
    }

    pub(super) fn boolean(&self) -> Result<bool, String> {
        self.value.as_bool().ok_or_else(|| wrong("true or false", self.value))
    }

    pub(super) fn texts(&self) -> Result<Vec<&'a str>, String> {
        let wrong = || wrong("a list of texts, as [\"a\", \"b\"]", self.value);
        let array = self.value.as_array().ok_or_else(wrong)?;
        array.iter().map(|item| item.get_ref().as_str().ok_or_else(wrong)).collect()
    }

    /// Bytes: a text with a unit, or a plain number.
    pub(super) fn size(&self) -> Result<u64, String> {
        match self.value {
            DeValue::String(text) => units::parse_size(text).map_err(|e| e.to_string()),
            DeValue::Integer(_) => self.whole(),
            other => Err(wrong("a size; write for example \"64MiB\"", other)),
        }
    }

    /// A count: a text with a unit, or a plain number.
    pub(super) fn count(&self) -> Result<u64, String> {
        match self.value {
            DeValue::String(text) => units::parse_count(text).map_err(|e| e.to_string()),
            DeValue::Integer(_) => self.whole(),
            other => Err(wrong("a count; write for example \"500M\"", other)),
        }
    }

    /// A duration: a text with a unit; a bare number could be anything.
    pub(super) fn duration(&self) -> Result<std::time::Duration, String> {
        match self.value {
            DeValue::String(text) => units::parse_duration(text).map_err(|e| e.to_string()),
            other => Err(wrong("a duration; write for example \"30s\"", other)),
        }
    }

    fn whole(&self) -> Result<u64, String> {
        let DeValue::Integer(number) = self.value else { return Err(wrong("a number", self.value)) };
        u64::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| format!("{number} is not a whole number from 0 to {}", u64::MAX))
    }

    /// Any value as JSON: dates become texts, and numbers that JSON does not have are refused.
    pub(super) fn json(&self) -> Result<Value, String> {
        json(self.value)
    }
}

fn json(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(b) => Value::from(*b),
        DeValue::Datetime(date) => Value::from(date.to_string()),
        DeValue::Integer(n) => {
            let number = i64::from_str_radix(n.as_str(), n.radix());
            Value::from(number.map_err(|_| format!("{n} does not fit 64 bits"))?)
        }
        DeValue::Float(n) => {
            let number = n.as_str().parse::<f64>().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or_else(|| format!("{n} is no number in JSON"))?)
        }
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| json(item.get_ref())).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => Value::Object(json_table(table)?),
    })
}

fn json_table(table: &DeTable<'_>) -> Result<Map<String, Value>, String> {
    table.iter().map(|(key, value)| Ok((key.get_ref().to_string(), json(value.get_ref())?))).collect()
}

/// "is a number, not a text".
fn wrong(expected: &str, found: &DeValue<'_>) -> String {
    let found = match found {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    format!("is {found}, not {expected}")
}
