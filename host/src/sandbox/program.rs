//! A component made ready to run under one plugin's grants, and the way of one call through it: a
//! place in the queue, a fresh instance, its budget, its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{ResourceTable, ResourceTableError};
use wasmtime::{Store, Trap};

use crate::grants::{Grants, Limits};

use super::border::Border;
use super::capability::stdio::{Capture, Captured};
use super::capability::{Configure, files, host, http, state, wasi};
use super::code::{CodeSource, Interface};
use super::engine::{self, SLICE_FUEL};
use super::error::{Budget, CallError, LimitHit, hides_fuel, seconds};
use super::executor::TaskOwner;
use super::limiter::{Limiter, Refused};
use super::linked::{Linked, PrepareError};
use super::operation::{Enter, Offers};
use super::running::Sandbox;
use super::{CallContext, CallState, Counters, Usage};

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

/// A component ready to run under one plugin's grants. It has no machine code before the first call.
pub struct Program {
    sandbox: Arc<Sandbox>,
    source: Arc<dyn CodeSource>,
    linked: OnceCell<Arc<Linked>>,
    offers: Offers,
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
    pub result: Result<T, CallError>,
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
    /// Makes a component ready to be given code.
    ///
    /// # Errors
    /// When a grant cannot be given.
    pub fn prepare(
        sandbox: &Arc<Sandbox>,
        source: Arc<dyn CodeSource>,
        interface: &Interface,
        setup: Setup<'_>,
    ) -> Result<Arc<Self>, PrepareError> {
        let configure = Configure {
            plugin: &setup.host.plugin,
            grants: setup.grants,
            limits: &setup.limits,
            state_dir: Some(setup.state_dir),
        };
        Ok(Arc::new(Self {
            sandbox: sandbox.clone(),
            source,
            linked: OnceCell::new(),
            offers: Offers::of(interface),
            base: wasi::Base::configure(&setup.grants.env, setup.surroundings),
            files: files::Configured::configure(&configure)?,
            http: http::Configured::configure(&configure)?,
            state: state::Configured::configure(&configure)?,
            turns: Arc::new(Semaphore::new(
                guarded!("concurrency", setup.limits.concurrency.max(1), without 8),
            )),
            owner: sandbox.new_owner(),
            waiting: AtomicUsize::new(0),
            host: Arc::new(setup.host),
            limits: setup.limits,
        }))
    }

    /// Gets the code and links it; the first call does the same by itself.
    ///
    /// # Errors
    /// When there is no code, an import is missing or an export does not fit.
    pub async fn link(&self) -> Result<(), PrepareError> {
        self.linked().await.map(|_| ())
    }

    async fn linked(&self) -> Result<&Arc<Linked>, PrepareError> {
        if let Some(linked) = self.linked.get() {
            return Ok(linked);
        }
        let link = || async { Linked::of(&self.sandbox, &self.source).await.map(Arc::new) };
        self.linked.get_or_try_init(link).await
    }

    /// Whether the component exports what the operation needs.
    #[must_use]
    #[allow(private_bounds)] // `Enter` names wasmtime, which no other room may see.
    pub fn offers<O: Enter>(&self) -> bool {
        O::offered(self.offers)
    }

    /// Runs one operation in a fresh instance. Dropping the future, or cancelling the context's
    /// token, ends the guest at its next yield, within milliseconds.
    #[allow(private_bounds)] // `Enter` names wasmtime, which no other room may see.
    pub async fn call<O: Enter>(self: &Arc<Self>, operation: O, context: CallContext) -> Finished<O::Output> {
        if !O::offered(self.offers) {
            return Finished::not_run(CallError::Unsupported(O::EXPORT));
        }
        let admitted = async {
            let permits = self.admit().await?;
            let linked = self.linked().await.map_err(|error| CallError::NoCode(error.to_string()))?;
            Ok((permits, linked.clone()))
        };
        let admitted = tokio::select! {
            biased;
            admitted = admitted => admitted,
            () = context.cancel.cancelled() => Err(CallError::Cancelled),
        };
        let (permits, linked) = match admitted {
            Ok(admitted) => admitted,
            Err(error) => return Finished::not_run(error),
        };
        let program = self.clone();
        // Boxed where it is made: on its way to the guests' threads it passes through several hands.
        let running = linked.running.clone();
        let task = running.executor.spawn(
            self.owner,
            Box::pin(async move {
                let finished = program.run(&linked, operation, context).await;
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
    async fn admit(&self) -> Result<[OwnedSemaphorePermit; 2], CallError> {
        let closed = |_| CallError::Internal("the sandbox is closing".into());
        let turn = match self.turns.clone().try_acquire_owned() {
            Ok(turn) => turn,
            Err(_) => {
                let _waiting = Waiting::enter(&self.waiting, self.limits.queue)?;
                self.turns.clone().acquire_owned().await.map_err(closed)?
            }
        };
        let slot = self.sandbox.slots().acquire_owned().await.map_err(closed)?;
        Ok([turn, slot])
    }

    async fn run<O: Enter>(
        &self,
        linked: &Linked,
        operation: O,
        context: CallContext,
    ) -> Finished<O::Output> {
        let started = Instant::now();
        let limits = &self.limits;
        let counters = Arc::new(Counters::default());
        let (out, err) = (Capture::begin(limits.stdio, &counters), Capture::begin(limits.stdio, &counters));
        let cancel = context.cancel.clone();

        let mut table = ResourceTable::new();
        table.set_max_capacity(guarded!("resources", limits.resources, without usize::MAX));
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
        let mut store = Store::new(&linked.running.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.call_hook_async(Border);
        store.set_hostcall_fuel(guarded!("hostcall-bytes", limits.hostcall_bytes, without usize::MAX));
        store.set_max_component_handles(guarded!("handles", limits.handles, without usize::MAX));

        let guest = async {
            store.set_fuel(guarded!("fuel", limits.fuel, without u64::MAX))?;
            store.fuel_async_yield_interval(guarded!("slices", Some(SLICE_FUEL), without None))?;
            let instance = linked.pre.instantiate_async(&mut store).await?;
            operation.enter(&linked.exports, &mut store, &instance).await
        };
        let ended = tokio::select! {
            biased;
            ended = guest => Ended::Guest(ended),
            () = cancel.cancelled() => Ended::Cancelled,
            () = tokio::time::sleep(guarded!("deadline", limits.deadline, without limits.deadline * 10)) => Ended::Deadline,
        };

        let mut usage = Usage { peak_memory: store.data().limiter.memory() as u64, ..Usage::default() };
        usage.fuel = limits.fuel - store.get_fuel().unwrap_or(0).min(limits.fuel);
        let denials = store.data_mut().http.take_denials();
        let result = match ended {
            Ended::Cancelled => Err(CallError::Cancelled),
            Ended::Deadline => Err(limit(Budget::Deadline, seconds(limits.deadline))),
            Ended::Guest(Ok(Ok(output))) if guarded!("output", O::weight(&output) > limits.output) => {
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

/// A place in a plugin's queue, given back when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize, bound: usize) -> Result<Self, CallError> {
        let before = count.fetch_add(1, Ordering::Relaxed);
        let place = Self(count);
        if guarded!("queue", before >= bound) { Err(CallError::Busy(before)) } else { Ok(place) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
