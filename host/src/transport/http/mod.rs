//! MCP over HTTP: one endpoint for both eras of the protocol, the health of the server beside it, and how it starts
//! and ends. Knows plugins by number alone.

mod body;
mod buffer;
mod connection;
mod desk;
mod gate;
mod older;
mod patience;
mod plain;
mod session;
mod sessions;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::body::Bodies;
use self::connection::{Bounds, accept_all};
use self::desk::Desk;
use self::gate::{Denied, Gate};
use self::older::Older;
use self::sessions::Sessions;
use super::front_door;
use crate::mcp::{Backend, KennelHandler};

pub use self::gate::{Access, AccessError, MIN_TOKEN};

/// Longest wait for the last bytes of streams that were cut.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often the drain looks whether calls are left.
const LOOK: Duration = Duration::from_millis(20);

/// The bounds of the server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Largest message, in bytes.
    pub max_message: usize,
    /// Connections open at once; each carries one request at a time.
    pub max_connections: usize,
    /// Sessions of older clients; beyond, the one unused for the longest time is closed.
    pub max_sessions: usize,
    /// After how long unused a session is closed.
    pub session_idle: Duration,
    /// How long a client may take over a request's head.
    pub head_time: Duration,
    /// How long it may take over a request's body.
    pub body_time: Duration,
    /// How long it may read nothing of an answer that waits for it.
    pub stalled: Duration,
    /// How long calls may go on after the server was asked to stop.
    pub drain: Duration,
    /// Also serve the transport of 2024-11-05, at `/sse` and `/messages`.
    pub legacy_sse: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_message: front_door::MAX_MESSAGE,
            max_connections: 1024,
            max_sessions: 1024,
            session_idle: Duration::from_secs(30 * 60),
            head_time: Duration::from_secs(30),
            body_time: Duration::from_secs(30),
            stalled: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            legacy_sse: false,
        }
    }
}

/// How the plugins stand, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Those found at the start are loaded or given up.
    pub ready: bool,
    /// Plugins that serve.
    pub loaded: usize,
    /// Plugins that cannot be used.
    pub failed: usize,
}

/// Why the server did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address does not read or resolve.
    #[error("--http {address}: {source}; write it like 127.0.0.1:8080")]
    Address {
        /// As it was given.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// Whoever reaches it could call.
    #[error(
        "--http {0}: others than this machine can reach that address, so calls must carry a token; give one with \
         --token-file FILE or in KENNEL_TOKEN, or listen at 127.0.0.1"
    )]
    Unprotected(SocketAddr),
    /// It cannot listen there.
    #[error("cannot listen at {address}: {source}; choose another port, or end what listens there")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The access makes no sense.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Signals cannot be heard.
    #[error("the server cannot run: {0}")]
    Io(#[from] std::io::Error),
}

/// Serves until the process is asked to stop (SIGINT, SIGTERM): then nothing new is accepted, what is in flight has
/// the time of the drain, and the rest is cut. `listening` is told the address once clients can connect.
///
/// # Errors
/// When it cannot listen at `address`, which must be one of this machine alone unless `access` has tokens.
pub async fn serve_process<B: Backend>(
    handler: KennelHandler<B>,
    address: &str,
    access: &Access,
    options: Options,
    health: impl Fn() -> Health + Send + Sync + 'static,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), HttpError> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    let listener = listen(address, access).await?;
    let bound = listener.local_addr()?;
    let gate = Arc::new(Gate::new(access, bound.ip())?);
    if bound.ip().is_unspecified() && access.allowed_hosts.is_empty() {
        tracing::warn!(
            "clients may only call this server localhost; name the others with --allowed-host NAME"
        );
    }
    listening(bound);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    serve(handler, listener, gate, options, Box::new(health), stop).await;
    Ok(())
}

async fn listen(address: &str, access: &Access) -> Result<TcpListener, HttpError> {
    let fault = |source| HttpError::Address { address: address.to_owned(), source };
    let none = || std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    let resolved = address.to_socket_addrs().map_err(fault)?.next().ok_or_else(|| fault(none()))?;
    if guarded!("open-address", !resolved.ip().is_loopback() && access.tokens.is_empty()) {
        return Err(HttpError::Unprotected(resolved));
    }
    TcpListener::bind(resolved).await.map_err(|source| HttpError::Listen { address: resolved, source })
}

/// What the ways of asking after the server know.
struct Asked {
    started: Instant,
    health: Box<dyn Fn() -> Health + Send + Sync>,
    stopping: CancellationToken,
}

async fn serve<B: Backend>(
    handler: KennelHandler<B>,
    listener: TcpListener,
    gate: Arc<Gate>,
    options: Options,
    health: Box<dyn Fn() -> Health + Send + Sync>,
    stop: impl Future<Output = ()>,
) {
    // Told first, when nothing new is begun; and last, when whatever still runs ends.
    let (stopping, cut) = (CancellationToken::new(), CancellationToken::new());
    let sessions = Sessions::new(options.max_sessions, options.session_idle);
    let bodies = Bodies::new(options.max_message, options.body_time);
    let older = options.legacy_sse.then(|| {
        let bodies = Bodies::new(options.max_message, options.body_time);
        Older::new(handler.for_another_client(), sessions.clone(), bodies, options.max_message, cut.clone())
    });
    let desk = Arc::new(Desk::new(handler, sessions.clone(), bodies, options.max_message, cut.clone()));

    let mut calls = Router::new().route("/mcp", any(desk::handle::<B>)).with_state(desk.clone());
    if let Some(older) = older {
        let routes = Router::new()
            .route("/sse", get(older::open::<B>))
            .route("/messages", post(older::message::<B>))
            .with_state(Arc::new(older));
        calls = calls.merge(routes);
    }
    let asked = Arc::new(Asked { started: Instant::now(), health, stopping: stopping.clone() });
    let router = calls
        .route_layer(middleware::from_fn_with_state(gate.clone(), identify))
        .route("/health", get(alive).with_state(asked.clone()))
        .route("/ready", get(ready).with_state(asked))
        .layer(middleware::from_fn_with_state(gate, admit));

    let bounds =
        Bounds { connections: options.max_connections, head: options.head_time, stalled: options.stalled };
    let tasks = TaskTracker::new();
    let accept = accept_all(listener, router, bounds, stopping.clone(), &tasks);
    tokio::select! {
        () = accept => {}
        () = sessions.sweep() => {}
        () = stop => {}
    }
    stopping.cancel();
    tasks.close();
    tracing::info!("stopping; calls in flight have {:?}", options.drain);
    let drained = async {
        while desk.is_busy() {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(options.drain, drained).await.is_err() {
        tracing::warn!("calls that did not end in time were cut");
    }
    cut.cancel();
    if tokio::time::timeout(LAST_WORDS, tasks.wait()).await.is_err() {
        tracing::info!("some clients did not read their last answers");
    }
}

/// Lets in requests that know this server by its name and come from no foreign web page; web pages that may come
/// are told that they may read the answers.
async fn admit(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(denied) = gate.check_place(&parts) {
        return turned_away(&denied);
    }
    let Some(origin) = parts.headers.get(header::ORIGIN).cloned() else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let asks =
        parts.method == Method::OPTIONS && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks {
        let mut response = plain::json(StatusCode::NO_CONTENT, "");
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_TYPE);
        let methods = HeaderValue::from_static("GET, POST, DELETE");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Some(wanted) = parts.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        response
    } else {
        next.run(Request::from_parts(parts, body)).await
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let exposed = HeaderValue::from_static("Mcp-Session-Id, WWW-Authenticate, Retry-After");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    response
}

/// Finds out whose request it is.
async fn identify(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    match gate.caller(request.headers()) {
        Ok((caller, may_approve)) => {
            // Nobody behind this needs to see it.
            request.headers_mut().remove(header::AUTHORIZATION);
            request.extensions_mut().insert(caller);
            if let Some(may_approve) = may_approve {
                request.extensions_mut().insert(may_approve);
            }
            next.run(request).await
        }
        Err(denied) => turned_away(&denied),
    }
}

fn turned_away(denied: &Denied) -> Response {
    let mut response = plain::refuse(denied.status(), None, denied.to_string());
    if *denied == Denied::Token {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// `/health`: it answers, so it is alive.
async fn alive(State(asked): State<Arc<Asked>>) -> Response {
    let health = (asked.health)();
    let status = match (asked.stopping.is_cancelled(), health.ready) {
        (true, _) => "stopping",
        (false, false) => "starting",
        (false, true) => "ok",
    };
    let seconds = asked.started.elapsed().as_secs();
    let answer = serde_json::json!({
        "status": status,
        "uptimeSeconds": seconds,
        "plugins": { "loaded": health.loaded, "failed": health.failed },
    });
    plain::json(StatusCode::OK, answer.to_string())
}

/// `/ready`: whether calls are taken.
async fn ready(State(asked): State<Arc<Asked>>) -> Response {
    let ready = (asked.health)().ready && !asked.stopping.is_cancelled();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    plain::json(status, format!(r#"{{"ready":{ready}}}"#))
}
