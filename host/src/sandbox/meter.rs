//! What a call used, and what was decided in it. Counted where it happens, read once at the end; `grants` decides.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::grants::{Decision, Grants, Intent, Operation, decide};
use crate::observe::{Decisions, Recorder, Scrubber};

/// Denied operations of a call that are remembered as they were.
const MAX_REFUSED: usize = 8;

/// Counts of one call, shared by the wrappers (streams, sockets, bodies) that outlive a host
/// function's borrow of the store.
#[derive(Debug, Default)]
pub struct Counters {
    fuel_due: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    http_requests: AtomicU32,
    sockets: AtomicU32,
    files_opened: AtomicU32,
    log_lines: AtomicU32,
    decisions: Mutex<Decisions>,
    recorder: Option<Arc<Recorder>>,
    /// Of the plugin whose call it is, when it has secrets: it chooses the names of hosts.
    scrubber: OnceLock<Arc<Scrubber>>,
    refused: Mutex<Vec<Intent>>,
    effect: AtomicBool,
    /// Where this call is counted instead, for as long as it runs in an instance that has counters of its own.
    lender: Mutex<Option<Arc<Counters>>>,
}

impl Counters {
    /// For a call of which somebody keeps each operation; `None` is nobody.
    #[must_use]
    pub fn recorded(recorder: Option<Arc<Recorder>>) -> Self {
        Self { recorder, ..Self::default() }
    }

    /// Whoever keeps each operation. Mostly nobody does, and then nothing of it may cost anything.
    #[must_use]
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_deref()
    }

    /// Until [`settle`](Self::settle), what these are asked is answered by `lender`, which nothing was counted in yet.
    pub(super) fn borrow_from(&self, lender: &Arc<Self>) {
        *self.lender() = Some(Arc::clone(lender));
    }

    /// Takes over what was counted elsewhere and leaves nothing there.
    pub(super) fn settle(&self) {
        let mut lender = self.lender();
        let Some(from) = lender.take() else { return };
        from.fuel_due.store(0, Relaxed);
        self.bytes_sent.store(from.bytes_sent.swap(0, Relaxed), Relaxed);
        self.bytes_received.store(from.bytes_received.swap(0, Relaxed), Relaxed);
        self.http_requests.store(from.http_requests.swap(0, Relaxed), Relaxed);
        self.sockets.store(from.sockets.swap(0, Relaxed), Relaxed);
        self.files_opened.store(from.files_opened.swap(0, Relaxed), Relaxed);
        self.log_lines.store(from.log_lines.swap(0, Relaxed), Relaxed);
        self.effect.store(from.effect.swap(false, Relaxed), Relaxed);
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = from.take_refused();
        let decisions = from.take_decisions();
        self.decided(|mine| *mine = decisions);
    }

    fn lender(&self) -> MutexGuard<'_, Option<Arc<Self>>> {
        self.lender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to what the guest owes for work done on its behalf: one unit of fuel a byte moved, and
    /// whatever else a host function finds fair. Settled at the next crossing of the border.
    pub fn charge(&self, fuel: u64) {
        self.fuel_due.fetch_add(fuel, Relaxed);
    }

    /// Takes what is owed, leaving nothing.
    pub fn take_due(&self) -> u64 {
        if self.fuel_due.load(Relaxed) == 0 { 0 } else { self.fuel_due.swap(0, Relaxed) }
    }

    /// Bytes that left the machine for the guest.
    pub fn sent(&self, bytes: u64) {
        self.bytes_sent.fetch_add(bytes, Relaxed);
    }

    /// Bytes that came from outside for the guest.
    pub fn received(&self, bytes: u64) {
        self.bytes_received.fetch_add(bytes, Relaxed);
    }

    /// Bytes over the network so far, both ways.
    pub fn moved(&self) -> u64 {
        self.bytes_sent.load(Relaxed).saturating_add(self.bytes_received.load(Relaxed))
    }

    /// Counts a TCP or UDP socket.
    pub fn socket(&self) {
        self.sockets.fetch_add(1, Relaxed);
    }

    /// Counts an HTTP request; gives how many there were before.
    pub fn http_request(&self) -> u32 {
        self.http_requests.fetch_add(1, Relaxed)
    }

    /// Counts an opened file or directory.
    pub fn file_opened(&self) {
        self.files_opened.fetch_add(1, Relaxed);
    }

    /// Counts a log line; gives how many there were before.
    pub fn log_line(&self) -> u32 {
        self.log_lines.fetch_add(1, Relaxed)
    }

    /// Something was allowed by a rule, whose text (as `Grants::describe` shows it) is made once per plugin.
    pub fn allowed(&self, rule: &Arc<str>) {
        self.decided(|decisions| decisions.allow(rule));
    }

    /// Something was denied. The text goes into the audit: no path, query or content that the guest chose.
    pub fn denied(&self, what: &str) {
        let what = self.clean(what);
        self.decided(|decisions| decisions.deny(&what));
    }

    /// What the grants say of an operation; tells whoever records.
    pub fn decide(&self, grants: &Grants, operation: &Operation<'_>) -> Decision {
        let decision = decide(grants, operation);
        if let Some(recorder) = &self.recorder {
            recorder.decided(operation, decision);
        }
        decision
    }

    /// This was denied for want of a grant. Only the first few different ones are kept.
    pub fn refused(&self, operation: Intent) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < MAX_REFUSED && !refused.contains(&operation) {
            refused.push(operation);
        }
    }

    /// What was denied for want of a grant so far; leaves nothing.
    pub fn take_refused(&self) -> Vec<Intent> {
        if let Some(lender) = &*self.lender() {
            return lender.take_refused();
        }
        std::mem::take(&mut *self.refused.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets what was denied and names a secret: a question would tell it.
    pub(super) fn forget_secrets(&self, by: &Scrubber) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|operation| {
            let text = operation.to_string();
            let clean = by.text(&text) == text.as_str();
            guarded!("ask-secrets", clean, without true)
        });
    }

    /// The call does something that doing it once more would do twice: it changes a file or its state, sends a request
    /// that may change something, or opens a connection. Said before it is done.
    pub fn effect(&self) {
        self.effect.store(true, Relaxed);
    }

    /// Whether the call may have changed anything outside.
    #[must_use]
    pub fn had_effect(&self) -> bool {
        if let Some(lender) = &*self.lender() {
            return lender.had_effect();
        }
        self.effect.load(Relaxed)
    }

    /// Something is sent to this host and port.
    pub fn reached(&self, host: &str) {
        let host = self.clean(host);
        self.decided(|decisions| decisions.reach(&host));
    }

    /// From now on no value that it knows is in what was decided.
    pub(super) fn scrub_by(&self, scrubber: &Arc<Scrubber>) {
        // One call is of one plugin; of another configuration of it the values may have changed, which is revoked.
        let _ = self.scrubber.set(scrubber.clone());
        if let Some(recorder) = &self.recorder {
            recorder.hide(scrubber);
        }
    }

    fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let scrubber = guarded!("secret-audit", self.scrubber.get(), without None);
        scrubber.map_or(Cow::Borrowed(text), |scrubber| scrubber.text(text))
    }

    fn decided(&self, add: impl FnOnce(&mut Decisions)) {
        add(&mut self.decisions.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was decided so far; leaves nothing.
    pub fn take_decisions(&self) -> Decisions {
        if let Some(lender) = &*self.lender() {
            return lender.take_decisions();
        }
        std::mem::take(&mut *self.decisions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was used so far, as far as it is counted here. For a call that was dropped before it ended.
    #[must_use]
    pub fn so_far(&self) -> Usage {
        let mut usage = Usage::default();
        match &*self.lender() {
            Some(lender) => lender.read_into(&mut usage),
            None => self.read_into(&mut usage),
        }
        usage
    }

    pub(super) fn read_into(&self, usage: &mut Usage) {
        usage.bytes_sent = self.bytes_sent.load(Relaxed);
        usage.bytes_received = self.bytes_received.load(Relaxed);
        usage.http_requests = self.http_requests.load(Relaxed);
        usage.sockets = self.sockets.load(Relaxed);
        usage.files_opened = self.files_opened.load(Relaxed);
        usage.log_lines = self.log_lines.load(Relaxed);
    }
}

/// What a call used.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Usage {
    /// Fuel: instructions and the cost of host calls. The whole budget when a trap hid the count.
    pub fuel: u64,
    /// Wall clock from entering the guest to its end.
    pub micros: u64,
    /// Most bytes of linear memory at once.
    pub peak_memory: u64,
    /// Bytes that left the machine.
    pub bytes_sent: u64,
    /// Bytes that came from outside.
    pub bytes_received: u64,
    /// HTTP requests.
    pub http_requests: u32,
    /// TCP and UDP sockets opened.
    pub sockets: u32,
    /// Files and directories opened.
    pub files_opened: u32,
    /// Log lines written.
    pub log_lines: u32,
}

impl Usage {
    pub(super) fn set_wall(&mut self, wall: Duration) {
        self.micros = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_names_a_secret_is_not_asked_about() {
        let counters = Counters::default();
        let known = Scrubber::default();
        known.learn("token", "abcdefgh12345678", 1);
        for text in ["GET https://abcdefgh12345678.evil.t", "GET https://good.t", "GET https://good.t"] {
            counters.refused(text.parse().unwrap());
        }
        counters.forget_secrets(&known);
        let left: Vec<_> = counters.take_refused().iter().map(ToString::to_string).collect();
        assert_eq!(left, ["GET https://good.t:443/"]);
        for number in 0..100 {
            counters.refused(Intent::State(number));
        }
        assert_eq!(counters.take_refused().len(), MAX_REFUSED);
        assert!(counters.take_refused().is_empty() && !counters.had_effect());
    }
}
