//! `everything` beside npm's `@modelcontextprotocol/server-everything`. The plugin has the conformance suite's fixtures as well,
//! so the lists are compared name by name.

use std::path::Path;
use std::process::Command;

use kennel_tests::{Client, Home, source_root};
use serde_json::{Value, json};

use crate::server::{Server, npm};

pub(crate) struct Everything;

impl Server for Everything {
    const NAME: &'static str = "everything";
    const TABLE: &'static str = include_str!("everything.json");

    fn reference(&self, _: &Home, _: &Path) -> Command {
        let mut command = npm("server-everything");
        command.env("TZ", "UTC");
        command
    }

    fn settings(&self, _: &Path) -> String {
        "elicit = true\nsample = true\nroots = true\n".to_owned()
    }

    /// The time of day at which a resource was made, in texts and in blobs (base64 of a text).
    fn text(&self, _: &str, text: &str) -> Value {
        if let Some((before, _)) = text.split_once(" created at ") {
            return format!("{before} created at (time)").into();
        }
        // `Resource N: This is a base64 blob` comes before it.
        match text.strip_prefix("UmVzb3VyY2Ug").and_then(|rest| rest.get(..32)) {
            Some(begun) => format!("UmVzb3VyY2Ug{begun}(and a time)").into(),
            None => text.into(),
        }
    }
}

/// What the plugin does not have, and why.
const LEFT_OUT: [(&str, &str); 5] = [
    ("gzip-file-as-resource", "it fetches from wherever it is told to, for the example of a fixture"),
    ("toggle-simulated-logging", "nothing of a plugin goes on after its call"),
    ("toggle-subscriber-updates", "nothing of a plugin goes on after its call"),
    ("trigger-url-elicitation", "its error path is an error code that a plugin cannot choose"),
    ("simulate-research-query", "the tasks of 2025-11-25, an experiment that the host does not have"),
];

/// Each entry of the reference's list is in the plugin's, the same but for annotations and for what no task says.
#[test]
fn every_tool_prompt_and_template_is_there() {
    let home = Home::new("everything-lists");
    let config = std::fs::read_to_string(source_root().join("plugins/everything/kennel.toml")).unwrap();
    home.plugin("everything").config(&config).approve();
    let capabilities = json!({ "roots": {}, "sampling": {}, "elicitation": { "form": {}, "url": {} } });
    let ours = home.serve();
    let theirs = Client::start(Everything.reference(&home, Path::new("/")));
    for client in [&ours, &theirs] {
        client.initialize_with("2025-11-25", &capabilities);
    }
    for (method, key) in [
        ("tools/list", "tools"),
        ("prompts/list", "prompts"),
        ("resources/templates/list", "resourceTemplates"),
    ] {
        let list =
            |client: &Client| client.request(method, json!({})).unwrap()[key].as_array().unwrap().clone();
        let mine = list(&ours);
        let all = list(&theirs);
        assert!(!all.is_empty(), "{method}");
        for wanted in all {
            let name = wanted["name"].as_str().unwrap();
            if LEFT_OUT.iter().any(|(left_out, _)| *left_out == name) {
                assert!(!mine.iter().any(|entry| entry["name"] == name), "{name} is there now");
                continue;
            }
            let found =
                mine.iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("no {name}"));
            assert_eq!(plain(found), plain(&wanted), "{name}");
        }
    }
}

/// An entry without what the host says by itself.
fn plain(entry: &Value) -> Value {
    let mut entry = entry.clone();
    let fields = entry.as_object_mut().unwrap();
    for key in ["annotations", "execution", "_meta"] {
        fields.remove(key);
    }
    // No arguments are said by an empty list, or by none.
    if fields.get("arguments").is_some_and(|arguments| *arguments == json!([])) {
        fields.remove("arguments");
    }
    entry
}
