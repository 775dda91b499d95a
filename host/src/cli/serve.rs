//! `kennel serve`: the protocol over standard input and output, and the plugins beside it. The protocol
//! answers before any plugin is loaded.

use std::process::ExitCode;

use crate::catalog::Catalog;
use crate::config::{Config, Home, ProtocolConfig, Surroundings};
use crate::mcp::{self, KennelHandler, TaskBounds};
use crate::observe::Audit;
use crate::plugin::{Compiler, Library};
use crate::sandbox::Sandbox;
use crate::transport::stdio;

use super::Failure;

/// Serve the plugins to an MCP client over standard input and output
///
/// Clients start this themselves; `kennel client-config CLIENT` prints what to tell them. Plugins that are
/// added, replaced or removed, and changes of kennel.toml and of approvals, take effect while it runs.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

/// Serves until the client is done.
///
/// # Errors
/// When the configuration has faults or the home cannot be used.
pub fn run(_: &Args, home: Home, surroundings: Surroundings) -> Result<ExitCode, Failure> {
    let config = Config::load(&home, &surroundings)?;
    home.create()?;
    let audit = Audit::begin(&home.audit())?;
    let catalog = Catalog::new(Some(audit.clone()));
    let options = options(&config.protocol);
    let keeper = catalog.clone();
    std::thread::Builder::new().name("plugins".into()).spawn(move || {
        if let Err(failure) = keep(home, surroundings, config, &keeper) {
            tracing::error!("{}", failure.into_text());
            std::process::exit(1);
        }
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime
        .block_on(stdio::serve_process(KennelHandler::with(catalog, options), stdio::Options::default()));
    audit.flush();
    served?;
    // Not by returning: guests that still run are of no use to anybody, and nothing waits for them.
    std::process::exit(0)
}

fn options(config: &ProtocolConfig) -> mcp::Options {
    mcp::Options {
        page_size: config.page_size,
        tasks: TaskBounds {
            ttl: config.task_ttl,
            patience: config.task_patience,
            most: config.tasks,
            most_per_caller: config.tasks_per_caller,
            kept_bytes: config.task_results,
            ..TaskBounds::default()
        },
    }
}

/// Loads and keeps the plugins, on a thread of its own.
fn keep(home: Home, surroundings: Surroundings, config: Config, catalog: &Catalog) -> Result<(), Failure> {
    let sandbox = Sandbox::start()?;
    let library = Library::open(home, surroundings, config, sandbox, Compiler::of_this_process()?)?;
    let statuses = library.statuses();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let first = {
        let (catalog, statuses) = (catalog.clone(), statuses.clone());
        move || {
            catalog.show(&statuses.borrow());
            catalog.set_ready();
        }
    };
    runtime.block_on(async {
        tokio::join!(library.keep(first), catalog.clone().follow(statuses));
    });
    Ok(())
}
