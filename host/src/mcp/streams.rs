//! A stream that a newer client opened to hear of changes (`subscriptions/listen`): what its filter names and nothing
//! else, each notification tagged with the stream's id. Resources are subscribed to for as long as it is open.

use std::collections::BTreeSet;
use std::sync::Arc;

use rmcp::ServerHandler as _;
use rmcp::model::{
    CustomNotification, CustomResult, ErrorData, GetExtensions, NotificationMetaObject, RequestId,
    ServerNotification, SubscriptionFilter, SubscriptionsListenRequestMethod, SubscriptionsListenResult,
    TaskStatusNotification, TaskStatusNotificationParams,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};

use super::carried::Listen;
use super::changes::Batch;
use super::client::{is_modern, takes_tasks};
use super::error;
use super::handler::{KennelHandler, server};
use super::subscribed::{MAX_SUBSCRIPTIONS, Subscribed};
use super::tasks::Table;
use crate::catalog::api::{Backend, CallInfo, Change};

impl<B: Backend> KennelHandler<B> {
    /// Opens a change stream, and tells until the client closes it or the server is going.
    ///
    /// # Errors
    /// When the client's era has none, or it asks for tasks and did not declare the extension, or for too many.
    pub(super) async fn open_stream(
        &self,
        Listen { mut filter, tasks }: Listen,
        context: &RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        if !is_modern(context) {
            return Err(ErrorData::method_not_found::<SubscriptionsListenRequestMethod>());
        }
        if tasks.is_some() && !takes_tasks(context) {
            return Err(error::needs_tasks());
        }
        if tasks.as_ref().is_some_and(|tasks| tasks.len() > MAX_SUBSCRIPTIONS) {
            let text = format!("a stream may tell of {MAX_SUBSCRIPTIONS} tasks; ask for fewer");
            return Err(ErrorData::invalid_params(text, None));
        }
        if let Some(uris) = &mut filter.resource_subscriptions {
            uris.truncate(MAX_SUBSCRIPTIONS);
        }
        let caller = self.client.caller(context);
        // Of others' it is not even said that they are there.
        let ours = |id: &String| self.shared.tasks.look(&caller, id).is_some();
        let tasks = tasks.map(|tasks| tasks.into_iter().filter(ours).collect());
        let mut stream = Stream {
            peer: context.peer.clone(),
            id: context.id.clone(),
            filter: filter.supported_by(&self.get_info().capabilities),
            tasks,
            caller,
        };
        let (info, _) = self.client.call_info(context);
        tokio::select! {
            () = context.ct.cancelled() => {}
            () = self.shared.closing.cancelled() => {}
            () = stream.tell(&self.backend, info, &self.shared.tasks) => {}
        }
        let mut ended = SubscriptionsListenResult::complete(context.id.clone());
        ended.meta.set_server_info(server());
        serde_json::to_value(ended)
            .map(CustomResult::new)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }
}

/// One open stream.
struct Stream {
    peer: Peer<RoleServer>,
    id: RequestId,
    /// What its client may hear of, apart from tasks.
    filter: SubscriptionFilter,
    /// The caller's own tasks that it wants to hear of.
    tasks: Option<BTreeSet<String>>,
    caller: Arc<str>,
}

impl Stream {
    /// Never ends: the stream is the client's to close, also when it hears nothing any longer.
    async fn tell<B: Backend>(&mut self, backend: &B, info: CallInfo, tasks: &Table) {
        let changes = (backend.changes(), tasks.changes());
        let subscribed = Subscribed::nothing(backend);
        backend.ready().await;
        self.subscribe(&subscribed, info).await;
        // Not before: whoever is told that the stream is open misses nothing that happens from then on.
        if self.acknowledge().await {
            self.tell_all(changes, tasks).await;
        }
        std::future::pending::<()>().await;
    }

    /// Subscribes to resources. What nobody has now is left out: nothing will be told of it.
    async fn subscribe<B: Backend>(&mut self, subscribed: &Subscribed<B>, info: CallInfo) {
        let mut uris = Vec::new();
        for uri in self.filter.resource_subscriptions.take().into_iter().flatten() {
            match subscribed.add(&uri, info.clone()).await {
                Ok(()) => uris.push(uri),
                Err(failure) => tracing::debug!("nothing will be told of {uri:?}: {failure}"),
            }
        }
        self.filter.resource_subscriptions = (!uris.is_empty()).then_some(uris);
    }

    /// Says what the stream will tell of.
    async fn acknowledge(&self) -> bool {
        let mut accepted = json!(self.filter);
        if let Some(tasks) = &self.tasks {
            accepted["taskIds"] = json!(tasks);
        }
        let method = "notifications/subscriptions/acknowledged";
        let note = CustomNotification::new(method, Some(json!({ "notifications": accepted })));
        self.send(ServerNotification::CustomNotification(note)).await
    }

    async fn tell_all(
        &self,
        (mut lists, mut of_tasks): (broadcast::Receiver<Change>, broadcast::Receiver<Arc<str>>),
        tasks: &Table,
    ) {
        // A task may have gone on between its creation and this stream.
        if !self.tell_tasks(tasks).await {
            return;
        }
        let mut lists_go_on = true;
        loop {
            let told = tokio::select! {
                batch = Batch::next(&mut lists), if lists_go_on => match batch {
                    Some(batch) => self.tell_batch(&batch).await,
                    None => {
                        lists_go_on = false;
                        true
                    }
                },
                changed = of_tasks.recv(), if self.tasks.is_some() => match changed {
                    Ok(id) if self.tells_of(&id) => self.tell_task(tasks, &id).await,
                    Ok(_) => true,
                    Err(RecvError::Lagged(_)) => self.tell_tasks(tasks).await,
                    Err(RecvError::Closed) => return,
                },
                else => return,
            };
            if !told {
                return;
            }
        }
    }

    async fn tell_batch(&self, batch: &Batch) -> bool {
        let lists = [
            self.filter.tools_list_changed,
            self.filter.prompts_list_changed,
            self.filter.resources_list_changed,
        ];
        let uris = self.filter.resource_subscriptions.iter().flatten();
        for note in batch.notes(lists.map(|list| list == Some(true)), uris) {
            if !self.send(note).await {
                return false;
            }
        }
        true
    }

    fn tells_of(&self, task: &str) -> bool {
        self.tasks.as_ref().is_some_and(|tasks| tasks.contains(task))
    }

    async fn tell_tasks(&self, tasks: &Table) -> bool {
        for id in self.tasks.iter().flatten() {
            if !self.tell_task(tasks, id).await {
                return false;
            }
        }
        true
    }

    /// The task as `tasks/get` would give it now; nothing when it is gone.
    async fn tell_task(&self, tasks: &Table, id: &str) -> bool {
        match tasks.look(&self.caller, id) {
            Some(task) => {
                let note = TaskStatusNotification::new(TaskStatusNotificationParams::new(task));
                self.send(ServerNotification::TaskStatusNotification(note)).await
            }
            None => true,
        }
    }

    /// False when the client can hear nothing any longer.
    async fn send(&self, mut notification: ServerNotification) -> bool {
        let mut meta = NotificationMetaObject::new();
        meta.set_subscription_id(self.id.clone());
        notification.extensions_mut().insert(meta);
        self.peer.send_notification(notification).await.is_ok()
    }
}
