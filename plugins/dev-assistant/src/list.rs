//! Lists what is in one directory. Must not read contents, nor go into what it lists.

use std::fs;

use globset::GlobMatcher;
use kennel_sdk::Result;
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure;

/// The most entries that are told of one directory.
const MOST: usize = 1000;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    File,
    Directory,
    Link,
    Other,
}

/// An entry of a directory.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Entry {
    name: String,
    kind: Kind,
    /// The bytes of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

/// What is in a directory.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Listing {
    /// The directory.
    path: String,
    /// Sorted by name.
    entries: Vec<Entry>,
    /// How many more there are than are told.
    omitted: usize,
}

/// What is in a directory, as far as the names match. A name that is not UTF-8 cannot be asked for and is left out.
pub(crate) fn list(path: &str, names: Option<&GlobMatcher>) -> Result<Listing> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path).map_err(failure::at(path))? {
        // One entry that cannot be told hides no others.
        let Ok(entry) = entry else { continue };
        let Ok(name) = entry.file_name().into_string() else { continue };
        if names.is_none_or(|names| names.is_match(&name)) {
            all.push((name, entry));
        }
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    let omitted = all.len().saturating_sub(MOST);
    let entries = all.into_iter().take(MOST).map(|(name, entry)| {
        let kind = entry.file_type().map_or(Kind::Other, |kind| match () {
            () if kind.is_file() => Kind::File,
            () if kind.is_dir() => Kind::Directory,
            () if kind.is_symlink() => Kind::Link,
            () => Kind::Other,
        });
        let metadata = (kind == Kind::File).then(|| entry.metadata().ok()).flatten();
        Entry { name, kind, size: metadata.map(|metadata| metadata.len()) }
    });
    Ok(Listing { path: path.to_owned(), entries: entries.collect(), omitted })
}

impl Listing {
    /// One entry a line.
    pub(crate) fn text(&self) -> String {
        let mut lines: Vec<_> = self
            .entries
            .iter()
            .map(|Entry { name, kind, size }| match (kind, size) {
                (Kind::Directory, _) => format!("{name}/"),
                (Kind::File, Some(size)) => format!("{name} ({size} bytes)"),
                (Kind::Link, _) => format!("{name} (link)"),
                (Kind::File | Kind::Other, _) => name.clone(),
            })
            .collect();
        if lines.is_empty() {
            lines.push(format!("nothing to list in {}", self.path));
        }
        if self.omitted > 0 {
            lines.push(format!("({} more are not listed; narrow the pattern)", self.omitted));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::patterns;

    #[test]
    fn entries_are_sorted_matched_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("b.rs"), "12345").unwrap();
        fs::write(folder.path().join("A.md"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("gone")).unwrap();
        assert_eq!(list(path, None).unwrap().text(), "A.md (0 bytes)\nb.rs (5 bytes)\ngone (link)\nsrc/");
        let rust = patterns::name("*.{rs,toml}").unwrap();
        assert_eq!(list(path, Some(&rust)).unwrap().text(), "b.rs (5 bytes)");
        let none = patterns::name("*.py").unwrap();
        assert_eq!(list(path, Some(&none)).unwrap().text(), format!("nothing to list in {path}"));
        for n in 0..MOST {
            fs::write(folder.path().join(format!("many-{n:04}")), "").unwrap();
        }
        let listing = list(path, None).unwrap();
        assert_eq!((listing.entries.len(), listing.omitted), (MOST, 4));
        assert!(listing.text().ends_with("(4 more are not listed; narrow the pattern)"));
        assert!(list(&format!("{path}/b.rs"), None).unwrap_err().to_string().contains("is a file"));
    }
}
