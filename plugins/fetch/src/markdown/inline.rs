//! What stands in a line: emphasis, code, links, pictures.

use super::{Around, Converter, Id, is_heading, trim};

/// A text without the spaces at its edges, and one space for those that were there.
fn chomped(text: &str) -> (&str, &str, &str) {
    let before = if text.starts_with(' ') { " " } else { "" };
    let after = if text.ends_with(' ') { " " } else { "" };
    (before, trim(text), after)
}

/// A text between two marks.
pub(super) fn marked(text: String, mark: &str, around: Around) -> String {
    if around.unformatted {
        return text;
    }
    let (before, inner, after) = chomped(&text);
    if inner.is_empty() { String::new() } else { format!("{before}{mark}{inner}{mark}{after}") }
}

/// Code, in more back-ticks than it has in a row.
pub(super) fn code(text: String, around: Around) -> String {
    if around.unformatted {
        return text;
    }
    let (before, inner, after) = chomped(&text);
    if inner.is_empty() {
        return String::new();
    }
    let longest = inner.split(|other| other != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    let space = if longest > 0 { " " } else { "" };
    format!("{before}{ticks}{space}{inner}{space}{ticks}{after}")
}

pub(super) fn line_break(text: &str, around: Around) -> String {
    // What a browser would not put into a `br` is kept.
    match (around.inline, text.is_empty()) {
        (true, true) => " ".to_owned(),
        (true, false) => format!("{text} "),
        (false, _) => format!("  \n{text}"),
    }
}

/// ` "title"`, when there is one.
fn titled(title: Option<&str>) -> String {
    match title {
        Some(title) if !title.is_empty() => format!(" \"{}\"", title.replace('"', "\\\"")),
        _ => String::new(),
    }
}

impl Converter<'_> {
    pub(super) fn link(&self, id: Id, text: &str, around: Around) -> String {
        if around.unformatted {
            return text.to_owned();
        }
        let (before, inner, after) = chomped(text);
        if inner.is_empty() {
            return String::new();
        }
        let title = titled(self.tree.attribute(id, "title"));
        match self.tree.attribute(id, "href") {
            Some(target) if title.is_empty() && inner.replace(r"\_", "_") == target => format!("<{target}>"),
            Some(target) if !target.is_empty() => format!("{before}[{inner}]({target}{title}){after}"),
            _ => inner.to_owned(),
        }
    }

    pub(super) fn image(&self, id: Id, around: Around) -> String {
        let attribute = |name| self.tree.attribute(id, name).unwrap_or_default();
        if around.inline {
            return attribute("alt").to_owned();
        }
        format!("![{}]({}{})", attribute("alt"), attribute("src"), titled(self.tree.attribute(id, "title")))
    }

    pub(super) fn video(&self, id: Id, text: String, around: Around) -> String {
        if around.inline {
            return text;
        }
        let present = |id, name| self.tree.attribute(id, name).filter(|value: &&str| !value.is_empty());
        let source = || {
            let has_source = |id: &Id| {
                self.tree.name(Some(*id)) == Some("source") && self.tree.attribute(*id, "src").is_some()
            };
            self.tree.descendants(id).find(has_source).and_then(|id| present(id, "src"))
        };
        match (present(id, "src").or_else(source), present(id, "poster")) {
            (Some(target), Some(poster)) => format!("[![{text}]({poster})]({target})"),
            (Some(target), None) => format!("[{text}]({target})"),
            (None, Some(poster)) => format!("![{text}]({poster})"),
            (None, None) => text,
        }
    }
}

/// The level of `hN`, within what Markdown knows.
pub(super) fn level(name: &str) -> usize {
    debug_assert!(is_heading(name), "asked for headings only");
    let digits: String = name.chars().skip(1).take_while(char::is_ascii_digit).collect();
    // So many digits are a large number.
    digits.parse::<usize>().unwrap_or(usize::MAX).clamp(1, 6)
}
