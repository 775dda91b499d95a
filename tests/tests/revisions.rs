//! What both revisions of the protocol say besides the calls themselves: discovery, pages, cache hints, change streams
//! and subscriptions, completion of what is listed, trace context, cancellation. Through the real server over stdio.
//! What tasks add is in `tasks.rs`, what questions add in `hostile_questions.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kennel_tests::process::{becomes_busy, becomes_idle};
use kennel_tests::{Client, Home};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
const SERVER: &str = "io.modelcontextprotocol/serverInfo";
const STREAM: &str = "io.modelcontextprotocol/subscriptionId";

fn home(name: &str, config: &str) -> Home {
    let home = Home::new(name);
    home.plugin("chores").config(&format!("{config}\n[plugins.chores]\ntrust = \"dev\"\n"));
    home
}

fn modern(client: &Client, method: &str, params: Value) -> Value {
    client.modern(method, params).unwrap_or_else(|error| panic!("{method}: {error}\n{}", client.stderr()))
}

fn code(error: &Value) -> i64 {
    error["code"].as_i64().unwrap()
}

/// A modern request's params, for one that is not waited for at once.
fn stateless(mut params: Value) -> Value {
    params["_meta"] = kennel_tests::modern_meta();
    params
}

fn names(list: &Value, key: &str) -> Vec<String> {
    list["tools"].as_array().unwrap().iter().map(|tool| tool[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_newer_result_says_what_it_is_who_made_it_and_how_long_it_holds() {
    let home = home("revisions-results", "");
    let client = home.serve();
    let discovered = modern(&client, "server/discover", json!({}));
    let versions = discovered["supportedVersions"].as_array().unwrap();
    assert!(
        versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2025-11-25")),
        "{discovered}"
    );
    for capability in ["tools", "prompts", "resources", "completions", "logging"] {
        assert!(discovered["capabilities"][capability].is_object(), "{discovered}");
    }
    let by_load = (json!("public"), 60_000);
    let live = (json!("private"), 1_000);
    for (method, params, hints) in [
        ("server/discover", json!({}), Some((json!("public"), 300_000))),
        ("tools/list", json!({}), Some(by_load.clone())),
        ("prompts/list", json!({}), Some(by_load.clone())),
        ("resources/templates/list", json!({}), Some(by_load)),
        // A plugin is told who asks, so another caller may get something else.
        ("resources/list", json!({}), Some(live)),
        ("resources/read", json!({ "uri": "chore:///1" }), Some((json!("private"), 0))),
        ("tools/call", json!({ "name": "chores__shuffle", "arguments": { "list": "tools" } }), None),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/resource", "uri": "chore:///{id}" }, "argument": { "name": "id", "value": "" } }),
            None,
        ),
    ] {
        let result = modern(&client, method, params);
        assert_eq!(result["resultType"], "complete", "{method}: {result}");
        assert_eq!(result["_meta"][SERVER]["name"], "kennel", "{method}: {result}");
        let found = (result.get("cacheScope").cloned(), result.get("ttlMs").and_then(Value::as_u64));
        let expected = hints.map_or((None, None), |(scope, ttl)| (Some(scope), Some(ttl)));
        assert_eq!(found, expected, "{method}: {result}");
    }
    // Older clients get none of it.
    let hello = client.initialize();
    assert!(hello["capabilities"].get("extensions").is_none(), "{hello}");
    let list = client.request("tools/list", Value::Null).unwrap();
    for key in ["resultType", "ttlMs", "cacheScope", "_meta"] {
        assert!(list.get(key).is_none(), "{key} in {list}");
    }
}

#[test]
fn pages_hold_their_place_over_a_reload() {
    let home = home("revisions-pages", "page-size = 5\n");
    let client = home.serve();
    client.initialize();
    let page = |cursor: Option<&Value>| {
        let params = cursor.map_or(json!({}), |cursor| json!({ "cursor": cursor }));
        let (old, new) =
            (client.request("tools/list", params.clone()).unwrap(), modern(&client, "tools/list", params));
        assert_eq!((&old["tools"], &old["nextCursor"]), (&new["tools"], &new["nextCursor"]));
        new
    };
    let first = page(None);
    let all: BTreeSet<String> = {
        let (mut all, mut next) = (BTreeSet::new(), first.clone());
        loop {
            let here = names(&next, "name");
            assert!(here.len() <= 5 && here.is_sorted(), "{here:?}");
            for name in here {
                assert!(all.insert(name), "given twice");
            }
            match next.get("nextCursor") {
                Some(cursor) => next = page(Some(&cursor.clone())),
                None => break all,
            }
        }
    };
    assert_eq!(all.len(), 12, "{all:?}");

    // The item that the cursor names goes, and others come before it: what follows is still what followed.
    let second = names(&page(Some(&first["nextCursor"])), "name");
    let last = names(&first, "name").pop().unwrap().replace("chores__", "");
    home.plugin("hello");
    home.config(&format!(
        "page-size = 5\n[plugins.chores]\ntrust = \"dev\"\ntools = {{ hide = [\"{last}\"] }}\n[plugins.hello]\nprefix = \"a\"\n"
    ));
    let end = Instant::now() + PATIENCE;
    loop {
        client.notification("notifications/tools/list_changed");
        let now = names(&page(None), "name");
        if now[0] == "a__hello" && !now.contains(&format!("chores__{last}")) {
            break;
        }
        assert!(Instant::now() < end, "{now:?}");
    }
    assert_eq!(names(&page(Some(&first["nextCursor"])), "name"), second);

    for (method, cursor) in [
        ("tools/list", json!("nonsense")),
        ("tools/list", json!("")),
        ("prompts/list", first["nextCursor"].clone()),
        ("resources/list", first["nextCursor"].clone()),
        ("resources/templates/list", first["nextCursor"].clone()),
        ("tools/list", json!(7)),
    ] {
        let params = json!({ "cursor": cursor });
        assert_eq!(code(&client.modern(method, params.clone()).unwrap_err()), -32602, "{method} {cursor}");
        assert_eq!(code(&client.request(method, params).unwrap_err()), -32602, "{method} {cursor}");
    }
}

#[test]
fn a_stream_tells_what_its_filter_names_and_nothing_else() {
    let home = home("revisions-streams", "");
    let client = home.serve();
    let listen = |filter: Value| {
        let stream = client.send("subscriptions/listen", stateless(json!({ "notifications": filter })));
        let ack = client.notification("notifications/subscriptions/acknowledged");
        assert_eq!(ack["params"]["_meta"][STREAM], stream, "{ack}");
        assert_eq!(ack["params"]["notifications"], filter, "{ack}");
        stream
    };
    modern(&client, "tools/list", json!({}));
    let tools = listen(json!({ "toolsListChanged": true }));
    let prompts = listen(json!({ "promptsListChanged": true }));
    let resources = listen(json!({ "resourcesListChanged": true, "resourceSubscriptions": ["chore:///1"] }));
    let deaf = listen(json!({}));
    let call = |tool: &str, arguments: Value| {
        modern(&client, "tools/call", json!({ "name": format!("chores__{tool}"), "arguments": arguments }));
    };
    for (list, stream) in [("tools", tools), ("prompts", prompts), ("resources", resources)] {
        call("shuffle", json!({ "list": list }));
        let note = client.notification(&format!("notifications/{list}/list_changed"));
        assert_eq!(note["params"]["_meta"][STREAM], stream, "{note}");
    }
    call("touch", json!({ "uri": "chore:///2" }));
    call("touch", json!({ "uri": "chore:///1" }));
    let updated = client.notification("notifications/resources/updated");
    assert_eq!(
        (&updated["params"]["uri"], &updated["params"]["_meta"][STREAM]),
        (&json!("chore:///1"), &json!(resources))
    );
    // Closed is closed.
    client.cancel(resources);
    modern(&client, "tools/list", json!({}));
    while client.notification_within("notifications/resources/updated", Duration::from_millis(200)).is_some()
    {
    }
    call("touch", json!({ "uri": "chore:///1" }));
    call("shuffle", json!({ "list": "resources" }));
    call("shuffle", json!({ "list": "tools" }));
    client.notification("notifications/tools/list_changed");
    assert!(client.notifications().is_empty(), "{:?}", client.notifications());
    // When the server goes, the open ones end with a result.
    client.end_input();
    for stream in [tools, prompts, deaf] {
        let ended = client.wait(stream).unwrap();
        assert_eq!(ended["resultType"], "complete", "{ended}");
        assert_eq!(
            (&ended["_meta"][STREAM], &ended["_meta"][SERVER]["name"]),
            (&json!(stream), &json!("kennel"))
        );
    }
}

#[test]
fn an_older_client_subscribes_and_unsubscribes() {
    let home = home("revisions-subscribe", "");
    home.plugin_as("chores", "others");
    home.config(
        "[plugins.chores]\ntrust = \"dev\"\n[plugins.others]\nfile = \"others.wasm\"\ntrust = \"dev\"\n",
    );
    let client = home.serve();
    client.initialize();
    let subscribe = |uri: &str| client.request("resources/subscribe", json!({ "uri": uri }));
    assert_eq!(subscribe("chore:///1").unwrap(), json!({}));
    assert_eq!(subscribe("chore:///1").unwrap(), json!({}));
    assert_eq!(code(&subscribe("nobody:///1").unwrap_err()), -32002);
    let touch = |plugin: &str, uri: &str| client.call(&format!("{plugin}__touch"), &json!({ "uri": uri }));
    touch("chores", "chore:///2");
    // Both list it, so the first by name owns it; what the other says of it is not its to say.
    touch("others", "chore:///1");
    touch("chores", "chore:///1");
    let note = client.notification("notifications/resources/updated");
    assert_eq!(note["params"]["uri"], "chore:///1", "{note}");
    client.request("resources/unsubscribe", json!({ "uri": "chore:///1" })).unwrap();
    client.request("resources/unsubscribe", json!({ "uri": "chore:///1" })).unwrap();
    touch("chores", "chore:///1");
    // A list is told of to every older client, whether it subscribed to anything or not.
    client.call("chores__shuffle", &json!({ "list": "prompts" }));
    client.notification("notifications/prompts/list_changed");
    let left: Vec<_> = client
        .notifications()
        .into_iter()
        .filter(|note| note["method"] == "notifications/resources/updated")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn trace_context_reaches_the_plugin_and_the_audit() {
    let home = home("revisions-trace", "");
    let client = home.serve();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let call = |parent: &str| {
        let meta = json!({
            "traceparent": parent, "tracestate": "congo=t61", "baggage": "user=ann", "com.example/own": 1,
            "io.modelcontextprotocol/other": 2, "io.kennel/forged": 3, "progressToken": 4
        });
        modern(&client, "tools/call", json!({ "name": "chores__traced", "arguments": {}, "_meta": meta }))
            ["structuredContent"]
            .clone()
    };
    assert_eq!(
        call(trace),
        json!({ "traceparent": trace, "tracestate": "congo=t61", "meta": { "baggage": "user=ann", "com.example/own": 1 } })
    );
    let none = call("not a trace");
    assert_eq!((&none["traceparent"], &none["tracestate"]), (&Value::Null, &Value::Null));
    client.end_input();
    client.exit(PATIENCE).unwrap();
    let audit = home.audit();
    let calls: Vec<&Value> = audit.iter().filter(|line| line["name"] == "chores__traced").collect();
    assert_eq!(calls.len(), 2, "{audit:?}");
    assert_eq!((&calls[0]["trace"], calls[1].get("trace")), (&json!(trace), None));
}

#[test]
fn icons_and_hints_are_listed_as_they_are_true() {
    let home = Home::new("revisions-hints");
    home.plugin("chores")
        .plugin("notes")
        .config("[plugins.chores]\ntrust = \"dev\"\n[plugins.notes]\ntrust = \"dev\"\nstate = {}\n");
    let client = home.serve();
    let list = modern(&client, "tools/list", json!({}));
    let tool = |name: &str| {
        list["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap().clone()
    };
    let traced = tool("chores__traced");
    assert_eq!(traced["icons"], json!([{ "src": "https://example.org/chores.png" }]), "{traced}");
    assert_eq!(traced["annotations"]["openWorldHint"], false, "{traced}");
    let note = tool("notes__create_note");
    assert_eq!(
        (&note["annotations"]["openWorldHint"], &note["annotations"]["destructiveHint"]),
        (&json!(false), &json!(false))
    );
}

#[test]
fn cancelling_a_request_of_either_era_stops_its_guest() {
    let home = home("revisions-cancel", "[limits]\nfuel = \"100G\"\ndeadline = \"2m\"\n");
    let client = home.serve();
    client.initialize();
    let endless = json!({ "name": "chores__endless", "arguments": {} });
    for params in [endless.clone(), stateless(endless)] {
        let id = client.send("tools/call", params);
        becomes_busy(client.pid(), PATIENCE);
        client.cancel(id);
        becomes_idle(client.pid(), PATIENCE);
        assert_eq!(client.wait_for(id, Duration::from_millis(10)), None, "no answer to what was cancelled");
    }
}
