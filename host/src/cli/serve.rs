//! `kennel serve`: the protocol over standard input and output or over HTTP, and the plugins beside it. The protocol
//! answers before any plugin is loaded.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::catalog::Catalog;
use crate::config::{Config, Home, ProtocolConfig, Surroundings};
use crate::mcp::{self, KennelHandler, TaskBounds};
use crate::observe::Audit;
use crate::plugin::{Compiler, Library, Standing, Status};
use crate::sandbox::Sandbox;
use crate::transport::{http, stdio};

use super::Failure;

/// Most bytes of a file of tokens.
const MAX_TOKEN_FILE: u64 = 64 << 10;

/// Serve the plugins to an MCP client over standard input and output, or to many over HTTP
///
/// Clients start this themselves; `kennel client-config CLIENT` prints what to tell them. With --http it serves at
/// http://ADDRESS/mcp instead, and tells its health at /health and /ready. Plugins that are added, replaced or
/// removed, and changes of kennel.toml and of approvals, take effect while it runs.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Serve over HTTP at this address, such as 127.0.0.1:8080; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<String>,
    #[command(flatten)]
    more: HttpArgs,
}

/// What goes with `--http` only.
#[derive(Clone, Debug, clap::Args)]
struct HttpArgs {
    /// A file of tokens, one a line, of which calls must carry one; readable by you alone [default: $KENNEL_TOKEN]
    ///
    /// A token with the word `may-approve` behind it is of somebody who may be asked, where kennel.toml says
    /// `on-denied = "ask"`, whether a plugin may have more.
    #[arg(long, value_name = "FILE", requires = "http")]
    token_file: Option<PathBuf>,
    /// Another name that clients may call this server by
    #[arg(long, value_name = "HOST[:PORT]", requires = "http")]
    allowed_host: Vec<String>,
    /// An origin whose web pages may call this server, such as https://example.com
    #[arg(long, value_name = "ORIGIN", requires = "http")]
    allowed_origin: Vec<String>,
    /// Connections open at once
    #[arg(long, value_name = "N", default_value_t = http::Options::default().max_connections, requires = "http")]
    max_connections: usize,
    /// Sessions of older clients; beyond, the one unused for the longest time gives way
    #[arg(long, value_name = "N", default_value_t = http::Options::default().max_sessions, requires = "http")]
    max_sessions: usize,
    /// After how long unused a session is closed
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = humantime::parse_duration, requires = "http")]
    session_idle: Duration,
    /// How long calls in flight may go on once the server is asked to stop
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, requires = "http")]
    drain: Duration,
    /// Also serve the transport of 2024-11-05, at /sse
    #[arg(long, requires = "http")]
    legacy_sse: bool,
}

/// Serves until the client is done, or over HTTP until the process is asked to stop.
///
/// # Errors
/// When the configuration has faults, the home cannot be used, or the address cannot be listened at.
pub fn run(args: &Args, home: Home, surroundings: Surroundings) -> Result<ExitCode, Failure> {
    let access = match &args.http {
        Some(_) => Some(args.more.access()?),
        None => None,
    };
    let config = Config::load(&home, &surroundings)?;
    home.create()?;
    let audit = Audit::begin(&home.audit(), super::audit::options(&config.audit))?;
    let catalog = Catalog::new(Some(audit.clone()));
    let standing = Arc::new(Plugins::default());
    let options = options(&config.protocol);
    let (keeper, told) = (catalog.clone(), standing.clone());
    std::thread::Builder::new().name("plugins".into()).spawn(move || {
        if let Err(failure) = keep(home, surroundings, config, &keeper, &told) {
            tracing::error!("{}", failure.into_text());
            std::process::exit(1);
        }
    })?;
    let handler = KennelHandler::with(catalog, options);
    let served: Result<(), Failure> = match (&args.http, access) {
        (Some(address), Some(access)) => serve_http(args, address, &access, handler, standing),
        _ => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let served = runtime.block_on(stdio::serve_process(handler, stdio::Options::default()));
            served.map_err(Failure::from)
        }
    };
    // After the protocol's end: calls that were dropped with it have left their lines too.
    audit.close();
    served?;
    // Not by returning: guests that still run are of no use to anybody, and nothing waits for them.
    std::process::exit(0)
}

fn serve_http(
    args: &Args,
    address: &str,
    access: &http::Access,
    handler: KennelHandler<Catalog>,
    standing: Arc<Plugins>,
) -> Result<(), Failure> {
    let options = http::Options {
        max_connections: args.more.max_connections,
        max_sessions: args.more.max_sessions,
        session_idle: args.more.session_idle,
        drain: args.more.drain,
        legacy_sse: args.more.legacy_sse,
        ..http::Options::default()
    };
    // Several, so that one client's large message holds up nobody else's small one.
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("http")
        .enable_all()
        .build()?;
    let health = move || standing.health();
    let listening = |address| {
        // Not a log line: whoever started this wants to know it at any log level.
        let _ = writeln!(std::io::stderr(), "kennel: listening on http://{address}/mcp");
    };
    let served = runtime.block_on(http::serve_process(handler, address, access, options, health, listening));
    // Streams that nobody reads are not waited for.
    runtime.shutdown_background();
    Ok(served?)
}

impl HttpArgs {
    fn access(&self) -> Result<http::Access, Failure> {
        let (tokens, approvers) = match &self.token_file {
            Some(file) => read_tokens(file)?,
            None => {
                let token = std::env::var("KENNEL_TOKEN").ok().filter(|token| !token.is_empty());
                (token.into_iter().collect(), Vec::new())
            }
        };
        let (allowed_hosts, allowed_origins) = (self.allowed_host.clone(), self.allowed_origin.clone());
        Ok(http::Access { allowed_hosts, allowed_origins, tokens, approvers })
    }
}

/// Behind a token in the file: its caller may be asked to allow a plugin more.
const MAY_APPROVE: &str = "may-approve";

/// Reads a file of tokens, which nobody else may be able to read: all of them, and those that may approve.
fn read_tokens(path: &Path) -> Result<(Vec<String>, Vec<String>), Failure> {
    let fault = |text: &str| Failure::new(format!("--token-file {}: {text}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| fault(&error.to_string()))?;
    let metadata = file.metadata().map_err(|error| fault(&error.to_string()))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(fault("others may read or change it; run `chmod 600` on it, and make new tokens"));
    }
    let mut text = String::new();
    let read = file.take(MAX_TOKEN_FILE + 1).read_to_string(&mut text);
    let size = read.map_err(|error| fault(&error.to_string()))?;
    if u64::try_from(size).unwrap_or(u64::MAX) > MAX_TOKEN_FILE {
        return Err(fault("it is longer than 64 KiB; write one token a line"));
    }
    let (mut tokens, mut approvers) = (Vec::new(), Vec::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (token, word) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word.trim() {
            "" => {}
            MAY_APPROVE => approvers.push(token.to_owned()),
            _ => return Err(fault("behind a token stands nothing, or `may-approve`")),
        }
        tokens.push(token.to_owned());
    }
    if tokens.is_empty() {
        return Err(fault("it has no token; write one a line, such as `openssl rand -hex 32` makes"));
    }
    Ok((tokens, approvers))
}

/// How the plugins stand, for whoever asks after the server's health.
#[derive(Default)]
struct Plugins {
    ready: AtomicBool,
    statuses: OnceLock<watch::Receiver<Arc<Vec<Status>>>>,
}

impl Plugins {
    fn health(&self) -> http::Health {
        let Some(statuses) = self.statuses.get() else { return http::Health::default() };
        let statuses = statuses.borrow();
        http::Health {
            ready: self.ready.load(Ordering::Acquire),
            loaded: statuses.iter().filter(|status| status.plugin.is_some()).count(),
            failed: statuses.iter().filter(|status| matches!(status.standing, Standing::Broken(_))).count(),
        }
    }
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
fn keep(
    home: Home,
    surroundings: Surroundings,
    config: Config,
    catalog: &Catalog,
    told: &Arc<Plugins>,
) -> Result<(), Failure> {
    let sandbox = Sandbox::start()?;
    let library = Library::open(home, surroundings, config, sandbox, Compiler::of_this_process()?)?;
    let statuses = library.statuses();
    // Set once, here.
    let _ = told.statuses.set(statuses.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let first = {
        let (catalog, statuses, told) = (catalog.clone(), statuses.clone(), told.clone());
        move || {
            catalog.show(&statuses.borrow());
            catalog.set_ready();
            told.ready.store(true, Ordering::Release);
        }
    };
    runtime.block_on(async {
        tokio::join!(library.keep(first), catalog.clone().follow(statuses));
    });
    Ok(())
}
