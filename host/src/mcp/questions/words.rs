//! The words of a question as a person gets them: named as coming from their plugin, bounded, and without characters
//! that deceive. Asks nothing.

use serde_json::{Value, json};
use url::Url;

use crate::catalog::types::{JsonObject, NO, ONCE, SESSION};
use crate::observe::escape_for_people;

/// Bytes of a title, a description or a name.
pub(super) const MAX_LABEL: usize = 1024;
/// Bytes of a message.
const MAX_MESSAGE: usize = 4 << 10;
/// Bytes of a URL.
const MAX_URL: usize = 2 << 10;

/// A title or description, safe to show.
pub(super) fn label(of: &str, value: &Value) -> Result<String, String> {
    match value.as_str() {
        Some(text) if text.len() <= MAX_LABEL => Ok(escape_for_people(text).into_owned()),
        _ => Err(format!("{of:?}: a title or description is a text of at most {MAX_LABEL} bytes")),
    }
}

/// A form's message, with who asks.
pub(super) fn message(plugin: &str, message: &str) -> Result<String, String> {
    bounded(message)?;
    Ok(format!("plugin `{plugin}` asks: {}", escape_for_people(message)))
}

/// A URL's message, with who asks and where it leads.
pub(super) fn url_message(plugin: &str, message: &str, url: &Url) -> Result<String, String> {
    bounded(message)?;
    let host = url.host_str().unwrap_or_default();
    Ok(format!("plugin `{plugin}` asks you to open a page of {host}: {}", escape_for_people(message)))
}

/// The host's own question. A plugin's begin with its name, so none of them can look like it.
pub(super) fn allow(plugin: &str, what: &str) -> String {
    format!("Kennel asks: may the plugin `{plugin}` have this? {}", escape_for_people(what))
}

/// The form of the host's own question: a list of three words, as clients of every version can show it.
pub(super) fn choices() -> JsonObject {
    let answer = json!({
        "type": "string",
        "title": "Answer",
        "description": "once: for this call; session: until this session ends; no: not now, and not to be asked again in \
            this session",
        "enum": [ONCE, SESSION, NO],
    });
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), json!({ "answer": answer }));
    schema.insert("required".to_owned(), json!(["answer"]));
    schema
}

fn bounded(message: &str) -> Result<(), String> {
    if message.trim().is_empty() || message.len() > MAX_MESSAGE {
        return Err(format!("its message is a text of 1 to {MAX_MESSAGE} bytes"));
    }
    Ok(())
}

/// A URL a person may be sent to. Names are in their ASCII form, in which letters of other scripts cannot pass for
/// others.
pub(super) fn url(text: &str) -> Result<Url, String> {
    if text.len() > MAX_URL {
        return Err(format!("its URL is longer than {MAX_URL} bytes"));
    }
    let url = Url::parse(text).map_err(|error| format!("its URL does not read: {error}"))?;
    if guarded!("question-urls", url.scheme() != "https" || url.host_str().is_none_or(str::is_empty)) {
        return Err("its URL is no https: URL".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("its URL holds a user name or password".into());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_plugin_is_named_and_nothing_hides() {
        insta::assert_snapshot!(message("notes", "Really?\u{202e}\n\u{1b}[1A").unwrap(), @r"
        plugin `notes` asks: Really?\u{202e}
        \e[1A
        ");
        assert!(message("notes", "  ").is_err());
        assert!(message("notes", &"x".repeat(MAX_MESSAGE + 1)).is_err());
        let to = url("https://аpple.example/login").unwrap();
        insta::assert_snapshot!(url_message("notes", "Log in", &to).unwrap(), @"plugin `notes` asks you to open a page of xn--pple-43d.example: Log in");
    }

    #[test]
    fn only_https_without_a_user() {
        for bad in [
            "http://example.org",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://bank.example@evil.example/",
            "https://",
            "x",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
        assert!(url("https://example.org/a?b=c").is_ok());
    }
}
