//! What one call may use. Every number is a hard bound; what happens at each is in
//! `docs/architecture.md`, "Budgets".

use std::time::Duration;

/// All bounds of one call, and of one plugin's calls together.
///
/// There is no `Default` on purpose: a store can only be built from limits that somebody chose, so no
/// code path runs a plugin without them. The defaults a user gets are in `config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions, and the cost of host calls in the same unit.
    pub fuel: u64,
    /// Wall clock of a call, host calls included.
    pub deadline: Duration,
    /// Bytes of all linear memories of a call together.
    pub memory: usize,
    /// Elements of all tables of a call together.
    pub table_elements: usize,
    /// Core instances of a call.
    pub instances: usize,
    /// Linear memories of a call.
    pub memories: usize,
    /// Tables of a call.
    pub tables: usize,
    /// Bytes lifted out of the guest per host call, and per result.
    pub hostcall_bytes: usize,
    /// Component-model handles open at once.
    pub handles: usize,
    /// Host resources (descriptors, streams, pollables, headers …) open at once.
    pub resources: usize,
    /// Bytes asked of a random source at once.
    pub random_bytes: u64,
    /// Bytes of a result, after lifting and before encoding.
    pub output: usize,
    /// Log lines kept of a call; more are counted and dropped.
    pub log_lines: u32,
    /// Progress notes passed on for a call; more are dropped.
    pub progress_notes: u32,
    /// Bytes kept of standard output and of standard error, each.
    pub stdio: usize,
    /// HTTP requests in a call.
    pub http_requests: u32,
    /// HTTP connections open at once in all calls of the plugin.
    pub http_connections: u32,
    /// Bytes of one HTTP request's body.
    pub http_request_body: u64,
    /// Bytes of one HTTP response's body.
    pub http_response_body: u64,
    /// TCP and UDP sockets open at once in all calls of the plugin.
    pub sockets: u32,
    /// Names a call may look up, besides those of its HTTP requests.
    pub lookups: u32,
    /// Bytes over the network in a call, HTTP and sockets together, both ways.
    pub network_bytes: u64,
    /// Questions a call may ask in all its rounds together.
    pub questions: u32,
    /// Tokens a call may ask of the client's model in all its rounds together.
    pub sample_tokens: u64,
    /// How long a question waits for its answer.
    pub answer_within: Duration,
    /// Calls of the plugin running at once.
    pub concurrency: usize,
    /// Of them one caller's; no more than `concurrency`.
    pub caller_concurrency: usize,
    /// Calls of the plugin that begin in a minute; see `sandbox::UNBOUNDED_RATE`.
    pub rate: u64,
    /// Of them one caller's.
    pub caller_rate: u64,
    /// Calls of the plugin waiting for their turn; beyond that the answer is `busy`.
    pub queue: usize,
    /// Calls that an instance lives for, all of one caller. At 1 nothing is left from one call to the next.
    pub instance_calls: u32,
    /// How long an instance waits for its caller's next call.
    pub instance_idle: Duration,
}
