//! Components that other toolchains make, built here from their sources: plain functions that know nothing of Kennel run
//! unchanged, and the examples in `examples/` are plugins against `wit/`. The components are large (an interpreter is in each),
//! so each test has one.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::Command;

use kennel_tests::{Home, clients_dir, source_root};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Runs a toolchain, which takes its time.
#[track_caller]
fn built(mut command: Command) {
    let done = command.output().expect("the toolchain starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A component of a Python module, by componentize-py.
fn python(folder: &str, module: &str, wit: &Path, world: &str) -> Vec<u8> {
    let out = TempDir::new().unwrap();
    let file = out.path().join("made.wasm");
    let mut command = Command::new(clients_dir().join("python/bin/componentize-py"));
    command.arg("-d").arg(wit).args(["-w", world, "componentize", "-p"]);
    // Beside the module it would leave its bytecode.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg(source_root().join(folder)).args([module, "-o"]).arg(&file);
    built(command);
    std::fs::read(file).unwrap()
}

/// A component of a JavaScript module, by componentize-js, with the example's own script.
fn javascript(source: &str, wit: &Path, world: &str) -> Vec<u8> {
    let out = TempDir::new_in(clients_dir().join("componentize-js")).unwrap();
    let (script, file) = (out.path().join("build.mjs"), out.path().join("made.wasm"));
    // A script finds packages from where it lies.
    std::fs::copy(source_root().join("examples/javascript/build.mjs"), &script).unwrap();
    let mut command = Command::new("node");
    command.arg(&script).arg(source_root().join(source)).arg(wit).arg(world).arg(&file);
    built(command);
    std::fs::read(file).unwrap()
}

fn words_wit() -> std::path::PathBuf {
    source_root().join("tests/toolchains/words.wit")
}

/// A home with this component, and what `kennel call` says of it.
struct One(Home);

impl One {
    fn new(component: &[u8]) -> Self {
        let home = Home::new("toolchains");
        home.bytes("made", component).approve();
        Self(home)
    }

    fn call(&self, tool: &str, arguments: &Value) -> Value {
        let arguments = arguments.to_string();
        self.0.kennel(["call", "made", tool, &arguments, "--format", "json"]).json()
    }
}

/// The same functions in any language.
fn words_run_unchanged(component: &[u8]) {
    let made = One::new(component);
    let listed = made.0.kennel(["list", "--format", "json"]).success().json();
    let mut tools: Vec<_> =
        listed["plugins"][0]["tools"].as_array().unwrap().iter().map(|tool| tool.as_str().unwrap()).collect();
    tools.sort_unstable();
    assert_eq!(tools, ["made__count_halve", "made__count_tally-words", "made__shout"]);
    assert_eq!(listed["plugins"][0]["holds"], json!([]));

    assert_eq!(made.call("shout", &json!({"text": "hey"}))["structured"], json!({"result": "HEY"}));
    assert_eq!(made.call("shout", &json!({"text": "hey", "times": 2}))["content"], json!(["HEYHEY"]));
    assert_eq!(
        made.call("count_tally-words", &json!({"text": "to be or not to be"}))["structured"],
        json!({"result": [
            {"word": "to", "count": 2}, {"word": "be", "count": 2}, {"word": "or", "count": 1}, {"word": "not", "count": 1},
        ]})
    );
    // More than a number of JavaScript's own holds.
    let half = made.call("count_halve", &json!({"number": 18_446_744_073_709_551_614_u64}));
    assert_eq!(half["structured"], json!({"result": 9_223_372_036_854_775_807_u64}));
    let odd = made.call("count_halve", &json!({"number": 7}));
    assert_eq!((&odd["isError"], &odd["content"]), (&json!(true), &json!(["7 is odd"])));
}

#[test]
fn plain_functions_in_python_run_unchanged() {
    words_run_unchanged(&python("tests/toolchains", "words", &words_wit(), "words"));
}

#[test]
fn plain_functions_in_javascript_run_unchanged() {
    words_run_unchanged(&javascript("tests/toolchains/words.js", &words_wit(), "words"));
}

#[test]
fn a_plugin_in_python_is_a_plugin() {
    let made = One::new(&python("examples/python", "plugin", &source_root().join("wit"), "tools-plugin"));
    let done = made.call("describe_numbers", &json!({"numbers": [1, 2, 6]}));
    assert_eq!(
        (&done["structured"]["mean"], &done["structured"]["median"]),
        (&json!(3.0), &json!(2)),
        "{done}"
    );
    let none = made.call("describe_numbers", &json!({"numbers": []}));
    assert_eq!(
        (&none["isError"], &none["content"]),
        (&json!(true), &json!(["there are no numbers to describe"]))
    );
}

#[test]
fn a_plugin_in_javascript_is_a_plugin() {
    let made =
        One::new(&javascript("examples/javascript/plugin.js", &source_root().join("wit"), "tools-plugin"));
    let done = made.call("slug", &json!({"title": "  Two Dogs, one Kennel! ", "longest": 8}));
    assert_eq!(done["structured"], json!({"slug": "two-dogs"}));
    assert_eq!(made.call("slug", &json!({"title": "..."}))["isError"], json!(true));
}
