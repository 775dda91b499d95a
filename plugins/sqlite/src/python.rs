//! How Python prints values (`repr`) and looks at texts, as far as the reference's answers show it.
//! Must not know of databases.

use unicode_general_category::{GeneralCategory as Category, get_general_category};

/// `str.strip()`: Unicode's white space, and four control characters that are white space to Python alone.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\x1c'..='\x1f'))
}

/// `text.upper().startswith(words)`.
pub(crate) fn starts_with_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| {
        let mut upper = text.chars().flat_map(char::to_uppercase);
        word.chars().all(|wanted| upper.next() == Some(wanted))
    })
}

/// What is left of SQL when space and comments before it are gone, as `lstrip_sql` of Python's `_sqlite` does it.
pub(crate) fn skip_comments(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\x0c', '\n', '\r']);
        rest = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, after)| after)
        } else {
            return rest;
        };
    }
}

/// `repr` of a `str`.
pub(crate) fn text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => {
                let code = u32::from(c);
                out.push_str(&match code {
                    0..=0xff => format!("\\x{code:02x}"),
                    0x100..=0xffff => format!("\\u{code:04x}"),
                    _ => format!("\\U{code:08x}"),
                });
            }
        }
    }
    out.push(quote);
    out
}

/// `str.isprintable`: all but what Unicode calls other or a separator, and the ASCII space.
fn is_printable(c: char) -> bool {
    c == ' '
        || !matches!(
            get_general_category(c),
            Category::Control
                | Category::Format
                | Category::Surrogate
                | Category::PrivateUse
                | Category::Unassigned
                | Category::LineSeparator
                | Category::ParagraphSeparator
                | Category::SpaceSeparator
        )
}

/// `repr` of `bytes`.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut out = String::with_capacity(bytes.len() + 3);
    out.push('b');
    out.push(quote);
    for byte in bytes {
        match *byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte if char::from(byte) == quote => out.extend(['\\', quote]),
            byte @ 0x20..0x7f => out.push(char::from(byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(quote);
    out
}

/// `repr` of a `float`: the fewest digits that mean the same number, with an exponent below 10⁻⁴ and from 10¹⁶ on.
pub(crate) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let magnitude = number.abs();
    if number == 0.0 || (1e-4..1e16).contains(&magnitude) {
        // Always with a point.
        return format!("{number:?}");
    }
    let scientific = format!("{number:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => scientific,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// Written by Python 3.11.
    #[test]
    fn values_print_as_in_python() {
        for (text_, printed) in [
            ("plain", "'plain'"),
            ("it's", "\"it's\""),
            ("it's \"q\"", "'it\\'s \"q\"'"),
            ("a\\b\n\r\t\x00\x7f", "'a\\\\b\\n\\r\\t\\x00\\x7f'"),
            ("é 😀 \u{200b}\u{ad}\u{a0}\u{2028}\u{e000}", "'é 😀 \\u200b\\xad\\xa0\\u2028\\ue000'"),
            ("\u{e0001}", "'\\U000e0001'"),
        ] {
            assert_eq!(text(text_), printed);
        }
        for (number, printed) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (-1.5e-7, "-1.5e-07"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float(number), printed);
        }
        assert_eq!(bytes(b"\x00\xffA'\\\n"), "b\"\\x00\\xffA'\\\\\\n\"");
        assert_eq!(bytes(b"'\""), "b'\\'\"'");
    }

    #[test]
    fn first_words_are_found_as_python_finds_them() {
        assert!(starts_with_any(strip("\x1c \u{3000}select 1"), &["SELECT"]));
        assert!(starts_with_any("ſelect", &["SELECT"]), "Python's upper() makes an S of it");
        assert!(!starts_with_any("SELEC", &["SELECT"]));
        assert_eq!(skip_comments(" -- a\n/* b */\tINSERT"), "INSERT");
        assert_eq!(skip_comments("-- a"), "");
        assert_eq!(skip_comments("/* a"), "");
        assert_eq!(skip_comments(";"), ";");
    }
}
