//! Bodies that end at a bound: bytes for requests; bytes, silence and the call's deadline for responses.
//! A response's body holds its connection, which is cut when the body goes before its end. Must not buffer.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::{Error, WasiBody};

use super::pool::Lease;

/// A request's body of at most so many bytes.
pub(super) struct RequestBody {
    /// `None` for a request without one.
    inner: Option<WasiBody>,
    left: u64,
    bound: u64,
    /// What is still to come of the declared length.
    declared: Option<u64>,
    sent: Arc<AtomicBool>,
}

impl RequestBody {
    /// At most `bound` bytes; of which `declared` are announced, after which nobody asks for more.
    pub(super) fn new(inner: WasiBody, bound: u64, declared: Option<u64>) -> Self {
        let sent = Arc::new(AtomicBool::new(inner.is_end_stream()));
        Self { inner: Some(inner), left: bound, bound, declared, sent }
    }

    /// No body.
    pub(super) fn none() -> Self {
        Self { inner: None, left: 0, bound: 0, declared: None, sent: Arc::new(AtomicBool::new(true)) }
    }

    /// Set when all of it was handed over.
    pub(super) fn sent(&self) -> Arc<AtomicBool> {
        self.sent.clone()
    }
}

/// Takes the frame's bytes from what is left; `None` when they are too many.
fn take(left: u64, frame: &Frame<Bytes>) -> Option<u64> {
    let bytes = frame.data_ref().map_or(0, Bytes::len);
    let left = guarded!("http-bodies", left, without u64::MAX);
    left.checked_sub(u64::try_from(bytes).unwrap_or(u64::MAX))
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let Some(frame) = ready!(Pin::new(inner).poll_frame(cx)?) else {
            self.sent.store(true, Relaxed);
            return Poll::Ready(None);
        };
        let Some(left) = take(self.left, &frame) else {
            return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(self.bound)))));
        };
        self.left = left;
        self.declared = self.declared.and_then(|declared| take(declared, &frame));
        if self.declared == Some(0) || self.is_end_stream() {
            self.sent.store(true, Relaxed);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// A response's body.
pub(super) struct ResponseBody {
    inner: Incoming,
    left: u64,
    bound: u64,
    deadline: Pin<Box<Sleep>>,
    /// Longest silence while somebody waits for bytes.
    silence: Duration,
    quiet: Pin<Box<Sleep>>,
    /// Whether `quiet` runs. It does not while the guest is busy with what it has.
    waiting: bool,
    ended: bool,
    connection: Lease,
}

impl ResponseBody {
    pub(super) fn new(
        inner: Incoming,
        bound: u64,
        deadline: Instant,
        silence: Duration,
        mut connection: Lease,
    ) -> Self {
        if inner.is_end_stream() {
            connection.done();
        }
        Self {
            inner,
            left: bound,
            bound,
            deadline: Box::pin(sleep_until(deadline)),
            silence,
            quiet: Box::pin(sleep_until(deadline)),
            waiting: false,
            ended: false,
            connection,
        }
    }

    fn poll_bounded(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(Error::HttpResponseTimeout)));
        }
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting = false;
                let Some(left) = take(self.left, &frame) else {
                    return Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(self.bound)))));
                };
                self.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(super::client::response_error(&error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if !self.waiting {
                    self.waiting = true;
                    let until = Instant::now().checked_add(self.silence);
                    if let Some(until) = until {
                        self.quiet.as_mut().reset(until);
                    }
                }
                self.quiet.as_mut().poll(cx).map(|()| Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = ready!(self.poll_bounded(cx));
        // After an error nothing more comes, whatever the connection still holds.
        self.ended = !matches!(polled, Some(Ok(_)));
        match &polled {
            None => self.connection.done(),
            Some(Ok(_)) if self.inner.is_end_stream() => self.connection.done(),
            Some(Ok(_)) => {}
            Some(Err(_)) => drop(self.connection.open.take()),
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
