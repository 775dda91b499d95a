//! The merged, immutable list of tools, resources and prompts, and who owns each name. Knows plugins
//! and the sandbox; never a transport, nor a type of the protocol.

pub mod api;
mod approving;
mod asking;
mod audited;
mod call;
mod command;
mod convert;
mod events;
mod names;
mod plain;
mod relist;
mod resources;
pub mod schema;
mod session;
mod subscribers;
pub mod types;
mod view;

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{broadcast, watch};

use crate::observe::{Audit, Recorder};
use crate::plugin::{Plugin, Status};
use crate::sandbox::Usage;
pub use crate::sandbox::json;

use api::Change;
use relist::Relist;
use resources::Lists;
use subscribers::Subscribers;
use view::View;
pub use view::public_name;

/// Changes kept for a client that is slow to hear of them; after that it hears that it missed some.
const CHANGES: usize = 256;

/// The catalog. Cheap to clone; every clone is the same one.
#[derive(Clone)]
pub struct Catalog {
    shared: Arc<Shared>,
}

struct Shared {
    view: RwLock<Arc<View>>,
    changes: broadcast::Sender<Change>,
    ready: watch::Sender<bool>,
    lists: Lists,
    relist: Relist,
    subscribers: Subscribers,
    audit: Option<Audit<Usage>>,
    recorder: Option<Arc<Recorder>>,
}

impl Catalog {
    /// An empty catalog, not ready. With an audit every call leaves a line there.
    #[must_use]
    pub fn new(audit: Option<Audit<Usage>>) -> Self {
        Self::recorded(audit, None)
    }

    /// The same, of which `recorder` keeps what each call does.
    #[must_use]
    pub fn recorded(audit: Option<Audit<Usage>>, recorder: Option<Arc<Recorder>>) -> Self {
        let shared = Shared {
            view: RwLock::default(),
            changes: broadcast::Sender::new(CHANGES),
            ready: watch::Sender::new(false),
            lists: Lists::default(),
            relist: Relist::default(),
            subscribers: Subscribers::default(),
            audit,
            recorder,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Says that the plugins found at the start are loaded or given up.
    pub fn set_ready(&self) {
        self.shared.ready.send_replace(true);
    }

    /// Follows the library: a new set of plugins becomes the catalog at once, and clients are told what
    /// is different; plugins that say that their lists changed are asked again. Ends with the library.
    pub async fn follow(self, mut statuses: watch::Receiver<Arc<Vec<Status>>>) {
        loop {
            let now = statuses.borrow_and_update().clone();
            self.show(&now);
            loop {
                tokio::select! {
                    changed = statuses.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    plugins = self.shared.relist.next() => {
                        for plugin in plugins {
                            tokio::spawn(self.shared.relist.clone().ask(plugin));
                        }
                    }
                }
            }
        }
    }

    /// Offers what serves among these.
    pub fn show(&self, statuses: &[Status]) {
        let plugins: Vec<_> = statuses.iter().filter_map(|status| status.plugin.clone()).collect();
        self.set_plugins(&plugins);
    }

    /// The public name of a plugin's tool, when it is offered.
    #[must_use]
    pub fn tool_of(&self, plugin: &Plugin, tool: &str) -> Option<String> {
        let view = self.view();
        let name = view::public_name(&plugin.config.prefix, tool).ok()?;
        let owned = view.tools.get(&name).is_some_and(|entry| entry.plugin.config.name == plugin.config.name);
        owned.then_some(name)
    }

    /// Puts these plugins in the place of all that were there. Calls that began go on with theirs.
    pub fn set_plugins(&self, plugins: &[Arc<Plugin>]) {
        let before = self.view();
        let view = Arc::new(View::merge(&before, plugins));
        for fault in view.faults.iter().filter(|fault| !before.faults.contains(fault)) {
            tracing::error!("{fault}");
        }
        *self.shared.view.write().unwrap_or_else(PoisonError::into_inner) = view.clone();
        self.shared.lists.clear();
        self.tell_changes(&before.plugins, &view.plugins);

        let (old, new) = (&before.snapshot, &view.snapshot);
        let owners = |view: &View| -> Vec<_> {
            view.with_resources.iter().map(|plugin| (plugin.config.name.clone(), plugin.digest)).collect()
        };
        let resources = old.templates != new.templates || owners(&before) != owners(&view);
        for (changed, change) in [
            (old.tools != new.tools, Change::Tools),
            (old.prompts != new.prompts, Change::Prompts),
            (resources, Change::Resources),
        ] {
            if changed {
                // Nobody listening is fine.
                let _ = self.shared.changes.send(change);
            }
        }
    }

    /// What was left out of the lists and why, one line each.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.view().faults.clone()
    }

    fn view(&self) -> Arc<View> {
        self.shared.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
