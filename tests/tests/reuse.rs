//! Instances that live for more than one call: only where that was granted, for one caller, for so many calls and so long,
//! and never after a call that did not end in order. What is counted is counted for each call.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use kennel_tests::{Client, Home, HttpSession, words};
use serde_json::{Value, json};

/// A home whose attacker remembers texts in a global, with these limits.
fn with_limits(limits: &str) -> Home {
    let home = Home::new("reuse");
    home.plugin("hello").hostile_as("attacker", "attacker");
    home.config(&format!("[plugins.attacker.limits]\n{limits}")).approve();
    home
}

fn serve(home: &Home) -> Client {
    let client = home.serve();
    client.initialize();
    client
}

/// Tells it a text; gives the one it was told before.
fn remember(client: &Client, text: &str) -> String {
    words(&client.call("attacker__remember", &json!({ "text": text })))
}

#[test]
fn an_instance_lives_for_as_many_calls_as_it_was_granted() {
    let home = with_limits("instance-calls = 3\n");
    let client = serve(&home);
    let told: Vec<_> = ["a", "b", "c", "d", "e"].iter().map(|text| remember(&client, text)).collect();
    assert_eq!(told, ["[]", "[a]", "[b]", "[]", "[d]"]);
}

#[test]
fn it_waits_for_the_next_call_as_long_as_it_was_granted() {
    let home = with_limits("instance-calls = 1000\ninstance-idle = \"50ms\"\n");
    let client = serve(&home);
    remember(&client, "a");
    let end = Instant::now() + Duration::from_secs(60);
    // A call that comes too early begins the waiting anew.
    loop {
        std::thread::sleep(Duration::from_millis(500));
        if remember(&client, "b") == "[]" {
            break;
        }
        assert!(Instant::now() < end, "it is kept for ever");
    }
    // One that waits longer is still there.
    let home = with_limits("instance-calls = 1000\ninstance-idle = \"10m\"\n");
    let client = serve(&home);
    remember(&client, "a");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(remember(&client, "b"), "[a]");
}

/// Calls at the same time have an instance each.
#[test]
fn no_two_calls_are_in_one_instance_at_once() {
    let home = with_limits("instance-calls = 1000\n");
    let client = serve(&home);
    let params = Client::call_params("attacker__remember", &json!({ "text": "x" }));
    let ids: Vec<u64> = (0..200).map(|_| client.send("tools/call", params.clone())).collect();
    for id in ids {
        assert_ne!(client.wait(id).unwrap()["isError"], true);
    }
    assert_eq!(client.strays(), Vec::<Value>::new());
}

/// Two tokens are two callers, and neither gets what the other's instance knows.
#[test]
fn it_never_goes_to_another_caller() {
    let tokens = ["first-caller-0123456789abcdef0123456789", "other-caller-0123456789abcdef0123456789"];
    let home = with_limits("instance-calls = 1000\ninstance-idle = \"10m\"\n");
    let file = home.folder("user").join("tokens");
    std::fs::write(&file, tokens.join("\n")).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let server = home.serve_http(&["--token-file", file.to_str().unwrap()]);
    server.wait_ready();
    let headers = tokens.map(|token| format!("Bearer {token}"));
    let sessions = [0, 1].map(|of| server.session_of(&json!({}), &[("authorization", headers[of].as_str())]));
    let remember = |session: &HttpSession<'_>, text: &str| {
        let answer = session.call(&json!(1), "attacker__remember", &json!({ "text": text }));
        let messages = answer.messages();
        words(&messages.last().unwrap()["result"])
    };
    assert_eq!(remember(&sessions[0], "a"), "[]");
    assert_eq!(remember(&sessions[1], "b"), "[]");
    for (session, own) in sessions.iter().zip(["a", "b"]) {
        assert_eq!(remember(session, own), format!("[{own}]"));
    }
}

#[test]
fn after_a_trap_a_time_out_or_a_change_of_grants_it_is_fresh() {
    let home = with_limits("instance-calls = 1000\ninstance-idle = \"10m\"\ndeadline = \"2s\"\n");
    let client = serve(&home);
    for end in ["trap", "sleep"] {
        assert_eq!(remember(&client, "a"), "[]", "before {end}");
        let said = client.refused("attacker__end", &json!({ "how": end }));
        assert!(!said.is_empty(), "{end}");
        assert_eq!(remember(&client, "b"), "[]", "after {end}");
        let said = client.refused("attacker__end", &json!({ "how": "trap" }));
        assert!(said.contains("trap"), "{said}");
    }
    assert_eq!(remember(&client, "a"), "[]");
    home.kennel(["allow", "attacker", "--limit", "deadline=3s"]).success();
    let end = Instant::now() + Duration::from_secs(60);
    while remember(&client, "x") != "[]" {
        assert!(Instant::now() < end, "the old instance goes on");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Each call has its own budget, and its own line in the audit.
#[test]
fn what_is_counted_is_counted_for_each_call() {
    let home = with_limits("instance-calls = 1000\n");
    let client = serve(&home);
    for text in ["a", "b", "c"] {
        remember(&client, text);
    }
    for lines in [3, 1, 2] {
        let arguments = json!({ "stdout": "out\n".repeat(lines), "stderr": "", "log": "line" });
        assert_eq!(words(&client.call("attacker__print", &arguments)), "printed");
    }
    client.end_input();
    client.exit(Duration::from_secs(60));
    let audit = home.audit();
    let calls: Vec<_> = audit.iter().filter(|line| line["usage"].is_object()).collect();
    assert_eq!(calls.len(), 6, "{audit:?}");
    let fuel: Vec<u64> = calls.iter().map(|line| line["usage"]["fuel"].as_u64().unwrap()).collect();
    assert!(fuel.iter().all(|fuel| *fuel > 0), "{fuel:?}");
    // The first call pays for the start of the instance, the next ones for themselves alone.
    assert!(fuel[1] < fuel[0], "{fuel:?}");
    let logged: Vec<_> = calls.iter().map(|line| line["usage"]["log-lines"].clone()).collect();
    assert_eq!(logged, [0, 0, 0, 1, 1, 1].map(Value::from));
}
