//! Line ends: what git changes between a file and its object because of `core.autocrlf` and `.gitattributes`.
//! Filters that are programs are not run. Must not read files other than `.gitattributes`.

use std::path::Path;

use bstr::{BStr, ByteSlice as _};
use gix_glob::pattern::Case;
use gix_glob::wildmatch::Mode;

use crate::repo::Repo;

/// How many bytes are looked at to tell text from other files, as in git.
const LOOKED_AT: usize = 8000;

/// What a repository says about line ends.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// `core.autocrlf`: text gets `\n` in objects (`input`), and `\r\n` in files too (`true`).
    auto: Option<bool>,
    /// `core.eol = crlf`.
    crlf: bool,
    /// Patterns in the order read, the last that matches decides.
    attributes: Vec<(gix_glob::Pattern, Vec<Attribute>)>,
}

/// An attribute that has to do with line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Text(Text),
    Crlf(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Yes,
    No,
    Auto,
    Unsaid,
}

impl Rules {
    /// Those of a repository whose files are in `root`. Only the top `.gitattributes` and `info/attributes` count.
    pub(crate) fn of(repo: &Repo, root: &Path) -> Self {
        let auto = repo.setting("core.autocrlf");
        let mut rules = Self {
            auto: match auto.as_deref() {
                Some("input") => Some(false),
                Some(_) if repo.flag("core.autocrlf", false) => Some(true),
                _ => None,
            },
            crlf: repo.setting("core.eol").is_some_and(|eol| eol == "crlf"),
            attributes: Vec::new(),
        };
        for file in [root.join(".gitattributes"), repo.common.join("info/attributes")] {
            rules.add(&std::fs::read(file).unwrap_or_default());
        }
        rules
    }

    fn add(&mut self, file: &[u8]) {
        for line in file.lines() {
            let mut words = line.fields_with(|c| c == ' ' || c == '\t');
            let Some(pattern) =
                words.next().filter(|word| !word.starts_with(b"#") && !word.starts_with(b"["))
            else {
                continue;
            };
            let attributes: Vec<Attribute> = words.filter_map(attribute).flatten().collect();
            if let Some(pattern) = gix_glob::Pattern::from_bytes_without_negation(pattern)
                && !attributes.is_empty()
            {
                self.attributes.push((pattern, attributes));
            }
        }
    }

    /// Whether a file is text, and whether its lines end in `\r\n` on disk.
    fn for_path(&self, path: &BStr) -> (Text, bool) {
        let (mut text, mut crlf) = (Text::Unsaid, None);
        let name = path.rfind("/").map(|slash| slash + 1);
        for (pattern, attributes) in &self.attributes {
            let mode = Mode::NO_MATCH_SLASH_LITERAL;
            if pattern.matches_repo_relative_path(path, name, Some(false), Case::Sensitive, mode) {
                for attribute in attributes {
                    match attribute {
                        Attribute::Text(said) => text = *said,
                        Attribute::Crlf(said) => crlf = Some(*said),
                    }
                }
            }
        }
        if text == Text::Unsaid {
            text = match (crlf, self.auto) {
                (Some(_), _) => Text::Yes,
                (None, Some(_)) => Text::Auto,
                (None, None) => Text::No,
            };
        }
        (text, crlf.unwrap_or(self.auto == Some(true) || (self.auto.is_none() && self.crlf)))
    }

    /// What a file's bytes are in its object.
    pub(crate) fn to_object(&self, path: &BStr, bytes: Vec<u8>) -> Vec<u8> {
        let (text, _) = self.for_path(path);
        let converts = match text {
            Text::Yes => true,
            Text::Auto => !is_binary(&bytes) && !has_lone_cr(&bytes),
            Text::No | Text::Unsaid => false,
        };
        if converts && bytes.contains_str("\r\n") { bytes.replace("\r\n", "\n") } else { bytes }
    }

    /// What an object's bytes are in its file.
    pub(crate) fn to_file(&self, path: &BStr, bytes: Vec<u8>) -> Vec<u8> {
        let (text, crlf) = self.for_path(path);
        let converts = match text {
            Text::Yes => true,
            Text::Auto => !is_binary(&bytes) && !bytes.contains(&b'\r'),
            Text::No | Text::Unsaid => false,
        };
        if !converts || !crlf {
            return bytes;
        }
        bytes.replace("\r\n", "\n").replace("\n", "\r\n")
    }
}

fn attribute(word: &[u8]) -> Option<Vec<Attribute>> {
    Some(match word {
        b"text" => vec![Attribute::Text(Text::Yes)],
        b"-text" | b"binary" => vec![Attribute::Text(Text::No)],
        b"text=auto" => vec![Attribute::Text(Text::Auto)],
        b"!text" => vec![Attribute::Text(Text::Unsaid)],
        b"eol=crlf" => vec![Attribute::Crlf(true)],
        b"eol=lf" => vec![Attribute::Crlf(false)],
        _ => return None,
    })
}

/// Whether git takes a file for something else than text.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    bytes.get(..LOOKED_AT).unwrap_or(bytes).contains(&0)
}

fn has_lone_cr(bytes: &[u8]) -> bool {
    bytes.find_iter("\r").any(|at| bytes.get(at + 1) != Some(&b'\n'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn rules(attributes: &str, auto: Option<bool>) -> Rules {
        let mut rules = Rules { auto, ..Rules::default() };
        rules.add(attributes.as_bytes());
        rules
    }

    fn both(rules: &Rules, path: &str, file: &str) -> (String, String) {
        let object = rules.to_object(path.into(), file.as_bytes().to_vec());
        let back = rules.to_file(path.into(), object.clone());
        (String::from_utf8(object).unwrap(), String::from_utf8(back).unwrap())
    }

    #[test]
    fn line_ends() {
        let same = |text: &str| (text.to_owned(), text.to_owned());
        assert_eq!(both(&rules("", None), "a", "x\r\n"), same("x\r\n"));
        assert_eq!(both(&rules("* text=auto\n", None), "a", "x\r\n"), same("x\n"));
        assert_eq!(both(&rules("* text=auto\n", None), "a", "x\0\r\n"), same("x\0\r\n"));
        assert_eq!(both(&rules("*.bat eol=crlf\n", None), "b/a.bat", "x\n"), ("x\n".into(), "x\r\n".into()));
        assert_eq!(both(&rules("# * text\n*.txt -text\n", Some(true)), "a.txt", "x\r\n"), same("x\r\n"));
        assert_eq!(both(&rules("", Some(true)), "a", "x\r\n"), ("x\n".into(), "x\r\n".into()));
        assert_eq!(both(&rules("", Some(false)), "a", "x\r\n"), same("x\n"));
    }
}
