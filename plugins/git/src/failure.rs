//! Why something could not be done, in the words of the original: its own guards, GitPython's errors, and those of
//! the `git` commands that it starts.
//! Must not know any one tool.

use std::fmt;
use std::io;

use bstr::BStr;

/// A text for the model, complete as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) String);

/// What the plugin's functions return.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string())
    }

    /// A revision that names nothing (gitdb's `BadName`).
    pub(crate) fn bad_name(name: &str) -> Self {
        Self(format!("Ref '{name}' did not resolve to an object"))
    }

    /// A `git` command that ended with an error, as GitPython words it.
    pub(crate) fn command(line: &str, code: u8, stderr: &str) -> Self {
        Self(format!(
            "Cmd('git') failed due to: exit code({code})\n  cmdline: git {line}\n  stderr: '{stderr}'"
        ))
    }

    /// The same, of one that had printed something.
    pub(crate) fn command_with_output(line: &str, code: u8, stdout: &str, stderr: &str) -> Self {
        Self::command(&format!("{line}\n  stdout: '{stdout}'"), code, stderr)
    }

    /// Something of the file system.
    pub(crate) fn io(what: &str, path: impl AsRef<std::path::Path>, error: &io::Error) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "; grant the directory with mode \"read-write\" in kennel.toml if this may be changed"
            }
            _ => "",
        };
        Self(format!("cannot {what} '{}': {error}{advice}", path.as_ref().display()))
    }

    /// A file of the repository that is not what it should be.
    pub(crate) fn corrupt(what: &str, why: impl fmt::Display) -> Self {
        Self(format!("the repository is damaged: {what}: {why}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A text as Python's `repr` shows it.
pub(crate) fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() && u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// A path as git shows it in its output: quoted as in C when something in it is not plain (`core.quotePath`).
pub(crate) fn quoted(path: &BStr) -> String {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if path.iter().all(|byte| plain(*byte)) {
        return path.to_string();
    }
    let mut out = String::from("\"");
    for byte in path.iter().copied() {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            7 => out.push_str("\\a"),
            8 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            11 => out.push_str("\\v"),
            12 => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            byte if plain(byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn paths_are_quoted_as_git_does() {
        for (path, shown) in [
            ("a b", "a b"),
            ("tab\there", "\"tab\\there\""),
            ("Zürich", "\"Z\\303\\274rich\""),
            ("quo\"te", "\"quo\\\"te\""),
            ("back\\slash", "\"back\\\\slash\""),
        ] {
            assert_eq!(quoted(path.into()), shown);
        }
    }

    #[test]
    fn texts_as_python_shows_them() {
        assert_eq!(repr("a"), "'a'");
        assert_eq!(repr("it's"), "\"it's\"");
        assert_eq!(repr("'\"\n\u{1}"), "'\\'\"\\n\\x01'");
    }
}
