//! The National Weather Service: alerts and forecasts in the well-known words; what fails there is told as missing data.

use std::time::Duration;

use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::web_plugin::{WebPlugin, fails, told, works};
use kennel_tests::{Client, words};
use serde_json::json;

const NWS: WebPlugin = WebPlugin {
    name: "weather-us",
    variable: "NWS_BASE_URL",
    methods: "[\"GET\"]",
    secret: None,
    state: false,
    more: Vec::new(),
};

fn answer(asked: &Asked) -> Answer {
    if asked.header("user-agent").is_none() {
        return Answer::failure(403, &json!({ "title": "Forbidden" }));
    }
    let alert =
        |event: &str| json!({ "properties": { "event": event, "areaDesc": "Bay", "severity": "Severe" } });
    let period =
        |name: &str| json!({ "name": name, "temperature": 50, "temperatureUnit": "F", "windSpeed": "5 mph" });
    match (asked.path(), asked.query("area").as_deref()) {
        ("/alerts", Some("CA")) => Answer::json(&json!({ "features": [alert("Wind"), alert("Flood")] })),
        ("/alerts", Some("NY")) => Answer::json(&json!({ "features": [] })),
        ("/points/37.5000,-122.2500", _) => {
            let forecast = format!("https://{}/grid/forecast", asked.header("host").unwrap());
            Answer::json(&json!({ "properties": { "forecast": forecast } }))
        }
        ("/points/1.0000,1.0000", _) => Answer::json(&json!({ "properties": {} })),
        ("/grid/forecast", _) => {
            let names = ["One", "Two", "Three", "Four", "Five", "Six"];
            Answer::json(&json!({ "properties": { "periods": names.map(period) } }))
        }
        _ => Answer::failure(404, &json!({ "title": "Not Found" })),
    }
}

#[test]
fn alerts_and_forecasts() {
    let server = WebServer::tls(answer);
    let (_home, client) = NWS.start(&server, "");
    let alerts = told(&client, "get-alerts", &json!({ "state": "ca" }));
    let alert = |event: &str| {
        format!("Event: {event}\nArea: Bay\nSeverity: Severe\nStatus: Unknown\nHeadline: No headline\n---")
    };
    assert_eq!(alerts, format!("Active alerts for CA:\n\n{}\n{}", alert("Wind"), alert("Flood")));
    assert_eq!(told(&client, "get-alerts", &json!({ "state": "NY" })), "No active alerts for NY");
    let place = |latitude: f64, longitude: f64| json!({ "latitude": latitude, "longitude": longitude });
    let forecast = told(&client, "get-forecast", &place(37.5, -122.25));
    assert!(
        forecast.starts_with("Forecast for 37.5, -122.25:\n\nOne:\nTemperature: 50°F\nWind: 5 mph"),
        "{forecast}"
    );
    assert!(forecast.contains("Five:") && !forecast.contains("Six:"), "{forecast}");
    assert!(told(&client, "get-forecast", &place(5.0, 5.0)).contains("only US locations are supported"));
    assert_eq!(
        told(&client, "get-forecast", &place(1.0, 1.0)),
        "Failed to get forecast URL from grid point data"
    );
    for wrong in [place(91.0, 0.0), place(0.0, 181.0)] {
        fails(&client, "get-forecast", &wrong);
    }
    fails(&client, "get-alerts", &json!({ "state": "CAL" }));
}

#[test]
fn failures_are_missing_data() {
    let server = WebServer::tls(answer);
    let (_home, client) = NWS.start(&server, "");
    for answer in [
        Answer::failure(500, &json!({})),
        Answer::failure(429, &json!({})).header("retry-after", "30"),
        Answer::status(200).body("<html>"),
        Answer::json(&json!({ "features": [] })).cut(),
        Answer::json(&json!({})).slow(Duration::from_secs(4)),
    ] {
        server.once("GET /alerts", answer);
        assert_eq!(told(&client, "get-alerts", &json!({ "state": "CA" })), "Failed to retrieve alerts data");
    }
    // What was not granted is no missing data.
    server.once("GET /alerts", Answer::redirect("https://localhost:1/x"));
    let said = fails(&client, "get-alerts", &json!({ "state": "CA" }));
    assert!(said.contains("GET https://localhost:1/x was not granted to `weather-us`"), "{said}");
}

#[test]
fn it_needs_what_it_asks_for() {
    let server = WebServer::tls(answer);
    let ca = json!({ "state": "CA" });
    let alerts = |client: &Client| words(&client.call("get-alerts", &ca));
    NWS.needs_its_grants(&server, |client| {
        works(client, "get-alerts", &ca)?;
        server.once("GET /alerts", Answer::json(&json!({ "features": [] })).slow(Duration::from_secs(4)));
        match alerts(client).as_str() {
            "Failed to retrieve alerts data" => Ok(()),
            other => Err(format!("it waited longer than it was told: {other}")),
        }
    });
}
