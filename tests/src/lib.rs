//! The harness of the end-to-end tests: temporary homes, the `kennel` binary, a raw client, a weather service.
//! It drives Kennel from outside only, as a user or a client would.
//! It must not depend on the `kennel` library: what it cannot see through the binary, a user cannot either.

// A test's failure is a panic; the harness is part of the tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod asker;
#[cfg(feature = "attackers")]
mod attacker;
mod bystander;
mod chromium;
mod client;
mod command;
pub mod conformance;
mod flood;
pub mod grants;
pub mod guards;
mod home;
mod http;
pub mod network;
pub mod nws;
mod pages;
mod paths;
pub mod postgres;
pub mod process;
pub mod real;
pub mod report;
mod trial;
pub mod web;
pub mod web_plugin;
#[cfg_attr(not(feature = "schemas"), path = "wire_unchecked.rs")]
mod wire;

#[cfg(feature = "attackers")]
pub use attacker::Attacker;
pub use bystander::{Bystander, CALM, Waits};
pub use chromium::Chromium;
pub use client::{Client, MODERN, Reply, modern_meta, refusal, words};
pub use command::command_component;
pub use flood::{Flood, Flooded};
pub use grants::each_grant_is_needed;
pub use home::{Home, Run, run_to_end, wat_bytes};
pub use http::{
    HttpConnection, HttpRequest, HttpResponse, HttpServer, HttpSession, SseEvent, initialize_message,
    modern_request,
};
pub use network::{Names, in_own_network};
pub use pages::pages;
pub use paths::{
    clients_dir, hostile_file, kennel_bin, node, plugin_file, python, python_mcp1, source_root, target_dir,
};
pub use postgres::Postgres;
pub use process::cpu_time;
pub use trial::Trial;
pub use wire::Wire;
