//! Sends one request that the gate let through: resolve once, check every address, dial what was checked,
//! speak HTTP/1.1, all under one deadline. Must not decide what is granted, retry, or follow a redirect.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::address::is_blocked;
use super::body::{Connection, RequestBody, ResponseBody};
use super::network::{Metered, Network, dial};
use super::trust::Trust;
use crate::grants::{HttpHost, HttpOperation, HttpScheme};
use crate::sandbox::Counters;

/// Longest a connection may take to be there, TLS included, and to be free under the plugin's bound.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest silence within a response.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes of the fields of a response's head, names, values and separators.
const MAX_HEAD: usize = 64 << 10;
/// Bytes read ahead. hyper lets a head grow to about twice this, hence the count of our own.
const READ_AHEAD: usize = 64 << 10;
/// Fields of a response's head.
const MAX_FIELDS: usize = 128;

/// What sends a plugin's requests.
pub(super) struct Client {
    pub(super) network: Arc<dyn Network>,
    pub(super) trust: Arc<Trust>,
    /// Connections that all calls of the plugin may still open.
    pub(super) connections: Arc<Semaphore>,
}

/// What one request may take. The guest's own wishes only ever shorten it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    deadline: Instant,
    connect: Instant,
    first_byte: Option<Duration>,
    silence: Duration,
    request_body: u64,
    response_body: u64,
}

impl Bounds {
    /// Bounds of a request that begins now; `request_body` and `response_body` are bytes.
    pub(super) fn new(
        deadline: Instant,
        options: RequestOptions,
        request_body: u64,
        response_body: u64,
    ) -> Self {
        let connect = options.connect_timeout.map_or(CONNECT, |wish| wish.min(CONNECT));
        Self {
            deadline,
            connect: (Instant::now() + connect).min(deadline),
            first_byte: options.first_byte_timeout,
            silence: options.between_bytes_timeout.map_or(SILENCE, |wish| wish.min(SILENCE)),
            request_body,
            response_body,
        }
    }

    /// When the response's head must be there, for a request that is sent now.
    fn head(&self) -> Instant {
        let wish = self.first_byte.and_then(|wish| Instant::now().checked_add(wish));
        wish.map_or(self.deadline, |wish| wish.min(self.deadline))
    }
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Client {
    /// Sends the request; the answer's body holds the connection and its place under the plugin's bound.
    ///
    /// # Errors
    /// `DestinationIpProhibited` when any address of the host is not public and `private` is false; else
    /// what went wrong, in the terms of `wasi:http`.
    pub(super) async fn send(
        &self,
        operation: &HttpOperation,
        private: bool,
        request: Request<WasiBody>,
        bounds: Bounds,
        counters: &Arc<Counters>,
    ) -> Result<Response<WasiBody>, Error> {
        if declared_length(request.headers()).is_some_and(|length| length > bounds.request_body) {
            return Err(Error::HttpRequestBodySize(Some(bounds.request_body)));
        }
        let request = outgoing(request, operation, bounds.request_body)?;
        let permit = timeout_at(bounds.connect, self.connections.clone().acquire_owned())
            .await
            .map_err(|_| Error::ConnectionLimitReached)?
            .map_err(|_| Error::ConnectionLimitReached)?;
        let addresses = timeout_at(bounds.connect, self.addresses(operation, private))
            .await
            .map_err(|_| Error::DnsTimeout)??;
        let addresses =
            guarded!("dialled-as-checked", addresses, without self.addresses(operation, true).await?);
        let io = timeout_at(bounds.connect, self.connect(operation, &addresses, counters))
            .await
            .map_err(|_| Error::ConnectionTimeout)??;
        exchange(io, permit, request, bounds).await
    }

    /// The addresses of the host, each checked. The name is not looked up again.
    async fn addresses(&self, operation: &HttpOperation, private: bool) -> Result<Vec<SocketAddr>, Error> {
        let port = operation.port();
        let addresses = match operation.host() {
            HttpHost::Address(address) => vec![SocketAddr::new(*address, port)],
            HttpHost::Name(name) => {
                let found = self.network.resolve(name, port).await;
                found.map_err(|_| Error::DnsError { rcode: None, info_code: None })?
            }
        };
        if addresses.is_empty() {
            return Err(Error::DestinationNotFound);
        }
        // One is enough to refuse: an answer that mixes public and private addresses is an attack or a
        // mistake, and which one would be dialled is up to the network.
        if guarded!("private-addresses", !private && addresses.iter().any(|address| is_blocked(address.ip())))
        {
            return Err(Error::DestinationIpProhibited);
        }
        Ok(addresses)
    }

    async fn connect(
        &self,
        operation: &HttpOperation,
        addresses: &[SocketAddr],
        counters: &Arc<Counters>,
    ) -> Result<Box<dyn Io>, Error> {
        let stream = dial(&*self.network, addresses).await.map_err(|error| connect_error(&error))?;
        let stream = Metered::new(stream, counters.clone());
        match operation.scheme() {
            HttpScheme::Http => Ok(Box::new(stream)),
            HttpScheme::Https => Ok(Box::new(self.tls(operation, stream).await?)),
        }
    }

    async fn tls(
        &self,
        operation: &HttpOperation,
        stream: Metered<TcpStream>,
    ) -> Result<tokio_rustls::client::TlsStream<Metered<TcpStream>>, Error> {
        let name = match operation.host() {
            HttpHost::Address(address) => ServerName::IpAddress((*address).into()),
            HttpHost::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid)?
            }
        };
        let config = self.trust.config().await.map_err(|error| {
            tracing::warn!(%error, "no https request can be sent; install the system's CA certificates");
            Error::ConfigurationError
        })?;
        let connector = tokio_rustls::TlsConnector::from(config);
        connector.connect(name, stream).await.map_err(|error| tls_error(&error))
    }
}

/// The request as it goes on the wire: origin form (RFC 9112, 3.2.1), our `Host` first, a bounded body.
fn outgoing(
    request: Request<WasiBody>,
    operation: &HttpOperation,
    bound: u64,
) -> Result<Request<RequestBody>, Error> {
    let (mut parts, body) = request.into_parts();
    let target = match parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str) {
        None | Some("") => "/".to_owned(),
        Some(target) if target.starts_with('?') => format!("/{target}"),
        Some(target) => target.to_owned(),
    };
    parts.uri = Uri::builder().path_and_query(target).build().map_err(|_| Error::HttpRequestUriInvalid)?;
    parts.version = http::Version::HTTP_11;
    let host = HeaderValue::try_from(operation.authority()).map_err(|_| Error::HttpRequestUriInvalid)?;
    let fields = std::mem::take(&mut parts.headers);
    parts.headers.insert(header::HOST, host);
    parts.headers.extend(fields);
    Ok(Request::from_parts(parts, RequestBody::new(body, bound)))
}

async fn exchange(
    io: Box<dyn Io>,
    permit: OwnedSemaphorePermit,
    request: Request<RequestBody>,
    bounds: Bounds,
) -> Result<Response<WasiBody>, Error> {
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(READ_AHEAD)
        .max_headers(MAX_FIELDS)
        .handshake::<_, RequestBody>(TokioIo::new(io))
        .await
        .map_err(|error| response_error(&error))?;
    let deadline = bounds.deadline;
    let driver = Connection(tokio::spawn(async move {
        let _permit = permit;
        // Errors reach the guest through the request or the body.
        let _ = timeout_at(deadline, connection).await;
    }));
    let response = timeout_at(bounds.head(), sender.send_request(request))
        .await
        .map_err(|_| Error::ConnectionReadTimeout)?
        .map_err(|error| response_error(&error))?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // Nothing asked for it.
        return Err(Error::HttpUpgradeFailed);
    }
    let head: usize =
        response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if guarded!("response-head", head > MAX_HEAD) {
        return Err(head_error());
    }
    let (parts, body) = response.into_parts();
    if body.size_hint().lower() > bounds.response_body {
        return Err(Error::HttpResponseBodySize(Some(body.size_hint().lower())));
    }
    let body = ResponseBody::new(body, bounds.response_body, deadline, bounds.silence, driver);
    Ok(Response::from_parts(parts, body.boxed_unsync()))
}

fn declared_length(fields: &http::HeaderMap) -> Option<u64> {
    fields.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn connect_error(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        _ => Error::DestinationUnavailable,
    }
}

fn tls_error(error: &io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
        Some(rustls::Error::AlertReceived(alert)) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: alert.as_str().map(str::to_owned),
        },
        Some(_) => Error::TlsProtocolError,
        None => Error::ConnectionTerminated,
    }
}

fn head_error() -> Error {
    Error::HttpResponseHeaderSectionSize(u32::try_from(MAX_HEAD).ok())
}

/// hyper's error in the terms of `wasi:http`; the cause, when it is one of those already.
pub(super) fn response_error(error: &hyper::Error) -> Error {
    if let Some(Error::HttpRequestBodySize(bound)) = error.source().and_then(|e| e.downcast_ref::<Error>()) {
        return Error::HttpRequestBodySize(*bound);
    }
    if error.is_parse_too_large() {
        head_error()
    } else if error.is_incomplete_message() || error.is_body_write_aborted() {
        Error::HttpResponseIncomplete
    } else if error.is_closed() || error.is_canceled() {
        Error::ConnectionTerminated
    } else if error.is_timeout() {
        Error::HttpResponseTimeout
    } else if error.is_parse() || error.is_user() {
        Error::HttpProtocolError
    } else {
        // What is left is the transport's: a reset, or TLS that broke off.
        Error::HttpResponseIncomplete
    }
}
