//! Every kind of message that Kennel sends, in every revision it speaks, held against that revision's JSON Schema: the
//! client checks each line and fails the test when one does not fit. And that it would notice.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use kennel_tests::{Client, Home, modern_meta};
use serde_json::{Value, json};

/// A home with tools, structured results, resources, templates and a prompt, one note kept already.
fn furnished(name: &str) -> Home {
    let home = Home::new(name);
    home.plugin("notes").plugin("trial").plugin("memory").plugin("echo");
    home.config("[plugins.notes.state]\n[plugins.trial.state]\n[plugins.memory.state]\n").approve();
    let note = json!({ "title": "First", "content": "kept" });
    home.kennel(["call", "notes", "create_note", &note.to_string()]).success();
    home
}

/// What both eras have, with everything that can go wrong in it.
fn walk(ask: &dyn Fn(&str, Value) -> Result<Value, Value>) {
    let tools = ask("tools/list", json!({})).unwrap();
    assert!(tools["tools"].as_array().is_some_and(|tools| tools.len() > 20), "{tools}");
    let resources = ask("resources/list", json!({})).unwrap();
    let uris = resources["resources"].as_array().unwrap().iter().map(|resource| &resource["uri"]);
    let note = uris.clone().find(|uri| uri.as_str().is_some_and(|uri| uri.starts_with("note:///")));
    let note = note.unwrap_or_else(|| panic!("no note in {resources}"));
    ask("resources/templates/list", json!({})).unwrap();
    ask("prompts/list", json!({})).unwrap();
    ask("resources/read", json!({ "uri": note })).unwrap();
    ask("resources/read", json!({ "uri": "note:///987654" })).unwrap_err();
    ask("resources/read", json!({ "uri": "nobody://owns/this" })).unwrap_err();
    ask("prompts/get", json!({ "name": "notes__summarize_notes" })).unwrap();
    ask("prompts/get", json!({ "name": "nothing" })).unwrap_err();
    let reference = json!({ "type": "ref/prompt", "name": "notes__summarize_notes" });
    let _ =
        ask("completion/complete", json!({ "ref": reference, "argument": { "name": "x", "value": "y" } }));
    for (tool, arguments) in [
        ("trial__version", json!({ "ms": 1 })),
        ("trial__echo", json!({ "text": "ok" })),
        ("trial__echo", json!({ "text": 7 })),
        ("trial__panic", json!({ "message": "no" })),
        ("trial__trap", json!({})),
        ("trial__bad_output", json!({})),
        ("trial__steps", json!({ "count": 5 })),
        ("trial__log", json!({ "count": 5 })),
        ("memory__read_graph", json!({})),
    ] {
        ask("tools/call", json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": 5 } }))
            .unwrap();
    }
    ask("tools/call", json!({ "name": "nobody__has_this" })).unwrap_err();
    ask("tools/call", json!({ "name": 7 })).unwrap_err();
    ask("tools/list", json!({ "cursor": "of nobody" })).unwrap_err();
    ask("no/such", json!({})).unwrap_err();
}

/// Lines that nobody can read are answered in the form of the revision, too.
fn nonsense(client: &Client) {
    for line in [&b"{"[..], b"[]", b"{}", b"\xff", b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}"] {
        client.raw(&[line, b"\n"].concat());
        client.stray(std::time::Duration::from_secs(60)).expect("it is answered");
    }
    client.raw(b"{\"jsonrpc\":\"2.0\",\"id\":990,\"method\":\"ping\",\"method\":\"ping\"}\n");
    client.wait(990).unwrap_err();
}

#[test]
fn each_older_revision_has_every_message_we_send() {
    let home = furnished("older");
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let client = home.serve();
        let agreed = client.initialize_with(version, &json!({}));
        assert_eq!(agreed["protocolVersion"], version);
        walk(&|method, params| client.request(method, params));
        // Links to resources came with 2025-06-18; an older client is sent them all the same, as text is no substitute.
        if version >= "2025-06-18" {
            client.call("notes__create_note", &json!({ "title": "Second", "content": "linked" }));
            client.notification("notifications/resources/list_changed");
        }
        client.request("ping", Value::Null).unwrap();
        client.request("logging/setLevel", json!({ "level": "debug" })).unwrap();
        client.request("logging/setLevel", json!({ "level": "loud" })).unwrap_err();
        client.call("trial__log", &json!({ "count": 3 }));
        client.notification("notifications/message");
        client.notification("notifications/progress");
        client.request("resources/subscribe", json!({ "uri": "note:///1" })).unwrap();
        client.request("resources/unsubscribe", json!({ "uri": "note:///1" })).unwrap();
        nonsense(&client);
        home.plugin("time");
        client.notification("notifications/tools/list_changed");
        std::fs::remove_file(home.plugin_path("time")).unwrap();
    }
}

#[test]
fn the_newest_revision_has_every_message_we_send() {
    let home = furnished("newest");
    let client = home.serve();
    walk(&|method, params| client.modern(method, params));
    let note = json!({ "title": "Second", "content": "linked" });
    client.modern("tools/call", Client::call_params("notes__create_note", &note)).unwrap();
    client.modern("server/discover", json!({})).unwrap();
    let logged = json!({ "io.modelcontextprotocol/logLevel": "debug" });
    let call = json!({ "name": "trial__log", "arguments": { "count": 3 }, "_meta": logged });
    client.modern("tools/call", call).unwrap();
    client.notification("notifications/message");
    client.notification("notifications/progress");
    // What this era no longer has, and a revision that nobody has.
    client.modern("ping", json!({})).unwrap_err();
    let mut meta = modern_meta();
    meta["io.modelcontextprotocol/protocolVersion"] = json!("1999-01-01");
    client.request("tools/list", json!({ "_meta": meta })).unwrap_err();
    client.request("tools/list", Value::Null).unwrap_err();
    let stream = json!({ "notifications": { "toolsListChanged": true, "resourcesListChanged": true } });
    let stream = client.send(
        "subscriptions/listen",
        json!({ "_meta": modern_meta(), "notifications": stream["notifications"] }),
    );
    client.notification("notifications/subscriptions/acknowledged");
    home.plugin("time");
    client.notification("notifications/tools/list_changed");
    client.cancel(stream);
    nonsense(&client);
}

/// A server that says what no revision has is found out, however little a test looks.
#[test]
fn a_message_that_the_protocol_does_not_have_is_noticed() {
    for (line, told) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"t"}]}}"#,
            "\"inputSchema\" is a required property",
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"loud","data":1}}"#,
            "/params/level",
        ),
        ("Welcome!", "no JSON"),
    ] {
        let mut server = std::process::Command::new("sh");
        server.args(["-c", "read request; echo \"$1\"; read end", "sh", line]);
        let client = Client::start_ours(server);
        client.send("tools/list", json!({ "_meta": modern_meta() }));
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let mut found = Vec::new();
        while found.is_empty() && std::time::Instant::now() < end {
            found = client.violations();
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(found.len() == 1 && found[0].contains(told), "no {told:?} in {found:?}");
    }
    // And left alone, it fails the test that did not look.
    let mut server = std::process::Command::new("sh");
    server.args(["-c", "read request; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}'; read end"]);
    let client = Client::start_ours(server);
    let _ = client.request("ping", Value::Null);
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(client))).unwrap_err();
    let said = end.downcast_ref::<String>().expect("a message");
    assert!(said.starts_with("the protocol has no such message:"), "{said}");
}
