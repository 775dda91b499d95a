//! The types of the structured results. The reference publishes them closed: no further properties,
//! at any depth.
//! Must not be used for arguments: those the reference leaves open.

use kennel_sdk::prelude::*;
use schemars::Schema;
use schemars::transform::transform_subschemas;

use crate::graph::{Entity, Relation};

/// Says of every object in a schema that it has no further properties.
fn closed(schema: &mut Schema) {
    if schema.get("type").and_then(Value::as_str) == Some("object") {
        schema.insert("additionalProperties".into(), false.into());
    }
    transform_subschemas(&mut closed, schema);
}

#[derive(JsonSchema)]
#[schemars(transform = closed)]
#[expect(dead_code, reason = "only its schema is published")]
pub(crate) struct Entities {
    entities: Vec<Entity>,
}

#[derive(JsonSchema)]
#[schemars(transform = closed)]
#[expect(dead_code, reason = "only its schema is published")]
pub(crate) struct Relations {
    relations: Vec<Relation>,
}

#[derive(JsonSchema)]
#[schemars(transform = closed)]
#[expect(dead_code, reason = "only its schema is published")]
pub(crate) struct Subgraph {
    entities: Vec<Entity>,
    relations: Vec<Relation>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Added {
    pub(crate) entity_name: String,
    pub(crate) added_observations: Vec<String>,
}

#[derive(JsonSchema)]
#[schemars(transform = closed)]
#[expect(dead_code, reason = "only its schema is published")]
pub(crate) struct Additions {
    results: Vec<Added>,
}

#[derive(JsonSchema)]
#[schemars(transform = closed)]
#[expect(dead_code, reason = "only its schema is published")]
pub(crate) struct Done {
    success: bool,
    message: String,
}
