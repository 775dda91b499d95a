//! What a person grants and takes back while the host runs: the verbs, what they say, and what the running host does.
//! Judged from outside, by answers, files and the requests that a server saw.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use kennel_tests::{Client, Home, words};
use serde_json::{Value, json};

/// How long a call that was revoked may take to end: far less than its own time, far more than it needs.
const SOON: Duration = Duration::from_secs(20);
/// How long such a call would take by itself.
const LONG: u64 = 300_000;

/// Waits until a call answers so.
#[track_caller]
fn until(client: &Client, tool: &str, arguments: &Value, is: impl Fn(&Value) -> bool) {
    let start = Instant::now();
    loop {
        let result = client.call(tool, arguments);
        if is(&result) {
            return;
        }
        assert!(start.elapsed() < SOON, "{tool} still says {result}\n{}", client.stderr());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Two plugins of one component, each with a directory of its own and time enough.
struct Two {
    home: Home,
    mine: String,
    other: String,
}

impl Two {
    fn new(name: &str) -> Self {
        let home = Home::new(name);
        home.plugin("trial");
        let (mine, other) = (home.folder("mine"), home.folder("other"));
        std::fs::write(mine.join("file"), "of mine").unwrap();
        std::fs::write(other.join("file"), "of other").unwrap();
        let limits = "deadline = \"10m\"\nfuel = 900000000000000\n";
        home.config(&format!(
            "[plugins.a]\nfile = \"trial.wasm\"\n[plugins.a.limits]\n{limits}\
             [plugins.b]\nfile = \"trial.wasm\"\n[plugins.b.limits]\n{limits}"
        ));
        let (mine, other) = (mine.display().to_string(), other.display().to_string());
        home.kennel(["allow", "a", "--dir", &mine, "--as", "/mine"]).success();
        home.kennel(["allow", "b", "--dir", &other, "--as", "/other", "--state", "1MiB"]).success();
        home.approve();
        Self { home, mine, other }
    }

    fn serve(&self) -> Client {
        let client = self.home.serve();
        client.initialize();
        assert_eq!(words(&client.call("a__read", &json!({"path": "/mine/file"}))), "of mine");
        assert_eq!(words(&client.call("b__read", &json!({"path": "/other/file"}))), "of other");
        client
    }
}

/// Begins a call and gives it time to be in the guest.
fn begin(client: &Client, tool: &str, arguments: &Value) -> u64 {
    let id = client.send("tools/call", Client::call_params(tool, arguments));
    std::thread::sleep(Duration::from_millis(300));
    assert!(client.wait_for(id, Duration::ZERO).is_none(), "{tool} is over already");
    id
}

/// The call ends soon, with one line that says it was revoked.
#[track_caller]
fn ends_revoked(client: &Client, id: u64, plugin: &str, what: &str) {
    let reply = client.wait_for(id, SOON);
    let result = reply.unwrap_or_else(|| panic!("the call goes on\n{}", client.stderr())).unwrap();
    assert_eq!(result["isError"], true, "{result}");
    let said = words(&result);
    assert_eq!(said.lines().count(), 1, "{said}");
    for part in [&format!("plugin `{plugin}`: revoked: "), what] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(!said.contains("kennel-"), "a path of the machine is told: {said}");
}

#[test]
fn calls_that_began_under_a_rule_that_is_gone_end_and_others_go_on() {
    let two = Two::new("revoke");
    let client = two.serve();
    let sleeping = begin(&client, "a__sleep", &json!({ "ms": LONG }));
    let looping = begin(&client, "a__spin", &json!({}));
    let beside = begin(&client, "b__sleep", &json!({ "ms": 4_000 }));

    two.home.kennel(["revoke", "a", "--dir", &two.mine]).success().stdout_has("a: taken back: directory ");
    for id in [sleeping, looping] {
        ends_revoked(&client, id, "a", "directory /mine, read-only");
    }
    let result = client.wait(beside).unwrap();
    assert_eq!(words(&result), "slept 4000 ms", "a plugin whose grants did not shrink");
    // What is called from now on holds what is left, and is not ended.
    until(&client, "a__echo", &json!({"text": "x"}), |result| words(result) == "x");
    assert_eq!(client.call("a__read", &json!({"path": "/mine/file"}))["isError"], true);
    assert_eq!(words(&client.call("b__read", &json!({"path": "/other/file"}))), "of other");
}

#[test]
fn widening_ends_nothing() {
    let two = Two::new("widen");
    let client = two.serve();
    let id = begin(&client, "b__sleep", &json!({ "ms": 5_000 }));
    let extra = two.home.folder("extra").display().to_string();
    std::fs::write(format!("{extra}/file"), "of extra").unwrap();
    two.home.kennel(["allow", "b", "--dir", &extra, "--as", "/extra", "--state", "2MiB"]).success();
    two.home.kennel(["allow", "b", "--dir", &format!("{}:rw", two.other)]).success();
    until(&client, "b__read", &json!({"path": "/extra/file"}), |result| words(result) == "of extra");
    assert!(client.wait_for(id, Duration::ZERO).is_none(), "the call is over before its time");
    assert_eq!(words(&client.wait(id).unwrap()), "slept 5000 ms");
}

#[test]
fn taking_an_approval_back_ends_calls_too() {
    let two = Two::new("unapprove");
    let client = two.serve();
    let id = begin(&client, "b__sleep", &json!({ "ms": LONG }));
    two.home.kennel(["approve", "--revoke", "b"]).success();
    ends_revoked(&client, id, "b", "directory /other, read-only; state, 1MiB");
    until(&client, "b__read", &json!({"path": "/other/file"}), |result| result["isError"] == true);
}

#[test]
fn a_plugin_that_is_replaced_is_still_known_when_its_grant_goes() {
    let two = Two::new("replaced");
    let client = two.serve();
    let id = begin(&client, "a__sleep", &json!({ "ms": LONG }));
    // Its file goes: nothing serves under the name, and the call goes on.
    std::fs::remove_file(two.home.plugin_path("trial")).unwrap();
    client.logged("there is no trial.wasm");
    assert!(client.wait_for(id, Duration::from_millis(300)).is_none(), "nothing was taken back");
    two.home.kennel(["revoke", "a", "--all"]).success();
    ends_revoked(&client, id, "a", "directory /mine");
}

#[test]
fn the_verbs_agree_with_each_other_and_the_host() {
    let home = Home::new("verbs");
    home.plugin("trial");
    let docs = home.folder("docs");
    std::fs::write(docs.join("a.md"), "a text").unwrap();
    let plain = |text: &str| text.replace(home.folder("").to_str().unwrap().trim_end_matches('/'), "~");
    let mut said = String::new();
    let mut say = |args: &[&str]| {
        let run = home.kennel(args);
        let code = run.status.code().unwrap();
        said += &format!(
            "$ kennel {} ({code})\n{}{}",
            plain(&args.join(" ")),
            plain(&run.stdout),
            plain(&run.stderr)
        );
    };
    let dir = docs.display().to_string();
    say(&["grants"]);
    say(&["explain", "trial", "read", "/docs/a.md"]);
    say(&[
        "allow",
        "trial",
        "--dir",
        &format!("{dir}:rw"),
        "--as",
        "/docs",
        "--extensions",
        "md",
        "--elicit",
    ]);
    home.approve();
    say(&["grants", "trial"]);
    say(&["explain", "trial", "read", "/docs/a.md"]);
    say(&["explain", "trial", "read", "/docs/a.txt"]);
    say(&["explain", "trial", "write", "/docs/a.md"]);
    say(&["explain", "trial", "elicit"]);
    say(&["explain", "trial", "GET", "https://example.org/"]);
    say(&["explain", "trial", "fly"]);
    say(&["explain", "nobody", "elicit"]);
    say(&["allow", "trial", "--dir", &dir]);
    say(&["allow", "trial", "--http", "https://a:b@example.org"]);
    say(&["allow", "trial"]);
    say(&["revoke", "trial", "--state"]);
    say(&["revoke", "trial", "--dir", "/docs"]);
    say(&["grants", "trial"]);
    // A digest differs from build to build.
    let said: Vec<_> = said.lines().filter(|line| !line.contains("Usage")).collect();
    insta::assert_snapshot!(said.join("\n"));
}

/// A home with the attacker, which asks for everything, and these lines for it.
fn attacked(name: &str, config: &str) -> Home {
    let home = Home::new(name);
    home.hostile_as("attacker", "attacker").config(config).approve();
    home
}

#[test]
fn files_with_other_extensions_are_out_of_reach() {
    let home = Home::new("extensions");
    let granted = home.folder("granted");
    for name in ["a.md", "b.pem", "plain", ".md"] {
        std::fs::write(granted.join(name), format!("text of {name}")).unwrap();
    }
    std::fs::create_dir_all(granted.join("sub.d")).unwrap();
    std::fs::write(granted.join("sub.d/c.md"), "text of c.md").unwrap();
    symlink("b.pem", granted.join("link.md")).unwrap();
    symlink("sub.d", granted.join("way")).unwrap();
    home.hostile_as("attacker", "attacker").config(&format!(
        "[[plugins.attacker.directories]]\npath = {granted:?}\nas = \"/granted\"\nmode = \"read-write\"\nextensions = [\"md\", \"txt\"]\n"
    ));
    home.approve();
    let client = home.serve();
    client.initialize();
    let steps = [
        // Granted: what is done to others must not fail for another reason.
        json!({"try": "read", "path": "a.md"}),
        json!({"try": "read", "path": "way/c.md"}),
        json!({"try": "list", "path": "sub.d"}),
        json!({"try": "stat", "path": "sub.d"}),
        json!({"try": "write", "path": "new.txt", "text": "new"}),
        json!({"try": "rename", "path": "new.txt", "to": "newer.MD"}),
        json!({"try": "make-directory", "path": "made"}),
        json!({"try": "rename", "path": "made", "to": "made.pem"}),
        json!({"try": "remove-directory", "path": "made.pem"}),
        json!({"try": "list", "path": "."}),
        // Not granted, each in its way.
        json!({"try": "read", "path": "b.pem"}),
        json!({"try": "read", "path": "plain"}),
        json!({"try": "read", "path": ".md"}),
        json!({"try": "read", "path": "sub.d/../b.pem"}),
        json!({"try": "read", "path": "link.md"}),
        json!({"try": "read-no-follow", "path": "b.pem"}),
        json!({"try": "stat", "path": "b.pem"}),
        json!({"try": "stat", "path": "link.md"}),
        json!({"try": "read-link", "path": "plain"}),
        json!({"try": "write", "path": "b.pem", "text": "hostile"}),
        json!({"try": "truncate", "path": "b.pem"}),
        json!({"try": "create", "path": "c.pem"}),
        json!({"try": "resize", "path": "b.pem", "size": 0, "write": true}),
        json!({"try": "unlink", "path": "b.pem"}),
        json!({"try": "rename", "path": "b.pem", "to": "b.md"}),
        json!({"try": "rename", "path": "a.md", "to": "a.pem"}),
        json!({"try": "rename", "path": "a.md", "to": "b.pem"}),
        json!({"try": "set-times-at", "path": "b.pem"}),
    ];
    let result = client.call("attacker__files", &json!({ "steps": steps }));
    let said: Vec<String> = serde_json::from_str(&words(&result)).unwrap();
    let lines: Vec<_> = steps.iter().zip(&said).map(|(step, said)| format!("{step}: {said}")).collect();
    let text = lines.join("\n");
    for (line, said) in lines.iter().zip(&said).take(9) {
        assert!(said.starts_with("ok"), "{line}\n{text}");
    }
    let mut names: Vec<_> = said[9].trim_start_matches("ok ").split(' ').collect();
    names.sort_unstable();
    assert_eq!(names, ["a.md", "link.md", "newer.MD", "sub.d"], "{text}");
    for (line, said) in lines.iter().zip(&said).skip(10) {
        // A link may be seen under its own name, and is as long as where it points.
        let is_link = line.contains("stat") && line.contains("link.md");
        assert!(if is_link { said == "ok 5 bytes" } else { !said.starts_with("ok") }, "{line}\n{text}");
        assert!(!said.contains("text of"), "{line}\n{text}");
    }
    for name in ["a.md", "b.pem", "plain", ".md"] {
        assert_eq!(std::fs::read_to_string(granted.join(name)).unwrap(), format!("text of {name}"));
    }
    assert!(!granted.join("c.pem").exists() && !granted.join("a.pem").exists());
}

/// The annotations of a tool as a client reads them.
fn annotations(client: &Client, tool: &str) -> Value {
    let list = client.request("tools/list", Value::Null).unwrap();
    let tools = list["tools"].as_array().unwrap();
    let tool = tools.iter().find(|found| found["name"] == tool).unwrap_or_else(|| panic!("no {tool}"));
    tool["annotations"].clone()
}

/// Row 29. What a tool claims of itself is overridden where the grants say otherwise, and follows them while it runs.
#[test]
fn annotations_are_made_true_from_the_grants() {
    let folder = |home: &Home| home.folder("docs").display().to_string();
    let home = attacked("annotations", "");
    let client = home.serve();
    client.initialize();
    let start = Instant::now();
    while !client.request("tools/list", Value::Null).unwrap().to_string().contains("attacker__lamb") {
        assert!(start.elapsed() < Duration::from_secs(120), "{}", client.stderr());
        std::thread::sleep(Duration::from_millis(50));
    }
    // (read-only, destructive, open world) of the one that claims to be harmless, and of the one that does not.
    let hints = |tool: &str| {
        let found = annotations(&client, tool);
        ["readOnlyHint", "destructiveHint", "openWorldHint"].map(|hint| found[hint].as_bool())
    };
    let both = || (hints("attacker__lamb"), hints("attacker__wolf"));
    let (yes, no) = (Some(true), Some(false));
    let nothing = ([yes, no, no], [no, no, no]);
    let changes = ([no, no, no], [no, yes, no]);
    assert_eq!(both(), nothing, "nothing granted");
    let dir = folder(&home);
    let target = "TARGET=http://127.0.0.1:9";
    let steps: [(&[&str], _); 8] = [
        (&["allow", "attacker", "--dir", &dir], nothing),
        (&["allow", "attacker", "--dir", &format!("{dir}:rw")], changes),
        (&["revoke", "attacker", "--all"], nothing),
        (&["allow", "attacker", "--state", "1KiB"], changes),
        (&["revoke", "attacker", "--state"], nothing),
        (
            &["allow", "attacker", "--env", target, "--http", "http://127.0.0.1:9", "--methods", "GET"],
            ([yes, no, yes], [no, no, yes]),
        ),
        (
            &["allow", "attacker", "--http", "http://127.0.0.1:9", "--methods", "POST"],
            ([no, no, yes], [no, yes, yes]),
        ),
        // Granted but not asked for, so not held.
        (&["revoke", "attacker", "--env", "TARGET"], nothing),
    ];
    for (args, expected) in steps {
        home.kennel(args).success();
        let start = Instant::now();
        while both() != expected {
            assert!(start.elapsed() < SOON, "after {args:?}: {:?}\n{}", both(), client.stderr());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
