//! Brave: web search, and local search that falls back to it. The key goes into a header of Brave's own.

use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::web_plugin::{KEY, WebPlugin, gives_up, told, works};
use serde_json::json;

const BRAVE: WebPlugin = WebPlugin {
    name: "brave-search",
    variable: "BRAVE_BASE_URL",
    methods: "[\"GET\"]",
    secret: Some(("key", "as = \"header\"\nheader = \"x-subscription-token\"")),
    state: false,
    more: Vec::new(),
};

fn answer(asked: &Asked) -> Answer {
    if asked.header("x-subscription-token") != Some(KEY) {
        return Answer::failure(401, &json!({ "error": { "detail": "bad key" } }));
    }
    match (asked.path(), asked.query("result_filter"), asked.query("q").as_deref()) {
        ("/web/search", Some(_), Some("pizza")) => Answer::json(
            &json!({ "locations": { "results": [{ "id": "p1" }, { "id": null }, { "id": "p2" }] } }),
        ),
        ("/web/search", Some(_), _) => Answer::json(&json!({})),
        ("/web/search", None, _) => Answer::json(&json!({ "web": { "results": [
            { "title": "One", "description": "first", "url": "https://one.example" }, { "title": "Two" },
        ] } })),
        ("/local/pois", ..) => Answer::json(&json!({ "results": [
            { "id": "p1", "name": "Da Ada", "address": { "streetAddress": "1 Main St", "postalCode": "10001" },
              "rating": { "ratingValue": 4.5, "ratingCount": 12 }, "openingHours": ["Mo", "Tu"] },
            { "id": "p2", "name": "Two" },
        ] })),
        ("/local/descriptions", ..) => Answer::json(&json!({ "descriptions": { "p1": "Good." } })),
        _ => Answer::status(404),
    }
}

#[test]
fn tools_ask_and_tell() {
    let server = WebServer::tls(answer);
    let (_home, client) = BRAVE.start(&server, "");
    let pages =
        "Title: One\nDescription: first\nURL: https://one.example\n\nTitle: Two\nDescription: \nURL: ";
    assert_eq!(
        told(&client, "brave_web_search", &json!({ "query": "a b", "count": 50, "offset": 2 })),
        pages
    );
    assert_eq!(server.last().target, "/web/search?q=a+b&count=20&offset=2");
    assert_eq!(
        told(&client, "brave_local_search", &json!({ "query": "pizza" })),
        "Name: Da Ada\nAddress: 1 Main St, 10001\nPhone: N/A\nRating: 4.5 (12 reviews)\nPrice Range: N/A\nHours: Mo, Tu\n\
         Description: Good.\n\n---\nName: Two\nAddress: N/A\nPhone: N/A\nRating: N/A (0 reviews)\nPrice Range: N/A\n\
         Hours: N/A\nDescription: No description available\n"
    );
    assert_eq!(server.last().target, "/local/descriptions?ids=p1&ids=p2");
    // Where there are no places, the web is searched.
    assert_eq!(told(&client, "brave_local_search", &json!({ "query": "nowhere" })), pages);
    assert!(!client.stderr().contains(KEY));
}

#[test]
fn failures_are_told() {
    let server = WebServer::tls(answer);
    let query = json!({ "query": "x" });
    BRAVE.tells_failures(&server, "GET /web/search", "brave_web_search", &query, "Error: Brave API error: ");
}

#[test]
fn it_needs_what_it_asks_for() {
    let server = WebServer::tls(answer);
    let query = json!({ "query": "x" });
    BRAVE.needs_its_grants(&server, |client| {
        works(client, "brave_web_search", &query)?;
        gives_up(&server, "GET /web/search", client, "brave_web_search", &query)
    });
}
