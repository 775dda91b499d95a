//! The bridge for questions: a plugin's questions in the protocol's words, checked; and the client's answers, checked
//! against what was asked. Whether a plugin may ask at all, and how much, was decided before, in the catalog.
//!
//! - newer clients get the questions with a sealed state and come again with both ([`seal`]);
//! - older clients are asked by requests of the server ([`ask`]).

// Sampling and roots are deprecated in the protocol, and will be in use for years.
#![expect(deprecated)]

mod answer;
pub(super) mod ask;
mod form;
mod sample;
pub(super) mod seal;
mod words;

use std::collections::BTreeMap;

use rmcp::model::{
    CreateMessageRequestParams, ElicitRequest, ElicitRequestParams, InputRequest, InputRequests,
    InputResponses, ListRootsRequest, RequestMetaObject,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::catalog::api::{CallFailure, ClientCan};
use crate::catalog::types::{
    Answer, Asker, JsonObject, KeyedQuestion, Leave, MAX_ROUNDS, Pending, Question, Resumption, Spent,
};

/// In a question's `_meta`: the plugin that asks, for a client that shows it in its own way.
pub(super) const PLUGIN: &str = "io.kennel/plugin";
/// The same in a question of the host's own: the plugin that may be given more.
pub(super) const GRANT: &str = "io.kennel/grant";
/// In the `_meta` of a result that asks again: why the answers that came were not taken, by key.
pub(super) const REFUSED: &str = "io.kennel/refused";

/// Questions of one round.
const MAX_TOGETHER: usize = 16;
/// Bytes of a question's key.
const MAX_KEY: usize = 256;

/// One question, checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Asked {
    Form {
        message: String,
        schema: JsonObject,
    },
    /// The host's own.
    Allow {
        message: String,
        schema: JsonObject,
    },
    Url {
        message: String,
        url: String,
        id: String,
    },
    Sample(Box<CreateMessageRequestParams>),
    Roots,
}

/// The questions of one round, and the answers that came so far.
#[derive(Clone, Debug)]
pub(super) struct Round {
    asker: Asker,
    spent: Spent,
    continuation: Vec<u8>,
    /// In the plugin's order.
    asked: Vec<(String, Asked)>,
    answers: BTreeMap<String, Value>,
    leave: Leave,
}

/// What came of a round.
#[derive(Debug)]
pub(super) enum Settled {
    /// All is answered: the plugin can go on.
    All(Resumption),
    /// Some is not: to be asked again. The reasons are of answers that came and did not fit.
    Missing(Round, BTreeMap<String, String>),
}

impl Round {
    /// Checks what a plugin asks, for a client that can do this.
    ///
    /// # Errors
    /// The call's failure: what is asked breaks the contract, or the client lacks what it takes.
    pub(super) fn of(pending: Pending, can: ClientCan) -> Result<Self, CallFailure> {
        let Pending { asker, spent, questions, continuation, leave } = pending;
        let breach = |key: &str, why: String| {
            CallFailure::Failed(format!(
                "plugin `{}` broke the contract: its question {key:?}: {why}",
                asker.plugin
            ))
        };
        if questions.len() > MAX_TOGETHER {
            return Err(CallFailure::Failed(format!(
                "plugin `{}` broke the contract: it asks {} questions at once; the most is {MAX_TOGETHER}",
                asker.plugin,
                questions.len()
            )));
        }
        let mut asked = Vec::with_capacity(questions.len());
        for KeyedQuestion { key, question } in questions {
            if key.is_empty() || key.len() > MAX_KEY || key.chars().any(crate::observe::deceives) {
                return Err(breach(&key, format!("a key is 1 to {MAX_KEY} bytes that can be shown")));
            }
            if asked.iter().any(|(other, _)| *other == key) {
                return Err(breach(&key, "it is asked twice".into()));
            }
            let question = Asked::of(&asker.plugin, question).map_err(|why| breach(&key, why))?;
            if let Some(missing) = question.missing(can) {
                return Err(CallFailure::MissingCapability(missing.to_owned()));
            }
            asked.push((key, question));
        }
        Ok(Self { asker, spent, continuation, asked, answers: BTreeMap::new(), leave })
    }

    /// Whether the plugin only wants its client to come again.
    pub(super) fn asks_nothing(&self) -> bool {
        self.asked.is_empty()
    }

    /// Whether the host asks, and not the plugin.
    pub(super) fn is_of_host(&self) -> bool {
        self.leave.offer.is_some()
    }

    /// What stands for an answer where a person said nothing and will not: no.
    pub(super) fn unanswered(&self) -> Resumption {
        let no =
            |(key, _): &(String, Asked)| Answer { key: key.clone(), value: json!({"action": "decline"}) };
        Resumption {
            asker: self.asker.clone(),
            spent: self.spent,
            continuation: self.continuation.clone(),
            answers: self.asked.iter().map(no).collect(),
            leave: self.leave.clone(),
        }
    }

    /// Who asks.
    pub(super) fn asker(&self) -> &Asker {
        &self.asker
    }

    /// The questions that have no answer yet, under their keys.
    ///
    /// # Errors
    /// When the protocol library does not take what was checked, which is a fault of the host.
    pub(super) fn requests(&self) -> Result<InputRequests, CallFailure> {
        let open = self.asked.iter().filter(|(key, _)| !self.answers.contains_key(key));
        open.map(|(key, asked)| Ok((key.clone(), asked.request(&self.asker.plugin)?))).collect()
    }

    /// Takes the answers that fit. Keys that were not asked are ignored, as the protocol wants.
    pub(super) fn settle(mut self, mut given: InputResponses) -> Settled {
        let mut refused = BTreeMap::new();
        for (key, asked) in &self.asked {
            if self.answers.contains_key(key) {
                continue;
            }
            match given.remove(key).map(|value| asked.answer(&value)) {
                Some(Ok(value)) => {
                    self.answers.insert(key.clone(), value);
                }
                Some(Err(why)) => {
                    refused.insert(key.clone(), why);
                }
                None => {}
            }
        }
        if self.answers.len() < self.asked.len() {
            return Settled::Missing(self, refused);
        }
        let answers = self.answers.into_iter().map(|(key, value)| Answer { key, value }).collect();
        Settled::All(Resumption {
            asker: self.asker,
            spent: self.spent,
            continuation: self.continuation,
            answers,
            leave: self.leave,
        })
    }

    /// The same questions once more, which counts as a round.
    ///
    /// # Errors
    /// When that is one round too many.
    pub(super) fn again(mut self) -> Result<Self, CallFailure> {
        self.spent.rounds += 1;
        if self.spent.rounds > MAX_ROUNDS {
            return Err(CallFailure::Limit(format!(
                "plugin `{}`: limit: rounds of questions ({MAX_ROUNDS}); its questions were not answered as they were asked",
                self.asker.plugin
            )));
        }
        Ok(self)
    }

    /// The URLs that the person agreed to open, by the ids that were sent.
    pub(super) fn opened(&self, answers: &Resumption) -> Vec<String> {
        let accepted = |key: &str| {
            answers.answers.iter().any(|answer| answer.key == key && answer.value["action"] == "accept")
        };
        self.asked
            .iter()
            .filter_map(|(key, asked)| match asked {
                Asked::Url { id, .. } if accepted(key) => Some(id.clone()),
                _ => None,
            })
            .collect()
    }
}

impl Asked {
    fn of(plugin: &str, question: Question) -> Result<Self, String> {
        Ok(match question {
            Question::ElicitForm(form) => {
                let schema = form::check(&form.schema)?;
                Self::Form { message: words::message(plugin, &form.message)?, schema }
            }
            Question::ElicitUrl(asked) => {
                let url = words::url(&asked.url)?;
                let id = &asked.elicitation_id;
                if id.is_empty() || id.len() > MAX_KEY || id.chars().any(crate::observe::deceives) {
                    return Err(format!("its id is 1 to {MAX_KEY} bytes that can be shown"));
                }
                Self::Url {
                    message: words::url_message(plugin, &asked.message, &url)?,
                    url: url.into(),
                    // Unique among all plugins.
                    id: format!("{plugin}:{id}"),
                }
            }
            Question::Sample(params) => Self::Sample(Box::new(sample::check(plugin, &params)?)),
            Question::ListRoots => Self::Roots,
            Question::Allow(what) => {
                Self::Allow { message: words::allow(plugin, &what), schema: words::choices() }
            }
        })
    }

    /// What the client did not declare and this takes.
    fn missing(&self, can: ClientCan) -> Option<&'static str> {
        match self {
            Self::Form { .. } | Self::Allow { .. } => (!can.elicit_form).then_some("elicitation.form"),
            Self::Url { .. } => (!can.elicit_url).then_some("elicitation.url"),
            Self::Sample(_) if !can.sampling => Some("sampling"),
            Self::Sample(params) => {
                (sample::with_tools(params) && !can.sampling_tools).then_some("sampling.tools")
            }
            Self::Roots => (!can.roots).then_some("roots"),
        }
    }

    fn request(&self, plugin: &str) -> Result<InputRequest, CallFailure> {
        let mut meta = RequestMetaObject::new();
        let of = if matches!(self, Self::Allow { .. }) { GRANT } else { PLUGIN };
        meta.insert(of.to_owned(), plugin.into());
        let meta = Some(meta);
        Ok(match self {
            Self::Form { message, schema } | Self::Allow { message, schema } => {
                let requested_schema =
                    serde_json::from_value(Value::Object(schema.clone())).map_err(|error| {
                        CallFailure::Failed(format!(
                            "plugin `{plugin}` asks with a form that does not read: {error}"
                        ))
                    })?;
                let message = message.clone();
                let form = ElicitRequestParams::FormElicitationParams { meta, message, requested_schema };
                InputRequest::Elicitation(ElicitRequest::new(form))
            }
            Self::Url { message, url, id } => {
                let url = ElicitRequestParams::UrlElicitationParams {
                    meta,
                    message: message.clone(),
                    url: url.clone(),
                    elicitation_id: id.clone(),
                };
                InputRequest::Elicitation(ElicitRequest::new(url))
            }
            Self::Sample(params) => {
                InputRequest::CreateMessage(rmcp::model::Request::new(params.as_ref().clone()))
            }
            Self::Roots => InputRequest::ListRoots(ListRootsRequest::default()),
        })
    }

    fn answer(&self, value: &Value) -> Result<Value, String> {
        match self {
            Self::Form { schema, .. } | Self::Allow { schema, .. } => answer::form(schema, value),
            Self::Url { .. } => answer::url(value),
            Self::Sample(params) => sample::answer(params, value),
            Self::Roots => answer::roots(value),
        }
    }
}
