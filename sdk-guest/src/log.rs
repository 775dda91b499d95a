//! Lines for the host's log and, where the client asked for it, for the client.
//! `println!` and `eprintln!` reach the host's log as well, without a level.
//! Must not hold lines back: the host bounds them.

pub use crate::bindings::tools::kennel::plugin::host::LogLevel;

/// Writes a line at a level.
pub fn line(level: LogLevel, message: impl std::fmt::Display) {
    value(level, None, &serde_json::Value::String(message.to_string()));
}

/// Writes a JSON value at a level, under a logger's name if given.
pub fn value(level: LogLevel, logger: Option<&str>, data: &serde_json::Value) {
    crate::bindings::tools::kennel::plugin::host::log(level, logger, &data.to_string());
}

/// Details for whoever hunts a fault.
pub fn debug(message: impl std::fmt::Display) {
    line(LogLevel::Debug, message);
}

/// What happens.
pub fn info(message: impl std::fmt::Display) {
    line(LogLevel::Info, message);
}

/// Something odd that the call survives.
pub fn warn(message: impl std::fmt::Display) {
    line(LogLevel::Warning, message);
}

/// Something that went wrong.
pub fn error(message: impl std::fmt::Display) {
    line(LogLevel::Error, message);
}
