//! Expands `~` and `${VAR}` in paths and URLs of the configuration, and nothing else: no commands, no
//! defaults, no nesting.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

type Lookup = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// What the configuration may refer to: the user's home and the environment. A value, so that a test (or
/// a host that serves many) needs no process-wide state.
pub struct Surroundings {
    user_home: Option<PathBuf>,
    variable: Box<Lookup>,
}

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// The variable is not there.
    #[error("the environment variable {0} is not set; set it, or write the value")]
    Unset(String),
    /// The variable is not UTF-8.
    #[error("the environment variable {0} is not UTF-8")]
    NotText(String),
    /// A `$` that begins nothing.
    #[error("{0:?} has a \"$\" that is not \"${{NAME}}\"; write \"$$\" for a dollar")]
    Dollar(String),
    /// `~` without a home.
    #[error("\"~\" stands for your home, and this system names none; write the path")]
    NoHome,
    /// `~name`.
    #[error("{0:?}: \"~\" stands for your own home only, as in \"~/folder\"; write the path")]
    OtherHome(String),
    /// Nothing.
    #[error("empty; write a path")]
    Empty,
    /// A NUL, which no path can hold.
    #[error("{0:?} holds a NUL character, which no path can")]
    Nul(String),
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(std::env::home_dir(), |name| std::env::var_os(name))
    }

    /// Others.
    pub fn new(
        user_home: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static,
    ) -> Self {
        let user_home = user_home.filter(|home| home.is_absolute());
        Self { user_home, variable: Box::new(variable) }
    }

    /// The user's home, when the system names an absolute one.
    #[must_use]
    pub fn user_home(&self) -> Option<&Path> {
        self.user_home.as_deref()
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// Puts in the variables: `${NAME}` for a variable, `$$` for a dollar. What a variable holds is not
    /// expanded again.
    ///
    /// # Errors
    /// When a variable is not set or not text, or a `$` begins neither form.
    pub fn text(&self, text: &str) -> Result<String, ExpandError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            rest = if let Some(after) = after.strip_prefix('$') {
                out.push('$');
                after
            } else {
                let name = after.strip_prefix('{').and_then(|after| after.split_once('}'));
                let name = name.filter(|(name, _)| is_variable_name(name));
                let (name, after) = name.ok_or_else(|| ExpandError::Dollar(text.to_owned()))?;
                let value = (self.variable)(name).ok_or_else(|| ExpandError::Unset(name.to_owned()))?;
                out.push_str(value.to_str().ok_or_else(|| ExpandError::NotText(name.to_owned()))?);
                after
            };
        }
        out.push_str(rest);
        Ok(out)
    }

    /// An absolute path: `~` or `~/…` is the user's home, variables as in [`Surroundings::text`], and a
    /// relative path begins at `base`, the folder of the file it is written in.
    ///
    /// # Errors
    /// As [`Surroundings::text`]; when there is no home, or the path is empty or not one.
    pub fn path(&self, text: &str, base: &Path) -> Result<PathBuf, ExpandError> {
        let (home, rest) = match text.strip_prefix('~') {
            None => (None, text),
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                (Some(self.user_home().ok_or(ExpandError::NoHome)?), rest.trim_start_matches('/'))
            }
            Some(_) => return Err(ExpandError::OtherHome(text.to_owned())),
        };
        let expanded = self.text(rest)?;
        if expanded.contains('\0') {
            return Err(ExpandError::Nul(expanded));
        }
        match home {
            Some(home) if expanded.is_empty() => Ok(home.to_owned()),
            Some(home) => Ok(home.join(expanded.trim_start_matches('/'))),
            None if expanded.is_empty() => Err(ExpandError::Empty),
            None => Ok(base.join(expanded)),
        }
    }
}

/// POSIX: letters, digits and underscore, not beginning with a digit.
pub(super) fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("user_home", &self.user_home).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn surroundings() -> Surroundings {
        Surroundings::new(Some("/home/ada".into()), |name| match name {
            "A" => Some("va".into()),
            "DOLLAR" => Some("${A}".into()),
            "ABS" => Some("/srv".into()),
            "EMPTY" => Some("".into()),
            _ => None,
        })
    }

    #[test]
    fn paths() {
        let base = Path::new("/base");
        for (text, path) in [
            ("~", "/home/ada"),
            ("~/x", "/home/ada/x"),
            ("~//x", "/home/ada/x"),
            ("x/${A}", "/base/x/va"),
            ("${ABS}/x", "/srv/x"),
            ("~/${ABS}", "/home/ada/srv"),
            ("/a$$b", "/a$b"),
            ("/${DOLLAR}", "/${A}"),
            ("/x~", "/x~"),
        ] {
            assert_eq!(surroundings().path(text, base), Ok(PathBuf::from(path)), "{text}");
        }
    }

    #[test]
    fn refusals_say_what_to_do() {
        let base = Path::new("/base");
        let cases = ["~bob/x", "${NOPE}", "$A", "a$", "${", "${}", "${A", "${A B}", "", "${EMPTY}", "a\0b"];
        let said: Vec<_> =
            cases.iter().map(|case| surroundings().path(case, base).unwrap_err().to_string()).collect();
        insta::assert_snapshot!(said.join("\n"));
        let homeless = Surroundings::new(None, |_| None);
        assert_eq!(homeless.path("~/x", base), Err(ExpandError::NoHome));
    }

    proptest! {
        #[test]
        fn doubled_dollars_read_back(text in "[^$]*(\\$[^$]*)*") {
            prop_assert_eq!(surroundings().text(&text.replace('$', "$$")), Ok(text));
        }
    }
}
