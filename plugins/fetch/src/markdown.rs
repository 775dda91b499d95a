//! HTML → Markdown as PyPI's `markdownify` 1.x writes it, with headings in ATX style and its other options as they come.
//! Must not fetch or follow what the page names.

mod blocks;
mod inline;
mod table;

use crate::tree::{Id, Kind, Tree};

/// The Markdown of a piece of HTML.
pub(crate) fn of(html: &str) -> String {
    let tree = Tree::parse(html);
    Converter { tree: &tree }.element(Tree::ROOT, Around::default())
}

/// What is known of the elements around one: the reference's `parent_tags`.
#[derive(Debug, Clone, Copy, Default)]
struct Around {
    /// In a heading or a cell, where everything stands on one line.
    inline: bool,
    /// In something preformatted or in code, where marks are not escaped.
    unformatted: bool,
    /// In `pre`, where white space stays.
    pre: bool,
    /// In a list's item.
    item: bool,
}

impl Around {
    /// What the children of an element have around them.
    fn inside(self, name: Option<&str>) -> Self {
        let Some(name) = name else { return self };
        Self {
            inline: self.inline || is_heading(name) || matches!(name, "td" | "th"),
            unformatted: self.unformatted || matches!(name, "pre" | "code" | "kbd" | "samp"),
            pre: self.pre || name == "pre",
            item: self.item || name == "li",
        }
    }
}

struct Converter<'a> {
    tree: &'a Tree,
}

/// White space as Python's `str.strip` takes it away.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// What HTML calls white space, without the form feed, as the reference does.
fn is_html_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// `h` and a digit at the beginning of the name, as the reference looks for it.
fn is_heading(name: &str) -> bool {
    name.strip_prefix('h').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

impl Converter<'_> {
    /// The Markdown of an element and all that is in it.
    fn element(&self, id: Id, around: Around) -> String {
        let name = self.tree.name(Some(id));
        let inside = around.inside(name);
        let pieces = self
            .tree
            .children(id)
            .iter()
            .filter(|child| !self.is_ignored(**child, name))
            .map(|child| self.node(*child, inside))
            .filter(|piece| !piece.is_empty());
        let text = if inside.pre { pieces.collect() } else { joined(pieces) };
        match name {
            Some(name) => self.convert(name, id, text, around),
            None => text.trim_matches('\n').to_owned(),
        }
    }

    fn node(&self, id: Id, around: Around) -> String {
        match self.tree.node(id).map(|node| &node.kind) {
            Some(Kind::Text(text)) => self.text(id, text, around),
            Some(_) => self.element(id, around),
            None => String::new(),
        }
    }

    /// Whether a child is a comment, or white space at the edge of a block.
    fn is_ignored(&self, id: Id, parent: Option<&str>) -> bool {
        match self.tree.node(id).map(|node| &node.kind) {
            Some(Kind::Text(text)) if trim(text).is_empty() => {}
            other => return matches!(other, Some(Kind::Comment)),
        }
        let (previous, next) = (self.tree.previous(id), self.tree.next(id));
        (parent.is_some_and(trims_inside) && (previous.is_none() || next.is_none()))
            || self.trims_outside(previous)
            || self.trims_outside(next)
    }

    fn trims_outside(&self, id: Option<Id>) -> bool {
        self.tree.name(id).is_some_and(|name| trims_inside(name) || name == "pre")
    }

    fn text(&self, id: Id, text: &str, around: Around) -> String {
        let text = if around.pre { text.to_owned() } else { single_spaces(text) };
        let text = if around.unformatted { text } else { text.replace('*', r"\*").replace('_', r"\_") };
        let (previous, next) = (self.tree.previous(id), self.tree.next(id));
        let trims = self.tree.name(self.tree.parent(id)).is_some_and(trims_inside);
        let mut rest = text.as_str();
        if self.trims_outside(previous) || (trims && previous.is_none()) {
            rest = rest.trim_start_matches(is_html_space);
        }
        if self.trims_outside(next) || (trims && next.is_none()) {
            rest = rest.trim_end_matches(is_space);
        }
        rest.to_owned()
    }

    /// What an element makes of the text of its children.
    fn convert(&self, name: &str, id: Id, text: String, around: Around) -> String {
        match name {
            "a" => self.link(id, &text, around),
            "b" | "strong" => inline::marked(text, "**", around),
            "em" | "i" => inline::marked(text, "*", around),
            "del" | "s" => inline::marked(text, "~~", around),
            "sub" | "sup" => inline::marked(text, "", around),
            "code" | "kbd" | "samp" => inline::code(text, around),
            "q" => format!("\"{text}\""),
            "br" => inline::line_break(&text, around),
            "img" => self.image(id, around),
            "video" => self.video(id, text, around),
            "script" | "style" => String::new(),
            "blockquote" => blocks::quote(&text, around),
            "div" | "article" | "section" | "dl" => blocks::division(&text, around),
            "p" => blocks::paragraph(&text, around),
            "pre" => blocks::preformatted(&text),
            "hr" => "\n\n---\n\n".to_owned(),
            "dt" => blocks::term(&text, around),
            "dd" => blocks::definition(&text, around),
            "ul" | "ol" => self.list(id, &text, around),
            "li" => self.item(id, &text),
            "table" => format!("\n\n{}\n\n", trim(&text)),
            "caption" => format!("{}\n\n", trim(&text)),
            "figcaption" => format!("\n\n{}\n\n", trim(&text)),
            "td" | "th" => self.cell(id, &text),
            "tr" => self.row(id, &text),
            _ if is_heading(name) => blocks::heading(name, text, around),
            _ => text,
        }
    }
}

/// Whether white space inside an element's edges is not shown.
fn trims_inside(name: &str) -> bool {
    is_heading(name)
        || matches!(
            name,
            "p" | "blockquote"
                | "article"
                | "div"
                | "section"
                | "ol"
                | "ul"
                | "li"
                | "dl"
                | "dt"
                | "dd"
                | "table"
                | "thead"
                | "tbody"
                | "tfoot"
                | "tr"
                | "td"
                | "th"
        )
}

/// White space with a line's end in it becomes one end of a line, any other one space.
fn single_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_html_space) {
        let (before, from) = rest.split_at(at);
        let after = from.trim_start_matches(is_html_space);
        let space = from.get(..from.len() - after.len()).unwrap_or_default();
        out.push_str(before);
        out.push(if space.contains(['\r', '\n']) { '\n' } else { ' ' });
        rest = after;
    }
    out + rest
}

/// Puts pieces together; of line ends that meet, the longer run stays, at most two. A piece of nothing but line ends leads and does not trail,
/// as in the reference.
fn joined(pieces: impl Iterator<Item = String>) -> String {
    let mut out = String::new();
    let mut trailing = 0;
    for piece in pieces {
        let rest = piece.trim_start_matches('\n');
        let content = rest.trim_end_matches('\n');
        let mut leading = piece.len() - rest.len();
        if trailing > 0 && leading > 0 {
            out.truncate(out.len() - trailing);
            leading = leading.max(trailing).min(2);
        }
        out.extend(std::iter::repeat_n('\n', leading));
        out.push_str(rest);
        trailing = rest.len() - content.len();
    }
    out
}

#[cfg(test)]
mod tests;
