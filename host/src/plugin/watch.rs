//! Tells when something changed in the folders of plugins and configuration. Says that, not what: who
//! listens looks again at everything.

use std::path::PathBuf;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Quiet that ends a burst of changes: a copy in progress makes one every few milliseconds.
const QUIET: Duration = Duration::from_millis(40);
/// Longest wait for quiet.
const PATIENCE: Duration = Duration::from_millis(500);

/// Watches folders.
pub(super) struct Watch {
    _watcher: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    /// Watches these folders, each without what is below it. One that is not there is left out.
    pub(super) fn start(folders: &[PathBuf]) -> notify::Result<Self> {
        // One waiting word is enough: it makes the listener look at everything.
        let (tell, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event too, and looking again reads.
            if event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_))) {
                let _ = tell.try_send(());
            }
        })?;
        for folder in folders {
            if folder.is_dir() {
                watcher.watch(folder, RecursiveMode::NonRecursive)?;
            }
        }
        Ok(Self { _watcher: watcher, changes })
    }

    /// Waits for a change, and then for quiet.
    pub(super) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        let patience = Instant::now() + PATIENCE;
        while timeout_at((Instant::now() + QUIET).min(patience), self.changes.recv()).await.is_ok() {
            if Instant::now() >= patience {
                return;
            }
        }
    }
}
