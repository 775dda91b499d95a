//! `puppeteer_evaluate`: runs a script in the page and tells its value and what it said on the console meanwhile.
//! Must not wait for ever: a script that does not end is ended, or the page would be of no use to later calls.

use std::time::{Duration, Instant};

use kennel_sdk::prelude::*;
use serde_json::value::RawValue;

use crate::javascript;
use crate::page::Page;

/// The most bytes of a value that are told.
const MOST: usize = 384 << 10;

/// The most characters of the console's lines; three bytes each at most.
const MOST_SAID: u32 = 128 << 10;

/// What is left of the call's time for what comes after the script.
const AFTER: Duration = Duration::from_secs(1);

/// Makes the console's functions note what they are given, as the original does.
const LISTEN: &str = "function () {
    window.mcpHelper = { logs: [], originalConsole: { ...console } };
    ['log', 'info', 'warn', 'error'].forEach(method => {
        console[method] = (...args) => {
            window.mcpHelper.logs.push(`[${method}] ${args.join(' ')}`);
            window.mcpHelper.originalConsole[method](...args);
        };
    });
}";

/// Puts the console back and gives what was noted. A script that went to another page took the notes with it.
const STOP: &str = "function (most) {
    if (!window.mcpHelper) return '';
    Object.assign(console, window.mcpHelper.originalConsole);
    const text = window.mcpHelper.logs.join('\\n');
    delete window.mcpHelper;
    return text.length > most ? `${text.slice(0, most)}\\n(cut: ${most} of ${text.length} characters)` : text;
}";

/// The answer to `Runtime.evaluate` and `Runtime.callFunctionOn`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Evaluated {
    result: Remote,
    exception_details: Option<Thrown>,
}

/// The protocol's `RemoteObject`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remote {
    #[serde(rename = "type")]
    kind: String,
    subtype: Option<String>,
    class_name: Option<String>,
    pub(crate) value: Option<Box<RawValue>>,
    unserializable_value: Option<String>,
    description: Option<String>,
    pub(crate) object_id: Option<String>,
}

/// The protocol's `ExceptionDetails`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Thrown {
    text: String,
    exception: Option<Remote>,
    stack_trace: Option<Stack>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stack {
    call_frames: Vec<Value>,
}

/// Runs the script; gives its value and what was said, as the original shows them.
///
/// # Errors
/// [`Error::Failed`] with what the script threw.
pub(crate) fn run(page: &mut Page, script: &str) -> Result<String> {
    in_page(page, LISTEN, "")?;
    let shown = value(page, script);
    // Also after a script that failed: the page goes on, and its console is to work.
    let said = in_page(page, STOP, &MOST_SAID.to_string());
    let shown = shown?;
    let said: String =
        said?.value.map_or_else(|| Ok(String::new()), |said| serde_json::from_str(said.get()))?;
    Ok(format!("Execution result:\n{shown}\n\nConsole output:\n{said}"))
}

/// Calls one of our own functions in the page's own world, where its console is.
fn in_page(page: &mut Page, function: &str, argument: &str) -> Result<Remote> {
    let expression = format!("({function})({argument})");
    let done: Evaluated = page
        .command("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }))
        .map_err(reworded)?;
    checked(done)
}

fn value(page: &mut Page, script: &str) -> Result<String> {
    let left = page.ends().saturating_duration_since(Instant::now()).saturating_sub(AFTER);
    let run = json!({
        "expression": script,
        "returnByValue": true,
        "awaitPromise": true,
        "userGesture": true,
        // Ends a script that never does, so that the page can go on.
        "timeout": u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
    });
    let started = Instant::now();
    page.give_up_at(started + left + AFTER / 2);
    let done = page.command::<Evaluated>("Runtime.evaluate", run).and_then(checked);
    page.give_up_at(page.ends());
    match done {
        Err(_) if started.elapsed() >= left => bail!("the script did not end within {} ms", left.as_millis()),
        Ok(done) => shown(&done),
        // Puppeteer takes these for undefined.
        Err(error) if is(&error, "Object reference chain is too long") => Ok("undefined".to_owned()),
        Err(error) if is(&error, "Object couldn't be returned by value") => Ok("undefined".to_owned()),
        Err(error) => Err(reworded(error)),
    }
}

/// A value as `JSON.stringify(value, null, 2)` writes it.
fn shown(result: &Remote) -> Result<String> {
    match (result.unserializable_value.as_deref(), &result.value) {
        (Some("-0"), _) => Ok("0".to_owned()),
        (Some(_), _) if result.kind == "bigint" => bail!("Do not know how to serialize a BigInt"),
        (Some(_), _) => Ok("null".to_owned()),
        (None, Some(value)) => {
            let (text, all) = javascript::stringify(value, MOST)?;
            Ok(if all > text.len() { format!("{text}\n(cut: {} of {all} bytes)", text.len()) } else { text })
        }
        (None, None) if result.subtype.as_deref() == Some("null") => Ok("null".to_owned()),
        (None, None) => Ok("undefined".to_owned()),
    }
}

/// The value, or the message of what was thrown.
///
/// # Errors
/// [`Error::Failed`] with the message, as Puppeteer's errors have it.
pub(crate) fn checked(done: Evaluated) -> Result<Remote> {
    done.exception_details.map_or(Ok(done.result), |thrown| Err(Error::failed(message(&thrown))))
}

/// As Puppeteer's `createEvaluationError`. What was thrown and is no error has no message.
fn message(thrown: &Thrown) -> String {
    let Some(exception) = &thrown.exception else { return thrown.text.clone() };
    if exception.object_id.is_none() && exception.subtype.as_deref() != Some("error") {
        return "undefined".to_owned();
    }
    let description = exception.description.as_deref().unwrap_or_default();
    let mut lines: Vec<&str> = description.split("\n    at ").collect();
    let frames = thrown.stack_trace.as_ref().map_or(0, |stack| stack.call_frames.len());
    lines.truncate(lines.len() - frames.min(lines.len() - 1));
    let message = lines.join("\n");
    let name = exception.class_name.as_deref().unwrap_or_default();
    match message.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")) {
        Some(rest) if !name.is_empty() => rest.to_owned(),
        _ => message,
    }
}

fn is(error: &Error, text: &str) -> bool {
    error.to_string().contains(text)
}

/// Whether the document that was asked is no more.
pub(crate) fn lost_its_document(error: &Error) -> bool {
    [
        "Cannot find context with specified id",
        "Inspected target navigated or closed",
        "Execution context was destroyed",
    ]
    .iter()
    .any(|text| is(error, text))
}

fn reworded(error: Error) -> Error {
    if lost_its_document(&error) {
        return Error::failed("Execution context was destroyed, most likely because of a navigation.");
    }
    error
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn result(result: Value) -> Result<String> {
        shown(&checked(serde_json::from_value(json!({ "result": result })).unwrap())?)
    }

    #[test]
    fn values_are_shown_as_json_stringify_does() {
        assert_eq!(result(json!({ "type": "number", "value": 2 })).unwrap(), "2");
        assert_eq!(result(json!({ "type": "undefined" })).unwrap(), "undefined");
        assert_eq!(result(json!({ "type": "object", "subtype": "null", "value": null })).unwrap(), "null");
        assert_eq!(result(json!({ "type": "number", "unserializableValue": "NaN" })).unwrap(), "null");
        assert_eq!(result(json!({ "type": "number", "unserializableValue": "-0" })).unwrap(), "0");
        let big = result(json!({ "type": "bigint", "unserializableValue": "1n" })).unwrap_err();
        assert_eq!(big.to_string(), "Do not know how to serialize a BigInt");
        let long = result(json!({ "type": "string", "value": "x".repeat(MOST) })).unwrap();
        assert!(long.ends_with(&format!("x\n(cut: {MOST} of {} bytes)", MOST + 2)), "{}", long.len());
    }

    #[test]
    fn what_is_thrown_has_puppeteers_message() {
        let thrown = |exception: Value, frames: usize| {
            let details = json!({ "text": "Uncaught", "exception": exception, "stackTrace": { "callFrames": vec![json!({}); frames] } });
            let whole = json!({ "result": { "type": "object" }, "exceptionDetails": details });
            checked(serde_json::from_value(whole).unwrap()).err().unwrap().to_string()
        };
        let error = |description: &str| json!({ "type": "object", "subtype": "error", "className": "TypeError", "objectId": "1", "description": description });
        assert_eq!(thrown(error("TypeError: no\n    at f (a:1:2)\n    at b:3:4"), 2), "no");
        assert_eq!(thrown(error("TypeError: two\nlines\n    at f (a:1:2)"), 1), "two\nlines");
        assert_eq!(thrown(error("TypeError: no"), 5), "no");
        assert_eq!(thrown(json!({ "type": "string", "value": "x" }), 0), "undefined");
    }
}
