//! Runs one call: engine, store, budgets, and the capabilities behind the plugin's imports. All of
//! wasmtime is in here. Knows grants; knows neither JSON-RPC nor the catalog's names.

mod bindings;
mod border;
mod busy;
pub mod capability;
mod code;
mod command;
mod context;
pub mod contract;
mod engine;
mod error;
mod executor;
mod functions;
mod health;
pub mod json;
mod limiter;
mod linked;
mod meter;
mod operation;
mod program;
mod rate;
mod running;
mod scrubbed;
mod store;
mod turns;

pub use busy::{Busy, SitsOut};
pub use code::{
    AuthenticFile, Code, CodeError, CodeSource, CommandSource, Found, Functions, Interface, check_kind,
    compile,
};
pub use command::{Ran, RunCommand};
pub use context::{CallContext, Caller, ClientCapabilities, Events, ListKind, LogLevel, NoEvents};
/// The engine that calls run on, for benchmarks that measure wasmtime alone beside them.
#[doc(hidden)]
pub use engine::pooled as engine_alone;
pub use engine::{MAX_CORE_INSTANCES, MAX_MEMORIES, MAX_MEMORY, MAX_TABLE_ELEMENTS, MAX_TABLES};
pub use error::{Budget, CallError, LimitHit};
pub use functions::{DOCS_SECTION, Docs, DocsError, MAX_DOCS};
pub use linked::PrepareError;
pub use meter::{Counters, Usage};
pub use operation::{
    CallTool, Complete, GetPrompt, ListPrompts, ListResources, ListTemplates, ListTools, Operation,
    ReadResource, Subscribe, Unsubscribe,
};
pub use program::{Finished, Program, Setup};
pub use rate::UNBOUNDED as UNBOUNDED_RATE;
pub use running::{Sandbox, StartError};
pub use store::CallState;
