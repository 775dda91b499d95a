//! What a plugin may ask of the person, the model and the client behind a call: only what it was granted, and only
//! so much. Says nothing of how a question is put or whether its shape is right; that is the protocol's room.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::grants::{Decision, Intent};
use crate::plugin::Plugin;
use crate::sandbox::{Budget, CallError, Counters, Finished, LimitHit, contract as wit, json};

use super::api::{CallFailure, CallInfo};
use super::types::Asker;

/// Most times a plugin is entered again for one call. A client that is asked for more gives up too: the protocol's
/// libraries follow ten rounds.
pub const MAX_ROUNDS: u32 = 8;

/// Bytes of a question's key that the audit is told.
const MAX_KEY: usize = 64;

/// What a call has asked so far, over all its rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Rounds of questions.
    pub rounds: u32,
    /// Questions.
    pub questions: u32,
    /// Tokens asked of the client's model.
    pub sample_tokens: u64,
}

/// An answer of a plugin that may be questions.
pub(super) trait MayAsk {
    /// The questions.
    fn pending(&self) -> Option<&wit::Pending>;
    /// Whether it says that the call failed.
    fn failed(&self) -> bool;
}

macro_rules! may_ask {
    ($($outcome:ty: $failed:expr),*) => {$(
        impl MayAsk for $outcome {
            fn pending(&self) -> Option<&wit::Pending> {
                match self {
                    Self::InputRequired(pending) => Some(pending),
                    Self::Complete(_) => None,
                }
            }

            fn failed(&self) -> bool {
                matches!(self, Self::Complete(result) if $failed(result))
            }
        }
    )*};
}

may_ask!(
    wit::ToolOutcome: |result: &wit::ToolResult| result.is_error,
    wit::ReadOutcome: |_| false,
    wit::PromptOutcome: |_| false
);

/// Who asks, as its answers have to find it again.
pub(super) fn asker(plugin: &Plugin) -> Asker {
    Asker {
        plugin: plugin.config.name.to_string(),
        digest: plugin.digest.to_string(),
        answer_within: plugin.config.limits.answer_within,
    }
}

/// Answers go to the very plugin that asked: the same name and the same bytes.
///
/// # Errors
/// [`CallFailure::Stale`] when it is another one by now.
pub(super) fn same(plugin: &Plugin, call: &CallInfo) -> Result<(), CallFailure> {
    let Some(resumption) = &call.resumption else { return Ok(()) };
    let now = asker(plugin);
    let same = now.plugin == resumption.asker.plugin && now.digest == resumption.asker.digest;
    if guarded!("answers-to-asker", same, without true) {
        return Ok(());
    }
    Err(CallFailure::Stale(format!(
        "the plugin `{}` that asked is another one by now",
        resumption.asker.plugin
    )))
}

/// What a call has spent with the questions it asks now; nothing when it asks none. Questions that the plugin may not
/// ask become the call's failure.
pub(super) fn admit<T: MayAsk>(
    plugin: &Plugin,
    call: &CallInfo,
    finished: &mut Finished<T>,
    counters: &Counters,
) -> Spent {
    let before = call.resumption.as_ref().map_or_else(Spent::default, |resumption| resumption.spent);
    let Some(pending) = finished.result.as_ref().ok().and_then(MayAsk::pending) else { return before };
    match count(plugin, before, pending, counters) {
        Ok(spent) => spent,
        Err(error) => {
            finished.result = Err(error);
            before
        }
    }
}

fn count(
    plugin: &Plugin,
    before: Spent,
    pending: &wit::Pending,
    counters: &Counters,
) -> Result<Spent, CallError> {
    let (grants, limits) = (&plugin.holding.grants, &plugin.config.limits);
    let mut spent = Spent { rounds: before.rounds.saturating_add(1), ..before };
    for asked in &pending.questions {
        let (wanted, what, key) = match &asked.question {
            wit::Question::ElicitForm(_) | wit::Question::ElicitUrl(_) => {
                (Intent::Elicit, "to ask the person", "elicit")
            }
            wit::Question::Sample(_) => (Intent::Sample, "to ask the client's model", "sample"),
            wit::Question::ListRoots => (Intent::Roots, "to ask for the client's directories", "roots"),
        };
        if let Decision::Denied(reason) = counters.decide(grants, &wanted.operation())
            && guarded!("questions-granted", true)
        {
            counters.denied(what);
            counters.refused(wanted);
            return Err(CallError::Plugin(wit::Error::Denied(format!(
                "{reason}; a person can write `{key} = true` for it in kennel.toml"
            ))));
        }
        counters.allowed(&Arc::from(what));
        spent.questions = spent.questions.saturating_add(1);
        if let wit::Question::Sample(params) = &asked.question {
            spent.sample_tokens = spent.sample_tokens.saturating_add(tokens(params));
        }
    }
    let over = |budget, bound: String| Err(CallError::Limit(LimitHit { budget, bound }));
    if guarded!("question-rounds", spent.rounds > MAX_ROUNDS) {
        return over(Budget::Rounds, MAX_ROUNDS.to_string());
    }
    if guarded!("questions", spent.questions > limits.questions) {
        return over(Budget::Questions, limits.questions.to_string());
    }
    if guarded!("sample-tokens", spent.sample_tokens > limits.sample_tokens) {
        return over(Budget::SampleTokens, limits.sample_tokens.to_string());
    }
    Ok(spent)
}

/// What a sampling request may make the model write. A number that does not read counts as none: the request is
/// refused for its shape before it is asked.
fn tokens(params: &str) -> u64 {
    json::parse(params).ok().and_then(|params| params.get("maxTokens")?.as_u64()).unwrap_or(0)
}

/// For the audit: that the call failed by its own word, or the round's questions, their kinds and keys but never their
/// words.
pub(super) fn told<T: MayAsk>(result: &Result<T, CallError>) -> Option<String> {
    let answer = result.as_ref().ok()?;
    if answer.failed() {
        return Some("tool error".into());
    }
    let pending = answer.pending()?;
    let each = pending.questions.iter().map(|asked| {
        let kind = match &asked.question {
            wit::Question::ElicitForm(_) => "form",
            wit::Question::ElicitUrl(_) => "url",
            wit::Question::Sample(_) => "sample",
            wit::Question::ListRoots => "roots",
        };
        let key = asked.key.get(..asked.key.floor_char_boundary(MAX_KEY)).unwrap_or_default();
        format!("{kind} {key:?}")
    });
    Some(format!("asks {}", each.collect::<Vec<_>>().join(", ")))
}
