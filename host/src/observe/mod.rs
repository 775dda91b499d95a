//! Audit lines, what people read in logs, and that no secret is in either. Decides nothing.

pub mod audit;
mod printed;
mod recorder;
mod scrub;

pub use crate::escape::{deceives, escape_for_line, escape_for_log, escape_for_people};
pub use audit::{Audit, Decisions, Record};
pub use printed::Captured;
pub use recorder::Recorder;
pub use scrub::{ScrubbedLog, Scrubber, Stream};
