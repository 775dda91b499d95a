//! Finds where a name is defined, in all source files below a folder. Must not judge paths: they come from `access`.

mod language;
mod parse;
mod rules;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use kennel_sdk::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::excerpt::excerpt;
use crate::read;
use crate::walk::{self, Step};
use parse::{Definition, Reader};

/// The most definitions that are told.
const MOST: usize = 200;

/// What is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Functions, methods, macros.
    Function,
    /// Classes, structs, enums, interfaces, traits and other types.
    Class,
    /// Variables, constants, fields; no parameters.
    Variable,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Function, Self::Class, Self::Variable];

    /// As clients and rules write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Class => "class",
            Self::Variable => "variable",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A place where the name is defined.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Symbol {
    file: String,
    /// From 1.
    line: usize,
    /// From 1, in characters.
    column: usize,
    kind: Kind,
    language: &'static str,
    /// The line; a long one is cut around the name.
    text: String,
}

/// What was found.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Found {
    /// Sorted by file, then by place.
    symbols: Vec<Symbol>,
    /// How many source files were looked into.
    searched: usize,
    /// How many source files were skipped, having more than 1 MB.
    large: usize,
    /// How many files and folders could not be read.
    unreadable: usize,
    /// How many files were not parsed because one call does not parse so much.
    beyond: usize,
    /// Whether there are more than are told.
    truncated: bool,
}

/// The definitions of `name` in the files that `roots` are or hold. `watch` is told of each file.
pub(crate) fn find(
    name: &str,
    kind: Option<Kind>,
    roots: &[String],
    budget: &mut Budget,
    mut watch: impl FnMut(usize),
) -> Result<Found> {
    let mut found = Found::default();
    let mut readers: [Option<Reader>; language::ALL.len()] = std::array::from_fn(|_| None);
    for root in roots {
        for step in walk::files(root)? {
            let Step::File(path) = step else {
                found.unreadable += 1;
                continue;
            };
            let Some((spoken, file)) = language::of(&path).zip(path.to_str()) else { continue };
            let source = match source(&path) {
                Ok(Some(source)) => source,
                Ok(None) => {
                    found.large += 1;
                    continue;
                }
                Err(_) => {
                    found.unreadable += 1;
                    continue;
                }
            };
            found.searched += 1;
            watch(found.searched);
            let (Some(language), Some(reader)) = (language::ALL.get(spoken), readers.get_mut(spoken)) else {
                continue;
            };
            let reader = match reader {
                Some(reader) => reader,
                none => none.insert(Reader::new(language)?),
            };
            let starts = reader.candidates(&source, name);
            if starts.is_empty() {
                continue;
            }
            if !budget.take(source.len() as u64) {
                found.beyond += 1;
                continue;
            }
            for definition in reader.definitions(&source, &starts, name.len()) {
                if kind.is_some_and(|kind| kind != definition.kind) {
                    continue;
                }
                if found.symbols.len() == MOST {
                    found.truncated = true;
                    return Ok(found);
                }
                found.symbols.push(symbol(file, language.name, &source, definition));
            }
        }
    }
    Ok(found)
}

/// A file's bytes; none when there are too many to parse.
fn source(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(read::MOST + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= read::MOST).then_some(bytes))
}

fn symbol(file: &str, language: &'static str, source: &[u8], found: Definition) -> Symbol {
    let (before, after) = source.split_at(found.place.start.min(source.len()));
    let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    let end = memchr::memchr(b'\n', after).map_or(source.len(), |end| before.len() + end);
    let line = source.get(start..end).unwrap_or_default();
    let indent = before.get(start..).unwrap_or_default();
    Symbol {
        file: file.to_owned(),
        line: found.row + 1,
        column: String::from_utf8_lossy(indent).chars().count() + 1,
        kind: found.kind,
        language,
        text: excerpt(line, found.place.start - start..found.place.end - start),
    }
}

impl Found {
    /// One definition a line, and what there is to say of the search.
    pub(crate) fn text(&self, name: &str, budget: &Budget) -> String {
        let mut lines: Vec<_> = self
            .symbols
            .iter()
            .map(|Symbol { file, line, column, kind, language, text }| {
                format!("{file}:{line}:{column}: {language} {}: {}", kind.name(), text.trim())
            })
            .collect();
        if lines.is_empty() {
            lines.push(format!(
                "no definition of {name} in {} source files ({})",
                self.searched,
                language::ALL.iter().map(|language| language.name).collect::<Vec<_>>().join(", ")
            ));
        }
        if self.truncated {
            lines.push(format!("(cut after {MOST} definitions, there are more; narrow kind or path)"));
        }
        if self.beyond > 0 {
            lines.push(format!(
                "({} files with this name were not looked into: a call parses {}; narrow path)",
                self.beyond,
                budget.most()
            ));
        }
        let skipped = [(self.large, "more than 1 MB"), (self.unreadable, "unreadable")];
        for (count, why) in skipped.into_iter().filter(|(count, _)| *count > 0) {
            lines.push(format!("({count} skipped: {why})"));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::fs;

    fn endless() -> Budget {
        Budget::new(u64::MAX)
    }

    #[test]
    fn definitions_are_found_in_all_files_and_languages() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().to_str().unwrap().to_owned();
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("a.py"), "x = 1\n\tclass Dog:\r\n    pass\n").unwrap();
        fs::write(folder.path().join("src/b.rs"), "/* ä */ struct Dog;\nfn dog() { Dog; }\n").unwrap();
        fs::write(folder.path().join("src/c.txt"), "struct Dog;").unwrap();
        fs::write(folder.path().join("src/d.rs"), vec![b' '; (1 << 20) + 1]).unwrap();
        let mut watched = 0;
        let roots = [base.clone()];
        let found = find("Dog", None, &roots, &mut endless(), |files| watched = files).unwrap();
        assert_eq!(
            found.text("Dog", &endless()),
            format!(
                "{base}/a.py:2:8: python class: class Dog:\n{base}/src/b.rs:1:16: rust class: /* ä */ struct Dog;\n\
                 (1 skipped: more than 1 MB)"
            )
        );
        assert_eq!(watched, 2);
        let none = find("Dog", Some(Kind::Function), &roots, &mut endless(), |_| ())
            .unwrap()
            .text("Dog", &endless());
        assert!(none.starts_with("no definition of Dog in 2 source files (c, go, java, "), "{none}");
        let file = [format!("{base}/src/b.rs")];
        assert_eq!(
            find("dog", Some(Kind::Function), &file, &mut endless(), |_| ()).unwrap().symbols.len(),
            1
        );
        let mut budget = Budget::new(1 << 10);
        fs::write(folder.path().join("long.rs"), format!("struct Dog;{}", "//".repeat(1 << 10))).unwrap();
        let told = find("Dog", None, &roots, &mut budget, |_| ()).unwrap().text("Dog", &budget);
        assert!(told.contains("(1 files with this name were not looked into: a call parses 1 KiB"), "{told}");
        assert!(told.contains("b.rs:1:16"), "{told}");
        fs::write(folder.path().join("src/e.rs"), "const DOG: u8 = 1;\n".repeat(MOST + 1)).unwrap();
        let cut = find("DOG", None, &roots, &mut endless(), |_| ()).unwrap();
        assert!(
            cut.truncated
                && cut.symbols.len() == MOST
                && cut.text("DOG", &endless()).contains("(cut after 200 definitions")
        );
    }
}
