//! Many at once over HTTP: old and new clients on one endpoint, sessions that are opened and left, streams that nobody
//! reads. Each answer is held against what its caller asked, and what the server holds is measured. Hostile row 33.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::needless_pass_by_value, reason = "so that params can be written in the call")]

use std::time::{Duration, Instant};

use kennel_tests::asker::{accept, form, rounds};
use kennel_tests::process::resident;
use kennel_tests::{Home, HttpRequest, HttpServer, initialize_message, modern_request};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

fn served(name: &str, args: &[&str]) -> (Home, HttpServer) {
    let home = Home::new(name);
    home.plugin("trial").plugin("asker").config(
        "[plugins.trial]\ntrust = \"dev\"\nlimits = { deadline = \"1h\", queue = 1000 }\n\
         [plugins.loops]\nfile = \"trial.wasm\"\ntrust = \"dev\"\n\
         limits = { fuel = \"1000G\", deadline = \"1h\", concurrency = 8, queue = 1000 }\n\
         [plugins.asker]\ntrust = \"dev\"\nelicit = true\nlimits = { queue = 1000 }\n",
    );
    // Compiled before, so that no answer waits for it.
    home.kennel(["list"]).success();
    let server = home.serve_http(args);
    server.wait_ready();
    (home, server)
}

#[track_caller]
fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

fn call(tool: &str, arguments: Value) -> Value {
    json!({ "name": tool, "arguments": arguments })
}

/// One client's round beside a call that never ends: one with its own marker, and one with progress under its own
/// token. `ask` sends a request and gives the messages of its answer.
fn round(marker: &str, ask: &dyn Fn(&Value, Value) -> Vec<Value>) {
    let id = json!(format!("{marker}-echo"));
    let messages = ask(&id, call("trial__echo", json!({ "text": marker })));
    let answer = messages.last().unwrap();
    assert_eq!((&answer["id"], text(answer)), (&id, marker), "{messages:?}");

    let (id, token) = (json!(format!("{marker}-steps")), json!(format!("token of {marker}")));
    let mut params = call("trial__steps", json!({ "count": 5 }));
    params["_meta"] = json!({ "progressToken": token });
    let mut messages = ask(&id, params);
    let answer = messages.pop().unwrap();
    assert_eq!((&answer["id"], text(&answer)), (&id, "5 steps"));
    let mut last = 0.0;
    assert_eq!(messages.len(), 5, "{messages:?}");
    for message in messages {
        assert_eq!(message["params"]["progressToken"], token, "another caller's progress: {message}");
        assert!(message["params"]["progress"].as_f64().unwrap() > last);
        last = message["params"]["progress"].as_f64().unwrap();
    }
}

/// What the plugin that asks says after a form was filled in with this name.
fn told(marker: &str) -> String {
    json!([{ "who": accept(&json!({ "name": marker })) }]).to_string()
}

/// 200 clients at once, half of them of each era, calling, listening to progress, answering questions, cancelling.
#[test]
fn two_hundred_clients_of_both_eras_at_once() {
    const CLIENTS: usize = 200;
    const ROUNDS: usize = 3;
    let (_home, server) = served("http-crowd", &[]);
    let done: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let server = &server;
                scope.spawn(move || {
                    if number % 2 == 0 {
                        modern(server, number, ROUNDS)
                    } else {
                        older(server, number, ROUNDS)
                    }
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(done, CLIENTS * ROUNDS);
    // Nothing is left of what was cancelled: all places are free again.
    let answer =
        server.modern(&json!(1), "tools/call", call("trial__echo", json!({ "text": "last" }))).answer();
    assert_eq!(text(&answer), "last");
}

fn modern(server: &HttpServer, number: usize, turns: usize) -> usize {
    for turn in 0..turns {
        let marker = format!("m{number}-{turn}");
        // It walks away from this one, which cancels it.
        let mut wire = server.connect();
        wire.begin(&modern_request(&json!(marker), "tools/call", call("loops__spin", json!({})))).unwrap();
        round(&marker, &|id, params| server.modern(id, "tools/call", params).messages());
        let mut params = call("asker__ask", rounds(&[&[form("who", "name")]]));
        params["_meta"] = json!({ "io.modelcontextprotocol/clientCapabilities": can_answer() });
        let asked = server.modern(&json!("asks"), "tools/call", params.clone()).answer();
        params["requestState"] = asked["result"]["requestState"].clone();
        params["inputResponses"] = json!({ "who": accept(&json!({ "name": marker })) });
        let answer = server.modern(&json!("answers"), "tools/call", params).answer();
        assert_eq!(text(&answer), told(&marker), "{asked}");
        drop(wire);
    }
    turns
}

fn can_answer() -> Value {
    json!({ "elicitation": { "form": {} } })
}

fn older(server: &HttpServer, number: usize, turns: usize) -> usize {
    let session = server.session_that_can(&can_answer());
    for turn in 0..turns {
        // The same ids and markers in every session: they must not meet.
        let spin = json!({ "jsonrpc": "2.0", "id": "spin", "method": "tools/call",
            "params": call("loops__spin", json!({})) });
        let mut wire = server.connect();
        wire.begin(&session.message(&spin)).unwrap();
        let marker = format!("s{number}-{turn}");
        round(&marker, &|id, params| session.ask(id, "tools/call", params).messages());
        // Asked on the stream of its own call, under ids that all sessions have.
        let mut stream = session.call(&json!("asks"), "asker__ask", &rounds(&[&[form("who", "name")]]));
        let mut questions = 0;
        let answer = loop {
            let event = stream.event().expect("the stream ends without an answer");
            if event.data.is_empty() {
                continue;
            }
            let message: Value = serde_json::from_str(&event.data).unwrap();
            if message["id"] == "asks" {
                break message;
            }
            assert_eq!(message["method"], "elicitation/create", "{message}");
            questions += 1;
            let given = accept(&json!({ "name": marker }));
            let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": given });
            assert_eq!(session.post(&answer).status, 202);
        };
        assert_eq!((questions, text(&answer)), (1, told(&marker).as_str()));
        let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "spin" } });
        assert_eq!(session.post(&cancel).status, 202);
        let mut response = wire.answer().unwrap();
        assert_eq!(response.status, 200);
        while let Some(event) = response.event() {
            assert_eq!(event.data, "", "an answer to what was cancelled");
        }
    }
    turns
}

/// 10 000 sessions opened and left: those that are used go on, and the server does not grow with their number.
#[test]
fn ten_thousand_abandoned_sessions() {
    let (_home, server) = served("http-abandoned", &["--max-sessions", "500"]);
    let open = |count: usize| {
        for _ in 0..count {
            let hello = HttpRequest::post(initialize_message("2025-11-25").to_string().as_bytes());
            let response = server.send(&hello);
            assert_eq!(response.status, 200);
            assert!(response.header("mcp-session-id").is_some());
        }
    };
    let kept = server.session();
    let _stream = kept.stream();
    // Until the allocator has its places: it takes some thousands, and stays there for any number more.
    open(4_000);
    let before = resident(server.pid());
    open(6_000);
    let grown = resident(server.pid()).saturating_sub(before);
    assert!(grown < 16 * MIB, "6 000 more sessions took {grown} bytes");
    let answer = kept.call(&json!(1), "trial__echo", &json!({ "text": "here" })).answer();
    assert_eq!(text(&answer), "here", "the session with a stream gave way to idle ones");
}

/// Clients that ask and never read: the server holds little for them, serves others, and ends their connections.
#[test]
fn answers_that_nobody_reads() {
    /// In each connection; all together far more than sockets hold.
    const REQUESTS: usize = 64;
    let (_home, server) = served("http-unread", &[]);
    let before = resident(server.pid());
    let big = call("trial__big_output", json!({ "count": 900_000 }));
    let mut wires: Vec<_> = (0..8).map(|_| server.connect()).collect();
    let started = Instant::now();
    for wire in &mut wires {
        for id in 0..REQUESTS {
            wire.begin(&modern_request(&json!(id), "tools/call", big.clone())).unwrap();
        }
    }
    // Streams of progress that nobody reads either.
    let session = server.session();
    let streams: Vec<_> = (0..8)
        .map(|number| {
            let mut params = call("trial__steps", json!({ "count": 20_000 }));
            params["_meta"] = json!({ "progressToken": number });
            session.ask(&json!(number), "tools/call", params)
        })
        .collect();
    for _ in 0..20 {
        let answer =
            server.modern(&json!(1), "tools/call", call("trial__echo", json!({ "text": "me" }))).answer();
        assert_eq!(text(&answer), "me");
    }
    let grown = resident(server.pid()).saturating_sub(before);
    assert!(grown < 128 * MIB, "the server grew by {grown} bytes");
    drop(streams);
    // Longer than anybody is waited for.
    std::thread::sleep(Duration::from_secs(45).saturating_sub(started.elapsed()));
    for mut wire in wires {
        let mut answered = 0;
        while let Ok(bytes) = wire.skip(1 << 20) {
            if bytes == 0 {
                break;
            }
            answered += bytes;
        }
        assert!(answered < REQUESTS * 900_000, "a connection that read nothing was kept");
    }
}
