//! The events of one SSE stream: those that wait for their reader and those that a reader who lost its
//! connection may ask for again. Bounded; does no I/O and knows no session.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rmcp::model::ServerJsonRpcMessage;
use rmcp::transport::streamable_http_server::session::ServerSseMessage;
use serde::Serialize;

/// Most events of one stream that may wait for their reader, answers and questions aside.
const MAX_WAITING: usize = 64;

/// Most bytes of them.
const MAX_WAITING_BYTES: usize = 1 << 20;

/// Most events that were read and are kept for a reader that comes back.
const MAX_READ: usize = 128;

/// Bytes that all buffers together may keep for readers that are not there.
#[derive(Debug)]
pub(super) struct Kept {
    bytes: AtomicUsize,
    max: usize,
}

impl Kept {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicUsize::new(0), max })
    }

    fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= self.max
    }
}

struct Event {
    index: u64,
    message: Arc<ServerJsonRpcMessage>,
    bytes: usize,
}

/// What a reader finds.
pub(super) enum Next {
    Event(ServerSseMessage),
    /// Nothing yet.
    Wait,
    /// Nothing more, or another reader took over.
    Over,
}

/// The events of one stream.
pub(super) struct Buffer {
    number: u64,
    events: VecDeque<Event>,
    /// The index of the next event; the priming event has 0.
    next: u64,
    /// The index of the next event to be read.
    cursor: u64,
    /// Which reader is there; 0 is none.
    reader: u64,
    readers: u64,
    over: Option<Instant>,
    kept: Arc<Kept>,
}

impl Buffer {
    pub(super) fn new(number: u64, kept: Arc<Kept>) -> Self {
        Self { number, events: VecDeque::new(), next: 1, cursor: 1, reader: 0, readers: 0, over: None, kept }
    }

    /// Whether a notification would find room now.
    pub(super) fn has_room(&self) -> bool {
        let (count, bytes) = self
            .events
            .iter()
            .rev()
            .take_while(|event| event.index >= self.cursor)
            .fold((0, 0), |(count, bytes), event| (count + 1, bytes + event.bytes));
        count < MAX_WAITING && bytes < MAX_WAITING_BYTES && (self.is_read() || !self.kept.is_full())
    }

    pub(super) fn is_read(&self) -> bool {
        self.reader != 0
    }

    /// Since when there will be nothing more.
    pub(super) fn over_for(&self) -> Option<Duration> {
        self.over.map(|over| over.elapsed())
    }

    /// Adds a notification, or drops it when there is no room.
    pub(super) fn notify(&mut self, message: ServerJsonRpcMessage) {
        if self.has_room() {
            self.push(message);
        } else {
            tracing::trace!("a notification was dropped because the client does not read");
        }
    }

    /// Adds what must not get lost. The requests in flight bound how often that happens.
    pub(super) fn push(&mut self, message: ServerJsonRpcMessage) {
        let bytes = length(&message);
        self.kept.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.events.push_back(Event { index: self.next, message: Arc::new(message), bytes });
        self.next += 1;
    }

    /// Nothing more will come.
    pub(super) fn end(&mut self) {
        self.over.get_or_insert_with(Instant::now);
    }

    /// Whether there is something for a reader, be it the end.
    pub(super) fn has_news(&self) -> bool {
        self.has_unread() || self.over.is_some()
    }

    /// Whether there are events for a reader.
    pub(super) fn has_unread(&self) -> bool {
        self.next > self.cursor
    }

    /// The only message of a stream that is over, if it is all that there ever was.
    pub(super) fn only_message(&self) -> Option<Arc<ServerJsonRpcMessage>> {
        match self.events.front() {
            Some(event) if self.over.is_some() && self.next == 2 => Some(event.message.clone()),
            _ => None,
        }
    }

    /// Lets a new reader in, after whom the old one finds the end. It goes on behind the event with this
    /// index, or where the last one stopped.
    pub(super) fn attach(&mut self, after: Option<u64>) -> u64 {
        if let Some(after) = after {
            let oldest = self.events.front().map_or(self.next, |event| event.index);
            self.cursor = after.saturating_add(1).clamp(oldest, self.next);
        }
        self.readers += 1;
        self.reader = self.readers;
        self.reader
    }

    /// A reader is gone.
    pub(super) fn detach(&mut self, reader: u64) {
        if self.reader == reader {
            self.reader = 0;
        }
    }

    /// The next event for this reader.
    pub(super) fn read(&mut self, reader: u64) -> Next {
        if reader != self.reader {
            return Next::Over;
        }
        let Some(event) = self.events.iter().find(|event| event.index >= self.cursor) else {
            return if self.over.is_some() { Next::Over } else { Next::Wait };
        };
        let mut message = ServerSseMessage::from_message_arc(event.message.clone());
        message.event_id = Some(event_id(self.number, event.index));
        self.cursor = event.index + 1;
        self.forget();
        Next::Event(message)
    }

    /// The event that tells a client how to come back to where the stream is now.
    pub(super) fn priming(&self, retry: Duration) -> ServerSseMessage {
        ServerSseMessage::priming(event_id(self.number, self.cursor - 1), retry)
    }

    /// Drops the oldest events that were read and that are too many.
    fn forget(&mut self) {
        let mut read = self.events.iter().take_while(|event| event.index < self.cursor).count();
        // The last one stays in any case: it may be the answer, and its reader may just have lost its line.
        while read > 1 && (read > MAX_READ || self.kept.is_full()) {
            if let Some(event) = self.events.pop_front() {
                self.kept.bytes.fetch_sub(event.bytes, Ordering::Relaxed);
            }
            read -= 1;
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes: usize = self.events.iter().map(|event| event.bytes).sum();
        self.kept.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// An event's name, which tells its stream and its place in it.
fn event_id(stream: u64, index: u64) -> String {
    format!("{stream}-{index}")
}

/// The stream and the index that an event's name tells.
pub(super) fn parse_event_id(text: &str) -> Option<(u64, u64)> {
    let (stream, index) = text.split_once('-')?;
    Some((stream.parse().ok()?, index.parse().ok()?))
}

trait FromArc {
    fn from_message_arc(message: Arc<ServerJsonRpcMessage>) -> Self;
}

impl FromArc for ServerSseMessage {
    fn from_message_arc(message: Arc<ServerJsonRpcMessage>) -> Self {
        let mut event = Self::default();
        event.message = Some(message);
        event
    }
}

/// How long a message is as JSON, in bytes.
fn length(message: &impl Serialize) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // What cannot be written is noticed where it is written.
    let _ = serde_json::to_writer(&mut count, message);
    count.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use rmcp::model::{EmptyResult, RequestId, ServerResult};

    fn message(id: i64) -> ServerJsonRpcMessage {
        ServerJsonRpcMessage::response(ServerResult::EmptyResult(EmptyResult {}), RequestId::Number(id))
    }

    /// What a reader gets until it must wait or it is over.
    fn read(buffer: &mut Buffer, reader: u64) -> (Vec<String>, bool) {
        let mut ids = Vec::new();
        loop {
            match buffer.read(reader) {
                Next::Event(event) => ids.push(event.event_id.unwrap()),
                Next::Wait => return (ids, false),
                Next::Over => return (ids, true),
            }
        }
    }

    #[test]
    fn a_reader_that_comes_back_gets_what_it_missed_once_and_in_order() {
        let mut buffer = Buffer::new(7, Kept::new(1 << 20));
        let first = buffer.attach(None);
        for id in 0..3 {
            buffer.push(message(id));
        }
        assert_eq!(read(&mut buffer, first), (vec!["7-1".into(), "7-2".into(), "7-3".into()], false));
        buffer.push(message(3));
        buffer.end();
        let second = buffer.attach(Some(2));
        assert_eq!(read(&mut buffer, first), (vec![], true), "the old reader goes on");
        assert_eq!(read(&mut buffer, second), (vec!["7-3".into(), "7-4".into()], true));
        // Indices that were never given out lead to the end, not to a panic.
        let third = buffer.attach(Some(u64::MAX));
        assert_eq!(read(&mut buffer, third), (vec![], true));
    }

    #[test]
    fn what_nobody_reads_is_bounded() {
        let kept = Kept::new(4000);
        let mut buffer = Buffer::new(1, kept.clone());
        for id in 0..10_000 {
            buffer.notify(message(id));
        }
        assert!(buffer.events.len() <= MAX_WAITING);
        let reader = buffer.attach(None);
        let (ids, _) = read(&mut buffer, reader);
        assert!(!ids.is_empty());
        for id in 0..10_000 {
            buffer.notify(message(id));
            read(&mut buffer, reader);
        }
        assert!(buffer.events.len() <= MAX_READ + 1, "{}", buffer.events.len());
        assert!(kept.bytes.load(Ordering::Relaxed) <= 4000 + 100);
        drop(buffer);
        assert_eq!(kept.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn event_ids() {
        assert_eq!(parse_event_id("3-14"), Some((3, 14)));
        for text in ["", "-", "3", "3-", "-1", "a-b", "3-1-2", "99999999999999999999-1"] {
            assert_eq!(parse_event_id(text), None, "{text}");
        }
    }
}
