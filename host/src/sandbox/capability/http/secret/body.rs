//! A request's body in which no placeholder is sent. Must not buffer.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use aho_corasick::AhoCorasick;
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{Error, WasiBody};

use super::placeholder;
use crate::sandbox::capability::secrets::Configured;

/// The name in the placeholder that a body held.
pub(super) type Written = Arc<OnceLock<String>>;

struct Guarded {
    inner: WasiBody,
    placeholders: AhoCorasick,
    names: Vec<String>,
    /// The end of what went before, shorter than any placeholder's own length.
    tail: Vec<u8>,
    longest: usize,
    written: Written,
}

/// The request with a body that fails where it holds the placeholder of a secret; what it held is noted.
pub(super) fn guarded(request: Request<WasiBody>, secrets: &Configured) -> (Request<WasiBody>, Written) {
    let written = Written::default();
    let names: Vec<_> = secrets.held().iter().map(|held| held.grant.name.clone()).collect();
    let patterns: Vec<_> = names.iter().map(|name| placeholder::of(name)).collect();
    let longest = patterns.iter().map(String::len).max().unwrap_or(0);
    let request = match AhoCorasick::new(&patterns) {
        Ok(placeholders) if !request.body().is_end_stream() => {
            let written = written.clone();
            request.map(|inner| {
                Guarded { inner, placeholders, names, tail: Vec::new(), longest, written }.boxed_unsync()
            })
        }
        _ => request,
    };
    (request, written)
}

impl Guarded {
    /// Whether these bytes end a placeholder.
    fn finds(&mut self, piece: &[u8]) -> bool {
        self.tail.extend_from_slice(piece);
        if let Some(found) = self.placeholders.find(&self.tail) {
            let name = self.names.get(found.pattern().as_usize()).cloned().unwrap_or_default();
            let _ = self.written.set(name);
            return true;
        }
        let keep = self.longest.saturating_sub(1);
        self.tail.drain(..self.tail.len().saturating_sub(keep));
        false
    }
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(cx)?) else {
            return Poll::Ready(None);
        };
        let found = match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => self.finds(data),
            (_, Some(trailers)) => trailers.values().any(|value| {
                self.tail.clear();
                self.finds(value.as_bytes())
            }),
            _ => false,
        };
        Poll::Ready(Some(if found { Err(Error::HttpRequestDenied) } else { Ok(frame) }))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
