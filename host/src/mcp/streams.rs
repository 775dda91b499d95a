//! A stream that a newer client opened to hear of changes (`subscriptions/listen`): what its filter names and nothing
//! else, each notification tagged with the stream's id. Resources are subscribed to for as long as it is open.

use std::collections::BTreeSet;
use std::sync::Arc;

use rmcp::model::{
    CustomNotification, GetExtensions, MetaObject, NotificationMetaObject, RequestId, ResultType,
    ServerNotification, SubscriptionFilter, SubscriptionsListenResultMeta, TaskStatusNotification,
    TaskStatusNotificationParams,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::changes::Batch;
use super::subscribed::Subscribed;
use super::tasks::Table;
use crate::catalog::api::{Backend, CallInfo, Change};

/// The result of a stream.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ended {
    result_type: ResultType,
    #[serde(rename = "_meta")]
    pub(super) meta: Option<MetaObject>,
}

/// One open stream.
pub(super) struct Stream {
    peer: Peer<RoleServer>,
    id: RequestId,
    cancelled: CancellationToken,
    /// What its client may hear of, apart from tasks.
    filter: SubscriptionFilter,
    /// The caller's own tasks that it wants to hear of.
    tasks: BTreeSet<String>,
    caller: Arc<str>,
}

impl Stream {
    /// The stream that a request opens.
    pub(super) fn new(
        context: &RequestContext<RoleServer>,
        filter: SubscriptionFilter,
        tasks: BTreeSet<String>,
        caller: Arc<str>,
    ) -> Self {
        let (peer, id) = (context.peer.clone(), context.id.clone());
        Self { peer, id, cancelled: context.ct.clone(), filter, tasks, caller }
    }

    /// Says what the stream will tell of. The library does that for streams without tasks, of which it knows
    /// nothing.
    pub(super) async fn acknowledge(&self) -> bool {
        let mut accepted = json!(self.filter);
        accepted["taskIds"] = json!(self.tasks);
        let method = "notifications/subscriptions/acknowledged";
        let note = CustomNotification::new(method, Some(json!({ "notifications": accepted })));
        self.send(ServerNotification::CustomNotification(note)).await
    }

    /// The result with which a stream ends that its client did not close.
    pub(super) fn ended(&self) -> Ended {
        let mut meta = MetaObject::new();
        for (key, value) in SubscriptionsListenResultMeta::new(self.id.clone()).iter() {
            meta.insert(key.clone(), value.clone());
        }
        Ended { result_type: ResultType::COMPLETE, meta: Some(meta) }
    }

    /// Tells until the client closes the stream or the server is `closing`.
    pub(super) async fn tell<B: Backend>(
        self,
        backend: &B,
        info: CallInfo,
        tasks: &Table,
        closing: &CancellationToken,
    ) {
        let changes = (backend.changes(), tasks.changes());
        let subscribed = Subscribed::nothing(backend);
        tokio::select! {
            () = self.cancelled.cancelled() => {}
            () = closing.cancelled() => {}
            () = async {
                backend.ready().await;
                for uri in self.filter.resource_subscriptions.iter().flatten() {
                    // What nobody has now is left out: nothing will be told of it.
                    if let Err(failure) = subscribed.add(uri, info.clone()).await {
                        tracing::debug!("nothing will be told of {uri:?}: {failure}");
                    }
                }
                self.tell_all(changes, tasks).await;
                // The client does not hear any longer, but the stream is its to close.
                std::future::pending::<()>().await;
            } => {}
        }
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
                changed = of_tasks.recv(), if !self.tasks.is_empty() => match changed {
                    Ok(id) if self.tasks.contains(&*id) => self.tell_task(tasks, &id).await,
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

    async fn tell_tasks(&self, tasks: &Table) -> bool {
        for id in &self.tasks {
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
