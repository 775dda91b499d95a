//! What the tools that ask have in common: the forms, and words for what came of them.
//! Must not ask: each tool does that itself, where a reader looks for it.

use kennel_sdk::prelude::*;

/// A form with one field for a name.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Named {
    /// Your name.
    pub(crate) name: String,
}

/// Who this is, in words, when they would not say.
pub(crate) fn name_of(answer: Answer<Named>) -> String {
    answer.accepted().map_or_else(|| "stranger".into(), |named| named.name)
}

/// What became of a form, as one line.
pub(crate) fn told(what: &str, answer: &Answer<Value>) -> String {
    let content = match answer {
        Answer::Accepted(content) => content.to_string(),
        Answer::Declined | Answer::Cancelled => "{}".into(),
    };
    format!("{what}: action={}, content={content}", answer.action())
}
