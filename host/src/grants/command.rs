//! Command components of a folder that a plugin may run: what a grant of them says, and which it covers. Touches no file.

use std::fmt;
use std::path::PathBuf;

/// Longest name of a command, in bytes.
pub const MAX_COMMAND_NAME: usize = 64;

/// A folder of command components (`NAME.wasm`), each of which the plugin may run: in a sandbox of its own, with nothing but
/// what the plugin passes on of the directories it holds itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandGrant {
    /// Absolute, exists, and holds none of Kennel's own files (checked as a granted directory is).
    pub folder: PathBuf,
    /// Only these; all of the folder when there are none.
    pub only: Vec<String>,
}

/// Whether a command may have this name: 1 to 64 letters, digits, `-`, `_` and `.`, the first of them no `.`. It leads to
/// no other folder than the one that was granted.
#[must_use]
pub fn is_command_name(name: &str) -> bool {
    (1..=MAX_COMMAND_NAME).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

impl CommandGrant {
    /// Whether a command of this name is granted, if there is one.
    #[must_use]
    pub fn shows(&self, name: &str) -> bool {
        is_command_name(name) && (self.only.is_empty() || self.only.iter().any(|only| only == name))
    }

    /// Whether all that `other` grants is granted by this one too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let names = self.only.is_empty()
            || (!other.only.is_empty() && other.only.iter().all(|name| self.only.contains(name)));
        self.folder == other.folder && names
    }

    /// The names that are granted, in words that tell no path of the machine.
    #[must_use]
    pub fn names(&self) -> String {
        match self.only.as_slice() {
            [] => "all commands of a folder".to_owned(),
            some => format!("the commands {}", some.join(", ")),
        }
    }
}

impl fmt::Display for CommandGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to run commands of {}", self.folder.display())?;
        match self.only.as_slice() {
            [] => Ok(()),
            some => write!(f, ", only {}", some.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        for good in ["wc", "a", "count-words_2", "x.y", &"a".repeat(64)] {
            assert!(is_command_name(good), "{good}");
        }
        for bad in ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a\0", "a b", "ä", &"a".repeat(65)] {
            assert!(!is_command_name(bad), "{bad}");
        }
    }

    #[test]
    fn only_what_is_named_is_granted() {
        let grant = |only: &[&str]| CommandGrant {
            folder: "/srv/commands".into(),
            only: only.iter().map(ToString::to_string).collect(),
        };
        let (all, two, one) = (grant(&[]), grant(&["wc", "cut"]), grant(&["wc"]));
        assert!(all.shows("sort") && two.shows("cut") && !two.shows("sort") && !all.shows("../sort"));
        assert!(all.covers(&two) && two.covers(&one) && !one.covers(&two) && !two.covers(&all));
        let elsewhere = CommandGrant { folder: "/srv".into(), ..all.clone() };
        assert!(!all.covers(&elsewhere));
        assert_eq!(two.to_string(), "to run commands of /srv/commands, only wc, cut");
    }
}
