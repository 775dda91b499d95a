//! What a person or a machine can see of the host's work: log lines, audit, metrics. Decides nothing.

mod escape;

pub use escape::{deceives, escape_for_people};
