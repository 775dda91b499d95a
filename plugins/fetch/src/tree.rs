//! A small tree of HTML that was written by a serialiser, read as Python's `html.parser` with Beautiful Soup reads it: what is nested stays nested as
//! it is written, even where a browser would move it.
//! Must not judge: what an element means is the converter's matter.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// How deep a tree may be. What is nested deeper stands beside its parent instead: a converter that calls itself must come to an end
/// within the stack of a component.
pub(crate) const DEEPEST: usize = 256;

/// Where a node stands in its [`Tree`].
pub(crate) type Id = usize;

/// Elements that hold nothing (Beautiful Soup's list, which has some that only older pages know).
const VOID: [&str; 19] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "keygen", "link", "menuitem", "meta",
    "param", "source", "track", "wbr", "basefont", "bgsound", "command",
];

#[derive(Debug)]
pub(crate) enum Kind {
    /// The whole.
    Document,
    Element {
        name: String,
        attributes: Vec<(String, String)>,
    },
    Text(String),
    /// Holds nothing that is shown, but stands between what is beside it.
    Comment,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) parent: Option<Id>,
    pub(crate) previous: Option<Id>,
    pub(crate) next: Option<Id>,
    pub(crate) children: Vec<Id>,
}

#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// The document.
    pub(crate) const ROOT: Id = 0;

    pub(crate) fn parse(html: &str) -> Self {
        let root =
            Node { kind: Kind::Document, parent: None, previous: None, next: None, children: Vec::new() };
        let sink = Builder(RefCell::new(Building { nodes: vec![root], open: vec![Self::ROOT] }));
        let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
        let input = BufferQueue::default();
        input.push_back(StrTendril::from(html));
        // The sink never asks for a pause, so everything is read at once.
        let _ = tokenizer.feed(&input);
        tokenizer.end();
        Self { nodes: tokenizer.sink.0.into_inner().nodes }
    }

    /// A node; the document for a number that is none.
    pub(crate) fn node(&self, id: Id) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// An element's name.
    pub(crate) fn name(&self, id: Option<Id>) -> Option<&str> {
        match &self.node(id?)?.kind {
            Kind::Element { name, .. } => Some(name),
            _ => None,
        }
    }

    pub(crate) fn attribute(&self, id: Id, wanted: &str) -> Option<&str> {
        match &self.node(id)?.kind {
            Kind::Element { attributes, .. } => {
                attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
            }
            _ => None,
        }
    }

    pub(crate) fn children(&self, id: Id) -> &[Id] {
        self.node(id).map_or(&[], |node| &node.children)
    }

    pub(crate) fn parent(&self, id: Id) -> Option<Id> {
        self.node(id)?.parent
    }

    pub(crate) fn previous(&self, id: Id) -> Option<Id> {
        self.node(id)?.previous
    }

    pub(crate) fn next(&self, id: Id) -> Option<Id> {
        self.node(id)?.next
    }

    /// The elements around a node, the nearest first.
    pub(crate) fn ancestors(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        std::iter::successors(self.parent(id), |id| self.parent(*id))
    }

    /// Everything in a node, in the order of the document.
    pub(crate) fn descendants(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let mut waiting: Vec<Id> = self.children(id).iter().rev().copied().collect();
        std::iter::from_fn(move || {
            let next = waiting.pop()?;
            waiting.extend(self.children(next).iter().rev());
            Some(next)
        })
    }
}

struct Building {
    nodes: Vec<Node>,
    /// The elements that are not closed yet; the document first, which never is.
    open: Vec<Id>,
}

struct Builder(RefCell<Building>);

impl Building {
    /// Puts a node into the innermost open one.
    fn add(&mut self, kind: Kind) -> Id {
        let parent = self.open.last().copied().unwrap_or(Tree::ROOT);
        let id = self.nodes.len();
        let previous = self.nodes.get(parent).and_then(|node| node.children.last().copied());
        self.nodes.push(Node { kind, parent: Some(parent), previous, next: None, children: Vec::new() });
        if let Some(node) = previous.and_then(|id| self.nodes.get_mut(id)) {
            node.next = Some(id);
        }
        if let Some(node) = self.nodes.get_mut(parent) {
            node.children.push(id);
        }
        id
    }

    fn text(&mut self, text: &str) {
        let parent = self.open.last().copied().unwrap_or(Tree::ROOT);
        let last = self.nodes.get(parent).and_then(|node| node.children.last().copied());
        // Pieces of one text come one by one.
        if let Some(Node { kind: Kind::Text(begun), .. }) = last.and_then(|id| self.nodes.get_mut(id)) {
            begun.push_str(text);
        } else {
            self.add(Kind::Text(text.to_owned()));
        }
    }

    fn open(&mut self, tag: &Tag) {
        let name = tag.name.to_string();
        let attributes =
            tag.attrs.iter().map(|one| (one.name.local.to_string(), one.value.to_string())).collect();
        let holds_nothing = tag.self_closing || VOID.contains(&name.as_str());
        let id = self.add(Kind::Element { name, attributes });
        if !holds_nothing && self.open.len() < DEEPEST {
            self.open.push(id);
        }
    }

    /// Closes the innermost element of that name and what is open in it.
    fn close(&mut self, name: &str) {
        let is_it = |id: &Id| matches!(self.nodes.get(*id), Some(Node { kind: Kind::Element { name: other, .. }, .. }) if other == name);
        if let Some(at) = self.open.iter().rposition(is_it) {
            self.open.truncate(at);
        }
    }
}

impl TokenSink for Builder {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut building = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                building.open(&tag);
                let raw = match &*tag.name {
                    "script" | "style" => RawKind::Rawtext,
                    _ => return TokenSinkResult::Continue,
                };
                return TokenSinkResult::RawData(raw);
            }
            Token::TagToken(tag) => building.close(&tag.name),
            Token::CharacterTokens(text) => building.text(&text),
            Token::NullCharacterToken => building.text("\u{fffd}"),
            Token::CommentToken(_) | Token::DoctypeToken(_) => drop(building.add(Kind::Comment)),
            Token::EOFToken | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}
