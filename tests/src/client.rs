//! A raw MCP client over the standard input and output of a child: JSON-RPC lines, nothing hidden.
//! It speaks both eras because it only sends what a test says.
//! It must not correct, retry or interpret anything: what the server sends is what the test sees. A server of ours
//! that sends what the protocol's schema forbids fails the test all the same, when the client goes.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The protocol version of the stateless era.
pub const MODERN: &str = "2026-07-28";

/// How long a test waits for one answer. Generous: a debug build compiles plugins in it.
static ANSWER_TIMEOUT: LazyLock<Duration> = LazyLock::new(|| {
    let given = std::env::var(crate::guards::PATIENCE).ok();
    Duration::from_secs(given.and_then(|seconds| seconds.parse().ok()).unwrap_or(120))
});

/// How long a test waits for a line of the log.
const LOG_TIMEOUT: Duration = Duration::from_secs(60);

/// How much of the server's standard error is kept for messages.
const STDERR_KEPT: usize = 64 * 1024;

/// The answer to a request: the result, or the JSON-RPC error object.
pub type Reply = Result<Value, Value>;

/// The `_meta` object of a request of the stateless era, from a client without capabilities.
pub fn modern_meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "kennel-tests", "version": "0" },
    })
}

#[derive(Default)]
struct Inbox {
    replies: HashMap<u64, Reply>,
    /// How many answers came for an id that was not waiting or already answered, and lines that fit nothing.
    strays: Vec<Value>,
    notifications: Vec<Value>,
    requests: Vec<Value>,
    ended: bool,
}

struct Shared {
    inbox: Mutex<Inbox>,
    news: Condvar,
    stderr: Mutex<Vec<u8>>,
    panics: Mutex<Vec<String>>,
    wire: Option<Mutex<Spoken>>,
}

/// What was said on the wire, for the schemas.
#[derive(Default)]
struct Spoken {
    wire: crate::wire::Wire,
    /// A line of ours that is not finished.
    unfinished: Vec<u8>,
}

impl Spoken {
    fn sent(&mut self, bytes: &[u8]) {
        let mut lines = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            self.unfinished.extend_from_slice(line);
            if lines.peek().is_some() {
                self.wire.sent(&std::mem::take(&mut self.unfinished));
            }
        }
    }
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A client and the server it started. The server is killed on drop.
pub struct Client {
    child: Mutex<Child>,
    stdin: Mutex<Option<ChildStdin>>,
    next: AtomicU64,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Starts a server; any command that speaks MCP over stdio will do.
    pub fn start(command: Command) -> Self {
        Self::spawn(command, false)
    }

    /// Starts a server of ours: each message of it must be one that the revision in force has, or the client's end is a
    /// panic that says which was not.
    pub fn start_ours(command: Command) -> Self {
        Self::spawn(command, true)
    }

    fn spawn(mut command: Command, ours: bool) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take().expect("piped");
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        let shared = Arc::new(Shared {
            inbox: Mutex::default(),
            news: Condvar::new(),
            stderr: Mutex::default(),
            panics: Mutex::default(),
            wire: ours.then(Mutex::default),
        });

        let reader = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut lines = BufReader::with_capacity(256 * 1024, stdout);
            let mut line = Vec::new();
            loop {
                line.clear();
                match lines.read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => break,
                    Ok(_) => receive(&reader, &line),
                }
            }
            reader.inbox().ended = true;
            reader.news.notify_all();
        });
        let keeper = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stderr);
            let mut line = Vec::new();
            while let Ok(1..) = lines.read_until(b'\n', &mut line) {
                if let Some(panic) = panic_in(&line) {
                    keeper.panics.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(panic);
                }
                let mut kept = keeper.stderr.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let room = STDERR_KEPT.saturating_sub(kept.len()).min(line.len());
                kept.extend_from_slice(&line[..room]);
                line.clear();
            }
        });
        Self { child: Mutex::new(child), stdin: Mutex::new(Some(stdin)), next: AtomicU64::new(1), shared }
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.child.lock().expect("not poisoned").id()
    }

    /// What the server wrote to its standard error so far (the first 64 KiB).
    pub fn stderr(&self) -> String {
        let kept = self.shared.stderr.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        String::from_utf8_lossy(&kept).into_owned()
    }

    /// Waits until its standard error says `text`, which may come later than an answer, and gives what was said so far.
    #[track_caller]
    pub fn logged(&self, text: &str) -> String {
        let end = Instant::now() + LOG_TIMEOUT;
        loop {
            let log = self.stderr();
            if log.contains(text) {
                return log;
            }
            assert!(Instant::now() < end, "no {text:?} in\n{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Lines of its standard error, however late, that say that the server panicked.
    pub fn panics(&self) -> Vec<String> {
        self.shared.panics.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Forgets the notifications that came so far, for whoever stays long.
    pub fn forget_notifications(&self) {
        self.shared.inbox().notifications.clear();
    }

    /// Writes bytes as they are. Panics when the server no longer reads.
    pub fn raw(&self, bytes: &[u8]) {
        self.try_raw(bytes)
            .unwrap_or_else(|error| panic!("the server does not read: {error}\n{}", self.stderr()));
    }

    /// Writes bytes as they are.
    pub fn try_raw(&self, bytes: &[u8]) -> std::io::Result<()> {
        if let Some(mut spoken) = self.spoken() {
            spoken.sent(bytes);
        }
        let mut stdin = self.stdin.lock().expect("not poisoned");
        let stdin = stdin.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        stdin.write_all(bytes)?;
        stdin.flush()
    }

    fn spoken(&self) -> Option<MutexGuard<'_, Spoken>> {
        let wire = self.shared.wire.as_ref()?;
        Some(wire.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// What the server sent so far that its protocol does not have, which is then forgotten.
    pub fn violations(&self) -> Vec<String> {
        self.spoken().map(|mut spoken| spoken.wire.take_violations()).unwrap_or_default()
    }

    fn write(&self, message: &Value) {
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        self.raw(&line);
    }

    /// Sends a request and returns its id without waiting.
    pub fn send(&self, method: &str, params: Value) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({ "jsonrpc": "2.0", "id": id, "method": method });
        if !params.is_null() {
            message["params"] = params;
        }
        self.write(&message);
        id
    }

    /// Waits for the answer to a request sent before.
    #[track_caller]
    pub fn wait(&self, id: u64) -> Reply {
        self.wait_for(id, *ANSWER_TIMEOUT)
            .unwrap_or_else(|| panic!("no answer to request {id}; the server said:\n{}", self.stderr()))
    }

    /// Waits for an answer, at most so long; `None` when it did not come or the server is gone.
    pub fn wait_for(&self, id: u64, limit: Duration) -> Option<Reply> {
        self.until(limit, |inbox| inbox.replies.remove(&id))
    }

    /// Sends a request and waits for its answer. `Value::Null` leaves `params` out.
    #[track_caller]
    pub fn request(&self, method: &str, params: Value) -> Reply {
        self.wait(self.send(method, params))
    }

    /// The same in the stateless era: adds the `_meta` keys every request there carries.
    #[track_caller]
    pub fn modern(&self, method: &str, params: Value) -> Reply {
        self.request(method, with_meta(params))
    }

    /// The params of a `tools/call`.
    pub fn call_params(tool: &str, arguments: &Value) -> Value {
        json!({ "name": tool, "arguments": arguments })
    }

    /// Calls a tool and returns its result; panics on a protocol error.
    #[track_caller]
    pub fn call(&self, tool: &str, arguments: &Value) -> Value {
        self.request("tools/call", Self::call_params(tool, arguments))
            .unwrap_or_else(|error| panic!("{tool}: {error}\n{}", self.stderr()))
    }

    /// Calls a tool that must refuse, and returns its one short line.
    #[track_caller]
    pub fn refused(&self, tool: &str, arguments: &Value) -> String {
        refusal(&self.call(tool, arguments))
    }

    /// Sends a notification.
    pub fn notify(&self, method: &str, params: Value) {
        let mut message = json!({ "jsonrpc": "2.0", "method": method });
        if !params.is_null() {
            message["params"] = params;
        }
        self.write(&message);
    }

    /// Cancels a request.
    pub fn cancel(&self, id: u64) {
        self.notify("notifications/cancelled", json!({ "requestId": id }));
    }

    /// Answers a request of the server.
    pub fn respond(&self, id: &Value, result: &Value) {
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    }

    /// The handshake of the session era, at its last version.
    #[track_caller]
    pub fn initialize(&self) -> Value {
        self.initialize_with("2025-11-25", &json!({}))
    }

    /// The handshake of the session era.
    #[track_caller]
    pub fn initialize_with(&self, version: &str, capabilities: &Value) -> Value {
        let result = self
            .request(
                "initialize",
                json!({
                    "protocolVersion": version,
                    "capabilities": capabilities,
                    "clientInfo": { "name": "kennel-tests", "version": "0" },
                }),
            )
            .unwrap_or_else(|error| panic!("initialize: {error}\n{}", self.stderr()));
        self.notify("notifications/initialized", Value::Null);
        result
    }

    /// The notifications that came so far, in order.
    pub fn notifications(&self) -> Vec<Value> {
        self.shared.inbox().notifications.clone()
    }

    /// Waits for a notification of this method and takes it (and leaves all others).
    #[track_caller]
    pub fn notification(&self, method: &str) -> Value {
        self.notification_within(method, *ANSWER_TIMEOUT)
            .unwrap_or_else(|| panic!("no {method}; the server said:\n{}", self.stderr()))
    }

    /// The same, at most so long.
    pub fn notification_within(&self, method: &str, limit: Duration) -> Option<Value> {
        self.until(limit, |inbox| {
            let at = inbox.notifications.iter().position(|message| message["method"] == method)?;
            Some(inbox.notifications.remove(at))
        })
    }

    /// Waits for a request of the server of this method and takes it.
    #[track_caller]
    pub fn server_request(&self, method: &str) -> Value {
        self.until(*ANSWER_TIMEOUT, |inbox| {
            let at = inbox.requests.iter().position(|message| message["method"] == method)?;
            Some(inbox.requests.remove(at))
        })
        .unwrap_or_else(|| panic!("the server did not ask {method}; it said:\n{}", self.stderr()))
    }

    /// Lines that were neither an answer to an open request nor a notification nor a request.
    pub fn strays(&self) -> Vec<Value> {
        self.shared.inbox().strays.clone()
    }

    /// Waits for such a line and takes it (errors without an id come this way).
    pub fn stray(&self, limit: Duration) -> Option<Value> {
        self.until(limit, |inbox| (!inbox.strays.is_empty()).then(|| inbox.strays.remove(0)))
    }

    /// Closes the server's standard input.
    pub fn end_input(&self) {
        drop(self.stdin.lock().expect("not poisoned").take());
    }

    /// Waits until the server has ended, at most so long.
    pub fn exit(&self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) =
                self.child.lock().expect("not poisoned").try_wait().expect("a child can be waited for")
            {
                return Some(status);
            }
            if start.elapsed() > limit {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn until<T>(&self, limit: Duration, mut take: impl FnMut(&mut Inbox) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        let mut inbox = self.shared.inbox();
        loop {
            if let Some(found) = take(&mut inbox) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || inbox.ended {
                return None;
            }
            inbox = self
                .shared
                .news
                .wait_timeout(inbox, left)
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        crate::report::saw(child.id());
        let _ = child.kill();
        let _ = child.wait();
        if !std::thread::panicking() {
            let violations = self.violations();
            assert!(violations.is_empty(), "the protocol has no such message:\n{}", violations.join("\n"));
        }
    }
}

/// A line of standard error that says that the server itself panicked. What a plugin panics with is told in a log line, which
/// begins otherwise.
pub(crate) fn panic_in(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    let of_host = line.starts_with("thread '") && line.contains("panicked at");
    (of_host || line.contains("the host panicked")).then(|| line.trim().to_owned())
}

/// The one short line of a tool's result that is an error; panics when it is none, or says more.
#[track_caller]
pub fn refusal(result: &Value) -> String {
    let Some(text) = result["content"][0]["text"].as_str().filter(|_| result["isError"] == true) else {
        panic!("not refused: {result:.1000}");
    };
    assert!(text.lines().count() == 1 && text.len() < 300, "not one short line: {text}");
    text.to_owned()
}

/// Adds [`modern_meta`] to params, keeping keys of `_meta` that are there.
fn with_meta(params: Value) -> Value {
    let mut params = if params.is_null() { json!({}) } else { params };
    let mut meta = modern_meta();
    if let (Some(meta), Some(Value::Object(given))) = (meta.as_object_mut(), params.get("_meta")) {
        meta.extend(given.clone());
    }
    params["_meta"] = meta;
    params
}

/// The texts of a tool's result, each on a line.
#[track_caller]
pub fn words(result: &Value) -> String {
    let blocks = result["content"].as_array().unwrap_or_else(|| panic!("no content: {result}"));
    blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
}

fn receive(shared: &Shared, line: &[u8]) {
    if let Some(wire) = &shared.wire {
        wire.lock().unwrap_or_else(std::sync::PoisonError::into_inner).wire.received(line);
    }
    let message: Value = serde_json::from_slice(line)
        .unwrap_or_else(|_| json!({ "unparsable": String::from_utf8_lossy(line) }));
    let mut inbox = shared.inbox();
    if message.get("method").is_some() {
        if message.get("id").is_some() { &mut inbox.requests } else { &mut inbox.notifications }
            .push(message);
    } else {
        let id = message.get("id").and_then(Value::as_u64);
        let reply = match (message.get("result"), message.get("error")) {
            (Some(result), None) => Some(Ok(result.clone())),
            (None, Some(error)) => Some(Err(error.clone())),
            _ => None,
        };
        match (id, reply) {
            (Some(id), Some(reply)) if !inbox.replies.contains_key(&id) => {
                inbox.replies.insert(id, reply);
            }
            _ => inbox.strays.push(message),
        }
    }
    shared.news.notify_all();
}
