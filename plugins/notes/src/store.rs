//! Where notes are kept: one key a note, and one for the last number given.
//! Numbers are given by compare-and-swap, so two calls at once never get the same.
//! Must not know how notes are shown.

use std::time::SystemTime;

use kennel_sdk::prelude::*;

/// The key of the last number given.
const LAST: &str = "last-id";

/// What the notes' keys begin with.
const PREFIX: &str = "note/";

#[derive(Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: u64,
    pub(crate) title: String,
    /// RFC 3339, UTC.
    pub(crate) created: String,
    pub(crate) content: String,
}

impl Note {
    pub(crate) fn uri(&self) -> String {
        format!("note:///{}", self.id)
    }

    /// The note as plain text.
    pub(crate) fn text(&self) -> String {
        format!("Title: {}\nCreated: {}\n\n{}", self.title, self.created, self.content)
    }
}

/// Digits are padded so that keys sort as numbers do.
fn key(id: u64) -> String {
    format!("{PREFIX}{id:020}")
}

pub(crate) fn create(title: String, content: String) -> Result<Note> {
    let last = state::update(LAST, |last: Option<u64>| Ok(Some(last.unwrap_or(0) + 1)))?;
    let id = last.ok_or_else(|| Error::failed("the store gave no number for the note; try again"))?;
    let created = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let note = Note { id, title, created, content };
    state::set(&key(id), &note).context("the note was not kept")?;
    Ok(note)
}

pub(crate) fn read(id: u64) -> Result<Option<Note>> {
    state::get(&key(id))
}

/// All notes, the oldest first.
pub(crate) fn all() -> Result<Vec<Note>> {
    let mut notes = Vec::new();
    for key in state::list(PREFIX) {
        // One that another call is about to write is not there yet.
        notes.extend(state::get(&key?)?);
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn keys_sort_as_numbers() {
        let mut keys: Vec<String> = [10, 9, 100, u64::MAX, 1].into_iter().map(key).collect();
        keys.sort();
        assert_eq!(keys, [1, 9, 10, 100, u64::MAX].map(key));
    }
}
