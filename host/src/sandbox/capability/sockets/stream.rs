//! The two directions of a TCP connection, metered: what passes is charged, and nothing passes when the call's budget
//! is spent. Must not look at the bytes.

use bytes::Bytes;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

use super::super::network::{Overdrawn, Traffic};

/// What comes in.
pub(super) struct Reader {
    pub(super) inner: DynInputStream,
    pub(super) traffic: Traffic,
}

/// What goes out.
pub(super) struct Writer {
    pub(super) inner: DynOutputStream,
    pub(super) traffic: Traffic,
}

fn within(traffic: &Traffic) -> StreamResult<()> {
    if traffic.spent() { Err(StreamError::LastOperationFailed(Overdrawn.into())) } else { Ok(()) }
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
        within(&self.traffic)?;
        let bytes = self.inner.read(size)?;
        self.traffic.came(bytes.len());
        Ok(bytes)
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        within(&self.traffic)?;
        let size = bytes.len();
        self.inner.write(bytes)?;
        self.traffic.left(size);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        within(&self.traffic)?;
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
