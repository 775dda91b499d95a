//! `fetch` through the binary: what the published server does not have. Its answers are compared in `differential`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use kennel_tests::grants::{each_is_needed, tool_text};
use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::{Client, Home};
use serde_json::json;

fn grant(url: &str) -> String {
    format!("[[plugins.fetch.http]]\nurl = \"{url}\"\nmethods = [\"GET\"]\n")
}

fn home(settings: &str, grants: &str) -> Home {
    let home = Home::new("fetch");
    home.plugin("fetch").config(&format!("[plugins.fetch]\nprefix = \"\"\n{settings}\n{grants}")).approve();
    home
}

fn connect(home: &Home) -> Client {
    let client = home.serve();
    client.initialize();
    client
}

fn fetched(client: &Client, url: &str) -> Result<String, String> {
    tool_text(client, "fetch", &json!({ "url": url }))
}

fn plain(robots: &'static str) -> WebServer {
    WebServer::clear(move |asked: &Asked| match asked.target.as_str() {
        "/robots.txt" => Answer::of("text/plain", robots),
        _ => Answer::of("text/plain", format!("the page {}", asked.target)),
    })
}

#[test]
fn it_needs_its_grant() {
    let site = plain("");
    let (granted, url) = (grant(&site.url()), format!("{}/x", site.url()));
    each_is_needed("fetch", "", &[("not granted", &granted)], |client| fetched(client, &url).map(drop));
}

#[test]
fn only_granted_places_are_asked_also_by_way_of_a_redirect() {
    let inside = plain("");
    let to = inside.url();
    let outside = WebServer::clear(move |asked: &Asked| match asked.target.as_str() {
        "/robots.txt" => Answer::status(404),
        "/away" => Answer::redirect(&format!("{to}/secret")),
        "/robots-away/robots.txt" => Answer::status(404),
        _ => Answer::of("text/plain", "public"),
    });
    let home = home("", &grant(&outside.url()));
    let client = connect(&home);
    assert!(fetched(&client, &format!("{}/x", outside.url())).unwrap().contains("public"));
    for url in [format!("{}/away", outside.url()), format!("{}/secret", inside.url())] {
        let refused = fetched(&client, &url).unwrap_err();
        assert!(refused.contains("not granted") && !refused.trim().contains('\n'), "{refused}");
    }
    let prompt = json!({ "name": "fetch", "arguments": { "url": format!("{}/away", outside.url()) } });
    let refused = client.request("prompts/get", prompt).unwrap_err().to_string();
    assert!(refused.contains("not granted"), "{refused}");
    // Neither the page nor its robots.txt.
    assert!(inside.asked().is_empty(), "{:?}", inside.asked());
}

#[test]
fn names_that_lead_to_this_machine_are_not_followed() {
    let home = home("", "[[plugins.fetch.http]]\nurl = \"http://*.example\"\n");
    let client = connect(&home);
    for url in
        ["http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://169.254.169.254/latest/meta-data"]
    {
        let refused = fetched(&client, url).unwrap_err();
        assert!(refused.contains("not granted"), "{url}: {refused}");
    }
}

#[test]
fn a_person_sets_how_it_calls_itself_and_whether_it_obeys() {
    let site = plain("User-agent: *\nDisallow: /\n");
    let (url, granted) = (format!("{}/x", site.url()), grant(&site.url()));
    let obeying = home("", &granted);
    let refused = fetched(&connect(&obeying), &url).unwrap_err();
    assert!(refused.contains("autonomous fetching of this page is not allowed"), "{refused}");
    assert_eq!(site.asked().len(), 1, "the page itself was asked for");

    let bold = home("settings = { ignore-robots-txt = true, user-agent = \"Lighthouse/1\" }", &granted);
    assert!(fetched(&connect(&bold), &url).unwrap().contains("the page /x"));
    let asked = site.asked();
    assert_eq!(asked.len(), 2, "robots.txt was asked for");
    assert_eq!(asked.last().unwrap().header("user-agent"), Some("Lighthouse/1"));
}

#[test]
fn hostile_pages_cost_no_more_than_their_call() {
    let site = WebServer::clear(|asked: &Asked| match asked.target.as_str() {
        "/robots.txt" => Answer::status(404),
        "/deep" => Answer::of("text/html", format!("<html><body>{}deep", "<div><b>".repeat(30_000))),
        "/wide" => {
            Answer::of("text/html", format!("<html><table>{}", "<tr><td colspan=1000>x".repeat(2_000)))
        }
        "/attributes" => Answer::of("text/html", format!("<html><p {}>", "a=b ".repeat(100_000))),
        "/large" => Answer::of("text/plain", vec![b'x'; 9 * 1024 * 1024]),
        "/binary" => Answer::of("text/html", (0..=255).cycle().take(200_000).collect::<Vec<u8>>()),
        _ => Answer::of("text/plain", "still here"),
    });
    let home = home("", &grant(&site.url()));
    let client = connect(&home);
    for path in ["deep", "wide", "attributes", "large", "binary"] {
        // Whatever comes of it, an answer comes, and the next call is served.
        if let Err(why) = fetched(&client, &format!("{}/{path}", site.url())) {
            assert!(!why.is_empty(), "{path}");
        }
        let next = fetched(&client, &format!("{}/", site.url()));
        assert!(next.as_ref().is_ok_and(|text| text.contains("still here")), "after {path}: {next:?}");
    }
    let large = fetched(&client, &format!("{}/large", site.url())).unwrap_err();
    assert!(large.contains("larger than 8388608 bytes"), "{large}");
}
