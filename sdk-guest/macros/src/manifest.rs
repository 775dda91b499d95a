//! The manifest: what a plugin is and what it asks for, as JSON in the custom section
//! `kennel:manifest`, so that it can be read without running the plugin. Asking gives nothing.
//! Must not accept what the host would not know: an unknown key is an error at that key.

use proc_macro2::Span;
use serde_json::{Map, Value};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitBool, LitStr, Result, Token, braced, bracketed};

/// The version of the contract that this SDK speaks; a test compares it with `wit/`.
pub(crate) const CONTRACT: &str = "0.1.0";

/// What stands after `asks:`.
pub(crate) struct Asks(Node);

enum Node {
    Object(Vec<(Ident, Node)>, Span),
    List(Vec<Node>, Span),
    Text(LitStr),
    Switch(LitBool),
}

impl Node {
    fn span(&self) -> Span {
        match self {
            Self::Object(_, span) | Self::List(_, span) => *span,
            Self::Text(text) => text.span(),
            Self::Switch(switch) => switch.span(),
        }
    }
}

impl Parse for Node {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let span = input.span();
        if input.peek(syn::token::Brace) {
            let content;
            braced!(content in input);
            let entries = Punctuated::<Entry, Token![,]>::parse_terminated(&content)?;
            return Ok(Self::Object(entries.into_iter().map(|entry| (entry.0, entry.1)).collect(), span));
        }
        if input.peek(syn::token::Bracket) {
            let content;
            bracketed!(content in input);
            let entries = Punctuated::<Self, Token![,]>::parse_terminated(&content)?;
            return Ok(Self::List(entries.into_iter().collect(), span));
        }
        if input.peek(LitStr) {
            return Ok(Self::Text(input.parse()?));
        }
        if input.peek(LitBool) {
            return Ok(Self::Switch(input.parse()?));
        }
        Err(input.error("here stands a string, `true`, `false`, `[…]` or `{ key: value }`"))
    }
}

struct Entry(Ident, Node);

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let key = input.call(Ident::parse_any)?;
        input.parse::<Token![:]>()?;
        Ok(Self(key, input.parse()?))
    }
}

impl Parse for Asks {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        input.parse().map(Self)
    }
}

/// What a key may hold.
enum Shape {
    Text,
    OneOf(&'static [&'static str]),
    Texts,
    Switch,
    Object(&'static [Key]),
    Objects(&'static [Key]),
}

struct Key {
    name: &'static str,
    shape: Shape,
    required: bool,
}

const fn must(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, required: true }
}

const fn may(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, required: false }
}

/// The keys of `asks`. A key's dashes are underscores in `plugin!`. `why` is always wanted: it is what
/// a person reads when deciding.
const ASKS: &[Key] = &[
    may(
        "directories",
        Shape::Object(&[must("mode", Shape::OneOf(&["read-only", "read-write"])), must("why", Shape::Text)]),
    ),
    may(
        "http",
        Shape::Objects(&[
            must("url", Shape::Text),
            may("methods", Shape::Texts),
            may("url-from-env", Shape::Text),
            must("why", Shape::Text),
        ]),
    ),
    may(
        "state",
        Shape::Object(&[
            may("quota", Shape::Text),
            may("scope", Shape::OneOf(&["plugin", "caller"])),
            must("why", Shape::Text),
        ]),
    ),
    may("env", Shape::Objects(&[must("name", Shape::Text), must("why", Shape::Text)])),
    may("secrets", Shape::Objects(&[must("name", Shape::Text), must("why", Shape::Text)])),
    may("settings", Shape::Objects(&[must("name", Shape::Text), must("why", Shape::Text)])),
    may("tcp", Shape::Objects(&[must("address", Shape::Text), must("why", Shape::Text)])),
    may("udp", Shape::Objects(&[must("address", Shape::Text), must("why", Shape::Text)])),
    may("resolve", Shape::Objects(&[must("name", Shape::Text), must("why", Shape::Text)])),
    may("commands", Shape::Object(&[must("why", Shape::Text)])),
    may("elicit", Shape::Switch),
    may("sample", Shape::Switch),
    may("roots", Shape::Switch),
];

/// The manifest's text.
pub(crate) fn json(name: &str, version: &str, description: &str, asks: Option<&Asks>) -> Result<String> {
    let mut manifest = Map::new();
    manifest.insert("contract".into(), CONTRACT.into());
    manifest.insert("name".into(), name.into());
    manifest.insert("version".into(), version.into());
    if !description.is_empty() {
        manifest.insert("description".into(), description.into());
    }
    manifest.insert(
        "asks".into(),
        match asks {
            Some(Asks(node)) => object(node, "asks", ASKS)?,
            None => Value::Object(Map::new()),
        },
    );
    Ok(Value::Object(manifest).to_string())
}

fn object(node: &Node, place: &str, keys: &[Key]) -> Result<Value> {
    let Node::Object(entries, span) = node else {
        return Err(Error::new(node.span(), format!("`{place}` is an object: `{{ key: value }}`")));
    };
    let mut map = Map::new();
    for (ident, value) in entries {
        let name = ident.unraw().to_string().replace('_', "-");
        let Some(key) = keys.iter().find(|key| key.name == name) else {
            let known =
                keys.iter().map(|key| format!("`{}`", key.name.replace('-', "_"))).collect::<Vec<_>>();
            return Err(Error::new(
                ident.span(),
                format!("`{place}` has no key `{ident}`; it has {}", known.join(", ")),
            ));
        };
        if map.insert(name, shaped(value, key)?).is_some() {
            return Err(Error::new(ident.span(), format!("`{ident}` is given twice")));
        }
    }
    for key in keys.iter().filter(|key| key.required) {
        if !map.contains_key(key.name) {
            let why = if key.name == "why" { ": the person who grants it reads it" } else { "" };
            return Err(Error::new(*span, format!("`{}` is missing here{why}", key.name)));
        }
    }
    Ok(Value::Object(map))
}

fn shaped(node: &Node, key: &Key) -> Result<Value> {
    let name = key.name.replace('-', "_");
    match (&key.shape, node) {
        (Shape::Text, Node::Text(text)) if text.value().trim().is_empty() => {
            Err(Error::new(text.span(), format!("`{name}` is empty")))
        }
        (Shape::Text, Node::Text(text)) => Ok(text.value().into()),
        (Shape::OneOf(values), Node::Text(text)) => {
            let value = text.value();
            if values.contains(&value.as_str()) {
                return Ok(value.into());
            }
            let known = values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(" or ");
            Err(Error::new(text.span(), format!("`{name}` is {known}, not \"{value}\"")))
        }
        (Shape::Texts, Node::List(list, _)) => list
            .iter()
            .map(|node| match node {
                Node::Text(text) => Ok(Value::from(text.value())),
                other => Err(Error::new(other.span(), format!("`{name}` is a list of strings"))),
            })
            .collect(),
        (Shape::Switch, Node::Switch(switch)) => Ok(switch.value.into()),
        (Shape::Object(keys), node) => object(node, &name, keys),
        (Shape::Objects(keys), Node::List(list, _)) => {
            list.iter().map(|node| object(node, &name, keys)).collect()
        }
        (shape, node) => {
            let wanted = match shape {
                Shape::Text | Shape::OneOf(_) => "a string",
                Shape::Texts => "a list of strings: `[\"…\"]`",
                Shape::Switch => "`true` or `false`",
                Shape::Object(_) => "an object: `{ key: value }`",
                Shape::Objects(_) => "a list of objects: `[{ key: value }]`",
            };
            Err(Error::new(node.span(), format!("`{name}` is {wanted}")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn manifest(asks: &str) -> Result<Value> {
        let asks: Asks = syn::parse_str(asks)?;
        Ok(serde_json::from_str(&json("p", "1.2.3", "A \"quoted\" line", Some(&asks))?).unwrap())
    }

    #[test]
    fn everything_a_plugin_can_ask_for_is_written() {
        let made = manifest(
            r#"{
                directories: { mode: "read-write", why: "a" },
                http: [{ url: "https://example.org", methods: ["GET"], url_from_env: "BASE", why: "b" }],
                state: { quota: "16MiB", scope: "plugin", why: "c" },
                env: [{ name: "BASE", why: "d" }],
                settings: [{ name: "size", why: "e" }],
                tcp: [{ address: "db:5432", why: "f" }],
                udp: [{ address: "*", why: "g" }],
                resolve: [{ name: "*.example.org", why: "h" }],
                commands: { why: "i" },
                elicit: true,
                sample: false,
                roots: true,
            }"#,
        )
        .unwrap();
        assert_eq!(
            made,
            serde_json::json!({
                "contract": "0.1.0", "name": "p", "version": "1.2.3", "description": "A \"quoted\" line",
                "asks": {
                    "directories": {"mode": "read-write", "why": "a"},
                    "http": [{"url": "https://example.org", "methods": ["GET"], "url-from-env": "BASE", "why": "b"}],
                    "state": {"quota": "16MiB", "scope": "plugin", "why": "c"},
                    "env": [{"name": "BASE", "why": "d"}],
                    "settings": [{"name": "size", "why": "e"}],
                    "tcp": [{"address": "db:5432", "why": "f"}],
                    "udp": [{"address": "*", "why": "g"}],
                    "resolve": [{"name": "*.example.org", "why": "h"}],
                    "commands": {"why": "i"},
                    "elicit": true, "sample": false, "roots": true
                }
            })
        );
    }

    #[test]
    fn a_plugin_that_asks_for_nothing_has_an_empty_object() {
        let text = json("p", "1.0.0", "", None).unwrap();
        assert_eq!(text, r#"{"contract":"0.1.0","name":"p","version":"1.0.0","asks":{}}"#);
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (asks, says) in [
            ("{ directory: true }", "no key `directory`; it has `directories`"),
            (r#"{ directories: { mode: "rw", why: "x" } }"#, "\"read-only\" or \"read-write\", not \"rw\""),
            (r#"{ directories: { mode: "read-only" } }"#, "`why` is missing"),
            (r#"{ http: { url: "x", why: "y" } }"#, "a list of objects"),
            (r#"{ http: [{ why: "y" }] }"#, "`url` is missing"),
            ("{ elicit: \"yes\" }", "`true` or `false`"),
            ("{ elicit: true, elicit: true }", "given twice"),
            (r#"{ env: [{ name: "", why: "y" }] }"#, "`name` is empty"),
        ] {
            let error = manifest(asks).unwrap_err().to_string();
            assert!(error.contains(says), "{asks}: {error}");
        }
    }

    #[test]
    fn the_contract_is_the_one_in_wit() {
        let wit =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/worlds.wit")).unwrap();
        assert!(wit.contains(&format!("package kennel:plugin@{CONTRACT};")));
    }
}
