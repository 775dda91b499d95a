//! The way in: a call asks for a place, and leaves its line there when it ends. Bounded, and never waits for a disk but
//! for the very first line's segment.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Sender, bounded, unbounded};
use serde::Serialize;

use super::line::Key;
use super::writer::Writer;
use super::{AuditError, Change, Options, Record, WhenFull};

/// Lines of calls that may wait for the disk; each holds at most some KiB.
pub(super) const PLACES: usize = 8192;
/// Longest wait for the disk when somebody asks.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is on its way to the file.
pub(super) enum Entry<U> {
    Call(Box<Record<U>>),
    Change(Box<Change>, SystemTime),
    /// Said only once there is something else to say.
    InForce(Box<Change>, SystemTime),
}

/// Somebody waits for something; answered by dropping the sender.
pub(super) struct Ask {
    pub(super) want: Want,
    pub(super) done: Sender<()>,
}

/// What somebody waits for, all lines left so far being in the file in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// There is a segment, or it is known why not.
    Opened,
    /// Nothing more.
    Written,
    /// The segment has ended. No line comes after this.
    Ended,
}

/// What the writer and the calls know of each other.
#[derive(Default)]
pub(super) struct Shared {
    /// Places taken: calls that run and lines that wait.
    pub(super) taken: AtomicUsize,
    /// Lines lost since the last one that was written.
    pub(super) lost: AtomicU64,
    /// Whether there has been a segment.
    pub(super) opened: AtomicBool,
    /// Whether lines cannot be written just now; why is in `why`.
    pub(super) failing: AtomicBool,
    pub(super) why: Mutex<String>,
}

impl Shared {
    pub(super) fn fails(&self, why: &str) {
        why.clone_into(&mut self.why.lock().unwrap_or_else(PoisonError::into_inner));
        self.failing.store(true, Ordering::Release);
    }

    pub(super) fn free(&self, places: usize) {
        self.taken.fetch_sub(places, Ordering::Relaxed);
    }
}

/// The audit of one process: a segment of its own in the home's audit folder, which begins with its first line. Cheap
/// to clone; the segment ends once the last clone is dropped, or with [`Audit::close`].
pub struct Audit<U: Send + 'static> {
    inner: Arc<Inner<U>>,
}

impl<U: Send + 'static> Clone for Audit<U> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

struct Inner<U: Send + 'static> {
    lines: Option<Sender<Entry<U>>>,
    asks: Option<Sender<Ask>>,
    writer: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    key: Key,
    when_full: WhenFull,
}

/// Why a call may not run: it would leave no line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// All places are taken.
    #[error("the audit cannot keep up with so many calls; try again later")]
    Full,
    /// The file cannot be written.
    #[error(
        "the audit cannot be written: {0}; the user can make room, or write `when-full = \"say\"` under [audit] in kennel.toml"
    )]
    Failing(String),
}

impl<U: Serialize + Send + 'static> Audit<U> {
    /// Begins an audit in `folder`. Its segment begins with its first line.
    ///
    /// # Errors
    /// When the folder or its key cannot be made, or the system refuses a thread.
    pub fn begin(folder: &Path, options: Options) -> Result<Self, AuditError> {
        let key = super::open(folder)?;
        // Bounded by places: a channel with a bound takes the memory of all of it at once.
        let (send, lines) = unbounded();
        let (ask, asks) = bounded(1);
        let shared = Arc::new(Shared::default());
        let when_full = options.when_full;
        let writer = Writer::new(folder, options, key.clone(), shared.clone());
        let writer =
            std::thread::Builder::new().name("audit".into()).spawn(move || writer.run(&lines, &asks));
        let writer = writer.map_err(|source| AuditError { folder: folder.to_owned(), source })?;
        let inner =
            Inner { lines: Some(send), asks: Some(ask), writer: Some(writer), shared, key, when_full };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// A place for the line of a call that is about to run. The first one waits for the disk.
    ///
    /// # Errors
    /// When calls are refused rather than left without a line, and this one would be.
    pub fn admit(&self) -> Result<Ticket<U>, Unwritable> {
        let shared = &self.inner.shared;
        if self.inner.when_full == WhenFull::Refuse {
            if !shared.opened.load(Ordering::Acquire) && !shared.failing.load(Ordering::Acquire) {
                self.ask(Want::Opened);
                if !shared.opened.load(Ordering::Acquire) && !shared.failing.load(Ordering::Acquire) {
                    return Err(Unwritable::Failing("the disk does not answer".into()));
                }
            }
            if guarded!("audit-disk", shared.failing.load(Ordering::Acquire)) {
                let why = shared.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
                return Err(Unwritable::Failing(why));
            }
        }
        let free = shared.taken.fetch_add(1, Ordering::Relaxed) < PLACES;
        if !free {
            shared.free(1);
            if guarded!("audit-full", self.inner.when_full == WhenFull::Refuse) {
                return Err(Unwritable::Full);
            }
        }
        Ok(Ticket { audit: self.clone(), place: free })
    }

    /// Leaves the line of a change of grants.
    pub fn change(&self, change: Change) {
        self.send(Entry::Change(Box::new(change), SystemTime::now()));
    }

    /// Tells what a plugin holds as this process begins; written when there is more to say.
    pub fn in_force(&self, change: Change) {
        self.send(Entry::InForce(Box::new(change), SystemTime::now()));
    }

    /// Waits until every line left so far is in the file, at most five seconds.
    pub fn flush(&self) {
        self.ask(Want::Written);
    }

    /// Ends the segment, waiting for it at most five seconds. Lines that are left afterwards are lost.
    pub fn close(&self) {
        self.ask(Want::Ended);
    }

    fn ask(&self, want: Want) {
        let (done, wait) = bounded(0);
        if let Some(asks) = &self.inner.asks
            && asks.send_timeout(Ask { want, done }, PATIENCE).is_ok()
        {
            let _ = wait.recv_timeout(PATIENCE);
        }
    }
}

impl<U: Send + 'static> Audit<U> {
    fn send(&self, entry: Entry<U>) {
        if let Some(lines) = &self.inner.lines {
            // Only after `close` is there nobody to take it.
            let _ = lines.send(entry);
        }
    }
}

/// A place for one call's line. Dropped unused, it is free again.
pub struct Ticket<U: Send + 'static> {
    audit: Audit<U>,
    /// False for a call that runs although its line will be lost.
    place: bool,
}

impl<U: Send + 'static> Ticket<U> {
    /// Leaves the line.
    pub fn record(mut self, mut record: Record<U>) {
        let inner = &self.audit.inner;
        if self.place {
            inner.key.shrink(&mut record.arguments);
            // The writer frees it.
            self.place = false;
            self.audit.send(Entry::Call(Box::new(record)));
            return;
        }
        let lost = inner.shared.lost.fetch_add(1, Ordering::Relaxed) + 1;
        if lost.is_power_of_two() {
            tracing::error!("the audit cannot keep up: {lost} calls left no line");
        }
    }
}

impl<U: Send + 'static> Drop for Ticket<U> {
    fn drop(&mut self) {
        if self.place {
            self.audit.inner.shared.free(1);
        }
    }
}

impl<U: Send + 'static> Drop for Inner<U> {
    fn drop(&mut self) {
        self.lines = None;
        self.asks = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}
