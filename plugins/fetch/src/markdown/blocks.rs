//! What stands on lines of its own: paragraphs, quotes, lists, headings.

use super::{Around, Converter, Id, inline, is_html_space, trim};
use crate::tree::Kind;

/// The text with its lines changed one by one.
fn by_line(text: &str, change: impl Fn(&str) -> String) -> String {
    text.split('\n').map(change).collect::<Vec<_>>().join("\n")
}

/// The text indented, empty lines left as they are, and the first begun with something in the place of its indentation.
fn indented(text: &str, first: &str, width: usize) -> String {
    let indent = " ".repeat(width);
    let all = by_line(text, |line| if line.is_empty() { String::new() } else { format!("{indent}{line}") });
    format!("{first}{}", all.get(width..).unwrap_or_default())
}

/// White space becomes one space each.
fn on_one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_html_space) {
        let word = piece.trim_end_matches(is_html_space);
        out.push_str(word);
        if word.len() < piece.len() && !(word.is_empty() && out.ends_with(' ')) {
            out.push(' ');
        }
    }
    out
}

fn between_spaces(text: &str) -> String {
    format!(" {text} ")
}

pub(super) fn quote(text: &str, around: Around) -> String {
    let text = text.trim_matches(is_html_space);
    if around.inline {
        return between_spaces(text);
    }
    if text.is_empty() {
        return "\n".to_owned();
    }
    let quoted = by_line(text, |line| if line.is_empty() { ">".to_owned() } else { format!("> {line}") });
    format!("\n{quoted}\n\n")
}

pub(super) fn division(text: &str, around: Around) -> String {
    block(trim(text), around)
}

pub(super) fn paragraph(text: &str, around: Around) -> String {
    block(text.trim_matches(is_html_space), around)
}

fn block(text: &str, around: Around) -> String {
    match (around.inline, text.is_empty()) {
        (true, _) => between_spaces(text),
        (false, true) => String::new(),
        (false, false) => format!("\n\n{text}\n\n"),
    }
}

pub(super) fn preformatted(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    // Whole empty lines before it go, the indentation of its first line stays.
    let begins = text.find(|other| !matches!(other, ' ' | '\n')).unwrap_or(text.len());
    let (space, _) = text.split_at(begins);
    let text = text.get(space.rfind('\n').map_or(0, |at| at + 1)..).unwrap_or_default();
    format!("\n\n```\n{}\n```\n\n", text.trim_end_matches([' ', '\n']))
}

pub(super) fn heading(name: &str, text: String, around: Around) -> String {
    if around.inline {
        return text;
    }
    format!("\n\n{} {}\n\n", "#".repeat(inline::level(name)), on_one_line(trim(&text)))
}

pub(super) fn term(text: &str, around: Around) -> String {
    let text = on_one_line(trim(text));
    match (around.inline, text.is_empty()) {
        (true, _) => between_spaces(&text),
        (false, true) => "\n".to_owned(),
        (false, false) => format!("\n\n{text}\n"),
    }
}

pub(super) fn definition(text: &str, around: Around) -> String {
    let text = trim(text);
    match (around.inline, text.is_empty()) {
        (true, _) => between_spaces(text),
        (false, true) => "\n".to_owned(),
        (false, false) => format!("{}\n", indented(text, ":   ", 4)),
    }
}

impl Converter<'_> {
    pub(super) fn list(&self, id: Id, text: &str, around: Around) -> String {
        if around.item {
            return format!("\n{}", text.trim_end_matches(super::is_space));
        }
        // Between a list and what follows it stands a line more, unless that is a list.
        let follows =
            std::iter::successors(self.tree.next(id), |id| self.tree.next(*id)).find(|id| {
                match self.tree.node(*id).map(|node| &node.kind) {
                    Some(Kind::Text(text)) => !trim(text).is_empty(),
                    Some(Kind::Comment) | None => false,
                    Some(_) => true,
                }
            });
        let before_another = follows.is_some_and(|id| !matches!(self.tree.name(Some(id)), Some("ul" | "ol")));
        format!("\n\n{text}{}", if before_another { "\n" } else { "" })
    }

    pub(super) fn item(&self, id: Id, text: &str) -> String {
        let text = trim(text);
        if text.is_empty() {
            return "\n".to_owned();
        }
        let mark = self.mark(id);
        format!("{}\n", indented(text, &mark, mark.len()))
    }

    /// What an item begins with: its number, or a mark by how deep its list is in others.
    fn mark(&self, id: Id) -> String {
        if let Some(list) = self.tree.parent(id)
            && self.tree.name(Some(list)) == Some("ol")
        {
            let start = self
                .tree
                .attribute(list, "start")
                .filter(|text| !text.is_empty() && text.chars().all(|character| character.is_ascii_digit()));
            // A number beyond all bounds is taken for none.
            let start = start.and_then(|text| text.parse::<u128>().ok()).unwrap_or(1);
            let before = self.tree.children(list).iter().take_while(|child| **child != id);
            let before = before.filter(|child| self.tree.name(Some(**child)) == Some("li")).count();
            return format!("{}. ", start.saturating_add(before as u128));
        }
        let depth = self.tree.ancestors(id).filter(|id| self.tree.name(Some(*id)) == Some("ul")).count();
        // The marks `*`, `+` and `-` take turns; an item that is in no list has the last.
        match depth % 3 {
            0 => "- ",
            1 => "* ",
            _ => "+ ",
        }
        .to_owned()
    }
}
