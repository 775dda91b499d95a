//! What an operator may set about the protocol. Values only.

use super::tasks::TaskBounds;

/// What an operator may set about the protocol.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most items in one answer to a list request; never 0.
    pub page_size: usize,
    /// How many tasks there may be, and for how long.
    pub tasks: TaskBounds,
}

impl Default for Options {
    fn default() -> Self {
        Self { page_size: 250, tasks: TaskBounds::default() }
    }
}
