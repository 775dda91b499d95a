//! `sequential-thinking` through the binary: what the published server does not have. Its answers are compared in `differential`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use kennel_tests::grants::{each_is_needed, tool_text};
use kennel_tests::{Client, Home};
use serde_json::{Value, json};

const TOOL: &str = "sequentialthinking";
const GRANT: &str = "[plugins.sequential-thinking.state]\nquota = \"2MiB\"\nscope = \"caller\"\n";

fn thought(text: &str) -> Value {
    json!({ "thought": text, "nextThoughtNeeded": true, "thoughtNumber": 1, "totalThoughts": 3 })
}

fn home(settings: &str) -> Home {
    let home = Home::new("sequential-thinking");
    home.plugin("sequential-thinking")
        .config(&format!("[plugins.sequential-thinking]\nprefix = \"\"\n{settings}\n{GRANT}"))
        .approve();
    home
}

fn connect(home: &Home) -> Client {
    let client = home.serve();
    client.initialize();
    client
}

fn length(client: &Client) -> u64 {
    client.call(TOOL, &thought("again"))["structuredContent"]["thoughtHistoryLength"].as_u64().unwrap()
}

#[test]
fn it_needs_its_store() {
    each_is_needed("sequential-thinking", "", &[("state is not granted", GRANT)], |client| {
        tool_text(client, TOOL, &thought("x")).map(drop)
    });
}

#[test]
fn a_history_outlives_the_host_and_ends_when_nothing_is_thought() {
    let kept = home("");
    assert_eq!(length(&connect(&kept)), 1);
    assert_eq!(length(&connect(&kept)), 2);

    let forgotten = home("settings = { forget-after-minutes = 0 }");
    let client = connect(&forgotten);
    length(&client);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(length(&client), 1);
}

#[test]
fn the_log_has_the_thought_on_one_line_unless_a_person_does_not_want_it() {
    let logged = home("");
    let loud = connect(&logged);
    loud.call(TOOL, &thought("CANARY\u{1b}[31m\nforged line"));
    let line = loud.logged("CANARY");
    assert!(line.contains("💭 Thought 1/3: CANARY"), "{line}");
    assert!(!line.contains('\u{1b}'), "{line}");
    assert!(!loud.stderr().lines().any(|line| line.starts_with("forged line")));

    let unlogged = home("settings = { disable-thought-logging = true }");
    let quiet = connect(&unlogged);
    quiet.call(TOOL, &thought("CANARY"));
    // Something that comes after the thought in the log, if the thought is in it at all.
    quiet.refused(TOOL, &json!({}));
    assert!(!quiet.stderr().contains("CANARY"), "{}", quiet.stderr());
}

#[test]
fn branches_are_bounded() {
    let home = home("");
    let client = connect(&home);
    let branch = |id: String| {
        let mut arguments = thought("x");
        arguments["branchFromThought"] = 1.into();
        arguments["branchId"] = id.into();
        arguments
    };
    let refused = tool_text(&client, TOOL, &branch("x".repeat(257))).unwrap_err();
    assert!(refused.contains("branchId is longer than 256 bytes"), "{refused}");
    for number in 0..1_000 {
        tool_text(&client, TOOL, &branch(format!("{number:0>256}"))).unwrap();
    }
    let refused = tool_text(&client, TOOL, &branch("one more".into())).unwrap_err();
    assert!(refused.contains("there are 1000 branches already"), "{refused}");
    // What was refused counted for nothing, and a known branch goes on.
    let answer = client.call(TOOL, &branch(format!("{:0>256}", 7)));
    assert_eq!(answer["structuredContent"]["thoughtHistoryLength"], 1_001);
}
