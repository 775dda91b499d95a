//! Streams over files: reading is wasmtime-wasi's with its bytes charged; writing is our own, because each
//! piece is booked as it is written. Must not wait but in `ready`.

use std::io;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::filesystem::File;
use wasmtime_wasi::p2::{DynInputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn_blocking};

use crate::sandbox::Counters;

use super::Held;
use super::disk::{self, Offset};

/// Bytes taken in one write; as wasmtime-wasi grants on its own streams.
const WRITE_GRANT: usize = 64 << 10;

/// A file being read.
pub(super) struct Reader {
    pub(super) inner: DynInputStream,
    pub(super) counters: Arc<Counters>,
    /// Keeps the file noted as open: the stream may outlive its descriptor.
    pub(super) _held: Held,
}

impl Reader {
    fn charge(&self, read: StreamResult<Bytes>) -> StreamResult<Bytes> {
        if let Ok(bytes) = &read {
            self.counters.charge(bytes.len() as u64);
        }
        read
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let read = self.inner.read(size);
        self.charge(read)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        let read = self.inner.blocking_read(size).await;
        self.charge(read)
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

/// A file being written.
pub(super) struct Writer {
    file: File,
    held: Held,
    offset: Offset,
    counters: Arc<Counters>,
    state: State,
}

enum State {
    Ready,
    Busy(AbortOnDropJoinHandle<io::Result<u64>>),
    Failed(io::Error),
    Closed,
}

impl Writer {
    pub(super) fn new(file: File, held: Held, offset: Offset, counters: Arc<Counters>) -> Self {
        Self { file, held, offset, counters, state: State::Ready }
    }

    /// The failure of an earlier write, told once; then the stream is closed.
    fn failure(&mut self) -> StreamError {
        match mem::replace(&mut self.state, State::Closed) {
            State::Failed(error) => StreamError::LastOperationFailed(error.into()),
            _ => StreamError::Closed,
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {
        if let State::Busy(task) = &mut self.state {
            self.state = match task.await {
                Ok(end) => {
                    if let Offset::At(at) = &mut self.offset {
                        *at = end;
                    }
                    State::Ready
                }
                Err(error) => State::Failed(error),
            };
        }
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        match self.state {
            State::Ready if bytes.len() <= WRITE_GRANT => {}
            State::Closed => return Err(StreamError::Closed),
            _ => return Err(StreamError::trap("a write that check-write did not permit")),
        }
        self.counters.charge(bytes.len() as u64);
        if let (Some(recorder), Some(path)) = (self.counters.recorder(), &self.held.at) {
            recorder.wrote(path, bytes.len() as u64);
        }
        let (file, held, offset) = (Arc::clone(&self.file.file), self.held.clone(), self.offset);
        self.state = State::Busy(spawn_blocking(move || match &held.file {
            Some(opened) => disk::write(opened.books(), held.account, &file, &bytes, offset),
            None => Err(rustix::io::Errno::BADF.into()),
        }));
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        match self.state {
            // What was written is on its way to the disk; there is nothing else to push.
            State::Ready | State::Busy(_) => Ok(()),
            State::Failed(_) | State::Closed => Err(self.failure()),
        }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        match self.state {
            State::Ready => Ok(WRITE_GRANT),
            State::Busy(_) => Ok(0),
            State::Failed(_) | State::Closed => Err(self.failure()),
        }
    }

    async fn cancel(&mut self) {
        // A write that has begun cannot be stopped; waiting for it keeps a guest from having more of
        // them in the background than it has streams.
        if let State::Busy(task) = mem::replace(&mut self.state, State::Closed) {
            task.cancel().await;
        }
    }
}
