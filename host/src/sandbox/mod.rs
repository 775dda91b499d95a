//! Runs one call: engine, store, budgets, and the capabilities behind the plugin's imports. All of
//! wasmtime is in here. Knows grants; knows neither JSON-RPC nor the catalog's names.

mod bindings;
pub mod capability;
mod code;
mod context;
pub mod contract;
mod engine;
mod error;
mod executor;
pub mod json;
mod limiter;
mod meter;
mod operation;
mod program;
mod store;

pub use code::{AuthenticFile, Code, CodeError, Interface, check_kind, compile};
pub use context::{CallContext, Caller, ClientCapabilities, Events, ListKind, LogLevel, NoEvents};
/// The engine that calls run on, for benchmarks that measure wasmtime alone beside them.
#[doc(hidden)]
pub use engine::pooled as engine_alone;
pub use engine::{MAX_CORE_INSTANCES, MAX_MEMORIES, MAX_MEMORY, MAX_TABLE_ELEMENTS, MAX_TABLES};
pub use error::{Budget, CallError, LimitHit};
pub use meter::{Counters, Usage};
pub use operation::{
    CallTool, Complete, GetPrompt, ListPrompts, ListResources, ListTemplates, ListTools, Operation,
    ReadResource, Subscribe, Unsubscribe,
};
pub use program::{Finished, PrepareError, Program, Sandbox, Setup, StartError};
pub use store::CallState;
