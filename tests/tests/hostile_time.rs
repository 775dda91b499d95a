//! Attacks on time (rows 1, 2 and 4 of the list of attackers): each ends at its budget, and others do not wait for it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use kennel_tests::process::{becomes_idle, resident, threads};
use kennel_tests::{Attacker, Bystander, CALM, Client, Home, refusal, words};
use serde_json::{Value, json};

/// Within this time after the last call the process is idle.
const REST: Duration = Duration::from_secs(20);
const FOREVER: &str = "(loop $forever (br $forever))";
const POLL: &str = "wasi:io/poll@0.2.0";
const CLOCK: &str = "wasi:clocks/monotonic-clock@0.2.0";

/// A home with the good `hello` and an attacker under the name `evil`, approved (limits are for approved bytes) and so compiled.
fn home(name: &str, evil: &Attacker, config: &str) -> Home {
    let home = Home::new(name);
    home.plugin("hello").bytes("evil", &evil.build()).config(config);
    home.approve();
    home
}

fn ready(home: &Home) -> Client {
    let client = home.serve();
    client.initialize();
    client
}

/// Attacks, and gives the one line that came back.
#[track_caller]
fn attack(client: &Client) -> String {
    client.refused("evil__attack", &json!({}))
}

/// What the rest builds on: an attacker that does nothing is an ordinary plugin.
#[test]
fn the_frame_itself_is_harmless() {
    let home = Home::new("frame");
    home.bytes("evil", &Attacker::new().build());
    home.kennel(["call", "evil", "attack", "{}"]).success().stdout_has("survived");
}

#[test]
fn an_endless_loop_ends_when_its_fuel_does() {
    let home = home("loop", &Attacker::calling(FOREVER), "[plugins.evil.limits]\nfuel = \"50M\"\n");
    let client = ready(&home);
    Bystander::beside(&client, || {
        assert_eq!(
            attack(&client),
            "plugin `evil`: limit: fuel (50000000); a person can raise `limits.fuel` for it in kennel.toml"
        );
    });
}

/// Eight at once on however many cores there are: the deadline ends them, and nobody else notices.
#[test]
fn eight_endless_loops_end_at_their_deadline() {
    let config = "[plugins.evil.limits]\nfuel = \"1000000M\"\ndeadline = \"3s\"\n";
    let home = home("loops", &Attacker::calling(FOREVER), config);
    let client = ready(&home);
    let start = Instant::now();
    Bystander::beside(&client, || {
        let calls: Vec<_> = (0..8)
            .map(|_| client.send("tools/call", Client::call_params("evil__attack", &json!({}))))
            .collect();
        for call in calls {
            let text = refusal(&client.wait(call).unwrap());
            assert!(text.starts_with("plugin `evil`: limit: wall clock (3 s)"), "{text}");
        }
    });
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(3) && took < Duration::from_secs(8), "ended after {took:?}");
}

#[test]
fn endless_recursion_ends_when_the_stack_does() {
    let evil = Attacker::calling("(drop (call $deeper (i32.const 0)))").items(
        "(func $deeper (param i32) (result i32) (i32.add (call $deeper (local.get 0)) (i32.const 1)))",
    );
    let home = home("recursion", &evil, "");
    let client = ready(&home);
    Bystander::beside(&client, || {
        assert_eq!(attack(&client), "plugin `evil`: limit: stack (512 KiB)");
    });
}

/// The stack is as large as is said: frames of at least 256 bytes (thirty-two values that outlive the call) and at most
/// twice that fit a thousand times, and not 2 100 times; in twice the stack they would.
#[test]
fn the_stack_ends_where_it_is_said_to() {
    let locals: String = (0..32).map(|n| format!("(local $v{n} i64)")).collect();
    let set: String = (0..32)
        .map(|n| format!("(local.set $v{n} (i64.load offset={} (local.get $n)))", 65_536 + n * 8))
        .collect();
    let sum = (0..32).fold("(i64.const 0)".to_owned(), |sum, n| format!("(i64.add {sum} (local.get $v{n}))"));
    let function = format!(
        "(func $deep (param $n i32) (result i64) {locals} {set}
           (if (i32.eqz (local.get $n)) (then (return (i64.const 0))))
           (i64.add (call $deep (i32.sub (local.get $n) (i32.const 1))) {sum}))"
    );
    let deep = |depth: u32| {
        let evil = Attacker::calling(&format!("(drop (call $deep (i32.const {depth})))")).items(&function);
        let home = home("depth", &evil.memory(4, None), "");
        let client = ready(&home);
        words(&client.call("evil__attack", &json!({})))
    };
    assert_eq!(deep(1_000), "survived");
    assert_eq!(deep(2_100), "plugin `evil`: limit: stack (512 KiB)");
}

/// The host calls the guest's allocator to pass arguments, and its start function to make an instance: both are the
/// guest's code and run on the call's budget. The start function here waits for a clock that runs, so that the
/// listing, which has none, succeeds.
#[test]
fn loops_in_the_allocator_and_in_the_initialiser_end_too() {
    let start = format!("(if (i64.ne (call $now) (i64.const 0)) (then {FOREVER}))");
    let evils = [
        Attacker::new().realloc(FOREVER),
        Attacker::new().start(&start).import(CLOCK, "now", "$now (result i64)"),
    ];
    for evil in evils {
        let home = home("initialiser", &evil, "[plugins.evil.limits]\nfuel = \"50M\"\n");
        let client = ready(&home);
        Bystander::beside(&client, || {
            let text = attack(&client);
            assert!(text.starts_with("plugin `evil`: limit: fuel (50000000)"), "{text}");
        });
    }
}

/// A plugin that does not even list its tools is left out, and says why where a person looks; nobody waits for it.
#[test]
fn a_plugin_that_loops_or_sleeps_when_it_is_read_is_left_out() {
    let sleep = "(call $block (call $sleep (i64.const 9000000000000000000)))";
    let evils = [
        // By fuel, or by the clock where the machine is slow.
        (Attacker::new().list(FOREVER), "limit: "),
        (Attacker::new().start(FOREVER), "limit: "),
        (
            Attacker::new()
                .list(sleep)
                .import(CLOCK, "subscribe-duration", "$sleep (param i64) (result i32)")
                .import(POLL, "[method]pollable.block", "$block (param i32)"),
            "limit: wall clock",
        ),
    ];
    let home = Home::new("unlisted");
    home.plugin("hello");
    home.kennel(["list"]).success();
    // Before and after `hello` in every order there may be; some from the start, some later.
    home.bytes("a-evil-2", &evils[2].0.build()).bytes("z-evil-0", &evils[0].0.build());
    let client = ready(&home);
    let start = Instant::now();
    client.request("ping", Value::Null).unwrap();
    assert!(start.elapsed() < CALM, "ping waited {:?}", start.elapsed());
    // The first list waits for plugins that still load, so that a client that asks once sees them, but not for long.
    client.request("tools/list", Value::Null).unwrap();
    assert!(start.elapsed() < Duration::from_secs(15), "the list waited {:?}", start.elapsed());
    Bystander::beside(&client, || {
        for (index, (evil, _)) in evils.iter().enumerate() {
            home.bytes(&format!("b-evil-{index}"), &evil.build())
                .bytes(&format!("y-evil-{index}"), &evil.build());
        }
        // Time enough for the service to have read them all.
        std::thread::sleep(Duration::from_secs(8));
    });
    let list = home.kennel(["list", "--format", "json"]).failure().json();
    for plugin in list["plugins"].as_array().unwrap() {
        let name = plugin["name"].as_str().unwrap();
        if let Some((_, index)) = name.split_once("evil-") {
            let why = plugin["why"].as_str().unwrap();
            let expected = evils[index.parse::<usize>().unwrap()].1;
            assert_eq!(plugin["standing"], "broken");
            assert!(why.contains("it fails when asked for its tools") && why.contains(expected), "{why}");
            assert!(why.contains("more than listing may take") && why.lines().count() == 1, "{why}");
        } else {
            assert_eq!(plugin["standing"], "serving", "{plugin}");
        }
    }
}

/// Fuel does not pass while a guest sleeps in the host: only the clock ends this.
#[test]
fn sleeping_in_the_host_ends_at_the_deadline() {
    let sleeper = |body: &str| {
        Attacker::calling(body)
            .import(CLOCK, "subscribe-duration", "$sleep (param i64) (result i32)")
            .import(POLL, "[method]pollable.block", "$block (param i32)")
            .import(POLL, "poll", "$poll (param i32 i32 i32)")
    };
    let century = "(call $sleep (i64.const 3000000000000000000))";
    let evils = [
        sleeper(&format!("(call $block {century})")),
        // Two at once, in a list.
        sleeper(&format!(
            "(i32.store (i32.const 65536) {century}) (i32.store (i32.const 65540) {century})
             (call $poll (i32.const 65536) (i32.const 2) (i32.const 65544))"
        )),
    ];
    for evil in evils {
        let home = home("sleep", &evil, "[plugins.evil.limits]\ndeadline = \"1s\"\n");
        let client = ready(&home);
        Bystander::beside(&client, || {
            let start = Instant::now();
            let text = attack(&client);
            assert_eq!(
                text,
                "plugin `evil`: limit: wall clock (1 s); a person can raise `limits.deadline` for it in kennel.toml"
            );
            assert!(start.elapsed() < Duration::from_secs(4), "ended after {:?}", start.elapsed());
        });
    }
}

/// Living in host calls costs fuel for what the host does as well: a million calls of some ten instructions each fit
/// into this budget, a million crossings of the border do not.
#[test]
fn a_million_host_calls_end_when_the_fuel_does() {
    let evil = Attacker::calling(
        "(loop $again
           (drop (call $now))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $i) (i32.const 1000000))))",
    )
    .import(CLOCK, "now", "$now (result i64)");
    let home = home("crossings", &evil, "[plugins.evil.limits]\nfuel = \"200M\"\n");
    let client = ready(&home);
    Bystander::beside(&client, || {
        let text = attack(&client);
        assert!(text.starts_with("plugin `evil`: limit: fuel (200000000)"), "{text}");
    });
}

/// Row 2. Whoever does nothing but call the host never uses up a slice of its own, so the border makes it give way: else
/// neither the clock nor anybody else would come to their turn.
#[test]
fn a_guest_that_lives_in_host_calls_ends_at_its_deadline() {
    let evil = Attacker::calling("(loop $again (drop (call $now)) (br $again))").import(
        CLOCK,
        "now",
        "$now (result i64)",
    );
    let config = "[plugins.evil.limits]\nfuel = \"1000000M\"\ndeadline = \"1s\"\n";
    let home = home("host-calls", &evil, config);
    let client = ready(&home);
    Bystander::beside(&client, || {
        let start = Instant::now();
        let text = attack(&client);
        assert!(text.starts_with("plugin `evil`: limit: wall clock (1 s)"), "{text}");
        assert!(start.elapsed() < Duration::from_secs(5), "ended after {:?}", start.elapsed());
    });
}

/// Row 5. A trap of the hardware loses the count of what was used, so the whole budget is charged for it: nobody burns fuel
/// for nothing by ending badly. A trap that does not hide its count costs what it used.
#[test]
fn a_trap_on_purpose_is_charged_the_whole_budget() {
    let burn = "(loop $more (local.set $i (i32.add (local.get $i) (i32.const 1)))
                  (br_if $more (i32.lt_u (local.get $i) (i32.const 100000))))";
    for (trap, whole) in [
        ("(drop (i32.load (i32.const 0x7fff0000)))", true),
        ("(drop (i32.div_u (i32.const 1) (local.get $j)))", true),
        ("(unreachable)", false),
    ] {
        let evil = Attacker::calling(&format!("{burn} {trap}"));
        let home = home("traps", &evil, "[plugins.evil.limits]\nfuel = \"50M\"\n");
        let run = home.kennel(["call", "evil", "attack", "{}"]);
        run.failure().stderr_has("plugin `evil`: trap: ");
        let audit = home.audit();
        let call = audit.iter().find(|line| line["kind"] == "call").unwrap();
        assert_eq!(call["usage"]["fuel"] == 50_000_000, whole, "{trap}: {call}");
    }
}

/// Ten thousand calls cancelled in mid-flight, half of them spinning and half asleep: afterwards the process is what
/// it was, and burns nothing.
#[test]
fn cancelled_calls_leave_nothing_behind() {
    let evil = Attacker::new()
        .tool("spin", "Spins.", r#"{"type":"object"}"#)
        .tool("sleep", "Sleeps.", r#"{"type":"object"}"#)
        .import(CLOCK, "subscribe-duration", "$sleep (param i64) (result i32)")
        .import(POLL, "[method]pollable.block", "$block (param i32)")
        // The second letter tells them apart.
        .call(&format!(
            "(if (i32.eq (i32.load8_u offset=1 (local.get $name)) (i32.const 0x70)) (then {FOREVER}))
             (call $block (call $sleep (i64.const 3000000000000000000)))"
        ));
    let config = "[plugins.evil.limits]\nfuel = \"1000000M\"\ndeadline = \"10m\"\n";
    let home = home("cancel", &evil, config);
    let client = ready(&home);
    let cancel_some = |count: usize| {
        for _ in 0..count / 20 {
            let calls: Vec<_> = (0..20)
                .map(|n| {
                    let tool = ["evil__spin", "evil__sleep"][n % 2];
                    client.send("tools/call", Client::call_params(tool, &json!({})))
                })
                .collect();
            // So that some are in the guest and some still wait.
            client.request("ping", Value::Null).unwrap();
            for call in calls {
                client.cancel(call);
            }
        }
        // Served only when the others have left the plugin's places.
        client.request("ping", Value::Null).unwrap();
    };
    cancel_some(1_000);
    becomes_idle(client.pid(), REST);
    let pid = client.pid();
    let (threads_before, memory_before) = (threads(pid), resident(pid));
    Bystander::beside(&client, || cancel_some(10_000));
    // Not before: the bystander's own calls are work too.
    becomes_idle(client.pid(), REST);
    // Those for blocking work go when they had none for a while; what leaks stays.
    let gone = || threads(pid) <= threads_before + 2;
    (0..300).take_while(|_| !gone()).for_each(|_| std::thread::sleep(Duration::from_millis(100)));
    let (threads_after, memory_after) = (threads(pid), resident(pid));
    assert!(threads_after <= threads_before + 2, "{threads_before} threads became {threads_after}");
    assert!(memory_after < memory_before + (32 << 20), "{memory_before} bytes became {memory_after}");
}

/// A client that hangs up in mid-call: the process goes within its drain, spinning guests and all.
#[test]
fn hanging_up_ends_the_process_and_its_guests() {
    let home = home(
        "hangup",
        &Attacker::calling(FOREVER),
        "[plugins.evil.limits]\nfuel = \"1000000M\"\ndeadline = \"10m\"\n",
    );
    for _ in 0..5 {
        let client = ready(&home);
        client.call("hello__hello", &json!({ "name": "you" }));
        for _ in 0..8 {
            client.send("tools/call", Client::call_params("evil__attack", &json!({})));
        }
        client.request("ping", Value::Null).unwrap();
        client.end_input();
        assert!(client.exit(Duration::from_secs(8)).is_some(), "still there\n{}", client.stderr());
    }
}
