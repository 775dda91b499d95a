//! Components that speak no contract but export plain functions: each function is a tool, with a schema made of its types,
//! and is called, bounded, approved and granted like any other. The components are written as text, so that every type is
//! there whatever a toolchain makes of it; those that toolchains make are in `toolchains.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use kennel_tests::{Client, Home, words};
use serde_json::{Value, json};

const ALL: &str = include_str!("functions/all.wat");
const VARIABLES: &str = include_str!("functions/variables.wat");

fn serving(config: &str) -> (Home, Client) {
    let home = Home::new("functions");
    home.wat("all", ALL).config(config).approve();
    let client = home.serve();
    client.initialize();
    (home, client)
}

fn all() -> Value {
    json!({
        "yes": true,
        "s8": -128, "u8": 255, "s16": -32768, "u16": 65535, "s32": i32::MIN, "u32": u32::MAX,
        "s64": i64::MIN, "u64": u64::MAX,
        "f32": 0.1, "f64": -2.5e-300,
        "letter": "é", "text": "two\nlines \u{1f436}",
        "bytes": [0, 255, 7], "names": ["a", ""],
        "pair": ["x", -1],
        "color": "green", "rights": ["read", "run"], "shape": {"box": [3, 4]},
        "maybe": null, "maybe-maybe": {"some": null},
        "outcome": {"err": "why"},
    })
}

#[test]
fn every_type_goes_in_and_comes_back() {
    let (_home, client) = serving("");
    let echo = |value: &Value| client.call("all__echo", &json!({ "value": value }));
    let result = echo(&all());
    assert_eq!(result["structuredContent"], all(), "{result:#}");
    // The text is the same JSON, to the digit.
    let text: Value = serde_json::from_str(&words(&result)).unwrap();
    assert_eq!(text, all());

    let mut other = all();
    other["shape"] = json!("dot");
    other["outcome"] = json!({"ok": 7});
    other["maybe"] = json!("there");
    other["maybe-maybe"] = json!({"some": true});
    other["rights"] = json!([]);
    other["bytes"] = json!([]);
    assert_eq!(echo(&other)["structuredContent"], other);

    // What is optional may be left out, and flags come back in their own order.
    let mut less = all();
    less.as_object_mut().unwrap().remove("maybe");
    less["rights"] = json!(["run", "read"]);
    assert_eq!(echo(&less)["structuredContent"], all());

    for (key, bad, says) in [
        ("u8", json!(256), "/value/u8"),
        ("s8", json!(-129), "/value/s8"),
        ("u64", json!(18_446_744_073_709_551_616_f64), "/value/u64"),
        ("u64", json!("1"), "/value/u64"),
        ("s32", json!(1.5), "/value/s32"),
        ("letter", json!("ab"), "/value/letter"),
        ("pair", json!(["x"]), "/value/pair"),
        ("color", json!("pink"), "/value/color"),
        ("rights", json!(["fly"]), "/value/rights/0"),
        ("shape", json!({"dot": 1}), "/value/shape"),
        ("shape", json!("box"), "/value/shape"),
        ("outcome", json!({"ok": 1, "err": "x"}), "/value/outcome"),
        ("f32", json!(1e39), "/value/f32"),
        ("more", json!(1), "/value"),
    ] {
        let mut value = all();
        value[key] = bad;
        let refusal = client.refused("all__echo", &json!({ "value": value }));
        assert!(refusal.contains(says), "{key}: {refusal}");
    }
}

#[test]
fn tools_read_as_their_author_wrote_them() {
    let (home, client) = serving("");
    let listed = client.request("tools/list", json!({})).unwrap();
    let tool = |name: &str| {
        let found = listed["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {listed:#}")).clone()
    };
    let echo = tool("all__echo");
    assert_eq!(echo["description"], "Gives back what it takes.");
    let value = &echo["inputSchema"]["properties"]["value"];
    assert_eq!(value["description"], "One of each.");
    assert_eq!(value["properties"]["yes"]["description"], "Whether.");
    assert_eq!(value["properties"]["color"]["description"], "A color.\n- red: Like blood.");
    assert_eq!(value["properties"]["u64"], json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}));
    assert_eq!(tool("all__calc_add")["description"], "Adds two numbers.");
    assert_eq!(tool("all__next")["description"], "The function `next`.");
    assert_eq!(
        tool("all__short")["outputSchema"],
        json!({"type": "object", "properties": {"result": {"type": "string"}}, "required": ["result"], "additionalProperties": false})
    );
    assert!(tool("all__nothing").get("outputSchema").is_none());

    // What cannot be a tool is told once, and hides nothing.
    assert!(listed["tools"].as_array().unwrap().iter().all(|tool| tool["name"] != "all__make-thing"));
    let why = "its function `make-thing` is left out: its result is a resource, which is no plain value";
    home.kennel(["list"]).success().stdout_has(why);
    let all = home.plugin_path("all");
    home.kennel(["inspect".as_ref(), all.as_os_str()])
        .success()
        .stdout_has(why)
        .stdout_has("calc_add: Adds two numbers.");
}

#[test]
fn results_and_failures_are_a_tools() {
    let (_home, client) = serving("");
    let call = |tool: &str, arguments: Value| client.call(tool, &arguments);
    assert_eq!(call("all__calc_add", json!({"a": 2, "b": 40}))["structuredContent"], json!({"result": 42}));
    assert_eq!(words(&call("all__next", json!({"number": u64::MAX - 1}))), u64::MAX.to_string());
    // However an integer is spelled.
    assert_eq!(words(&call("all__next", json!({"number": 10.0}))), "11");
    assert_eq!(words(&call("all__half", json!({"number": 0.2}))), "0.1");
    assert_eq!(call("all__ratio", json!({"of": 0, "to": 0}))["structuredContent"], json!({"result": "NaN"}));
    assert_eq!(words(&call("all__ratio", json!({"of": -1, "to": 0}))), "-Infinity");

    let short = call("all__short", json!({"text": "four"}));
    assert_eq!((words(&short).as_str(), &short["structuredContent"]), ("four", &json!({"result": "four"})));
    let long = call("all__short", json!({"text": "longer"}));
    assert_eq!((words(&long).as_str(), &long["isError"]), ("longer", &json!(true)));
    assert!(long.get("structuredContent").is_none(), "{long:#}");

    let nothing = call("all__nothing", json!({}));
    assert_eq!(nothing["content"], json!([]));
    assert!(client.refused("all__nothing", &json!({"x": 1})).contains("x"));
    assert!(client.refused("all__calc_add", &json!({"a": 1})).contains("\"b\""));
}

#[test]
fn the_bounds_are_those_of_every_call() {
    let (_home, client) = serving("[plugins.all.limits]\nfuel = \"10M\"\n");
    let refused = |tool: &str, arguments: Value| client.refused(tool, &arguments);
    assert!(refused("all__spin", json!({})).contains("limit: fuel"));
    assert!(refused("all__stumble", json!({})).contains("trap"));
    // A list of bytes becomes values of the host's, each many times as large: what is taken is bounded, not what it weighs
    // in the guest.
    assert!(refused("all__bytes", json!({"count": 16_000_000})).contains("limit: bytes passed at once"));
    assert!(refused("all__bytes", json!({"count": u32::MAX})).contains("limit: memory"));
    assert_eq!(words(&client.call("all__bytes", &json!({"count": 3}))), "[0,0,0]");
}

#[test]
fn it_is_approved_and_granted_like_any_other() {
    let home = Home::new("functions-grants");
    home.wat("variables", VARIABLES).config("[plugins.variables]\nenv = { GREETING = \"hello\" }\n");
    let variables = || {
        let run = home.kennel(["call", "variables", "variables", "--format", "json"]);
        run.success().json()["structured"]["result"].clone()
    };
    assert_eq!(variables(), json!([]), "nobody approved it");
    home.approve();
    assert_eq!(variables(), json!([["GREETING", "hello"]]));
    home.config("");
    assert_eq!(variables(), json!([]), "nothing is granted");

    // Its types are what was approved: with other functions it is another plugin.
    home.config("[plugins.variables]\nenv = { GREETING = \"hello\" }\n");
    home.wat("variables", &VARIABLES.replace("(export \"variables\" (func $", "(export \"others\" (func $"));
    home.kennel(["list"]).failure().stdout_has("1 tool added, 1 tool removed");
    assert_eq!(variables(), json!([["GREETING", "hello"]]), "the approved bytes serve on");
}

#[test]
fn what_has_no_function_for_a_tool_says_why() {
    let home = Home::new("functions-none");
    let only = |inner: &str| format!("(component {inner})");
    let core = r#"(core module $m (func (export "f") (result i32) (i32.const 0)) (func (export "g"))) (core instance $i (instantiate $m))"#;
    home.wat(
        "handles",
        &only(&format!(
            r#"{core} (type $t' (resource (rep i32))) (export $t "t" (type $t'))
               (func $f (result (own $t)) (canon lift (core func $i "f"))) (export "f" (func $f))"#
        )),
    );
    let run = |inner: &str| only(&format!("{core} (func $g (canon lift (core func $i \"g\"))) {inner}"));
    home.wat(
        "hosted",
        &run(r#"(instance $x (export "g" (func $g))) (export "wasi:other/x@0.2.0" (instance $x))"#),
    );
    // Two thousand parts out of a handful of types.
    let mut types = String::from("(type $t0 (tuple u8 u8))");
    for depth in 1..12 {
        types += &format!("(type $t{depth} (tuple $t{} $t{}))", depth - 1, depth - 1);
    }
    let mut deep = String::from("(type $t0 (list u8))");
    for depth in 1..40 {
        deep += &format!("(type $t{depth} (list $t{}))", depth - 1);
    }
    let takes = |types: &str, last: usize| {
        only(&format!(
            r#"(core module $m (memory (export "m") 1) (func (export "g") (param i32 i32)) (func (export "p") (param i32))
                 (func (export "r") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
               (core instance $i (instantiate $m)) {types}
               (func $g (param "x" $t{last}) (canon lift (core func $i "{}") (memory (core memory $i "m")) (realloc (core func $i "r"))))
               (export "g" (func $g))"#,
            if last > 20 { "g" } else { "p" }
        ))
    };
    home.wat("wide", &takes(&types, 11)).wat("deep", &takes(&deep, 39));
    let list = home.kennel(["list"]);
    list.failure();
    for says in [
        "its function `f` is left out: its result is a resource",
        "it exports wasi:other/x@0.2.0; a plugin exports an interface of",
        "its function `g` is left out: its types have more than 2000 parts",
        "is nested deeper than 32 types",
    ] {
        list.stdout_has(says);
    }
}
