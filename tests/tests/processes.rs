//! Several processes on one home at once: two servers, as two clients start them, and the command line beside them.
//! Everything that a call was told is done must be there at the end, counted.
//! No test may let the processes take turns: the point is that they do not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kennel_tests::{Client, Home, Trial};
use serde_json::{Value, json};

/// Calls of each kind that each server makes.
const EACH: usize = 40;
/// Calls of each kind from the command line.
const FEW: usize = 6;

#[track_caller]
fn fine(result: &Value) -> &Value {
    assert_ne!(result["isError"], true, "{result}");
    result
}

fn entity(name: &str) -> Value {
    json!({"entities": [{"name": name, "entityType": "dog", "observations": [format!("{name} barks")]}]})
}

#[test]
fn two_servers_and_the_command_line_lose_nothing() {
    let home = Home::new("processes");
    home.plugin("memory").plugin("notes").plugin("trial").config(
        "[plugins.memory.state]\nquota = \"4MiB\"\n[plugins.notes.state]\nquota = \"4MiB\"\n\
         [plugins.trial.state]\nquota = \"64KiB\"\n",
    );
    home.approve();
    let servers = [home.serve(), home.serve()];
    for server in &servers {
        server.initialize();
    }

    // Each server gets calls of all three plugins, pipelined; the command line calls and looks meanwhile.
    std::thread::scope(|scope| {
        for (which, server) in servers.iter().enumerate() {
            scope.spawn(move || {
                let mut open = Vec::new();
                for number in 0..EACH {
                    let name = format!("server{which}-{number}");
                    for (tool, arguments) in [
                        ("memory__create_entities", entity(&name)),
                        ("notes__create_note", json!({"title": name, "content": "…"})),
                        ("trial__count", json!({})),
                    ] {
                        open.push(server.send("tools/call", Client::call_params(tool, &arguments)));
                    }
                }
                for id in open {
                    fine(&server.wait(id).unwrap_or_else(|error| panic!("{error}\n{}", server.stderr())));
                }
            });
        }
        scope.spawn(|| {
            for number in 0..FEW {
                let name = format!("line-{number}");
                home.kennel(["call", "memory", "create_entities", &entity(&name).to_string()]).success();
                let note = json!({"title": name, "content": "…"}).to_string();
                home.kennel(["call", "notes", "create_note", &note]).success();
                home.kennel(["call", "trial", "count", "{}"]).success();
                home.kennel(["list"]).success();
                home.kennel(["check"]).success();
            }
        });
    });

    let total = 2 * EACH + FEW;
    let names: BTreeSet<String> = (0..EACH)
        .flat_map(|number| [format!("server0-{number}"), format!("server1-{number}")])
        .chain((0..FEW).map(|number| format!("line-{number}")))
        .collect();
    // Each server, and one that starts afterwards, sees all of it.
    let later = home.serve();
    later.initialize();
    for server in servers.iter().chain([&later]) {
        let graph = server.call("memory__read_graph", &json!({}));
        let entities = fine(&graph)["structuredContent"]["entities"].as_array().unwrap();
        let there: Vec<_> =
            entities.iter().map(|entity| entity["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(there.len(), total, "an entity twice or lost");
        assert_eq!(there.into_iter().collect::<BTreeSet<_>>(), names);
        let prompt = server.request("prompts/get", json!({"name": "notes__summarize_notes"})).unwrap();
        assert_eq!(prompt["messages"].as_array().map(Vec::len), Some(total + 1), "a note twice or lost");
    }
    let count = later.call("trial__count", &json!({}));
    assert_eq!(fine(&count)["content"][0]["text"], (total + 1).to_string());
    for server in &servers {
        let log = server.stderr();
        assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
        assert_eq!(server.strays(), Vec::<Value>::new());
    }
}

#[test]
fn what_another_process_wrote_is_listed() {
    let home = Home::new("others-notes");
    home.plugin("notes").config("[plugins.notes.state]\n").approve();
    let (one, other) = (home.serve(), home.serve());
    let notes = |client: &Client| {
        let list = client.request("resources/list", Value::Null).unwrap();
        list["resources"].as_array().unwrap().len()
    };
    for client in [&one, &other] {
        client.initialize();
        assert_eq!(notes(client), 0);
    }
    fine(&one.call("notes__create_note", &json!({"title": "a", "content": "b"})));
    assert_eq!(notes(&one), 1);
    let end = Instant::now() + Duration::from_secs(30);
    while notes(&other) != 1 {
        assert!(Instant::now() < end, "a server lists forever what was there before another process wrote");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_approval_reaches_every_server() {
    let home = Home::new("approval");
    home.bytes("trial", Trial::new().bytes()).config("[plugins.trial.state]\n");
    let servers = [home.serve(), home.serve()];
    let count = |server: &Client| server.call("trial__count", &json!({}));
    for server in &servers {
        server.initialize();
        let denied = count(server);
        assert_eq!(denied["isError"], true, "{denied}");
        assert!(denied["content"][0]["text"].as_str().unwrap().contains("state"), "{denied}");
    }
    home.kennel(["approve", "trial"]).success();
    let mut counted = Vec::new();
    for server in &servers {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let result = count(server);
            if result["isError"] != true {
                counted.push(result["content"][0]["text"].as_str().unwrap().to_owned());
                break;
            }
            assert!(Instant::now() < end, "the approval does not arrive: {result}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    assert_eq!(counted, ["1", "2"]);
}

#[test]
fn one_home_is_compiled_for_once_by_servers_that_start_together() {
    let home = Home::new("together");
    home.plugin("time").plugin("hello").plugin("trial");
    let servers: Vec<_> = (0..4).map(|_| home.serve()).collect();
    for server in &servers {
        server.initialize();
    }
    for server in &servers {
        let result = server.call("hello__hello", &json!({"name": "Rex"}));
        assert_eq!(fine(&result)["content"][0]["text"], "Hello, Rex!");
        let result = server.call("trial__echo", &json!({"text": "ok"}));
        assert_eq!(fine(&result)["content"][0]["text"], "ok");
        let log = server.stderr();
        assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    }
}
