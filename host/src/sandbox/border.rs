//! What a crossing of the border between guest and host costs the guest, whatever is called. Knows no capability.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use wasmtime::{CallHook, CallHookHandler, Result, StoreContextMut, Trap};

use super::CallState;
use super::engine::SLICE_FUEL;

/// Fuel for one crossing of the border: about what it costs in time.
const CROSSING_FUEL: u64 = 500;

/// Runs at every crossing of the border: charges the guest for what the host did, and makes a guest
/// that lives in host calls yield. (Setting the fuel restarts wasmtime's own yield interval, so that
/// such a guest would never yield by itself.)
pub(super) struct Border;

impl CallHookHandler<CallState> for Border {
    // As `async_trait` would have it, but that nearly every crossing has nothing to wait for: then the work is done
    // here, and what is given back takes no memory.
    fn handle_call_event<'this, 'store, 'event>(
        &'this self,
        store: StoreContextMut<'store, CallState>,
        hook: CallHook,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'event>>
    where
        'this: 'event,
        'store: 'event,
        Self: 'event,
    {
        match charge(store, hook) {
            Ok(false) => Box::pin(Go),
            Ok(true) => Box::pin(GiveWay::default().map(Ok)),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

/// Charges a crossing; gives whether the guest is to give way.
fn charge(mut store: StoreContextMut<'_, CallState>, hook: CallHook) -> Result<bool> {
    let base = match hook {
        CallHook::CallingHost => guarded!("crossing-fuel", CROSSING_FUEL, without 0),
        CallHook::ReturningFromHost => 0,
        CallHook::CallingWasm | CallHook::ReturningFromWasm => return Ok(false),
    };
    let cost = base + store.data().host.counters().take_due();
    if cost == 0 {
        return Ok(false);
    }
    let Some(left) = store.get_fuel()?.checked_sub(cost) else {
        store.set_fuel(0)?;
        return Err(Trap::OutOfFuel.into());
    };
    store.set_fuel(left)?;
    let state = store.data_mut();
    let slice_used = guarded!("border-yield", state.fuel_at_yield.saturating_sub(left) >= SLICE_FUEL);
    if slice_used {
        state.fuel_at_yield = left;
    }
    Ok(slice_used)
}

/// Goes on at once. Of no size, so that boxing it takes no memory.
struct Go;

impl Future for Go {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Gives way once.
#[derive(Default)]
pub(super) struct GiveWay {
    given: bool,
}

impl Future for GiveWay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
