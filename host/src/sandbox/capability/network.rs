//! Names to addresses and addresses to connections, and the counting of what passes, for HTTP and sockets alike.
//! Decides nothing about which of them are allowed; must not be given a name to dial.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

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
#[derive(Default)]
pub(super) struct System {
    lookups: Lookups,
}

/// Look-ups at once, of the process and of one plugin: the system's resolver blocks a thread each, for as long as a
/// name server is silent, and whoever asked may be gone by then.
struct Lookups {
    plugin: Arc<Semaphore>,
}

/// Of the process; half of the threads for blocking work.
static LOOKUPS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(16)));
/// Of one plugin.
const PLUGIN_LOOKUPS: usize = 4;

impl Default for Lookups {
    fn default() -> Self {
        Self { plugin: Arc::new(Semaphore::new(PLUGIN_LOOKUPS)) }
    }
}

impl Network for System {
    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            let plugin = self.lookups.plugin.clone().acquire_owned().await.map_err(io::Error::other)?;
            let process = LOOKUPS.clone().acquire_owned().await.map_err(io::Error::other)?;
            let name = name.to_owned();
            let asked = tokio::task::spawn_blocking(move || {
                let _places = (plugin, process);
                Ok((name.as_str(), port).to_socket_addrs()?.collect())
            });
            asked.await.map_err(io::Error::other)?
        })
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

/// What a call moves over the network: every byte is counted and charged to the guest at one unit of fuel, and when
/// more than the bound was moved nothing passes any more.
#[derive(Clone)]
pub(super) struct Traffic {
    pub(super) counters: Arc<Counters>,
    /// Bytes, both ways.
    pub(super) bound: u64,
}

/// The call's budget is spent.
#[derive(Debug, thiserror::Error)]
#[error("the call moved more bytes over the network than its limit `network-bytes`")]
pub(super) struct Overdrawn;

impl Traffic {
    pub(super) fn spent(&self) -> bool {
        guarded!("network-bytes", self.counters.moved() > self.bound)
    }

    pub(super) fn left(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.counters.sent(bytes);
        self.counters.charge(bytes);
    }

    pub(super) fn came(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.counters.received(bytes);
        self.counters.charge(bytes);
    }
}

/// Whose call a connection serves; nobody's while it waits for the next.
#[derive(Clone, Default)]
pub(super) struct Meter(Arc<Mutex<Option<Traffic>>>);

impl Meter {
    pub(super) fn set(&self, traffic: Option<Traffic>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = traffic;
    }

    fn with(&self, count: impl FnOnce(&Traffic)) {
        if let Some(traffic) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            count(traffic);
        }
    }

    fn check(&self) -> io::Result<()> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(traffic) if traffic.spent() => Err(io::Error::other(Overdrawn)),
            _ => Ok(()),
        }
    }
}

/// A connection whose bytes are counted as they pass, encryption and headers included.
pub(super) struct Metered<T> {
    inner: T,
    meter: Meter,
}

impl<T> Metered<T> {
    pub(super) fn new(inner: T, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.meter.check()?;
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.meter.with(|traffic| traffic.came(buf.filled().len() - before));
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.meter.check()?;
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.meter.with(|traffic| traffic.left(written));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
