//! The way out of a pipe: answers are put into one buffer, and a thread of its own writes whatever is there in
//! one go. An answer that nothing follows goes out at once if the pipe takes it without waiting. Bounds what waits for
//! a client that does not read; never reorders and never drops.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

use super::inbox::Then;

/// Most bytes of answers from the front door itself that may wait.
const DIRECT_ROOM: usize = 1 << 20;

/// A buffer that grew beyond this for a large answer is given back.
const KEEP: usize = 1 << 20;

pub(super) struct Outbox {
    state: Mutex<State>,
    /// For the writing thread: there is something to write, or it is over.
    filled: Condvar,
    /// For the reading thread: direct answers were written.
    direct_room: Condvar,
    /// For senders of notifications: there is room again.
    room: Notify,
    /// For the inbox: it may hand out requests again.
    wake_inbox: Arc<Notify>,
    /// All is written, or never will be.
    finished: Notify,
    /// Above this many waiting bytes no new request is begun.
    high: usize,
}

#[derive(Default)]
struct State {
    /// The pipe, for what can be written without waiting; none when it is over, so that the client sees the end.
    pipe: Option<OwnedFd>,
    waiting: Vec<u8>,
    writing: usize,
    direct_waiting: usize,
    direct_writing: usize,
    /// Nothing more will come.
    last: bool,
    /// The client's end is closed.
    broken: bool,
}

impl State {
    fn pending(&self) -> usize {
        self.waiting.len() + self.writing
    }
}

impl Outbox {
    pub(super) fn new(pipe: OwnedFd, high: usize, wake_inbox: Arc<Notify>) -> Self {
        Self {
            state: Mutex::new(State { pipe: Some(pipe), ..State::default() }),
            filled: Condvar::new(),
            direct_room: Condvar::new(),
            room: Notify::new(),
            wake_inbox,
            finished: Notify::new(),
            high,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message behind those that wait. Never blocks: the number of answers that can come is bounded by
    /// the requests that were let in, which is where the client is held back.
    ///
    /// With nothing to follow it is written here and now if nobody else is writing, because to wake a thread for it
    /// takes longer than most calls. With more to come the thread writes several at once.
    pub(super) fn put<T: Serialize>(&self, message: &T, then: Then) -> serde_json::Result<()> {
        let mut state = self.lock();
        if state.broken || state.last {
            return Ok(());
        }
        let before = state.waiting.len();
        let written = serde_json::to_writer(&mut state.waiting, message);
        if written.is_err() {
            state.waiting.truncate(before);
        } else {
            state.waiting.push(b'\n');
        }
        if then == Then::Nothing && before == 0 && state.writing == 0 {
            let gone = state.pipe.as_ref().map_or(0, |pipe| write_now(pipe, &state.waiting));
            state.waiting.drain(..gone);
        }
        let left = !state.waiting.is_empty();
        drop(state);
        if left {
            self.filled.notify_one();
        }
        written
    }

    /// Puts an answer of the front door's own; waits while too many of those wait for the client, so that one
    /// that asks without reading is no longer read from.
    pub(super) fn put_direct(&self, line: &str) {
        let mut state = self.lock();
        while state.direct_waiting + state.direct_writing > DIRECT_ROOM && !state.broken && !state.last {
            state = self.direct_room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.broken || state.last {
            return;
        }
        state.waiting.extend_from_slice(line.as_bytes());
        state.waiting.push(b'\n');
        state.direct_waiting += line.len() + 1;
        drop(state);
        self.filled.notify_one();
    }

    /// Whether new requests may be begun.
    pub(super) fn has_room(&self) -> bool {
        self.lock().pending() < self.high
    }

    /// Returns when there is room; for notifications, whose sender can wait.
    pub(super) async fn room(&self) {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            // Enlisted before looking, so that no room made in between is missed.
            room.as_mut().enable();
            {
                let state = self.lock();
                if state.pending() < self.high || state.broken || state.last {
                    return;
                }
            }
            room.await;
        }
    }

    /// Writes until it is over; for a thread of its own. Gives whether the client's end was closed first.
    pub(super) fn write_all(&self, mut output: impl Write) -> bool {
        let mut buffer = Vec::new();
        let broken = loop {
            {
                let mut state = self.lock();
                while state.waiting.is_empty() && !state.last {
                    state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                if state.waiting.is_empty() {
                    break false;
                }
                std::mem::swap(&mut state.waiting, &mut buffer);
                state.writing = buffer.len();
                state.direct_writing = std::mem::take(&mut state.direct_waiting);
            }
            let written = output.write_all(&buffer).and_then(|()| output.flush());
            buffer.clear();
            buffer.shrink_to(KEEP);
            let mut state = self.lock();
            // Nobody waits for room while there is some, and waking the protocol for nothing costs a call.
            let was_full = state.pending() >= self.high;
            (state.writing, state.direct_writing) = (0, 0);
            if let Err(error) = written {
                tracing::info!(%error, "the client no longer reads");
                state.broken = true;
                state.waiting = Vec::new();
                break true;
            }
            drop(state);
            self.direct_room.notify_one();
            if was_full {
                self.tell_of_room();
            }
        };
        self.lock().pipe = None;
        self.tell_of_room();
        self.finished.notify_one();
        broken
    }

    fn tell_of_room(&self) {
        self.direct_room.notify_all();
        self.room.notify_waiters();
        self.wake_inbox.notify_one();
    }

    /// Says that nothing more will come and waits until all is written.
    pub(super) async fn finish(&self) {
        self.lock().last = true;
        self.filled.notify_one();
        self.finished.notified().await;
    }
}

/// Writes what the pipe takes without waiting; gives how much that was. What cannot be written for any other reason is
/// left to the writing thread, which will meet the same and says so.
#[cfg(target_os = "linux")]
fn write_now(pipe: &OwnedFd, bytes: &[u8]) -> usize {
    use rustix::io::ReadWriteFlags;
    // Not a mode of the pipe, which others may share, but of this one write. The offset is "wherever it is".
    let here = u64::MAX;
    rustix::io::pwritev2(pipe, &[std::io::IoSlice::new(bytes)], here, ReadWriteFlags::NOWAIT).unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn write_now(_: &OwnedFd, _: &[u8]) -> usize {
    0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs::File;
    use std::io::{BufRead as _, BufReader};

    use super::*;

    fn pipe() -> (BufReader<std::io::PipeReader>, Outbox, File) {
        let (reader, writer) = std::io::pipe().unwrap();
        let outbox = Outbox::new(writer.try_clone().unwrap().into(), 1 << 20, Arc::default());
        (BufReader::new(reader), outbox, File::from(OwnedFd::from(writer)))
    }

    fn line(reader: &mut BufReader<std::io::PipeReader>) -> String {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_answer_that_nothing_follows_is_out_at_once() {
        let (mut reader, outbox, _) = pipe();
        // No thread writes.
        outbox.put(&"last", Then::Nothing).unwrap();
        assert_eq!(line(&mut reader), "\"last\"\n");
        assert_eq!(outbox.lock().pending(), 0);
    }

    #[test]
    fn what_waits_is_not_overtaken() {
        let (mut reader, outbox, output) = pipe();
        outbox.put(&1, Then::More).unwrap();
        outbox.put(&2, Then::Nothing).unwrap();
        outbox.lock().last = true;
        outbox.write_all(output);
        assert_eq!([line(&mut reader), line(&mut reader)], ["1\n", "2\n"]);
    }

    /// A pipe takes a part of a large answer; the thread writes the rest, and what came after it.
    #[test]
    fn a_full_pipe_holds_nobody_up_and_loses_nothing() {
        let (mut reader, outbox, output) = pipe();
        let large = "x".repeat(1 << 20);
        outbox.put(&large, Then::Nothing).unwrap();
        outbox.put(&"after", Then::Nothing).unwrap();
        assert!(outbox.lock().pending() > 0);
        outbox.lock().last = true;
        std::thread::scope(|scope| {
            scope.spawn(|| outbox.write_all(output));
            assert_eq!(line(&mut reader), format!("\"{large}\"\n"));
            assert_eq!(line(&mut reader), "\"after\"\n");
        });
    }
}
