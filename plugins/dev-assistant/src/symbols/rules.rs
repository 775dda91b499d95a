//! What defines a name in a language, as data: lines of `rules/*.txt`. Must not know any one language.
//!
//! | line | |
//! |---|---|
//! | `KIND NODE.FIELD` | what stands in this field of this node is defined, as a function, a class or a variable |
//! | `KIND NODE.FIELD OTHER NODE…` | only when its other field is one of these nodes |
//! | `through NODE`, `through NODE.FIELD` | the name may stand in such a node, in the place of what is looked at |
//! | `never-after CHARACTERS` | before a name, blanks aside, these say that it is only used |
//! | `never-in WORDS` | a statement that begins a line with these only uses names |
//!
//! tree-sitter's own queries could say this too, but making one analyses the whole grammar: half of a call's instructions
//! for TypeScript, before a file was read.

use super::Kind;

/// What stands in a field (or in none) of a node.
type Place = (&'static str, Option<&'static str>);

/// One rule.
struct Rule {
    kind: Kind,
    place: Place,
    /// A field, and the nodes of which it must be one.
    only: Option<(&'static str, Vec<&'static str>)>,
}

/// The rules of a language.
#[derive(Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    through: Vec<Place>,
    never_after: &'static [u8],
    never_in: Vec<&'static str>,
}

/// A node on the way from the root to a name.
pub(crate) struct Ancestor<'tree> {
    pub(crate) node: tree_sitter::Node<'tree>,
    /// The field of its parent in which it stands.
    pub(crate) field: Option<&'static str>,
}

impl Rules {
    /// Reads them. A line that is none counts as nothing; the tests see that there is no such line.
    pub(crate) fn read(texts: &[&'static str]) -> Self {
        let mut all = Self::default();
        for line in texts.iter().flat_map(|text| text.lines()) {
            all.line(line);
        }
        all
    }

    fn line(&mut self, line: &'static str) -> Option<()> {
        let mut words = line.split(' ');
        let (first, second) = (words.next()?, words.next()?);
        let place = second.split_once('.').map_or((second, None), |(node, field)| (node, Some(field)));
        match first {
            "never-after" => self.never_after = second.as_bytes(),
            "through" => self.through.push(place),
            "never-in" => self.never_in.push(line.split_once(' ')?.1),
            kind => {
                let only = words.next().map(|field| (field, words.collect()));
                self.rules.push(Rule { kind: Kind::named(kind)?, place, only });
            }
        }
        Some(())
    }

    /// Whether the name at `start..end` of the source may be a definition, as far as the letters around it tell. What this
    /// denies need not be parsed, which is what costs.
    pub(crate) fn may_define(&self, source: &[u8], start: usize, end: usize) -> bool {
        let (Some(before), Some(after)) = (source.get(..start), source.get(end..)) else { return false };
        let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
        if before.last().is_some_and(in_word) || after.first().is_some_and(in_word) {
            return false;
        }
        let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_start();
        let begins = |words: &&str| {
            line.strip_prefix(words.as_bytes()).is_some_and(|rest| !rest.first().is_some_and(in_word))
        };
        // More than one statement may stand in a line.
        if !line.contains(&b';') && self.never_in.iter().any(begins) {
            return false;
        }
        let before = before.trim_ascii_end();
        if before.ends_with(b"..") {
            return true;
        }
        // A member is only defined where something is assigned to it.
        if before.ends_with(b".") {
            return matches!(after.trim_ascii_start().first(), Some(b'=' | b':'));
        }
        !before.last().is_some_and(|last| self.never_after.contains(last))
    }

    /// What the innermost of these nodes, a name, is defined as; none when it is only used.
    pub(crate) fn defines(&self, path: &[Ancestor<'_>]) -> Option<Kind> {
        let mut direct = true;
        for step in path.windows(2).rev() {
            let [parent, Ancestor { field, .. }] = step else { return None };
            let place = (parent.node.kind(), *field);
            let is_through = self.through.contains(&place);
            let rule = self.rules.iter().find(|rule| rule.place == place && rule.fits(&parent.node));
            match rule {
                // Where a rule's node may also be passed through, the rule is for names that stand right in it.
                Some(rule) if direct || !is_through => return Some(rule.kind),
                _ if !is_through => return None,
                _ => direct = false,
            }
        }
        None
    }
}

impl Rule {
    fn fits(&self, node: &tree_sitter::Node<'_>) -> bool {
        let Some((field, kinds)) = &self.only else { return true };
        let Some(mut other) = node.child_by_field_name(field) else { return false };
        while matches!(other.kind(), "expression_list" | "parenthesized_expression")
            && other.named_child_count() == 1
        {
            match other.named_child(0) {
                Some(only) => other = only,
                None => break,
            }
        }
        kinds.contains(&other.kind())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::symbols::language;

    #[test]
    fn every_line_is_a_rule_about_nodes_that_the_grammar_has() {
        for language in language::ALL {
            let grammar: tree_sitter::Language = language.grammar.into();
            let (mut rules, mut last) = (Rules::default(), "");
            let has_node = |kind: &str| grammar.id_for_node_kind(kind, true) != 0;
            let has_field = |field: &str| grammar.field_id_for_name(field).is_some();
            for line in language.rules.iter().flat_map(|text| text.lines()) {
                rules.line(line).unwrap_or_else(|| panic!("{}: {line:?}", language.name));
                last = line;
            }
            assert!(!rules.never_after.is_empty(), "{} ends with {last:?}", language.name);
            // JavaScript's rules serve its dialect too, which has other nodes for some things.
            let shared = language.rules.len() > 1;
            for (node, field) in rules.rules.iter().map(|rule| rule.place).chain(rules.through) {
                assert!(shared || has_node(node), "{}: no node {node}", language.name);
                assert!(field.is_none_or(has_field), "{}: no field {field:?}", language.name);
            }
            for (field, nodes) in rules.rules.iter().filter_map(|rule| rule.only.as_ref()) {
                assert!(
                    has_field(field) && nodes.iter().all(|node| has_node(node)),
                    "{}: {field} {nodes:?}",
                    language.name
                );
            }
        }
    }

    #[test]
    fn what_is_only_used_need_not_be_parsed() {
        let rust = language::ALL.iter().find(|language| language.name == "rust").unwrap();
        let rules = Rules::read(rust.rules);
        for (source, may) in [
            ("fn new() {}", true),
            ("new", true),
            ("pub(crate)\n  new : u8", true),
            ("renew()", false),
            ("newer", false),
            ("änew", false),
            ("X::new()", false),
            ("x\n  . new()", false),
            ("x.new = 1", true),
            ("..new", true),
            ("x: &new", false),
            ("  pub use a::{b, new};", false),
            ("use a::b; struct new;", true),
            ("used new", true),
        ] {
            let start = source.find("new").unwrap();
            assert_eq!(rules.may_define(source.as_bytes(), start, start + 3), may, "{source}");
        }
    }
}
