//! JSON as JavaScript makes it: numbers in its spelling, an object's keys in its order.
//! The original's answers are `JSON.stringify` of JavaScript values, so these texts are too.
//! Must not lose a key or a row.

use std::fmt;

use kennel_sdk::serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use kennel_sdk::serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Array(Vec<Json>),
    Object(Object),
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Keys and values in the order in which JavaScript has them: whole numbers first, by size, then the others as they came
/// (ECMA-262, `OrdinaryOwnPropertyKeys`).
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Object {
    fields: Vec<(String, Json)>,
    /// How many of the keys, from the first on, are whole numbers.
    numbered: usize,
}

/// The number that a key is an array index for (ECMA-262, 6.1.7).
fn index(key: &str) -> Option<u32> {
    let number: u32 = key.parse().ok()?;
    (number != u32::MAX && number.to_string() == key).then_some(number)
}

impl Object {
    /// Sets a key. One that is there keeps its place.
    pub(crate) fn set(&mut self, key: impl Into<String>, value: Json) {
        let key = key.into();
        if let Some((_, old)) = self.fields.iter_mut().find(|(other, _)| *other == key) {
            *old = value;
            return;
        }
        match index(&key) {
            Some(number) => {
                let before = |(other, _): &&(String, Json)| index(other).is_some_and(|other| other < number);
                let at = self.fields.iter().take(self.numbered).filter(before).count();
                self.fields.insert(at, (key, value));
                self.numbered += 1;
            }
            None => self.fields.push((key, value)),
        }
    }
}

impl<const N: usize> From<[(&str, Json); N]> for Json {
    fn from(fields: [(&str, Json); N]) -> Self {
        let mut object = Object::default();
        for (key, value) in fields {
            object.set(key, value);
        }
        Self::Object(object)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) if number.is_finite() => {
                let mut buffer = ryu_js::Buffer::new();
                RawValue::from_string(buffer.format_finite(*number).to_owned())
                    .map_err(kennel_sdk::serde::ser::Error::custom)?
                    .serialize(serializer)
            }
            Self::Number(_) => serializer.serialize_unit(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Array(items) => items.serialize(serializer),
            Self::Object(object) => {
                let mut map = serializer.serialize_map(Some(object.fields.len()))?;
                for (key, value) in &object.fields {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

#[expect(clippy::cast_precision_loss, reason = "JavaScript's numbers are doubles")]
impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut object = Object::default();
        while let Some((key, value)) = entries.next_entry::<String, Json>()? {
            object.set(key, value);
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn again(text: &str) -> String {
        serde_json::to_string(&serde_json::from_str::<Json>(text).unwrap()).unwrap()
    }

    /// Each right side is what `JSON.stringify(JSON.parse(left))` gives.
    #[test]
    fn texts_are_javascripts() {
        for (text, expected) in [
            ("1.0", "1"),
            ("-0", "0"),
            ("1e21", "1e+21"),
            ("123456789012345678901", "123456789012345680000"),
            ("0.0000001", "1e-7"),
            ("9007199254740993", "9007199254740992"),
            (r#"{"b":1,"a":2,"10":3,"9":4,"b":5,"01":6}"#, r#"{"9":4,"10":3,"b":5,"a":2,"01":6}"#),
            (r#"["\u001f\u007f\/é"]"#, "[\"\\u001f\u{7f}/é\"]"),
            ("[]", "[]"),
        ] {
            assert_eq!(again(text), expected, "{text}");
        }
        assert_eq!(serde_json::to_string(&Json::Number(f64::NAN)).unwrap(), "null");
    }
}
