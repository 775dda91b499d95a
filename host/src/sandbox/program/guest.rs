//! An instance with its store, made ready for a call: fresh, or once more for the caller whose instance it is.
//! What belongs to one call (its budget, requests, state, notes, counts) is begun anew each time; what the instance itself
//! holds (memory, handles) stays. It must not run anything.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::Store;
use wasmtime::component::{Instance, ResourceTable};

use super::super::border::Border;
use super::super::capability::host;
use super::super::capability::stdio::Capture;
use super::super::limiter::Limiter;
use super::super::linked::Linked;
use super::super::{CallContext, CallState, Counters, RunCommand};
use super::Program;

/// An instance and what it needs to go on.
pub(super) struct Guest {
    pub(super) store: Store<CallState>,
    /// None before the first call has made it.
    pub(super) instance: Option<Instance>,
    pub(super) out: Capture,
    pub(super) err: Capture,
    /// What its streams and sockets count in: the call's own, or lent to the call for as long as it runs.
    pub(super) counters: Arc<Counters>,
    /// Calls so far, this one included.
    pub(super) calls: u32,
}

impl Program {
    /// A store without an instance, for this call and, when it may be kept, for later ones.
    pub(super) fn fresh(
        self: &Arc<Self>,
        linked: &Linked,
        context: CallContext,
        started: Instant,
        to_keep: bool,
        command: Option<&RunCommand>,
    ) -> Guest {
        let limits = &self.limits;
        let counters = if to_keep { Arc::default() } else { context.counters.clone() };
        if to_keep {
            if let Some(scrubber) = self.secrets.scrubber() {
                counters.scrub_by(scrubber);
            }
            context.counters.borrow_from(&counters);
        }
        let (out, err) = (Capture::begin(limits.stdio, &counters), Capture::begin(limits.stdio, &counters));
        let mut table = ResourceTable::new();
        table.set_max_capacity(guarded!("resources", limits.resources, without usize::MAX));
        let mut wasi = self.base.begin(limits, &out, &err, command);
        let files = self.files.begin(&mut wasi, &counters);
        let sockets = self.sockets.begin(&mut wasi, limits, &counters);
        let state = CallState {
            table,
            wasi,
            files,
            http: self.http.begin(limits, &counters, started + limits.deadline),
            sockets,
            state: self.state.begin(&context.caller.id, &counters),
            commands: self.commands.begin(self, &context, &counters),
            host: host::Call::begin(&self.host, limits, context, &counters, started),
            limiter: Limiter::new(limits),
            fuel_at_yield: limits.fuel,
        };
        let mut store = Store::new(&linked.running.engine, state);
        store.limiter_async(|state| &mut state.limiter);
        store.call_hook_async(Border);
        store.set_max_component_handles(guarded!("handles", limits.handles, without usize::MAX));
        Guest { store, instance: None, out, err, counters, calls: 1 }
    }

    /// The same instance for one more call of the same caller.
    pub(super) fn again(self: &Arc<Self>, mut guest: Guest, context: CallContext, started: Instant) -> Guest {
        let limits = &self.limits;
        context.counters.borrow_from(&guest.counters);
        let counters = &guest.counters;
        let state = guest.store.data_mut();
        state.http = self.http.begin(limits, counters, started + limits.deadline);
        state.sockets.again();
        state.state = self.state.begin(&context.caller.id, counters);
        state.commands = self.commands.begin(self, &context, counters);
        state.host = host::Call::begin(&self.host, limits, context, counters, started);
        state.limiter.again();
        state.fuel_at_yield = limits.fuel;
        guest.calls = guest.calls.saturating_add(1);
        guest
    }
}
