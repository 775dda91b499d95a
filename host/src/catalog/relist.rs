//! When a plugin says that its tools or prompts changed: asks it again, and holds the answer against what was approved,
//! or read when it was loaded. What is different is told once and not offered. Changes no list.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::grants::{ChangeKind, Digest, PluginName};
use crate::observe::escape_for_people;
use crate::plugin::{Definitions, Plugin};

/// A plugin is asked no more often: it may say so in every call.
const PAUSE: Duration = Duration::from_secs(1);
/// Differences that are named in the log; the rest are counted.
const NAMED: usize = 5;
/// Told differences that are remembered; over that all are forgotten, and told once more.
const MAX_TOLD: usize = 1_024;

/// Who wants to be asked again. Cheap to clone; every clone is the same one.
#[derive(Clone, Default)]
pub(super) struct Relist {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    bell: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Arc<Plugin>>,
    asked: HashMap<PluginName, Instant>,
    told: HashSet<(PluginName, Digest)>,
}

impl Relist {
    /// A plugin says that a list of its own changed.
    pub(super) fn wanted(&self, plugin: &Arc<Plugin>) {
        let name = &plugin.config.name;
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.asked.get(name).is_some_and(|asked| now.duration_since(*asked) < PAUSE) {
            return;
        }
        state.asked.insert(name.clone(), now);
        state.waiting.push(plugin.clone());
        drop(state);
        self.shared.bell.notify_one();
    }

    /// Waits for somebody.
    pub(super) async fn next(&self) -> Vec<Arc<Plugin>> {
        loop {
            let waiting = {
                let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut state.waiting)
            };
            if !waiting.is_empty() {
                return waiting;
            }
            self.shared.bell.notified().await;
        }
    }

    /// Asks one plugin, as its calls find it, and tells what is different.
    pub(super) async fn ask(self, plugin: Arc<Plugin>) {
        // What types or the configuration say does not change with what it does.
        if !plugin.interface.speaks() {
            return;
        }
        let name = &plugin.config.name;
        let found = match Definitions::list(&plugin.program).await {
            Ok(found) => found,
            Err(error) => {
                let error = error.to_string();
                let error = escape_for_people(&error);
                tracing::warn!(plugin = name.as_str(), "it says that its lists changed, but {error}");
                return;
            }
        };
        let (Ok(pinned), Ok(found)) = (plugin.definitions.wording(), found.wording()) else { return };
        let differences = pinned.differences(&found);
        if differences.is_empty() {
            return;
        }
        {
            let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.told.len() >= MAX_TOLD {
                state.told.clear();
            }
            if !state.told.insert((name.clone(), found.hashes().hash())) {
                return;
            }
        }
        let mut named: Vec<_> = differences
            .iter()
            .take(NAMED)
            .map(|one| {
                let fields: Vec<_> = match one.how {
                    ChangeKind::Changed => {
                        one.fields.iter().take(3).map(|field| field.field.as_str()).collect()
                    }
                    _ => Vec::new(),
                };
                let fields =
                    if fields.is_empty() { String::new() } else { format!(" ({})", fields.join(", ")) };
                let line = format!("{} {} {}{fields}", one.how.sign(), one.kind, one.name);
                escape_for_people(&line).replace('\n', "\\n")
            })
            .collect();
        if differences.len() > NAMED {
            named.push(format!("{} more", differences.len() - NAMED));
        }
        tracing::warn!(
            plugin = name.as_str(),
            "it lists other definitions now than when it was loaded: {}; they are not offered, what was loaded stays",
            named.join(", ")
        );
    }
}
