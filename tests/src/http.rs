//! A raw HTTP client for `kennel serve --http`: bytes out, bytes in, nothing retried, nothing followed.
//! It speaks both eras because it only sends what a test says.
//! It must not use an HTTP library: a test sees the very head that the server sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{MODERN, modern_meta, panic_in};
use crate::wire::Wire;

/// How long a test waits for a byte. Generous: a debug build compiles plugins in it.
const PATIENCE: Duration = Duration::from_secs(120);

/// How much of the server's standard error is kept for messages.
const STDERR_KEPT: usize = 64 * 1024;

/// A server over HTTP. Killed on drop.
pub struct HttpServer {
    child: Mutex<Child>,
    address: SocketAddr,
    stderr: Arc<Mutex<String>>,
    panics: Arc<Mutex<Vec<String>>>,
}

impl std::fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl HttpServer {
    /// Starts a server and waits until it says where it listens.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut lines = BufReader::new(child.stderr.take().expect("piped"));
        let stderr = Arc::new(Mutex::new(String::new()));
        let (tell, told) = std::sync::mpsc::channel();
        let keeper = Arc::clone(&stderr);
        let panics = Arc::new(Mutex::new(Vec::new()));
        let panicked = Arc::clone(&panics);
        std::thread::spawn(move || {
            let mut line = String::new();
            while let Ok(1..) = lines.read_line(&mut line) {
                if let Some((_, rest)) = line.split_once("listening on http://")
                    && let Some((address, _)) = rest.split_once("/mcp")
                {
                    let _ = tell.send(address.to_owned());
                }
                if let Some(panic) = panic_in(line.as_bytes()) {
                    panicked.lock().unwrap_or_else(PoisonError::into_inner).push(panic);
                }
                let mut kept = keeper.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() < STDERR_KEPT {
                    kept.push_str(&line);
                }
                line.clear();
            }
        });
        let address = told.recv_timeout(PATIENCE).ok().and_then(|text| text.parse().ok());
        let said = || stderr.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let address = address.unwrap_or_else(|| panic!("the server does not listen; it said:\n{}", said()));
        Self { child: Mutex::new(child), address, stderr, panics }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its endpoint.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// What it wrote to its standard error so far (the first 64 KiB).
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lines of its standard error, however late, that say that the server panicked.
    pub fn panics(&self) -> Vec<String> {
        self.panics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks it to stop, as a service manager does.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill");
    }

    /// Waits until it has ended, at most so long.
    pub fn exit(&self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
            if let Some(status) = ended.expect("a child can be waited for") {
                return Some(status);
            }
            if start.elapsed() > limit {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A new connection.
    #[track_caller]
    pub fn connect(&self) -> HttpConnection {
        HttpConnection::new(self.address)
            .unwrap_or_else(|error| panic!("cannot connect: {error}\n{}", self.stderr()))
    }

    /// Sends one request on a connection of its own.
    #[track_caller]
    pub fn send(&self, request: &HttpRequest) -> HttpResponse {
        self.connect().send(request)
    }

    /// Sends a message as it is written, with the headers of an ordinary client of the older era.
    #[track_caller]
    pub fn post(&self, body: &[u8]) -> HttpResponse {
        self.send(&HttpRequest::post(body))
    }

    /// `GET` of a path.
    #[track_caller]
    pub fn get(&self, path: &str) -> HttpResponse {
        self.send(&HttpRequest::new("GET", path))
    }

    /// Waits until the plugins are loaded.
    #[track_caller]
    pub fn wait_ready(&self) {
        let start = Instant::now();
        while self.get("/ready").status != 200 {
            assert!(start.elapsed() < PATIENCE, "not ready\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A session of the older era, shaken hands.
    #[track_caller]
    pub fn session(&self) -> HttpSession<'_> {
        self.session_with("2025-11-25", &[])
    }

    /// A session of the older era with a version and headers of a test's choice.
    #[track_caller]
    pub fn session_with(&self, version: &str, headers: &[(&str, &str)]) -> HttpSession<'_> {
        self.open(version, &json!({}), headers)
    }

    /// A session of the older era whose client can do this.
    #[track_caller]
    pub fn session_that_can(&self, capabilities: &Value) -> HttpSession<'_> {
        self.open("2025-11-25", capabilities, &[])
    }

    /// The same with headers of a test's choice.
    #[track_caller]
    pub fn session_of(&self, capabilities: &Value, headers: &[(&str, &str)]) -> HttpSession<'_> {
        self.open("2025-11-25", capabilities, headers)
    }

    #[track_caller]
    fn open(&self, version: &str, capabilities: &Value, headers: &[(&str, &str)]) -> HttpSession<'_> {
        let mut hello = initialize_message(version);
        hello["params"]["capabilities"] = capabilities.clone();
        let mut request = HttpRequest::post(hello.to_string().as_bytes());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = self.send(&request);
        let id = response.header("mcp-session-id").map(str::to_owned);
        let status = response.status;
        let answer = response.text();
        let id = id.unwrap_or_else(|| panic!("no session: {status} {answer}\n{}", self.stderr()));
        let session = HttpSession {
            server: self,
            id,
            version: version.to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let told = session.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        assert_eq!(told.status, 202);
        session
    }

    /// Sends a request of the stateless era, with all that belongs to it.
    #[track_caller]
    pub fn modern(&self, id: &Value, method: &str, params: Value) -> HttpResponse {
        self.send(&modern_request(id, method, params))
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        crate::report::saw(child.id());
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The `initialize` of an older client without capabilities.
pub fn initialize_message(version: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
        "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "kennel-tests", "version": "0" } } })
}

/// A request of the stateless era, with all that belongs to it.
pub fn modern_request(id: &Value, method: &str, params: Value) -> HttpRequest {
    let mut params = if params.is_null() { json!({}) } else { params };
    let mut meta = modern_meta();
    if let (Some(meta), Some(Value::Object(given))) = (meta.as_object_mut(), params.get("_meta")) {
        meta.extend(given.clone());
    }
    params["_meta"] = meta;
    let name = params.get("name").or_else(|| params.get("uri")).and_then(Value::as_str).map(str::to_owned);
    let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    let request = HttpRequest::post(message.to_string().as_bytes())
        .header("MCP-Protocol-Version", MODERN)
        .header("Mcp-Method", method);
    match name {
        Some(name) => request.header("Mcp-Name", &name),
        None => request,
    }
}

/// A session of the older era.
#[derive(Clone, Debug)]
pub struct HttpSession<'a> {
    server: &'a HttpServer,
    /// Its id.
    pub id: String,
    version: String,
    headers: Vec<(String, String)>,
}

impl HttpSession<'_> {
    /// A request with the session's headers and no body.
    pub fn request(&self, method: &str) -> HttpRequest {
        let request = HttpRequest::new(method, "/mcp")
            .header(
                "Accept",
                if method == "GET" { "text/event-stream" } else { "application/json, text/event-stream" },
            )
            .header("Mcp-Session-Id", &self.id)
            .header("MCP-Protocol-Version", &self.version);
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// Such a request with a message.
    pub fn message(&self, message: &Value) -> HttpRequest {
        self.request("POST").header("Content-Type", "application/json").body(message.to_string().as_bytes())
    }

    /// Sends a message on a connection of its own.
    #[track_caller]
    pub fn post(&self, message: &Value) -> HttpResponse {
        self.server.send(&self.message(message))
    }

    /// Sends a request of JSON-RPC.
    #[allow(clippy::needless_pass_by_value, reason = "so that a test can write the params in the call")]
    #[track_caller]
    pub fn ask(&self, id: &Value, method: &str, params: Value) -> HttpResponse {
        self.post(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
    }

    /// Calls a tool.
    #[track_caller]
    pub fn call(&self, id: &Value, tool: &str, arguments: &Value) -> HttpResponse {
        self.ask(id, "tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// Opens the session's own stream.
    #[track_caller]
    pub fn stream(&self) -> HttpResponse {
        self.server.send(&self.request("GET"))
    }

    /// Comes back to a stream behind an event.
    #[track_caller]
    pub fn resume(&self, last_event: &str) -> HttpResponse {
        self.server.send(&self.request("GET").header("Last-Event-ID", last_event))
    }
}

/// A request, as it will be written.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl HttpRequest {
    /// Without headers but `Host`.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A message for the endpoint, with the headers every client sends.
    pub fn post(body: &[u8]) -> Self {
        Self::new("POST", "/mcp")
            .header("Content-Type", "application/json")
            .header("Accept", "application/json, text/event-stream")
            .body(body)
    }

    /// Adds a header; `Host` in place of the usual one.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Leaves a header out again.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// To another path.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.path = path.into();
        self
    }

    /// What the messages of its answer are held against.
    fn wire(&self) -> Option<Wire> {
        if !self.path.starts_with("/mcp") {
            return None;
        }
        let version = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("mcp-protocol-version"));
        let mut wire = version.map_or_else(Wire::default, |(_, version)| Wire::agreed_on(version));
        wire.sent(&self.body);
        Some(wire)
    }

    fn head(&self, host: &str) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {host}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method == "POST" {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        head
    }
}

/// A connection.
#[derive(Debug)]
pub struct HttpConnection {
    stream: BufReader<TcpStream>,
    host: String,
    /// Of the last request; none for what carries no messages.
    wire: Option<Wire>,
}

impl HttpConnection {
    /// Connects.
    pub fn new(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), host: address.to_string(), wire: None })
    }

    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Writes a request without reading anything.
    pub fn begin(&mut self, request: &HttpRequest) -> std::io::Result<()> {
        self.wire = request.wire();
        let mut bytes = request.head(&self.host).into_bytes();
        bytes.extend_from_slice(&request.body);
        self.raw(&bytes)
    }

    /// Sends a request and reads the head of its answer.
    #[track_caller]
    pub fn send(mut self, request: &HttpRequest) -> HttpResponse {
        self.begin(request).unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.path));
        self.answer().unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.path))
    }

    /// Reads up to so many bytes and forgets them; gives how many, 0 at the end.
    pub fn skip(&mut self, max: usize) -> std::io::Result<usize> {
        self.stream.read(&mut vec![0; max])
    }

    /// The socket, to change what it waits for.
    pub fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Reads the head of an answer.
    pub fn answer(mut self) -> std::io::Result<HttpResponse> {
        let ended = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the connection was closed");
        let odd = |line: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, format!("{line:?}"));
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(ended());
        }
        let status = line.split(' ').nth(1).and_then(|text| text.parse().ok()).ok_or_else(|| odd(&line))?;
        let mut headers = Vec::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(ended());
            }
            let field = line.trim_end();
            if field.is_empty() {
                break;
            }
            let (name, value) = field.split_once(':').ok_or_else(|| odd(field))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response =
            HttpResponse { status, headers, connection: self, left: Left::Bytes(0), decoded: Vec::new() };
        response.left = if response.header("transfer-encoding") == Some("chunked") {
            Left::Chunks
        } else {
            let length = response.header("content-length").and_then(|text| text.parse().ok());
            Left::Bytes(length.unwrap_or(0))
        };
        Ok(response)
    }
}

#[derive(Debug)]
enum Left {
    Bytes(usize),
    Chunks,
    Nothing,
}

/// An answer, of which the head was read.
#[derive(Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The header fields, their names in lower case.
    pub headers: Vec<(String, String)>,
    connection: HttpConnection,
    left: Left,
    decoded: Vec<u8>,
}

/// An event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// `event:`
    pub event: Option<String>,
    /// `id:`
    pub id: Option<String>,
    /// `retry:`, in milliseconds.
    pub retry: Option<u64>,
    /// `data:`, as it is.
    pub data: String,
}

impl SseEvent {
    /// The data as JSON; null when there is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        if self.data.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}", self.data))
    }
}

impl HttpResponse {
    /// A header field, if it is there once or more.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is a stream of events.
    pub fn is_stream(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
    }

    /// How long reading may wait from now on.
    pub fn set_patience(&self, limit: Duration) {
        self.connection.socket().set_read_timeout(Some(limit)).expect("a limit that is not zero");
    }

    /// Reads some more of the body; false at its end.
    fn more(&mut self) -> std::io::Result<bool> {
        match self.left {
            Left::Nothing | Left::Bytes(0) => Ok(false),
            Left::Bytes(count) => {
                self.decoded.resize(count, 0);
                self.connection.stream.read_exact(&mut self.decoded)?;
                self.left = Left::Nothing;
                Ok(true)
            }
            Left::Chunks => {
                let mut line = String::new();
                self.connection.stream.read_line(&mut line)?;
                let size = usize::from_str_radix(line.trim(), 16)
                    .map_err(|error| std::io::Error::new(std::io::ErrorKind::UnexpectedEof, error))?;
                let at = self.decoded.len();
                self.decoded.resize(at + size, 0);
                self.connection.stream.read_exact(&mut self.decoded[at..])?;
                line.clear();
                self.connection.stream.read_line(&mut line)?;
                if size == 0 {
                    self.left = Left::Nothing;
                }
                Ok(size > 0)
            }
        }
    }

    /// Reads the body to its end.
    pub fn try_bytes(&mut self) -> std::io::Result<Vec<u8>> {
        while self.more()? {}
        Ok(std::mem::take(&mut self.decoded))
    }

    /// The whole body as text.
    #[track_caller]
    pub fn text(mut self) -> String {
        let bytes = self.try_bytes().unwrap_or_else(|error| panic!("a body that ends early: {error}"));
        String::from_utf8(bytes).expect("UTF-8")
    }

    /// The whole body as JSON; a message, when it is the answer of the endpoint.
    #[track_caller]
    pub fn json(mut self) -> Value {
        let (status, mut wire) = (self.status, self.connection.wire.take());
        let text = self.text();
        hold(&mut wire, &text);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {text:?}: {error}"))
    }

    /// The next event; none at the stream's end, an error when nothing came in time. Comments are passed over.
    pub fn try_event(&mut self) -> std::io::Result<Option<SseEvent>> {
        loop {
            while let Some(end) = self.decoded.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.decoded.drain(..end + 2).collect();
                if let Some(event) = parse_event(&String::from_utf8_lossy(&block)) {
                    return Ok(Some(event));
                }
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// The next event; none at the stream's end.
    #[track_caller]
    pub fn event(&mut self) -> Option<SseEvent> {
        let event = self.try_event().unwrap_or_else(|error| panic!("no event: {error}"));
        if let Some(event) = event.as_ref().filter(|event| !event.data.is_empty()) {
            hold(&mut self.connection.wire, &event.data);
        }
        event
    }

    /// The messages of the answer to a request, whether they come in a stream or as one: its notifications, and its
    /// result or error last. Panics when the stream ends without one.
    #[track_caller]
    pub fn messages(mut self) -> Vec<Value> {
        if !self.is_stream() {
            return vec![self.json()];
        }
        let mut messages = Vec::new();
        while let Some(event) = self.event() {
            let message = event.json();
            if !message.is_null() {
                messages.push(message);
            }
        }
        assert!(messages.last().is_some_and(|last| last.get("method").is_none()), "no answer: {messages:?}");
        messages
    }

    /// The answer to a request, without what came before it.
    #[track_caller]
    pub fn answer(self) -> Value {
        self.messages().pop().expect("at least the answer")
    }
}

/// Panics when this is no message that the protocol has.
#[track_caller]
fn hold(wire: &mut Option<Wire>, message: &str) {
    let Some(wire) = wire else { return };
    wire.received(message.as_bytes());
    let faults = wire.take_violations();
    assert!(faults.is_empty(), "the protocol has no such message:\n{}", faults.join("\n"));
}

fn parse_event(block: &str) -> Option<SseEvent> {
    let mut event = SseEvent::default();
    let mut some = false;
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => event.event = Some(value.to_owned()),
            "id" => event.id = Some(value.to_owned()),
            "retry" => event.retry = value.parse().ok(),
            "data" => {
                if !event.data.is_empty() {
                    event.data.push('\n');
                }
                event.data.push_str(value);
            }
            _ => continue,
        }
        some = true;
    }
    some.then_some(event)
}

#[cfg(all(test, feature = "schemas"))]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "the protocol has no such message")]
    fn a_message_that_the_protocol_does_not_have_is_noticed() {
        let request = modern_request(&json!(1), "tools/list", Value::Null);
        hold(
            &mut request.wire(),
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","tools":{}}}"#,
        );
    }
}
