//! Answers kept in `state`, by URL: given again while they are fresh, confirmed by their `ETag` later.
//! Must not keep what a credential could not ask for again, so only whole answers to GETs; must not fail a call:
//! without state nothing is kept.

use serde::{Deserialize, Serialize};

use crate::state::{self, StateError};

/// The keys of kept answers begin so.
const PREFIX: &str = "api/kept/";

/// The longest key that `state` takes, in bytes.
const LONGEST_KEY: usize = 512;

/// The largest body that is kept, in bytes.
const LARGEST: usize = 256 * 1024;

/// An answer that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// When it was given or confirmed last, in seconds since 1970.
    pub(super) at: u64,
    pub(super) etag: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// What is kept for a URL.
pub(super) fn load(url: &str) -> Option<Kept> {
    state::get(&key(url)?).ok().flatten()
}

/// Keeps an answer. A full store is emptied of kept answers first.
pub(super) fn store(url: &str, kept: &Kept) {
    let Some(key) = key(url) else { return };
    if kept.body.len() > LARGEST {
        return;
    }
    let Ok(bytes) = serde_json::to_vec(kept) else { return };
    if matches!(state::set_bytes(&key, &bytes), Err(StateError::Quota(_))) {
        for old in state::list(PREFIX).map_while(Result::ok) {
            // What another call removed meanwhile is gone as well.
            let _ = state::delete(&old);
        }
        // Larger than the whole quota: then it is not kept.
        let _ = state::set_bytes(&key, &bytes);
    }
}

fn key(url: &str) -> Option<String> {
    let key = format!("{PREFIX}{url}");
    (key.len() <= LONGEST_KEY).then_some(key)
}
