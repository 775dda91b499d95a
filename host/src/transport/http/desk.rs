//! The endpoint: each request's body passes the front door before the protocol library sees it, and each answer gets
//! its shape here. Knows sessions by their id alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, Entry};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ErrorCode};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::body::{Bodies, BodyFault};
use super::patience::{KEEP_ALIVE, is_stream, patiently};
use super::plain::{self, Plain};
use super::sessions::Sessions;
use crate::mcp::{Backend, Caller, Detached, KennelHandler, Listen, RawArguments};
use crate::transport::front_door::{self, Admitted, Refusal, id_text};

const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";

/// The first version whose requests need no session.
const STATELESS: &str = "2026-07-28";

/// Most bytes of an error of the protocol library that is put into our words.
const MAX_ERROR: usize = 16 << 10;

pub(super) struct Desk<B: Backend> {
    service: StreamableHttpService<KennelHandler<B>, Sessions>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) bodies: Bodies,
    max_message: usize,
    calls: Arc<AtomicUsize>,
}

/// A call that is worked on.
struct Call(Arc<AtomicUsize>);

impl Call {
    fn begin(calls: &Arc<AtomicUsize>) -> Self {
        calls.fetch_add(1, Ordering::Relaxed);
        Self(calls.clone())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a message is passed on.
#[derive(Default)]
struct Message {
    id: Option<String>,
    /// Its request says itself which version it follows.
    declares_version: bool,
    begins_session: bool,
    /// Not a change stream, which lasts.
    is_call: bool,
    arguments: Option<RawArguments>,
    /// What a change stream is to tell of, and the message as the library is to have it.
    listen: Option<(Listen, Vec<u8>)>,
}

impl<B: Backend> Desk<B> {
    pub(super) fn new(
        handler: KennelHandler<B>,
        sessions: Arc<Sessions>,
        bodies: Bodies,
        max_message: usize,
        cut: CancellationToken,
    ) -> Self {
        let config = StreamableHttpServerConfig::default()
            .with_cancellation_token(cut)
            .with_json_response(true)
            .with_sse_keep_alive(Some(KEEP_ALIVE))
            // Sessions do the priming themselves, for the clients that know it.
            .with_sse_retry(None)
            .with_max_request_body_bytes(max_message)
            // The gate stands before.
            .disable_allowed_hosts()
            .disable_allowed_origins();
        let service =
            StreamableHttpService::new(move || Ok(handler.for_another_client()), sessions.clone(), config);
        Self { service, sessions, bodies, max_message, calls: Arc::default() }
    }

    /// Whether calls are being worked on.
    pub(super) fn is_busy(&self) -> bool {
        self.calls.load(Ordering::Relaxed) > 0 || self.sessions.are_busy()
    }

    async fn post(&self, mut parts: Parts, body: Body, caller: &Caller) -> Response {
        let read = match self.bodies.read(body).await {
            Ok(read) => read,
            Err(fault) => return no_body(fault, self.max_message),
        };
        let message = match admit(&read.bytes) {
            Ok(message) => message,
            Err(response) => return *response,
        };
        let stateless = !message.begins_session && (message.declares_version || says_stateless(&parts));
        if let Some(response) = self.check_session(&mut parts, caller, stateless, message.id.clone()) {
            return response;
        }
        let reserved = if message.begins_session && !parts.headers.contains_key(SESSION) {
            match self.sessions.reserve() {
                Ok(reserved) => Some(reserved),
                Err(error) => return plain::busy(message.id, error.to_string()),
            }
        } else {
            None
        };
        if let Some(arguments) = message.arguments {
            parts.extensions.insert(arguments);
        }
        let plain = Plain::default();
        parts.extensions.insert(plain.clone());
        parts.extensions.insert(Detached::default());
        let mut body = read.bytes;
        if stateless
            && let Some((listen, for_library)) = message.listen
            && rename_listen(&mut parts)
        {
            parts.extensions.insert(listen);
            body = for_library;
        }
        let request = Request::from_parts(parts, Full::new(Bytes::from(body)));
        let (service, place, id) = (self.service.clone(), read.place, message.id);
        let call = async move {
            let response = service.handle(request).await.map(Body::new);
            drop((reserved, place));
            shape(response, &plain, id).await
        };
        let counted = message.is_call.then(|| Call::begin(&self.calls));
        let response = if stateless { patiently(call).await } else { call.await };
        if !is_stream(&response) {
            return response;
        }
        // It goes on until the stream's last byte.
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _ = &counted;
                frame
            }))
        })
    }

    /// Refuses a session that is not there or is another caller's, which must look the same.
    fn check_session(
        &self,
        parts: &mut Parts,
        caller: &Caller,
        stateless: bool,
        id: Option<String>,
    ) -> Option<Response> {
        let session = parts.headers.get(SESSION)?.to_str().unwrap_or_default();
        if let Some(session) = self.sessions.of_caller(session, &caller.0) {
            session.touch();
            return None;
        }
        // The library decides by other signs whether a request needs a session. It must not find this one.
        parts.headers.remove(SESSION);
        let message = "there is no such session, or none any more; initialize a new one";
        (!stateless).then(|| plain::refuse(StatusCode::NOT_FOUND, id, message))
    }
}

/// Any request at the endpoint.
pub(super) async fn handle<B: Backend>(
    State(desk): State<Arc<Desk<B>>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    if parts.method == Method::POST {
        return desk.post(parts, body, &caller).await;
    }
    let stateless = says_stateless(&parts);
    if let Some(response) = desk.check_session(&mut parts, &caller, stateless, None) {
        return response;
    }
    let request = Request::from_parts(parts, Full::<Bytes>::default());
    let response = desk.service.handle(request).await.map(Body::new);
    shape(response, &Plain::default(), None).await
}

fn says_stateless(parts: &Parts) -> bool {
    let version = parts.headers.get(VERSION).and_then(|version| version.to_str().ok());
    version.is_some_and(|version| version >= STATELESS)
}

/// The answer to a request whose body was not read.
pub(super) fn no_body(fault: BodyFault, max: usize) -> Response {
    match fault {
        BodyFault::TooLong(beginning) => {
            plain::refused(StatusCode::PAYLOAD_TOO_LARGE, &front_door::too_long(&beginning, max))
        }
        BodyFault::Late => plain::busy(None, "the message did not come in time; send it again"),
        BodyFault::Broken => plain::refuse(StatusCode::BAD_REQUEST, None, "the message ended before its end"),
    }
}

/// Names a change stream in the header as its message is named for the library; false when the header names another
/// method, which the library refuses.
fn rename_listen(parts: &mut Parts) -> bool {
    let Entry::Occupied(mut methods) = parts.headers.entry(METHOD) else { return true };
    let listens = methods.iter().all(|method| method == front_door::LISTEN);
    if listens {
        for method in methods.iter_mut() {
            *method = HeaderValue::from_static(front_door::LISTEN_FOR_LIBRARY);
        }
    }
    listens
}

/// Passes a message through the front door; gives the answer when it is refused there.
fn admit(bytes: &[u8]) -> Result<Message, Box<Response>> {
    let mut message = Message::default();
    match front_door::admit(bytes) {
        Admitted::Refused(refusal) => return Err(plain::refused(StatusCode::BAD_REQUEST, &refusal).into()),
        Admitted::Dropped(why) => return Err(plain::refuse(StatusCode::BAD_REQUEST, None, why).into()),
        Admitted::Request { id, request, declares_version } => {
            let text = id_text(&id);
            match *request {
                // The library would still know these.
                ClientRequest::CustomRequest(custom) if front_door::is_older_method(&custom.method) => {
                    let refusal = Refusal {
                        id: Some(text),
                        code: ErrorCode::METHOD_NOT_FOUND.0,
                        message: format!("Method not found: {}", custom.method),
                    };
                    return Err(plain::refused(StatusCode::NOT_FOUND, &refusal).into());
                }
                ClientRequest::InitializeRequest(_) => message.begins_session = true,
                ClientRequest::CallToolRequest(call) => message.arguments = call.extensions.get().cloned(),
                ClientRequest::SubscriptionsListenRequest(ref listen) => {
                    let carried = listen.extensions.get().cloned();
                    let passed = front_door::for_library(ClientJsonRpcMessage::request(*request, id));
                    let listen = carried.zip(serde_json::to_vec(&passed).ok());
                    return Ok(Message { id: Some(text), declares_version, listen, ..message });
                }
                _ => {}
            }
            message = Message { id: Some(text), declares_version, is_call: true, ..message };
        }
        Admitted::Ping(id) => message.id = Some(id_text(&id)),
        Admitted::Cancel(..) | Admitted::Notification(_) | Admitted::Response(_) => {}
    }
    Ok(message)
}

/// Gives an answer its last shape: what needs no stream is plain JSON, and every error is one of JSON-RPC.
async fn shape(response: Response, plain: &Plain, id: Option<String>) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(answer) = plain.take() {
        let headers = &mut parts.headers;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.remove(header::CACHE_CONTROL);
        headers.remove("x-accel-buffering");
        if answer.is_error {
            // Of a handshake that failed there is no session.
            headers.remove(SESSION);
        }
        return Response::from_parts(parts, Body::from(answer.json));
    }
    let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if parts.status.as_u16() < 400 || is_json {
        return Response::from_parts(parts, body);
    }
    let text = http_body_util::Limited::new(body, MAX_ERROR).collect().await;
    let text = text.map(|text| String::from_utf8_lossy(&text.to_bytes()).into_owned());
    let text = text.unwrap_or_else(|_| "the request failed".into());
    let mut answer = plain::refuse(parts.status, id, text);
    // `Allow`, for one.
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    answer.headers_mut().extend(parts.headers);
    answer
}
