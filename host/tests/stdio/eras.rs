//! Both eras of the protocol: what each method is answered with.

use kennel::catalog::api::{Change, ClientCan, Snapshot};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::catalog::tool;
use crate::client::{Client, modern};

/// Errors and results in one line each, ids left out.
fn shown(answer: &Value) -> String {
    let mut answer = answer.clone();
    answer.as_object_mut().unwrap().retain(|key, _| key == "result" || key == "error");
    if let Some(values) = answer.pointer_mut("/result/completion/values").and_then(Value::as_array_mut) {
        *values = vec![json!(values.len())];
    }
    answer.to_string().replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

fn everything(client: &mut Client, wrap: fn(Value) -> Value) -> String {
    let requests = [
        ("server/discover", json!({})),
        ("ping", json!({})),
        ("tools/list", json!({})),
        ("tools/list", json!({"cursor": "x"})),
        ("tools/list", json!({"cursor": 5})),
        ("tools/call", json!({"name": "echo", "arguments": {"n": 1, "a": [1.50, {"z": 1, "b": 2}]}})),
        ("tools/call", json!({"name": "echo", "_meta": {"io.kennel/usage": true}})),
        ("tools/call", json!({"name": "echo", "requestState": "forged"})),
        ("tools/call", json!({"name": "echo", "arguments": 5})),
        ("tools/call", json!({"name": "ask"})),
        ("tools/call", json!({"name": "invalid"})),
        ("tools/call", json!({"name": "own"})),
        ("tools/call", json!({"name": "crash"})),
        ("tools/call", json!({"name": "none"})),
        ("prompts/list", json!({})),
        ("prompts/get", json!({"name": "greet", "arguments": {"who": "you"}})),
        ("prompts/get", json!({"name": "greet", "arguments": {"who": 5}})),
        ("prompts/get", json!({"name": "none"})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({"uri": "mem:///a"})),
        ("resources/read", json!({"uri": "mem:///b"})),
        ("resources/read", json!({"uri": "mem:///none"})),
        ("resources/subscribe", json!({"uri": "mem:///a"})),
        ("resources/subscribe", json!({"uri": "other:///a"})),
        ("resources/unsubscribe", json!({"uri": "mem:///a"})),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "who", "value": "a"}}),
        ),
        ("completion/complete", json!({"ref": {"type": "ref/prompt", "name": "greet"}})),
        ("logging/setLevel", json!({"level": "info"})),
        ("logging/setLevel", json!({"level": "loud"})),
        ("initialize", json!({})),
        ("tasks/get", json!({"taskId": "x"})),
        ("no/such", json!({})),
    ];
    let mut lines = vec![];
    for (number, (method, params)) in requests.into_iter().enumerate() {
        let answer = client.ask(number, method, wrap(params.clone()));
        lines.push(format!("{method} {params}\n  {}", shown(&answer)));
    }
    lines.join("\n")
}

#[test]
fn legacy_answers() {
    let mut client = Client::legacy();
    insta::assert_snapshot!(everything(&mut client, |params| params));
    let client = client.catalog.0.last_client.lock().unwrap().clone().unwrap();
    assert_eq!((&*client.caller, client.name.as_deref()), ("local:tester", Some("tester")));
    assert_eq!(client.can, ClientCan { elicit_form: true, sampling: true, ..Default::default() });
}

#[test]
fn modern_answers() {
    let mut client = Client::new();
    insta::assert_snapshot!(everything(&mut client, modern));
    let client = client.catalog.0.last_client.lock().unwrap().clone().unwrap();
    assert_eq!(client.can, ClientCan { elicit_url: true, ..Default::default() });
}

#[test]
fn versions_are_negotiated() {
    for (asked, given) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let mut client = Client::new();
        let params = json!({"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let answer = client.ask(1, "initialize", params);
        assert_eq!(answer["result"]["protocolVersion"], given, "asked {asked}");
        assert_eq!(answer["result"]["serverInfo"]["name"], "kennel");
        assert!(client.ask(2, "tools/list", json!({}))["result"]["tools"].is_array());
    }
}

#[test]
fn a_client_must_say_which_era_it_is_of() {
    let mut client = Client::new();
    assert_eq!(client.ask(1, "tools/list", json!({}))["error"]["code"], -32602);
    assert_eq!(client.ask(2, "ping", json!({}))["result"], json!({}));
    // What comes before the handshake does no harm to it.
    client.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    client.cancel(77);
    client.say(&json!({"jsonrpc": "2.0", "id": 9, "result": {}}));
    let broken = client.ask(3, "initialize", json!({"protocolVersion": "2025-11-25"}));
    assert_eq!(broken["error"]["code"], -32602);
    let unknown = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2031-01-01", "io.modelcontextprotocol/clientCapabilities": {}}});
    let answer = client.ask(4, "tools/list", unknown);
    assert_eq!(answer["error"]["code"], -32022);
    assert_eq!(answer["error"]["data"]["requested"], "2031-01-01");
    let incomplete = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}});
    assert_eq!(client.ask(5, "tools/list", incomplete)["error"]["code"], -32602);
    // Both eras over one pipe.
    client.initialize();
    assert!(client.ask(6, "tools/list", json!({}))["result"]["tools"].is_array());
    assert_eq!(client.ask(7, "tools/list", modern(json!({})))["result"]["resultType"], "complete");
}

#[test]
fn arguments_reach_the_tool_as_they_were_written() {
    let mut client = Client::legacy();
    let text = r#"{"z":1e400,"a":12345678901234567890123456789,"é":1.50}"#;
    client.raw(format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\",\"arguments\":{text}}}}}\n").as_bytes());
    assert_eq!(client.hear()["result"]["content"][0]["text"], text);
}

#[test]
fn lists_keep_their_order_and_wait_for_plugins_but_ping_does_not() {
    let catalog = crate::catalog::Native::new();
    catalog.0.ready.send_replace(false);
    let mut client = Client::with(catalog, Default::default());
    client.initialize();
    client.request(1, "tools/list", json!({}));
    assert_eq!(client.ask(2, "ping", json!({}))["result"], json!({}));
    assert_eq!(client.ask(3, "server/discover", modern(json!({})))["result"]["resultType"], "complete");
    client.hear_nothing();
    client.catalog.0.ready.send_replace(true);
    let answer = client.hear();
    let names: Vec<&str> = answer["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["ask", "big", "crash", "echo", "forever", "invalid", "own", "progress"]);
    assert_eq!(answer["result"]["tools"][0]["inputSchema"].to_string(), r#"{"type":"object","z":1,"a":2}"#);
}

#[test]
fn an_older_client_hears_of_changes() {
    let mut client = Client::new();
    client.introduce();
    client.catalog.0.changes.send(Change::Prompts).unwrap();
    client.be_ready();
    assert_eq!(client.hear()["method"], "notifications/prompts/list_changed");
    assert!(client.ask(1, "resources/subscribe", json!({"uri": "mem:///a"}))["result"].is_object());
    let snapshot = Snapshot { tools: vec![tool("new")], ..Default::default() };
    *client.catalog.0.snapshot.lock().unwrap() = Arc::new(snapshot);
    for change in [
        Change::Tools,
        Change::ResourceUpdated("mem:///b".into()),
        Change::ResourceUpdated("mem:///a".into()),
    ] {
        client.catalog.0.changes.send(change).unwrap();
    }
    assert_eq!(client.hear()["method"], "notifications/tools/list_changed");
    let updated = client.hear();
    assert_eq!(updated["method"], "notifications/resources/updated");
    assert_eq!(updated["params"]["uri"], "mem:///a");
    assert_eq!(client.ask(2, "tools/list", json!({}))["result"]["tools"][0]["name"], "new");
    client.ask(3, "resources/unsubscribe", json!({"uri": "mem:///a"}));
    for change in [Change::ResourceUpdated("mem:///a".into()), Change::Prompts, Change::Resources] {
        client.catalog.0.changes.send(change).unwrap();
    }
    let mut methods = [client.hear()["method"].clone(), client.hear()["method"].clone()];
    methods.sort_by_key(Value::to_string);
    assert_eq!(methods, ["notifications/prompts/list_changed", "notifications/resources/list_changed"]);
    client.hear_nothing();
}

#[test]
fn a_newer_client_hears_what_its_stream_asks_for() {
    let mut client = Client::new();
    let filter =
        json!({"notifications": {"promptsListChanged": true, "resourceSubscriptions": ["mem:///a"]}});
    client.request("s", "subscriptions/listen", modern(filter));
    let acknowledged = client.hear();
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged", "{acknowledged}");
    for change in [
        Change::Tools,
        Change::Prompts,
        Change::ResourceUpdated("mem:///b".into()),
        Change::ResourceUpdated("mem:///a".into()),
    ] {
        client.catalog.0.changes.send(change).unwrap();
    }
    for method in ["notifications/prompts/list_changed", "notifications/resources/updated"] {
        let told = client.hear();
        assert_eq!(told["method"], method);
        assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "s", "{told}");
    }
    client.cancel("s");
    client.until("nobody listens", |catalog| catalog.0.changes.receiver_count() == 0);
    client.hear_nothing();
}

#[test]
fn progress_and_log_come_in_order_and_before_the_result() {
    let mut client = Client::legacy();
    client.ask(1, "logging/setLevel", json!({"level": "info"}));
    for (token, params) in [
        (json!("t"), json!({"_meta": {"progressToken": "t"}})),
        (json!(7), json!({"_meta": {"progressToken": 7}})),
    ] {
        let mut params = params;
        params["name"] = json!("progress");
        client.request(2, "tools/call", params);
        let (mut last, mut logs) = (-1.0, 0);
        loop {
            let message = client.hear();
            if message["id"] == 2 {
                assert_eq!(message["result"]["content"][0]["text"], "over");
                break;
            }
            if message["method"] == "notifications/message" {
                assert_eq!(
                    (&message["params"]["level"], &message["params"]["logger"]),
                    (&json!("info"), &json!("native"))
                );
                logs += 1;
            } else {
                assert_eq!(message["method"], "notifications/progress");
                assert_eq!(message["params"]["progressToken"], token);
                let progress = message["params"]["progress"].as_f64().unwrap();
                assert!(progress > last);
                last = progress;
            }
        }
        assert!(last >= 0.0 && logs > 0);
    }
    // Nobody asked, nobody is told.
    client.ask(3, "logging/setLevel", json!({"level": "error"}));
    assert_eq!(client.call(4, "progress")["result"]["content"][0]["text"], "over");
    let mut newer = Client::new();
    assert_eq!(
        newer.ask(1, "tools/call", modern(json!({"name": "progress"})))["result"]["content"][0]["text"],
        "over"
    );
    let level = json!({"name": "progress", "_meta": {"io.modelcontextprotocol/logLevel": "debug"}});
    newer.request(2, "tools/call", modern(level));
    assert_eq!(newer.hear()["method"], "notifications/message");
}

#[test]
fn who_is_gone_has_unsubscribed() {
    let log = |client: &Client| client.catalog.0.subscriptions.lock().unwrap().join(" ");
    let mut client = Client::legacy();
    for (id, method) in
        ["subscribe", "subscribe", "unsubscribe", "unsubscribe", "subscribe"].into_iter().enumerate()
    {
        let answer = client.ask(id, &format!("resources/{method}"), json!({"uri": "mem:///a"}));
        assert_eq!(answer["result"], json!({}), "{answer}");
    }
    assert_eq!(log(&client), "+mem:///a -mem:///a +mem:///a");

    let filter = json!({"resourceSubscriptions": ["mem:///b", "nobody:///", "mem:///c"]});
    client.request("stream", "subscriptions/listen", modern(json!({"notifications": filter})));
    // It says what it will tell of when that is so.
    let acknowledged = client.hear();
    assert!(log(&client).ends_with("+mem:///b +mem:///c"), "{}", log(&client));
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    let told = json!({"resourceSubscriptions": ["mem:///b", "mem:///c"]});
    assert_eq!(acknowledged["params"]["notifications"], told, "{acknowledged}");
    client.cancel("stream");
    client.until("the stream unsubscribes", |_| {
        let log = log(&client);
        log.contains("-mem:///b") && log.contains("-mem:///c")
    });
    assert!(!log(&client).contains("nobody"), "{}", log(&client));
}
