//! (e): from starting the process to its first answer, and to the full list of tools.
//! With 1, 10 and 50 plugins whose compiled code is in the cache.
//! It must not count compilation: that is paid once per plugin and machine.

use std::time::Instant;

use crate::memory::{Copies, TOOLS};
use crate::native::Way;
use crate::peer::Peer;
use crate::stats::{Series, table};

const ROUNDS: usize = 15;

pub fn run(copies: &Copies) {
    let counts = [1, 10, 50];
    let mut first: Vec<_> =
        counts.iter().map(|count| Series::new(format!("(e) kennel serve, {count} plugins"))).collect();
    let mut full = Vec::new();
    for count in counts {
        full.push(Series::new(format!("(e) kennel serve, {count} plugins")));
    }
    for list in [&mut first, &mut full] {
        list.push(Series::new("(d) native function, Kennel's transport"));
        list.push(Series::new("(d) native function, rmcp's transport"));
    }
    for _ in 0..ROUNDS {
        for at in 0..first.len() {
            let (command, tools) = match counts.get(at) {
                Some(count) => (copies.serve(*count), *count * TOOLS),
                None => ([Way::Ours, Way::Theirs][at - counts.len()].command(), 1),
            };
            let start = Instant::now();
            let mut peer = Peer::start(command);
            peer.initialize();
            first[at].add(start.elapsed());
            assert_eq!(peer.tools(), tools);
            full[at].add(start.elapsed());
            peer.end();
        }
    }
    table("(e) start to the first answer (initialize); ratios to the native server", counts.len(), &first);
    table("(e) start to the full list of tools", counts.len(), &full);
}
