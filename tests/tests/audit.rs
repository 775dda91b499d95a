//! The audit, from outside: every call and every change of grants has its line, and `kennel audit verify` names what was
//! done to the files, whatever it was.
//! No test may know more of the files than their form as `docs/audit.md` tells it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kennel_tests::nws::WeatherService;
use kennel_tests::{Client, Home, Trial, kennel_bin, refusal};
use proptest::prelude::*;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

fn end(client: &Client) {
    client.end_input();
    client.exit(PATIENCE).expect("the server ends");
}

fn calls(home: &Home) -> Vec<Value> {
    home.audit().into_iter().filter(|line| line["kind"] == "call").collect()
}

/// The files of lines, in their order.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "jsonl")).collect();
    files.sort();
    files
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{what} never happens");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn echo(client: &Client, text: &str) -> Value {
    client.call("echo__echo", &json!({ "text": text }))
}

#[test]
fn every_call_leaves_a_line_with_what_it_was_and_never_what_was_said() {
    let weather = WeatherService::start().unwrap();
    let home = Home::new("audit-lines");
    let docs = home.folder("docs");
    std::fs::write(docs.join("a.txt"), "CANARY in a file").unwrap();
    for plugin in ["echo", "filesystem", "weather-us", "notes", "chores"] {
        home.plugin(plugin);
    }
    home.hostile_as("attacker", "attacker");
    home.config(&format!(
        "[plugins.weather-us]\nenv = {{ NWS_BASE_URL = {weather} }}\n[[plugins.weather-us.http]]\nurl = {weather}\n\
         [[plugins.filesystem.directories]]\npath = {docs}\nas = \"/docs\"\nmode = \"read-only\"\n\
         [[plugins.attacker.directories]]\npath = {docs}\nas = \"/docs\"\nmode = \"read-only\"\n\
         [plugins.notes.state]\nquota = \"1MiB\"\n",
        weather = Value::from(weather.base_url()),
        docs = Value::from(docs.to_str().unwrap()),
    ));
    home.approve();
    let client = home.serve();
    client.initialize();
    echo(&client, "CANARY");
    echo(&client, "CANARY");
    echo(&client, "another CANARY");
    client.request("tools/call", Client::call_params("echo__echo", &json!({ "CANARY": 1 }))).ok();
    client.request("tools/call", Client::call_params("nobody__nothing", &json!({ "CANARY": 1 }))).ok();
    client.call("filesystem__read_text_file", &json!({ "path": "/docs/a.txt" }));
    let step = json!({ "try": "write", "path": "/docs/CANARY", "text": "CANARY" });
    client.call("attacker__files", &json!({ "steps": [step, step] }));
    assert!(!docs.join("CANARY").exists());
    refusal(&client.call("filesystem__write_file", &json!({ "path": "/docs/CANARY", "content": "CANARY" })));
    client.call("weather-us__get-alerts", &json!({ "state": "NY" }));
    client.call("notes__create_note", &json!({ "title": "CANARY", "content": "CANARY" }));
    client.request("prompts/get", json!({ "name": "notes__summarize_notes" })).unwrap();
    client.request("resources/read", json!({ "uri": "note:///1?CANARY#CANARY" })).ok();
    let endless = client.send("tools/call", Client::call_params("chores__endless", &json!({})));
    // It has begun when one that came after it is answered.
    echo(&client, "x");
    client.cancel(endless);
    end(&client);

    let lines = calls(&home);
    let of = |name: &str| -> Vec<&Value> { lines.iter().filter(|line| line["name"] == name).collect() };
    let echoes = of("echo__echo");
    assert_eq!(echoes.len(), 5, "{echoes:?}");
    let digest = |at: usize| &echoes[at]["arguments"]["digest"];
    assert!(digest(0).is_string() && digest(0) == digest(1) && digest(1) != digest(2));
    assert_eq!(echoes[0]["caller"], "local:kennel-tests");
    assert_eq!(echoes[0]["digest"].as_str().map(str::len), Some(64));
    assert!(echoes[0]["output"].as_u64() > Some(6) && echoes[0]["usage"]["fuel"].as_u64() > Some(0));
    assert_eq!(echoes[3]["outcome"], "refused: invalid arguments");
    let nobody = of("nobody__nothing");
    assert_eq!((&nobody[0]["outcome"], nobody[0].get("plugin")), (&json!("refused: not found"), None));
    let directory = format!("directory {} as /docs, read-only", docs.display());
    let rule = |line: &Value| line["allowed"][0]["rule"].as_str().unwrap_or_default().to_owned();
    let read = of("filesystem__read_text_file");
    assert_eq!((rule(read[0]), &read[0]["outcome"]), (directory.clone(), &json!("ok")));
    let write = of("attacker__files");
    let denied = json!([{ "what": format!("to write: {directory}"), "times": 2 }]);
    assert_eq!(write[0]["denied"], denied, "{}", write[0]);
    assert_eq!(of("filesystem__write_file")[0]["outcome"], "tool error");
    let alerts = of("weather-us__get-alerts");
    assert_eq!(alerts[0]["hosts"][0]["what"], weather.base_url().trim_start_matches("http://"));
    assert!(rule(alerts[0]).starts_with("HTTP GET"), "{}", alerts[0]);
    assert!(rule(of("notes__create_note")[0]).starts_with("state, 1MiB"));
    assert_eq!(of("notes__summarize_notes")[0]["method"], "prompts/get");
    assert_eq!(of("note:///1")[0]["method"], "resources/read");
    assert_eq!(of("chores__endless")[0]["outcome"], "cancelled");

    for file in std::fs::read_dir(home.path().join("audit")).unwrap() {
        let text = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("CANARY"));
    }
    home.kennel(["audit", "verify"]).success().stdout_has("the audit is whole");
    assert_eq!(home.kennel(["audit", "show", "filesystem", "--denied"]).success().stdout, "");
    let shown = home.kennel(["audit", "show", "--denied"]);
    assert_eq!(shown.success().stdout.lines().count(), 1, "{shown}");
    shown.stdout_has("  tools/call attacker__files  ok  ").stdout_has("; denied: to write: directory ");
}

#[test]
fn a_request_that_was_not_granted_is_in_its_line_without_its_path() {
    let weather = WeatherService::start().unwrap();
    let home = Home::new("audit-denied");
    home.plugin("weather-us").config(&format!(
        "[plugins.weather-us]\nenv = {{ NWS_BASE_URL = {} }}\n[[plugins.weather-us.http]]\n\
         url = \"http://127.0.0.1:1/\"\n",
        Value::from(weather.base_url()),
    ));
    home.approve();
    let client = home.serve();
    client.initialize();
    client.call("weather-us__get-alerts", &json!({ "state": "NY" }));
    end(&client);
    let line = &calls(&home)[0];
    let denied = line["denied"][0]["what"].as_str().unwrap();
    assert!(denied.starts_with("HTTP GET http://127.0.0.1:") && !denied.contains("alerts"), "{line}");
    assert!(line.get("hosts").is_none() && line.get("allowed").is_none(), "{line}");
    assert_eq!(weather.requests(), Vec::<String>::new());
}

#[test]
fn changes_of_grants_are_lines_whoever_makes_them() {
    let home = Home::new("audit-grants");
    home.plugin("notes").plugin("echo").approve();
    let client = home.serve();
    client.initialize();
    echo(&client, "before");
    home.config("[plugins.notes.state]\nquota = \"1MiB\"\n");
    let grants =
        || -> Vec<Value> { home.audit().into_iter().filter(|line| line["kind"] == "grants").collect() };
    eventually("the change", || grants().iter().any(|line| line["what"] == "applied"));
    home.config("");
    eventually("the change back", || grants().iter().filter(|line| line["what"] == "applied").count() == 2);
    end(&client);
    home.config("[plugins.notes.state]\nquota = \"2MiB\"\n");
    home.kennel(["approve", "--revoke", "notes"]).success();
    home.kennel(["approve", "notes"]).success();
    let told: Vec<_> = grants()
        .iter()
        .map(|line| {
            assert_eq!(line["digest"].as_str().map(str::len), Some(64), "{line}");
            let said = |key: &str| line[key].as_str().unwrap().to_owned();
            let by = if said("by") == "host" { "host" } else { "somebody" };
            format!("{} {} by {by}: {} -> {}", said("plugin"), said("what"), line["before"], line["now"])
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    echo approved by somebody: [] -> []
    notes approved by somebody: [] -> []
    notes applied by host: [] -> ["state, 1MiB, one for all callers"]
    notes applied by host: ["state, 1MiB, one for all callers"] -> []
    notes approval taken back by somebody: ["state, 2MiB, one for all callers"] -> []
    notes approved by somebody: [] -> ["state, 2MiB, one for all callers"]
    "#);
    home.kennel(["audit", "verify"]).success();
}

#[test]
fn verbs_that_change_grants_leave_a_line_before_they_do() {
    let home = Home::new("audit-verbs");
    home.plugin("notes").plugin("echo").kennel(["approve", "notes"]).success();
    let lines = || -> Vec<Value> {
        let all = home.audit().into_iter();
        all.filter(|line| line["kind"] == "grants" && line["what"] != "approved").collect()
    };
    home.kennel(["allow", "notes", "--state", "1MiB", "--tcp", "db.example.org:5432"]).success();
    // What changes nothing, changes no grant, or fails leaves none.
    home.kennel(["allow", "notes", "--state", "1MiB"]).success();
    home.kennel(["allow", "notes", "--limit", "fuel=5_000_000"]).success().stdout_has("notes: changed");
    home.kennel(["allow", "notes", "--dir", "/no/such/folder"]).failure();
    home.kennel(["revoke", "notes", "--elicit"]).failure();
    home.kennel(["revoke", "notes", "--tcp", "DB.example.org:5432"]).success();
    home.kennel(["allow", "echo", "--env", "NAME=CANARY"]).success();
    home.kennel(["revoke", "notes", "--all"]).success();
    let told: Vec<_> = lines()
        .iter()
        .map(|line| {
            assert!(!line.to_string().contains("CANARY"), "{line}");
            let said = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
            let bytes = if said("digest").len() == 64 { "approved bytes" } else { "none" };
            assert_ne!(said("by"), "host");
            format!("{} of {bytes} {}: {} -> {}", said("plugin"), said("what"), line["before"], line["now"])
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
    home.kennel(["audit", "verify"]).success();
    home.kennel(["audit", "show", "echo"]).stdout_has(": + environment variable NAME\n");
    let shown = home.kennel(["audit", "show", "notes"]);
    shown.stdout_has("notes  grants revoked by ").stdout_has(": - TCP db.example.org:5432\n");

    // No change without its line.
    let key = home.path().join("audit/key");
    std::fs::remove_file(&key).unwrap();
    std::fs::create_dir(&key).unwrap();
    let config = || std::fs::read_to_string(home.path().join("kennel.toml")).unwrap();
    let before = config();
    let run = home.kennel(["allow", "notes", "--elicit"]);
    assert_eq!(run.failure().stderr.lines().count(), 1, "{run}");
    run.stderr_has("the audit ").stderr_has("cannot be written");
    home.kennel(["revoke", "echo", "--all"]).failure();
    assert_eq!(config(), before);
}

#[test]
fn what_sockets_look_ups_and_secrets_were_allowed_and_denied_is_in_the_line() {
    let (there, other) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (there_at, other_at) = (there.local_addr().unwrap(), other.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in there.incoming().flatten() {
            let mut read = [0; 4096];
            let _ = stream.read(&mut read);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let home = Home::new("audit-network").env("TOKEN", "CANARY-of-a-token");
    home.hostile_as("attacker", "attacker");
    home.config(&format!("[plugins.attacker]\nenv = {{ TARGET = \"http://{there_at}\" }}\n"));
    let url = format!("http://{there_at}");
    home.kennel([
        "allow",
        "attacker",
        "--http",
        &url,
        "--tcp",
        &there_at.to_string(),
        "--tcp",
        "localhost:1",
        "--secret",
        "token",
        "--from",
        "env:TOKEN",
        "--as",
        "header:x-token",
        "--for",
        &format!("{url}/v1"),
        "--clear",
    ])
    .success();
    home.approve();
    let client = home.serve();
    client.initialize();
    let dial = |to: &str| client.call("attacker__dial", &json!({ "to": to, "say": "CANARY" }));
    let secret = |path: &str, field: &str, name: &str| {
        let request = json!({
            "method": "GET", "scheme": "http", "authority": there_at.to_string(), "path": path,
            "headers": [[field, format!("{{{{secret:{name}}}}}")]],
        });
        client.call("attacker__hunt", &json!({ "requests": [request], "needles": [] }));
    };
    dial(&there_at.to_string());
    dial(&other_at.to_string());
    client.call("attacker__datagram", &json!({ "to": there_at.to_string(), "say": "CANARY" }));
    client.call("attacker__lookup", &json!({ "name": "localhost" }));
    client.call("attacker__lookup", &json!({ "name": "nowhere.test" }));
    client.call("attacker__listen", &json!({ "address": "127.0.0.1:0" }));
    secret("/v1/x", "x-token", "token");
    secret("/v2/CANARY", "x-token", "token");
    secret("/v1/x", "x-CANARY", "token");
    secret("/v1/x", "x-token", "CANARY");
    end(&client);
    let said: Vec<_> = calls(&home)
        .iter()
        .map(|line| {
            assert!(!line.to_string().contains("CANARY"), "{line}");
            let list = |key: &str| line.get(key).map(Value::to_string).unwrap_or_default();
            format!(
                "{} allowed {} denied {} hosts {}",
                line["name"],
                list("allowed"),
                list("denied"),
                list("hosts")
            )
        })
        .collect();
    let said =
        said.join("\n").replace(&there_at.to_string(), "THERE").replace(&other_at.to_string(), "OTHER");
    insta::assert_snapshot!(said);
    let denied = home.kennel(["audit", "show", "--denied"]).success().stdout.lines().count();
    assert_eq!(denied, 7);
}

/// What somebody does to the files.
#[derive(Clone, Debug)]
enum Tamper {
    Alter { to: u8, byte: prop::sample::Index },
    Cut { lines: usize },
    Truncate { byte: prop::sample::Index },
    Insert { other: prop::sample::Index },
    Swap { other: prop::sample::Index },
    Remove,
    Copy,
}

fn tampers() -> impl Strategy<Value = Tamper> {
    use prop::sample::Index;
    prop_oneof![
        4 => (b' '..=b'~', any::<Index>()).prop_map(|(to, byte)| Tamper::Alter { to, byte }),
        3 => (1_usize..4).prop_map(|lines| Tamper::Cut { lines }),
        2 => any::<Index>().prop_map(|byte| Tamper::Truncate { byte }),
        2 => any::<Index>().prop_map(|other| Tamper::Insert { other }),
        2 => any::<Index>().prop_map(|other| Tamper::Swap { other }),
        1 => Just(Tamper::Remove),
        1 => Just(Tamper::Copy),
    ]
}

#[test]
fn whatever_is_done_to_the_files_is_named() {
    let home = Home::new("audit-tamper");
    home.plugin("echo").config("[audit]\nmax-size = \"4KiB\"\n").approve();
    let client = home.serve();
    client.initialize();
    for number in 0..40 {
        echo(&client, &number.to_string());
        // Lines are gathered for some milliseconds, and a file is closed after them.
        std::thread::sleep(Duration::from_millis(10));
    }
    end(&client);
    home.kennel(["audit", "verify"]).success();
    let folder = home.path().join("audit");
    let files: BTreeMap<PathBuf, Vec<u8>> =
        segments(&folder).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    assert!(files.len() >= 4, "rotated");

    let config = ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() };
    let all = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), tampers());
    let outcome = proptest::test_runner::TestRunner::new(config).run(&all, |(file, line, tamper)| {
        let (path, text) = files.iter().nth(file.index(files.len())).unwrap();
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let at = line.index(lines.len());
        let mut new: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
        // The first line that is not what was written; none for a file as a whole.
        let mut named = Some(at + 1);
        let mut what = path.clone();
        match &tamper {
            Tamper::Alter { to, byte } => {
                let byte = byte.index(lines[at].len());
                prop_assume!(lines[at][byte] != *to);
                new[at][byte] = *to;
            }
            Tamper::Cut { lines: count } => drop(new.drain(at..(at + count).min(lines.len()))),
            Tamper::Truncate { byte } => {
                let byte = byte.index(lines[at].len());
                new.truncate(at);
                new.push(lines[at][..byte].to_vec());
            }
            Tamper::Insert { other } => new.insert(at, lines[other.index(lines.len())].to_vec()),
            Tamper::Swap { other } => {
                let other = other.index(lines.len());
                prop_assume!(other != at);
                new.swap(at, other);
                named = Some(at.min(other) + 1);
            }
            Tamper::Remove | Tamper::Copy => named = None,
        }
        match &tamper {
            Tamper::Remove => std::fs::remove_file(path).unwrap(),
            Tamper::Copy => {
                // In the place of another one.
                what = files.keys().nth((file.index(files.len()) + 1) % files.len()).unwrap().clone();
                named = Some(1);
                std::fs::copy(path, &what).unwrap();
            }
            _ => std::fs::write(path, new.concat()).unwrap(),
        }
        // A copy of line 1 before line 1 is line 1; what follows it is not line 2.
        if let Tamper::Insert { other } = &tamper
            && other.index(lines.len()) == at
        {
            named = Some(at + 2);
        }
        let run = home.kennel(["audit", "verify"]);
        for (path, text) in &files {
            std::fs::write(path, text).unwrap();
        }
        let place = match named {
            Some(line) => format!("{}:{line}: ", what.display()),
            None => format!("{}: ", what.display()),
        };
        prop_assert_eq!(run.status.code(), Some(1), "{}", run);
        let first = run.stdout.lines().next().unwrap_or_default();
        prop_assert!(first.starts_with(&place), "{place:?} was not named first:\n{run}");
        Ok(())
    });
    outcome.unwrap();
    home.kennel(["audit", "verify"]).success();
}

#[test]
fn several_processes_at_once_write_one_chain() {
    let home = Home::new("audit-processes");
    home.plugin("echo").config("[audit]\nmax-size = \"16KiB\"\n").approve();
    let servers = [home.serve(), home.serve()];
    for server in &servers {
        server.initialize();
    }
    std::thread::scope(|scope| {
        for server in &servers {
            scope.spawn(|| (0..100).for_each(|_| drop(echo(server, "x"))));
        }
        scope.spawn(|| {
            for _ in 0..5 {
                home.kennel(["call", "echo", "echo", "{\"text\": \"x\"}"]).success();
                home.kennel(["audit", "verify"]).success();
            }
        });
    });
    servers.iter().for_each(end);
    home.kennel(["audit", "verify"]).success().stdout_has("the audit is whole");
    assert_eq!(calls(&home).len(), 205);
    // A file in the middle, which some began after and some before.
    let files = segments(&home.path().join("audit"));
    std::fs::remove_file(&files[files.len() / 2]).unwrap();
    home.kennel(["audit", "verify"]).failure().stdout_has(": is missing");
}

#[test]
fn rotation_keeps_what_it_should_and_no_more() {
    let home = Home::new("audit-rotation");
    home.plugin("echo").config("[audit]\nmax-size = \"4KiB\"\nmax-total = \"16KiB\"\n").approve();
    let client = home.serve();
    client.initialize();
    for _ in 0..150 {
        echo(&client, "x");
        // Lines are gathered for some milliseconds, and a file is closed after them.
        std::thread::sleep(Duration::from_millis(6));
    }
    home.kennel(["audit", "verify"]).success();
    end(&client);
    let files = segments(&home.path().join("audit"));
    let size: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(size < 32 << 10 && (3..12).contains(&files.len()), "{size} bytes in {files:?}");
    assert!(!files[0].ends_with("00000001.jsonl"), "{files:?}");
    home.kennel(["audit", "verify"]).success();
    std::fs::remove_file(&files[0]).unwrap();
    home.kennel(["audit", "verify"]).failure().stdout_has(": is missing");
}

/// A server whose files can have so many KiB, as on a disk that is full.
fn with_small_disk(home: &Home, kib: u32) -> Client {
    let limited = home.command();
    let mut command = Command::new("sh");
    // The signal is what the system sends besides the error, and a full disk does not.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" serve", kib * 2);
    command.env_clear().arg("-c").arg(script).arg(kennel_bin());
    command.envs(limited.get_envs().filter_map(|(key, value)| Some((key, value?))));
    Client::start_ours(command)
}

/// Calls until the audit's file is full and some more; answers how many went well.
fn fill(client: &Client) -> (usize, Vec<Value>) {
    let mut refused = Vec::new();
    let mut fine = 0;
    for _ in 0..200 {
        match client.request("tools/call", Client::call_params("echo__echo", &json!({ "text": "x" }))) {
            Ok(result) if result["isError"] != true => fine += 1,
            Ok(other) | Err(other) => refused.push(other),
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    (fine, refused)
}

#[test]
fn when_the_disk_is_full_calls_are_refused() {
    let home = Home::new("audit-full");
    home.plugin("echo").approve();
    home.kennel(["call", "echo", "echo", "{\"text\": \"x\"}"]).success();
    let client = with_small_disk(&home, 32);
    client.initialize();
    let (fine, refused) = fill(&client);
    assert!(fine > 20 && refused.len() > 20, "{fine} went well, {} were refused", refused.len());
    let text = refused[refused.len() - 1].to_string();
    assert!(text.contains("the audit cannot be written") && text.contains("when-full"), "{text}");
    client.logged("cannot be written");
    end(&client);
    // Of those that ran only the last few milliseconds' can be without a line.
    let lines = calls(&home).iter().filter(|line| line["outcome"] == "ok").count();
    assert!(lines > 20 && lines <= fine + 1 && fine - lines < 10, "{fine} calls, {lines} lines");
    home.kennel(["audit", "verify"]).success();
}

#[test]
fn when_the_disk_is_full_calls_go_on_and_it_is_said_if_that_is_wanted() {
    let home = Home::new("audit-say");
    home.plugin("echo").config("[audit]\nwhen-full = \"say\"\n").approve();
    home.kennel(["call", "echo", "echo", "{\"text\": \"x\"}"]).success();
    let client = with_small_disk(&home, 32);
    client.initialize();
    let (fine, refused) = fill(&client);
    assert_eq!((fine, refused), (200, Vec::new()));
    end(&client);
    client.logged("cannot be written");
    client.logged("lines of the audit are lost");
    home.kennel(["audit", "verify"]).success();
}

#[test]
fn a_killed_server_leaves_a_whole_audit() {
    let home = Home::new("audit-killed");
    home.plugin("trial").bytes("trial", Trial::new().bytes()).approve();
    for _ in 0..3 {
        let client = home.serve();
        client.initialize();
        let params = || Client::call_params("trial__version", &json!({ "ms": 0 }));
        let before = calls(&home).len();
        for id in (0..500).map(|_| client.send("tools/call", params())).collect::<Vec<_>>() {
            client.wait(id).unwrap();
        }
        // What was answered long ago has its line; of the next some have, and one may be half.
        eventually("500 lines", || calls(&home).len() >= before + 500);
        for _ in 0..500 {
            client.send("tools/call", params());
        }
        std::thread::sleep(Duration::from_millis(20));
        drop(client);
        let verified = home.kennel(["audit", "verify"]);
        verified.success().stdout_has("the audit is whole").stdout_has("its process was killed");
        assert!((before + 500..=before + 1000).contains(&calls(&home).len()));
    }
}

#[test]
fn tail_shows_lines_as_they_come() {
    let home = Home::new("audit-tail");
    home.plugin("echo").approve();
    let mut command = home.command();
    let log = home.folder("out").join("tail");
    command.args(["audit", "tail", "echo", "--last", "0"]).stdout(std::fs::File::create(&log).unwrap());
    let mut tail = command.stdin(Stdio::null()).spawn().unwrap();
    let shown = || std::fs::read_to_string(&log).unwrap();
    eventually("a line", || {
        home.kennel(["call", "echo", "echo", "{\"text\": \"x\"}"]).success();
        shown().contains("echo  tools/call echo__echo  ok")
    });
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert!(!shown().contains("approved"), "{}", shown());
}

#[test]
fn a_hash_that_was_noted_down_tells_that_all_was_written_anew() {
    let home = Home::new("audit-anew");
    home.plugin("echo").approve();
    let noted =
        home.kennel(["audit", "verify"]).success().stdout.rsplit(' ').next().unwrap().trim().to_owned();
    home.kennel(["call", "echo", "echo", "{\"text\": \"x\"}"]).success();
    home.kennel(["audit", "verify", "--holds", &noted]).success();
    std::fs::remove_dir_all(home.path().join("audit")).unwrap();
    home.kennel(["call", "echo", "echo", "{\"text\": \"x\"}"]).success();
    home.kennel(["audit", "verify"]).success();
    home.kennel(["audit", "verify", "--holds", &noted]).failure().stdout_has("written anew");
}

#[test]
fn the_configuration_of_the_audit_is_checked() {
    let home = Home::new("audit-config");
    home.config("[audit]\nwhen-full = \"maybe\"\nmax-size = \"1B\"\nkeep = \"1s\"\nsize = 3\n");
    let run = home.kennel(["check"]);
    let said: Vec<_> = run.failure().stdout.lines().filter_map(|line| line.split_once(".toml")).collect();
    let said: Vec<_> = said.iter().map(|(_, rest)| *rest).collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    :2: audit.when-full: "maybe" is neither "refuse" nor "say"
    :3: audit.max-size: 1B is not from 4KiB to 4GiB
    :4: audit.keep: 1s is not from 1m to 100years
    :5: audit.size: unknown key; known here: when-full, max-size, max-total, max-age, keep
    "#);
}
