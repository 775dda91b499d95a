//! Audit lines and what people read in logs. Decides nothing.

pub mod audit;
mod escape;
mod printed;

pub use audit::{Audit, Decisions, Record};
pub use escape::{deceives, escape_for_log, escape_for_people};
pub use printed::Captured;
