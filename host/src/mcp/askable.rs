//! The three calls that may ask before they answer, `tools/call`, `prompts/get` and `resources/read`: from the
//! protocol's request to the catalog's call, and from its answer to the protocol's result. Runs each once; what
//! happens when it asks is not known here.

use std::collections::BTreeMap;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ErrorData, GetPromptRequestParams, GetPromptResult,
    InputResponses, MetaObject, ReadResourceRequestParams, ReadResourceResult,
};
use rmcp::service::{RequestContext, RoleServer};
use serde::Serialize;
use serde_json::Value;

use super::carried::{RawArguments, carried};
use super::{convert, error};
use crate::catalog::api::{Arguments, Backend, CallFailure, CallInfo, Done};
use crate::catalog::types::{PromptResult, ResourceContents, ToolResult};

/// A call that may ask before it answers.
pub(super) trait Askable: Clone + Send + Sync + 'static {
    /// The catalog's answer.
    type Output: Send;
    /// The protocol's.
    type Answer: Serialize + Send + 'static;
    /// The protocol's method.
    const METHOD: &'static str;

    /// The public name or URI that is called.
    fn name(&self) -> &str;

    /// What it is called with.
    fn arguments(&self) -> Value;

    /// Enters the plugin once.
    fn run<B: Backend>(
        &self,
        backend: &B,
        info: CallInfo,
    ) -> impl Future<Output = Result<Done<Self::Output>, CallFailure>> + Send;

    /// An answer in the protocol's words.
    fn complete(output: Self::Output) -> Self::Answer;

    /// Where an answer's `_meta` is.
    fn meta(answer: &mut Self::Answer) -> &mut Option<MetaObject>;

    /// How a failure is told: a result that says so where the method has one, else an error.
    fn failed(&self, failure: CallFailure, modern: bool) -> Result<Self::Answer, ErrorData>;
}

/// What a request brings when its client comes again.
#[derive(Debug, Default)]
pub(super) struct Again {
    /// Answers under the questions' keys.
    pub(super) responses: Option<InputResponses>,
    /// The state that was given out with the questions.
    pub(super) state: Option<String>,
}

/// `tools/call`.
#[derive(Clone)]
pub(super) struct Tool {
    name: String,
    arguments: Arguments,
}

impl Tool {
    /// The call a request stands for. Arguments go on as the client wrote them, where the front door kept that.
    pub(super) fn of(request: CallToolRequestParams, context: &RequestContext<RoleServer>) -> (Self, Again) {
        let arguments = match (carried::<RawArguments>(context), request.arguments) {
            (Some(RawArguments(text)), _) => text.clone(),
            (None, None) => "{}".into(),
            // A transport without the front door.
            (None, Some(arguments)) => Value::Object(arguments).to_string().into(),
        };
        let again = Again { responses: request.input_responses, state: request.request_state };
        (Self { name: request.name.into_owned(), arguments }, again)
    }
}

impl Askable for Tool {
    type Output = ToolResult;
    type Answer = CallToolResult;
    const METHOD: &'static str = "tools/call";

    fn name(&self) -> &str {
        &self.name
    }

    fn arguments(&self) -> Value {
        // What is no JSON is no argument either: the catalog refuses it.
        serde_json::from_str(&self.arguments).unwrap_or(Value::Null)
    }

    async fn run<B: Backend>(&self, backend: &B, info: CallInfo) -> Result<Done<ToolResult>, CallFailure> {
        backend.call_tool(&self.name, self.arguments.clone(), info).await
    }

    fn complete(output: ToolResult) -> CallToolResult {
        convert::tool_result(output)
    }

    fn meta(answer: &mut CallToolResult) -> &mut Option<MetaObject> {
        &mut answer.meta
    }

    fn failed(&self, failure: CallFailure, modern: bool) -> Result<CallToolResult, ErrorData> {
        error::of_tool(&self.name, failure, modern)
    }
}

/// `prompts/get`.
#[derive(Clone)]
pub(super) struct Prompt {
    name: String,
    arguments: BTreeMap<String, String>,
}

impl Prompt {
    /// The call a request stands for.
    ///
    /// # Errors
    /// When an argument is no string.
    pub(super) fn of(request: GetPromptRequestParams) -> Result<(Self, Again), ErrorData> {
        let mut arguments = BTreeMap::new();
        for (name, value) in request.arguments.into_iter().flatten() {
            let Value::String(value) = value else {
                return Err(ErrorData::invalid_params(
                    format!("the prompt argument {name:?} must be a string"),
                    None,
                ));
            };
            arguments.insert(name, value);
        }
        let again = Again { responses: request.input_responses, state: request.request_state };
        Ok((Self { name: request.name, arguments }, again))
    }
}

impl Askable for Prompt {
    type Output = PromptResult;
    type Answer = GetPromptResult;
    const METHOD: &'static str = "prompts/get";

    fn name(&self) -> &str {
        &self.name
    }

    fn arguments(&self) -> Value {
        self.arguments.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
    }

    async fn run<B: Backend>(&self, backend: &B, info: CallInfo) -> Result<Done<PromptResult>, CallFailure> {
        backend.get_prompt(&self.name, self.arguments.clone(), info).await
    }

    fn complete(output: PromptResult) -> GetPromptResult {
        convert::prompt_result(output)
    }

    fn meta(answer: &mut GetPromptResult) -> &mut Option<MetaObject> {
        &mut answer.meta
    }

    fn failed(&self, failure: CallFailure, modern: bool) -> Result<GetPromptResult, ErrorData> {
        Err(error::of_request("prompt", failure, modern))
    }
}

/// `resources/read`.
#[derive(Clone)]
pub(super) struct Resource {
    uri: String,
}

impl Resource {
    /// The call a request stands for.
    pub(super) fn of(request: ReadResourceRequestParams) -> (Self, Again) {
        let again = Again { responses: request.input_responses, state: request.request_state };
        (Self { uri: request.uri }, again)
    }
}

impl Askable for Resource {
    type Output = Vec<ResourceContents>;
    type Answer = ReadResourceResult;
    const METHOD: &'static str = "resources/read";

    fn name(&self) -> &str {
        &self.uri
    }

    fn arguments(&self) -> Value {
        Value::Null
    }

    async fn run<B: Backend>(
        &self,
        backend: &B,
        info: CallInfo,
    ) -> Result<Done<Vec<ResourceContents>>, CallFailure> {
        backend.read_resource(&self.uri, info).await
    }

    fn complete(output: Vec<ResourceContents>) -> ReadResourceResult {
        ReadResourceResult::new(output.into_iter().map(convert::contents).collect())
    }

    fn meta(answer: &mut ReadResourceResult) -> &mut Option<MetaObject> {
        &mut answer.meta
    }

    fn failed(&self, failure: CallFailure, modern: bool) -> Result<ReadResourceResult, ErrorData> {
        Err(error::of_resource(failure, modern))
    }
}
