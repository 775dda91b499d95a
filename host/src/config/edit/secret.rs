//! Secrets in `kennel.toml`: where a value comes from and where it goes, never the value. What an entry needs is for the
//! check of the whole file to say.

use toml_edit::{Item, Table, TableLike, Value};

use super::tables::{change_first, list, push, set, texts};
use super::{Edit, EditError};
use crate::config::comments;

/// The keys that say as what a secret is sent.
const CREDENTIAL: [&str; 11] = [
    "header",
    "key",
    "user",
    "token-url",
    "client-id",
    "client-secret-from",
    "scope",
    "access-key-id",
    "session-token-from",
    "region",
    "service",
];
/// The keys that say in which requests.
const AUDIENCE: [&str; 3] = ["for", "methods", "http"];

/// A secret as a person says it. What is not said stays as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretText {
    /// As the plugin asks for it.
    pub name: String,
    /// `env:NAME`, `file:PATH` or `keyring:SERVICE/USER`.
    pub from: Option<String>,
    /// As what it is sent.
    pub sent_as: Option<SecretAs>,
    /// Scheme, host, port and path prefix of the requests it is for.
    pub audience: Option<String>,
    /// Their methods, upper case.
    pub methods: Vec<String>,
    /// Whether it may go to this machine in the clear.
    pub clear: bool,
    /// Whether the plugin itself gets it, instead of all that.
    pub expose: bool,
}

/// As what a secret is sent, with what that needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretAs {
    /// `authorization: Bearer`.
    Bearer,
    /// `authorization: Basic` with this user.
    Basic(String),
    /// In this field.
    Header(String),
    /// Under this key of the query.
    Query(String),
}

impl SecretAs {
    /// Its word, and the key and text that go with it.
    fn keys(&self) -> (&'static str, Option<(&'static str, &str)>) {
        match self {
            Self::Bearer => ("bearer", None),
            Self::Basic(user) => ("basic", Some(("user", user))),
            Self::Header(name) => ("header", Some(("header", name))),
            Self::Query(key) => ("query", Some(("key", key))),
        }
    }
}

impl Edit<'_> {
    pub(super) fn allow_secret(&mut self, secret: &SecretText) -> Result<(), EditError> {
        let form = self.form();
        let section = self.section()?;
        if !change_first(section, "secrets", &|entry| is_named(entry, &secret.name), |entry| {
            fill(entry, secret);
        }) {
            let mut entry = Table::new();
            set(&mut entry, "name", secret.name.as_str().into());
            fill(&mut entry, secret);
            push(section, "secrets", entry).ok_or(form)?;
        }
        Ok(())
    }

    pub(super) fn revoke_secret(&mut self, name: &str) -> Result<(), EditError> {
        let left = comments::remove_entries(self.section()?, "secrets", &|entry| is_named(entry, name));
        let left = left.ok_or_else(|| self.missing(format!("the secret {name}")))?;
        comments::keep(&mut self.document, left);
        Ok(())
    }
}

fn is_named(entry: &dyn TableLike, name: &str) -> bool {
    entry.get("name").and_then(Item::as_str) == Some(name)
}

/// Writes what is said into an entry, and takes out what cannot stand beside it.
fn fill(entry: &mut dyn TableLike, secret: &SecretText) {
    let SecretText { name: _, from, sent_as, audience, methods, clear, expose } = secret;
    let text = |entry: &mut dyn TableLike, key: &str, text: &str| {
        if entry.get(key).and_then(Item::as_str) != Some(text) {
            set(entry, key, text.into());
        }
    };
    if let Some(from) = from {
        text(entry, "from", from);
    }
    if *expose {
        CREDENTIAL.iter().chain(&AUDIENCE).chain(&["as"]).for_each(|key| drop(entry.remove(key)));
        flag(entry, "expose");
    } else if sent_as.is_some() || audience.is_some() {
        entry.remove("expose");
    }
    if let Some(sent_as) = sent_as {
        let (word, more) = sent_as.keys();
        let stays = |key: &str| more.is_some_and(|(other, _)| other == key);
        CREDENTIAL.iter().filter(|key| !stays(key)).for_each(|key| drop(entry.remove(key)));
        text(entry, "as", word);
        if let Some((key, of)) = more {
            text(entry, key, of);
        }
    }
    if let Some(audience) = audience {
        text(entry, "for", audience);
    }
    if !methods.is_empty() && texts(entry.get("methods")) != *methods {
        set(entry, "methods", list(methods));
    }
    if *clear {
        flag(entry, "http");
    }
}

fn flag(entry: &mut dyn TableLike, key: &str) {
    if entry.get(key).and_then(Item::as_bool) != Some(true) {
        set(entry, key, Value::from(true));
    }
}
