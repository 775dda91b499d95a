//! The stack traces of an event as text, as the published server writes them.
//! Must not fail on what Sentry leaves out: an event holds what a crashing program could still say.

use std::fmt::Write as _;

use kennel_sdk::prelude::*;

/// A field as text, or what stands for a missing one.
fn field(of: &Value, name: &str, missing: &str) -> String {
    match of.get(name) {
        None | Some(Value::Null) => missing.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn items<'v>(of: &'v Value, at: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    of.pointer(at).and_then(Value::as_array).into_iter().flatten()
}

/// The traces of all exceptions of an event.
pub(crate) fn text(event: &Value) -> String {
    let exceptions = items(event, "/entries").filter(|entry| entry["type"] == "exception");
    let traces: Vec<String> =
        exceptions.flat_map(|entry| items(entry, "/data/values")).map(exception).collect();
    if traces.is_empty() { "No stacktrace found".into() } else { traces.join("\n") }
}

fn exception(exception: &Value) -> String {
    let mut text =
        format!("Exception: {}: {}\n\n", field(exception, "type", "Unknown"), field(exception, "value", ""));
    if exception.get("stacktrace").is_none_or(Value::is_null) {
        return text;
    }
    text.push_str("Stacktrace:\n");
    for frame in items(exception, "/stacktrace/frames") {
        // Writing into a text does not fail.
        let _ = writeln!(
            text,
            "{}:{} in {}",
            field(frame, "filename", "Unknown"),
            field(frame, "lineNo", "?"),
            field(frame, "function", "Unknown")
        );
        for line in items(frame, "/context") {
            let _ = writeln!(text, "    {}", line.get(1).and_then(Value::as_str).unwrap_or_default());
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_written_as_published() {
        let event = json!({ "entries": [
            { "type": "message" },
            { "type": "exception", "data": { "values": [
                { "type": "KeyError", "value": "'x'", "stacktrace": { "frames": [
                    { "filename": "a.py", "lineNo": 3, "function": "f", "context": [[2, "def f():"], [3, "  x"]] },
                    { "filename": null },
                ] } },
                { "value": "no trace", "stacktrace": null },
            ] } },
        ] });
        assert_eq!(
            text(&event),
            "Exception: KeyError: 'x'\n\nStacktrace:\na.py:3 in f\n    def f():\n      x\n\nUnknown:? in Unknown\n\n\n\
             Exception: Unknown: no trace\n\n"
        );
        assert_eq!(text(&json!({})), "No stacktrace found");
    }
}
