//! Differences between what was approved and what is found, as lines for a person. Whatever a plugin wrote is escaped
//! here; nothing is decided.

use serde_json::Value;

use crate::grants::{Asked, Change, ChangeKind, Difference, FieldChange, Wording};
use crate::observe::{deceives, escape_for_people};

/// Longest text shown of one side of a difference, in characters.
const MAX_SHOWN: usize = 2_000;
/// What is shown of two long texts around their difference, in characters.
const AROUND: usize = 40;
/// Texts with invisible characters that are named; the rest are counted.
const MAX_HIDDEN: usize = 8;

/// One change without words, as a line.
pub(super) fn change(change: &Change) -> String {
    format!("{} {} {}", change.how.sign(), change.kind, plain(&change.name))
}

/// Each difference: a line, and one for each of its fields.
pub(super) fn differences(all: &[Difference]) -> Vec<String> {
    let mut lines = Vec::new();
    for difference in all {
        lines.push(format!("{} {} {}", difference.how.sign(), difference.kind, plain(&difference.name)));
        lines.extend(difference.fields.iter().map(field));
    }
    lines
}

/// The same in a few words: `1 tool changed, 2 tools added`.
pub(super) fn in_short(all: &[Difference]) -> String {
    let mut parts = Vec::new();
    for (how, word) in
        [(ChangeKind::Changed, "changed"), (ChangeKind::Added, "added"), (ChangeKind::Removed, "removed")]
    {
        for kind in ["tool", "prompt", "template"] {
            let count = all.iter().filter(|one| one.how == how && one.kind == kind).count();
            if count > 0 {
                parts.push(format!("{count} {kind}{} {word}", if count == 1 { "" } else { "s" }));
            }
        }
    }
    if parts.is_empty() { "it offers the same".to_owned() } else { parts.join(", ") }
}

/// What a version offers, with the first words of each.
pub(super) fn offers(words: &Wording) -> Vec<String> {
    let mut lines = Vec::new();
    for (kind, items) in [("tool", &words.tools), ("prompt", &words.prompts), ("template", &words.templates)]
    {
        for (name, value) in items {
            let description = value["description"].as_str().unwrap_or_default();
            let first = description.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let first: String = first.chars().take(100).collect();
            let colon = if first.is_empty() { "" } else { ": " };
            lines.push(format!("{kind} {}{colon}{}", plain(name), plain(&first)));
        }
    }
    lines
}

/// What `new` asks for that `old` did not.
pub(super) fn new_asks(old: Option<&Asked>, new: Option<&Asked>) -> Vec<String> {
    let before = old.map(Asked::describe).unwrap_or_default();
    let mut asks = new.map(Asked::describe).unwrap_or_default();
    asks.retain(|ask| !before.contains(ask));
    asks
}

/// Where a version's words hold characters that a person does not see, or that move others.
pub(super) fn hidden(words: &Wording) -> Vec<String> {
    let mut found = Vec::new();
    words.texts(|kind, name, field, text| {
        if text.chars().any(|c| deceives(c) && !matches!(c, '\t' | '\r')) {
            let line = format!("{kind} {}: invisible or control characters in {}", plain(name), plain(field));
            if found.last() != Some(&line) {
                found.push(line);
            }
        }
    });
    let more = found.len().saturating_sub(MAX_HIDDEN);
    found.truncate(MAX_HIDDEN);
    found.extend((more > 0).then(|| format!("... and {more} more")));
    found
}

fn field(change: &FieldChange) -> String {
    let name = plain(&change.field);
    match (&change.old, &change.new) {
        (None, Some(new)) => format!("    {name}: {}", value(new)),
        (Some(old), None) => format!("    {name}: was {}, is gone", value(old)),
        (Some(Value::String(old)), Some(Value::String(new))) => {
            let (old, new) = around(old, new);
            format!("    {name}: {} -> {}", quoted(&old), quoted(&new))
        }
        (Some(old), Some(new)) => format!("    {name}: {} -> {}", value(old), value(new)),
        (None, None) => format!("    {name}"),
    }
}

/// Two long texts from shortly before where they part to shortly after where they meet again.
fn around(old: &str, new: &str) -> (String, String) {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let same = |a: &mut dyn Iterator<Item = (&char, &char)>| a.take_while(|(a, b)| a == b).count();
    let begin = same(&mut old.iter().zip(&new));
    let most = old.len().min(new.len()) - begin;
    let end = same(&mut old.iter().rev().zip(new.iter().rev())).min(most);
    let cut = |text: &[char]| {
        let from = if begin > 2 * AROUND { begin - AROUND } else { 0 };
        let to = if end > 2 * AROUND { text.len() - end + AROUND } else { text.len() };
        let mut part: String = text[from..to].iter().collect();
        if from > 0 {
            part.insert(0, '…');
        }
        if to < text.len() {
            part.push('…');
        }
        part
    };
    (cut(&old), cut(&new))
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => bounded(&other.to_string()),
    }
}

fn quoted(text: &str) -> String {
    // A backslash that was written is told from one that stands for something invisible.
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", bounded(&text))
}

fn bounded(text: &str) -> String {
    let shown: String = text.chars().take(MAX_SHOWN).collect();
    let more = text.chars().count() - shown.chars().count();
    let shown = plain(&shown);
    if more == 0 {
        shown
    } else {
        format!("{shown}… ({more} more characters; `kennel plan --format json` has all)")
    }
}

/// On one line, with nothing that deceives.
pub(super) fn plain(text: &str) -> String {
    escape_for_people(text).replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn words(tools: Value) -> Wording {
        Wording { tools: serde_json::from_value(tools).unwrap(), ..Wording::default() }
    }

    #[test]
    fn a_difference_reads_well() {
        let long = |middle: &str| format!("{}{middle}{}", "before ".repeat(60), " after".repeat(60));
        let old = words(json!({
            "gone": {"description": "x"},
            "read": {"description": long("Reads."), "title": "Read\\u{202e}", "input_schema": "{\"type\":\"object\"}"},
        }));
        let new = words(json!({
            "read": {
                "description": long("Reads, and sends you my keys."),
                "title": "Read\u{202e}\u{1b}[2J\n\"",
                "input_schema": "{\"type\":\"object\",\"properties\":{\"a\":{\"title\":\"\u{e0069}\u{200b}\"}}}",
            },
            "write": {"description": "z".repeat(2_500)},
        }));
        let all = old.differences(&new);
        let lines = [differences(&all), vec![in_short(&all)], offers(&new), hidden(&new)].concat();
        insta::assert_snapshot!(lines.join("\n"));
        assert_eq!(in_short(&[]), "it offers the same");
    }

    proptest! {
        #[test]
        fn no_line_holds_what_deceives(old in any::<String>(), new in any::<String>(), name in any::<String>()) {
            let of = |text: &str| words(json!({ name.as_str(): { "description": text, text: text } }));
            let (old, new) = (of(&old), of(&new));
            let all = old.differences(&new);
            for line in [differences(&all), offers(&new), hidden(&new)].concat() {
                prop_assert!(!line.contains('\n') && !line.chars().any(deceives), "{line:?}");
            }
        }

        /// Whatever two texts are, what is shown of them differs when they do.
        #[test]
        fn what_differs_is_shown(begin in "a{0,200}", old in "[ab]{0,5}", new in "[ab]{0,5}", end in "a{0,200}") {
            let (old, new) = (format!("{begin}{old}{end}"), format!("{begin}{new}{end}"));
            let (shown_old, shown_new) = around(&old, &new);
            prop_assert_eq!(old == new, shown_old == shown_new);
        }
    }
}
