//! Which fields of an answer are told, and in which order: services answer with more than a model should read.
//! Must not invent: what an answer lacks, the told answer lacks.

use serde_json::{Map, Value};

/// The fields of an object that are told. Lists are told item by item, anything else as it is. Made by
/// [`shape!`](crate::shape).
#[derive(Debug, Clone, Copy)]
pub struct Shape(#[doc(hidden)] pub &'static [(&'static str, Option<&'static Self>)]);

/// Makes a [`Shape`]: `shape! { id, owner: OWNER, labels: shape! { name } }`.
#[macro_export]
macro_rules! shape {
    (@inner) => { ::core::option::Option::None };
    (@inner $inner:expr) => { ::core::option::Option::Some(&$inner) };
    ($($field:ident $(: $inner:expr)?),* $(,)?) => {
        $crate::api::Shape(&[$((stringify!($field), $crate::shape!(@inner $($inner)?))),*])
    };
}

impl Shape {
    /// The value with these fields, in this order.
    #[must_use]
    pub fn of(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.of(item)).collect(),
            Value::Object(fields) => {
                let mut told = Map::new();
                for (name, inner) in self.0 {
                    let Some(value) = fields.get(*name) else { continue };
                    told.insert(
                        (*name).to_owned(),
                        inner.map_or_else(|| value.clone(), |inner| inner.of(value)),
                    );
                }
                Value::Object(told)
            }
            other => other.clone(),
        }
    }

    /// The same as JSON text over several lines, two spaces deep.
    ///
    /// # Errors
    /// Those of `serde_json`, which do not happen for a value.
    pub fn text(&self, value: &Value) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&self.of(value))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::Shape;

    static USER: Shape = crate::shape! { login, id };
    static ISSUE: Shape = crate::shape! { type, user: USER, labels: crate::shape! { name }, body };

    #[test]
    fn only_what_is_named_is_told_in_that_order() {
        let issue = json!({
            "body": null, "secret": 1, "user": {"id": 1, "x": 2, "login": "ada"},
            "labels": [{"name": "bug", "color": "f00"}], "type": "issue",
        });
        assert_eq!(
            ISSUE.of(&json!([issue])).to_string(),
            r#"[{"type":"issue","user":{"login":"ada","id":1},"labels":[{"name":"bug"}],"body":null}]"#
        );
        assert_eq!(ISSUE.of(&json!({"user": null})).to_string(), r#"{"user":null}"#);
        assert_eq!(ISSUE.of(&json!("text")), json!("text"));
    }
}
