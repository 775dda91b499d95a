//! `cargo xtask`: builds the plugins, shows the demo, runs every test, on a machine that has only Rust (and, for
//! the tests, Node and Python). Everything it sets up lies under `target/`.
//! It must not install anything system-wide, and no other crate may depend on it.

#![allow(clippy::print_stdout, reason = "a command-line tool prints")]

mod bench;
mod chromium;
mod clients;
mod compare;
mod conformance;
mod demo;
mod fuzz;
mod guards;
mod hostile;
mod lint;
mod plugins;
mod test;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Kennel's own tasks", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and show the main job on one screen.
    Demo,
    /// Build everything, install the test clients under target/, and run every check and test.
    Test {
        /// Passed on to the test runner, for example a test's name.
        args: Vec<String>,
    },
    /// Build the plugins to target/plugins/NAME.wasm.
    Plugins,
    /// Build the attackers of the hostile tests to target/hostile/NAME.wasm.
    Attackers,
    /// Run the attackers' tests alone, and print a table of them.
    Hostile {
        /// Passed on to the test runner, for example a test's name.
        args: Vec<String>,
    },
    /// Switch each guard off in turn, and fail if a test of it stays green.
    MutateGuards {
        /// Only guards with one of these in their names.
        names: Vec<String>,
    },
    /// Run random hostile and good plugins under random clients, then see that nothing leaked.
    Soak {
        /// For so long.
        #[arg(long, default_value_t = 5)]
        minutes: u64,
    },
    /// Install the clients and reference servers of the tests under target/clients.
    Clients,
    /// Run the protocol's conformance suite, every scenario of three revisions, against the plugin `everything`.
    Conformance,
    /// Fuzz the parsers of what comes from outside, and say how much of the code that reached.
    Fuzz {
        /// For each target; 0 would be for ever.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
        minutes: u64,
        /// Names of files in fuzz/targets; all by default.
        targets: Vec<String>,
    },
    /// Check formatting, lints and dependencies.
    Lint,
    /// Build for release and run the benchmarks.
    Bench {
        /// Passed on to the benchmarks.
        args: Vec<String>,
    },
    /// Measure published servers beside the plugins that stand in for them, and write the table into README.md.
    Compare {
        /// Only these plugins, and write nothing.
        plugins: Vec<String>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = Workspace::find().and_then(|workspace| match cli.task {
        Task::Demo => demo::run(&workspace),
        Task::Test { args } => test::run(&workspace, &args),
        Task::Plugins => plugins::build(&workspace).map(drop),
        Task::Attackers => plugins::build_hostile(&workspace),
        Task::Hostile { args } => hostile::run(&workspace, &args),
        Task::MutateGuards { names } => guards::run(&workspace, &names),
        Task::Soak { minutes } => hostile::soak(&workspace, minutes),
        Task::Clients => clients::install(&workspace),
        Task::Conformance => conformance::run(&workspace),
        Task::Fuzz { minutes, targets } => fuzz::run(&workspace, minutes, &targets),
        Task::Lint => lint::run(&workspace),
        Task::Bench { args } => bench::run(&workspace, &args),
        Task::Compare { plugins } => compare::run(&workspace, &plugins),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
