//! What is listed and under which names: broken plugins beside good ones, several names for one component, patterns,
//! prefixes, collisions, and what a call must fit.
//! Everything is asked of a running server and of the command line alike.
//! No test may look into Kennel's home beyond what a person would.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kennel_tests::{Client, Home, Trial};
use serde_json::{Value, json};

/// The full names of all tools that are listed now.
fn tools(client: &Client) -> BTreeSet<String> {
    let list = client.request("tools/list", Value::Null).unwrap();
    assert!(list.get("nextCursor").is_none(), "{list}");
    let tools = list["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {result}"))
}

/// The text of a call that must succeed.
#[track_caller]
fn said(client: &Client, tool: &str, arguments: &Value) -> String {
    let result = client.call(tool, arguments);
    assert_ne!(result["isError"], true, "{tool}: {result}");
    text(&result).to_owned()
}

/// The text of a call that must fail as a tool, not as a request.
#[track_caller]
fn failed(client: &Client, tool: &str, arguments: &Value) -> String {
    let result = client.call(tool, arguments);
    assert_eq!(result["isError"], true, "{tool}: {result}");
    text(&result).to_owned()
}

/// Waits until the server's log says something.
#[track_caller]
fn logged(client: &Client, words: &[&str]) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let log = client.stderr();
        if let Some(line) = log.lines().find(|line| words.iter().all(|word| line.contains(word))) {
            return line.to_owned();
        }
        assert!(Instant::now() < end, "no line with {words:?} in\n{log}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until the server's list is this one, asking only when the server says that it changed.
#[track_caller]
fn becomes(client: &Client, expected: &[&str]) {
    let expected: BTreeSet<_> = expected.iter().map(|name| (*name).to_owned()).collect();
    loop {
        // The first may speak of the plugins that were loaded while the client was initialised.
        client.notification("notifications/tools/list_changed");
        if tools(client) == expected {
            return;
        }
    }
}

/// A plugin as `kennel list --format json` shows it.
#[track_caller]
fn listed(home: &Home, name: &str) -> Value {
    let all = home.kennel(["list", "--format", "json"]).json();
    let plugins = all["plugins"].as_array().unwrap();
    let found = plugins.iter().find(|plugin| plugin["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {all:#}")).clone()
}

#[test]
fn broken_plugins_beside_good_ones_harm_nobody() {
    let home = Home::new("broken");
    for name in ["time", "hello", "memory", "notes", "trial"] {
        home.plugin(name);
    }
    home.config("[plugins.memory.state]\n[plugins.notes.state]\n").approve();
    let good_only = home.serve();
    good_only.initialize();
    let good = tools(&good_only);
    assert!(good.len() > 20, "{good:?}");
    drop(good_only);

    let random: Vec<u8> = (0_u32..20_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut cut_off = Trial::new().bytes().to_vec();
    cut_off.truncate(cut_off.len() / 2);
    // Names before, between and after the good ones, so that no order helps.
    home.bytes("a-loops", Trial::new().listing("loop").bytes())
        .bytes("b-sleeps", Trial::new().listing("sleep").bytes())
        .bytes("i-trap", Trial::new().listing("trap").bytes())
        .bytes("n-panics", Trial::new().listing("panic").bytes())
        .bytes("p-random", &random)
        .bytes("q-empty", b"")
        .bytes("z-cut-off", &cut_off);
    let broken = [
        // Whichever of its bounds it meets first: fuel, or on a busy machine the wall clock.
        ("a-loops", "limit: "),
        ("b-sleeps", "wall clock"),
        ("i-trap", "unreachable"),
        ("n-panics", "this variant panics when its tools are listed"),
        ("p-random", "WebAssembly"),
        ("q-empty", "empty"),
        ("z-cut-off", "WebAssembly"),
    ];

    let client = home.serve();
    client.initialize();
    assert_eq!(tools(&client), good);
    assert_eq!(said(&client, "hello__hello", &json!({"name": "Rex"})), "Hello, Rex!");
    assert_eq!(said(&client, "trial__echo", &json!({"text": "ok"})), "ok");
    said(&client, "notes__create_note", &json!({"title": "a", "content": "b"}));
    said(&client, "memory__read_graph", &json!({}));
    said(&client, "time__get_current_time", &json!({"timezone": "UTC"}));
    let resources = client.request("resources/list", Value::Null).unwrap();
    assert_eq!(resources["resources"].as_array().map(Vec::len), Some(2), "{resources}");
    let prompts = client.request("prompts/list", Value::Null).unwrap();
    assert_eq!(prompts["prompts"].as_array().map(Vec::len), Some(1), "{prompts}");

    // Something changes: the good are looked at again, and the broken are not reported again.
    home.config("[plugins.memory.state]\n[plugins.notes.state]\n[plugins.hello]\nprefix = \"hi\"\n");
    let renamed: Vec<_> =
        good.iter().map(|name| if name == "hello__hello" { "hi__hello" } else { name.as_str() }).collect();
    becomes(&client, &renamed);
    assert_eq!(said(&client, "hi__hello", &json!({"name": "Rex"})), "Hello, Rex!");
    let log = client.stderr();
    for (name, why) in broken {
        let lines: Vec<_> =
            log.lines().filter(|line| line.contains("ERROR") && line.contains(name)).collect();
        assert_eq!(lines.len(), 1, "{name} is to be reported once:\n{log}");
        assert!(lines[0].contains(why), "no {why:?} in {:?}", lines[0]);
    }

    let run = home.kennel(["list"]);
    run.failure();
    let all = home.kennel(["list", "--format", "json"]).json();
    for plugin in all["plugins"].as_array().unwrap() {
        let name = plugin["name"].as_str().unwrap();
        let why = broken.iter().find(|(broken, _)| *broken == name).map(|(_, why)| *why);
        assert_eq!(plugin["standing"], if why.is_some() { "broken" } else { "serving" }, "{plugin}");
        if let Some(why) = why {
            assert!(plugin["why"].as_str().unwrap().contains(why), "no {why:?} in {plugin}");
            run.stdout_has(name);
        }
    }
    let check = home.kennel(["check"]);
    check.failure();
    for (name, why) in broken {
        let said = format!("{}{}", check.stdout, check.stderr);
        assert!(
            said.lines().any(|line| line.contains(name) && line.contains(why)),
            "no line on {name} with {why:?} in {check}"
        );
        assert!(!said.lines().any(|line| line.contains("hello.wasm:")), "{check}");
    }
}

#[test]
fn several_names_for_one_component_share_nothing() {
    let home = Home::new("names");
    let docs = home.folder("docs");
    std::fs::write(docs.join("a.txt"), "in the folder").unwrap();
    home.plugin("trial").config(&format!(
        "[plugins.first]\nfile = \"trial.wasm\"\nsettings = {{ greeting = \"hello\" }}\nstate = {{}}\n\
         [plugins.second]\nfile = \"trial.wasm\"\nsettings = {{ greeting = \"hi\" }}\nstate = {{}}\n\
         directories = [{{ path = {docs}, as = \"/docs\" }}]\n\
         [plugins.third]\nfile = \"trial.wasm\"\n",
        docs = Value::from(docs.to_str().unwrap()),
    ));
    home.approve();
    let client = home.serve();
    client.initialize();
    let owners: BTreeSet<_> =
        tools(&client).iter().map(|name| name.split_once("__").unwrap().0.to_owned()).collect();
    assert_eq!(owners, ["first", "second", "third"].map(str::to_owned).into());

    let call = |tool: &str, arguments: Value| said(&client, tool, &arguments);
    assert_eq!(call("first__greeting", json!({})), "hello");
    assert_eq!(call("second__greeting", json!({})), "hi");
    assert_eq!(call("third__greeting", json!({})), "(not set)");
    for count in 1..=3 {
        assert_eq!(call("first__count", json!({})), count.to_string());
    }
    assert_eq!(call("second__count", json!({})), "1");
    let why = failed(&client, "third__count", &json!({}));
    assert!(why.contains("third") && why.contains("state"), "{why}");
    assert_eq!(call("second__read", json!({"path": "/docs/a.txt"})), "in the folder");
    for name in ["first", "third"] {
        failed(&client, &format!("{name}__read"), &json!({"path": "/docs/a.txt"}));
    }
    for (name, holds) in [("first", 1), ("second", 2), ("third", 0)] {
        assert_eq!(listed(&home, name)["holds"].as_array().map(Vec::len), Some(holds), "{name}");
    }
}

#[test]
fn patterns_show_and_hide_tools() {
    let home = Home::new("patterns");
    let config = |tools: &str| format!("[plugins.trial]\ntrust = \"dev\"\ntools = {tools}\n");
    home.plugin("trial").config(&config(r#"{ show = ["e*", "*_output"], hide = ["exit", "no_*"] }"#));
    let client = home.serve();
    client.initialize();
    let expected = ["trial__echo", "trial__big_output", "trial__bad_output"].map(str::to_owned);
    assert_eq!(tools(&client), expected.into());
    // What is hidden cannot be called either, neither by a client nor from the command line.
    for hidden in ["trial__exit", "trial__no_output", "trial__count"] {
        let error = client.request("tools/call", Client::call_params(hidden, &json!({}))).unwrap_err();
        assert_eq!(error["code"], -32602, "{error}");
        assert!(error["message"].as_str().unwrap().contains(hidden), "{error}");
    }
    home.kennel(["call", "trial", "count", "{}"]).failure();
    home.kennel(["call", "trial", "echo", r#"{"text":"ok"}"#]).success().stdout_has("ok");

    // Taken back and given anew while it serves.
    home.config(&config(r#"{ hide = ["*"] }"#));
    becomes(&client, &[]);
    home.config(&config(r#"{ show = ["count"] }"#));
    becomes(&client, &["trial__count"]);
}

#[test]
fn a_collision_is_reported_and_never_shadows() {
    let home = Home::new("collision");
    let plugin = |name: &str| {
        format!(
            "[plugins.{name}]\nfile = \"trial.wasm\"\ntrust = \"dev\"\nprefix = \"\"\n\
             settings = {{ greeting = \"{name}\" }}\ntools = {{ show = [\"greeting\"] }}\n"
        )
    };
    home.plugin("trial").config(&plugin("middle"));
    let client = home.serve();
    client.initialize();
    assert_eq!(tools(&client), ["greeting".to_owned()].into());
    assert_eq!(said(&client, "greeting", &json!({})), "middle");

    // Who comes later gets no name that is taken, whether it stands before or after in the alphabet.
    home.config(&format!("{}{}{}", plugin("after"), plugin("middle"), plugin("zebra")));
    for other in ["after", "zebra"] {
        let line = logged(&client, &[other, "greeting", "belongs to plugin `middle`"]);
        assert!(line.contains("prefix"), "the line does not say what to do: {line}");
    }
    assert_eq!(tools(&client), ["greeting".to_owned()].into());
    assert_eq!(said(&client, "greeting", &json!({})), "middle");

    // A fresh look has no earlier owner to respect, but it has one owner and names the others.
    let list = home.kennel(["list", "--format", "json"]);
    list.failure();
    let faults = list.json()["faults"].as_array().unwrap().clone();
    assert_eq!(faults.len(), 2, "{list}");
    for fault in &faults {
        assert!(fault.as_str().unwrap().contains("greeting"), "{list}");
    }

    // With the owner gone, the name is free for one of the others.
    home.config(&format!(
        "{}{}",
        plugin("zebra"),
        plugin("middle").replace("prefix = \"\"", "prefix = \"m\"")
    ));
    becomes(&client, &["greeting", "m__greeting"]);
    assert_eq!(said(&client, "greeting", &json!({})), "zebra");
    assert_eq!(said(&client, "m__greeting", &json!({})), "middle");
}

#[test]
fn arguments_must_fit_before_the_plugin_runs() {
    let home = Home::new("arguments");
    home.plugin("trial").config("[plugins.trial]\ntrust = \"dev\"\nstate = {}\n");
    let client = home.serve();
    client.initialize();
    for (tool, arguments, words) in [
        ("trial__echo", json!({}), &["text", "required"][..]),
        ("trial__echo", json!({"text": 5}), &["/text", "string"]),
        ("trial__echo", json!({"text": "longer than sixteen characters"}), &["/text", "16"]),
        ("trial__sleep", json!({"ms": -1}), &["/ms", "0"]),
        ("trial__sleep", json!({"ms": "soon"}), &["/ms", "integer"]),
        ("trial__count", json!({"extra": true}), &["extra"]),
    ] {
        let why = failed(&client, tool, &arguments);
        for word in words.iter().chain([&tool]) {
            assert!(why.contains(word), "no {word:?} in {why:?}");
        }
        assert_eq!(why.lines().count(), 1, "{why:?}");
    }
    // The one that did not fit never ran: this is the first that counts.
    assert_eq!(said(&client, "trial__count", &json!({})), "1");
    home.kennel(["call", "trial", "echo", r#"{"text":5}"#]).failure().stderr_has("/text");
}

#[test]
fn results_must_fit_and_endings_are_told() {
    let home = Home::new("results");
    home.plugin("trial").config(
        "[plugins.trial]\ntrust = \"dev\"\nlimits = { output = \"64KiB\", fuel = \"20M\", deadline = \"10s\" }\n",
    );
    let client = home.serve();
    client.initialize();
    for (tool, arguments, words) in [
        ("bad_output", json!({}), &["output schema", "/number", "integer"][..]),
        ("no_output", json!({}), &["broke the contract", "structured"]),
        ("big_output", json!({"count": 100_000}), &["limit", "output", "65536", "limits.output"]),
        ("spin", json!({}), &["limit", "fuel", "20000000", "limits.fuel"]),
        ("panic", json!({"message": "the dog ate it"}), &["panicked", "the dog ate it"]),
        ("trap", json!({}), &["trap", "unreachable"]),
        ("exit", json!({"code": 0}), &["exit"]),
        ("exit", json!({"code": 3}), &["exit"]),
        ("fail", json!({"message": "no luck"}), &["no luck"]),
        ("count", json!({}), &["state", "not granted"]),
    ] {
        let why = failed(&client, &format!("trial__{tool}"), &arguments);
        for word in words {
            assert!(why.contains(word), "{tool}: no {word:?} in {why:?}");
        }
        assert_eq!(why.lines().count(), 1, "{tool}: {why:?}");
        // What failed leaves nothing behind.
        assert_eq!(said(&client, "trial__echo", &json!({"text": "ok"})), "ok");
    }
    assert_eq!(said(&client, "trial__big_output", &json!({"count": 60_000})).len(), 60_000);
    let unknown =
        client.request("tools/call", Client::call_params("trial__nothing", &json!({}))).unwrap_err();
    assert_eq!(unknown["code"], -32602, "{unknown}");
}

#[test]
fn the_protocol_answers_before_the_plugins_are_loaded() {
    let home = Home::new("not-loaded");
    // It takes all the time that a component may take to be listed: five seconds.
    home.plugin("hello").bytes("sleeps", Trial::new().listing("sleep").bytes());
    let client = home.serve();
    client.initialize();
    let list = client.send("tools/list", Value::Null);
    client.request("ping", Value::Null).unwrap();
    assert_eq!(client.wait_for(list, Duration::ZERO), None, "the list was there before the plugins");
    let list = client.wait(list).unwrap();
    assert_eq!(list["tools"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(said(&client, "hello__hello", &json!({"name": "Rex"})), "Hello, Rex!");
}
