//! What a compared server is, and the comparison: the same calls in order to both sides, answers equal after a
//! written normaliser or listed with the reason.
//! It must not know any one server.

use std::path::Path;
use std::process::Command;

use kennel_tests::{Client, Home, Reply, clients_dir, node};
use serde_json::{Value, json};

/// Fewest calls of a table, and how many of a hundred have to be equal.
const CALLS: usize = 40;
const EQUAL: usize = 90;

/// A published server that one of our plugins stands in for.
pub(crate) trait Server {
    /// The plugin's name.
    const NAME: &'static str;
    /// JSON: `files` to begin with, by name, and `calls` in order. A call is `tool` and `arguments`, or another
    /// request's `method` and `params`; `differs` is the reason why its answers do. `{root}` in any text is the folder with the
    /// files, and [`places`](Self::places) gives more of these.
    const TABLE: &'static str;

    /// The published server, with its files in `root`.
    fn reference(&self, home: &Home, root: &Path) -> Command;

    /// The lines of `kennel.toml` that grant the plugin what it needs: its files are in `root`, and it sees them
    /// where the reference does.
    fn grants(&self, _root: &Path, _shown_as: &Path) -> String {
        String::new()
    }

    /// Lines of the plugin's own table, before its grants.
    fn settings(&self, _shown_as: &Path) -> String {
        String::new()
    }

    /// Makes in the folder what are not simple texts.
    fn lay_out(&self, _root: &Path) {}

    /// More names in braces and what stands for them.
    fn places(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// One text of a good answer without what may differ, and why.
    fn text(&self, _tool: &str, text: &str) -> Value {
        text.into()
    }

    /// An error's text without what may differ, and why.
    fn error(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// The command for a server of npm's `@modelcontextprotocol`.
pub(crate) fn npm(package: &str) -> Command {
    let mut command = Command::new(node());
    command.arg(
        clients_dir().join("node/node_modules/@modelcontextprotocol").join(package).join("dist/index.js"),
    );
    command
}

/// The grant of a directory that the plugin sees under another path.
pub(crate) fn directory(plugin: &str, root: &Path, shown_as: &Path, mode: &str) -> String {
    format!(
        "[[plugins.{plugin}.directories]]\npath = {}\nas = {}\nmode = \"{mode}\"\n",
        Value::from(root.to_string_lossy()),
        Value::from(shown_as.to_string_lossy()),
    )
}

/// What is left out of every comparison, and why:
///
/// 1. `_meta`, `resultType` and empty fields: the protocol's envelope, not the answer.
/// 2. The wording of a violation of the input schema, and of an unknown tool: it is the host's, for every plugin
///    alike. That the call fails, and how (`isError` or error code), is compared. So is what the PyPI SDK puts
///    before every tool's own error text ("Error executing tool NAME: ").
/// 3. In a list of tools, the order, which is the host's, the annotations, which the host tells by what is granted, and
///    `execution` where it only says that no task is made of a call, which is so without it.
///
/// What is left out of one server's answers stands there.
pub(crate) fn normalise(server: &impl Server, tool: &str, reply: Reply) -> Value {
    let result = match reply {
        Err(error) => return json!({ "error": error["code"] }),
        Ok(result) => result,
    };
    if result.get("content").is_none() {
        return texts(server, tool, &without_envelope(result));
    }
    let is_error = result["isError"] == true;
    let mut answer = json!({ "isError": is_error });
    if is_error {
        let text = result["content"][0]["text"].as_str().unwrap_or("");
        let own = text.strip_prefix(&format!("Error executing tool {tool}: ")).unwrap_or(text);
        let own =
            if is_schema_violation(text) { "(arguments do not fit)".to_owned() } else { own.to_owned() };
        answer["text"] = server.error(&own).into();
        return answer;
    }
    answer["content"] = texts(server, tool, &result["content"]);
    answer["structured"] = texts(server, tool, &result["structuredContent"]);
    answer
}

/// An answer that is not a tool's, without the fields of rules 1 and 3.
fn without_envelope(mut result: Value) -> Value {
    if let Some(fields) = result.as_object_mut() {
        fields.retain(|key, _| !matches!(key.as_str(), "resultType" | "ttlMs" | "cacheScope"));
    }
    if let Some(tools) = result.get_mut("tools").and_then(Value::as_array_mut) {
        tools.sort_by_key(|tool| tool["name"].to_string());
    }
    for tool in result.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(fields) = tool.as_object_mut() {
            let says_nothing = |value: &Value| *value == json!({ "taskSupport": "forbidden" });
            fields.retain(|key, value| key != "annotations" && !(key == "execution" && says_nothing(value)));
        }
    }
    result
}

/// The wordings of rule 2: of the npm SDK's zod, of the PyPI SDK's pydantic or jsonschema, and ours: the host's, and our SDK's for what no schema
/// says.
fn is_schema_violation(text: &str) -> bool {
    text.starts_with("MCP error -32602: Input validation error")
        || (text.starts_with("Error executing tool") && text.contains("validation error"))
        || text.to_ascii_lowercase().starts_with("invalid arguments")
        || text.starts_with("the arguments do not fit")
        || text.starts_with("Input validation error: ")
}

/// Applies [`Server::text`] to every string of a value, and leaves nulls and `_meta` out.
fn texts(server: &impl Server, tool: &str, value: &Value) -> Value {
    match value {
        Value::String(string) => server.text(tool, string),
        Value::Array(items) => items.iter().map(|item| texts(server, tool, item)).collect(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, value)| !value.is_null() && *key != "_meta")
            .map(|(key, value)| (key.clone(), texts(server, tool, value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// Puts what stands for a name in the place of `{name}`.
fn place(value: &Value, places: &[(&str, String)]) -> Value {
    match value {
        Value::String(text) => places
            .iter()
            .fold(text.clone(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
            .into(),
        Value::Array(items) => items.iter().map(|item| place(item, places)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), place(value, places)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// One side: a running server and where it sees its files.
struct Side {
    client: Client,
    places: Vec<(&'static str, String)>,
}

impl Side {
    fn new(server: &impl Server, client: Client, root: &Path) -> Self {
        client.initialize();
        let mut places = server.places();
        places.push(("root", root.to_str().expect("a text").to_owned()));
        Self { client, places }
    }

    /// The reference with files of its own.
    fn reference(server: &impl Server, home: &Home, root: &Path) -> Self {
        let mut command = server.reference(home, root);
        command.current_dir(home.folder("user"));
        Self::new(server, Client::start(command), root)
    }

    /// Kennel with our plugin in the reference's place: same tool names, same paths, files of its own.
    fn kennel<S: Server>(server: &S, home: &Home, root: &Path, shown_as: &Path) -> Self {
        let name = S::NAME;
        home.plugin(name);
        let (settings, grants) = (server.settings(shown_as), server.grants(root, shown_as));
        home.config(&format!("[plugins.{name}]\nprefix = \"\"\n{settings}{grants}")).approve();
        Self::new(server, home.serve(), shown_as)
    }

    /// The answer to a call of the table, normalised.
    fn answer(&self, server: &impl Server, call: &Value) -> Value {
        let Some(tool) = call["tool"].as_str() else {
            let method = call["method"].as_str().expect("a call names a tool or a method");
            return normalise(
                server,
                method,
                self.client.request(method, place(&call["params"], &self.places)),
            );
        };
        let params = Client::call_params(tool, &place(&call["arguments"], &self.places));
        normalise(server, tool, self.client.request("tools/call", params))
    }
}

fn table<S: Server>() -> Value {
    serde_json::from_str(S::TABLE).expect("the table is JSON")
}

fn calls(table: &Value) -> &[Value] {
    table["calls"].as_array().expect("a table has calls")
}

/// Makes a folder with the table's files.
fn lay_out(server: &impl Server, table: &Value, home: &Home, name: &str) -> std::path::PathBuf {
    let folder = home.folder(name);
    for (name, text) in table["files"].as_object().into_iter().flatten() {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("inside the folder")).unwrap();
        std::fs::write(path, text.as_str().expect("a text")).unwrap();
    }
    server.lay_out(&folder);
    folder
}

/// The published server and Kennel with our plugin answer alike.
pub(crate) fn answers_as_the_reference<S: Server>(server: &S) {
    let (table, home) = (table::<S>(), Home::new("differential"));
    let theirs = lay_out(server, &table, &home, "reference-files");
    let mine = lay_out(server, &table, &home, "our-files");
    let reference = Side::reference(server, &home, &theirs);
    let ours = Side::kennel(server, &home, &mine, &theirs);
    let (mut equal, mut wrong) = (0, Vec::new());
    for (at, call) in calls(&table).iter().enumerate() {
        let (theirs, mine) = (reference.answer(server, call), ours.answer(server, call));
        match (theirs == mine, call["differs"].as_str()) {
            (true, None) => equal += 1,
            (false, Some(_)) => {}
            (false, None) => {
                wrong.push(format!("call {at} {call}\n  reference: {theirs}\n  kennel:    {mine}"));
            }
            (true, Some(reason)) => {
                wrong.push(format!("call {at} {call} is equal now, but listed: {reason}"));
            }
        }
    }
    let all = calls(&table).len();
    eprintln!("{}: {equal} of {all} answers equal", S::NAME);
    assert!(wrong.is_empty(), "{} unexplained:\n{}", wrong.len(), wrong.join("\n"));
    assert!(all >= CALLS, "only {all} calls");
    assert!(equal * 100 >= all * EQUAL, "only {equal} of {all} answers are equal");
}

/// Neither the normaliser nor the table makes a difference of its own: a reference equals itself.
/// With `KENNEL_TESTS_SHOW` set, prints what it answers.
pub(crate) fn the_reference_answers_as_itself<S: Server>(server: &S) {
    let table = table::<S>();
    let homes = [Home::new("reference"), Home::new("reference")];
    let sides = homes.each_ref().map(|home| {
        let root = lay_out(server, &table, home, "reference-files");
        (Side::reference(server, home, &root), root)
    });
    for call in calls(&table) {
        let answers = sides.each_ref().map(|(side, root)| {
            let parent = root.parent().expect("not the root").to_str().expect("a text");
            let root = root.to_str().expect("a text");
            side.answer(server, call).to_string().replace(root, "{root}").replace(parent, "{parent}")
        });
        if std::env::var_os("KENNEL_TESTS_SHOW").is_some() {
            eprintln!("{call}\n    {}", answers[0]);
        }
        assert_eq!(answers[0], answers[1], "{} {call}", S::NAME);
    }
}

#[test]
fn the_normaliser_keeps_what_matters() {
    struct Plain;
    impl Server for Plain {
        const NAME: &'static str = "plain";
        const TABLE: &'static str = "{}";
        fn reference(&self, _: &Home, _: &Path) -> Command {
            unreachable!("nothing is started")
        }
    }
    let text = |text: &str, is_error: bool| {
        Ok(json!({ "content": [{ "type": "text", "text": text }], "isError": is_error, "_meta": { "x": 1 } }))
    };
    let differ = |a: Reply, b: Reply| {
        assert_ne!(normalise(&Plain, "tool", a), normalise(&Plain, "tool", b));
    };
    differ(text("a", false), text("b", false));
    differ(text("a", false), text("a", true));
    differ(text("a", true), text("b", true));
    differ(text("a", true), Err(json!({ "code": -32602 })));
    differ(Ok(json!({ "contents": [{ "text": "a" }] })), Ok(json!({ "contents": [{ "text": "b" }] })));
    let listed = |field: &str, value: Value| Ok(json!({ "tools": [{ "name": "a", field: value }] }));
    differ(listed("description", json!("a")), listed("description", json!("b")));
    differ(listed("execution", json!({ "taskSupport": "optional" })), listed("execution", json!(null)));
    assert_eq!(
        normalise(&Plain, "tool", Ok(json!({ "contents": [], "resultType": "complete", "_meta": {} }))),
        normalise(&Plain, "tool", Ok(json!({ "contents": [] })))
    );
}
