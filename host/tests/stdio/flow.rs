//! What overtakes what, what is bounded, and that nothing is lost: hostile row 32.

use std::collections::HashSet;

use kennel::transport::stdio::Options;
use proptest::prelude::*;
use serde_json::json;
use std::sync::atomic::Ordering;

use crate::catalog::Native;
use crate::client::{Client, modern};

/// Only a call that nothing waits beside may begin on the protocol's thread.
#[test]
fn a_call_knows_whether_it_is_alone() {
    let mut client = Client::new();
    client.initialize();
    let alone = |answer: serde_json::Value| answer["result"]["content"][0]["text"] == "true";
    assert!(alone(client.call(1, "alone")));
    client.request(2, "tools/call", json!({"name": "forever"}));
    client.until("it runs", |catalog| catalog.0.running.load(Ordering::SeqCst) == 1);
    assert!(!alone(client.call(3, "alone")));
}

#[test]
fn every_bad_line_is_answered_and_the_next_good_one_works() {
    let mut client = Client::with(Native::new(), Options { max_message: 4096, ..Options::default() });
    client.initialize();
    let long = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":\"long\",\"method\":\"x\",\"params\":{{\"a\":\"{}\"}}}}",
        "a".repeat(9000)
    );
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{}{}}}",
        "[".repeat(500),
        "]".repeat(500)
    );
    let lines: [(&[u8], Option<&str>, i64); 9] = [
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":", Some("1"), -32700),
        (b"\0\0\0", None, -32700),
        (b"\xff\xfe", None, -32700),
        (long.as_bytes(), Some("\"long\""), -32600),
        (deep.as_bytes(), Some("1"), -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"a\":1,\"a\":2}}", Some("1"), -32600),
        (b"[]", None, -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", None, -32600),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":7}}",
            Some("1"),
            -32602,
        ),
    ];
    for (line, id, code) in lines {
        client.raw(line);
        client.raw(b"\r\n\n");
        let answer = client.hear();
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert_eq!(answer.get("id").map(ToString::to_string).as_deref(), id, "{answer}");
        assert_eq!(client.call(2, "echo")["result"]["isError"], false);
    }
}

#[test]
fn a_second_request_with_the_same_id_is_refused_and_the_first_answered() {
    let mut client = Client::legacy();
    client.request(1, "tools/call", json!({"name": "forever"}));
    client.until("it runs", |catalog| catalog.0.running.load(Ordering::SeqCst) == 1);
    assert_eq!(client.call(1, "echo")["error"]["code"], -32600);
    client.cancel(1);
    client.until("it is gone", |catalog| catalog.0.running.load(Ordering::SeqCst) == 0);
    assert_eq!(client.call(1, "echo")["result"]["isError"], false);
}

#[test]
fn cancellations_and_pings_overtake_ten_thousand_calls() {
    let options = Options { in_flight: 4, ..Options::default() };
    let mut client = Client::with(Native::new(), options);
    client.initialize();
    for n in 0..4 {
        client.request(format!("f{n}"), "tools/call", json!({"name": "forever"}));
    }
    for n in 0..10_000 {
        client.request(n, "tools/call", json!({"name": "echo"}));
    }
    client.cancel(5000);
    assert_eq!(client.ask("ping", "ping", json!({}))["result"], json!({}));
    client.until("four run", |catalog| catalog.0.running.load(Ordering::SeqCst) == 4);
    assert_eq!(client.catalog.0.calls.load(Ordering::Relaxed), 4);
    client.hear_nothing();
    // A cancellation behind all of them frees one place, which is enough for all of them.
    client.cancel("f2");
    let mut answered = HashSet::new();
    for _ in 0..9999 {
        let answer = client.hear();
        assert_eq!(answer["result"]["isError"], false);
        assert!(answered.insert(answer["id"].as_u64().unwrap()), "answered twice: {answer}");
    }
    assert!(!answered.contains(&5000));
    client.hear_nothing();
    assert_eq!(client.catalog.0.running.load(Ordering::SeqCst), 3);
}

#[test]
fn a_cancelled_call_is_not_answered() {
    let mut client = Client::new();
    client.request(1, "tools/call", modern(json!({"name": "forever"})));
    client.until("it runs", |catalog| catalog.0.running.load(Ordering::SeqCst) == 1);
    client.cancel(1);
    client.until("it is gone", |catalog| catalog.0.running.load(Ordering::SeqCst) == 0);
    client.hear_nothing();
}

/// Ten thousand requests, and nobody reads the answers: the server begins no more than it has room to answer,
/// stops reading in the end, still cancels, and loses nothing.
#[test]
fn a_client_that_does_not_read_is_held_back_and_loses_nothing() {
    let options =
        Options { in_flight: 16, output_bytes: 256 << 10, queued_bytes: 1 << 20, ..Options::default() };
    let mut client = Client::silent(Native::new(), options);
    client.say(&json!({"jsonrpc": "2.0", "id": "init", "method": "initialize", "params":
        {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}));
    client.request("f", "tools/call", json!({"name": "forever"}));
    for n in 0..200 {
        client.request(n, "tools/call", json!({"name": "big"}));
    }
    client.cancel("f");
    // For so long that a server that goes on would have gone on, however busy the machine is.
    let mut begun = (0, std::time::Instant::now());
    client.until("it stands still", |catalog| {
        let now = catalog.0.calls.load(Ordering::Relaxed);
        if now != begun.0 {
            begun = (now, std::time::Instant::now());
        }
        now > 0 && begun.1.elapsed() > std::time::Duration::from_secs(1)
    });
    let begun = begun.0;
    // 64 KiB each: what fits the bound, what may run beside, what the pipe itself and one write hold.
    assert!(begun < 40, "{begun} calls were begun for a client that does not read");
    client.read();
    let mut answered = HashSet::new();
    while answered.len() < 201 {
        let answer = client.hear();
        assert!(answered.insert(answer["id"].to_string()), "answered twice");
    }
}

/// Behind calls that take their time only so many bytes wait; then the server reads no further.
#[test]
fn what_waits_for_a_place_is_bounded() {
    let options = Options { in_flight: 1, queued_bytes: 256 << 10, ..Options::default() };
    let mut client = Client::with(Native::new(), options);
    client.initialize();
    client.request("f", "tools/call", json!({"name": "forever"}));
    let mut to = client.take_writer();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        let fill = "x".repeat(1 << 10);
        // Four megabytes; the server goes before all of them are taken.
        (0..4_000).all(|n| {
            let params = format!(r#"{{"name":"echo","arguments":{{"fill":"{fill}"}}}}"#);
            writeln!(to, r#"{{"jsonrpc":"2.0","id":{n},"method":"tools/call","params":{params}}}"#).is_ok()
        })
    });
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(!writer.is_finished(), "the server read four megabytes beyond what may wait");
    client.stop.cancel();
    let all = client.rest();
    assert!(!writer.join().unwrap(), "everything was taken");
    // What waited is told that it came too late.
    assert!(all.len() > 50 && all.len() < 1_000, "{} answers", all.len());
}

/// Change streams take no place of a call, so they have a bound of their own.
#[test]
fn streams_are_counted() {
    let mut client = Client::new();
    let filter = modern(json!({"notifications": {"toolsListChanged": true}}));
    for n in 0..64 {
        client.request(n, "subscriptions/listen", filter.clone());
        assert_eq!(client.hear()["method"], "notifications/subscriptions/acknowledged");
    }
    let error = client.ask(64, "subscriptions/listen", filter.clone());
    assert_eq!(error["error"]["code"], -32600, "{error}");
    client.cancel(3);
    client.until("one is gone", |catalog| catalog.0.changes.receiver_count() == 63);
    client.request(65, "subscriptions/listen", filter);
    assert_eq!(client.hear()["method"], "notifications/subscriptions/acknowledged");
}

/// Without a reader even pings find their end, but nothing is dropped and nothing grows.
#[test]
fn a_flood_of_pings_without_reading_is_held_back() {
    let mut client = Client::silent(Native::new(), Options::default());
    let (sent, mut heard) = (100_000, 0);
    let mut to = client.take_writer();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        for n in 0..sent {
            writeln!(to, "{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"ping\"}}").unwrap();
        }
        to
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(!writer.is_finished(), "the server read 100 000 pings from a client that does not read");
    client.read();
    while heard < sent {
        assert_eq!(client.hear()["id"], heard);
        heard += 1;
    }
    drop(writer.join().unwrap());
    assert_eq!(client.rest(), Vec::<serde_json::Value>::new());
}

#[test]
fn many_calls_are_answered_exactly_once() {
    let mut client = Client::legacy();
    let calls = 20_000_u64;
    let mut to = client.take_writer();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        for n in 0..calls {
            writeln!(to, "{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\",\"arguments\":{{\"n\":{n}}}}}}}").unwrap();
        }
        to
    });
    let mut answered = HashSet::new();
    for _ in 0..calls {
        let answer = client.hear();
        let id = answer["id"].as_u64().unwrap();
        assert_eq!(answer["result"]["content"][0]["text"], format!("{{\"n\":{id}}}"));
        assert!(answered.insert(id));
    }
    drop(writer.join().unwrap());
    assert_eq!(client.rest(), Vec::<serde_json::Value>::new());
}

/// Things a client may do with a handful of ids.
#[derive(Clone, Copy, Debug)]
enum Step {
    Echo(u8),
    Forever(u8),
    Cancel(u8),
    Ping(u8),
    Nonsense(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..6_u8;
    prop_oneof![
        id.clone().prop_map(Step::Echo),
        id.clone().prop_map(Step::Forever),
        id.clone().prop_map(Step::Cancel),
        id.clone().prop_map(Step::Ping),
        id.prop_map(Step::Nonsense),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a client does, no request is answered twice, and none that was not cancelled goes without.
    #[test]
    fn requests_and_answers_balance(steps in proptest::collection::vec(step(), 0..60), in_flight in 1..4_usize) {
        let options = Options { in_flight, drain: std::time::Duration::from_millis(1), ..Options::default() };
        let mut client = Client::with(Native::new(), options);
        client.initialize();
        let (mut asked, mut cancels) = ([0_usize; 6], [0_usize; 6]);
        for step in steps {
            match step {
                Step::Echo(id) => { client.request(id, "tools/call", json!({"name": "echo"})); asked[usize::from(id)] += 1; }
                Step::Forever(id) => { client.request(id, "tools/call", json!({"name": "forever"})); asked[usize::from(id)] += 1; }
                Step::Ping(id) => { client.request(id, "ping", json!({})); asked[usize::from(id)] += 1; }
                Step::Nonsense(id) => { client.request(id, "tools/call", json!([1])); asked[usize::from(id)] += 1; }
                Step::Cancel(id) => { client.cancel(id); cancels[usize::from(id)] += 1; }
            }
        }
        client.hang_up();
        let mut answers = [0_usize; 6];
        for message in client.rest() {
            answers[usize::try_from(message["id"].as_u64().unwrap()).unwrap()] += 1;
        }
        for id in 0..6 {
            prop_assert!(answers[id] <= asked[id], "id {id}: {} asked, {} answered", asked[id], answers[id]);
            prop_assert!(answers[id] + cancels[id] >= asked[id], "id {id}: {} asked, {} cancelled, {} answered", asked[id], cancels[id], answers[id]);
        }
    }
}
