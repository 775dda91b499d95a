//! PostgreSQL's text form of arrays (manual, 8.15.6): braces, commas, quotes and backslashes.
//! Must not recurse deeper than an array can be: six dimensions.

/// A piece of an array.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Element {
    Null,
    Value(String),
    List(Vec<Element>),
}

/// PostgreSQL's own bound (`MAXDIM`).
const MAX_DIMENSIONS: usize = 6;

/// The whole array; none when the text is not one.
pub(crate) fn parse(text: &str) -> Option<Element> {
    // `[0:1]={…}`: other lower bounds than 1, which JSON cannot say.
    let text = if text.starts_with('[') { text.split_once('=')?.1 } else { text };
    let mut rest = text.strip_prefix('{')?;
    let list = list(&mut rest, 1)?;
    rest.is_empty().then_some(list)
}

/// What follows an opening brace, up to and with the closing one.
fn list(rest: &mut &str, depth: usize) -> Option<Element> {
    if depth > MAX_DIMENSIONS {
        return None;
    }
    let mut items = Vec::new();
    if let Some(after) = rest.strip_prefix('}') {
        *rest = after;
        return Some(Element::List(items));
    }
    loop {
        if let Some(after) = rest.strip_prefix('{') {
            *rest = after;
            items.push(list(rest, depth + 1)?);
        } else if let Some(after) = rest.strip_prefix('"') {
            *rest = after;
            items.push(Element::Value(quoted(rest)?));
        } else {
            let (word, after) = rest.split_at_checked(rest.find([',', '}'])?)?;
            *rest = after;
            items.push(if word == "NULL" { Element::Null } else { Element::Value(word.to_owned()) });
        }
        let mut characters = rest.chars();
        let next = characters.next()?;
        *rest = characters.as_str();
        match next {
            ',' => {}
            '}' => return Some(Element::List(items)),
            _ => return None,
        }
    }
}

/// What follows an opening quote, up to and with the closing one.
fn quoted(rest: &mut &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
    *rest = characters.as_str();
    Some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_is_no_array_is_none() {
        for text in ["", "x", "{", "{1", "{1,", "{\"a}", "{1}x", "{{1}", "{1}{2}", "[0:1]", "{{{{{{{1}}}}}}}"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn quotes_and_escapes() {
        let Some(Element::List(items)) = parse(r#"{"a,b","c}","d\\e",f}"#) else { panic!("no list") };
        let texts: Vec<_> = items
            .iter()
            .map(|item| if let Element::Value(text) = item { text.as_str() } else { "" })
            .collect();
        assert_eq!(texts, ["a,b", "c}", r"d\e", "f"]);
    }
}
