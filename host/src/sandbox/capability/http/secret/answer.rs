//! An answer without any value of the plugin's secrets: fields and body, wherever the body is cut. Must not buffer
//! more than what may be the beginning of a value.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{Error, WasiBody};

use super::super::shown;
use super::Refusal;
use crate::observe::{Scrubber, Stream};

/// The answer as the plugin may have it.
///
/// # Errors
/// When it is coded, so that nothing can be found in it. It was asked not to be.
pub(super) fn clean(
    response: Response<WasiBody>,
    scrubber: &Arc<Scrubber>,
) -> Result<Response<WasiBody>, Refusal> {
    let (mut parts, inner) = response.into_parts();
    for (field, plain) in [(header::CONTENT_ENCODING, "identity"), (header::TRANSFER_ENCODING, "chunked")] {
        for value in parts.headers.get_all(field) {
            if !value.as_bytes().trim_ascii().eq_ignore_ascii_case(plain.as_bytes()) {
                let how = shown(&String::from_utf8_lossy(value.as_bytes()));
                return Err(Refusal::Coded(format!("coded as `{how}`")));
            }
        }
    }
    clean_fields(&mut parts.headers, scrubber);
    let body =
        Clean { inner, stream: scrubber.stream(), scrubber: scrubber.clone(), after: None, ended: false };
    Ok(Response::from_parts(parts, body.boxed_unsync()))
}

fn clean_fields(fields: &mut HeaderMap, scrubber: &Scrubber) {
    let odd: Vec<_> =
        fields.keys().filter(|name| scrubber.mask(&mut name.as_str().as_bytes().to_vec())).cloned().collect();
    for name in odd {
        fields.remove(name);
    }
    for value in fields.values_mut() {
        let mut bytes = value.as_bytes().to_vec();
        if scrubber.mask(&mut bytes) {
            // Asterisks in place of bytes that were a field's value are one.
            *value = HeaderValue::from_bytes(&bytes).unwrap_or_else(|_| HeaderValue::from_static(""));
        }
    }
}

/// The body. Lengths stay, so that a `content-length` is still true.
struct Clean {
    inner: WasiBody,
    stream: Stream,
    scrubber: Arc<Scrubber>,
    /// What comes after the bytes that were kept back.
    after: Option<Frame<Bytes>>,
    ended: bool,
}

impl Body for Clean {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            if let Some(frame) = self.after.take() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let rest = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Err(error)) => {
                    // What was kept back may be half of a value whose other half is lost.
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.stream.push(&data),
                    Err(frame) => {
                        self.after = frame.into_trailers().ok().map(|mut trailers| {
                            clean_fields(&mut trailers, &self.scrubber);
                            Frame::trailers(trailers)
                        });
                        self.stream.finish()
                    }
                },
                None => {
                    self.ended = true;
                    self.stream.finish()
                }
            };
            if !rest.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(rest.into()))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.after.is_none()
    }
}
