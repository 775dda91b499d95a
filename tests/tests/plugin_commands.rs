//! Commands that a plugin runs: command components of a granted folder, each in a sandbox of its own, through the tool
//! `execute` of `dev-assistant`. What they hold, what ends them, and what is said of them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use kennel_tests::process::{becomes_busy, becomes_idle};
use kennel_tests::{Client, Home, command_component, plugin_file, words};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// Said of a folder in which the plugin could write its own commands.
const REFUSED: &str = "put them into a folder of their own";

/// A home with a folder of commands (`words`, `other` and what is none) and one of documents, and its configuration.
fn home(more: &str) -> (Home, String) {
    let home = Home::new("plugin-commands");
    home.plugin("dev-assistant");
    let commands = home.folder("commands");
    std::fs::write(commands.join("words.wasm"), command_component()).unwrap();
    std::fs::write(commands.join("other.wasm"), command_component()).unwrap();
    std::fs::write(commands.join("text.wasm"), "no component").unwrap();
    std::fs::copy(plugin_file("hello"), commands.join("hello.wasm")).unwrap();
    let docs = home.folder("docs");
    std::fs::write(docs.join("one.txt"), "three little words").unwrap();
    let config = format!(
        "[plugins.dev-assistant]\nprefix = \"\"\n{more}\n\
         [[plugins.dev-assistant.directories]]\npath = {docs:?}\nas = \"/docs\"\nmode = \"read-write\"\n"
    );
    (home, config)
}

/// Served with all commands granted.
fn serving(more: &str) -> (Home, Client) {
    let (home, config) = home(more);
    let commands = home.folder("commands");
    home.config(&format!("{config}[plugins.dev-assistant.commands]\npath = {commands:?}\n")).approve();
    let client = home.serve();
    client.initialize();
    (home, client)
}

fn execute(client: &Client, arguments: &Value) -> Value {
    client.call("execute", arguments)
}

fn ran(client: &Client, arguments: &Value) -> Value {
    let result = execute(client, arguments);
    assert_ne!(result["isError"], true, "{result:#}");
    result["structuredContent"].clone()
}

#[test]
fn a_command_is_run_in_a_sandbox_of_its_own() {
    let (home, client) = serving("");
    let done = ran(&client, &json!({ "command": "words --shout", "stdin": "a dog and a kennel" }));
    assert_eq!(done, json!({ "stdout": "5 WORDS IN 0 FILES", "stderr": "", "exit_code": 0, "dropped": 0 }));
    // No directory unless it is passed on, and then that one.
    let without = ran(&client, &json!({ "command": "words", "arguments": ["/docs/one.txt"] }));
    assert_eq!((&without["exit_code"], &without["stdout"]), (&json!(1), &json!("")), "{without}");
    let with = json!({ "command": "words", "arguments": ["/docs/one.txt"], "directories": ["/docs"] });
    assert_eq!(ran(&client, &with)["stdout"], "3 words in 1 files");
    // Nothing of the machine's, nor of the plugin's.
    assert_eq!(ran(&client, &json!({ "command": "words --variables" }))["stdout"], "0 words in 0 files");
    // It may do what the plugin may, and that is in the audit.
    ran(&client, &json!({ "command": "words --erase /docs/one.txt", "directories": ["/docs"] }));
    assert!(!home.folder("docs").join("one.txt").exists());
    drop(client);
    home.kennel(["audit", "show", "--format", "json"]).success().stdout_has("to run commands of ");
}

#[test]
fn what_was_not_granted_is_not_run() {
    let (home, config) = home("");
    home.config(&config).approve();
    let client = home.serve();
    client.initialize();
    let denied = client.refused("execute", &json!({ "command": "words" }));
    assert!(denied.contains("it holds no commands"), "{denied}");
    drop(client);
    let folder = home.folder("commands");
    let folder = folder.to_str().unwrap();
    home.kennel(["allow", "dev-assistant", "--commands", folder, "--only", "words,hello,text,gone"])
        .success();
    let client = home.serve();
    client.initialize();
    assert_eq!(ran(&client, &json!({ "command": "words" }))["stdout"], "0 words in 0 files");
    for (command, says) in [
        ("other", "it holds no command of this name"),
        ("../commands/words", "it holds no command of this name"),
        ("gone", "there is no command gone; there are: hello, text, words"),
        ("hello", "it is no command: it does not export wasi:cli/run@0.2"),
        ("text", "it is not a WebAssembly component"),
    ] {
        let refused = client.refused("execute", &json!({ "command": command }));
        assert!(refused.contains(says), "{command}: {refused}");
    }
    // What can be passed on is a directory that the plugin holds, as it holds it.
    std::fs::create_dir(home.folder("docs").join("below")).unwrap();
    for directory in ["/docs/below", "/docs"] {
        let result = execute(&client, &json!({ "command": "words", "directories": [directory] }));
        let refused = words(&result).contains("a directory that it does not hold");
        assert_eq!(refused, directory != "/docs", "{result}");
    }

    let explain = |what: &str| home.kennel(["explain", "dev-assistant", "run", what]);
    explain("words").success().stdout_has("commands");
    explain("other").failure().stdout_has("it holds no command of this name");
    home.kennel(["grants", "dev-assistant"]).success().stdout_has("only words, hello, text, gone");
    home.kennel(["revoke", "dev-assistant", "--commands"]).success();
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let result = execute(&client, &json!({ "command": "words" }));
        if words(&result).contains("it holds no commands") {
            break;
        }
        assert!(Instant::now() < end, "{result}");
    }
}

#[test]
fn a_command_ends_at_its_bounds() {
    let limits = "[plugins.dev-assistant.limits]\nfuel = \"60M\"\ndeadline = \"5m\"\nstdio = \"1KiB\"\n";
    let (home, client) = serving(limits);
    let flood = ran(&client, &json!({ "command": "words --flood" }));
    assert_eq!(flood["stdout"].as_str().unwrap().len(), 1 << 10, "{flood}");
    let failed = client.refused("execute", &json!({ "command": "words --fail" }));
    assert!(failed.contains("trap"), "{failed}");
    let slow = client.refused("execute", &json!({ "command": "words --spin", "timeout": 1 }));
    // Which of the two bounds comes first is the machine's matter.
    assert!(slow.contains("it took longer than the 1000 ms") || slow.contains("fuel"), "{slow}");
    // What it uses is the call's.
    let fuel = |command: &str| {
        let arguments = json!({ "command": command }).to_string();
        let run = home.kennel(["call", "dev-assistant", "execute", &arguments, "--format", "json"]);
        run.success().json()["usage"]["fuel"].as_u64().unwrap()
    };
    let (little, much) = (fuel("words"), fuel("words --flood"));
    assert!(much > little + 1_000_000, "2 000 lines cost {much}, none {little}");
    let spun = client.refused("execute", &json!({ "command": "words --spin" }));
    assert!(spun.contains("limit: fuel"), "{spun}");
    // And none of that is held against the plugin.
    assert_eq!(ran(&client, &json!({ "command": "words" }))["stdout"], "0 words in 0 files");
}

#[test]
fn a_command_ends_with_its_call() {
    let limits = "[plugins.dev-assistant.limits]\nfuel = \"1000000M\"\ndeadline = \"5m\"\n";
    let (home, client) = serving(limits);
    let params = Client::call_params("execute", &json!({ "command": "words --spin" }));
    let id = client.send("tools/call", params.clone());
    becomes_busy(client.pid(), PATIENCE);
    client.cancel(id);
    becomes_idle(client.pid(), PATIENCE);
    let id = client.send("tools/call", params);
    becomes_busy(client.pid(), PATIENCE);
    home.kennel(["revoke", "dev-assistant", "--commands"]).success();
    let ended = client.wait(id).unwrap();
    assert!(words(&ended).contains("revoked"), "{ended}");
    becomes_idle(client.pid(), PATIENCE);
}

#[test]
fn the_folder_is_checked_like_a_directory() {
    let (home, config) = home("");
    let docs = home.folder("docs");
    for folder in [docs.join("below"), docs.clone()] {
        std::fs::create_dir_all(&folder).unwrap();
        home.config(&format!("{config}[plugins.dev-assistant.commands]\npath = {folder:?}\n"));
        let run = home.kennel(["check"]);
        run.failure();
        assert!(format!("{}{}", run.stdout, run.stderr).contains(REFUSED), "{}: {run}", folder.display());
    }
    for (commands, says) in [
        ("path = \"/no/such/folder\"", "does not exist"),
        ("only = [\"a\"]", "`path` is missing"),
        ("path = \".\"", "kennel.toml"),
        ("path = \"/tmp\"\nonly = [\"../a\"]", "is not the name of a command"),
        ("path = \"/tmp\"\nonly = []", "name at least one"),
    ] {
        home.config(&format!("[plugins.dev-assistant.commands]\n{commands}\n"));
        let run = home.kennel(["check"]);
        run.failure();
        assert!(format!("{}{}", run.stdout, run.stderr).contains(says), "{commands}: {run}");
    }
}
