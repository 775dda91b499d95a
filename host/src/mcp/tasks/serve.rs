//! The question whether a call may become a task. Knows the protocol; how tasks run and stand is elsewhere.

use rmcp::model::{CallToolResponse, ErrorData, TASKS_EXTENSION_ID};
use rmcp::service::{RequestContext, RoleServer};

use super::AsTask;
use crate::catalog::api::{Backend, CallFailure};
use crate::catalog::types::TaskSupport;
use crate::mcp::askable::{Askable, Tool};
use crate::mcp::client::{is_modern, takes_tasks};
use crate::mcp::error;
use crate::mcp::handler::KennelHandler;

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
}
