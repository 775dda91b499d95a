//! How a call ends: it is complete, or it needs answers from the person or model behind the client.
//! A plugin never waits for an answer: it returns its questions with what it needs to go on, and is
//! entered again with the answers.
//! Must not ask anything itself: the host does, if that was granted.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::bindings::tools::kennel::plugin::types as wit;
use crate::{Error, Result, schema};

/// How a call ends.
///
/// ```
/// use kennel_sdk::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Drop {
///     /// The table to drop.
///     table: String,
/// }
/// #[derive(Deserialize, JsonSchema)]
/// struct Sure {
///     /// Really?
///     really: bool,
/// }
///
/// /// Drops a table after asking.
/// #[tool]
/// fn drop_table(args: Drop, context: Context) -> Result<Outcome<String>> {
///     match context.answer::<Sure>("sure")? {
///         None => {
///             let question = format!("Drop {}?", args.table);
///             Outcome::ask(Questions::new().form::<Sure>("sure", question), &())
///         }
///         Some(Answer::Accepted(Sure { really: true })) => Ok(Outcome::Complete("dropped".into())),
///         Some(_) => Ok(Outcome::Complete("left as it was".into())),
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub enum Outcome<T> {
    /// It is done.
    Complete(T),
    /// It needs answers first.
    Ask(Pending),
}

/// Questions, and what a plugin needs to go on once they are answered. Made by [`Outcome::ask`].
#[derive(Debug, Clone)]
pub struct Pending(pub(crate) wit::Pending);

impl<T> Outcome<T> {
    /// Asks, and keeps `continuation` for [`Context::continuation`](crate::Context::continuation).
    /// The host keeps it sealed: a client can neither read nor change it.
    ///
    /// # Errors
    /// [`Error::Failed`] when a form is not flat or the continuation cannot be written as JSON.
    pub fn ask<S: Serialize + ?Sized>(questions: Questions, continuation: &S) -> Result<Self> {
        Ok(Self::Ask(Pending(wit::Pending {
            questions: questions.0?,
            continuation: serde_json::to_vec(continuation)?,
        })))
    }

    /// The same questions, or what comes of the complete value.
    pub(crate) fn and_then<U>(self, change: impl FnOnce(T) -> Result<Outcome<U>>) -> Result<Outcome<U>> {
        match self {
            Self::Complete(value) => change(value),
            Self::Ask(pending) => Ok(Outcome::Ask(pending)),
        }
    }
}

/// Questions that are asked together.
#[derive(Debug, Clone)]
pub struct Questions(Result<Vec<wit::KeyedQuestion>>);

impl Default for Questions {
    fn default() -> Self {
        Self::new()
    }
}

impl Questions {
    /// None yet. Asking none is allowed: the plugin is entered again when the client comes back.
    #[must_use]
    pub const fn new() -> Self {
        Self(Ok(Vec::new()))
    }

    fn with(mut self, key: impl Into<String>, question: Result<wit::Question>) -> Self {
        let key = key.into();
        match (&mut self.0, question) {
            (Ok(questions), Ok(question)) => {
                if questions.iter().any(|other| other.key == key) {
                    self.0 = Err(Error::failed(format!("two questions have the key `{key}`")));
                } else {
                    questions.push(wit::KeyedQuestion { key, question });
                }
            }
            (Ok(_), Err(error)) => self.0 = Err(error.context(format!("the question `{key}`"))),
            (Err(_), _) => {}
        }
        self
    }

    /// A form for the person: the fields of `T`, which must be flat: strings, numbers, booleans, enums of
    /// plain names, and a `Vec` of such an enum where several may be chosen. A variant's `title` is what the
    /// person reads; `#[serde(default)]` fills a field in beforehand. The answer is [`Context::answer`](crate::Context::answer)`::<T>(key)`.
    #[must_use]
    pub fn form<T: JsonSchema>(self, key: impl Into<String>, message: impl Into<String>) -> Self {
        let form = schema::form::<T>()
            .map(|schema| wit::Question::ElicitForm(wit::ElicitForm { message: message.into(), schema }));
        self.with(key, form)
    }

    /// A form whose schema the plugin writes itself.
    #[must_use]
    pub fn form_with_schema(
        self,
        key: impl Into<String>,
        message: impl Into<String>,
        schema: &Value,
    ) -> Self {
        let form = wit::ElicitForm { message: message.into(), schema: schema.to_string() };
        self.with(key, Ok(wit::Question::ElicitForm(form)))
    }

    /// A URL for the person to open, `https:` only, for example to log in there. `id` names this
    /// interaction and is unique within the plugin.
    #[must_use]
    pub fn url(
        self,
        key: impl Into<String>,
        message: impl Into<String>,
        url: impl Into<String>,
        id: impl Into<String>,
    ) -> Self {
        let question = wit::ElicitUrl { message: message.into(), url: url.into(), elicitation_id: id.into() };
        self.with(key, Ok(wit::Question::ElicitUrl(question)))
    }

    /// A question to the client's model: the `params` object of `sampling/createMessage`.
    #[must_use]
    pub fn sample(self, key: impl Into<String>, params: &Value) -> Self {
        self.with(key, Ok(wit::Question::Sample(params.to_string())))
    }

    /// A plain text for the client's model and the most tokens it may answer with.
    #[must_use]
    pub fn sample_text(self, key: impl Into<String>, text: &str, max_tokens: u32) -> Self {
        self.sample(
            key,
            &serde_json::json!({
                "messages": [{"role": "user", "content": {"type": "text", "text": text}}],
                "maxTokens": max_tokens,
            }),
        )
    }

    /// Which directories the client works in.
    #[must_use]
    pub fn roots(self, key: impl Into<String>) -> Self {
        self.with(key, Ok(wit::Question::ListRoots))
    }
}

/// What a person did with a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// They answered.
    Accepted(T),
    /// They said no.
    Declined,
    /// They closed it.
    Cancelled,
}

impl<T> Answer<T> {
    /// What they did, in the protocol's word: `accept`, `decline` or `cancel`.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accept",
            Self::Declined => "decline",
            Self::Cancelled => "cancel",
        }
    }

    /// The answer, if there is one.
    pub fn accepted(self) -> Option<T> {
        match self {
            Self::Accepted(value) => Some(value),
            Self::Declined | Self::Cancelled => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[derive(serde::Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Nested {
        list: Vec<String>,
    }

    #[test]
    fn a_mistake_in_a_question_is_told_when_asking() {
        let error = Outcome::<()>::ask(Questions::new().form::<Nested>("k", "m"), &()).unwrap_err();
        assert!(error.to_string().starts_with("the question `k`: the form's field `list`"), "{error}");
        let error = Outcome::<()>::ask(Questions::new().roots("k").roots("k"), &()).unwrap_err();
        assert_eq!(error, Error::failed("two questions have the key `k`"));
    }
}
