//! Sentry: an issue with its stack trace, as a tool and as a prompt.

use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::web_plugin::{KEY, WebPlugin, fails, gives_up, told, works};
use serde_json::json;

const SENTRY: WebPlugin = WebPlugin {
    name: "sentry",
    variable: "SENTRY_BASE_URL",
    methods: "[\"GET\"]",
    secret: Some(("token", "as = \"bearer\"")),
    state: false,
    more: Vec::new(),
};

fn answer(asked: &Asked) -> Answer {
    if asked.header("authorization") != Some(&format!("Bearer {KEY}")) {
        return Answer::failure(401, &json!({ "detail": "Invalid token" }));
    }
    let frame = json!({ "filename": "a.py", "lineNo": 3, "function": "f", "context": [[3, "x"]] });
    let exception = json!({ "type": "KeyError", "value": "'x'", "stacktrace": { "frames": [frame] } });
    match asked.line().as_str() {
        "GET /issues/123/" | "GET /issues/124/" => Answer::json(&json!({
            "title": "KeyError: 'x'", "status": "unresolved", "level": "error", "firstSeen": "2026-11-01T00:00:00Z",
            "lastSeen": "2026-11-02T00:00:00Z", "count": "12",
        })),
        "GET /issues/123/hashes/" => Answer::json(&json!([
            { "latestEvent": { "entries": [{ "type": "exception", "data": { "values": [exception] } }] } },
        ])),
        "GET /issues/124/hashes/" => Answer::json(&json!([])),
        _ => Answer::failure(404, &json!({ "detail": "The requested resource does not exist" })),
    }
}

const TOLD: &str = "\nSentry Issue: KeyError: 'x'\nIssue ID: 123\nStatus: unresolved\nLevel: error\n\
                    First Seen: 2026-11-01T00:00:00Z\nLast Seen: 2026-11-02T00:00:00Z\nEvent Count: 12\n\n\
                    Exception: KeyError: 'x'\n\nStacktrace:\na.py:3 in f\n    x\n\n\n        ";

#[test]
fn issues_are_told() {
    let server = WebServer::tls(answer);
    let (_home, client) = SENTRY.start(&server, "");
    for issue in ["123", "https://acme.sentry.io/issues/123/?project=1"] {
        assert_eq!(told(&client, "get_sentry_issue", &json!({ "issue_id_or_url": issue })), TOLD);
    }
    let prompt = json!({ "name": "sentry-issue", "arguments": { "issue_id_or_url": "123" } });
    let prompt = client.request("prompts/get", prompt).unwrap();
    assert_eq!(prompt["description"], "Sentry Issue: KeyError: 'x'");
    assert_eq!(prompt["messages"][0]["role"], "user");
    assert_eq!(prompt["messages"][0]["content"]["text"], TOLD);
    let listed = client.request("prompts/list", json!({})).unwrap();
    let argument =
        json!({ "name": "issue_id_or_url", "description": "Sentry issue ID or URL", "required": true });
    assert_eq!(listed["prompts"][0]["name"], "sentry-issue");
    assert_eq!(listed["prompts"][0]["arguments"], json!([argument]));

    let asked = server.asked().len();
    for issue in ["", "12a", "https://evil.example/issues/123", "https://acme.sentry.io/projects/123"] {
        fails(&client, "get_sentry_issue", &json!({ "issue_id_or_url": issue }));
    }
    assert_eq!(server.asked().len(), asked, "nobody is asked for what is no issue");
    let said = fails(&client, "get_sentry_issue", &json!({ "issue_id_or_url": "124" }));
    assert_eq!(said, "No Sentry events found for this issue");
}

#[test]
fn failures_are_told() {
    let server = WebServer::tls(answer);
    let issue = json!({ "issue_id_or_url": "123" });
    let prefix = "Error fetching Sentry issue: ";
    SENTRY.tells_failures(&server, "GET /issues/123/", "get_sentry_issue", &issue, prefix);
}

#[test]
fn it_needs_what_it_asks_for() {
    let server = WebServer::tls(answer);
    let issue = json!({ "issue_id_or_url": "123" });
    SENTRY.needs_its_grants(&server, |client| {
        works(client, "get_sentry_issue", &issue)?;
        gives_up(&server, "GET /issues/123/", client, "get_sentry_issue", &issue)
    });
}
