//! Published servers and the plugins that stand in for them, side by side in one run: a table for the README, as Markdown on
//! standard output. Each row is an entry of `servers.toml`.
//! It must not let one side have what the other has not: same files, same call, in turns.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

mod server;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use kennel_tests::network::{self, in_own_network_again};
use kennel_tests::{Client, process};
use serde_json::{Value, json};

use crate::server::{Prepared, Server};

/// Starts of each side, in turns.
const STARTS: usize = 7;
/// Calls of each side, in turns, after as many as a tenth that are not counted.
const CALLS: usize = 200;
/// A row is called no longer than this, but for a fifth of the calls.
const CALLING: Duration = Duration::from_secs(60);
/// After this nothing of the start is still going on.
const SETTLED: Duration = Duration::from_secs(1);

/// What one side showed.
#[derive(Default)]
struct Side {
    starts: Vec<Duration>,
    resident: Vec<u64>,
    calls: Vec<Duration>,
}

fn median<T: Copy + Ord>(samples: &[T]) -> Option<T> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

impl Side {
    /// Starts it, to the answer to `initialize`.
    fn start(&mut self, command: Command) -> Client {
        let begun = Instant::now();
        let client = Client::start(command);
        client.initialize();
        self.starts.push(begun.elapsed());
        client
    }

    /// What it has in memory when its tools are listed and nothing is asked any more.
    fn rest(&mut self, client: &Client) {
        client.request("tools/list", json!({})).expect("the tools are listed");
        std::thread::sleep(SETTLED);
        self.resident.push(process::resident(client.pid()));
    }

    fn call(&mut self, client: &Client, params: &Value) {
        let begun = Instant::now();
        let answer = client.request("tools/call", params.clone());
        self.calls.push(begun.elapsed());
        let works = answer.as_ref().is_ok_and(|result| result["isError"] != true);
        assert!(works, "a typical call is one that works: {answer:?}\n{}", client.stderr());
    }
}

/// Measures one row: the original, the plugin.
fn measure(prepared: &Prepared<'_>) -> [Side; 2] {
    let mut sides = [Side::default(), Side::default()];
    for round in 0..STARTS {
        let clients = [0, 1].map(|which| sides[which].start(prepared.command(which)));
        if round + 1 < STARTS {
            continue;
        }
        for (side, client) in sides.iter_mut().zip(&clients) {
            side.rest(client);
        }
        let Some(params) = prepared.call() else { continue };
        let begun = Instant::now();
        for turn in 0..CALLS + CALLS / 10 {
            if begun.elapsed() > CALLING && turn > CALLS / 5 {
                break;
            }
            std::thread::sleep(prepared.pause());
            for (side, client) in sides.iter_mut().zip(&clients) {
                side.call(client, &params);
                if turn < CALLS / 10 {
                    side.calls.clear();
                }
            }
        }
    }
    sides
}

fn mib(bytes: Option<u64>) -> String {
    bytes.map_or("–".to_owned(), |bytes| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20)))
}

fn time(duration: Option<Duration>) -> String {
    match duration.map(|duration| duration.as_secs_f64() * 1e3) {
        None => "–".to_owned(),
        Some(millis) if millis >= 10.0 => format!("{millis:.0} ms"),
        Some(millis) if millis >= 1.0 => format!("{millis:.1} ms"),
        Some(millis) => format!("{millis:.2} ms"),
    }
}

/// Measures and prints one row. False when the plugin does not win memory and start.
fn row(server: &Server) -> bool {
    let prepared = Prepared::new(server);
    let [theirs, ours] = measure(&prepared);
    let memory = [&theirs, &ours].map(|side| median(&side.resident));
    let start = [&theirs, &ours].map(|side| median(&side.starts));
    let call = [&theirs, &ours].map(|side| median(&side.calls));
    println!(
        "| `{}`, {} | {} | **{}** | {} | **{}** | {} | {} | {} |",
        server.plugin,
        server.original(),
        mib(memory[0]),
        mib(memory[1]),
        time(start[0]),
        time(start[1]),
        time(call[0]),
        time(call[1]),
        prepared.rights(),
    );
    memory[1] < memory[0] && start[1] < start[0]
}

/// The same in a network of its own, where the services of the internet are this machine.
fn row_in_own_network(server: &Server) -> bool {
    let Some(mut again) = in_own_network_again() else { return false };
    again.arg(&server.plugin).status().is_ok_and(|done| done.success())
}

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`; anything else chooses rows by the plugin's name.
    let only: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let servers = Server::all();
    let chosen = servers.iter().filter(|server| only.is_empty() || only.contains(&server.plugin));
    if !network::inside() {
        println!(
            "| plugin, for | memory, idle | plugin | start | plugin | a call | plugin | the plugin holds |"
        );
        println!("|---|---|---|---|---|---|---|---|");
    }
    let mut lost = Vec::new();
    for server in chosen {
        let elsewhere = server.asks_the_internet() && !network::inside();
        if !(if elsewhere { row_in_own_network(server) } else { row(server) }) {
            lost.push(server.plugin.as_str());
        }
    }
    if lost.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("not measured, or memory or start is not better: {}", lost.join(", "));
    ExitCode::FAILURE
}
