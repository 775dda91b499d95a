#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::sandbox::functions::schema::{Way, schema};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

fn words(min: usize) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set("[a-c]{1,2}", min..4).prop_map(|names| names.into_iter().collect())
}

/// Any type, a few levels deep.
fn shapes() -> impl Strategy<Value = Shape> {
    use Int::{S8, S16, S32, S64, U8, U16, U32, U64};
    let leaf = prop_oneof![
        Just(Shape::Bool),
        proptest::sample::select(vec![S8, U8, S16, U16, S32, U32, S64, U64]).prop_map(Shape::Int),
        Just(Shape::F32),
        Just(Shape::F64),
        Just(Shape::Char),
        Just(Shape::Text),
        words(1).prop_map(Shape::Enum),
        words(1).prop_map(Shape::Flags),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let some = || proptest::option::of(inner.clone());
        prop_oneof![
            inner.clone().prop_map(|of| Shape::List(Box::new(of))),
            inner.clone().prop_map(|of| Shape::Option(Box::new(of))),
            vec(inner.clone(), 1..4).prop_map(Shape::Tuple),
            (words(1), vec(inner.clone(), 3))
                .prop_map(|(names, of)| Shape::Record(names.into_iter().zip(of).collect())),
            (words(1), vec(some(), 3))
                .prop_map(|(names, of)| Shape::Variant(names.into_iter().zip(of).collect())),
            (some(), some()).prop_map(|(ok, err)| Shape::Result(ok.map(Box::new), err.map(Box::new))),
        ]
    })
}

/// Any value of a type.
fn values(shape: &Shape) -> BoxedStrategy<Val> {
    fn payload(of: Option<&Shape>) -> BoxedStrategy<Option<Box<Val>>> {
        match of {
            None => Just(None).boxed(),
            Some(of) => values(of).prop_map(|value| Some(Box::new(value))).boxed(),
        }
    }
    match shape {
        Shape::Described(_, of) => values(of),
        Shape::Bool => any::<bool>().prop_map(Val::Bool).boxed(),
        Shape::Int(Int::S8) => any::<i8>().prop_map(Val::S8).boxed(),
        Shape::Int(Int::U8) => any::<u8>().prop_map(Val::U8).boxed(),
        Shape::Int(Int::S16) => any::<i16>().prop_map(Val::S16).boxed(),
        Shape::Int(Int::U16) => any::<u16>().prop_map(Val::U16).boxed(),
        Shape::Int(Int::S32) => any::<i32>().prop_map(Val::S32).boxed(),
        Shape::Int(Int::U32) => any::<u32>().prop_map(Val::U32).boxed(),
        Shape::Int(Int::S64) => any::<i64>().prop_map(Val::S64).boxed(),
        Shape::Int(Int::U64) => any::<u64>().prop_map(Val::U64).boxed(),
        Shape::F32 => proptest::num::f32::ANY.prop_map(Val::Float32).boxed(),
        Shape::F64 => proptest::num::f64::ANY.prop_map(Val::Float64).boxed(),
        Shape::Char => any::<char>().prop_map(Val::Char).boxed(),
        Shape::Text => any::<String>().prop_map(Val::String).boxed(),
        Shape::List(of) => vec(values(of), 0..4).prop_map(Val::List).boxed(),
        Shape::Tuple(of) => of.iter().map(values).collect::<Vec<_>>().prop_map(Val::Tuple).boxed(),
        Shape::Record(fields) => {
            let names: Vec<_> = fields.iter().map(|(name, _)| name.clone()).collect();
            let all: Vec<_> = fields.iter().map(|(_, of)| values(of)).collect();
            all.prop_map(move |values| Val::Record(names.iter().cloned().zip(values).collect())).boxed()
        }
        Shape::Variant(cases) => {
            let one = |(name, of): &(String, Option<Shape>)| {
                let name = name.clone();
                payload(of.as_ref()).prop_map(move |value| Val::Variant(name.clone(), value)).boxed()
            };
            proptest::strategy::Union::new(cases.iter().map(one)).boxed()
        }
        Shape::Enum(names) => proptest::sample::select(names.clone()).prop_map(Val::Enum).boxed(),
        Shape::Flags(names) => {
            proptest::sample::subsequence(names.clone(), 0..=names.len()).prop_map(Val::Flags).boxed()
        }
        Shape::Option(of) => {
            prop_oneof![Just(Val::Option(None)), values(of).prop_map(|v| Val::Option(Some(Box::new(v))))]
                .boxed()
        }
        Shape::Result(ok, err) => prop_oneof![
            payload(ok.as_deref()).prop_map(|value| Val::Result(Ok(value))),
            payload(err.as_deref()).prop_map(|value| Val::Result(Err(value))),
        ]
        .boxed(),
    }
}

/// Any JSON, in the words that the types above use, so that some of it fits.
fn jsons() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-300_i64..300).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3.0_f64..3.0).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        proptest::sample::select(vec!["NaN", "Infinity", "ok", "err", "some", "é"]).prop_map(Value::from),
        proptest::sample::select(vec![
            "1.0",
            "1e2",
            "-0",
            "1.50e1",
            "3.5e38",
            "18446744073709551616",
            "12e-1"
        ])
        .prop_map(|text| serde_json::from_str(text).unwrap()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("([a-c]{1,2}|ok|err|some)", inner), 0..3)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

/// JSON of a type, with one place altered.
fn altered(json: Value, at: usize, with: &Value) -> Value {
    fn walk(json: &mut Value, left: &mut usize, with: &Value) {
        if *left == 0 {
            *json = with.clone();
        }
        *left = left.wrapping_sub(1);
        match json {
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, left, with)),
            Value::Object(fields) => fields.values_mut().for_each(|item| walk(item, left, with)),
            _ => {}
        }
    }
    let (mut json, mut left) = (json, at);
    walk(&mut json, &mut left, with);
    json
}

fn same(a: &Val, b: &Val) -> bool {
    // Bits, so that NaN is itself and -0 is not 0; JSON keeps no payload of a NaN.
    let text = |value: &Val| format!("{value:?}");
    text(a) == text(b)
}

proptest! {
    #[test]
    fn a_value_comes_back((shape, value) in shapes().prop_flat_map(|shape| { let values = values(&shape); (Just(shape), values) })) {
        let json = to_json(&shape, &value).unwrap();
        let validator = jsonschema::validator_for(&schema(&shape, Way::Out)).unwrap();
        prop_assert!(validator.is_valid(&json), "{json} does not fit {}", schema(&shape, Way::Out));
        // Through its text, as it travels.
        let json: Value = serde_json::from_str(&json.to_string()).unwrap();
        let back = from_json(&shape, &json).unwrap();
        prop_assert!(same(&value, &back), "{value:?} became {json} became {back:?}");
    }

    /// The schema and the conversion say yes to the same JSON, and what the caller's schema takes is among it.
    #[test]
    fn what_fits_the_schema_converts_and_nothing_else(
        (shape, value) in shapes().prop_flat_map(|shape| { let values = values(&shape); (Just(shape), values) }),
        any in jsons(),
        at in 0_usize..6,
    ) {
        let fits = jsonschema::validator_for(&schema(&shape, Way::Out)).unwrap();
        let offered = jsonschema::validator_for(&schema(&shape, Way::In)).unwrap();
        let near = altered(to_json(&shape, &value).unwrap(), at, &any);
        for json in [any, near] {
            let made = from_json(&shape, &json);
            prop_assert_eq!(made.is_ok(), fits.is_valid(&json), "{} for {:?}: {:?}", json, shape, made);
            prop_assert!(!offered.is_valid(&json) || made.is_ok(), "{json} for {shape:?}");
        }
    }
}

#[test]
fn faults_name_their_place() {
    let point = Shape::Record(vec![
        ("x".into(), Shape::Int(Int::U8)),
        ("y".into(), Shape::Option(Box::new(Shape::Flags(vec!["up".into(), "down".into()])))),
        (
            "a/b".into(),
            Shape::Option(Box::new(Shape::Variant(vec![
                ("on".into(), None),
                ("at".into(), Some(Shape::F32)),
            ]))),
        ),
    ]);
    let all = Shape::List(Box::new(point));
    let cases = [
        json!({}),
        json!([{}]),
        json!([{"x": 1}, {"x": 256}]),
        json!([{"x": 1.5}]),
        json!([{"x": "1"}]),
        json!([{"x": 1, "z": 1}]),
        json!([{"x": 1, "y": ["up", "side"]}]),
        json!([{"x": 1, "y": ["up", "up"]}]),
        json!([{"x": 1, "a/b": "at"}]),
        json!([{"x": 1, "a/b": {"on": 1}}]),
        json!([{"x": 1, "a/b": {"at": 3.5e38}}]),
        json!([{"x": 1, "a/b": {"at": 1, "on": null}}]),
        json!([{"x": 1, "a/b": {"off": 1}}]),
    ];
    let said: Vec<_> = cases.iter().map(|case| from_json(&all, case).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn an_option_of_an_option_says_which_is_missing() {
    let shape = Shape::Option(Box::new(Shape::Option(Box::new(Shape::Bool))));
    let some = |value| Val::Option(Some(Box::new(value)));
    for (json, value) in [
        (json!(null), Val::Option(None)),
        (json!({"some": null}), some(Val::Option(None))),
        (json!({"some": true}), some(some(Val::Bool(true)))),
    ] {
        assert_eq!(from_json(&shape, &json).unwrap(), value);
        assert_eq!(to_json(&shape, &value).unwrap(), json);
    }
}

#[test]
fn whole_numbers_are_read_exactly() {
    for (text, number) in [
        ("9007199254740993.0", Some(9_007_199_254_740_993)),
        ("1e18", Some(1_000_000_000_000_000_000)),
        ("120e-1", Some(12)),
        ("0e999999999", Some(0)),
        ("-0.000", Some(0)),
        ("1e-1", None),
        ("1.5", None),
        ("1e999999999999", None),
        ("1e99", None),
    ] {
        assert_eq!(whole(text), number, "{text}");
    }
}
