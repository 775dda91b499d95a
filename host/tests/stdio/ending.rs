//! When it is over: end of input, a signal, a client that is gone.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kennel::transport::stdio::Options;
use serde_json::json;

use crate::catalog::Native;
use crate::client::{Client, modern};

/// A drain so long that whoever waits for it fails the test.
fn patient() -> Options {
    Options { drain: Duration::from_secs(3600), ..Options::default() }
}

#[test]
fn an_idle_server_is_gone_at_once() {
    let mut client = Client::with(Native::new(), patient());
    client.initialize();
    assert_eq!(client.call(1, "echo")["result"]["isError"], false);
    client.hang_up();
    assert!(client.rest().is_empty());

    // A change stream is no work either.
    let mut client = Client::with(Native::new(), patient());
    client.request(1, "subscriptions/listen", modern(json!({"notifications": {"toolsListChanged": true}})));
    assert_eq!(client.hear()["method"], "notifications/subscriptions/acknowledged");
    client.hang_up();
    let rest = client.rest();
    assert_eq!(
        (rest.len(), &rest[0]["id"], &rest[0]["result"]["resultType"]),
        (1, &json!(1), &json!("complete"))
    );
}

#[test]
fn requests_piped_in_are_answered_also_the_last_without_a_newline() {
    let mut client = Client::with(Native::new(), patient());
    client.request(0, "initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}));
    client.request(1, "tools/call", json!({"name": "slow"}));
    client.raw(br#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#);
    client.hang_up();
    let mut ids: Vec<u64> = client.rest().iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 2]);
}

#[test]
fn no_question_waits_for_a_client_that_cannot_answer() {
    // Asked before the end, and after it.
    for hangs_up_first in [false, true] {
        let mut client = Client::with(Native::new(), patient());
        let initialize = json!({"protocolVersion": "2025-11-25", "capabilities": {"roots": {}}, "clientInfo": {"name": "t", "version": "1"}});
        client.ask(0, "initialize", initialize);
        client.request(1, "tools/call", json!({"name": "ask"}));
        if !hangs_up_first {
            assert_eq!(client.hear()["method"], "roots/list");
        }
        client.hang_up();
        let rest = client.rest();
        let answer = rest.iter().find(|message| message["id"] == 1 && message.get("result").is_some());
        let answer = answer.unwrap_or_else(|| panic!("no answer in {rest:?}"));
        assert_eq!(
            answer["result"]["content"][0]["text"],
            "plugin `native` asked \"roots\", and the client refused: the client has closed its input, so nobody can answer"
        );
    }
}

#[test]
fn what_is_piped_in_waits_for_plugins() {
    let catalog = Native::new();
    catalog.0.ready.send_replace(false);
    let mut client =
        Client::with(catalog, Options { drain: Duration::from_millis(50), ..Options::default() });
    client.request(1, "tools/list", modern(json!({})));
    client.hang_up();
    std::thread::sleep(Duration::from_millis(200));
    client.catalog.0.ready.send_replace(true);
    let rest = client.rest();
    assert!(rest[0]["result"]["tools"].is_array(), "{rest:?}");
}

#[test]
fn what_does_not_end_within_the_drain_is_cancelled() {
    let drain = Duration::from_millis(300);
    let mut client = Client::with(Native::new(), Options { drain, in_flight: 8, ..Options::default() });
    client.initialize();
    for n in 0..8 {
        client.request(n, "tools/call", json!({"name": "forever"}));
    }
    client.until("eight run", |catalog| catalog.0.running.load(Ordering::SeqCst) == 8);
    client.request(9, "tools/call", json!({"name": "echo"}));
    let begin = Instant::now();
    client.hang_up();
    let catalog = client.catalog.clone();
    let rest = client.rest();
    assert!(begin.elapsed() >= drain);
    assert_eq!(catalog.0.running.load(Ordering::SeqCst), 0);
    let mut ids: Vec<u64> = rest.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 2, 3, 4, 5, 6, 7, 9]);
    for answer in &rest {
        assert_eq!(answer["error"]["code"], -32603, "{answer}");
    }
}

#[test]
fn a_signal_ends_it_with_the_input_still_open() {
    let mut client = Client::with(Native::new(), patient());
    client.initialize();
    assert_eq!(client.call(1, "echo")["result"]["isError"], false);
    client.request(2, "tools/call", json!({"name": "slow"}));
    client.until("it runs", |catalog| catalog.0.calls.load(Ordering::Relaxed) == 2);
    client.stop.cancel();
    let rest = client.rest();
    assert_eq!(rest[0]["result"]["content"][0]["text"], "slow");
}

#[test]
fn a_signal_does_not_wait_for_plugins_to_load() {
    let catalog = Native::new();
    catalog.0.ready.send_replace(false);
    let mut client =
        Client::with(catalog, Options { drain: Duration::from_millis(50), ..Options::default() });
    client.request(1, "tools/list", modern(json!({})));
    assert_eq!(client.ask(2, "ping", json!({}))["result"], json!({}));
    client.stop.cancel();
    assert_eq!(client.rest().len(), 1);
}

#[test]
fn a_client_that_is_gone_ends_it_with_all_its_calls() {
    let mut client = Client::silent(Native::new(), patient());
    client.request(1, "tools/call", modern(json!({"name": "forever"})));
    client.until("it runs", |catalog| catalog.0.running.load(Ordering::SeqCst) == 1);
    client.deaf();
    client.request(2, "ping", json!({}));
    let catalog = client.catalog.clone();
    client.rest();
    assert_eq!(catalog.0.running.load(Ordering::SeqCst), 0);
}

#[test]
fn a_client_that_reads_no_longer_does_not_keep_it() {
    let mut client =
        Client::silent(Native::new(), Options { drain: Duration::from_millis(50), ..Options::default() });
    for n in 0..50 {
        client.request(n, "tools/call", modern(json!({"name": "big"})));
    }
    client.hang_up();
    client.rest();
}
