//! Hostile row 32: a client against the host. Whatever comes in, each request with an id gets one answer, and the next
//! one is served as if nothing had been.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kennel_tests::{Client, Home, words};
use serde_json::{Value, json};

/// A test waits so long for what comes at once.
const SOON: Duration = Duration::from_secs(10);

fn home(name: &str) -> Home {
    let home = Home::new(name);
    home.plugin("hello").config("").approve();
    home
}

fn served(home: &Home) -> Client {
    let client = home.serve();
    client.initialize();
    client.call("hello__hello", &json!({ "name": "first" }));
    client
}

/// The connection works as before.
#[track_caller]
fn alive(client: &Client) {
    let id = client.send("tools/call", Client::call_params("hello__hello", &json!({ "name": "you" })));
    let reply =
        client.wait_for(id, SOON).unwrap_or_else(|| panic!("no answer any more\n{}", client.stderr()));
    assert_eq!(words(&reply.unwrap()), "Hello, you!");
}

/// Sends a line with the id 9001 in it, and gives the error that comes for it.
#[track_caller]
fn error_for(client: &Client, line: &[u8]) -> Value {
    let shown = String::from_utf8_lossy(&line[..line.len().min(120)]).into_owned();
    client.raw(&[line, b"\n"].concat());
    let reply =
        client.wait_for(9001, SOON).unwrap_or_else(|| panic!("no answer to {shown}\n{}", client.stderr()));
    let error = reply.expect_err(&shown);
    let message = error["message"].as_str().unwrap_or_default();
    assert!(!message.is_empty() && message.len() < 400 && !message.contains('\n'), "{shown}: {error}");
    alive(client);
    error
}

/// Each of these has an id that can be read, so each has an answer.
#[test]
fn broken_messages_with_an_id_are_answered() {
    let home = home("broken");
    let client = served(&home);
    let deep = |depth: usize| {
        format!(
            r#"{{"jsonrpc":"2.0","id":9001,"method":"tools/call","params":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    let with = |rest: &str| format!(r#"{{"jsonrpc":"2.0","id":9001,{rest}"#).into_bytes();
    for (line, code) in [
        (with(r#""method":"tools/list""#), -32700),
        (with(r#""method":"tools/list","params":{"a":tru}}"#), -32700),
        (with(r#""method":"tools/list"}}"#), -32700),
        (with(r#""method":"tools/list","params":{"a":"\ud800"}}"#), -32700),
        (with("\"method\":\"tools/list\",\"params\":{\"a\":\"\0\"}}"), -32700),
        ([with(r#""method":"tools/list","params":{"a":""#), b"\xff\xc0\x80\"}}".to_vec()].concat(), -32700),
        (with(r#""method":"tools/list","params":{"a":1,"a":2}}"#), -32600),
        (with(r#""method":"tools/list","method":"ping"}"#), -32600),
        (with(r#""method":7}"#), -32600),
        (with(r#""method":"tools/list","result":{}}"#), -32600),
        (with(r#""params":{}}"#), -32600),
        (with(r#""method":"tools/list","params":[]}"#), -32602),
        (with(r#""method":"tools/call","params":{"name":7}}"#), -32602),
        (with(r#""method":"tools/call","params":{"name":"hello__hello","arguments":[]}}"#), -32602),
        (with(r#""method":"no/such"}"#), -32601),
        (deep(65).into_bytes(), -32600),
        (deep(1_000_000).into_bytes(), -32600),
        (br#"{"jsonrpc":"1.0","id":9001,"method":"ping"}"#.to_vec(), -32600),
        (br#"{"id":9001,"method":"ping"}"#.to_vec(), -32600),
    ] {
        let error = error_for(&client, &line);
        assert_eq!(error["code"], code, "{}: {error}", String::from_utf8_lossy(&line[..line.len().min(120)]));
    }
    assert_eq!(client.strays(), Vec::<Value>::new());
}

/// Those without a readable id get an error without one, or nothing; the connection goes on.
#[test]
fn lines_without_an_id_do_no_harm() {
    let home = home("lines");
    let client = served(&home);
    for line in [
        &b"\0\0\0\0"[..],
        b"\xff\xfe\xfd",
        b"{",
        b"}",
        b"[]",
        b"null",
        b"7",
        b"\"text\"",
        b"{}",
        b"[[[[",
        b"GET / HTTP/1.1\r",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
        b"[{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}]",
        b"Content-Length: 5\r",
    ] {
        client.raw(&[line, b"\n"].concat());
        let stray = client
            .stray(SOON)
            .unwrap_or_else(|| panic!("nothing was said to {:?}", String::from_utf8_lossy(line)));
        assert!(stray.get("id").is_none_or(Value::is_null), "{stray}");
        assert!(matches!(stray["error"]["code"].as_i64(), Some(-32700 | -32600)), "{stray}");
        alive(&client);
    }
    // These may not be answered: empty lines, answers nobody waits for, notifications of any shape.
    for line in [
        &b""[..],
        b"   ",
        b"\r",
        b"{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/nonsense\",\"params\":[1]}",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":123456}}",
    ] {
        client.raw(&[line, b"\n"].concat());
        alive(&client);
    }
    assert_eq!(client.strays(), Vec::<Value>::new());
}

/// A line over the bound is refused and passed over, whole; half a line is waited for, and the end of input ends it.
#[test]
fn long_and_half_lines() {
    let home = home("long-lines");
    let client = served(&home);
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":9001,"method":"tools/call","params":{{"name":"hello__hello","arguments":{{"name":"{}"}}}}}}"#,
        "x".repeat(40 << 20)
    );
    let error = error_for(&client, long.as_bytes());
    assert!(error["message"].as_str().is_some_and(|text| text.contains("longer than")), "{error}");
    let (half, rest) = (br#"{"jsonrpc":"2.0","id":9002,"me"#, b"thod\":\"ping\"}\n");
    client.raw(half);
    assert!(client.wait_for(9002, Duration::from_millis(300)).is_none());
    client.raw(rest);
    assert_eq!(client.wait_for(9002, SOON).unwrap().unwrap(), json!({}));
    client.raw(half);
    client.end_input();
    assert!(client.exit(SOON).is_some(), "it waits for the rest of a line for ever");
}

/// Of two requests with one id in flight, the first is answered and the second refused.
#[test]
fn one_id_at_a_time() {
    let home = home("one-id");
    let client = served(&home);
    let line = br#"{"jsonrpc":"2.0","id":9001,"method":"tools/call","params":{"name":"hello__hello","arguments":{"name":"you"}}}"#;
    let count = 200;
    let mut all = Vec::new();
    for _ in 0..count {
        all.extend_from_slice(line);
        all.push(b'\n');
    }
    client.raw(&all);
    let mut answers = vec![client.wait_for(9001, SOON).unwrap()];
    while answers.len() < count {
        let stray = client.stray(SOON).or_else(|| None);
        match stray {
            Some(stray) if stray.get("error").is_some() => answers.push(Err(stray["error"].clone())),
            Some(stray) => answers.push(Ok(stray["result"].clone())),
            None => match client.wait_for(9001, SOON) {
                Some(reply) => answers.push(reply),
                None => panic!("{} answers to {count} requests", answers.len()),
            },
        }
    }
    for answer in &answers {
        match answer {
            Ok(result) => assert_eq!(words(result), "Hello, you!"),
            Err(error) => assert!(error.to_string().contains("this id is still being worked on"), "{error}"),
        }
    }
    assert!(
        answers.iter().any(Result::is_ok) && answers.iter().any(Result::is_err),
        "nothing was in flight twice"
    );
    alive(&client);
}

/// 10 000 requests whose answers nobody reads: the host stops reading, holds what it has within bounds, and when the
/// client reads again each request has exactly one answer.
#[test]
fn answers_that_nobody_reads_hold_the_writer_back() {
    const REQUESTS: u64 = 10_000;
    /// So that all of them together are far over what the host takes in.
    const NAME: usize = 16 << 10;
    let home = home("unread");
    let mut command = home.command();
    let mut child = command
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let hello = json!({ "jsonrpc": "2.0", "id": "hi", "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } } });
    writeln!(stdin, "{hello}").unwrap();
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    writeln!(stdin, r#"{{"jsonrpc":"2.0","method":"notifications/initialized"}}"#).unwrap();

    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let writer = std::thread::spawn(move || {
        let name = "x".repeat(NAME);
        for id in 0..REQUESTS {
            let params = Client::call_params("hello__hello", &json!({ "name": name }));
            let message = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
            writeln!(stdin, "{message}").unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
        }
        stdin
    });
    // Until the writer stands still.
    let mut before = u64::MAX;
    let started = Instant::now();
    while before != sent.load(Ordering::Relaxed) || before == 0 {
        before = sent.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs(3));
        assert!(started.elapsed() < Duration::from_secs(120), "the host reads on and on");
    }
    assert!(before < REQUESTS, "all {REQUESTS} requests were taken in though nobody read an answer");
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 512 << 10, "{peak} KiB resident");

    let mut answered = HashMap::new();
    while answered.len() < usize::try_from(REQUESTS).unwrap() {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it ended after {} answers", answered.len());
        let message: Value = serde_json::from_str(&line).unwrap();
        let Some(id) = message["id"].as_u64() else { continue };
        assert!(
            message["error"].is_null() && message["result"]["isError"] != true,
            "{}",
            &line[..line.len().min(300)]
        );
        *answered.entry(id).or_insert(0) += 1;
    }
    assert!(answered.values().all(|count| *count == 1));
    let stdin = writer.join().unwrap();
    drop(stdin);
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > SOON {
            let _ = child.kill();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
