//! The order of names for people: `localeCompare` with the Unicode default (CLDR root) collation, exact
//! for ASCII and for Latin letters with marks. Other letters come after those, by code point: the tables
//! of a whole collation would be larger than the rest of the plugin.
//! Must not be used where names are compared for being the same.

use std::cmp::Ordering;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What comes before the letters, in the order of CLDR's root collation.
const BEFORE_LETTERS: &str = "\t\n\u{b}\u{c}\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789";

/// Compares two names.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let key = |text: &str| {
        // What differs in an earlier list decides, whatever the later ones say.
        let (mut letters, mut marks, mut cases) = (Vec::new(), vec![Vec::new()], Vec::new());
        for c in text.nfd() {
            if is_combining_mark(c) {
                if let Some(last) = marks.last_mut() {
                    last.push(c);
                }
            } else if let Some(letter) = weight(c) {
                letters.push(letter);
                marks.push(Vec::new());
                cases.push(c.is_uppercase());
            }
        }
        (letters, marks, cases)
    };
    key(one).cmp(&key(other))
}

/// Which letter it is, whatever its case; none for control characters, which do not count.
fn weight(c: char) -> Option<(u8, u32)> {
    if let Some(at) = BEFORE_LETTERS.chars().position(|other| other == c) {
        return u32::try_from(at).ok().map(|at| (0, at));
    }
    let lower = c.to_lowercase().next().unwrap_or(c);
    (!c.is_control()).then_some((1, u32::from(lower)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn as_locale_compare_sorts() {
        // What `["…"].sort((a, b) => a.localeCompare(b))` gives.
        let sorted = [
            "",
            "_a",
            "-a",
            ".hidden",
            "1",
            "10",
            "2",
            "a",
            "A",
            "á",
            "aa",
            "ab",
            "b",
            "B",
            "Makefile",
            "notes.md",
            "README.md",
            "z",
            "Z",
        ];
        let mut mixed = sorted;
        mixed.reverse();
        mixed.sort_by(|one, other| compare(one, other));
        assert_eq!(mixed, sorted);
    }
}
