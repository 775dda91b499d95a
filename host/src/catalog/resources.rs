//! The live lists of resources: asked of each plugin, kept for a moment, forgotten when the plugin says
//! that its list changed. Says whose a URI is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::grants::PluginName;

use super::types::ResourceInfo;

/// How long a list is kept. Another process with the same home may change what a plugin lists without a
/// word here, so never long.
const KEPT: Duration = Duration::from_secs(1);
/// Lists kept at once; over that all are forgotten.
const MAX_LISTS: usize = 1_024;

/// A plugin's list as one caller sees it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    plugin: PluginName,
    caller: Arc<str>,
}

struct Kept {
    list: Arc<Vec<ResourceInfo>>,
    since: Instant,
}

/// The lists kept. Cheap to clone; every clone is the same one.
#[derive(Clone, Default)]
pub(super) struct Lists {
    kept: Arc<Mutex<HashMap<Key, Kept>>>,
}

impl Lists {
    pub(super) fn get(&self, plugin: &PluginName, caller: &Arc<str>) -> Option<Arc<Vec<ResourceInfo>>> {
        let key = Key { plugin: plugin.clone(), caller: caller.clone() };
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&key).filter(|kept| kept.since.elapsed() < KEPT).map(|kept| kept.list.clone())
    }

    pub(super) fn put(&self, plugin: &PluginName, caller: &Arc<str>, list: Arc<Vec<ResourceInfo>>) {
        let key = Key { plugin: plugin.clone(), caller: caller.clone() };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_LISTS {
            kept.clear();
        }
        kept.insert(key, Kept { list, since: Instant::now() });
    }

    pub(super) fn forget(&self, plugin: &PluginName) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|key, _| key.plugin != *plugin);
    }

    pub(super) fn clear(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
