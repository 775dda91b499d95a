//! The tasks there are: whose each is, how it stands, and what may be done to it. Bounded in number, in all and for
//! each caller, and in the bytes it keeps; nothing stays past its time. Starts nothing and waits for nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rmcp::model::{DetailedTask, ErrorData, InputRequest, JsonObject, Task, TaskPayload, TaskStatus};
use serde_json::Value;
use tokio::sync::{broadcast, oneshot};
use tokio_util::sync::CancellationToken;

/// Changes kept for a stream that is slow to hear of them; after that it looks at all its tasks.
const CHANGES: usize = 256;

/// Longest status message, in bytes.
const MAX_MESSAGE: usize = 512;

/// How many tasks there may be, and for how long.
#[derive(Clone, Debug)]
pub struct TaskBounds {
    /// From a task's creation until it is gone, whatever its state. Its guest is stopped then.
    pub ttl: Duration,
    /// How long a task-capable tool may run before its call becomes a task although it did not ask to.
    pub patience: Duration,
    /// How often a client is told to ask.
    pub poll: Duration,
    /// Tasks at once, finished ones included.
    pub most: usize,
    /// Of one caller.
    pub most_per_caller: usize,
    /// Results kept, in bytes of their JSON.
    pub kept_bytes: usize,
}

impl Default for TaskBounds {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(15 * 60),
            patience: Duration::from_secs(5),
            poll: Duration::from_secs(1),
            most: 1000,
            most_per_caller: 100,
            kept_bytes: 64 << 20,
        }
    }
}

/// Largest answer to a question of a task, in bytes of its JSON.
const MAX_ANSWER: usize = 1 << 20;

/// Why there is not one more task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::mcp) enum NoTask {
    /// Of this caller.
    #[error("busy: you have {0} tasks, which is the most; cancel some or wait until they expire")]
    Caller(usize),
    /// Of everybody.
    #[error("busy: there are {0} tasks, which is the most; try again later")]
    All(usize),
    /// Its id could be guessed.
    #[error("the system gives no random numbers, so no task can be made: {0}")]
    Random(getrandom::Error),
}

/// Checks an answer against what was asked under its key.
pub(in crate::mcp) type Check = Box<dyn Fn(&str, &Value) -> Result<(), String> + Send>;

/// Answers by the plugin's own keys.
pub(in crate::mcp) type Answers = BTreeMap<String, Value>;

/// A question to whoever made the task.
pub(in crate::mcp) struct Open {
    /// The plugin's key for it.
    pub(in crate::mcp) own_key: String,
    /// As the client sees it.
    pub(in crate::mcp) request: InputRequest,
}

enum State {
    /// Room is kept, but nobody has been told of it.
    Reserved,
    Working,
    Asking {
        open: BTreeMap<String, Open>,
        answered: Answers,
        check: Check,
        done: oneshot::Sender<Answers>,
    },
    Over(TaskPayload),
}

struct Entry {
    owner: Arc<str>,
    task: Task,
    state: State,
    /// Rounds of questions so far. Keys carry it, so that none is ever used twice.
    round: u32,
    bytes: usize,
    /// The client has had the result.
    fetched: bool,
    /// In the order of creation.
    number: u64,
    /// Stops the guest.
    stop: CancellationToken,
    /// Ends the task itself.
    gone: CancellationToken,
}

impl Entry {
    fn detailed(&self) -> DetailedTask {
        let payload = match &self.state {
            State::Reserved | State::Working => TaskPayload::Working,
            State::Asking { open, .. } => TaskPayload::InputRequired {
                input_requests: open.iter().map(|(key, open)| (key.clone(), open.request.clone())).collect(),
            },
            State::Over(payload) => payload.clone(),
        };
        DetailedTask::new(self.task.clone(), payload)
    }

    fn touch(&mut self) {
        self.task.last_updated_at = now();
    }
}

#[derive(Default)]
struct Tasks {
    by_id: HashMap<Arc<str>, Entry>,
    bytes: usize,
    next: u64,
}

impl Tasks {
    fn remove(&mut self, id: &str) -> Option<Entry> {
        let entry = self.by_id.remove(id)?;
        self.bytes -= entry.bytes;
        entry.gone.cancel();
        Some(entry)
    }

    /// Makes room by what its client has had already; says whether it could.
    fn forget_one(&mut self, owner: Option<&Arc<str>>) -> bool {
        let oldest = self
            .by_id
            .iter()
            .filter(|(_, entry)| entry.fetched && owner.is_none_or(|owner| entry.owner == *owner))
            .min_by_key(|(_, entry)| entry.number)
            .map(|(id, _)| id.clone());
        oldest.is_some_and(|id| self.remove(&id).is_some())
    }
}

/// The tasks of one server. Cheap to clone; every clone is the same one.
#[derive(Clone)]
pub(in crate::mcp) struct Table {
    tasks: Arc<Mutex<Tasks>>,
    changes: broadcast::Sender<Arc<str>>,
    bounds: Arc<TaskBounds>,
}

impl Table {
    pub(in crate::mcp) fn new(bounds: TaskBounds) -> Self {
        Self { tasks: Arc::default(), changes: broadcast::Sender::new(CHANGES), bounds: Arc::new(bounds) }
    }

    pub(in crate::mcp) fn bounds(&self) -> &TaskBounds {
        &self.bounds
    }

    /// Word of every change from now on, by task id.
    pub(in crate::mcp) fn changes(&self) -> broadcast::Receiver<Arc<str>> {
        self.changes.subscribe()
    }

    /// Keeps room for a task of this caller; the room is free again when what it gives is dropped.
    ///
    /// # Errors
    /// When there are too many already.
    pub(in crate::mcp) fn reserve(&self, owner: &Arc<str>) -> Result<Running, NoTask> {
        let mut tasks = self.lock();
        let of_owner = tasks.by_id.values().filter(|entry| entry.owner == *owner).count();
        if guarded!("tasks-of-caller", of_owner >= self.bounds.most_per_caller)
            && !tasks.forget_one(Some(owner))
        {
            return Err(NoTask::Caller(self.bounds.most_per_caller));
        }
        if guarded!("tasks", tasks.by_id.len() >= self.bounds.most) && !tasks.forget_one(None) {
            return Err(NoTask::All(self.bounds.most));
        }
        let id = new_id().map_err(NoTask::Random)?;
        let time = now();
        let mut task = Task::new(&*id, TaskStatus::Working, time.clone(), time);
        task.ttl_ms = u64::try_from(self.bounds.ttl.as_millis()).ok();
        task.poll_interval_ms = u64::try_from(self.bounds.poll.as_millis()).ok();
        let entry = Entry {
            owner: owner.clone(),
            task,
            state: State::Reserved,
            round: 0,
            bytes: 0,
            fetched: false,
            number: tasks.next,
            stop: CancellationToken::new(),
            gone: CancellationToken::new(),
        };
        tasks.next += 1;
        let (stop, gone) = (entry.stop.clone(), entry.gone.clone());
        tasks.by_id.insert(id.clone(), entry);
        Ok(Running { table: self.clone(), id, stop, gone })
    }

    /// `tasks/get`.
    ///
    /// # Errors
    /// When this caller has no such task.
    pub(in crate::mcp) fn get(&self, owner: &str, id: &str) -> Result<DetailedTask, ErrorData> {
        self.find(owner, id, |entry| {
            entry.fetched |= matches!(entry.state, State::Over(_));
            entry.detailed()
        })
    }

    /// How a task of this caller stands; none when it has no such task.
    pub(in crate::mcp) fn look(&self, owner: &str, id: &str) -> Option<DetailedTask> {
        self.find(owner, id, |entry| entry.detailed()).ok()
    }

    /// `tasks/update`: takes those answers that were asked for, all or none of them. Others are ignored, as the
    /// specification wants it.
    ///
    /// # Errors
    /// When this caller has no such task, or an answer does not fit what was asked.
    pub(in crate::mcp) fn update(
        &self,
        owner: &str,
        id: &str,
        responses: BTreeMap<String, Value>,
    ) -> Result<(), ErrorData> {
        let changed = self.find(owner, id, |entry| {
            let State::Asking { open, check, .. } = &mut entry.state else { return Ok(false) };
            let fitting: Vec<_> = responses.into_iter().filter(|(key, _)| open.contains_key(key)).collect();
            for (key, value) in &fitting {
                if serde_json::to_string(value).is_ok_and(|text| text.len() > MAX_ANSWER) {
                    let text = format!("the answer {key:?} is longer than {MAX_ANSWER} bytes");
                    return Err(ErrorData::invalid_params(text, None));
                }
                if let Some(asked) = open.get(key) {
                    check(&asked.own_key, value).map_err(|why| {
                        ErrorData::invalid_params(format!("the answer {key:?} does not fit: {why}"), None)
                    })?;
                }
            }
            let State::Asking { mut open, mut answered, check, done } =
                std::mem::replace(&mut entry.state, State::Working)
            else {
                return Ok(false);
            };
            let any = !fitting.is_empty();
            for (key, value) in fitting {
                if let Some(asked) = open.remove(&key) {
                    answered.insert(asked.own_key, value);
                }
            }
            if open.is_empty() {
                // Nobody waits for them when the task was cancelled this very moment.
                let _ = done.send(answered);
            } else {
                entry.state = State::Asking { open, answered, check, done };
            }
            if any {
                entry.touch();
            }
            Ok(any)
        })??;
        if changed {
            self.tell(id);
        }
        Ok(())
    }

    /// `tasks/cancel`: the guest is stopped at once. What is over stays as it is.
    ///
    /// # Errors
    /// When this caller has no such task.
    pub(in crate::mcp) fn cancel(&self, owner: &str, id: &str) -> Result<(), ErrorData> {
        let changed = self.find(owner, id, |entry| {
            if matches!(entry.state, State::Over(_)) {
                return false;
            }
            entry.stop.cancel();
            entry.state = State::Over(TaskPayload::Cancelled);
            entry.task.status_message = None;
            entry.touch();
            true
        })?;
        if changed {
            self.tell(id);
        }
        Ok(())
    }

    fn find<T>(&self, owner: &str, id: &str, with: impl FnOnce(&mut Entry) -> T) -> Result<T, ErrorData> {
        let mut tasks = self.lock();
        // The same words for another's task as for none: an id tells nothing to who has it by chance.
        match tasks.by_id.get_mut(id) {
            Some(entry)
                if guarded!("task-owner", *entry.owner == *owner, without true)
                    && !matches!(entry.state, State::Reserved) =>
            {
                Ok(with(entry))
            }
            _ => Err(ErrorData::invalid_params("unknown task: it never was yours, or it has expired", None)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, id: &str) {
        // Nobody listening is fine.
        let _ = self.changes.send(id.into());
    }
}

/// The side of a task that does the work. The task is gone when this is dropped.
pub(in crate::mcp) struct Running {
    table: Table,
    id: Arc<str>,
    stop: CancellationToken,
    gone: CancellationToken,
}

impl Running {
    /// From now on the client may know of it. Gives what it is told.
    pub(in crate::mcp) fn begin(&self) -> Task {
        let mut tasks = self.table.lock();
        match tasks.by_id.get_mut(&self.id) {
            Some(entry) => {
                if matches!(entry.state, State::Reserved) {
                    entry.state = State::Working;
                }
                entry.task.clone()
            }
            // It is only taken out by dropping this.
            None => Task::default(),
        }
    }

    /// How long it may last.
    pub(in crate::mcp) fn ttl(&self) -> Duration {
        self.table.bounds.ttl
    }

    /// The client does not want it any longer.
    pub(in crate::mcp) fn stopped(&self) -> &CancellationToken {
        &self.stop
    }

    /// It was taken out to make room for another.
    pub(in crate::mcp) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    /// Says what is going on; longer texts are cut.
    pub(in crate::mcp) fn say(&self, message: &str) {
        let changed = self.change(|entry| {
            if entry.task.status_message.as_deref() == Some(message) {
                return false;
            }
            entry.task.status_message = Some(cut(message));
            true
        });
        if changed {
            self.table.tell(&self.id);
        }
    }

    /// Asks, and gives the way on which the answers come when all are there. It ends without any when the task
    /// is cancelled.
    pub(in crate::mcp) fn ask(
        &self,
        questions: impl IntoIterator<Item = Open>,
        check: Check,
    ) -> oneshot::Receiver<Answers> {
        let (done, answers) = oneshot::channel();
        let changed = self.change(|entry| {
            entry.round += 1;
            let round = entry.round;
            let open: BTreeMap<_, _> = questions
                .into_iter()
                .map(|open| (format!("{round}.{key}", key = open.own_key), open))
                .collect();
            entry.state = State::Asking { open, answered: Answers::new(), check, done };
            true
        });
        if changed {
            self.table.tell(&self.id);
        }
        answers
    }

    /// It is over, with a result or a JSON-RPC error. The message says why it failed.
    pub(in crate::mcp) fn finish(&self, payload: TaskPayload, message: Option<&str>) {
        let mut payload = payload;
        let mut message = message.map(cut);
        let bytes = match &payload {
            TaskPayload::Completed { result: object } | TaskPayload::Failed { error: object } => {
                serde_json::to_string(object).map_or(0, |text| text.len())
            }
            _ => 0,
        };
        let mut tasks = self.table.lock();
        let over = |entry: &Entry| matches!(entry.state, State::Over(_));
        if tasks.by_id.get(&self.id).is_none_or(over) {
            return;
        }
        let fits = !guarded!("task-bytes", tasks.bytes.saturating_add(bytes) > self.table.bounds.kept_bytes);
        if fits {
            tasks.bytes += bytes;
        } else {
            let why = "the result was dropped: too many bytes of results wait for their clients already";
            payload = TaskPayload::Failed { error: internal(why) };
            message = Some(why.to_owned());
        }
        if let Some(entry) = tasks.by_id.get_mut(&self.id) {
            entry.bytes = if fits { bytes } else { 0 };
            entry.state = State::Over(payload);
            entry.task.status_message = message;
            entry.touch();
        }
        drop(tasks);
        self.table.tell(&self.id);
    }

    fn change(&self, with: impl FnOnce(&mut Entry) -> bool) -> bool {
        let mut tasks = self.table.lock();
        match tasks.by_id.get_mut(&self.id) {
            Some(entry) if matches!(entry.state, State::Working | State::Asking { .. }) => {
                let changed = with(entry);
                if changed {
                    entry.touch();
                }
                changed
            }
            _ => false,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = self.table.lock().remove(&self.id);
    }
}

/// The members of a JSON-RPC error of our own.
pub(in crate::mcp) fn internal(message: &str) -> JsonObject {
    error_object(&ErrorData::internal_error(message.to_owned(), None))
}

/// A JSON-RPC error as an object.
pub(in crate::mcp) fn error_object(error: &ErrorData) -> JsonObject {
    let mut object = JsonObject::new();
    object.insert("code".into(), error.code.0.into());
    object.insert("message".into(), Value::from(&*error.message));
    if let Some(data) = &error.data {
        object.insert("data".into(), data.clone());
    }
    object
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_MESSAGE)].to_owned()
}

/// 128 random bits: whoever has it was given it.
fn new_id() -> Result<Arc<str>, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)).into())
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
