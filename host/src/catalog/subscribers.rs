//! Who is subscribed to what: how many clients want to hear of each resource, and whose it is. A plugin is heard of
//! its own resources only.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use crate::grants::PluginName;

/// Resources subscribed to at once; a stream or a client can have a thousand.
const MOST: usize = 100_000;

struct Wanted {
    owner: PluginName,
    clients: usize,
}

/// The subscriptions of all clients. Cheap to clone; every clone is the same one.
#[derive(Clone, Default)]
pub(super) struct Subscribers {
    wanted: Arc<Mutex<HashMap<String, Wanted>>>,
}

impl Subscribers {
    /// Counts one client more; false when there is no room. A resource that has another owner now is the new
    /// one's.
    pub(super) fn add(&self, uri: &str, owner: &PluginName) -> bool {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted.len() >= MOST && !wanted.contains_key(uri) {
            return false;
        }
        let one = wanted.entry(uri.to_owned()).or_insert_with(|| Wanted { owner: owner.clone(), clients: 0 });
        one.owner = owner.clone();
        one.clients += 1;
        true
    }

    /// Counts one client less; gives the owner when it was the last one.
    pub(super) fn remove(&self, uri: &str) -> Option<PluginName> {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry::Occupied(mut one) = wanted.entry(uri.to_owned()) else { return None };
        one.get_mut().clients -= 1;
        (one.get().clients == 0).then(|| one.remove().owner)
    }

    /// Whether somebody wants to hear of this resource from this plugin.
    pub(super) fn hear(&self, uri: &str, from: &PluginName) -> bool {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.get(uri).is_some_and(|one| one.owner == *from)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_last_one_is_known_and_only_the_owner_is_heard() {
        let subscribers = Subscribers::default();
        let (notes, other) = (PluginName::new("notes").unwrap(), PluginName::new("other").unwrap());
        assert!(!subscribers.hear("n:1", &notes));
        assert!(subscribers.add("n:1", &notes) && subscribers.add("n:1", &notes));
        assert!(subscribers.hear("n:1", &notes) && !subscribers.hear("n:1", &other));
        assert_eq!(subscribers.remove("n:1"), None);
        assert!(subscribers.hear("n:1", &notes));
        assert_eq!(subscribers.remove("n:1"), Some(notes.clone()));
        assert_eq!(subscribers.remove("n:1"), None);
        assert!(!subscribers.hear("n:1", &notes));
    }
}
