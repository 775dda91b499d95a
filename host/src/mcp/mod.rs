//! The MCP server: the protocol's types to and from the catalog's, for both eras of the protocol. Knows
//! the catalog; never wasmtime, and never how bytes travel.

mod changes;
mod convert;
mod error;
mod events;
mod handler;
mod tasks;
pub mod told;

pub use crate::catalog::api::Backend;
pub use crate::catalog::json;
pub use tasks::TaskBounds;
pub use handler::{KennelHandler, RawArguments};
