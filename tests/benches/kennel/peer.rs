//! A client that costs as little as a client can: lines are made beforehand, answers are found by their id.
//! One thread writes, the caller reads.
//! It must not read JSON where a glance does: what it spends is in every figure.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    line: Vec<u8>,
    next: u64,
}

impl Peer {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let input = child.stdin.take().unwrap();
        let output = BufReader::with_capacity(256 << 10, child.stdout.take().unwrap());
        Self { child, input, output, line: Vec::new(), next: 1 }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn send(&mut self, message: &Value) {
        let mut line = message.to_string();
        line.push('\n');
        self.input.write_all(line.as_bytes()).unwrap();
    }

    /// The next line that is an answer; notifications are passed over.
    fn answer(&mut self) -> &[u8] {
        loop {
            self.line.clear();
            assert!(self.output.read_until(b'\n', &mut self.line).unwrap() > 0, "the server has gone");
            if !self.line.windows(9).take(64).any(|part| part == b"\"method\":") {
                return &self.line;
            }
        }
    }

    /// Sends a request and gives its result.
    pub fn request(&mut self, method: &str, params: &Value) -> Value {
        let id = self.next;
        self.next += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let answer: Value = serde_json::from_slice(self.answer()).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    /// The handshake.
    pub fn initialize(&mut self) {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "bench", "version": "0" },
        });
        self.request("initialize", &params);
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    }

    /// How many tools the server has, once it has found them.
    pub fn tools(&mut self) -> usize {
        self.request("tools/list", &json!({}))["tools"].as_array().map_or(0, Vec::len)
    }

    fn line_of_call(id: u64, tool: &str, text: &str) -> String {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"{tool}\",\"arguments\":{{\"text\":\"{text}\"}}}}}}\n"
        )
    }

    /// The id of an answer; panics unless it carries the text.
    fn id_of(line: &[u8], text: &str) -> u64 {
        assert!(line.len() > text.len(), "{}", String::from_utf8_lossy(line));
        let at = line.windows(5).position(|part| part == b"\"id\":").expect("an id") + 5;
        let digits = line[at..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |id, digit| id * 10 + u64::from(digit - b'0'))
    }

    /// One call; how long until its answer was here.
    pub fn call(&mut self, tool: &str, text: &str) -> Duration {
        let id = self.next;
        self.next += 1;
        let line = Self::line_of_call(id, tool, text);
        let start = Instant::now();
        self.input.write_all(line.as_bytes()).unwrap();
        let answer = self.answer();
        let time = start.elapsed();
        assert_eq!(Self::id_of(answer, text), id);
        time
    }

    /// So many calls at once; how long until all answers were here, each exactly once.
    pub fn burst(&mut self, count: usize, tool: &str, text: &str) -> Duration {
        let first = self.next;
        self.next += count as u64;
        let lines: Vec<String> =
            (0..count as u64).map(|at| Self::line_of_call(first + at, tool, text)).collect();
        let lines = lines.concat();
        let mut seen = vec![false; count];
        let (input, output, line) = (&mut self.input, &mut self.output, &mut self.line);
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(move || input.write_all(lines.as_bytes()).unwrap());
            for _ in 0..count {
                line.clear();
                assert!(output.read_until(b'\n', line).unwrap() > 0, "the server has gone");
                let at = usize::try_from(Self::id_of(line, text) - first).unwrap();
                assert!(!std::mem::replace(&mut seen[at], true), "answered twice");
            }
        });
        start.elapsed()
    }

    /// Ends the server's input; how long until the process was gone.
    pub fn end(self) -> Duration {
        let Self { mut child, input, output, .. } = self;
        let start = Instant::now();
        drop(input);
        child.wait().unwrap();
        drop(output);
        start.elapsed()
    }
}
