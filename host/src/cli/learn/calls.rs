//! Which calls are made to learn from: those on the command line or those of a file. Makes none.

use std::path::Path;

use serde_json::Value;

use crate::catalog::json as strict_json;
use crate::cli::Failure;

/// Bytes of a script.
const MAX_SCRIPT: u64 = 16 << 20;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// The tool, by the plugin's own name for it.
    pub(super) tool: String,
    /// A JSON object.
    pub(super) arguments: String,
}

impl Call {
    fn new(tool: &str, arguments: &str) -> Result<Self, String> {
        match strict_json::parse(arguments) {
            Ok(Value::Object(_)) => Ok(Self { tool: tool.to_owned(), arguments: arguments.to_owned() }),
            Ok(_) => Err(format!(
                "the arguments of {tool} are not a JSON object; write for example '{{\"name\": \"x\"}}'"
            )),
            Err(error) => Err(format!("the arguments of {tool}: {error}")),
        }
    }
}

/// `TOOL [JSON] [-- TOOL [JSON]]...`
pub(super) fn of_words(words: &[String]) -> Result<Vec<Call>, Failure> {
    let each = words.split(|word| word == "--").map(|words| match words {
        [tool] => Call::new(tool, "{}"),
        [tool, arguments] => Call::new(tool, arguments),
        [] => Err("`--` with no tool behind it; write -- TOOL '{…}'".to_owned()),
        [_, _, more, ..] => {
            Err(format!("{more:?}: is one word too many; write -- TOOL '{{…}}' -- TOOL '{{…}}'"))
        }
    });
    each.collect::<Result<_, _>>().map_err(Failure::new)
}

/// One `{"tool": …, "arguments": {…}}` a line.
pub(super) fn of_file(path: &Path) -> Result<Vec<Call>, Failure> {
    let fault = |why: &dyn std::fmt::Display| Failure::new(format!("{}: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| fault(&error))?.len();
    if size > MAX_SCRIPT {
        return Err(fault(&format!("has {size} bytes; at most {MAX_SCRIPT} are read")));
    }
    of_text(&std::fs::read_to_string(path).map_err(|error| fault(&error))?).map_err(|error| fault(&error))
}

fn of_text(text: &str) -> Result<Vec<Call>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let calls =
        lines.map(|(number, line)| of_line(line).map_err(|why| format!("line {}: {why}", number + 1)));
    calls.collect()
}

fn of_line(line: &str) -> Result<Call, String> {
    const FORM: &str = "write {\"tool\": \"NAME\", \"arguments\": {…}}";
    let value = strict_json::parse(line).map_err(|error| error.to_string())?;
    let object = value.as_object().ok_or_else(|| format!("is no JSON object; {FORM}"))?;
    if let Some(key) = object.keys().find(|key| !matches!(key.as_str(), "tool" | "arguments")) {
        return Err(format!("has a key {key:?}; {FORM}"));
    }
    let tool = object.get("tool").and_then(Value::as_str).ok_or_else(|| format!("names no tool; {FORM}"))?;
    Call::new(tool, &object.get("arguments").map_or_else(|| "{}".to_owned(), ToString::to_string))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn words(text: &str) -> Result<Vec<Call>, String> {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        of_words(&words).map_err(Failure::into_text)
    }

    fn call(tool: &str, arguments: &str) -> Call {
        Call { tool: tool.to_owned(), arguments: arguments.to_owned() }
    }

    #[test]
    fn calls_are_read_as_they_are_written() {
        assert_eq!(
            words(r#"a {"x":1} -- b -- c {}"#).unwrap(),
            [call("a", r#"{"x":1}"#), call("b", "{}"), call("c", "{}")]
        );
        let script = "{\"tool\": \"a\", \"arguments\": {\"x\": 1.50}}\n\n{\"tool\":\"b\"}\n";
        assert_eq!(of_text(script).unwrap(), [call("a", r#"{"x":1.50}"#), call("b", "{}")]);
    }

    #[test]
    fn what_is_no_call_is_said() {
        let mut said: Vec<String> =
            ["a {} {}", "a --", "a []", "a {", "--"].iter().map(|text| words(text).unwrap_err()).collect();
        said.extend(
            [
                "{}",
                "[]",
                "{\"tool\":1}",
                "{\"tool\":\"a\"}\n{\"tool\":\"a\",\"args\":{}}",
                "{\"tool\":\"a\",\"arguments\":[]}",
            ]
            .iter()
            .map(|text| of_text(text).unwrap_err()),
        );
        insta::assert_snapshot!(said.join("\n"));
    }
}
