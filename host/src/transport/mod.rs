//! Bytes in, bytes out: the front door that every message passes, and the ways it comes. Knows the
//! protocol's server; knows nothing of plugins.

pub mod front_door;
pub mod http;
mod inbox;
mod outbox;
pub mod stdio;
