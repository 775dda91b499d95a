//! The catalog as its readers see it: lists that never change under them, calls by public name, and
//! word of what changed. Says nothing of how plugins are loaded or run, and nothing of JSON-RPC.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

pub use super::session::{Session, Sessions};
use super::types::{
    CompletionCall, Completions, JsonObject, LogLevel, Outcome, Prompt, PromptResult, ResourceContents,
    ResourceInfo, ResourceTemplate, Resumption, Tool, ToolResult,
};
pub use crate::sandbox::Usage;

/// The JSON text of a call's arguments: an object, well formed, without duplicate keys and no deeper
/// than [`super::json::MAX_DEPTH`]; keys and numbers as the client wrote them.
pub type Arguments = Arc<str>;

/// The lists at one moment, in the order of their names. A reload makes a new one.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Tools under their public names.
    pub tools: Vec<Tool>,
    /// Prompts under their public names.
    pub prompts: Vec<Prompt>,
    /// Resource templates.
    pub templates: Vec<ResourceTemplate>,
}

/// Something a client may want to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The list of tools is different.
    Tools,
    /// The list of prompts is different.
    Prompts,
    /// The list of resources or of templates is different.
    Resources,
    /// The resource with this URI has new contents.
    ResourceUpdated(String),
}

/// What the client behind a call can answer (`call-context.capabilities` of the contract).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCan {
    /// Show forms to a person.
    pub elicit_form: bool,
    /// Send a person to a URL.
    pub elicit_url: bool,
    /// Ask its model.
    pub sampling: bool,
    /// Give its model tools in a sampling request.
    pub sampling_tools: bool,
    /// Tell its working directories.
    pub roots: bool,
}

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFacts {
    /// Stable and opaque; empty when unknown.
    pub caller: Arc<str>,
    /// The client program's name, as it calls itself; not to be trusted.
    pub name: Option<Arc<str>>,
    /// What it can answer.
    pub can: ClientCan,
}

/// W3C trace context of the request, as the client sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// `traceparent`.
    pub traceparent: Option<String>,
    /// `tracestate`.
    pub tracestate: Option<String>,
}

/// What a call may tell its client while it runs. Every method returns at once and may drop what it is
/// given; none may block the guest.
pub trait CallEvents: Send + Sync {
    /// A log line for the client.
    fn log(&self, level: LogLevel, logger: Option<&str>, data: Value);
    /// How far the call is.
    fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>);
    /// The call will take long; a client that can poll need not wait.
    fn detach(&self);
}

/// Everything about a call but what is called with what.
#[derive(Clone)]
pub struct CallInfo {
    /// Cancelled when the client no longer wants the answer. The future of the call may then be dropped
    /// at any moment; that alone must end the guest, the token is for work that runs elsewhere.
    pub cancel: CancellationToken,
    /// Who calls.
    pub client: ClientFacts,
    /// Nothing else waits for the thread that makes the call, so the call may begin on it.
    pub alone: bool,
    /// Whether the client asked for progress of this call.
    pub progress: bool,
    /// The least grave log level the client wants to hear; none means no log lines.
    pub log_level: Option<LogLevel>,
    /// Where the call's events go.
    pub sink: Arc<dyn CallEvents>,
    /// Trace context.
    pub trace: Trace,
    /// Where it is remembered what the person behind the caller allowed. None when nobody may be asked to allow anything.
    pub approver: Option<Arc<Session>>,
    /// Set when the plugin is entered again with answers.
    pub resumption: Option<Arc<Resumption>>,
    /// The request's `_meta` without the protocol's own keys; none when nothing is left.
    pub meta: Option<JsonObject>,
}

impl std::fmt::Debug for CallInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallInfo")
            .field("client", &self.client)
            .field("trace", &self.trace)
            .finish_non_exhaustive()
    }
}

/// An answer and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Done<T> {
    /// The answer.
    pub outcome: Outcome<T>,
    /// What the call used.
    pub usage: Usage,
}

/// Why a call has no answer. Texts are one line: what happened, to which plugin, what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallFailure {
    /// There is no such tool, prompt or resource; the text is its name or URI.
    #[error("there is no {0:?} here")]
    NotFound(String),
    /// The arguments do not fit; the text says where and why.
    #[error("{0}")]
    InvalidArguments(String),
    /// Too many calls wait already.
    #[error("{0}")]
    Busy(String),
    /// A budget was used up; the text names it, its number and how to raise it.
    #[error("{0}")]
    Limit(String),
    /// A grant is missing.
    #[error("{0}")]
    Denied(String),
    /// A person took back, while the call ran, what the plugin held when it began; the text says what.
    #[error("{0}; call again to go on with what it holds now")]
    Revoked(String),
    /// The guest trapped or panicked.
    #[error("{0}")]
    Trap(String),
    /// The plugin says that it failed, or it broke the contract.
    #[error("{0}")]
    Failed(String),
    /// The call was cancelled.
    #[error("the call was cancelled")]
    Cancelled,
    /// Answers came for a plugin that is another one by now.
    #[error("{0}; make the call again")]
    Stale(String),
    /// The client lacks `sampling`, `elicitation` or `roots`, which the plugin needs.
    #[error("this call needs the client capability {0:?}, which the client did not declare")]
    MissingCapability(String),
    /// A JSON-RPC error of the plugin's own.
    #[error("{message}")]
    Protocol {
        /// The code. Codes that the protocol keeps for itself are not passed on.
        code: i32,
        /// One line.
        message: String,
        /// More.
        data: Option<Value>,
    },
    /// The host itself failed.
    #[error("{0}")]
    Internal(String),
}

/// The catalog, seen from the protocol. Cheap to clone; every clone is the same catalog.
pub trait Backend: Clone + Send + Sync + 'static {
    /// The lists as they are now.
    fn snapshot(&self) -> Arc<Snapshot>;

    /// Word of every change from now on.
    fn changes(&self) -> broadcast::Receiver<Change>;

    /// Done when the plugins found at the start are loaded or given up. Lists and calls wait for it.
    fn ready(&self) -> impl Future<Output = ()> + Send;

    /// Runs a tool.
    fn call_tool(
        &self,
        name: &str,
        arguments: Arguments,
        call: CallInfo,
    ) -> impl Future<Output = Result<Done<ToolResult>, CallFailure>> + Send;

    /// The resources there are now, asked of each plugin; a plugin that fails is left out.
    fn list_resources(
        &self,
        call: CallInfo,
    ) -> impl Future<Output = Result<Vec<ResourceInfo>, CallFailure>> + Send;

    /// Reads a resource.
    fn read_resource(
        &self,
        uri: &str,
        call: CallInfo,
    ) -> impl Future<Output = Result<Done<Vec<ResourceContents>>, CallFailure>> + Send;

    /// A client wants to hear of changes of this resource; `NotFound` when nobody owns it. Counted: what was
    /// subscribed to is to be unsubscribed from as often.
    fn subscribe(&self, uri: &str, call: CallInfo) -> impl Future<Output = Result<(), CallFailure>> + Send;

    /// A client that subscribed wants to hear of this resource no longer. Its plugin is told when it was the
    /// last one.
    fn unsubscribe(&self, uri: &str, call: CallInfo) -> impl Future<Output = Result<(), CallFailure>> + Send;

    /// Fills in a prompt. Whether required arguments are there is for the catalog to check.
    fn get_prompt(
        &self,
        name: &str,
        arguments: BTreeMap<String, String>,
        call: CallInfo,
    ) -> impl Future<Output = Result<Done<PromptResult>, CallFailure>> + Send;

    /// The person was asked whether a plugin may have more, and did not say yes: remembers it.
    fn declined(&self, _answered: &Resumption, _call: &CallInfo) {}

    /// Proposes values for an argument.
    fn complete(
        &self,
        request: CompletionCall,
        call: CallInfo,
    ) -> impl Future<Output = Result<Completions, CallFailure>> + Send;
}
