//! What happens when a plugin is denied something that a person may allow: the question, the answer, and the same call
//! once more with more grants. What may be asked is decided in `grants`; how it is put, in the protocol's room.

use std::sync::Arc;

use crate::config::OnDenied;
use crate::grants::{Grants, Intent, decide, widened};
use crate::observe::audit::Change;
use crate::plugin::Plugin;

use super::Catalog;
use super::api::{CallFailure, CallInfo, Done};
use super::asking::{self, MAX_ROUNDS, Spent};
use super::audited::Line;
use super::types::{Answer, KeyedQuestion, Leave, Offer, Outcome, Pending, Question, Resumption};

/// The key of the host's own question, which is alone in its round.
const KEY: &str = "kennel";
/// The answers to choose from.
pub const ONCE: &str = "once";
/// See [`ONCE`].
pub const SESSION: &str = "session";
/// See [`ONCE`].
pub const NO: &str = "no";

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Once,
    Session,
    No,
    /// The question was put aside.
    Nothing,
}

fn said(answers: &[Answer]) -> Said {
    let Some(answer) = answers.iter().find(|answer| answer.key == KEY) else { return Said::Nothing };
    match (answer.value["action"].as_str(), answer.value["content"]["answer"].as_str()) {
        (Some("accept"), Some(ONCE)) => Said::Once,
        (Some("accept"), Some(SESSION)) => Said::Session,
        (Some("accept" | "decline"), _) => Said::No,
        _ => Said::Nothing,
    }
}

impl Resumption {
    /// Whether it is a person's yes to the host's own question.
    #[must_use]
    pub fn allows(&self) -> bool {
        self.leave.offer.is_some() && matches!(said(&self.answers), Said::Once | Said::Session)
    }
}

/// A call about to be made, under what its plugin holds and a person allowed.
pub(super) struct Held<'a> {
    /// The plugin as it stands in the lists.
    base: Arc<Plugin>,
    /// The one that runs.
    pub(super) plugin: Arc<Plugin>,
    /// Allowed for this call alone.
    once: Vec<Intent>,
    /// The call, with the answers that are the plugin's own.
    pub(super) call: CallInfo,
    /// Method and name.
    target: (&'static str, &'a str),
}

/// What comes before a call.
pub(super) enum Before<'a> {
    /// It may be made.
    Run(Held<'a>),
    /// The person is asked first.
    Ask(Pending),
}

impl Catalog {
    /// Takes the answer to a question of the host's, and finds what the call runs under.
    ///
    /// # Errors
    /// [`CallFailure::Stale`] when what was allowed cannot be given any more.
    pub(super) fn hold<'a>(
        &self,
        base: &Arc<Plugin>,
        mut call: CallInfo,
        target: (&'static str, &'a str),
    ) -> Result<Before<'a>, CallFailure> {
        let mut once = Vec::new();
        if call.resumption.is_none() && !may_ask(base, &call) {
            let (base, plugin) = (base.clone(), base.clone());
            return Ok(Before::Run(Held { base, plugin, once, call, target }));
        }
        if let Some(resumption) = call.resumption.clone() {
            once = resumption.leave.allowed.iter().filter_map(|text| text.parse().ok()).collect();
            if resumption.leave.offer.is_some() {
                self.answered(base, &resumption, &call, &mut once)?;
                call.resumption = Some(Arc::new(entered(&resumption)));
            }
        }
        let session = call.approver.as_ref().filter(|_| may_ask(base, &call));
        let (mut plugin, kept) =
            session.and_then(|session| session.held(base)).unwrap_or_else(|| (base.clone(), Vec::new()));
        once.retain(|operation| !kept.contains(operation));
        if session.is_none() {
            once.clear();
        } else if !once.is_empty() {
            plugin = widen(base, plugin.holding.grants.clone(), &once)?;
        }
        if call.resumption.is_none()
            && let Some(session) = session
            && let Some(operation) = session.take_offered(target, base)
            && let Some(pending) = question(base, &plugin, &call, &operation, &once)
        {
            return Ok(Before::Ask(pending));
        }
        Ok(Before::Run(Held { base: base.clone(), plugin, once, call, target }))
    }

    /// Remembers what a person said.
    fn answered(
        &self,
        base: &Arc<Plugin>,
        resumption: &Resumption,
        call: &CallInfo,
        once: &mut Vec<Intent>,
    ) -> Result<(), CallFailure> {
        let (Some(offer), Some(session)) = (&resumption.leave.offer, &call.approver) else { return Ok(()) };
        let (held, mut kept) = session.held(base).unwrap_or_else(|| (base.clone(), Vec::new()));
        let before = held.holding.grants.clone();
        let said = said(&resumption.answers);
        let what = match said {
            Said::Once => "allowed once",
            Said::Session => "allowed for the session",
            Said::No => {
                session.refuse(base.config.name.as_str(), &offer.what);
                self.note(base, call, "refused when asked", before.clone(), before);
                return Ok(());
            }
            Said::Nothing => return Ok(()),
        };
        let stale = || {
            CallFailure::Stale(format!(
                "what plugin `{}` was to be allowed is another by now",
                base.config.name
            ))
        };
        let operation: Intent = offer.operation.parse().map_err(|_| stale())?;
        // What was shown is what is given, whatever was granted or taken meanwhile.
        let mut given = before.clone();
        for allowed in once.iter() {
            given = widened(&given, base.asked.as_ref(), allowed).map_or(given, |wider| wider.grants);
        }
        // Of several calls that wait for the same word, the first brings it to all.
        if may_ask(base, call) && decide(&given, &operation.operation()).is_allowed() {
            return Ok(());
        }
        let wider = widened(&given, base.asked.as_ref(), &operation).filter(|wider| wider.what == offer.what);
        let wider = wider.filter(|_| may_ask(base, call)).ok_or_else(stale)?;
        if said == Said::Once {
            once.push(operation);
            self.note(base, call, what, given, wider.grants);
        } else {
            let now = widen(base, before.clone(), std::slice::from_ref(&operation))?;
            self.note(base, call, what, before, now.holding.grants.clone());
            kept.push(operation);
            session.allow(base, now, kept);
        }
        Ok(())
    }

    /// As [`super::api::Backend::declined`].
    pub(super) fn remember_declined(&self, answered: &Resumption, call: &CallInfo) {
        let view = self.view();
        let asker = |plugin: &&Arc<Plugin>| plugin.config.name.as_str() == answered.asker.plugin;
        if let Some(base) = view.plugins.iter().find(asker) {
            // It was no yes, so there is nothing that could be stale.
            let _ = self.answered(base, answered, call, &mut Vec::new());
        }
    }

    fn note(&self, plugin: &Plugin, call: &CallInfo, what: &'static str, before: Grants, now: Grants) {
        let name = plugin.config.name.as_str();
        tracing::info!(plugin = name, "{what} by {}", call.client.caller);
        if let Some(audit) = &self.shared.audit {
            let by = call.client.caller.to_string();
            audit.change(Change {
                plugin: name.to_owned(),
                digest: Some(plugin.digest),
                by,
                what,
                before,
                now,
            });
        }
    }
}

impl Held<'_> {
    /// What a call that ended is answered with: its own answer, or a question to the person when it was denied something
    /// and can be made again.
    pub(super) fn after<T>(
        self,
        line: &Line,
        answer: Result<Done<T>, CallFailure>,
    ) -> Result<Done<T>, CallFailure> {
        let allowed = texts(&self.once);
        let answer = match answer {
            Ok(Done { outcome: Outcome::InputRequired(mut pending), usage }) => {
                let aside = self.call.resumption.is_some_and(|before| before.leave.aside);
                pending.leave = Leave { allowed, aside, ..Leave::default() };
                return Ok(Done { outcome: Outcome::InputRequired(pending), usage });
            }
            Err(
                failure @ (CallFailure::Busy(_)
                | CallFailure::Limit(_)
                | CallFailure::Revoked(_)
                | CallFailure::Cancelled
                | CallFailure::Stale(_)
                | CallFailure::MissingCapability(_)
                | CallFailure::Internal(_)),
            ) => return Err(failure),
            answer => answer,
        };
        let Self { base, plugin, once, call, target } = self;
        let Some(session) = call.approver.as_ref().filter(|_| may_ask(&base, &call)) else { return answer };
        let refused = line.counters().take_refused();
        let asked = refused.iter().find_map(|operation| {
            let pending = question(&base, &plugin, &call, operation, &once)?;
            Some((operation, pending))
        });
        let Some((operation, pending)) = asked else { return answer };
        if guarded!("ask-effects", line.counters().had_effect()) {
            // Made again it would do twice what it did.
            session.offer(target, &base, operation.clone());
            return answer;
        }
        let (otherwise, usage) = match answer {
            Ok(Done { outcome: Outcome::Complete(output), usage }) => (Ok(output), usage),
            Ok(other) => return Ok(other),
            Err(failure) => (Err(failure), super::api::Usage::default()),
        };
        Ok(Done { outcome: Outcome::Offer(pending, Some(Box::new(otherwise))), usage })
    }
}

/// Whether the person behind this call may be asked about this plugin.
fn may_ask(base: &Plugin, call: &CallInfo) -> bool {
    guarded!("ask-configured", base.config.on_denied == OnDenied::Ask, without true)
        && guarded!("ask-approved", base.holding.unapproved.is_none(), without true)
        && call.approver.is_some()
        && call.client.can.elicit_form
}

/// The question about one operation, or none when it is not for asking or was answered with no.
fn question(
    base: &Plugin,
    plugin: &Plugin,
    call: &CallInfo,
    operation: &Intent,
    once: &[Intent],
) -> Option<Pending> {
    let what = widened(&plugin.holding.grants, base.asked.as_ref(), operation)?.what;
    let text = operation.to_string();
    // What cannot be written down and read again cannot be answered.
    if text.parse().ok().as_ref() != Some(operation) {
        return None;
    }
    if call.approver.as_ref()?.is_refused(base.config.name.as_str(), &what) {
        return None;
    }
    let before = call.resumption.as_deref();
    let spent = before.map(|before| before.spent).unwrap_or_default();
    let spent = Spent { rounds: spent.rounds.saturating_add(1), ..spent };
    if spent.rounds > MAX_ROUNDS || before.is_some_and(|before| before.leave.aside) {
        return None;
    }
    let answers = before.map(|before| before.answers.as_slice()).unwrap_or_default();
    let offer = Offer {
        operation: text,
        what: what.clone(),
        answers: answers.iter().map(|answer| (answer.key.clone(), answer.value.clone())).collect(),
    };
    Some(Pending {
        asker: asking::asker(base),
        spent,
        questions: vec![KeyedQuestion { key: KEY.to_owned(), question: Question::Allow(what) }],
        continuation: before.map(|before| before.continuation.clone()).unwrap_or_default(),
        leave: Leave {
            allowed: texts(once),
            fresh: before.is_none_or(|before| before.leave.fresh),
            aside: false,
            offer: Some(offer),
        },
    })
}

/// The plugin under these grants, which are its own and perhaps more, and these operations.
fn widen(base: &Arc<Plugin>, mut grants: Grants, operations: &[Intent]) -> Result<Arc<Plugin>, CallFailure> {
    for operation in operations {
        grants = widened(&grants, base.asked.as_ref(), operation).map_or(grants, |wider| wider.grants);
    }
    // Always of the plugin itself: what is taken back from it is taken from all that it was widened to.
    base.widened(grants).map_err(|error| CallFailure::Internal(error.to_string()))
}

/// The call as it was before the host asked.
fn entered(resumption: &Resumption) -> Resumption {
    let answers = resumption.leave.offer.iter().flat_map(|offer| offer.answers.clone());
    Resumption {
        answers: answers.map(|(key, value)| Answer { key, value }).collect(),
        leave: Leave {
            offer: None,
            aside: resumption.leave.aside || said(&resumption.answers) == Said::Nothing,
            ..resumption.leave.clone()
        },
        ..resumption.clone()
    }
}

fn texts(operations: &[Intent]) -> Vec<String> {
    operations.iter().map(ToString::to_string).collect()
}
