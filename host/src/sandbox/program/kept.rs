//! Instances that wait for the next call of the caller they ran for, when the plugin's limits let one live for more than a call
//! (`instance-calls`, `instance-idle`). None is ever given to another caller.
//! It must not run a guest or wait for anything but the clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::guest::Guest;

/// The instances of one program that wait.
#[derive(Default)]
pub(super) struct Kept(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    /// What the program runs under was taken back.
    closed: bool,
    /// Somebody watches the clock.
    watched: bool,
    /// The one that waited longest first.
    idle: Vec<Idle>,
}

struct Idle {
    caller: String,
    since: Instant,
    guest: Guest,
    /// Its slot of the pool, and its share of those that may wait.
    _places: [OwnedSemaphorePermit; 2],
}

impl Kept {
    /// The one of this caller that ran last.
    pub(super) fn take(&self, caller: &str) -> Option<Guest> {
        let mut waiting = self.lock();
        let mine = |idle: &Idle| guarded!("reuse-caller", idle.caller == caller, without true);
        let at = waiting.idle.iter().rposition(mine)?;
        Some(waiting.idle.remove(at).guest)
    }

    /// Lets one wait for its caller's next call, at most so long.
    pub(super) fn put(
        self: &Arc<Self>,
        caller: String,
        guest: Guest,
        places: [OwnedSemaphorePermit; 2],
        longest: Duration,
        clock: &tokio::runtime::Handle,
    ) {
        let mut waiting = self.lock();
        if waiting.closed {
            return;
        }
        waiting.idle.push(Idle { caller, since: Instant::now(), guest, _places: places });
        if !std::mem::replace(&mut waiting.watched, true) {
            clock.spawn(watch(Arc::downgrade(self), longest));
        }
    }

    /// Ends all of them, and lets none wait any more.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        let idle = std::mem::take(&mut waiting.idle);
        drop(waiting);
        drop(idle);
    }

    /// Ends those that waited too long. Gives the time until the next one has; none when nothing waits.
    fn expire(&self, now: Instant, longest: Duration) -> Option<Duration> {
        let mut waiting = self.lock();
        let waited = |idle: &Idle| now.saturating_duration_since(idle.since);
        let old = waiting.idle.partition_point(|idle| waited(idle) >= longest);
        let expired: Vec<_> = waiting.idle.drain(..old).collect();
        let next = waiting.idle.first().map(|idle| longest.saturating_sub(waited(idle)));
        waiting.watched = next.is_some();
        drop(waiting);
        drop(expired);
        next
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches the clock for as long as something waits.
async fn watch(kept: Weak<Kept>, longest: Duration) {
    let mut until = longest;
    loop {
        tokio::time::sleep(guarded!("reuse-idle", until, without Duration::from_secs(86_400))).await;
        match kept.upgrade().and_then(|kept| kept.expire(Instant::now(), longest)) {
            Some(next) => until = next,
            None => return,
        }
    }
}
