//! What `kennel.toml` says of the protocol's side: how long lists are in one answer, and how many tasks there may be.
//! Read when `serve` starts; a change takes effect with the next start.

use std::time::Duration;

use super::reader::{Faults, Item, Section};

/// The protocol's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolConfig {
    /// `page-size`: most items in one answer to a list request, 1 to 10 000.
    pub page_size: usize,
    /// `tasks.ttl`: from a task's creation until it is gone, 1 s to 24 h.
    pub task_ttl: Duration,
    /// `tasks.patience`: how long a call waits before it becomes a task unasked, up to 1 h.
    pub task_patience: Duration,
    /// `tasks.most`: tasks at once, up to 100 000.
    pub tasks: usize,
    /// `tasks.most-per-caller`: of them one caller's.
    pub tasks_per_caller: usize,
    /// `tasks.results`: bytes of results kept, up to 16 GiB.
    pub task_results: usize,
}

impl Default for ProtocolConfig {
    fn default() -> Self {
        Self {
            page_size: 250,
            task_ttl: Duration::from_secs(15 * 60),
            task_patience: Duration::from_secs(5),
            tasks: 1000,
            tasks_per_caller: 100,
            task_results: 64 << 20,
        }
    }
}

pub(super) fn read(root: &mut Section<'_, '_>, faults: &mut Faults<'_>) -> ProtocolConfig {
    let mut config = ProtocolConfig::default();
    if let Some(size) = root.read(faults, "page-size", |item| number(item.count()?, 1, 10_000)) {
        config.page_size = size;
    }
    let Some(mut tasks) = root.section(faults, "tasks") else { return config };
    if let Some(ttl) = tasks.read(faults, "ttl", |item| duration(item, Duration::from_secs(1), DAY)) {
        config.task_ttl = ttl;
    }
    if let Some(patience) = tasks.read(faults, "patience", |item| duration(item, Duration::ZERO, HOUR)) {
        config.task_patience = patience;
    }
    if let Some(most) = tasks.read(faults, "most", |item| number(item.count()?, 0, 100_000)) {
        config.tasks = most;
    }
    if let Some(most) = tasks.read(faults, "most-per-caller", |item| number(item.count()?, 0, 100_000)) {
        config.tasks_per_caller = most;
    }
    if let Some(bytes) = tasks.read(faults, "results", |item| number(item.size()?, 0, 16 << 30)) {
        config.task_results = bytes;
    }
    tasks.finish(faults);
    config
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn number(value: u64, least: u64, most: u64) -> Result<usize, String> {
    if (least..=most).contains(&value) {
        usize::try_from(value).map_err(|error| error.to_string())
    } else {
        Err(format!("{value} is not from {least} to {most}"))
    }
}

fn duration(item: &Item<'_, '_>, least: Duration, most: Duration) -> Result<Duration, String> {
    let value = item.duration()?;
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        let show = |duration| crate::grants::units::show_duration(duration);
        Err(format!("{} is not from {} to {}", show(value), show(least), show(most)))
    }
}
