//! The spellings in which a value travels: plain, base64 at any offset, percent-encoded, hexadecimal, escaped for
//! JSON, HTML, source code or people. Knows no secret's use.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::observe::escape_for_people;

/// Shortest spelling looked for: a shorter piece of a value would be found in innocent text.
const SHORTEST: usize = 6;

/// Every spelling of a value, each once.
pub(super) fn of(value: &str) -> Vec<Vec<u8>> {
    let mut all = BTreeSet::from([value.to_owned(), escape_for_people(value).into_owned()]);
    all.extend(in_base64(value.as_bytes()));
    all.extend(in_percents(value));
    let hex = |byte: u8| format!("{byte:02x}");
    let lower: String = value.bytes().map(hex).collect();
    all.insert(lower.to_ascii_uppercase());
    all.insert(lower);
    all.extend(in_escapes(value));
    all.into_iter().filter(|text| text.len() >= SHORTEST || text == value).map(String::into_bytes).collect()
}

/// The characters that the value alone decides, for each of the three places it can begin at.
fn in_base64(value: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(value);
        let (first, end) = ((before * 8).div_ceil(6), (before + value.len()) * 8 / 6);
        for engine in [&STANDARD, &URL_SAFE] {
            found.extend(engine.encode(&bytes).get(first..end).map(str::to_owned));
        }
    }
    found
}

fn in_percents(value: &str) -> Vec<String> {
    let encode = |kept: &str, space: &str| {
        value.bytes().fold(String::new(), |mut text, byte| {
            if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
                text.push(char::from(byte));
            } else if byte == b' ' && !space.is_empty() {
                text.push_str(space);
            } else {
                // Writing to a String cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
            text
        })
    };
    let each = value.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "%{byte:02X}");
        text
    });
    // RFC 3986's unreserved characters, a path's, a query's, encodeURIComponent's, a form's.
    let mut found = vec![
        each,
        encode("-._~", ""),
        encode("-._~!$&'()*+,;=:@/", ""),
        encode("-._~!$&'()*+,;=:@/?", ""),
        encode("-._~!'()*", ""),
        encode("-._*", "+"),
        encode("-._~", "+"),
    ];
    found.push(encode("-._~", "").replace('%', "%25"));
    found.extend(in_url(value));
    let lower: Vec<_> = found.iter().map(|text| lower_percents(text)).collect();
    found.extend(lower);
    found
}

/// As the URL standard has it, which leaves more as it is than RFC 3986 (url.spec.whatwg.org, percent-encode sets).
fn in_url(value: &str) -> Vec<String> {
    let Ok(mut url) = url::Url::parse("https://a/") else { return Vec::new() };
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(value);
    }
    url.set_query(Some(value));
    url.set_fragment(Some(value));
    let path = url.path().rsplit('/').next().map(str::to_owned);
    path.into_iter().chain(url.query().map(str::to_owned)).chain(url.fragment().map(str::to_owned)).collect()
}

/// The same with `%2f` for `%2F`.
fn lower_percents(text: &str) -> String {
    let mut left = 0;
    let each = text.chars().map(|c| {
        left = if c == '%' { 2 } else { i32::max(left - 1, -1) };
        if left >= 0 && c != '%' { c.to_ascii_lowercase() } else { c }
    });
    each.collect()
}

fn in_escapes(value: &str) -> Vec<String> {
    let inner =
        |text: String| text.get(1..text.len().saturating_sub(1)).map(str::to_owned).unwrap_or_default();
    let json = inner(serde_json::Value::from(value).to_string());
    let units = |every: bool, upper: bool| {
        let mut text = String::new();
        for c in json.chars().take(if every { 0 } else { usize::MAX }) {
            if c.is_ascii() {
                text.push(c);
            } else {
                push_units(&mut text, c, upper);
            }
        }
        if every {
            value.chars().for_each(|c| push_units(&mut text, c, upper));
        }
        text
    };
    let html = |quote: &str| {
        let text = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        text.replace('"', "&quot;").replace('\'', quote)
    };
    let mut found = vec![json.replace('/', "\\/"), units(false, false), units(false, true)];
    found.extend([units(true, false), units(true, true), inner(format!("{value:?}"))]);
    found.extend([html("&#39;"), html("&#x27;"), html("&apos;"), html("'")]);
    // A JSON text within a JSON text, as logs and tool results have it.
    found.push(inner(serde_json::Value::from(json.clone()).to_string()));
    found.push(json);
    found
}

fn push_units(text: &mut String, c: char, upper: bool) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ = if upper { write!(text, "\\u{unit:04X}") } else { write!(text, "\\u{unit:04x}") };
    }
}
