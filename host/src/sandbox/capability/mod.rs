//! What a plugin may reach beyond its own memory, one module a capability, all of one shape:
//!
//! * `link(&mut Linker<CallState>)` once per engine: puts the capability behind its import;
//! * `Configured::configure(&Configure)` once per plugin: opens and checks what was granted;
//! * `Configured::begin(…, &Arc<Counters>) -> Call` once per call: the call's part of the store.
//!
//! What is not granted is linked all the same and refuses, because language runtimes import all of
//! WASI. Counting goes through [`Counters`](super::Counters).

use std::path::{Path, PathBuf};

use crate::grants::{Egress, Grants, Limits};

pub mod commands;
mod denials;
pub mod files;
pub mod host;
pub mod http;
mod network;
pub mod secrets;
pub mod sockets;
pub mod state;
pub mod stdio;
pub mod wasi;

/// What a capability is configured from, once per plugin.
#[derive(Clone, Copy, Debug)]
pub struct Configure<'a> {
    /// The name the plugin stands under.
    pub plugin: &'a str,
    /// What it holds.
    pub grants: &'a Grants,
    /// What its calls may use.
    pub limits: &'a Limits,
    /// The way out.
    pub egress: &'a Egress,
    /// The folder of all plugins' state; `None` gives none, whatever was granted.
    pub state_dir: Option<&'a Path>,
}

/// Why what was granted cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// The plugin's name would not be a safe file name.
    #[error("plugin `{0}` cannot have state under this name: use 1 to 64 letters, digits, `-` and `_`")]
    StateName(String),
    /// A directory cannot be granted.
    #[error("plugin `{plugin}` cannot be given the directory {}: {why}", path.display())]
    Directory {
        /// The plugin.
        plugin: String,
        /// The directory, as granted.
        path: PathBuf,
        /// Why not, and what to do.
        why: files::Refusal,
    },
    /// A secret's value cannot be had.
    #[error("plugin `{plugin}` cannot be given the secret `{name}`: {why}")]
    Secret {
        /// The plugin.
        plugin: String,
        /// The secret.
        name: String,
        /// Why not, and what to do.
        why: secrets::SourceError,
    },
}

/// Limits that no test of a single capability meets by accident.
#[cfg(test)]
pub(in crate::sandbox) fn test_limits() -> Limits {
    Limits {
        fuel: 1 << 40,
        deadline: std::time::Duration::from_secs(60),
        memory: 64 << 20,
        table_elements: 10_000,
        instances: 32,
        memories: 4,
        tables: 16,
        hostcall_bytes: 4 << 20,
        handles: 1_000,
        resources: 1_000,
        random_bytes: 64 << 10,
        output: 1 << 20,
        log_lines: 100,
        progress_notes: 100,
        stdio: 8 << 10,
        http_requests: 100,
        http_connections: 8,
        http_request_body: 1 << 20,
        http_response_body: 1 << 20,
        sockets: 8,
        lookups: 8,
        network_bytes: 8 << 20,
        questions: 8,
        sample_tokens: 1_000,
        answer_within: std::time::Duration::from_secs(60),
        concurrency: 8,
        caller_concurrency: 4,
        rate: super::UNBOUNDED_RATE,
        caller_rate: super::UNBOUNDED_RATE,
        queue: 8,
        instance_calls: 1,
        instance_idle: std::time::Duration::from_secs(10),
    }
}
