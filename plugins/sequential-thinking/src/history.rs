//! What is kept of the thoughts of one caller: how many there were, the names of their branches, and when the last came.
//! The texts are not kept: nobody can ask for them.
//! Must not grow without bound: more branches than [`MOST_BRANCHES`] are refused.

use kennel_sdk::prelude::*;

const KEY: &str = "history";

/// How many branches one train of thought may have.
const MOST_BRANCHES: usize = 1_000;

/// The most bytes of a branch's name. With [`MOST_BRANCHES`] it keeps the history within a value of the store, 1 MiB.
const LONGEST_NAME: usize = 256;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    /// How many thoughts there were.
    pub(crate) length: u64,
    /// In the order they were begun.
    branches: Vec<String>,
    /// When the last thought came, in seconds since 1970.
    last: u64,
}

/// Adds a thought, of a branch or of none, at `now` (seconds since 1970). What is older than `lifetime` seconds is forgotten
/// first.
pub(crate) fn add(branch: Option<&str>, now: u64, lifetime: u64) -> Result<History> {
    let kept = state::update(KEY, |old: Option<History>| {
        let fresh = old.filter(|history| now.saturating_sub(history.last) <= lifetime);
        fresh.unwrap_or_default().with(branch, now).map(Some)
    })?;
    Ok(kept.unwrap_or_default())
}

impl History {
    fn with(mut self, branch: Option<&str>, now: u64) -> Result<Self> {
        self.length += 1;
        self.last = now;
        if let Some(name) = branch.filter(|name| !self.branches.iter().any(|known| known == name)) {
            if name.len() > LONGEST_NAME {
                bail!("branchId is longer than {LONGEST_NAME} bytes; choose a shorter one");
            }
            if self.branches.len() >= MOST_BRANCHES {
                bail!("there are {MOST_BRANCHES} branches already; go on with one of them");
            }
            self.branches.push(name.to_owned());
        }
        Ok(self)
    }

    /// The branches in the order in which the reference names them, that of the keys of a JavaScript object: whole
    /// numbers first, growing, then the others as they came (ECMA-262, OrdinaryOwnPropertyKeys).
    pub(crate) fn branches(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.branches.iter().map(String::as_str).collect();
        // The sort is stable, so what is no index keeps its place.
        names.sort_by_key(|name| array_index(name).unwrap_or(u64::MAX));
        names
    }
}

/// The number that a name is, when it is one as JavaScript writes it, below 2³² − 1.
fn array_index(name: &str) -> Option<u64> {
    let number: u32 = name.parse().ok()?;
    (number < u32::MAX && number.to_string() == name).then_some(u64::from(number))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn branches_are_named_once_and_in_order() {
        let mut history = History::default();
        for name in ["b", "10", "a", "9", "b", "010", "4294967295", "-1"] {
            history = history.with(Some(name), 0).unwrap();
        }
        assert_eq!(history.branches(), ["9", "10", "b", "a", "010", "4294967295", "-1"]);
        assert_eq!(history.length, 8);
    }

    #[test]
    fn a_history_fits_into_a_value_of_the_store() {
        let mut history = History::default();
        for number in 0..MOST_BRANCHES {
            history = history.with(Some(&format!("{number:0256}")), u64::MAX).unwrap();
        }
        assert!(serde_json::to_vec(&history).unwrap().len() < 1024 * 1024);
        assert!(history.clone().with(Some("one more"), 0).is_err());
        assert!(history.clone().with(Some(&format!("{:0256}", 7)), 0).is_ok());
        assert!(History::default().with(Some(&"x".repeat(257)), 0).is_err());
    }
}
