//! The files `tests/*.json`: which calls, and what is expected of them. Reads and checks; calls nothing.
//! Must not let a mistake pass: a key it does not know, or a file without a call, is an error.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::catalog::json;

/// A file of calls that share state, in order.
#[derive(Debug)]
pub(super) struct Test {
    /// The file's name without `.json`.
    pub(super) name: String,
    /// The calls, or why the file cannot be used.
    pub(super) calls: Result<Vec<Call>, CaseError>,
    /// Where the snapshot of calls without `expect` is.
    pub(super) snapshot: PathBuf,
}

/// Why a file of calls cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaseError {
    /// The system says no.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// Not JSON.
    #[error("is not JSON: {0}")]
    Json(String),
    /// Not a call.
    #[error("call {at}: {why}")]
    Call {
        /// From 1.
        at: usize,
        /// What is wrong.
        why: String,
    },
    /// No call.
    #[error("is an empty list; write at least one call")]
    Empty,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    /// What is called with what.
    pub(super) what: What,
    /// Answers to the plugin's questions: result objects by the questions' keys.
    pub(super) answers: Map<String, Value>,
    /// What is expected; none for a snapshot.
    pub(super) expect: Option<Expect>,
}

/// What is called with what, by the plugin's own names.
#[derive(Debug)]
pub(super) enum What {
    Tool { name: String, arguments: Map<String, Value> },
    Resource { uri: String },
    Prompt { name: String, arguments: BTreeMap<String, String> },
}

/// What is expected of an answer. What is not said is not compared, but that a call fails must be said.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Expect {
    /// All texts of the answer, a line feed between them.
    pub(super) text: Option<String>,
    /// Parts of these texts.
    #[serde(default, deserialize_with = "one_or_more")]
    pub(super) text_contains: Vec<String>,
    /// The structured content.
    #[serde(default, deserialize_with = "given")]
    pub(super) structured: Option<Value>,
    /// Whether the tool says that it failed; not said means no.
    pub(super) is_error: Option<bool>,
    /// The whole result object, as a client gets it.
    pub(super) result: Option<Value>,
    /// The message of the JSON-RPC error that stands in the place of a result.
    pub(super) error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    tool: Option<String>,
    resource: Option<String>,
    prompt: Option<String>,
    arguments: Option<Map<String, Value>>,
    #[serde(default)]
    answers: Map<String, Value>,
    expect: Option<Expect>,
}

/// `null` is a value to compare with, unlike a key that is not there.
fn given<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

fn one_or_more<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    match Value::deserialize(from)? {
        Value::String(text) => Ok(vec![text]),
        other => Vec::deserialize(other)
            .map_err(|_| serde::de::Error::custom("is neither a text nor a list of texts")),
    }
}

/// The tests in a folder, by name; those whose name contains `filter`. A folder that is not there has none.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) fn tests(folder: &Path, filter: Option<&str>) -> io::Result<Vec<Test>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut tests = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if filter.is_none_or(|filter| name.contains(filter)) {
            let calls = fs::read_to_string(&path).map_err(CaseError::from).and_then(|text| calls(&text));
            tests.push(Test { name, calls, snapshot: path.with_extension("snap") });
        }
    }
    tests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tests)
}

fn calls(text: &str) -> Result<Vec<Call>, CaseError> {
    let all = match json::parse(text).map_err(|error| CaseError::Json(error.to_string()))? {
        Value::Array(all) => all,
        one => vec![one],
    };
    if all.is_empty() {
        return Err(CaseError::Empty);
    }
    let read = |(at, value)| call(value).map_err(|why| CaseError::Call { at: at + 1, why });
    all.into_iter().enumerate().map(read).collect()
}

fn call(value: Value) -> Result<Call, String> {
    if !value.is_object() {
        return Err("is not an object; write for example {\"tool\": \"hello\", \"arguments\": {}}".to_owned());
    }
    let Written { tool, resource, prompt, arguments, answers, expect } =
        serde_path_to_error::deserialize(value).map_err(|error| error.to_string())?;
    let what = match (tool, resource, prompt) {
        (Some(name), None, None) => What::Tool { name, arguments: arguments.unwrap_or_default() },
        (None, None, Some(name)) => {
            let text = |(key, value): (String, Value)| match value {
                Value::String(text) => Ok((key, text)),
                other => Err(format!("arguments.{key}: a prompt's arguments are texts, this is {other}")),
            };
            let arguments = arguments.unwrap_or_default().into_iter().map(text).collect::<Result<_, _>>()?;
            What::Prompt { name, arguments }
        }
        (None, Some(_), None) if arguments.is_some() => {
            return Err("a resource takes no arguments; they are in its URI".to_owned());
        }
        (None, Some(uri), None) => What::Resource { uri },
        _ => return Err("say one of \"tool\", \"resource\" and \"prompt\"".to_owned()),
    };
    if let Some(expect) = &expect {
        expect.check()?;
    }
    Ok(Call { what, answers, expect })
}

impl Expect {
    fn check(&self) -> Result<(), String> {
        let says_parts = self.text.is_some()
            || !self.text_contains.is_empty()
            || self.structured.is_some()
            || self.is_error.is_some();
        match (says_parts, &self.result, &self.error) {
            (false, None, None) => {
                Err("expect: says nothing; leave it out to compare with a snapshot".to_owned())
            }
            (true, None, None) | (false, Some(_), None) | (false, None, Some(_)) => Ok(()),
            _ => Err("expect: \"result\" and \"error\" each stand alone".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let said = [
            "{",
            "[]",
            "1",
            "{}",
            r#"{"tool": "a", "prompt": "b"}"#,
            r#"{"tool": "a", "argument": {}}"#,
            r#"{"tool": "a", "tool": "b"}"#,
            r#"{"tool": "a", "arguments": []}"#,
            r#"{"resource": "x:y", "arguments": {}}"#,
            r#"{"prompt": "a", "arguments": {"n": 1}}"#,
            r#"{"tool": "a", "expect": {}}"#,
            r#"[{"tool": "a"}, {"tool": "a", "expect": {"txt": "b"}}]"#,
            r#"{"tool": "a", "expect": {"textContains": 1}}"#,
            r#"{"tool": "a", "expect": {"textContains": []}}"#,
            r#"{"tool": "a", "expect": {"error": "no", "text": "b"}}"#,
        ]
        .map(|text| format!("{text}\n  {}", calls(text).unwrap_err()));
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn null_is_something_to_expect() {
        let calls = calls(r#"{"tool": "a", "expect": {"structured": null}}"#).unwrap();
        assert_eq!(calls[0].expect.as_ref().unwrap().structured, Some(Value::Null));
    }

    #[test]
    fn only_json_files_count_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["b.json", "a.json", "kennel.toml", "a.snap", "it.rs"] {
            fs::write(folder.path().join(file), r#"{"tool": "a"}"#).unwrap();
        }
        let names = |filter| -> Vec<String> {
            tests(folder.path(), filter).unwrap().into_iter().map(|test| test.name).collect()
        };
        assert_eq!(names(None), ["a", "b"]);
        assert_eq!(names(Some("b")), ["b"]);
        assert!(tests(&folder.path().join("none"), None).unwrap().is_empty());
    }
}
