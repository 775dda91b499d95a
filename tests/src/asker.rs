//! What the tests of questions share: a home with the plugin `asker`, and the questions it is told to ask.
//! Must not answer anything by itself.

use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::home::Home;

/// Everything a client can declare.
pub fn all_capabilities() -> Value {
    json!({"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}}, "roots": {}})
}

/// A home with `asker`, approved, with these lines under `[plugins.asker]`.
pub fn asker_home(name: &str, lines: &str) -> Home {
    let home = Home::new(name);
    home.plugin("asker").config(&format!("[plugins.asker]\n{lines}\n")).approve();
    home
}

/// The lines that grant all it can ask.
pub const GRANTED: &str = "elicit = true\nsample = true\nroots = true";

/// A form with one text field.
pub fn form(key: &str, field: &str) -> Value {
    let schema = json!({"type": "object", "properties": {field: {"type": "string"}}, "required": [field]});
    json!({"key": key, "form": {"message": format!("Your {field}?"), "schema": schema}})
}

/// A URL.
pub fn url(key: &str, url: &str) -> Value {
    json!({"key": key, "url": {"message": "Log in there", "url": url, "id": "login"}})
}

/// A question to the model.
pub fn sample(key: &str, tokens: u32) -> Value {
    let message = json!({"role": "user", "content": {"type": "text", "text": "Capital of France?"}});
    json!({"key": key, "sample": {"messages": [message], "maxTokens": tokens}})
}

/// A question for the client's directories.
pub fn roots(key: &str) -> Value {
    json!({"key": key, "roots": true})
}

/// A person's answer.
pub fn accept(content: &Value) -> Value {
    json!({"action": "accept", "content": content})
}

/// A model's answer.
pub fn said(text: &str) -> Value {
    json!({"role": "assistant", "model": "m", "stopReason": "endTurn", "content": {"type": "text", "text": text}})
}

/// The arguments of `asker__ask` for these rounds.
pub fn rounds(rounds: &[&[Value]]) -> Value {
    json!({ "rounds": rounds })
}

/// One request of the newer era from a client with these capabilities; `more` is put into its params.
#[track_caller]
pub fn modern(client: &Client, method: &str, mut params: Value, capabilities: &Value, more: &Value) -> Reply {
    params["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities": capabilities});
    for (key, value) in more.as_object().into_iter().flatten() {
        params[key] = value.clone();
    }
    client.modern(method, params)
}

/// `asker__ask` with these arguments, from a client that can do everything.
#[track_caller]
pub fn ask(client: &Client, arguments: &Value, more: &Value) -> Reply {
    modern(client, "tools/call", Client::call_params("asker__ask", arguments), &all_capabilities(), more)
}

/// The state of a result that asks.
#[track_caller]
pub fn state(reply: &Reply) -> Value {
    match reply {
        Ok(result) if result["resultType"] == "input_required" => result["requestState"].clone(),
        other => panic!("not asked: {other:?}"),
    }
}
