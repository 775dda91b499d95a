//! Resources: a text, a picture, one that is worth watching, and a family with completions.
//! Must not hold state: each reading is a call in an instance of its own.

use std::time::{SystemTime, UNIX_EPOCH};

use kennel_sdk::prelude::*;

/// The resource that `test_trigger_resource_change` speaks of.
pub(crate) const WATCHED: &str = "test://watched-resource";

/// A text that never changes.
#[resource("test://static-text", mime = "text/plain")]
pub(crate) fn static_text() -> &'static str {
    "This is the content of the static text resource."
}

/// A picture that never changes.
#[resource("test://static-binary", mime = "image/png")]
pub(crate) fn static_binary() -> Vec<u8> {
    crate::contents::PICTURE.to_vec()
}

/// The time of reading: another content each time.
#[resource("test://watched-resource", mime = "text/plain")]
pub(crate) fn watched() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(format!("Read {} ms after the epoch.", now.as_millis()))
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Record {
    id: String,
    #[serde(rename = "templateTest")]
    template_test: bool,
    data: String,
}

/// The record with this id.
#[resource("test://template/{id}/data", mime = "application/json")]
pub(crate) fn record(id: String) -> Json<Record> {
    let data = format!("Data for ID: {id}");
    Json(Record { id, template_test: true, data })
}

/// Ids that are known to be interesting.
#[complete(template = "test://template/{id}/data", argument = "id")]
pub(crate) fn record_ids(value: &str) -> Vec<&'static str> {
    ["1", "12", "123", "2"].into_iter().filter(|id| id.starts_with(value)).collect()
}
