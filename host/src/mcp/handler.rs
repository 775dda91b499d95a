//! One client's MCP server over the catalog, for both eras: checks what the protocol demands, calls the
//! catalog, and puts its answers into the protocol's words. Runs nothing and lists nothing of its own.

// Log levels and subscriptions by request are deprecated in the protocol; older clients have nothing else.
#![expect(deprecated)]

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, CompletionInfo,
    CustomRequest, CustomResult, ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse,
    Implementation, InitializeRequestParams, InitializeResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    PromptsCapability, ReadResourceRequestParams, ReadResourceResponse, Reference, ResourcesCapability,
    ServerCapabilities, ServerConfig, SetLevelRequestMethod, SetLevelRequestParams, SubscribeRequestParams,
    SubscriptionFilter, Tool, ToolsCapability, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};

use super::askable;
use super::calls::{Ended, unless_cancelled};
use super::client::{Client, is_modern};
use super::lists::{Listed, Lists};
use super::questions::seal::Seals;
use super::{changes, convert, error, events};
use crate::catalog::api::Backend;
use crate::catalog::types::{CompletionCall, Reference as About};

/// Most URIs one client may subscribe to, and most in one listen filter.
const MAX_SUBSCRIPTIONS: usize = 1024;

/// One client's server. Every connection (or HTTP session) has one of its own.
pub struct KennelHandler<B> {
    pub(super) backend: B,
    lists: Arc<Lists>,
    pub(super) seals: Arc<Seals>,
    pub(super) client: Client,
}

impl<B: Backend> KennelHandler<B> {
    /// A server for one client.
    #[must_use]
    pub fn new(backend: B) -> Self {
        Self::sharing(backend, Arc::default(), Arc::default())
    }

    /// The catalog behind it.
    #[must_use]
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// A server for another client over the same catalog.
    #[must_use]
    pub fn for_another_client(&self) -> Self {
        Self::sharing(self.backend.clone(), self.lists.clone(), self.seals.clone())
    }

    fn sharing(backend: B, lists: Arc<Lists>, seals: Arc<Seals>) -> Self {
        Self { backend, lists, seals, client: Client::new() }
    }

    async fn listed(&self, context: &RequestContext<RoleServer>) -> Result<Arc<Listed>, ErrorData> {
        unless_cancelled(context, self.backend.ready()).await?;
        Ok(self.lists.of(self.backend.snapshot()))
    }
}

/// Lists come whole, so that no cursor is ever given and none can come back.
fn no_cursor(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match request.and_then(|request| request.cursor) {
        None => Ok(()),
        Some(_) => Err(ErrorData::invalid_params("unknown cursor: this list comes in one page", None)),
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
        self.client.introduced(&request);
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
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (call, again) = askable::Tool::of(request, &context);
        Ok(match self.call(&call, again, &context).await? {
            Ended::Complete(result) => CallToolResponse::Complete(result),
            Ended::InputRequired(result) => CallToolResponse::InputRequired(result),
        })
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
        let (call, again) = askable::Prompt::of(request)?;
        Ok(match self.call(&call, again, &context).await? {
            Ended::Complete(result) => GetPromptResponse::Complete(result),
            Ended::InputRequired(result) => GetPromptResponse::InputRequired(result),
        })
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        no_cursor(request)?;
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
        let (call, again) = askable::Resource::of(request);
        Ok(match self.call(&call, again, &context).await? {
            Ended::Complete(result) => ReadResourceResponse::Complete(result),
            Ended::InputRequired(result) => ReadResourceResponse::InputRequired(result),
        })
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
        let (info, _) = self.client.call_info(&context);
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
