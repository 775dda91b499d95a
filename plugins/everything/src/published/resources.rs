//! Resources made on demand, a text and a blob for each number, and tools that bring or name them.
//! Must not keep any: each is made anew.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use kennel_sdk::prelude::*;

use super::{number, schema};

/// Which of the two families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Family {
    Text,
    Blob,
}

impl fmt::Display for Family {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Text => "Text",
            Self::Blob => "Blob",
        })
    }
}

impl Family {
    fn uri(self, id: f64) -> String {
        let family = match self {
            Self::Text => "text",
            Self::Blob => "blob",
        };
        format!("demo://resource/dynamic/{family}/{}", number(id))
    }

    /// A resource of the family as it is now.
    pub(crate) fn contents(self, uri: &str, id: f64) -> ResourceContents {
        let (id, time) = (number(id), time_of_day());
        let made = match self {
            Self::Text => ResourceContents::text(
                uri,
                format!("Resource {id}: This is a plaintext resource created at {time}"),
            ),
            Self::Blob => {
                ResourceContents::blob(uri, format!("Resource {id}: This is a base64 blob created at {time}"))
            }
        };
        made.mime("text/plain")
    }

    /// One by its number, under the URI that is made of it.
    pub(crate) fn numbered(self, id: f64) -> ResourceContents {
        self.contents(&self.uri(id), id)
    }
}

/// The time of day in UTC, as an American clock shows it: `9:05:00 PM`.
fn time_of_day() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 86_400;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    format!("{hour}:{minute:02}:{second:02} {half}")
}

/// A text's number, as JavaScript reads it out, when it is whole and positive.
pub(crate) fn resource_id(text: &str) -> Option<f64> {
    f64::from_str(text.trim()).ok().filter(|id| is_id(*id))
}

fn is_id(id: f64) -> bool {
    id.is_finite() && id.fract() == 0.0 && id >= 1.0
}

/// What is said of a number that is none of a resource's.
pub(crate) fn no_id(said: &str) -> String {
    format!("Invalid resourceId: {said}. Must be a finite positive integer.")
}

fn read(family: Family, base: &str, id: &str) -> Result<ResourceContents> {
    let uri = format!("{base}{id}");
    let number = resource_id(id).ok_or_else(|| Error::unknown(format!("Unknown resource: {uri}")))?;
    Ok(family.contents(&uri, number))
}

/// Plaintext dynamic resource fabricated from the {resourceId} variable, which must be an integer.
#[resource("demo://resource/dynamic/text/{resourceId}", name = "Dynamic Text Resource", mime = "text/plain")]
#[expect(non_snake_case, reason = "the variable's name")]
pub(crate) fn dynamic_text(resourceId: String) -> Result<ResourceContents> {
    read(Family::Text, "demo://resource/dynamic/text/", &resourceId)
}

/// Binary (base64) dynamic resource fabricated from the {resourceId} variable, which must be an integer.
#[resource(
    "demo://resource/dynamic/blob/{resourceId}",
    name = "Dynamic Blob Resource",
    mime = "application/octet-stream"
)]
#[expect(non_snake_case, reason = "the variable's name")]
pub(crate) fn dynamic_blob(resourceId: String) -> Result<ResourceContents> {
    read(Family::Blob, "demo://resource/dynamic/blob/", &resourceId)
}

/// A number is its own completion.
fn own(value: &str) -> Vec<String> {
    resource_id(value).map(|_| value.to_owned()).into_iter().collect()
}

#[complete(template = "demo://resource/dynamic/text/{resourceId}", argument = "resourceId")]
pub(crate) fn text_ids(value: &str) -> Vec<String> {
    own(value)
}

#[complete(template = "demo://resource/dynamic/blob/{resourceId}", argument = "resourceId")]
pub(crate) fn blob_ids(value: &str) -> Vec<String> {
    own(value)
}

#[complete(prompt = "resource-prompt", argument = "resourceId")]
pub(crate) fn prompt_ids(value: &str) -> Vec<String> {
    own(value)
}

#[complete(prompt = "resource-prompt", argument = "resourceType")]
pub(crate) fn prompt_types(value: &str) -> Vec<&'static str> {
    ["Text", "Blob"].into_iter().filter(|family| family.starts_with(value)).collect()
}

#[derive(Deserialize)]
pub(crate) struct Links {
    #[serde(default = "three")]
    count: f64,
}

const fn three() -> f64 {
    3.0
}

fn links_schema() -> Value {
    let properties = json!({
        "count": {
            "default": 3,
            "description": "Number of resource links to return (1-10)",
            "type": "number",
            "minimum": 1,
            "maximum": 10,
        },
    });
    schema(&properties, &[])
}

/// Returns up to ten resource links that reference different types of resources
#[tool(
    name = "get-resource-links",
    title = "Get Resource Links Tool",
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = links_schema()
)]
pub(crate) fn resource_links(args: Links) -> Vec<Content> {
    let count = number(args.count);
    let intro = format!("Here are {count} resource links to resources available in this server:");
    let mut content = vec![Content::text(intro)];
    for id in (1_u8..=10).take_while(|id| f64::from(*id) <= args.count) {
        let family = if id % 2 == 0 { Family::Text } else { Family::Blob };
        let link = ResourceInfo::new(family.uri(f64::from(id)), format!("{family} Resource {id}"))
            .description(format!("Resource {id}: plaintext resource"))
            .mime("text/plain");
        content.push(Content::link(link));
    }
    content
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    #[serde(default = "text")]
    resource_type: Family,
    #[serde(default = "one")]
    resource_id: f64,
}

const fn text() -> Family {
    Family::Text
}

const fn one() -> f64 {
    1.0
}

fn reference_schema() -> Value {
    let properties = json!({
        "resourceType": { "default": "Text", "type": "string", "enum": ["Text", "Blob"] },
        "resourceId": { "default": 1, "description": "ID of the text resource to fetch", "type": "number" },
    });
    schema(&properties, &[])
}

/// Returns a resource reference that can be used by MCP clients
#[tool(
    name = "get-resource-reference",
    title = "Get Resource Reference Tool",
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = reference_schema()
)]
pub(crate) fn resource_reference(args: Reference) -> ToolResult {
    let (family, id) = (args.resource_type, args.resource_id);
    if !is_id(id) {
        return ToolResult::error(no_id(&number(id)));
    }
    ToolResult::new()
        .text(format!("Returning resource reference for Resource {}:", number(id)))
        .content(Content::embedded(family.numbered(id)))
        .text(format!("You can access this resource using the URI: {}", family.uri(id)))
}
