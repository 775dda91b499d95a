//! Schemas that no Rust type has: one written by hand, which is published word for word, and an argument that HTTP
//! clients repeat in a header.
//! Must not check arguments: the host did, against the very text that is published.

use kennel_sdk::prelude::*;

const CONTACT: &str = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "$defs": {
    "address": {
      "$anchor": "addressDef",
      "type": "object",
      "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
    }
  },
  "properties": {
    "name": { "type": "string" },
    "address": { "$ref": "#/$defs/address" },
    "contactMethod": { "type": "string", "enum": ["phone", "email"] },
    "phone": { "type": "string" },
    "email": { "type": "string" }
  },
  "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
  "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
  "then": { "required": ["phone"] },
  "else": { "required": ["email"] },
  "additionalProperties": false
}"##;

/// Takes a contact, described in the whole vocabulary of JSON Schema 2020-12, and repeats it.
#[tool(input_schema = CONTACT, read_only, open_world = false)]
pub(crate) fn json_schema_2020_12_tool(args: RawArgs) -> String {
    format!("Got {}", args.as_str())
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Routed {
    /// Over HTTP this stands in the header `Mcp-Param-Value` too, where a gateway can read it.
    #[schemars(extend("x-mcp-header" = "Value"))]
    value: String,
}

/// Takes a value that HTTP clients repeat in a header.
#[tool(read_only, open_world = false)]
pub(crate) fn test_custom_header(args: Routed) -> String {
    format!("Got {}", args.value)
}
