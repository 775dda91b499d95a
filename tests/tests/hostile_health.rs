//! Hostile row 5 and its neighbours: plugins that trap again and again, callers that want everything for themselves.
//! Each is held back while others are served; no test hopes for a time.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kennel_tests::{Attacker, Bystander, Client, Home, modern_request, refusal, words};
use serde_json::json;

const BURN: &str = "(local.set $i (i32.const 3000000))
    (loop $burn (local.set $i (i32.sub (local.get $i) (i32.const 1))) (br_if $burn (local.get $i)))";
const TRAP: &str = "(drop (i32.load (i32.const -8)))";

fn call(client: &Client) -> String {
    words(&client.call("evil__attack", &json!({})))
}

/// Calls until the plugin sits out, and gives how many calls trapped before.
#[track_caller]
fn trap_until_out(client: &Client, expected: &str) -> usize {
    let end = Instant::now() + Duration::from_secs(60);
    let mut traps = 0;
    loop {
        let said = call(client);
        if said.contains("and sits out for") {
            assert_eq!(said, expected);
            return traps;
        }
        assert!(said.contains("trap: out of bounds"), "{said}");
        traps += 1;
        assert!(Instant::now() < end, "{traps} traps and it goes on");
    }
}

/// Waits until it may be called again, which each time out ends by itself.
#[track_caller]
fn until_called(client: &Client) {
    let end = Instant::now() + Duration::from_secs(60);
    while call(client).contains("and sits out for") {
        assert!(Instant::now() < end, "it sits out for ever");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn out_for(seconds: u32) -> String {
    format!("plugin `evil`: busy: it trapped 5 times in 10 s and sits out for {seconds} s; try again then")
}

/// Row 5. It burns, it traps, it is charged the whole budget and sits out, longer each time, until a person says otherwise.
#[test]
fn who_traps_again_and_again_sits_out() {
    let home = Home::new("traps");
    let evil = Attacker::calling(&format!("{BURN}{TRAP}"));
    home.plugin("hello").bytes("evil", &evil.build()).config("[plugins.evil.limits]\nfuel = \"77M\"\n");
    home.approve();
    let client = home.serve();
    client.initialize();
    Bystander::beside(&client, || {
        assert_eq!(trap_until_out(&client, &out_for(1)), 5);
        until_called(&client);
        // The call that ended the waiting trapped as well.
        assert_eq!(trap_until_out(&client, &out_for(2)), 4);
        until_called(&client);
        assert_eq!(trap_until_out(&client, &out_for(4)), 4);
    });
    // Told once each time, not with every call.
    let log = client.logged("sits out for 4 s");
    for seconds in [1, 2, 4] {
        assert_eq!(log.matches(&format!("sits out for {seconds} s")).count(), 1, "{log}");
    }
    assert!(log.contains("kennel approve evil"), "{log}");
    // What each trap hid is charged in full.
    let end = Instant::now() + Duration::from_secs(60);
    let charged = loop {
        let mut audit = home.audit();
        audit.retain(|line| line["outcome"].as_str().is_some_and(|outcome| outcome.contains("trap")));
        // A thread of its own writes it.
        if audit.len() >= 15 || Instant::now() > end {
            break audit;
        }
    };
    assert!(
        charged.len() >= 15 && charged.iter().all(|line| line["usage"]["fuel"] == 77_000_000),
        "{} of 15: {charged:?}",
        charged.len()
    );

    // A person who approves it again starts it anew: it would be eight seconds otherwise, and sixteen then.
    home.kennel(["approve", "evil"]).success();
    let end = Instant::now() + Duration::from_secs(60);
    while call(&client) != out_for(1) {
        assert!(Instant::now() < end, "it is not lifted:\n{}", client.stderr());
    }
}

/// An honest plugin that panics, says so and is not made to sit out for a handful.
#[test]
fn a_handful_of_panics_is_no_reason() {
    let home = Home::new("panics");
    home.plugin("trial");
    let client = home.serve();
    client.initialize();
    for _ in 0..20 {
        let text = client.refused("trial__panic", &json!({ "message": "no" }));
        assert!(text.contains("panicked"), "{text}");
    }
}

/// One caller's hundreds do not starve another's one.
#[test]
fn callers_of_one_plugin_take_turns() {
    const GREEDY: usize = 60;
    let home = Home::new("turns");
    let burn = BURN.replace("3000000", "100000000");
    home.bytes("evil", &Attacker::calling(&burn).build());
    home.config("[plugins.evil.limits]\nconcurrency = 1\nfuel = \"900M\"\ndeadline = \"2m\"\n").approve();
    let tokens = [format!("{:032}", 1), format!("{:032}", 2)];
    let file = home.folder("secrets").join("tokens");
    std::fs::write(&file, tokens.join("\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let server = home.serve_http(&["--token-file", file.to_str().unwrap()]);
    server.wait_ready();
    let call = |token: &str| {
        let params = Client::call_params("evil__attack", &json!({}));
        let request = modern_request(&json!(1), "tools/call", params);
        // What waits for long comes as a stream.
        let answer = server.send(&request.header("Authorization", &format!("Bearer {token}"))).text();
        assert!(answer.contains("\"survived\""), "{answer}");
    };
    let (answered, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..GREEDY {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    call(&tokens[0]);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let over = Instant::now() + Duration::from_secs(100);
        while answered.load(Ordering::Relaxed) == 0 {
            assert!(Instant::now() < over, "no call is answered");
            std::thread::sleep(Duration::from_millis(5));
        }
        for _ in 0..3 {
            let before = answered.load(Ordering::Relaxed);
            call(&tokens[1]);
            let passed = answered.load(Ordering::Relaxed) - before;
            // One that runs and one whose turn it is, give or take what the threads see late; in a single queue it
            // would be all of them.
            assert!(passed < GREEDY / 4, "{passed} calls of the greedy one came first");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn rates_are_kept_and_said() {
    let home = Home::new("rates");
    home.bytes("evil", &Attacker::new().build());
    home.config("[plugins.evil.limits]\nrate = 3\n").approve();
    let client = home.serve();
    client.initialize();
    for _ in 0..3 {
        assert_eq!(call(&client), "survived");
    }
    let text = refusal(&client.call("evil__attack", &json!({})));
    let begin = "plugin `evil`: busy: more calls in a minute than `limits.rate` in kennel.toml allows it; try again in ";
    assert!(text.starts_with(begin), "{text}");
}
