//! The audit line of each call: a place for it before the call runs, and the line itself however the call ends, also
//! when nobody waits for it any more. Decides nothing but that a call without a place does not run.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::grants::{Digest, Grants};
use crate::observe::audit::{Arguments, Change, Ticket, Unwritable};
use crate::observe::{Audit, Decisions, Record};
use crate::plugin::Plugin;
use crate::sandbox::{CallError, Counters, Finished, Usage, contract};

use super::Catalog;
use super::api::{CallFailure, CallInfo};

/// Longest wait for a place when the audit is slower than the calls.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks for one.
const TURN: Duration = Duration::from_millis(2);

/// The line of one call. It is left when this is dropped.
pub(super) struct Line {
    left: Option<(Ticket<Usage>, Record<Usage>)>,
    counters: Arc<Counters>,
    /// Whether the plugin's part is over, so that it is known what it used.
    finished: bool,
}

impl Catalog {
    /// A place for the line of a call that is about to run.
    ///
    /// # Errors
    /// When calls are refused rather than left without a line, and this one would be.
    pub(super) async fn line(
        &self,
        method: &'static str,
        name: &str,
        call: &CallInfo,
        arguments: Arguments,
    ) -> Result<Line, CallFailure> {
        let counters = Arc::new(Counters::recorded(self.shared.recorder.clone()));
        let Some(audit) = &self.shared.audit else {
            return Ok(Line { left: None, counters, finished: false });
        };
        let ticket = place(audit).await.map_err(|why| match why {
            Unwritable::Full => CallFailure::Busy(why.to_string()),
            Unwritable::Failing(_) => CallFailure::Internal(format!("the call was refused: {why}")),
        })?;
        let record = Record {
            time: SystemTime::UNIX_EPOCH,
            plugin: None,
            method,
            name: name.to_owned(),
            caller: call.client.caller.clone(),
            trace: call.trace.traceparent.clone(),
            arguments,
            round: call.resumption.as_ref().map_or(0, |resumption| resumption.spent.rounds),
            // Until something else is known: the call was dropped.
            outcome: "cancelled".into(),
            decisions: Decisions::default(),
            output: 0,
            usage: Usage::default(),
        };
        Ok(Line { left: Some((ticket, record)), counters, finished: false })
    }

    /// Tells the audit which plugins hold something else than before.
    pub(super) fn tell_changes(&self, before: &[Arc<Plugin>], now: &[Arc<Plugin>]) {
        let Some(audit) = &self.shared.audit else { return };
        let ready = *self.shared.ready.borrow();
        let mut held: BTreeMap<&str, [Option<(Digest, &Grants)>; 2]> = BTreeMap::new();
        for (side, plugins) in [before, now].into_iter().enumerate() {
            for plugin in plugins {
                let of = held.entry(plugin.config.name.as_str()).or_default();
                of[side] = Some((plugin.digest, &plugin.holding.grants));
            }
        }
        let nothing = Grants::default();
        for (name, [before, now]) in held {
            let grants =
                |held: Option<(Digest, &Grants)>| held.map_or(nothing.clone(), |(_, grants)| grants.clone());
            let (had, has) = (grants(before), grants(now));
            if before == now || (had == nothing && has == nothing) {
                continue;
            }
            let change = Change {
                plugin: name.to_owned(),
                digest: now.or(before).map(|(digest, _)| digest),
                by: "host".into(),
                what: if ready { "applied" } else { "in force" },
                // What held before this process began is not known, nor is it a change of its own.
                before: if ready { had } else { has.clone() },
                now: has,
            };
            if ready { audit.change(change) } else { audit.in_force(change) }
        }
    }
}

async fn place(audit: &Audit<Usage>) -> Result<Ticket<Usage>, Unwritable> {
    let began = Instant::now();
    loop {
        match audit.admit() {
            Err(Unwritable::Full) if began.elapsed() < PATIENCE => tokio::time::sleep(TURN).await,
            other => return other,
        }
    }
}

impl Line {
    /// Where the call is counted.
    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Whose call it is.
    pub(super) fn of(&mut self, plugin: &Plugin) {
        if let Some((_, record)) = &mut self.left {
            record.plugin = Some((plugin.config.name.to_string(), plugin.digest));
        }
    }

    /// The plugin's part is over; `said` is what there is to say of an answer.
    pub(super) fn finished<T>(&mut self, finished: &Finished<T>, said: Option<String>) {
        self.finished = true;
        if let Some((_, record)) = &mut self.left {
            record.outcome = match (&finished.result, said) {
                (Ok(_), None) => "ok".into(),
                (Ok(_), Some(said)) => said.into(),
                (Err(error), _) => class(error),
            };
            record.output = finished.output;
            record.usage = finished.usage.clone();
        }
    }

    /// The whole call is over.
    pub(super) fn answered<T>(&mut self, answer: &Result<T, CallFailure>) {
        let finished = self.finished;
        if let (Some((_, record)), Err(failure)) = (&mut self.left, answer) {
            if !finished {
                record.outcome = refused(failure).into();
            } else if record.outcome == "ok" {
                record.outcome = "broke the contract".into();
            }
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some((ticket, mut record)) = self.left.take() {
            record.time = SystemTime::now();
            record.decisions = self.counters.take_decisions();
            if !self.finished {
                record.usage = self.counters.so_far();
            }
            ticket.record(record);
        }
    }
}

/// In which way a call failed, without a word of the plugin's own.
fn class(error: &CallError) -> Cow<'static, str> {
    match error {
        CallError::Limit(hit) => format!("limit: {} ({})", hit.budget, hit.bound).into(),
        CallError::Panicked { .. } => "panicked".into(),
        CallError::Trapped(trap) => format!("trap: {trap}").into(),
        CallError::Exited(code) => format!("exited ({code})").into(),
        CallError::Cancelled => "cancelled".into(),
        CallError::Revoked(_) => "revoked".into(),
        CallError::Busy(_) => "busy".into(),
        CallError::Unsupported(_) => "not offered".into(),
        CallError::NoCode(_) => "no code".into(),
        CallError::Internal(_) => "internal error".into(),
        CallError::Plugin(error) => match error {
            contract::Error::Unknown(_) => "unknown".into(),
            contract::Error::Invalid(_) => "invalid arguments, by the plugin".into(),
            contract::Error::Denied(_) => "denied".into(),
            contract::Error::MissingCapability(_) => "the client lacks a capability".into(),
            contract::Error::Failed(_) => "failed".into(),
            contract::Error::Protocol(error) => format!("protocol error {}", error.code).into(),
        },
    }
}

/// Why a call did not get as far as the plugin.
fn refused(failure: &CallFailure) -> &'static str {
    match failure {
        CallFailure::NotFound(_) => "refused: not found",
        CallFailure::InvalidArguments(_) => "refused: invalid arguments",
        CallFailure::Stale(_) => "refused: its plugin is another one by now",
        _ => "refused",
    }
}
