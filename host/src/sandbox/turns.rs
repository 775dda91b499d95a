//! Whose call of a plugin runs next: so many at once, of one caller too, so many a minute, the rest in a bounded queue
//! in which callers take turns. Knows neither what a call does nor how it ends.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::grants::Limits;

use super::busy::Busy;
use super::rate::Rate;

/// Callers remembered though nothing of theirs runs or waits. Over that, those whose rate says nothing any more are forgotten.
const REMEMBERED: usize = 1_024;

/// The turns of one plugin.
pub(super) struct Turns {
    concurrency: usize,
    caller_concurrency: usize,
    queue: usize,
    caller_rate: u64,
    state: Mutex<State>,
}

struct State {
    running: usize,
    waiting: usize,
    rate: Rate,
    callers: HashMap<Arc<str>, Caller>,
    /// Callers with somebody waiting, whose turn comes first in front.
    order: VecDeque<Arc<str>>,
}

struct Caller {
    running: usize,
    /// Of `queue`, those that still want it.
    waiting: usize,
    queue: VecDeque<oneshot::Sender<Verdict>>,
    rate: Rate,
}

/// What somebody who waits is told: go on, or that there are too many.
type Verdict = Result<(), Busy>;

/// A turn; given back when dropped.
#[must_use]
pub(super) struct Turn {
    turns: Arc<Turns>,
    caller: Arc<str>,
}

impl Turns {
    pub(super) fn new(limits: &Limits, now: Instant) -> Arc<Self> {
        let concurrency = guarded!("concurrency", limits.concurrency.max(1), without 8);
        let state = State {
            running: 0,
            waiting: 0,
            rate: Rate::new(limits.rate, now),
            callers: HashMap::new(),
            order: VecDeque::new(),
        };
        Arc::new(Self {
            concurrency,
            caller_concurrency: guarded!("caller-concurrency", limits.caller_concurrency.clamp(1, concurrency), without concurrency),
            queue: limits.queue,
            caller_rate: limits.caller_rate,
            state: Mutex::new(state),
        })
    }

    /// Waits for a turn of this caller's. Dropping the future gives the place in the queue up.
    pub(super) async fn take(self: &Arc<Self>, caller: &str, now: Instant) -> Result<Turn, Busy> {
        let (mut place, caller) = {
            let mut state = self.state();
            let caller = state.known(caller, self.caller_rate, now);
            state.count(&caller, now)?;
            match state.join(self, &caller)? {
                None => return Ok(Turn { turns: self.clone(), caller }),
                Some(verdict) => {
                    (Place { turns: self, caller: caller.clone(), verdict, over: false }, caller)
                }
            }
        };
        let verdict = (&mut place.verdict).await;
        place.over = true;
        match verdict {
            Ok(verdict) => verdict.map(|()| Turn { turns: self.clone(), caller }),
            // Senders live in the queue until they have spoken.
            Err(_) => Err(Busy::Queue(self.queue)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, caller: &str) {
        let mut state = self.state();
        state.running -= 1;
        if let Some(caller) = state.callers.get_mut(caller) {
            caller.running -= 1;
        }
        state.pass_on(self);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.give_back(&self.caller);
    }
}

impl State {
    /// The caller's own name in the table.
    fn known(&mut self, name: &str, rate: u64, now: Instant) -> Arc<str> {
        if let Some((known, _)) = self.callers.get_key_value(name) {
            return known.clone();
        }
        if self.callers.len() >= REMEMBERED {
            self.callers.retain(|_, caller| caller.running + caller.waiting > 0 || !caller.rate.is_full(now));
        }
        let name: Arc<str> = name.into();
        let caller = Caller { running: 0, waiting: 0, queue: VecDeque::new(), rate: Rate::new(rate, now) };
        self.callers.insert(name.clone(), caller);
        name
    }

    /// Counts a call towards both rates, or neither.
    fn count(&mut self, caller: &str, now: Instant) -> Result<(), Busy> {
        guarded!("rate", self.rate.check(now), without Ok(()))
            .map_err(|again| Busy::Rate { key: "rate", again })?;
        if let Some(caller) = self.callers.get_mut(caller) {
            guarded!("caller-rate", caller.rate.check(now), without Ok(()))
                .map_err(|again| Busy::Rate { key: "caller-rate", again })?;
            caller.rate.count(now);
        }
        self.rate.count(now);
        Ok(())
    }

    /// Takes a turn at once (`None`), or a place in the queue.
    fn join(&mut self, turns: &Turns, name: &Arc<str>) -> Result<Option<oneshot::Receiver<Verdict>>, Busy> {
        let Some(caller) = self.callers.get_mut(name) else { return Err(Busy::Queue(self.waiting)) };
        // Those who wait although there is room have as many running as one caller may, this one perhaps among them.
        if self.running < turns.concurrency
            && caller.running < turns.caller_concurrency
            && caller.waiting == 0
        {
            self.running += 1;
            caller.running += 1;
            return Ok(None);
        }
        let own = caller.waiting;
        if guarded!("queue", self.waiting >= turns.queue && !guarded!("fair-queue", self.make_room(own))) {
            return Err(Busy::Queue(self.waiting));
        }
        let (tell, verdict) = oneshot::channel();
        if let Some(caller) = self.callers.get_mut(name) {
            if caller.waiting == 0 {
                caller.queue.clear();
                self.order.push_back(name.clone());
            }
            caller.waiting += 1;
            caller.queue.push_back(tell);
        }
        self.waiting += 1;
        Ok(Some(verdict))
    }

    /// Takes the last place of whoever waits most for somebody who waits less: a full queue is not one caller's.
    fn make_room(&mut self, own: usize) -> bool {
        let total = self.waiting;
        let Some(most) = self.callers.values_mut().max_by_key(|caller| caller.waiting) else { return false };
        if most.waiting <= own + 1 {
            return false;
        }
        while let Some(last) = most.queue.pop_back() {
            if last.send(Err(Busy::Queue(total))).is_ok() {
                most.waiting -= 1;
                self.waiting -= 1;
                return true;
            }
        }
        false
    }

    /// Gives free turns to those who wait, one of each caller after the other.
    fn pass_on(&mut self, turns: &Turns) {
        let mut looked_at = 0;
        while self.running < turns.concurrency && looked_at < self.order.len() {
            let Some(name) = self.order.pop_front() else { return };
            let Some(caller) = self.callers.get_mut(&name) else { continue };
            if caller.waiting == 0 {
                caller.queue.clear();
                continue;
            }
            if caller.running >= turns.caller_concurrency {
                looked_at += 1;
                self.order.push_back(name);
                continue;
            }
            let mut given = false;
            while let Some(next) = caller.queue.pop_front() {
                if next.send(Ok(())).is_ok() {
                    caller.running += 1;
                    caller.waiting -= 1;
                    self.running += 1;
                    self.waiting -= 1;
                    given = true;
                    break;
                }
            }
            // Whoever gave its place up, but has not got here to say so, may be all that is left of the queue.
            looked_at += usize::from(!given);
            if caller.waiting > 0 {
                self.order.push_back(name);
            }
        }
    }

    /// Somebody no longer waits. Its half of the channel stays in the queue until there are many of these.
    fn leave(&mut self, name: &str) {
        self.waiting -= 1;
        let Some(caller) = self.callers.get_mut(name) else { return };
        caller.waiting -= 1;
        if caller.queue.len() > 2 * caller.waiting + 16 {
            caller.queue.retain(|tell| !tell.is_closed());
        }
        if caller.waiting == 0 {
            self.order.retain(|other| **other != *name);
        }
    }
}

/// A place in the queue.
struct Place<'a> {
    turns: &'a Turns,
    caller: Arc<str>,
    verdict: oneshot::Receiver<Verdict>,
    /// Whether the verdict was heard.
    over: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        // From here on nobody can be told anything; what was told before has moved the counts already.
        self.verdict.close();
        match self.verdict.try_recv() {
            Ok(Ok(())) => self.turns.give_back(&self.caller),
            Ok(Err(_)) => {}
            Err(_) => self.turns.state().leave(&self.caller),
        }
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
