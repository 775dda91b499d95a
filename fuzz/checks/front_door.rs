//! What must hold of the front door for any bytes: it does not panic, and a message that any JSON reader finds a method
//! and an id in gets exactly one of an answer with that id or a way in with it. Shared by the fuzzer and by the replay
//! of its corpus (`host/tests/corpus/`). It must not use the front door's own reading of the bytes to judge it.

use kennel::transport::front_door::{Admitted, Refusal, admit, id_text, too_long};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Longest id, as text, that is promised to be answered to.
const LONGEST_ID: usize = 1024;

/// A message as any reader would take it; a key that stands twice makes it unreadable.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: Option<Value>,
}

/// Panics when something does not hold.
pub fn check(bytes: &[u8]) {
    let admitted = admit(bytes);
    if let Admitted::Refused(refusal) = &admitted {
        sound(refusal);
    }
    sound(&too_long(bytes, bytes.len()));
    if let Some(id) = readable_id(bytes) {
        let given = match &admitted {
            Admitted::Refused(Refusal { id, .. }) => id.clone(),
            Admitted::Request { id, .. } | Admitted::Ping(id) => Some(id_text(id)),
            other => panic!("a request became {other:?}"),
        };
        let given = given.unwrap_or_else(|| panic!("the id {id} was lost: {admitted:?}"));
        let given: Value = serde_json::from_str(&given).expect("an id is JSON");
        // `-0` is 0, and written so.
        let same = given == id || (given.is_i64() && given.as_i64() == id.as_i64());
        assert!(same, "another id than {id}: {admitted:?}");
    }
}

/// The id of a request, when anybody could tell it.
pub fn readable_id(bytes: &[u8]) -> Option<Value> {
    // What is not UTF-8 is no JSON (RFC 8259, 8.1), but this reader skips strings it does not need without looking.
    let text = std::str::from_utf8(bytes).ok()?;
    // Neither is a list of the fields' values a message, which it takes too.
    text.trim_start().starts_with('{').then_some(())?;
    let envelope: Envelope<'_> = serde_json::from_str(text).ok()?;
    envelope.method?;
    let text = envelope.id?.get();
    let id: Value = serde_json::from_str(text).ok()?;
    let plain = id.is_string() || id.is_i64();
    (plain && text.len() <= LONGEST_ID).then_some(id)
}

/// An answer is one line of JSON, with a code and a short message.
fn sound(refusal: &Refusal) {
    let text = refusal.to_json();
    assert!(!text.contains('\n'), "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(answer["error"]["code"].is_i64() && answer["jsonrpc"] == "2.0", "{text}");
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(!message.is_empty() && message.len() < 2_000, "{text}");
}
