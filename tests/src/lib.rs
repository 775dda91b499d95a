//! The harness of the end-to-end tests: temporary homes, the `kennel` binary, a raw client, a weather service.
//! It drives Kennel from outside only, as a user or a client would.
//! It must not depend on the `kennel` library: what it cannot see through the binary, a user cannot either.

// A test's failure is a panic; the harness is part of the tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod home;
pub mod nws;
mod paths;

pub use client::{Client, MODERN, Reply, modern_meta};
pub use home::{Home, Run, wat_bytes};
pub use paths::{clients_dir, kennel_bin, node, plugin_file, python, source_root, target_dir};
