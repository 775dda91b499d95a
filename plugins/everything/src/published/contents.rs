//! Tools that answer at once: text, numbers, pictures, annotations, structure, the environment.
//! Must not ask anybody.

use std::collections::BTreeMap;

use kennel_sdk::Annotations;
use kennel_sdk::prelude::*;

use super::{nothing, number, schema};

/// The protocol's logo, 20 by 20.
const LOGO: &[u8] = include_bytes!("../../assets/logo.png");

#[derive(Deserialize)]
pub(crate) struct Echo {
    message: String,
}

/// Echoes back the input string
#[tool(
    title = "Echo Tool",
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = schema(&json!({ "message": { "type": "string", "description": "Message to echo" } }), &["message"])
)]
pub(crate) fn echo(args: Echo) -> String {
    format!("Echo: {}", args.message)
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum MessageType {
    Error,
    Success,
    Debug,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Annotated {
    message_type: MessageType,
    #[serde(default)]
    include_image: bool,
}

fn annotated_schema() -> Value {
    let properties = json!({
        "messageType": {
            "type": "string",
            "enum": ["error", "success", "debug"],
            "description": "Type of message to demonstrate different annotation patterns",
        },
        "includeImage": { "default": false, "description": "Whether to include an example image", "type": "boolean" },
    });
    schema(&properties, &["messageType"])
}

/// Demonstrates how annotations can be used to provide metadata about content.
#[tool(
    name = "get-annotated-message",
    title = "Get Annotated Message Tool",
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = annotated_schema()
)]
pub(crate) fn annotated_message(args: Annotated) -> Vec<Content> {
    let (text, priority, audience) = match args.message_type {
        MessageType::Error => ("Error: Operation failed", 1.0, vec![Role::User, Role::Assistant]),
        MessageType::Success => ("Operation completed successfully", 0.7, vec![Role::User]),
        MessageType::Debug => ("Debug: Cache hit ratio 0.95, latency 150ms", 0.3, vec![Role::Assistant]),
    };
    let mut content =
        vec![Content::text(text).annotated(Annotations::new().priority(priority).audience(audience))];
    if args.include_image {
        let hints = Annotations::new().priority(0.5).audience([Role::User]);
        content.push(Content::image(LOGO, "image/png").annotated(hints));
    }
    content
}

/// Returns all environment variables, helpful for debugging MCP server configuration
#[tool(
    name = "get-env",
    title = "Print Environment Tool",
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = nothing()
)]
pub(crate) fn environment() -> Result<String> {
    // Only what a person granted is there to be seen.
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    Ok(kennel_sdk::serde_json::to_string_pretty(&variables)?)
}

#[derive(Deserialize)]
enum City {
    #[serde(rename = "New York")]
    NewYork,
    Chicago,
    #[serde(rename = "Los Angeles")]
    LosAngeles,
}

#[derive(Deserialize)]
pub(crate) struct Place {
    location: City,
}

fn place_schema() -> Value {
    let properties = json!({
        "location": {
            "type": "string",
            "enum": ["New York", "Chicago", "Los Angeles"],
            "description": "Choose city",
        },
    });
    schema(&properties, &["location"])
}

fn weather_schema() -> Value {
    let properties = json!({
        "temperature": { "type": "number", "description": "Temperature in celsius" },
        "conditions": { "type": "string", "description": "Weather conditions description" },
        "humidity": { "type": "number", "description": "Humidity percentage" },
    });
    let mut schema = schema(&properties, &["temperature", "conditions", "humidity"]);
    schema["additionalProperties"] = false.into();
    schema
}

/// Returns structured content along with an output schema for client data validation
#[tool(
    name = "get-structured-content",
    title = "Get Structured Content Tool",
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = place_schema(),
    output_schema = weather_schema()
)]
pub(crate) fn structured_content(args: Place) -> Result<ToolResult> {
    let (temperature, conditions, humidity) = match args.location {
        City::NewYork => (33, "Cloudy", 82),
        City::Chicago => (36, "Light rain / drizzle", 82),
        City::LosAngeles => (73, "Sunny / Clear", 48),
    };
    let weather = json!({ "temperature": temperature, "conditions": conditions, "humidity": humidity });
    // The text has the fields in this order.
    let text =
        format!(r#"{{"temperature":{temperature},"conditions":"{conditions}","humidity":{humidity}}}"#);
    ToolResult::new().text(text).structured(&weather)
}

#[derive(Deserialize)]
pub(crate) struct Two {
    a: f64,
    b: f64,
}

fn two_schema() -> Value {
    let properties = json!({
        "a": { "type": "number", "description": "First number" },
        "b": { "type": "number", "description": "Second number" },
    });
    schema(&properties, &["a", "b"])
}

/// Returns the sum of two numbers
#[tool(
    name = "get-sum",
    title = "Get Sum Tool",
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = two_schema()
)]
pub(crate) fn sum(args: Two) -> String {
    format!("The sum of {} and {} is {}.", number(args.a), number(args.b), number(args.a + args.b))
}

/// Returns a tiny MCP logo image.
#[tool(
    name = "get-tiny-image",
    title = "Get Tiny Image Tool",
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = nothing()
)]
pub(crate) fn tiny_image() -> Vec<Content> {
    vec![
        Content::text("Here's the image you requested:"),
        Content::image(LOGO, "image/png"),
        Content::text("The image above is the MCP logo."),
    ]
}
