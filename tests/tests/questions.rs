//! Plugins ask the person, the model and the client through the bridge, in both eras, over stdio: what is asked, how the
//! answers come back, and what happens when they do not fit, come too late or cannot come.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use kennel_tests::asker::{
    GRANTED, accept, all_capabilities, ask, asker_home, form, modern, roots, rounds, said, sample, state, url,
};
use kennel_tests::{Client, refusal, words};
use serde_json::{Value, json};

const VERSION: &str = "2025-11-25";

/// What `asker__ask` gives back: the answers of each round.
fn answers(result: &Value) -> Value {
    serde_json::from_str(&words(result)).unwrap_or_else(|_| panic!("not answers: {result}"))
}

#[test]
fn newer_clients_come_again_with_answer_and_state() {
    let home = asker_home("questions-modern", GRANTED);
    let client = home.serve();
    let arguments = rounds(&[
        &[form("name", "name"), url("page", "https://example.org/login"), sample("model", 10), roots("dirs")],
        &[form("color", "color")],
    ]);
    let first = ask(&client, &arguments, &json!({}));
    let asked = first.as_ref().unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&asked["inputRequests"]).unwrap());

    let given = json!({
        "name": accept(&json!({"name": "Ada"})), "page": {"action": "accept"}, "model": said("Paris"),
        "dirs": {"roots": [{"uri": "file:///work", "name": "Work"}]}, "nobody asked": 5,
    });
    let second = ask(&client, &arguments, &json!({"inputResponses": given, "requestState": state(&first)}));
    assert_eq!(
        second.as_ref().unwrap()["inputRequests"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["color"]
    );
    assert_ne!(state(&second), state(&first));
    let given = json!({"color": {"action": "decline"}});
    let last =
        ask(&client, &arguments, &json!({"inputResponses": given, "requestState": state(&second)})).unwrap();
    assert_eq!(last["resultType"], "complete");
    assert_eq!(
        answers(&last),
        json!([
            {
                "name": accept(&json!({"name": "Ada"})), "page": {"action": "accept"}, "model": said("Paris"),
                "dirs": {"roots": [{"uri": "file:///work", "name": "Work"}]},
            },
            {"color": {"action": "decline"}},
        ])
    );
}

#[test]
fn prompts_and_resources_ask_too() {
    let home = asker_home("questions-others", GRANTED);
    let client = home.serve();
    for (method, params) in [
        ("prompts/get", json!({"name": "asker__greet"})),
        ("resources/read", json!({"uri": "asker:///greeting"})),
    ] {
        let asks = |more: &Value| modern(&client, method, params.clone(), &all_capabilities(), more);
        let first = asks(&json!({}));
        let given = json!({"name": accept(&json!({"name": "Ada"}))});
        let last = asks(&json!({"inputResponses": given, "requestState": state(&first)})).unwrap();
        assert!(last.to_string().contains("Hello, Ada!"), "{last}");
        // Answers sent along with the first request are taken when that is what is asked.
        let at_once = asks(&json!({"inputResponses": given})).unwrap();
        assert!(at_once.to_string().contains("Hello, Ada!"), "{at_once}");
    }
}

#[test]
fn what_does_not_fit_is_asked_again_and_what_fits_is_kept() {
    let home = asker_home("questions-again", GRANTED);
    let client = home.serve();
    let arguments = rounds(&[&[form("name", "name"), form("town", "town")]]);
    let mut last = ask(&client, &arguments, &json!({}));
    for (given, left, why) in [
        (json!({"name": 12345, "wrong": accept(&json!({}))}), vec!["name", "town"], Some("name")),
        (json!(null), vec!["name", "town"], None),
        (json!({"town": accept(&json!({"town": "Paris"}))}), vec!["name"], None),
        (
            json!({"name": accept(&json!({"name": 5})), "town": {"action": "cancel"}}),
            vec!["name"],
            Some("name"),
        ),
        (json!({"name": accept(&json!({"name": "Ada", "age": 5}))}), vec!["name"], Some("name")),
    ] {
        last = ask(&client, &arguments, &json!({"inputResponses": given, "requestState": state(&last)}));
        let asked = last.as_ref().unwrap();
        assert_eq!(asked["inputRequests"].as_object().unwrap().keys().collect::<Vec<_>>(), left);
        let refused = asked["_meta"]["io.kennel/refused"].as_object();
        assert_eq!(refused.and_then(|refused| refused.keys().next()).map(String::as_str), why, "{asked}");
    }
    let given = json!({"name": accept(&json!({"name": "Ada"}))});
    let done =
        ask(&client, &arguments, &json!({"inputResponses": given, "requestState": state(&last)})).unwrap();
    assert_eq!(
        answers(&done),
        json!([{"name": accept(&json!({"name": "Ada"})), "town": accept(&json!({"town": "Paris"}))}])
    );

    // Not for ever: a client that answers wrongly is told to stop.
    let mut last = ask(&client, &arguments, &json!({}));
    for _ in 0..20 {
        if last.as_ref().is_ok_and(|result| result["resultType"] != "input_required") {
            break;
        }
        last =
            ask(&client, &arguments, &json!({"inputResponses": {"name": 1}, "requestState": state(&last)}));
    }
    insta::assert_snapshot!(refusal(&last.unwrap()), @"plugin `asker`: limit: rounds of questions (8); its questions were not answered as they were asked");
}

#[test]
fn a_capability_that_was_not_declared_is_required() {
    let home = asker_home("questions-capabilities", GRANTED);
    let client = home.serve();
    let with_tools = {
        let mut asked = sample("k", 5);
        asked["sample"]["tools"] = json!([{"name": "t", "inputSchema": {"type": "object"}}]);
        asked
    };
    for (question, declared, required) in [
        (form("k", "name"), json!({}), json!({"elicitation": {"form": {}}})),
        (form("k", "name"), json!({"elicitation": {"url": {}}}), json!({"elicitation": {"form": {}}})),
        (url("k", "https://example.org"), json!({"elicitation": {}}), json!({"elicitation": {"url": {}}})),
        (sample("k", 5), json!({"elicitation": {}}), json!({"sampling": {}})),
        (with_tools, json!({"sampling": {}}), json!({"sampling": {"tools": {}}})),
        (roots("k"), json!({"sampling": {}}), json!({"roots": {}})),
    ] {
        let params = Client::call_params("asker__ask", &rounds(&[&[question]]));
        let error = modern(&client, "tools/call", params, &declared, &json!({})).unwrap_err();
        assert_eq!(
            (&error["code"], &error["data"]["requiredCapabilities"]),
            (&json!(-32021), &required),
            "{error}"
        );
    }
    // A plugin that looks first asks only what can be answered, or says itself what it lacks.
    let params = || Client::call_params("asker__ask_politely", &json!({}));
    let asked = modern(&client, "tools/call", params(), &json!({"sampling": {}}), &json!({}));
    assert!(state(&asked).is_string());
    let error = modern(&client, "tools/call", params(), &json!({}), &json!({})).unwrap_err();
    assert_eq!(error["data"]["requiredCapabilities"], json!({"sampling": {}}));
}

/// Answers one request of the server.
fn answer(client: &Client, method: &str, result: &Value) -> Value {
    let request = client.server_request(method);
    client.respond(&request["id"], result);
    request["params"].clone()
}

#[test]
fn older_clients_are_asked_by_the_server() {
    let home = asker_home("questions-legacy", GRANTED);
    let client = home.serve();
    client.initialize_with(VERSION, &all_capabilities());
    let arguments = rounds(&[
        &[form("name", "name"), sample("model", 10), roots("dirs")],
        &[url("page", "https://example.org/login")],
    ]);
    let id = client.send("tools/call", Client::call_params("asker__ask", &arguments));
    // All of a round are asked at once, so the order of the answers is the client's.
    answer(&client, "roots/list", &json!({"roots": [{"uri": "file:///work"}]}));
    let params = answer(&client, "sampling/createMessage", &said("Paris"));
    assert_eq!((&params["maxTokens"], &params["_meta"]["io.kennel/plugin"]), (&json!(10), &json!("asker")));
    let params = answer(&client, "elicitation/create", &accept(&json!({"name": "Ada"})));
    assert_eq!(
        (&params["mode"], &params["message"]),
        (&json!("form"), &json!("plugin `asker` asks: Your name?"))
    );
    let params = answer(&client, "elicitation/create", &json!({"action": "accept"}));
    assert_eq!(
        (&params["url"], &params["elicitationId"]),
        (&json!("https://example.org/login"), &json!("asker:login"))
    );
    let result = client.wait(id).unwrap();
    assert_eq!(
        answers(&result),
        json!([
            {"name": accept(&json!({"name": "Ada"})), "model": said("Paris"), "dirs": {"roots": [{"uri": "file:///work"}]}},
            {"page": {"action": "accept"}},
        ])
    );
    let told = client.notification("notifications/elicitation/complete");
    assert_eq!(told["params"]["elicitationId"], "asker:login");

    let id = client.send("prompts/get", json!({"name": "asker__greet"}));
    answer(&client, "elicitation/create", &json!({"action": "cancel"}));
    assert!(client.wait(id).unwrap().to_string().contains("Hello, stranger!"));
}

#[test]
fn an_older_client_that_does_not_answer_well_ends_the_call() {
    let home =
        asker_home("questions-legacy-bad", &format!("{GRANTED}\nlimits = {{ answer-within = \"2s\" }}"));
    let client = home.serve();
    client.initialize_with(VERSION, &all_capabilities());
    let begin = |questions: &[Value]| {
        client.send("tools/call", Client::call_params("asker__ask", &rounds(&[questions])))
    };
    let id = begin(&[form("name", "name")]);
    answer(&client, "elicitation/create", &accept(&json!({"name": 5})));
    insta::assert_snapshot!(refusal(&client.wait(id).unwrap()), @r#"plugin `asker` asked, and the client's answer does not fit: "name": /name: 5 is not of type "string""#);

    // The client refuses one: the other is taken back.
    let id = begin(&[sample("model", 5), form("name", "name")]);
    let form_id = client.server_request("elicitation/create")["id"].clone();
    let request = client.server_request("sampling/createMessage");
    let error = json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -1, "message": "The person said no"}});
    client.raw(format!("{error}\n").as_bytes());
    insta::assert_snapshot!(refusal(&client.wait(id).unwrap()), @r#"plugin `asker` asked "model", and the client refused: The person said no"#);
    assert_eq!(client.notification("notifications/cancelled")["params"]["requestId"], form_id);

    // Nobody answers.
    let id = begin(&[form("name", "name")]);
    let form_id = client.server_request("elicitation/create")["id"].clone();
    insta::assert_snapshot!(refusal(&client.wait(id).unwrap()), @r#"plugin `asker` asked "name", and nobody answered within 2 s; a person can raise `limits.answer-within` for it in kennel.toml"#);
    assert_eq!(client.notification("notifications/cancelled")["params"]["requestId"], form_id);

    // The call is cancelled while the person thinks.
    let id = begin(&[form("name", "name")]);
    let form_id = client.server_request("elicitation/create")["id"].clone();
    client.cancel(id);
    assert_eq!(client.notification("notifications/cancelled")["params"]["requestId"], form_id);

    // A client that declared nothing is asked nothing.
    let client = home.serve();
    client.initialize_with("2025-03-26", &json!({}));
    let said = client.refused("asker__ask", &rounds(&[&[form("name", "name")]]));
    insta::assert_snapshot!(said, @r#"this call needs the client capability "elicitation.form", which the client did not declare"#);
}

#[test]
fn every_round_leaves_its_audit_line() {
    let home = asker_home("questions-audit", GRANTED);
    let client = home.serve();
    let arguments = rounds(&[&[form("name", "name"), sample("model", 5)], &[roots("dirs")]]);
    let first = ask(&client, &arguments, &json!({}));
    let given = json!({"name": {"action": "decline"}, "model": said("x")});
    let second = ask(&client, &arguments, &json!({"inputResponses": given, "requestState": state(&first)}));
    let given = json!({"dirs": {"roots": []}});
    ask(&client, &arguments, &json!({"inputResponses": given, "requestState": state(&second)})).unwrap();
    client.end_input();
    client.exit(std::time::Duration::from_secs(60)).expect("it goes");
    let audit = home.audit();
    let calls = audit.iter().filter(|line| line["kind"] == "call");
    let lines: Vec<_> =
        calls.map(|line| format!("{} {}", line["round"], line["outcome"].as_str().unwrap())).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    0 asks form "name", sample "model"
    1 asks roots "dirs"
    2 ok
    "#);
}
