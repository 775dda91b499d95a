//! `time` beside PyPI's `mcp-server-time`.

use std::path::Path;
use std::process::Command;

use kennel_tests::{Home, python};
use serde_json::Value;

use crate::server::Server;

pub(crate) struct Time;

impl Server for Time {
    const NAME: &'static str = "time";
    const TABLE: &'static str = include_str!("time.json");

    fn reference(&self, _: &Home, _: &Path) -> Command {
        let mut command = Command::new(python());
        command.args(["-m", "mcp_server_time", "--local-timezone", "UTC"]);
        command
    }

    /// Times of day in `get_current_time`: the calls are not at the same instant.
    fn text(&self, tool: &str, text: &str) -> Value {
        match tool {
            "get_current_time" => without_time_of_day(text).into(),
            _ => text.into(),
        }
    }
}

/// `2026-11-21T10:15:23+01:00` becomes `2026-11-21T(time)+01:00`, wherever it stands.
fn without_time_of_day(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('T') {
        let time = rest.as_bytes().get(at + 1..at + 9);
        let is_time = time.is_some_and(|time| {
            time.iter()
                .enumerate()
                .all(|(i, byte)| if i % 3 == 2 { *byte == b':' } else { byte.is_ascii_digit() })
        });
        let (head, tail) = rest.split_at(at + 1);
        out.push_str(head);
        rest = if is_time {
            out.push_str("(time)");
            &tail[8..]
        } else {
            tail
        };
    }
    out.push_str(rest);
    out
}

#[test]
fn only_the_time_of_day_is_left_out() {
    let text = |text| Time.text("get_current_time", text);
    assert_ne!(text("2026-11-21T10:00:00+01:00"), text("2026-11-21T10:00:00+02:00"));
    assert_eq!(text("2026-11-21T10:00:00+01:00"), text("2026-11-21T10:59:59+01:00"));
}
