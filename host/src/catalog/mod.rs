//! The merged, immutable list of tools, resources and prompts, and who owns each name. Knows plugins
//! and the sandbox; never a transport, nor a type of the protocol.

pub mod api;
pub use crate::sandbox::json;
pub mod types;
