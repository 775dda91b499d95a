//! Looks once at a raw message and says what becomes of it: answered here, passed on typed, or dropped.
//! Does no I/O and keeps no state, so that every transport can share it; it never runs anything.
//!
//! The protocol library leaves a request it cannot read without any answer and reports wrong parameters
//! as an unknown method. Here every message with a readable id gets exactly one of an answer or a way in.

// Log levels are deprecated in the protocol, and clients will go on sending them for years.
#![expect(deprecated)]

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::model::{
    CancelledNotification, CancelledNotificationParam, ClientJsonRpcMessage, ClientNotification,
    ClientRequest, CustomNotification, CustomRequest, ErrorCode, InitializedNotification, JsonObject,
    JsonRpcMessage, JsonRpcRequest, LoggingLevel, MetaObject, Notification, NotificationMetaObject,
    NumberOrString, ProgressToken, Request, RequestId, RequestMetaObject, RequestNoParam,
    RequestOptionalParam, RootsListChangedNotification, SubscriptionsListenRequest,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::mcp::json::{self, JsonFault};
use crate::mcp::{Listen, RawArguments};

/// Largest message by default, in bytes.
pub const MAX_MESSAGE: usize = 16 << 20;

/// What becomes of a message.
#[derive(Debug)]
pub enum Admitted {
    /// It is answered here, and nothing else happens.
    Refused(Refusal),
    /// A request for the server.
    Request {
        /// Its id.
        id: RequestId,
        /// The request, typed.
        request: Box<ClientRequest>,
        /// It names its protocol version itself, as requests of the stateless era do.
        declares_version: bool,
    },
    /// A `ping` of the era that has it. It needs nobody to be answered.
    Ping(RequestId),
    /// The client no longer wants the answer to this request.
    Cancel(RequestId, Box<ClientNotification>),
    /// Any other notification.
    Notification(Box<ClientNotification>),
    /// The client's answer to a request of ours.
    Response(Box<ClientJsonRpcMessage>),
    /// Neither a request nor of use, so it may not be answered either; why.
    Dropped(Cow<'static, str>),
}

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The id to answer to, as JSON text, when it could be read.
    pub id: Option<String>,
    /// A JSON-RPC error code.
    pub code: i32,
    /// One line.
    pub message: String,
}

impl Refusal {
    /// The answer as a message, without a line's end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let message = Value::from(self.message.as_str());
        let code = self.code;
        match &self.id {
            Some(id) => {
                format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}}}}}"#)
            }
            None => format!(r#"{{"jsonrpc":"2.0","error":{{"code":{code},"message":{message}}}}}"#),
        }
    }
}

/// The answer to a `ping`, without a line's end.
#[must_use]
pub fn pong(id: &RequestId) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id_text(id))
}

/// An id as JSON text.
#[must_use]
pub fn id_text(id: &RequestId) -> String {
    match id {
        NumberOrString::Number(number) => number.to_string(),
        NumberOrString::String(text) => Value::from(&**text).to_string(),
    }
}

/// The id of the request that a message answers; none for what is no answer, or one to a message without a readable id.
#[must_use]
pub fn answered_id<Request, Answer, Note>(
    message: &JsonRpcMessage<Request, Answer, Note>,
) -> Option<&RequestId> {
    match message {
        JsonRpcMessage::Response(response) => Some(&response.id),
        JsonRpcMessage::Error(error) => error.id.as_ref(),
        JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
    }
}

/// The answer to a message that is longer than allowed, of which only the beginning was kept.
#[must_use]
pub fn too_long(beginning: &[u8], max: usize) -> Refusal {
    let text = valid_part(beginning);
    Refusal {
        id: json::scan(text, ["id"]).members[0].and_then(echo),
        code: ErrorCode::INVALID_REQUEST.0,
        message: format!("the message is longer than {max} bytes; send less at once"),
    }
}

/// Looks at one message.
#[must_use]
pub fn admit(bytes: &[u8]) -> Admitted {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let id = json::scan(valid_part(bytes), ["id"]).members[0].and_then(echo);
        return refuse(id, ErrorCode::PARSE_ERROR, "the message is not UTF-8");
    };
    let scan = json::scan(text, ["jsonrpc", "id", "method", "params", "result", "error"]);
    let [version, raw_id, method, params, result, error] = scan.members;
    let echoed = raw_id.and_then(echo);
    if scan.is_array {
        return refuse(
            None,
            ErrorCode::INVALID_REQUEST,
            "batches are not supported; send one message at a time",
        );
    }
    if let Some(fault) = scan.fault {
        let code = match fault {
            JsonFault::Syntax { .. } | JsonFault::Surrogate { .. } => ErrorCode::PARSE_ERROR,
            _ => ErrorCode::INVALID_REQUEST,
        };
        return refuse(echoed, code, format!("the message was refused: {fault}"));
    }
    if !scan.is_object {
        return refuse(None, ErrorCode::INVALID_REQUEST, "a message is a JSON object");
    }
    let id = match raw_id {
        None => None,
        Some(raw) => match read_id(raw) {
            Some(id) => Some(id),
            None if method.is_none() => return Admitted::Dropped("an answer to an unreadable id".into()),
            None => {
                let message = "the id must be a string or an integer of at most 64 bits";
                return refuse(echoed, ErrorCode::INVALID_REQUEST, message);
            }
        },
    };
    if version.is_none_or(|version| text_of(version).as_deref() != Some("2.0")) {
        return refuse(echoed, ErrorCode::INVALID_REQUEST, "the member \"jsonrpc\" must be \"2.0\"");
    }
    let Some(method) = method else {
        return match (id, result.is_some() != error.is_some()) {
            (Some(_), true) => match serde_json::from_str::<ClientJsonRpcMessage>(text) {
                Ok(message) => Admitted::Response(Box::new(message)),
                Err(_) => Admitted::Dropped("an answer of no known shape".into()),
            },
            (_, true) => Admitted::Dropped("an answer without an id".into()),
            _ => refuse(echoed, ErrorCode::INVALID_REQUEST, "the message has no method"),
        };
    };
    if result.is_some() || error.is_some() {
        let message = "a message has a method, or a result, or an error";
        return refuse(echoed, ErrorCode::INVALID_REQUEST, message);
    }
    let Some(method) = text_of(method) else {
        return refuse(echoed, ErrorCode::INVALID_REQUEST, "the method must be a string");
    };
    let Some(id) = id else {
        return notification(&method, params);
    };
    match request(&method, params) {
        Ok((ClientRequest::PingRequest(_), false)) => Admitted::Ping(id),
        Ok((request, declares_version)) => {
            Admitted::Request { id, request: Box::new(request), declares_version }
        }
        Err(message) => refuse(echoed, ErrorCode::INVALID_PARAMS, format!("{method}: {message}")),
    }
}

fn refuse(id: Option<String>, code: ErrorCode, message: impl Into<String>) -> Admitted {
    Admitted::Refused(Refusal { id, code: code.0, message: message.into() })
}

fn valid_part(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// The string that a JSON text is, if it is one.
fn text_of(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.starts_with('"') {
        return None;
    }
    match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
        _ => serde_json::from_str(raw).ok().map(Cow::Owned),
    }
}

/// An id that can be answered to: any string or number, of a bounded length.
fn echo(raw: &str) -> Option<String> {
    let good = raw.len() <= 1024 && matches!(raw.as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9'));
    // A string with half a surrogate pair would not be read back.
    (good && json::check(raw).is_ok()).then(|| raw.to_owned())
}

/// An id that the server can work with.
fn read_id(raw: &str) -> Option<RequestId> {
    match raw.parse::<i64>() {
        Ok(number) => Some(RequestId::Number(number)),
        Err(_) if raw.len() > 1024 => None,
        Err(_) => serde_json::from_str(raw).ok(),
    }
}

/// Whether only the older era has this method, which a request of the stateless era may not use.
#[must_use]
pub fn is_older_method(method: &str) -> bool {
    matches!(
        method,
        "ping" | "initialize" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe"
    )
}

/// Gives the typed request and whether it declares its protocol version; or what is wrong with the
/// parameters.
fn request(method: &str, params: Option<&str>) -> Result<(ClientRequest, bool), String> {
    use ClientRequest as R;
    if method == "tools/call" {
        return call_tool(params);
    }
    let mut params = Params::read(params)?;
    let meta = params.meta.take();
    let declares = meta.as_ref().is_some_and(|meta| meta.protocol_version().is_some());
    let stateless = meta.as_ref().and_then(RequestMetaObject::protocol_version);
    let stateless = stateless.is_some_and(|version| !version.has_initialize());
    let mut request = match method {
        // Gone from the stateless era, whatever the parameters ("Removed methods" of 2026-07-28).
        older if stateless && is_older_method(older) => R::CustomRequest(CustomRequest::new(older, None)),
        "ping" => R::PingRequest(RequestNoParam::default()),
        "initialize" => R::InitializeRequest(params.required()?),
        "server/discover" => R::DiscoverRequest(params.required()?),
        "completion/complete" => R::CompleteRequest(params.required()?),
        "logging/setLevel" => R::SetLevelRequest(params.required()?),
        "prompts/get" => R::GetPromptRequest(params.required()?),
        "prompts/list" => R::ListPromptsRequest(params.optional()?),
        "resources/list" => R::ListResourcesRequest(params.optional()?),
        "resources/templates/list" => R::ListResourceTemplatesRequest(params.optional()?),
        "resources/read" => R::ReadResourceRequest(params.required()?),
        "resources/subscribe" => R::SubscribeRequest(params.required()?),
        "resources/unsubscribe" => R::UnsubscribeRequest(params.required()?),
        LISTEN => {
            let tasks = params.task_ids()?;
            let mut listen: SubscriptionsListenRequest = params.required()?;
            listen.extensions.insert(Listen { filter: listen.params.notifications.clone(), tasks });
            R::SubscriptionsListenRequest(listen)
        }
        // The extension is for the stateless era; to any other it is unknown.
        "tasks/get" if stateless => R::GetTaskRequest(params.required()?),
        "tasks/update" if stateless => R::UpdateTaskRequest(params.required()?),
        "tasks/cancel" if stateless => R::CancelTaskRequest(params.required()?),
        "tools/list" => R::ListToolsRequest(params.optional()?),
        // Whatever else there is, the server decides; it says "unknown method" to what it has not.
        other => {
            R::CustomRequest(CustomRequest::new(other, params.given.then_some(Value::Object(params.rest))))
        }
    };
    if let Some(meta) = meta {
        rmcp::model::GetExtensions::extensions_mut(&mut request).insert(meta);
    }
    Ok((request, declares))
}

/// `tools/call` by a shorter way: the arguments stay text, because that is what a plugin wants.
fn call_tool(params: Option<&str>) -> Result<(ClientRequest, bool), String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Call<'a> {
        #[serde(rename = "_meta")]
        meta: Option<JsonObject>,
        name: String,
        #[serde(borrow)]
        arguments: Option<&'a RawValue>,
        input_responses: Option<std::collections::BTreeMap<String, Value>>,
        request_state: Option<String>,
    }
    let params = params.filter(|text| *text != "null").unwrap_or("{}");
    if !params.starts_with('{') {
        return Err("the params must be an object".into());
    }
    let call: Call<'_> = serde_json::from_str(params).map_err(|error| without_place(&error))?;
    let arguments: Arc<str> = match call.arguments.map(RawValue::get) {
        None => "{}".into(),
        Some(text) if text.starts_with('{') => text.into(),
        Some(_) => return Err("the arguments must be an object".into()),
    };
    let meta = call.meta.map(checked_meta).transpose()?;
    let declares = meta.as_ref().is_some_and(|meta| meta.protocol_version().is_some());
    let mut typed = rmcp::model::CallToolRequestParams::new(call.name);
    typed.input_responses = call.input_responses;
    typed.request_state = call.request_state;
    let mut request = Request::new(typed);
    request.extensions.insert(RawArguments(arguments));
    if let Some(meta) = meta {
        request.extensions.insert(meta);
    }
    Ok((ClientRequest::CallToolRequest(request), declares))
}

fn notification(method: &str, params: Option<&str>) -> Admitted {
    let mut params = match Params::read(params) {
        Ok(params) => params,
        Err(message) => return Admitted::Dropped(format!("{method}: {message}").into()),
    };
    let meta = params.meta.take().map(|RequestMetaObject(meta)| NotificationMetaObject(meta));
    let mut notification: ClientNotification = match method {
        "notifications/cancelled" => {
            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct Cancelled {
                request_id: RequestId,
                reason: Option<String>,
            }
            let Ok(cancelled) = serde_json::from_value::<Cancelled>(Value::Object(params.rest)) else {
                return Admitted::Dropped("a cancellation of no readable request".into());
            };
            let id = cancelled.request_id;
            let param = CancelledNotificationParam::new(Some(id.clone()), cancelled.reason);
            return Admitted::Cancel(id, Box::new(CancelledNotification::new(param).into()));
        }
        "notifications/initialized" => InitializedNotification::default().into(),
        "notifications/roots/list_changed" => RootsListChangedNotification::default().into(),
        "notifications/progress" => match serde_json::from_value(Value::Object(params.rest)) {
            Ok(progress) => ClientNotification::ProgressNotification(Notification::new(progress)),
            Err(_) => return Admitted::Dropped("progress of no readable shape".into()),
        },
        other => CustomNotification::new(other, params.given.then_some(Value::Object(params.rest))).into(),
    };
    if let Some(meta) = meta {
        rmcp::model::GetExtensions::extensions_mut(&mut notification).insert(meta);
    }
    Admitted::Notification(Box::new(notification))
}

/// The method of a change stream.
pub const LISTEN: &str = "subscriptions/listen";
/// By which the library is given it ([`Listen`] says why). From a client it means nothing: what counts is in the extensions.
pub const LISTEN_FOR_LIBRARY: &str = "kennel/listen";

/// The message as the library is to have it.
#[must_use]
pub fn for_library(message: ClientJsonRpcMessage) -> ClientJsonRpcMessage {
    match message {
        JsonRpcMessage::Request(JsonRpcRequest {
            id,
            request: ClientRequest::SubscriptionsListenRequest(listen),
            ..
        }) => {
            let mut custom = CustomRequest::new(LISTEN_FOR_LIBRARY, None);
            custom.extensions = listen.extensions;
            ClientJsonRpcMessage::request(ClientRequest::CustomRequest(custom), id)
        }
        other => other,
    }
}

/// The params of a message, their `_meta` apart.
struct Params {
    given: bool,
    meta: Option<RequestMetaObject>,
    rest: JsonObject,
}

impl Params {
    fn read(params: Option<&str>) -> Result<Self, String> {
        // Some clients write `null` for "no parameters".
        let Some(text) = params.filter(|text| *text != "null") else {
            return Ok(Self { given: false, meta: None, rest: JsonObject::new() });
        };
        let Ok(Value::Object(mut rest)) = serde_json::from_str(text) else {
            return Err("the params must be an object".into());
        };
        // Not `remove`, which would put the last member in its place.
        let meta = match rest.shift_remove("_meta") {
            None => None,
            Some(Value::Object(meta)) => Some(checked_meta(meta)?),
            Some(_) => return Err("_meta must be an object".into()),
        };
        Ok(Self { given: true, meta, rest })
    }

    /// The tasks in the filter of a change stream.
    fn task_ids(&mut self) -> Result<Option<Vec<String>>, String> {
        let filter = self.rest.get_mut("notifications").and_then(Value::as_object_mut);
        match filter.and_then(|filter| filter.shift_remove("taskIds")) {
            None => Ok(None),
            Some(ids) => {
                serde_json::from_value(ids).map(Some).map_err(|_| "taskIds must be a list of strings".into())
            }
        }
    }

    fn required<M: Default, P: DeserializeOwned>(&mut self) -> Result<Request<M, P>, String> {
        let rest = Value::Object(std::mem::take(&mut self.rest));
        P::deserialize(rest).map(Request::new).map_err(|error| without_place(&error))
    }

    fn optional<M: Default, P: DeserializeOwned>(&mut self) -> Result<RequestOptionalParam<M, P>, String> {
        let rest = std::mem::take(&mut self.rest);
        let params = if rest.is_empty() {
            None
        } else {
            Some(P::deserialize(Value::Object(rest)).map_err(|error| without_place(&error))?)
        };
        Ok(RequestOptionalParam { method: M::default(), params, extensions: rmcp::model::Extensions::new() })
    }
}

/// The library reads a wrong-typed key as an absent one.
fn checked_meta(meta: JsonObject) -> Result<RequestMetaObject, String> {
    if let Some(token) = meta.get("progressToken")
        && ProgressToken::deserialize(token).is_err()
    {
        return Err("_meta.progressToken must be a string or an integer".into());
    }
    if let Some(level) = meta.get("io.modelcontextprotocol/logLevel")
        && LoggingLevel::deserialize(level).is_err()
    {
        return Err("_meta[\"io.modelcontextprotocol/logLevel\"] is no log level".into());
    }
    Ok(RequestMetaObject(MetaObject(meta)))
}

/// The message without line and column, which count within a part the client never sees apart.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) if error.line() > 0 => text[..end].to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn shown(message: &[u8]) -> String {
        match admit(message) {
            Admitted::Refused(refusal) => refusal.to_json(),
            Admitted::Request { id, request, declares_version } => {
                format!("request {} {} modern={declares_version}", id_text(&id), request.method())
            }
            Admitted::Ping(id) => format!("ping {}", id_text(&id)),
            Admitted::Cancel(id, _) => format!("cancel {}", id_text(&id)),
            Admitted::Notification(_) => "notification".into(),
            Admitted::Response(_) => "response".into(),
            Admitted::Dropped(why) => format!("dropped: {why}"),
        }
    }

    #[test]
    fn what_becomes_of_messages() {
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{}}}"#,
            "[".repeat(70) + &"]".repeat(70)
        );
        let cases: Vec<&[u8]> = vec![
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":5}}"#,
            br#"{"jsonrpc":"2.0","id":"a\"b","method":"tools/list","params":[1]}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":5}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":[1]}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["t"]}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","_meta":{"progressToken":1.5}}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","_meta":5}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"n":1e400}}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":5}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/logLevel":"loud"}}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"loud"}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
            br#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"\ud800"},"id":3}"#,
            br#"{"jsonrpc":"2.0","id":4,"method":"x","params":{"a":tru}}"#,
            br#"{"jsonrpc":"2.0","id":5,"method":"x","#,
            br#"{"jsonrpc":"2.0","id":6,"method":"x","params":{"a":1,"a":2}}"#,
            br#"{"jsonrpc":"2.0","id":7,"id":8,"method":"x"}"#,
            deep.as_bytes(),
            b"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
            b"7",
            b"{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"\xff\"}",
            b"{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"a\0b\"}",
            br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            br#"{"jsonrpc":"2.0","id":12345678901234567890123,"method":"ping"}"#,
            br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            br#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":5}"#,
            br#"{"jsonrpc":"2.0","id":1}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"x","result":{}}"#,
            br#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            br#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}"#,
            br#"{"jsonrpc":"2.0","result":{}}"#,
            br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x"}}"#,
            br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}"#,
            br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":"much"}}"#,
            br#"{"jsonrpc":"2.0","method":"notifications/whatever","params":{"a":1}}"#,
        ];
        let all: Vec<String> = cases
            .iter()
            .map(|case| {
                let text: String =
                    String::from_utf8_lossy(case).replace('\0', "<NUL>").chars().take(140).collect();
                format!("{text}\n  -> {}", shown(case))
            })
            .collect();
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn arguments_stay_as_they_were_written() {
        let text = r#"{"z":1e400,"a":12345678901234567890123456789,"k":"\u00e9"}"#;
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"arguments": {text} ,"name":"t"}}}}"#
        );
        let Admitted::Request { request, .. } = admit(message.as_bytes()) else { panic!() };
        let ClientRequest::CallToolRequest(call) = *request else { panic!() };
        assert_eq!(&*call.extensions.get::<RawArguments>().unwrap().0, text);
        assert_eq!(call.params.name, "t");
    }

    #[test]
    fn a_long_id_is_neither_worked_with_nor_echoed() {
        let message = |length: usize, version: &str| {
            format!(r#"{{"jsonrpc":"{version}","id":"{}","method":"ping"}}"#, "x".repeat(length))
        };
        for version in ["2.0", "1.0"] {
            let Admitted::Refused(refusal) = admit(message(2_000, version).as_bytes()) else {
                panic!("{version}")
            };
            assert_eq!((refusal.id, refusal.code), (None, -32600), "{version}");
        }
        assert!(matches!(admit(message(1_000, "2.0").as_bytes()), Admitted::Ping(_)));
        let Admitted::Refused(refusal) = admit(message(1_000, "1.0").as_bytes()) else { panic!() };
        assert_eq!(refusal.id.map(|id| id.len()), Some(1_002));
    }

    #[test]
    fn a_long_message_is_answered_by_its_beginning() {
        let refusal = too_long(br#"{"jsonrpc":"2.0","id":"long","method":"x","params":{"a":"aaaa"#, 64);
        assert_eq!((refusal.id.as_deref(), refusal.code), (Some("\"long\""), -32600));
        assert_eq!(too_long(b"aaaa", 64).id, None);
    }

    /// What a message with this id may become: exactly one answer with its id, or one way in with it.
    fn keeps_its_id(admitted: &Admitted, id: &str) -> bool {
        match admitted {
            Admitted::Refused(refusal) => refusal.id.as_deref() == Some(id),
            Admitted::Request { id: given, .. } | Admitted::Ping(given) => id_text(given) == id,
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = admit(&bytes);
            let _ = too_long(&bytes, 100);
        }

        #[test]
        fn no_near_message_makes_it_panic(text in r#"\{("(jsonrpc|id|method|params|result|error)":("2\.0"|"ping"|"tools/call"|\{"name":"t","arguments":[\[{1"]\}?\}|\{\}|[0-9]{1,22}|null|-1|"x"),?){0,6}\}?"#) {
            if let Admitted::Refused(refusal) = admit(text.as_bytes()) {
                let parsed: Value = serde_json::from_str(&refusal.to_json()).unwrap();
                prop_assert_eq!(&parsed["jsonrpc"], "2.0");
            }
        }

        #[test]
        fn every_readable_id_is_kept(
            id in prop_oneof![any::<i64>().prop_map(Value::from), "[ -~é\"\\\\]{0,12}".prop_map(Value::from)],
            method in prop_oneof![
                Just("tools/call".to_owned()), Just("tools/list".to_owned()), Just("ping".to_owned()),
                Just("initialize".to_owned()), Just("prompts/get".to_owned()), "[a-z/]{0,12}"
            ],
            params in prop_oneof![
                Just("{}".to_owned()), Just("[]".to_owned()), Just("5".to_owned()), Just("null".to_owned()),
                Just(r#"{"name":"t","arguments":{"a":[1,2.50]}}"#.to_owned()),
                Just(r#"{"a":1,"a":2}"#.to_owned()), Just(r#"{"a":"\udfff"}"#.to_owned()),
                "[0-9]{1,5}", Just(format!("{}{}", "[".repeat(200), "]".repeat(200))),
            ],
            order in any::<bool>(),
        ) {
            let method = Value::from(method);
            let message = if order {
                format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{method},"params":{params}}}"#)
            } else {
                format!(r#"{{"method":{method},"params":{params},"jsonrpc":"2.0","id":{id}}}"#)
            };
            let admitted = admit(message.as_bytes());
            prop_assert!(keeps_its_id(&admitted, &id.to_string()) || params.starts_with('0') && params.len() > 1, "{message} {admitted:?}");
        }
    }
}
