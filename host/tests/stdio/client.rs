//! A client that speaks raw lines, so that it can also say what no library would.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use kennel::mcp::KennelHandler;
use kennel::transport::stdio::{self, Options};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::catalog::Native;

/// Long enough for a busy machine, short enough for a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Client {
    pub catalog: Native,
    pub stop: CancellationToken,
    to: Option<PipeWriter>,
    from: Option<PipeReader>,
    lines: Option<mpsc::Receiver<String>>,
    served: Option<JoinHandle<()>>,
    done: mpsc::Receiver<()>,
}

pub fn modern(mut params: Value) -> Value {
    let meta = params.as_object_mut().unwrap().entry("_meta").or_insert(json!({}));
    let meta = meta.as_object_mut().unwrap();
    meta.insert("io.modelcontextprotocol/protocolVersion".into(), json!("2026-07-28"));
    meta.insert("io.modelcontextprotocol/clientCapabilities".into(), json!({"elicitation": {"url": {}}}));
    meta.insert("io.modelcontextprotocol/clientInfo".into(), json!({"name": "tester", "version": "1"}));
    params
}

impl Client {
    /// A served client that reads nothing until told to.
    pub fn silent(catalog: Native, options: Options) -> Self {
        let (from_client, to) = std::io::pipe().unwrap();
        let (from, to_client) = std::io::pipe().unwrap();
        let stop = CancellationToken::new();
        let (done_tx, done) = mpsc::channel();
        let served = std::thread::spawn({
            let (catalog, stop) = (catalog.clone(), stop.clone());
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let handler = KennelHandler::new(catalog);
                let stop = async move { stop.cancelled().await };
                runtime.block_on(stdio::serve(handler, from_client, to_client, options, stop)).unwrap();
                drop(runtime);
                let _ = done_tx.send(());
            }
        });
        Self { catalog, stop, to: Some(to), from: Some(from), lines: None, served: Some(served), done }
    }

    pub fn new() -> Self {
        Self::with(Native::new(), Options::default())
    }

    pub fn with(catalog: Native, options: Options) -> Self {
        let mut client = Self::silent(catalog, options);
        client.read();
        client
    }

    /// A client of the era with the handshake, after it.
    pub fn legacy() -> Self {
        let mut client = Self::new();
        client.initialize();
        client
    }

    pub fn initialize(&mut self) {
        self.introduce();
        self.be_ready();
    }

    /// The first half of the handshake.
    pub fn introduce(&mut self) {
        let answer = self.ask(
            "init",
            "initialize",
            json!({"protocolVersion": "2025-11-25", "capabilities": {"sampling": {}, "elicitation": {}},
                   "clientInfo": {"name": "tester", "version": "1"}}),
        );
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
    }

    /// Its last word.
    pub fn be_ready(&mut self) {
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    }

    /// Begins to read what the server says.
    pub fn read(&mut self) {
        let from = BufReader::new(self.from.take().unwrap());
        let (tx, rx) = mpsc::channel();
        std::thread::spawn(move || {
            for line in from.lines() {
                let Ok(line) = line else { return };
                if tx.send(line).is_err() {
                    return;
                }
            }
        });
        self.lines = Some(rx);
    }

    /// Closes the server's way out.
    pub fn deaf(&mut self) {
        drop(self.from.take());
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.to.as_mut().unwrap().write_all(bytes).unwrap();
    }

    pub fn say(&mut self, message: &Value) {
        self.raw(format!("{message}\n").as_bytes());
    }

    pub fn request(&mut self, id: impl Into<Value>, method: &str, params: Value) {
        self.say(&json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params}));
    }

    pub fn cancel(&mut self, id: impl Into<Value>) {
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id.into()}}));
    }

    /// The next message of the server.
    pub fn hear(&self) -> Value {
        let line = self.lines.as_ref().unwrap().recv_timeout(PATIENCE).expect("the server says nothing");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("not a message: {error}: {line}"))
    }

    /// Says that nothing comes for a moment.
    pub fn hear_nothing(&self) {
        if let Ok(line) = self.lines.as_ref().unwrap().recv_timeout(Duration::from_millis(150)) {
            panic!("unexpected: {line}");
        }
    }

    pub fn ask(&mut self, id: impl Into<Value>, method: &str, params: Value) -> Value {
        let id = id.into();
        self.request(id.clone(), method, params);
        let answer = self.hear();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    pub fn call(&mut self, id: impl Into<Value>, tool: &str) -> Value {
        self.ask(id, "tools/call", json!({"name": tool, "arguments": {}}))
    }

    /// For a thread that writes while this one reads.
    pub fn take_writer(&mut self) -> PipeWriter {
        self.to.take().unwrap()
    }

    pub fn hang_up(&mut self) {
        drop(self.to.take());
    }

    /// Waits until the server is gone and gives what it still said.
    pub fn rest(mut self) -> Vec<Value> {
        self.done.recv_timeout(PATIENCE).expect("the server does not end");
        self.served.take().unwrap().join().unwrap();
        let Some(lines) = self.lines.take() else { return vec![] };
        let mut rest = vec![];
        while let Ok(line) = lines.recv_timeout(PATIENCE) {
            rest.push(serde_json::from_str(&line).unwrap());
        }
        rest
    }

    pub fn until(&self, what: &str, mut condition: impl FnMut(&Native) -> bool) {
        let begin = std::time::Instant::now();
        while !condition(&self.catalog) {
            assert!(begin.elapsed() < PATIENCE, "never happened: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
