//! Whether an answer of a client fits what a person was asked, or what a list of roots is. What a plugin gets is
//! made of what was checked; nothing else of the client's object goes through.

use serde_json::{Value, json};
use url::Url;

use crate::catalog::schema::Schema;
use crate::catalog::types::JsonObject;

/// Directories a client may name.
const MAX_ROOTS: usize = 1000;

/// An answer to a form: `{"action", "content"}` (`ElicitResult`).
///
/// # Errors
/// One line: why it is none.
pub(super) fn form(schema: &JsonObject, value: &Value) -> Result<Value, String> {
    let Some(content) = accepted(value)? else { return Ok(only_the_action(value)) };
    let content = content.filter(|content| content.is_object()).ok_or("it is accepted without content")?;
    let mut schema = schema.clone();
    schema.insert("additionalProperties".into(), false.into());
    Schema::compile_with_formats(&schema).and_then(|schema| schema.check(content))?;
    Ok(json!({"action": "accept", "content": content}))
}

/// An answer to a URL, which has no content.
pub(super) fn url(value: &Value) -> Result<Value, String> {
    accepted(value)?;
    Ok(only_the_action(value))
}

/// The content when it was accepted.
fn accepted(value: &Value) -> Result<Option<Option<&Value>>, String> {
    match value.get("action").and_then(Value::as_str) {
        Some("accept") => Ok(Some(value.get("content"))),
        Some("decline" | "cancel") => Ok(None),
        _ => Err("its \"action\" is accept, decline or cancel".into()),
    }
}

fn only_the_action(value: &Value) -> Value {
    json!({"action": value["action"]})
}

/// A `ListRootsResult`.
pub(super) fn roots(value: &Value) -> Result<Value, String> {
    let roots = value.get("roots").and_then(Value::as_array).ok_or("it has no \"roots\"")?;
    if roots.len() > MAX_ROOTS {
        return Err(format!("it has more than {MAX_ROOTS} roots"));
    }
    let root = |root: &Value| {
        let uri = root.get("uri").and_then(Value::as_str).ok_or("a root has no \"uri\"")?;
        if !Url::parse(uri).is_ok_and(|uri| uri.scheme() == "file") {
            return Err("a root's URI is no file: URI".to_owned());
        }
        Ok(match root.get("name") {
            None | Some(Value::Null) => json!({"uri": uri}),
            Some(Value::String(name)) => json!({"uri": uri, "name": name}),
            Some(_) => return Err("a root's name is no text".into()),
        })
    };
    let roots: Vec<Value> = roots.iter().map(root).collect::<Result<_, _>>()?;
    Ok(json!({"roots": roots}))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]
    use super::*;

    #[test]
    fn a_form_is_answered_as_it_was_asked() {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 2}, "mail": {"type": "string", "format": "email"},
                "day": {"type": "string", "format": "date"}, "age": {"type": "integer", "minimum": 0},
                "one": {"type": "string", "oneOf": [{"const": "a", "title": "A"}]},
                "many": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}, "maxItems": 1},
            },
            "required": ["name"],
        });
        let check = |value: Value| form(schema.as_object().unwrap(), &value);
        let accept =
            |content: Value| check(json!({"action": "accept", "content": content, "_meta": {"x": 1}}));
        assert_eq!(
            accept(
                json!({"name": "Ada", "mail": "a@b.example", "day": "2026-07-28", "one": "a", "many": ["y"]})
            )
            .unwrap(),
            json!({"action": "accept", "content": {"name": "Ada", "mail": "a@b.example", "day": "2026-07-28", "one": "a", "many": ["y"]}})
        );
        assert_eq!(
            check(json!({"action": "decline", "content": {"name": 1}})).unwrap(),
            json!({"action": "decline"})
        );
        assert_eq!(check(json!({"action": "cancel"})).unwrap(), json!({"action": "cancel"}));
        for bad in [
            json!({}),
            json!({"name": "x"}),
            json!({"name": 5}),
            json!({"name": "Ada", "extra": 1}),
            json!({"name": "Ada", "mail": "nobody"}),
            json!({"name": "Ada", "day": "yesterday"}),
            json!({"name": "Ada", "age": -1}),
            json!({"name": "Ada", "one": "b"}),
            json!({"name": "Ada", "many": ["z"]}),
            json!({"name": "Ada", "many": ["x", "y"]}),
            json!(null),
            json!([]),
        ] {
            assert!(accept(bad.clone()).is_err(), "{bad}");
        }
        for bad in
            [json!(12345), json!(null), json!({}), json!({"action": "maybe"}), json!({"action": "accept"})]
        {
            assert!(check(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_is_answered_without_content() {
        assert_eq!(
            url(&json!({"action": "accept", "content": {"x": 1}})).unwrap(),
            json!({"action": "accept"})
        );
        assert!(url(&json!("accept")).is_err());
    }

    #[test]
    fn roots_are_files() {
        let good = json!({"roots": [{"uri": "file:///a", "name": "A", "more": 1}, {"uri": "file:///b"}], "_meta": {}});
        assert_eq!(
            roots(&good).unwrap(),
            json!({"roots": [{"uri": "file:///a", "name": "A"}, {"uri": "file:///b"}]})
        );
        for bad in
            [json!({}), json!({"roots": [{"uri": "https://x"}]}), json!({"roots": [{}]}), json!({"roots": 5})]
        {
            assert!(roots(&bad).is_err(), "{bad}");
        }
    }
}
