//! Whether an answer is what was expected, and where it is not: lines, `-` for what was expected and `+` for what
//! came. Decides nothing but that, and touches no file.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::cases::Expect;
use crate::observe::escape_for_people;

/// Lines around a difference.
const CONTEXT: usize = 3;

/// What is different between an answer, as a client gets it, and what was expected; nothing when it is right.
pub(super) fn against(expect: &Expect, answer: &Value) -> Vec<String> {
    if let Some(result) = &expect.result {
        return values("result", result, answer);
    }
    let error = answer.get("error").and_then(|error| error.get("message")).and_then(Value::as_str);
    if let Some(expected) = &expect.error {
        return match error {
            Some(message) => texts("error", expected, message),
            None => values("error", &Value::String(expected.clone()), answer),
        };
    }
    if let Some(message) = error {
        return vec![format!("expected a result, got the error: {}", escape_for_people(message))];
    }
    let mut found = Vec::new();
    let text = text_of(answer);
    let failed = answer.get("isError").and_then(Value::as_bool).unwrap_or(false);
    if failed != expect.is_error.unwrap_or(false) {
        let (expected, came) = if failed { ("success", "failure") } else { ("failure", "success") };
        found.push(format!("isError: expected {expected}, got {came}"));
        // Why it failed is in the text; a comparison of the text shows it.
        if failed && expect.text.is_none() && expect.text_contains.is_empty() {
            found.extend(text.lines().map(|line| format!("+ {}", escape_for_people(line))));
        }
    }
    if let Some(expected) = &expect.text {
        found.extend(texts("text", expected, &text));
    }
    for part in expect.text_contains.iter().filter(|part| !text.contains(part.as_str())) {
        found.push("textContains: not in the text".to_owned());
        found.extend(part.split('\n').map(|line| format!("- {}", escape_for_people(line))));
        found.extend(text.split('\n').map(|line| format!("+ {}", escape_for_people(line))));
    }
    if let Some(expected) = &expect.structured {
        // Named so in the protocol; a result without it has none to compare.
        let came = answer.get("structuredContent").unwrap_or(&Value::Null);
        found.extend(values("structured", expected, came));
    }
    found
}

/// The texts of an answer, those of embedded resources included, a line feed between them.
fn text_of(answer: &Value) -> String {
    let list = |key: &str| answer.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |block: &Value| {
        let text = block.get("text").or_else(|| block.get("resource").and_then(|inner| inner.get("text")));
        text.and_then(Value::as_str).map(str::to_owned)
    };
    let messages = list("messages").iter().filter_map(|message| message.get("content"));
    let texts: Vec<_> =
        list("content").iter().chain(list("contents")).chain(messages).filter_map(text).collect();
    texts.join("\n")
}

fn values(what: &str, expected: &Value, came: &Value) -> Vec<String> {
    // The order of keys means nothing in JSON.
    if expected == came {
        return Vec::new();
    }
    texts(what, &format!("{expected:#}"), &format!("{came:#}"))
}

/// What is different between two texts, under a heading; nothing when they are the same.
pub(super) fn texts(what: &str, expected: &str, came: &str) -> Vec<String> {
    if expected == came {
        return Vec::new();
    }
    let mut found = vec![format!("{what}:")];
    let diff = TextDiff::from_lines(expected, came);
    for (at, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if at > 0 {
            found.push("  …".to_owned());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let line = change.value();
            let ended = line.strip_suffix('\n');
            found.push(format!("{sign} {}", escape_for_people(ended.unwrap_or(line))));
            if ended.is_none()
                && change.tag() != ChangeTag::Equal
                && (expected.ends_with('\n') || came.ends_with('\n'))
            {
                found.push("  (no line feed at the end)".to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde::Deserialize as _;
    use serde_json::json;

    fn different(expect: &Value, answer: &Value) -> String {
        against(&Expect::deserialize(expect).unwrap(), answer).join("\n")
    }

    fn said(text: &str) -> Value {
        json!({"content": [{"type": "text", "text": text}], "isError": false})
    }

    #[test]
    fn what_is_right_passes() {
        let failed = json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "isError": true});
        let prompt = json!({"messages": [
            {"role": "user", "content": {"type": "text", "text": "a"}},
            {"role": "user", "content": {"type": "resource", "resource": {"uri": "x:y", "text": "b"}}},
        ]});
        for (expect, answer) in [
            (json!({"text": "a"}), said("a")),
            (json!({"textContains": "b"}), said("abc")),
            (json!({"textContains": ["a", "c"]}), said("abc")),
            (json!({"text": "a\nb", "isError": true}), failed.clone()),
            (json!({"isError": true}), failed),
            (json!({"text": "a\nb"}), prompt),
            (json!({"text": "a"}), json!({"contents": [{"uri": "x:y", "text": "a"}]})),
            (json!({"structured": {"a": 1, "b": 2}}), json!({"structuredContent": {"b": 2, "a": 1}})),
            (json!({"structured": null}), said("a")),
            (json!({"result": said("a")}), said("a")),
            (json!({"error": "no"}), json!({"error": {"code": 1, "message": "no"}})),
        ] {
            assert_eq!(different(&expect, &answer), "", "{expect}");
        }
    }

    #[test]
    fn what_is_wrong_is_shown() {
        let failed = json!({"content": [{"type": "text", "text": "why\u{1b}[2J"}], "isError": true});
        let error = json!({"error": {"code": 1, "message": "no"}});
        let long = |word: &str| format!("1\n2\n3\n4\n5\n{word}\n7\n8\n9\n10\n11\n12\n13\n14\n{word}");
        let shown = [
            (json!({"text": "a"}), said("b")),
            (json!({"text": "a\n"}), said("a")),
            (json!({"text": long("old")}), said(&long("new"))),
            (json!({"textContains": ["a", "x"]}), said("abc")),
            (json!({"text": "why"}), failed.clone()),
            (json!({"structured": {"a": 1}}), failed.clone()),
            (json!({"isError": false}), failed),
            (json!({"isError": true}), said("a")),
            (json!({"structured": {"a": 1, "b": [2]}}), json!({"structuredContent": {"a": 1, "b": [3]}})),
            (json!({"result": said("a")}), said("b")),
            (json!({"error": "no"}), said("a")),
            (json!({"error": "yes"}), error.clone()),
            (json!({"text": "a"}), error),
        ]
        .map(|(expect, answer)| format!("== {expect}\n{}", different(&expect, &answer)));
        insta::assert_snapshot!(shown.join("\n"));
    }
}
