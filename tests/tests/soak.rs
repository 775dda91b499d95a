//! The long run: random hostile and good plugins under random grants, files that are swapped and spoilt, clients of both
//! transports that call, cancel and hang up at random. Afterwards everything is as it was: no panic, and no thread,
//! descriptor or memory more than before. `cargo xtask soak --minutes N` runs it alone for as long as one wants.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kennel_tests::process::{becomes_idle, descriptors, resident, threads};
use kennel_tests::{Attacker, Client, Home, HttpConnection, HttpServer, Trial, modern_request, words};
use serde_json::{Value, json};

const CLOCK: &str = "wasi:clocks/monotonic-clock@0.2.0";
const POLL: &str = "wasi:io/poll@0.2.0";
/// A call that nobody cancels is answered by then: each budget is far below.
const ANSWER: Duration = Duration::from_secs(60);
/// What a process may have grown by: less than two calls' memory, and far less than any leak of ten thousand calls.
const SLACK: u64 = 64 << 20;

/// Numbers that look random, the same for the same seed (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn new(seed: u64, lane: u64) -> Self {
        Self((seed ^ (lane + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// The bad ones, by name.
fn attackers() -> Vec<(&'static str, Attacker)> {
    let sleep = |attacker: Attacker| {
        attacker.import(CLOCK, "subscribe-duration", "$sleep (param i64) (result i32)").import(
            POLL,
            "[method]pollable.block",
            "$block (param i32)",
        )
    };
    vec![
        ("spin", Attacker::calling("(loop $forever (br $forever))")),
        ("sleep", sleep(Attacker::calling("(call $block (call $sleep (i64.const 3000000000000000000)))"))),
        (
            "eat",
            Attacker::calling(
                "(loop $more
                   (local.set $i (memory.grow (i32.const 16)))
                   (if (i32.eq (local.get $i) (i32.const -1)) (then (unreachable)))
                   (i32.store (i32.mul (local.get $i) (i32.const 65536)) (i32.const -1))
                   (br $more))",
            ),
        ),
        ("trap", Attacker::calling("(drop (i32.load (i32.const 0x7fff0000)))")),
        (
            "deep",
            Attacker::calling("(drop (call $deeper (i32.const 0)))").items(
                "(func $deeper (param i32) (result i32) (i32.add (call $deeper (local.get 0)) (i32.const 1)))",
            ),
        ),
        (
            "hoard",
            Attacker::calling("(loop $again (drop (call $sleep (i64.const 1))) (br $again))").import(
                CLOCK,
                "subscribe-duration",
                "$sleep (param i64) (result i32)",
            ),
        ),
        (
            "flood",
            Attacker::new()
                .import("kennel:plugin/host@0.1.0", "log", "$log (param i32 i32 i32 i32 i32 i32)")
                .call(
                    r#"(loop $line
                         (call $log (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 0))
                         (br $line))"#,
                ),
        ),
    ]
}

/// What is written into `kennel.toml` at one moment. The same plugins always, under other grants.
fn config(home: &Home, dice: &mut Dice) -> String {
    let mut text = String::from("[plugins.trial]\ntrust = \"dev\"\n");
    for (name, _) in attackers() {
        let deadline = 100 + dice.below(900);
        let _ = writeln!(
            text,
            "[plugins.{name}.limits]\nfuel = \"{}M\"\ndeadline = \"{deadline}ms\"\nmemory = \"{}MiB\"\nconcurrency = {}",
            10 + dice.below(2_000),
            4 + dice.below(28),
            1 + dice.below(8),
        );
    }
    text += "[plugins.attacker]\n";
    if dice.below(2) == 0 {
        text += "state = { quota = \"64KiB\" }\n";
    }
    match dice.below(3) {
        0 => {}
        mode => {
            let mode = ["read-only", "read-write"][mode as usize - 1];
            let folder = Value::from(home.folder("granted").to_str().unwrap());
            let _ = writeln!(
                text,
                "[[plugins.attacker.directories]]\npath = {folder}\nas = \"/granted\"\nmode = \"{mode}\"\nquota = {{ bytes = \"64KiB\", files = 20 }}"
            );
        }
    }
    text
}

/// One random thing that a client asks for.
fn request(dice: &mut Dice) -> (&'static str, Value) {
    let call = |tool: &str, arguments: Value| ("tools/call", Client::call_params(tool, &arguments));
    match dice.below(12) {
        0 => ("tools/list", json!({})),
        1 => ("prompts/list", json!({})),
        2 => ("resources/list", json!({})),
        3 => call("hello__hello", json!({ "name": "soak" })),
        4 => call("trial__version", json!({})),
        5 => call("attacker__surroundings", json!({})),
        6 => {
            let path = *dice.one(&["inner", "../x", "/etc/passwd", "a"]);
            let steps = json!([
                { "try": "fill", "path": path, "files": 30, "bytes": 5_000 },
                { "try": "read", "path": path },
                { "try": "unlink", "path": path },
            ]);
            call("attacker__files", json!({ "steps": steps }))
        }
        7 => {
            let steps = json!([{ "try": "set", "key": "k", "text": "v" }, { "try": "get", "key": "k" }]);
            call("attacker__keep", json!({ "steps": steps }))
        }
        8 => {
            call("attacker__print", json!({ "stdout": "x".repeat(3_000), "stderr": "\u{1b}[2J", "times": 3 }))
        }
        _ => {
            let (name, _) = dice.one(&attackers()).clone();
            call(&format!("{name}__attack"), json!({}))
        }
    }
}

/// What both sides know.
struct World<'a> {
    over: &'a AtomicBool,
    asked: &'a AtomicU64,
    cancelled: &'a AtomicU64,
}

impl World<'_> {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }
}

/// A user over standard input and output, beside others on the same pipe.
fn over_stdio(world: &World<'_>, client: &Client, dice: &mut Dice) {
    while world.goes_on() {
        let (method, params) = request(dice);
        let id = client.send(method, params);
        world.asked.fetch_add(1, Ordering::Relaxed);
        if dice.below(4) == 0 {
            std::thread::sleep(Duration::from_micros(dice.below(20_000)));
            client.cancel(id);
            world.cancelled.fetch_add(1, Ordering::Relaxed);
            // Its answer may have been on the way.
            client.wait_for(id, Duration::ZERO);
        } else {
            assert!(client.wait_for(id, ANSWER).is_some(), "no answer to {method}\n{}", client.stderr());
        }
        client.forget_notifications();
    }
}

/// A user over HTTP, who sometimes hangs up, and sometimes opens a session and leaves it.
fn over_http(world: &World<'_>, server: &HttpServer, dice: &mut Dice) {
    let mut number = 0;
    while world.goes_on() {
        number += 1;
        let (method, params) = request(dice);
        world.asked.fetch_add(1, Ordering::Relaxed);
        let message = modern_request(&json!(number), method, params);
        let Ok(mut connection) = HttpConnection::new(server.address()) else { continue };
        match dice.below(8) {
            0 | 1 => {
                // Hangs up in the middle.
                let _ = connection.begin(&message);
                std::thread::sleep(Duration::from_micros(dice.below(20_000)));
                world.cancelled.fetch_add(1, Ordering::Relaxed);
            }
            2 => drop(server.session()),
            _ => {
                let answer = connection.send(&message);
                assert!(answer.status < 500, "{} to {method}\n{}", answer.status, server.stderr());
            }
        }
    }
}

/// Somebody at the machine: swaps files, spoils them, grants and takes back.
fn at_the_machine(world: &World<'_>, home: &Home, dice: &mut Dice) -> u64 {
    let mut done = 0;
    while world.goes_on() {
        match dice.below(7) {
            0 => drop(home.config(&config(home, dice))),
            1 => drop(home.bytes("trial", Trial::new().version(&format!("v{}", done % 1000)).bytes())),
            2 => {
                let _ = std::fs::remove_file(home.plugin_path("spin"));
            }
            3 => drop(home.bytes("spin", &attackers()[0].1.build())),
            4 => drop(home.bytes("rubbish", &vec![dice.below(256) as u8; dice.below(5_000) as usize])),
            5 => {
                let text = format!("[plugins.trial]\nunknown = {done}\n");
                home.config(&text);
            }
            _ => drop(home.kennel(["approve", "--all"])),
        }
        done += 1;
        std::thread::sleep(Duration::from_millis(100 + dice.below(700)));
    }
    done
}

/// What a process holds when nothing goes on in it.
#[derive(Clone, Copy, Debug)]
struct Held {
    threads: u64,
    descriptors: u64,
    memory: u64,
}

/// Waits until a process is idle.
#[track_caller]
fn held(pid: u32) -> Held {
    // Threads for blocking work are given up after ten seconds without any.
    std::thread::sleep(Duration::from_secs(12));
    becomes_idle(pid, Duration::from_secs(60));
    Held { threads: threads(pid), descriptors: descriptors(pid), memory: resident(pid) }
}

/// Lets everybody do what they like for so long.
fn storm(home: &Home, client: &Client, server: &HttpServer, seed: u64, time: Duration) -> String {
    let (over, asked, cancelled) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let world = World { over: &over, asked: &asked, cancelled: &cancelled };
    /// Ends the others when one of them fails.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let changes = std::thread::scope(|scope| {
        let _over = Over(&over);
        let world = &world;
        let mut users = Vec::new();
        for lane in 0..3 {
            users.push(scope.spawn(move || {
                let _over = Over(world.over);
                over_stdio(world, client, &mut Dice::new(seed, lane));
            }));
            users.push(scope.spawn(move || {
                let _over = Over(world.over);
                over_http(world, server, &mut Dice::new(seed, 100 + lane));
            }));
        }
        let person = scope.spawn(move || at_the_machine(world, home, &mut Dice::new(seed, 1_000)));
        let end = Instant::now() + time;
        while Instant::now() < end && world.goes_on() {
            std::thread::sleep(Duration::from_millis(100));
        }
        over.store(true, Ordering::Relaxed);
        for user in users {
            user.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        person.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    format!(
        "{} requests, {} cancelled or hung up on, {changes} changes of files and grants",
        asked.into_inner(),
        cancelled.into_inner()
    )
}

#[test]
fn everything_is_as_before_after_the_storm() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let minutes = number("KENNEL_SOAK_MINUTES").unwrap_or(1).max(1);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let seed = number("KENNEL_SOAK_SEED").unwrap_or(now);
    println!("{minutes} minutes; the same again with KENNEL_SOAK_SEED={seed}");

    let home = Home::new("soak");
    home.folder("granted");
    home.plugin("hello").plugin("trial").hostile_as("attacker", "attacker");
    for (name, attacker) in attackers() {
        home.bytes(name, &attacker.build());
    }
    let calm = config(&home, &mut Dice::new(7, 7));
    home.config(&calm).approve();
    let restore = || {
        home.bytes("spin", &attackers()[0].1.build()).config(&calm);
        home.bytes("trial", Trial::new().bytes());
        let _ = std::fs::remove_file(home.plugin_path("rubbish"));
        home.approve();
    };
    let client = home.serve();
    client.initialize();
    // Idle sessions are closed soon, so that those left open are no leak.
    let server = home.serve_http(&["--session-idle", "5s"]);
    server.wait_ready();
    let pids = [client.pid(), server.pid()];

    // Everything that is made once and kept is made in the first storm: code, pools, threads, connections.
    let whole = Duration::from_secs(60 * minutes);
    println!("warming up: {}", storm(&home, &client, &server, seed, whole / 4));
    restore();
    let before = pids.map(held);
    println!("the storm: {}", storm(&home, &client, &server, seed.wrapping_add(1), whole * 3 / 4));
    restore();
    let after = pids.map(held);
    println!("stdio: {:?}, then {:?}\nHTTP: {:?}, then {:?}", before[0], after[0], before[1], after[1]);

    let panics = [client.panics(), server.panics()].concat();
    assert!(panics.is_empty(), "the host panicked:\n{}", panics.join("\n"));
    for (before, after) in before.iter().zip(&after) {
        assert!(after.threads <= before.threads + 4, "threads leak: {before:?}, then {after:?}");
        assert!(after.descriptors <= before.descriptors + 16, "descriptors leak: {before:?}, then {after:?}");
        assert!(after.memory <= before.memory + SLACK, "memory leaks: {before:?}, then {after:?}");
    }
    // And both serve as on the first day.
    assert_eq!(words(&client.call("hello__hello", &json!({ "name": "you" }))), "Hello, you!");
    let params = Client::call_params("hello__hello", &json!({ "name": "you" }));
    let answer = server.modern(&json!("last"), "tools/call", params).answer();
    assert_eq!(words(&answer["result"]), "Hello, you!");
}
