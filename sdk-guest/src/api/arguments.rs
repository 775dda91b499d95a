//! Arguments as the published servers of web APIs describe them: optional means "may be left out", numbers keep their
//! spelling. One struct is schema, check and request at once.
//! Must not check values: the host did, against the schema.

use std::fmt;

use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Declares structs of arguments: they deserialize, serialize (for [`Call::args`](crate::api::Call::args)) and have a
/// schema in which an `Option` may be left out and cannot be `null`. Attributes and doc comments are kept.
#[macro_export]
macro_rules! arguments {
    ($($(#[$meta:meta])* $name:ident { $($(#[$of:meta])* $field:ident : $type:ty),* $(,)? })*) => {
        $(
            #[derive(
                Debug, Clone, $crate::serde::Deserialize, $crate::serde::Serialize, $crate::schemars::JsonSchema,
            )]
            #[schemars(transform = $crate::api::plain)]
            $(#[$meta])*
            #[allow(missing_docs, reason = "a field's words are the schema's, and some published schemas have none")]
            pub(crate) struct $name {
                $($(#[$of])* pub(crate) $field: $type,)*
            }
        )*
    };
}

/// A number as the caller wrote it, whole or not: `type: number` in the schema.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Number(serde_json::Number);

impl Number {
    /// The number as a float.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.0.as_f64().unwrap_or(f64::NAN)
    }

    /// The number when it is whole, not negative and fits, however it is spelled.
    #[must_use]
    pub fn whole(&self) -> Option<u64> {
        self.0.as_u64().or_else(|| match self.0.as_f64() {
            // 2^53: beyond it a float does not name one whole number.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked here")]
            Some(float) if float.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&float) => {
                Some(float as u64)
            }
            _ => None,
        })
    }
}

impl From<u32> for Number {
    fn from(number: u32) -> Self {
        Self(number.into())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whole() {
            Some(whole) => write!(formatter, "{whole}"),
            None => write!(formatter, "{}", self.0),
        }
    }
}

impl Serialize for Number {
    // 5.0 goes out as 5: services refuse a fraction where they count.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(whole) => serializer.serialize_u64(whole),
            None => self.0.serialize(serializer),
        }
    }
}

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "number" })
    }
}

/// Takes `null` out of a schema: what is optional may be left out, and is never `null`.
/// [`arguments!`](crate::arguments) applies it.
pub fn plain(schema: &mut Schema) {
    let is_null = |one: &Value| one == "null" || one.get("type").is_some_and(|kind| kind == "null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|one| !is_null(one));
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|one| !is_null(one));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (key, value) in only {
                if schema.get(&key).is_none() {
                    schema.insert(key, value);
                }
            }
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|one| !one.is_null());
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    transform_subschemas(&mut plain, schema);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    #[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    pub(crate) enum State {
        Open,
        Closed,
    }

    crate::arguments! {
        #[serde(deny_unknown_fields)]
        Search {
            /// What for.
            query: String,
            page: Option<Number>,
            #[schemars(extend("enum" = ["asc", "desc"]))]
            order: Option<String>,
            state: Option<State>,
            labels: Option<Vec<String>>,
        }
    }

    #[test]
    fn optional_means_may_be_left_out() {
        let schema: Value =
            serde_json::from_str(&crate::schema::arguments::<Search>("search").unwrap()).unwrap();
        assert_eq!(
            schema,
            json!({
                "type": "object",
                "properties": {
                    "query": { "description": "What for.", "type": "string" },
                    "page": { "type": "number" },
                    "order": { "type": "string", "enum": ["asc", "desc"] },
                    "state": { "type": "string", "enum": ["open", "closed"] },
                    "labels": { "type": "array", "items": { "type": "string" } },
                },
                "required": ["query"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn numbers_are_spelled_as_a_service_counts() {
        let number = |text: &str| serde_json::from_str::<Number>(text).unwrap();
        for (text, spelled) in [("5", "5"), ("5.0", "5"), ("2.5", "2.5"), ("-3", "-3"), ("1e3", "1000")] {
            assert_eq!(number(text).to_string(), spelled);
            assert_eq!(serde_json::to_string(&number(text)).unwrap(), spelled);
        }
        assert_eq!(number("7.0").whole(), Some(7));
        assert_eq!(number("-7").whole(), None);
        assert_eq!(number("1e300").whole(), None);
    }
}
