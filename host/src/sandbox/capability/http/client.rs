//! Sends one request that the gate let through: resolve once, check every address, dial what was checked,
//! speak HTTP/1.1, all under one deadline. Must not decide what is granted, follow a redirect, or send anything twice
//! but what a kept connection turned out to be closed for.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::super::network::{Meter, Metered, Network, Overdrawn, Traffic, dial};
use super::body::{RequestBody, ResponseBody};
use super::pool::{Lease, Open, Pool, Route};
use super::proxy::{self, tunnel};
use super::trust::Trust;
use crate::grants::{Egress, HostPattern, HttpHost, HttpOperation, HttpScheme, Proxy, is_blocked};

/// Longest a connection may take to be there, TLS included, and to be free under the plugin's bound.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest silence within a response.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes of the fields of a response's head, names, values and separators.
const MAX_HEAD: usize = 64 << 10;
/// Bytes read ahead. hyper lets a head grow to about twice this, hence the count of our own.
const READ_AHEAD: usize = 64 << 10;
/// Longest a kept connection may take to be done with what was before.
const SETTLE: Duration = Duration::from_millis(100);
/// Addresses of a host that a proxy is asked for.
const TUNNELS: usize = 3;
/// Fields of a response's head.
const MAX_FIELDS: usize = 128;

/// What sends a plugin's requests.
pub(super) struct Client {
    pub(super) network: Arc<dyn Network>,
    pub(super) trust: Arc<Trust>,
    pub(super) egress: Egress,
    /// Connections that wait for the plugin's next request.
    pub(super) pool: Arc<Pool>,
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
    pub(super) request_body: u64,
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

/// A connection's bytes, whatever it goes through.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// What a connection is opened for.
struct Destination<'a> {
    operation: &'a HttpOperation,
    private: bool,
    proxy: Option<&'a Proxy>,
}

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
        traffic: &Traffic,
    ) -> Result<Response<WasiBody>, Error> {
        if declared_length(request.headers()).is_some_and(|length| length > bounds.request_body) {
            return Err(Error::HttpRequestBodySize(Some(bounds.request_body)));
        }
        if traffic.spent() {
            return Err(overdrawn());
        }
        let proxy = self.egress.proxy.as_ref().filter(|proxy| proxy.serves(operation.host()));
        let destination = Destination { operation, private, proxy };
        let mut request = outgoing(request, operation, bounds.request_body)?;
        let repeat = repeatable(&request);
        let route = Route::of(operation);
        // A kept connection may be one that another grant allowed.
        let allowed = |open: &Open| private || open.address.is_none_or(|address| !is_blocked(address.ip()));
        if let Some(open) = self.pool.take(&route, repeat.is_some(), allowed)
            && let Some(open) = settled(open, bounds.connect).await
        {
            open.serve(traffic.clone(), bounds.deadline);
            traffic.counters.reached(&operation.destination());
            match self.exchange(open, &route, request, bounds).await {
                Ok(response) => return Ok(response),
                Err((_, Some(unsent))) => request = unsent,
                Err((error, None)) => match repeat {
                    Some(again) if is_stale(&error) => request = again,
                    _ => return Err(error),
                },
            }
        }
        let open = self.open(&destination, bounds, traffic).await?;
        self.exchange(open, &route, request, bounds).await.map_err(|(error, _)| error)
    }

    /// A new connection.
    async fn open(&self, to: &Destination<'_>, bounds: Bounds, traffic: &Traffic) -> Result<Open, Error> {
        let permit = match self.connections.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                // What only waits for a next request gives way.
                self.pool.evict();
                timeout_at(bounds.connect, self.connections.clone().acquire_owned())
                    .await
                    .map_err(|_| Error::ConnectionLimitReached)?
                    .map_err(|_| Error::ConnectionLimitReached)?
            }
        };
        let addresses =
            timeout_at(bounds.connect, self.addresses(to)).await.map_err(|_| Error::DnsTimeout)??;
        let addresses = guarded!("dialled-as-checked", addresses, without self.addresses(&Destination { private: true, ..*to }).await?);
        traffic.counters.reached(&to.operation.destination());
        let meter = Meter::default();
        meter.set(Some(traffic.clone()));
        let connecting = self.connect(to, &addresses, &meter);
        let (io, address) =
            timeout_at(bounds.connect, connecting).await.map_err(|_| Error::ConnectionTimeout)??;
        let connection = hyper::client::conn::http1::Builder::new()
            .max_buf_size(READ_AHEAD)
            .max_headers(MAX_FIELDS)
            .handshake::<_, RequestBody>(TokioIo::new(io))
            .await
            .map_err(|error| response_error(&error))?;
        let absolute = to.is_absolute();
        Ok(Open::new(connection, address, absolute, meter, bounds.deadline, permit))
    }

    /// The addresses of the host, each checked. The name is not looked up again. Empty when a proxy looks it up.
    async fn addresses(&self, to: &Destination<'_>) -> Result<Vec<SocketAddr>, Error> {
        let port = to.operation.port();
        let addresses = match to.operation.host() {
            HttpHost::Address(address) => vec![SocketAddr::new(*address, port)],
            HttpHost::Name(name) if to.proxy.is_some_and(|proxy| proxy.resolves) => {
                // Nobody here will see the address, so at least what the name says of it counts.
                let local = HostPattern::Name(name.clone()).names_private();
                return if local && !to.private {
                    Err(Error::DestinationIpProhibited)
                } else {
                    Ok(Vec::new())
                };
            }
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
        if guarded!(
            "private-addresses",
            !to.private && addresses.iter().any(|address| is_blocked(address.ip()))
        ) {
            return Err(Error::DestinationIpProhibited);
        }
        Ok(addresses)
    }

    /// Connects to one of the addresses, and says to which.
    async fn connect(
        &self,
        to: &Destination<'_>,
        addresses: &[SocketAddr],
        meter: &Meter,
    ) -> Result<(Box<dyn Io>, Option<SocketAddr>), Error> {
        let (io, address): (Box<dyn Io>, _) = match to.proxy {
            None => {
                let stream = dial(&*self.network, addresses).await.map_err(|error| connect_error(&error))?;
                let address = stream.peer_addr().map_err(|error| connect_error(&error))?;
                // What the network reports is what a test's network dialled instead; what counts was checked.
                let checked = addresses.iter().find(|checked| **checked == address).or(addresses.first());
                (Box::new(Metered::new(stream, meter.clone())), checked.copied())
            }
            Some(proxy) => self.through(proxy, to, addresses, meter).await?,
        };
        match to.operation.scheme() {
            HttpScheme::Http => Ok((io, address)),
            HttpScheme::Https => Ok((Box::new(self.tls(to.operation.host(), io).await?), address)),
        }
    }

    /// A way to the destination through the proxy: to a checked address, unless the proxy looks names up.
    async fn through(
        &self,
        proxy: &Proxy,
        to: &Destination<'_>,
        addresses: &[SocketAddr],
        meter: &Meter,
    ) -> Result<(Box<dyn Io>, Option<SocketAddr>), Error> {
        if to.is_absolute() {
            return Ok((self.dial_proxy(proxy, meter).await?, None));
        }
        if addresses.is_empty() {
            let target = format!("{}:{}", to.operation.host(), to.operation.port());
            return Ok((tunnel(proxy, self.dial_proxy(proxy, meter).await?, &target).await?, None));
        }
        // A proxy says only that it failed, so the family that works nearly everywhere comes first.
        let mut addresses = addresses.to_vec();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let mut failure = Error::DestinationNotFound;
        for address in addresses.into_iter().take(TUNNELS) {
            let io = self.dial_proxy(proxy, meter).await?;
            match tunnel(proxy, io, &address.to_string()).await {
                Ok(io) => return Ok((io, Some(address))),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// A connection to the proxy itself, whose address is the configuration's own word.
    async fn dial_proxy(&self, proxy: &Proxy, meter: &Meter) -> Result<Box<dyn Io>, Error> {
        let addresses = match &proxy.host {
            HttpHost::Address(address) => vec![SocketAddr::new(*address, proxy.port)],
            HttpHost::Name(name) => {
                let found = self.network.resolve(name, proxy.port).await;
                found.map_err(|_| Error::DnsError { rcode: None, info_code: None })?
            }
        };
        let stream = dial(&*self.network, &addresses).await.map_err(|error| connect_error(&error))?;
        let stream = Metered::new(stream, meter.clone());
        if proxy.tls { Ok(Box::new(self.tls(&proxy.host, stream).await?)) } else { Ok(Box::new(stream)) }
    }

    async fn tls<T: Io>(&self, host: &HttpHost, stream: T) -> Result<TlsStream<T>, Error> {
        let name = match host {
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

    /// One request and its answer. With the error comes the request, if nothing of it was sent.
    async fn exchange(
        &self,
        mut open: Open,
        route: &Route,
        mut request: Request<RequestBody>,
        bounds: Bounds,
    ) -> Result<Response<WasiBody>, (Error, Option<Request<RequestBody>>)> {
        if open.absolute {
            self.absolute(&mut request, route).map_err(|error| (error, None))?;
        }
        let sent = request.body().sent();
        let response = match timeout_at(bounds.head(), open.sender.try_send_request(request)).await {
            Err(_) => return Err((Error::ConnectionReadTimeout, None)),
            Ok(Err(mut failed)) => return Err((response_error(failed.error()), failed.take_message())),
            Ok(Ok(response)) => response,
        };
        let lease = Lease { open: Some(open), route: route.clone(), pool: Arc::downgrade(&self.pool), sent };
        answer(response, lease, bounds).map_err(|error| (error, None))
    }

    /// Writes a request for a proxy (RFC 9112, 3.2.2).
    fn absolute(&self, request: &mut Request<RequestBody>, route: &Route) -> Result<(), Error> {
        let invalid = |_| Error::HttpRequestUriInvalid;
        let target = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        let uri = Uri::builder().scheme("http").authority(route.authority()).path_and_query(target);
        *request.uri_mut() = uri.build().map_err(invalid)?;
        if let Some(value) = self.egress.proxy.as_ref().and_then(proxy::authorization) {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, value);
        }
        Ok(())
    }
}

impl Destination<'_> {
    /// Whether the request is written for the proxy, not for the server.
    fn is_absolute(&self) -> bool {
        self.operation.scheme() == HttpScheme::Http && self.proxy.is_some_and(|proxy| proxy.resolves)
    }
}

/// A kept connection when it is ready for the next request.
async fn settled(mut open: Open, by: Instant) -> Option<Open> {
    let by = by.min(Instant::now() + SETTLE);
    matches!(timeout_at(by, open.sender.ready()).await, Ok(Ok(()))).then_some(open)
}

/// The same request once more, when sending it twice is as good as once and it has no body (RFC 9110, 9.2.2).
fn repeatable(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let safe = matches!(*request.method(), http::Method::GET | http::Method::HEAD);
    if !safe || !request.body().is_end_stream() {
        return None;
    }
    let mut again = Request::new(RequestBody::none());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}

/// Whether a kept connection failed as one does that the server has closed meanwhile.
fn is_stale(error: &Error) -> bool {
    matches!(error, Error::HttpResponseIncomplete | Error::ConnectionTerminated)
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
    let declared = declared_length(&parts.headers);
    // hyper sends no body with these unless a length is declared; then nobody would ever ask for its end.
    let bare = matches!(parts.method, http::Method::GET | http::Method::HEAD) && declared.is_none();
    let body = if bare || declared == Some(0) {
        RequestBody::none()
    } else {
        RequestBody::new(body, bound, declared)
    };
    Ok(Request::from_parts(parts, body))
}

fn answer(response: Response<Incoming>, lease: Lease, bounds: Bounds) -> Result<Response<WasiBody>, Error> {
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
    let body = ResponseBody::new(body, bounds.response_body, bounds.deadline, bounds.silence, lease);
    Ok(Response::from_parts(parts, body.boxed_unsync()))
}

fn declared_length(fields: &http::HeaderMap) -> Option<u64> {
    fields.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_overdrawn(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Overdrawn>())
}

fn overdrawn() -> Error {
    Error::InternalError(Some(Overdrawn.to_string()))
}

fn connect_error(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        _ => Error::DestinationUnavailable,
    }
}

fn tls_error(error: &io::Error) -> Error {
    if is_overdrawn(error) {
        return overdrawn();
    }
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
    if error.source().and_then(|e| e.downcast_ref::<io::Error>()).is_some_and(is_overdrawn) {
        return overdrawn();
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
