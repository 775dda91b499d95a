//! A component made ready to run under one plugin's grants, and the way of one call through it: a
//! place in the queue, a fresh instance, its budget, its end.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{InstancePre, Linker, ResourceTable, ResourceTableError};
use wasmtime::{CallHook, CallHookHandler, Engine, Result, Store, StoreContextMut, Trap};

use crate::grants::{Grants, Limits};

use super::bindings::exports::kennel::plugin::{completion, prompts, resources, tools};
use super::capability::stdio::{Capture, Captured};
use super::capability::{Configure, ConfigureError, files, host, http, state, wasi};
use super::code::Code;
use super::engine::{self, SLICE_FUEL};
use super::error::{Budget, CallError, LimitHit, hides_fuel, seconds};
use super::executor::{Executor, TaskOwner};
use super::limiter::{Limiter, Refused};
use super::operation::{Enter, Exports};
use super::{CallContext, CallState, Counters, Usage};

/// Fuel for one crossing of the border, whatever is called: about what it costs in time.
const CROSSING_FUEL: u64 = 500;

/// The engine with everything behind the imports, and the threads that guests run on. One a process.
pub struct Sandbox {
    engine: Engine,
    /// Whether instances come out of a pool, and so fit its slots or do not.
    pooled: bool,
    linker: Linker<CallState>,
    executor: Executor,
    /// Drives timers and sockets, and runs blocking file work; kept for as long as calls run.
    _io: tokio::runtime::Runtime,
    slots: Arc<Semaphore>,
    owners: AtomicU64,
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
    /// Starts it: the engine, the linked imports and the guests' threads.
    ///
    /// # Errors
    /// When the machine cannot run wasmtime or start threads.
    pub fn start() -> std::result::Result<Arc<Self>, StartError> {
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
        let slots = Arc::new(Semaphore::new(engine::POOL_SLOTS as usize));
        Ok(Arc::new(Self { engine, pooled, linker, executor, _io: io, slots, owners: AtomicU64::new(0) }))
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What an instance must fit, in words: what did not fit other bounds may fit these.
    #[must_use]
    pub fn bounds(&self) -> String {
        if self.pooled { engine::bounds() } else { "no pool".into() }
    }
}

/// Puts every capability behind its import. What was not granted refuses when it is called.
fn link(engine: &Engine) -> Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    files::link(&mut linker)?;
    http::link(&mut linker)?;
    state::link(&mut linker)?;
    host::link(&mut linker)?;
    Ok(linker)
}

/// What a program runs under.
pub struct Setup<'a> {
    /// The name it stands under and its settings.
    pub host: host::Host,
    /// What it holds.
    pub grants: &'a Grants,
    /// What each call may use.
    pub limits: Limits,
    /// Live, or fixed for reading definitions.
    pub surroundings: wasi::Surroundings,
    /// The folder of all plugins' state.
    pub state_dir: &'a std::path::Path,
}

/// Why a component cannot run here.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// It imports or exports something that does not fit.
    #[error("{0}")]
    Link(String),
    /// What was granted cannot be given.
    #[error(transparent)]
    Configure(#[from] ConfigureError),
}

/// A component ready to run under one plugin's grants.
pub struct Program {
    sandbox: Arc<Sandbox>,
    pre: InstancePre<CallState>,
    exports: Exports,
    host: Arc<host::Host>,
    base: wasi::Base,
    files: files::Configured,
    http: http::Configured,
    state: state::Configured,
    limits: Limits,
    owner: TaskOwner,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A call that ended.
#[derive(Debug)]
pub struct Finished<T> {
    /// What came of it.
    pub result: std::result::Result<T, CallError>,
    /// What it used.
    pub usage: Usage,
    /// What the guest wrote to standard output and standard error.
    pub stdout: Captured,
    /// See `stdout`.
    pub stderr: Captured,
    /// What was denied, one readable line each.
    pub denials: Vec<String>,
}

impl<T> Finished<T> {
    fn not_run(error: CallError) -> Self {
        Self {
            result: Err(error),
            usage: Usage::default(),
            stdout: Captured::default(),
            stderr: Captured::default(),
            denials: Vec::new(),
        }
    }
}

impl Program {
    /// Makes a component ready.
    ///
    /// # Errors
    /// When an import is missing, an export does not fit, or a grant cannot be given.
    pub fn prepare(
        sandbox: &Arc<Sandbox>,
        code: &Code,
        setup: Setup<'_>,
    ) -> std::result::Result<Arc<Self>, PrepareError> {
        let pre = sandbox
            .linker
            .instantiate_pre(&code.component)
            .map_err(|error| PrepareError::Link(format!("{error:#}").replace('\n', " ")))?;
        let exports = exports(&pre)?;
        let configure = Configure {
            plugin: &setup.host.plugin,
            grants: setup.grants,
            limits: &setup.limits,
            state_dir: Some(setup.state_dir),
        };
        Ok(Arc::new(Self {
            sandbox: sandbox.clone(),
            exports,
            base: wasi::Base::configure(&setup.grants.env, setup.surroundings),
            files: files::Configured::configure(&configure)?,
            http: http::Configured::configure(&configure)?,
            state: state::Configured::configure(&configure)?,
            turns: Arc::new(Semaphore::new(setup.limits.concurrency.max(1))),
            owner: TaskOwner(sandbox.owners.fetch_add(1, Ordering::Relaxed)),
            waiting: AtomicUsize::new(0),
            host: Arc::new(setup.host),
            limits: setup.limits,
            pre,
        }))
    }

    /// Whether the component exports what the operation needs.
    #[must_use]
    #[allow(private_bounds)] // `Enter` names wasmtime, which no other room may see.
    pub fn offers<O: Enter>(&self) -> bool {
        O::offered(&self.exports)
    }

    /// Runs one operation in a fresh instance. Dropping the future, or cancelling the context's
    /// token, ends the guest at its next yield, within milliseconds.
    #[allow(private_bounds)] // `Enter` names wasmtime, which no other room may see.
    pub async fn call<O: Enter>(self: &Arc<Self>, operation: O, context: CallContext) -> Finished<O::Output> {
        if !O::offered(&self.exports) {
            return Finished::not_run(CallError::Unsupported(O::EXPORT));
        }
        let permits = tokio::select! {
            biased;
            permits = self.admit() => permits,
            () = context.cancel.cancelled() => Err(CallError::Cancelled),
        };
        let permits = match permits {
            Ok(permits) => permits,
            Err(error) => return Finished::not_run(error),
        };
        let program = self.clone();
        // Boxed where it is made: on its way to the guests' threads it passes through several hands.
        let task = self.sandbox.executor.spawn(
            self.owner,
            Box::pin(async move {
                let finished = program.run(operation, context).await;
                drop(permits);
                finished
            }),
        );
        task.await.unwrap_or_else(|panic| {
            tracing::error!(plugin = self.host.plugin, "the host panicked in a call: {panic}");
            Finished::not_run(CallError::Internal(format!("the host panicked: {panic}")))
        })
    }

    /// Waits for the plugin's turn and for a slot of the pool. A queue over its bound is `busy`.
    async fn admit(&self) -> std::result::Result<[OwnedSemaphorePermit; 2], CallError> {
        let closed = |_| CallError::Internal("the sandbox is closing".into());
        let turn = match self.turns.clone().try_acquire_owned() {
            Ok(turn) => turn,
            Err(_) => {
                let _waiting = Waiting::enter(&self.waiting, self.limits.queue)?;
                self.turns.clone().acquire_owned().await.map_err(closed)?
            }
        };
        let slot = self.sandbox.slots.clone().acquire_owned().await.map_err(closed)?;
        Ok([turn, slot])
    }

    async fn run<O: Enter>(&self, operation: O, context: CallContext) -> Finished<O::Output> {
        let started = Instant::now();
        let limits = &self.limits;
        let counters = Arc::new(Counters::default());
        let (out, err) = (Capture::begin(limits.stdio, &counters), Capture::begin(limits.stdio, &counters));
        let cancel = context.cancel.clone();

        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources);
        let mut wasi = self.base.begin(limits, &out, &err);
        let files = self.files.begin(&mut wasi, &counters);
        let state = CallState {
            table,
            wasi,
            files,
            http: self.http.begin(limits, &counters, started + limits.deadline),
            state: self.state.begin(&context.caller.id, &counters),
            host: host::Call::begin(&self.host, limits, context, &counters, started),
            limiter: Limiter::new(limits),
            fuel_at_yield: limits.fuel,
        };
        let mut store = Store::new(&self.sandbox.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.call_hook_async(Border);
        store.set_hostcall_fuel(limits.hostcall_bytes);
        store.set_max_component_handles(limits.handles);

        let guest = async {
            store.set_fuel(limits.fuel)?;
            store.fuel_async_yield_interval(Some(SLICE_FUEL))?;
            let instance = self.pre.instantiate_async(&mut store).await?;
            operation.enter(&self.exports, &mut store, &instance).await
        };
        let ended = tokio::select! {
            biased;
            ended = guest => Ended::Guest(ended),
            () = cancel.cancelled() => Ended::Cancelled,
            () = tokio::time::sleep(limits.deadline) => Ended::Deadline,
        };

        let mut usage = Usage { peak_memory: store.data().limiter.memory() as u64, ..Usage::default() };
        usage.fuel = limits.fuel - store.get_fuel().unwrap_or(0).min(limits.fuel);
        let denials = store.data_mut().http.take_denials();
        let result = match ended {
            Ended::Cancelled => Err(CallError::Cancelled),
            Ended::Deadline => Err(limit(Budget::Deadline, seconds(limits.deadline))),
            Ended::Guest(Ok(Ok(output))) if O::weight(&output) > limits.output => {
                Err(limit(Budget::Output, format!("{} bytes", limits.output)))
            }
            Ended::Guest(Ok(answer)) => answer.map_err(CallError::Plugin),
            Ended::Guest(Err(error)) => {
                if hides_fuel(&error) {
                    usage.fuel = limits.fuel;
                }
                Err(self.classify(&error, &mut store))
            }
        };
        drop(store);
        counters.read_into(&mut usage);
        usage.set_wall(started.elapsed());
        Finished { result, usage, stdout: out.take(), stderr: err.take(), denials }
    }

    /// Says which budget ended a call, or how the plugin failed.
    fn classify(&self, error: &wasmtime::Error, store: &mut Store<CallState>) -> CallError {
        let limits = &self.limits;
        let bytes = |n: usize| format!("{n} bytes");
        let trap = error.downcast_ref::<Trap>();
        if trap == Some(&Trap::OutOfFuel) {
            return limit(Budget::Fuel, limits.fuel.to_string());
        }
        // A guest's allocator that got nothing panics or traps; the reason is the refusal.
        match store.data().limiter.refused() {
            Some(Refused::Memory) => return limit(Budget::Memory, bytes(limits.memory)),
            Some(Refused::Table) => return limit(Budget::TableElements, limits.table_elements.to_string()),
            None => {}
        }
        if let Some(panicked) = store.data_mut().host.take_panic() {
            return CallError::Panicked { message: panicked.message, place: panicked.place };
        }
        if let Some(trap) = trap {
            return match trap {
                Trap::StackOverflow => limit(Budget::Stack, format!("{} KiB", engine::MAX_STACK >> 10)),
                trap => CallError::Trapped(trap.to_string()),
            };
        }
        if let Some(wasmtime_wasi::I32Exit(code)) = error.downcast_ref() {
            return CallError::Exited(*code);
        }
        if matches!(error.downcast_ref::<ResourceTableError>(), Some(ResourceTableError::Full)) {
            return limit(Budget::Resources, limits.resources.to_string());
        }
        // Plain errors without a type in wasmtime 48; tests hold their texts.
        let text = format!("{error:#}");
        if text.contains("fuel allocated for hostcalls") {
            limit(Budget::HostcallBytes, bytes(limits.hostcall_bytes))
        } else if text.contains("store handle limit exceeded") {
            limit(Budget::Handles, limits.handles.to_string())
        } else if text.contains("requested len") && text.contains("exceeds limit") {
            limit(Budget::RandomBytes, format!("{} bytes", limits.random_bytes))
        } else {
            CallError::Trapped(text.lines().next().unwrap_or_default().to_owned())
        }
    }
}

fn limit(budget: Budget, bound: String) -> CallError {
    CallError::Limit(LimitHit { budget, bound })
}

enum Ended<T> {
    Guest(T),
    Cancelled,
    Deadline,
}

/// Looks up which of the contract's interfaces a component exports. One that is there but does not
/// fit is an error, not an absence.
fn exports(pre: &InstancePre<CallState>) -> std::result::Result<Exports, PrepareError> {
    let mut found = Vec::new();
    let component = pre.component();
    for (name, _) in component.component_type().exports(pre.engine()) {
        found.push(name.to_owned());
    }
    let has = |interface: &str| {
        let prefix = format!("kennel:plugin/{interface}@");
        found.iter().any(|name| name.starts_with(&prefix))
    };
    fn fit<T>(present: bool, indices: Result<T>) -> std::result::Result<Option<T>, PrepareError> {
        match (present, indices) {
            (false, _) => Ok(None),
            (true, Ok(indices)) => Ok(Some(indices)),
            (true, Err(error)) => Err(PrepareError::Link(format!("{error:#}").replace('\n', " "))),
        }
    }
    Ok(Exports {
        tools: fit(has("tools"), tools::GuestIndices::new(pre))?,
        resources: fit(has("resources"), resources::GuestIndices::new(pre))?,
        prompts: fit(has("prompts"), prompts::GuestIndices::new(pre))?,
        completion: fit(has("completion"), completion::GuestIndices::new(pre))?,
    })
}

/// A place in a plugin's queue, given back when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize, bound: usize) -> std::result::Result<Self, CallError> {
        let before = count.fetch_add(1, Ordering::Relaxed);
        let place = Self(count);
        if before >= bound { Err(CallError::Busy(before)) } else { Ok(place) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs at every crossing of the border: charges the guest for what the host did, and makes a guest
/// that lives in host calls yield. (Setting the fuel restarts wasmtime's own yield interval, so that
/// such a guest would never yield by itself.)
struct Border;

#[wasmtime_wasi::async_trait]
impl CallHookHandler<CallState> for Border {
    async fn handle_call_event(
        &self,
        mut store: StoreContextMut<'_, CallState>,
        hook: CallHook,
    ) -> Result<()> {
        let base = match hook {
            CallHook::CallingHost => CROSSING_FUEL,
            CallHook::ReturningFromHost => 0,
            CallHook::CallingWasm | CallHook::ReturningFromWasm => return Ok(()),
        };
        let cost = base + store.data().host.counters().take_due();
        if cost == 0 {
            return Ok(());
        }
        let Some(left) = store.get_fuel()?.checked_sub(cost) else {
            store.set_fuel(0)?;
            return Err(Trap::OutOfFuel.into());
        };
        store.set_fuel(left)?;
        let state = store.data_mut();
        if state.fuel_at_yield.saturating_sub(left) >= SLICE_FUEL {
            state.fuel_at_yield = left;
            yield_now().await;
        }
        Ok(())
    }
}

/// Gives way once.
fn yield_now() -> impl Future<Output = ()> {
    let mut yielded = false;
    std::future::poll_fn(move |cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}
