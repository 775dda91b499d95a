//! Hashes of what a plugin's tools, prompts and templates say (name, description, schemas,
//! annotations), so that words cannot change under a person's approval. The caller brings the
//! definitions as JSON; this module never runs a plugin.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Digest;

/// A hash for each definition, by its name, and one over all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definitions {
    tools: BTreeMap<String, Digest>,
    prompts: BTreeMap<String, Digest>,
    templates: BTreeMap<String, Digest>,
}

/// One difference between approved and found definitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `tool`, `prompt` or `template`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What happened to it.
    pub how: ChangeKind,
}

/// What happened to a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// New.
    Added,
    /// Gone.
    Removed,
    /// Says something else.
    Changed,
}

impl Definitions {
    /// Of these definitions, by name. Two JSON texts that differ only in the order of keys or in white
    /// space hash alike.
    #[must_use]
    pub fn of<'a>(
        tools: impl IntoIterator<Item = (&'a str, &'a Value)>,
        prompts: impl IntoIterator<Item = (&'a str, &'a Value)>,
        templates: impl IntoIterator<Item = (&'a str, &'a Value)>,
    ) -> Self {
        Self::from_items(hashed(tools), hashed(prompts), hashed(templates))
    }

    /// From hashes made before.
    #[must_use]
    pub fn from_items(
        tools: BTreeMap<String, Digest>,
        prompts: BTreeMap<String, Digest>,
        templates: BTreeMap<String, Digest>,
    ) -> Self {
        Self { tools, prompts, templates }
    }

    /// Over all items: every kind, name and hash, each with its length, so that no two different sets
    /// read alike.
    #[must_use]
    pub fn hash(&self) -> Digest {
        let mut text = Vec::new();
        for (kind, items) in self.kinds() {
            for (name, digest) in items {
                for part in [kind.as_bytes(), name.as_bytes(), digest.as_bytes()] {
                    text.extend((part.len() as u64).to_le_bytes());
                    text.extend(part);
                }
            }
        }
        Digest::of(&text)
    }

    /// Hashes of tools by name.
    #[must_use]
    pub fn tools(&self) -> &BTreeMap<String, Digest> {
        &self.tools
    }

    /// Hashes of prompts by name.
    #[must_use]
    pub fn prompts(&self) -> &BTreeMap<String, Digest> {
        &self.prompts
    }

    /// Hashes of resource templates by URI template.
    #[must_use]
    pub fn templates(&self) -> &BTreeMap<String, Digest> {
        &self.templates
    }

    /// What changed from these to `found`, in order of kind and name; empty when they are equal.
    #[must_use]
    pub fn changes(&self, found: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for ((kind, old), (_, new)) in self.kinds().into_iter().zip(found.kinds()) {
            let mut names: Vec<_> = old.keys().chain(new.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let how = match (old.get(name), new.get(name)) {
                    (Some(old), Some(new)) if old == new => continue,
                    (Some(_), Some(_)) => ChangeKind::Changed,
                    (None, _) => ChangeKind::Added,
                    (Some(_), None) => ChangeKind::Removed,
                };
                changes.push(Change { kind, name: name.clone(), how });
            }
        }
        changes
    }

    fn kinds(&self) -> [(&'static str, &BTreeMap<String, Digest>); 3] {
        [("tool", &self.tools), ("prompt", &self.prompts), ("template", &self.templates)]
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.how.sign(), self.kind, self.name)
    }
}

impl ChangeKind {
    /// `+`, `-` or `~`.
    #[must_use]
    pub fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
        }
    }
}

fn hashed<'a>(items: impl IntoIterator<Item = (&'a str, &'a Value)>) -> BTreeMap<String, Digest> {
    // Two items of one name are one entry over both, in their order: a second must not hide a first.
    let mut hashers: BTreeMap<String, Sha256> = BTreeMap::new();
    for (name, value) in items {
        let mut text = String::new();
        canonical(value, &mut text);
        let hasher = hashers.entry(name.to_owned()).or_default();
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    hashers.into_iter().map(|(name, hasher)| (name, Digest::from_bytes(hasher.finalize().into()))).collect()
}

/// JSON with sorted keys and no white space. Numbers keep their text: `1` and `1.0` differ, which can
/// only ask for one approval too many.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_unstable_by_key(|(key, _)| *key);
            let mut mark = '{';
            for (key, value) in keys {
                out.push(std::mem::replace(&mut mark, ','));
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push_str(if mark == '{' { "{}" } else { "}" });
        }
        Value::Array(items) => {
            let mut mark = '[';
            for item in items {
                out.push(std::mem::replace(&mut mark, ','));
                canonical(item, out);
            }
            out.push_str(if mark == '[' { "[]" } else { "]" });
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    fn tools(items: &[(&str, Value)]) -> Definitions {
        Definitions::of(items.iter().map(|(name, value)| (*name, value)), [], [])
    }

    #[test]
    fn key_order_does_not_matter_and_everything_else_does() {
        let text = |s: &str| serde_json::from_str::<Value>(s).unwrap();
        let base = tools(&[("a", text(r#"{"x":[1,{"p":null,"q":"é\n"}],"y":{}}"#))]);
        assert_eq!(base, tools(&[("a", text(r#"{ "y": {}, "x": [1, {"q":"\u00e9\n","p":null}] }"#))]));
        for other in [
            r#"{"x":[1,{"p":null,"q":"é"}],"y":{}}"#,
            r#"{"x":[1.0,{"p":null,"q":"é\n"}],"y":{}}"#,
            r#"{"x":[{"p":null,"q":"é\n"},1],"y":{}}"#,
            r#"{"x":[1,{"p":null,"q":"é\n"}],"y":[]}"#,
        ] {
            assert_ne!(base.hash(), tools(&[("a", text(other))]).hash(), "{other}");
        }
    }

    #[test]
    fn canonical_text_is_json() {
        let value = json!({"b": [], "a": {"d": [1, 2, {}], "c": "\"\\"}});
        let mut text = String::new();
        canonical(&value, &mut text);
        assert_eq!(text, r#"{"a":{"c":"\"\\","d":[1,2,{}]},"b":[]}"#);
    }

    #[test]
    fn a_kind_or_a_double_is_seen() {
        let value = json!(1);
        let tool = Definitions::of([("a", &value)], [], []);
        let prompt = Definitions::of([], [("a", &value)], []);
        assert_ne!(tool.hash(), prompt.hash());
        assert_ne!(tool, Definitions::of([("a", &value), ("a", &value)], [], []));
    }

    #[test]
    fn changes_read_well() {
        let old = tools(&[("gone", json!(1)), ("kept", json!(2)), ("reworded", json!(3))]);
        let new = tools(&[("kept", json!(2)), ("reworded", json!(4)), ("new", json!(5))]);
        let lines: Vec<_> = old.changes(&new).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["- tool gone", "+ tool new", "~ tool reworded"]);
        assert_eq!(old.changes(&old), []);
    }
}
