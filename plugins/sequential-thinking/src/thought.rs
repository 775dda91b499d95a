//! One thought as the caller gives it.
//! Must not know what came before it.

use std::fmt;

use kennel_sdk::prelude::*;

use crate::schema::LARGEST;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Thought {
    pub(crate) thought: String,
    pub(crate) next_thought_needed: Flag,
    pub(crate) thought_number: Count,
    pub(crate) total_thoughts: Count,
    is_revision: Option<Flag>,
    revises_thought: Option<Count>,
    branch_from_thought: Option<Count>,
    branch_id: Option<String>,
    #[serde(rename = "needsMoreThoughts")]
    _needs_more_thoughts: Option<Flag>,
}

/// A truth that may be written as a string, in any case: some models do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct Flag(pub(crate) bool);

impl TryFrom<Value> for Flag {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match &value {
            Value::Bool(flag) => Ok(Self(*flag)),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(Self(true)),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(Self(false)),
            other => Err(format!("expected true or false, also as a string, not {other}")),
        }
    }
}

/// A whole number from 1 to [`LARGEST`], however JSON spells it (`3`, `3.0`, `3e0`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Count(pub(crate) u64);

impl TryFrom<f64> for Count {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        #[expect(clippy::cast_precision_loss, reason = "it is exact, by its definition")]
        let fits = number >= 1.0 && number <= LARGEST as f64 && number.fract() == 0.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "looked at just before")]
        if fits {
            Ok(Self(number as u64))
        } else {
            Err(format!("expected a whole number from 1, not {number}"))
        }
    }
}

impl Thought {
    /// The branch it belongs to, when it says both where from and which.
    pub(crate) fn branch(&self) -> Option<&str> {
        self.branch_from_thought.and(self.branch_id.as_deref()).filter(|id| !id.is_empty())
    }

    /// How many thoughts there will be at least.
    pub(crate) fn total(&self) -> u64 {
        self.total_thoughts.0.max(self.thought_number.0)
    }
}

/// The line for the log: what the reference draws a box around.
impl fmt::Display for Thought {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = format_args!("{}/{}", self.thought_number.0, self.total());
        let number = |count: Option<Count>| count.map_or_else(|| "?".to_owned(), |count| count.0.to_string());
        if self.is_revision == Some(Flag(true)) {
            write!(formatter, "🔄 Revision {at} (revising thought {})", number(self.revises_thought))?;
        } else if let Some(from) = self.branch_from_thought {
            let id = self.branch_id.as_deref().unwrap_or("?");
            write!(formatter, "🌿 Branch {at} (from thought {}, ID: {id})", from.0)?;
        } else {
            write!(formatter, "💭 Thought {at}")?;
        }
        write!(formatter, ": {}", self.thought)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn thought(more: Value) -> Result<Thought, serde_json::Error> {
        let mut all =
            json!({ "thought": "x", "nextThoughtNeeded": true, "thoughtNumber": 1, "totalThoughts": 3 });
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        serde_json::from_value(all)
    }

    #[test]
    fn truths_and_numbers_are_read_in_their_spellings() {
        for (given, read) in [(json!(true), true), (json!("TRUE"), true), (json!("False"), false)] {
            assert_eq!(thought(json!({ "nextThoughtNeeded": given })).unwrap().next_thought_needed.0, read);
        }
        for given in [json!("yes"), json!(1), json!(null)] {
            assert!(thought(json!({ "nextThoughtNeeded": given })).is_err());
        }
        for given in [json!(2), json!(2.0), serde_json::from_str("2e0").unwrap()] {
            assert_eq!(thought(json!({ "thoughtNumber": given })).unwrap().thought_number.0, 2);
        }
        for given in [json!(0), json!(-1), json!(1.5), json!(1e300)] {
            assert!(thought(json!({ "thoughtNumber": given })).is_err());
        }
    }

    #[test]
    fn a_branch_needs_both_its_origin_and_its_name() {
        assert_eq!(thought(json!({ "branchFromThought": 1, "branchId": "a" })).unwrap().branch(), Some("a"));
        assert_eq!(thought(json!({ "branchFromThought": 1, "branchId": "" })).unwrap().branch(), None);
        assert_eq!(thought(json!({ "branchFromThought": 1 })).unwrap().branch(), None);
        assert_eq!(thought(json!({ "branchId": "a" })).unwrap().branch(), None);
    }

    #[test]
    fn the_log_says_which_kind_of_thought_it_is() {
        let line = |more| thought(more).unwrap().to_string();
        assert_eq!(line(json!({ "thoughtNumber": 5 })), "💭 Thought 5/5: x");
        assert_eq!(
            line(json!({ "isRevision": "true", "revisesThought": 2 })),
            "🔄 Revision 1/3 (revising thought 2): x"
        );
        assert_eq!(
            line(json!({ "branchFromThought": 2, "branchId": "b" })),
            "🌿 Branch 1/3 (from thought 2, ID: b): x"
        );
    }
}
