//! How JavaScript writes values: `JSON.stringify(value, null, 2)` and `String(number)`, and JSON texts with halves of
//! surrogate pairs, which JavaScript's strings may hold and UTF-8 may not.
//! Must not know the browser.

use std::borrow::Cow;
use std::io;

use kennel_sdk::prelude::*;
use serde_json::ser::{Formatter, PrettyFormatter};
use serde_json::value::RawValue;

/// Integers beyond this are not exact in JavaScript (`Number.MAX_SAFE_INTEGER`).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A number as `String(number)` writes it.
pub(crate) fn number(value: f64) -> String {
    ryu_js::Buffer::new().format(value).to_owned()
}

/// A JSON value as `JSON.stringify(value, null, 2)` writes it, and how many bytes that has; of the text at most `most`
/// bytes are kept, whole characters.
///
/// # Errors
/// [`Error::Failed`] when it is nested more than 128 deep.
pub(crate) fn stringify(value: &RawValue, most: usize) -> Result<(String, usize)> {
    let mut kept = Kept { bytes: Vec::new(), most, all: 0 };
    let formatter = Spelling(PrettyFormatter::with_indent(b"  "));
    let mut writer = serde_json::Serializer::with_formatter(&mut kept, formatter);
    serde_transcode::transcode(&mut serde_json::Deserializer::from_str(value.get()), &mut writer)
        .context("the value cannot be shown")?;
    // What was cut in the middle of a character ends before it.
    let text = match String::from_utf8(kept.bytes) {
        Ok(text) => text,
        Err(error) => {
            let end = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(end);
            String::from_utf8(bytes).unwrap_or_default()
        }
    };
    Ok((text, kept.all))
}

/// Keeps the beginning and counts the rest.
struct Kept {
    bytes: Vec<u8>,
    most: usize,
    all: usize,
}

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.all = self.all.saturating_add(bytes.len());
        let room = self.most.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(bytes.get(..room).unwrap_or_default());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Pretty, with numbers as JavaScript spells them.
struct Spelling(PrettyFormatter<'static>);

impl Formatter for Spelling {
    fn write_f64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(number(value).as_bytes())
    }

    fn write_u64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        if value > MAX_SAFE_INTEGER {
            return self.write_f64(writer, value as f64);
        }
        self.0.write_u64(writer, value)
    }

    fn write_i64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        if value.unsigned_abs() > MAX_SAFE_INTEGER {
            return self.write_f64(writer, value as f64);
        }
        self.0.write_i64(writer, value)
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// The text with each half of a surrogate pair that stands alone (`\ud83d` without its `\ude00`) as U+FFFD.
pub(crate) fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    let unit = |at: usize| -> Option<u16> {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (mut out, mut from, mut at) = (String::new(), 0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        at += found;
        match unit(at) {
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                out.push_str(text.get(from..at).unwrap_or_default());
                out.push_str("\\ufffd");
                at += 6;
                from = at;
            }
            Some(_) => at += 6,
            // Any other escape is a backslash and one character of ASCII.
            None => at += 2,
        }
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn shown(json: &str) -> String {
        let value: Box<RawValue> = serde_json::from_str(json).unwrap();
        stringify(&value, 1000).unwrap().0
    }

    #[test]
    fn values_look_as_in_javascript() {
        for (json, expected) in [
            ("1", "1"),
            ("1.0", "1"),
            ("-0.0", "0"),
            ("1e21", "1e+21"),
            ("1e-7", "1e-7"),
            ("123456789012345680000", "123456789012345680000"),
            ("18446744073709551615", "18446744073709552000"),
            ("-9007199254740993", "-9007199254740992"),
            ("0.1", "0.1"),
            ("[]", "[]"),
            ("{}", "{}"),
            ("null", "null"),
            (r#""a\u2028\"\u0001""#, "\"a\u{2028}\\\"\\u0001\""),
            (
                r#"{"b":[1,{"a":2}],"a":null}"#,
                "{\n  \"b\": [\n    1,\n    {\n      \"a\": 2\n    }\n  ],\n  \"a\": null\n}",
            ),
        ] {
            assert_eq!(shown(json), expected, "{json}");
        }
    }

    #[test]
    fn long_values_are_cut_between_characters_and_counted() {
        let value: Box<RawValue> = serde_json::from_str(r#""ééé""#).unwrap();
        assert_eq!(stringify(&value, 4).unwrap(), ("\"é".to_owned(), 8));
        assert_eq!(stringify(&value, 8).unwrap(), ("\"ééé\"".to_owned(), 8));
        let deep: Box<RawValue> = serde_json::from_str("[[1]]").unwrap();
        assert!(stringify(&deep, 1).is_ok());
    }

    #[test]
    fn halves_of_pairs_are_replaced_and_nothing_else() {
        for (text, expected) in [
            (r#""plain""#, r#""plain""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\ude00\ud83d!""#, r#""\ufffd\ufffd!""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\n\\\ud83dx\u00e9é""#, r#""\n\\\ufffdx\u00e9é""#),
            ("\"\\", "\"\\"),
            ("\"\\u12é", "\"\\u12é"),
        ] {
            assert_eq!(without_lone_surrogates(text), expected, "{text}");
        }
    }
}
