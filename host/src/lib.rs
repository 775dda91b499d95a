//! Kennel: an MCP server that has no tools of its own. It runs WebAssembly components, each in a
//! sandbox that holds only what a human granted it, and offers what they provide to any MCP client.
//!
//! The rooms and what each may know of the others are in `docs/architecture.md`;
//! `tests/tests/architecture.rs` keeps the arrows between them.

#[macro_use]
mod guard;

pub mod catalog;
pub mod cli;
pub mod config;
mod escape;
pub mod grants;
pub mod mcp;
pub mod observe;
pub mod plugin;
pub mod sandbox;
pub mod transport;
