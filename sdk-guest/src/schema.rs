//! JSON Schema 2020-12 of arguments, results, prompt arguments and forms, from `schemars`.
//! Sub-schemas are written in place, because clients that translate schemas for a model often lose
//! references; a recursive type keeps its `$defs`.
//! Must not check values: the host does, against what is published here.

use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// The schema of a type, without `$schema` and the root's `title`, which only repeats the type's name.
pub(crate) fn of<T: JsonSchema>() -> Map<String, Value> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    settings.transforms.push(Box::new(without_number_formats));
    let schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    let mut map = match Value::from(schema) {
        Value::Object(map) => map,
        // `true`: anything.
        _ => Map::new(),
    };
    map.remove("title");
    map
}

/// Takes away the formats that name Rust's numbers: JSON Schema knows none of them, and some clients
/// refuse what they do not know. The bounds they stand for are there as `minimum` and `maximum`.
fn without_number_formats(schema: &mut Schema) {
    let names_number = |format: &str| {
        matches!(format, "float" | "double")
            || format
                .strip_prefix('u')
                .unwrap_or(format)
                .strip_prefix("int")
                .is_some_and(|bits| bits.is_empty() || bits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if schema.get("format").and_then(Value::as_str).is_some_and(names_number) {
        schema.remove("format");
    }
    transform_subschemas(&mut without_number_formats, schema);
}

/// The input schema of a tool whose arguments are `T`.
///
/// # Errors
/// [`Error::Failed`] when `T` is not an object.
pub fn arguments<T: JsonSchema>(tool: &str) -> Result<String> {
    let mut schema = of::<T>();
    // The type's own words describe the type; the tool has a description of its own.
    schema.remove("description");
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => {}
        None if !schema.contains_key("type") => {
            schema.shift_insert(0, "type".into(), "object".into());
        }
        _ => {
            return Err(Error::failed(format!(
                "the arguments of the tool `{tool}` are not an object: make them a struct with named fields"
            )));
        }
    }
    Ok(Value::Object(schema).to_string())
}

/// The input schema of a tool without arguments.
#[must_use]
pub fn no_arguments() -> String {
    r#"{"type":"object","additionalProperties":false}"#.into()
}

/// The output schema of a tool whose structured result is `T`.
///
/// # Errors
/// [`Error::Failed`] when `T` is not an object, as older clients require.
pub fn output<T: JsonSchema>(tool: &str) -> Result<String> {
    let mut schema = of::<T>();
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => {}
        None if !schema.contains_key("type") => {
            schema.shift_insert(0, "type".into(), "object".into());
        }
        _ => {
            return Err(Error::failed(format!(
                "the structured result of the tool `{tool}` is not an object: put it into a struct with a named field"
            )));
        }
    }
    Ok(Value::Object(schema).to_string())
}

/// The flat schema of a form's answer, with only what the protocol's `requestedSchema` allows.
///
/// # Errors
/// [`Error::Failed`] when a field is neither a string, a number, a boolean nor a choice of one or several.
pub(crate) fn form<T: JsonSchema>() -> Result<String> {
    let schema = of::<T>();
    let mut properties = Map::new();
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        properties.insert(name.clone(), form_field(name, property)?);
    }
    if properties.is_empty() {
        return Err(Error::failed("a form needs a struct with at least one named field"));
    }
    let mut form = Map::new();
    form.insert("type".into(), "object".into());
    form.insert("properties".into(), properties.into());
    if let Some(required) = schema.get("required") {
        form.insert("required".into(), required.clone());
    }
    Ok(Value::Object(form).to_string())
}

fn form_field(name: &str, property: &Value) -> Result<Value> {
    let flat = || {
        Error::failed(format!(
            "the form's field `{name}` is not flat: use a string, a number, a boolean, an enum of plain names or a \
             `Vec` of one"
        ))
    };
    let mut field = present(property.as_object().ok_or_else(flat)?);
    if field.get("default").is_some_and(Value::is_null) {
        field.remove("default");
    }
    let allowed_format =
        |format: &Value| matches!(format.as_str(), Some("email" | "uri" | "date" | "date-time"));
    if field.get("format").is_some_and(|format| !allowed_format(format)) {
        field.remove("format");
    }
    if let Some(choices) = field.get("oneOf") {
        let choices = titled_choices(choices).ok_or_else(flat)?;
        field.insert("type".into(), "string".into());
        field.insert("oneOf".into(), choices);
    }
    match field.get("type").and_then(Value::as_str) {
        Some("string" | "number" | "integer" | "boolean") => Ok(Value::Object(field)),
        Some("array") => {
            let items = field.get("items").and_then(Value::as_object).ok_or_else(flat)?;
            let items = match (items.get("enum"), items.get("oneOf")) {
                (Some(names), _) => serde_json::json!({ "type": "string", "enum": names }),
                (None, Some(choices)) => {
                    serde_json::json!({ "anyOf": titled_choices(choices).ok_or_else(flat)? })
                }
                (None, None) => return Err(flat()),
            };
            field.insert("items".into(), items);
            // A choice of several has no other keys in the protocol.
            field.retain(|key, _| {
                matches!(
                    key.as_str(),
                    "type" | "title" | "description" | "minItems" | "maxItems" | "items" | "default"
                )
            });
            Ok(Value::Object(field))
        }
        _ => Err(flat()),
    }
}

/// The schema of what is there: `Option<T>` is a field that need not be filled in, as a form has no null.
fn present(property: &Map<String, Value>) -> Map<String, Value> {
    let mut field = property.clone();
    let is_null = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "null");
    if let Some(Value::Array(ways)) = field.remove("anyOf") {
        let mut ways: Vec<Value> = ways.into_iter().filter(|way| !is_null(way)).collect();
        match (ways.pop(), ways.is_empty()) {
            (Some(Value::Object(only)), true) => {
                for (key, value) in only {
                    // What is said of the field goes before what is said of its type.
                    field.entry(key).or_insert(value);
                }
            }
            // More ways than one: not flat, which is seen by the type that is missing.
            _ => {
                field.remove("type");
            }
        }
    }
    if let Some(types) = field.get("type").and_then(Value::as_array) {
        let plain = types.iter().find(|plain| *plain != "null").cloned();
        field.insert("type".into(), plain.unwrap_or(Value::Null));
    }
    if let Some(choices) = field.get_mut("enum").and_then(Value::as_array_mut) {
        choices.retain(|choice| !choice.is_null());
    }
    field
}

/// The choices of an enum whose variants have names for people: `[{const, title}]`. None when a variant is
/// not a plain name. A variant without a title has its first words as one.
fn titled_choices(choices: &Value) -> Option<Value> {
    let titled = |value: &Value, choice: &Value| {
        let words = choice.get("title").or_else(|| choice.get("description")).unwrap_or(value);
        serde_json::json!({ "const": value, "title": words })
    };
    let mut all = Vec::new();
    for choice in choices.as_array()? {
        if let Some(value @ Value::String(_)) = choice.get("const") {
            all.push(titled(value, choice));
            continue;
        }
        // Variants that have no words of their own stand together.
        for value in choice.get("enum")?.as_array()? {
            all.push(titled(value, &Value::Null));
        }
    }
    Some(all.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Search {
        /// What to look for.
        query: String,
        /// How many.
        #[serde(default = "ten")]
        limit: u32,
        #[schemars(range(min = 0.0, max = 1.0))]
        threshold: Option<f64>,
        filter: Filter,
    }

    fn ten() -> u32 {
        10
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Filter {
        kind: Kind,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Note,
        Task,
    }

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn arguments_keep_order_words_and_strictness() {
        let text = arguments::<Search>("search").unwrap();
        let schema = parsed(&text);
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], json!(["query", "filter"]));
        assert_eq!(
            schema["properties"]["query"],
            json!({"description": "What to look for.", "type": "string"})
        );
        assert_eq!(schema["properties"]["limit"]["default"], 10);
        assert!(schema["properties"]["limit"].get("format").is_none());
        assert_eq!(schema["properties"]["limit"]["minimum"], 0);
        assert_eq!(schema["properties"]["filter"]["properties"]["kind"]["enum"], json!(["note", "task"]));
        assert!(text.find("\"query\"").unwrap() < text.find("\"limit\"").unwrap());
        assert!(schema.get("title").is_none() && schema.get("$schema").is_none());
    }

    #[test]
    fn any_json_is_an_object_and_a_text_is_refused() {
        assert_eq!(arguments::<Value>("x").unwrap(), r#"{"type":"object"}"#);
        assert!(arguments::<String>("x").unwrap_err().to_string().contains("tool `x`"));
        assert!(output::<Vec<String>>("x").is_err());
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Form {
        /// Your name.
        name: String,
        age: Option<u8>,
        kind: Kind,
        /// Where to.
        kind_again: Option<Kind>,
    }

    #[test]
    fn forms_are_flat() {
        let form = parsed(&form::<Form>().unwrap());
        assert_eq!(form["required"], json!(["name", "kind"]));
        assert_eq!(form["properties"]["age"]["type"], "integer");
        assert!(form["properties"]["age"].get("format").is_none());
        assert_eq!(form["properties"]["kind"]["enum"], json!(["note", "task"]));
        assert!(super::form::<Search>().unwrap_err().to_string().contains("`filter`"));
    }

    #[derive(Deserialize, serde::Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Size {
        #[schemars(title = "Small, for children")]
        Small,
        /// As usual
        Medium,
        Large,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Order {
        /// Which one.
        size: Size,
        second: Option<Size>,
        kinds: Vec<Kind>,
        /// As many as you like.
        #[schemars(length(min = 1, max = 2))]
        sizes: Vec<Size>,
        #[serde(default = "usual")]
        usual: Size,
    }

    fn usual() -> Size {
        Size::Medium
    }

    #[test]
    fn choices_have_names_for_people_and_may_be_several() {
        let form = parsed(&form::<Order>().unwrap());
        let choices = json!([
            {"const": "small", "title": "Small, for children"},
            {"const": "medium", "title": "As usual"},
            {"const": "large", "title": "large"},
        ]);
        let sorted = |value: &Value| {
            let mut list = value.as_array().unwrap().clone();
            list.sort_by_key(ToString::to_string);
            list
        };
        let fields = &form["properties"];
        for field in ["size", "second", "usual"] {
            assert_eq!(fields[field]["type"], "string", "{form}");
            assert_eq!(sorted(&fields[field]["oneOf"]), sorted(&choices), "{form}");
            assert!(fields[field].get("anyOf").is_none(), "{form}");
        }
        assert_eq!(fields["size"]["description"], "Which one.");
        assert_eq!(fields["usual"]["default"], "medium");
        assert_eq!(
            fields["kinds"],
            json!({"type": "array", "items": {"type": "string", "enum": ["note", "task"]}})
        );
        let several = &fields["sizes"];
        assert_eq!(several["minItems"], 1);
        assert_eq!(several["maxItems"], 2);
        assert_eq!(several["description"], "As many as you like.");
        assert_eq!(sorted(&several["items"]["anyOf"]), sorted(&choices), "{form}");
        assert_eq!(form["required"], json!(["size", "kinds", "sizes"]));
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Texts {
        texts: Vec<String>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Either {
        either: Shape,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Shape {
        Round,
        Square { side: f64 },
    }

    #[test]
    fn what_a_form_cannot_hold_is_named() {
        for (made, field) in [(form::<Texts>(), "`texts`"), (form::<Either>(), "`either`")] {
            let error = made.unwrap_err().to_string();
            assert!(error.contains(field) && error.contains("is not flat"), "{error}");
        }
    }
}
