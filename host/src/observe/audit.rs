//! One line a call, written by a thread of its own so that no call waits for a disk. Says what happened;
//! never arguments, results or secrets.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Sender, TrySendError, bounded, select};
use serde::{Serialize, Serializer};

/// Lines that may wait for the disk.
const QUEUE: usize = 16_384;
/// How long lines are gathered before they are written: a writer that waited for each single line would have
/// to be woken for each, which costs a call more than the line itself.
const GATHER: Duration = Duration::from_millis(5);
/// Longest wait for the disk at the end.
const FLUSH: Duration = Duration::from_secs(1);

/// A call that ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record<U> {
    /// When it ended; written as seconds since 1970, UTC.
    #[serde(serialize_with = "seconds")]
    pub time: SystemTime,
    /// The plugin's name.
    pub plugin: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// The protocol's method.
    pub method: &'static str,
    /// The tool's or prompt's public name, or the resource's URI.
    pub name: String,
    /// Whom it was for.
    pub caller: String,
    /// W3C `traceparent` of the request, when it had one of the form of the standard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Bytes of arguments.
    pub arguments: usize,
    /// How often the plugin had asked before; 0 is its first entry.
    pub round: u32,
    /// `ok`, what it asks, or how it failed.
    pub outcome: String,
    /// What was denied.
    pub denials: Vec<String>,
    /// What it used.
    pub usage: U,
}

fn seconds<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    serializer.serialize_f64(since.as_secs_f64())
}

/// The audit of one process: a segment of its own in the home's audit folder. Cheap to clone; the
/// segment is whole once the last clone is dropped.
#[derive(Clone)]
pub struct Audit<U: Send + 'static> {
    inner: Arc<Inner<U>>,
}

struct Inner<U: Send + 'static> {
    lines: Option<Sender<Record<U>>>,
    /// Somebody waits until everything left so far is written; answered by dropping it.
    hurry: Sender<Sender<()>>,
    writer: Option<JoinHandle<()>>,
    lost: AtomicU64,
}

impl<U: Serialize + Send + 'static> Audit<U> {
    /// Begins a segment in `folder`.
    ///
    /// # Errors
    /// When the folder or file cannot be made.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("{}-{:09}-{}.jsonl", start.as_secs(), start.subsec_nanos(), std::process::id());
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(folder.join(name))?;
        let (send, lines) = bounded::<Record<U>>(QUEUE);
        let (hurry, hurried) = bounded::<Sender<()>>(1);
        let writer = std::thread::Builder::new().name("audit".into()).spawn(move || {
            let mut out = BufWriter::new(file);
            loop {
                let (first, waiting) = select! {
                    recv(lines) -> first => match first {
                        Ok(first) => (Some(first), hurried.recv_timeout(GATHER).ok()),
                        Err(_) => break,
                    },
                    recv(hurried) -> waiting => (None, waiting.ok()),
                };
                for record in first.into_iter().chain(lines.try_iter()) {
                    if let Err(error) = line(&mut out, &record) {
                        tracing::error!("an audit line is lost: {error}");
                    }
                }
                if let Err(error) = out.flush() {
                    tracing::error!("audit lines are lost: {error}");
                }
                // Whoever waits sees the channel close.
                drop(waiting);
            }
        })?;
        let inner = Inner { lines: Some(send), hurry, writer: Some(writer), lost: AtomicU64::new(0) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Leaves a line. When the disk is so slow that the queue is full, the line is lost, which the log
    /// says.
    pub fn record(&self, record: Record<U>) {
        let Some(lines) = &self.inner.lines else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = lines.try_send(record) {
            let lost = self.inner.lost.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                tracing::error!("the audit cannot keep up: {lost} lines are lost");
            }
        }
    }

    /// Waits until every line left so far is in the file, at most a second.
    pub fn flush(&self) {
        let (done, wait) = bounded(0);
        if self.inner.hurry.send_timeout(done, FLUSH).is_ok() {
            let _ = wait.recv_timeout(FLUSH);
        }
    }
}

fn line<U: Serialize>(out: &mut impl io::Write, record: &Record<U>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

impl<U: Send + 'static> Drop for Inner<U> {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}
