//! Runs one call: engine, store, budgets, and the capabilities behind the plugin's imports. All of
//! wasmtime is in here. Knows grants; knows neither JSON-RPC nor the catalog's names.

pub mod bindings;
pub mod capability;
mod meter;
mod store;

pub use meter::{Counters, Usage};
pub use store::CallState;
