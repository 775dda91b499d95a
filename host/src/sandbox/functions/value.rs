//! JSON ⇄ a value of a type. Pure; what does not fit is refused with the place of the fault. The other way loses nothing:
//! a value that was made JSON and back is the same.

use std::fmt;

use serde_json::{Map, Number, Value};
use wasmtime::component::Val;

use super::schema::NO_NUMBERS;
use super::shape::{Int, Shape};

/// Why JSON is no value of a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", if path.is_empty() { "/" } else { path })]
pub(super) struct Misfit {
    /// Where, as a JSON Pointer (RFC 6901).
    path: String,
    why: String,
}

fn misfit(why: impl fmt::Display) -> Misfit {
    Misfit { path: String::new(), why: why.to_string() }
}

impl Misfit {
    /// The same, seen from one level above.
    fn within(mut self, key: impl fmt::Display) -> Self {
        let key = key.to_string().replace('~', "~0").replace('/', "~1");
        self.path.insert_str(0, &format!("/{key}"));
        self
    }
}

type Made<T> = Result<T, Misfit>;

/// The value that JSON stands for.
///
/// # Errors
/// When it is none of the type.
pub(super) fn from_json(shape: &Shape, json: &Value) -> Made<Val> {
    Ok(match shape {
        Shape::Described(_, of) => from_json(of, json)?,
        Shape::Bool => Val::Bool(json.as_bool().ok_or_else(|| expected("true or false", json))?),
        Shape::Int(int) => integer(*int, json)?,
        Shape::F32 => Val::Float32(single(json)?),
        Shape::F64 => Val::Float64(double(json)?),
        Shape::Char => {
            let text = string(json)?;
            let mut all = text.chars();
            match (all.next(), all.next()) {
                (Some(one), None) => Val::Char(one),
                _ => {
                    return Err(misfit(format_args!(
                        "one character is wanted, and there are {}",
                        text.chars().count()
                    )));
                }
            }
        }
        Shape::Text => Val::String(string(json)?.to_owned()),
        Shape::List(of) => {
            let item = |(at, json)| from_json(of, json).map_err(|fault: Misfit| fault.within(at));
            Val::List(array(json)?.iter().enumerate().map(item).collect::<Made<_>>()?)
        }
        Shape::Tuple(shapes) => {
            let items = array(json)?;
            if items.len() != shapes.len() {
                return Err(misfit(format_args!(
                    "{} items are wanted, and there are {}",
                    shapes.len(),
                    items.len()
                )));
            }
            let item = |(at, (shape, json)): (usize, (&Shape, &Value))| {
                from_json(shape, json).map_err(|fault| fault.within(at))
            };
            Val::Tuple(shapes.iter().zip(items).enumerate().map(item).collect::<Made<_>>()?)
        }
        Shape::Record(fields) => {
            let object = json.as_object().ok_or_else(|| expected("an object", json))?;
            let names = fields.iter().map(|(name, _)| name.clone());
            Val::Record(names.zip(parts(fields, object)?).collect())
        }
        Shape::Variant(all) => {
            let (name, json) = case(json)?;
            let Some((_, of)) = all.iter().find(|(known, _)| known == name) else {
                return Err(unknown(name, all.iter().map(|(name, _)| name.as_str())));
            };
            Val::Variant(name.to_owned(), payload(name, of.as_ref(), json)?)
        }
        Shape::Result(ok, err) => match case(json)? {
            ("ok", json) => Val::Result(Ok(payload("ok", ok.as_deref(), json)?)),
            ("err", json) => Val::Result(Err(payload("err", err.as_deref(), json)?)),
            (name, _) => return Err(unknown(name, ["ok", "err"].into_iter())),
        },
        Shape::Enum(names) => Val::Enum(one_of(names, json)?.to_owned()),
        Shape::Flags(names) => {
            let mut set = Vec::new();
            for (at, json) in array(json)?.iter().enumerate() {
                let name = one_of(names, json).map_err(|fault| fault.within(at))?;
                if set.contains(&name) {
                    return Err(misfit(format_args!("{name:?} is there twice")).within(at));
                }
                set.push(name);
            }
            // In the order of the type, so that equal sets are equal values.
            Val::Flags(names.iter().filter(|name| set.contains(&name.as_str())).cloned().collect())
        }
        Shape::Option(_) if json.is_null() => Val::Option(None),
        Shape::Option(of) if of.takes_null() => match case(json)? {
            ("some", Some(json)) => Val::Option(payload("some", Some(of), Some(json))?),
            _ => return Err(expected("null or {\"some\": ...}", json)),
        },
        Shape::Option(of) => Val::Option(Some(Box::new(from_json(of, json)?))),
    })
}

/// The values of named parts, in their order: the parameters of a function, the fields of a record.
///
/// # Errors
/// When one is missing, is none of its type, or has a name that nobody knows.
pub(super) fn parts(fields: &[(String, Shape)], object: &Map<String, Value>) -> Made<Vec<Val>> {
    if let Some(name) = object.keys().find(|name| fields.iter().all(|(known, _)| known != *name)) {
        return Err(unknown(name, fields.iter().map(|(name, _)| name.as_str())));
    }
    let part = |(name, shape): &(String, Shape)| match object.get(name) {
        Some(json) => from_json(shape, json).map_err(|fault| fault.within(name)),
        None if matches!(shape.plain(), Shape::Option(_)) => Ok(Val::Option(None)),
        None => Err(misfit(format_args!("{name:?} is missing"))),
    };
    fields.iter().map(part).collect()
}

/// The JSON of a value.
///
/// # Errors
/// When the value is none of the type, which wasmtime does not let happen.
pub(super) fn to_json(shape: &Shape, value: &Val) -> Made<Value> {
    let inner = |shape: &Option<Box<Shape>>, value: &Option<Box<Val>>, name: &str| match (shape, value) {
        (None, None) => Ok(Value::from(name)),
        (Some(shape), Some(value)) => Ok(single_key(name, to_json(shape, value)?)),
        _ => Err(misfit("a value that is not of its type")),
    };
    Ok(match (shape, value) {
        (Shape::Described(_, of), value) => to_json(of, value)?,
        (Shape::Bool, Val::Bool(value)) => (*value).into(),
        (Shape::Int(_), Val::S8(value)) => (*value).into(),
        (Shape::Int(_), Val::U8(value)) => (*value).into(),
        (Shape::Int(_), Val::S16(value)) => (*value).into(),
        (Shape::Int(_), Val::U16(value)) => (*value).into(),
        (Shape::Int(_), Val::S32(value)) => (*value).into(),
        (Shape::Int(_), Val::U32(value)) => (*value).into(),
        (Shape::Int(_), Val::S64(value)) => (*value).into(),
        (Shape::Int(_), Val::U64(value)) => (*value).into(),
        // By their own shortest text: 0.1 as `f32` is not the 0.10000000149011612 that it is as `f64`.
        (Shape::F32, Val::Float32(value)) => float(f64::from(*value), &format!("{value:?}"))?,
        (Shape::F64, Val::Float64(value)) => float(*value, &format!("{value:?}"))?,
        (Shape::Char, Val::Char(value)) => value.to_string().into(),
        (Shape::Text, Val::String(value)) => value.as_str().into(),
        (Shape::List(of), Val::List(items)) => {
            Value::Array(items.iter().map(|item| to_json(of, item)).collect::<Made<_>>()?)
        }
        (Shape::Tuple(shapes), Val::Tuple(items)) if shapes.len() == items.len() => {
            Value::Array(shapes.iter().zip(items).map(|(of, item)| to_json(of, item)).collect::<Made<_>>()?)
        }
        (Shape::Record(shapes), Val::Record(fields)) if shapes.len() == fields.len() => {
            let field = |((name, of), (_, value)): (&(String, Shape), &(String, Val))| {
                Ok((name.clone(), to_json(of, value)?))
            };
            Value::Object(shapes.iter().zip(fields).map(field).collect::<Made<_>>()?)
        }
        (Shape::Variant(all), Val::Variant(name, value)) => {
            let of = all.iter().find(|(known, _)| known == name).map(|(_, of)| of.as_ref());
            match (of, value) {
                (Some(None), None) => name.as_str().into(),
                (Some(Some(of)), Some(value)) => single_key(name, to_json(of, value)?),
                _ => return Err(misfit("a value that is not of its type")),
            }
        }
        (Shape::Result(ok, _), Val::Result(Ok(value))) => inner(ok, value, "ok")?,
        (Shape::Result(_, err), Val::Result(Err(value))) => inner(err, value, "err")?,
        (Shape::Enum(_), Val::Enum(name)) => name.as_str().into(),
        (Shape::Flags(_), Val::Flags(names)) => names.iter().map(String::as_str).collect(),
        (Shape::Option(_), Val::Option(None)) => Value::Null,
        (Shape::Option(of), Val::Option(Some(value))) if of.takes_null() => {
            single_key("some", to_json(of, value)?)
        }
        (Shape::Option(of), Val::Option(Some(value))) => to_json(of, value)?,
        _ => return Err(misfit("a value that is not of its type")),
    })
}

fn single_key(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

/// A case's name, and its value when it has one.
fn case(json: &Value) -> Made<(&str, Option<&Value>)> {
    match json {
        Value::String(name) => Ok((name, None)),
        Value::Object(object) => {
            let mut all = object.iter();
            match (all.next(), all.next()) {
                (Some((name, value)), None) => Ok((name, Some(value))),
                _ => Err(misfit(format_args!(
                    "an object of one key is wanted, and there are {}",
                    object.len()
                ))),
            }
        }
        _ => Err(expected("a string or an object of one key", json)),
    }
}

fn payload(name: &str, shape: Option<&Shape>, json: Option<&Value>) -> Made<Option<Box<Val>>> {
    match (shape, json) {
        (None, None) => Ok(None),
        (Some(shape), Some(json)) => {
            let value = from_json(shape, json).map_err(|fault| fault.within(name))?;
            Ok(Some(Box::new(value)))
        }
        (None, Some(_)) => Err(misfit(format_args!("{name:?} has no value; write {name:?} alone"))),
        (Some(_), None) => Err(misfit(format_args!("{name:?} needs a value; write {{{name:?}: ...}}"))),
    }
}

fn integer(int: Int, json: &Value) -> Made<Val> {
    let Value::Number(number) = json else { return Err(expected("an integer", json)) };
    let (min, max) = int.range();
    let whole = whole(number.as_str())
        .ok_or_else(|| misfit(format_args!("{number} is no integer of {min} to {max}")))?;
    let out = || misfit(format_args!("{number} is not within {min} to {max}"));
    macro_rules! within {
        ($($int:ident),*) => {
            match int { $(Int::$int => Val::$int(whole.try_into().map_err(|_| out())?)),* }
        };
    }
    Ok(within!(S8, U8, S16, U16, S32, U32, S64, U64))
}

/// The integer that a JSON number denotes, however it is spelled: `10`, `10.0` and `1e1` are the same to JSON Schema.
/// None for what is no integer or has more than 38 digits, which no type here holds.
fn whole(text: &str) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (head, tail) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{head}{tail}");
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // Zeros after the last significant digit, before any point.
    let dropped = i32::try_from(digits.len() - significant.len()).ok()?;
    let zeros = exponent.checked_sub(i32::try_from(tail.len()).ok()?)?.checked_add(dropped)?;
    let zeros = usize::try_from(zeros).ok().filter(|zeros| *zeros <= 38)?;
    format!("{sign}{significant}{}", "0".repeat(zeros)).parse().ok()
}

fn double(json: &Value) -> Made<f64> {
    match json {
        Value::Number(number) => number
            .as_f64()
            .filter(|value| value.is_finite())
            .ok_or_else(|| misfit(format_args!("{number} is too large"))),
        Value::String(text) => no_number(text),
        _ => Err(expected("a number", json)),
    }
}

fn single(json: &Value) -> Made<f32> {
    let wide = double(json)?;
    if wide.is_finite() && wide.abs() > f64::from(f32::MAX) {
        return Err(misfit(format_args!("{json} is too large")));
    }
    match json {
        // Out of its own text, not by way of `f64`, which would round twice.
        Value::Number(number) => number.as_str().parse().map_err(|_| misfit("no number")),
        #[allow(clippy::cast_possible_truncation, reason = "one of the three that both have")]
        _ => Ok(wide as f32),
    }
}

fn no_number(text: &str) -> Made<f64> {
    match text {
        "NaN" => Ok(f64::NAN),
        "Infinity" => Ok(f64::INFINITY),
        "-Infinity" => Ok(f64::NEG_INFINITY),
        _ => Err(misfit(format_args!("a number or one of {} is wanted", NO_NUMBERS.join(", ")))),
    }
}

fn float(value: f64, text: &str) -> Made<Value> {
    Ok(if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        Value::Number(text.parse::<Number>().map_err(misfit)?)
    })
}

fn string(json: &Value) -> Made<&str> {
    json.as_str().ok_or_else(|| expected("a string", json))
}

fn array(json: &Value) -> Made<&Vec<Value>> {
    json.as_array().ok_or_else(|| expected("an array", json))
}

fn one_of<'a>(names: &'a [String], json: &Value) -> Made<&'a str> {
    let name = string(json)?;
    let known = names.iter().find(|known| *known == name);
    known.map(String::as_str).ok_or_else(|| unknown(name, names.iter().map(String::as_str)))
}

/// Names listed in a message.
const NAMED: usize = 12;

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Misfit {
    let name: String = name.chars().take(64).collect();
    let mut known: Vec<_> = known.take(NAMED + 1).collect();
    if known.len() > NAMED {
        known.truncate(NAMED);
        known.push("...");
    }
    misfit(format_args!("{name:?} is none of {}", known.join(", ")))
}

fn expected(what: &str, json: &Value) -> Misfit {
    let found = match json {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    misfit(format_args!("{what} is wanted, and there is {found}"))
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
