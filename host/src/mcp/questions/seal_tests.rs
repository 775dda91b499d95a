#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalog::api::ClientCan;
use crate::catalog::types::{ElicitForm, KeyedQuestion, Pending, Question};

const WITHIN: Duration = Duration::from_secs(60);
const NOW: Duration = Duration::from_secs(1);

fn round(continuation: &[u8]) -> Round {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    let form = ElicitForm { message: "Who?".into(), schema: schema.as_object().unwrap().clone() };
    let pending = Pending {
        asker: Asker { plugin: "notes".into(), digest: "00".into(), answer_within: WITHIN },
        spent: Spent { rounds: 1, questions: 1, sample_tokens: 0 },
        questions: vec![KeyedQuestion { key: "who".into(), question: Question::ElicitForm(form) }],
        continuation: continuation.to_vec(),
        leave: Leave::default(),
    };
    Round::of(pending, ClientCan { elicit_form: true, ..ClientCan::default() }).unwrap()
}

fn call() -> Binding {
    Binding {
        method: "tools/call".into(),
        name: "notes__add".into(),
        arguments: digest(&json!({"a": 1})),
        caller: "local:x".into(),
    }
}

#[test]
fn what_was_sealed_comes_back_once() {
    let seals = Seals::default();
    let text = seals.seal_at(NOW, call(), &round(b"\x00\xffgo on")).unwrap();
    assert!(!text.contains("go on") && !text.contains("notes"));
    let back = seals.open_at(NOW, &text, &call()).unwrap();
    assert_eq!(back.continuation, b"\x00\xffgo on");
    assert_eq!((back.asker.plugin.as_str(), back.spent.rounds), ("notes", 1));
    assert_eq!(back.requests().unwrap(), round(b"").requests().unwrap());
    assert_eq!(seals.open_at(NOW, &text, &call()).unwrap_err(), StateFault::Used);
}

#[test]
fn another_call_gets_nothing_and_uses_nothing_up() {
    let seals = Seals::default();
    let text = seals.seal_at(NOW, call(), &round(b"x")).unwrap();
    let other = |change: fn(&mut Binding)| {
        let mut call = call();
        change(&mut call);
        seals.open_at(NOW, &text, &call).unwrap_err()
    };
    assert_eq!(other(|call| call.method = "prompts/get".into()), StateFault::Method);
    assert_eq!(other(|call| call.name = "notes__delete".into()), StateFault::Name);
    assert_eq!(other(|call| call.arguments = digest(&json!({"a": 2}))), StateFault::Arguments);
    assert_eq!(other(|call| call.caller = "local:y".into()), StateFault::Caller);
    assert_eq!(seals.open_at(NOW + WITHIN, &text, &call()).unwrap_err(), StateFault::Expired);
    // Another process has another key.
    assert_eq!(Seals::default().open_at(NOW, &text, &call()).unwrap_err(), StateFault::Unknown);
    let another = Seals::default();
    another.seal_at(NOW, call(), &round(b"x")).unwrap();
    assert_eq!(another.open_at(NOW, &text, &call()).unwrap_err(), StateFault::Unknown);
    assert!(seals.open_at(NOW, &text, &call()).is_ok());
}

#[test]
fn forgetting_what_was_used_lets_nothing_be_used_twice() {
    let mut states = States::default();
    let long = Duration::from_secs(1000);
    let count = MAX_USED as u64 + 10;
    for number in 1..=count {
        states.take(number, NOW, long).unwrap();
    }
    assert!(states.used.len() <= MAX_USED);
    for number in 1..=count {
        assert!(states.take(number, NOW, long).is_err(), "{number}");
    }
    // What has expired is forgotten first, and takes no room from the others.
    let mut states = States::default();
    states.take(1, NOW, long).unwrap();
    for number in 2..=count {
        states.take(number, NOW, NOW).unwrap();
    }
    assert_eq!(states.floor, 0);
    assert_eq!(states.take(1, NOW, long), Err(StateFault::Used));
}

#[test]
fn arguments_are_the_same_in_any_order_and_differ_in_any_value() {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let same = digest(&parse(r#"{"a":1,"b":{"c":[1,2],"d":null}}"#));
    assert_eq!(same, digest(&parse(r#"{ "b": {"d": null, "c": [1, 2]}, "a": 1 }"#)));
    for other in [
        r#"{"a":1,"b":{"c":[2,1],"d":null}}"#,
        r#"{"a":"1","b":{"c":[1,2],"d":null}}"#,
        r#"{"a":1,"b":{"c":[1,2]},"d":null}"#,
        r#"{"a":1}"#,
        r#"{"a":12345678901234567890123456789}"#,
        r#"{"a":12345678901234567890123456788}"#,
        "null",
    ] {
        assert_ne!(same, digest(&parse(other)), "{other}");
    }
}

proptest! {
    /// Whatever byte is changed, cut off or added, the text is nothing any more.
    #[test]
    fn any_change_is_noticed(
        continuation in prop::collection::vec(any::<u8>(), 0..64),
        at in any::<prop::sample::Index>(),
        change in prop_oneof![Just(None), any::<char>().prop_map(Some)],
    ) {
        let seals = Seals::default();
        let text = seals.seal_at(NOW, call(), &round(&continuation)).unwrap();
        let mut changed: Vec<char> = text.chars().collect();
        let at = at.index(changed.len());
        match change {
            Some(c) if changed[at] != c => changed[at] = c,
            Some(c) => changed.push(c),
            None => { changed.remove(at); }
        }
        let changed: String = changed.into_iter().collect();
        prop_assert_eq!(seals.open_at(NOW, &changed, &call()).unwrap_err(), StateFault::Unknown);
        prop_assert_eq!(seals.open_at(NOW, &format!("{text}-TAMPERED"), &call()).unwrap_err(), StateFault::Unknown);
        prop_assert!(seals.open_at(NOW, &text, &call()).is_ok());
    }

    /// One state of another call, plugin or time never passes for this one.
    #[test]
    fn only_its_own_call_opens_it(
        method in "(tools/call|prompts/get|resources/read)", name in "[a-c]", arguments in 0..3_u8, caller in "[a-c]?",
        after in 0..120_u64,
    ) {
        let seals = Seals::default();
        let made = Binding { method: "tools/call".into(), name: "a".into(), arguments: digest(&json!(0)), caller: "a".into() };
        let used = Binding { method, name, arguments: digest(&json!(arguments)), caller };
        let text = seals.seal_at(NOW, made.clone(), &round(b"x")).unwrap();
        let opened = seals.open_at(NOW + Duration::from_secs(after), &text, &used);
        prop_assert_eq!(opened.is_ok(), made == used && after < WITHIN.as_secs());
    }
}
