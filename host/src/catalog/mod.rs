//! The merged, immutable list of tools, resources and prompts, and who owns each name. Knows plugins
//! and the sandbox; never a transport, nor a type of the protocol.

pub mod api;
pub mod json;
pub mod types;
