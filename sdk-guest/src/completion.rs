//! Completions: which function proposes values for which argument, and what it may return.
//! Must not make up proposals: what nobody completes has none.

use crate::bindings::completion::exports::kennel::plugin::completion::Reference;
pub use crate::bindings::completion::exports::kennel::plugin::completion::{CompletionCall, Completions};
use crate::bindings::tools::kennel::plugin::types as wit;
use crate::{Error, Result, panic};

/// What a function completes an argument of.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub enum Of {
    /// A prompt, by name.
    Prompt(&'static str),
    /// A resource template, by its text.
    Template(&'static str),
}

/// A function under `#[complete]`. The macro implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no completion",
    label = "no completion",
    note = "write `#[complete(prompt = \"…\", argument = \"…\")]` above the function `{Self}`"
)]
#[doc(hidden)]
pub trait Completion {
    /// The prompt or template.
    const OF: Of;
    /// The argument or variable.
    const ARGUMENT: &'static str;
    /// Proposes.
    fn complete(value: &str, settled: &Settled) -> Result<Completions>;
}

/// A row of a plugin's table of completions.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    of: Of,
    argument: &'static str,
    complete: fn(&str, &Settled) -> Result<Completions>,
}

impl Entry {
    /// The row of a completion.
    #[must_use]
    pub const fn of<T: Completion>() -> Self {
        Self { of: T::OF, argument: T::ARGUMENT, complete: T::complete }
    }

    fn fits(&self, call: &CompletionCall) -> bool {
        let same = match (&self.of, &call.reference) {
            (Of::Prompt(name), Reference::Prompt(wanted)) => name == wanted,
            (Of::Template(text), Reference::Template(wanted)) => text == wanted,
            _ => false,
        };
        same && self.argument == call.argument
    }
}

/// The export `complete`.
#[doc(hidden)]
pub fn complete(entries: &[Entry], call: &CompletionCall) -> Result<Completions, wit::Error> {
    panic::install();
    match entries.iter().find(|entry| entry.fits(call)) {
        Some(entry) => Ok((entry.complete)(&call.value, &Settled(call.settled.clone()))?),
        None => Ok(Completions { values: Vec::new(), total: Some(0), has_more: false }),
    }
}

/// The arguments that were settled before the one that is completed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled(Vec<(String, String)>);

impl Settled {
    /// The value of an argument, if it was settled.
    #[must_use]
    pub fn get(&self, argument: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == argument).map(|(_, value)| value.as_str())
    }

    /// All of them, names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What a completion may return: a list of texts, or [`Completions`] with the number there are in all.
#[diagnostic::on_unimplemented(
    message = "a completion cannot return `{Self}`",
    label = "not proposals",
    note = "return a `Vec<String>` or `Completions`, or a `Result` of these"
)]
pub trait IntoCompletions {
    /// The proposals.
    ///
    /// # Errors
    /// The function's own.
    fn into_completions(self) -> Result<Completions>;
}

/// The most values the protocol lets through.
const MOST: usize = 100;

impl<S: Into<String>> IntoCompletions for Vec<S> {
    fn into_completions(self) -> Result<Completions> {
        let all = self.len();
        Ok(Completions {
            values: self.into_iter().take(MOST).map(Into::into).collect(),
            total: u32::try_from(all).ok(),
            has_more: all > MOST,
        })
    }
}

impl IntoCompletions for Completions {
    fn into_completions(self) -> Result<Completions> {
        Ok(self)
    }
}

impl<T: IntoCompletions, E: Into<Error>> IntoCompletions for Result<T, E> {
    fn into_completions(self) -> Result<Completions> {
        self.map_err(Into::into)?.into_completions()
    }
}
