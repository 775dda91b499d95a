//! What the person behind one caller said when asked whether a plugin may have more: for a session, bounded, and never on
//! the disk. Asks nobody and decides nothing about grants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::grants::Intent;
use crate::plugin::Plugin;

/// Entries of each kind that one session keeps; the oldest give way.
const MOST: usize = 64;
/// Different questions about one plugin that a person says no to before there are no more of them in the session: with an
/// ask for any host a plugin could go on for ever.
const MOST_NOS: usize = 8;
/// Callers whose sessions are kept; the one unused for the longest time gives way.
const MOST_CALLERS: usize = 256;

/// One session: what was allowed for as long as it lasts, what was refused, and what is to be asked at the next call.
#[derive(Debug, Default)]
pub struct Session {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    allowed: Vec<Allowed>,
    /// By plugin and what was asked.
    refused: Vec<(String, String)>,
    /// By the call's method and name, and whose it is.
    offered: Vec<(String, Weak<Plugin>, Intent)>,
}

struct Allowed {
    /// The plugin as it served when this was allowed. Another one under its name, with other bytes, another approval or
    /// another configuration, gets nothing of it.
    plugin: Weak<Plugin>,
    operations: Vec<Intent>,
    held: Arc<Plugin>,
}

impl std::fmt::Debug for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Allowed").field("operations", &self.operations).finish_non_exhaustive()
    }
}

fn is(known: &Weak<Plugin>, plugin: &Arc<Plugin>) -> bool {
    known.as_ptr() == Arc::as_ptr(plugin)
}

impl Session {
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.allowed.retain(|allowed| allowed.plugin.strong_count() > 0);
        state
    }

    /// The plugin with what was allowed for the session, and the operations that was; none when nothing was.
    pub(super) fn held(&self, plugin: &Arc<Plugin>) -> Option<(Arc<Plugin>, Vec<Intent>)> {
        let state = self.state();
        let allowed = state.allowed.iter().find(|allowed| is(&allowed.plugin, plugin))?;
        Some((allowed.held.clone(), allowed.operations.clone()))
    }

    /// From now on `plugin` is `held`, because these operations were allowed.
    pub(super) fn allow(&self, plugin: &Arc<Plugin>, held: Arc<Plugin>, operations: Vec<Intent>) {
        let mut state = self.state();
        let name = &plugin.config.name;
        state.allowed.retain(|allowed| allowed.held.config.name != *name);
        push(&mut state.allowed, Allowed { plugin: Arc::downgrade(plugin), operations, held });
    }

    /// The person does not want to be asked this again.
    pub(super) fn refuse(&self, plugin: &str, what: &str) {
        let entry = (plugin.to_owned(), what.to_owned());
        let refused = &mut self.state().refused;
        if !refused.contains(&entry) {
            push(refused, entry);
        }
    }

    /// Whether the person said that, or no to this plugin so often that more questions would only tire them.
    pub(super) fn is_refused(&self, plugin: &str, what: &str) -> bool {
        let state = self.state();
        let said = |known: &&(String, String)| known.0 == plugin;
        if guarded!("ask-tired", state.refused.iter().filter(said).count() >= MOST_NOS) {
            return true;
        }
        guarded!("ask-once", state.refused.iter().any(|(of, said)| of == plugin && said == what))
    }

    /// This was denied to a call that could not be made again: it is asked about before the next one of its name.
    pub(super) fn offer(&self, call: (&'static str, &str), plugin: &Arc<Plugin>, operation: Intent) {
        let offered = &mut self.state().offered;
        let call = target(call);
        offered.retain(|(of, _, _)| *of != call);
        push(offered, (call, Arc::downgrade(plugin), operation));
    }

    /// What is to be asked before this call, once.
    pub(super) fn take_offered(&self, call: (&'static str, &str), plugin: &Arc<Plugin>) -> Option<Intent> {
        let offered = &mut self.state().offered;
        if offered.is_empty() {
            return None;
        }
        let call = target(call);
        let at = offered.iter().position(|(of, known, _)| *of == call && is(known, plugin))?;
        Some(offered.remove(at).2)
    }
}

/// A call's method and name.
fn target((method, name): (&'static str, &str)) -> String {
    format!("{method} {name}")
}

fn push<T>(all: &mut Vec<T>, one: T) {
    if all.len() >= MOST {
        all.remove(0);
    }
    all.push(one);
}

/// A session, and when it was used last.
type Used = (Instant, Arc<Session>);

/// The sessions of callers that have no connection of their own, by the caller.
#[derive(Debug, Default)]
pub struct Sessions {
    of: Mutex<HashMap<Arc<str>, Used>>,
}

impl Sessions {
    /// The caller's session. With `idle`, one that was not used for so long is over.
    #[must_use]
    pub fn of(&self, caller: &Arc<str>, idle: Option<Duration>) -> Arc<Session> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(idle) = idle {
            of.retain(|_, (used, _)| now.duration_since(*used) < idle);
        }
        if of.len() >= MOST_CALLERS
            && !of.contains_key(caller)
            && let Some(oldest) =
                of.iter().min_by_key(|(_, (used, _))| *used).map(|(caller, _)| caller.clone())
        {
            of.remove(&oldest);
        }
        let (used, session) = of.entry(caller.clone()).or_insert_with(|| (now, Arc::default()));
        *used = now;
        session.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_again_and_again_is_asked_about_no_more() {
        let session = Session::default();
        for number in 0..MOST_NOS {
            assert!(!session.is_refused("a", &format!("host {number}")));
            session.refuse("a", &format!("host {number}"));
            session.refuse("a", &format!("host {number}"));
        }
        assert!(session.is_refused("a", "host 0") && session.is_refused("a", "another"));
        assert!(!session.is_refused("b", "host 0"));
    }

    #[test]
    fn sessions_are_of_callers_end_when_idle_and_are_bounded() {
        let sessions = Sessions::default();
        let of = |caller: &str| sessions.of(&caller.into(), None);
        let first = of("x");
        first.refuse("a", "what");
        assert!(of("x").is_refused("a", "what") && !of("y").is_refused("a", "what"));
        std::thread::sleep(Duration::from_millis(20));
        assert!(!sessions.of(&"x".into(), Some(Duration::from_millis(10))).is_refused("a", "what"));
        for number in 0..2 * MOST_CALLERS {
            of(&number.to_string());
        }
        assert_eq!(sessions.of.lock().map_or(0, |of| of.len()), MOST_CALLERS);
    }
}
