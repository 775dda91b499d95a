//! Edits of a text: which lines an edit means and what it makes of them, as the reference server does it:
//! first the exact text, then whole lines compared without the white space around them.
//! Must not touch files.

use crate::diff;
use crate::failure::Failure;

/// One edit.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    /// What stands there.
    pub(crate) old: String,
    /// What is to stand there.
    pub(crate) new: String,
}

/// Windows' line ends made plain.
pub(crate) fn plain_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// What `\s` is in JavaScript: not quite Unicode's.
fn is_space(c: char) -> bool {
    (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}'
}

fn indent(line: &str) -> &str {
    line.find(|c| !is_space(c)).map_or(line, |end| &line[..end])
}

/// The text after all edits, one after the other.
///
/// # Errors
/// When an edit's text is not there, with that text.
pub(crate) fn apply(text: &str, edits: &[Edit]) -> Result<String, Failure> {
    let mut text = text.to_owned();
    for edit in edits {
        let (old, new) = (plain_line_ends(&edit.old), plain_line_ends(&edit.new));
        text = if text.contains(&old) {
            text.replacen(&old, &new, 1)
        } else {
            by_lines(&text, &old, &new).ok_or_else(|| {
                Failure::refused(format!("Could not find exact match for edit:\n{}", edit.old))
            })?
        };
    }
    Ok(text)
}

fn by_lines(text: &str, old: &str, new: &str) -> Option<String> {
    let old: Vec<&str> = old.split('\n').collect();
    let mut lines: Vec<&str> = text.split('\n').collect();
    let same = |window: &[&str]| {
        window.iter().zip(&old).all(|(line, old)| line.trim_matches(is_space) == old.trim_matches(is_space))
    };
    let start = lines.windows(old.len()).position(same)?;
    let first = indent(lines[start]);
    let replacement: Vec<String> =
        new.split('\n').enumerate().map(|(at, line)| indented(line, at, first, &old)).collect();
    lines.splice(start..start + old.len(), replacement.iter().map(String::as_str));
    Some(lines.join("\n"))
}

/// A new line under the indentation of the first line found; lines after it keep how much deeper they are
/// than the old line in their place.
fn indented(line: &str, at: usize, first: &str, old: &[&str]) -> String {
    let text = line.trim_start_matches(is_space);
    if at == 0 {
        return format!("{first}{text}");
    }
    let before = old.get(at).map_or("", |old| indent(old));
    let own = indent(line);
    if before.is_empty() || own.is_empty() {
        return line.to_owned();
    }
    let deeper = own.chars().count().saturating_sub(before.chars().count());
    format!("{first}{}{text}", " ".repeat(deeper))
}

/// The diff as the tool shows it: fenced by more backticks than it has anywhere in a row.
pub(crate) fn fenced_diff(path: &str, old: &str, new: &str) -> String {
    let diff = diff::unified(path, old, &plain_line_ends(new));
    let mut fence = "```".to_owned();
    while diff.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}diff\n{diff}{fence}\n\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn edited(text: &str, old: &str, new: &str) -> Result<String, String> {
        let edit = Edit { old: old.into(), new: new.into() };
        apply(text, &[edit]).map_err(|error| error.to_string())
    }

    #[test]
    fn exact_then_by_lines() {
        assert_eq!(edited("a b a", "a", "$&"), Ok("$& b a".into()));
        assert_eq!(edited("x", "", "y"), Ok("yx".into()));
        let text = "fn a() {\n    one();\n        two();\n}\n";
        let by_lines = edited(text, "one();\n  two();", "1();\n    2();\n3();");
        assert_eq!(by_lines, Ok("fn a() {\n    1();\n      2();\n3();\n}\n".into()));
        assert_eq!(edited("a", "b\r\n", "c"), Err("Could not find exact match for edit:\nb\r\n".into()));
        assert_eq!(edited("a", "a\nb\nc", "d"), Err("Could not find exact match for edit:\na\nb\nc".into()));
    }

    #[test]
    fn the_fence_is_longer_than_any_in_the_text() {
        assert!(fenced_diff("f", "````\n", "x\n").starts_with("`````diff\nIndex: f\n"));
        assert!(fenced_diff("f", "a\n", "b\n").ends_with("-a\n+b\n```\n\n"));
    }
}
