//! Takes the values of secrets out of what leaves: as they are, and in the spellings in which values commonly travel.
//! Must not know where a value came from or whom it is for. It is the second guard, for what an upstream gives back
//! or a host's own line says by mistake; the first is that the value never enters the sandbox. What a hostile
//! upstream transforms in a way of its own is not found.

mod spelling;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous::NFA;
use serde_json::Value;

/// What stands for each byte where lengths must stay.
const MASK: u8 = b'*';

/// All live scrubbers of the process, for lines that no single plugin answers for.
static LIVE: Mutex<Vec<Weak<Scrubber>>> = Mutex::new(Vec::new());

/// The values of one plugin's secrets, to be found in bytes and texts.
#[derive(Default)]
pub struct Scrubber {
    known: Mutex<Vec<Known>>,
    matcher: RwLock<Option<Arc<Matcher>>>,
}

struct Known {
    name: String,
    spellings: Vec<Vec<u8>>,
}

/// Every spelling of every value in one automaton.
struct Matcher {
    nfa: NFA,
    start: StateID,
    /// How much of a spelling has been seen in each state that is on the way to one.
    depth: HashMap<StateID, usize>,
    /// Of which secret each pattern is.
    owners: Vec<String>,
}

impl Scrubber {
    /// One that knows nothing yet, and counts for the process's log too for as long as it lives.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        let scrubber = Arc::new(Self::default());
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|other| other.strong_count() > 0);
        live.push(Arc::downgrade(&scrubber));
        scrubber
    }

    /// Adds a value under a name (which is what readers see in its place) and keeps the `keep` newest of that name.
    pub fn learn(&self, name: &str, value: &str, keep: usize) {
        if value.is_empty() {
            return;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.push(Known { name: name.to_owned(), spellings: spelling::of(value) });
        let mut older = known.iter().filter(|known| known.name == name).count().saturating_sub(keep.max(1));
        known.retain(|known| {
            let gone = older > 0 && known.name == name;
            older -= usize::from(gone);
            !gone
        });
        let matcher = Matcher::of(&known).map(Arc::new);
        *self.matcher.write().unwrap_or_else(PoisonError::into_inner) = matcher;
    }

    fn matcher(&self) -> Option<Arc<Matcher>> {
        self.matcher.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The text with `[secret NAME]` in place of each value.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.matcher() {
            Some(matcher) => matcher.text(text),
            None => Cow::Borrowed(text),
        }
    }

    /// Scrubs a text in place.
    pub fn clean(&self, text: &mut String) {
        if let Cow::Owned(clean) = self.text(text) {
            *text = clean;
        }
    }

    /// Scrubs a JSON text in place: by its values, whatever escapes they are written with, so that it stays JSON.
    /// What is not JSON is scrubbed as text.
    pub fn clean_json(&self, text: &mut String) {
        let Some(matcher) = self.matcher() else { return };
        match serde_json::from_str::<Value>(text) {
            Ok(mut value) => {
                if matcher.value(&mut value) {
                    *text = value.to_string();
                }
            }
            Err(_) => self.clean(text),
        }
    }

    /// Writes `*` over each byte of a value; says whether there was one.
    pub fn mask(&self, bytes: &mut [u8]) -> bool {
        let Some(matcher) = self.matcher() else { return false };
        let found = matcher.find(bytes);
        for (range, _) in &found {
            if let Some(bytes) = bytes.get_mut(range.clone()) {
                bytes.fill(MASK);
            }
        }
        !found.is_empty()
    }

    /// A scrubber of bytes that come in pieces; lengths stay.
    #[must_use]
    pub fn stream(&self) -> Stream {
        let matcher = self.matcher();
        let state = matcher.as_ref().map(|matcher| matcher.start);
        Stream { matcher, state, held: Vec::new(), hidden: Vec::new() }
    }
}

/// Never a value.
impl std::fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrubber").finish_non_exhaustive()
    }
}

impl Matcher {
    fn of(known: &[Known]) -> Option<Self> {
        let patterns: Vec<&[u8]> =
            known.iter().flat_map(|known| known.spellings.iter().map(Vec::as_slice)).collect();
        let owners = known.iter().flat_map(|known| known.spellings.iter().map(|_| known.name.clone()));
        let owners = owners.collect();
        // It refuses only more patterns than there are numbers for states; then nothing would be scrubbed, so the
        // bounds on a value's length keep far below.
        let nfa = NFA::new(&patterns).inspect_err(|error| tracing::error!("no scrubbing: {error}")).ok()?;
        let start = nfa.start_state(Anchored::No).ok()?;
        let mut depth = HashMap::new();
        for pattern in &patterns {
            let mut state = start;
            for (index, byte) in pattern.iter().enumerate() {
                state = nfa.next_state(Anchored::No, state, *byte);
                depth.insert(state, index + 1);
            }
        }
        Some(Self { nfa, start, depth, owners })
    }

    /// One byte further; the longest spelling that ends here and whose it is.
    fn step(&self, state: &mut StateID, byte: u8) -> Option<(usize, &str)> {
        *state = self.nfa.next_state(Anchored::No, *state, byte);
        if !self.nfa.is_match(*state) {
            return None;
        }
        let ending = (0..self.nfa.match_len(*state)).map(|index| self.nfa.match_pattern(*state, index));
        let longest = ending.max_by_key(|pattern| self.nfa.pattern_len(*pattern))?;
        Some((self.nfa.pattern_len(longest), self.owners.get(longest.as_usize()).map_or("", String::as_str)))
    }

    /// Everything that belongs to a value; what overlaps or touches is one.
    fn find(&self, bytes: &[u8]) -> Vec<(Range<usize>, &str)> {
        let mut found: Vec<(Range<usize>, &str)> = Vec::new();
        let mut state = self.start;
        for (index, byte) in bytes.iter().enumerate() {
            let Some((length, owner)) = self.step(&mut state, *byte) else { continue };
            let mut range = (index + 1).saturating_sub(length)..index + 1;
            while let Some((last, _)) = found.last()
                && last.end >= range.start
            {
                range.start = range.start.min(last.start);
                found.pop();
            }
            found.push((range, owner));
        }
        found
    }

    fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = self.find(text.as_bytes());
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut clean = String::with_capacity(text.len());
        let mut at = 0;
        for (range, owner) in found {
            let end = text.ceil_char_boundary(range.end);
            clean.push_str(text.get(at..text.floor_char_boundary(range.start)).unwrap_or_default());
            clean.push_str("[secret ");
            clean.push_str(owner);
            clean.push(']');
            at = end;
        }
        clean.push_str(text.get(at..).unwrap_or_default());
        Cow::Owned(clean)
    }

    /// Scrubs every text, key and number of a value; says whether there was anything.
    fn value(&self, value: &mut Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => false,
            Value::Number(number) => match self.text(&number.to_string()) {
                Cow::Borrowed(_) => false,
                Cow::Owned(clean) => {
                    *value = Value::String(clean);
                    true
                }
            },
            Value::String(text) => match self.text(text) {
                Cow::Borrowed(_) => false,
                Cow::Owned(clean) => {
                    *text = clean;
                    true
                }
            },
            Value::Array(values) => values.iter_mut().fold(false, |any, value| self.value(value) | any),
            Value::Object(map) => {
                let mut any = map.values_mut().fold(false, |any, value| self.value(value) | any);
                if map.keys().any(|key| matches!(self.text(key), Cow::Owned(_))) {
                    any = true;
                    let old = std::mem::take(map);
                    map.extend(old.into_iter().map(|(key, value)| (self.text(&key).into_owned(), value)));
                }
                any
            }
        }
    }
}

/// Bytes that come in pieces, of which no value comes out, wherever it is cut. Keeps back only what may be the
/// beginning of one.
pub struct Stream {
    matcher: Option<Arc<Matcher>>,
    state: Option<StateID>,
    held: Vec<u8>,
    /// Which of the held bytes belong to a value.
    hidden: Vec<bool>,
}

impl Stream {
    /// Takes a piece and gives what can be given.
    #[must_use]
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let (Some(matcher), Some(mut state)) = (self.matcher.clone(), self.state) else {
            return piece.to_vec();
        };
        for byte in piece {
            self.held.push(*byte);
            self.hidden.push(false);
            if let Some((length, _)) = matcher.step(&mut state, *byte) {
                let from = self.hidden.len().saturating_sub(length);
                self.hidden.iter_mut().skip(from).for_each(|hidden| *hidden = true);
            }
        }
        self.state = Some(state);
        let keep = matcher.depth.get(&state).copied().unwrap_or(0);
        self.give(keep)
    }

    /// Gives what was kept back, because nothing more comes.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        self.give(0)
    }

    fn give(&mut self, keep: usize) -> Vec<u8> {
        let count = self.held.len().saturating_sub(keep);
        let hidden = self.hidden.drain(..count);
        self.held.drain(..count).zip(hidden).map(|(byte, hidden)| if hidden { MASK } else { byte }).collect()
    }
}

/// A writer of the process's log, each write a whole line: no value of any plugin's secret passes.
pub struct ScrubbedLog<W>(pub W);

impl<W: io::Write> io::Write for ScrubbedLog<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let live: Vec<_> = {
            let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
            live.iter().filter_map(Weak::upgrade).collect()
        };
        let live = guarded!("secret-log", live, without Vec::<Arc<Scrubber>>::new());
        let mut text = Cow::Borrowed(bytes);
        for scrubber in live {
            match std::str::from_utf8(&text).map(|text| scrubber.text(text)) {
                Ok(Cow::Borrowed(_)) => {}
                Ok(Cow::Owned(clean)) => text = Cow::Owned(clean.into_bytes()),
                Err(_) => {
                    scrubber.mask(text.to_mut());
                }
            }
        }
        self.0.write_all(&text)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
#[path = "scrub_tests.rs"]
mod tests;
