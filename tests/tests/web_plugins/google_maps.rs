//! Google Maps: each tool's request, and the fields of its answer that are told. Google says in the body what failed.

use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::web_plugin::{KEY, WebPlugin, fails, gives_up, told, told_json, works};
use serde_json::{Value, json};

const MAPS: WebPlugin = WebPlugin {
    name: "google-maps",
    variable: "GOOGLE_MAPS_BASE_URL",
    methods: "[\"GET\"]",
    secret: Some(("key", "as = \"query\"\nkey = \"key\"")),
    state: false,
    more: Vec::new(),
};

const HERE: (f64, f64) = (47.25, 8.5);

fn answer(asked: &Asked) -> Answer {
    if asked.query("key").as_deref() != Some(KEY) {
        let said = json!({ "status": "REQUEST_DENIED", "error_message": "The provided API key is invalid." });
        return Answer::json(&said);
    }
    let location = json!({ "lat": HERE.0, "lng": HERE.1 });
    let place = json!({
        "name": "Ada's", "formatted_address": "1 Main St", "place_id": "p1", "geometry": { "location": location, "x": 1 },
        "address_components": [{ "long_name": "1" }], "types": ["cafe"], "x": 1,
    });
    let ok = |mut body: Value| {
        body["status"] = "OK".into();
        Answer::json(&body)
    };
    match asked.path() {
        "/geocode/json" if asked.query("address").as_deref() == Some("nowhere") => {
            Answer::json(&json!({ "status": "ZERO_RESULTS", "results": [] }))
        }
        "/geocode/json" | "/place/textsearch/json" => ok(json!({ "results": [place] })),
        "/place/details/json" => ok(json!({ "result": place })),
        "/distancematrix/json" => ok(json!({
            "origin_addresses": ["a"], "destination_addresses": ["b"],
            "rows": [{ "elements": [{ "status": "OK", "distance": { "value": 1 }, "duration": { "value": 2 }, "x": 1 }] }],
        })),
        "/elevation/json" => {
            ok(json!({ "results": [{ "elevation": 408.5, "location": location, "resolution": 1, "x": 1 }] }))
        }
        "/directions/json" => ok(json!({ "routes": [{ "summary": "A1", "legs": [{
            "distance": { "value": 1 }, "duration": { "value": 2 },
            "steps": [{ "html_instructions": "Go", "distance": {}, "duration": {}, "travel_mode": "WALKING", "x": 1 }],
        }] }] })),
        _ => Answer::status(404),
    }
}

#[test]
fn tools_ask_and_tell() {
    let server = WebServer::tls(answer);
    let (_home, client) = MAPS.start(&server, "");
    let location = json!({ "lat": HERE.0, "lng": HERE.1 });
    let asked = |name: &str| server.last().query(name).unwrap_or_default();
    assert_eq!(
        told_json(&client, "maps_geocode", &json!({ "address": "1 Main St" })),
        json!({ "location": location, "formatted_address": "1 Main St", "place_id": "p1" })
    );
    assert_eq!(
        told_json(&client, "maps_reverse_geocode", &json!({ "latitude": HERE.0, "longitude": HERE.1 })),
        json!({ "formatted_address": "1 Main St", "place_id": "p1", "address_components": [{ "long_name": "1" }] })
    );
    assert_eq!(asked("latlng"), "47.25,8.5");
    let center = json!({ "latitude": HERE.0, "longitude": HERE.1 });
    assert_eq!(
        told_json(
            &client,
            "maps_search_places",
            &json!({ "query": "cafe", "location": center, "radius": 500.0 })
        ),
        json!({ "places": [{
            "name": "Ada's", "formatted_address": "1 Main St", "location": location, "place_id": "p1", "types": ["cafe"],
        }] })
    );
    assert_eq!((asked("location"), asked("radius")), ("47.25,8.5".into(), "500".into()));
    let details = told_json(&client, "maps_place_details", &json!({ "place_id": "p1" }));
    assert_eq!(details, json!({ "name": "Ada's", "formatted_address": "1 Main St", "location": location }));
    let matrix = json!({ "origins": ["a", "b"], "destinations": ["c"], "mode": "walking" });
    assert_eq!(
        told_json(&client, "maps_distance_matrix", &matrix),
        json!({
            "origin_addresses": ["a"], "destination_addresses": ["b"],
            "results": [{ "elements": [{ "status": "OK", "duration": { "value": 2 }, "distance": { "value": 1 } }] }],
        })
    );
    assert_eq!((asked("origins"), asked("mode")), ("a|b".into(), "walking".into()));
    assert_eq!(
        told_json(&client, "maps_elevation", &json!({ "locations": [center, center] })),
        json!({ "results": [{ "elevation": 408.5, "location": location, "resolution": 1 }] })
    );
    assert_eq!(asked("locations"), "47.25,8.5|47.25,8.5");
    let directions = told_json(&client, "maps_directions", &json!({ "origin": "a", "destination": "b" }));
    assert_eq!(directions["routes"][0]["steps"][0]["instructions"], "Go");
    assert_eq!(asked("mode"), "driving");
    // The place of the key is not for callers.
    assert!(
        !told(&client, "maps_geocode", &json!({ "address": "x" })).contains(KEY)
            && !client.stderr().contains(KEY)
    );
}

#[test]
fn failures_are_told() {
    let server = WebServer::tls(answer);
    let main = json!({ "address": "1 Main St" });
    MAPS.tells_failures(&server, "GET /geocode/json", "maps_geocode", &main, "Error: ");
    let (_home, client) = MAPS.start(&server, "");
    let said = fails(&client, "maps_geocode", &json!({ "address": "nowhere" }));
    assert_eq!(said, "Geocoding failed: ZERO_RESULTS");
}

#[test]
fn it_needs_what_it_asks_for() {
    let server = WebServer::tls(answer);
    let main = json!({ "address": "1 Main St" });
    MAPS.needs_its_grants(&server, |client| {
        works(client, "maps_geocode", &main)?;
        gives_up(&server, "GET /geocode/json", client, "maps_geocode", &main)
    });
}
