//! The MCP server: the protocol's types to and from the catalog's, for both eras of the protocol. Knows
//! the catalog; never wasmtime, and never how bytes travel.

mod askable;
mod calls;
mod carried;
mod changes;
mod client;
mod convert;
mod error;
mod events;
mod handler;
mod lists;
mod options;
mod pages;
mod questions;
mod streams;
mod subscribed;
mod tasks;
pub mod told;

pub use crate::catalog::api::Backend;
pub use crate::catalog::json;
pub use carried::{Alone, Caller, Detached, Listen, MayApprove, RawArguments};
pub use handler::KennelHandler;
pub use options::Options;
pub use tasks::TaskBounds;
