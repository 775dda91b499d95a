//! The benchmarks: what a call costs, beside what it would cost with less around it, in one run.
//! `cargo xtask bench` builds what they need; letters as arguments choose sections (`cargo xtask bench a f`).
//! They must not judge: machines differ, so they print figures and ratios, and no figure fails them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub, missing_docs)]

mod floor;
mod fuel;
mod memory;
mod native;
mod peer;
mod process;
mod roundtrip;
mod start;
mod stats;
mod world;

use std::process::ExitCode;

/// Bytes of text that a call takes and gives back.
const TEXT: usize = 1024;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--bench")).collect();
    if let Some(way) = args.first().and_then(|arg| native::Way::of_argument(arg)) {
        return native::serve(way);
    }
    println!("{} cores, {} bytes of text in and out", cores(), TEXT);
    let wanted = |letters: &str| {
        args.is_empty() || args.iter().any(|arg| arg.chars().any(|letter| letters.contains(letter)))
    };
    if wanted("ab") {
        process::run();
        process::cancelled();
    }
    if wanted("cdg") {
        roundtrip::run();
    }
    if wanted("ef") {
        let copies = memory::Copies::new();
        if wanted("e") {
            start::run(&copies);
        }
        if wanted("f") {
            memory::run(&copies);
        }
    }
    if wanted("h") {
        fuel::run();
    }
    ExitCode::SUCCESS
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
