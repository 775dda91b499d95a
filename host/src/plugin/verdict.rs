//! Remembers that a component cannot be used, so that no start compiles or runs it again to find the same. Only what
//! the bytes and our own bounds decide is remembered; a failure of the machine is not.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::grants::Digest;
use crate::sandbox::{Budget, CallError};

use super::cache::Cache;
use super::compile::CompileError;
use super::definitions::DefinitionsError;

/// How long a failure is remembered that a slow or a full machine may have helped to.
const DOUBTFUL: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest message kept, in bytes; more of it is the plugin's own words.
const MAX_WHY: usize = 1 << 10;

/// What was found.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Verdict {
    /// In words for people.
    pub(super) why: String,
    /// Under which bounds of ours; found under others it says nothing.
    basis: String,
    /// When it is to be found anew; never when there is nothing here.
    until: Option<SystemTime>,
}

/// Whether a failure would come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certainty {
    /// The same bytes fail again, on any day.
    Certain,
    /// It was a bound that a busy machine meets earlier.
    Doubtful,
    /// It says nothing of the component.
    None,
}

impl Verdict {
    /// What is remembered of a component under these bounds.
    pub(super) fn recall(cache: &Cache, digest: &Digest, basis: &str) -> Option<Self> {
        let found: Self = serde_json::from_slice(&cache.verdict(digest)?).ok()?;
        let fresh = found.until.is_none_or(|until| SystemTime::now() < until);
        (fresh && found.basis == basis).then_some(found)
    }

    /// Remembers a failure, if it would come again.
    pub(super) fn remember(cache: &Cache, digest: &Digest, basis: &str, why: &str, certainty: Certainty) {
        let until = match certainty {
            Certainty::Certain => None,
            Certainty::Doubtful => Some(SystemTime::now() + DOUBTFUL),
            Certainty::None => return,
        };
        let why = why[..why.floor_char_boundary(MAX_WHY)].to_owned();
        let stored = serde_json::to_vec(&Self { why, basis: basis.to_owned(), until })
            .map_err(std::io::Error::from)
            .and_then(|body| cache.store_verdict(digest, &body));
        if let Err(error) = stored {
            tracing::warn!("that {} cannot be used is not remembered: {error}", digest.short());
        }
    }
}

impl Certainty {
    /// Of a failed compilation.
    pub(super) fn of_compile(error: &CompileError) -> Self {
        match error {
            CompileError::Code(_) | CompileError::Refused(_) => Self::Certain,
            // A machine without memory kills the child as well.
            CompileError::Bound(_) => Self::Doubtful,
            CompileError::Child(_) => Self::None,
        }
    }

    /// Of failed definitions.
    pub(super) fn of_definitions(error: &DefinitionsError) -> Self {
        let DefinitionsError::Listing { error, .. } = error else { return Self::Certain };
        match error {
            CallError::Limit(hit) if hit.budget == Budget::Deadline => Self::Doubtful,
            CallError::Limit(_)
            | CallError::Panicked { .. }
            | CallError::Trapped(_)
            | CallError::Exited(_)
            | CallError::Unsupported(_)
            | CallError::Plugin(_) => Self::Certain,
            CallError::Cancelled
            | CallError::Revoked(_)
            | CallError::Busy(_)
            | CallError::NoCode(_)
            | CallError::Internal(_) => Self::None,
        }
    }
}
