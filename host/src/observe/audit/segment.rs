//! One segment: a file that only this process appends to, chained to where all others stood when it began. Whatever
//! it is given is written whole or not at all.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use serde::Serialize;

use crate::grants::shared_file;

use super::chain::Link;
use super::head::{self, Head};
use super::line::{Batch, Begin, FORM, Key, Line};
use super::{Options, Pin};

/// A segment that is being written.
pub(super) struct Segment {
    folder: PathBuf,
    number: u64,
    /// Held locked for as long as it is written: by that others know that it goes on.
    file: File,
    lines: u64,
    link: Link,
    size: u64,
    begun: Instant,
    dirty: bool,
}

impl Segment {
    /// Begins the next segment of the audit in `folder`, and removes what is older than it has to be kept.
    pub(super) fn begin(folder: &Path, options: &Options, key: &Key) -> io::Result<Self> {
        let mut made = None;
        let begun = Head::update(folder, |head| {
            let there = head::segments(folder)?;
            let number = there.last().map_or(1, |last| last + 1).max(head.next);
            let after = others(folder, head, &there)?;
            let old = old(folder, &there, &head.open, options)?;
            head.floor = old.last().map_or(head.floor.max(1), |last| head.floor.max(last + 1));
            let segment = Self::create(folder, number, head.floor, after, key)?;
            made = Some(number);
            head.next = number + 1;
            head.open.push(number);
            Ok((segment, old))
        });
        // Else each try to begin would leave one.
        let (segment, old) = begun.inspect_err(|_| {
            if let Some(number) = made {
                let _ = std::fs::remove_file(head::segment_path(folder, number));
            }
        })?;
        // Only now is it written down that they went by rotation.
        for number in old {
            match std::fs::remove_file(head::segment_path(folder, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!("an old segment of the audit cannot be removed: {error}");
                }
                _ => {}
            }
        }
        Ok(segment)
    }

    fn create(folder: &Path, number: u64, floor: u64, after: Vec<Pin>, key: &Key) -> io::Result<Self> {
        let path = head::segment_path(folder, number);
        let file = OpenOptions::new().create_new(true).read(true).append(true).mode(0o600).open(&path)?;
        let begin = || {
            file.lock()?;
            let (folder, begun) = (folder.to_owned(), Instant::now());
            let (lines, link, size, dirty) = (0, Link::START, 0, false);
            let mut segment =
                Self { folder, number, file: file.try_clone()?, lines, link, size, begun, dirty };
            let version = Cow::Borrowed(env!("CARGO_PKG_VERSION"));
            let process = std::process::id();
            let begin = Begin { form: FORM, segment: number, version, process, floor, after };
            segment.write(&[Line::<()>::Begin(&begin)], key)?;
            segment.sync()?;
            Ok(segment)
        };
        begin().inspect_err(|_: &io::Error| {
            // Nobody knows of it yet.
            let _ = std::fs::remove_file(&path);
        })
    }

    /// Appends these lines, all or none.
    pub(super) fn write<U: Serialize>(&mut self, lines: &[Line<'_, U>], key: &Key) -> io::Result<()> {
        let mut batch = Batch::after(self.lines, self.link);
        for line in lines {
            batch.add(line, key)?;
        }
        if let Err(error) = self.file.write_all(&batch.text) {
            // Half a line would break the chain for what comes after it.
            self.file.set_len(self.size)?;
            return Err(error);
        }
        self.size += batch.text.len() as u64;
        (self.lines, self.link) = (batch.lines, batch.link);
        self.dirty = true;
        Ok(())
    }

    /// Whether lines were written since the last [`Segment::sync`].
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Sees to it that what was written outlives a power cut.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.dirty = false;
        Ok(())
    }

    /// Whether somebody removed the file, so that lines would go nowhere.
    pub(super) fn is_gone(&self) -> bool {
        self.file.metadata().map_or(true, |found| found.nlink() == 0)
    }

    /// Whether the next one should begin.
    pub(super) fn is_full(&self, options: &Options) -> bool {
        self.size >= options.max_size || self.begun.elapsed() >= options.max_age
    }

    /// Writes the last line, and where the segment ended into the head.
    pub(super) fn end(mut self, why: &'static str, key: &Key) -> io::Result<()> {
        self.write(&[Line::<()>::End(why)], key)?;
        self.sync()?;
        Head::update(&self.folder, |head| {
            head.open.retain(|open| *open != self.number);
            head.closed.push(Pin { segment: self.number, lines: self.lines, hash: self.link });
            Ok(())
        })
    }
}

/// Where the segments are that the next one comes after. Of those taken for open, only the ones that go on stay so.
fn others(folder: &Path, head: &mut Head, there: &[u64]) -> io::Result<Vec<Pin>> {
    let unknown = there.iter().copied().filter(|number| *number >= head.next.max(1));
    let open: Vec<u64> = head.open.drain(..).chain(unknown).collect();
    let mut after = std::mem::take(&mut head.closed);
    for number in open {
        let mut file = match shared_file::open_plain(&head::segment_path(folder, number)) {
            // Somebody removed it, which the gap in the numbers tells.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        // Asked before it is read, so that of a process that ends meanwhile all is read.
        let goes_on = head::goes_on(&file);
        after.push(head::pin(number, head::last_line(&mut file)?.as_ref()));
        if goes_on {
            head.open.push(number);
        }
    }
    Ok(after)
}

/// The segments to be removed: from the oldest on, while they ended longer ago than they have to be kept or all
/// together are too large. One that goes on ends the search, because only a whole beginning may go.
fn old(folder: &Path, there: &[u64], open: &[u64], options: &Options) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for number in there {
        let metadata = std::fs::metadata(head::segment_path(folder, *number))?;
        found.push((*number, metadata.len(), metadata.modified()?));
    }
    let now = SystemTime::now();
    let mut total: u64 = found.iter().map(|(_, size, _)| size).sum();
    let goes = found.iter().take_while(|(number, size, changed)| {
        let too_old = now.duration_since(*changed).is_ok_and(|age| age > options.keep);
        let goes = !open.contains(number) && (too_old || total > options.max_total);
        total = total.saturating_sub(*size);
        goes
    });
    Ok(goes.map(|(number, _, _)| *number).collect())
}
