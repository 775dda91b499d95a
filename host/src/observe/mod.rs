//! Audit lines and what people read in logs. Decides nothing.

mod audit;
mod escape;
mod printed;

pub use audit::{Audit, Record};
pub use escape::{deceives, escape_for_log, escape_for_people};
pub use printed::Captured;
