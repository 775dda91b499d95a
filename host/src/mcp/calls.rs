//! The one way of the calls that may ask before they answer: `tools/call`, `prompts/get` and `resources/read`.
//! What differs between them is in [`Askable`]; nothing here knows which of them it runs.

use std::collections::BTreeMap;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ErrorData, GetPromptRequestParams, GetPromptResult,
    InputRequiredResult, InputResponses, MetaObject, ReadResourceRequestParams, ReadResourceResult, Task,
};
use rmcp::service::{RequestContext, RoleServer};
use serde::Serialize;
use serde_json::Value;

use super::client::is_modern;
use super::handler::KennelHandler;
use super::tasks::{AsTask, Entered, Running};
use super::{convert, error};
use crate::catalog::api::{Arguments, Backend, CallFailure, CallInfo, Done, Usage};
use crate::catalog::types::{Outcome, Pending, PromptResult, ResourceContents, Resumption, ToolResult};

/// The arguments of a `tools/call` as the client wrote them, put into the request's extensions by the front
/// door so that nothing between client and plugin rewrites them.
#[derive(Clone, Debug)]
pub struct RawArguments(pub Arguments);

/// Set in a request's `_meta` to `true`, it asks for what the call used; in the result it holds that.
const USAGE: &str = "io.kennel/usage";

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

/// How one entry of a plugin ended.
pub(super) enum Step<A> {
    /// It is over: with an answer, or with a failure that the method tells as one.
    Over(A),
    /// It asks.
    Asks(Pending),
}

/// How a request ends.
pub(super) enum Ended<A> {
    /// With its answer.
    Complete(A),
    /// With questions; the client comes again with the answers.
    InputRequired(InputRequiredResult),
    /// With a task; the client asks after it.
    Task(Task),
}

/// What a request brings when its client comes again.
#[derive(Debug, Default)]
pub(super) struct Again {
    /// Answers under the questions' keys.
    pub(super) responses: Option<InputResponses>,
    /// The state that was given out with the questions.
    pub(super) state: Option<String>,
}

/// Enters a plugin once and tells what came in the protocol's words.
///
/// # Errors
/// The JSON-RPC error of a failure that is not told as a result.
pub(super) async fn step<B: Backend, A: Askable>(
    backend: &B,
    call: &A,
    info: CallInfo,
    modern: bool,
    usage: bool,
) -> Result<Step<A::Answer>, ErrorData> {
    match call.run(backend, info).await {
        Ok(Done { outcome: Outcome::Complete(output), usage: used }) => {
            let mut answer = A::complete(output);
            if usage {
                add_usage(&used, A::meta(&mut answer));
            }
            Ok(Step::Over(answer))
        }
        Ok(Done { outcome: Outcome::InputRequired(pending), .. }) => Ok(Step::Asks(pending)),
        Err(failure) => call.failed(failure, modern).map(Step::Over),
    }
}

impl<B: Backend> KennelHandler<B> {
    /// Answers a request that may ask.
    ///
    /// # Errors
    /// As [`step`], and when the call was cancelled.
    pub(super) async fn call<A: Askable>(
        &self,
        call: &A,
        again: Again,
        as_task: Option<AsTask>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Ended<A::Answer>, ErrorData> {
        no_state(again.state.as_ref())?;
        let (modern, usage) = (is_modern(context), wants_usage(context));
        let (info, events) = self.client.call_info(context);
        let step = async {
            self.backend.ready().await;
            match as_task {
                Some(as_task) => as_task.enter(&self.backend, call, info, usage, context).await,
                None => step(&self.backend, call, info, modern, usage).await.map(Entered::Step),
            }
        };
        match events.carry(&context.peer, unless_cancelled(context, step)).await?? {
            Entered::Task(task) => Ok(Ended::Task(task)),
            Entered::Step(Step::Over(answer)) => Ok(Ended::Complete(answer)),
            Entered::Step(Step::Asks(_)) => {
                let failure = CallFailure::Failed(asks_a_question(A::METHOD, call.name()));
                call.failed(failure, modern).map(Ended::Complete)
            }
        }
    }
}

/// Asks through a task, and waits for the answers.
pub(super) async fn park(_: Pending, _: &CallInfo, _: &Running) -> Result<Resumption, CallFailure> {
    Err(CallFailure::Failed(asks_a_question("tools/call", "")))
}

/// Whether a request asks for what its call used.
pub(super) fn wants_usage(context: &RequestContext<RoleServer>) -> bool {
    context.meta.get(USAGE) == Some(&Value::Bool(true))
}

fn add_usage(usage: &Usage, meta: &mut Option<MetaObject>) {
    if let Ok(usage) = serde_json::to_value(usage) {
        meta.get_or_insert_default().insert(USAGE.to_owned(), usage);
    }
}

/// Waits for a future, unless the request is cancelled first.
///
/// # Errors
/// When it was cancelled.
pub(super) async fn unless_cancelled<F: Future>(
    context: &RequestContext<RoleServer>,
    future: F,
) -> Result<F::Output, ErrorData> {
    tokio::select! {
        biased;
        () = context.ct.cancelled() => Err(ErrorData::internal_error("the call was cancelled", None)),
        output = future => Ok(output),
    }
}

/// This server has given out no state, so none can come back.
fn no_state(state: Option<&String>) -> Result<(), ErrorData> {
    match state {
        None => Ok(()),
        Some(_) => Err(ErrorData::invalid_params("requestState was not given out by this server", None)),
    }
}

fn asks_a_question(method: &str, name: &str) -> String {
    format!(
        "{method} {name:?} asked a question of the person or the model behind the client, which this version of Kennel cannot \
         pass on; call it in a way that needs no answer, or use a newer Kennel"
    )
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
        let arguments = match (context.extensions.get::<RawArguments>(), request.arguments) {
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
