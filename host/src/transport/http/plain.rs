//! Answers of one JSON message: how a session hands one over instead of a stream, and what refusals look like.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use rmcp::model::{ErrorCode, JsonRpcMessage, RequestId, ServerJsonRpcMessage};

use crate::transport::front_door::{Refusal, id_text};

/// Where a session puts an answer that needs no stream. It travels with the request, beside it.
#[derive(Clone, Default)]
pub(super) struct Plain(Arc<Mutex<Option<PlainAnswer>>>);

pub(super) struct PlainAnswer {
    pub(super) json: Bytes,
    pub(super) is_error: bool,
}

impl Plain {
    pub(super) fn put(&self, message: &ServerJsonRpcMessage) {
        match serde_json::to_vec(message) {
            Ok(json) => self.set(json, matches!(message, JsonRpcMessage::Error(_))),
            Err(error) => {
                let id = match message {
                    JsonRpcMessage::Response(response) => Some(id_text(&response.id)),
                    _ => None,
                };
                let message = format!("the answer could not be written as JSON: {error}");
                let refusal = Refusal { id, code: ErrorCode::INTERNAL_ERROR.0, message };
                self.set(refusal.to_json().into_bytes(), true);
            }
        }
    }

    /// Says why a request was not taken in.
    pub(super) fn refuse(&self, id: &RequestId, error: &impl std::fmt::Display) {
        let refusal =
            Refusal { id: Some(id_text(id)), code: ErrorCode::INVALID_REQUEST.0, message: error.to_string() };
        self.set(refusal.to_json().into_bytes(), true);
    }

    fn set(&self, json: Vec<u8>, is_error: bool) {
        let answer = PlainAnswer { json: json.into(), is_error };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }

    pub(super) fn take(&self) -> Option<PlainAnswer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A response of one JSON text.
pub(super) fn json(status: StatusCode, text: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A refusal as a JSON-RPC error.
pub(super) fn refused(status: StatusCode, refusal: &Refusal) -> Response {
    json(status, refusal.to_json())
}

/// A refusal by the transport, before or beside the protocol.
pub(super) fn refuse(status: StatusCode, id: Option<String>, message: impl Into<String>) -> Response {
    let code = if status.is_server_error() { ErrorCode::INTERNAL_ERROR } else { ErrorCode::INVALID_REQUEST };
    refused(status, &Refusal { id, code: code.0, message: message.into() })
}

/// A refusal that passes by itself.
pub(super) fn busy(id: Option<String>, message: impl Into<String>) -> Response {
    let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE, id, message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}
