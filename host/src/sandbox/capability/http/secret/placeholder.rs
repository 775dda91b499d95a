//! The text `{{secret:NAME}}`, in which a plugin writes where a secret goes. Knows no secret.

use std::ops::Range;

use http::Request;
use url::form_urlencoded;

use super::Refusal;
use crate::grants::is_secret_name;
use crate::sandbox::capability::http::shown;

const OPEN: &str = "{{secret:";
const CLOSE: &str = "}}";

/// The placeholder of a secret.
pub(super) fn of(name: &str) -> String {
    format!("{OPEN}{name}{CLOSE}")
}

/// Whether a text holds the beginning of one.
pub(super) fn is_in(text: &str) -> bool {
    text.contains(OPEN)
}

/// Where the first one is and which it names; one that does not end names what follows.
fn find(text: &str) -> Option<(Range<usize>, &str)> {
    let start = text.find(OPEN)?;
    let rest = text.get(start + OPEN.len()..)?;
    let length = rest.find(CLOSE);
    let name = rest.get(..length.unwrap_or(rest.len()))?;
    let end = start + OPEN.len() + name.len() + if length.is_some() { CLOSE.len() } else { 0 };
    Some((start..end, name))
}

/// The name in the first one, fit to be shown.
pub(super) fn first(text: &str) -> String {
    let name = find(text).map_or("", |(_, name)| name);
    if is_secret_name(name) { name.to_owned() } else { shown(name) }
}

/// The name, when the text is one placeholder and nothing else.
pub(super) fn whole(text: &str) -> Option<&str> {
    text.strip_prefix(OPEN)?.strip_suffix(CLOSE).filter(|name| is_secret_name(name))
}

/// The text with a value in place of each placeholder.
///
/// # Errors
/// The first refusal.
pub(super) fn fill(
    text: &str,
    mut value: impl FnMut(&str) -> Result<String, Refusal>,
) -> Result<String, Refusal> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((range, name)) = find(rest) {
        if !is_secret_name(name) {
            return Err(Refusal::Unknown(shown(name)));
        }
        filled.push_str(rest.get(..range.start).unwrap_or_default());
        filled.push_str(&value(name)?);
        rest = rest.get(range.end..).unwrap_or_default();
    }
    filled.push_str(rest);
    Ok(filled)
}

/// A path or query without its percent-encoding, as far as it takes to look for placeholders.
pub(super) fn decoded(text: &str) -> String {
    form_urlencoded::parse(text.as_bytes()).map(|(key, value)| format!("{key}={value}&")).collect()
}

/// For a plugin without secrets: what it takes for one is no literal text to its server.
///
/// # Errors
/// When a field or the target holds a placeholder.
pub(super) fn refuse_all<B>(request: &Request<B>) -> Result<(), Refusal> {
    let fields =
        request.headers().values().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let target = request.uri().path_and_query().map(|target| decoded(target.as_str()));
    match fields.chain(target).find(|text| is_in(text)) {
        Some(text) => Err(Refusal::Unknown(first(&text))),
        None => Ok(()),
    }
}
