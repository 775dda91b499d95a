//! The files below a folder, in the order of their names: without hidden ones, without what `.gitignore` leaves out, and
//! without links, which may go round in circles. Must not open what it finds.

use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use kennel_sdk::Result;

use crate::failure;

/// What the walk comes by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A file.
    File(PathBuf),
    /// Something that could not be looked at.
    Unreadable,
}

/// All files below `root`, or the one that it is. What was named is always looked at, hidden or not.
///
/// # Errors
/// When `root` itself cannot be looked at.
pub(crate) fn files(root: &str) -> Result<impl Iterator<Item = Step>> {
    std::fs::metadata(root).map_err(failure::at(root))?;
    let walk = WalkBuilder::new(Path::new(root))
        .follow_links(false)
        // What lies above the root may not be granted, and the user's own settings are not.
        .parents(false)
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .sort_by_file_name(|one, other| one.cmp(other))
        .build();
    Ok(walk.filter_map(|entry| match entry {
        Ok(entry) => {
            // The root may be a link; what is below is none.
            let is_file = if entry.depth() == 0 {
                entry.path().is_file()
            } else {
                entry.file_type().is_some_and(|kind| kind.is_file())
            };
            is_file.then(|| Step::File(entry.into_path()))
        }
        Err(_) => Some(Step::Unreadable),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn hidden_ignored_and_linked_files_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().to_str().unwrap();
        for name in [".git/config", "src/b.rs", "src/a.rs", "build/out.rs", "src/made.gen", ".hidden"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        fs::write(folder.path().join(".gitignore"), "/build\n*.gen\n").unwrap();
        symlink("..", folder.path().join("src/round")).unwrap();
        symlink("a.rs", folder.path().join("src/z.rs")).unwrap();
        let found = |root: &str| {
            let all = files(root).unwrap().map(|step| match step {
                Step::File(path) => path.strip_prefix(base).unwrap().to_str().unwrap().to_owned(),
                Step::Unreadable => panic!("unreadable"),
            });
            all.collect::<Vec<_>>()
        };
        assert_eq!(found(base), ["src/a.rs", "src/b.rs"]);
        // What is named is meant.
        assert_eq!(found(&format!("{base}/build")), ["build/out.rs"]);
        assert_eq!(found(&format!("{base}/.hidden")), [".hidden"]);
        assert_eq!(found(&format!("{base}/src/z.rs")), ["src/z.rs"]);
        assert!(files(&format!("{base}/absent")).is_err());
    }
}
