//! A call that may become a task: it begins as any other, and becomes one when the plugin says that it takes long, or
//! when it does. From then on it runs to its end, or its time's, whatever becomes of the request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rmcp::model::{ErrorData, InputResponses, JsonObject, Task, TaskPayload};
use rmcp::service::{RequestContext, RoleServer};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::table::{NoTask, Open, Running, Table, error_object, internal};
use crate::catalog::api::{Backend, CallEvents, CallFailure, CallInfo, ClientCan};
use crate::catalog::types::{LogLevel, Pending, Resumption, TaskSupport};
use crate::mcp::askable::Askable;
use crate::mcp::calls::{Step, cancelled, step, unless_cancelled};
use crate::mcp::questions::{Round, Settled};

/// How a call may become a task.
pub(in crate::mcp) struct AsTask {
    table: Table,
    owner: Arc<str>,
    /// Kept from the beginning for a tool that never answers but with a task.
    room: Option<Running>,
}

/// What a request is answered with.
pub(in crate::mcp) enum Entered<A> {
    /// What any call ends with.
    Step(Step<A>),
    /// A task; the call goes on.
    Task(Task),
}

impl AsTask {
    /// For a tool that may or must become a task, and a client that takes one.
    ///
    /// # Errors
    /// When the tool must and there is no room.
    pub(in crate::mcp) fn of(table: &Table, owner: Arc<str>, support: TaskSupport) -> Result<Self, NoTask> {
        let room = match support {
            TaskSupport::Required => Some(table.reserve(&owner)?),
            TaskSupport::Optional | TaskSupport::Forbidden => None,
        };
        Ok(Self { table: table.clone(), owner, room })
    }

    /// Enters the plugin. Questions that it asks before it is a task are the request's own.
    ///
    /// # Errors
    /// As [`step`], and when the request was cancelled before it was a task.
    pub(in crate::mcp) async fn enter<B: Backend, A>(
        &mut self,
        backend: &B,
        call: &A,
        mut info: CallInfo,
        usage: bool,
        context: &RequestContext<RoleServer>,
    ) -> Result<Entered<A::Answer>, ErrorData>
    where
        A: Askable + Clone + 'static,
        A::Answer: Serialize + Send + 'static,
    {
        let says = Arc::new(Says::new(info.sink.clone()));
        info.sink = says.clone();
        // The request's own token ends with the request.
        info.cancel = CancellationToken::new();
        let guard = info.cancel.clone().drop_guard();
        let mut first = {
            let (backend, call, info) = (backend.clone(), call.clone(), info.clone());
            Box::pin(async move { step(&backend, &call, info, true, usage).await })
        };
        let ended = tokio::select! {
            biased;
            () = context.ct.cancelled() => return Err(cancelled()),
            ended = &mut first => {
                // A tool that never answers but with a task may be done before anybody could wait for it.
                let task = says.detached() || self.room.is_some() && matches!(ended, Ok(Step::Over(_)));
                if !task {
                    return ended.map(Entered::Step);
                }
                Some(ended)
            }
            () = says.detach.notified() => None,
            () = tokio::time::sleep(self.table.bounds().patience) => None,
        };
        let rest = async move {
            match ended {
                Some(ended) => ended,
                None => first.await,
            }
        };
        let running = match self.room.take().map_or_else(|| self.table.reserve(&self.owner), Ok) {
            Ok(running) => Arc::new(running),
            Err(full) => {
                // It can be waited for as well.
                tracing::debug!("a call did not become a task: {full}");
                return unless_cancelled(context, rest).await?.map(Entered::Step);
            }
        };
        let task = running.begin();
        says.belong_to(&running);
        let (backend, call) = (backend.clone(), call.clone());
        let work = {
            let running = running.clone();
            async move {
                let _guard = guard;
                let mut ended = rest.await;
                loop {
                    let failure = match ended {
                        Ok(Step::Over(answer)) => return finish(&running, &answer),
                        Err(error) => return fail(&running, &error),
                        // Whoever polls a task answers when they like: there is no time after which a question is a no.
                        Ok(Step::Asks(pending) | Step::Offers(pending, _)) => {
                            match park(pending, info.client.can, &running).await {
                                Ok(resumption) => {
                                    info.resumption = Some(Arc::new(resumption));
                                    ended = step(&backend, &call, info.clone(), true, usage).await;
                                    continue;
                                }
                                Err(CallFailure::Cancelled) => return,
                                Err(failure) => failure,
                            }
                        }
                    };
                    ended = call.failed(failure, true).map(Step::Over);
                }
            }
        };
        tokio::spawn(see_through(running, work));
        Ok(Entered::Task(task))
    }
}

/// Keeps a task until its time is over or its place is needed; what still runs then is dropped.
async fn see_through(running: Arc<Running>, work: impl Future<Output = ()>) {
    let end = Instant::now() + running.ttl();
    tokio::select! {
        biased;
        () = running.gone().cancelled() => return,
        () = tokio::time::sleep_until(end) => return,
        () = running.stopped().cancelled() => {}
        () = work => {}
    }
    tokio::select! {
        () = running.gone().cancelled() => {}
        () = tokio::time::sleep_until(end) => {}
    }
}

/// Asks through the task, and waits for all the answers.
async fn park(pending: Pending, can: ClientCan, running: &Running) -> Result<Resumption, CallFailure> {
    let round = Round::of(pending, can)?;
    let open: Vec<Open> =
        round.requests()?.into_iter().map(|(own_key, request)| Open { own_key, request }).collect();
    let check = {
        let round = round.clone();
        Box::new(move |key: &str, value: &Value| {
            let given = InputResponses::from([(key.to_owned(), value.clone())]);
            match round.clone().settle(given) {
                Settled::Missing(_, mut refused) => refused.remove(key).map_or(Ok(()), Err),
                Settled::All(_) => Ok(()),
            }
        })
    };
    let answers = if open.is_empty() {
        InputResponses::new()
    } else {
        // None when the task is over.
        running.ask(open, check).await.map_err(|_| CallFailure::Cancelled)?
    };
    match round.settle(answers) {
        Settled::All(resumption) => Ok(resumption),
        Settled::Missing(..) => {
            Err(CallFailure::Internal("answers that were checked do not fit; please report it".into()))
        }
    }
}

fn finish(running: &Running, answer: &impl Serialize) {
    match serde_json::to_value(answer) {
        Ok(Value::Object(result)) => running.finish(TaskPayload::Completed { result }, None),
        Ok(_) => failed(running, internal("the result is no object"), "the result is no object"),
        Err(error) => {
            let why = format!("the result cannot be written as JSON: {error}");
            failed(running, internal(&why), &why);
        }
    }
}

fn fail(running: &Running, error: &ErrorData) {
    failed(running, error_object(error), &error.message);
}

fn failed(running: &Running, error: JsonObject, message: &str) {
    running.finish(TaskPayload::Failed { error }, Some(message));
}

/// Where a call's events go: to its client while that waits, to the task's status afterwards (SEP-2663, "Task Status
/// Notifications": progress and log notes are not for tasks).
struct Says {
    client: Arc<dyn CallEvents>,
    detach: Notify,
    state: Mutex<Saying>,
}

#[derive(Default)]
struct Saying {
    detached: bool,
    /// What was said between `detach` and the task's beginning.
    last: Option<String>,
    /// Not kept alive by its own guest.
    task: Option<Weak<Running>>,
}

impl Says {
    fn new(client: Arc<dyn CallEvents>) -> Self {
        Self { client, detach: Notify::new(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, Saying> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn detached(&self) -> bool {
        self.state().detached
    }

    fn belong_to(&self, running: &Arc<Running>) {
        let mut state = self.state();
        state.task = Some(Arc::downgrade(running));
        if let Some(last) = state.last.take() {
            running.say(&last);
        }
    }
}

impl CallEvents for Says {
    fn log(&self, level: LogLevel, logger: Option<&str>, data: Value) {
        if self.state().task.is_none() {
            self.client.log(level, logger, data);
        }
    }

    fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>) {
        let text = match (message, total) {
            (Some(message), _) => message.to_owned(),
            (None, Some(total)) => format!("{done} of {total}"),
            (None, None) => done.to_string(),
        };
        let mut state = self.state();
        match state.task.clone() {
            Some(task) => {
                drop(state);
                if let Some(task) = task.upgrade() {
                    task.say(&text);
                }
            }
            None => {
                if state.detached {
                    state.last = Some(text);
                }
                drop(state);
                self.client.progress(done, total, message);
            }
        }
    }

    fn detach(&self) {
        // Not to the client: its request is answered with the task.
        self.state().detached = true;
        self.detach.notify_one();
    }
}
