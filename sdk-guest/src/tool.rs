//! Tools: what a function may return, and how a call finds its function.
//! Must not validate arguments against the schema: the host did.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::tools::exports::kennel::plugin::tools as wit_tools;
pub use crate::bindings::tools::exports::kennel::plugin::tools::{
    TaskSupport, Tool as ToolInfo, ToolAnnotations, ToolCall, ToolOutcome as WitToolOutcome,
};
use crate::bindings::tools::kennel::plugin::types as wit;
use crate::{Content, Error, Outcome, Result, panic, schema};

/// A function under `#[tool]`. The macro implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no tool",
    label = "no tool",
    note = "write `#[tool]` above the function `{Self}`"
)]
#[doc(hidden)]
pub trait Tool {
    /// As listed.
    const NAME: &'static str;
    /// As listed.
    fn describe() -> Result<ToolInfo>;
    /// Runs it.
    fn call(call: ToolCall) -> Result<Outcome<ToolResult>>;
}

/// A row of a plugin's table of tools.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    name: &'static str,
    describe: fn() -> Result<ToolInfo>,
    call: fn(ToolCall) -> Result<Outcome<ToolResult>>,
}

impl Entry {
    /// The row of a tool.
    #[must_use]
    pub const fn of<T: Tool>() -> Self {
        Self { name: T::NAME, describe: T::describe, call: T::call }
    }
}

crate::assert_distinct!("two tools of this plugin have the same name");

/// The export `list-tools`.
#[doc(hidden)]
pub fn list(entries: &[Entry]) -> Result<Vec<ToolInfo>, wit::Error> {
    panic::install();
    Ok(entries.iter().map(|entry| (entry.describe)()).collect::<Result<_>>()?)
}

/// The export `call-tool`.
#[doc(hidden)]
pub fn call(entries: &[Entry], call: ToolCall) -> Result<WitToolOutcome, wit::Error> {
    panic::install();
    let Some(entry) = entries.iter().find(|entry| entry.name == call.name) else {
        return Err(Error::unknown(format!("there is no tool `{}`", call.name)).into());
    };
    Ok(match (entry.call)(call)? {
        Outcome::Complete(result) => WitToolOutcome::Complete(result.0),
        Outcome::Ask(pending) => WitToolOutcome::InputRequired(pending.0),
    })
}

/// Reads the arguments of a call.
#[doc(hidden)]
pub fn parse_arguments<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::invalid(format!("the arguments do not fit: {error}")))
}

/// What a tool gives back, piece by piece.
///
/// ```
/// use kennel_sdk::prelude::*;
/// let result = ToolResult::new().text("two pictures:").content(Content::image([1, 2, 3], "image/png"));
/// ```
#[derive(Debug, Clone)]
pub struct ToolResult(wit_tools::ToolResult);

impl Default for ToolResult {
    fn default() -> Self {
        Self::new()
    }
}

impl ToolResult {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(wit_tools::ToolResult { content: Vec::new(), structured: None, is_error: false, meta: None })
    }

    /// The tool failed, and this text, which the model sees as it stands, says why.
    pub fn error(text: impl Into<String>) -> Self {
        Self::new().text(text).is_error(true)
    }

    /// Adds text.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.content(Content::text(text))
    }

    /// Adds a piece.
    #[must_use]
    pub fn content(mut self, content: impl Into<Content>) -> Self {
        self.0.content.push(content.into());
        self
    }

    /// Sets what programs read. Say its type with `#[tool(output = T)]`, so that it is published and
    /// checked. No text is added: add what the model should read, as not every client shows this.
    ///
    /// # Errors
    /// [`Error::Failed`] when it cannot be written as JSON.
    pub fn structured<T: Serialize + ?Sized>(mut self, value: &T) -> Result<Self> {
        self.0.structured = Some(serde_json::to_string(value)?);
        Ok(self)
    }

    /// Sets whether the tool failed.
    #[must_use]
    pub const fn is_error(mut self, failed: bool) -> Self {
        self.0.is_error = failed;
        self
    }

    /// Sets the `_meta` object.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "`json!({…})` is what stands here")]
    pub fn meta(mut self, meta: Value) -> Self {
        self.0.meta = Some(meta.to_string());
        self
    }
}

/// A structured result: programs read the value, the model its JSON text. The output schema of the tool
/// is `T`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// Like [`Json`], with the text spread over lines, as many servers write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pretty<T>(pub T);

/// The arguments of a call as they came, for a tool with a schema of its own
/// (`#[tool(input_schema = …)]`). Key order and the spelling of numbers are kept.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct RawArgs(Box<serde_json::value::RawValue>);

impl RawArgs {
    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Reads it as a type.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        parse_arguments(self.as_str())
    }
}

/// What a tool may return: text, [`Json`], [`Pretty`], [`Content`] or several, a [`ToolResult`], nothing,
/// an [`Outcome`] of these, and a `Result` of any of them whose error becomes an [`Error`].
#[diagnostic::on_unimplemented(
    message = "a tool cannot return `{Self}`",
    label = "not a tool's result",
    note = "return a `String`, `Json<T>`, `Content`, `Vec<Content>`, `ToolResult`, an `Outcome` of one, or a `Result` of these"
)]
pub trait IntoToolOutcome {
    /// The schema of the structured result, when there is one.
    ///
    /// # Errors
    /// [`Error::Failed`] when the type cannot be one, naming `tool`.
    fn output_schema(_tool: &str) -> Result<Option<String>> {
        Ok(None)
    }

    /// The outcome.
    ///
    /// # Errors
    /// The function's own, or [`Error::Failed`] when the result cannot be written as JSON.
    fn into_tool_outcome(self) -> Result<Outcome<ToolResult>>;
}

fn complete(result: ToolResult) -> Result<Outcome<ToolResult>> {
    Ok(Outcome::Complete(result))
}

impl IntoToolOutcome for ToolResult {
    fn into_tool_outcome(self) -> Result<Outcome<ToolResult>> {
        complete(self)
    }
}

impl IntoToolOutcome for () {
    fn into_tool_outcome(self) -> Result<Outcome<ToolResult>> {
        complete(ToolResult::new())
    }
}

impl IntoToolOutcome for String {
    fn into_tool_outcome(self) -> Result<Outcome<ToolResult>> {
        complete(ToolResult::new().text(self))
    }
}

impl IntoToolOutcome for &str {
    fn into_tool_outcome(self) -> Result<Outcome<ToolResult>> {
        complete(ToolResult::new().text(self))
    }
}

impl IntoToolOutcome for Content {
    fn into_tool_outcome(self) -> Result<Outcome<ToolResult>> {
        complete(ToolResult::new().content(self))
    }
}

impl IntoToolOutcome for Vec<Content> {
    fn into_tool_outcome(self) -> Result<Outcome<ToolResult>> {
        let mut result = ToolResult::new();
        result.0.content = self;
        complete(result)
    }
}

impl<T: Serialize + schemars::JsonSchema> IntoToolOutcome for Json<T> {
    fn output_schema(tool: &str) -> Result<Option<String>> {
        schema::output::<T>(tool).map(Some)
    }

    fn into_tool_outcome(self) -> Result<Outcome<ToolResult>> {
        let text = serde_json::to_string(&self.0)?;
        let mut result = ToolResult::new().text(text.as_str());
        result.0.structured = Some(text);
        complete(result)
    }
}

impl<T: Serialize + schemars::JsonSchema> IntoToolOutcome for Pretty<T> {
    fn output_schema(tool: &str) -> Result<Option<String>> {
        schema::output::<T>(tool).map(Some)
    }

    fn into_tool_outcome(self) -> Result<Outcome<ToolResult>> {
        complete(ToolResult::new().text(serde_json::to_string_pretty(&self.0)?).structured(&self.0)?)
    }
}

impl<T: IntoToolOutcome> IntoToolOutcome for Outcome<T> {
    fn output_schema(tool: &str) -> Result<Option<String>> {
        T::output_schema(tool)
    }

    fn into_tool_outcome(self) -> Result<Outcome<ToolResult>> {
        self.and_then(T::into_tool_outcome)
    }
}

impl<T: IntoToolOutcome, E: Into<Error>> IntoToolOutcome for Result<T, E> {
    fn output_schema(tool: &str) -> Result<Option<String>> {
        T::output_schema(tool)
    }

    fn into_tool_outcome(self) -> Result<Outcome<ToolResult>> {
        self.map_err(Into::into)?.into_tool_outcome()
    }
}
