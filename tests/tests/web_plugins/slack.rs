//! Slack: channels, messages, users; a refusal that comes with status 200 is one.

use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::web_plugin::{KEY, WebPlugin, fails, gives_up, told, works};
use serde_json::json;

fn slack() -> WebPlugin {
    WebPlugin {
        name: "slack",
        variable: "SLACK_BASE_URL",
        methods: "[\"GET\", \"POST\"]",
        secret: Some(("token", "as = \"bearer\"")),
        state: false,
        more: vec![("team", "env.SLACK_TEAM_ID = \"T1\"\n".to_owned())],
    }
}

fn answer(asked: &Asked) -> Answer {
    let no = |error: &str| Answer::json(&json!({ "ok": false, "error": error }));
    if asked.header("authorization") != Some(&format!("Bearer {KEY}")) {
        return no("invalid_auth");
    }
    match asked.line().as_str() {
        "GET /conversations.list" | "GET /users.list" if asked.query("team_id").as_deref() != Some("T1") => {
            no("missing_argument")
        }
        "GET /conversations.list" => Answer::json(&json!({
            "ok": true, "channels": [{ "id": "C1" }],
            "limit": asked.query("limit"), "response_metadata": { "next_cursor": asked.query("cursor") },
        })),
        "GET /conversations.info" => {
            let id = asked.query("channel").unwrap();
            Answer::json(&json!({ "ok": id != "C9", "channel": { "id": id, "is_archived": id == "C3" } }))
        }
        "GET /users.list" => Answer::json(&json!({ "ok": true, "members": [] })),
        "POST /chat.postMessage" | "POST /reactions.add" => {
            Answer::json(&json!({ "ok": true, "asked": asked.json() }))
        }
        "GET /conversations.history" | "GET /conversations.replies" | "GET /users.profile.get" => {
            Answer::json(&json!({ "ok": true, "asked": asked.target }))
        }
        _ => no("unknown_method"),
    }
}

#[test]
fn tools_ask_and_tell() {
    let server = WebServer::tls(answer);
    let (_home, client) = slack().start(&server, "");
    let listed = told(&client, "slack_list_channels", &json!({ "limit": 500, "cursor": "next" }));
    let expected =
        r#"{"ok":true,"channels":[{"id":"C1"}],"limit":"200","response_metadata":{"next_cursor":"next"}}"#;
    assert_eq!(listed, expected);
    assert!(told(&client, "slack_list_channels", &json!({})).contains(r#""limit":"100""#));
    for (tool, arguments, asked) in [
        (
            "slack_post_message",
            json!({ "channel_id": "C1", "text": "hi" }),
            json!({ "text": "hi", "channel": "C1" }),
        ),
        (
            "slack_reply_to_thread",
            json!({ "channel_id": "C1", "thread_ts": "1.2", "text": "hi" }),
            json!({ "thread_ts": "1.2", "text": "hi", "channel": "C1" }),
        ),
        (
            "slack_add_reaction",
            json!({ "channel_id": "C1", "timestamp": "1.2", "reaction": "eyes" }),
            json!({ "timestamp": "1.2", "channel": "C1", "name": "eyes" }),
        ),
    ] {
        told(&client, tool, &arguments);
        assert_eq!(server.last().json(), asked, "{tool}");
    }
    told(&client, "slack_get_channel_history", &json!({ "channel_id": "C1" }));
    assert_eq!(server.last().target, "/conversations.history?channel=C1&limit=10");
    told(&client, "slack_get_thread_replies", &json!({ "channel_id": "C1", "thread_ts": "1.2" }));
    assert_eq!(server.last().target, "/conversations.replies?channel=C1&ts=1.2");
    told(&client, "slack_get_users", &json!({}));
    told(&client, "slack_get_user_profile", &json!({ "user_id": "U1" }));
    assert_eq!(server.last().target, "/users.profile.get?user=U1&include_labels=true");

    // The channels that a person chose, but for archived ones and those that are not there.
    let (_home, client) = slack().start(&server, "env.SLACK_CHANNEL_IDS = \"C1, C3,C9\"\n");
    assert_eq!(
        told(&client, "slack_list_channels", &json!({})),
        r#"{"ok":true,"channels":[{"id":"C1","is_archived":false}],"response_metadata":{"next_cursor":""}}"#
    );
}

#[test]
fn failures_are_told() {
    let server = WebServer::tls(answer);
    let profile = json!({ "user_id": "U1" });
    let line = "GET /users.profile.get";
    slack().tells_failures(&server, line, "slack_get_user_profile", &profile, "Slack API error: ");
    let (_home, client) = slack().start(&server, "");
    server.once(line, Answer::json(&json!({ "ok": false, "error": "user_not_found" })));
    assert_eq!(
        fails(&client, "slack_get_user_profile", &profile),
        r#"{"ok":false,"error":"user_not_found"}"#
    );
}

#[test]
fn it_needs_what_it_asks_for() {
    let server = WebServer::tls(answer);
    let plugin = slack();
    let chosen = ("channels", "env.SLACK_CHANNEL_IDS = \"C1\"\n".to_owned());
    let more = plugin.more.iter().cloned().chain([chosen]).collect();
    WebPlugin { more, ..plugin }.needs_its_grants(&server, |client| {
        works(client, "slack_get_users", &json!({}))?;
        works(client, "slack_post_message", &json!({ "channel_id": "C1", "text": "hi" }))?;
        works(client, "slack_list_channels", &json!({}))?;
        if server.last().path() != "/conversations.info" {
            return Err("all channels were listed".into());
        }
        gives_up(&server, "GET /users.list", client, "slack_get_users", &json!({}))
    });
}
