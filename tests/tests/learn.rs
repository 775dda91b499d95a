//! `kennel learn`: what a real plugin did is what is proposed, what is accepted suffices for doing it again, and one step
//! outside of it is denied. Nothing is learned wider than what was asked for and named.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;

use kennel_tests::{Home, Run};
use serde_json::{Value, json};

/// A home with a folder of texts and the plugin `filesystem`, approved and granted nothing.
fn texts(name: &str) -> (Home, String) {
    let home = Home::new(name);
    home.plugin("filesystem");
    let root = home.folder("docs");
    for folder in ["notes/old", "out", "private"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    for file in ["notes/a.md", "notes/old/b.md", "notes/key.pem", "out/log.txt", "private/c.md"] {
        std::fs::write(root.join(file), format!("[{file}]\n")).unwrap();
    }
    home.approve();
    (home, root.display().to_string())
}

fn learn(home: &Home, args: &[&str]) -> Run {
    home.kennel([&["learn"], args].concat())
}

fn call(home: &Home, plugin: &str, tool: &str, arguments: &Value) -> Run {
    home.kennel(["call", plugin, tool, &arguments.to_string()])
}

/// A server that answers everything and says which port it has.
fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        }
    });
    port
}

/// What is learned, is accepted, and does again what it was learned from; nothing else.
#[test]
fn what_is_learned_suffices_and_one_step_outside_is_denied() {
    let (home, root) = texts("learn-files");
    let bound = format!("{root}:rw");
    let did = [
        ("read_text_file", json!({"path": "/docs/notes/a.md"})),
        ("read_text_file", json!({"path": "/docs/notes/old/b.md"})),
        ("write_file", json!({"path": "/docs/out/new.txt", "content": "new"})),
        ("read_text_file", json!({"path": "/docs/out/log.txt"})),
    ];
    let texts: Vec<_> = did.iter().map(|(tool, arguments)| (*tool, arguments.to_string())).collect();
    let mut args = vec!["filesystem", "--dir", &bound, "--as", "/docs"];
    for (tool, arguments) in &texts {
        args.extend(["--", tool, arguments]);
    }

    // Without a word nothing is written.
    let before = std::fs::read_to_string(home.path().join("kennel.toml")).unwrap_or_default();
    let said = learn(&home, &args);
    let shown = said.success().stdout.replace(&root, "~/docs");
    insta::assert_snapshot!(shown);
    said.stderr_has("while it is watched, filesystem holds:\n  directory ");
    assert_eq!(std::fs::read_to_string(home.path().join("kennel.toml")).unwrap_or_default(), before);
    call(&home, "filesystem", did[0].0, &did[0].1).failure();

    args.insert(1, "--accept");
    learn(&home, &args).success().stdout_has("filesystem: granted: directory ");
    for (tool, arguments) in &did {
        let again = call(&home, "filesystem", tool, arguments);
        again.success();
        assert!(!again.stderr.contains("denied"), "{again}");
    }
    let replayed = home.audit();
    let replayed: Vec<_> =
        replayed.iter().rev().filter(|line| line["method"] == "tools/call").take(did.len()).collect();
    assert_eq!(replayed.len(), did.len());
    for line in replayed {
        assert_eq!(line["outcome"], "ok", "{line}");
        assert!(line["decisions"]["denied"].is_null(), "{line}");
    }

    // One step outside: above, beside, another kind of file, a write where was read.
    for (tool, arguments) in [
        ("read_text_file", json!({"path": "/docs/private/c.md"})),
        ("read_text_file", json!({"path": "/docs/notes/key.pem"})),
        ("read_text_file", json!({"path": "/docs/notes/../private/c.md"})),
        ("list_directory", json!({"path": "/docs"})),
        ("write_file", json!({"path": "/docs/notes/a.md", "content": "changed"})),
        ("write_file", json!({"path": "/docs/out/new.pem", "content": "new"})),
        ("create_directory", json!({"path": "/docs/notes/new"})),
    ] {
        call(&home, "filesystem", tool, &arguments).failure();
    }
    assert_eq!(std::fs::read_to_string(Path::new(&root).join("notes/a.md")).unwrap(), "[notes/a.md]\n");
    assert!(!Path::new(&root).join("out/new.pem").exists());

    // Learning again finds that all of it is granted.
    let again = learn(&home, &args);
    again.success().stdout_has("(granted already)").stdout_has("filesystem: nothing to change");
}

/// Requests, sockets, look-ups and state: the same, and as a program reads it.
#[test]
fn requests_sockets_and_state_are_learned() {
    let home = Home::new("learn-network");
    home.hostile_as("attacker", "net");
    home.approve();
    let (mine, other) = (server(), server());
    let web = |port: u16, method: &str, path: &str| {
        let authority = format!("127.0.0.1:{port}");
        json!({"method": method, "scheme": "http", "authority": authority, "path": path})
    };
    let did = [
        ("web", web(mine, "GET", "/v1/a?x=1")),
        ("web", web(mine, "GET", "/v1/b")),
        ("dial", json!({"to": format!("127.0.0.1:{other}"), "say": "GET / HTTP/1.0\r\n\r\n"})),
        ("keep", json!({"steps": [{"try": "set", "key": "k", "text": "x".repeat(10_000)}]})),
    ];
    let script = home.folder("scripts").join("did.jsonl");
    let lines =
        did.iter().map(|(tool, arguments)| json!({"tool": tool, "arguments": arguments}).to_string() + "\n");
    std::fs::write(&script, lines.collect::<String>()).unwrap();
    let target = format!("http://127.0.0.1:{mine}");
    let args = [
        "net",
        "--env",
        &format!("TARGET={target}"),
        "--http",
        &target,
        "--methods",
        "GET,POST",
        "--tcp",
        &format!("127.0.0.1:{other}"),
        "--state",
        "1MiB",
        "--accept",
        "--format",
        "json",
        "--script",
        script.to_str().unwrap(),
    ];
    let said = learn(&home, &args);
    said.success().stderr_has("net: granted: HTTP GET ");
    let said = said.json();
    let grants: Vec<_> =
        said["grants"].as_array().unwrap().iter().map(|one| one["grant"].as_str().unwrap()).collect();
    assert_eq!(
        grants,
        [
            format!("HTTP GET http://127.0.0.1:{mine}/v1, private addresses too"),
            format!("TCP 127.0.0.1:{other}, private addresses too"),
            "environment variable TARGET".to_owned(),
            "state, 16KiB, one for all callers".to_owned(),
        ]
    );
    assert_eq!((&said["whole"], &said["withoutGrant"]), (&json!(true), &json!([])), "{said}");

    for (tool, arguments) in &did {
        call(&home, "net", tool, arguments).success();
    }
    for (tool, arguments) in [
        ("web", web(mine, "GET", "/v2/a")),
        ("web", web(mine, "POST", "/v1/a")),
        ("web", web(other, "GET", "/v1/a")),
        ("dial", json!({"to": format!("127.0.0.1:{mine}"), "say": "x"})),
        ("lookup", json!({"name": "localhost"})),
    ] {
        call(&home, "net", tool, &arguments).failure();
    }
    let more = json!({"steps": [{"try": "set", "key": "l", "text": "x".repeat(10_000)}]});
    call(&home, "net", "keep", &more).success().stdout_has("16384");
}

/// The bounds: what is asked for and named, for approved bytes; what was tried beyond is told.
#[test]
fn nothing_is_learned_beyond_what_is_asked_for_and_named() {
    let (home, root) = texts("learn-bounds");
    let write = json!({"path": "/docs/out/new.txt", "content": "new"}).to_string();
    let to_read = ["filesystem", "--dir", &root, "--as", "/docs"];
    let said = learn(&home, &[&to_read[..], &["--", "write_file", &write]].concat());
    said.failure().stderr_has("write_file failed: ");
    assert!(!said.stdout.contains("read-write"), "{said}");
    assert!(!Path::new(&root).join("out/new.txt").exists());

    // Named by nobody, and by somebody for what is not asked for: tried and told, and not proposed.
    home.hostile_as("attacker", "net");
    home.kennel(["approve", "net"]).success();
    let target = format!("127.0.0.1:{}", server());
    let get = json!({"method": "GET", "scheme": "http", "authority": target, "path": "/v1"}).to_string();
    let url = format!("http://{target}");
    for (named, why) in
        [(vec![], "it holds no outbound HTTP"), (vec!["--http", &url], "it holds no outbound HTTP")]
    {
        let said = learn(&home, &[&["net"], &named[..], &["--", "web", &get]].concat());
        let denied = format!("net needed no grant\n\ndenied meanwhile:\n\n  GET {url}/v1: {why}\n");
        said.failure().stdout_has(&denied);
    }

    // The trial asks to read only, and for no variable, whatever it is given.
    home.plugin("trial");
    home.kennel(["approve", "trial"]).success();
    let read = json!({"path": "/docs/notes/a.md"}).to_string();
    let wide = ["trial", "--dir", &format!("{root}:rw"), "--as", "/docs", "--env", "A=b", "--sample"];
    let said = learn(&home, &[&wide[..], &["--", "read", &read]].concat());
    said.success()
        .stderr_has("and not to ask the client's model: the plugin does not ask for it")
        .stdout_has("/notes as /docs/notes, read-only, only *.md");
    for more in ["read-write", "environment", "model"] {
        assert!(!said.stdout.contains(more), "{more} in {said}");
    }

    // Nobody's bytes hold nothing, also here.
    home.kennel(["approve", "--revoke", "trial"]).success();
    let said = learn(&home, &[&wide[..], &["--", "read", &read]].concat());
    said.failure().stderr_has("trial: holds nothing to learn with: ").stderr_has("approve it first");
    assert_eq!(said.stdout, "");
    home.config("new-plugins = \"hold\"");
    learn(&home, &[&wide[..], &["--", "read", &read]].concat()).failure().stderr_has("approve it first");
}

/// A link is granted together with where it leads.
#[test]
fn what_lies_behind_a_link_is_learned_with_it() {
    let (home, root) = texts("learn-links");
    std::os::unix::fs::symlink("../private", Path::new(&root).join("notes/link")).unwrap();
    home.plugin("trial");
    home.kennel(["approve", "trial"]).success();
    let did = ["/docs/notes/link/c.md", "/docs/notes/a.md"].map(|path| json!({ "path": path }));
    let texts = did.clone().map(|arguments| arguments.to_string());
    let mut args = vec!["trial", "--dir", &root, "--as", "/docs", "--accept"];
    texts.iter().for_each(|text| args.extend(["--", "read", text]));
    learn(&home, &args).success().stdout_has("/docs as /docs, read-only, only *.md");
    call(&home, "trial", "read", &did[0]).success().stdout_has("[private/c.md]");
    call(&home, "trial", "read", &did[1]).success().stdout_has("[notes/a.md]");
    call(&home, "trial", "read", &json!({"path": "/docs/notes/key.pem"})).failure();
}

#[test]
fn what_cannot_be_learned_is_said_in_a_line() {
    let (home, root) = texts("learn-faults");
    let own = home.path().display().to_string();
    for (args, says) in [
        (vec!["filesystem"], "there is nothing to learn from"),
        (vec!["nobody", "--", "x"], "nobody: there is no such plugin; there are: filesystem"),
        (vec!["filesystem", "--", "fly"], "offers no tool \"fly\""),
        (vec!["filesystem", "--", "read_text_file", "[]"], "are not a JSON object"),
        (vec!["filesystem", "--script", "none.jsonl"], "none.jsonl: "),
        (
            vec!["filesystem", "--dir", &own, "--", "list_allowed_directories"],
            "no plugin may reach Kennel's own files",
        ),
        (
            vec!["filesystem", "--secret", "token", "--from", "env:T", "--as", "bearer", "--", "x"],
            "a secret is granted by hand and never learned",
        ),
        (vec!["filesystem", "--http", "ftp://x", "--", "list_allowed_directories"], "is not http"),
    ] {
        let said = learn(&home, &args);
        said.failure().stderr_has(says);
        let lines: Vec<_> = said.stderr.lines().filter(|line| line.starts_with("kennel: ")).collect();
        assert_eq!(lines.len(), 1, "{said}");
    }
    // Nothing of it was written.
    let said = learn(&home, &["filesystem", "--dir", &root, "--accept", "--", "list_allowed_directories"]);
    said.success();
}
