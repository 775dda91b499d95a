//! What a call was refused, in readable lines: a few in full, the rest counted. Decides nothing.

use std::sync::{Arc, Mutex, PoisonError};

/// Refusals that a call reports in full; more are counted.
const MAX_DENIALS: usize = 8;

/// Refusals of a call; what a request or connection started in the background adds to them too.
#[derive(Clone)]
pub(super) struct Denials(Arc<Mutex<Refused>>);

struct Refused {
    /// What is refused here, for the line that counts, as in `HTTP requests`.
    things: &'static str,
    lines: Vec<String>,
    more: u64,
}

impl Denials {
    pub(super) fn of(things: &'static str) -> Self {
        Self(Arc::new(Mutex::new(Refused { things, lines: Vec::new(), more: 0 })))
    }

    pub(super) fn add(&self, line: String) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.lines.contains(&line) {
            return;
        }
        if refused.lines.len() < MAX_DENIALS {
            refused.lines.push(line);
        } else {
            refused.more += 1;
        }
    }

    /// All lines, at most nine; leaves none.
    pub(super) fn take(&self) -> Vec<String> {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = std::mem::take(&mut refused.lines);
        let more = std::mem::take(&mut refused.more);
        if more > 0 {
            lines.push(format!("{more} more {} were refused", refused.things));
        }
        lines
    }
}
