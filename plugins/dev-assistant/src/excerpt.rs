//! Lines as they are shown: valid text, not too long, with what was found in view. Must not know where a line is from.

use std::ops::Range;

/// The most bytes of a line that are shown.
pub(crate) const MOST: usize = 300;

/// A line without its end, cut to [`MOST`] bytes around `found` when it is longer.
pub(crate) fn excerpt(line: &[u8], found: Range<usize>) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() <= MOST {
        return String::from_utf8_lossy(line).into_owned();
    }
    let start = found.start.saturating_sub(MOST / 3).min(line.len() - MOST);
    let (start, end) = (boundary(line, start), boundary(line, start + MOST));
    let before = if start > 0 { "…" } else { "" };
    let after = if end < line.len() { "…" } else { "" };
    format!("{before}{}{after}", String::from_utf8_lossy(&line[start..end]))
}

/// The beginning of the character that `at` is in.
fn boundary(line: &[u8], at: usize) -> usize {
    let continues = |at: &usize| line.get(*at).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    // No character has more than four bytes; what is longer is no text.
    (at.saturating_sub(3)..=at).rev().find(|at| !continues(at)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn short_lines_are_whole_and_long_ones_show_what_was_found() {
        assert_eq!(excerpt(b"  a\tb\r\n", 2..3), "  a\tb");
        assert_eq!(excerpt(b"na\xefve\n", 0..1), "na\u{fffd}ve");
        let long = format!("{}needle{}", "ä".repeat(4000), "ö".repeat(4000));
        let shown = excerpt(long.as_bytes(), 8000..8006);
        assert!(shown.starts_with('…') && shown.ends_with('…') && shown.contains("needle"), "{shown}");
        assert!(!shown.contains('\u{fffd}') && shown.len() <= MOST + 6);
        let first = excerpt(long.as_bytes(), 0..2);
        assert!(first.starts_with('ä') && first.ends_with('…'));
        let last = excerpt(long.as_bytes(), long.len() - 2..long.len());
        assert!(last.starts_with('…') && last.ends_with('ö'));
        assert!(excerpt(&[0x80; 1000], 500..501).len() <= 3 * MOST + 12);
    }
}
