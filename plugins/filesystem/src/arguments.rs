//! What the tools take and give. The schemas made of these types are the reference server's, so doc
//! comments here are its descriptions, and types have none.
//! Must not have defaults that the published schema does not show.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A number, which need not be whole: `schemars` would add a format.
fn number(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "number" })
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct OnePath {
    pub(crate) path: String,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ReadText {
    pub(crate) path: String,
    /// If provided, returns only the last N lines of the file
    // Skipping it when there is none keeps a default of `null` out of the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "number")]
    pub(crate) tail: Option<f64>,
    /// If provided, returns only the first N lines of the file
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "number")]
    pub(crate) head: Option<f64>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ReadSeveral {
    /// Array of file paths to read. Each path must be a string pointing to a valid file within allowed directories.
    #[schemars(length(min = 1))]
    pub(crate) paths: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Write {
    pub(crate) path: String,
    pub(crate) content: String,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct OneEdit {
    /// Text to search for - must match exactly
    #[serde(rename = "oldText")]
    pub(crate) old: String,
    /// Text to replace with
    #[serde(rename = "newText")]
    pub(crate) new: String,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Edit {
    pub(crate) path: String,
    pub(crate) edits: Vec<OneEdit>,
    /// Preview changes using git-style diff format
    #[serde(rename = "dryRun", default)]
    pub(crate) dry_run: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SortBy {
    #[default]
    Name,
    Size,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListWithSizes {
    pub(crate) path: String,
    /// Sort entries by name or size
    #[serde(rename = "sortBy", default)]
    pub(crate) sort_by: SortBy,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Tree {
    pub(crate) path: String,
    #[serde(rename = "excludePatterns", default)]
    pub(crate) exclude: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Move {
    pub(crate) source: String,
    pub(crate) destination: String,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Search {
    pub(crate) path: String,
    pub(crate) pattern: String,
    #[serde(rename = "excludePatterns", default)]
    pub(crate) exclude: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Text {
    pub(crate) content: String,
}

/// The output schema of `read_media_file`.
pub(crate) const MEDIA: &str = r#"{
    "type": "object",
    "properties": {
        "content": {
            "type": "array",
            "items": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {
                            "type": { "type": "string", "enum": ["image", "audio"] },
                            "data": { "type": "string" },
                            "mimeType": { "type": "string" }
                        },
                        "required": ["type", "data", "mimeType"],
                        "additionalProperties": false
                    },
                    {
                        "type": "object",
                        "properties": {
                            "type": { "type": "string", "const": "resource" },
                            "resource": {
                                "type": "object",
                                "properties": {
                                    "uri": { "type": "string" },
                                    "mimeType": { "type": "string" },
                                    "blob": { "type": "string" }
                                },
                                "required": ["uri", "blob"],
                                "additionalProperties": false
                            }
                        },
                        "required": ["type", "resource"],
                        "additionalProperties": false
                    }
                ]
            }
        }
    },
    "required": ["content"],
    "additionalProperties": false
}"#;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::{Value, json};

    fn schema<T: JsonSchema>() -> Value {
        let mut settings = schemars::generate::SchemaSettings::draft2020_12();
        settings.inline_subschemas = true;
        let mut schema = Value::from(settings.into_generator().into_root_schema_for::<T>());
        let fields = schema.as_object_mut().unwrap();
        fields.retain(|name, _| name != "$schema" && name != "title");
        schema
    }

    /// As the reference publishes them (2026.8.31), without `$schema`.
    #[test]
    fn schemas_are_the_references() {
        let read = json!({
            "type": "object",
            "properties": {
                "path": { "type": "string" },
                "tail": { "description": "If provided, returns only the last N lines of the file", "type": "number" },
                "head": { "description": "If provided, returns only the first N lines of the file", "type": "number" }
            },
            "required": ["path"]
        });
        let edit = json!({
            "type": "object",
            "properties": {
                "path": { "type": "string" },
                "edits": { "type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "oldText": { "type": "string", "description": "Text to search for - must match exactly" },
                        "newText": { "type": "string", "description": "Text to replace with" }
                    },
                    "required": ["oldText", "newText"]
                } },
                "dryRun": {
                    "default": false,
                    "description": "Preview changes using git-style diff format",
                    "type": "boolean"
                }
            },
            "required": ["path", "edits"]
        });
        let sizes = json!({
            "type": "object",
            "properties": {
                "path": { "type": "string" },
                "sortBy": {
                    "default": "name", "description": "Sort entries by name or size",
                    "type": "string", "enum": ["name", "size"]
                }
            },
            "required": ["path"]
        });
        let text = json!({
            "type": "object", "properties": { "content": { "type": "string" } },
            "required": ["content"], "additionalProperties": false
        });
        assert_eq!(schema::<ReadText>(), read);
        assert_eq!(schema::<Edit>(), edit);
        assert_eq!(schema::<ListWithSizes>(), sizes);
        assert_eq!(schema::<Text>(), text);
        assert!(serde_json::from_str::<Value>(MEDIA).is_ok());
    }
}
