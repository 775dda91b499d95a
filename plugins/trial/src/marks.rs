//! Texts of a fixed length that the tests replace in the finished component, to make variants of it.
//! The lengths and the beginnings are known to `tests/src/trial.rs`.
//! Must not be read in a way that lets the compiler know what they hold.

use std::hint::black_box;
use std::sync::atomic::{AtomicU8, Ordering};

const MARK: usize = 32;

/// In the read-only data: what the component calls itself at the beginning of a call.
static BEGIN: [u8; MARK] = *b"kennel-trial-begin:00000000;....";
/// In the writable data, another part of the memory's image: at the end of a call.
static END: [AtomicU8; MARK] = atomics(*b"kennel-trial-final:00000000;....");
/// What happens in `list-tools`.
static LISTING: [u8; MARK] = *b"kennel-trial-lists:serve...;....";

const fn atomics(text: [u8; MARK]) -> [AtomicU8; MARK] {
    let mut all = [const { AtomicU8::new(0) }; MARK];
    let mut at = 0;
    while at < MARK {
        all[at] = AtomicU8::new(text[at]);
        at += 1;
    }
    all
}

/// The eight characters between the colon and the semicolon.
fn value(mark: &[u8]) -> String {
    let text = String::from_utf8_lossy(mark);
    let (_, rest) = text.split_once(':').unwrap_or_default();
    rest.split_once(';').map_or("", |(value, _)| value).trim_end_matches('.').to_owned()
}

/// The version, as the read-only data say.
pub(crate) fn begin() -> String {
    value(black_box(&BEGIN))
}

/// The version, as the writable data say.
pub(crate) fn end() -> String {
    let text: Vec<u8> = black_box(&END).iter().map(|byte| byte.load(Ordering::Relaxed)).collect();
    value(&text)
}

/// What to do when listed.
pub(crate) fn listing() -> String {
    value(black_box(&LISTING))
}
