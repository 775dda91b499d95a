//! `browser` with a real Chromium: its tools and resources from call to call, what goes wrong, what is bounded, and that it
//! offers what npm's `@modelcontextprotocol/server-puppeteer` offers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use base64::Engine as _;
use kennel_tests::grants::each_grant_is_needed;
use kennel_tests::web::WebServer;
use kennel_tests::{Chromium, Client, Home, clients_dir, node, pages, words};
use serde_json::{Value, json};

const FORM: &str = r#"<!doctype html><title>Form</title>
<h1 id=title>A form</h1>
<input id=name oninput="said.textContent = 'in: ' + this.value">
<select id=pet><option value=cat>Cat</option><option value=dog>Dog</option></select>
<button id=send onclick="said.textContent = $('name').value + ' has a ' + $('pet').value">Send</button>
<div id=hovered style="width:100px;height:50px;background:rgb(255,0,0)" onmouseenter="said.textContent='hovered'"></div>
<button id=hidden style="display:none">No</button>
<div style="height:3000px"></div>
<button id=far onclick="said.textContent='far'">Far</button>
<p id=said></p>
<script>
  const $ = id => document.getElementById(id), said = $('said');
  console.log('loaded', 1.0, null, {a: 1}); console.warn('careful');
</script>"#;

/// A home with the plugin under the original's names, a browser, and a client that made its handshake.
struct Desk {
    browser: Chromium,
    pages: WebServer,
    client: Client,
    home: Home,
}

fn grants(address: &str) -> String {
    format!(
        "settings = {{ address = \"{address}\" }}\n[[plugins.browser.tcp]]\nto = \"{address}\"\n[plugins.browser.state]\nquota = \"32MiB\"\nscope = \"caller\"\n"
    )
}

impl Desk {
    /// With more lines in the plugin's own table.
    fn new(more: &str) -> Self {
        let home = Home::new("browser");
        let browser = Chromium::start(&home.folder("profile"));
        let config = format!("[plugins.browser]\nprefix = \"\"\n{more}\n{}", grants(&browser.address()));
        home.plugin("browser").config(&config).approve();
        let client = home.serve();
        client.initialize();
        Self { browser, pages: pages(&[("/form", FORM), ("/blank", "<p>nothing")]), client, home }
    }

    fn call(&self, tool: &str, arguments: &Value) -> Value {
        self.client.call(tool, arguments)
    }

    /// Calls a tool that must do it, and gives its words.
    #[track_caller]
    fn done(&self, tool: &str, arguments: &Value) -> String {
        let result = self.call(tool, arguments);
        assert_ne!(result["isError"], true, "{tool}: {result}\n{}", self.client.stderr());
        words(&result)
    }

    #[track_caller]
    fn failed(&self, tool: &str, arguments: &Value) -> String {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], true, "{tool}: {result}");
        words(&result)
    }

    #[track_caller]
    fn open(&self, path: &str) {
        let url = format!("{}{path}", self.pages.url());
        assert_eq!(self.done("puppeteer_navigate", &json!({ "url": url })), format!("Navigated to {url}"));
    }

    /// The value of an expression, as the tool shows it.
    #[track_caller]
    fn value(&self, script: &str) -> String {
        let said = self.done("puppeteer_evaluate", &json!({ "script": script }));
        let (value, _) = said.split_once("\n\nConsole output:\n").expect("the original's form");
        value.strip_prefix("Execution result:\n").expect("the original's form").to_owned()
    }

    fn read(&self, uri: &str) -> Value {
        self.client
            .request("resources/read", json!({ "uri": uri }))
            .unwrap_or_else(|error| panic!("{uri}: {error}"))["contents"][0]
            .clone()
    }
}

/// Width and height in the head of a PNG.
fn png_size(bytes: &[u8]) -> (u32, u32) {
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

fn decoded(text: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text.as_str().expect("base64")).unwrap()
}

/// What one call does the next one finds: each is a fresh instance with a connection of its own.
#[test]
fn a_page_lasts_from_call_to_call() {
    let desk = Desk::new("");
    desk.open("/form");
    assert_eq!(
        desk.done("puppeteer_fill", &json!({ "selector": "#name", "value": "Ada, é\u{1f600}!" })),
        "Filled #name with: Ada, é\u{1f600}!"
    );
    assert_eq!(desk.value("said.textContent"), "\"in: Ada, é\u{1f600}!\"");
    assert_eq!(
        desk.done("puppeteer_select", &json!({ "selector": "#pet", "value": "dog" })),
        "Selected #pet with: dog"
    );
    assert_eq!(desk.done("puppeteer_click", &json!({ "selector": "#send" })), "Clicked: #send");
    assert_eq!(desk.value("said.textContent"), "\"Ada, é\u{1f600}! has a dog\"");
    assert_eq!(desk.done("puppeteer_hover", &json!({ "selector": "#hovered" })), "Hovered #hovered");
    assert_eq!(desk.value("said.textContent"), "\"hovered\"");
    assert_eq!(desk.done("puppeteer_click", &json!({ "selector": "#far" })), "Clicked: #far");
    assert_eq!(desk.value("[said.textContent, scrollY > 1000]"), "[\n  \"far\",\n  true\n]");
    assert_eq!(desk.value("[innerWidth, innerHeight]"), "[\n  800,\n  600\n]");
}

#[test]
fn values_are_shown_as_the_original_shows_them() {
    let desk = Desk::new("");
    desk.open("/blank");
    for (script, expected) in [
        ("1 + 1", "2"),
        ("1e21", "1e+21"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("2 ** 64", "18446744073709552000"),
        ("-0", "0"),
        ("NaN", "null"),
        ("undefined", "undefined"),
        ("null", "null"),
        ("document.body", "{}"),
        ("new Promise(done => setTimeout(() => done('later'), 50))", "\"later\""),
        (
            "({ b: 1, a: [], c: { d: 'é' } })",
            "{\n  \"b\": 1,\n  \"a\": [],\n  \"c\": {\n    \"d\": \"é\"\n  }\n}",
        ),
        ("'half \u{1f600}'.slice(0, 6)", "\"half \u{fffd}\""),
        ("const loop = {}; loop.loop = loop; loop", "undefined"),
    ] {
        assert_eq!(desk.value(script), expected, "{script}");
    }
    assert_eq!(
        desk.done(
            "puppeteer_evaluate",
            &json!({ "script": "console.log('a', 1); console.error({}); 'end'" })
        ),
        "Execution result:\n\"end\"\n\nConsole output:\n[log] a 1\n[error] [object Object]"
    );
    for (script, expected) in [
        ("throw new TypeError('no')", "no"),
        ("nowhere()", "nowhere is not defined"),
        ("1 +", "Unexpected end of input"),
        ("10n", "Do not know how to serialize a BigInt"),
        ("Promise.reject(new Error('later'))", "later"),
    ] {
        let said = desk.failed("puppeteer_evaluate", &json!({ "script": script }));
        assert_eq!(said, format!("Script execution failed: {expected}"), "{script}");
    }
    // A script that failed leaves the console as it was.
    let said = desk.done("puppeteer_evaluate", &json!({ "script": "console.log('again')" }));
    assert_eq!(said, "Execution result:\nundefined\n\nConsole output:\n[log] again");
}

#[test]
fn screenshots_are_given_kept_and_read_again() {
    let desk = Desk::new("");
    desk.open("/form");
    let list = || {
        let list = desk.client.request("resources/list", json!({})).unwrap();
        let resources = list["resources"].as_array().unwrap().clone();
        resources
            .iter()
            .map(|one| format!("{} {} {}", one["uri"], one["name"], one["mimeType"]))
            .collect::<Vec<_>>()
    };
    let logs = r#""console://logs" "Browser console logs" "text/plain""#;
    assert_eq!(list(), [logs]);

    let result = desk.call("puppeteer_screenshot", &json!({ "name": "whole page" }));
    assert_eq!(words(&result), "Screenshot 'whole page' taken at 800x600", "{}", desk.client.stderr());
    assert_eq!(result["content"][1]["mimeType"], "image/png");
    let whole = decoded(&result["content"][1]["data"]);
    assert_eq!(png_size(&whole), (800, 600));
    desk.client.notification("notifications/resources/list_changed");

    let result = desk.call(
        "puppeteer_screenshot",
        &json!({ "name": "red", "selector": "#hovered", "width": 400, "height": 300, "encoded": true }),
    );
    assert_eq!(result["content"][0]["text"], "Screenshot 'red' taken at 400x300");
    let uri = result["content"][1]["text"].as_str().unwrap();
    let red = decoded(&uri.strip_prefix("data:image/png;base64,").expect("a data URI").into());
    assert_eq!(png_size(&red), (100, 50));
    // The size stays.
    assert_eq!(desk.value("[innerWidth, innerHeight]"), "[\n  400,\n  300\n]");

    assert_eq!(
        list(),
        [
            logs,
            r#""screenshot://red" "Screenshot: red" "image/png""#,
            r#""screenshot://whole%20page" "Screenshot: whole page" "image/png""#,
        ]
    );
    let read = desk.read("screenshot://whole%20page");
    assert_eq!((&read["mimeType"], decoded(&read["blob"])), (&json!("image/png"), whole));
    assert_eq!(decoded(&desk.read("screenshot://red")["blob"]), red);
    assert!(desk.client.request("resources/read", json!({ "uri": "screenshot://none" })).is_err());

    for (arguments, expected) in [
        (json!({ "name": "x", "selector": "#none" }), "Element not found: #none"),
        (json!({ "name": "x", "selector": "#hidden" }), "Node is either not visible or not an HTMLElement"),
        (json!({ "name": "x", "width": 0 }), "width is 0: give a whole number of pixels from 1 to 4096"),
        (json!({ "name": "x", "height": 5000 }), "height is 5000"),
        (json!({ "name": "" }), "name is empty"),
    ] {
        let said = desk.failed("puppeteer_screenshot", &arguments);
        assert!(said.contains(expected), "{arguments}: {said}");
    }
}

/// The browser holds a page's lines; each call takes over those that are new.
#[test]
fn the_console_is_kept_over_calls_and_pages() {
    let desk = Desk::new("");
    let said = |desk: &Desk| desk.read("console://logs")["text"].as_str().unwrap().to_owned();
    assert_eq!(said(&desk), "");
    desk.open("/form");
    let update = desk.client.request("resources/subscribe", json!({ "uri": "console://logs" }));
    assert!(update.is_ok(), "{update:?}");
    let first = "[log] loaded 1  JSHandle@object\n[warn] careful";
    // Chromium asks for an icon by itself and says that there is none.
    let without_icon = |text: String| {
        let lines: Vec<_> =
            text.lines().filter(|line| !line.contains("404")).map(ToOwned::to_owned).collect();
        lines.join("\n")
    };
    assert_eq!(without_icon(said(&desk)), first);
    desk.done(
        "puppeteer_evaluate",
        &json!({ "script": "setTimeout(() => console.info('between calls'), 100); 1" }),
    );
    let later = format!("{first}\n[info] between calls");
    let mut tries = 0;
    while without_icon(said(&desk)) != later {
        tries += 1;
        assert!(tries < 200, "{}", said(&desk));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    desk.client.notification("notifications/resources/updated");
    desk.open("/blank");
    desk.done("puppeteer_evaluate", &json!({ "script": "console.error('on the next page')" }));
    assert_eq!(without_icon(said(&desk)), format!("{later}\n[error] on the next page"));
    // Without a browser they can still be read.
    let mut desk = desk;
    desk.browser.kill();
    assert_eq!(without_icon(said(&desk)), format!("{later}\n[error] on the next page"));
}

#[test]
fn what_fails_says_so_in_the_originals_words() {
    let desk = Desk::new("limits = { deadline = \"12s\" }");
    desk.open("/form");
    let base = desk.pages.url();
    for (tool, arguments, expected) in [
        (
            "puppeteer_click",
            json!({ "selector": "#none" }),
            "Failed to click #none: No element found for selector: #none",
        ),
        (
            "puppeteer_click",
            json!({ "selector": "#hidden" }),
            "Failed to click #hidden: Node is either not clickable or not an Element",
        ),
        (
            "puppeteer_select",
            json!({ "selector": "#name", "value": "x" }),
            "Failed to select #name: Element is not a <select> element.",
        ),
        (
            "puppeteer_hover",
            json!({ "selector": "#hidden" }),
            "Failed to hover #hidden: Node is either not clickable or not an Element",
        ),
        ("puppeteer_navigate", json!({ "url": format!("{base}/empty") }), "net::ERR_EMPTY_RESPONSE at "),
        (
            "puppeteer_navigate",
            json!({ "url": "http://127.0.0.1:1/" }),
            "net::ERR_UNSAFE_PORT at http://127.0.0.1:1/",
        ),
        ("puppeteer_navigate", json!({ "url": "http://nowhere.invalid/" }), "net::ERR_"),
        ("puppeteer_navigate", json!({ "url": "http://" }), "Cannot navigate to invalid URL"),
    ] {
        let said = desk.failed(tool, &arguments);
        assert!(said.contains(expected), "{tool} {arguments}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    // What is not there is waited for, and what does not load as well: but not beyond the call's time.
    let said = desk.failed("puppeteer_fill", &json!({ "selector": "#none", "value": "x" }));
    assert!(
        said.starts_with("Failed to fill #none: Waiting for selector `#none` failed: Waiting failed: "),
        "{said}"
    );
    assert!(said.ends_with("ms exceeded"), "{said}");
    let said = desk.failed("puppeteer_navigate", &json!({ "url": format!("{base}/silent") }));
    assert!(said.contains("Navigation timeout of ") && said.contains(" ms exceeded"), "{said}");
    // Some things are no failures: an error's page, a redirect, half a page, another place on the same page.
    for path in ["/missing", "/redirect/form", "/form#far"] {
        desk.open(path);
    }
    assert_eq!(desk.value("location.hash"), "\"#far\"");
    // So it is when the page becomes too busy to say what it has.
    desk.done("puppeteer_evaluate", &json!({ "script": "setTimeout(() => { for (;;) {} }, 5000); 1" }));
    let said = desk.failed("puppeteer_fill", &json!({ "selector": "#none", "value": "x" }));
    assert!(said.contains(": Waiting failed: ") && said.ends_with("ms exceeded"), "{said}");
}

#[test]
fn what_is_not_of_the_web_and_what_would_start_a_browser_is_refused() {
    let desk = Desk::new("");
    let secret = desk.home.folder("secret").join("file.html");
    std::fs::write(&secret, "secret").unwrap();
    for url in
        [format!("file://{}", secret.display()), "chrome://version".into(), "view-source:http://a".into()]
    {
        let said = desk.failed("puppeteer_navigate", &json!({ "url": url }));
        assert!(said.contains("is not opened: only http:"), "{said}");
    }
    // Nor does a page of the web get there.
    desk.open("/blank");
    let script = format!("location.href = 'file://{}'; 1", secret.display());
    desk.done("puppeteer_evaluate", &json!({ "script": script }));
    assert!(desk.value("location.href").contains("/blank"));

    let options =
        json!({ "url": "about:blank", "launchOptions": { "headless": true }, "allowDangerous": true });
    let said = desk.failed("puppeteer_navigate", &options);
    assert!(said.contains("launchOptions is refused: no browser is started here"), "{said}");
    desk.done(
        "puppeteer_navigate",
        &json!({ "url": "about:blank", "launchOptions": {}, "allowDangerous": true }),
    );
}

#[test]
fn what_never_ends_is_ended_and_what_is_too_much_is_bounded() {
    let desk = Desk::new("limits = { deadline = \"12s\" }");
    desk.open("/blank");
    for script in ["while (true);", "new Promise(() => {})"] {
        let said = desk.failed("puppeteer_evaluate", &json!({ "script": script }));
        assert!(said.starts_with("Script execution failed: "), "{script}: {said}");
        // The page goes on.
        assert_eq!(desk.value("6 * 7"), "42", "{script}");
    }
    // A dialog would stop everything: it is answered with no.
    assert_eq!(desk.value("[confirm('Sure?'), alert('Hear!') === undefined]"), "[\n  false,\n  true\n]");
    desk.done(
        "puppeteer_evaluate",
        &json!({ "script": "setTimeout(() => { window.answer = confirm('Later?'); }, 50); 1" }),
    );
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(desk.value("window.answer"), "false");

    let said = desk.done("puppeteer_evaluate", &json!({ "script": "'x'.repeat(2000000)" }));
    assert!(said.contains("x\n(cut: 393216 of 2000002 bytes)"), "{} bytes", said.len());
    let said = desk.failed("puppeteer_evaluate", &json!({ "script": "'x'.repeat(20000000)" }));
    assert!(said.contains("more than 8 MiB: ask for less at once"), "{said}");
    desk.done(
        "puppeteer_evaluate",
        &json!({ "script": "for (let i = 0; i < 2000; i++) console.log('y'.repeat(9000), i); 1" }),
    );
    let text = desk.read("console://logs")["text"].as_str().unwrap().to_owned();
    assert!(text.len() < 600_000 && text.starts_with('('), "{} bytes: {:.100}", text.len(), text);
    assert!(text.contains("older lines are not kept") && text.contains("bytes more)"), "{:.300}", text);
}

#[test]
fn a_screenshot_over_its_bound_is_refused() {
    let desk = Desk::new("");
    let config = std::fs::read_to_string(desk.home.path().join("kennel.toml")).unwrap();
    desk.home.config(&config.replace("settings = { ", "settings = { max-screenshot-kib = 1, "));
    let mut said = String::new();
    for _ in 0..200 {
        let result =
            desk.call("puppeteer_screenshot", &json!({ "name": "large", "width": 2000, "height": 2000 }));
        said = words(&result);
        if result["isError"] == true {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(
        said.contains("more than the 1 KiB of an answer") && said.contains("max-screenshot-kib"),
        "{said}"
    );
}

/// The body of an answer of the browser's HTTP side.
fn http_get(port: u16, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // Chromium keeps the connection open, so the length says where the end is.
    loop {
        let count = stream.read(&mut buffer).unwrap();
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(|n| n.trim().parse::<usize>().unwrap())
            });
            if count == 0 || length.is_some_and(|length| body.len() >= length) {
                return body.to_owned();
            }
        }
        assert!(count > 0, "no whole answer to {path}");
    }
}

#[test]
fn a_browser_that_died_or_was_started_anew_is_told_in_a_line() {
    let mut desk = Desk::new("");
    desk.open("/form");
    let port = desk.browser.port();
    desk.browser.kill();
    let said = desk.client.refused("puppeteer_click", &json!({ "selector": "#send" }));
    assert!(said.contains(&format!("no browser answers at 127.0.0.1:{port}")), "{said}");
    assert!(said.contains("--remote-debugging-port"), "{said}");

    desk.browser = Chromium::start_at(&desk.home.folder("profile-2"), port);
    let said = desk.client.refused("puppeteer_click", &json!({ "selector": "#send" }));
    assert!(said.contains("the page is gone; navigate to it again"), "{said}");
    desk.open("/form");
    desk.done("puppeteer_click", &json!({ "selector": "#send" }));

    // Navigating does not care.
    desk.browser.kill();
    desk.browser = Chromium::start_at(&desk.home.folder("profile-3"), port);
    desk.open("/form");
    // A page that a person closes is gone as well.
    let pages: Value = serde_json::from_str(&http_get(port, "/json/list")).unwrap();
    let pages = pages.as_array().unwrap();
    let ours = pages
        .iter()
        .find(|page| page["url"].as_str().unwrap().ends_with("/form"))
        .expect("our page is listed");
    http_get(port, &format!("/json/close/{}", ours["id"].as_str().unwrap()));
    let said = desk.client.refused("puppeteer_evaluate", &json!({ "script": "1" }));
    assert!(said.contains("the page is gone; navigate to it again"), "{said}");
    assert_eq!(desk.value("location.href"), "\"about:blank\"");
}

#[test]
fn what_is_no_browser_is_told_in_a_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        // The first speaks of something else, the second hangs up, the third says nothing.
        for (at, stream) in listener.incoming().flatten().enumerate() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 1024]);
            match at {
                0 => drop(stream.write_all(b"220 mail.test ESMTP\r\n")),
                1 => {}
                _ => std::mem::forget(stream),
            }
        }
    });
    let home = Home::new("no-browser");
    let config =
        format!("[plugins.browser]\nprefix = \"\"\nlimits = {{ deadline = \"10s\" }}\n{}", grants(&address));
    home.plugin("browser").config(&config).approve();
    let client = home.serve();
    client.initialize();
    for expected in
        ["what answers is no browser", "/json/version: ", "no answer to /json/version within the call's time"]
    {
        let said = client.refused("puppeteer_navigate", &json!({ "url": "about:blank" }));
        assert!(said.contains(expected) && said.contains(&address), "{said}");
    }
}

/// Two callers have a page, a console and screenshots of their own.
#[test]
fn each_grant_is_needed_by_the_work() {
    let home = Home::new("browser-for-grants");
    let browser = Chromium::start(&home.folder("profile"));
    let address = browser.address();
    let common = format!("[plugins.browser]\nprefix = \"\"\nsettings = {{ address = \"{address}\" }}\n");
    let grants = [
        ("TCP", format!("[[plugins.browser.tcp]]\nto = \"{address}\"\n")),
        ("state", "[plugins.browser.state]\nquota = \"32MiB\"\nscope = \"caller\"\n".to_owned()),
    ];
    each_grant_is_needed("browser", &common, &grants, None, |client| {
        for (tool, arguments) in [
            ("puppeteer_navigate", json!({ "url": "data:text/html,<p id=p>x" })),
            ("puppeteer_click", json!({ "selector": "#p" })),
            ("puppeteer_screenshot", json!({ "name": "x" })),
        ] {
            let result = client.call(tool, &arguments);
            if result["isError"] == true {
                return Err(words(&result));
            }
        }
        Ok(())
    });
}

/// Callers do not meet: neither their pages nor what a site keeps in the browser, nor what they looked at.
#[test]
fn callers_are_kept_apart() {
    let desk = Desk::new("");
    desk.open("/blank");
    desk.done(
        "puppeteer_evaluate",
        &json!({ "script": "document.cookie = 'who=first'; console.log('first')" }),
    );
    desk.done("puppeteer_screenshot", &json!({ "name": "first" }));
    // Over stdio a caller is who it says it is.
    let other = desk.home.serve();
    let info = json!({ "name": "another", "version": "0" });
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
    other.request("initialize", hello).unwrap();
    other.notify("notifications/initialized", json!({}));
    let said = |client: &Client, script: &str| {
        words(&client.call("puppeteer_evaluate", &json!({ "script": script })))
    };
    assert!(said(&other, "location.href").contains("about:blank"));
    let url = format!("{}/blank", desk.pages.url());
    other.call("puppeteer_navigate", &json!({ "url": url }));
    let theirs = said(&other, "[location.href, document.cookie]");
    assert!(theirs.contains(&url) && theirs.contains("\"\""), "{theirs}");
    assert!(said(&desk.client, "document.cookie").contains("who=first"));
    let logs = other.request("resources/read", json!({ "uri": "console://logs" })).unwrap();
    assert!(!logs.to_string().contains("[log] first"), "{logs}");
    assert!(other.request("resources/read", json!({ "uri": "screenshot://first" })).is_err());
    assert!(!other.request("resources/list", json!({})).unwrap().to_string().contains("screenshot://"));
    desk.read("screenshot://first");
}

/// Names, descriptions and schemas of the tools are the original's, to the letter. What is more is the host's: what it
/// says of a tool's effects.
#[test]
fn the_tools_are_the_originals() {
    let mut original = Command::new(node());
    original
        .arg(clients_dir().join("node/node_modules/@modelcontextprotocol/server-puppeteer/dist/index.js"));
    let original = Client::start(original);
    original.initialize();
    let home = Home::new("browser-list");
    home.plugin("browser").config("[plugins.browser]\nprefix = \"\"\n").approve();
    let ours = home.serve();
    ours.initialize();
    let tools = |client: &Client| -> Vec<Value> {
        let list = client.request("tools/list", json!({})).unwrap();
        let tools = list["tools"].as_array().unwrap();
        let mut tools: Vec<_> = tools
            .iter()
            .map(|tool| json!([tool["name"], tool["description"], tool["inputSchema"]]))
            .collect();
        // The host lists by name.
        tools.sort_by_key(|tool| tool[0].to_string());
        tools
    };
    let (theirs, mine) = (tools(&original), tools(&ours));
    assert_eq!(theirs.len(), 7);
    assert_eq!(mine, theirs);
}
