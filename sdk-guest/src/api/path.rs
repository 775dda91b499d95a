//! A path with variables, filled in so that a value stays the segment it is.
//! Must not send anything.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

/// What is encoded in a segment: all but the unreserved characters (RFC 3986, section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A value as one piece of a URL's text: lists are joined by commas; none for `null`.
pub(super) fn spelled(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(items.iter().filter_map(spelled).collect::<Vec<_>>().join(",")),
        other => Some(other.to_string()),
    }
}

/// A text as one segment of a URI's path.
#[must_use]
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Fills `{name}` with one segment and `{+name}` with as many as its slashes part, and takes what was used out of
/// `arguments`. Gives what is wrong, in words.
pub(super) fn filled(template: &str, arguments: &mut Map<String, Value>) -> Result<String, String> {
    let mut out = String::with_capacity(template.len());
    let mut used = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, after) = after.split_once('}').ok_or_else(|| format!("`{template}` has an open brace"))?;
        let (name, many) = name.strip_prefix('+').map_or((name, false), |name| (name, true));
        let value = arguments.get(name).and_then(spelled).ok_or_else(|| format!("`{name}` is missing"))?;
        if many {
            let segments: Vec<_> = value.split('/').filter(|part| !part.is_empty()).collect();
            for (index, part) in segments.iter().enumerate() {
                if index > 0 {
                    out.push('/');
                }
                push(&mut out, name, part)?;
            }
        } else {
            push(&mut out, name, &value)?;
        }
        used.push(name);
        rest = after;
    }
    out.push_str(rest);
    arguments.retain(|name, _| !used.contains(&name.as_str()));
    Ok(out)
}

fn push(out: &mut String, name: &str, segment: &str) -> Result<(), String> {
    // These would lead out of the place that the template names.
    if matches!(segment, "" | "." | "..") {
        return Err(format!("`{name}` cannot be {segment:?}"));
    }
    out.extend(utf8_percent_encode(segment, SEGMENT));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    fn fill(template: &str, mut arguments: Value) -> Result<(String, Value), String> {
        let map = arguments.as_object_mut().unwrap();
        let path = filled(template, map)?;
        Ok((path, arguments))
    }

    #[test]
    fn values_stay_segments() {
        let (path, left) = fill(
            "/repos/{owner}/{n}/c/{+path}",
            json!({"owner": "a/b?c", "n": 7, "path": "/x y//ü.md", "sha": "s"}),
        )
        .unwrap();
        assert_eq!(path, "/repos/a%2Fb%3Fc/7/c/x%20y/%C3%BC.md");
        assert_eq!(left, json!({"sha": "s"}));
        assert_eq!(fill("/c/{+path}", json!({"path": ""})).unwrap().0, "/c/");
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for (template, arguments) in [
            ("/r/{owner}", json!({"owner": ".."})),
            ("/r/{owner}", json!({"owner": ""})),
            ("/r/{+path}", json!({"path": "a/../../b"})),
            ("/r/{owner}", json!({})),
            ("/r/{owner}", json!({"owner": null})),
        ] {
            assert!(fill(template, arguments.clone()).is_err(), "{template} {arguments}");
        }
    }
}
