//! What the audit's lines say, kind by kind, and how they are written. Says what happened; never arguments, results,
//! a plugin's own words or secrets.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::grants::{Digest, Grants};

use super::chain::{self, Link};
use super::decisions::{Decisions, cut};

/// The version of the lines' form.
pub(super) const FORM: u32 = 1;
/// Arguments up to this size are hashed by the writer, so that a call need not; larger ones before they wait, so
/// that what waits is bounded.
const SMALL: usize = 2 << 10;
/// Bytes of a name, URI, caller, trace or outcome.
const LONGEST: usize = 512;
/// What makes these hashes no others.
const ARGUMENTS: &[u8] = b"kennel audit arguments\0";

/// A call that ended, or was refused.
#[derive(Clone, Debug)]
pub struct Record<U> {
    /// When it ended.
    pub time: SystemTime,
    /// The plugin's name and the digest of its component; none when nobody has the name that was called.
    pub plugin: Option<(String, Digest)>,
    /// The protocol's method.
    pub method: &'static str,
    /// The tool's or prompt's public name, or the resource's URI.
    pub name: String,
    /// Whom it was for.
    pub caller: Arc<str>,
    /// W3C `traceparent` of the request, when it had one of the form of the standard.
    pub trace: Option<String>,
    /// The arguments, of which the audit keeps size and a keyed digest.
    pub arguments: Arguments,
    /// How often the plugin had asked before; 0 is its first entry.
    pub round: u32,
    /// `ok`, what it asks, or in which way it failed.
    pub outcome: Cow<'static, str>,
    /// What was allowed and denied.
    pub decisions: Decisions,
    /// Bytes that came out of the plugin.
    pub output: usize,
    /// What it used.
    pub usage: U,
}

/// A call's arguments on their way to their digest.
#[derive(Clone, Debug)]
pub enum Arguments {
    /// The call has none.
    None,
    /// As the client wrote them.
    Text(Arc<str>),
    /// Hashed already.
    Hashed {
        /// Their size.
        bytes: usize,
        /// Their digest.
        digest: blake3::Hash,
    },
}

/// The home's secret key. Equal arguments have equal digests in one home; without the key nobody can try which
/// arguments a digest belongs to.
#[derive(Clone)]
pub(super) struct Key(pub(super) [u8; 32]);

impl Key {
    fn digest(&self, text: &str) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(ARGUMENTS).update(text.as_bytes());
        hasher.finalize()
    }

    /// Hashes what is too large to wait.
    pub(super) fn shrink(&self, arguments: &mut Arguments) {
        if let Arguments::Text(text) = arguments
            && text.len() > SMALL
        {
            *arguments = Arguments::Hashed { bytes: text.len(), digest: self.digest(text) };
        }
    }

    fn told(&self, arguments: &Arguments) -> Option<Told> {
        let (bytes, digest) = match arguments {
            Arguments::None => return None,
            Arguments::Text(text) => (text.len(), self.digest(text)),
            Arguments::Hashed { bytes, digest } => (*bytes, *digest),
        };
        // Half of it tells arguments apart as well, and shortens every line.
        let digest = digest.to_hex().as_str().get(..32).unwrap_or_default().to_owned();
        Some(Told { bytes, digest })
    }
}

/// A change of what a plugin holds, or of its approval.
#[derive(Clone, Debug)]
pub struct Change {
    /// The plugin's name.
    pub plugin: String,
    /// Of the component it is about.
    pub digest: Option<Digest>,
    /// Who made it: a person's name, or `host` for what a running host noticed and applied.
    pub by: String,
    /// What it was: `approved`, `approval taken back`, `allowed`, `revoked`, `applied`, `in force`.
    pub what: &'static str,
    /// What it held before.
    pub before: Grants,
    /// What it holds now.
    pub now: Grants,
}

/// A place in the chain: this many lines of this segment, of which the last has this hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The segment's number.
    pub segment: u64,
    /// Lines.
    pub lines: u64,
    /// Of the last of them.
    pub hash: Link,
}

/// The first line of a segment.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) form: u32,
    pub(super) segment: u64,
    pub(super) version: Cow<'static, str>,
    pub(super) process: u32,
    /// Segments before this number were removed by rotation.
    pub(super) floor: u64,
    /// Where the other segments were: those that ended since the last one began, and those that go on.
    pub(super) after: Vec<Pin>,
}

/// What is written.
pub(super) enum Line<'a, U> {
    Begin(&'a Begin),
    Call(&'a Record<U>),
    Change(&'a Change, SystemTime),
    /// So many calls are missing from here on, because of this.
    Gap {
        lost: u64,
        why: &'a str,
    },
    End(&'static str),
}

#[derive(Serialize)]
struct Head<'a, T> {
    n: u64,
    time: String,
    kind: &'static str,
    #[serde(flatten)]
    what: &'a T,
}

#[derive(Serialize)]
struct Told {
    bytes: usize,
    digest: String,
}

#[derive(Serialize)]
struct CallText<'a, U> {
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    method: &'static str,
    name: &'a str,
    caller: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<Told>,
    round: u32,
    outcome: &'a str,
    #[serde(flatten)]
    decisions: &'a Decisions,
    output: usize,
    usage: &'a U,
}

#[derive(Serialize)]
struct ChangeText<'a> {
    plugin: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    by: &'a str,
    what: &'static str,
    before: Vec<String>,
    now: Vec<String>,
}

#[derive(Serialize)]
struct GapText<'a> {
    lost: u64,
    why: &'a str,
}

#[derive(Serialize)]
struct EndText {
    why: &'static str,
}

/// Lines to be written together, each chained to the one before.
pub(super) struct Batch {
    pub(super) text: Vec<u8>,
    pub(super) lines: u64,
    pub(super) link: Link,
}

impl Batch {
    /// After so many lines, of which the last has this link.
    pub(super) fn after(lines: u64, link: Link) -> Self {
        Self { text: Vec::new(), lines, link }
    }

    /// Adds a line.
    pub(super) fn add<U: Serialize>(&mut self, line: &Line<'_, U>, key: &Key) -> io::Result<()> {
        let now = SystemTime::now();
        match line {
            Line::Begin(begin) => self.put("begin", now, begin),
            Line::End(why) => self.put("end", now, &EndText { why }),
            Line::Gap { lost, why } => self.put("gap", now, &GapText { lost: *lost, why }),
            Line::Change(change, time) => {
                let Change { plugin, digest, by, what, before, now } = change;
                let (before, now) = (before.describe(), now.describe());
                let text = ChangeText { plugin, digest: *digest, by, what, before, now };
                self.put("grants", *time, &text)
            }
            Line::Call(call) => {
                let short = |text| cut(text, LONGEST);
                self.put(
                    "call",
                    call.time,
                    &CallText {
                        plugin: call.plugin.as_ref().map(|(name, _)| name.as_str()),
                        digest: call.plugin.as_ref().map(|(_, digest)| *digest),
                        method: call.method,
                        name: short(without_query(&call.name)),
                        caller: short(&call.caller),
                        trace: call.trace.as_deref().map(short),
                        arguments: key.told(&call.arguments),
                        round: call.round,
                        outcome: short(&call.outcome),
                        decisions: &call.decisions,
                        output: call.output,
                        usage: &call.usage,
                    },
                )
            }
        }
    }

    fn put<T: Serialize>(&mut self, kind: &'static str, time: SystemTime, what: &T) -> io::Result<()> {
        let from = self.text.len();
        let time = humantime::format_rfc3339_micros(time).to_string();
        let head = Head { n: self.lines + 1, time, kind, what };
        if let Err(error) = serde_json::to_writer(&mut self.text, &head) {
            self.text.truncate(from);
            return Err(error.into());
        }
        self.link = chain::seal(&mut self.text, from, self.link);
        self.lines += 1;
        Ok(())
    }
}

/// Queries and fragments of URIs are where arguments and secrets are.
fn without_query(name: &str) -> &str {
    name.split(['?', '#']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::time::Duration;

    fn record(name: &str, arguments: Arguments) -> Record<()> {
        Record {
            time: SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456),
            plugin: Some(("time".into(), Digest::of(b"time"))),
            method: "tools/call",
            name: name.into(),
            caller: "ada".into(),
            trace: None,
            arguments,
            round: 0,
            outcome: "ok".into(),
            decisions: Decisions::default(),
            output: 12,
            usage: (),
        }
    }

    fn written(records: &[Record<()>], key: [u8; 32]) -> String {
        let mut batch = Batch::after(0, Link::START);
        for record in records {
            batch.add(&Line::Call(record), &Key(key)).unwrap();
        }
        String::from_utf8(batch.text).unwrap()
    }

    #[test]
    fn a_line_reads() {
        let text = written(&[record("time__now", Arguments::Text(r#"{"zone":"UTC"}"#.into()))], [7; 32]);
        insta::assert_snapshot!(text.trim_end());
    }

    #[test]
    fn arguments_leave_a_digest_that_only_the_key_can_make() {
        let digest = |text: &str, key: u8| {
            let mut arguments = Arguments::Text(text.into());
            Key([key; 32]).shrink(&mut arguments);
            let line: serde_json::Value =
                serde_json::from_str(&written(&[record("x", arguments)], [key; 32])).unwrap();
            assert_eq!(line["arguments"]["bytes"], text.len());
            line["arguments"]["digest"].clone()
        };
        let long = "x".repeat(SMALL + 1);
        assert_eq!(digest("{}", 1), digest("{}", 1));
        assert_eq!(digest(&long, 1), digest(&long, 1));
        assert_ne!(digest("{}", 1), digest("{}", 2));
        assert_ne!(digest("{}", 1), digest("{ }", 1));
        // The same whether the call or the writer hashes it.
        let before = Key([1; 32]).told(&Arguments::Text(long.as_str().into())).unwrap().digest;
        assert_eq!(digest(&long, 1), before);
    }

    #[test]
    fn lines_are_short_and_hold_no_query() {
        let name = format!("notes://a?token=secret#{}", "x".repeat(100_000));
        let mut long = record(&"ä".repeat(100_000), Arguments::None);
        long.caller = "c".repeat(100_000).into();
        long.outcome = "o".repeat(100_000).into();
        let text = written(&[record(&name, Arguments::None), long], [0; 32]);
        assert!(!text.contains("secret") && text.contains("notes://a\""), "{text}");
        assert!(text.len() < 4000, "{}", text.len());
    }
}
