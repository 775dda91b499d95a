//! One client's MCP server over the catalog, for both eras: checks what the protocol demands, calls the
//! catalog, and puts its answers into the protocol's words. Runs nothing and lists nothing of its own.

// Log levels and subscriptions by request are deprecated in the protocol; older clients have nothing else.
#![expect(deprecated)]

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, CompleteRequestParams,
    CompleteResult, CompletionInfo, ContentBlock, CustomRequest, CustomResult, ErrorCode, ErrorData,
    GetPromptRequestParams, GetPromptResponse, Implementation, InitializeRequestParams, InitializeResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, MetaObject,
    PaginatedRequestParams, Prompt, PromptsCapability, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, Reference, ResourceTemplate, ResourcesCapability, ServerCapabilities, ServerConfig,
    SetLevelRequestMethod, SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool,
    ToolsCapability, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::changes::{self, Subscriptions};
use super::{convert, error, events};
use crate::catalog::api::{Arguments, Backend, CallInfo, ClientCan, ClientFacts, Snapshot, Trace, Usage};
use crate::catalog::types::{CompletionCall, LogLevel, Outcome, Reference as About};

/// The arguments of a `tools/call` as the client wrote them, put into the request's extensions by the front
/// door so that nothing between client and plugin rewrites them.
#[derive(Clone, Debug)]
pub struct RawArguments(pub Arguments);

/// Who calls, put into a request's extensions by a transport that knows. Stable and opaque; what belongs to one
/// caller is kept from every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(pub Arc<str>);

/// Put into a request's extensions by a transport whose client can leave and come back for the answer; cancelled
/// when the call says that it will take long.
#[derive(Clone, Debug, Default)]
pub struct Detached(pub CancellationToken);

/// What the transport put into a request's extensions: straight, or into those of the HTTP request it came with.
fn carried<T: Clone + Send + Sync + 'static>(context: &RequestContext<RoleServer>) -> Option<&T> {
    let http = || context.extensions.get::<http::request::Parts>();
    context.extensions.get::<T>().or_else(|| http()?.extensions.get::<T>())
}

/// Most URIs one client may subscribe to, and most in one listen filter.
const MAX_SUBSCRIPTIONS: usize = 1024;

/// Set in a request's `_meta` to `true`, it asks for what the call used; in the result it holds that.
const USAGE: &str = "io.kennel/usage";

/// One client's server. Every connection (or HTTP session) has one of its own.
pub struct KennelHandler<B> {
    backend: B,
    lists: Arc<Lists>,
    client: Client,
}

/// What is known of an older client, whose requests rely on what was said before.
struct Client {
    facts: RwLock<ClientFacts>,
    level: Mutex<Option<LogLevel>>,
    subscriptions: Subscriptions,
    told: AtomicBool,
    gone: CancellationToken,
    _gone_with_this: DropGuard,
}

/// The last snapshot in the protocol's words, so that it is put into them once and not for every client
/// and request.
#[derive(Default)]
struct Lists {
    last: Mutex<Option<Arc<Listed>>>,
}

struct Listed {
    of: Arc<Snapshot>,
    tools: Vec<Tool>,
    prompts: Vec<Prompt>,
    templates: Vec<ResourceTemplate>,
}

impl Lists {
    fn of(&self, snapshot: Arc<Snapshot>) -> Arc<Listed> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = &*last
            && Arc::ptr_eq(&listed.of, &snapshot)
        {
            return listed.clone();
        }
        let mut listed = Listed {
            tools: snapshot.tools.iter().map(convert::tool).collect(),
            prompts: snapshot.prompts.iter().map(convert::prompt).collect(),
            templates: snapshot.templates.iter().map(convert::template).collect(),
            of: snapshot,
        };
        // A model's prompt cache holds only while a list keeps its order.
        listed.tools.sort_by(|a, b| a.name.cmp(&b.name));
        listed.prompts.sort_by(|a, b| a.name.cmp(&b.name));
        listed.templates.sort_by(|a, b| a.uri_template.cmp(&b.uri_template));
        let listed = Arc::new(listed);
        *last = Some(listed.clone());
        listed
    }
}

impl<B: Backend> KennelHandler<B> {
    /// A server for one client.
    #[must_use]
    pub fn new(backend: B) -> Self {
        Self::with_lists(backend, Arc::default())
    }

    /// The catalog behind it.
    #[must_use]
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// A server for another client over the same catalog.
    #[must_use]
    pub fn for_another_client(&self) -> Self {
        Self::with_lists(self.backend.clone(), self.lists.clone())
    }

    fn with_lists(backend: B, lists: Arc<Lists>) -> Self {
        let gone = CancellationToken::new();
        let client = Client {
            facts: RwLock::default(),
            level: Mutex::default(),
            subscriptions: Arc::new(Mutex::new(HashSet::new())),
            told: AtomicBool::new(false),
            _gone_with_this: gone.clone().drop_guard(),
            gone,
        };
        Self { backend, lists, client }
    }

    async fn listed(&self, context: &RequestContext<RoleServer>) -> Result<Arc<Listed>, ErrorData> {
        unless_cancelled(context, self.backend.ready()).await?;
        Ok(self.lists.of(self.backend.snapshot()))
    }

    /// What goes with a call, and the receiving end of its events.
    fn call_info(&self, context: &RequestContext<RoleServer>) -> (CallInfo, events::Events) {
        let meta = &context.meta;
        let (mut client, level) = if is_modern(context) {
            let info = meta.client_info();
            let can = meta.client_capabilities().unwrap_or_default();
            (
                facts(info.as_ref().map(|info| info.name.as_str()), &can),
                meta.log_level().map(events::from_protocol),
            )
        } else {
            let facts = self.client.facts.read().unwrap_or_else(PoisonError::into_inner).clone();
            (facts, *self.client.level.lock().unwrap_or_else(PoisonError::into_inner))
        };
        if let Some(Caller(caller)) = carried(context) {
            client.caller = caller.clone();
        }
        let token = meta.get_progress_token();
        let progress = token.is_some();
        let detached = carried::<Detached>(context).cloned();
        let (sink, events) = events::channel(context.id.clone(), token, level, detached);
        let info = CallInfo {
            cancel: context.ct.clone(),
            client,
            progress,
            log_level: level,
            sink,
            trace: Trace {
                traceparent: meta.get_traceparent().map(str::to_owned),
                tracestate: meta.get_tracestate().map(str::to_owned),
            },
            resumption: None,
            meta: convert::meta_for_plugin(meta),
        };
        (info, events)
    }
}

/// The request's era: of its own saying, or of the handshake before.
fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| !version.has_initialize())
}

fn facts(name: Option<&str>, can: &ClientCapabilities) -> ClientFacts {
    let elicitation = can.elicitation.as_ref();
    ClientFacts {
        // Over a pipe there is one client, and its name is all that tells it from another's state.
        caller: name.map(|name| format!("local:{name}")).unwrap_or_default().into(),
        name: name.map(Into::into),
        can: ClientCan {
            // Before there were modes, the capability was an empty object and meant forms.
            elicit_form: elicitation
                .is_some_and(|elicitation| elicitation.form.is_some() || elicitation.url.is_none()),
            elicit_url: elicitation.is_some_and(|elicitation| elicitation.url.is_some()),
            sampling: can.sampling.is_some(),
            sampling_tools: can.sampling.as_ref().is_some_and(|sampling| sampling.tools.is_some()),
            roots: can.roots.is_some(),
        },
    }
}

async fn unless_cancelled<F: Future>(
    context: &RequestContext<RoleServer>,
    future: F,
) -> Result<F::Output, ErrorData> {
    tokio::select! {
        biased;
        () = context.ct.cancelled() => Err(ErrorData::internal_error("the call was cancelled", None)),
        output = future => Ok(output),
    }
}

/// Lists come whole, so that no cursor is ever given and none can come back.
fn no_cursor(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match request.and_then(|request| request.cursor) {
        None => Ok(()),
        Some(_) => Err(ErrorData::invalid_params("unknown cursor: this list comes in one page", None)),
    }
}

/// This server has given out no state, so none can come back.
fn no_state(state: Option<&String>) -> Result<(), ErrorData> {
    match state {
        None => Ok(()),
        Some(_) => Err(ErrorData::invalid_params("requestState was not given out by this server", None)),
    }
}

fn asks_a_question(what: &str, name: &str) -> String {
    format!(
        "the {what} {name:?} asked a question of the person or the model behind the client, which this version of Kennel cannot \
         pass on; call it in a way that needs no answer, or use a newer Kennel"
    )
}

/// Puts what a call used into its result's `_meta`, if the request asked for it.
fn add_usage(context: &RequestContext<RoleServer>, usage: &Usage, meta: &mut Option<MetaObject>) {
    if context.meta.get(USAGE) == Some(&Value::Bool(true))
        && let Ok(usage) = serde_json::to_value(usage)
    {
        meta.get_or_insert_default().insert(USAGE.to_owned(), usage);
    }
}

impl<B: Backend> ServerHandler for KennelHandler<B> {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::default();
        let mut resources = ResourcesCapability::default();
        (resources.subscribe, resources.list_changed) = (Some(true), Some(true));
        let mut tools = ToolsCapability::default();
        tools.list_changed = Some(true);
        let mut prompts = PromptsCapability::default();
        prompts.list_changed = Some(true);
        // All of them, whatever is loaded now: plugins come and go while a client is there.
        capabilities.tools = Some(tools);
        capabilities.prompts = Some(prompts);
        capabilities.resources = Some(resources);
        capabilities.completions = Some(serde_json::Map::new());
        capabilities.logging = Some(serde_json::Map::new());
        let server = Implementation::new("kennel", env!("CARGO_PKG_VERSION")).with_title("Kennel");
        ServerConfig::new(capabilities).with_server_info(server)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        if context.meta.protocol_version().is_some_and(|version| !version.has_initialize()) {
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "initialize", None));
        }
        let result = self.negotiate_initialize(&request)?;
        *self.client.facts.write().unwrap_or_else(PoisonError::into_inner) =
            facts(Some(&request.client_info.name), &request.capabilities);
        context.peer.set_peer_info(request.with_protocol_version(result.protocol_version.clone()));
        Ok(result)
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        // A client may say it twice; it shall hear of a change once.
        if !self.client.told.swap(true, Ordering::Relaxed) {
            let tell = changes::tell_peer(
                self.backend.changes(),
                context.peer,
                self.client.subscriptions.clone(),
                self.client.gone.clone(),
            );
            tokio::spawn(tell);
        }
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        no_cursor(request)?;
        Ok(ListToolsResult::with_all_items(self.listed(&context).await?.tools.clone()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.lists.of(self.backend.snapshot()).tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        no_state(request.request_state.as_ref())?;
        let arguments = match (carried::<RawArguments>(&context), request.arguments.take()) {
            (Some(RawArguments(text)), _) => text.clone(),
            (None, None) => "{}".into(),
            // A transport without the front door.
            (None, Some(arguments)) => Value::Object(arguments).to_string().into(),
        };
        let (info, events) = self.call_info(&context);
        let call = async {
            self.backend.ready().await;
            self.backend.call_tool(&request.name, arguments, info).await
        };
        let outcome = events.carry(&context.peer, unless_cancelled(&context, call)).await?;
        let result = match outcome {
            Ok(done) => {
                let mut result = match done.outcome {
                    Outcome::Complete(result) => convert::tool_result(result),
                    Outcome::InputRequired(_) => CallToolResult::error(vec![ContentBlock::text(
                        asks_a_question("tool", &request.name),
                    )]),
                };
                add_usage(&context, &done.usage, &mut result.meta);
                result
            }
            Err(failure) => error::of_tool(&request.name, failure, is_modern(&context))?,
        };
        Ok(CallToolResponse::Complete(result))
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        no_cursor(request)?;
        Ok(ListPromptsResult::with_all_items(self.listed(&context).await?.prompts.clone()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        no_state(request.request_state.as_ref())?;
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
        let (info, events) = self.call_info(&context);
        let call = async {
            self.backend.ready().await;
            self.backend.get_prompt(&request.name, arguments, info).await
        };
        let done = events
            .carry(&context.peer, unless_cancelled(&context, call))
            .await?
            .map_err(|failure| error::of_request("prompt", failure, is_modern(&context)))?;
        let Outcome::Complete(result) = done.outcome else {
            return Err(ErrorData::internal_error(asks_a_question("prompt", &request.name), None));
        };
        let mut result = convert::prompt_result(result);
        add_usage(&context, &done.usage, &mut result.meta);
        Ok(GetPromptResponse::Complete(result))
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        no_cursor(request)?;
        let (info, events) = self.call_info(&context);
        let call = async {
            self.backend.ready().await;
            self.backend.list_resources(info).await
        };
        let mut resources = events
            .carry(&context.peer, unless_cancelled(&context, call))
            .await?
            .map_err(|failure| error::of_resource(failure, is_modern(&context)))?;
        resources.sort_by(|a, b| a.uri.cmp(&b.uri));
        Ok(ListResourcesResult::with_all_items(resources.into_iter().map(convert::resource).collect()))
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        no_cursor(request)?;
        Ok(ListResourceTemplatesResult::with_all_items(self.listed(&context).await?.templates.clone()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        no_state(request.request_state.as_ref())?;
        let (info, events) = self.call_info(&context);
        let call = async {
            self.backend.ready().await;
            self.backend.read_resource(&request.uri, info).await
        };
        let done = events
            .carry(&context.peer, unless_cancelled(&context, call))
            .await?
            .map_err(|failure| error::of_resource(failure, is_modern(&context)))?;
        let Outcome::Complete(contents) = done.outcome else {
            return Err(ErrorData::internal_error(asks_a_question("resource", &request.uri), None));
        };
        let mut result = ReadResourceResult::new(contents.into_iter().map(convert::contents).collect());
        add_usage(&context, &done.usage, &mut result.meta);
        Ok(ReadResourceResponse::Complete(result))
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let full = {
            let subscriptions = self.client.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
            subscriptions.len() >= MAX_SUBSCRIPTIONS && !subscriptions.contains(&request.uri)
        };
        if full {
            let text = format!(
                "a client may subscribe to {MAX_SUBSCRIPTIONS} resources; unsubscribe from some first"
            );
            return Err(ErrorData::invalid_params(text, None));
        }
        let (info, _) = self.call_info(&context);
        let call = async {
            self.backend.ready().await;
            self.backend.subscribe(&request.uri, info).await
        };
        unless_cancelled(&context, call).await?.map_err(|failure| error::of_resource(failure, false))?;
        self.client.subscriptions.lock().unwrap_or_else(PoisonError::into_inner).insert(request.uri);
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.client.subscriptions.lock().unwrap_or_else(PoisonError::into_inner).remove(&request.uri);
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        let mut accepted = requested.clone();
        if let Some(uris) = &mut accepted.resource_subscriptions {
            // What the library compares these with costs the square of their number.
            uris.truncate(MAX_SUBSCRIPTIONS);
        }
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        changes::tell_stream(self.backend.changes(), context).await;
        Ok(())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let reference = match request.r#ref {
            Reference::Prompt(prompt) => About::Prompt(prompt.name),
            Reference::Resource(template) => About::Template(template.uri),
            _ => return Err(ErrorData::invalid_params("completion of an unknown kind of reference", None)),
        };
        let mut settled: Vec<(String, String)> =
            request.context.and_then(|context| context.arguments).into_iter().flatten().collect();
        settled.sort();
        let call = CompletionCall {
            reference,
            argument: request.argument.name,
            value: request.argument.value,
            settled,
        };
        let (info, events) = self.call_info(&context);
        let call = async {
            self.backend.ready().await;
            self.backend.complete(call, info).await
        };
        let mut completions = events
            .carry(&context.peer, unless_cancelled(&context, call))
            .await?
            .map_err(|failure| error::of_request("prompt or template", failure, is_modern(&context)))?;
        let more = completions.values.len() > CompletionInfo::MAX_VALUES;
        completions.values.truncate(CompletionInfo::MAX_VALUES);
        let mut info = CompletionInfo::default();
        info.values = completions.values;
        info.total = completions.total;
        info.has_more = Some(completions.has_more || more);
        Ok(CompleteResult::new(info))
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(ErrorData::new(
            ErrorCode::METHOD_NOT_FOUND,
            format!("Method not found: {}", request.method),
            None,
        ))
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if is_modern(&context) {
            return Err(ErrorData::method_not_found::<SetLevelRequestMethod>());
        }
        *self.client.level.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(events::from_protocol(request.level));
        Ok(())
    }
}
