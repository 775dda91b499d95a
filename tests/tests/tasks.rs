//! The tasks extension, through the real server over stdio: every method, whose a task is, how many and how long, and
//! that what is cancelled or expired stops running.
//! No test may wait for a fixed time where it can wait for what happens.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use kennel_tests::process::becomes_idle;
use kennel_tests::{Client, Home};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// A home with the plugin `chores` and these lines of configuration.
fn home(name: &str, config: &str) -> Home {
    let home = Home::new(name);
    home.plugin("chores").config(&format!(
        "{config}\n[plugins.chores]\ntrust = \"dev\"\nelicit = true\nlimits = {{ fuel = \"100G\", deadline = \"2m\" }}\n"
    ));
    home
}

/// The `_meta` of a client with the extension.
fn with_tasks(caller: &str) -> Value {
    json!({
        "io.modelcontextprotocol/clientCapabilities": {
            "elicitation": {}, "extensions": { "io.modelcontextprotocol/tasks": {} }
        },
        "io.modelcontextprotocol/clientInfo": { "name": caller, "version": "0" },
    })
}

fn ask_as(client: &Client, caller: &str, method: &str, mut params: Value) -> Result<Value, Value> {
    params["_meta"] = with_tasks(caller);
    client.modern(method, params)
}

fn ask(client: &Client, method: &str, params: Value) -> Value {
    ask_as(client, "ann", method, params)
        .unwrap_or_else(|error| panic!("{method}: {error}\n{}", client.stderr()))
}

/// Calls a tool that must become a task, and gives what the client is told of it.
#[track_caller]
fn begin(client: &Client, tool: &str, arguments: &Value) -> Value {
    let created = ask(client, "tools/call", json!({ "name": tool, "arguments": arguments }));
    assert_eq!(created["resultType"], "task", "{created}");
    for absent in ["result", "error", "inputRequests", "requestState", "content", "task"] {
        assert!(created.get(absent).is_none(), "{created}");
    }
    created
}

fn get(client: &Client, task: &Value) -> Value {
    let task = ask(client, "tasks/get", json!({ "taskId": task["taskId"] }));
    assert_eq!(task["resultType"], "complete", "{task}");
    task
}

/// Asks after a task until it stands so.
#[track_caller]
fn until(client: &Client, task: &Value, status: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let now = get(client, task);
        if now["status"] == status {
            return now;
        }
        let over = ["completed", "failed", "cancelled"].contains(&now["status"].as_str().unwrap());
        assert!(!over && Instant::now() < end, "never {status}: {now}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn code(error: &Value) -> i64 {
    error["code"].as_i64().unwrap()
}

#[test]
fn a_task_goes_from_working_to_its_result() {
    let home = home("task-life", "");
    let client = home.serve();
    let discovered = ask(&client, "server/discover", json!({}));
    assert_eq!(discovered["capabilities"]["extensions"], json!({ "io.modelcontextprotocol/tasks": {} }));
    assert!(discovered["capabilities"].get("tasks").is_none());

    let task = begin(&client, "chores__chore", &json!({ "ms": 2000, "say": "dishes" }));
    assert_eq!((&task["status"], &task["ttlMs"]), (&json!("working"), &json!(900_000)));
    assert!(task["taskId"].as_str().unwrap().len() == 32 && task["pollIntervalMs"].is_u64(), "{task}");
    for time in ["createdAt", "lastUpdatedAt"] {
        assert!(task[time].as_str().unwrap().ends_with('Z'), "{task}");
    }
    let now = get(&client, &task);
    assert_eq!(now["taskId"], task["taskId"]);
    assert!(now.get("result").is_none() || now["status"] == "completed", "{now}");
    // What it says of its progress is its status.
    loop {
        let now = get(&client, &task);
        assert_eq!(now["status"], "working", "it said nothing: {now}");
        if now["statusMessage"] == "half done" {
            break;
        }
    }
    let done = until(&client, &task, "completed");
    assert_eq!(done["result"]["content"][0]["text"], "done: dishes", "{done}");
    assert!(done.get("error").is_none() && done["createdAt"] == task["createdAt"], "{done}");
    // What is over stays so, and cancelling it is acknowledged all the same.
    let ack = ask(&client, "tasks/cancel", json!({ "taskId": task["taskId"] }));
    assert_eq!(ack, json!({ "resultType": "complete" }));
    assert_eq!(get(&client, &task)["status"], "completed");

    // A tool that fails has a result; a request that fails has an error.
    let task = begin(&client, "chores__failing", &json!({ "say": "no soap" }));
    let failed = until(&client, &task, "completed");
    assert_eq!(
        (&failed["result"]["isError"], &failed["result"]["content"][0]["text"]),
        (&json!(true), &json!("no soap"))
    );
    let task = begin(&client, "chores__broken", &json!({ "say": "own error" }));
    let failed = until(&client, &task, "failed");
    assert_eq!(failed["error"], json!({ "code": 7, "message": "own error" }));
    assert!(failed.get("result").is_none() && failed["statusMessage"] == "own error", "{failed}");

    // The budgets are those of any call.
    home.config("[plugins.chores]\ntrust = \"dev\"\nelicit = true\nlimits = { fuel = \"5M\" }\n");
    client.initialize();
    let end = Instant::now() + PATIENCE;
    loop {
        let task = begin(&client, "chores__endless", &json!({}));
        std::thread::sleep(Duration::from_millis(300));
        let now = get(&client, &task);
        if now["status"] == "completed" {
            let text = now["result"]["content"][0]["text"].as_str().unwrap();
            assert!(text.contains("limit") && text.contains("fuel"), "{text}");
            break;
        }
        ask(&client, "tasks/cancel", json!({ "taskId": task["taskId"] }));
        assert!(Instant::now() < end, "the limit never took effect");
    }
}

#[test]
fn what_takes_long_becomes_a_task_and_what_does_not_is_answered() {
    let home = home("task-patience", "[tasks]\npatience = \"1s\"\n");
    let client = home.serve();
    let at_once =
        ask(&client, "tools/call", json!({ "name": "chores__quiet_chore", "arguments": { "say": "x" } }));
    assert_eq!(
        (&at_once["resultType"], &at_once["content"][0]["text"]),
        (&json!("complete"), &json!("done: x"))
    );
    let task = begin(&client, "chores__quiet_chore", &json!({ "ms": 3000, "say": "y" }));
    assert_eq!(until(&client, &task, "completed")["result"]["content"][0]["text"], "done: y");
    // One that only runs as a task is one, however short.
    let task = begin(&client, "chores__errand", &json!({ "say": "z" }));
    assert_eq!(until(&client, &task, "completed")["result"]["content"][0]["text"], "done: z");
    // A tool without the mark never is, whatever the client says of tasks.
    let params =
        json!({ "name": "chores__touch", "arguments": { "uri": "chore:///1" }, "task": { "ttl": 1000 } });
    assert_eq!(ask(&client, "tools/call", params)["resultType"], "complete");
}

#[test]
fn without_the_extension_nobody_gets_a_task() {
    let home = home("task-no-extension", "");
    let client = home.serve();
    let call = |tool: &str| {
        client.modern("tools/call", json!({ "name": tool, "arguments": { "ms": 1, "say": "x" } }))
    };
    let plain = call("chores__chore").unwrap();
    assert_eq!((&plain["resultType"], &plain["content"][0]["text"]), (&json!("complete"), &json!("done: x")));
    let required =
        json!({ "requiredCapabilities": { "extensions": { "io.modelcontextprotocol/tasks": {} } } });
    let error = call("chores__errand").unwrap_err();
    assert_eq!((code(&error), &error["data"]), (-32021, &required));
    for (method, params) in [
        ("tasks/get", json!({ "taskId": "x" })),
        ("tasks/update", json!({ "taskId": "x", "inputResponses": {} })),
        ("tasks/cancel", json!({ "taskId": "x" })),
        ("subscriptions/listen", json!({ "notifications": { "taskIds": ["x"] } })),
    ] {
        let error = client.modern(method, params).unwrap_err();
        assert_eq!((code(&error), &error["data"]), (-32021, &required), "{method}: {error}");
    }
    for gone in ["tasks/list", "tasks/result"] {
        assert_eq!(code(&ask_as(&client, "ann", gone, json!({ "taskId": "x" })).unwrap_err()), -32601);
    }
    // To an older client they are unknown, and what runs only as a task says so.
    client.initialize();
    assert_eq!(code(&client.request("tasks/get", json!({ "taskId": "x" })).unwrap_err()), -32601);
    assert_eq!(client.call("chores__chore", &json!({ "say": "old" }))["content"][0]["text"], "done: old");
    let why = client.refused("chores__errand", &json!({}));
    assert!(why.contains("task") && why.contains("2026-07-28"), "{why}");
}

#[test]
fn a_task_is_nobody_elses() {
    let home = home("task-owner", "");
    let client = home.serve();
    let task = begin(&client, "chores__careful", &json!({}));
    until(&client, &task, "input_required");
    let nobodys = ask_as(&client, "ann", "tasks/get", json!({ "taskId": "0".repeat(32) })).unwrap_err();
    assert_eq!(code(&nobodys), -32602);
    for (method, params) in [
        ("tasks/get", json!({ "taskId": task["taskId"] })),
        (
            "tasks/update",
            json!({ "taskId": task["taskId"], "inputResponses": { "1.a": { "action": "decline" } } }),
        ),
        ("tasks/cancel", json!({ "taskId": task["taskId"] })),
    ] {
        // The same words as for a task that never was.
        assert_eq!(ask_as(&client, "bob", method, params).unwrap_err(), nobodys, "{method}");
    }
    let stays = get(&client, &task);
    assert_eq!(stays["inputRequests"].as_object().unwrap().len(), 2, "{stays}");
}

#[test]
fn questions_in_the_middle_are_answered_by_updates() {
    let home = home("task-questions", "");
    let client = home.serve();
    let task = begin(&client, "chores__careful", &json!({}));
    let update = |answers: Value| {
        ask_as(&client, "ann", "tasks/update", json!({ "taskId": task["taskId"], "inputResponses": answers }))
    };
    let keys = |task: &Value| -> Vec<String> {
        task["inputRequests"].as_object().unwrap().keys().cloned().collect()
    };
    let yes = json!({ "action": "accept", "content": { "really": true } });

    let asked = until(&client, &task, "input_required");
    let first = keys(&asked);
    assert_eq!(first.len(), 2, "{asked}");
    assert_eq!(asked["inputRequests"][&first[0]]["method"], "elicitation/create", "{asked}");
    assert!(asked.get("requestState").is_none());
    // What was not asked is ignored; what does not fit is refused, and nothing of it is taken.
    let ack = json!({ "resultType": "complete" });
    assert_eq!(update(json!({ "unknown": { "ignored": true } })).unwrap(), ack);
    let error =
        update(json!({ &first[1]: yes, &first[0]: { "action": "accept", "content": { "really": 5 } } }))
            .unwrap_err();
    assert!(code(&error) == -32602 && error["message"].as_str().unwrap().contains(&first[0]), "{error}");
    assert_eq!(keys(&get(&client, &task)), first);
    assert_eq!(update(json!({ &first[0]: yes })).unwrap(), ack);
    assert_eq!(keys(&get(&client, &task)), [first[1].clone()]);
    assert_eq!(update(json!({ &first[1]: yes, &first[0]: { "action": "decline" } })).unwrap(), ack);
    // The plugin asks under a key it used before; the client sees another.
    let end = Instant::now() + PATIENCE;
    let third = loop {
        let now = get(&client, &task);
        if now["status"] == "input_required" && !keys(&now).contains(&first[1]) {
            break keys(&now);
        }
        assert!(Instant::now() < end, "{now}");
    };
    assert!(third.len() == 1 && !first.contains(&third[0]), "{third:?} after {first:?}");
    assert_eq!(update(json!({ &third[0]: yes })).unwrap(), ack);
    assert_eq!(until(&client, &task, "completed")["result"]["content"][0]["text"], "all sure");

    // Before it is a task, a tool asks as any other.
    let call = |more: Value| {
        let mut params = json!({ "name": "chores__asks_first", "arguments": {} });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask(&client, "tools/call", params)
    };
    let asks = call(json!({}));
    assert_eq!(asks["resultType"], "input_required", "{asks}");
    assert!(asks.get("taskId").is_none());
    let task = call(json!({ "requestState": asks["requestState"], "inputResponses": { "sure": yes } }));
    assert_eq!(task["resultType"], "task", "{task}");
    assert!(task.get("requestState").is_none() && task.get("inputRequests").is_none());
    assert_eq!(until(&client, &task, "completed")["result"]["content"][0]["text"], "sure: true");
}

#[test]
fn cancelling_stops_the_guest() {
    let home = home("task-cancel", "");
    let client = home.serve();
    let tasks = [0; 2].map(|_| begin(&client, "chores__endless", &json!({})));
    let parked = begin(&client, "chores__careful", &json!({}));
    until(&client, &parked, "input_required");
    for task in tasks.iter().chain([&parked]) {
        let ack = ask(&client, "tasks/cancel", json!({ "taskId": task["taskId"] }));
        assert_eq!(ack, json!({ "resultType": "complete" }));
        let now = until(&client, task, "cancelled");
        assert!(now.get("inputRequests").is_none() && now.get("result").is_none(), "{now}");
    }
    becomes_idle(client.pid(), PATIENCE);
    // The protocol's other cancellation is of requests, and that of the task is over.
    client.cancel(1);
    assert_eq!(get(&client, &parked)["status"], "cancelled");
}

#[test]
fn a_task_is_gone_after_its_time_and_so_is_its_guest() {
    let home = home("task-ttl", "[tasks]\nttl = \"3s\"\n");
    let client = home.serve();
    let spinning = begin(&client, "chores__endless", &json!({}));
    let parked = begin(&client, "chores__careful", &json!({}));
    let done = begin(&client, "chores__chore", &json!({ "say": "x" }));
    assert_eq!(spinning["ttlMs"], 3000);
    until(&client, &done, "completed");
    let end = Instant::now() + PATIENCE;
    for task in [&spinning, &parked, &done] {
        loop {
            match ask_as(&client, "ann", "tasks/get", json!({ "taskId": task["taskId"] })) {
                Err(error) => {
                    assert_eq!(code(&error), -32602);
                    break;
                }
                Ok(_) => assert!(Instant::now() < end, "it never goes"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    becomes_idle(client.pid(), PATIENCE);
}

#[test]
fn there_are_only_so_many_tasks_and_so_many_bytes_of_results() {
    let home = home("task-bounds", "[tasks]\nmost = 5\nmost-per-caller = 3\nresults = \"100KiB\"\n");
    let client = home.serve();
    let tasks = [0; 3].map(|_| begin(&client, "chores__careful", &json!({})));
    let call = |caller: &str, tool: &str| {
        let arguments = if tool == "chores__careful" { json!({}) } else { json!({ "say": "x" }) };
        ask_as(&client, caller, "tools/call", json!({ "name": tool, "arguments": arguments })).unwrap()
    };
    // What must be a task is refused; what may be one is waited for.
    let refused = call("ann", "chores__errand");
    let text = refused["content"][0]["text"].as_str().unwrap();
    assert!(refused["isError"] == true && text.starts_with("busy: you have 3 tasks"), "{refused}");
    assert_eq!(call("ann", "chores__chore")["content"][0]["text"], "done: x");
    // Others have room, as far as there is any.
    assert_eq!(call("bob", "chores__careful")["resultType"], "task");
    assert_eq!(call("cleo", "chores__careful")["resultType"], "task");
    let refused = call("dan", "chores__errand");
    assert!(
        refused["content"][0]["text"].as_str().unwrap().starts_with("busy: there are 5 tasks"),
        "{refused}"
    );
    // A task that is over makes room when its client has heard of it.
    ask(&client, "tasks/cancel", json!({ "taskId": tasks[0]["taskId"] }));
    assert_eq!(call("ann", "chores__errand")["isError"], true);
    get(&client, &tasks[0]);
    let heavy = begin(&client, "chores__heavy", &json!({ "ms": 60_000 }));
    assert_eq!(
        until(&client, &heavy, "completed")["result"]["content"][0]["text"].as_str().unwrap().len(),
        60_000
    );
    ask(&client, "tasks/cancel", json!({ "taskId": tasks[1]["taskId"] }));
    get(&client, &tasks[1]);
    let more = begin(&client, "chores__heavy", &json!({ "ms": 60_000 }));
    let end = Instant::now() + PATIENCE;
    loop {
        // The first result makes room only when its place is needed; until then the second has none.
        let now = get(&client, &more);
        if now["status"] == "failed" {
            assert!(now["statusMessage"].as_str().unwrap().contains("bytes of results"), "{now}");
            break;
        }
        assert!(now["status"] == "working" && Instant::now() < end, "{now}");
    }
}

#[test]
fn a_stream_tells_how_a_task_stands() {
    let home = home("task-stream", "");
    let client = home.serve();
    let task = begin(&client, "chores__chore", &json!({ "ms": 1500, "say": "told" }));
    let id = &task["taskId"];
    let other =
        ask_as(&client, "bob", "tools/call", json!({ "name": "chores__careful", "arguments": {} })).unwrap();
    let mut meta = with_tasks("ann");
    meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    let stream = client.send(
        "subscriptions/listen",
        json!({ "notifications": { "taskIds": [id, other["taskId"], "no-such"], "toolsListChanged": true }, "_meta": meta }),
    );
    let ack = client.notification("notifications/subscriptions/acknowledged");
    assert_eq!(ack["params"]["notifications"], json!({ "toolsListChanged": true, "taskIds": [id] }), "{ack}");
    assert_eq!(ack["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], stream);
    let end = Instant::now() + PATIENCE;
    loop {
        let note = client.notification("notifications/tasks");
        let params = &note["params"];
        assert_eq!(
            (&params["taskId"], &params["_meta"]["io.modelcontextprotocol/subscriptionId"]),
            (id, &json!(stream))
        );
        if params["status"] == "completed" {
            assert_eq!(params["result"]["content"][0]["text"], "done: told", "{note}");
            // As `tasks/get` gives it.
            let mut got = get(&client, &task);
            let mut told = params.clone();
            for value in [&mut got, &mut told] {
                value.as_object_mut().unwrap().retain(|key, _| key != "_meta" && key != "resultType");
            }
            assert_eq!(got, told);
            break;
        }
        assert!(params["status"] == "working" && Instant::now() < end, "{note}");
    }
    // A task has neither progress nor log notes (SEP-2663), its status says how far it is.
    assert!(client.notifications().iter().all(|note| note["method"] != "notifications/progress"));
    client.end_input();
    let ended = client.wait(stream).unwrap();
    assert_eq!(ended["_meta"]["io.modelcontextprotocol/subscriptionId"], stream, "{ended}");
}
