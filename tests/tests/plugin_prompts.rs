//! `prompts` through the binary: each prompt's messages, and a file and a log attached out of a granted folder.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use kennel_tests::{Client, Home, each_grant_is_needed};
use serde_json::{Value, json};

const FIRST: &str = "[plugins.prompts]\nprefix = \"\"\n";

fn get(client: &Client, name: &str, arguments: &Value) -> Result<Vec<Value>, String> {
    let result = client.request("prompts/get", json!({ "name": name, "arguments": arguments }));
    let result = result.map_err(|error| error["message"].as_str().unwrap().to_owned())?;
    Ok(result["messages"].as_array().unwrap().clone())
}

/// A folder with a source file and a log, and the lines that grant it.
fn project(home: &Home) -> String {
    let folder = home.folder("project");
    let time = |ago: u64| {
        let at = SystemTime::now() - Duration::from_secs(ago);
        humantime::format_rfc3339_seconds(at).to_string().replace('T', " ").replace('Z', "")
    };
    std::fs::write(folder.join("my code.py"), "print('é')\n").unwrap();
    let log = format!(
        "[{}] ERROR: long ago\n  its trace\n[{}] ERROR: lately\n  its trace, too\n",
        time(90_000),
        time(600)
    );
    std::fs::write(folder.join("server.log"), log).unwrap();
    std::fs::write(folder.join("binary"), b"\xff\xfe\x00").unwrap();
    std::fs::write(folder.join("long.rs"), "x".repeat(300_000)).unwrap();
    folder.to_str().unwrap().to_owned()
}

fn granted(folder: &str) -> String {
    format!("[[plugins.prompts.directories]]\npath = \"{folder}\"\nmode = \"read-only\"\n")
}

#[test]
fn each_prompt_says_what_it_is_for() {
    let home = Home::new("prompts");
    home.plugin("prompts").config(FIRST).approve();
    let client = home.serve();
    client.initialize();
    let list = client.request("prompts/list", Value::Null).unwrap();
    let list: Vec<_> = list["prompts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|prompt| {
            let arguments = prompt["arguments"].as_array().unwrap().iter();
            let required = arguments.filter(|argument| argument["required"] == true);
            let names: Vec<_> = required.map(|argument| argument["name"].as_str().unwrap()).collect();
            (prompt["name"].as_str().unwrap(), names.join(" "))
        })
        .collect();
    let expected = [
        ("analyze-code", "language"),
        ("analyze-project", "timeframe fileUri"),
        ("code_review", "language diff"),
        ("debug-error", "error"),
        ("debug_assistant", "error_message"),
        ("explain-code", "code"),
        ("git-commit", "changes"),
    ];
    assert_eq!(list, expected.map(|(name, required)| (name, required.to_owned())));

    for (name, arguments, expected) in [
        (
            "git-commit",
            json!({ "changes": "+ a line" }),
            json!([[
                "user",
                "Generate a concise but descriptive commit message for these changes:\n\n+ a line"
            ]]),
        ),
        (
            "explain-code",
            json!({ "code": "x = 1", "language": "Python" }),
            json!([["user", "Explain how this Python code works:\n\nx = 1"]]),
        ),
        (
            "explain-code",
            json!({ "code": "x = 1" }),
            json!([["user", "Explain how this Unknown code works:\n\nx = 1"]]),
        ),
        (
            "analyze-code",
            json!({ "language": "Rust", "code": "fn main() {}" }),
            json!([[
                "user",
                "Please analyze the following Rust code for potential improvements:\n\n```rust\nfn main() {}\n```"
            ]]),
        ),
        (
            "debug-error",
            json!({ "error": "E1", "tried": "a restart" }),
            json!([
                ["user", "Here's an error I'm seeing: E1"],
                ["assistant", "I'll help analyze this error. What have you tried so far?"],
                ["user", "I've tried this, but the error persists: a restart"],
            ]),
        ),
    ] {
        let messages = get(&client, name, &arguments).unwrap();
        let said: Vec<_> =
            messages.iter().map(|message| json!([message["role"], message["content"]["text"]])).collect();
        assert_eq!(json!(said), expected, "{name}");
    }
    let review = get(&client, "code_review", &json!({ "language": "Go", "diff": "- a\n+ ```" })).unwrap();
    let text = review[0]["content"]["text"].as_str().unwrap();
    assert!(text.contains("Go change") && text.ends_with("````diff\n- a\n+ ```\n````"), "{text}");
    assert_eq!(get(&client, "debug_assistant", &json!({ "error_message": "E2" })).unwrap().len(), 2);
    assert!(get(&client, "git-commit", &json!({})).is_err());

    let argument = json!({ "name": "language", "value": "ru" });
    let asked = json!({ "ref": { "type": "ref/prompt", "name": "code_review" }, "argument": argument });
    assert_eq!(
        client.request("completion/complete", asked).unwrap()["completion"]["values"],
        json!(["Ruby", "Rust"])
    );
}

#[test]
fn a_file_and_the_log_of_late_are_attached() {
    let home = Home::new("prompts");
    let folder = project(&home);
    let settings = format!("[plugins.prompts.settings]\nlog-file = \"{folder}/server.log\"\n");
    home.plugin("prompts").config(&format!("{FIRST}{}{settings}", granted(&folder))).approve();
    let client = home.serve();
    client.initialize();
    let uri = format!("file://{folder}/my%20code.py");
    let messages = get(&client, "analyze-project", &json!({ "timeframe": "1h", "fileUri": uri })).unwrap();
    let [text, log, file] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(text["content"]["text"], "Analyze these system logs and the code file for any issues:");
    let log = &log["content"]["resource"];
    assert_eq!((&log["uri"], &log["mimeType"]), (&json!("logs://recent?timeframe=1h"), &json!("text/plain")));
    let said = log["text"].as_str().unwrap();
    assert!(said.contains("ERROR: lately\n  its trace, too\n") && !said.contains("long ago"), "{said}");
    assert_eq!(
        file["content"]["resource"],
        json!({ "uri": uri, "mimeType": "text/x-python", "text": "print('é')\n" })
    );
    let all = get(&client, "analyze-project", &json!({ "timeframe": "2days", "fileUri": uri })).unwrap();
    assert!(all[1]["content"]["resource"]["text"].as_str().unwrap().contains("long ago\n  its trace\n"));

    for (timeframe, uri, why) in [
        ("soon", uri.clone(), "span of time"),
        ("1h", "https://example.org/x".to_owned(), "file:///"),
        ("1h", format!("file://{folder}/absent"), "cannot read"),
        ("1h", format!("file://{folder}/../kennel.toml"), "cannot read"),
        ("1h", "file:///etc/hostname".to_owned(), "cannot read"),
        ("1h", format!("file://{folder}/binary"), "is no text"),
        ("1h", format!("file://{folder}/long.rs"), "262144 bytes"),
    ] {
        let error =
            get(&client, "analyze-project", &json!({ "timeframe": timeframe, "fileUri": uri })).unwrap_err();
        assert!(error.contains(why), "{timeframe} {uri}: {error}");
    }
}

#[test]
fn it_holds_nothing_that_it_does_not_need() {
    let project_home = Home::new("project");
    let folder = project(&project_home);
    each_grant_is_needed("prompts", FIRST, &[("directories", granted(&folder))], None, |client| {
        let arguments = json!({ "timeframe": "1h", "fileUri": format!("file://{folder}/my%20code.py") });
        get(client, "analyze-project", &arguments).map(drop)
    });
}
