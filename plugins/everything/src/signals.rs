//! What a call says while it runs: progress, log messages, and that it will take long.
//! Must not decide who hears it: the host does.

use std::time::Duration;

use kennel_sdk::prelude::*;

/// Long enough for a client to see one sign after the other.
const STEP: Duration = Duration::from_millis(50);

/// Takes three steps and reports each.
#[tool(read_only, open_world = false)]
pub(crate) fn test_tool_with_progress() -> &'static str {
    for step in [0.0, 50.0] {
        progress(step, 100.0, "working");
        std::thread::sleep(STEP);
    }
    progress(100.0, 100.0, "done");
    "Took three steps."
}

fn work_aloud() {
    log::info("Tool execution started");
    std::thread::sleep(STEP);
    log::info("Tool processing data");
    std::thread::sleep(STEP);
    log::info("Tool execution completed");
}

/// Writes three log messages while it works.
#[tool(read_only, open_world = false)]
pub(crate) fn test_tool_with_logging() -> &'static str {
    work_aloud();
    "Wrote three log messages."
}

/// Writes log messages, which reach a client that asked for them.
#[tool(read_only, open_world = false)]
pub(crate) fn test_logging_tool() -> &'static str {
    work_aloud();
    "Wrote log messages for whoever wants them."
}

/// Takes a while and says so first, so that a client may hang up and come back for the answer.
#[tool(read_only, open_world = false)]
pub(crate) fn test_reconnection() -> &'static str {
    detach();
    std::thread::sleep(Duration::from_millis(500));
    "You came back, or never left."
}
