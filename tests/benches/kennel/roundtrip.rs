//! (c), (d) and (g): round trips over a pair of pipes, one after another and many at once.
//! The same client talks to Kennel and to the native servers, in turns.
//! It must not let a server answer less than it was asked: every answer is counted.

use crate::native::Way;
use crate::peer::Peer;
use crate::stats::{Series, show, table};
use crate::{TEXT, world};

const ROUNDS: usize = 60;
const IN_A_ROW: usize = 50;
/// Calls that are open at once.
const BURST: usize = 1000;
const BURSTS: usize = 15;

pub fn run() {
    let home = world::home_with("echo");
    let text = "x".repeat(TEXT);
    let mut serve = home.command();
    serve.arg("serve");
    let mut peers = [
        ("kennel serve, a plugin", "echo__echo", Peer::start(serve)),
        ("native function, Kennel's transport", "echo", Peer::start(Way::Ours.command())),
        ("native function, rmcp's transport", "echo", Peer::start(Way::Theirs.command())),
    ];
    for (_, _, peer) in &mut peers {
        peer.initialize();
        assert_eq!(peer.tools(), 1);
    }
    let letters = ["(c)", "(d)", "(d)"];
    let named = |letter: &str, name: &str| Series::new(format!("{letter} {name}"));
    let mut calls: Vec<_> =
        peers.iter().zip(letters).map(|((name, ..), letter)| named(letter, name)).collect();
    for _ in 0..ROUNDS {
        for ((_, tool, peer), series) in peers.iter_mut().zip(&mut calls) {
            // Not counted: the processes take turns, and the first call finds everything asleep.
            peer.call(tool, &text);
            for _ in 0..IN_A_ROW {
                series.add(peer.call(tool, &text));
            }
        }
    }
    table("(c) (d) a round trip over pipes; ratios to the native function on the same transport", 1, &calls);

    let mut bursts: Vec<_> = peers.iter().map(|(name, ..)| named("(g)", name)).collect();
    for _ in 0..BURSTS {
        for ((_, tool, peer), series) in peers.iter_mut().zip(&mut bursts) {
            series.add(peer.burst(BURST, tool, &text));
        }
    }
    table(&format!("(g) {BURST} calls open at once, until all are answered"), 1, &bursts);
    println!("\n(g) calls a second");
    println!("  {:<58} {:>12} {:>12}", "", "in a row", "at once");
    for ((name, ..), (call, burst)) in peers.iter().zip(calls.iter().zip(&bursts)) {
        let row = 1.0 / call.median().as_secs_f64();
        #[expect(clippy::cast_precision_loss)]
        let at_once = BURST as f64 / burst.median().as_secs_f64();
        println!("  {name:<58} {row:>12.0} {at_once:>12.0}");
    }
    println!("\nend of input when idle, until the process was gone");
    for (name, _, peer) in peers {
        println!("  {name:<58} {:>12}", show(peer.end()));
    }
}
