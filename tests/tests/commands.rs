//! Command components (`wasi:cli/command`): a program like any other, built here for WASI, that a person makes a tool with a
//! few lines of `kennel.toml`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use kennel_tests::{Client, Home, command_component, words};
use serde_json::{Value, json};

const CONFIG: &str = r#"
[plugins.words]
kind = "command"
description = "Counts words."

[[plugins.words.arguments]]
name = "least"
description = "Only words of so many letters"
type = "integer"
flag = "--least"

[[plugins.words.arguments]]
name = "shout"
type = "boolean"
flag = "--shout"

[[plugins.words.arguments]]
name = "text"
stdin = true

[[plugins.words.arguments]]
name = "files"
many = true
"#;

fn serving(config: &str) -> (Home, Client) {
    let home = Home::new("commands");
    home.bytes("words", command_component()).config(config).approve();
    let client = home.serve();
    client.initialize();
    (home, client)
}

fn with_folder(folder: &Path) -> String {
    format!("{CONFIG}\n[[plugins.words.directories]]\npath = {folder:?}\nas = \"/docs\"\n")
}

#[test]
fn a_command_is_a_tool() {
    let (home, client) = serving(CONFIG);
    let listed = client.request("tools/list", json!({})).unwrap();
    let tool = &listed["tools"][0];
    assert_eq!((&tool["name"], &tool["description"]), (&json!("words__run"), &json!("Counts words.")));
    assert_eq!(
        tool["inputSchema"]["properties"],
        json!({
            "least": {"type": "integer", "description": "Only words of so many letters"},
            "shout": {"type": "boolean"},
            "text": {"type": "string"},
            "files": {"type": "array", "items": {"type": "string"}, "maxItems": 1000},
        })
    );
    let run = |arguments: Value| client.call("words__run", &arguments);
    let done = run(json!({"text": "a dog and a kennel"}));
    assert_eq!(words(&done), "5 words in 0 files");
    assert_eq!(
        done["structuredContent"],
        json!({"stdout": "5 words in 0 files", "stderr": "", "exitCode": 0})
    );
    assert_eq!(
        words(&run(json!({"text": "a dog and a kennel", "least": 3, "shout": true}))),
        "3 WORDS IN 0 FILES"
    );

    // What is no argument of the person's is none of the caller's.
    let refused = client.refused("words__run", &json!({"files": ["--spin"]}));
    assert!(refused.contains("\"files\" begins with \"-\""), "{refused}");
    assert!(client.refused("words__run", &json!({"spin": true})).contains("spin"));
    home.kennel(["list"]).success().stdout_has("words__run").stdout_has("holds      nothing");
}

#[test]
fn a_command_holds_what_was_granted_and_no_more() {
    let home = Home::new("commands-grants");
    let docs = home.folder("docs");
    std::fs::write(docs.join("one.txt"), "three little words").unwrap();
    home.bytes("words", command_component());
    let run = || {
        let run =
            home.kennel(["call", "words", "run", r#"{"files": ["/docs/one.txt"]}"#, "--format", "json"]);
        run.json()["structured"].clone()
    };
    home.config(CONFIG).approve();
    let denied = run();
    // It ended itself with 3; WASI 0.2 tells success from failure and no more.
    assert_eq!(
        (&denied["exitCode"], &denied["stdout"]),
        (&json!(1), &json!("")),
        "nothing is granted: {denied}"
    );
    assert!(denied["stderr"].as_str().unwrap().starts_with("/docs/one.txt: "), "{denied}");
    home.config(&with_folder(&docs));
    assert_eq!(run()["stdout"], "3 words in 1 files");
    // Other bytes under the name get nothing before they are approved.
    home.bytes("words", &[command_component(), &[0, 3, 1, b'x', 0]].concat());
    home.kennel(["list"]).failure().stdout_has("words  waiting");
}

#[test]
fn a_command_ends_at_its_bounds() {
    let flags = ["spin", "fail", "flood", "variables"].map(|name| {
        format!("\n[[plugins.words.arguments]]\nname = \"{name}\"\ntype = \"boolean\"\nflag = \"--{name}\"\n")
    });
    let limits = "\n[plugins.words.limits]\nfuel = \"20M\"\ndeadline = \"5m\"\nstdio = \"1KiB\"\n";
    let (_home, client) = serving(&format!("{CONFIG}{}{limits}", flags.concat()));
    assert!(client.refused("words__run", &json!({"spin": true})).contains("limit: fuel"));
    let failed = client.refused("words__run", &json!({"fail": true}));
    assert!(failed.contains("trap"), "{failed}");
    let flood = client.call("words__run", &json!({"flood": true}));
    assert_eq!(flood["structuredContent"]["stdout"].as_str().unwrap().len(), 1 << 10);
    assert!(words(&flood).contains("more bytes were printed and dropped"), "{flood:#}");
    // Nothing of the machine's, nor of the person's, comes along.
    assert_eq!(words(&client.call("words__run", &json!({"variables": true}))), "0 words in 0 files");
}

#[test]
fn what_is_no_command_and_what_was_not_described_is_told() {
    let home = Home::new("commands-faults");
    home.bytes("words", command_component()).plugin("hello");
    home.kennel(["list"]).failure().stdout_has(
        "it is a command, which has no tools of its own; to make it one write `kind = \"command\"`",
    );
    home.config(&CONFIG.replace("plugins.words", "plugins.hello"));
    home.kennel(["list"]).failure().stdout_has("it is no command: it does not export wasi:cli/run@0.2");
    for (wrong, says) in [
        ("kind = \"program\"", "is neither \"plugin\" nor \"command\""),
        ("description = \"x\"", "it is for commands"),
        ("kind = \"command\"", "`description` is missing"),
        ("kind = \"command\"\ndescription = \"x\"\narguments = [{name = \"a\", flag = \"a\"}]", "is no flag"),
        ("kind = \"command\"\ndescription = \"x\"\narguments = [{flag = \"-a\"}]", "`name` is missing"),
        (
            "kind = \"command\"\ndescription = \"x\"\narguments = [{name = \"a\", type = \"boolean\"}]",
            "needs a `flag`",
        ),
        (
            "kind = \"command\"\ndescription = \"x\"\narguments = [{name = \"a\"}, {name = \"b\"}]",
            "its place would not be known",
        ),
        (
            "kind = \"command\"\ndescription = \"x\"\narguments = [{name = \"a\", stdin = true}, {name = \"b\", stdin = true}]",
            "standard input already",
        ),
    ] {
        home.config(&format!("[plugins.words]\n{wrong}\n"));
        let run = home.kennel(["check"]);
        run.failure();
        assert!(format!("{}{}", run.stdout, run.stderr).contains(says), "{wrong}: {run}");
    }
}
