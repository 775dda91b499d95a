//! What a plugin may put into a form: the flat schemas of the protocol and nothing else (2026-07-28 and 2025-11-25,
//! "Elicitation", `PrimitiveSchemaDefinition`), and no field for a password or a key. Sees no answer.

use serde_json::Value;

use super::words::{MAX_LABEL, label};
use crate::catalog::schema::Schema;
use crate::catalog::types::JsonObject;

/// Fields of one form.
const MAX_FIELDS: usize = 32;
/// Choices of one field.
const MAX_CHOICES: usize = 256;
/// Bytes of a form's schema.
const MAX_SCHEMA: usize = 64 << 10;

/// Words that a field for a secret has in its name or title. The protocol: servers MUST NOT ask for sensitive
/// information in a form. It helps against carelessness and bluntness; the name of the plugin above every form is what
/// helps against cunning.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwort",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "credential",
    "credentials",
    "apikey",
    "otp",
    "pin",
    "cvv",
    "cvc",
];
/// The same without regard to where words end: `openAIApiKey`, `api_key`, `dbpassword`.
const SECRET_PARTS: &[&str] = &[
    "password",
    "passphrase",
    "passcode",
    "apikey",
    "accesskey",
    "privatekey",
    "secretkey",
    "clientsecret",
    "accesstoken",
    "authtoken",
    "bearertoken",
];

/// Checks a form's schema, and makes its words safe to show.
///
/// # Errors
/// One line for the plugin's author.
pub(super) fn check(schema: &JsonObject) -> Result<JsonObject, String> {
    if Value::Object(schema.clone()).to_string().len() > MAX_SCHEMA {
        return Err(format!("the form is larger than {} KiB", MAX_SCHEMA >> 10));
    }
    let mut out = JsonObject::new();
    for (key, value) in schema {
        match key.as_str() {
            "$schema" | "type" | "required" => {
                out.insert(key.clone(), value.clone());
            }
            "title" | "description" => {
                out.insert(key.clone(), label("the form", value)?.into());
            }
            // What the protocol's forms are anyway: no field but those that are asked.
            "additionalProperties" if value.is_boolean() => {}
            "properties" => {
                out.insert(key.clone(), Value::Object(properties(value)?));
            }
            other => return Err(format!("a form's schema has no {other:?}")),
        }
    }
    if out.get("type").and_then(Value::as_str) != Some("object") {
        return Err("a form's schema is of \"type\": \"object\"".into());
    }
    let Some(Value::Object(fields)) = out.get("properties") else {
        return Err("a form's schema has \"properties\"".into());
    };
    if let Some(required) = out.get("required") {
        let known = |name: &Value| name.as_str().is_some_and(|name| fields.contains_key(name));
        if !required.as_array().is_some_and(|names| names.iter().all(known)) {
            return Err("\"required\" names fields of the form".into());
        }
    }
    Ok(out)
}

fn properties(value: &Value) -> Result<JsonObject, String> {
    let fields = value.as_object().ok_or("\"properties\" is an object")?;
    if fields.is_empty() || fields.len() > MAX_FIELDS {
        return Err(format!("a form has 1 to {MAX_FIELDS} fields"));
    }
    let mut out = JsonObject::new();
    for (name, value) in fields {
        if name.is_empty() || name.len() > MAX_LABEL || name.chars().any(crate::observe::deceives) {
            return Err(format!("the field {name:?} has a name that cannot be shown"));
        }
        let field = value.as_object().ok_or_else(|| format!("the field {name:?} is no object"))?;
        out.insert(name.clone(), Value::Object(self::field(name, field)?));
    }
    Ok(out)
}

/// The keywords of each kind of field besides `type`, `title`, `description` and `default`.
fn keywords(field: &JsonObject) -> Option<&'static [&'static str]> {
    Some(match field.get("type")?.as_str()? {
        "string" if field.contains_key("enum") => &["enum", "enumNames"],
        "string" if field.contains_key("oneOf") => &["oneOf"],
        "string" => &["minLength", "maxLength", "format"],
        "number" | "integer" => &["minimum", "maximum"],
        "boolean" => &[],
        "array" => &["minItems", "maxItems", "items"],
        _ => return None,
    })
}

fn field(name: &str, field: &JsonObject) -> Result<JsonObject, String> {
    let Some(keywords) = keywords(field) else {
        return Err(format!(
            "the field {name:?} is not flat: its \"type\" is string, number, integer, boolean or a list of choices"
        ));
    };
    let title = field.get("title").and_then(Value::as_str).unwrap_or_default();
    let free = !matches!(field["type"].as_str(), Some("boolean" | "array"))
        && !field.contains_key("enum")
        && !field.contains_key("oneOf");
    let hidden = field.get("format").and_then(Value::as_str) == Some("password");
    if guarded!("password-forms", hidden || free && (asks_a_secret(name) || asks_a_secret(title))) {
        return Err(format!(
            "the field {name:?} asks for a secret, which a form must not; send the person to a page of yours with a URL question"
        ));
    }
    let mut out = JsonObject::new();
    for (key, value) in field {
        let value = match key.as_str() {
            "type" | "default" => value.clone(),
            "title" | "description" => label(name, value)?.into(),
            "enum" => choices(name, value)?,
            "enumNames" => labels(name, value)?,
            "oneOf" => titled(name, value)?,
            "items" => items(name, value)?,
            "format" if !matches!(value.as_str(), Some("email" | "uri" | "date" | "date-time")) => {
                return Err(format!("the field {name:?}: \"format\" is email, uri, date or date-time"));
            }
            _ if keywords.contains(&key.as_str()) => value.clone(),
            other => return Err(format!("the field {name:?}: a form's field of its type has no {other:?}")),
        };
        if !matches!(key.as_str(), "type" | "title" | "description" | "default")
            && !keywords.contains(&key.as_str())
        {
            return Err(format!("the field {name:?}: a form's field of its type has no {key:?}"));
        }
        out.insert(key.clone(), value);
    }
    if field["type"] == "array" && !field.contains_key("items") {
        return Err(format!("the field {name:?} is a list of choices, and has no \"items\""));
    }
    let schema = Schema::compile(&out).map_err(|why| format!("the field {name:?}: {why}"))?;
    if let Some(default) = out.get("default")
        && let Err(why) = schema.check(default)
    {
        return Err(format!("the field {name:?}: its default does not fit: {why}"));
    }
    Ok(out)
}

fn choices(name: &str, value: &Value) -> Result<Value, String> {
    let plain = |choice: &Value| {
        choice.as_str().is_some_and(|choice| {
            !choice.is_empty() && choice.len() <= MAX_LABEL && !choice.chars().any(crate::observe::deceives)
        })
    };
    match value.as_array() {
        Some(all) if (1..=MAX_CHOICES).contains(&all.len()) && all.iter().all(plain) => Ok(value.clone()),
        _ => Err(format!("the field {name:?}: its choices are 1 to {MAX_CHOICES} plain texts")),
    }
}

fn labels(name: &str, value: &Value) -> Result<Value, String> {
    let all = value.as_array().filter(|all| all.len() <= MAX_CHOICES);
    let all = all.ok_or_else(|| format!("the field {name:?}: \"enumNames\" is a list of texts"))?;
    all.iter().map(|one| label(name, one).map(Value::from)).collect()
}

/// Choices with titles: `[{"const", "title"}]`.
fn titled(name: &str, value: &Value) -> Result<Value, String> {
    let wrong = || format!("the field {name:?}: a choice is {{\"const\": text, \"title\": text}}");
    let all = value.as_array().ok_or_else(wrong)?;
    let mut values = Vec::new();
    let mut out = Vec::new();
    for one in all {
        let (Some(object), Some(constant), Some(title)) =
            (one.as_object().filter(|object| object.len() == 2), one.get("const"), one.get("title"))
        else {
            return Err(wrong());
        };
        values.push(constant.clone());
        let mut object = object.clone();
        object.insert("title".into(), label(name, title)?.into());
        out.push(Value::Object(object));
    }
    choices(name, &Value::Array(values))?;
    Ok(Value::Array(out))
}

fn items(name: &str, value: &Value) -> Result<Value, String> {
    let wrong =
        || format!("the field {name:?}: \"items\" is {{\"type\": \"string\", \"enum\"}} or {{\"anyOf\"}}");
    let items = value.as_object().ok_or_else(wrong)?;
    let mut out = JsonObject::new();
    for (key, value) in items {
        let value = match key.as_str() {
            "type" if value == "string" => value.clone(),
            "enum" => choices(name, value)?,
            "anyOf" => titled(name, value)?,
            _ => return Err(wrong()),
        };
        out.insert(key.clone(), value);
    }
    let plain = out.contains_key("enum") && out.contains_key("type");
    (plain != out.contains_key("anyOf")).then_some(Value::Object(out)).ok_or_else(wrong)
}

/// Whether a name or title says that it wants a secret.
fn asks_a_secret(text: &str) -> bool {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in text.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower_before) {
            words.push(String::new());
        }
        lower_before = c.is_lowercase();
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    let all = words.concat();
    words.iter().any(|word| SECRET_WORDS.contains(&word.as_str()))
        || SECRET_PARTS.iter().any(|part| all.contains(part))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::needless_pass_by_value)]
    use super::*;
    use rmcp::model::ElicitationSchema;
    use serde_json::json;

    fn checked(fields: Value) -> Result<Value, String> {
        let schema = json!({"type": "object", "properties": fields});
        check(schema.as_object().unwrap()).map(Value::Object)
    }

    #[test]
    fn what_the_protocol_knows_is_let_through_as_it_is() {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "title": "Name", "description": "d", "minLength": 1, "maxLength": 9, "default": "John"},
                "mail": {"type": "string", "format": "email"},
                "age": {"type": "integer", "minimum": 0, "maximum": 150, "default": 30},
                "score": {"type": "number", "minimum": 0.5, "default": 95.5},
                "sure": {"type": "boolean", "default": true},
                "one": {"type": "string", "enum": ["a", "b"], "default": "b"},
                "old": {"type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"]},
                "named": {"type": "string", "oneOf": [{"const": "a", "title": "A"}], "default": "a"},
                "many": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string", "enum": ["a", "b"]}, "default": ["a"]},
                "named_many": {"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}},
                "max_tokens": {"type": "integer"}, "spinning": {"type": "string"}, "tokenizer": {"type": "string"},
            },
            "required": ["name"],
        });
        let out = Value::Object(check(schema.as_object().unwrap()).unwrap());
        assert_eq!(out, schema);
        // The protocol library neither drops nor reorders any of it.
        let typed: ElicitationSchema = serde_json::from_value(out).unwrap();
        let again = serde_json::to_value(&typed).unwrap();
        let names =
            |value: &Value| value["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&again), names(&schema));
        for (name, field) in schema["properties"].as_object().unwrap() {
            for (key, value) in field.as_object().unwrap() {
                let same = match (again["properties"][name][key].as_f64(), value.as_f64()) {
                    (Some(a), Some(b)) => a == b,
                    _ => &again["properties"][name][key] == value,
                };
                assert!(same, "{name}.{key}: {}", again["properties"][name]);
            }
        }
    }

    #[test]
    fn what_is_no_form_is_refused_with_a_reason() {
        let refused = [
            checked(json!({})),
            checked(json!({"a": {"type": "object", "properties": {}}})),
            checked(json!({"a": {"type": "array", "items": {"type": "string"}}})),
            checked(json!({"a": {"type": "array"}})),
            checked(json!({"a": {"type": ["string", "null"]}})),
            checked(json!({"a": {"type": "string", "pattern": "^a"}})),
            checked(json!({"a": {"type": "string", "format": "hostname"}})),
            checked(json!({"a": {"type": "string", "enum": []}})),
            checked(json!({"a": {"type": "string", "oneOf": [{"const": "a"}]}})),
            checked(json!({"a": {"type": "integer", "default": "x"}})),
            checked(json!({"a": {"type": "boolean", "minimum": 1}})),
            checked(json!({"a\u{202e}": {"type": "string"}})),
            checked(json!({"a": {"$ref": "#/x"}})),
            check(
                json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]})
                    .as_object()
                    .unwrap(),
            )
            .map(Value::Object),
            check(
                json!({"type": "object", "properties": {"a": {"type": "string"}}, "allOf": []})
                    .as_object()
                    .unwrap(),
            )
            .map(Value::Object),
            check(json!({"type": "string"}).as_object().unwrap()).map(Value::Object),
        ];
        let lines: Vec<_> = refused.into_iter().map(Result::unwrap_err).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_form_asks_for_no_secret() {
        for name in [
            "password",
            "Password",
            "db_password",
            "userPassword",
            "API key",
            "api_key",
            "openAIApiKey",
            "token",
            "access-token",
            "PIN",
            "clientSecret",
            "pass phrase",
            "one time otp",
        ] {
            assert!(
                checked(json!({name: {"type": "string"}})).unwrap_err().contains("asks for a secret"),
                "{name}"
            );
            let titled = checked(json!({"x": {"type": "string", "title": name}}));
            assert!(titled.unwrap_err().contains("asks for a secret"), "{name}");
        }
        assert!(checked(json!({"x": {"type": "string", "format": "password"}})).is_err());
        assert!(checked(json!({"pin": {"type": "integer"}})).is_err());
        for name in ["name", "spin", "compass", "tokens", "secretary", "has_password_been_set"] {
            let kind = if name.starts_with("has") { "boolean" } else { "string" };
            assert!(checked(json!({name: {"type": kind}})).is_ok(), "{name}");
        }
    }

    #[test]
    fn words_are_made_safe() {
        let out =
            checked(json!({"a": {"type": "string", "title": "x\u{202e}y", "description": "\u{1b}[2J"}}))
                .unwrap();
        assert_eq!(out["properties"]["a"]["title"], "x\\u{202e}y");
        assert_eq!(out["properties"]["a"]["description"], "\\e[2J");
    }
}
