//! The chain of one segment: each line ends in a hash over the line before and its own text, so that no line can be
//! altered, taken out or put in without all that follow. Knows no file and nothing of what a line says.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What makes these hashes no others.
const CONTEXT: &str = "kennel 2026-11-21 audit line";
/// Before the hash, at the end of each line.
const BEFORE: &[u8] = b",\"hash\":\"";
/// After it.
const AFTER: &[u8] = b"\"}";

/// The hash of a line and, through it, of all lines before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link([u8; 32]);

/// A text that is no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the hash of an audit line: 64 lower-case hexadecimal digits are needed")]
pub struct LinkError;

impl Link {
    /// Before the first line.
    pub const START: Self = Self([0; 32]);

    fn after(before: Self, body: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&before.0).update(body);
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        // One spelling only: `from_hex` also takes capitals.
        let hash = blake3::Hash::from_hex(text).map_err(|_| LinkError)?;
        if hash.to_hex().as_str() == text { Ok(Self(*hash.as_bytes())) } else { Err(LinkError) }
    }
}

impl Serialize for Link {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Closes the line that begins at byte `from` of `text`, a JSON object, and gives back its link.
pub(super) fn seal(text: &mut Vec<u8>, from: usize, before: Link) -> Link {
    // Without its brace, which comes after the hash.
    if text.last() == Some(&b'}') {
        text.pop();
    }
    let link = Link::after(before, text.get(from..).unwrap_or_default());
    text.extend_from_slice(BEFORE);
    text.extend_from_slice(link.to_string().as_bytes());
    text.extend_from_slice(AFTER);
    text.push(b'\n');
    link
}

/// The link that a line (without its line feed) carries, and the one it should carry after `before`.
pub(super) fn links(line: &[u8], before: Link) -> Option<(Link, Link)> {
    let rest = line.strip_suffix(AFTER)?;
    let (rest, hex) = rest.split_at_checked(rest.len().checked_sub(64)?)?;
    let body = rest.strip_suffix(BEFORE)?;
    let carried = std::str::from_utf8(hex).ok()?.parse().ok()?;
    Some((carried, Link::after(before, body)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn chain(bodies: &[String]) -> (Vec<u8>, Link) {
        let (mut text, mut link) = (Vec::new(), Link::START);
        for body in bodies {
            let from = text.len();
            text.extend(serde_json::json!({ "body": body }).to_string().into_bytes());
            link = seal(&mut text, from, link);
        }
        (text, link)
    }

    fn holds(text: &[u8]) -> bool {
        let mut before = Link::START;
        text.split_inclusive(|byte| *byte == b'\n').all(|line| {
            let found = line.strip_suffix(b"\n").and_then(|line| links(line, before));
            found.is_some_and(|(carried, due)| {
                before = carried;
                carried == due
            })
        })
    }

    #[test]
    fn a_sealed_line_is_json_that_says_its_hash() {
        let (text, link) = chain(&["one".into()]);
        let line: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(line["hash"], link.to_string());
        assert_eq!(line["body"], "one");
        assert!(link.to_string().to_uppercase().parse::<Link>().is_err());
        assert!("".parse::<Link>().is_err());
    }

    proptest! {
        #[test]
        fn a_chain_holds_until_a_byte_of_it_changes(
            bodies in proptest::collection::vec(any::<String>(), 1..6), at: prop::sample::Index, to: u8,
        ) {
            let (mut text, _) = chain(&bodies);
            prop_assert!(holds(&text));
            let at = at.index(text.len());
            prop_assume!(text[at] != to);
            text[at] = to;
            prop_assert!(!holds(&text));
        }

        #[test]
        fn no_line_can_be_left_out_before_another(
            bodies in proptest::collection::vec(any::<String>(), 2..6), out: prop::sample::Index,
        ) {
            let (text, _) = chain(&bodies);
            let mut lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
            lines.remove(out.index(lines.len() - 1));
            prop_assert!(!holds(&lines.concat()));
        }

        #[test]
        fn no_bytes_make_it_panic(line: Vec<u8>) {
            let _ = links(&line, Link::START);
        }
    }
}
