//! `time`, `memory` and `filesystem` give the reference servers' answers: the same calls go to the published
//! server and to Kennel with our plugin, side by side, and the answers are compared after a written normaliser.
//! Nothing is recorded: both sides run now, so a new version of a reference shows at once.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use kennel_tests::{Client, Home, Reply, clients_dir, node, python};
use serde_json::{Value, json};

/// A table: files to begin with, and calls in order. `differs` on a call is the reason why its answers do.
struct Table {
    name: &'static str,
    value: Value,
}

impl Table {
    fn all() -> Vec<Self> {
        [
            ("time", include_str!("differential/time.json")),
            ("memory", include_str!("differential/memory.json")),
            ("filesystem", include_str!("differential/filesystem.json")),
        ]
        .into_iter()
        .map(|(name, text)| Self { name, value: serde_json::from_str(text).expect("the table is JSON") })
        .collect()
    }

    fn calls(&self) -> &[Value] {
        self.value["calls"].as_array().expect("a table has calls")
    }

    /// Lays the files out in a folder.
    fn lay_out(&self, folder: &Path) {
        for (name, text) in self.value["files"].as_object().into_iter().flatten() {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("inside the folder")).unwrap();
            std::fs::write(path, text.as_str().expect("a text")).unwrap();
        }
    }
}

/// Starts the published server.
fn reference(home: &Home, name: &str, root: &Path) -> Client {
    let npm = |package: &str| {
        let mut command = Command::new(node());
        command.arg(
            clients_dir().join("node/node_modules/@modelcontextprotocol").join(package).join("dist/index.js"),
        );
        command
    };
    let mut command = match name {
        "time" => {
            let mut command = Command::new(python());
            command.args(["-m", "mcp_server_time", "--local-timezone", "UTC"]);
            command
        }
        "memory" => {
            let mut command = npm("server-memory");
            command.env("MEMORY_FILE_PATH", home.folder("reference-memory").join("memory.jsonl"));
            command
        }
        _ => {
            let mut command = npm("server-filesystem");
            command.arg(root);
            command
        }
    };
    command.current_dir(home.folder("user"));
    Client::start(command)
}

/// Starts Kennel with our plugin in the reference's place: same tool names, same paths.
fn ours(home: &Home, name: &str, root: &Path, as_path: &Path) -> Client {
    home.plugin(name);
    let mut config = format!("[plugins.{name}]\nprefix = \"\"\n");
    config += match name {
        "memory" => "[plugins.memory.state]\nquota = \"1MiB\"\n".to_owned(),
        "filesystem" => format!(
            "[[plugins.filesystem.directories]]\npath = {}\nas = {}\nmode = \"read-write\"\n",
            Value::from(root.to_string_lossy()),
            Value::from(as_path.to_string_lossy()),
        ),
        _ => String::new(),
    }
    .as_str();
    home.config(&config).approve();
    home.serve()
}

/// Puts the folder's path in the place of `{root}`.
fn place(value: &Value, root: &str) -> Value {
    match value {
        Value::String(text) => text.replace("{root}", root).into(),
        Value::Array(items) => items.iter().map(|item| place(item, root)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), place(value, root)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// What is left out of the comparison, and why:
///
/// 1. `_meta`, `resultType` and empty fields: the protocol's envelope, not the answer.
/// 2. The wording of a violation of the input schema, and of an unknown tool: it is the host's, for every plugin
///    alike. That the call fails, and how (`isError` or error code), is compared. So is what the PyPI SDK puts
///    before every tool's own error text ("Error executing tool NAME: ").
/// 3. Times of day in `get_current_time`, and the times of files: the calls are not at the same instant.
/// 4. The random part of a temporary file's name in an error.
/// 5. The order of a directory's entries where the reference gives the order of the file system.
fn normalise(tool: &str, reply: Reply) -> Value {
    let result = match reply {
        Err(error) => return json!({ "error": error["code"] }),
        Ok(result) => result,
    };
    let is_error = result["isError"] == true;
    let mut answer = json!({ "isError": is_error });
    if is_error {
        let text = result["content"][0]["text"].as_str().unwrap_or("");
        let own = text.strip_prefix(&format!("Error executing tool {tool}: ")).unwrap_or(text);
        let own =
            if is_schema_violation(text) { "(arguments do not fit)".to_owned() } else { own.to_owned() };
        answer["text"] = without_random_names(&own).into();
        return answer;
    }
    answer["content"] = texts(tool, &result["content"]);
    answer["structured"] = texts(tool, &result["structuredContent"]);
    answer
}

/// The three wordings of rule 2: of the npm SDK's zod, of the PyPI SDK's pydantic, and ours.
fn is_schema_violation(text: &str) -> bool {
    text.starts_with("MCP error -32602: Input validation error")
        || (text.starts_with("Error executing tool") && text.contains("validation error"))
        || text.to_ascii_lowercase().starts_with("invalid arguments")
}

/// Applies [`text`] to every string of a value, and leaves nulls and `_meta` out.
fn texts(tool: &str, value: &Value) -> Value {
    match value {
        Value::String(string) => text(tool, string),
        Value::Array(items) => items.iter().map(|item| texts(tool, item)).collect(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, value)| !value.is_null() && *key != "_meta")
            .map(|(key, value)| (key.clone(), texts(tool, value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn text(tool: &str, text: &str) -> Value {
    match tool {
        "get_current_time" => without_time_of_day(text).into(),
        "get_file_info" => text
            .lines()
            .map(|line| match line.split_once(": ") {
                Some((key @ ("created" | "modified" | "accessed"), _)) => format!("{key}: (a time)"),
                _ => line.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("\n")
            .into(),
        "list_directory" | "search_files" => {
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_unstable();
            lines.join("\n").into()
        }
        "directory_tree" => match serde_json::from_str(text) {
            Ok(tree) => sorted_tree(tree),
            Err(_) => text.into(),
        },
        _ => text.into(),
    }
}

/// `2026-11-21T10:15:23+01:00` becomes `2026-11-21T(time)+01:00`, wherever it stands.
fn without_time_of_day(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('T') {
        let time = rest.as_bytes().get(at + 1..at + 9);
        let is_time = time.is_some_and(|time| {
            time.iter()
                .enumerate()
                .all(|(i, byte)| if i % 3 == 2 { *byte == b':' } else { byte.is_ascii_digit() })
        });
        let (head, tail) = rest.split_at(at + 1);
        out.push_str(head);
        rest = if is_time {
            out.push_str("(time)");
            &tail[8..]
        } else {
            tail
        };
    }
    out.push_str(rest);
    out
}

/// `made.58cb…7b.tmp` becomes `made.(random).tmp`.
fn without_random_names(text: &str) -> String {
    let is_random = |part: &str| part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split('.').map(|part| if is_random(part) { "(random)" } else { part }).collect::<Vec<_>>().join(".")
}

/// Sorts the entries of a directory tree by name, at every level.
fn sorted_tree(tree: Value) -> Value {
    match tree {
        Value::Array(mut entries) => {
            entries.sort_by_key(|entry| entry["name"].as_str().unwrap_or("").to_owned());
            entries.into_iter().map(sorted_tree).collect()
        }
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, sorted_tree(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}

/// One table on two servers. Returns (calls, equal ones, what is wrong).
fn compare(table: &Table, reference: &Client, ours: &Client, root: &str) -> (usize, usize, Vec<String>) {
    reference.initialize();
    ours.initialize();
    let mut equal = 0;
    let mut wrong = Vec::new();
    for (at, call) in table.calls().iter().enumerate() {
        let tool = call["tool"].as_str().expect("a call names a tool");
        let params = Client::call_params(tool, &place(&call["arguments"], root));
        let theirs = normalise(tool, reference.request("tools/call", params.clone()));
        let mine = normalise(tool, ours.request("tools/call", params.clone()));
        let reason = call["differs"].as_str();
        match (theirs == mine, reason) {
            (true, None) => equal += 1,
            (false, Some(_)) => {}
            (false, None) => wrong.push(format!(
                "{} call {at} {params}\n  reference: {theirs}\n  kennel:    {mine}",
                table.name
            )),
            (true, Some(reason)) => {
                equal += 1;
                wrong.push(format!("{} call {at} {params} is equal now, but listed: {reason}", table.name));
            }
        }
    }
    (table.calls().len(), equal, wrong)
}

/// A folder for each side; ours is shown to the plugin under the reference's path.
fn folders(home: &Home, table: &Table) -> (PathBuf, PathBuf) {
    let (theirs, mine) = (home.folder("reference-files"), home.folder("our-files"));
    table.lay_out(&theirs);
    table.lay_out(&mine);
    (theirs, mine)
}

#[test]
fn our_plugins_answer_as_the_reference_servers_do() {
    let (mut total, mut equal, mut wrong) = (0, 0, Vec::new());
    for table in Table::all() {
        let home = Home::new("differential");
        let (theirs, mine) = folders(&home, &table);
        let root = theirs.to_str().expect("a text").to_owned();
        let (calls, same, differences) = compare(
            &table,
            &reference(&home, table.name, &theirs),
            &ours(&home, table.name, &mine, &theirs),
            &root,
        );
        eprintln!("{}: {same} of {calls} answers equal", table.name);
        total += calls;
        equal += same;
        wrong.extend(differences);
    }
    assert!(wrong.is_empty(), "{} unexplained:\n{}", wrong.len(), wrong.join("\n"));
    assert!(total >= 60, "only {total} calls");
    assert!(equal * 10 >= total * 9, "only {equal} of {total} answers are equal");
}

/// The normaliser and the tables do not themselves make a difference: a reference equals itself.
#[test]
fn a_reference_server_answers_as_itself() {
    for table in Table::all() {
        let (one, other) = (Home::new("reference"), Home::new("reference"));
        let (root, _) = folders(&one, &table);
        let (other_root, _) = folders(&other, &table);
        let text = |path: &Path| path.to_str().expect("a text").to_owned();
        let (first, second) =
            (reference(&one, table.name, &root), reference(&other, table.name, &other_root));
        first.initialize();
        second.initialize();
        for call in table.calls() {
            let tool = call["tool"].as_str().expect("a call names a tool");
            let answers = [(&first, &root), (&second, &other_root)].map(|(client, root)| {
                let params = Client::call_params(tool, &place(&call["arguments"], &text(root)));
                let answer = normalise(tool, client.request("tools/call", params)).to_string();
                let parent = text(root.parent().expect("not the root"));
                answer.replace(&text(root), "{root}").replace(&parent, "{parent}")
            });
            if std::env::var_os("KENNEL_TESTS_SHOW").is_some() {
                eprintln!("{tool} {}\n    {}", call["arguments"], answers[0]);
            }
            assert_eq!(answers[0], answers[1], "{} {call}", table.name);
        }
    }
}

#[test]
fn the_normaliser_keeps_what_matters() {
    let text = |text: &str, is_error: bool| {
        Ok(json!({ "content": [{ "type": "text", "text": text }], "isError": is_error, "_meta": { "x": 1 } }))
    };
    let differ =
        |tool: &str, a: Reply, b: Reply| assert_ne!(normalise(tool, a), normalise(tool, b), "{tool}");
    differ("read_text_file", text("a", false), text("b", false));
    differ("read_text_file", text("a", false), text("a", true));
    differ("read_text_file", text("a", true), text("b", true));
    differ("read_text_file", text("a", true), Err(json!({ "code": -32602 })));
    differ("list_directory", text("[FILE] a\n[FILE] b", false), text("[FILE] a", false));
    differ(
        "get_current_time",
        text("2026-11-21T10:00:00+01:00", false),
        text("2026-11-21T10:00:00+02:00", false),
    );
    differ("get_file_info", text("size: 1\ncreated: x", false), text("size: 2\ncreated: x", false));
    assert_eq!(
        normalise("list_directory", text("[FILE] a\n[DIR] b", false)),
        normalise("list_directory", text("[DIR] b\n[FILE] a", false))
    );
    assert_eq!(
        normalise("get_current_time", text("2026-11-21T10:00:00+01:00", false)),
        normalise("get_current_time", text("2026-11-21T10:59:59+01:00", false))
    );
}
