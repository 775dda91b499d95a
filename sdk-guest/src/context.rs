//! The call a plugin is in: whom it is for, how long it may take, what was answered.
//! Must not cache across calls: an instance lives for one.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::tools::kennel::plugin::host;
pub use crate::bindings::tools::kennel::plugin::host::{Caller, Capabilities};
use crate::bindings::tools::kennel::plugin::types as wit;
use crate::{Answer, Error, Result, ResultExt};

/// The call a function is in. Take it as a parameter, by value or by reference, where it is wanted.
#[derive(Debug, Clone)]
pub struct Context {
    resumption: Option<wit::Resumption>,
    meta: Option<String>,
}

#[derive(Deserialize)]
struct ElicitResult {
    action: String,
    content: Option<Box<serde_json::value::RawValue>>,
}

impl Context {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(resumption: Option<wit::Resumption>, meta: Option<String>) -> Self {
        Self { resumption, meta }
    }

    /// The name this plugin stands under in `kennel.toml`.
    #[must_use]
    pub fn plugin(&self) -> String {
        host::context().plugin
    }

    /// Whom this call is for.
    #[must_use]
    pub fn caller(&self) -> Caller {
        host::context().caller
    }

    /// What the client behind this call can answer. Ask here before asking a question.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        host::context().capabilities
    }

    /// The wall clock this call has left, at the moment of asking.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        Duration::from_millis(host::context().deadline_ms)
    }

    /// W3C trace context, `traceparent` and `tracestate`, when the client sent them.
    #[must_use]
    pub fn trace(&self) -> (Option<String>, Option<String>) {
        let context = host::context();
        (context.traceparent, context.tracestate)
    }

    /// The request's `_meta` without the protocol's own keys.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is not JSON.
    pub fn meta(&self) -> Result<Option<Value>> {
        self.meta.as_deref().map(|meta| serde_json::from_str(meta).map_err(Error::invalid)).transpose()
    }

    /// Whether the plugin was entered again after questions.
    #[must_use]
    pub const fn is_resumed(&self) -> bool {
        self.resumption.is_some()
    }

    /// What was given to [`Outcome::ask`](crate::Outcome::ask) as continuation; none on first entry.
    ///
    /// # Errors
    /// [`Error::Failed`] when it is not an `S`.
    pub fn continuation<S: DeserializeOwned>(&self) -> Result<Option<S>> {
        self.resumption
            .as_ref()
            .map(|resumption| serde_json::from_slice(&resumption.continuation).context("the continuation"))
            .transpose()
    }

    /// The client's result object under a question's key, as it came; none when it was not answered.
    #[must_use]
    pub fn raw_answer(&self, key: &str) -> Option<&str> {
        let answers = &self.resumption.as_ref()?.answers;
        answers.iter().find(|answer| answer.key == key).map(|answer| answer.value.as_str())
    }

    /// A person's answer to [`Questions::form`](crate::Questions::form); none when it was not asked or not
    /// answered yet. For [`Questions::url`](crate::Questions::url) take `()` or `Option<()>` as `T`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the answer is not a `T`.
    pub fn answer<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Answer<T>>> {
        let Some(text) = self.raw_answer(key) else { return Ok(None) };
        let wrong = |error: serde_json::Error| Error::invalid(format!("the answer to `{key}`: {error}"));
        let result: ElicitResult = serde_json::from_str(text).map_err(wrong)?;
        match result.action.as_str() {
            "accept" => {
                let content = result.content.as_ref().map_or("null", |content| content.get());
                Ok(Some(Answer::Accepted(serde_json::from_str(content).map_err(wrong)?)))
            }
            "decline" => Ok(Some(Answer::Declined)),
            "cancel" => Ok(Some(Answer::Cancelled)),
            other => Err(Error::invalid(format!("the answer to `{key}` has the action `{other}`"))),
        }
    }

    /// The result object of [`Questions::sample`](crate::Questions::sample): `role`, `content`, `model`,
    /// `stopReason`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is not JSON.
    pub fn sampled(&self, key: &str) -> Result<Option<Value>> {
        self.raw_answer(key)
            .map(|text| {
                serde_json::from_str(text)
                    .map_err(|error| Error::invalid(format!("the answer to `{key}`: {error}")))
            })
            .transpose()
    }

    /// The text of a model's answer, when it is text.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the answer is not JSON.
    pub fn sampled_text(&self, key: &str) -> Result<Option<String>> {
        Ok(self.sampled(key)?.and_then(|result| {
            let content = &result["content"];
            // One block, or a list of them.
            match content {
                Value::Array(blocks) => {
                    Some(blocks.iter().filter_map(|block| block["text"].as_str()).collect())
                }
                block => block["text"].as_str().map(ToOwned::to_owned),
            }
        }))
    }

    /// The answer to [`Questions::roots`](crate::Questions::roots).
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is not a list of roots.
    pub fn roots(&self, key: &str) -> Result<Option<Vec<Root>>> {
        #[derive(Deserialize)]
        struct Roots {
            roots: Vec<Root>,
        }
        self.raw_answer(key)
            .map(|text| {
                serde_json::from_str::<Roots>(text)
                    .map(|roots| roots.roots)
                    .map_err(|error| Error::invalid(format!("the answer to `{key}`: {error}")))
            })
            .transpose()
    }
}

/// A directory the client works in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Root {
    /// A `file:` URI.
    pub uri: String,
    /// A name for people.
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn resumed(value: &str) -> Context {
        let answers = vec![wit::Answer { key: "k".into(), value: value.into() }];
        Context::new(Some(wit::Resumption { continuation: b"[1,2]".to_vec(), answers }), None)
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Form {
        sure: bool,
    }

    #[test]
    fn answers_are_told_apart() {
        let context = resumed(r#"{"action":"accept","content":{"sure":true}}"#);
        assert_eq!(context.answer::<Form>("k").unwrap(), Some(Answer::Accepted(Form { sure: true })));
        assert_eq!(context.answer::<Form>("other").unwrap(), None);
        assert_eq!(context.continuation::<Vec<u8>>().unwrap(), Some(vec![1, 2]));
        assert_eq!(resumed(r#"{"action":"decline"}"#).answer::<Form>("k").unwrap(), Some(Answer::Declined));
        assert_eq!(resumed(r#"{"action":"cancel"}"#).answer::<Form>("k").unwrap(), Some(Answer::Cancelled));
        assert_eq!(resumed(r#"{"action":"accept"}"#).answer::<()>("k").unwrap(), Some(Answer::Accepted(())));
        assert!(resumed(r#"{"action":"accept","content":{"sure":1}}"#).answer::<Form>("k").is_err());
    }

    #[test]
    fn models_and_roots() {
        let one = resumed(r#"{"role":"assistant","content":{"type":"text","text":"hi"},"model":"m"}"#);
        assert_eq!(one.sampled_text("k").unwrap().as_deref(), Some("hi"));
        let roots = resumed(r#"{"roots":[{"uri":"file:///a"}]}"#).roots("k").unwrap().unwrap();
        assert_eq!(roots, [Root { uri: "file:///a".into(), name: None }]);
    }
}
