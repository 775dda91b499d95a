//! A type as JSON Schema 2020-12: exactly the JSON that [`super::value`] takes for it. Pure.

use serde_json::{Map, Value, json};

use super::shape::{Shape, Words};

/// What a schema is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// What a caller writes. Numbers are numbers: nobody passes an infinity to a tool.
    In,
    /// What a function gave, which may be any value of the type.
    Out,
}

/// The numbers that JSON has no digits for; spelled as in Protocol Buffers' JSON mapping.
pub(super) const NO_NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// The schema of a type.
pub(super) fn schema(shape: &Shape, way: Way) -> Value {
    described(shape, way, None)
}

/// An object of named parts: the parameters of a function, the fields of a record. Those of an option may be left out.
pub(super) fn object(fields: &[(String, Shape)], words: Option<&Words>, way: Way) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, shape) in fields {
        let mut schema = schema(shape, way);
        // What is written about a field says more of it than what is written about its type.
        if let Some(docs) = words.and_then(|words| words.items.get(name)) {
            schema["description"] = docs.as_str().into();
        }
        properties.insert(name.clone(), schema);
        if !matches!(shape.plain(), Shape::Option(_)) {
            required.push(name.as_str());
        }
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn described(shape: &Shape, way: Way, words: Option<&Words>) -> Value {
    let mut made = match shape {
        Shape::Described(words, of) => return described(of, way, Some(words)),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Int(int) => {
            let (min, max) = int.range();
            json!({"type": "integer", "minimum": number(min), "maximum": number(max)})
        }
        Shape::F32 => float(
            json!({"type": "number", "minimum": f64::from(f32::MIN), "maximum": f64::from(f32::MAX)}),
            way,
        ),
        Shape::F64 => float(json!({"type": "number"}), way),
        Shape::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
        Shape::Text => json!({"type": "string"}),
        Shape::List(item) => json!({"type": "array", "items": schema(item, way)}),
        Shape::Tuple(items) => {
            let count = items.len();
            let items: Vec<_> = items.iter().map(|item| schema(item, way)).collect();
            json!({"type": "array", "prefixItems": items, "items": false, "minItems": count})
        }
        Shape::Record(fields) => object(fields, words, way),
        Shape::Enum(names) => json!({"type": "string", "enum": names}),
        Shape::Flags(names) => {
            json!({"type": "array", "items": {"type": "string", "enum": names}, "uniqueItems": true})
        }
        Shape::Option(of) if of.takes_null() => {
            json!({"anyOf": [one("some", schema(of, way)), {"type": "null"}]})
        }
        Shape::Option(of) => json!({"anyOf": [schema(of, way), {"type": "null"}]}),
        Shape::Result(ok, err) => {
            cases([("ok", ok.as_deref()), ("err", err.as_deref())].into_iter(), words, way)
        }
        Shape::Variant(all) => cases(all.iter().map(|(name, of)| (name.as_str(), of.as_ref())), words, way),
    };
    if let Some(text) = words.and_then(|words| about(shape, words)) {
        made["description"] = text.into();
    }
    made
}

/// Cases with a value are an object of one key, cases without one a string: as most languages' JSON has it.
fn cases<'a>(
    all: impl Iterator<Item = (&'a str, Option<&'a Shape>)>,
    words: Option<&Words>,
    way: Way,
) -> Value {
    let mut bare = Vec::new();
    let mut with = Vec::new();
    for (name, of) in all {
        match of {
            None => bare.push(name),
            Some(of) => {
                let mut case = one(name, schema(of, way));
                if let Some(docs) = words.and_then(|words| words.items.get(name)) {
                    case["description"] = docs.as_str().into();
                }
                with.push(case);
            }
        }
    }
    if !bare.is_empty() {
        with.push(json!({"type": "string", "enum": bare}));
    }
    json!({ "oneOf": with })
}

/// An object of one key.
fn one(name: &str, of: Value) -> Value {
    let mut properties = Map::new();
    properties.insert(name.to_owned(), of);
    json!({"type": "object", "properties": properties, "required": [name], "additionalProperties": false})
}

fn float(number: Value, way: Way) -> Value {
    match way {
        Way::In => number,
        Way::Out => json!({"anyOf": [number, {"type": "string", "enum": NO_NUMBERS}]}),
    }
}

/// What is written about a type; with what is written about names that have no schema of their own to carry it.
fn about(shape: &Shape, words: &Words) -> Option<String> {
    let bare: Vec<&str> = match shape {
        Shape::Enum(names) | Shape::Flags(names) => names.iter().map(String::as_str).collect(),
        Shape::Variant(all) => {
            all.iter().filter(|(_, of)| of.is_none()).map(|(name, _)| name.as_str()).collect()
        }
        _ => Vec::new(),
    };
    let items = bare.into_iter().filter_map(|name| Some(format!("- {name}: {}", words.items.get(name)?)));
    let lines: Vec<_> = words.docs.clone().into_iter().chain(items).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn number(value: i128) -> Value {
    // Every bound of an integer type fits one of these.
    i64::try_from(value)
        .map(Value::from)
        .or_else(|_| u64::try_from(value).map(Value::from))
        .unwrap_or_default()
}
