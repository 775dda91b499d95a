//! Where tasks are kept: one key a task, and one for the last number given.
//! Every change is one compare-and-swap, so that two calls at once lose nothing.
//! Must not know how tasks are shown.

use std::time::SystemTime;

use kennel_sdk::prelude::*;

/// The key of the last number given.
const LAST: &str = "last-id";
/// What the tasks' keys begin with.
const PREFIX: &str = "task/";

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    Pending,
    InProgress,
    Completed,
}

impl Status {
    /// As it is written.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
        }
    }
}

/// A task as it is kept and shown. Times are RFC 3339 in UTC, so that their texts compare as times do.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) status: Status,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

impl Task {
    pub(crate) fn uri(&self) -> String {
        format!("task://{}", self.id)
    }
}

/// A time as it is kept.
pub(crate) fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

/// The key of an id; none when no task can have it. Digits are padded so that keys sort as numbers do.
fn key(id: &str) -> Option<String> {
    let number: u64 = id.parse().ok()?;
    // `007` is no second name of 7.
    (number.to_string() == id).then(|| format!("{PREFIX}{number:020}"))
}

fn missing(id: &str) -> Error {
    Error::failed(format!("there is no task `{id}`: resources/list names those there are"))
}

pub(crate) fn create(title: String, description: String) -> Result<Task> {
    let last = state::update(LAST, |last: Option<u64>| Ok(Some(last.unwrap_or(0) + 1)))?;
    let id =
        last.ok_or_else(|| Error::failed("the store gave no number for the task; try again"))?.to_string();
    let now = time(SystemTime::now());
    let task =
        Task { id, title, description, status: Status::Pending, created_at: now.clone(), updated_at: now };
    let key = key(&task.id).ok_or_else(|| missing(&task.id))?;
    state::set(&key, &task).context("the task was not kept")?;
    Ok(task)
}

/// Sets a task's status.
///
/// # Errors
/// When there is no such task, or the store fails.
pub(crate) fn set_status(id: &str, status: Status) -> Result<Task> {
    let key = key(id).ok_or_else(|| missing(id))?;
    let now = time(SystemTime::now());
    let changed = state::update(&key, |task: Option<Task>| {
        let task = task.ok_or_else(|| missing(id))?;
        Ok(Some(Task { status, updated_at: now.clone(), ..task }))
    })?;
    changed.ok_or_else(|| missing(id))
}

/// Deletes a task and gives it back.
///
/// # Errors
/// When there is no such task, or the store fails.
pub(crate) fn delete(id: &str) -> Result<Task> {
    let key = key(id).ok_or_else(|| missing(id))?;
    let mut was = None;
    state::update(&key, |task: Option<Task>| {
        was = Some(task.ok_or_else(|| missing(id))?);
        Ok(None)
    })?;
    was.ok_or_else(|| missing(id))
}

pub(crate) fn read(id: &str) -> Result<Option<Task>> {
    key(id).map_or(Ok(None), |key| state::get(&key))
}

/// All tasks, the oldest first.
pub(crate) fn all() -> Result<Vec<Task>> {
    let mut tasks = Vec::new();
    for key in state::list(PREFIX) {
        // One that another call is about to write is not there yet.
        tasks.extend(state::get(&key?)?);
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn an_id_has_one_spelling_and_sorts_as_a_number() {
        for id in ["", "x", "-1", "+1", "007", " 1", "1.0", "18446744073709551616", "../last-id"] {
            assert_eq!(key(id), None, "{id}");
        }
        let mut keys: Vec<_> = ["10", "9", "100", "0"].into_iter().filter_map(key).collect();
        keys.sort();
        assert_eq!(keys, ["0", "9", "10", "100"].map(|id| key(id).unwrap()));
    }

    #[test]
    fn times_compare_as_texts() {
        let at = |seconds| time(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds));
        assert!(at(999_999_999) < at(1_000_000_000) && at(0) < at(86_400));
    }
}
