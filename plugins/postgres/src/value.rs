//! PostgreSQL's text format → JSON, type by type, as the original's driver (npm `pg-types`) does it.
//! A type that it does not know is a text. Must not fail: a text that does not fit its type stays a text.

use crate::array::{self, Element};
use crate::date::{date, interval};
use crate::json::Json;

/// The value of a column whose type has this number (`pg_type.oid`).
pub(crate) fn value(oid: u32, text: &str) -> Json {
    match oid {
        1000 => items(text, bool),
        1001 => items(text, bytea),
        1005 | 1007 | 1028 | 1021 | 1022 | 1231 => items(text, number),
        1017 => items(text, point),
        1115 | 1182 | 1185 => items(text, date),
        1187 => items(text, interval),
        199 | 3807 => items(text, json),
        // bigint[], cidr[], "char"[], varchar[], bpchar[]'s text forms, text[], macaddr[], inet[], numrange[], uuid[], money[],
        // time[], timetz[].
        1016 | 651 | 1014 | 1015 | 1008 | 1009 | 1040 | 1041 | 3907 | 2951 | 791 | 1183 | 1270 => {
            items(text, |text| text.into())
        }
        _ => scalar(oid, text),
    }
}

fn scalar(oid: u32, text: &str) -> Json {
    match oid {
        16 => bool(text),
        17 => bytea(text),
        // int2, int4, oid, float4, float8. int8 and numeric do not fit a double, and are texts.
        21 | 23 | 26 | 700 | 701 => number(text),
        114 | 3802 => json(text),
        600 => point(text),
        718 => circle(text),
        1082 | 1114 | 1184 => date(text),
        1186 => interval(text),
        _ => text.into(),
    }
}

fn items(text: &str, each: fn(&str) -> Json) -> Json {
    fn tree(element: Element, each: fn(&str) -> Json) -> Json {
        match element {
            Element::Null => Json::Null,
            Element::Value(text) => each(&text),
            Element::List(list) => Json::Array(list.into_iter().map(|element| tree(element, each)).collect()),
        }
    }
    array::parse(text).map_or_else(|| text.into(), |element| tree(element, each))
}

fn bool(text: &str) -> Json {
    Json::Bool(text == "t")
}

fn number(text: &str) -> Json {
    // `NaN` and `Infinity` are numbers, and null in JSON.
    text.parse().map_or_else(|_| text.into(), Json::Number)
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// `\x48656c6c6f`, as Node writes a `Buffer`.
fn bytea(text: &str) -> Json {
    let Some(bytes) = text.strip_prefix("\\x").and_then(hex) else { return text.into() };
    let data = bytes.into_iter().map(|byte| Json::Number(byte.into())).collect();
    Json::from([("type", "Buffer".into()), ("data", Json::Array(data))])
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

/// `(1,2)`
fn point(text: &str) -> Json {
    let Some((x, y)) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')?.split_once(',')) else {
        return Json::Null;
    };
    Json::from([("x", number(x)), ("y", number(y))])
}

/// `<(1,2),3>`
fn circle(text: &str) -> Json {
    let parts = text.strip_prefix("<(").and_then(|text| text.strip_suffix('>')?.split_once("),"));
    let Some(((x, y), radius)) = parts.and_then(|(centre, radius)| Some((centre.split_once(',')?, radius)))
    else {
        return Json::Null;
    };
    Json::from([("x", number(x)), ("y", number(y)), ("radius", number(radius))])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn each_type_is_the_drivers() {
        for (oid, text, expected) in [
            (16, "t", "true"),
            (17, "\\x00ff", r#"{"type":"Buffer","data":[0,255]}"#),
            (20, "9223372036854775807", r#""9223372036854775807""#),
            (23, "-5", "-5"),
            (700, "1e+20", "100000000000000000000"),
            (701, "NaN", "null"),
            (1700, "1.50", r#""1.50""#),
            (114, r#"{ "a": 1.0 }"#, r#"{"a":1}"#),
            (600, "(1.5,-2)", r#"{"x":1.5,"y":-2}"#),
            (718, "<(1,2),3>", r#"{"x":1,"y":2,"radius":3}"#),
            (1007, "{1,NULL,3}", "[1,null,3]"),
            (1007, "{{1,2},{3,4}}", "[[1,2],[3,4]]"),
            (1009, r#"{a,"b \"c\"",NULL,"NULL",""}"#, r#"["a","b \"c\"",null,"NULL",""]"#),
            (1231, "{1.50,2}", "[1.5,2]"),
            (1016, "{1,-2}", r#"["1","-2"]"#),
            (3807, r#"{"{\"a\": [1]}",NULL}"#, r#"[{"a":[1]},null]"#),
            (1007, "[0:1]={1,2}", "[1,2]"),
            (1007, "{}", "[]"),
            (2950, "x", r#""x""#),
        ] {
            assert_eq!(serde_json::to_string(&value(oid, text)).unwrap(), expected, "{oid} {text}");
        }
    }
}
