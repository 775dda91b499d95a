//! Telling that a list or a resource changed: gathers what came at once, and tells every older client of its own
//! accord. What a newer one hears is in `streams`.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{ResourceUpdatedNotification, ResourceUpdatedNotificationParam, ServerNotification};
use rmcp::service::{Peer, RoleServer};
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};
use tokio_util::sync::CancellationToken;

use crate::catalog::api::Change;

/// URIs a client subscribed to.
pub(super) type Subscriptions = Arc<Mutex<HashSet<String>>>;

/// Changes that came together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    tools: bool,
    prompts: bool,
    resources: bool,
    updated: BTreeSet<String>,
    /// Some were missed, so every resource may have changed.
    everything: bool,
}

impl Batch {
    /// Waits for a change and takes what else is there; none when there will be no more.
    pub(super) async fn next(changes: &mut broadcast::Receiver<Change>) -> Option<Self> {
        let mut batch = Self::default();
        match changes.recv().await {
            Ok(change) => batch.add(change),
            Err(RecvError::Lagged(_)) => batch.add_everything(),
            Err(RecvError::Closed) => return None,
        }
        loop {
            match changes.try_recv() {
                Ok(change) => batch.add(change),
                Err(TryRecvError::Lagged(_)) => batch.add_everything(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Some(batch),
            }
        }
    }

    fn add(&mut self, change: Change) {
        match change {
            Change::Tools => self.tools = true,
            Change::Prompts => self.prompts = true,
            Change::Resources => self.resources = true,
            Change::ResourceUpdated(uri) => {
                self.updated.insert(uri);
            }
        }
    }

    fn add_everything(&mut self) {
        (self.tools, self.prompts, self.resources, self.everything) = (true, true, true, true);
    }

    /// What a client is told of it that wants to hear of changed lists (of tools, of prompts, of resources) and of
    /// these resources.
    pub(super) fn notes<'a>(
        &self,
        [tools, prompts, resources]: [bool; 3],
        uris: impl Iterator<Item = &'a String>,
    ) -> Vec<ServerNotification> {
        use ServerNotification as Note;
        let mut notes = Vec::new();
        notes.extend((self.tools && tools).then(|| Note::ToolListChangedNotification(Default::default())));
        notes.extend(
            (self.prompts && prompts).then(|| Note::PromptListChangedNotification(Default::default())),
        );
        notes.extend(
            (self.resources && resources).then(|| Note::ResourceListChangedNotification(Default::default())),
        );
        let updated = self.among(uris).into_iter().map(ResourceUpdatedNotificationParam::new);
        notes.extend(
            updated.map(|uri| Note::ResourceUpdatedNotification(ResourceUpdatedNotification::new(uri))),
        );
        notes
    }

    /// Those of `wanted` that changed.
    fn among<'a>(&self, wanted: impl Iterator<Item = &'a String>) -> Vec<String> {
        wanted.filter(|uri| self.everything || self.updated.contains(*uri)).cloned().collect()
    }
}

/// Tells an older client until it is gone.
pub(super) async fn tell_peer(
    mut changes: broadcast::Receiver<Change>,
    peer: Peer<RoleServer>,
    subscriptions: Subscriptions,
    gone: CancellationToken,
) {
    let tell = async {
        while let Some(batch) = Batch::next(&mut changes).await {
            // Older clients hear of every list.
            let notes =
                batch.notes([true; 3], subscriptions.lock().unwrap_or_else(PoisonError::into_inner).iter());
            for note in notes {
                if peer.send_notification(note).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = tell => {}
        () = gone.cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[tokio::test]
    async fn changes_are_told_once_and_missed_ones_as_everything() {
        let (sender, mut receiver) = broadcast::channel(4);
        for change in [Change::Tools, Change::Tools, Change::ResourceUpdated("a:1".into())] {
            sender.send(change).unwrap();
        }
        let batch = Batch::next(&mut receiver).await.unwrap();
        assert!(batch.tools && !batch.prompts && !batch.resources && !batch.everything);
        let wanted = ["a:1".to_owned(), "a:2".to_owned()];
        assert_eq!(batch.among(wanted.iter()), ["a:1"]);

        for _ in 0..9 {
            sender.send(Change::Prompts).unwrap();
        }
        let batch = Batch::next(&mut receiver).await.unwrap();
        assert!(batch.tools && batch.prompts && batch.resources);
        assert_eq!(batch.among(wanted.iter()), wanted);

        drop(sender);
        assert_eq!(Batch::next(&mut receiver).await, None);
    }
}
