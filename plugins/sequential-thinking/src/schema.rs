//! The schemas as the reference server publishes them, so that a client sees no difference.
//! Must not differ from what the tool takes and gives: the host checks both against them.

use kennel_sdk::prelude::*;

/// The largest number of a thought: what every client can write exactly (2⁵³ − 1, JavaScript's safe integers).
pub(crate) const LARGEST: u64 = 9_007_199_254_740_991;

/// Of the arguments.
pub(crate) fn arguments() -> Value {
    json!({
        "type": "object",
        "properties": {
            "thought": { "type": "string", "description": "Your current thinking step" },
            "nextThoughtNeeded": flag("Whether another thought step is needed"),
            "thoughtNumber": number("Current thought number (numeric value, e.g., 1, 2, 3)"),
            "totalThoughts": number("Estimated total thoughts needed (numeric value, e.g., 5, 10)"),
            "isRevision": flag("Whether this revises previous thinking"),
            "revisesThought": number("Which thought is being reconsidered"),
            "branchFromThought": number("Branching point thought number"),
            "branchId": { "type": "string", "description": "Branch identifier" },
            "needsMoreThoughts": flag("If more thoughts are needed"),
        },
        "required": ["thought", "nextThoughtNeeded", "thoughtNumber", "totalThoughts"],
        "$schema": DIALECT,
    })
}

/// Of what is answered.
pub(crate) fn answer() -> Value {
    json!({
        "type": "object",
        "properties": {
            "thoughtNumber": { "type": "number" },
            "totalThoughts": { "type": "number" },
            "nextThoughtNeeded": { "type": "boolean" },
            "branches": { "type": "array", "items": { "type": "string" } },
            "thoughtHistoryLength": { "type": "number" },
        },
        "required": ["thoughtNumber", "totalThoughts", "nextThoughtNeeded", "branches", "thoughtHistoryLength"],
        "additionalProperties": false,
        "$schema": DIALECT,
    })
}

const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

fn flag(description: &str) -> Value {
    json!({ "type": ["boolean", "string"], "description": description })
}

fn number(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": LARGEST, "description": description })
}
