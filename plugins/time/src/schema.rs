//! The schemas as the reference server publishes them, titles included, so that a client sees no
//! difference.
//! Must not differ from what `clock` gives: the host checks every answer against them.

use kennel_sdk::prelude::*;

/// Of the arguments of `get_current_time`, naming the zone to assume.
pub(crate) fn current_time(local: &str) -> Value {
    json!({
        "properties": {
            "timezone": zone("Timezone", "IANA", "timezone", local),
        },
        "required": ["timezone"],
        "type": "object",
        "title": "get_current_timeArguments",
    })
}

/// Of the arguments of `convert_time`, naming the zone to assume.
pub(crate) fn conversion(local: &str) -> Value {
    json!({
        "properties": {
            "source_timezone": zone("Source Timezone", "Source IANA", "source timezone", local),
            "time": {
                "description": "Time to convert in 24-hour format (HH:MM)",
                "title": "Time",
                "type": "string",
            },
            "target_timezone": target(local),
        },
        "required": ["source_timezone", "time", "target_timezone"],
        "type": "object",
        "title": "convert_timeArguments",
    })
}

fn zone(title: &str, which: &str, missing: &str, local: &str) -> Value {
    json!({
        "description": format!(
            "{which} timezone name (e.g., 'America/New_York', 'Europe/London'). Use '{local}' as local timezone if no \
             {missing} provided by the user."
        ),
        "title": title,
        "type": "string",
    })
}

fn target(local: &str) -> Value {
    json!({
        "description": format!(
            "Target IANA timezone name (e.g., 'Asia/Tokyo', 'America/San_Francisco'). Use '{local}' as local timezone \
             if no target timezone provided by the user."
        ),
        "title": "Target Timezone",
        "type": "string",
    })
}

macro_rules! time_object {
    () => {
        r#"{"properties":{"timezone":{"title":"Timezone","type":"string"},"datetime":{"title":"Datetime","type":"string"},"day_of_week":{"title":"Day Of Week","type":"string"},"is_dst":{"title":"Is Dst","type":"boolean"}},"required":["timezone","datetime","day_of_week","is_dst"],"type":"object","title":"TimeResult"}"#
    };
}

/// Of a moment.
pub(crate) const TIME: &str = time_object!();

/// Of a conversion.
pub(crate) const CONVERSION: &str = concat!(
    r##"{"properties":{"source":{"$ref":"#/$defs/TimeResult"},"target":{"$ref":"#/$defs/TimeResult"},"##,
    r#""time_difference":{"title":"Time Difference","type":"string"}},"#,
    r#""required":["source","target","time_difference"],"type":"object","$defs":{"TimeResult":"#,
    time_object!(),
    r#"},"title":"TimeConversionResult"}"#,
);
