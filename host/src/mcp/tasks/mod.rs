//! Tasks (the extension `io.modelcontextprotocol/tasks`, SEP-2663): calls that outlive their request and are asked
//! after. Runs nothing itself but through the call path of every other call.

mod run;
mod serve;
mod table;

pub(super) use run::{AsTask, Entered};
pub(super) use serve::MayBeTask;
pub(super) use table::Table;
pub use table::TaskBounds;
