//! Names to addresses and addresses to connections, and the counting of what passes. Decides nothing
//! about which of them are allowed; must not be given a name to dial.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::sandbox::Counters;

/// How long an address may take before the next one is tried beside it (RFC 8305, 5).
const HEAD_START: Duration = Duration::from_millis(250);
/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

/// The network as the client needs it. Two steps, so that what lies between them, the check of the
/// addresses, cannot be skipped by a connector that resolves by itself.
pub(super) trait Network: Send + Sync {
    /// All addresses of a name.
    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
    /// A connection to exactly this address.
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>>;
}

/// The machine's.
pub(super) struct System;

impl Network for System {
    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, port)).await?.collect()) })
    }

    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(TcpStream::connect(address))
    }
}

/// Connects to the first address that answers, each with a head start over the next.
pub(super) async fn dial(network: &dyn Network, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().take(MAX_ADDRESSES);
    let mut trying = FuturesUnordered::new();
    let mut failure = None;
    loop {
        match waiting.next() {
            Some(address) => trying.push(network.connect(*address)),
            None if trying.is_empty() => {
                return Err(failure.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()));
            }
            None => {}
        }
        match tokio::time::timeout(HEAD_START, trying.next()).await {
            Ok(Some(Ok(stream))) => {
                // Small requests must not wait for a full segment.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Some(Err(error))) => failure = Some(error),
            Ok(None) | Err(_) => {}
        }
    }
}

/// A connection whose bytes are counted as they pass, encryption and headers included, and charged to
/// the guest at one unit of fuel each.
pub(super) struct Metered<T> {
    inner: T,
    counters: Arc<Counters>,
}

impl<T> Metered<T> {
    pub(super) fn new(inner: T, counters: Arc<Counters>) -> Self {
        Self { inner, counters }
    }

    fn left(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.counters.sent(bytes);
        self.counters.charge(bytes);
    }

    fn came(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.counters.received(bytes);
        self.counters.charge(bytes);
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.came(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.left(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
