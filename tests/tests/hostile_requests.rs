//! Hostile rows 3, 20 and 21: upstreams that never end, redirects, and requests that are more, larger or other than
//! they look. The servers are on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kennel_tests::{Bystander, Client, Home, words};
use serde_json::{Value, json};

/// A web server that answers each request of a connection by what `answer` does, and keeps the heads.
struct Server {
    port: u16,
    heads: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Server {
    fn start(answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), heads: Arc::default() };
        let (heads, answer) = (server.heads.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (heads, answer) = (heads.clone(), answer.clone());
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    loop {
                        let head: Vec<_> = lines
                            .by_ref()
                            .map_while(Result::ok)
                            .take_while(|line| !line.is_empty())
                            .collect();
                        if head.is_empty() {
                            return;
                        }
                        heads.lock().unwrap().push(head);
                        if answer(&mut stream).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        server
    }

    fn saying(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::start(move |stream| stream.write_all(answer.as_bytes()))
    }

    fn heads(&self) -> Vec<Vec<String>> {
        std::thread::sleep(Duration::from_millis(100));
        self.heads.lock().unwrap().clone()
    }

    fn grant(&self) -> String {
        let url = format!("http://127.0.0.1:{}", self.port);
        format!(
            "[plugins.attacker.env]\nTARGET = \"{url}\"\n[[plugins.attacker.http]]\nurl = \"{url}\"\nmethods = [\"GET\", \"POST\"]\n"
        )
    }

    fn request(&self, path: &str) -> Value {
        let authority = format!("127.0.0.1:{}", self.port);
        json!({ "method": "GET", "scheme": "http", "authority": authority, "path": path })
    }
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

fn home(name: &str, config: &str) -> (Home, Client) {
    let home = Home::new(name);
    home.plugin("hello").hostile_as("attacker", "attacker").config(config).approve();
    let client = home.serve();
    client.initialize();
    client.call("hello__hello", &json!({ "name": "first" }));
    (home, client)
}

/// Row 3. A head or a body of one byte at a time, and a body that never ends, end with the call's time or at the
/// body's bound, whichever is first.
#[test]
fn an_upstream_that_never_ends_ends() {
    let drip = |stream: &mut TcpStream| loop {
        stream.write_all(b"x")?;
        std::thread::sleep(Duration::from_millis(100));
    };
    let body = Server::start(move |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        drip(stream)
    });
    let head = Server::start(move |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nx: ")?;
        drip(stream)
    });
    for (name, server) in [("slow-body", body), ("slow-head", head)] {
        let deadline = Duration::from_secs(1);
        let (_home, client) =
            home(name, &format!("[plugins.attacker.limits]\ndeadline = \"1s\"\n{}", server.grant()));
        let start = Instant::now();
        let result = Bystander::beside(&client, || client.call("attacker__web", &server.request("/")));
        // The request's end and the call's are the same moment: the plugin may just see it, and has a few bytes then.
        let said = words(&result);
        let few = said.starts_with("200 x") && said.len() < 32;
        assert!(said.contains("wall clock") || few || said.contains("ConnectionReadTimeout"), "{result}");
        assert!(start.elapsed() < deadline * 5, "{:?}", start.elapsed());
    }

    let endless = Server::start(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            stream.write_all(&[b'x'; 64 << 10])?;
        }
    });
    let (_home, client) = home(
        "endless",
        // What it read has to fit into what it says.
        &format!(
            "[plugins.attacker.limits]\nhttp-response-body = \"1MiB\"\noutput = \"2MiB\"\n{}",
            endless.grant()
        ),
    );
    let result = Bystander::beside(&client, || client.call("attacker__web", &endless.request("/")));
    // The plugin reads until it gets no more, and gives what it got.
    let said = words(&result);
    assert!(said.starts_with("200 x") && said.len() <= (1 << 20) + 16, "{:.200}", said);
}

/// Row 20. The host follows no redirect, and where it points is checked as any request.
#[test]
fn a_redirect_leads_nowhere_by_itself() {
    let other = Server::saying(HELLO);
    let to = format!("http://127.0.0.1:{}/secret", other.port);
    let server =
        Server::saying(format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 5\r\n\r\nmoved"));
    let (_home, client) = home("redirect", &server.grant());
    assert_eq!(words(&client.call("attacker__web", &server.request("/"))), "302 moved");
    let said = words(&client.call("attacker__web", &other.request("/secret")));
    assert!(said.contains("was not granted to `attacker`") && said.contains("another port"), "{said}");
    assert_eq!(other.heads(), Vec::<Vec<String>>::new());
}

/// Row 21. No field says where a request goes or where it ends but the host's own.
#[test]
fn what_arrives_is_the_one_request_that_was_judged() {
    let server = Server::saying(HELLO);
    let (_home, client) = home("fields", &server.grant());
    let own = format!("host: 127.0.0.1:{}", server.port);
    let send = |headers: Value| {
        let mut request = server.request("/");
        request["headers"] = headers;
        client.call("attacker__web", &request)
    };
    let result = send(json!([["x-a", "b"], ["X-Forwarded-Host", "evil.test"]]));
    assert_eq!(words(&result), "200 hello", "{}", client.stderr());
    let long = "x".repeat(1 << 20);
    Bystander::beside(&client, || {
        for (name, value) in [
            ("x", "a\r\nhost: evil.test"),
            ("x", "a\r\n\r\nGET /secret HTTP/1.1"),
            ("x", "a\nb"),
            ("x", "a\rb"),
            ("x", "a\0b"),
            ("x\r\ny", "z"),
            ("x y", "z"),
            ("x:y", "z"),
            ("", "z"),
            ("host", "evil.test"),
            ("Host", "evil.test"),
            ("HOST", "evil.test"),
            ("connection", "keep-alive"),
            ("keep-alive", "timeout=100"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("trailer", "host"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("proxy-authorization", "Basic x"),
            ("proxy-connection", "keep-alive"),
            ("http2-settings", "x"),
            ("x", &long),
        ] {
            let result = send(json!([[name, value]]));
            assert_eq!(result["isError"], true, "{name:?}: {result}");
            assert!(words(&result).len() < 700, "{name:?}");
        }
        // Many small ones are as many bytes.
        let many: Vec<_> = (0..10_000).map(|number| json!([format!("x-{number}"), "0123456789"])).collect();
        let result = send(Value::Array(many));
        assert_eq!(result["isError"], true, "{result}");
        assert!(words(&result).len() < 700);
        // A second length would be a second request to whoever believes it.
        let result = send(json!([["content-length", "0"], ["content-length", "40"]]));
        assert_eq!(result["isError"], true, "{result}");
    });
    for head in server.heads() {
        assert_eq!(
            head.iter().filter(|line| line.to_lowercase().starts_with("host:")).count(),
            1,
            "{head:?}"
        );
        assert!(head.contains(&own) && head[0] == "GET / HTTP/1.1", "{head:?}");
    }
}

/// Row 21. Of ten thousand requests in one call as many go out as the limit says.
#[test]
fn ten_thousand_requests_are_a_hundred() {
    let server = Server::saying(HELLO);
    let (_home, client) =
        home("requests", &format!("[plugins.attacker.limits]\nfuel = \"100G\"\n{}", server.grant()));
    let result = Bystander::beside(&client, || {
        client.call("attacker__hammer", &json!({ "request": server.request("/"), "count": 10_000 }))
    });
    let said = words(&result);
    assert!(said.starts_with("100 answered, ") && said.contains(": 9900}"), "{said}\n{}", client.stderr());
    assert_eq!(server.heads().len(), 100);
    // The next call begins anew.
    assert_eq!(words(&client.call("attacker__web", &server.request("/"))), "200 hello");
}
