//! The name of a plugin in `kennel.toml`, `kennel.lock` and tool names. Checks only; where the name
//! comes from and whether such a plugin exists is not known here.

use std::fmt;
use std::str::FromStr;

/// Longest plugin name, in characters.
pub const MAX_NAME: usize = 32;

/// A plugin's name: `^[a-z0-9][a-z0-9_-]{0,31}$`.
///
/// It becomes a part of tool names (at most 64 of `[a-zA-Z0-9_-]`, what the strictest model accepts)
/// and of file names, so it holds no dot, no slash, and no upper case that some file systems fold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginName(String);

/// Why a text is no plugin name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a plugin name; use 1 to {MAX_NAME} of a-z, 0-9, \"_\" and \"-\", beginning with a letter or digit"
)]
pub struct NameError(pub String);

impl PluginName {
    /// Checks the text.
    ///
    /// # Errors
    /// When the text is not of the form above.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let bytes = text.as_bytes();
        let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let good = bytes.len() <= MAX_NAME
            && bytes.first().is_some_and(plain)
            && bytes.iter().all(|b| plain(b) || matches!(b, b'_' | b'-'));
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError(text.chars().take(2 * MAX_NAME).collect()))
        }
    }

    /// The name that a file nobody configured gets: the file's name without `.wasm`.
    ///
    /// # Errors
    /// When that is not a plugin name.
    pub fn from_file_name(file: &str) -> Result<Self, NameError> {
        Self::new(file.strip_suffix(".wasm").unwrap_or(file))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for PluginName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl AsRef<str> for PluginName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for PluginName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_and_refuses_the_rest() {
        for good in ["a", "fs", "weather-us", "0day", "a_b", &"x".repeat(32)] {
            assert!(PluginName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "A", "a.b", "a/b", "é", "a b", "..", &"x".repeat(33)] {
            assert!(PluginName::new(bad).is_err(), "{bad}");
        }
        assert_eq!(PluginName::from_file_name("fetch.wasm").map(|n| n.to_string()), Ok("fetch".into()));
        assert!(PluginName::from_file_name(".wasm").is_err());
    }
}
