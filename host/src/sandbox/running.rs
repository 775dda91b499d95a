//! The process's sandbox: the engine, everything behind the imports, and the threads that guests run on. It begins
//! with its first component, so that a process nobody calls is small. Knows no plugin.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmtime::{Engine, Result};

use super::CallState;
use super::capability::{commands, files, host, http, sockets, state};
use super::engine;
use super::executor::{Executor, TaskOwner};

/// Where calls run. One a process.
pub struct Sandbox {
    code_key: String,
    running: OnceLock<Arc<Running>>,
    starting: Mutex<()>,
    slots: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    owners: AtomicU64,
}

/// What it takes to run a call.
pub(super) struct Running {
    pub(super) engine: Engine,
    /// Whether instances come out of a pool, and so fit its slots or do not.
    pooled: bool,
    pub(super) linker: Linker<CallState>,
    pub(super) executor: Executor,
    /// Drives timers and sockets, and runs blocking file work; kept for as long as calls run.
    pub(super) io: tokio::runtime::Runtime,
}

/// Why the sandbox cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Wasmtime refuses.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(#[source] wasmtime::Error),
    /// The system refuses a thread.
    #[error("the guests' threads cannot start: {0}")]
    Threads(#[source] std::io::Error),
}

impl Sandbox {
    /// Makes it. The pool of instances and the guests' threads come with the first component that is given code.
    ///
    /// # Errors
    /// When wasmtime does not support the machine.
    pub fn start() -> std::result::Result<Arc<Self>, StartError> {
        let engine = engine::on_demand().map_err(StartError::Engine)?;
        Ok(Arc::new(Self {
            code_key: engine::code_key(&engine),
            running: OnceLock::new(),
            starting: Mutex::new(()),
            slots: Arc::new(Semaphore::new(engine::POOL_SLOTS as usize)),
            waiting: Arc::new(Semaphore::new((engine::POOL_SLOTS / 4) as usize)),
            owners: AtomicU64::new(0),
        }))
    }

    /// Names everything that decides whether stored code fits: the version of wasmtime, its settings
    /// and this machine's processor.
    #[must_use]
    pub fn code_key(&self) -> &str {
        &self.code_key
    }

    /// What an instance must fit, in words: what did not fit other bounds may fit these.
    #[must_use]
    pub fn bounds(&self) -> String {
        match self.running() {
            Ok(running) if running.pooled => engine::bounds(),
            _ => "no pool".into(),
        }
    }

    /// Places of the pool.
    pub(super) fn slots(&self) -> Arc<Semaphore> {
        self.slots.clone()
    }

    /// Places of instances that wait for another call of their caller: a quarter of the pool's.
    pub(super) fn waiting(&self) -> Arc<Semaphore> {
        self.waiting.clone()
    }

    pub(super) fn new_owner(&self) -> TaskOwner {
        TaskOwner(self.owners.fetch_add(1, Ordering::Relaxed))
    }

    /// The engine and its threads, started if they are not there. Takes a millisecond then.
    pub(super) fn running(&self) -> std::result::Result<&Arc<Running>, StartError> {
        if let Some(running) = self.running.get() {
            return Ok(running);
        }
        let _one = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = self.running.get() {
            return Ok(running);
        }
        let running = Arc::new(Running::start()?);
        Ok(self.running.get_or_init(|| running))
    }
}

impl Running {
    fn start() -> std::result::Result<Self, StartError> {
        let (engine, pooled) = match engine::pooled() {
            Ok(engine) => (engine, true),
            Err(error) => {
                tracing::warn!("no pool of instances, calls will be slower: {error:#}");
                (engine::on_demand().map_err(StartError::Engine)?, false)
            }
        };
        let linker = link(&engine).map_err(StartError::Engine)?;
        let io = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(32)
            .thread_name("guest-io")
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let executor = Executor::start(io.handle()).map_err(StartError::Threads)?;
        Ok(Self { engine, pooled, linker, executor, io })
    }
}

/// Puts every capability behind its import. What was not granted refuses when it is called.
fn link(engine: &Engine) -> Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    files::link(&mut linker)?;
    http::link(&mut linker)?;
    sockets::link(&mut linker)?;
    state::link(&mut linker)?;
    commands::link(&mut linker)?;
    host::link(&mut linker)?;
    Ok(linker)
}
