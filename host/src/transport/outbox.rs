//! The way out of a pipe: answers are put into one buffer, and a thread of its own writes whatever is there in
//! one go. Bounds what waits for a client that does not read; never reorders and never drops.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

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
    pub(super) fn new(high: usize, wake_inbox: Arc<Notify>) -> Self {
        Self {
            state: Mutex::default(),
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
    pub(super) fn put<T: Serialize>(&self, message: &T) -> serde_json::Result<()> {
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
        drop(state);
        self.filled.notify_one();
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
