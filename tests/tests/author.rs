//! What a plugin's author does, from an empty folder: make a plugin, build and test it, see a difference, see a panic.
//! The project's own plugins are tested the same way, as they were built.
//! Nothing is downloaded: the new crate takes the versions that the project's plugins were built with.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use kennel_tests::{kennel_bin, plugin_file, source_root, target_dir};

/// What a finished command left.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    /// Panics with everything it printed unless it ended with this code and its output holds these lines, in order.
    #[track_caller]
    fn with(&self, code: i32, lines: &[&str]) -> &Self {
        let all = format!("--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        assert_eq!(self.code, Some(code), "{all}");
        let mut there = self.out.lines();
        for line in lines {
            assert!(there.any(|there| there.contains(line)), "no {line:?}, or not in this place, in\n{all}");
        }
        self
    }
}

/// The author's command line. It has the developer's environment, but for what was meant for the tests' own build.
fn kennel(folder: &Path, args: &[&str]) -> Ended {
    let mut command = Command::new(kennel_bin());
    command.args(args).current_dir(folder);
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        let of_this_build =
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|start| name.starts_with(start));
        if of_this_build
            || matches!(
                &*name,
                "RUSTFLAGS"
                    | "CARGO_ENCODED_RUSTFLAGS"
                    | "RUSTC"
                    | "RUSTC_WRAPPER"
                    | "RUSTC_WORKSPACE_WRAPPER"
                    | "CARGO_BUILD_TARGET"
            )
        {
            command.env_remove(&key);
        }
    }
    // `cargo xtask test` says which compiler builds components, when it is not the active one.
    if let Some(rustc) = std::env::var_os("KENNEL_TEST_RUSTC") {
        command.env("RUSTC", rustc);
    }
    command
        .env("KENNEL_HOME", folder.join("no-home"))
        .env("CARGO_NET_OFFLINE", "true")
        // What the plugins and a new crate have in common was built there already.
        .env("CARGO_TARGET_DIR", source_root().join("plugins/target"));
    let output = command.output().expect("kennel starts");
    assert!(!folder.join("no-home").exists(), "the author's verbs touch the user's home");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// An empty folder, always the same, so that cargo's notes on crates in it do not pile up.
fn empty_folder(name: &str) -> PathBuf {
    let folder = target_dir().join("author").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    folder.canonicalize().unwrap()
}

/// More tools: one panics, one asks the person, one writes a file.
const MORE: &str = r#"
/// Does what it should not.
#[tool]
fn stumble() -> Result<String> {
    panic!("no such bone: {}", 7)
}

#[derive(Deserialize, JsonSchema)]
struct Sure {
    /// Really?
    really: bool,
}

/// Digs after asking.
#[tool]
fn dig(context: Context) -> Result<Outcome<String>> {
    match context.answer::<Sure>("sure")? {
        None => Outcome::ask(Questions::new().form::<Sure>("sure", "Dig here?"), &()),
        Some(Answer::Accepted(Sure { really: true })) => Ok(Outcome::Complete("dug".into())),
        Some(_) => Ok(Outcome::Complete("left as it was".into())),
    }
}

/// Buries a bone; says how many there are.
#[tool]
fn bury() -> Result<String> {
    let count = std::fs::read_dir("/garden")?.count();
    std::fs::write(format!("/garden/bone-{count}"), "a bone")?;
    Ok(format!("{} bones", count + 1))
}

plugin! {
    tools: [hello, stumble, dig, bury],
    asks: { directories: { mode: "read-write", why: "buries bones" }, elicit: true },
}
"#;

const MORE_TESTS: [(&str, &str); 5] = [
    (
        "kennel.toml",
        "[plugins.greeter]\nelicit = true\n\
         [[plugins.greeter.directories]]\npath = \"${KENNEL_TEST_DIR}\"\nas = \"/garden\"\nmode = \"read-write\"\n",
    ),
    (
        "stumbles.json",
        r#"[{"tool": "stumble", "expect": {"isError": true, "textContains": "no such bone: 7"}},
            {"tool": "hello", "arguments": {"name": "Ada"}}]"#,
    ),
    (
        "asks.json",
        r#"[{"tool": "dig", "answers": {"sure": {"action": "accept", "content": {"really": true}}}, "expect": {"text": "dug"}},
            {"tool": "dig", "answers": {"sure": {"action": "decline"}}, "expect": {"text": "left as it was"}}]"#,
    ),
    (
        "buries.json",
        r#"[{"tool": "bury", "expect": {"text": "1 bones"}}, {"tool": "bury", "expect": {"text": "2 bones"}}]"#,
    ),
    ("buries-elsewhere.json", r#"{"tool": "bury", "expect": {"text": "1 bones"}}"#),
];

#[test]
fn from_an_empty_folder_to_a_tested_plugin() {
    let folder = empty_folder("first");
    let sdk = source_root().join("sdk-guest");
    kennel(&folder, &["new", "greeter", "--sdk", sdk.to_str().unwrap()])
        .with(0, &["made greeter/", "kennel test"]);
    // Never overwrites.
    let again = kennel(&folder, &["new", "greeter"]);
    assert!(again.with(1, &[]).err.contains("already exists"), "{}", again.err);

    let crate_folder = folder.join("greeter");
    std::fs::copy(source_root().join("plugins/Cargo.lock"), crate_folder.join("Cargo.lock")).unwrap();
    kennel(&crate_folder, &["test"]).with(0, &["greets ok", "1 passed, 0 failed"]);

    // None of it needs a home, not even that there could be one; what does says so.
    let homeless = |args: &[&str]| {
        let mut command = Command::new(kennel_bin());
        command.args(args).current_dir(&folder).env_clear().env("HOME", "nowhere");
        let output = command.output().expect("kennel starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(homeless(&["new", "homeless", "--sdk", sdk.to_str().unwrap()]), (Some(0), String::new()));
    assert_eq!(
        homeless(&["test", "greeter", "--component", plugin_file("hello").to_str().unwrap()]).0,
        Some(0)
    );
    let (code, said) = homeless(&["list"]);
    assert!(code == Some(1) && said.contains("no home: set KENNEL_HOME or HOME"), "{said}");

    // Another expectation is not met, and the difference is shown.
    let greets = crate_folder.join("tests/greets.json");
    let text = std::fs::read_to_string(&greets).unwrap();
    let changed = text.replace("Hello, Ada!", "Good day, Ada!");
    assert_ne!(text, changed);
    std::fs::write(&greets, changed).unwrap();
    let shown =
        ["greets FAILED", "call 1, tool hello", "- Good day, Ada!", "+ Hello, Ada!", "0 passed, 1 failed"];
    kennel(&folder, &["test", "greeter", "--no-build"]).with(1, &shown);
    std::fs::write(&greets, text).unwrap();

    // A panic is the tool's error, with its message, and the next call is none the worse; questions are answered by
    // the test; what is granted is there, and each file has its own.
    let source = crate_folder.join("src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    let changed = text.replace("plugin! { tools: [hello] }", MORE);
    assert_ne!(text, changed);
    std::fs::write(&source, changed).unwrap();
    for (file, text) in MORE_TESTS {
        std::fs::write(crate_folder.join("tests").join(file), text).unwrap();
    }
    // One call has no expectation and no snapshot yet.
    let shown = ["asks ok", "buries ok", "buries-elsewhere ok", "greets ok", "stumbles FAILED", "--update"];
    kennel(&crate_folder, &["test"]).with(1, &shown).with(1, &["4 passed, 1 failed"]);
    kennel(&crate_folder, &["test", "--no-build", "--update"])
        .with(0, &["wrote stumbles.snap", "5 passed, 0 failed"]);
    kennel(&crate_folder, &["test", "--no-build"]).with(0, &["5 passed, 0 failed"]);
    let snapshot = crate_folder.join("tests/stumbles.snap");
    let text = std::fs::read_to_string(&snapshot).unwrap();
    std::fs::write(&snapshot, text.replace("Hello", "Farewell")).unwrap();
    kennel(&crate_folder, &["test", "--no-build", "--filter", "stumbles"]).with(
        1,
        &["stumbles FAILED", "-       \"text\": \"Farewell, Ada!\"", "+       \"text\": \"Hello, Ada!\""],
    );
}

#[test]
fn the_projects_own_plugins_pass_their_calls() {
    let folder = empty_folder("own");
    for (plugin, passed) in [("hello", 2), ("notes", 2)] {
        let sources = source_root().join("plugins").join(plugin);
        let component = plugin_file(plugin);
        let args =
            ["test", sources.to_str().unwrap(), "--no-build", "--component", component.to_str().unwrap()];
        kennel(&folder, &args).with(0, &[&format!("{passed} passed, 0 failed")]);
    }
}

#[test]
fn grants_of_a_test_are_what_it_says_and_no_more() {
    let folder = empty_folder("grants");
    std::fs::create_dir(folder.join("tests")).unwrap();
    let component = plugin_file("notes");
    let args = ["test", "--component", component.to_str().unwrap()];
    let test = |call: &str| {
        std::fs::write(folder.join("tests/one.json"), call).unwrap();
        kennel(&folder, &args)
    };
    let note = r#"{"tool": "create_note", "arguments": {"title": "a", "content": "b"}, "expect": {"text": "Created the note \"a\": note:///1"}}"#;
    test(note).with(1, &["one FAILED", "isError: expected success, got failure", "0 passed, 1 failed"]);
    std::fs::write(folder.join("tests/kennel.toml"), "[plugins.notes.state]\nquota = \"1MiB\"\n").unwrap();
    test(note).with(0, &["1 passed, 0 failed"]);
    // Each test has a store of its own, and each run a new one.
    std::fs::write(folder.join("tests/two.json"), note).unwrap();
    test(note).with(0, &["2 passed, 0 failed"]);

    // What cannot be used is named.
    let unclear = test(r#"{"tol": "create_note"}"#);
    unclear.with(
        1,
        &["one FAILED", "one.json call 1: tol: unknown field `tol`", "two ok", "1 passed, 1 failed"],
    );
    std::fs::write(folder.join("tests/kennel.toml"), "[plugins.nots.state]\nquota = \"1MiB\"\n").unwrap();
    let other = test(note);
    assert!(other.with(1, &[]).err.contains("write `plugins.notes`"), "{}", other.err);
    let none = kennel(&folder, &["test", "--filter", "three", args[1], args[2]]);
    assert!(none.with(1, &[]).err.contains("no test with \"three\" in its name"), "{}", none.err);
}
