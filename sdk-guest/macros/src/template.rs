//! Reads RFC 6570 templates while compiling, so that a plugin carries no parser and a mistake is
//! seen by the author.
//! Levels 1 to 3 and `*` on lists are understood; what cannot be told apart when matching is refused.
//! Must not match URIs: that is `kennel_sdk::template`'s job.

/// One piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text that stands for itself.
    Literal(String),
    /// `{…}`: the operator's character, or a blank for none.
    Expression { operator: char, variables: Vec<Variable> },
}

/// A variable inside an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) explode: bool,
}

/// Reads a template; the error says what is wrong and what to write.
pub(crate) fn parse(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some(open) = rest.find(['{', '}']) else {
            parts.push(Part::Literal(rest.to_owned()));
            break;
        };
        if rest[open..].starts_with('}') {
            return Err("a `}` without its `{`".into());
        }
        if open > 0 {
            parts.push(Part::Literal(rest[..open].to_owned()));
        }
        let after = &rest[open + 1..];
        let close = after.find('}').ok_or("a `{` without its `}`")?;
        let expression = expression(&after[..close])?;
        if let (Some(Part::Expression { .. }), Part::Expression { operator: ' ' | '+', .. }) =
            (parts.last(), &expression)
        {
            return Err(format!(
                "nothing stands between `{{{}}}` and the variable before it, so they cannot be told apart; put a \
                 literal between them",
                &after[..close]
            ));
        }
        parts.push(expression);
        rest = &after[close + 1..];
    }
    let mut names: Vec<&str> = Vec::new();
    for name in variables(&parts).map(|variable| variable.name.as_str()) {
        if names.contains(&name) {
            return Err(format!("the variable `{name}` stands there twice"));
        }
        names.push(name);
    }
    Ok(parts)
}

/// All variables of a template, in order.
pub(crate) fn variables(parts: &[Part]) -> impl Iterator<Item = &Variable> {
    parts.iter().flat_map(|part| match part {
        Part::Literal(_) => [].as_slice(),
        Part::Expression { variables, .. } => variables.as_slice(),
    })
}

fn expression(text: &str) -> Result<Part, String> {
    let (operator, list) = match text.chars().next() {
        None => return Err("`{}` names no variable".into()),
        Some(first) if "+#./;?&".contains(first) => (first, &text[1..]),
        Some(first) if "=,!@|".contains(first) => {
            return Err(format!(
                "the operator `{first}` of `{{{text}}}` is reserved (RFC 6570, section 2.2)"
            ));
        }
        Some(_) => (' ', text),
    };
    let variables = list.split(',').map(|text| variable(text, list)).collect::<Result<Vec<_>, _>>()?;
    Ok(Part::Expression { operator, variables })
}

fn variable(text: &str, list: &str) -> Result<Variable, String> {
    if text.contains(':') {
        return Err(format!(
            "`{{{list}}}`: a prefix such as `:3` loses text, so a URI cannot be matched back to it"
        ));
    }
    let (name, explode) = text.strip_suffix('*').map_or((text, false), |name| (name, true));
    let fits = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !fits {
        return Err(format!(
            "`{name}` cannot name a variable here: use letters, digits and `_`, as the function's parameter has this \
             name"
        ));
    }
    Ok(Variable { name: name.to_owned(), explode })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn reads_literals_operators_and_lists() {
        let parts = parse("x://{+a}/b{?c,d*}").unwrap();
        assert_eq!(parts.len(), 4);
        assert_eq!(parts[0], Part::Literal("x://".into()));
        assert_eq!(
            parts[3],
            Part::Expression {
                operator: '?',
                variables: vec![
                    Variable { name: "c".into(), explode: false },
                    Variable { name: "d".into(), explode: true }
                ]
            }
        );
    }

    #[test]
    fn refuses_what_cannot_be_matched() {
        for (template, says) in [
            ("a://{x}{y}", "told apart"),
            ("a://{x", "without its `}`"),
            ("a://x}", "without its `{`"),
            ("a://{}", "names no variable"),
            ("a://{x:3}", "prefix"),
            ("a://{|x}", "reserved"),
            ("a://{x-y}", "cannot name"),
            ("a://{x}/{x}", "twice"),
        ] {
            let error = parse(template).unwrap_err();
            assert!(error.contains(says), "{template}: {error}");
        }
    }
}
