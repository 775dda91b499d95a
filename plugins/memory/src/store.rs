//! Keeps the graph under one key, `graph`, so that compare-and-swap makes every change whole.
//! A value may hold 1 MiB; a larger graph goes into chunks that are written under fresh keys first, and
//! `graph` then names them.
//! Must not know what a change means.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kennel_sdk::prelude::*;
use kennel_sdk::state;

use crate::graph::Graph;

const KEY: &str = "graph";

/// What the chunks' keys begin with. The time of writing follows, in milliseconds.
const CHUNKS: &str = "chunk/";

/// The most bytes of a chunk, below the store's limit of a value.
const CHUNK: usize = 900 * 1024;

/// After this time a chunk that `graph` does not name was left by a call that ended before it was done:
/// no call lives this long.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// What is under the key `graph`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kept {
    /// The graph itself.
    Here(Graph),
    /// The keys of its chunks, in order.
    Chunks(Vec<String>),
}

/// The graph as it is now.
pub(crate) fn load() -> Result<Graph> {
    Ok(load_with(read_kept()?)?.0)
}

fn read_kept() -> Result<Option<Vec<u8>>> {
    Ok(state::get_bytes(KEY)?)
}

/// The graph, the bytes under `graph` that it was read from, and its chunks' keys.
fn load_with(mut bytes: Option<Vec<u8>>) -> Result<(Graph, Option<Vec<u8>>, Vec<String>)> {
    loop {
        let Some(present) = &bytes else { return Ok((Graph::default(), None, Vec::new())) };
        match serde_json::from_slice(present).context("the kept graph")? {
            Kept::Here(graph) => return Ok((graph, bytes, Vec::new())),
            Kept::Chunks(keys) => {
                if let Some(text) = joined(&keys)? {
                    let graph = serde_json::from_slice(&text).context("the kept graph")?;
                    return Ok((graph, bytes, keys));
                }
            }
        }
        // A chunk was gone: another call replaced the graph meanwhile, so `graph` must be another now.
        let newer = read_kept()?;
        if newer == bytes {
            return Err(Error::failed(
                "a part of the kept graph is missing; restore the plugin's state or clear it",
            ));
        }
        bytes = newer;
    }
}

fn joined(keys: &[String]) -> Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    for key in keys {
        match state::get_bytes(key)? {
            Some(chunk) => text.extend(chunk),
            None => return Ok(None),
        }
    }
    Ok(Some(text))
}

/// Changes the graph. When another call wrote meanwhile, `change` runs again on the newer graph.
pub(crate) fn update<T>(mut change: impl FnMut(&mut Graph) -> Result<T>) -> Result<T> {
    loop {
        let (mut graph, before, old_chunks) = load_with(read_kept()?)?;
        let unchanged = graph.clone();
        let made = change(&mut graph)?;
        if graph == unchanged {
            return Ok(made);
        }
        let (kept, new_chunks) = written(graph)?;
        let after = serde_json::to_vec(&kept)?;
        let swapped = state::compare_and_swap_bytes(KEY, before.as_deref(), Some(&after));
        // Whichever chunks are of no graph now.
        let left_over = if matches!(swapped, Ok(true)) { &old_chunks } else { &new_chunks };
        for key in left_over {
            state::delete(key)?;
        }
        if swapped? {
            if !new_chunks.is_empty() {
                sweep(&new_chunks)?;
            }
            return Ok(made);
        }
    }
}

/// What is to stand under `graph`, its chunks written.
fn written(graph: Graph) -> Result<(Kept, Vec<String>)> {
    let text = serde_json::to_vec(&graph)?;
    if text.len() <= CHUNK {
        return Ok((Kept::Here(graph), Vec::new()));
    }
    let mut keys = Vec::new();
    for chunk in text.chunks(CHUNK) {
        match write_chunk(chunk) {
            Ok(key) => keys.push(key),
            Err(error) => {
                // The store is full, perhaps: do not leave it fuller.
                for key in &keys {
                    state::delete(key)?;
                }
                return Err(error);
            }
        }
    }
    Ok((Kept::Chunks(keys.clone()), keys))
}

/// Writes under a key that nobody has.
fn write_chunk(chunk: &[u8]) -> Result<String> {
    let now = milliseconds_now();
    for attempt in 0_u64.. {
        let key = format!("{CHUNKS}{now:020}-{attempt}");
        if state::compare_and_swap_bytes(&key, None, Some(chunk))? {
            return Ok(key);
        }
    }
    Err(Error::failed("there is no free key for a part of the graph"))
}

fn milliseconds_now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

/// When a chunk was written, by its key.
fn written_at(key: &str) -> Option<u128> {
    key.strip_prefix(CHUNKS)?.split_once('-')?.0.parse().ok()
}

/// Removes chunks that calls left which ended before they were done.
fn sweep(named: &[String]) -> Result<()> {
    let limit = milliseconds_now().saturating_sub(ABANDONED.as_millis());
    for key in state::list(CHUNKS) {
        let key = key?;
        if written_at(&key).is_some_and(|time| time < limit) && !named.contains(&key) {
            state::delete(&key)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_chunks_key_tells_its_time() {
        assert_eq!(written_at("chunk/00000000001700000000000-3"), Some(1_700_000_000_000));
        assert_eq!(written_at("graph"), None);
    }
}
