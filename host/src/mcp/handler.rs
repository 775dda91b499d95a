//! One client's MCP server over the catalog, for both eras: checks what the protocol demands, calls the
//! catalog, and puts its answers into the protocol's words. Runs nothing and lists nothing of its own.

// Log levels and subscriptions by request are deprecated in the protocol; older clients have nothing else.
#![expect(deprecated)]

use std::sync::{Arc, LazyLock, PoisonError};

use rmcp::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams,
    CompleteResult, CompletionInfo, CreateTaskResult, CustomRequest, CustomResult, DiscoverResult, ErrorCode,
    ErrorData, GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult, Implementation,
    InitializeRequestParams, InitializeResult, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, MetaObject, PaginatedRequestParams, PromptsCapability,
    ReadResourceRequestParams, ReadResourceResponse, Reference, ResourcesCapability, ResultType,
    ServerCapabilities, ServerConfig, SetLevelRequestMethod, SetLevelRequestParams, SubscribeRequestParams,
    TASKS_EXTENSION_ID, Tool, ToolsCapability, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::calls::{Ended, unless_cancelled};
use super::carried::{Listen, carried};
use super::client::{Client, is_modern};
use super::lists::{Listed, Lists};
use super::options::Options;
use super::questions::seal::Seals;
use super::subscribed::Subscribed;
use super::tasks::{MayBeTask, Table};
use super::{askable, changes, convert, error, events, pages};
use crate::catalog::api::{Backend, Sessions};
use crate::catalog::types::{CompletionCall, Reference as About};

/// One client's server. Every connection (or HTTP session) has one of its own.
pub struct KennelHandler<B: Backend> {
    pub(super) backend: B,
    pub(super) shared: Arc<Shared>,
    pub(super) client: Client,
    /// What an older client subscribed to.
    subscribed: Subscribed<B>,
}

/// What all clients of one server have in common.
pub(super) struct Shared {
    lists: Lists,
    pub(super) seals: Seals,
    pub(super) sessions: Sessions,
    pub(super) tasks: Table,
    page_size: usize,
    /// Cancelled when the server is going: change streams end with a result then.
    pub(super) closing: CancellationToken,
}

impl<B: Backend> KennelHandler<B> {
    /// A server for one client, with what holds unless an operator says otherwise.
    #[must_use]
    pub fn new(backend: B) -> Self {
        Self::with(backend, Options::default())
    }

    /// A server for one client.
    #[must_use]
    pub fn with(backend: B, options: Options) -> Self {
        let shared = Shared {
            lists: Lists::default(),
            seals: Seals::default(),
            sessions: Sessions::default(),
            tasks: Table::new(options.tasks),
            page_size: options.page_size,
            closing: CancellationToken::new(),
        };
        Self::sharing(backend, Arc::new(shared))
    }

    /// The catalog behind it.
    #[must_use]
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// A server for another client over the same catalog and with the same tasks.
    #[must_use]
    pub fn for_another_client(&self) -> Self {
        Self::sharing(self.backend.clone(), self.shared.clone())
    }

    /// Cancel it when the server is going: the change streams of all its clients then end with a result.
    #[must_use]
    pub fn closing(&self) -> CancellationToken {
        self.shared.closing.clone()
    }

    fn sharing(backend: B, shared: Arc<Shared>) -> Self {
        let subscribed = Subscribed::nothing(&backend);
        Self { backend, shared, client: Client::new(), subscribed }
    }

    async fn listed(&self, context: &RequestContext<RoleServer>) -> Result<Arc<Listed>, ErrorData> {
        unless_cancelled(context, self.backend.ready()).await?;
        Ok(self.shared.lists.of(self.backend.snapshot()))
    }
}

/// The key under which a result says who made it.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// Who this is.
pub(super) fn server() -> Implementation {
    Implementation::new("kennel", env!("CARGO_PKG_VERSION")).with_title("Kennel")
}

/// Says in a newer client's result who made it ("General fields" of 2026-07-28, SHOULD); older ones heard it in the
/// handshake.
pub(super) fn sign(context: &RequestContext<RoleServer>, meta: &mut Option<MetaObject>) {
    static SERVER: LazyLock<Value> = LazyLock::new(|| json!(server()));
    if is_modern(context) {
        meta.get_or_insert_default().insert(SERVER_INFO.to_owned(), SERVER.clone());
    }
}

/// How long a list that all callers see alike may be kept, in milliseconds. Whoever wants to know sooner listens for
/// changes.
const LIST_TTL: u64 = 60_000;
/// How long what was said of the server may be kept, in milliseconds: until there may be another version.
const SERVER_TTL: u64 = 300_000;

/// How long a list of resources may be kept, in milliseconds: as long as the catalog itself keeps it.
const LIVE_TTL: u64 = 1_000;

/// What a newer client is told with a result that it may keep: who made it, for how long and for whom.
fn to_keep(
    context: &RequestContext<RoleServer>,
    ttl: u64,
    scope: CacheScope,
) -> (Option<MetaObject>, Option<u64>, Option<CacheScope>) {
    if !is_modern(context) {
        return (None, None, None);
    }
    let mut meta = None;
    sign(context, &mut meta);
    (meta, Some(ttl), Some(scope))
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
        capabilities.extensions = Some([(TASKS_EXTENSION_ID.to_owned(), serde_json::Map::new())].into());
        ServerConfig::new(capabilities).with_server_info(server())
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        let mut result = DiscoverResult::from_server_info(versions, self.get_info());
        // The same for everybody.
        (result.ttl_ms, result.cache_scope) = (SERVER_TTL, CacheScope::Public);
        Ok(result)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        if context.meta.protocol_version().is_some_and(|version| !version.has_initialize()) {
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "initialize", None));
        }
        let mut result = self.negotiate_initialize(&request)?;
        // The extension is not for these.
        result.capabilities.extensions = None;
        self.client.introduced(&request, || self.backend.changes());
        context.peer.set_peer_info(request.with_protocol_version(result.protocol_version.clone()));
        Ok(result)
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        if let Some(changes) = self.client.untold() {
            let (subscribed, gone) = (self.subscribed.uris(), self.client.gone.clone());
            tokio::spawn(changes::tell_peer(changes, context.peer, subscribed, gone));
        }
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let listed = self.listed(&context).await?;
        let page =
            pages::page(&listed.tools, |tool| &tool.name, "tools", request.as_ref(), self.shared.page_size)?;
        // Made when a plugin is loaded, before there was any caller: the same for all.
        let (meta, ttl_ms, cache_scope) = to_keep(&context, LIST_TTL, CacheScope::Public);
        let tools = page.items.to_vec();
        let (result_type, next_cursor) = (Some(ResultType::COMPLETE), page.next);
        Ok(ListToolsResult { result_type, meta, next_cursor, ttl_ms, cache_scope, tools })
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.shared.lists.of(self.backend.snapshot()).tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (call, again) = askable::Tool::of(request, &context);
        unless_cancelled(&context, self.backend.ready()).await?;
        let as_task = match self.may_be_task(&call, &context)? {
            MayBeTask::Refused(response) => return Ok(response),
            MayBeTask::Yes(as_task) => Some(as_task),
            MayBeTask::No => None,
        };
        Ok(match self.call(&call, again, as_task, &context).await? {
            Ended::Complete(mut result) => {
                sign(&context, &mut result.meta);
                CallToolResponse::Complete(result)
            }
            Ended::InputRequired(mut result) => {
                sign(&context, &mut result.meta);
                CallToolResponse::InputRequired(result)
            }
            Ended::Task(task) => {
                let mut result = CreateTaskResult::new(task);
                sign(&context, &mut result.meta);
                CallToolResponse::Task(result)
            }
        })
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let listed = self.listed(&context).await?;
        let page = pages::page(
            &listed.prompts,
            |prompt| &prompt.name,
            "prompts",
            request.as_ref(),
            self.shared.page_size,
        )?;
        // Made when a plugin is loaded, before there was any caller: the same for all.
        let (meta, ttl_ms, cache_scope) = to_keep(&context, LIST_TTL, CacheScope::Public);
        let prompts = page.items.to_vec();
        let (result_type, next_cursor) = (Some(ResultType::COMPLETE), page.next);
        Ok(ListPromptsResult { result_type, meta, next_cursor, ttl_ms, cache_scope, prompts })
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let (call, again) = askable::Prompt::of(request)?;
        Ok(match self.call(&call, again, None, &context).await? {
            Ended::Complete(mut result) => {
                sign(&context, &mut result.meta);
                GetPromptResponse::Complete(result)
            }
            Ended::InputRequired(mut result) => {
                sign(&context, &mut result.meta);
                GetPromptResponse::InputRequired(result)
            }
            Ended::Task(_) => return Err(ErrorData::internal_error("only tools run as tasks", None)),
        })
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let (info, events) = self.client.call_info(&context);
        let call = async {
            self.backend.ready().await;
            self.backend.list_resources(info).await
        };
        let mut resources = events
            .carry(&context.peer, unless_cancelled(&context, call))
            .await?
            .map_err(|failure| error::of_resource(failure, is_modern(&context)))?;
        resources.sort_by(|a, b| a.uri.cmp(&b.uri));
        let page = pages::page(
            &resources,
            |resource| &resource.uri,
            "resources",
            request.as_ref(),
            self.shared.page_size,
        )?;
        // Each plugin was told who asks, so another caller may get another list.
        let (meta, ttl_ms, cache_scope) = to_keep(&context, LIVE_TTL, CacheScope::Private);
        let resources = page.items.iter().cloned().map(convert::resource).collect();
        let (result_type, next_cursor) = (Some(ResultType::COMPLETE), page.next);
        Ok(ListResourcesResult { result_type, meta, next_cursor, ttl_ms, cache_scope, resources })
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let listed = self.listed(&context).await?;
        let page = pages::page(
            &listed.templates,
            |template| &template.uri_template,
            "templates",
            request.as_ref(),
            self.shared.page_size,
        )?;
        // Made when a plugin is loaded, before there was any caller: the same for all.
        let (meta, ttl_ms, cache_scope) = to_keep(&context, LIST_TTL, CacheScope::Public);
        let resource_templates = page.items.to_vec();
        let (result_type, next_cursor) = (Some(ResultType::COMPLETE), page.next);
        Ok(ListResourceTemplatesResult {
            result_type,
            meta,
            next_cursor,
            ttl_ms,
            cache_scope,
            resource_templates,
        })
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let (call, again) = askable::Resource::of(request);
        Ok(match self.call(&call, again, None, &context).await? {
            Ended::Complete(mut result) => {
                if is_modern(&context) {
                    // What a plugin reads may be another for another caller, and may be new the next time.
                    (result.ttl_ms, result.cache_scope) = (Some(0), Some(CacheScope::Private));
                }
                sign(&context, &mut result.meta);
                ReadResourceResponse::Complete(result)
            }
            Ended::InputRequired(mut result) => {
                sign(&context, &mut result.meta);
                ReadResourceResponse::InputRequired(result)
            }
            Ended::Task(_) => return Err(ErrorData::internal_error("only tools run as tasks", None)),
        })
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let (info, _) = self.client.call_info(&context);
        let call = async {
            self.backend.ready().await;
            self.subscribed.add(&request.uri, info).await
        };
        unless_cancelled(&context, call).await?.map_err(|failure| error::of_resource(failure, false))
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let (info, _) = self.client.call_info(&context);
        let call = self.subscribed.remove(&request.uri, info);
        unless_cancelled(&context, call).await?.map_err(|failure| error::of_resource(failure, false))
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let task = self.shared.tasks.get(&self.client.caller(&context), &request.task_id)?;
        let mut result = GetTaskResult::new(task);
        sign(&context, &mut result.meta);
        Ok(result)
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let caller = self.client.caller(&context);
        self.shared.tasks.update(&caller, &request.task_id, request.input_responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.shared.tasks.cancel(&self.client.caller(&context), &request.task_id)
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
        let (info, events) = self.client.call_info(&context);
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
        // Fewer in all than are here cannot be.
        info.total = completions.total.filter(|total| *total as usize >= completions.values.len());
        info.has_more = Some(completions.has_more || more);
        info.values = completions.values;
        let mut result = CompleteResult::new(info);
        sign(&context, &mut result.meta);
        Ok(result)
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        if let Some(listen) = carried::<Listen>(&context).cloned() {
            return self.open_stream(listen, &context).await;
        }
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
