//! `everything` through the binary: the tools of the published server that ask. What answers at once is compared in `differential`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;
use std::time::Duration;

use kennel_tests::grants::each_is_needed_by;
use kennel_tests::{Client, clients_dir, node, words};
use serde_json::{Value, json};

fn capabilities() -> Value {
    json!({ "roots": {}, "sampling": {}, "elicitation": { "form": {}, "url": {} } })
}

/// Calls a tool that asks once: gives what it asked, and the text of what it made of the answer.
fn asked(
    client: &Client,
    tool: &str,
    arguments: &Value,
    method: &str,
    answer: &Value,
) -> Result<(Value, String), String> {
    let id = client.send("tools/call", Client::call_params(tool, arguments));
    // What may not be asked ends the call at once.
    if let Some(reply) = client.wait_for(id, Duration::from_secs(2)) {
        return Err(reply.map_or_else(|error| error.to_string(), |result| words(&result)));
    }
    let question = client.server_request(method);
    client.respond(&question["id"], answer);
    let result = client.wait(id).map_err(|error| error.to_string())?;
    let texts: Vec<&str> =
        result["content"].as_array().unwrap().iter().filter_map(|item| item["text"].as_str()).collect();
    Ok((question["params"].clone(), texts.join("\n")))
}

fn roots(client: &Client) -> Result<(), String> {
    let answer = json!({ "roots": [{ "uri": "file:///srv/a", "name": "A" }, { "uri": "file:///srv/b" }] });
    let (_, told) = asked(client, "get-roots-list", &json!({}), "roots/list", &answer)?;
    assert!(
        told.starts_with("Current MCP Roots (2 total):\n\n1. A\n   URI: file:///srv/a\n\n2. Unnamed Root\n"),
        "{told}"
    );
    Ok(())
}

fn form(client: &Client) -> Result<Value, String> {
    let answer = json!({ "action": "accept", "content": { "name": "Ada", "check": true, "integer": 7 } });
    let (question, told) =
        asked(client, "trigger-elicitation-request", &json!({}), "elicitation/create", &answer)?;
    assert!(
        told.contains("User inputs:\n- Name: Ada\n- Agreed to terms: true\n- Favorite Integer: 7\n"),
        "{told}"
    );
    Ok(question["requestedSchema"].clone())
}

fn model(client: &Client) -> Result<Value, String> {
    let answer =
        json!({ "role": "assistant", "content": { "type": "text", "text": "Light." }, "model": "m" });
    let arguments = json!({ "prompt": "What is seen?", "maxTokens": 20 });
    let (question, told) =
        asked(client, "trigger-sampling-request", &arguments, "sampling/createMessage", &answer)?;
    assert!(told.starts_with("LLM sampling result: \n{") && told.contains("Light."), "{told}");
    Ok(question)
}

#[test]
fn it_needs_each_of_its_grants() {
    let grants = [("roots", "roots = true"), ("elicit", "elicit = true"), ("sample", "sample = true")];
    each_is_needed_by(&capabilities(), "everything", "", &grants, |client| {
        roots(client)?;
        form(client)?;
        model(client).map(drop)
    });
}

/// Numbers as what they are, however they are spelled.
fn by_value(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.iter().map(by_value).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), by_value(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

#[test]
fn it_asks_what_the_published_server_asks() {
    let mut command = Command::new(node());
    command
        .arg(clients_dir().join("node/node_modules/@modelcontextprotocol/server-everything/dist/index.js"));
    let theirs = Client::start(command);
    theirs.initialize_with("2025-11-25", &capabilities());
    let home = kennel_tests::Home::new("everything");
    home.plugin("everything")
        .config("[plugins.everything]\nprefix = \"\"\nelicit = true\nsample = true\nroots = true\n")
        .approve();
    let ours = home.serve();
    ours.initialize_with("2025-11-25", &capabilities());
    assert_eq!(by_value(&form(&ours).unwrap()), by_value(&form(&theirs).unwrap()));
    let (mine, reference) = (model(&ours).unwrap(), model(&theirs).unwrap());
    for field in ["systemPrompt", "maxTokens", "temperature"] {
        assert_eq!(mine[field], reference[field], "{field}");
    }
}
