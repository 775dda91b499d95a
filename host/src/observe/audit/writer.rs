//! The thread that writes: gathers lines for some milliseconds, appends them together, and goes on trying when the disk
//! is full. It alone touches the segment.
//!
//! What is written is in the system's hands after at most [`GATHER`], so that a killed process loses no more than that;
//! and on the disk after at most [`SYNC`], which is what a power cut can take.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, select};
use serde::Serialize;

use super::line::{Key, Line};
use super::queue::{Ask, Entry, Shared, Want};
use super::segment::Segment;
use super::{Change, Options};

/// How long lines are gathered before they are written: a writer that waited for each single line would have
/// to be woken for each, which costs a call more than the line itself.
const GATHER: Duration = Duration::from_millis(5);
/// Longest time between writing a line and seeing it on the disk.
const SYNC: Duration = Duration::from_secs(1);
/// Between two tries to write when the last one failed.
const RETRY: Duration = Duration::from_millis(250);
/// Between two looks whether the segment is old enough to end.
const IDLE: Duration = Duration::from_secs(60);
/// Changes of grants that wait for the disk; more are lost, and counted.
const MOST_CHANGES: usize = 1024;

pub(super) struct Writer<U> {
    folder: PathBuf,
    options: Options,
    key: Key,
    shared: Arc<Shared>,
    segment: Option<Segment>,
    synced: Instant,
    tried: Option<Instant>,
    in_force: Vec<(Box<Change>, SystemTime)>,
    waiting: Vec<Entry<U>>,
}

impl<U: Serialize> Writer<U> {
    pub(super) fn new(folder: &Path, options: Options, key: Key, shared: Arc<Shared>) -> Self {
        Self {
            folder: folder.to_owned(),
            options,
            key,
            shared,
            segment: None,
            synced: Instant::now(),
            tried: None,
            in_force: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Writes until nobody can leave a line any more, or somebody ends it.
    pub(super) fn run(mut self, lines: &Receiver<Entry<U>>, asks: &Receiver<Ask>) {
        loop {
            let ask = select! {
                recv(lines) -> first => match first {
                    Ok(first) => {
                        self.take(first);
                        asks.recv_timeout(GATHER).ok()
                    }
                    Err(_) => break,
                },
                recv(asks) -> ask => ask.ok(),
                default(self.pause()) => None,
            };
            lines.try_iter().for_each(|entry| self.take(entry));
            self.work(ask.as_ref().is_some_and(|ask| ask.want == Want::Opened), ask.is_some());
            if let Some(Ask { want, done }) = ask {
                if want == Want::Ended {
                    self.end();
                    return;
                }
                drop(done);
            }
        }
        self.work(false, true);
        self.end();
    }

    /// How long nothing has to be done when nobody says anything.
    fn pause(&self) -> Duration {
        if self.tried.is_some() {
            RETRY
        } else if self.segment.as_ref().is_some_and(Segment::is_dirty) {
            SYNC
        } else {
            IDLE
        }
    }

    fn take(&mut self, entry: Entry<U>) {
        match entry {
            Entry::InForce(change, time) => self.in_force.push((change, time)),
            Entry::Change(..) if self.waiting.len() >= MOST_CHANGES && self.tried.is_some() => {
                self.shared.lost.fetch_add(1, Ordering::Relaxed);
            }
            entry => self.waiting.push(entry),
        }
    }

    fn work(&mut self, open: bool, now: bool) {
        if !now && self.tried.is_some_and(|tried| tried.elapsed() < RETRY) {
            return;
        }
        match self.write(open || self.tried.is_some()) {
            Ok(()) => {
                if self.tried.take().is_some() {
                    tracing::info!("the audit is written again");
                }
                self.shared.failing.store(false, Ordering::Release);
            }
            Err(error) => {
                if self.tried.replace(Instant::now()).is_none() {
                    tracing::error!("the audit {} cannot be written: {error}", self.folder.display());
                }
                self.shared.fails(&error.to_string());
            }
        }
    }

    /// Writes what waits, and whatever is due about the segment. `open` asks for a segment with nothing to write.
    fn write(&mut self, open: bool) -> std::io::Result<()> {
        if self.segment.as_ref().is_some_and(Segment::is_gone) {
            tracing::error!(
                "somebody removed a segment of the audit while it was written; the next one begins"
            );
            self.segment = None;
        }
        if !self.waiting.is_empty() || open {
            let (new, segment) = match &mut self.segment {
                Some(segment) => (false, segment),
                none => (true, none.insert(Segment::begin(&self.folder, &self.options, &self.key)?)),
            };
            self.shared.opened.store(true, Ordering::Release);
            let mut lines = Vec::with_capacity(self.waiting.len() + 1);
            lines.extend(self.in_force.iter().map(|(change, time)| Line::Change(change, *time)));
            let mut places = 0;
            for entry in &self.waiting {
                lines.push(match entry {
                    Entry::Call(record) => {
                        places += 1;
                        Line::Call(record)
                    }
                    Entry::Change(change, time) | Entry::InForce(change, time) => Line::Change(change, *time),
                });
            }
            let lost = self.shared.lost.load(Ordering::Relaxed);
            if lost > 0 {
                let why = if self.tried.is_some() {
                    "the file could not be written"
                } else {
                    "too many calls at once"
                };
                lines.push(Line::Gap { lost, why });
            }
            if !lines.is_empty() {
                segment.write(&lines, &self.key)?;
            }
            drop(lines);
            self.shared.lost.fetch_sub(lost, Ordering::Relaxed);
            self.in_force.clear();
            self.waiting.clear();
            self.shared.free(places);
            if new {
                self.synced = Instant::now();
            }
        }
        let Some(segment) = &mut self.segment else { return Ok(()) };
        if segment.is_dirty() && (self.synced.elapsed() >= SYNC || self.tried.is_some()) {
            segment.sync()?;
            self.synced = Instant::now();
        }
        if segment.is_full(&self.options)
            && let Some(full) = self.segment.take()
        {
            full.end("full", &self.key)?;
        }
        Ok(())
    }

    fn end(&mut self) {
        let lost = self.shared.lost.load(Ordering::Relaxed) + self.waiting.len() as u64;
        if lost > 0 {
            tracing::error!("{lost} lines of the audit are lost");
        }
        if let Some(segment) = self.segment.take()
            && let Err(error) = segment.end("done", &self.key)
        {
            tracing::error!("the audit {} cannot be written: {error}", self.folder.display());
        }
    }
}
