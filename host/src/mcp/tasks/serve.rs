//! The methods of the extension, and the question whether a call may become a task. Knows the protocol; how tasks run
//! and stand is elsewhere.

use rmcp::model::{
    CallToolResponse, CustomRequest, CustomResult, ErrorData, SubscriptionsListenRequestParams,
    TASKS_EXTENSION_ID,
};
use rmcp::service::{RequestContext, RoleServer};

use super::{AsTask, TaskIds};
use crate::catalog::api::{Backend, CallFailure};
use crate::catalog::types::TaskSupport;
use crate::mcp::askable::{Askable, Tool};
use crate::mcp::client::{is_modern, takes_tasks};
use crate::mcp::error;
use crate::mcp::handler::{KennelHandler, accepted, sign};
use crate::mcp::streams::Stream;
use crate::mcp::subscribed::MAX_SUBSCRIPTIONS;

/// Whether a call may become a task.
pub(in crate::mcp) enum MayBeTask {
    /// It may not: it is a call as any other.
    No,
    /// It may.
    Yes(AsTask),
    /// It must and cannot, which is the answer.
    Refused(CallToolResponse),
}

impl<B: Backend> KennelHandler<B> {
    /// Whether a call of this tool may become a task.
    ///
    /// # Errors
    /// When it must and the client takes none.
    pub(in crate::mcp) fn may_be_task(
        &self,
        call: &Tool,
        context: &RequestContext<RoleServer>,
    ) -> Result<MayBeTask, ErrorData> {
        let snapshot = self.backend.snapshot();
        let tool = snapshot.tools.iter().find(|tool| tool.name == call.name());
        let support = tool.map_or(TaskSupport::Forbidden, |tool| tool.task_support);
        let modern = is_modern(context);
        let failure = match (support, takes_tasks(context)) {
            (TaskSupport::Forbidden, _) | (TaskSupport::Optional, false) => return Ok(MayBeTask::No),
            (TaskSupport::Required, false) if modern => return Err(error::needs_tasks()),
            (TaskSupport::Required, false) => CallFailure::Failed(format!(
                "the tool {:?} runs only as a task (extension {TASKS_EXTENSION_ID}), which this client does not know; use \
                 a client of protocol version 2026-07-28 that has it",
                call.name()
            )),
            (_, true) => match AsTask::of(&self.shared.tasks, self.client.caller(context), support) {
                Ok(as_task) => return Ok(MayBeTask::Yes(as_task)),
                Err(full) => CallFailure::Busy(full.to_string()),
            },
        };
        call.failed(failure, modern).map(|result| MayBeTask::Refused(CallToolResponse::Complete(result)))
    }

    /// Opens a change stream with tasks, of which the library knows nothing.
    ///
    /// # Errors
    /// When the client did not declare the extension, or the filter cannot be read.
    pub(in crate::mcp) async fn listen_with_tasks(
        &self,
        request: CustomRequest,
        TaskIds(ids): TaskIds,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        if !takes_tasks(&context) {
            return Err(error::needs_tasks());
        }
        if ids.len() > MAX_SUBSCRIPTIONS {
            let text = format!("a stream may tell of {MAX_SUBSCRIPTIONS} tasks; ask for fewer");
            return Err(ErrorData::invalid_params(text, None));
        }
        let params: Option<SubscriptionsListenRequestParams> = request.params_as().ok().flatten();
        let params = params
            .ok_or_else(|| ErrorData::invalid_params("subscriptions/listen: the filter is none", None))?;
        let caller = self.client.caller(&context);
        // Of others' it is not even said that they are there.
        let ids = ids.into_iter().filter(|id| self.shared.tasks.look(&caller, id).is_some()).collect();
        let (info, _) = self.client.call_info(&context);
        let stream = Stream::new(&context, accepted(params.notifications), ids, caller);
        if !stream.acknowledge().await {
            return Err(ErrorData::internal_error("the stream could not be acknowledged", None));
        }
        let mut ended = stream.ended();
        stream.tell(&self.backend, info, &self.shared.tasks, &self.shared.closing).await;
        sign(&context, &mut ended.meta);
        serde_json::to_value(ended)
            .map(CustomResult::new)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }
}
