//! Hostile rows 1, 6 and 7 at once: eight plugins that spin, two that eat memory and one that floods the log, all without
//! a pause, beside one good plugin. What the good one's callers wait is held against what they wait when all is quiet, in
//! the same run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kennel_tests::process::{becomes_idle, resident};
use kennel_tests::{Attacker, Client, Home};
use serde_json::{Value, json};

/// Calls measured in quiet, and beside the attackers.
const CALLS: usize = 1_000;
/// A machine that others use too may spoil a round; the promise is one for the host, not for its neighbours. It has to hold in
/// most of them.
const ROUNDS: usize = 3;
/// The promise: so many times the quiet p99 at most.
const FACTOR: u32 = 5;

/// The time within which 99 of 100 calls of the good plugin are answered.
fn p99(client: &Client) -> Duration {
    let mut waits: Vec<Duration> = (0..CALLS)
        .map(|_| {
            let start = Instant::now();
            let result = client.call("hello__hello", &json!({ "name": "you" }));
            assert_eq!(result["content"][0]["text"], "Hello, you!", "{result}");
            start.elapsed()
        })
        .collect();
    waits.sort_unstable();
    waits[CALLS * 99 / 100]
}

#[test]
fn a_good_plugin_beside_eleven_bad_ones() {
    const SPINNERS: usize = 8;
    let spin = Attacker::calling("(loop $forever (br $forever))");
    let eat = Attacker::calling(
        "(loop $more
           (local.set $i (memory.grow (i32.const 1)))
           (if (i32.eq (local.get $i) (i32.const -1)) (then (unreachable)))
           (i32.store (i32.mul (local.get $i) (i32.const 65536)) (i32.const -1))
           (br $more))",
    );
    let flood = Attacker::new()
        .import("kennel:plugin/host@0.1.0", "log", "$log (param i32 i32 i32 i32 i32 i32)")
        .call(
            r#"(memory.fill (i32.const 65536) (i32.const 0x61) (i32.const 1000))
               (i32.store8 (i32.const 65536) (i32.const 0x22))
               (i32.store8 (i32.const 66535) (i32.const 0x22))
               (loop $line
                 (call $log (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 1000))
                 (br $line))"#,
        );
    let home = Home::new("crowd");
    home.plugin("hello");
    let mut config = String::new();
    let mut bad = Vec::new();
    let mut add = |name: String, evil: &Attacker, limits: &str| {
        home.bytes(&name, &evil.build());
        config += &format!("[plugins.{name}.limits]\n{limits}\n");
        bad.push(format!("{name}__attack"));
    };
    for number in 0..SPINNERS {
        add(format!("spin{number}"), &spin, "fuel = \"1000000M\"\ndeadline = \"2s\"");
    }
    add("eat0".into(), &eat, "memory = \"64MiB\"");
    add("eat1".into(), &eat, "memory = \"64MiB\"");
    add("flood".into(), &flood, "deadline = \"2s\"");
    home.config(&config).approve();
    let client = home.serve();
    client.initialize();
    client.request("logging/setLevel", json!({ "level": "info" })).unwrap();

    // Everything that is made once is made now: code, pools, threads.
    for tool in &bad {
        client.refused(tool, &json!({}));
    }
    p99(&client);
    settle(&client);
    let before = resident(client.pid());

    let (mut tried, mut held) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        let quiet = p99(&client);
        let (loud, attacks) = beside(&client, &bad);
        assert!(attacks > 0, "nobody attacked");
        tried.push(format!("quiet {quiet:?}, beside {attacks} attacks {loud:?}"));
        settle(&client);
        held += usize::from(loud <= quiet * FACTOR);
        if held * 2 > ROUNDS {
            let grown = resident(client.pid()).saturating_sub(before);
            assert!(grown < 64 << 20, "the host grew by {grown} bytes");
            println!("{}", tried.join("; "));
            return;
        }
    }
    panic!("the good plugin waits more than {FACTOR} times as long, in most of {ROUNDS} rounds: {tried:?}");
}

/// The good plugin's p99 while each bad one attacks again and again, and how many attacks ended meanwhile.
fn beside(client: &Client, bad: &[String]) -> (Duration, u64) {
    let (over, attacks) = (AtomicBool::new(false), AtomicU64::new(0));
    let loud = std::thread::scope(|scope| {
        for tool in bad {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    client.refused(tool, &json!({}));
                    attacks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // All of them have left the fast lane.
        std::thread::sleep(Duration::from_millis(500));
        let loud = p99(client);
        over.store(true, Ordering::Relaxed);
        loud
    });
    (loud, attacks.load(Ordering::Relaxed))
}

/// Waits until the process is idle.
#[track_caller]
fn settle(client: &Client) {
    becomes_idle(client.pid(), Duration::from_secs(10));
    client.request("ping", Value::Null).unwrap();
}
