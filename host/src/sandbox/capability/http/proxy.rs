//! The way through an HTTP proxy: a tunnel to what was checked (RFC 9110, 9.3.6). Decides nothing about where it may
//! lead; must not be told a name unless the configuration says that the proxy looks names up.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use wasmtime_wasi_http::Error;

use super::client::Io;
use super::pool::Task;
use crate::grants::Proxy;

/// Opens a tunnel to `target`, an authority with its port, over a connection to the proxy.
///
/// # Errors
/// When the proxy does not open it.
pub(super) async fn tunnel(proxy: &Proxy, io: Box<dyn Io>, target: &str) -> Result<Box<dyn Io>, Error> {
    let failed = |_| Error::ConnectionTerminated;
    let handshake = hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(io));
    let (mut sender, connection) = handshake.await.map_err(failed)?;
    let driver = Task(tokio::spawn(async move {
        let _ = connection.with_upgrades().await;
    }));
    let uri: Uri = target.parse().map_err(|_| Error::HttpRequestUriInvalid)?;
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = uri;
    let host = HeaderValue::try_from(target).map_err(|_| Error::HttpRequestUriInvalid)?;
    request.headers_mut().insert(header::HOST, host);
    if let Some(value) = authorization(proxy) {
        request.headers_mut().insert(header::PROXY_AUTHORIZATION, value);
    }
    let answer = sender.send_request(request).await.map_err(failed)?;
    if answer.status() != StatusCode::OK {
        tracing::debug!(status = %answer.status(), "the proxy opened no tunnel");
        return Err(match answer.status() {
            StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => Error::HttpRequestDenied,
            _ => Error::DestinationUnavailable,
        });
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(failed)?;
    // The connection's task ended when it was upgraded.
    drop(driver);
    Ok(Box::new(TokioIo::new(upgraded)))
}

/// Who asks, as the proxy wants to hear it.
pub(super) fn authorization(proxy: &Proxy) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(proxy.authorization.as_deref()?).ok()?;
    value.set_sensitive(true);
    Some(value)
}
