//! Attackers that ask, and clients that answer dishonestly. Each is
//! refused with one short line, and while they try, a bystander is served.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use kennel_tests::asker::{
    GRANTED, accept, all_capabilities, ask, asker_home, form, roots, rounds, sample, state, url,
};
use kennel_tests::{Client, refusal};
use serde_json::{Value, json};

#[track_caller]
fn refused(client: &Client, question: Value) -> String {
    refusal(&ask(client, &rounds(&[&[question]]), &json!({})).unwrap())
}

#[test]
fn what_was_not_granted_is_never_asked() {
    let home = asker_home("hostile-questions-none", "");
    let client = home.serve();
    client.initialize_with("2025-11-25", &all_capabilities());
    let mut lines = Vec::new();
    for question in [form("k", "name"), url("k", "https://example.org"), sample("k", 5), roots("k")] {
        lines.push(refused(&client, question.clone()));
        lines.push(client.refused("asker__ask", &rounds(&[&[question]])));
    }
    lines.dedup();
    insta::assert_snapshot!(lines.join("\n"));
    // One grant is not the other.
    for (grant, allowed) in [("elicit", 0..2), ("sample", 2..3), ("roots", 3..4)] {
        let home = asker_home("hostile-questions-one", &format!("{grant} = true"));
        let client = home.serve();
        let all = [form("k", "name"), url("k", "https://example.org"), sample("k", 5), roots("k")];
        for (at, question) in all.into_iter().enumerate() {
            let reply = ask(&client, &rounds(&[&[question]]), &json!({})).unwrap();
            let asked = reply["resultType"] == "input_required";
            assert_eq!(asked, allowed.contains(&at), "{grant}: {reply}");
        }
    }
}

#[test]
fn no_password_in_a_form_and_no_page_but_https() {
    let home = asker_home("hostile-questions-words", GRANTED);
    let client = home.serve();
    let mut lines: Vec<String> = ["password", "API key", "accessToken"]
        .into_iter()
        .map(|field| refused(&client, form("k", field)))
        .collect();
    for page in [
        "http://example.org/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://bank.example@evil.example/",
    ] {
        lines.push(refused(&client, url("k", page)));
    }
    let mut all_context = sample("k", 5);
    all_context["sample"]["includeContext"] = json!("allServers");
    lines.push(refused(&client, all_context));
    lines.push(refused(&client, json!({"key": "k", "form": {"message": "m", "schema": {"type": "object", "properties": {"a": {"type": "object"}}}}})));
    lines.push(refusal(&ask(&client, &rounds(&[&[roots("k"), roots("k\u{202e}")]]), &json!({})).unwrap()));
    let many: Vec<Value> = (0..17).map(|at| roots(&format!("k{at}"))).collect();
    lines.push(refusal(&ask(&client, &rounds(&[&many]), &json!({})).unwrap()));
    insta::assert_snapshot!(lines.join("\n"));

    // A look-alike name is shown as what it is, with the plugin's own beside it; nothing in a message moves the cursor.
    let mut page = url("k", "https://\u{430}pple.example/");
    page["url"]["message"] = json!("Apple Support\u{202e}\u{1b}[2K");
    let asked = ask(&client, &rounds(&[&[page]]), &json!({})).unwrap();
    let params = &asked["inputRequests"]["k"]["params"];
    assert_eq!(params["url"], "https://xn--pple-43d.example/");
    assert_eq!(
        params["message"],
        "plugin `asker` asks you to open a page of xn--pple-43d.example: Apple Support\\u{202e}\\e[2K"
    );
}

#[test]
fn questions_are_counted() {
    let limits = "limits = { questions = 3, sample-tokens = 100 }";
    let home = asker_home("hostile-questions-count", &format!("{GRANTED}\n{limits}"));
    let client = home.serve();
    insta::assert_snapshot!(refused(&client, sample("k", 101)), @"plugin `asker`: limit: tokens of the client's model (100); a person can raise `limits.sample-tokens` for it in kennel.toml");
    let four: Vec<Value> = (0..4).map(|at| roots(&format!("k{at}"))).collect();
    insta::assert_snapshot!(refusal(&ask(&client, &rounds(&[&four]), &json!({})).unwrap()), @"plugin `asker`: limit: questions (3); a person can raise `limits.questions` for it in kennel.toml");
    // Round after round: the count goes on in the state.
    let said = json!({"k": kennel_tests::asker::said("x")});
    let mut arguments = rounds(&[&[sample("k", 40)]]);
    arguments["forever"] = json!(true);
    let mut last = ask(&client, &arguments, &json!({}));
    let mut asked = 0;
    while last.as_ref().is_ok_and(|result| result["resultType"] == "input_required") && asked < 20 {
        asked += 1;
        last = ask(&client, &arguments, &json!({"inputResponses": said, "requestState": state(&last)}));
    }
    assert_eq!(asked, 2);
    assert!(refusal(&last.unwrap()).contains("limit: tokens of the client's model (100)"));

    // And without a question the rounds themselves end.
    let home = asker_home("hostile-questions-rounds", GRANTED);
    let client = home.serve();
    let mut arguments = rounds(&[&[roots("k")]]);
    arguments["forever"] = json!(true);
    let given = json!({"k": {"roots": []}});
    let mut last = ask(&client, &arguments, &json!({}));
    let mut asked = 0;
    while last.as_ref().is_ok_and(|result| result["resultType"] == "input_required") && asked < 20 {
        asked += 1;
        last = ask(&client, &arguments, &json!({"inputResponses": given, "requestState": state(&last)}));
    }
    assert_eq!(asked, 8);
    insta::assert_snapshot!(refusal(&last.unwrap()), @"plugin `asker`: limit: rounds of questions (8)");
    // An older client is not asked for ever either.
    client.initialize_with("2025-11-25", &all_capabilities());
    let id = client.send("tools/call", Client::call_params("asker__ask", &arguments));
    for _ in 0..8 {
        let request = client.server_request("roots/list");
        client.respond(&request["id"], &given["k"]);
    }
    assert!(refusal(&client.wait(id).unwrap()).contains("rounds of questions (8)"));
}

#[test]
fn a_state_is_good_once_for_its_own_call() {
    let home = asker_home("hostile-questions-state", GRANTED);
    home.plugin_as("asker", "twin").config(&format!(
        "[plugins.asker]\n{GRANTED}\n[plugins.twin]\n{GRANTED}\n[plugins.short]\n{GRANTED}\nlimits = {{ answer-within = \"1s\" }}\n"
    ));
    home.plugin_as("asker", "short").approve();
    let client = home.serve();
    let arguments = rounds(&[&[form("k", "name")]]);
    let given = json!({"k": accept(&json!({"name": "Ada"}))});
    let with = |state: &Value| json!({"inputResponses": given, "requestState": state});
    let request = |method: &str, mut params: Value, more: &Value, name: &str| {
        params["_meta"] = json!({
            "io.modelcontextprotocol/clientCapabilities": all_capabilities(),
            "io.modelcontextprotocol/clientInfo": {"name": name, "version": "0"},
        });
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        client.modern(method, params)
    };
    let call = |tool: &str, arguments: &Value, more: &Value, name: &str| {
        request("tools/call", Client::call_params(tool, arguments), more, name)
    };
    let fresh = || state(&call("asker__ask", &arguments, &json!({}), "one"));
    let mine = fresh();
    let text = mine.as_str().unwrap();
    let other_arguments = rounds(&[&[form("k", "name"), roots("dirs")]]);
    let mut lines = Vec::new();
    let mut no = |what: &str, reply: Result<Value, Value>| {
        let error = reply.unwrap_err();
        assert_eq!(error["code"], -32602, "{what}: {error}");
        lines.push(format!("{what}: {}", error["message"].as_str().unwrap()));
    };
    no("tampered", call("asker__ask", &arguments, &with(&json!(format!("{text}-TAMPERED"))), "one"));
    no("empty", call("asker__ask", &arguments, &with(&json!("")), "one"));
    no("moved to another tool", call("asker__ask_politely", &arguments, &with(&mine), "one"));
    no("moved to another plugin", call("twin__ask", &arguments, &with(&mine), "one"));
    no("moved to other arguments", call("asker__ask", &other_arguments, &with(&mine), "one"));
    no("moved to another caller", call("asker__ask", &arguments, &with(&mine), "two"));
    let prompt = request("prompts/get", json!({"name": "asker__greet"}), &with(&mine), "one");
    no("moved to a prompt", prompt);
    // None of these used it up.
    assert_eq!(call("asker__ask", &arguments, &with(&mine), "one").unwrap()["resultType"], "complete");
    no("used again", call("asker__ask", &arguments, &with(&mine), "one"));
    let short = state(&call("short__ask", &arguments, &json!({}), "one"));
    std::thread::sleep(Duration::from_millis(1500));
    no("expired", call("short__ask", &arguments, &with(&short), "one"));
    // Another process, which a restarted host is.
    let kept = fresh();
    let other = home.serve();
    no("after a restart", ask(&other, &arguments, &with(&kept)));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn answers_do_not_go_to_other_bytes_under_the_same_name() {
    let home = asker_home("hostile-questions-bytes", &format!("{GRANTED}\ntrust = \"dev\""))
        .env("KENNEL_LOG", "info");
    let client = home.serve();
    let arguments = rounds(&[&[form("k", "name")]]);
    let state = state(&ask(&client, &arguments, &json!({})));
    // The same component with an empty custom section more: other bytes.
    let mut bytes = std::fs::read(home.plugin_path("asker")).unwrap();
    bytes.extend([0, 2, 1, b'x']);
    home.bytes("asker", &bytes);
    let end = Instant::now() + Duration::from_secs(60);
    while client.stderr().matches("serving asker.wasm").count() < 2 {
        assert!(Instant::now() < end, "not served anew:\n{}", client.stderr());
        std::thread::sleep(Duration::from_millis(10));
    }
    let given = json!({"k": accept(&json!({"name": "Ada"}))});
    let error =
        ask(&client, &arguments, &json!({"inputResponses": given, "requestState": state})).unwrap_err();
    insta::assert_snapshot!(error["message"].as_str().unwrap());
}
