//! The plugin `openai` through the binary, against a real HTTPS server that answers as OpenAI does.

use std::time::Duration;

use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::web_plugin::{KEY, WebPlugin, fails, gives_up, told, works};
use kennel_tests::{Client, words};
use serde_json::{Value, json};

const OPENAI: WebPlugin = WebPlugin {
    name: "openai",
    variable: "OPENAI_BASE_URL",
    methods: "[\"POST\"]",
    secret: Some(("key", "as = \"bearer\"")),
    state: false,
    more: Vec::new(),
};

const LINE: &str = "POST /chat/completions";

fn answer(asked: &Asked) -> Answer {
    if asked.header("authorization") != Some(&format!("Bearer {KEY}")) {
        return Answer::failure(401, &json!({ "error": { "message": "Incorrect API key provided" } }));
    }
    let body = asked.json();
    if asked.line() != LINE || body["messages"].as_array().is_none_or(Vec::is_empty) {
        return Answer::failure(400, &json!({ "error": { "message": "no messages" } }));
    }
    if body["stream"] == true {
        return Answer::pieces(events(["Hel", "lo ", "there"]), Duration::from_millis(20))
            .header("content-type", "text/event-stream");
    }
    Answer::json(&json!({ "choices": [{ "message": { "role": "assistant", "content": "Hello there" } }] }))
}

fn events<'t>(pieces: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    let event =
        |piece: &str| format!("data: {}\n\n", json!({ "choices": [{ "delta": { "content": piece } }] }));
    pieces.into_iter().map(event).chain(["data: [DONE]\n\n".to_owned()]).collect()
}

fn watched(client: &Client, arguments: &Value) -> Value {
    let mut params = Client::call_params("chat_completion", arguments);
    params["_meta"] = json!({ "progressToken": "watch" });
    client.request("tools/call", params).unwrap()
}

#[test]
fn completions_are_asked_and_told() {
    let server = WebServer::tls(answer);
    let (_home, client) = OPENAI.start(&server, "");
    assert_eq!(told(&client, "chat_completion", &json!({ "prompt": "hi" })), "Hello there");
    let user = json!({ "role": "user", "content": "hi" });
    assert_eq!(server.last().json(), json!({ "model": "o1-preview", "messages": [user] }));
    let all = json!({ "prompt": "hi", "model": "m", "temperature": 0.5, "top_p": 1, "max_tokens": 9, "system_message": "s" });
    told(&client, "chat_completion", &all);
    let system = json!({ "role": "system", "content": "s" });
    assert_eq!(
        server.last().json(),
        json!({ "model": "m", "messages": [system, user], "temperature": 0.5, "top_p": 1, "max_tokens": 9 })
    );
    for nothing in [json!({ "choices": [] }), json!({ "choices": [{ "message": { "content": null } }] })] {
        server.once(LINE, Answer::json(&nothing));
        assert_eq!(told(&client, "chat_completion", &json!({ "prompt": "hi" })), "No response generated");
    }
    assert!(!client.stderr().contains(KEY));
}

/// Who gives a progress token sees the answer grow; a stream that breaks off is a failure.
#[test]
fn a_watched_completion_is_streamed() {
    let server = WebServer::tls(answer);
    let (_home, client) = OPENAI.start(&server, "");
    let result = watched(&client, &json!({ "prompt": "hi", "max_tokens": 50 }));
    assert_eq!(words(&result), "Hello there", "{result}");
    assert_eq!(server.last().json()["stream"], true);
    let notes: Vec<_> = client
        .notifications()
        .into_iter()
        .filter(|note| note["method"] == "notifications/progress")
        .map(|note| note["params"].clone())
        .collect();
    let grown: Vec<_> = notes.iter().filter_map(|note| note["progress"].as_f64()).collect();
    assert!(!grown.is_empty() && grown.is_sorted(), "{notes:?}");
    assert!(notes.iter().all(|note| note["progressToken"] == "watch" && note["total"] == 50.0), "{notes:?}");

    server.once(LINE, Answer::pieces(events(["Hel"]).into_iter().take(1), Duration::ZERO).cut());
    let result = watched(&client, &json!({ "prompt": "hi" }));
    assert_eq!(result["isError"], true, "{result}");
    assert!(words(&result).starts_with("OpenAI API error: "), "{result}");
    server.once(LINE, Answer::pieces(events(["Hel"]).into_iter().take(1), Duration::ZERO));
    let result = watched(&client, &json!({ "prompt": "hi" }));
    assert_eq!(words(&result), "OpenAI API error: the answer broke off after 3 characters; try again");
    server.once(LINE, Answer::failure(429, &json!({ "error": { "message": "slow down" } })));
    let result = watched(&client, &json!({ "prompt": "hi" }));
    assert_eq!(words(&result), "OpenAI API error: 429 slow down; try again later");
}

#[test]
fn failures_are_told() {
    let server = WebServer::tls(answer);
    OPENAI.tells_failures(&server, LINE, "chat_completion", &json!({ "prompt": "hi" }), "OpenAI API error: ");
    let (_home, client) = OPENAI.start(&server, "");
    assert!(
        fails(&client, "chat_completion", &json!({ "prompt": "hi", "temperature": 3 }))
            .contains("temperature")
    );
}

#[test]
fn it_needs_what_it_asks_for() {
    let server = WebServer::tls(answer);
    let hi = json!({ "prompt": "hi" });
    OPENAI.needs_its_grants(&server, |client| {
        works(client, "chat_completion", &hi)?;
        gives_up(&server, LINE, client, "chat_completion", &hi)
    });
}
