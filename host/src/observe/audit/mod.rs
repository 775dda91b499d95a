//! The audit: one line for each call and each change of grants, chained by hashes, in segments that one process writes
//! and everybody can check. Says what happened; never arguments, results or secrets. Decides nothing.
//!
//! * `line`, `decisions`: what is said; `chain`: how lines hang together
//! * `segment`, `head`: the files, and how segments of several processes hang together
//! * `queue`, `writer`: the way of a line from a call to the file
//! * `read`, `verify`: what comes out again

mod chain;
mod decisions;
mod head;
mod line;
mod queue;
mod read;
mod segment;
mod verify;
mod writer;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::grants::shared_file;

pub use chain::{Link, LinkError};
pub use decisions::{Counted, Decisions};
pub use line::{Arguments, Change, Pin, Record};
pub use queue::{Audit, Ticket, Unwritable};
pub use read::{Follow, Line as ReadLine, recent};
pub use verify::{Fault, Found, Options as VerifyOptions, verify};

use line::{Key, Line};
use segment::Segment;

/// What happens to calls when lines cannot be written, because the disk is full or the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Calls are refused: none runs that leaves no line.
    #[default]
    Refuse,
    /// Calls go on; how many left no line is said in the log and, once there is room, in the audit.
    Say,
}

/// How an audit is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What happens when lines cannot be written.
    pub when_full: WhenFull,
    /// Bytes after which a segment ends and the next one begins.
    pub max_size: u64,
    /// Age at which a segment ends.
    pub max_age: Duration,
    /// How long a segment is kept after its last line.
    pub keep: Duration,
    /// Bytes of all segments together; beyond, the oldest are removed.
    pub max_total: u64,
}

impl Default for Options {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            when_full: WhenFull::default(),
            max_size: 64 << 20,
            max_age: DAY,
            keep: DAY * 90,
            max_total: 1 << 30,
        }
    }
}

/// Why there is no audit.
#[derive(Debug, thiserror::Error)]
#[error("the audit {} cannot be written: {source}; make room, or see to it that the folder is yours", folder.display())]
pub struct AuditError {
    folder: PathBuf,
    source: io::Error,
}

/// The folder and its key, made when they are not there.
fn open(folder: &Path) -> Result<Key, AuditError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let key = made.and_then(|()| shared_file::secret_key(&folder.join("key")));
    key.map(Key).map_err(|source| AuditError { folder: folder.to_owned(), source })
}

/// Writes changes of grants down, for verbs that make them: a segment with these lines, on the disk when this returns.
///
/// # Errors
/// When they cannot be written. With [`WhenFull::Say`] the log says so, and the verb may go on.
pub fn note(folder: &Path, options: &Options, changes: &[Change]) -> Result<(), AuditError> {
    if changes.is_empty() {
        return Ok(());
    }
    let written = open(folder).and_then(|key| {
        let lines: Vec<_> =
            changes.iter().map(|change| Line::<()>::Change(change, SystemTime::now())).collect();
        let write = || {
            let mut segment = Segment::begin(folder, options, &key)?;
            segment.write(&lines, &key)?;
            segment.end("done", &key)
        };
        write().map_err(|source| AuditError { folder: folder.to_owned(), source })
    });
    match (written, options.when_full) {
        (Err(error), WhenFull::Say) => {
            tracing::error!("a change of grants left no audit line: {error}");
            Ok(())
        }
        (written, _) => written,
    }
}

#[cfg(test)]
mod tests;
