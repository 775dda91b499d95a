//! Files that change while calls run: replaced, overwritten in place, unapproved, approved, removed.
//! Calls are in flight at every change, and each answer says twice which version gave it.
//! No test may wait for a time and hope: each waits for what the server says or answers.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::print_stdout, reason = "figures that a person may want to see with --nocapture")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kennel_tests::{Client, Home, Trial};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// How often the file is replaced.
const REPLACEMENTS: usize = 100;
/// Distinct components that take turns: each is compiled once.
const VARIANTS: usize = 6;

const CHANGED: &str = "notifications/tools/list_changed";

fn version_params(ms: u64) -> Value {
    Client::call_params("trial__version", &json!({"ms": ms}))
}

/// The one version in an answer; panics when there are two, or none because the call failed.
#[track_caller]
fn version_in(reply: Result<Value, Value>) -> String {
    let result = reply.unwrap_or_else(|error| panic!("a call failed: {error}"));
    assert_ne!(result["isError"], true, "a call failed: {result}");
    let said = &result["structuredContent"];
    assert_eq!(said["begin"], said["end"], "two versions in one call");
    said["begin"].as_str().expect("a version").to_owned()
}

/// The version that the list tells, none when the tool is not listed.
fn version_listed(client: &Client) -> Option<String> {
    let list = client.request("tools/list", Value::Null).unwrap();
    let tools = list["tools"].as_array().unwrap();
    let tool = tools.iter().find(|tool| tool["name"] == "trial__version")?;
    let text = tool["description"].as_str().unwrap();
    Some(text.split("version ").nth(1).unwrap().trim_end_matches('.').to_owned())
}

/// Waits until the list tells this version, asking only when the server says that the list changed.
#[track_caller]
fn until_listed(client: &Client, version: Option<&str>) {
    loop {
        client.notification(CHANGED);
        if version_listed(client).as_deref() == version {
            return;
        }
    }
}

fn said(client: &Client, tool: &str) -> String {
    let result = client.call(tool, &json!({}));
    assert_ne!(result["isError"], true, "{tool}: {result}");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

fn standing(home: &Home) -> String {
    let all = home.kennel(["list", "--format", "json"]).json();
    all["plugins"][0]["standing"].as_str().unwrap().to_owned()
}

#[test]
fn a_mixture_of_versions_would_be_seen() {
    let home = Home::new("mixture");
    home.bytes("trial", Trial::new().version("one").final_version("other").bytes());
    let client = home.serve();
    client.initialize();
    let result = client.call("trial__version", &json!({}));
    assert_eq!(result["structuredContent"], json!({"begin": "one", "end": "other"}));
}

#[test]
fn a_dev_plugin_is_replaced_a_hundred_times_under_load() {
    let variants: Vec<_> = (0..VARIANTS)
        .map(|number| format!("v{number}"))
        .map(|version| (Trial::new().version(&version), version))
        .collect();
    let home = Home::new("replace");
    home.config("[plugins.trial]\ntrust = \"dev\"\n[plugins.trial.limits]\nconcurrency = 64\n");
    home.bytes("trial", variants[0].0.bytes());
    let client = home.serve();
    client.initialize();
    assert_eq!(version_listed(&client).as_deref(), Some("v0"));

    // Answers by version, and how many calls saw their plugin replaced and ended on the old one.
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    let mut crossed = 0;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // One thread keeps eight calls in flight all the time ...
        let stream = scope.spawn(|| {
            let mut seen = Vec::new();
            let mut open = std::collections::VecDeque::new();
            while !done.load(Ordering::Relaxed) {
                open.push_back(client.send("tools/call", version_params(seen.len() as u64 % 20)));
                if open.len() == 8 {
                    seen.push(version_in(client.wait(open.pop_front().unwrap())));
                }
            }
            seen.extend(open.into_iter().map(|id| version_in(client.wait(id))));
            seen
        });
        // Whatever fails here, the other thread must come to its end.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for round in 1..=REPLACEMENTS {
                let (trial, version) = &variants[round % VARIANTS];
                let old = &variants[(round - 1) % VARIANTS].1;
                // ... and this one begins ten that outlast the replacement.
                let spanning: Vec<_> =
                    (0..10).map(|_| client.send("tools/call", version_params(600))).collect();
                home.bytes("trial", trial.bytes());
                until_listed(&client, Some(version));
                // What is called once the list is new is new.
                let now = version_in(client.request("tools/call", version_params(0)));
                assert_eq!(&now, version, "an old version answers after the list changed");
                *answers.entry(now).or_default() += 1;
                for id in spanning {
                    let still_open = client.wait_for(id, Duration::ZERO);
                    let at_swap = still_open.is_none();
                    let said = version_in(still_open.unwrap_or_else(|| client.wait(id)));
                    assert!(said == *old || said == *version, "{said} answers between {old} and {version}");
                    crossed += usize::from(at_swap && said == *old);
                    *answers.entry(said).or_default() += 1;
                }
            }
        }));
        done.store(true, Ordering::Relaxed);
        for said in stream.join().expect("the stream of calls ends well") {
            *answers.entry(said).or_default() += 1;
        }
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });

    let total: usize = answers.values().sum();
    println!("{total} calls, {crossed} of them across a replacement: {answers:?}");
    assert!(total >= 1000 + REPLACEMENTS, "{total} calls are too few to show anything");
    assert!(crossed >= REPLACEMENTS, "only {crossed} calls were in flight at a replacement");
    assert_eq!(client.strays(), Vec::<Value>::new());

    // The audit names the digest of the bytes that each call ran on: it must agree with what the calls said.
    client.end_input();
    client.exit(Duration::from_secs(30)).expect("the server ends");
    let digests: BTreeMap<String, &String> = variants
        .iter()
        .map(|(trial, version)| {
            let digest = Sha256::digest(trial.bytes());
            (digest.iter().map(|byte| format!("{byte:02x}")).collect(), version)
        })
        .collect();
    let mut audited: BTreeMap<String, usize> = BTreeMap::new();
    for line in home.audit().iter().filter(|line| line["kind"] == "call") {
        assert_eq!(line["outcome"], "ok", "{line}");
        let version = digests[line["digest"].as_str().unwrap()];
        *audited.entry(version.clone()).or_default() += 1;
    }
    assert_eq!(audited, answers);
}

#[test]
fn an_unapproved_replacement_waits_while_the_approved_bytes_serve() {
    let home = Home::new("waits");
    home.bytes("trial", Trial::new().version("old").bytes())
        .config("[plugins.trial]\nstate = {}\n")
        .approve();
    let client = home.serve();
    client.initialize();
    assert_eq!(said(&client, "trial__count"), "1");

    home.bytes("trial", Trial::new().version("new").bytes());
    client.logged("trial.wasm waits");
    assert_eq!(version_listed(&client).as_deref(), Some("old"));
    assert_eq!(version_in(client.request("tools/call", version_params(0))), "old");
    assert_eq!(said(&client, "trial__count"), "2", "the approved bytes keep their grants");
    assert_eq!(standing(&home), "waiting");
    home.kennel(["check"]).success().stdout_has("run `kennel approve`");

    // Also after a restart, and for the command line.
    drop(client);
    let client = home.serve();
    client.initialize();
    assert_eq!(version_listed(&client).as_deref(), Some("old"));
    assert_eq!(said(&client, "trial__count"), "3");
    home.kennel(["call", "trial", "count", "{}"]).success().stdout_has("4");

    // A call is running on the old bytes while the new ones are approved.
    let running = client.send("tools/call", version_params(1500));
    home.kennel(["approve", "trial"]).success();
    until_listed(&client, Some("new"));
    assert_eq!(version_in(client.request("tools/call", version_params(0))), "new");
    assert_eq!(said(&client, "trial__count"), "5", "the state stays");
    assert_eq!(version_in(client.wait(running)), "old");
    assert_eq!(standing(&home), "serving");

    // Taken back while it serves: the grants are gone, and the bytes wait again.
    home.kennel(["approve", "--revoke", "trial"]).success();
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let result = client.call("trial__count", &json!({}));
        if result["isError"] == true {
            assert!(result["content"][0]["text"].as_str().unwrap().contains("state"), "{result}");
            break;
        }
        assert!(Instant::now() < end, "the grants outlive the approval");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_is_removed_leaves_and_what_comes_back_returns() {
    let home = Home::new("removed");
    home.plugin("trial").plugin("hello");
    let client = home.serve();
    client.initialize();
    assert!(version_listed(&client).is_some());
    let running = client.send("tools/call", version_params(1500));
    // It has begun when a later one is answered: a client's requests begin in their order.
    version_in(client.request("tools/call", version_params(0)));

    std::fs::remove_file(home.plugin_path("trial")).unwrap();
    until_listed(&client, None);
    let error = client.request("tools/call", version_params(0)).unwrap_err();
    assert_eq!(error["code"], -32602, "{error}");
    assert_eq!(version_in(client.wait(running)), "00000000", "what had begun is finished");
    let result = client.call("hello__hello", &json!({"name": "Rex"}));
    assert_eq!(result["content"][0]["text"], "Hello, Rex!");

    home.plugin("trial");
    until_listed(&client, Some("00000000"));
    version_in(client.request("tools/call", version_params(0)));
    // One that was never there.
    home.bytes("another", Trial::new().version("other").bytes());
    client.notification(CHANGED);
    let result = client.call("another__version", &json!({}));
    assert_eq!(result["structuredContent"]["begin"], "other");
}

#[test]
fn a_file_that_is_slowly_overwritten_in_place_disturbs_no_call() {
    let home = Home::new("in-place");
    home.bytes("trial", Trial::new().version("old").bytes()).config("[plugins.trial]\ntrust = \"dev\"\n");
    let client = home.serve();
    client.initialize();
    assert_eq!(version_in(client.request("tools/call", version_params(0))), "old");

    let new = Trial::new().version("new");
    let mut file =
        std::fs::OpenOptions::new().write(true).truncate(true).open(home.plugin_path("trial")).unwrap();
    // Longer between the pieces than any wait for quiet: the server sees files that are no components.
    for piece in new.bytes().chunks(new.bytes().len().div_ceil(4)) {
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            assert_eq!(version_in(client.request("tools/call", version_params(5))), "old");
        }
        file.write_all(piece).unwrap();
        file.flush().unwrap();
    }
    drop(file);
    until_listed(&client, Some("new"));
    assert_eq!(version_in(client.request("tools/call", version_params(0))), "new");
    client.logged("trial.wasm cannot be used");
    assert_eq!(standing(&home), "serving");
}
