//! Load and endings over stdio: very many calls, cancellations behind them, the end of input, signals.
//! Every answer is counted; clocks are generous, and the benchmark reports figures.
//! No test may pass because nothing happened: each says how many answers it wants.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::print_stdout, reason = "figures that a person may want to see with --nocapture")]

use std::process::Command;
use std::time::{Duration, Instant};

use kennel_tests::{Client, Flood, Home, modern_meta};
use serde_json::{Value, json};

/// A home with `trial` for its own author, and limits that nothing here runs into.
fn home(name: &str, more: &str) -> Home {
    let home = Home::new(name);
    home.plugin("trial").config(&format!(
        "[plugins.trial]\ntrust = \"dev\"\n{more}\n[plugins.trial.limits]\nfuel = \"1000G\"\ndeadline = \"1h\"\n"
    ));
    home
}

/// How many calls: `KENNEL_CALLS`, or a million.
fn calls() -> u32 {
    let asked = std::env::var("KENNEL_CALLS").ok();
    asked.map_or(1_000_000, |text| text.parse().expect("KENNEL_CALLS is a number"))
}

#[test]
fn a_million_calls_with_ten_thousand_open_are_each_answered_once() {
    let (calls, window) = (calls(), 10_000);
    let home = home("flood", "");
    let flooded = Flood { tool: "trial__echo", calls, window }.run({
        let mut command = home.command();
        command.arg("serve");
        command
    });
    let rate = f64::from(calls) / flooded.took.as_secs_f64();
    println!("{calls} calls in {:.1} s: {rate:.0} a second", flooded.took.as_secs_f64());
    assert_eq!(flooded.odd_count, 0, "{:#?}", flooded.odd);
    assert_eq!((flooded.right, flooded.twice, flooded.unanswered), (calls, 0, 0));
    assert_eq!(flooded.most_open, window.min(calls));
}

/// The places for calls that one client has; more wait in the queue.
const PLACES: usize = 256;

#[test]
fn a_cancellation_passes_ten_thousand_queued_calls() {
    let home = home("cancel-queue", "");
    let client = home.serve();
    client.initialize();
    let spin = json!({"name": "trial__spin", "arguments": {}});
    let echo = json!({"name": "trial__echo", "arguments": {"text": "ok"}});
    // They hold every place for good, so that nothing behind them can ever begin ...
    let spins: Vec<_> = (0..PLACES).map(|_| client.send("tools/call", spin.clone())).collect();
    let echoes: Vec<_> = (0..10_000).map(|_| client.send("tools/call", echo.clone())).collect();
    assert_eq!(client.wait_for(echoes[0], Duration::from_millis(300)), None, "a call began without a place");
    // ... unless a cancellation is heard before its turn. One of the waiting is cancelled as well.
    let (unwanted, wanted) = echoes.split_last().unwrap();
    client.cancel(*unwanted);
    for id in &spins {
        client.cancel(*id);
    }
    for id in wanted {
        let result = client.wait(*id).unwrap();
        assert_eq!(result["content"][0]["text"], "ok", "{result}");
    }
    // What was cancelled gets no answer; a ping that is answered after all of it shows that none is on its way.
    client.request("ping", Value::Null).unwrap();
    for id in spins.iter().chain([unwanted]) {
        assert_eq!(client.wait_for(*id, Duration::ZERO), None, "an answer to the cancelled request {id}");
    }
    assert_eq!(client.strays(), Vec::<Value>::new());
}

#[test]
fn a_ping_and_short_calls_pass_eight_looping_plugins() {
    let home = looping_home("looping");
    let client = home.serve();
    client.initialize();
    let spins = spin_all(&client);
    for _ in 0..20 {
        client.request("ping", Value::Null).unwrap();
        let result = client.call("quiet__echo", &json!({"text": "ok"}));
        assert_eq!(result["content"][0]["text"], "ok", "{result}");
    }
    for id in spins {
        assert_eq!(client.wait_for(id, Duration::ZERO), None, "a loop ended by itself");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_guest_of_a_cancelled_call_is_dead_soon() {
    let home = looping_home("cancel-cpu");
    let client = home.serve();
    client.initialize();
    let used = || kennel_tests::cpu_time(client.pid()).expect("the server runs");
    let spins = spin_all(&client);
    let start = used();
    let patience = Instant::now() + Duration::from_secs(60);
    while used() < start + Duration::from_millis(300) {
        assert!(Instant::now() < patience, "the loops use no processor time: nothing to see here");
        std::thread::sleep(Duration::from_millis(10));
    }
    for id in spins {
        client.cancel(id);
    }
    // Generous for a busy machine. A guest that went on would use all the time it gets.
    let patience = Instant::now() + Duration::from_secs(5);
    loop {
        let before = used();
        std::thread::sleep(Duration::from_millis(500));
        if used() - before <= Duration::from_millis(20) {
            break;
        }
        assert!(Instant::now() < patience, "the server computes on after all calls were cancelled");
    }
}

#[test]
fn without_a_call_the_end_of_input_is_the_end() {
    for ending in Ending::ALL {
        let home = home("end-idle", "");
        let client = home.serve();
        client.initialize();
        client.call("trial__echo", &json!({"text": "ok"}));
        let took = ending.end(&client);
        assert!(took < Duration::from_secs(2), "{ending:?}: gone after {took:?}");
    }
}

#[test]
fn at_the_end_what_completes_within_the_drain_is_answered() {
    for ending in Ending::ALL {
        let home = looping_home("end-busy");
        let client = home.serve();
        client.initialize();
        let spins = spin_all(&client);
        let sleep =
            |ms: u64| client.send("tools/call", json!({"name": "quiet__sleep", "arguments": {"ms": ms}}));
        let (short, long) = (sleep(250), sleep(600_000));
        // They have begun when a call after them is answered: a client's requests begin in their order.
        client.call("quiet__echo", &json!({"text": "ok"}));
        let took = ending.end(&client);
        let result = client.wait(short).unwrap();
        assert_eq!(result["content"][0]["text"], "slept 250 ms", "{ending:?}: {result}");
        for id in spins.into_iter().chain([long]) {
            let reply = client.wait_for(id, Duration::ZERO);
            assert!(!matches!(reply, Some(Ok(_))), "{ending:?}: a call without end has a result: {reply:?}");
        }
        assert!(took < Duration::from_secs(5), "{ending:?}: gone after {took:?}");
    }
}

#[test]
fn requests_piped_into_it_are_answered_before_it_goes() {
    let home = home("piped", "");
    // The first time, the plugin is not compiled yet when the input ends.
    for _ in 0..2 {
        let request = |id: u32, method: &str, mut params: Value| {
            params["_meta"] = modern_meta();
            format!("{}\n", json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
        };
        let mut input = request(1, "tools/list", json!({}));
        for id in 2..100 {
            let params = json!({"name": "trial__echo", "arguments": {"text": id.to_string()}});
            input.push_str(&request(id, "tools/call", params));
        }
        // The last line need not end.
        let run = home.kennel_with_input(["serve"], input.trim_end().as_bytes());
        run.success();
        let mut answers: Vec<Value> =
            run.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        answers.sort_by_key(|answer| answer["id"].as_u64());
        let ids: Vec<_> = answers.iter().filter_map(|answer| answer["id"].as_u64()).collect();
        assert_eq!(ids, (1..100).collect::<Vec<_>>(), "{run}");
        assert!(answers[0]["result"]["tools"].as_array().is_some_and(|tools| !tools.is_empty()), "{run}");
        for answer in &answers[1..] {
            assert_eq!(answer["result"]["content"][0]["text"], answer["id"].to_string(), "{answer}");
        }
    }
}

/// How a client ends a server.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Input,
    Terminate,
}

impl Ending {
    const ALL: [Self; 2] = [Self::Input, Self::Terminate];

    /// Ends it and says how long that took.
    fn end(self, client: &Client) -> Duration {
        let start = Instant::now();
        match self {
            Self::Input => client.end_input(),
            Self::Terminate => {
                let status = Command::new("kill").args(["-TERM", &client.pid().to_string()]).status();
                assert!(status.expect("`kill` is there").success());
            }
        }
        let status = client.exit(Duration::from_secs(60)).expect("the server ends");
        assert!(status.success(), "{self:?}: {status}\n{}", client.stderr());
        start.elapsed()
    }
}

/// Eight names for `trial` to loop under, and one to stay quiet under.
fn looping_home(name: &str) -> Home {
    let home = Home::new(name);
    let names = (0..8).map(|number| format!("loop{number}")).chain(["quiet".to_owned()]);
    let config = names.map(|name| {
        format!(
            "[plugins.{name}]\nfile = \"trial.wasm\"\ntrust = \"dev\"\n\
             limits = {{ fuel = \"1000G\", deadline = \"1h\" }}\n"
        )
    });
    home.plugin("trial").config(&config.collect::<String>());
    home
}

fn spin_all(client: &Client) -> Vec<u64> {
    (0..8)
        .map(|number| {
            client.send("tools/call", json!({"name": format!("loop{number}__spin"), "arguments": {}}))
        })
        .collect()
}
