//! Real clients list and call all five plugins over stdio, in both eras of the protocol: the PyPI client, the npm
//! clients of both lines, and the MCP Inspector's command line. All of them must get the same answers.
//! A client that is not installed fails its test: `cargo xtask test` installs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::needless_pass_by_value)]

use kennel_tests::nws::WeatherService;
use kennel_tests::real::{drive, inspect};
use kennel_tests::{Home, MODERN, kennel_bin};
use serde_json::{Value, json};

/// The last version that begins with a handshake.
const LEGACY: &str = "2025-11-25";

/// The tools that the five plugins must have, by their full names.
const TOOLS: [&str; 28] = [
    "filesystem__create_directory",
    "filesystem__directory_tree",
    "filesystem__edit_file",
    "filesystem__file_exists",
    "filesystem__get_file_info",
    "filesystem__list_allowed_directories",
    "filesystem__list_directory",
    "filesystem__list_directory_with_sizes",
    "filesystem__move_file",
    "filesystem__read_media_file",
    "filesystem__read_multiple_files",
    "filesystem__read_text_file",
    "filesystem__search_files",
    "filesystem__write_file",
    "memory__add_observations",
    "memory__create_entities",
    "memory__create_relations",
    "memory__delete_entities",
    "memory__delete_observations",
    "memory__delete_relations",
    "memory__open_nodes",
    "memory__read_graph",
    "memory__search_nodes",
    "notes__create_note",
    "time__convert_time",
    "time__get_current_time",
    "weather-us__get-alerts",
    "weather-us__get-forecast",
];

/// A home with all five plugins, each granted what it needs and no more.
struct House {
    home: Home,
    weather: WeatherService,
}

impl House {
    fn new(name: &str) -> Self {
        let weather = WeatherService::start().expect("loopback");
        let home = Home::new(name);
        let documents = home.folder("documents");
        std::fs::write(documents.join("hello.txt"), "Hello from a granted folder.\n").unwrap();
        for plugin in ["time", "filesystem", "weather-us", "memory", "notes"] {
            home.plugin(plugin);
        }
        home.config(&format!(
            r#"
            [[plugins.filesystem.directories]]
            path = {documents}
            as = "/docs"
            mode = "read-only"
            [plugins.weather-us]
            env = {{ NWS_BASE_URL = {weather} }}
            [[plugins.weather-us.http]]
            url = {weather}
            methods = ["GET"]
            [plugins.memory.state]
            quota = "1MiB"
            [plugins.notes.state]
            quota = "1MiB"
            "#,
            documents = Value::from(documents.to_str().expect("a text")),
            weather = Value::from(weather.base_url()),
        ))
        .approve();
        Self { home, weather }
    }

    /// How a client starts the server: the command and its environment.
    fn server(&self) -> Value {
        json!({
            "command": kennel_bin(),
            "args": ["serve"],
            "env": {
                "KENNEL_HOME": self.home.path(),
                "HOME": self.home.folder("user"),
                "PATH": std::env::var("PATH").unwrap_or_default(),
            },
        })
    }
}

/// A client that takes a plan of steps and reports the answers.
trait Driver {
    /// Runs the steps in one connection; gives the negotiated version (when the client tells) and, for each
    /// step, `{"result"}` or `{"error"}`.
    fn drive(&self, house: &House, mode: &str, steps: &[Value]) -> (Option<String>, Vec<Value>);
}

/// A script of `tests/clients`, and which of its clients.
struct Script {
    script: &'static str,
    client: &'static str,
}

impl Script {
    fn pypi(client: &'static str) -> Self {
        Self { script: "drive.py", client }
    }

    fn npm(client: &'static str) -> Self {
        Self { script: "drive.mjs", client }
    }
}

impl Driver for Script {
    fn drive(&self, house: &House, mode: &str, steps: &[Value]) -> (Option<String>, Vec<Value>) {
        let plan = json!({ "client": self.client, "mode": mode, "server": house.server(), "steps": steps });
        let report = drive(self.script, &plan);
        let answers = report["answers"].as_array().expect("a report has answers").clone();
        assert_eq!(answers.len(), steps.len());
        (report["negotiated"].as_str().map(str::to_owned), answers)
    }
}

/// The MCP Inspector's command line: one run for each step.
struct Inspector;

impl Driver for Inspector {
    fn drive(&self, house: &House, mode: &str, steps: &[Value]) -> (Option<String>, Vec<Value>) {
        let (server, settings) = (house.server(), house.home.folder("inspector"));
        (None, steps.iter().map(|step| inspect(&server, &settings, mode, step, &[])).collect())
    }
}

fn step(method: &str, params: Value) -> Value {
    json!({ "method": method, "params": params })
}

fn call(tool: &str, arguments: Value) -> Value {
    step("tools/call", json!({ "name": tool, "arguments": arguments }))
}

#[track_caller]
fn result(answer: &Value) -> &Value {
    answer.get("result").unwrap_or_else(|| panic!("no result: {answer}"))
}

#[track_caller]
fn text(answer: &Value) -> &str {
    let result = result(answer);
    assert_ne!(result["isError"], true, "{result}");
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {result}"))
}

fn names<'a>(answer: &'a Value, list: &str, key: &str) -> Vec<&'a str> {
    let entries = result(answer)[list].as_array().unwrap_or_else(|| panic!("no {list}: {answer}"));
    entries.iter().map(|entry| entry[key].as_str().expect("a text")).collect()
}

/// All that a person would do with the five plugins, in two connections. `run` makes names unique in the home.
fn everything_works(driver: &dyn Driver, house: &House, mode: &str, version: Option<&str>, run: &str) {
    let entity = format!("Rex {run}");
    let title = format!("Groceries {run}");
    let steps = [
        step("tools/list", json!({})),
        call(
            "time__convert_time",
            json!({ "source_timezone": "Asia/Tokyo", "time": "09:00", "target_timezone": "Asia/Kolkata" }),
        ),
        call("filesystem__read_text_file", json!({ "path": "/docs/hello.txt" })),
        call("filesystem__write_file", json!({ "path": "/docs/hello.txt", "content": "overwritten" })),
        call("weather-us__get-alerts", json!({ "state": "NY" })),
        call("weather-us__get-forecast", json!({ "latitude": 37.77, "longitude": -122.42 })),
        call(
            "memory__create_entities",
            json!({ "entities": [{ "name": entity, "entityType": "dog", "observations": ["sleeps"] }] }),
        ),
        call("notes__create_note", json!({ "title": title, "content": format!("Bones for {entity}") })),
        call("nobody__nothing", json!({})),
        call("time__convert_time", json!({ "source_timezone": "UTC" })),
    ];
    let (negotiated, answers) = driver.drive(house, mode, &steps);
    if let (Some(negotiated), Some(version)) = (negotiated, version) {
        assert_eq!(negotiated, version, "in mode {mode}");
    }
    let [tools, time, read, write, alerts, forecast, created, note, nobody, unfit] =
        answers.try_into().expect("as many answers as steps");

    let listed = names(&tools, "tools", "name");
    for tool in TOOLS {
        assert!(listed.contains(&tool), "{tool} is not in {listed:?}");
    }
    let time = &result(&time)["structuredContent"];
    assert_eq!(time["time_difference"], "-3.5h", "{time}");
    let target = time["target"]["datetime"].as_str().expect("a time");
    assert!(target.ends_with("T05:30:00+05:30"), "{time}");

    assert_eq!(text(&read), "Hello from a granted folder.\n");
    assert_eq!(result(&write)["isError"], true, "{write}");
    let document = house.home.folder("documents").join("hello.txt");
    assert_eq!(std::fs::read_to_string(document).unwrap(), "Hello from a granted folder.\n");

    assert_eq!(text(&alerts), "No active alerts for NY");
    let forecast = text(&forecast);
    assert!(forecast.starts_with("Forecast for 37.77, -122.42:"), "{forecast}");
    assert!(
        forecast.contains("Sunday Night") && !forecast.contains("Monday"),
        "not five periods: {forecast}"
    );
    assert!(house.weather.requests().iter().any(|line| line.starts_with("GET /points/37.77")));

    assert_eq!(result(&created)["structuredContent"]["entities"][0]["name"], entity);
    text(&note);
    assert!(nobody.get("error").is_some(), "an unknown tool answered {nobody}");
    assert_eq!(result(&unfit)["isError"], true, "{unfit}");

    // A new process finds what the first one left.
    let steps = [
        call("memory__open_nodes", json!({ "names": [entity] })),
        step("resources/list", json!({})),
        step("resources/templates/list", json!({})),
        step("prompts/list", json!({})),
        step("prompts/get", json!({ "name": "notes__summarize_notes" })),
    ];
    let (_, answers) = driver.drive(house, mode, &steps);
    let [opened, resources, templates, prompts, prompt] =
        answers.try_into().expect("as many answers as steps");
    assert_eq!(result(&opened)["structuredContent"]["entities"][0]["observations"], json!(["sleeps"]));
    assert!(names(&templates, "resourceTemplates", "uriTemplate").contains(&"note:///{id}"), "{templates}");
    assert!(names(&prompts, "prompts", "name").contains(&"notes__summarize_notes"), "{prompts}");
    let embedded = result(&prompt)["messages"].to_string();
    assert!(embedded.contains(r#""type":"resource""#) && embedded.contains(&entity), "{prompt}");

    let listed = names(&resources, "resources", "uri");
    let (notes, others): (Vec<&str>, Vec<&str>) =
        listed.into_iter().partition(|uri| uri.starts_with("note:///"));
    assert_eq!(others, ["memory://knowledge-graph"]);
    let reads: Vec<Value> = notes.iter().map(|uri| step("resources/read", json!({ "uri": uri }))).collect();
    let (_, contents) = driver.drive(house, mode, &reads);
    let found = contents.iter().any(|answer| {
        let contents = &result(answer)["contents"][0];
        contents["mimeType"] == "text/plain"
            && contents["text"].as_str().is_some_and(|text| text.contains(&entity))
    });
    assert!(found, "no note about {entity} in {contents:?}");
}

#[test]
fn the_pypi_client_uses_all_five_plugins_in_both_eras() {
    let house = House::new("pypi");
    let driver = Script::pypi("mcp");
    for (mode, version) in [("legacy", LEGACY), ("auto", MODERN), (MODERN, MODERN)] {
        everything_works(&driver, &house, mode, Some(version), mode);
    }
}

#[test]
fn the_pypi_client_answers_a_plugins_questions_in_both_eras() {
    use kennel_tests::asker::{GRANTED, asker_home, form, roots, rounds, sample};
    let home = asker_home("pypi-questions", GRANTED);
    let server = json!({
        "command": kennel_bin(),
        "args": ["serve"],
        "env": { "KENNEL_HOME": home.path(), "HOME": home.folder("user"), "PATH": std::env::var("PATH").unwrap_or_default() },
    });
    let arguments = rounds(&[&[form("who", "name"), sample("model", 9)], &[roots("dirs")]]);
    let steps = [
        step("tools/call", json!({"name": "asker__ask", "arguments": arguments})),
        step("prompts/get", json!({"name": "asker__greet"})),
        step("resources/read", json!({"uri": "asker:///greeting"})),
    ];
    let answers =
        json!({"form": {"name": "Ada"}, "url": "accept", "sample": "Paris", "root": "file:///work"});
    for (mode, version) in [("legacy", LEGACY), (MODERN, MODERN)] {
        let plan = |answers: &Value| {
            let steps = &steps[..];
            drive(
                "drive.py",
                &json!({"client": "mcp", "mode": mode, "server": server, "steps": steps, "answers": answers}),
            )
        };
        let report = plan(&answers);
        assert_eq!(report["negotiated"], version, "{report}");
        let answered = result(&report["answers"][0]);
        let said: Value = serde_json::from_str(answered["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(said[0]["who"], json!({"action": "accept", "content": {"name": "Ada"}}), "{mode}");
        assert_eq!(said[0]["model"]["content"]["text"], "Paris", "{mode}");
        assert_eq!(said[1]["dirs"]["roots"][0]["uri"], "file:///work", "{mode}");
        for other in [1, 2] {
            let greeted = result(&report["answers"][other]);
            assert!(greeted.to_string().contains("Hello, Ada!"), "{mode}: {greeted}");
        }
        // A client that cannot be asked hears what it lacks.
        let refused = plan(&Value::Null)["answers"].to_string();
        assert!(refused.contains("apability"), "{mode}: {refused}");
    }
}

#[test]
fn the_npm_client_uses_all_five_plugins_in_both_eras() {
    let house = House::new("npm");
    let driver = Script::npm("client");
    for (mode, version) in [("legacy", LEGACY), ("auto", MODERN), (MODERN, MODERN)] {
        everything_works(&driver, &house, mode, Some(version), mode);
    }
}

#[test]
fn the_first_npm_sdk_uses_all_five_plugins() {
    everything_works(&Script::npm("sdk"), &House::new("sdk"), "legacy", None, "first sdk");
}

#[test]
fn the_inspector_uses_all_five_plugins_in_the_session_era() {
    everything_works(&Inspector, &House::new("inspector"), "legacy", None, "inspector");
}

#[test]
fn the_inspector_uses_all_five_plugins_in_the_stateless_era() {
    everything_works(&Inspector, &House::new("inspector"), "modern", None, "inspector");
}

/// What `kennel client-config` prints works in a client that takes it as people paste it.
#[test]
fn the_printed_client_configuration_works() {
    let house = House::new("config");
    let printed = house.home.kennel(["client-config", "claude-desktop"]);
    let config = printed.success().json();
    let report = drive("drive.py", &json!({ "client": "fastmcp", "config": config }));
    let listed = names(&report["answers"][0], "tools", "name");
    for tool in TOOLS {
        assert!(listed.contains(&tool), "{tool} is not in {listed:?}");
    }
}
