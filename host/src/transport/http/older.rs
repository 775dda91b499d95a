//! The transport of 2024-11-05, which later versions replaced: one stream per client with everything on it (`/sse`), and
//! another place to send messages to (`/messages`). Knows no method but by the front door.

use std::pin::pin;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, GetExtensions as _, PingRequestMethod, RequestNoParam,
};
use rmcp::service::serve_server_with_ct;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::body::Bodies;
use super::desk::no_body;
use super::patience::{KEEP_ALIVE, event_stream};
use super::plain;
use super::session::{Reader, Session};
use super::sessions::Sessions;
use crate::mcp::{Backend, Caller, KennelHandler};
use crate::transport::front_door::{self, Admitted, id_text};

pub(super) struct Older<B: Backend> {
    handler: KennelHandler<B>,
    sessions: Arc<Sessions>,
    bodies: Bodies,
    max_message: usize,
    cut: CancellationToken,
}

impl<B: Backend> Older<B> {
    pub(super) fn new(
        handler: KennelHandler<B>,
        sessions: Arc<Sessions>,
        bodies: Bodies,
        max_message: usize,
        cut: CancellationToken,
    ) -> Self {
        Self { handler, sessions, bodies, max_message, cut }
    }
}

/// A session that lives as long as its stream.
struct Alive {
    sessions: Arc<Sessions>,
    id: Arc<str>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.sessions.close(&self.id);
    }
}

/// `GET /sse`: opens a session and its stream, whose first event says where to send messages.
pub(super) async fn open<B: Backend>(
    State(older): State<Arc<Older<B>>>,
    Extension(caller): Extension<Caller>,
) -> Response {
    let opened = older.sessions.reserve().and_then(|reserved| Ok((reserved, older.sessions.open(true)?)));
    let (_reserved, (id, session, transport)) = match opened {
        Ok(opened) => opened,
        Err(error) => return plain::busy(None, error.to_string()),
    };
    let alive = Alive { sessions: older.sessions.clone(), id: id.clone() };
    session.give_to(caller.0);
    let reader = match session.open_common() {
        Ok(reader) => reader,
        Err(error) => return plain::busy(None, error.to_string()),
    };
    let (handler, closed) = (older.handler.for_another_client(), session.closed().clone());
    tokio::spawn(async move {
        // It ends with the session, which the transport and the stream both end.
        match serve_server_with_ct(handler, transport, closed.clone()).await {
            Ok(running) => drop(running.waiting().await),
            Err(error) => tracing::debug!(%error, "a client did not shake hands"),
        }
        closed.cancel();
    });
    stream(&id, reader, alive, older.cut.clone())
}

fn stream(id: &str, reader: Reader, alive: Alive, cut: CancellationToken) -> Response {
    let first = format!("event: endpoint\ndata: /messages?session={id}\n\n");
    let first = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(first))]);
    let events = Box::pin(reader.into_stream());
    let rest = futures::stream::unfold((events, alive), move |(mut events, alive)| {
        let cut = cut.clone();
        async move {
            loop {
                let event = tokio::select! {
                    event = tokio::time::timeout(KEEP_ALIVE, events.next()) => event,
                    () = cut.cancelled() => return None,
                };
                let bytes = match event {
                    Err(_) => Bytes::from_static(b":\n\n"),
                    Ok(None) => return None,
                    Ok(Some(event)) => {
                        let Some(message) = event.message else { continue };
                        match serde_json::to_string(&*message) {
                            Ok(json) => format!("event: message\ndata: {json}\n\n").into(),
                            Err(error) => return Some((Err(error.into()), (events, alive))),
                        }
                    }
                };
                return Some((Ok(bytes), (events, alive)));
            }
        }
    });
    event_stream(Body::from_stream(first.chain(rest)))
}

/// Where a message belongs.
#[derive(Deserialize)]
pub(super) struct Place {
    session: String,
}

/// `POST /messages`: takes a message; its answer comes on the session's stream.
pub(super) async fn message<B: Backend>(
    State(older): State<Arc<Older<B>>>,
    Extension(caller): Extension<Caller>,
    Query(place): Query<Place>,
    request: Request,
) -> Response {
    let Some(session) = older.sessions.of_caller(&place.session, &caller.0) else {
        let message = "there is no such session, or none any more; open a new one at /sse";
        return plain::refuse(StatusCode::NOT_FOUND, None, message);
    };
    let read = match older.bodies.read(request.into_body()).await {
        Ok(read) => read,
        Err(fault) => return no_body(fault, older.max_message),
    };
    take(&session, caller, front_door::admit(&read.bytes)).await
}

async fn take(session: &Arc<Session>, caller: Caller, admitted: Admitted) -> Response {
    let (id, mut message) = match admitted {
        Admitted::Refused(refusal) => return plain::refused(StatusCode::BAD_REQUEST, &refusal),
        Admitted::Dropped(why) => return plain::refuse(StatusCode::BAD_REQUEST, None, why),
        Admitted::Request { id, request, .. } => {
            (Some(id.clone()), ClientJsonRpcMessage::request(*request, id))
        }
        Admitted::Ping(id) => {
            let ping = ClientRequest::PingRequest(RequestNoParam::<PingRequestMethod>::default());
            (Some(id.clone()), ClientJsonRpcMessage::request(ping, id))
        }
        Admitted::Cancel(_, notification) | Admitted::Notification(notification) => {
            (None, ClientJsonRpcMessage::notification(*notification))
        }
        Admitted::Response(message) => (None, *message),
    };
    if let ClientJsonRpcMessage::Request(request) = &mut message {
        request.request.extensions_mut().insert(caller);
    }
    let taken = match id.clone() {
        Some(id) => pin!(session.request_on_common(id, message)).await,
        None => session.accept(message).await,
    };
    match taken {
        Ok(()) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::ACCEPTED;
            response
        }
        Err(error) => plain::refuse(StatusCode::BAD_REQUEST, id.map(|id| id_text(&id)), error.to_string()),
    }
}
