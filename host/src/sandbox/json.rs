//! What JSON Kennel takes, from clients and from plugins: RFC 8259, no duplicate keys, bounded depth and
//! size, numbers and key order kept. One pass that builds nothing; it knows no message and no schema.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

/// Deepest nesting of arrays and objects (`wit/types.wit`, `json`).
pub const MAX_DEPTH: usize = 64;

/// Most values in one text. A parsed value takes up to a hundred bytes where its text takes two, so a cap
/// on bytes alone would not bound memory.
pub const MAX_VALUES: usize = 1_000_000;

/// Up to so many keys of one object are compared one by one; more go into a hash set.
const FEW_KEYS: usize = 16;

/// Keys by which serde_json passes raw text and numbers through its own data model. Someone else's text
/// holding one would be read as something it does not say.
const RESERVED: &str = "$serde_json::private::";

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not JSON; the byte where it stops being it.
    #[error("not valid JSON: {what} at byte {at}")]
    Syntax {
        /// Offset in bytes.
        at: usize,
        /// What was wrong there.
        what: &'static str,
    },
    /// Half of a surrogate pair, which is no character.
    #[error("not valid JSON: a lone surrogate at byte {at}")]
    Surrogate {
        /// Offset in bytes.
        at: usize,
    },
    /// Too deep.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// The same key twice in one object; readers disagree on which counts.
    #[error("duplicate key {0:?}")]
    DuplicateKey(String),
    /// A key that means something to the parser.
    #[error("reserved key {0:?}")]
    ReservedKey(String),
    /// Too many values.
    #[error("more than {MAX_VALUES} values")]
    TooMany,
}

/// Checks a text without building anything.
///
/// # Errors
/// The first fault found.
pub fn check(text: &str) -> Result<(), JsonFault> {
    match scan(text, []).fault {
        Some(fault) => Err(fault),
        None => Ok(()),
    }
}

/// Checks a text and parses it.
///
/// # Errors
/// The first fault found.
pub fn parse(text: &str) -> Result<Value, JsonFault> {
    check(text)?;
    serde_json::from_str(text).map_err(|error| JsonFault::Syntax {
        at: error.column().saturating_sub(1),
        what: "the parser stopped",
    })
}

/// What one pass over a text found.
#[derive(Debug)]
pub struct Scan<'a, const N: usize> {
    /// The first fault, if any.
    pub fault: Option<JsonFault>,
    /// The texts of the asked-for members of the outermost object. Members that come after a fault are
    /// found too, as long as the text can still be followed; of a key that stands twice, none is given.
    pub members: [Option<&'a str>; N],
    /// The text is an array.
    pub is_array: bool,
    /// The text is an object.
    pub is_object: bool,
}

/// Checks a text and picks members of its outermost object, without building anything.
#[must_use]
pub fn scan<'a, const N: usize>(text: &'a str, wanted: [&str; N]) -> Scan<'a, N> {
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        wanted,
        found: [Member::Absent; N],
        current: None,
        frames: Vec::new(),
        keys: Vec::new(),
        values: 0,
        fault: None,
    };
    let end = scanner.document();
    let first = text.trim_ascii_start().as_bytes().first().copied();
    let members = scanner.found.map(|member| match member {
        Member::At(text) => Some(text),
        Member::Absent | Member::Twice => None,
    });
    Scan {
        fault: scanner.fault.or(end.err()),
        members,
        is_array: first == Some(b'['),
        is_object: first == Some(b'{'),
    }
}

#[derive(Clone, Copy)]
enum Member<'a> {
    Absent,
    At(&'a str),
    Twice,
}

struct Frame<'a> {
    object: bool,
    /// Where this object's keys begin in `Scanner::keys`.
    keys: usize,
    many: Option<HashSet<Cow<'a, str>>>,
}

struct Scanner<'a, 'w, const N: usize> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    wanted: [&'w str; N],
    found: [Member<'a>; N],
    /// The wanted member whose value is being read, and where that began.
    current: Option<(usize, usize)>,
    frames: Vec<Frame<'a>>,
    keys: Vec<Cow<'a, str>>,
    values: usize,
    /// The first fault after which the text can still be followed.
    fault: Option<JsonFault>,
}

impl<'a, const N: usize> Scanner<'a, '_, N> {
    /// Without recursion, so that no text can exhaust the stack.
    fn document(&mut self) -> Result<(), JsonFault> {
        'value: loop {
            self.space();
            self.values += 1;
            if guarded!("json-values", self.values > MAX_VALUES) {
                return Err(JsonFault::TooMany);
            }
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    self.at += 1;
                    if guarded!("json-depth", self.frames.len() == MAX_DEPTH) {
                        self.note(JsonFault::Depth);
                        self.skip_nested()?;
                    } else {
                        let object = open == b'{';
                        self.frames.push(Frame { object, keys: self.keys.len(), many: None });
                        self.space();
                        if self.peek() == Some(if object { b'}' } else { b']' }) {
                            self.at += 1;
                            self.close();
                        } else {
                            if object {
                                self.key()?;
                            }
                            continue 'value;
                        }
                    }
                }
                Some(b'"') => {
                    self.at += 1;
                    self.string()?;
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word(b"true")?,
                Some(b'f') => self.word(b"false")?,
                Some(b'n') => self.word(b"null")?,
                Some(_) => return Err(self.syntax("expected a value")),
                None => return Err(self.syntax("it ends where a value should be")),
            }
            // A value has ended: close what ends with it, or go on to the next one.
            loop {
                self.record();
                self.space();
                let Some(frame) = self.frames.last() else {
                    if self.at == self.bytes.len() {
                        return Ok(());
                    }
                    return Err(self.syntax("something after the end"));
                };
                let object = frame.object;
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if object {
                            self.space();
                            self.key()?;
                        }
                        continue 'value;
                    }
                    Some(b'}') if object => {}
                    Some(b']') if !object => {}
                    Some(_) => return Err(self.syntax("expected a comma or the end")),
                    None => return Err(self.syntax("it ends too early")),
                }
                self.at += 1;
                self.close();
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn syntax(&self, what: &'static str) -> JsonFault {
        JsonFault::Syntax { at: self.at, what }
    }

    fn note(&mut self, fault: JsonFault) {
        self.fault.get_or_insert(fault);
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn close(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.keys.truncate(frame.keys);
        }
    }

    /// Ends the wanted member if the value just read was it.
    fn record(&mut self) {
        if self.frames.len() == 1
            && let Some((index, start)) = self.current.take()
        {
            self.found[index] = match self.found[index] {
                Member::Absent => Member::At(self.text[start..self.at].trim_ascii_start()),
                Member::At(_) | Member::Twice => Member::Twice,
            };
        }
    }

    fn key(&mut self) -> Result<(), JsonFault> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("expected a key"));
        }
        let start = self.at;
        self.at += 1;
        let escaped = self.string()?;
        let key: Cow<'a, str> = if escaped {
            match serde_json::from_str::<String>(&self.text[start..self.at]) {
                Ok(key) => Cow::Owned(key),
                // A lone surrogate, noted already.
                Err(_) => Cow::Borrowed(&self.text[start..self.at]),
            }
        } else {
            Cow::Borrowed(&self.text[start + 1..self.at - 1])
        };
        if key.starts_with(RESERVED) {
            self.note(JsonFault::ReservedKey(clip(&key)));
        }
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.syntax("expected a colon"));
        }
        self.at += 1;
        if self.frames.len() == 1 {
            self.current = self.wanted.iter().position(|wanted| *wanted == key).map(|index| (index, self.at));
        }
        self.seen(key);
        Ok(())
    }

    fn seen(&mut self, key: Cow<'a, str>) {
        let Some(frame) = self.frames.last_mut() else { return };
        let twice = if let Some(many) = &mut frame.many {
            if many.contains(&key) {
                Some(key)
            } else {
                many.insert(key);
                None
            }
        } else if self.keys[frame.keys..].contains(&key) {
            Some(key)
        } else {
            self.keys.push(key);
            if self.keys.len() - frame.keys > FEW_KEYS {
                frame.many = Some(self.keys.drain(frame.keys..).collect());
            }
            None
        };
        if let Some(key) = guarded!("json-duplicates", twice, without None) {
            self.note(JsonFault::DuplicateKey(clip(&key)));
        }
    }

    /// Behind the opening quote; gives whether there were escapes.
    fn string(&mut self) -> Result<bool, JsonFault> {
        let mut escaped = false;
        loop {
            match self.peek() {
                None => return Err(self.syntax("it ends inside a string")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..=0x1f) => return Err(self.syntax("a control character inside a string")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                let unit = self.hex()?;
                match unit {
                    0xd800..=0xdbff if self.bytes[self.at..].starts_with(b"\\u") => {
                        let low = self.at;
                        self.at += 2;
                        if !(0xdc00..=0xdfff).contains(&self.hex()?) {
                            self.note(JsonFault::Surrogate { at: start });
                            // What follows may be the first half of a pair of its own.
                            self.at = low;
                        }
                    }
                    0xd800..=0xdfff => self.note(JsonFault::Surrogate { at: start }),
                    _ => {}
                }
                Ok(())
            }
            _ => Err(self.syntax("an unknown escape")),
        }
    }

    fn hex(&mut self) -> Result<u32, JsonFault> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit * 16 + digit.ok_or_else(|| self.syntax("expected a hexadecimal digit"))?;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.syntax("expected a digit")) } else { Ok(()) }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), JsonFault> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.syntax("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Passes over what is nested too deep: only strings and brackets matter, because it is refused anyway
    /// and all that is still wanted is the message's id behind it.
    fn skip_nested(&mut self) -> Result<(), JsonFault> {
        let mut open = 1_usize;
        while open > 0 {
            match self.peek() {
                None => return Err(self.syntax("it ends too early")),
                Some(b'"') => {
                    self.at += 1;
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => open += 1,
                Some(b'}' | b']') => open -= 1,
                Some(_) => {}
            }
            self.at += 1;
        }
        Ok(())
    }
}

/// A key for a message: it comes from outside and may be long.
fn clip(key: &str) -> String {
    key.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn picks_members_and_goes_on_after_a_fault() {
        let text = r#" {"a":{"x":[1,2]}, "b":"\ud800", "i\u0064": 7 } "#;
        let scan = scan(text, ["a", "id", "none"]);
        assert_eq!(scan.members, [Some(r#"{"x":[1,2]}"#), Some("7"), None]);
        assert!(matches!(scan.fault, Some(JsonFault::Surrogate { .. })));
    }

    #[test]
    fn a_key_that_stands_twice_is_not_given() {
        let scan = scan(r#"{"id":1,"id":2}"#, ["id"]);
        assert_eq!(scan.members, [None]);
        assert_eq!(scan.fault, Some(JsonFault::DuplicateKey("id".into())));
    }

    #[test]
    fn depth_is_bounded_and_the_id_behind_it_found() {
        let deep = |n: usize| format!(r#"{{"p":{}1{},"id":9}}"#, "[".repeat(n), "]".repeat(n));
        assert_eq!(check(&deep(MAX_DEPTH - 1)), Ok(()));
        let text = deep(100_000);
        let scan = scan(&text, ["id"]);
        assert_eq!(scan.fault, Some(JsonFault::Depth));
        assert_eq!(scan.members, [Some("9")]);
    }

    #[test]
    fn duplicates_are_found_among_many_keys_and_through_escapes() {
        let many: Vec<String> = (0..1000).map(|n| format!("\"k{n}\":0")).collect();
        assert_eq!(check(&format!("{{{}}}", many.join(","))), Ok(()));
        let twice = format!("{{{},\"k\\u0035\":1}}", many.join(","));
        assert_eq!(check(&twice), Err(JsonFault::DuplicateKey("k5".into())));
        assert_eq!(check(r#"[{"a":1},{"a":2},{"b":{"a":1},"a":2}]"#), Ok(()));
    }

    #[test]
    fn the_parsers_own_keys_are_refused() {
        for key in [
            "$serde_json::private::Number",
            "$serde_json::private::RawValue",
            "\\u0024serde_json::private::X",
        ] {
            assert!(
                matches!(check(&format!("{{\"{key}\":\"1\"}}")), Err(JsonFault::ReservedKey(_))),
                "{key}"
            );
        }
    }

    #[test]
    fn too_many_values_are_refused() {
        assert_eq!(check(&format!("[{}0]", "0,".repeat(MAX_VALUES))), Err(JsonFault::TooMany));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::vec((any::<String>(), inner), 0..24)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_passes(value in value()) {
            prop_assert_eq!(check(&value.to_string()), Ok(()));
            prop_assert_eq!(check(&serde_json::to_string_pretty(&value).unwrap()), Ok(()));
        }

        /// Near-JSON: a text over JSON's own alphabet is taken exactly when serde_json takes it, but for
        /// the rules that are ours.
        #[test]
        fn agrees_with_serde_json(text in r#"([\[\]{}:,"\\ \n0-9eE.+tfn-]|true|false|null|"a"|"b":|\\u[dD][89aAcC][0-9]{2}|\\u00e9){0,24}"#) {
            let theirs = serde_json::from_str::<Value>(&text);
            match check(&text) {
                Ok(()) => prop_assert!(theirs.is_ok(), "{text:?}: {theirs:?}"),
                Err(JsonFault::Syntax { .. } | JsonFault::Surrogate { .. }) => prop_assert!(theirs.is_err(), "{text:?}"),
                Err(_) => {}
            }
        }

        /// One byte changed in real JSON.
        #[test]
        fn agrees_on_damaged_json(value in value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = value.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(text) = std::str::from_utf8(&bytes) {
                let theirs = serde_json::from_str::<Value>(text);
                match check(text) {
                    Ok(()) => prop_assert!(theirs.is_ok(), "{text:?}: {theirs:?}"),
                    Err(JsonFault::Syntax { .. } | JsonFault::Surrogate { .. }) => prop_assert!(theirs.is_err(), "{text:?}"),
                    Err(_) => {}
                }
            }
        }
    }
}
