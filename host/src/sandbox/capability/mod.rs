//! What a plugin may reach beyond its own memory, one module a capability, all of one shape:
//!
//! * `link(&mut Linker<CallState>)` once per engine: puts the capability behind its import;
//! * `configure(…grants…) -> Result<Configured, ConfigureError>` once per plugin: opens and checks what was granted;
//! * `Configured::begin(&Arc<Counters>, …) -> Call` once per call: the call's part of the store.
//!
//! What is not granted is linked all the same and refuses, because language runtimes import all of
//! WASI. Counting goes through [`Counters`](super::Counters).

pub mod files;
pub mod host;
pub mod http;
pub mod state;
pub mod stdio;
pub mod wasi;
