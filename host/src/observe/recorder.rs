//! Keeps what plugins do, operation by operation, for whoever wants to learn what they need. Bounded; decides nothing.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::Scrubber;
use crate::grants::learn::Seen;
use crate::grants::{Access, Decision, Intent, Operation, Reason, is_blocked};

/// Different operations that are kept.
const MOST: usize = 20_000;
/// Bytes of the longest text that is kept with one: a path of Linux, or of a URL.
const LONGEST: usize = 16 << 10;

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Recorder {
    state: Mutex<State>,
    /// Of the plugin that is watched, when it has secrets.
    scrubber: OnceLock<Arc<Scrubber>>,
}

#[derive(Debug, Default)]
struct State {
    seen: Vec<Seen>,
    /// Where each stands, by what was done and whether it was allowed.
    places: HashMap<(Intent, bool), usize>,
    /// The kinds of files of each directory that was listed.
    listed: HashSet<(String, String)>,
    /// Whether something could not be kept.
    full: bool,
}

impl Recorder {
    /// From now on nothing is kept that has a value in it which this knows: a plugin that was told one may name files
    /// and hosts by it, and what is recorded becomes lines of the configuration.
    pub fn hide(&self, scrubber: &Arc<Scrubber>) {
        let _ = self.scrubber.set(scrubber.clone());
    }

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
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
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
        let secret = self.scrubber.get().is_some_and(|scrubber| {
            let text = text(&seen.intent);
            scrubber.text(&text) != text
        });
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if guarded!("secret-recorded", secret) {
            state.full = true;
            return;
        }
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
        } else if guarded!("recorded", state.seen.len() < MOST && text(&seen.intent).len() <= LONGEST, without true)
        {
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
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.seen.clone(), !state.full)
    }
}

fn reason(decision: Decision) -> Option<Reason> {
    match decision {
        Decision::Allowed(_) => None,
        Decision::Denied(reason) => Some(reason),
    }
}

/// What of it the plugin chose.
fn text(intent: &Intent) -> Cow<'_, str> {
    match intent {
        Intent::File(_, text) | Intent::Env(text) | Intent::Command(text) => text.into(),
        Intent::Http(request) | Intent::Secret(_, request) => {
            format!("{} {}{}", request.method(), request.destination(), request.path()).into()
        }
        Intent::Connect(_, [host], _) | Intent::Lookup(host) => host.to_string().into(),
        Intent::State(_) | Intent::Elicit | Intent::Sample | Intent::Roots => "".into(),
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
    fn what_has_a_secret_in_it_is_not_kept() {
        let (recorder, scrubber) = (Recorder::default(), Scrubber::shared());
        scrubber.learn("token", "hunter2-hunter2", 1);
        recorder.hide(&scrubber);
        recorder.file(Access::Read, "/docs/hunter2-hunter2.md", YES);
        recorder.listed("/docs", "hunter2-hunter2.txt");
        let url = "GET http://hunter2-hunter2.example.org/a";
        let lookup = "resolve hunter2-hunter2.example.org";
        for text in [url, lookup, "tcp hunter2-hunter2.example.org:1"] {
            recorder.decided(&text.parse::<Intent>().unwrap().operation(), YES);
        }
        recorder.file(Access::Read, "/docs/other.md", YES);
        let (seen, all) = recorder.all();
        assert_eq!(
            seen.iter().map(|one| one.intent.to_string()).collect::<Vec<_>>(),
            ["read /docs/other.md"]
        );
        assert!(!all);
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
