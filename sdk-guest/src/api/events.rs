//! Server-sent events (WHATWG HTML, section 9.2), as services stream answers with them: the data of each.
//! Must not reconnect: an answer that breaks off is the caller's to judge.

use std::io::{self, BufRead, BufReader, Read};

/// The longest event, in bytes: one is held in memory at a time.
const LONGEST: usize = 1024 * 1024;

/// The data of the events in a stream, one after another.
#[derive(Debug)]
pub struct Events<R> {
    lines: BufReader<R>,
}

impl<R: Read> Events<R> {
    /// Reads events from a body.
    pub fn new(body: R) -> Self {
        Self { lines: BufReader::new(body) }
    }

    /// The next event's data; none at the end. An event that the end cuts off is dropped, as the standard says.
    fn event(&mut self) -> io::Result<Option<String>> {
        let mut data = String::new();
        let mut has_data = false;
        loop {
            let mut line = String::new();
            let longest = u64::try_from(LONGEST).unwrap_or(u64::MAX);
            let got = (&mut self.lines).take(longest).read_line(&mut line)?;
            if got == 0 {
                return Ok(None);
            }
            if got == LONGEST || data.len() + got > LONGEST {
                return Err(io::Error::other(format!("an event is longer than {LONGEST} bytes")));
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                if has_data {
                    return Ok(Some(data));
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            if field == "data" {
                if has_data {
                    data.push('\n');
                }
                data.push_str(value.strip_prefix(' ').unwrap_or(value));
                has_data = true;
            }
        }
    }
}

impl<R: Read> Iterator for Events<R> {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.event().transpose()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn all(text: &str) -> Vec<String> {
        Events::new(text.as_bytes()).map(Result::unwrap).collect()
    }

    #[test]
    fn data_is_read_and_the_rest_is_not() {
        let text =
            ": hello\n\nevent: x\nid: 1\ndata: {\"a\":1}\n\ndata:one\r\ndata: two\r\n\r\ndata\n\ndata: cut";
        assert_eq!(all(text), ["{\"a\":1}", "one\ntwo", ""]);
    }

    #[test]
    fn an_event_has_a_longest() {
        let long = format!("data: {}\n\n", "x".repeat(LONGEST));
        assert!(Events::new(long.as_bytes()).next().unwrap().is_err());
        let many = "data: 0123456789\n".repeat(LONGEST / 10);
        assert!(Events::new(many.as_bytes()).next().unwrap().is_err());
    }
}
