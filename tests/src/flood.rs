//! Very many calls over stdio, as fast as the server takes them: one thread writes, one reads.
//! It counts answers and compares each with what its own call must get.
//! It must not parse what it does not need: the client shall not be what is measured.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many unexpected lines are kept for the message.
const KEPT: usize = 5;

/// What to do.
#[derive(Debug, Clone, Copy)]
pub struct Flood<'a> {
    /// The tool's public name; it gives back its argument `text`.
    pub tool: &'a str,
    /// How many calls, at most 2³².
    pub calls: u32,
    /// How many may be open at once.
    pub window: u32,
}

/// What came of it.
#[derive(Debug)]
pub struct Flooded {
    /// Calls answered once, with what they must get.
    pub right: u32,
    /// Calls answered more than once.
    pub twice: u32,
    /// Calls without an answer.
    pub unanswered: u32,
    /// Answers that were not what their call must get, and lines that were no answers (the first few).
    pub odd: VecDeque<String>,
    /// How many of those there were.
    pub odd_count: u32,
    /// The most calls that were open at once.
    pub most_open: u32,
    /// From the first call to the last answer.
    pub took: Duration,
}

struct Window {
    open: Mutex<(u32, u32)>,
    room: Condvar,
}

impl Window {
    fn lock(&self) -> MutexGuard<'_, (u32, u32)> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flood<'_> {
    /// Starts the server, makes the calls, closes its input and waits for its end.
    pub fn run(self, mut command: Command) -> Flooded {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut input = BufWriter::with_capacity(64 * 1024, server.stdin.take().expect("piped"));
        let mut output = BufReader::with_capacity(256 * 1024, server.stdout.take().expect("piped"));

        input.write_all(concat!(
            r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","#,
            r#""capabilities":{},"clientInfo":{"name":"flood","version":"0"}}}"#, "\n",
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, "\n",
            // Answered once the plugins are there, so that the clock does not count their compilation.
            r#"{"jsonrpc":"2.0","id":"t","method":"tools/list"}"#, "\n",
        ).as_bytes()).and_then(|()| input.flush()).expect("the server reads");
        let mut line = Vec::new();
        while !contains(&line, br#""id":"t""#) {
            line.clear();
            let count = output.read_until(b'\n', &mut line).expect("the server's output can be read");
            assert!(count > 0, "the server ended before it listed its tools");
        }

        let window = Window { open: Mutex::default(), room: Condvar::new() };
        let start = Instant::now();
        let mut flooded = std::thread::scope(|scope| {
            scope.spawn(|| self.write(input, &window));
            self.read(output, &window)
        });
        flooded.took = start.elapsed();
        flooded.most_open = window.lock().1;
        server.wait().expect("a child can be waited for");
        flooded
    }

    /// Closes the input at the end.
    fn write(self, mut input: impl std::io::Write, window: &Window) {
        let mut free = 0;
        for id in 0..self.calls {
            if free == 0 {
                // Whatever waits in the buffer must get out before this thread sleeps.
                if window.lock().0 >= self.window && input.flush().is_err() {
                    return;
                }
                let mut open = window.lock();
                while open.0 >= self.window {
                    open = window.room.wait(open).unwrap_or_else(PoisonError::into_inner);
                }
                // Several at once, to take the lock seldom; the last few one by one fill the window.
                free = (self.window - open.0).min(64).min(self.calls - id);
                open.0 += free;
                open.1 = open.1.max(open.0);
            }
            free -= 1;
            let line = format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"{}\",\"arguments\":{{\"text\":\"{id}\"}}}}}}\n",
                self.tool
            );
            if input.write_all(line.as_bytes()).is_err() {
                return;
            }
        }
        let _ = input.flush();
        // The reader has what it needs when all are answered; ending the input early would end the server.
        let mut open = window.lock();
        while open.0 > 0 {
            open = window.room.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn read(self, mut output: impl std::io::BufRead, window: &Window) -> Flooded {
        let mut answers = vec![0_u8; self.calls as usize];
        let mut flooded = Flooded {
            right: 0,
            twice: 0,
            unanswered: 0,
            odd: VecDeque::new(),
            odd_count: 0,
            most_open: 0,
            took: Duration::ZERO,
        };
        let mut line = Vec::new();
        loop {
            line.clear();
            if !matches!(output.read_until(b'\n', &mut line), Ok(1..)) {
                break;
            }
            let id = id_of(&line).filter(|id| *id < self.calls);
            let Some(id) = id else {
                flooded.odd(&line);
                continue;
            };
            let count = &mut answers[id as usize];
            *count = count.saturating_add(1);
            if *count > 1 {
                continue;
            }
            if contains(&line, format!("\"text\":\"{id}\"").as_bytes()) && contains(&line, b"\"result\"") {
                flooded.right += 1;
            } else {
                flooded.odd(&line);
            }
            let mut open = window.lock();
            open.0 -= 1;
            if open.0 == 0 || open.0 + 64 <= self.window {
                window.room.notify_one();
            }
        }
        // The server is gone: whoever still waits for room waits in vain.
        window.lock().0 = 0;
        window.room.notify_one();
        flooded.twice = answers.iter().filter(|count| **count > 1).count() as u32;
        flooded.unanswered = answers.iter().filter(|count| **count == 0).count() as u32;
        flooded
    }
}

impl Flooded {
    fn odd(&mut self, line: &[u8]) {
        self.odd_count += 1;
        if self.odd.len() < KEPT {
            self.odd.push_back(String::from_utf8_lossy(&line[..line.len().min(400)]).into_owned());
        }
    }
}

/// The number under `id`, which the server writes before the result.
fn id_of(line: &[u8]) -> Option<u32> {
    let key = br#""id":"#;
    let at = line.windows(key.len()).take(64).position(|window| window == key)? + key.len();
    let digits = line[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&line[at..at + digits]).ok()?.parse().ok()
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    line.windows(text.len()).any(|window| window == text)
}
