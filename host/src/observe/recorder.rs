//! Keeps what plugins do, operation by operation, for whoever wants to learn what they need. Bounded; decides nothing.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::grants::learn::Seen;
use crate::grants::{Access, Decision, Intent, Operation, Reason, is_blocked};

/// Different operations that are kept.
const MOST: usize = 20_000;
/// Bytes of the longest text that is kept with one: a path of Linux, or of a URL.
const LONGEST: usize = 8 << 10;

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seen: Vec<Seen>,
    /// Where each stands, by what was done and whether it was allowed.
    places: HashMap<(Intent, bool), usize>,
    /// The kinds of files of each directory that was listed.
    listed: HashSet<(String, String)>,
    /// Whether there was no room for something.
    full: bool,
}

impl Recorder {
    /// Something was decided. Files are told to [`Recorder::file`].
    pub fn decided(&self, operation: &Operation<'_>, decision: Decision) {
        let Some(intent) = Intent::of(operation) else { return };
        let private =
            matches!(operation, Operation::Connect { address: Some(address), .. } if is_blocked(*address));
        self.add(Seen { private, ..Seen::once(intent, reason(decision)) });
    }

    /// Something was decided about a file or directory, by the path that the plugin sees.
    pub fn file(&self, access: Access, path: &str, decision: Decision) {
        self.add(Seen::once(Intent::File(access, path.to_owned()), reason(decision)));
    }

    /// So many bytes were written to a file.
    pub fn wrote(&self, path: &str, bytes: u64) {
        let intent = Intent::File(Access::Write, path.to_owned());
        self.add(Seen { bytes, times: 0, ..Seen::once(intent, None) });
    }

    /// A directory was listed with this file in it. One file of each kind stands for all: it is kinds that are granted.
    pub fn listed(&self, directory: &str, file: &str) {
        let kind = file.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
        let new = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let room = state.listed.len() < MOST;
            state.full |= !room;
            room && state.listed.insert((directory.to_owned(), kind))
        };
        if new {
            let path = format!("{}/{file}", directory.trim_end_matches('/'));
            self.add(Seen::once(Intent::File(Access::Read, path), None));
        }
    }

    fn add(&self, seen: Seen) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Of a store only the most it held matters.
        let same = match &seen.intent {
            Intent::State(_) => Intent::State(0),
            other => other.clone(),
        };
        let key = (same, seen.denied.is_none());
        if let Some(known) = state.places.get(&key).copied().and_then(|place| state.seen.get_mut(place)) {
            known.times = known.times.saturating_add(seen.times);
            known.bytes = known.bytes.saturating_add(seen.bytes);
            known.private |= seen.private;
            if let (Intent::State(most), Intent::State(bytes)) = (&mut known.intent, seen.intent) {
                *most = bytes.max(*most);
            }
        } else if state.seen.len() < MOST && size(&seen.intent) <= LONGEST {
            let place = state.seen.len();
            state.places.insert(key, place);
            state.seen.push(seen);
        } else {
            state.full = true;
        }
    }

    /// What was seen, in the order in which it came first, and whether that is all.
    #[must_use]
    pub fn all(&self) -> (Vec<Seen>, bool) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (state.seen.clone(), !state.full)
    }
}

fn reason(decision: Decision) -> Option<Reason> {
    match decision {
        Decision::Allowed(_) => None,
        Decision::Denied(reason) => Some(reason),
    }
}

fn size(intent: &Intent) -> usize {
    match intent {
        Intent::File(_, text) | Intent::Env(text) => text.len(),
        Intent::Http(request) => request.path().len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::grants::Rule;

    const YES: Decision = Decision::Allowed(Rule::Directory(0));

    #[test]
    fn the_same_is_counted_and_listings_are_kept_by_kind() {
        let recorder = Recorder::default();
        for _ in 0..3 {
            recorder.file(Access::Write, "/docs/a.md", YES);
            recorder.wrote("/docs/a.md", 10);
        }
        recorder.file(Access::Write, "/docs/a.md", Decision::Denied(Reason::ReadOnly(0)));
        for file in ["b.md", "c.MD", "d.txt", "e", "f"] {
            recorder.listed("/docs", file);
        }
        for bytes in [0, 9, 7] {
            recorder.decided(&Operation::State { bytes }, Decision::Allowed(Rule::State));
        }
        let (seen, all) = recorder.all();
        assert!(all);
        let told: Vec<_> = seen
            .iter()
            .map(|one| (one.intent.to_string(), one.denied.is_none(), one.times, one.bytes))
            .collect();
        let expected = [
            ("write /docs/a.md", true, 3, 30),
            ("write /docs/a.md", false, 1, 0),
            ("read /docs/b.md", true, 1, 0),
            ("read /docs/d.txt", true, 1, 0),
            ("read /docs/e", true, 1, 0),
            ("state 9B", true, 3, 0),
        ];
        assert_eq!(
            told,
            expected.map(|(text, allowed, times, bytes)| (text.to_owned(), allowed, times, bytes))
        );
    }

    #[test]
    fn more_than_there_is_room_for_is_said() {
        let recorder = Recorder::default();
        recorder.file(Access::Read, &"x".repeat(LONGEST + 1), YES);
        assert_eq!(recorder.all(), (Vec::new(), false));
        let recorder = Recorder::default();
        for number in 0..=MOST {
            recorder.file(Access::Read, &number.to_string(), YES);
        }
        let (seen, all) = recorder.all();
        assert_eq!((seen.len(), all), (MOST, false));
    }
}
