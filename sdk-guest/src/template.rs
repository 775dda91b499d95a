//! Matches URIs against RFC 6570 templates: the way back from an expansion to the values.
//! No well-kept crate does this direction; expansion in the tests is another crate's.
//! Must not parse templates: `#[resource]` does while compiling.

use percent_encoding::percent_decode_str;

/// A template, read by the macro.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// As the author wrote it.
    pub text: &'static str,
    /// Its pieces.
    pub parts: &'static [Part],
}

/// A piece of a template.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// Text that stands for itself.
    Literal(&'static str),
    /// `{…}`.
    Expression {
        /// The character after the brace.
        operator: Operator,
        /// The names.
        variables: &'static [Variable],
    },
}

/// RFC 6570, section 3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `{x}`: one piece of a path, or whatever stands between delimiters.
    Simple,
    /// `{+x}`: anything, `/` too.
    Reserved,
    /// `{#x}`: a fragment.
    Fragment,
    /// `{.x}`: a dot and a label.
    Label,
    /// `{/x}`: a slash and a piece of a path.
    Path,
    /// `{;x}`: a semicolon, the name, a value.
    PathParameter,
    /// `{?x}`: the query.
    Query,
    /// `{&x}`: the rest of a query.
    QueryContinuation,
}

/// A variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// `*`: a list, each value for itself.
    pub explode: bool,
    /// Whether a URI without it matches.
    pub optional: bool,
}

/// The values of a URI's variables, decoded. What is missing is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(Vec<(&'static str, Vec<String>)>);

impl Values {
    /// The values of a variable; empty when the URI does not have it.
    #[must_use]
    pub fn get(&self, name: &str) -> &[String] {
        self.0.iter().find(|(other, _)| *other == name).map_or(&[], |(_, values)| values.as_slice())
    }

    fn push(&mut self, name: &'static str, value: String) {
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name, vec![value])),
        }
    }
}

impl Operator {
    /// What stands before the first value.
    const fn first(self) -> &'static str {
        match self {
            Self::Simple | Self::Reserved => "",
            Self::Fragment => "#",
            Self::Label => ".",
            Self::Path => "/",
            Self::PathParameter => ";",
            Self::Query => "?",
            Self::QueryContinuation => "&",
        }
    }

    /// What stands between values.
    const fn separator(self) -> &'static str {
        match self {
            Self::Simple | Self::Reserved | Self::Fragment => ",",
            Self::Label => ".",
            Self::Path => "/",
            Self::PathParameter => ";",
            Self::Query | Self::QueryContinuation => "&",
        }
    }

    const fn is_named(self) -> bool {
        matches!(self, Self::PathParameter | Self::Query | Self::QueryContinuation)
    }

    /// Whether an unescaped `character` can be part of a value. `several`: more values may follow.
    fn allows(self, character: char, several: bool) -> bool {
        // A dot is never escaped, so a single label may hold some; several are parted at each.
        let parts = match self {
            Self::Simple | Self::Reserved | Self::Fragment => several && character == ',',
            Self::Label => several && character == '.',
            Self::Path => false,
            Self::PathParameter => character == ';',
            Self::Query | Self::QueryContinuation => character == '&',
        };
        let ends = match self {
            Self::Reserved | Self::Fragment => false,
            Self::Query | Self::QueryContinuation => character == '#',
            _ => matches!(character, '/' | '?' | '#'),
        };
        !parts && !ends
    }
}

impl Template {
    /// The values of `uri`, when it is one of this template's. A variable matches at least one
    /// character; one that is optional may also be missing. Of several ways to match, the one that gives
    /// the first variables the most wins.
    #[must_use]
    pub fn matches(&self, uri: &str) -> Option<Values> {
        parts(self.parts, uri, &Values::default())
    }
}

fn parts(parts_left: &[Part], rest: &str, values: &Values) -> Option<Values> {
    let Some((part, after)) = parts_left.split_first() else {
        return rest.is_empty().then(|| values.clone());
    };
    match part {
        Part::Literal(text) => parts(after, rest.strip_prefix(text)?, values),
        Part::Expression { operator, variables } if operator.is_named() => {
            let (rest, values) = named(*operator, variables, rest, values)?;
            parts(after, rest, &values)
        }
        Part::Expression { operator, variables } => {
            positional(*operator, variables, rest, values, operator.first(), &|rest, values| {
                parts(after, rest, values)
            })
        }
    }
}

/// `name=value` pairs in any order, as far as this expression knows the names.
fn named<'a>(
    operator: Operator,
    variables: &[Variable],
    mut rest: &'a str,
    values: &Values,
) -> Option<(&'a str, Values)> {
    let mut values = values.clone();
    let mut before = operator.first();
    while let Some(text) = rest.strip_prefix(before) {
        let end = text.find(|character| !operator.allows(character, true)).unwrap_or(text.len());
        let (pair, left) = text.split_at(end);
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(variable) = variables.iter().find(|variable| variable.name == name) else { break };
        if !variable.explode && !values.get(name).is_empty() {
            break;
        }
        values.push(variable.name, decoded(value)?);
        rest = left;
        before = operator.separator();
    }
    let all = variables.iter().all(|variable| variable.optional || !values.get(variable.name).is_empty());
    all.then_some((rest, values))
}

type Then<'a> = &'a dyn Fn(&str, &Values) -> Option<Values>;

/// Values by position, each behind `before`; `then` matches what follows the expression.
fn positional(
    operator: Operator,
    variables: &[Variable],
    rest: &str,
    values: &Values,
    before: &str,
    then: Then<'_>,
) -> Option<Values> {
    let Some((variable, others)) = variables.split_first() else { return then(rest, values) };
    let several = variable.explode || variables.len() > 1 || before != operator.first();
    if let Some(text) = rest.strip_prefix(before) {
        let longest = text.find(|character| !operator.allows(character, several)).unwrap_or(text.len());
        // The longest value first; shorter ones where what follows does not match.
        for end in (1..=longest).rev().filter(|end| text.is_char_boundary(*end)) {
            let Some(value) = decoded(&text[..end]) else { continue };
            let mut values = values.clone();
            values.push(variable.name, value);
            let left = &text[end..];
            // A list may go on, or the next variable may begin.
            let found = (variable.explode)
                .then(|| positional(operator, variables, left, &values, operator.separator(), then))
                .flatten()
                .or_else(|| positional(operator, others, left, &values, operator.separator(), then));
            if found.is_some() {
                return found;
            }
        }
    }
    // A list that has a value already, or a variable that may be missing.
    (variable.optional || !values.get(variable.name).is_empty())
        .then(|| positional(operator, others, rest, values, before, then))
        .flatten()
}

/// Percent-decoded; none when the escapes are broken or do not make UTF-8.
fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let whole = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| {
        bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !whole {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::resource::Resource;
    use proptest::prelude::*;
    use std::collections::HashMap;

    // Each is read by the macro, as an author's would be.
    mod of {
        use crate::prelude::*;

        #[resource("notes:///{id}")]
        pub(super) fn simple(id: String) -> String {
            id
        }
        #[resource("fs://{+path}")]
        pub(super) fn reserved(path: String) -> String {
            path
        }
        #[resource("x://{a}/b/{c}.txt")]
        pub(super) fn two(a: String, c: String) -> String {
            a + &c
        }
        #[resource("x://h{/a,b}{?q,r}")]
        pub(super) fn path_and_query(a: String, b: String, q: Option<String>, r: Option<String>) -> String {
            format!("{a}{b}{q:?}{r:?}")
        }
        #[resource("x://h{/list*}{#f}")]
        pub(super) fn exploded(list: Vec<String>, f: Option<String>) -> String {
            format!("{list:?}{f:?}")
        }
        #[resource("x://{a,b}{;p}")]
        pub(super) fn comma(a: String, b: String, p: String) -> String {
            a + &b + &p
        }
        #[resource("x://y?fixed=1{&tag*}")]
        pub(super) fn tags(tag: Vec<String>) -> String {
            tag.concat()
        }
    }

    fn expanded<const N: usize>(template: &str, values: [(&str, uri_template_system::Value); N]) -> String {
        use uri_template_system::{Template, Values};
        Template::parse(template)
            .unwrap()
            .expand(&values.into_iter().fold(Values::default(), |all, (name, value)| all.add(name, value)))
            .unwrap()
    }

    fn item(text: &str) -> uri_template_system::Value {
        uri_template_system::Value::item(text)
    }

    fn got(template: Template, uri: &str) -> Option<HashMap<&'static str, Vec<String>>> {
        template.matches(uri).map(|values| values.0.into_iter().collect())
    }

    proptest! {
        #[test]
        fn simple_values_come_back(id in ".+") {
            let template = of::simple::TEMPLATE;
            let values = template.matches(&expanded(template.text, [("id", item(&id))])).unwrap();
            prop_assert_eq!(values.get("id"), [id]);
        }

        #[test]
        fn two_values_come_back(a in ".+", c in ".+") {
            let template = of::two::TEMPLATE;
            let values = template.matches(&expanded(template.text, [("a", item(&a)), ("c", item(&c))])).unwrap();
            prop_assert_eq!(values.get("a"), [a]);
            prop_assert_eq!(values.get("c"), [c]);
        }

        #[test]
        fn queries_come_back(a in ".+", b in ".+", q in proptest::option::of(".*"), r in proptest::option::of(".*")) {
            let template = of::path_and_query::TEMPLATE;
            let mut all = uri_template_system::Values::default().add("a", item(&a)).add("b", item(&b));
            if let Some(q) = &q { all = all.add("q", item(q)); }
            if let Some(r) = &r { all = all.add("r", item(r)); }
            let uri = uri_template_system::Template::parse(template.text).unwrap().expand(&all).unwrap();
            let values = template.matches(&uri).unwrap();
            prop_assert_eq!(values.get("a"), [a]);
            prop_assert_eq!(values.get("b"), [b]);
            prop_assert_eq!(values.get("q").first(), q.as_ref());
            prop_assert_eq!(values.get("r").first(), r.as_ref());
        }

        #[test]
        fn commas_and_parameters_come_back(a in ".+", b in ".+", p in ".*") {
            let template = of::comma::TEMPLATE;
            let uri = expanded(template.text, [("a", item(&a)), ("b", item(&b)), ("p", item(&p))]);
            let values = template.matches(&uri).unwrap();
            prop_assert_eq!(values.get("a"), [a]);
            prop_assert_eq!(values.get("b"), [b]);
            prop_assert_eq!(values.get("p"), [p]);
        }

        #[test]
        fn lists_come_back(list in proptest::collection::vec(".+", 1..5), f in proptest::option::of("[a-z/]+")) {
            let template = of::exploded::TEMPLATE;
            let mut all = uri_template_system::Values::default()
                .add("list", uri_template_system::Value::list(list.clone()));
            if let Some(f) = &f { all = all.add("f", item(f)); }
            let uri = uri_template_system::Template::parse(template.text).unwrap().expand(&all).unwrap();
            let values = template.matches(&uri).unwrap();
            prop_assert_eq!(values.get("list"), list);
            prop_assert_eq!(values.get("f").first(), f.as_ref());
        }

        #[test]
        fn tags_come_back(tags in proptest::collection::vec(".*", 0..5)) {
            let template = of::tags::TEMPLATE;
            let uri = expanded(template.text, [("tag", uri_template_system::Value::list(tags.clone()))]);
            let values = template.matches(&uri).unwrap();
            prop_assert_eq!(values.get("tag"), tags);
        }

        #[test]
        fn any_text_is_answered(uri in ".*") {
            for template in [of::simple::TEMPLATE, of::two::TEMPLATE, of::exploded::TEMPLATE, of::comma::TEMPLATE] {
                let _ = template.matches(&uri);
            }
        }
    }

    #[test]
    fn a_piece_of_a_path_ends_at_a_slash() {
        assert!(got(of::simple::TEMPLATE, "notes:///a/b").is_none());
        assert!(got(of::simple::TEMPLATE, "notes:///").is_none());
        assert!(got(of::simple::TEMPLATE, "notes:///a?x=1").is_none());
        assert_eq!(got(of::simple::TEMPLATE, "notes:///a%2Fb").unwrap()["id"], ["a/b"]);
        assert_eq!(got(of::reserved::TEMPLATE, "fs://a/b%20c").unwrap()["path"], ["a/b c"]);
    }

    #[test]
    fn broken_escapes_match_nothing() {
        for uri in ["notes:///%", "notes:///%4", "notes:///%zz", "notes:///%ff"] {
            assert!(got(of::simple::TEMPLATE, uri).is_none(), "{uri}");
        }
    }

    #[test]
    fn queries_are_read_in_any_order_and_only_as_known() {
        let values = got(of::path_and_query::TEMPLATE, "x://h/1/2?r=b&q=a").unwrap();
        assert_eq!((values["q"][0].as_str(), values["r"][0].as_str()), ("a", "b"));
        assert!(got(of::path_and_query::TEMPLATE, "x://h/1/2?other=b").is_none());
        assert!(got(of::path_and_query::TEMPLATE, "x://h/1").is_none());
    }
}
