//! Real clients, driven from outside: a script takes a plan of steps and reports the answers, the Inspector's command line
//! takes one step. It must not look at what they answer.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::paths::{clients_dir, node, python, source_root};

/// Runs a script of `tests/clients` with a plan and gives its report.
#[track_caller]
pub fn drive(script: &str, plan: &Value) -> Value {
    let mut child = Command::new(if script.ends_with(".py") { python() } else { node() })
        .arg(source_root().join("tests/clients").join(script))
        .env("KENNEL_CLIENTS", clients_dir().join("node"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the client starts");
    child.stdin.take().expect("piped").write_all(plan.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} {plan}\n{stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

/// Runs the MCP Inspector's command line for one step, `{"method", "params"}`, against a server,
/// `{"command", "args", "env"}`. It keeps its settings in `settings`, and answers no questions.
#[track_caller]
pub fn inspect(server: &Value, settings: &std::path::Path, era: &str, step: &Value, more: &[&str]) -> Value {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let (method, params) = (text(&step["method"]), &step["params"]);
    let mut command = Command::new(node());
    command
        .arg(clients_dir().join("node/node_modules/.bin/mcp-inspector"))
        .args(["--cli", "--protocol-era", era, "--format", "json", "--connect-timeout", "120000"])
        .args(["--method", &method])
        .args(more)
        .env("HOME", settings);
    for (key, value) in server["env"].as_object().expect("an object") {
        command.arg("-e").arg(format!("{key}={}", text(value)));
    }
    if let Some(uri) = params["uri"].as_str() {
        command.args(["--uri", uri]);
    }
    if let Some(name) = params["name"].as_str() {
        command.args([if method == "tools/call" { "--tool-name" } else { "--prompt-name" }, name]);
    }
    if method == "tools/call" {
        command.args(["--tool-args-json", &params["arguments"].to_string()]);
    }
    command.arg(text(&server["command"])).args(server["args"].as_array().expect("a list").iter().map(text));
    let output = command.stdin(Stdio::null()).output().expect("the Inspector starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    match serde_json::from_slice::<Value>(&output.stdout) {
        Ok(answer) if answer.get("result").is_some() => {
            let failed = answer["result"]["isError"] == true;
            assert!(output.status.success() || failed, "{} {method} {params}: {stderr}", output.status);
            answer
        }
        _ => json!({ "error": { "message": stderr } }),
    }
}
