//! Connections of one plugin that wait for its next request, each under the route it was opened for. Must not outlive
//! the plugin's configuration, be given to another plugin, or decide who may use one: `client` asks anew each time.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use hyper::client::conn::http1;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use wasmtime_wasi_http::io::TokioIo;

use super::super::network::{Meter, Traffic};
use super::body::RequestBody;
use super::client::Io;
use crate::grants::{HttpHost, HttpOperation, HttpScheme};

/// How long a connection waits for its next request. After that names are looked up anew.
const KEEP: Duration = Duration::from_secs(15);
/// How long it may have waited for a request that cannot be repeated: servers close what is idle, the busiest after
/// five seconds, and such a request on a connection that is just being closed is lost.
const FRESH: Duration = Duration::from_secs(2);

/// How much longer than its call a connection may be driven: request and body end by themselves, each with an error of
/// its own, which a connection that ends in the same moment would hide.
const GRACE: Duration = Duration::from_secs(1);

/// Where a connection goes. What is not equal in every part never shares one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    scheme: HttpScheme,
    host: HttpHost,
    port: u16,
}

impl Route {
    pub(super) fn of(operation: &HttpOperation) -> Self {
        Self { scheme: operation.scheme(), host: operation.host().clone(), port: operation.port() }
    }

    /// Host and port.
    pub(super) fn authority(&self) -> String {
        match (self.scheme, self.port) {
            (HttpScheme::Http, 80) | (HttpScheme::Https, 443) => self.host.to_string(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

/// A task that is aborted when this is dropped.
pub(super) struct Task(pub(super) JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What hyper makes of a stream: where requests go in, and what must be driven.
type Handshaken = (http1::SendRequest<RequestBody>, http1::Connection<TokioIo<Box<dyn Io>>, RequestBody>);

/// An open connection; dropping it cuts it.
pub(super) struct Open {
    pub(super) sender: http1::SendRequest<RequestBody>,
    /// What was checked and dialled; `None` when a proxy looks names up.
    pub(super) address: Option<SocketAddr>,
    /// Whether requests on it are written in absolute form, for a proxy.
    pub(super) absolute: bool,
    meter: Meter,
    until: watch::Sender<Instant>,
    _driver: Task,
}

impl Open {
    /// Drives a connection until its time is over. `permit` is its place under the plugin's bound.
    pub(super) fn new(
        (sender, connection): Handshaken,
        address: Option<SocketAddr>,
        absolute: bool,
        meter: Meter,
        deadline: Instant,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let (until, mut time) = watch::channel(deadline + GRACE);
        let driver = tokio::spawn(async move {
            let _permit = permit;
            let mut connection = pin!(connection);
            loop {
                let end = *time.borrow_and_update();
                tokio::select! {
                    // Errors reach the guest through the request or the body.
                    _ = &mut connection => return,
                    changed = time.changed() => if changed.is_err() { return },
                    () = sleep_until(end) => if *time.borrow() <= Instant::now() { return },
                }
            }
        });
        Self { sender, address, absolute, meter, until, _driver: Task(driver) }
    }

    /// Gives it to a call: what passes is this call's, and it ends with the call.
    pub(super) fn serve(&self, traffic: Traffic, deadline: Instant) {
        self.meter.set(Some(traffic));
        self.until.send_replace(deadline + GRACE);
    }
}

struct Waiting {
    route: Route,
    since: Instant,
    open: Open,
}

/// What waits.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<Waiting>>);

impl Pool {
    /// The connection of this route that waited shortest and `fits`. `repeatable` is whether the request may be sent
    /// once more should the connection turn out to be closed.
    pub(super) fn take(&self, route: &Route, repeatable: bool, fits: impl Fn(&Open) -> bool) -> Option<Open> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|waiting| !waiting.open.sender.is_closed());
        let most = if repeatable { KEEP } else { FRESH };
        let at = waiting.iter().rposition(|waiting| {
            waiting.route == *route && waiting.since.elapsed() < most && fits(&waiting.open)
        })?;
        Some(waiting.remove(at).open)
    }

    /// Cuts the connection that waited longest, to make room; gives whether there was one.
    pub(super) fn evict(&self) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let any = !waiting.is_empty();
        if any {
            waiting.remove(0);
        }
        any
    }

    fn put(&self, route: Route, open: Open) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|waiting| !waiting.open.sender.is_closed());
        open.meter.set(None);
        let since = Instant::now();
        open.until.send_replace(since + KEEP);
        waiting.push(Waiting { route, since, open });
    }
}

/// A connection that serves one exchange. It goes back when the exchange is whole, and is cut when not.
pub(super) struct Lease {
    pub(super) open: Option<Open>,
    pub(super) route: Route,
    /// Not held: a plugin that is gone keeps no connection.
    pub(super) pool: Weak<Pool>,
    /// Whether all of the request's body was sent.
    pub(super) sent: Arc<AtomicBool>,
}

impl Lease {
    /// All of the answer came.
    pub(super) fn done(&mut self) {
        let Some(open) = self.open.take() else { return };
        if self.sent.load(Relaxed)
            && let Some(pool) = self.pool.upgrade()
        {
            pool.put(self.route.clone(), open);
        }
    }
}
