//! An operation that takes its time and tells how far it is.
//! Must not go on after its call: nothing does.

use std::time::Duration;

use kennel_sdk::prelude::*;

use super::{number, schema};

#[derive(Deserialize)]
pub(crate) struct Operation {
    #[serde(default = "ten")]
    duration: f64,
    #[serde(default = "five")]
    steps: f64,
}

const fn ten() -> f64 {
    10.0
}

const fn five() -> f64 {
    5.0
}

fn operation_schema() -> Value {
    let properties = json!({
        "duration": { "default": 10, "description": "Duration of the operation in seconds", "type": "number" },
        "steps": { "default": 5, "description": "Number of steps in the operation", "type": "number" },
    });
    schema(&properties, &[])
}

/// Demonstrates a long running operation with progress updates.
#[tool(
    name = "trigger-long-running-operation",
    title = "Trigger Long Running Operation Tool",
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = operation_schema()
)]
pub(crate) fn long_running(args: Operation) -> String {
    // A time that is none, or is over already, takes none.
    let step = Duration::try_from_secs_f64(args.duration / args.steps).unwrap_or_default();
    let mut done = 1.0;
    while done < args.steps + 1.0 {
        std::thread::sleep(step);
        progress(done, args.steps, None);
        done += 1.0;
    }
    format!(
        "Long running operation completed. Duration: {} seconds, Steps: {}.",
        number(args.duration),
        number(args.steps)
    )
}
