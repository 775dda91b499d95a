#![allow(clippy::unwrap_used, clippy::expect_used)]
//! No value gets through, however it is spelled or cut, and nothing else is touched.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

const VALUE: &str = "s3cr3t/with+odd=\"ch&rs\" é";

fn knowing(value: &str) -> Scrubber {
    let scrubber = Scrubber::default();
    scrubber.learn("token", value, 1);
    scrubber
}

/// How others spell it: libraries' own functions where there are some, so that no code is shared with the spellings
/// under test.
fn spelled(value: &str) -> Vec<String> {
    let mut all = vec![value.to_owned(), format!("{value:?}")];
    for before in ["", "a", "ab", "user:"] {
        for after in ["", "z", "zz"] {
            let text = format!("{before}{value}{after}");
            all.push(STANDARD.encode(&text));
            all.push(STANDARD_NO_PAD.encode(&text));
            all.push(URL_SAFE.encode(&text));
            all.push(URL_SAFE_NO_PAD.encode(&text));
        }
    }
    all.push(url::form_urlencoded::byte_serialize(value.as_bytes()).collect());
    let mut url = url::Url::parse("http://x/").unwrap();
    url.path_segments_mut().unwrap().push(value);
    url.set_query(Some(&format!("k={value}")));
    all.push(url.to_string());
    all.push(value.bytes().map(|b| format!("{b:02x}")).collect());
    all.push(value.bytes().map(|b| format!("{b:02X}")).collect());
    all.push(value.bytes().map(|b| format!("%{b:02x}")).collect());
    all.push(serde_json::to_string(value).unwrap());
    all.push(serde_json::to_string(&serde_json::to_string(value).unwrap()).unwrap());
    all.push(value.encode_utf16().map(|u| format!("\\u{u:04x}")).collect());
    all
}

/// What is left of a value in base64 is at most the characters at its edges.
fn leaks(clean: &str, value: &str) -> bool {
    let core =
        |text: String| text.get(4..text.len().saturating_sub(4)).map(str::to_owned).unwrap_or_default();
    spelled(value).into_iter().map(core).any(|core| core.len() >= 8 && clean.contains(&core))
}

#[test]
fn every_spelling_is_found() {
    let scrubber = knowing(VALUE);
    for text in spelled(VALUE) {
        let around = format!("before {text} after");
        let clean = scrubber.text(&around);
        assert!(clean.contains("[secret token]"), "{text}: {clean}");
        assert!(!leaks(&clean, VALUE), "{text}: {clean}");
        assert!(clean.starts_with("before ") && clean.ends_with(" after"), "{clean}");
    }
}

#[test]
fn what_holds_none_is_not_copied() {
    let scrubber = knowing(VALUE);
    for text in ["", "s3cr3t/with+odd", "plain", "Grüße 世界"] {
        assert!(matches!(scrubber.text(text), Cow::Borrowed(_)), "{text}");
    }
    assert!(matches!(Scrubber::default().text(VALUE), Cow::Borrowed(_)));
}

#[test]
fn json_stays_json_whatever_its_escapes() {
    let scrubber = knowing("nabcd12345");
    // Read as bytes, the escape's letter would be the value's first.
    for (text, clean) in [
        (r#"{"a":"x\nabcd12345"}"#, r#"{"a":"x\nabcd12345"}"#),
        (r#"{"a":"\u006eabcd1\u00323\u00345"}"#, r#"{"a":"[secret token]"}"#),
        (
            r#"{"z":1,"nabcd12345":[1.50,"nabcd12345"]}"#,
            r#"{"z":1,"[secret token]":[1.50,"[secret token]"]}"#,
        ),
        ("not json nabcd12345", "not json [secret token]"),
    ] {
        let mut text = text.to_owned();
        scrubber.clean_json(&mut text);
        assert_eq!(text, clean);
    }
    let mut number = "[8812345678]".to_owned();
    knowing("8812345678").clean_json(&mut number);
    assert_eq!(number, r#"["[secret token]"]"#);
}

#[test]
fn values_that_overlap_are_both_gone() {
    let scrubber = knowing("first-shared");
    scrubber.learn("other", "shared-second", 1);
    assert_eq!(scrubber.text("<first-shared-second>"), "<[secret other]>");
    let mut stream = scrubber.stream();
    let mut out = stream.push(b"<first-shared");
    out.extend(stream.push(b"-second>"));
    out.extend(stream.finish());
    assert_eq!(out, b"<*******************>");
}

#[test]
fn older_values_of_a_name_are_forgotten_in_turn() {
    let scrubber = Scrubber::default();
    for value in ["token-0001", "token-0002", "token-0003"] {
        scrubber.learn("token", value, 2);
    }
    assert_eq!(scrubber.text("token-0001 token-0002 token-0003"), "token-0001 [secret token] [secret token]");
}

#[test]
fn the_log_holds_no_value_of_any_plugin() {
    let (one, other) = (Scrubber::shared(), Scrubber::shared());
    one.learn("one", "value-of-the-one", 1);
    other.learn("other", "value-of-the-other", 1);
    let mut out = Vec::new();
    ScrubbedLog(&mut out).write_all(b"a value-of-the-one b value-of-the-other\n").unwrap();
    ScrubbedLog(&mut out).write_all(b"\xff value-of-the-one\n").unwrap();
    let said = String::from_utf8_lossy(&out).into_owned();
    assert!(!said.contains("value-of-the"), "{said}");
    assert!(said.starts_with("a [secret one] b [secret other]\n"), "{said}");
}

proptest! {
    #[test]
    fn cut_anywhere_it_is_the_same_as_whole(
        value in "[a-c]{8,12}",
        around in proptest::collection::vec("[a-c]{0,9}", 1..6),
        cuts in proptest::collection::vec(1_usize..7, 1..40),
    ) {
        let scrubber = knowing(&value);
        let text = around.join(&value);
        let mut whole = text.clone().into_bytes();
        scrubber.mask(&mut whole);
        let (mut stream, mut out, mut rest) = (scrubber.stream(), Vec::new(), text.as_bytes());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            out.extend(stream.push(piece));
            rest = after;
        }
        out.extend(stream.finish());
        prop_assert_eq!(&out, &whole);
        prop_assert!(!String::from_utf8(out).unwrap().contains(&value));
    }

    #[test]
    fn no_value_gets_through(value in "\\PC{8,40}", before in "\\PC{0,20}", after in "\\PC{0,20}") {
        prop_assume!(value.len() >= 8);
        let scrubber = knowing(&value);
        for text in spelled(&value) {
            let clean = scrubber.text(&format!("{before}{text}{after}")).into_owned();
            prop_assert!(clean.contains("[secret token]"), "{}", text);
        }
    }
}
