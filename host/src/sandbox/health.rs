//! How a plugin's calls have ended of late: one that traps again and again sits out, each time longer. Pure but for its
//! lock; the caller brings the time. Says nothing of how many calls may run.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::busy::SitsOut;

/// What counts together.
const WINDOW: Duration = Duration::from_secs(10);
/// Traps within [`WINDOW`] for which it sits out.
const TRAPS: usize = 5;
/// The same of panics with a message: a program that ends in good order, often because of what it was given.
const PANICS: usize = 50;
/// The first time out, and every time for panics. Each further one for traps is twice as long ...
const FIRST: Duration = Duration::from_secs(1);
/// ... up to this. After as long without another it begins at [`FIRST`] again.
const LONGEST: Duration = Duration::from_secs(300);

/// How a call ended, as far as it tells of the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a result, an error of its own, or at a budget.
    Orderly,
    /// It panicked and said so, or exited.
    Panicked,
    /// In a trap, which hides what it was and what it used.
    Trapped,
}

/// The health of one plugin's bytes under one configuration, in this process.
#[derive(Debug, Default)]
pub(super) struct Health {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    traps: VecDeque<Instant>,
    panics: VecDeque<Instant>,
    /// Times out for traps in a row.
    times_out: u32,
    out: Option<Out>,
}

#[derive(Debug)]
struct Out {
    until: Instant,
    how: &'static str,
    times: usize,
}

impl Out {
    fn left(&self, now: Instant) -> Option<SitsOut> {
        let left = self.until.saturating_duration_since(now);
        let Self { how, times, .. } = *self;
        (!left.is_zero()).then_some(SitsOut { how, times, window: WINDOW, left })
    }
}

impl Health {
    /// Whether a call may begin.
    pub(super) fn check(&self, now: Instant) -> Result<(), SitsOut> {
        match guarded!("sits-out", self.state().out.as_ref().and_then(|out| out.left(now)), without None) {
            Some(out) => Err(out),
            None => Ok(()),
        }
    }

    /// A call ended. Gives word once when the plugin begins to sit out.
    pub(super) fn ended(&self, ending: Ending, now: Instant) -> Option<SitsOut> {
        if ending == Ending::Orderly {
            return None;
        }
        let mut state = self.state();
        let last = state.out.as_ref().map(|out| out.until);
        // Calls that ran already when it began to sit out do not make it longer.
        if last.is_some_and(|until| now < until) {
            return None;
        }
        if last.is_some_and(|until| now.duration_since(until) >= LONGEST) {
            state.times_out = 0;
        }
        let (ends, most, how) = match ending {
            Ending::Trapped => (&mut state.traps, TRAPS, "trapped"),
            _ => (&mut state.panics, PANICS, "panicked"),
        };
        while ends.front().is_some_and(|end| now.duration_since(*end) >= WINDOW) {
            ends.pop_front();
        }
        ends.push_back(now);
        if ends.len() < most {
            return None;
        }
        ends.clear();
        let time = match ending {
            Ending::Trapped => {
                state.times_out += 1;
                FIRST.saturating_mul(1 << (state.times_out - 1).min(16)).min(LONGEST)
            }
            _ => FIRST,
        };
        let out = Out { until: now + time, how, times: most };
        let said = out.left(now);
        state.out = Some(out);
        said
    }

    /// A person looked at it: it starts anew.
    pub(super) fn lift(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
