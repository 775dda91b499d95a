//! The current time anywhere, and times converted between zones: the answers of the `mcp-server-time`
//! reference server.
//! Needs nothing but a clock. Must not carry zone rules of its own: they are the bundled IANA database's.

mod clock;
mod schema;
mod zone;

use kennel_sdk::prelude::*;

#[derive(Deserialize)]
struct Current {
    timezone: String,
}

#[derive(Deserialize)]
struct Conversion {
    source_timezone: String,
    time: String,
    target_timezone: String,
}

/// Get current time in a specific timezone
#[tool(
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = schema::current_time(&zone::local()?),
    output_schema = schema::TIME
)]
fn get_current_time(args: Current) -> Result<ToolResult> {
    let answer = required("timezone", &args.timezone).and_then(|()| clock::current(&args.timezone));
    told("get_current_time", answer)
}

/// Convert time between timezones
#[tool(
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = schema::conversion(&zone::local()?),
    output_schema = schema::CONVERSION
)]
fn convert_time(args: Conversion) -> Result<ToolResult> {
    let answer = required("source_timezone", &args.source_timezone)
        .and_then(|()| required("target_timezone", &args.target_timezone))
        .and_then(|()| clock::converted(&args.source_timezone, &args.time, &args.target_timezone));
    told("convert_time", answer)
}

fn required(name: &str, value: &str) -> Result<(), String> {
    if value.is_empty() { Err(format!("Missing required argument: {name}")) } else { Ok(()) }
}

/// The answer as the reference words it: JSON over several lines, errors with the tool's name.
fn told(tool: &str, answer: Result<impl Serialize, String>) -> Result<ToolResult> {
    match answer {
        Ok(value) => ToolResult::new().text(serde_json::to_string_pretty(&value)?).structured(&value),
        Err(why) => Ok(ToolResult::error(format!("Error executing tool {tool}: {why}"))),
    }
}

plugin! {
    tools: [get_current_time, convert_time],
    asks: {
        settings: [{ name: "local-timezone", why: "the IANA zone to assume when nobody names one; UTC if unset" }],
    },
}
