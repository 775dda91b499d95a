//! A component made ready to run under one plugin's grants, and the way of one call through it: a
//! place in the queue, an instance, its budget, its end.

mod guest;
mod kept;
mod nested;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Instant;

use tokio::sync::{OnceCell, OwnedSemaphorePermit};
use tokio_util::sync::CancellationToken;
use wasmtime::component::ResourceTableError;
use wasmtime::{Store, Trap};

use crate::grants::{Egress, Grants, Limits};
use crate::observe::Scrubber;

use super::busy::Busy;
use super::capability::stdio::Captured;
use super::capability::{
    Configure, ConfigureError, commands, files, host, http, secrets, sockets, state, wasi,
};
use super::code::{CodeSource, CommandSource, Interface};
use super::engine::{self, SLICE_FUEL};
use super::error::{Budget, CallError, LimitHit, hides_fuel, seconds};
use super::executor::{Begin, TaskOwner};
use super::health::{Ending, Health};
use super::limiter::Refused;
use super::linked::{Linked, PrepareError};
use super::operation::{Enter, Offers};
use super::running::Sandbox;
use super::scrubbed::{Scrub as _, ScrubbedEvents};
use super::turns::{Turn, Turns};
use super::{CallContext, CallState, Usage};
use guest::Guest;
use kept::Kept;

pub(super) use nested::NotRun;

/// What a program runs under.
pub struct Setup<'a> {
    /// The name it stands under and its settings.
    pub host: host::Host,
    /// What it holds.
    pub grants: &'a Grants,
    /// The way out.
    pub egress: &'a Egress,
    /// What each call may use.
    pub limits: Limits,
    /// Live, or fixed for reading definitions.
    pub surroundings: wasi::Surroundings,
    /// The folder of all plugins' state.
    pub state_dir: &'a std::path::Path,
    /// Where the commands are found that it may run.
    pub commands: Arc<dyn CommandSource>,
}

/// A component ready to run under one plugin's grants. It has no machine code before the first call.
pub struct Program {
    sandbox: Arc<Sandbox>,
    source: Arc<dyn CodeSource>,
    linked: OnceCell<Arc<Linked>>,
    offers: Offers,
    host: Arc<host::Host>,
    base: Arc<wasi::Base>,
    files: files::Configured,
    http: http::Configured,
    secrets: Arc<secrets::Configured>,
    sockets: sockets::Configured,
    state: state::Configured,
    commands: commands::Configured,
    limits: Limits,
    owner: TaskOwner,
    turns: Arc<Turns>,
    health: Arc<Health>,
    egress: Egress,
    state_dir: PathBuf,
    revoked: Revoked,
    kept: Arc<Kept>,
    /// Whether it is a command that another program's calls run.
    nested: bool,
    /// The same under more grants, for as long as somebody holds them.
    wider: Mutex<Vec<Weak<Program>>>,
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
    /// Bytes of text and data that came out.
    pub output: usize,
}

impl<T> Finished<T> {
    /// Everything that leaves the sandbox passes here.
    fn scrub<O: Enter<Output = T>>(&mut self, by: &Scrubber) {
        guarded!("secret-results", without { return; });
        match &mut self.result {
            Ok(output) => O::scrub(output, by),
            Err(error) => error.scrub(by),
        }
        by.clean(&mut self.stdout.text);
        by.clean(&mut self.stderr.text);
        self.denials.iter_mut().for_each(|denial| by.clean(denial));
    }

    fn not_run(error: CallError) -> Self {
        Self {
            result: Err(error),
            usage: Usage::default(),
            stdout: Captured::default(),
            stderr: Captured::default(),
            denials: Vec::new(),
            output: 0,
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
            egress: setup.egress,
            state_dir: Some(setup.state_dir),
        };
        let secrets = Arc::new(secrets::Configured::configure(&configure)?);
        Ok(Arc::new(Self {
            sandbox: sandbox.clone(),
            source,
            linked: OnceCell::new(),
            offers: Offers::of(interface),
            base: Arc::new(wasi::Base::configure(setup.grants, secrets.exposed(), setup.surroundings)),
            files: files::Configured::configure(&configure)?,
            http: http::Configured::configure(&configure, &secrets)?,
            sockets: sockets::Configured::configure(&configure)?,
            state: state::Configured::configure(&configure)?,
            commands: commands::Configured::configure(setup.grants, setup.commands),
            secrets,
            turns: Turns::new(&setup.limits, Instant::now()),
            health: Arc::default(),
            owner: sandbox.new_owner(),
            egress: setup.egress.clone(),
            state_dir: setup.state_dir.to_owned(),
            revoked: Revoked::default(),
            kept: Arc::default(),
            nested: false,
            wider: Mutex::default(),
            host: Arc::new(setup.host),
            limits: setup.limits,
        }))
    }

    /// The same component under wider grants, which hold for as long as the answer is held. It shares the plugin's turns,
    /// health, quotas and secrets, and what is taken back from this one is taken from it.
    ///
    /// # Errors
    /// When a grant cannot be given.
    pub fn widened(&self, grants: &Grants) -> Result<Arc<Self>, ConfigureError> {
        let configure = Configure {
            plugin: &self.host.plugin,
            grants,
            limits: &self.limits,
            egress: &self.egress,
            state_dir: Some(&self.state_dir),
        };
        let wider = Arc::new(Self {
            sandbox: self.sandbox.clone(),
            source: self.source.clone(),
            linked: self.linked.clone(),
            offers: self.offers,
            base: self.base.clone(),
            files: self.files.widened(&configure)?,
            http: self.http.widened(&configure),
            secrets: self.secrets.clone(),
            sockets: self.sockets.widened(&configure),
            state: self.state.widened(&configure)?,
            // Nobody is asked about commands.
            commands: self.commands.clone(),
            turns: self.turns.clone(),
            health: self.health.clone(),
            owner: self.owner,
            egress: self.egress.clone(),
            state_dir: self.state_dir.clone(),
            revoked: Revoked::default(),
            kept: Arc::default(),
            nested: self.nested,
            wider: Mutex::default(),
            host: self.host.clone(),
            limits: self.limits.clone(),
        });
        let mut known = self.wider.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|wider| wider.strong_count() > 0);
        known.push(Arc::downgrade(&wider));
        drop(known);
        // Noted before this is asked, so that no taking back falls between the two.
        if let Some(what) = self.revoked.what.get() {
            wider.revoke(what);
        }
        Ok(wider)
    }

    /// Whether the values of its secrets are others by now at their sources, or cannot be read any more.
    #[must_use]
    pub fn secrets_changed(&self) -> bool {
        self.secrets.changed()
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

    /// Runs one operation, in a fresh instance unless the plugin's limits let the caller's last one go on. Dropping the future, or cancelling the context's
    /// token, ends the guest at its next yield, within milliseconds.
    #[allow(private_bounds)] // `Enter` names wasmtime, which no other room may see.
    pub async fn call<O: Enter>(self: &Arc<Self>, operation: O, context: CallContext) -> Finished<O::Output> {
        if !O::offered(self.offers) {
            return Finished::not_run(CallError::Unsupported(O::EXPORT));
        }
        let admitted = async {
            let permits = self.admit(&context.caller.id).await?;
            let linked = self.linked().await.map_err(|error| CallError::NoCode(error.to_string()))?;
            Ok((permits, linked.clone()))
        };
        let admitted = tokio::select! {
            biased;
            why = self.revoked.wait() => Err(CallError::Revoked(why)),
            admitted = admitted => admitted,
            () = context.cancel.cancelled() => Err(CallError::Cancelled),
        };
        match admitted {
            Ok(((turn, slot), linked)) => self.go(linked, operation, context, Some(turn), slot).await,
            Err(error) => Finished::not_run(error),
        }
    }

    /// Runs what was admitted on the guests' threads.
    async fn go<O: Enter>(
        self: &Arc<Self>,
        linked: Arc<Linked>,
        operation: O,
        context: CallContext,
        turn: Option<Turn>,
        slot: OwnedSemaphorePermit,
    ) -> Finished<O::Output> {
        let program = self.clone();
        // Boxed where it is made: on its way to the guests' threads it passes through several hands.
        let running = linked.running.clone();
        let begin = if context.begin_here { Begin::Here(running.io.handle()) } else { Begin::There };
        let task = running.executor.spawn(
            self.owner,
            begin,
            Box::pin(async move {
                let finished = program.run(&linked, operation, context, slot).await;
                drop(turn);
                finished
            }),
        );
        task.await.unwrap_or_else(|panic| {
            tracing::error!(plugin = self.host.plugin, "the host panicked in a call: {panic}");
            Finished::not_run(CallError::Internal(format!("the host panicked: {panic}")))
        })
    }

    /// Ends every call, those that wait too, and refuses new ones: `what` was taken back. Says whether this is news.
    pub fn revoke(&self, what: &str) -> bool {
        let news = self.revoked.what.set(what.to_owned()).is_ok();
        guarded!("revoked", self.revoked.token.cancel(), without());
        self.kept.close();
        self.revoke_wider(what);
        news
    }

    /// Ends the calls that run under more than this holds, and refuses new ones under it. Says whether there was such.
    pub fn revoke_wider(&self, what: &str) -> bool {
        guarded!("revoked-wider", without { return false; });
        let wider: Vec<_> = {
            let known = self.wider.lock().unwrap_or_else(PoisonError::into_inner);
            known.iter().filter_map(Weak::upgrade).collect()
        };
        // All of them, whether or not the first was news.
        wider.iter().filter(|wider| wider.revoke(what)).count() > 0
    }

    /// Waits for the caller's turn and for a slot of the pool.
    async fn admit(&self, caller: &str) -> Result<(Turn, OwnedSemaphorePermit), CallError> {
        let fit = || self.health.check(Instant::now()).map_err(|out| CallError::Busy(Busy::SitsOut(out)));
        fit()?;
        let turn = self.turns.take(caller, Instant::now()).await.map_err(CallError::Busy)?;
        let slot = self.sandbox.slots().acquire_owned().await;
        let slot = slot.map_err(|_| CallError::Internal("the sandbox is closing".into()))?;
        // Others may have trapped while this one waited.
        fit()?;
        Ok((turn, slot))
    }

    /// Ends a sitting out: a person looked at the plugin and wants it called.
    pub fn lift(&self) {
        self.health.lift();
    }

    /// Keeps how a call ended.
    fn note(&self, ending: Ending) {
        // How a command ends is for the plugin that runs it to judge.
        if self.nested {
            return;
        }
        if let Some(out) = self.health.ended(ending, Instant::now()) {
            let plugin = self.host.plugin.as_str();
            tracing::warn!(
                plugin,
                "it {out}; `kennel approve {plugin}`, other bytes or another configuration end that"
            );
        }
    }

    async fn run<O: Enter>(
        self: &Arc<Self>,
        linked: &Linked,
        operation: O,
        mut context: CallContext,
        slot: OwnedSemaphorePermit,
    ) -> Finished<O::Output> {
        let started = Instant::now();
        let asked = context.counters.clone();
        if let Some(scrubber) = self.secrets.scrubber() {
            context.events = Arc::new(ScrubbedEvents::new(context.events, scrubber.clone()));
            asked.scrub_by(scrubber);
        }
        let limits = &self.limits;
        let cancel = context.cancel.clone();
        // A command is a program that runs once: its command line is its instance's.
        let once = operation.command().is_some();
        let caller = (!once && self.may_be_kept(&context)).then(|| context.caller.id.clone());
        let mut guest = match caller.as_deref().and_then(|caller| self.kept.take(caller)) {
            Some(guest) => self.again(guest, context, started),
            None => self.fresh(linked, context, started, caller.is_some(), operation.command()),
        };
        let counters = guest.counters.clone();
        let store = &mut guest.store;

        let entered = async {
            store.set_fuel(guarded!("fuel", limits.fuel, without u64::MAX))?;
            store.fuel_async_yield_interval(guarded!("slices", Some(SLICE_FUEL), without None))?;
            store.set_hostcall_fuel(guarded!("hostcall-bytes", limits.hostcall_bytes, without usize::MAX));
            let instance = match guest.instance {
                Some(instance) => instance,
                None => linked.pre.instantiate_async(&mut *store).await?,
            };
            guest.instance = Some(instance);
            operation.enter(&linked.exports, store, &instance).await
        };
        let ended = tokio::select! {
            biased;
            ended = entered => Ended::Guest(ended),
            () = cancel.cancelled() => Ended::Cancelled,
            why = self.revoked.wait() => Ended::Revoked(why),
            () = tokio::time::sleep(guarded!("deadline", limits.deadline, without limits.deadline * 10)) => Ended::Deadline,
        };

        let store = &mut guest.store;
        let orderly = matches!(ended, Ended::Guest(Ok(_)));
        let mut usage = Usage { peak_memory: store.data().limiter.memory() as u64, ..Usage::default() };
        usage.fuel = limits.fuel - store.get_fuel().unwrap_or(0).min(limits.fuel);
        let mut denials = store.data_mut().http.take_denials();
        denials.extend(store.data_mut().sockets.take_denials());
        if counters.moved() > limits.network_bytes {
            denials.push(format!(
                "`{}` moved more than {} bytes over the network in one call; ask the user to raise its limit \
                 `network-bytes`",
                self.host.plugin, limits.network_bytes
            ));
        }
        let mut output = 0;
        let result = match ended {
            Ended::Cancelled => Err(CallError::Cancelled),
            Ended::Revoked(why) => Err(CallError::Revoked(why)),
            Ended::Deadline => Err(limit(Budget::Deadline, seconds(limits.deadline))),
            Ended::Guest(Ok(Ok(mut answer))) => {
                O::printed(&mut answer, &guest.out, &guest.err);
                output = O::weight(&answer);
                if guarded!("output", output > limits.output) {
                    Err(limit(Budget::Output, format!("{} bytes", limits.output)))
                } else {
                    Ok(answer)
                }
            }
            Ended::Guest(Ok(Err(error))) => Err(CallError::Plugin(error)),
            Ended::Guest(Err(error)) => {
                let hidden = hides_fuel(&error);
                if hidden {
                    usage.fuel = limits.fuel;
                }
                let error = self.classify(&error, store);
                self.note(match error {
                    // Whatever it said or ran into before.
                    _ if hidden => Ending::Trapped,
                    CallError::Trapped(_) => Ending::Trapped,
                    CallError::Panicked { .. } | CallError::Exited(_) => Ending::Panicked,
                    _ => Ending::Orderly,
                });
                Err(error)
            }
        };
        let (stdout, stderr) = (guest.out.take(), guest.err.take());
        counters.read_into(&mut usage);
        asked.settle();
        match caller {
            Some(caller) if orderly => self.keep(linked, caller, guest, slot),
            _ => drop(guest),
        }
        usage.set_wall(started.elapsed());
        let mut finished = Finished { result, usage, stdout, stderr, denials, output };
        if let Some(scrubber) = self.secrets.scrubber() {
            finished.scrub::<O>(scrubber);
            asked.forget_secrets(scrubber);
        }
        finished
    }

    /// Whether the call's instance may wait for another call: it was granted, there is a caller to wait for, and nobody
    /// keeps each operation of this one call.
    fn may_be_kept(&self, context: &CallContext) -> bool {
        self.limits.instance_calls > 1
            && !context.caller.id.is_empty()
            && context.counters.recorder().is_none()
    }

    /// Lets an instance wait for its caller's next call, if it had not had all of its calls, holds no file locked, and
    /// there is room.
    fn keep(&self, linked: &Linked, caller: String, guest: Guest, slot: OwnedSemaphorePermit) {
        if guarded!("reuse-calls", guest.calls >= self.limits.instance_calls)
            || guarded!("reuse-locks", guest.store.data().files.holds_a_lock())
        {
            return;
        }
        // Those that wait take a part of the pool at most, so that there is always a slot for who calls.
        let Ok(place) = self.sandbox.waiting().try_acquire_owned() else { return };
        self.kept.put(caller, guest, [slot, place], self.limits.instance_idle, linked.running.io.handle());
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
    Revoked(String),
    Deadline,
}

/// Whether what the program runs under was taken back.
#[derive(Default)]
struct Revoked {
    what: OnceLock<String>,
    token: CancellationToken,
}

impl Revoked {
    /// Waits until it is, and says what.
    async fn wait(&self) -> String {
        self.token.cancelled().await;
        self.what.get().cloned().unwrap_or_default()
    }
}
