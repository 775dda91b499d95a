//! What must hold of URI templates for any URI: matching ends; and what it finds, put back by an expander that shares no
//! code with it, is found again. Shared by the fuzzer and by the replay of its corpus (`host/tests/corpus/`).

use crate::template::{Operator, Part, Template, Variable};
use uri_template_system::{Value, Values};

const fn variable(name: &'static str, explode: bool, optional: bool) -> Variable {
    Variable { name, explode, optional }
}

const fn part(operator: Operator, variables: &'static [Variable]) -> Part {
    Part::Expression { operator, variables }
}

/// One of each operator, as the macro would make them.
const TEMPLATES: [Template; 7] = [
    Template {
        text: "x://{id}",
        parts: &[Part::Literal("x://"), part(Operator::Simple, &[variable("id", false, false)])],
    },
    Template {
        text: "x://{a}-{c}.json",
        parts: &[
            Part::Literal("x://"),
            part(Operator::Simple, &[variable("a", false, false)]),
            Part::Literal("-"),
            part(Operator::Simple, &[variable("c", false, false)]),
            Part::Literal(".json"),
        ],
    },
    Template {
        text: "x://f/{+path}",
        parts: &[Part::Literal("x://f/"), part(Operator::Reserved, &[variable("path", false, false)])],
    },
    Template {
        text: "x://h{/a,b}{?q,r}",
        parts: &[
            Part::Literal("x://h"),
            part(Operator::Path, &[variable("a", false, false), variable("b", false, false)]),
            part(Operator::Query, &[variable("q", false, true), variable("r", false, true)]),
        ],
    },
    Template {
        text: "x://h{/list*}{#f}",
        parts: &[
            Part::Literal("x://h"),
            part(Operator::Path, &[variable("list", true, false)]),
            part(Operator::Fragment, &[variable("f", false, true)]),
        ],
    },
    Template {
        text: "x://y?fixed=1{&tag*}",
        parts: &[
            Part::Literal("x://y?fixed=1"),
            part(Operator::QueryContinuation, &[variable("tag", true, false)]),
        ],
    },
    Template {
        text: "x://l{.a}",
        parts: &[Part::Literal("x://l"), part(Operator::Label, &[variable("a", false, false)])],
    },
];

/// More of a URI than this is not looked at: the fuel of its call bounds a guest that matches longer ones.
const LONGEST: usize = 256;

/// Panics when something does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(&bytes[..bytes.len().min(LONGEST)]) else { return };
    for template in &TEMPLATES {
        one(template, text);
        // Most texts would end at the first literal.
        if let Some(Part::Literal(literal)) = template.parts.first() {
            one(template, &format!("{literal}{text}"));
        }
    }
}

fn one(template: &Template, uri: &str) {
    let Some(found) = template.matches(uri) else { return };
    let mut values = Values::default();
    let expressions = template.parts.iter().filter_map(|part| match part {
        Part::Literal(_) => None,
        Part::Expression { operator, variables } => Some((*operator, *variables)),
    });
    let (mut exact, mut names) = (true, Vec::new());
    for (operator, variables) in expressions {
        for variable in variables {
            let given = found.get(variable.name);
            names.push(variable.name);
            assert!(variable.explode || given.len() <= 1, "{uri:?}: two values of {}", variable.name);
            assert!(variable.optional || !given.is_empty(), "{uri:?}: no {}", variable.name);
            // A reserved expansion keeps escapes as they are, so what was decoded may read otherwise the second time.
            exact &= !matches!(operator, Operator::Reserved | Operator::Fragment) || !uri.contains('%');
            values = match given {
                [] => values,
                [one] if !variable.explode => values.add(variable.name, Value::item(one)),
                all => values.add(variable.name, Value::list(all.iter().map(String::as_str))),
            };
        }
    }
    let expanded = uri_template_system::Template::parse(template.text)
        .expect("the template parses")
        .expand(&values)
        .expect("it expands");
    if exact {
        let again = template.matches(&expanded);
        let again = again.unwrap_or_else(|| panic!("{uri:?} became {expanded:?}, which does not match"));
        // A query's parameters may come in any order.
        for name in names {
            assert_eq!(again.get(name), found.get(name), "{uri:?} became {expanded:?}: {name}");
        }
    }
}
