//! JSON Schema 2020-12 of a tool's arguments and results, compiled once. Fetches nothing: a `$ref` to
//! somewhere else fails to compile. Patterns run in linear time.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use super::types::JsonObject;

/// Faults named in a message; more are counted.
const SHOWN: usize = 3;
/// Longest description of one fault, in bytes.
const MAX_FAULT: usize = 300;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema(Validator);

impl Schema {
    /// Compiles a schema. `format` is a note in it, as in JSON Schema 2020-12.
    ///
    /// # Errors
    /// One line: why it is no schema.
    pub fn compile(schema: &JsonObject) -> Result<Self, String> {
        Self::build(schema, false)
    }

    /// The same, but values have to be of their `format`.
    ///
    /// # Errors
    /// As [`Self::compile`].
    pub fn compile_with_formats(schema: &JsonObject) -> Result<Self, String> {
        Self::build(schema, true)
    }

    fn build(schema: &JsonObject, formats: bool) -> Result<Self, String> {
        jsonschema::options()
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(formats)
            .build(&Value::Object(schema.clone()))
            .map(Self)
            .map_err(|error| cut(&error.to_string()))
    }

    /// Checks a value.
    ///
    /// # Errors
    /// Where it does not fit and why; one line.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        if self.0.is_valid(value) {
            return Ok(());
        }
        let mut faults = self.0.iter_errors(value).map(|error| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "/".to_owned() } else { place };
            format!("{place}: {}", cut(&unexpected(value, &error).unwrap_or_else(|| error.to_string())))
        });
        let mut shown: Vec<_> = faults.by_ref().take(SHOWN).collect();
        if faults.next().is_some() {
            shown.push("and more".into());
        }
        Err(shown.join("; "))
    }
}

/// The names that an object must not have, where the schema knows no name at all: the validator says only
/// that `false` allows nothing.
fn unexpected(value: &Value, error: &ValidationError<'_>) -> Option<String> {
    let no_more = matches!(error.kind(), ValidationErrorKind::FalseSchema)
        && error.schema_path().as_str().ends_with("/additionalProperties");
    let Some(Value::Object(object)) = value.pointer(error.instance_path().as_str()).filter(|_| no_more)
    else {
        return None;
    };
    let names: Vec<_> = object.keys().take(SHOWN).map(|name| format!("{name:?}")).collect();
    Some(format!("no properties are allowed, and there is {}", names.join(", ")))
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
    fn a_name_too_many_is_named() {
        let none = schema(&json!({"type": "object", "additionalProperties": false})).unwrap();
        insta::assert_snapshot!(
            none.check(&json!({"extra": true})).unwrap_err(),
            @r#"/: no properties are allowed, and there is "extra""#
        );
        let nested =
            schema(&json!({"properties": {"a": {"type": "object", "additionalProperties": false}}})).unwrap();
        insta::assert_snapshot!(
            nested.check(&json!({"a": {"x": 1, "y": 2}})).unwrap_err(),
            @r#"/a: no properties are allowed, and there is "x", "y""#
        );
        let some = schema(&json!({"properties": {"a": {}}, "additionalProperties": false})).unwrap();
        insta::assert_snapshot!(
            some.check(&json!({"extra": true})).unwrap_err(),
            @"/: Additional properties are not allowed ('extra' was unexpected)"
        );
        // `false` elsewhere keeps the validator's own words.
        let never = schema(&json!({"properties": {"a": false}})).unwrap();
        assert!(never.check(&json!({"a": 1})).unwrap_err().contains("False schema"));
    }

    #[test]
    fn nothing_is_fetched() {
        let fault = schema(&json!({"$ref": "http://127.0.0.1:9/schema.json"})).err().unwrap();
        assert!(!fault.is_empty());
    }
}
