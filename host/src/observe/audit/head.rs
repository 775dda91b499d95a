//! The audit's head: which segment comes next, which go on, and where those stand that ended since. One process at a
//! time changes it. Also finds the segments and where each ends; writes none.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::grants::shared_file::{self, Guard};

use super::chain::Link;
use super::line::Pin;

/// Largest head read, in bytes.
const MAX_HEAD: u64 = 16 << 20;
/// Bytes read at once from the end of a segment.
const PIECE: u64 = 64 << 10;

/// Where the chain stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The number of the segment that begins next; the first is 1.
    pub(super) next: u64,
    /// Segments before this number were removed by rotation.
    pub(super) floor: u64,
    /// Segments that have not ended, as far as is known.
    pub(super) open: Vec<u64>,
    /// Segments that ended since one began.
    pub(super) closed: Vec<Pin>,
}

/// The file of the head.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("head")
}

impl Head {
    /// As it stands; none when there is none.
    pub(super) fn read(folder: &Path) -> io::Result<Option<Self>> {
        let text = shared_file::read(&path(folder), MAX_HEAD)?;
        text.map(|text| serde_json::from_str(&text).map_err(io::Error::from)).transpose()
    }

    /// Reads, changes and replaces the head with no other process in between.
    pub(super) fn update<T>(folder: &Path, change: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        let guard = Guard::lock(&path(folder))?;
        let mut head = Self::read(folder)?.unwrap_or_default();
        let answer = change(&mut head)?;
        guard.replace(serde_json::to_string(&head)?.as_bytes())?;
        Ok(answer)
    }
}

/// The file of a segment.
pub(super) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.jsonl"))
}

/// The numbers of the segments that are there, in their order.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl")?.parse::<u64>().ok());
        // One spelling each, or one number could be two files.
        numbers.extend(number.filter(|number| segment_path(folder, *number).file_name() == Some(&name)));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The last whole line of a segment.
#[derive(Debug, Deserialize)]
pub(super) struct Last {
    pub(super) n: u64,
    pub(super) hash: Link,
    pub(super) kind: String,
    #[serde(with = "humantime_text")]
    pub(super) time: SystemTime,
}

mod humantime_text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<std::time::SystemTime, D::Error> {
        humantime::parse_rfc3339(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The last whole line of a segment; none when there is none or it is no line of the audit.
pub(super) fn last_line(file: &mut File) -> io::Result<Option<Last>> {
    let mut end = file.metadata()?.len();
    let mut tail = Vec::new();
    let mut line_feeds = 0;
    while end > 0 && line_feeds < 2 {
        let start = end.saturating_sub(PIECE);
        let mut piece = vec![0; usize::try_from(end - start).unwrap_or_default()];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut piece)?;
        line_feeds += piece.iter().filter(|byte| **byte == b'\n').count();
        piece.append(&mut tail);
        (tail, end) = (piece, start);
    }
    // What follows the last line feed is a line that was never finished.
    let Some(stop) = tail.iter().rposition(|byte| *byte == b'\n') else { return Ok(None) };
    let whole = tail.get(..stop).unwrap_or_default();
    let line = whole.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(serde_json::from_slice(line).ok())
}

/// Whether the process that writes a segment still does: it holds the file locked.
pub(super) fn goes_on(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Where a segment stands now.
pub(super) fn pin(number: u64, last: Option<&Last>) -> Pin {
    let (lines, hash) = last.map_or((0, Link::START), |last| (last.n, last.hash));
    Pin { segment: number, lines, hash }
}
