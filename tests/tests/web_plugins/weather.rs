//! The plugin `weather` through the binary, against a real HTTPS server that answers as OpenWeather does.

use kennel_tests::asker::{modern, said, state};
use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::web_plugin::{KEY, WebPlugin, fails, gives_up, told, told_json, works};
use kennel_tests::{Client, words};
use serde_json::{Value, json};

const WEATHER: WebPlugin = WebPlugin {
    name: "weather",
    variable: "OPENWEATHER_BASE_URL",
    methods: "[\"GET\"]",
    secret: Some(("key", "as = \"query\"\nkey = \"appid\"")),
    state: true,
    more: Vec::new(),
};

fn answer(asked: &Asked) -> Answer {
    if asked.query("appid").as_deref() != Some(KEY) {
        return Answer::failure(401, &json!({ "cod": 401, "message": "Invalid API key" }));
    }
    if asked.query("q").as_deref() != Some("São Paulo") || asked.query("units").as_deref() != Some("metric")
    {
        return Answer::failure(404, &json!({ "cod": "404", "message": "city not found" }));
    }
    let entry = |at: u64| {
        json!({
            "dt": 1_795_000_000 + at * 10_800, "main": { "temp": 20.5 + at as f64, "humidity": 60 },
            "weather": [{ "description": "light rain" }], "wind": { "speed": 3.5 },
        })
    };
    match asked.path() {
        "/weather" => Answer::json(&entry(0)),
        "/forecast" => {
            let count: u64 = asked.query("cnt").unwrap().parse().unwrap();
            Answer::json(&json!({ "list": (0..count).map(entry).collect::<Vec<_>>() }))
        }
        _ => Answer::status(404),
    }
}

/// With the model's analysis.
fn analysing() -> WebPlugin {
    WebPlugin { more: vec![("sample", "sample = true\n".to_owned())], ..WEATHER }
}

fn forecast(client: &Client, more: &Value) -> kennel_tests::Reply {
    let params = Client::call_params("get_forecast", &json!({ "city": "São Paulo", "days": 1 }));
    modern(client, "tools/call", params, &json!({ "sampling": {} }), more)
}

#[test]
fn forecasts_and_current_weather() {
    let server = WebServer::tls(answer);
    let (_home, client) = WEATHER.start(&server, "settings.city = \"São Paulo\"\n");
    let forecast = told_json(&client, "get_forecast", &json!({ "city": "São Paulo" }));
    let day = |date: &str, temperature: f64| json!({ "date": date, "temperature": temperature, "conditions": "light rain" });
    assert_eq!(forecast, json!([day("2026-11-18", 20.5), day("2026-11-19", 28.5), day("2026-11-20", 36.5)]));
    assert_eq!(server.last().query("cnt").as_deref(), Some("24"));
    // Within a quarter of an hour nobody is asked again.
    let before = server.asked().len();
    told(&client, "get_forecast", &json!({ "city": "São Paulo", "days": 3 }));
    assert_eq!(server.asked().len(), before);
    assert_eq!(
        told_json(&client, "get_forecast", &json!({ "city": "São Paulo", "days": 1 }))
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let listed = client.request("resources/list", json!({})).unwrap();
    let uri = "weather://S%C3%A3o%20Paulo/current";
    assert_eq!(listed["resources"][0]["uri"], uri);
    let templates = client.request("resources/templates/list", json!({})).unwrap();
    assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "weather://{city}/current");
    let read = client.request("resources/read", json!({ "uri": uri })).unwrap();
    let text: Value = serde_json::from_str(read["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        text,
        json!({
            "temperature": 20.5, "conditions": "light rain", "humidity": 60.0, "wind_speed": 3.5,
            "timestamp": "2026-11-18T11:06:40Z",
        })
    );
    assert!(!client.stderr().contains(KEY));
}

/// The client's model is asked only when the person set so.
#[test]
fn the_model_describes_the_forecast() {
    let server = WebServer::tls(answer);
    let (_home, client) = analysing().start(&server, "");
    assert_eq!(forecast(&client, &json!({})).unwrap()["resultType"], "complete");
    let (_home, client) = analysing().start(&server, "settings.analysis = true\n");
    let first = forecast(&client, &json!({}));
    let asked = first.as_ref().unwrap()["inputRequests"]["analysis"].to_string();
    assert!(asked.contains("light rain") && asked.contains("São Paulo"), "{asked}");
    let given = json!({ "inputResponses": { "analysis": said("Rain.") }, "requestState": state(&first) });
    let last = forecast(&client, &given).unwrap();
    assert!(words(&last).ends_with("\n\nAnalysis: Rain."), "{last}");
    assert_eq!(server.asked().len(), 2, "the second entry asks nobody");
    // A client without a model gets the forecast alone.
    assert!(!told(&client, "get_forecast", &json!({ "city": "São Paulo" })).contains("Analysis"));
}

#[test]
fn failures_are_told() {
    let server = WebServer::tls(answer);
    let here = json!({ "city": "São Paulo" });
    WEATHER.tells_failures(&server, "GET /forecast", "get_forecast", &here, "Weather API error: ");
    let (_home, client) = WEATHER.start(&server, "");
    let said = fails(&client, "get_forecast", &json!({ "city": "Nowhere" }));
    assert!(said.starts_with("Weather API error: 404 city not found; check the names"), "{said}");
    let error = client.request("resources/read", json!({ "uri": "weather://Nowhere/current" })).unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("Weather API error: 404 city not found"), "{error}");
    assert!(client.call("get_forecast", &json!({ "city": "São Paulo", "days": 6 }))["isError"] == true);
}

#[test]
fn it_needs_what_it_asks_for() {
    let server = WebServer::tls(answer);
    let here = json!({ "city": "São Paulo", "days": 2 });
    let analysing = analysing();
    let analysing = WebPlugin {
        more: analysing
            .more
            .into_iter()
            .chain([("analysis", "settings.analysis = true\n".to_owned())])
            .collect(),
        ..WEATHER
    };
    analysing.needs_its_grants(&server, |client| {
        // Kept, so a second question does not reach the server.
        works(client, "get_forecast", &here)?;
        let before = server.asked().len();
        works(client, "get_forecast", &here)?;
        if server.asked().len() != before {
            return Err("nothing was kept".into());
        }
        match forecast(client, &json!({})) {
            Ok(result) if result["resultType"] == "input_required" => {}
            other => return Err(format!("the model was not asked: {other:?}")),
        }
        gives_up(&server, "GET /forecast", client, "get_forecast", &json!({ "city": "São Paulo", "days": 5 }))
    });
}
