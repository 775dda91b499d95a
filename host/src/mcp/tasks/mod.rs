//! Tasks (the extension `io.modelcontextprotocol/tasks`, SEP-2663): calls that outlive their request and are asked
//! after. Runs nothing itself but through the call path of every other call.

mod table;

pub(super) use table::Table;
pub use table::TaskBounds;
