//! What the published server `server-everything` offers, under its names and in its words, one module a theme.
//! Must not know the suite's fixtures, which stand beside it.

pub(crate) mod contents;
pub(crate) mod operations;
pub(crate) mod prompts;
pub(crate) mod questions;
pub(crate) mod resources;

use kennel_sdk::prelude::*;

/// An object's schema as that server publishes it.
fn schema(properties: &Value, required: &[&str]) -> Value {
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": properties,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// The schema of a tool without arguments, which takes any and ignores them.
fn nothing() -> Value {
    schema(&json!({}), &[])
}

/// A number as JavaScript writes it.
fn number(value: f64) -> String {
    ryu_js::Buffer::new().format(value).to_owned()
}
