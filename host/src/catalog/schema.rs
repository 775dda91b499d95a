//! JSON Schema 2020-12 of a tool's arguments and results, compiled once. Fetches nothing: a `$ref` to
//! somewhere else fails to compile. Patterns run in linear time.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::types::JsonObject;

/// Faults named in a message; more are counted.
const SHOWN: usize = 3;
/// Longest description of one fault, in bytes.
const MAX_FAULT: usize = 300;

/// A compiled schema.
pub(super) struct Schema(Validator);

impl Schema {
    pub(super) fn compile(schema: &JsonObject) -> Result<Self, String> {
        jsonschema::options()
            .with_pattern_options(PatternOptions::regex())
            .build(&Value::Object(schema.clone()))
            .map(Self)
            .map_err(|error| cut(&error.to_string()))
    }

    /// Says where a value does not fit and why; one line.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        if self.0.is_valid(value) {
            return Ok(());
        }
        let mut faults = self.0.iter_errors(value).map(|error| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "/".to_owned() } else { place };
            format!("{place}: {}", cut(&error.to_string()))
        });
        let mut shown: Vec<_> = faults.by_ref().take(SHOWN).collect();
        if faults.next().is_some() {
            shown.push("and more".into());
        }
        Err(shown.join("; "))
    }
}

fn cut(text: &str) -> String {
    let mut text = text.replace('\n', " ");
    if text.len() > MAX_FAULT {
        text.truncate(text.floor_char_boundary(MAX_FAULT));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn schema(value: &Value) -> Result<Schema, String> {
        Schema::compile(value.as_object().unwrap())
    }

    #[test]
    fn a_fault_names_its_place() {
        let schema = schema(&json!({
            "type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 0}}
        }))
        .unwrap();
        assert_eq!(schema.check(&json!({"n": 1})), Ok(()));
        insta::assert_snapshot!(schema.check(&json!({"n": -1})).unwrap_err(), @"/n: -1 is less than the minimum of 0");
        insta::assert_snapshot!(schema.check(&json!({})).unwrap_err(), @r#"/: "n" is a required property"#);
    }

    #[test]
    fn nothing_is_fetched() {
        let fault = schema(&json!({"$ref": "http://127.0.0.1:9/schema.json"})).err().unwrap();
        assert!(!fault.is_empty());
    }
}
