//! Standard output and standard error of a guest: keeps the first bytes, counts the rest, and gives the
//! whole, made safe for a log, at the end. Must not reach the host's own standard output, where the
//! protocol is, and must not fail a guest that prints too much.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::observe::escape_for_people;
use crate::sandbox::Counters;

/// Bytes taken in one write; as wasmtime-wasi grants on its own streams.
const WRITE_GRANT: usize = 64 << 10;

/// One captured stream of one call. Clones share what they capture.
#[derive(Clone, Debug)]
pub struct Capture {
    kept: Arc<Mutex<Kept>>,
    limit: usize,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    dropped: u64,
}

/// What a guest printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The first bytes as text: invalid UTF-8 replaced, deceiving characters escaped; line feeds
    /// separate lines.
    pub text: String,
    /// Bytes printed after those.
    pub dropped: u64,
}

impl Capture {
    /// A capture that keeps the first `limit` bytes (`Limits::stdio`).
    #[must_use]
    pub fn begin(limit: usize, counters: &Arc<Counters>) -> Self {
        Self { kept: Arc::default(), limit, counters: Arc::clone(counters) }
    }

    /// Takes what was captured so far; what is printed later is captured anew.
    #[must_use]
    pub fn take(&self) -> Captured {
        let Kept { bytes, dropped } =
            std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        Captured { text: escape_for_people(&String::from_utf8_lossy(&bytes)).into_owned(), dropped }
    }

    /// The same as it was written, with the number of bytes that were dropped.
    pub(in crate::sandbox) fn take_bytes(&self) -> (Vec<u8>, u64) {
        let Kept { bytes, dropped } =
            std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        (bytes, dropped)
    }

    fn keep(&self, bytes: &[u8]) {
        self.counters.charge(bytes.len() as u64);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // After the first drop nothing is kept any more, so that the text has no hole in it.
        let room = if kept.dropped > 0 { 0 } else { self.limit.saturating_sub(kept.bytes.len()) };
        let room = guarded!("printed", room, without usize::MAX);
        let (head, tail) = bytes.split_at(room.min(bytes.len()));
        kept.bytes.extend_from_slice(head);
        kept.dropped = kept.dropped.saturating_add(tail.len() as u64);
    }
}

impl IsTerminal for Capture {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Capture {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Capture {
    async fn ready(&mut self) {}
}

impl OutputStream for Capture {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_GRANT)
    }
}

impl AsyncWrite for Capture {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.keep(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn capture(limit: usize) -> (Capture, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        (Capture::begin(limit, &counters), counters)
    }

    #[test]
    fn keeps_the_head_counts_the_tail_and_charges_all() {
        let (capture, counters) = capture(5);
        let mut stream = capture.p2_stream();
        assert!(stream.check_write().unwrap() > 0);
        for piece in ["abc", "def", "g"] {
            stream.write(Bytes::from_static(piece.as_bytes())).unwrap();
        }
        assert_eq!(capture.take(), Captured { text: "abcde".into(), dropped: 2 });
        assert_eq!(counters.take_due(), 7);
        assert_eq!(capture.take(), Captured::default());
    }

    #[test]
    fn two_streams_of_one_capture_share_the_bound() {
        let (capture, _) = capture(4);
        let (mut one, mut two) = (capture.p2_stream(), capture.p2_stream());
        one.write(Bytes::from_static(b"aaa")).unwrap();
        two.write(Bytes::from_static(b"bbb")).unwrap();
        one.write(Bytes::from_static(b"c")).unwrap();
        assert_eq!(capture.take(), Captured { text: "aaab".into(), dropped: 3 });
    }

    #[test]
    fn forged_lines_and_escapes_are_seen_as_such() {
        let (capture, _) = capture(1 << 10);
        let mut stream = capture.p2_stream();
        stream.write(Bytes::from_static(b"{\"jsonrpc\":\"2.0\"}\n\x1b[1A\x1b[2Kok \xff\n")).unwrap();
        assert_eq!(capture.take().text, "{\"jsonrpc\":\"2.0\"}\n\\e[1A\\e[2Kok \u{fffd}\n");
    }

    #[tokio::test]
    async fn a_flood_neither_grows_nor_fails() {
        let (capture, _) = capture(1 << 10);
        let mut stream = capture.p2_stream();
        for _ in 0..10_000 {
            stream.ready().await;
            assert!(stream.check_write().unwrap() >= 4096);
            stream.write(Bytes::from_static(&[b'x'; 4096])).unwrap();
            stream.flush().unwrap();
        }
        let captured = capture.take();
        assert_eq!(captured.text.len(), 1 << 10);
        assert_eq!(captured.dropped, 10_000 * 4096 - (1 << 10));
    }
}
