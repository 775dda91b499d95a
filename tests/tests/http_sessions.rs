//! Streams and sessions over HTTP: plain answers and streams, coming back to a stream, polling, cancellation and going
//! away in both eras, the end of sessions, the older transport, and the end of the server.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::needless_pass_by_value, reason = "so that params can be written in the call")]

use std::time::{Duration, Instant};

use kennel_tests::process::{becomes_busy, becomes_idle};
use kennel_tests::{
    Home, HttpConnection, HttpRequest, HttpResponse, HttpServer, SseEvent, initialize_message, modern_request,
};
use serde_json::{Value, json};

/// A test waits so long for what comes at once.
const SOON: Duration = Duration::from_secs(20);

fn home(name: &str) -> Home {
    let home = Home::new(name);
    home.plugin("trial").config(
        "[plugins.trial]\ntrust = \"dev\"\nstate = { quota = \"1MiB\", scope = \"plugin\" }\n\
         [plugins.trial.limits]\nfuel = \"1000G\"\ndeadline = \"1h\"\n",
    );
    // Compiled before, so that no answer waits for it.
    home.kennel(["list"]).success();
    home
}

fn served(home: &Home, args: &[&str]) -> HttpServer {
    let server = home.serve_http(args);
    server.wait_ready();
    server
}

#[track_caller]
fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

fn call(tool: &str, arguments: Value) -> Value {
    json!({ "name": tool, "arguments": arguments })
}

fn with_token(mut params: Value, token: Value) -> Value {
    params["_meta"] = json!({ "progressToken": token });
    params
}

/// A simple call is answered in plain JSON, one that tells of its progress in a stream; in both eras.
#[test]
fn a_stream_only_where_one_is_needed() {
    let home = home("http-plain");
    let server = served(&home, &[]);
    let session = server.session();
    let echo = call("trial__echo", json!({ "text": "hi" }));
    let steps = || with_token(call("trial__steps", json!({ "count": 3 })), json!("t"));
    let plain = [
        session.ask(&json!(1), "tools/call", echo.clone()),
        session.ask(&json!(2), "tools/list", json!({})),
        session.ask(&json!(3), "ping", json!({})),
        server.modern(&json!(1), "tools/call", echo),
        server.modern(&json!(2), "tools/list", json!({})),
        server.modern(&json!(3), "server/discover", json!({})),
        server.send(&HttpRequest::post(initialize_message("2025-06-18").to_string().as_bytes())),
    ];
    for response in plain {
        assert_eq!(response.header("content-type"), Some("application/json"), "{response:?}");
        assert!(response.header("content-length").is_some(), "{response:?}");
        assert!(response.json()["result"].is_object());
    }
    let streams =
        [session.ask(&json!(4), "tools/call", steps()), server.modern(&json!(4), "tools/call", steps())];
    for response in streams {
        assert!(response.is_stream(), "{response:?}");
        assert_eq!(response.header("x-accel-buffering"), Some("no"));
        assert_eq!(response.header("cache-control"), Some("no-cache"));
        let messages = response.messages();
        let progress: Vec<_> =
            messages.iter().filter_map(|message| message["params"]["progress"].as_f64()).collect();
        assert_eq!(progress, [1.0, 2.0, 3.0], "{messages:?}");
        assert_eq!(text(messages.last().unwrap()), "3 steps");
    }
}

/// An answer that takes long comes in a stream that says meanwhile that it is alive.
#[test]
fn a_long_wait_is_a_stream() {
    let home = home("http-long-wait");
    let server = served(&home, &[]);
    let params = call("trial__sleep", json!({ "ms": 11_000 }));
    let response = server.modern(&json!(1), "tools/call", params.clone());
    assert!(response.is_stream(), "{response:?}");
    let answer = response.answer();
    assert_eq!((text(&answer), &answer["id"]), ("slept 11000 ms", &json!(1)));
    let slow = server.session().ask(&json!(1), "tools/call", call("trial__sleep", json!({ "ms": 1500 })));
    assert!(slow.is_stream());
    assert_eq!(text(&slow.answer()), "slept 1500 ms");
}

/// SEP-1699: a call that says it takes long sends its client away; the answer waits for it, once, on that stream and
/// no other.
#[test]
fn a_client_polls_for_a_long_call() {
    let home = home("http-poll");
    let server = served(&home, &[]);
    let session = server.session();
    let mut away = session.call(&json!("long"), "trial__linger", &json!({ "ms": 1500 }));
    let priming = away.event().expect("a priming event");
    assert_eq!(priming.data, "");
    assert!(priming.retry.is_some());
    let id = priming.id.expect("an event id");
    assert_eq!(away.event(), None, "the stream goes on");
    // It comes back too early, goes again, and comes back after the answer is there.
    let early = session.resume(&id);
    assert!(early.is_stream());
    drop(early);
    std::thread::sleep(Duration::from_millis(2500));
    let mut back = session.resume(&id);
    let event = back.event().expect("the answer");
    assert_eq!((text(&event.json()), &event.json()["id"]), ("lingered 1500 ms", &json!("long")));
    assert_eq!(back.event(), None);
    // The line broke once more: the answer is still there, and behind it is the end.
    assert_eq!(text(&session.resume(&id).answer()), "lingered 1500 ms");
    assert_eq!(session.resume(&event.id.unwrap()).event(), None);

    // Another session, or another stream, has nothing of it.
    let other = server.session();
    assert_eq!(other.resume(&id).event(), None);
    for odd in ["", "999-0", "x", "1", "-1-1", "18446744073709551615-18446744073709551615"] {
        assert_eq!(session.resume(odd).event(), None, "{odd}");
    }
    // A client of an older version could not come back, so it stays.
    let old = server.session_with("2025-06-18", &[]);
    let stayed = old.call(&json!(1), "trial__linger", &json!({ "ms": 1000 })).answer();
    assert_eq!(text(&stayed), "lingered 1000 ms");
}

/// Going away cancels in the stateless era, and does not where there are sessions; a cancellation does in both.
#[test]
fn whoever_goes_away() {
    let home = home("http-away");
    let server = served(&home, &[]);
    let spin = || call("trial__spin", json!({}));
    let mut wire = server.connect();
    wire.begin(&modern_request(&json!(1), "tools/call", spin())).unwrap();
    becomes_busy(server.pid(), SOON);
    drop(wire);
    becomes_idle(server.pid(), SOON);

    // Also once a stream has begun.
    let mut wire = server.connect();
    let steps = with_token(call("trial__version", json!({ "ms": 60_000 })), json!(1));
    wire.begin(&modern_request(&json!(1), "tools/call", steps)).unwrap();
    drop(wire);

    // In a session the call goes on, and counts.
    let session = server.session();
    let mut wire = server.connect();
    let body = |id: &str, params: Value| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
    wire.begin(&session.message(&body("spin", spin()))).unwrap();
    becomes_busy(server.pid(), SOON);
    drop(wire);
    becomes_busy(server.pid(), SOON);
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "spin" } });
    assert_eq!(session.post(&cancel).status, 202);
    becomes_idle(server.pid(), SOON);

    // Whoever waits for a call that is cancelled is told that there is nothing more.
    let mut wire = server.connect();
    wire.begin(&session.message(&body("spin", spin()))).unwrap();
    becomes_busy(server.pid(), SOON);
    let twice = session.ask(&json!("spin"), "tools/call", spin());
    let refusal = twice.json();
    assert!(refusal["error"]["message"].as_str().unwrap().contains("still being worked on"), "{refusal}");
    assert_eq!(session.post(&cancel).status, 202);
    let mut response = wire.answer().unwrap();
    while let Some(event) = response.event() {
        assert_eq!(event.data, "", "an answer to what was cancelled");
    }
    becomes_idle(server.pid(), SOON);
}

/// Sessions are opened by a handshake, end with DELETE, when idle, or when others need the place; then they are gone.
#[test]
fn the_life_of_a_session() {
    let home = home("http-life");
    let server = served(&home, &["--max-sessions", "3", "--session-idle", "4s"]);
    let session = server.session();
    assert!(session.id.bytes().all(|byte| byte.is_ascii_graphic()) && session.id.len() >= 32);
    assert_eq!(session.ask(&json!(1), "tools/list", json!({})).status, 200);
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    assert_eq!(server.post(list.as_bytes()).status, 400, "without a session");
    let strange = session.message(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    let strange = strange.without("Mcp-Session-Id").header("Mcp-Session-Id", "0123");
    assert_eq!(server.send(&strange).status, 404);
    let odd =
        session.request("GET").without("MCP-Protocol-Version").header("MCP-Protocol-Version", "1999-01-01");
    assert_eq!(server.send(&odd).status, 400);

    assert_eq!(server.send(&session.request("DELETE")).status, 202);
    for response in [
        session.ask(&json!(2), "tools/list", json!({})),
        server.send(&session.request("DELETE")),
        session.stream(),
    ] {
        assert_eq!(response.status, 404);
    }

    // Three are busy, with a stream each: a fourth finds no place. One goes, and it does.
    let held: Vec<_> = (0..3).map(|_| server.session()).map(|session| (session.stream(), session)).collect();
    let full = server.send(&HttpRequest::post(initialize_message("2025-11-25").to_string().as_bytes()));
    assert_eq!((full.status, full.header("retry-after")), (503, Some("5")));
    let mut held = held.into_iter();
    let (stream, first) = held.next().unwrap();
    drop(stream);
    let start = Instant::now();
    let fresh = loop {
        let hello = HttpRequest::post(initialize_message("2025-11-25").to_string().as_bytes());
        let response = server.send(&hello);
        if response.status == 200 {
            break response.header("mcp-session-id").unwrap().to_owned();
        }
        assert!(start.elapsed() < SOON, "the place is lost");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(first.ask(&json!(1), "ping", json!({})).status, 404, "the idle one has given way");

    // The fresh one falls idle; those with a stream stay.
    std::thread::sleep(Duration::from_secs(8));
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let late = first.message(&ping).without("Mcp-Session-Id").header("Mcp-Session-Id", &fresh);
    assert_eq!(server.send(&late).status, 404);
    for (_stream, session) in held {
        assert_eq!(session.ask(&json!(1), "ping", json!({})).status, 200);
    }
}

/// What belongs to no request comes on the stream that a client opens with GET; a second one takes over.
#[test]
fn changes_are_told_on_the_sessions_own_stream() {
    let home = home("http-changes");
    let server = served(&home, &[]);
    let session = server.session();
    let first = session.stream();
    assert!(first.is_stream());
    let mut second = session.stream();
    assert!(messages_until_end(first).is_empty(), "the first stream is over");
    session.call(&json!(1), "trial__cry_wolf", &json!({})).answer();
    home.plugin_as("trial", "another");
    home.config("[plugins.trial]\ntrust = \"dev\"\n[plugins.another]\ntrust = \"dev\"\n");
    let event = next(&mut second);
    assert_eq!(event.json()["method"], "notifications/tools/list_changed");
    drop(second);
    // The line broke: what came meanwhile is told when the client is back.
    std::fs::remove_file(home.plugin_path("another")).unwrap();
    let mut third = session.resume(&event.id.unwrap());
    assert_eq!(next(&mut third).json()["method"], "notifications/tools/list_changed");
}

/// Whoever is told that a stream is open misses nothing from then on, whatever it asked for.
#[test]
fn a_change_stream_tells_of_all_since_it_was_acknowledged() {
    let home = Home::new("http-listen");
    home.plugin("chores")
        .config("[plugins.chores]\ntrust = \"dev\"\n[plugins.chores.limits]\nfuel = \"100G\"\n");
    let server = served(&home, &[]);
    let listen = "subscriptions/listen";
    let meta = json!({
        "io.modelcontextprotocol/clientCapabilities": { "extensions": { "io.modelcontextprotocol/tasks": {} } }
    });
    let ask = |id: u32, method: &str, mut params: Value| {
        params["_meta"] = meta.clone();
        server.modern(&json!(id), method, params)
    };
    let begun =
        ask(1, "tools/call", call("chores__chore", json!({ "ms": 500, "say": "told" }))).answer()["result"]
            .clone();
    assert_eq!(begun["resultType"], "task", "{begun}");
    let task = &begun["taskId"];
    let mut stream = ask(
        2,
        listen,
        json!({ "notifications": {
            "toolsListChanged": true,
            "resourceSubscriptions": ["nobody:///1", "chore:///1"],
            "taskIds": ["no-such", task],
        } }),
    );
    assert_eq!((stream.status, stream.is_stream()), (200, true));
    let acknowledged = next(&mut stream).json();
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged", "{acknowledged}");
    assert_eq!(
        acknowledged["params"]["notifications"],
        json!({ "toolsListChanged": true, "resourceSubscriptions": ["chore:///1"], "taskIds": [task] }),
    );
    ask(3, "tools/call", call("chores__shuffle", json!({ "list": "tools" }))).answer();
    ask(4, "tools/call", call("chores__touch", json!({ "uri": "chore:///1" }))).answer();
    let mut awaited =
        vec!["notifications/tools/list_changed", "notifications/resources/updated", "notifications/tasks"];
    while !awaited.is_empty() {
        let note = next(&mut stream).json();
        let params = &note["params"];
        assert_eq!(params["_meta"]["io.modelcontextprotocol/subscriptionId"], 2, "{note}");
        if note["method"] != "notifications/tasks" || params["status"] == "completed" {
            awaited.retain(|method| *method != note["method"]);
        }
    }

    // The header is held against what the client sent, and the name that the library is given is no method.
    let request = modern_request(&json!(5), listen, json!({ "notifications": {} })).without("Mcp-Method");
    let refused = server.send(&request.clone().header("Mcp-Method", "tools/list"));
    assert_eq!(refused.status, 400);
    let said = refused.text();
    assert!(said.contains("does not match body method `subscriptions/listen`"), "{said}");
    assert_eq!(server.send(&request).status, 400);
    let unknown = server.modern(&json!(6), "kennel/listen", json!({ "notifications": {} })).answer();
    assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
    // An older client has none.
    let older = server.session().ask(&json!(7), listen, json!({ "notifications": {} })).answer();
    assert_eq!(older["error"]["code"], -32601, "{older}");
}

/// The next event that carries a message.
#[track_caller]
fn next(stream: &mut HttpResponse) -> SseEvent {
    loop {
        let event = stream.event().expect("a message");
        if !event.data.is_empty() {
            return event;
        }
    }
}

fn messages_until_end(mut response: HttpResponse) -> Vec<Value> {
    let mut messages = Vec::new();
    while let Some(event) = response.event() {
        messages.extend(Some(event.json()).filter(|message| !message.is_null()));
    }
    messages
}

/// Asked to stop, it begins nothing new, finishes what is in flight within the drain, and cuts the rest.
#[test]
fn it_stops_gracefully() {
    let home = home("http-stop");
    let server = served(&home, &["--drain", "60s"]);
    let session = server.session();
    let mut idle = session.stream();
    assert!(idle.is_stream());
    let mut listening = server.modern(
        &json!(1),
        "subscriptions/listen",
        json!({ "notifications": { "toolsListChanged": true } }),
    );
    assert!(listening.is_stream());
    let sleep = || call("trial__sleep", json!({ "ms": 3000 }));
    let mut modern = server.connect();
    modern.begin(&modern_request(&json!(1), "tools/call", sleep())).unwrap();
    let mut older = server.connect();
    let body = json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": sleep() });
    older.begin(&session.message(&body)).unwrap();
    std::thread::sleep(Duration::from_millis(1000));
    let start = Instant::now();
    server.terminate();
    assert_eq!(text(&modern.answer().unwrap().answer()), "slept 3000 ms");
    assert_eq!(text(&older.answer().unwrap().answer()), "slept 3000 ms");
    assert!(HttpConnection::new(server.address()).is_err(), "it still accepts");
    let status = server.exit(SOON).expect("it ends when nothing is left to do");
    assert!(status.success(), "{status}\n{}", server.stderr());
    assert!(start.elapsed() < Duration::from_secs(50), "it waited for streams that last");
    while idle.event().is_some() {}
    while listening.event().is_some() {}

    let server = served(&home, &["--drain", "1s"]);
    let mut wire = server.connect();
    wire.begin(&modern_request(&json!(1), "tools/call", call("trial__spin", json!({})))).unwrap();
    becomes_busy(server.pid(), SOON);
    server.terminate();
    let status = server.exit(SOON).expect("it ends after the drain");
    assert!(status.success(), "{status}");
}

/// The transport of 2024-11-05, when it is asked for.
#[test]
fn the_oldest_transport() {
    let home = home("http-sse");
    let server = served(&home, &[]);
    assert_eq!(server.get("/sse").status, 404, "it was not asked for");
    let server = served(&home, &["--legacy-sse"]);
    let mut stream = server.get("/sse");
    assert!(stream.is_stream());
    let endpoint = stream.event().unwrap();
    assert_eq!(endpoint.event.as_deref(), Some("endpoint"));
    let place = endpoint.data;
    let post = |message: &Value| server.send(&HttpRequest::post(message.to_string().as_bytes()).path(&place));
    let mut answer = |message: &Value| {
        assert_eq!(post(message).status, 202);
        let event = stream.event().unwrap();
        assert_eq!(event.event.as_deref(), Some("message"));
        event.json()
    };
    let hello = answer(&initialize_message("2024-11-05"));
    assert_eq!(hello["result"]["protocolVersion"], "2024-11-05", "{hello}");
    assert_eq!(post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).status, 202);
    let params = call("trial__echo", json!({ "text": "hi" }));
    let said = answer(&json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params }));
    assert_eq!((text(&said), &said["id"]), ("hi", &json!(2)));
    let pong = answer(&json!({ "jsonrpc": "2.0", "id": 3, "method": "ping" }));
    assert_eq!(pong["result"], json!({}));
    let broken = server.send(&HttpRequest::post(b"{\"id\":4,").path(&place));
    assert_eq!((broken.status, broken.json()["error"]["code"].as_i64()), (400, Some(-32700)));
    let nowhere = server.send(&HttpRequest::post(b"{}").path("/messages?session=0"));
    assert_eq!(nowhere.status, 404);

    // With its stream the session ends.
    drop(stream);
    let start = Instant::now();
    let ping = json!({ "jsonrpc": "2.0", "id": 5, "method": "ping" });
    while post(&ping).status != 404 {
        assert!(start.elapsed() < SOON, "the session is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Health and readiness, with what is loaded and what is broken.
#[test]
fn health() {
    let home = home("http-health");
    home.bytes("broken", b"no component");
    let server = served(&home, &[]);
    let health = server.get("/health").json();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["plugins"], json!({ "loaded": 1, "failed": 1 }), "{health}");
    let before = health["uptimeSeconds"].as_u64().unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    assert!(server.get("/health").json()["uptimeSeconds"].as_u64().unwrap() > before);
    assert_eq!(server.get("/ready").json(), json!({ "ready": true }));
}
