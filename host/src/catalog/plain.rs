//! Makes the words of a plugin that nobody approved safe to read: clients show them to people, and models read what
//! people do not see. Approved words pass as they are, because a person saw them escaped and said yes.

use std::sync::Arc;

use serde_json::Value;

use crate::observe::{deceives, escape_for_people};

use super::types::{JsonObject, Prompt, ResourceTemplate, Tool};

/// The fields of a schema that are words for people. Others (`enum`, `const`, `pattern`, names of properties) are what
/// values are held against: there an altered text would be a wrong one, so it stays.
const WORDS: [&str; 2] = ["title", "description"];

pub(super) fn tool(tool: &mut Tool) {
    optional(&mut tool.title);
    text(&mut tool.description);
    schema(&mut tool.input_schema);
    if let Some(output) = &mut tool.output_schema {
        schema(output);
    }
}

pub(super) fn prompt(prompt: &mut Prompt) {
    optional(&mut prompt.title);
    optional(&mut prompt.description);
    for argument in &mut prompt.arguments {
        optional(&mut argument.title);
        optional(&mut argument.description);
    }
}

pub(super) fn template(template: &mut ResourceTemplate) {
    text(&mut template.name);
    optional(&mut template.title);
    optional(&mut template.description);
}

fn optional(words: &mut Option<String>) {
    if let Some(words) = words {
        text(words);
    }
}

fn text(words: &mut String) {
    if hides(words) {
        *words = escape_for_people(words).into_owned();
    }
}

/// Tabs and carriage returns are clumsy, not hidden.
fn hides(text: &str) -> bool {
    text.chars().any(|c| deceives(c) && !matches!(c, '\t' | '\r'))
}

fn schema(schema: &mut Arc<JsonObject>) {
    fn any(value: &Value) -> bool {
        match value {
            Value::String(text) => hides(text),
            Value::Array(items) => items.iter().any(any),
            Value::Object(fields) => fields.values().any(any),
            _ => false,
        }
    }
    if schema.values().any(any) {
        within(Arc::make_mut(schema));
    }
}

fn within(schema: &mut JsonObject) {
    for (key, value) in schema.iter_mut() {
        match value {
            Value::String(words) if WORDS.contains(&key.as_str()) => text(words),
            Value::Object(inner) => within(inner),
            Value::Array(items) => {
                items.iter_mut().filter_map(Value::as_object_mut).for_each(within);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn words_are_escaped_and_values_are_not() {
        let Value::Object(object) = json!({
            "type": "object",
            "description": "a\u{e0041}",
            "properties": {"title": {"title": "b\u{202e}", "enum": ["c\u{200b}"], "oneOf": [{"description": "\u{1b}[2J"}]}},
        }) else {
            unreachable!("an object")
        };
        let mut made = Arc::new(object);
        schema(&mut made);
        let expected = json!({
            "type": "object",
            "description": "a\\u{e0041}",
            "properties": {"title": {"title": "b\\u{202e}", "enum": ["c\u{200b}"], "oneOf": [{"description": "\\e[2J"}]}},
        });
        assert_eq!(Value::Object((*made).clone()), expected);
        let mut plainly = "two\n\tlines 👨".to_owned();
        text(&mut plainly);
        assert_eq!(plainly, "two\n\tlines 👨");
    }
}
