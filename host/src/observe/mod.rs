//! Audit lines, what people read in logs, and that no secret is in either. Decides nothing.

mod audit;
mod escape;
mod printed;
mod scrub;

pub use audit::{Audit, Record};
pub use escape::{deceives, escape_for_people};
pub use printed::Captured;
pub use scrub::{ScrubbedLog, Scrubber, Stream};
