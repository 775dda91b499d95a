//! Searches files for lines that match a regular expression. Files are gone through piece by piece and may be larger than
//! the memory. Must not judge paths: they come from `access`.

use std::fs::File;
use std::io;
use std::path::Path;

use grep_matcher::{LineTerminator, Matcher as _};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkFinish, SinkMatch};
use kennel_sdk::{Error, Result};
use schemars::JsonSchema;
use serde::Serialize;

use crate::budget::Budget;
use crate::excerpt::excerpt;
use crate::patterns::FilePattern;
use crate::walk::{self, Step};

/// The most lines that are told.
const MOST_LINES: usize = 500;

/// The most bytes of lines, with their paths, that are told.
const MOST_BYTES: usize = 256 << 10;

/// The longest line that is searched; a file with a longer one is not.
const LONGEST_LINE: usize = 4 << 20;

/// The largest automaton that a pattern may become, and the largest cache for running it.
const AUTOMATON: usize = 4 << 20;

/// A line that matches.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Hit {
    /// The file.
    path: String,
    /// From 1.
    line: u64,
    /// The line; a long one is cut around the first match.
    text: String,
}

/// What was found.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Found {
    /// Sorted by file, then by line.
    matches: Vec<Hit>,
    /// How many files were searched.
    searched: usize,
    /// How many files were skipped, being binary.
    binary: usize,
    /// How many files and folders were skipped because they could not be read, or have lines of more than 4 MiB.
    unreadable: usize,
    /// How many files were not searched because one call does not search so much.
    beyond: usize,
    /// Whether there are more matches than are told.
    truncated: bool,
}

/// The lines that match in the file or below the folder `root`.
pub(crate) fn search(
    pattern: &str,
    root: &str,
    files: Option<&FilePattern>,
    budget: &mut Budget,
) -> Result<Found> {
    let matcher = RegexMatcherBuilder::new()
        .multi_line(true)
        .crlf(true)
        .size_limit(AUTOMATON)
        .dfa_size_limit(AUTOMATON)
        .build(pattern)
        .map_err(|error| {
            Error::invalid(format!("the pattern is no regular expression: {}", reason(&error)))
        })?;
    let mut searcher = SearcherBuilder::new()
        .line_terminator(LineTerminator::crlf())
        .binary_detection(BinaryDetection::quit(0))
        .heap_limit(Some(LONGEST_LINE))
        .build();
    let mut found = Found::default();
    let mut bytes = 0;
    for step in walk::files(root)? {
        let Step::File(path) = step else {
            found.unreadable += 1;
            continue;
        };
        let Some(name) = path.to_str() else { continue };
        if name != root && files.is_some_and(|files| !files.is_match(Path::new(root), &path)) {
            continue;
        }
        let Ok((open, size)) =
            File::open(&path).and_then(|file| file.metadata().map(|found| (file, found.len())))
        else {
            found.unreadable += 1;
            continue;
        };
        if !budget.take(size) {
            found.beyond += 1;
            continue;
        }
        let mut file = InFile::new(&matcher, name, MOST_LINES - found.matches.len(), MOST_BYTES - bytes);
        match searcher.search_file(&matcher, &open, &mut file) {
            Ok(()) if file.binary => found.binary += 1,
            Ok(()) => {
                found.searched += 1;
                bytes += file.bytes;
                found.matches.append(&mut file.hits);
            }
            Err(_) => found.unreadable += 1,
        }
        if file.truncated {
            found.truncated = true;
            break;
        }
    }
    Ok(found)
}

/// The last line of what the parser says, which is the one that says why.
fn reason(error: &grep_regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}

/// What is found in one file, until its end shows that it is text.
struct InFile<'a> {
    matcher: &'a RegexMatcher,
    path: &'a str,
    most_lines: usize,
    most_bytes: usize,
    hits: Vec<Hit>,
    bytes: usize,
    binary: bool,
    truncated: bool,
}

impl<'a> InFile<'a> {
    fn new(matcher: &'a RegexMatcher, path: &'a str, most_lines: usize, most_bytes: usize) -> Self {
        Self {
            matcher,
            path,
            most_lines,
            most_bytes,
            hits: Vec::new(),
            bytes: 0,
            binary: false,
            truncated: false,
        }
    }
}

impl Sink for InFile<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, line: &SinkMatch<'_>) -> io::Result<bool> {
        let place =
            self.matcher.find(line.bytes()).ok().flatten().unwrap_or_else(|| grep_matcher::Match::zero(0));
        let text = excerpt(line.bytes(), place.start()..place.end());
        let bytes = self.bytes + text.len() + self.path.len();
        // Only a match too many shows that there are more.
        if self.hits.len() == self.most_lines || bytes > self.most_bytes {
            self.truncated = true;
            return Ok(false);
        }
        self.bytes = bytes;
        self.hits.push(Hit {
            path: self.path.to_owned(),
            line: line.line_number().unwrap_or_default(),
            text,
        });
        Ok(true)
    }

    fn finish(&mut self, _: &Searcher, end: &SinkFinish) -> io::Result<()> {
        self.binary = end.binary_byte_offset().is_some();
        Ok(())
    }
}

impl Found {
    /// One match a line, and what there is to say of the search.
    pub(crate) fn text(&self, budget: &Budget) -> String {
        let mut lines: Vec<_> =
            self.matches.iter().map(|Hit { path, line, text }| format!("{path}:{line}: {text}")).collect();
        if lines.is_empty() {
            lines.push(format!("no match in {} files", self.searched));
        }
        if self.truncated {
            lines.push(format!(
                "(cut after {} matches, there are more; narrow pattern, path or file_pattern)",
                self.matches.len()
            ));
        }
        if self.beyond > 0 {
            lines.push(format!(
                "({} files not searched: a call searches {}; narrow path or file_pattern)",
                self.beyond,
                budget.most()
            ));
        }
        let skipped = [(self.binary, "binary"), (self.unreadable, "unreadable")];
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

    fn found(pattern: &str, root: &str, files: Option<&FilePattern>) -> Found {
        search(pattern, root, files, &mut Budget::new(u64::MAX)).unwrap()
    }

    fn told(pattern: &str, root: &str, files: Option<&FilePattern>) -> String {
        found(pattern, root, files).text(&Budget::new(0))
    }

    fn project() -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().to_str().unwrap().to_owned();
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/a.rs"), "fn one() {}\r\nfn two() {}\n").unwrap();
        fs::write(folder.path().join("notes.md"), "one two\n").unwrap();
        fs::write(folder.path().join("data.bin"), b"one\0one\n").unwrap();
        (folder, base)
    }

    #[test]
    fn lines_are_found_by_file_and_line() {
        let (_folder, base) = project();
        let all = found("one", &base, None);
        let expected =
            format!("{base}/notes.md:1: one two\n{base}/src/a.rs:1: fn one() {{}}\n(1 skipped: binary)");
        assert_eq!(all.text(&Budget::new(0)), expected);
        assert_eq!((all.searched, all.binary, all.truncated), (2, 1, false));
        let rust = FilePattern::new("*.rs").unwrap();
        assert_eq!(told("^fn t.*\\}$", &base, Some(&rust)), format!("{base}/src/a.rs:2: fn two() {{}}"));
        // The end of a line is no space that could be part of a match.
        assert_eq!(told("\\}\\s+fn", &base, Some(&rust)), "no match in 1 files");
        // A file that is named is searched whatever it is called.
        let notes = format!("{base}/notes.md");
        assert_eq!(found("(?i)TWO", &notes, Some(&rust)).matches.len(), 1);
    }

    #[test]
    fn what_is_told_is_bounded() {
        let (folder, base) = project();
        fs::write(folder.path().join("many"), "hit\n".repeat(MOST_LINES)).unwrap();
        assert!(!found("hit", &base, None).truncated);
        fs::write(folder.path().join("more"), "hit\n").unwrap();
        let cut = found("hit", &base, None);
        assert!(cut.truncated && cut.matches.len() == MOST_LINES);
        assert!(
            cut.text(&Budget::new(0)).contains("(cut after 500 matches, there are more"),
            "{}",
            cut.text(&Budget::new(0))
        );
        // So are its bytes, however long the paths are.
        let deep = folder.path().join("d".repeat(200)).join("e".repeat(200)).join("f".repeat(200));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("x"), format!("{}\n", "hit ".repeat(1000)).repeat(MOST_LINES)).unwrap();
        let cut = found("hit", deep.to_str().unwrap(), None);
        assert!(cut.truncated && cut.text(&Budget::new(0)).len() < MOST_BYTES + MOST_LINES * 32);
        assert!(cut.matches.iter().all(|hit| hit.text.len() <= crate::excerpt::MOST + 6));
    }

    #[test]
    fn files_larger_than_the_memory_are_searched_and_endless_lines_are_not() {
        let (folder, base) = project();
        let mut large = "filling\n".repeat(2 << 20);
        large.push_str("needle\n");
        fs::write(folder.path().join("large"), large).unwrap();
        fs::write(folder.path().join("endless"), "x".repeat(LONGEST_LINE + 1)).unwrap();
        let large = found("needle", &base, None);
        assert_eq!(
            large.text(&Budget::new(0)),
            format!("{base}/large:2097153: needle\n(1 skipped: binary)\n(1 skipped: unreadable)")
        );
    }

    #[test]
    fn a_pattern_that_is_none_is_told_in_one_line() {
        for (pattern, says) in
            [("a(b", "unclosed group"), ("a{9999}{9999}", "exceeds"), ("\\n", "not allowed")]
        {
            let why = search(pattern, "/", None, &mut Budget::new(0)).unwrap_err().to_string();
            assert!(why.contains(says) && why.lines().count() == 1, "{pattern}: {why}");
        }
    }

    #[test]
    fn a_call_searches_so_much_and_says_what_is_left() {
        let (_folder, base) = project();
        let mut budget = Budget::new(10 << 10);
        fs::write(format!("{base}/long.md"), "one ".repeat(10 << 10)).unwrap();
        let told = search("one", &base, None, &mut budget).unwrap().text(&budget);
        assert!(told.contains("notes.md:1:") && told.contains("a.rs:1:"), "{told}");
        assert!(told.contains("(1 files not searched: a call searches 10 KiB; narrow path"), "{told}");
    }
}
