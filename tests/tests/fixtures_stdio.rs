//! Everything that the plugin `everything` offers, over stdio, with real clients that answer its questions, in every way
//! of negotiation they have: the PyPI clients `mcp` and `fastmcp`, the npm clients of both lines, the Inspector.
//! The conformance suite speaks HTTP only; here the same fixtures go the other way in.
//! A client that is not installed fails its test: `cargo xtask test` installs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::needless_pass_by_value)]

use kennel_tests::real::{drive, inspect};
use kennel_tests::{Home, MODERN, kennel_bin, source_root};
use serde_json::{Value, json};

/// The last version that begins with a handshake.
const LEGACY: &str = "2025-11-25";

const TOOLS: [&str; 36] = [
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_error_handling",
    "test_tool_with_progress",
    "test_tool_with_logging",
    "test_logging_tool",
    "test_reconnection",
    "test_trigger_tool_change",
    "test_trigger_prompt_change",
    "test_trigger_resource_change",
    "test_sampling",
    "test_elicitation",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_streaming_elicitation",
    "test_missing_capability",
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_input_required_result_capabilities",
    "json_schema_2020_12_tool",
    "test_custom_header",
    "greet",
    "slow_compute",
    "failing_job",
    "protocol_error_job",
    "confirm_delete",
    "multi_input",
    "test_tool_with_task",
];

const PROMPTS: [&str; 5] = [
    "test_simple_prompt",
    "test_prompt_with_arguments",
    "test_prompt_with_embedded_resource",
    "test_prompt_with_image",
    "test_input_required_result_prompt",
];

/// What the plugin has besides, in the place of npm's `server-everything`; `differential` compares these.
const PUBLISHED: [&str; 18] = [
    "echo",
    "get-annotated-message",
    "get-env",
    "get-resource-links",
    "get-resource-reference",
    "get-roots-list",
    "get-structured-content",
    "get-sum",
    "get-tiny-image",
    "trigger-elicitation-request",
    "trigger-long-running-operation",
    "trigger-sampling-request",
    "simple-prompt",
    "args-prompt",
    "completable-prompt",
    "resource-prompt",
    "demo://resource/dynamic/text/{resourceId}",
    "demo://resource/dynamic/blob/{resourceId}",
];

const RESOURCES: [&str; 3] = ["test://static-text", "test://static-binary", "test://watched-resource"];

const CHANGES: [&str; 4] = [
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
];

/// A home with the plugin, as a person grants it for the conformance suite.
fn house(name: &str) -> Home {
    let home = Home::new(name);
    home.plugin("everything");
    let config = source_root().join("plugins/everything/kennel.toml");
    home.config(&std::fs::read_to_string(config).unwrap()).approve();
    home
}

/// How a client starts it: the command and its environment.
fn server(home: &Home) -> Value {
    let environment = json!({
        "KENNEL_HOME": home.path(),
        "HOME": home.folder("user"),
        "PATH": std::env::var("PATH").unwrap_or_default(),
    });
    json!({ "command": kennel_bin(), "args": ["serve"], "env": environment })
}

/// A client that answers questions.
#[derive(Clone, Copy)]
struct Talker {
    script: &'static str,
    client: &'static str,
}

const MCP: Talker = Talker { script: "fixtures.py", client: "mcp" };
const FASTMCP: Talker = Talker { script: "fixtures.py", client: "fastmcp" };
const SDK: Talker = Talker { script: "fixtures.mjs", client: "sdk" };
const CLIENT: Talker = Talker { script: "fixtures.mjs", client: "client" };

impl Talker {
    fn drive(self, home: &Home, mode: &str, action: &str, steps: &[Value]) -> Value {
        let plan = json!({
            "client": self.client,
            "mode": mode,
            "server": server(home),
            "answers": {
                "action": action,
                "form": {
                    "name": "Alice", "color": "blue", "ok": true, "proceed": true, "confirm": true,
                    "username": "alice", "email": "alice@example.org", "context": "a quiet place",
                    "age": 41, "score": 7.5, "status": "inactive", "verified": false,
                    "untitledSingle": "option2", "titledSingle": "value2", "legacyEnum": "opt2",
                    "untitledMulti": ["option1", "option3"], "titledMulti": ["value3"],
                },
                "model": "A model said this.",
                "roots": ["file:///srv/project"],
            },
            "steps": steps,
        });
        let report = drive(self.script, &plan);
        assert_eq!(report["answers"].as_array().map(Vec::len), Some(steps.len()), "{} {mode}", self.client);
        report
    }
}

fn step(method: &str, params: Value) -> Value {
    json!({ "method": method, "params": params })
}

fn call(tool: &str, arguments: Value) -> Value {
    step("tools/call", json!({ "name": tool, "arguments": arguments }))
}

/// Looks at an answer; panics when it is not the one that was due.
type Check = Box<dyn Fn(&Value)>;

/// Steps, and what must come of each.
#[derive(Default)]
struct Script {
    steps: Vec<Value>,
    checks: Vec<Check>,
}

impl Script {
    fn then(&mut self, step: Value, check: impl Fn(&Value) + 'static) {
        self.steps.push(step);
        self.checks.push(Box::new(check));
    }

    /// A call without arguments that ends well and says this.
    fn says(&mut self, tool: &'static str, arguments: Value, text: &'static str) {
        self.then(call(tool, arguments), move |answer| {
            assert_eq!(words(answer), text, "{tool}: {answer}");
        });
    }

    fn check(&self, answers: &Value) {
        for (check, answer) in self.checks.iter().zip(answers.as_array().expect("answers")) {
            check(answer);
        }
    }
}

#[track_caller]
fn result(answer: &Value) -> &Value {
    answer.get("result").unwrap_or_else(|| panic!("no result: {answer}"))
}

#[track_caller]
fn words(answer: &Value) -> &str {
    let result = result(answer);
    assert_ne!(result["isError"], true, "{result}");
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {result}"))
}

#[track_caller]
fn all_listed(answer: &Value, list: &str, key: &str, wanted: &[&str]) {
    let entries = result(answer)[list].as_array().unwrap_or_else(|| panic!("no {list}: {answer}"));
    let mut listed: Vec<&str> = entries.iter().map(|entry| entry[key].as_str().expect("a text")).collect();
    listed.retain(|name| !PUBLISHED.contains(name));
    for name in wanted {
        assert!(listed.contains(name), "{name} is not in {listed:?}");
    }
    assert_eq!(listed.len(), wanted.len(), "more than there should be: {listed:?}");
}

fn lists(script: &mut Script) {
    script.then(step("tools/list", json!({})), |answer| {
        all_listed(answer, "tools", "name", &TOOLS);
        let tools = result(answer)["tools"].as_array().expect("a list");
        let named = |name: &str| tools.iter().find(|tool| tool["name"] == name).expect("listed");
        let schema = &named("json_schema_2020_12_tool")["inputSchema"];
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{schema}");
        assert_eq!(schema["$defs"]["address"]["$anchor"], "addressDef", "{schema}");
        assert_eq!(schema["if"]["properties"]["contactMethod"]["const"], "phone", "{schema}");
        let header = &named("test_custom_header")["inputSchema"]["properties"]["value"]["x-mcp-header"];
        assert_eq!(header, "Value");
        // It holds no network and no state, so it is known to stay at home.
        assert_eq!(named("greet")["annotations"]["openWorldHint"], false);
    });
    script.then(step("resources/list", json!({})), |answer| {
        all_listed(answer, "resources", "uri", &RESOURCES);
    });
    script.then(step("resources/templates/list", json!({})), |answer| {
        all_listed(answer, "resourceTemplates", "uriTemplate", &["test://template/{id}/data"]);
    });
    script.then(step("prompts/list", json!({})), |answer| all_listed(answer, "prompts", "name", &PROMPTS));
}

fn contents(script: &mut Script) {
    script.then(step("tools/call", json!({ "name": "test_simple_text" })), |answer| {
        assert_eq!(words(answer), "This is a simple text response for testing.");
    });
    for (tool, kind, mime) in
        [("test_image_content", "image", "image/png"), ("test_audio_content", "audio", "audio/wav")]
    {
        script.then(call(tool, json!({})), move |answer| {
            let content = &result(answer)["content"][0];
            assert_eq!((&content["type"], &content["mimeType"]), (&json!(kind), &json!(mime)), "{answer}");
            assert!(content["data"].as_str().is_some_and(|data| data.len() > 100), "{answer}");
        });
    }
    script.then(call("test_embedded_resource", json!({})), |answer| {
        let resource = &result(answer)["content"][0]["resource"];
        assert_eq!(resource["uri"], "test://embedded-resource", "{answer}");
        assert_eq!(resource["text"], "This is an embedded resource content.");
    });
    script.then(call("test_multiple_content_types", json!({})), |answer| {
        let content = result(answer)["content"].as_array().expect("a list");
        let kinds: Vec<&Value> = content.iter().map(|block| &block["type"]).collect();
        assert_eq!(kinds, ["text", "image", "resource"], "{answer}");
        assert_eq!(content[2]["resource"]["text"], r#"{"test":"data","value":123}"#);
    });
    script.then(call("test_error_handling", json!({})), |answer| {
        let result = result(answer);
        assert_eq!(result["isError"], true, "{result}");
        let text = result["content"][0]["text"].as_str().expect("a text");
        assert!(text.contains("This tool intentionally returns an error for testing"), "{text}");
    });
    script.then(
        call("json_schema_2020_12_tool", json!({ "name": "A", "contactMethod": "phone" })),
        |answer| {
            assert_eq!(
                result(answer)["isError"],
                true,
                "the condition of the schema was not checked: {answer}"
            );
        },
    );
    let contact = json!({ "contactMethod": "phone", "phone": "12" });
    script.says("json_schema_2020_12_tool", contact, r#"Got {"contactMethod":"phone","phone":"12"}"#);
    script.says("test_custom_header", json!({ "value": "x" }), "Got x");
    script.says("greet", json!({ "name": "Rex" }), "Hello, Rex!");
    script.says("slow_compute", json!({ "seconds": 0.2, "label": "Little" }), "Little took 0.2 s.");
    script.says("test_reconnection", json!({}), "You came back, or never left.");
    script.then(call("test_tool_with_progress", json!({})), |answer| {
        assert_eq!(words(answer), "Took three steps.");
        let steps = answer["progress"].as_array().expect("progress");
        let seen: Vec<(f64, f64)> =
            steps.iter().map(|step| (step[0].as_f64().unwrap(), step[1].as_f64().unwrap())).collect();
        assert_eq!(seen, [(0.0, 100.0), (50.0, 100.0), (100.0, 100.0)], "{answer}");
    });
}

fn readings(script: &mut Script, unknown: i64) {
    let read = |uri: &str| step("resources/read", json!({ "uri": uri }));
    script.then(read("test://static-text"), |answer| {
        let contents = &result(answer)["contents"][0];
        assert_eq!(contents["text"], "This is the content of the static text resource.", "{answer}");
        assert_eq!(contents["mimeType"], "text/plain");
    });
    script.then(read("test://static-binary"), |answer| {
        assert!(
            result(answer)["contents"][0]["blob"].as_str().is_some_and(|blob| blob.len() > 100),
            "{answer}"
        );
    });
    script.then(read("test://template/123/data"), |answer| {
        let text = result(answer)["contents"][0]["text"].as_str().expect("a text");
        assert!(text.contains(r#""id":"123""#), "{text}");
    });
    script.then(read("test://nothing-here"), move |answer| {
        assert_eq!(answer["error"]["code"], unknown, "{answer}");
    });
    let get =
        |name: &str, arguments: Value| step("prompts/get", json!({ "name": name, "arguments": arguments }));
    let said = |answer: &Value| result(answer)["messages"][0]["content"].clone();
    script.then(step("prompts/get", json!({ "name": "test_simple_prompt" })), move |answer| {
        assert_eq!(said(answer)["text"], "This is a simple prompt for testing.", "{answer}");
    });
    script.then(get("test_prompt_with_arguments", json!({ "arg1": "one", "arg2": "two" })), move |answer| {
        assert_eq!(said(answer)["text"], "Prompt with arguments: arg1='one', arg2='two'", "{answer}");
    });
    script.then(
        get("test_prompt_with_embedded_resource", json!({ "resourceUri": "test://x" })),
        move |answer| {
            assert_eq!(said(answer)["resource"]["uri"], "test://x", "{answer}");
        },
    );
    script.then(get("test_prompt_with_image", json!({})), move |answer| {
        assert_eq!(said(answer)["type"], "image", "{answer}");
    });
    let complete = |reference: Value, name: &str, value: &str| {
        step("completion/complete", json!({ "ref": reference, "argument": { "name": name, "value": value } }))
    };
    let prompt = json!({ "type": "ref/prompt", "name": "test_prompt_with_arguments" });
    script.then(complete(prompt, "arg1", "par"), |answer| {
        assert_eq!(result(answer)["completion"]["values"], json!(["paris", "park", "party"]), "{answer}");
    });
    let template = json!({ "type": "ref/resource", "uri": "test://template/{id}/data" });
    script.then(complete(template, "id", "12"), |answer| {
        assert_eq!(result(answer)["completion"]["values"], json!(["12", "123"]), "{answer}");
    });
}

/// Everything that asks, and the questions in the order in which they must come.
fn questions(script: &mut Script) -> Vec<&'static str> {
    const FORM: &str = "elicitation/create";
    const MODEL: &str = "sampling/createMessage";
    const ROOTS: &str = "roots/list";
    script.says("test_sampling", json!({ "prompt": "Say it" }), "LLM response: A model said this.");
    script.says(
        "test_elicitation",
        json!({ "message": "Who are you?" }),
        r#"User response: action=accept, content={"username":"alice","email":"alice@example.org"}"#,
    );
    script.says(
        "test_elicitation_sep1034_defaults",
        json!({}),
        r#"Elicitation completed: action=accept, content={"name":"Alice","age":41,"score":7.5,"status":"inactive","verified":false}"#,
    );
    script.says(
        "test_elicitation_sep1330_enums",
        json!({}),
        r#"Elicitation completed: action=accept, content={"untitledSingle":"option2","titledSingle":"value2","legacyEnum":"opt2","untitledMulti":["option1","option3"],"titledMulti":["value3"]}"#,
    );
    script.says(
        "test_streaming_elicitation",
        json!({}),
        r#"Elicitation completed: action=accept, content={"proceed":true}"#,
    );
    script.says("test_missing_capability", json!({}), "This client lets servers ask its model.");
    script.says("test_input_required_result_elicitation", json!({}), "Hello, Alice!");
    script.says("test_input_required_result_sampling", json!({}), "A model said this.");
    script.says("test_input_required_result_list_roots", json!({}), "1 roots: file:///srv/project");
    script.says("test_input_required_result_request_state", json!({}), "state-ok, confirmed");
    script.says("test_input_required_result_tampered_state", json!({}), "state-ok, confirmed");
    script.says("test_input_required_result_multi_round", json!({}), "Alice likes blue.");
    script.says("confirm_delete", json!({ "filename": "a.txt" }), "Deleted a.txt.");
    let prompt = step("prompts/get", json!({ "name": "test_input_required_result_prompt" }));
    script.then(prompt, |answer| {
        let text = &result(answer)["messages"][0]["content"]["text"];
        assert_eq!(text, "Use this context: a quiet place", "{answer}");
    });
    vec![MODEL, FORM, FORM, FORM, FORM, FORM, MODEL, ROOTS, FORM, FORM, FORM, FORM, FORM, FORM]
}

/// Tools that ask several things at once; in which order a client takes them is its own business.
fn questions_at_once(script: &mut Script) -> Vec<&'static str> {
    script.says(
        "test_input_required_result_multiple_inputs",
        json!({}),
        "A model said this. (Alice, 1 roots)",
    );
    script.says("test_input_required_result_capabilities", json!({}), "A model said this. (Alice)");
    script.says("multi_input", json!({}), "Got Alice and Alice.");
    vec![
        "elicitation/create",
        "elicitation/create",
        "elicitation/create",
        "elicitation/create",
        "roots/list",
        "sampling/createMessage",
        "sampling/createMessage",
    ]
}

fn methods(messages: &Value) -> Vec<&str> {
    let messages = messages.as_array().expect("a list");
    messages.iter().map(|message| message["method"].as_str().expect("a method")).collect()
}

/// All of it, in one way of negotiation.
fn everything_works(talker: Talker, mode: &str, version: &str) {
    let home = house("fixtures");
    let modern = version == MODERN;

    let mut script = Script::default();
    lists(&mut script);
    contents(&mut script);
    // The older revisions have a code of their own for it, which one client makes into the newer one.
    readings(&mut script, if modern || talker.client == CLIENT.client { -32602 } else { -32002 });
    let report = talker.drive(&home, mode, "accept", &script.steps);
    // The first npm SDK does not tell, and knows no other version.
    let told = report["negotiated"].as_str().unwrap_or(if talker.client == SDK.client { LEGACY } else { "" });
    assert_eq!(told, version, "in mode {mode}");
    script.check(&report["answers"]);
    assert_eq!(methods(&report["asked"]), [""; 0], "nothing of this asks: {}", report["asked"]);
    let heard = methods(&report["heard"]);
    if modern {
        assert!(!heard.contains(&"notifications/message"), "a log message that nobody asked for");
    }

    let mut script = Script::default();
    let asked = questions(&mut script);
    let report = talker.drive(&home, mode, "accept", &script.steps);
    script.check(&report["answers"]);
    assert_eq!(methods(&report["asked"]), asked);
    what_was_asked(&report["asked"]);

    let mut script = Script::default();
    let asked = questions_at_once(&mut script);
    let report = talker.drive(&home, mode, "accept", &script.steps);
    script.check(&report["answers"]);
    let mut seen = methods(&report["asked"]);
    seen.sort_unstable();
    assert_eq!(seen, asked);

    for action in ["decline", "cancel"] {
        let steps = [
            call("test_elicitation", json!({ "message": "Who?" })),
            call("test_input_required_result_elicitation", json!({})),
        ];
        let report = talker.drive(&home, mode, action, &steps);
        let expected = format!("User response: action={action}, content={{}}");
        assert_eq!(words(&report["answers"][0]), expected);
        assert_eq!(words(&report["answers"][1]), "Hello, stranger!");
    }

    signals(talker, &home, mode, modern);
}

/// What the person saw: the plugin's words and the forms as the plugin has them.
fn what_was_asked(asked: &Value) {
    let asked = asked.as_array().expect("a list");
    let sampling = &asked[0]["params"];
    assert_eq!(sampling["maxTokens"], 100, "{sampling}");
    assert_eq!(sampling["messages"][0]["role"], "user");
    let form = |at: usize| &asked[at]["params"]["requestedSchema"]["properties"];
    let message = asked[1]["params"]["message"].as_str().expect("a message");
    assert!(message.contains("Who are you?"), "{message}");
    assert_eq!(form(1)["email"]["format"], "email");
    for (field, kind, default) in [
        ("name", "string", json!("John Doe")),
        ("age", "integer", json!(30)),
        ("score", "number", json!(95.5)),
        ("status", "string", json!("active")),
        ("verified", "boolean", json!(true)),
    ] {
        let field = &form(2)[field];
        assert_eq!((&field["type"], &field["default"]), (&json!(kind), &default), "{}", form(2));
    }
    let choices = form(3);
    assert_eq!(choices["untitledSingle"]["enum"], json!(["option1", "option2", "option3"]), "{choices}");
    assert_eq!(choices["titledSingle"]["oneOf"][0], json!({ "const": "value1", "title": "First Option" }));
    assert_eq!(choices["legacyEnum"]["enumNames"], json!(["Option One", "Option Two", "Option Three"]));
    assert_eq!(choices["untitledMulti"]["items"]["enum"], json!(["option1", "option2", "option3"]));
    let last = json!({ "const": "value3", "title": "Third Option" });
    assert_eq!(choices["titledMulti"]["items"]["anyOf"][2], last);
}

/// Log messages when asked for, and changes to whoever watches.
fn signals(talker: Talker, home: &Home, mode: &str, modern: bool) {
    let level = "io.modelcontextprotocol/logLevel";
    let mut steps = Vec::new();
    if modern {
        let params = json!({ "name": "test_logging_tool", "arguments": {}, "_meta": { level: "debug" } });
        steps.push(step("tools/call", params));
    } else {
        steps.push(step("logging/setLevel", json!({ "level": "debug" })));
        steps.push(call("test_tool_with_logging", json!({})));
    }
    let logged = steps.len();
    steps.push(step(
        "watch",
        json!({
            "uri": "test://watched-resource",
            "tools": ["test_trigger_tool_change", "test_trigger_prompt_change", "test_trigger_resource_change"],
            "expect": CHANGES,
        }),
    ));
    let report = talker.drive(home, mode, "accept", &steps);
    for answer in report["answers"].as_array().expect("answers") {
        result(answer);
    }
    let heard = report["heard"].as_array().expect("a list");
    let messages: Vec<&Value> = heard
        .iter()
        .filter(|message| message["method"] == "notifications/message")
        .map(|message| &message["params"]["data"])
        .collect();
    assert_eq!(
        messages,
        ["Tool execution started", "Tool processing data", "Tool execution completed"],
        "{logged}: {heard:?}"
    );
    let updated = heard.iter().find(|message| message["method"] == CHANGES[3]).expect("waited for");
    assert_eq!(updated["params"]["uri"], "test://watched-resource");
}

#[test]
fn the_pypi_client_finds_everything_in_the_session_era() {
    everything_works(MCP, "legacy", LEGACY);
}

#[test]
fn the_pypi_client_finds_everything_by_negotiation() {
    everything_works(MCP, "auto", MODERN);
}

#[test]
fn the_pypi_client_finds_everything_in_the_stateless_era() {
    everything_works(MCP, MODERN, MODERN);
}

#[test]
fn fastmcp_finds_everything_in_the_session_era() {
    everything_works(FASTMCP, "legacy", LEGACY);
}

#[test]
fn fastmcp_finds_everything_by_negotiation() {
    everything_works(FASTMCP, "auto", MODERN);
}

#[test]
fn fastmcp_finds_everything_in_the_stateless_era() {
    everything_works(FASTMCP, MODERN, MODERN);
}

#[test]
fn the_first_npm_sdk_finds_everything() {
    everything_works(SDK, "legacy", LEGACY);
}

#[test]
fn the_npm_client_finds_everything_in_the_session_era() {
    everything_works(CLIENT, "legacy", LEGACY);
}

#[test]
fn the_npm_client_finds_everything_by_negotiation() {
    everything_works(CLIENT, "auto", MODERN);
}

#[test]
fn the_npm_client_finds_everything_in_the_stateless_era() {
    everything_works(CLIENT, MODERN, MODERN);
}

fn the_inspector(era: &str) {
    let home = house("inspector");
    let mut script = Script::default();
    lists(&mut script);
    for (tool, arguments, text) in [
        ("test_simple_text", json!({}), "This is a simple text response for testing."),
        ("test_custom_header", json!({ "value": "x" }), "Got x"),
        ("greet", json!({ "name": "Rex" }), "Hello, Rex!"),
        ("test_tool_with_logging", json!({}), "Wrote three log messages."),
    ] {
        script.says(tool, arguments, text);
    }
    script.then(call("test_error_handling", json!({})), |answer| {
        assert_eq!(result(answer)["isError"], true, "{answer}");
    });
    script.then(step("resources/read", json!({ "uri": "test://static-text" })), |answer| {
        let text = &result(answer)["contents"][0]["text"];
        assert_eq!(text, "This is the content of the static text resource.", "{answer}");
    });
    script.then(step("prompts/get", json!({ "name": "test_simple_prompt" })), |answer| {
        let text = &result(answer)["messages"][0]["content"]["text"];
        assert_eq!(text, "This is a simple prompt for testing.", "{answer}");
    });
    let (server, settings) = (server(&home), home.folder("inspector"));
    let answers: Vec<Value> =
        script.steps.iter().map(|step| inspect(&server, &settings, era, step, &[])).collect();
    script.check(&Value::from(answers));
    // Every schema can be carried to the models that it knows: else it ends with an error.
    result(&inspect(&server, &settings, era, &step("tools/list", json!({})), &["--strict"]));
}

#[test]
fn the_inspector_finds_everything_in_the_session_era() {
    the_inspector("legacy");
}

#[test]
fn the_inspector_finds_everything_by_negotiation() {
    the_inspector("auto");
}

#[test]
fn the_inspector_finds_everything_in_the_stateless_era() {
    the_inspector("modern");
}
