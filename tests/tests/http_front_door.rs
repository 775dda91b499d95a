//! The front door over HTTP: what comes in by which name, from which page and with which token, and what becomes of
//! messages that the protocol library alone would answer wrongly or not at all. Hostile rows 8, 32 and 33.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use kennel_tests::process::{peak_resident, resident};
use kennel_tests::{
    Attacker, Home, HttpConnection, HttpRequest, HttpResponse, HttpServer, modern_meta, modern_request,
    refusal,
};
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const OTHER_TOKEN: &str = "fedcba9876543210fedcba9876543210";

fn home(name: &str) -> Home {
    let home = Home::new(name);
    home.plugin("hello").plugin("trial").config(
        "[plugins.hello]\ntrust = \"dev\"\n[plugins.trial]\ntrust = \"dev\"\n\
         state = { quota = \"1MiB\", scope = \"caller\" }\n",
    );
    home
}

/// The one JSON-RPC error that an answer is.
#[track_caller]
fn refused(response: HttpResponse, status: u16, code: i64) -> Value {
    assert_eq!(response.header("content-type"), Some("application/json"), "{response:?}");
    let given = response.status;
    let answer = response.json();
    assert_eq!((given, answer["error"]["code"].as_i64()), (status, Some(code)), "{answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(!message.is_empty() && message.len() < 400 && !message.contains('\n'), "{answer}");
    answer
}

#[track_caller]
fn alive(server: &HttpServer) {
    let params = json!({ "name": "hello__hello", "arguments": { "name": "you" } });
    let answer = server.modern(&json!(1), "tools/call", params).answer();
    assert_eq!(answer["result"]["content"][0]["text"], "Hello, you!", "{answer}");
}

/// Rows 1 to 4 of what the protocol library gets wrong: unreadable messages, wrong params of a known method, wrong
/// optional params; in both eras.
#[test]
fn broken_messages_get_an_error_of_their_own() {
    let home = home("http-broken");
    let server = home.serve_http(&[]);
    let session = server.session();
    let deep = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"jsonrpc":"2.0","id":9001,"method":"tools/call","params":{open}{close}}}"#).into_bytes()
    };
    let with = |rest: &str| format!(r#"{{"jsonrpc":"2.0","id":9001,{rest}"#).into_bytes();
    for (body, code) in [
        (with(r#""method":"tools/list""#), -32700),
        (with(r#""method":"tools/list","params":{"a":tru}}"#), -32700),
        (with(r#""method":"tools/call","params":{"name":"\ud800"}}"#), -32700),
        (with("\"method\":\"tools/list\",\"params\":{\"a\":\"\0\"}}"), -32700),
        ([with(r#""method":"tools/list","params":{"a":""#), b"\xff\"}}".to_vec()].concat(), -32700),
        (deep(129), -32600),
        (with(r#""method":"tools/list","params":{"a":1,"a":2}}"#), -32600),
        (with(r#""method":7}"#), -32600),
        (with(r#""method":"tools/call"}"#), -32602),
        (with(r#""method":"tools/call","params":{"name":5}}"#), -32602),
        (with(r#""method":"tools/call","params":{"name":"hello__hello","arguments":[1]}}"#), -32602),
        (with(r#""method":"tools/list","params":{"cursor":5}}"#), -32602),
        (with(r#""method":"prompts/get","params":{}}"#), -32602),
        (with(r#""method":"resources/read","params":{"uri":[]}}"#), -32602),
        (with(r#""method":"tools/call","params":{"name":"t","_meta":{"progressToken":1.5}}}"#), -32602),
    ] {
        let text = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
        let older = session.request("POST").header("Content-Type", "application/json").body(&body);
        let newer = modern_request(&json!(0), "tools/call", Value::Null).body(&body);
        for request in [older, newer] {
            let answer = refused(server.send(&request), 400, code);
            assert_eq!(answer["id"], 9001, "{text}");
        }
    }
    for body in [&b""[..], b"\0", b"7", b"[]", b"{}", br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#] {
        let response = server.post(body);
        assert_eq!(response.status, 400);
        let answer = response.json();
        assert!(answer.get("id").is_none() && answer["error"]["code"].is_i64(), "{answer}");
    }
    alive(&server);
}

/// Row 6: numbers and the order of keys reach the plugin, and come back, as they were written.
#[test]
fn arguments_travel_as_they_were_written() {
    let home = home("http-verbatim");
    let server = home.serve_http(&[]);
    let session = server.session();
    let arguments = r#"{"z":12345678901234567890123456789,"a":1.50,"m":1e400}"#;
    let meta = modern_meta();
    for request in [
        session.request("POST").header("Content-Type", "application/json").body(
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"trial__verbatim","arguments":{arguments}}}}}"#)
                .as_bytes(),
        ),
        modern_request(&json!(1), "tools/call", json!({ "name": "trial__verbatim" })).body(
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"trial__verbatim","arguments":{arguments},"_meta":{meta}}}}}"#)
                .as_bytes(),
        ),
    ] {
        let text = server.send(&request).text();
        let plain = text.replace("\\\"", "\"");
        assert!(plain.contains(arguments), "{text}");
    }
}

/// Methods that are unknown, or that the stateless era no longer has: 404 there, as the revision says.
#[test]
fn methods_that_are_not_there() {
    let home = home("http-methods");
    let server = home.serve_http(&[]);
    for method in
        ["no/such", "ping", "initialize", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"]
    {
        let params = json!({ "uri": "a:b", "level": "info" });
        let answer = refused(server.modern(&json!("m"), method, params), 404, -32601);
        assert_eq!(answer["id"], "m", "{method}");
    }
    let session = server.session();
    let answer = session.ask(&json!(1), "no/such", json!({}));
    assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (200, Some(-32601)));
    assert_eq!(session.ask(&json!(2), "ping", json!({})).json()["result"], json!({}));
    for method in ["PUT", "PATCH", "HEAD"] {
        let response = server.send(&session.request(method));
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.header("allow"), Some("GET, POST, DELETE"));
    }
}

/// What the revision wants of a request's head, which the protocol library checks.
#[test]
fn heads_must_fit_bodies() {
    let home = home("http-heads");
    let server = home.serve_http(&[]);
    server.wait_ready();
    let call = json!({ "name": "hello__hello", "arguments": { "name": "you" } });
    let good = || modern_request(&json!(1), "tools/call", call.clone());
    assert_eq!(server.send(&good()).status, 200);
    let odd = [
        good().without("Mcp-Method"),
        good().without("Mcp-Name"),
        good().without("Mcp-Method").header("Mcp-Method", "tools/list"),
        good().without("Mcp-Method").header("Mcp-Method", "TOOLS/CALL"),
        good().without("Mcp-Name").header("Mcp-Name", "other"),
        good().without("MCP-Protocol-Version"),
        good().without("MCP-Protocol-Version").header("MCP-Protocol-Version", "2025-11-25"),
    ];
    for request in odd {
        let answer = refused(server.send(&request), 400, -32020);
        assert_eq!(answer["id"], 1, "{request:?}");
    }
    let lower = good().without("Mcp-Method").header("mcp-method", "  tools/call  ");
    assert_eq!(server.send(&lower).status, 200);

    let with_meta = |meta: Value| {
        let mut params = call.clone();
        params["_meta"] = meta;
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        good().body(message.to_string().as_bytes())
    };
    let mut meta = modern_meta();
    meta.as_object_mut().unwrap().remove("io.modelcontextprotocol/clientCapabilities");
    refused(server.send(&with_meta(meta)), 400, -32602);
    refused(server.send(&with_meta(json!({}))), 400, -32602);
    let mut meta = modern_meta();
    meta["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    let unknown =
        with_meta(meta).without("MCP-Protocol-Version").header("MCP-Protocol-Version", "2099-01-01");
    let answer = refused(server.send(&unknown), 400, -32022);
    assert_eq!(answer["error"]["data"]["requested"], "2099-01-01", "{answer}");
    assert!(answer["error"]["data"]["supported"].as_array().is_some_and(|all| !all.is_empty()), "{answer}");

    let text = HttpRequest::post(b"{}").without("Content-Type").header("Content-Type", "text/plain");
    let body = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/list" }).to_string();
    let answer = refused(server.send(&text.body(body.as_bytes())), 415, -32600);
    assert_eq!(answer["id"], 3);
    let picky = HttpRequest::post(body.as_bytes()).without("Accept").header("Accept", "text/html");
    refused(server.send(&picky), 406, -32600);
}

/// Row 8: web pages of others, and names that are not this server's, are turned away from every path.
#[test]
fn foreign_pages_and_names_are_turned_away() {
    let home = home("http-foreign");
    let more = ["--allowed-host", "tools.example.com", "--allowed-origin", "https://app.example.com"];
    let server = home.serve_http(&more);
    let port = server.address().port();
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": { "_meta": modern_meta() } });
    let ask = || modern_request(&json!(1), "server/discover", Value::Null).body(list.to_string().as_bytes());
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://localhost.evil.example"),
        ("Host", "evil.example"),
        ("Host", "evil.example:80"),
        ("Host", "127.0.0.1.evil.example"),
    ] {
        refused(server.send(&ask().header(name, value)), 403, -32600);
        for path in ["/mcp", "/health", "/ready"] {
            let request = HttpRequest::new("GET", path).header(name, value);
            assert_eq!(server.send(&request).status, 403, "{path} {name}: {value}");
        }
    }
    let local = format!("localhost:{port}");
    for (name, value) in [
        ("Host", local.as_str()),
        ("Host", "[::1]"),
        ("Host", "tools.example.com"),
        ("Origin", "http://localhost:6274"),
        ("Origin", "http://127.0.0.1"),
        ("Origin", "https://app.example.com"),
    ] {
        assert_eq!(server.send(&ask().header(name, value)).status, 200, "{name}: {value}");
    }
    // A page that may call may also read the answers.
    let page = "https://app.example.com";
    let asks = HttpRequest::new("OPTIONS", "/mcp")
        .header("Origin", page)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "mcp-method, authorization");
    let response = server.send(&asks);
    assert_eq!(response.status, 204);
    assert_eq!(response.header("access-control-allow-headers"), Some("mcp-method, authorization"));
    let response = server.send(&ask().header("Origin", page));
    assert_eq!(response.header("access-control-allow-origin"), Some(page));
    assert!(server.send(&ask()).header("access-control-allow-origin").is_none());
}

fn bearer(request: HttpRequest, token: &str) -> HttpRequest {
    request.header("Authorization", &format!("Bearer {token}"))
}

fn token_file(home: &Home, text: &str, mode: u32) -> String {
    let path = home.folder("secrets").join("tokens");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// With tokens, every call carries one; each is a caller with a state and sessions of its own.
#[test]
fn a_token_is_asked_for_and_tells_callers_apart() {
    let home = home("http-token");
    let file = token_file(&home, &format!("{TOKEN}\n\n{OTHER_TOKEN}\n"), 0o600);
    let server = home.serve_http(&["--token-file", &file]);
    let ask = || modern_request(&json!(1), "tools/call", json!({ "name": "trial__count", "arguments": {} }));
    let wrong = "0123456789abcdef0123456789abcdeF";
    let none = [
        ask(),
        bearer(ask(), wrong),
        bearer(ask(), &TOKEN[..31]),
        bearer(ask(), ""),
        ask().header("Authorization", TOKEN),
        ask().header("Authorization", &format!("Basic {TOKEN}")),
        ask().path(&format!("/mcp?access_token={TOKEN}")),
        bearer(bearer(ask(), TOKEN), TOKEN),
        HttpRequest::new("GET", "/mcp"),
        HttpRequest::new("DELETE", "/mcp"),
    ];
    for request in none {
        let response = server.send(&request);
        assert_eq!(response.header("www-authenticate"), Some("Bearer"), "{request:?} {response:?}");
        refused(response, 401, -32600);
    }
    assert_eq!(server.get("/health").status, 200);
    server.wait_ready();
    let count = |token: &str| {
        let answer = server.send(&bearer(ask(), token)).answer();
        answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    assert_eq!([count(TOKEN), count(TOKEN), count(OTHER_TOKEN), count(TOKEN)], ["1", "2", "1", "3"]);

    // A session is its caller's: to another it looks like none.
    let mine = format!("Bearer {TOKEN}");
    let session = server.session_with("2025-11-25", &[("Authorization", &mine)]);
    let counted = session.call(&json!(1), "trial__count", &json!({})).answer();
    assert_eq!(counted["result"]["content"][0]["text"], "4");
    for method in ["POST", "GET", "DELETE"] {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        let request = session.message(&body).without("Authorization");
        let request =
            if method == "POST" { request } else { session.request(method).without("Authorization") };
        refused(server.send(&bearer(request, OTHER_TOKEN)), 404, -32600);
    }
    assert_eq!(session.ask(&json!(2), "ping", json!({})).status, 200);
}

/// What cannot be safe does not start.
#[test]
fn an_open_address_needs_a_token() {
    let home = home("http-open");
    for address in ["0.0.0.0:0", "[::]:0"] {
        let run = home.kennel(["serve", "--http", address]);
        run.failure().stderr_has("must carry a token").stderr_has("--token-file");
    }
    let file = token_file(&home, "short\n", 0o600);
    home.kennel(["serve", "--http", "127.0.0.1:0", "--token-file", &file])
        .failure()
        .stderr_has("32 characters");
    let file = token_file(&home, "", 0o600);
    home.kennel(["serve", "--http", "0.0.0.0:0", "--token-file", &file]).failure().stderr_has("no token");
    let file = token_file(&home, TOKEN, 0o640);
    home.kennel(["serve", "--http", "127.0.0.1:0", "--token-file", &file]).failure().stderr_has("chmod 600");
    home.kennel(["serve", "--http", "nonsense"]).failure().stderr_has("127.0.0.1:8080");
    home.kennel(["serve", "--legacy-sse"]).failure().stderr_has("--http");
    let bad = ["serve", "--http", "127.0.0.1:0", "--allowed-origin", "example.com"];
    home.kennel(bad).failure().stderr_has("https://example.com");

    // With one it listens there, and is called by the names it was given.
    let mut command = home.command();
    command
        .args(["serve", "--http", "0.0.0.0:0", "--allowed-host", "tools.example.com"])
        .env("KENNEL_TOKEN", TOKEN);
    let everywhere = HttpServer::start(command);
    let port = everywhere.address().port();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let mut wire = HttpConnection::new(address).unwrap();
    let ask = modern_request(&json!(1), "tools/list", Value::Null).header("Host", "tools.example.com");
    wire.begin(&bearer(ask, TOKEN)).unwrap();
    assert_eq!(wire.answer().unwrap().status, 200);
}

/// Bodies and heads that are too long or never come, in bounded time and memory.
#[test]
fn long_and_slow_requests() {
    let home = home("http-long");
    let server = home.serve_http(&[]);
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":9001,"method":"tools/call","params":{{"name":"{}"}}}}"#,
        "x".repeat(20 << 20)
    );
    let answer = refused(server.post(long.as_bytes()), 413, -32600);
    assert_eq!(answer["id"], 9001);
    let mut many = HttpRequest::new("GET", "/health");
    for number in 0..100 {
        many = many.header(&format!("x-{number}"), "1");
    }
    assert_eq!(server.send(&many).status, 431);
    let mut big = server.connect();
    let head = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    // The server may close before all of it is written.
    let _ = big.raw(head.as_bytes());
    assert!(big.answer().is_ok_and(|answer| answer.status == 431) || server.get("/health").status == 200);

    // One byte now and then: given up in the time for a head or a body, while others are served.
    let started = Instant::now();
    let mut slow = Vec::new();
    for half in [
        &b"GET /health HTTP/1.1\r\nHost: localhost\r\nx-"[..],
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
    ] {
        let mut wire = server.connect();
        wire.raw(half).unwrap();
        slow.push(wire);
    }
    alive(&server);
    for wire in slow {
        let mut socket = wire.socket();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        loop {
            let mut bytes = [0; 1024];
            match socket.read(&mut bytes) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    assert!(
                        started.elapsed() < Duration::from_secs(150),
                        "a slow client keeps its connection"
                    );
                    let _ = socket.write(b"a");
                }
                Err(_) => break,
            }
        }
    }
    alive(&server);
}

/// Connections are bounded: one more is told so, and there is room again when one goes.
#[test]
fn connections_are_bounded() {
    let home = home("http-connections");
    let server = home.serve_http(&["--max-connections", "8"]);
    let held: Vec<_> = (0..8).map(|_| server.connect()).collect();
    let start = Instant::now();
    loop {
        let answer = server.connect().send(&HttpRequest::new("GET", "/health"));
        if answer.status == 503 {
            assert_eq!(answer.header("retry-after"), Some("5"));
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "there is no bound");
    }
    drop(held);
    let start = Instant::now();
    while server.get("/health").status != 200 {
        assert!(start.elapsed() < Duration::from_secs(20), "the places are lost");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Hostile row 8 through HTTP: what a plugin opens and never drops ends with its call.
#[test]
fn hoarding_plugins_do_not_hurt_the_server() {
    let evil = Attacker::calling("(call $random (i64.const 0x40000000) (i32.const 65536))").import(
        "wasi:random/random@0.2.0",
        "get-random-bytes",
        "$random (param i64 i32)",
    );
    let home = Home::new("http-hoard");
    home.plugin("hello").bytes("evil", &evil.build()).config("").approve();
    let server = home.serve_http(&[]);
    server.wait_ready();
    alive(&server);
    let before = resident(server.pid());
    let session = server.session();
    let answers = [
        server.modern(&json!(1), "tools/call", json!({ "name": "evil__attack", "arguments": {} })).answer(),
        session.call(&json!(2), "evil__attack", &json!({})).answer(),
    ];
    for answer in answers {
        let text = refusal(&answer["result"]);
        assert!(text.contains("limit: random bytes (65536 bytes)"), "{text}");
    }
    let grown = peak_resident(server.pid()).saturating_sub(before);
    assert!(grown < 32 << 20, "the host grew by {grown} bytes");
    alive(&server);
}
