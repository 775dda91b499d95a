//! Prompts: their arguments out of a struct's schema, and what a function may return.
//! Argument values are strings in the protocol; numbers, booleans and plain enums are read out of them.
//! Must not check that required arguments are there: the host did.

use schemars::JsonSchema;
use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use crate::bindings::prompts::exports::kennel::plugin::prompts as wit_prompts;
pub use crate::bindings::prompts::exports::kennel::plugin::prompts::{
    Prompt as PromptInfo, PromptArgument, PromptCall, PromptOutcome as WitPromptOutcome,
};
use crate::bindings::tools::kennel::plugin::types as wit;
use crate::{Error, Message, Outcome, Result, panic, schema};

/// A function under `#[prompt]`. The macro implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no prompt",
    label = "no prompt",
    note = "write `#[prompt]` above the function `{Self}`"
)]
#[doc(hidden)]
pub trait Prompt {
    /// As listed.
    const NAME: &'static str;
    /// As listed.
    fn describe() -> Result<PromptInfo>;
    /// Fills it in.
    fn get(call: PromptCall) -> Result<Outcome<PromptResult>>;
}

/// A row of a plugin's table of prompts.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    name: &'static str,
    describe: fn() -> Result<PromptInfo>,
    get: fn(PromptCall) -> Result<Outcome<PromptResult>>,
}

impl Entry {
    /// The row of a prompt.
    #[must_use]
    pub const fn of<T: Prompt>() -> Self {
        Self { name: T::NAME, describe: T::describe, get: T::get }
    }
}

crate::assert_distinct!("two prompts of this plugin have the same name");

/// The export `list-prompts`.
#[doc(hidden)]
pub fn list(entries: &[Entry]) -> Result<Vec<PromptInfo>, wit::Error> {
    panic::install();
    Ok(entries.iter().map(|entry| (entry.describe)()).collect::<Result<_>>()?)
}

/// The export `get-prompt`.
#[doc(hidden)]
pub fn get(entries: &[Entry], call: PromptCall) -> Result<WitPromptOutcome, wit::Error> {
    panic::install();
    let Some(entry) = entries.iter().find(|entry| entry.name == call.name) else {
        return Err(Error::unknown(format!("there is no prompt `{}`", call.name)).into());
    };
    Ok(match (entry.get)(call)? {
        Outcome::Complete(result) => WitPromptOutcome::Complete(result.0),
        Outcome::Ask(pending) => WitPromptOutcome::InputRequired(pending.0),
    })
}

/// The arguments that `T`'s schema describes.
#[doc(hidden)]
pub fn arguments_of<T: JsonSchema>(prompt: &str) -> Result<Vec<PromptArgument>> {
    let schema = schema::of::<T>();
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Err(Error::failed(format!(
            "the arguments of the prompt `{prompt}` are not an object: make them a struct with named fields"
        )));
    };
    let required = schema.get("required").and_then(Value::as_array);
    let text = |property: &Value, key: &str| property.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    Ok(properties
        .iter()
        .map(|(name, property)| PromptArgument {
            name: name.clone(),
            title: text(property, "title"),
            description: text(property, "description"),
            required: required.is_some_and(|names| names.iter().any(|other| other == name)),
        })
        .collect())
}

/// Reads the arguments of a call.
#[doc(hidden)]
pub fn parse_arguments<T: DeserializeOwned>(arguments: &[(String, String)]) -> Result<T> {
    let pairs = arguments.iter().map(|(name, value)| (name.as_str(), Text(value)));
    T::deserialize(MapDeserializer::<_, serde::de::value::Error>::new(pairs))
        .map_err(|error| Error::invalid(format!("the arguments do not fit: {error}")))
}

/// A string that can be read as what the struct's field wants.
struct Text<'a>(&'a str);

impl<'de> IntoDeserializer<'de> for Text<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $ty:ty, $what:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
            match self.0.trim().parse::<$ty>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(serde::de::Error::custom(format_args!("{:?} is not {}", self.0, $what))),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = serde::de::value::Error;

    parsed! {
        deserialize_bool visit_bool bool, "`true` or `false`";
        deserialize_i8 visit_i8 i8, "a whole number that fits";
        deserialize_i16 visit_i16 i16, "a whole number that fits";
        deserialize_i32 visit_i32 i32, "a whole number that fits";
        deserialize_i64 visit_i64 i64, "a whole number that fits";
        deserialize_u8 visit_u8 u8, "a whole number that fits";
        deserialize_u16 visit_u16 u16, "a whole number that fits";
        deserialize_u32 visit_u32 u32, "a whole number that fits";
        deserialize_u64 visit_u64 u64, "a whole number that fits";
        deserialize_f32 visit_f32 f32, "a number";
        deserialize_f64 visit_f64 f64, "a number";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, Self::Error> {
        StrDeserializer::new(self.0).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

/// A prompt, filled in.
#[derive(Debug, Clone)]
pub struct PromptResult(wit_prompts::PromptResult);

impl PromptResult {
    /// These messages.
    #[must_use]
    pub const fn new(messages: Vec<Message>) -> Self {
        Self(wit_prompts::PromptResult { description: None, messages, meta: None })
    }

    /// With what it is for.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.0.description = Some(description.into());
        self
    }

    /// With a `_meta` object.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "`json!({…})` is what stands here")]
    pub fn meta(mut self, meta: Value) -> Self {
        self.0.meta = Some(meta.to_string());
        self
    }
}

/// What a prompt may return: text (said by the user), a [`Message`] or several, a [`PromptResult`], an
/// [`Outcome`] of these, and a `Result` of any of them.
#[diagnostic::on_unimplemented(
    message = "a prompt cannot return `{Self}`",
    label = "not a prompt's result",
    note = "return a `String`, `Message`, `Vec<Message>`, `PromptResult`, an `Outcome` of one, or a `Result` of these"
)]
pub trait IntoPromptOutcome {
    /// The outcome.
    ///
    /// # Errors
    /// The function's own.
    fn into_prompt_outcome(self) -> Result<Outcome<PromptResult>>;
}

impl IntoPromptOutcome for PromptResult {
    fn into_prompt_outcome(self) -> Result<Outcome<PromptResult>> {
        Ok(Outcome::Complete(self))
    }
}

impl IntoPromptOutcome for Vec<Message> {
    fn into_prompt_outcome(self) -> Result<Outcome<PromptResult>> {
        PromptResult::new(self).into_prompt_outcome()
    }
}

impl IntoPromptOutcome for Message {
    fn into_prompt_outcome(self) -> Result<Outcome<PromptResult>> {
        vec![self].into_prompt_outcome()
    }
}

impl IntoPromptOutcome for String {
    fn into_prompt_outcome(self) -> Result<Outcome<PromptResult>> {
        Message::user(self).into_prompt_outcome()
    }
}

impl IntoPromptOutcome for &str {
    fn into_prompt_outcome(self) -> Result<Outcome<PromptResult>> {
        Message::user(self).into_prompt_outcome()
    }
}

impl<T: IntoPromptOutcome> IntoPromptOutcome for Outcome<T> {
    fn into_prompt_outcome(self) -> Result<Outcome<PromptResult>> {
        self.and_then(T::into_prompt_outcome)
    }
}

impl<T: IntoPromptOutcome, E: Into<Error>> IntoPromptOutcome for Result<T, E> {
    fn into_prompt_outcome(self) -> Result<Outcome<PromptResult>> {
        self.map_err(Into::into)?.into_prompt_outcome()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Review {
        /// The code.
        code: String,
        strict: Option<bool>,
        #[serde(default)]
        lines: u32,
        level: Option<Level>,
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Level {
        Low,
        High,
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn arguments_come_from_the_struct() {
        let arguments = arguments_of::<Review>("review").unwrap();
        let names: Vec<_> =
            arguments.iter().map(|argument| (argument.name.as_str(), argument.required)).collect();
        assert_eq!(names, [("code", true), ("strict", false), ("lines", false), ("level", false)]);
        assert_eq!(arguments[0].description.as_deref(), Some("The code."));
        assert!(arguments_of::<String>("review").is_err());
    }

    #[test]
    fn strings_are_read_as_what_the_field_wants() {
        let review = |list: &[(&str, &str)]| parse_arguments::<Review>(&pairs(list));
        assert_eq!(
            review(&[("code", "12"), ("strict", "true"), ("lines", "7"), ("level", "high")]).unwrap(),
            Review { code: "12".into(), strict: Some(true), lines: 7, level: Some(Level::High) }
        );
        assert_eq!(
            review(&[("code", "x")]).unwrap(),
            Review { code: "x".into(), strict: None, lines: 0, level: None }
        );
        let error = review(&[("code", "x"), ("lines", "many")]).unwrap_err();
        assert_eq!(
            error,
            Error::invalid("the arguments do not fit: \"many\" is not a whole number that fits")
        );
        assert!(review(&[("code", "x"), ("level", "odd")]).unwrap_err().to_string().contains("low"));
    }
}
