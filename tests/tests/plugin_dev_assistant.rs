//! `dev-assistant` through the binary: files read, listed and written, lines and symbols found, all in a granted folder.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use kennel_tests::grants::tool_text;
use kennel_tests::{Client, Home, command_component, each_grant_is_needed, words};
use serde_json::{Value, json};

/// `output` for a file of the largest size, which is a little more as a result.
const FIRST: &str =
    "[plugins.dev-assistant]\nprefix = \"\"\n[plugins.dev-assistant.limits]\noutput = \"2MiB\"\n";

fn granted(folder: &Path, mode: &str) -> String {
    let path = Value::from(folder.to_str().unwrap());
    format!("[[plugins.dev-assistant.directories]]\npath = {path}\nmode = \"{mode}\"\n")
}

/// A small project, with a secret beside it.
fn project(home: &Home) -> PathBuf {
    let folder = home.folder("project");
    for (name, text) in [
        (".git/config", "[needle]\n"),
        (".gitignore", "build/\n"),
        ("README.md", "A needle in a haystack.\n"),
        ("build/made.rs", "fn needle() {}\n"),
        (
            "src/dog.rs",
            "pub struct Dog;\n\nimpl Dog {\n    /// Says.\n    pub fn bark(&self) { let needle = 1; }\n}\n",
        ),
        ("src/dog.py", "class Dog:\n    def bark(self):\n        self.needle = 1\n"),
        ("src/use.rs", "use dog::Dog;\nfn main() { Dog.bark(); }\n"),
    ] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::write(folder.join("data.bin"), b"needle\0needle\n").unwrap();
    std::fs::write(home.folder("beside").join("secret.txt"), "needle\n").unwrap();
    std::os::unix::fs::symlink("..", folder.join("src/round")).unwrap();
    std::os::unix::fs::symlink("../..", folder.join("src/up")).unwrap();
    std::os::unix::fs::symlink("../beside/secret.txt", folder.join("out")).unwrap();
    folder
}

fn served(mode: &str) -> (Home, PathBuf, Client) {
    let home = Home::new("dev-assistant");
    let folder = project(&home);
    home.plugin("dev-assistant").config(&format!("{FIRST}{}", granted(&folder, mode))).approve();
    let client = home.serve();
    client.initialize();
    (home, folder, client)
}

/// Why a tool refused, in a line.
#[track_caller]
fn why(client: &Client, tool: &str, arguments: &Value) -> String {
    let why = tool_text(client, tool, arguments).expect_err("refused");
    assert!(why.lines().count() == 1 && !why.contains("panicked"), "{why}");
    why
}

/// A tool's text and what programs read.
#[track_caller]
fn both(client: &Client, tool: &str, arguments: &Value) -> (String, Value) {
    let result = client.call(tool, arguments);
    assert_ne!(result["isError"], true, "{tool} {arguments}: {result}");
    (words(&result), result["structuredContent"].clone())
}

#[test]
fn files_are_read_up_to_a_megabyte() {
    let (_home, folder, client) = served("read-only");
    let read = |path: &str| tool_text(&client, "read_file", &json!({ "path": path }));
    assert_eq!(read("README.md").unwrap(), "A needle in a haystack.\n");
    assert_eq!(read(folder.join("src/dog.py").to_str().unwrap()).unwrap().lines().count(), 3);
    assert_eq!(read("src/../README.md").unwrap(), read("./README.md").unwrap());

    std::fs::write(folder.join("most"), "x".repeat(1 << 20)).unwrap();
    assert_eq!(read("most").unwrap().len(), 1 << 20);
    std::fs::write(folder.join("more"), "x".repeat((1 << 20) + 1)).unwrap();
    std::fs::write(folder.join("latin"), b"na\xefve").unwrap();
    for (path, says) in [
        ("more", "1048577 bytes"),
        ("more", "use grep"),
        ("data.bin", "binary"),
        ("latin", "byte 2 is not UTF-8"),
        ("absent", "does not exist"),
        ("src", "is a directory"),
        ("README.md/x", "part of the path is a file"),
        ("/etc/passwd", "outside the granted directories"),
        ("../beside/secret.txt", "outside the granted directories"),
        ("out", "not granted"),
    ] {
        let said = why(&client, "read_file", &json!({ "path": path }));
        assert!(said.contains(says), "{path}: {said}");
    }
}

#[test]
fn directories_are_listed() {
    let (_home, folder, client) = served("read-only");
    let (text, listing) = both(&client, "list_directory", &json!({ "path": "." }));
    let expected =
        ".git/\n.gitignore (7 bytes)\nREADME.md (24 bytes)\nbuild/\ndata.bin (14 bytes)\nout (link)\nsrc/";
    assert_eq!(text, expected);
    assert_eq!(listing["path"], folder.to_str().unwrap());
    assert_eq!(listing["entries"][2], json!({ "name": "README.md", "kind": "file", "size": 24 }));
    assert_eq!(listing["entries"][3], json!({ "name": "build", "kind": "directory" }));
    assert_eq!(listing["omitted"], 0);

    let (text, _) = both(&client, "list_directory", &json!({ "path": "src", "pattern": "d*.{rs,py}" }));
    assert_eq!(text.lines().count(), 2, "{text}");
    std::fs::create_dir(folder.join("many")).unwrap();
    for n in 0..1003 {
        std::fs::write(folder.join(format!("many/{n}")), "").unwrap();
    }
    let (text, listing) = both(&client, "list_directory", &json!({ "path": "many" }));
    assert_eq!((listing["entries"].as_array().unwrap().len(), &listing["omitted"]), (1000, &json!(3)));
    assert!(text.ends_with("(3 more are not listed; narrow the pattern)"), "{text:.100}");

    for (arguments, says) in [
        (json!({ "path": "/" }), "outside the granted directories"),
        (json!({ "path": "src/up" }), "not granted"),
        (json!({ "path": "README.md" }), "is a file"),
        (json!({ "path": "absent" }), "does not exist"),
        (json!({ "path": ".", "pattern": "[" }), "no glob"),
    ] {
        let said = why(&client, "list_directory", &arguments);
        assert!(said.contains(says), "{arguments}: {said}");
    }
}

#[test]
fn files_are_written() {
    let (home, folder, client) = served("read-write");
    let (text, written) =
        both(&client, "write_file", &json!({ "path": "new/deep/a.txt", "content": "Grüße\n" }));
    let path = folder.join("new/deep/a.txt");
    assert_eq!(text, format!("created {} (8 bytes)", path.display()));
    assert_eq!(written, json!({ "path": path.to_str().unwrap(), "bytes": 8, "created": true }));
    let (text, _) = both(&client, "write_file", &json!({ "path": "new/deep/a.txt", "content": "" }));
    assert!(text.starts_with("replaced "), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), b"");
    assert_eq!(std::fs::read_dir(folder.join("new/deep")).unwrap().count(), 1);

    for (path, says) in [
        ("src", "is a directory"),
        ("README.md/x", "part of the path is a file"),
        ("../beside/new.txt", "outside the granted directories"),
        ("out", "not granted"),
    ] {
        let said = why(&client, "write_file", &json!({ "path": path, "content": "x" }));
        assert!(said.contains(says), "{path}: {said}");
    }
    assert_eq!(std::fs::read_to_string(home.folder("beside").join("secret.txt")).unwrap(), "needle\n");
    assert_eq!(std::fs::read_dir(home.folder("beside")).unwrap().count(), 1);
}

#[test]
fn what_was_granted_read_only_is_not_changed() {
    let (_home, folder, client) = served("read-only");
    for path in ["README.md", "new.txt", "new/a.txt"] {
        let said = why(&client, "write_file", &json!({ "path": path, "content": "x" }));
        assert!(said.contains("was granted read-only"), "{said}");
    }
    assert!(!folder.join("new").exists());
    assert_eq!(std::fs::read_to_string(folder.join("README.md")).unwrap(), "A needle in a haystack.\n");
}

#[test]
fn lines_are_found() {
    let (_home, folder, client) = served("read-only");
    let base = folder.display();
    let (text, found) = both(&client, "grep", &json!({ "pattern": "needle", "path": "." }));
    assert_eq!(
        text,
        format!(
            "{base}/README.md:1: A needle in a haystack.\n{base}/src/dog.py:3:         self.needle = 1\n\
             {base}/src/dog.rs:5:     pub fn bark(&self) {{ let needle = 1; }}\n(1 skipped: binary)"
        )
    );
    assert_eq!(found["matches"][1]["line"], 3);
    assert_eq!((&found["truncated"], &found["binary"]), (&json!(false), &json!(1)));

    let (text, _) = both(
        &client,
        "grep",
        &json!({ "pattern": "(?i)^CLASS \\w+", "path": ".", "file_pattern": "src/*.py" }),
    );
    assert_eq!(text, format!("{base}/src/dog.py:1: class Dog:"));
    // Hidden and ignored files are searched when they are named.
    for (path, at) in [(".git", ".git/config:1:"), ("build/made.rs", "build/made.rs:1:")] {
        let (text, _) = both(&client, "grep", &json!({ "pattern": "needle", "path": path }));
        assert!(text.contains(at), "{text}");
    }
    let (text, _) =
        both(&client, "grep", &json!({ "pattern": "zzz", "path": "src", "file_pattern": "*.rs" }));
    assert_eq!(text, "no match in 2 files");

    for (arguments, says) in [
        (json!({ "pattern": "a(b", "path": "." }), "unclosed group"),
        (json!({ "pattern": "a", "path": ".", "file_pattern": "{a" }), "no glob"),
        (json!({ "pattern": "a", "path": "absent" }), "does not exist"),
        (json!({ "pattern": "needle", "path": "../beside" }), "outside the granted directories"),
        (json!({ "pattern": "needle", "path": "out" }), "not granted"),
    ] {
        let said = why(&client, "grep", &arguments);
        assert!(said.contains(says), "{arguments}: {said}");
    }
}

#[test]
fn what_is_found_is_bounded() {
    let (home, folder, client) = served("read-only");
    std::fs::write(
        folder.join("many.txt"),
        format!("{}hit{}\n", "ä".repeat(2000), "ö".repeat(2000)).repeat(501),
    )
    .unwrap();
    let (text, found) = both(&client, "grep", &json!({ "pattern": "hit", "path": "many.txt" }));
    assert_eq!(found["truncated"], true);
    let told = found["matches"].as_array().unwrap();
    assert!(
        told.len() == 500
            && text
                .ends_with("(cut after 500 matches, there are more; narrow pattern, path or file_pattern)")
    );
    assert!(told.iter().all(|hit| {
        let line = hit["text"].as_str().unwrap();
        line.contains("hit") && line.len() < 320
    }));
    // A pattern over which other engines go on for ever.
    std::fs::write(folder.join("evil.txt"), "a".repeat(50_000)).unwrap();
    let (text, _) = both(&client, "grep", &json!({ "pattern": "^(a+)+$|(a|a)*b", "path": "evil.txt" }));
    assert!(text.contains("evil.txt:1: aaa"), "{text:.100}");

    std::fs::write(folder.join("many.rs"), "const HIT: u8 = 1;\n".repeat(201)).unwrap();
    std::fs::write(folder.join("large.rs"), format!("fn HIT() {{}}\n{}", " ".repeat(1 << 20))).unwrap();
    let (text, found) = both(&client, "find_symbol", &json!({ "name": "HIT" }));
    assert_eq!((found["symbols"].as_array().unwrap().len(), &found["truncated"]), (200, &json!(true)));
    assert!(
        text.contains("(cut after 200 definitions") && text.ends_with("(1 skipped: more than 1 MB)"),
        "{text:.100}"
    );

    // The person says how much a call goes through.
    let settings = "[plugins.dev-assistant.settings]\nsearch-bytes = 1024\nparse-bytes = 1024\n";
    home.config(&format!("{FIRST}{}{settings}", granted(&folder, "read-only"))).approve();
    let client = home.serve();
    client.initialize();
    let (text, found) = both(&client, "grep", &json!({ "pattern": "Dog", "path": "." }));
    assert!(
        text.contains("files not searched: a call searches 1 KiB") && found["matches"][0]["line"] == 1,
        "{text}"
    );
    let (text, found) = both(&client, "find_symbol", &json!({ "name": "HIT", "path": "many.rs" }));
    assert!(
        text.contains("(1 files with this name were not looked into: a call parses 1 KiB")
            && found["beyond"] == 1,
        "{text}"
    );
}

#[test]
fn symbols_are_found_where_they_are_defined() {
    let (_home, folder, client) = served("read-only");
    let base = folder.display();
    let (text, found) = both(&client, "find_symbol", &json!({ "name": "Dog" }));
    assert_eq!(
        text,
        format!(
            "{base}/src/dog.py:1:7: python class: class Dog:\n{base}/src/dog.rs:1:12: rust class: pub struct Dog;"
        )
    );
    assert_eq!(
        found["symbols"][1],
        json!({
            "file": format!("{base}/src/dog.rs"), "line": 1, "column": 12, "kind": "class", "language": "rust",
            "text": "pub struct Dog;",
        })
    );
    for (arguments, places) in [
        (json!({ "name": "bark", "kind": "function" }), vec!["src/dog.py:2:9:", "src/dog.rs:5:12:"]),
        (json!({ "name": "needle", "path": "src" }), vec!["src/dog.py:3:14:", "src/dog.rs:5:30:"]),
        (json!({ "name": "needle", "path": "build" }), vec!["build/made.rs:1:4:"]),
        (json!({ "name": "Dog", "path": "src/dog.py" }), vec!["src/dog.py:1:7:"]),
    ] {
        let (text, _) = both(&client, "find_symbol", &arguments);
        assert_eq!(text.lines().count(), places.len(), "{text}");
        for (line, place) in text.lines().zip(places) {
            assert!(line.starts_with(&format!("{base}/{place}")), "{line} is not {place}");
        }
    }
    for arguments in
        [json!({ "name": "dog" }), json!({ "name": "Dog", "kind": "variable" }), json!({ "name": "ark" })]
    {
        let (text, _) = both(&client, "find_symbol", &arguments);
        assert!(text.starts_with("no definition of ") && text.contains(" in 3 source files ("), "{text}");
    }
    for (arguments, says) in [
        (json!({ "name": "Dog", "path": "/etc" }), "outside the granted directories"),
        (json!({ "name": "Dog", "path": "absent" }), "does not exist"),
        (json!({ "name": "Dog", "kind": "thing" }), "thing"),
        (json!({ "name": "" }), "name"),
    ] {
        let said = why(&client, "find_symbol", &arguments);
        assert!(said.contains(says), "{arguments}: {said}");
    }
}

#[test]
fn a_project_of_two_hundred_files_is_within_the_default_limits() {
    let (home, folder, _) = served("read-only");
    for n in 0..200 {
        let filling =
            format!("/// Nothing.\npub fn filling_{n}(of: usize) -> usize {{ of * {n} }}\n").repeat(100);
        std::fs::write(folder.join(format!("src/part_{n}.rs")), format!("pub struct Part{n};\n{filling}"))
            .unwrap();
    }
    home.config(&format!("[plugins.dev-assistant]\nprefix = \"\"\n{}", granted(&folder, "read-only")))
        .approve();
    let client = home.serve();
    client.initialize();
    let (text, found) = both(&client, "find_symbol", &json!({ "name": "Part150" }));
    assert!(text.ends_with("/src/part_150.rs:1:12: rust class: pub struct Part150;"), "{text}");
    assert_eq!((&found["searched"], &found["beyond"]), (&json!(203), &json!(0)));
    let (text, _) = both(&client, "grep", &json!({ "pattern": "struct Part\\d*7;", "path": "." }));
    assert_eq!(text.lines().filter(|line| line.contains(": pub struct Part")).count(), 20, "{text}");
    // A name that is everywhere: a part is told, and that it is one.
    let (text, found) = both(&client, "find_symbol", &json!({ "name": "of" }));
    assert!(found["beyond"].as_u64().unwrap() > 100 && text.contains("were not looked into"), "{text}");
}

#[test]
fn it_holds_nothing_that_it_does_not_need() {
    let other = Home::new("dev-assistant");
    let folder = project(&other);
    let commands = other.folder("commands");
    std::fs::write(commands.join("words.wasm"), command_component()).unwrap();
    let grants = [
        ("directories", granted(&folder, "read-write")),
        ("commands", format!("[plugins.dev-assistant.commands]\npath = {commands:?}\n")),
    ];
    let said = each_grant_is_needed("dev-assistant", FIRST, &grants, None, |client| {
        let path = folder.join("written.txt");
        tool_text(client, "write_file", &json!({ "path": path, "content": "x" }))?;
        tool_text(client, "read_file", &json!({ "path": path }))?;
        tool_text(client, "list_directory", &json!({ "path": folder }))?;
        tool_text(client, "grep", &json!({ "pattern": "needle", "path": folder }))?;
        tool_text(client, "find_symbol", &json!({ "name": "Dog" }))?;
        tool_text(client, "execute", &json!({ "command": "words" })).map(drop)
    });
    for (why, says) in said.iter().zip(["no directory is granted", "it holds no commands"]) {
        assert!(why.contains(says), "{said:?}");
    }
}
