//! How a call can fail, as types. The one line that people read is each type's `Display`.

use std::time::Duration;

use wasmtime::Trap;

use super::bindings::kennel::plugin::types as wit;
use super::busy::Busy;

/// A budget, and so the key of `limits` in `kennel.toml` that raises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Instructions and host calls.
    Fuel,
    /// Wall clock.
    Deadline,
    /// Linear memory.
    Memory,
    /// Tables.
    TableElements,
    /// The guest's stack; not to be raised.
    Stack,
    /// Bytes over the border at once.
    HostcallBytes,
    /// Component-model handles.
    Handles,
    /// Host resources.
    Resources,
    /// Bytes of a random source.
    RandomBytes,
    /// The result's size.
    Output,
    /// Times the plugin asks; not to be raised.
    Rounds,
    /// Questions.
    Questions,
    /// Tokens of the client's model.
    SampleTokens,
}

impl Budget {
    /// The key under `limits`, when there is one.
    #[must_use]
    pub fn key(self) -> Option<&'static str> {
        Some(match self {
            Self::Fuel => "fuel",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::TableElements => "table-elements",
            Self::Stack => return None,
            Self::HostcallBytes => "hostcall-bytes",
            Self::Handles => "handles",
            Self::Resources => "resources",
            Self::RandomBytes => "random-bytes",
            Self::Output => "output",
            Self::Rounds => return None,
            Self::Questions => "questions",
            Self::SampleTokens => "sample-tokens",
        })
    }
}

impl std::fmt::Display for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fuel => "fuel",
            Self::Deadline => "wall clock",
            Self::Memory => "memory",
            Self::TableElements => "table elements",
            Self::Stack => "stack",
            Self::HostcallBytes => "bytes passed at once",
            Self::Handles => "handles",
            Self::Resources => "open resources",
            Self::RandomBytes => "random bytes",
            Self::Output => "output",
            Self::Rounds => "rounds of questions",
            Self::Questions => "questions",
            Self::SampleTokens => "tokens of the client's model",
        })
    }
}

/// A bound that ended a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitHit {
    /// Which.
    pub budget: Budget,
    /// The bound, in words with its unit.
    pub bound: String,
}

impl std::fmt::Display for LimitHit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "limit: {} ({})", self.budget, self.bound)?;
        match self.budget.key() {
            Some(key) => write!(f, "; a person can raise `limits.{key}` for it in kennel.toml"),
            None => Ok(()),
        }
    }
}

/// Why a call gave no result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// A budget ended it.
    #[error("{0}")]
    Limit(LimitHit),
    /// The plugin panicked and said why.
    #[error("panicked: {message}{}", at(.place))]
    Panicked {
        /// What it said.
        message: String,
        /// Where, as file and line; may be empty.
        place: String,
    },
    /// The plugin ended in a trap.
    #[error("trap: {0}")]
    Trapped(String),
    /// The plugin ended its own program (`exit`) instead of returning.
    #[error(
        "it ended its own program (exit code {0}) in the middle of the call; a plugin returns its result instead"
    )]
    Exited(i32),
    /// Whoever asked no longer wants it.
    #[error("cancelled")]
    Cancelled,
    /// A person took back what the plugin held when the call began; says what.
    #[error("revoked: a person took back what this call began with, so it was ended: {0}")]
    Revoked(String),
    /// It does not begin now.
    #[error("{0}")]
    Busy(Busy),
    /// The plugin has no such export.
    #[error("it does not offer {0}")]
    Unsupported(&'static str),
    /// The plugin answered with an error of its own.
    #[error("{}", plugin_error(.0))]
    Plugin(wit::Error),
    /// Its machine code, made before, cannot be had any more.
    #[error("it cannot run: {0}")]
    NoCode(String),
    /// The host failed; says how.
    #[error("internal: {0}")]
    Internal(String),
}

fn at(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(" (at {place})") }
}

fn plugin_error(error: &wit::Error) -> String {
    match error {
        wit::Error::Unknown(text) => format!("unknown: {text}"),
        wit::Error::Invalid(text) => format!("invalid: {text}"),
        wit::Error::Denied(text) => format!("denied: {text}"),
        wit::Error::MissingCapability(text) => format!("the client lacks a capability: {text}"),
        wit::Error::Failed(text) => text.clone(),
        wit::Error::Protocol(error) => error.message.clone(),
    }
}

/// Whether a trap leaves the count of fuel as it was. After a hardware trap (a load out of bounds, a
/// division by zero) the count in a register is lost and the store shows too little (wasmtime issue
/// 13802), so that the whole budget is charged.
pub(super) fn hides_fuel(error: &wasmtime::Error) -> bool {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel | Trap::UnreachableCodeReached) | None => false,
        Some(_) => guarded!("trap-charge", true),
    }
}

/// A duration as a person would write it in `kennel.toml`.
pub(super) fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}
