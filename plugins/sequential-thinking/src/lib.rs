//! A place to think step by step, with revisions and branches: the answers of the reference server
//! `server-sequential-thinking`.
//! Needs state, where it counts a caller's thoughts. Must not keep what was thought.

mod history;
mod schema;
mod thought;

use std::time::{SystemTime, UNIX_EPOCH};

use kennel_sdk::prelude::*;
use thought::Thought;

/// How long a train of thought may rest, in minutes, unless the setting says otherwise.
const FORGOTTEN_AFTER: u64 = 60;

#[tool(
    name = "sequentialthinking",
    description = include_str!("description.txt"),
    title = "Sequential Thinking",
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = schema::arguments(),
    output_schema = schema::answer()
)]
fn sequential_thinking(args: Thought) -> Result<ToolResult> {
    let minutes = setting("forget-after-minutes")?.unwrap_or(FORGOTTEN_AFTER);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let history = history::add(args.branch(), now, minutes.saturating_mul(60))?;
    if setting("disable-thought-logging")? != Some(true) {
        log::info(&args);
    }
    let answer = json!({
        "thoughtNumber": args.thought_number.0,
        "totalThoughts": args.total(),
        "nextThoughtNeeded": args.next_thought_needed.0,
        "branches": history.branches(),
        "thoughtHistoryLength": history.length,
    });
    ToolResult::new().text(serde_json::to_string_pretty(&answer)?).structured(&answer)
}

plugin! {
    tools: [sequential_thinking],
    asks: {
        state: { quota: "2MiB", scope: "caller", why: "counts each caller's thoughts and branches" },
        settings: [
            { name: "forget-after-minutes", why: "after how long without a thought the next one begins anew; 60 if unset" },
            { name: "disable-thought-logging", why: "true keeps thoughts out of the log" },
        ],
    },
}
