//! Globs for names and for paths below a folder. Must not look at a disk.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use kennel_sdk::{Error, Result};

/// A glob for one name.
pub(crate) fn name(pattern: &str) -> Result<GlobMatcher> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let glob = glob
        .map_err(|error| Error::invalid(format!("the pattern {pattern:?} is no glob: {}", error.kind())))?;
    Ok(glob.compile_matcher())
}

/// Which files below a folder are meant: by their names, or by their paths when the glob has a slash in it.
#[derive(Debug)]
pub(crate) struct FilePattern {
    glob: GlobMatcher,
    by_path: bool,
}

impl FilePattern {
    /// From a glob such as `*.rs` or `src/**/*.rs`.
    pub(crate) fn new(pattern: &str) -> Result<Self> {
        // "./src" and "/src" both mean below the folder that is searched.
        let trimmed = pattern.trim_start_matches("./").trim_start_matches('/');
        Ok(Self { glob: name(trimmed)?, by_path: pattern.contains('/') })
    }

    /// Whether a file is meant.
    pub(crate) fn is_match(&self, root: &Path, file: &Path) -> bool {
        if self.by_path {
            self.glob.is_match(file.strip_prefix(root).unwrap_or(file))
        } else {
            file.file_name().is_some_and(|name| self.glob.is_match(name))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_slash_makes_it_about_paths() {
        for (pattern, file, meant) in [
            ("*.rs", "/p/src/a.rs", true),
            ("*.rs", "/p/src/a.rst", false),
            ("*.{c,h}", "/p/x.h", true),
            ("src/*.rs", "/p/src/a.rs", true),
            ("src/*.rs", "/p/src/deep/a.rs", false),
            ("/src/**/*.rs", "/p/src/deep/a.rs", true),
            ("./**/deep/*", "/p/src/deep/a.rs", true),
            ("p/*", "/p/a", false),
        ] {
            let matches = FilePattern::new(pattern).unwrap().is_match(Path::new("/p"), Path::new(file));
            assert_eq!(matches, meant, "{pattern} {file}");
        }
        let why = FilePattern::new("a[").unwrap_err().to_string();
        assert!(why.starts_with("the pattern \"a[\" is no glob") && why.lines().count() == 1, "{why}");
    }
}
