//! Makes text from a plugin safe to read: what a terminal, a log or an eye would take for something
//! else becomes a visible escape. Must not be used on what goes to a program: it changes the text.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a person could be fooled by this character, because it moves the cursor, hides, reorders its
/// neighbours, or looks like nothing. A line feed is not one of them; see [`escape_for_people`].
///
/// Sources: Unicode TR36 and TR39 (bidi controls, default-ignorables), ECMA-48 (C0, C1), and the tag
/// and variation-selector blocks through which text invisible to people is given to models.
#[must_use]
pub fn deceives(c: char) -> bool {
    matches!(c,
        // C0 without line feed, DEL, C1.
        '\0'..='\u{9}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Soft hyphen, grapheme joiner, Arabic letter mark, fillers and vowel separators that show nothing.
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        // Zero-width characters and marks, line and paragraph separators, embeddings, overrides.
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        // Word joiner, invisible operators, isolates, deprecated format controls.
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        // Shorthand and musical format controls.
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        // Tags, and the supplementary variation selectors.
        | '\u{e0000}'..='\u{e0fff}'
    )
}

/// `text` with every deceiving character written as `\t`, `\r`, `\e` or `\u{…}`. Line feeds stay, as the
/// separators of lines: whoever prints a line splits there first.
#[must_use]
pub fn escape_for_people(text: &str) -> Cow<'_, str> {
    let Some(first) = guarded!("escape", text.find(deceives), without None) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{1b}' => out.push_str("\\e"),
            c if deceives(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// `text` as a part of one line: as [`escape_for_people`], and a line feed is written as `\n`.
#[must_use]
pub fn escape_for_line(text: &str) -> Cow<'_, str> {
    let safe = escape_for_people(text);
    if safe.contains('\n') { Cow::Owned(safe.replace('\n', "\\n")) } else { safe }
}

/// `text` as a part of the log: as [`escape_for_people`], and a line after the first is set in, so that none can be
/// taken for an entry of its own.
#[must_use]
pub fn escape_for_log(text: &str) -> Cow<'_, str> {
    let safe = escape_for_people(text);
    if safe.contains('\n') { Cow::Owned(safe.replace('\n', "\n    ")) } else { safe }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_text_is_not_copied() {
        for text in ["", "plain", "two\nlines", "Grüße, 世界, 🦀", "back\\slash"] {
            assert!(matches!(escape_for_people(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_deceives_becomes_visible() {
        for (text, seen) in [
            ("\u{1b}[2J\u{1b}[31mred", "\\e[2J\\e[31mred"),
            ("a\rb\tc\0d\u{7f}", "a\\rb\\tc\\u{0}d\\u{7f}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("safe\u{202e}gpj.exe", "safe\\u{202e}gpj.exe"),
            ("pay\u{200b}pal\u{feff}", "pay\\u{200b}pal\\u{feff}"),
            ("\u{e0069}\u{e0067}x", "\\u{e0069}\\u{e0067}x"),
            ("one\u{2028}two\nthree", "one\\u{2028}two\nthree"),
        ] {
            assert_eq!(escape_for_people(text), seen);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_deceives_is_left(text in any::<String>()) {
            let safe = escape_for_people(&text).into_owned();
            prop_assert!(!safe.chars().any(deceives));
            prop_assert!(!safe.chars().any(|c| c.is_control() && c != '\n'));
            prop_assert_eq!(safe.matches('\n').count(), text.matches('\n').count());
        }

        #[test]
        fn escaping_twice_is_escaping_once(text in any::<String>()) {
            let once = escape_for_people(&text).into_owned();
            prop_assert_eq!(escape_for_people(&once).into_owned(), once);
        }
    }
}
