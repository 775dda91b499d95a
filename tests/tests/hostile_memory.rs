//! Attacks on memory (rows 6 to 9 of the list of attackers): inside the sandbox, over its border, and on the host's side.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use kennel_tests::process::{peak_resident, resident};
use kennel_tests::{Attacker, Bystander, Client, Home, refusal};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// A home with the good `hello` and an attacker under the name `evil`, approved (limits are for approved bytes) and so
/// compiled.
fn home(name: &str, evil: &Attacker, config: &str) -> Home {
    let home = Home::new(name);
    home.plugin("hello").bytes("evil", &evil.build()).config(config);
    home.approve();
    home
}

fn ready(home: &Home) -> Client {
    let client = home.serve();
    client.initialize();
    client.call("hello__hello", &json!({ "name": "you" }));
    client
}

/// Attacks beside a bystander; gives the one line that came back and the bytes that the host grew by at most.
fn attack(home: &Home) -> (String, u64) {
    let client = ready(home);
    let before = resident(client.pid());
    let text = Bystander::beside(&client, || client.refused("evil__attack", &json!({})));
    (text, peak_resident(client.pid()).saturating_sub(before))
}

/// Row 6's bound: with a cap of 16 MiB the host grows by less than 32 MiB.
#[track_caller]
fn refused_within_32_mib(name: &str, evil: &Attacker, expected: &str) {
    let home = home(name, evil, "[plugins.evil.limits]\nmemory = \"16MiB\"\n");
    let (text, grown) = attack(&home);
    assert_eq!(text, format!("plugin `evil`: {expected}"));
    assert!(grown < 32 * MIB, "the host grew by {grown} bytes");
}

const MEMORY: &str =
    "limit: memory (16777216 bytes); a person can raise `limits.memory` for it in kennel.toml";

/// Takes page after page, touches each, and fails as allocators do when there is no more.
#[test]
fn memory_growth_ends_at_the_cap() {
    let evil = Attacker::calling(
        "(loop $more
           (local.set $i (memory.grow (i32.const 1)))
           (if (i32.eq (local.get $i) (i32.const -1)) (then (unreachable)))
           (i32.store (i32.mul (local.get $i) (i32.const 65536)) (i32.const -1))
           (br $more))",
    );
    refused_within_32_mib("grow", &evil, MEMORY);
}

/// A guest that is refused memory and goes on has the memory it had, no more.
#[test]
fn a_refused_growth_can_be_survived() {
    let evil = Attacker::calling(
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
         (i32.store (i32.const 65536) (i32.add (i32.const 0x30303030) (memory.size)))",
    );
    let home = home("survives", &evil, "[plugins.evil.limits]\nmemory = \"16MiB\"\n");
    let client = ready(&home);
    let before = resident(client.pid());
    Bystander::beside(&client, || {
        let result = client.call("evil__attack", &json!({}));
        assert_eq!(result["content"][0]["text"], "survived", "{result}");
    });
    let grown = peak_resident(client.pid()).saturating_sub(before);
    assert!(grown < 32 * MIB, "the host grew by {grown} bytes");
}

/// Three memories of 8 MiB each under a cap of 16: each alone would fit.
#[test]
fn the_cap_counts_all_memories_together() {
    let evil = Attacker::new().beside(
        "(component (core module $m (memory 128))
           (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m)))",
    );
    refused_within_32_mib("memories", &evil, MEMORY);
}

#[test]
fn tables_end_at_the_cap() {
    let evil = Attacker::calling(
        "(loop $more
           (if (i32.eq (table.grow $t (ref.null func) (i32.const 500)) (i32.const -1)) (then (unreachable)))
           (br $more))",
    )
    .items("(table $t 1 funcref)");
    let expected =
        "limit: table elements (20000); a person can raise `limits.table-elements` for it in kennel.toml";
    refused_within_32_mib("table", &evil, expected);
}

#[test]
fn a_deep_stack_of_large_frames_ends_at_the_cap() {
    let locals = "(local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)";
    let evil = Attacker::calling("(drop (call $deeper (i64.const 1)))").items(&format!(
        "(func $deeper (param i64) (result i64) {locals}
           (local.set 1 (i64.mul (local.get 0) (local.get 0)))
           (i64.add (call $deeper (local.get 1)) (local.get 1)))"
    ));
    refused_within_32_mib("stack", &evil, "limit: stack (512 KiB)");
}

/// What a component declares is known before it runs: too much of it is refused when the file is read.
#[test]
fn a_component_of_too_many_parts_is_left_out() {
    let thousands = |module: &str, count: usize| {
        let instances = "(core instance (instantiate $m))".repeat(count);
        Attacker::new().beside(&format!("(component (core module $m {module}) {instances})"))
    };
    let evils = [
        ("instances", thousands("", 5_000), "instance"),
        ("memories", thousands("(memory 1)", 6), "memor"),
        ("tables", thousands("(table 1 funcref) (table 1 funcref) (table 1 funcref)", 8), "table"),
        ("hugetable", Attacker::new().items("(table 100000000 funcref)"), "table"),
        ("hugememory", Attacker::new().memory(60_000, None), "memor"),
    ];
    let home = Home::new("parts");
    home.plugin("hello");
    home.kennel(["list"]).success();
    for (name, evil, _) in &evils {
        home.bytes(name, &evil.build());
    }
    let client = ready(&home);
    Bystander::beside(&client, || {
        let list = home.kennel(["list", "--format", "json"]).failure().json();
        for (name, _, expected) in &evils {
            let plugins = list["plugins"].as_array().unwrap();
            let plugin = plugins.iter().find(|plugin| plugin["name"] == *name).unwrap();
            assert_eq!(plugin["standing"], "broken", "{plugin}");
            let why = plugin["why"].as_str().unwrap();
            assert!(why.contains(expected) && why.lines().count() == 1 && why.len() < 400, "{name}: {why}");
        }
    });
    assert!(peak_resident(client.pid()) < 300 * MIB, "{} bytes", peak_resident(client.pid()));
}

/// Grows the memory to 60 MiB, zeroed.
const LARGE: &str = "(drop (memory.grow (i32.const 958)))";

/// Row 7: what comes over the border. Each under the default limits.
#[test]
fn what_is_returned_is_bounded() {
    let evils = [
        // A string of 1 GiB in a memory of 128 KiB.
        ("(call $say (i32.const 0) (i32.const 0x40000000))".to_owned(), "trap: "),
        // One of 59 MiB that is really there.
        (
            format!("{LARGE} (call $say (i32.const 65536) (i32.const 61865984))"),
            "limit: bytes passed at once (4194304 bytes)",
        ),
        // One that passes the border and is more than a result may have.
        (
            format!("{LARGE} (call $say (i32.const 65536) (i32.const 2000000))"),
            "limit: output (1048576 bytes)",
        ),
        // A link with a hundred icons that all share one list of a million empty sizes.
        (
            format!(
                "{LARGE}
                 (i32.store8 (global.get $content) (i32.const 4))
                 (i32.store offset=128 (global.get $content) (i32.const 65536))
                 (i32.store offset=132 (global.get $content) (i32.const 100))
                 (loop $icon
                   (i32.store offset=65556 (i32.mul (local.get $i) (i32.const 32)) (i32.const 1048576))
                   (i32.store offset=65560 (i32.mul (local.get $i) (i32.const 32)) (i32.const 1000000))
                   (local.set $i (i32.add (local.get $i) (i32.const 1)))
                   (br_if $icon (i32.lt_u (local.get $i) (i32.const 100))))"
            ),
            "limit: bytes passed at once (4194304 bytes)",
        ),
        // A hundred thousand contents, each empty.
        (
            format!(
                "{LARGE}
                 (i32.store offset=8 (global.get $result) (i32.const 65536))
                 (i32.store offset=12 (global.get $result) (i32.const 100000))"
            ),
            "limit: bytes passed at once (4194304 bytes)",
        ),
        // JSON 500 000 deep as the structured part.
        (
            format!(
                "{LARGE}
                 (memory.fill (i32.const 65536) (i32.const 0x5b) (i32.const 500000))
                 (memory.fill (i32.const 565536) (i32.const 0x5d) (i32.const 500000))
                 (i32.store8 offset=16 (global.get $result) (i32.const 1))
                 (i32.store offset=20 (global.get $result) (i32.const 65536))
                 (i32.store offset=24 (global.get $result) (i32.const 1000000))"
            ),
            "broke the contract: its structured result is",
        ),
    ];
    let home = Home::new("returned");
    home.plugin("hello");
    for (index, (body, _)) in evils.iter().enumerate() {
        home.bytes(&format!("evil{index}"), &Attacker::calling(body).build());
    }
    home.approve();
    let client = ready(&home);
    let before = resident(client.pid());
    Bystander::beside(&client, || {
        for (index, (_, expected)) in evils.iter().enumerate() {
            let text = client.refused(&format!("evil{index}__attack"), &json!({}));
            assert!(text.starts_with(&format!("plugin `evil{index}`")) && text.contains(expected), "{text}");
        }
    });
    let grown = peak_resident(client.pid()).saturating_sub(before);
    assert!(grown < 128 * MIB, "the host grew by {grown} bytes");
}

/// A schema ten thousand deep: the plugin is left out.
#[test]
fn a_deep_schema_is_refused_when_it_is_read() {
    let schema = format!(
        r#"{{"type":"object","not":{}{}}}"#,
        r#"{"not":"#.repeat(2_000),
        "1".to_owned() + &"}".repeat(2_000)
    );
    let home = Home::new("schema");
    home.plugin("hello").bytes("evil", &Attacker::new().tool("attack", "Attacks.", &schema).build());
    let run = home.kennel(["list"]);
    run.failure().stdout_has("the input schema of its tool \"attack\" is unusable");
}

/// A hundred thousand log lines of 1 KiB and a million progress notes: the client gets as many as the limits say,
/// and its answer.
#[test]
fn log_lines_and_notes_are_counted_and_dropped() {
    let evil = Attacker::new()
        .import("kennel:plugin/host@0.1.0", "log", "$log (param i32 i32 i32 i32 i32 i32)")
        .import("kennel:plugin/host@0.1.0", "progress", "$progress (param f64 i32 f64 i32 i32 i32)")
        .call(
            r#"(memory.fill (i32.const 65536) (i32.const 0x22) (i32.const 1))
               (memory.fill (i32.const 65537) (i32.const 0x61) (i32.const 1022))
               (memory.fill (i32.const 66559) (i32.const 0x22) (i32.const 1))
               (loop $line
                 (call $log (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 1024))
                 (local.set $i (i32.add (local.get $i) (i32.const 1)))
                 (br_if $line (i32.lt_u (local.get $i) (i32.const 100000))))
               (loop $note
                 (call $progress (f64.convert_i32_u (local.get $j)) (i32.const 0) (f64.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
                 (local.set $j (i32.add (local.get $j) (i32.const 1)))
                 (br_if $note (i32.lt_u (local.get $j) (i32.const 1000000))))"#,
        );
    let home = home(
        "chatter",
        &evil,
        "[plugins.evil.limits]\nlog-lines = 50\nprogress-notes = 60\nfuel = \"5000M\"\n",
    );
    let client = ready(&home);
    client.request("logging/setLevel", json!({ "level": "debug" })).unwrap();
    let before = resident(client.pid());
    Bystander::beside(&client, || {
        let mut params = Client::call_params("evil__attack", &json!({}));
        params["_meta"] = json!({ "progressToken": "t" });
        let result = client.request("tools/call", params).unwrap();
        assert_eq!(result["content"][0]["text"], "survived", "{result}");
    });
    let notifications = client.notifications();
    let count = |method: &str| notifications.iter().filter(|note| note["method"] == method).count();
    let (lines, notes) = (count("notifications/message"), count("notifications/progress"));
    assert!((1..=50).contains(&lines), "{lines} log lines");
    assert!((1..=60).contains(&notes), "{notes} progress notes");
    let grown = peak_resident(client.pid()).saturating_sub(before);
    assert!(grown < 32 * MIB, "the host grew by {grown} bytes");
}

/// Row 7. One line or note as long as what may pass the border: what goes on to the client is cut.
#[test]
fn long_lines_and_notes_are_cut() {
    let evil = Attacker::new()
        .import("kennel:plugin/host@0.1.0", "log", "$log (param i32 i32 i32 i32 i32 i32)")
        .import("kennel:plugin/host@0.1.0", "progress", "$progress (param f64 i32 f64 i32 i32 i32)")
        .memory(40, None)
        .call(
            r#"(memory.fill (i32.const 65536) (i32.const 0x61) (i32.const 2000000))
               (i32.store8 (i32.const 65536) (i32.const 0x22))
               (i32.store8 (i32.const 2065535) (i32.const 0x22))
               (call $log (i32.const 4) (i32.const 1) (i32.const 70000) (i32.const 100000) (i32.const 65536) (i32.const 2000000))
               (call $progress (f64.const 1) (i32.const 0) (f64.const 0) (i32.const 1) (i32.const 70000) (i32.const 100000))"#,
        );
    let home = home("long-notes", &evil, "");
    let client = ready(&home);
    client.request("logging/setLevel", json!({ "level": "debug" })).unwrap();
    Bystander::beside(&client, || {
        let mut params = Client::call_params("evil__attack", &json!({}));
        params["_meta"] = json!({ "progressToken": "t" });
        let result = client.request("tools/call", params).unwrap();
        assert_eq!(result["content"][0]["text"], "survived", "{result}");
    });
    let line = client.notification("notifications/message");
    let note = client.notification("notifications/progress");
    for (text, bound) in [
        (&line["params"]["data"], 8 << 10),
        (&line["params"]["logger"], 2 << 10),
        (&note["params"]["message"], 1 << 10),
    ] {
        let length = text.as_str().expect("a text").len();
        assert!(length > 100 && length < bound + 100, "{length} bytes where {bound} are the most");
    }
}

/// Row 7. GHSA-5m8g-xhq4-4h93: writing nothing, very often, made a stream's queue grow.
#[test]
fn empty_writes_cost_nothing() {
    let evil = Attacker::calling(
        "(local.set $j (call $stdout))
         (loop $again
           (call $write (local.get $j) (i32.const 65536) (i32.const 0) (i32.const 65600))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $i) (i32.const 300000))))",
    )
    .import("wasi:cli/stdout@0.2.0", "get-stdout", "$stdout (result i32)")
    .import("wasi:io/streams@0.2.0", "[method]output-stream.write", "$write (param i32 i32 i32 i32)");
    let home = home("empty-writes", &evil, "[plugins.evil.limits]\nfuel = \"5000M\"\n");
    let client = ready(&home);
    let before = resident(client.pid());
    Bystander::beside(&client, || {
        let result = client.call("evil__attack", &json!({}));
        assert_eq!(result["content"][0]["text"], "survived", "{result}");
    });
    let grown = peak_resident(client.pid()).saturating_sub(before);
    assert!(grown < 16 * MIB, "the host grew by {grown} bytes");
}

/// Row 8: opens without closing. Each kind ends at one of the two bounds of handles.
#[test]
fn handles_that_are_never_dropped_end_at_the_cap() {
    let again = |name: &str| Attacker::calling(&format!("(loop $again (drop {name}) (br $again))"));
    let evils = [
        again("(call $sleep (i64.const 1))").import(
            "wasi:clocks/monotonic-clock@0.2.0",
            "subscribe-duration",
            "$sleep (param i64) (result i32)",
        ),
        again("(call $fields)").import(
            "wasi:http/types@0.2.0",
            "[constructor]fields",
            "$fields (result i32)",
        ),
        again("(call $stdout)").import("wasi:cli/stdout@0.2.0", "get-stdout", "$stdout (result i32)"),
    ];
    for (index, evil) in evils.iter().enumerate() {
        let config = "[plugins.evil.limits]\nresources = 500\nhandles = 600\n";
        let home = home(&format!("handles{index}"), evil, config);
        let (text, grown) = attack(&home);
        assert_eq!(
            text,
            "plugin `evil`: limit: open resources (500); a person can raise `limits.resources` for it in kennel.toml"
        );
        assert!(grown < 32 * MIB, "the host grew by {grown} bytes");
        let config = "[plugins.evil.limits]\nresources = 5000\nhandles = 500\n";
        home.config(config).approve();
        let (text, _) = attack(&home);
        assert_eq!(
            text,
            "plugin `evil`: limit: handles (500); a person can raise `limits.handles` for it in kennel.toml"
        );
    }
}

#[test]
fn a_gibibyte_of_random_bytes_is_refused() {
    for (interface, function) in [
        ("wasi:random/random@0.2.0", "get-random-bytes"),
        ("wasi:random/insecure@0.2.0", "get-insecure-random-bytes"),
    ] {
        let evil = Attacker::calling("(call $random (i64.const 0x40000000) (i32.const 65536))").import(
            interface,
            function,
            "$random (param i64 i32)",
        );
        let home = home("random", &evil, "");
        let (text, grown) = attack(&home);
        assert_eq!(
            text,
            "plugin `evil`: limit: random bytes (65536 bytes); a person can raise `limits.random-bytes` for it in kennel.toml"
        );
        assert!(grown < 32 * MIB, "the host grew by {grown} bytes");
    }
}

/// Row 9. Calls that sleep hold their place: two run, one waits, and whoever comes then is told so at once.
#[test]
fn only_so_many_calls_of_a_plugin_run_at_once() {
    let evil = Attacker::calling("(call $block (call $sleep (i64.const 3000000000000000000)))")
        .import("wasi:clocks/monotonic-clock@0.2.0", "subscribe-duration", "$sleep (param i64) (result i32)")
        .import("wasi:io/poll@0.2.0", "[method]pollable.block", "$block (param i32)");
    let limits = "concurrency = 2\nqueue = 1\ndeadline = \"3s\"\n";
    let home = home("places", &evil, &format!("[plugins.evil.limits]\n{limits}"));
    let client = ready(&home);
    Bystander::beside(&client, || {
        let calls: Vec<_> = (0..6)
            .map(|_| client.send("tools/call", Client::call_params("evil__attack", &json!({}))))
            .collect();
        let texts: Vec<String> = calls.iter().map(|call| refusal(&client.wait(*call).unwrap())).collect();
        let busy = texts.iter().filter(|text| text.contains("busy: 1 calls are waiting already")).count();
        let ended = texts.iter().filter(|text| text.contains("limit: wall clock")).count();
        assert_eq!((busy, ended), (3, 3), "{texts:?}");
    });
}

/// Row 9: a thousand calls at once that want 60 MiB each, two at a time and a hundred in the queue.
#[test]
fn a_thousand_large_calls_at_once_are_queued_and_refused() {
    let evil = Attacker::calling(&format!(
        "{LARGE} (memory.fill (i32.const 65536) (i32.const 1) (i32.const 61865984))"
    ));
    let home = home("crowd", &evil, "[plugins.evil.limits]\nconcurrency = 2\nqueue = 100\n");
    let client = ready(&home);
    let before = resident(client.pid());
    Bystander::beside(&client, || {
        let calls: Vec<_> = (0..1_000)
            .map(|_| client.send("tools/call", Client::call_params("evil__attack", &json!({}))))
            .collect();
        let (mut served, mut busy) = (0, 0);
        for call in calls {
            let result = client.wait(call).unwrap();
            if result["isError"] == Value::Bool(true) {
                let text = refusal(&result);
                assert!(text.starts_with("plugin `evil`: busy: 100 calls are waiting already"), "{text}");
                busy += 1;
            } else {
                served += 1;
            }
        }
        assert!(served >= 102 && busy > 0, "{served} served, {busy} busy");
    });
    let grown = peak_resident(client.pid()).saturating_sub(before);
    assert!(grown < 256 * MIB, "the host grew by {grown} bytes");
}
