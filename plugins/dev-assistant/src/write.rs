//! Writes one file. What is there is replaced in one step, so that a reader, or a call that is cut off, never sees half
//! of a file. Must not judge paths: they come from `access`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use kennel_sdk::{Error, Result, bail};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure;

/// Links followed to the file that is meant, as Linux does.
const MOST_LINKS: usize = 40;

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Written {
    /// The file.
    path: String,
    /// How many bytes it has now.
    bytes: usize,
    /// Whether it was not there before.
    created: bool,
}

impl Written {
    /// In one line.
    pub(crate) fn text(&self) -> String {
        let done = if self.created { "created" } else { "replaced" };
        format!("{done} {} ({} bytes)", self.path, self.bytes)
    }
}

/// Writes a whole file, new or not, and the folders above it that are missing.
pub(crate) fn whole(path: &str, content: &str) -> Result<Written> {
    let target = behind_links(path)?;
    let at = |error| failure::at(path)(error);
    let created = match fs::metadata(&target) {
        Ok(found) if found.is_dir() => return Err(failure::is_directory(path)),
        Ok(_) => false,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(at(error)),
    };
    let (Some(folder), Some(name)) = (target.parent(), target.file_name().and_then(|name| name.to_str()))
    else {
        bail!("{path} names no file");
    };
    if created {
        make(folder, path)?;
    }
    // The name ends as the file's, because a grant may be for some extensions only.
    let temporary = folder.join(format!(".{}-{name}", random_name()?));
    let written = fill(&temporary, content).and_then(|()| fs::rename(&temporary, &target));
    if let Err(error) = written {
        // The first error is the one that counts.
        let _ = fs::remove_file(&temporary);
        return Err(at(error));
    }
    Ok(Written { path: path.to_owned(), bytes: content.len(), created })
}

/// The file that is written for a path: a link stays a link. It is joined and not normalized, because `..` behind a link
/// is for the system to understand.
fn behind_links(path: &str) -> Result<PathBuf> {
    let mut target = PathBuf::from(path);
    for _ in 0..MOST_LINKS {
        if !fs::symlink_metadata(&target).is_ok_and(|found| found.is_symlink()) {
            return Ok(target);
        }
        // The sandbox does not tell targets that are absolute.
        let next = fs::read_link(&target).map_err(failure::at(path))?;
        target = target.parent().unwrap_or_else(|| Path::new("/")).join(next);
    }
    Err(Error::failed(format!("{path} leads through too many links")))
}

/// Makes a folder and those above it that are missing. (`create_dir_all` begins at the root, which is not granted.)
fn make(folder: &Path, path: &str) -> Result<()> {
    let is_missing = |folder: &&Path| !fs::metadata(folder).is_ok_and(|found| found.is_dir());
    let missing: Vec<_> = folder.ancestors().take_while(is_missing).collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            // Another call made it meanwhile, or it is a file: then writing fails and says so.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(failure::at(path))?,
        }
    }
    Ok(())
}

fn fill(path: &Path, content: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(content.as_bytes())
}

fn random_name() -> Result<String> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random)
        .map_err(|error| Error::failed(format!("no random name for a file: {error}")))?;
    Ok(format!("{:016x}", u64::from_be_bytes(random)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn creates_replaces_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        assert_eq!(
            whole(&path("a/b/c.txt"), "one").unwrap().text(),
            format!("created {} (3 bytes)", path("a/b/c.txt"))
        );
        assert_eq!(
            whole(&path("a/b/c.txt"), "").unwrap().text(),
            format!("replaced {} (0 bytes)", path("a/b/c.txt"))
        );
        assert_eq!(fs::read_to_string(path("a/b/c.txt")).unwrap(), "");
        let names = |folder: &str| {
            let all =
                fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            all.collect::<Vec<_>>()
        };
        assert_eq!(names(&path("a/b")), ["c.txt"]);
        assert!(whole(&path("a/b"), "x").unwrap_err().to_string().contains("is a directory"));
        assert!(
            whole(&path("a/b/c.txt/d"), "x").unwrap_err().to_string().contains("part of the path is a file")
        );
        assert_eq!(names(folder.path().to_str().unwrap()), ["a"]);
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::create_dir(path("d")).unwrap();
        std::os::unix::fs::symlink("../real", path("d/link")).unwrap();
        std::os::unix::fs::symlink("loop", path("loop")).unwrap();
        assert!(whole(&path("d/link"), "1").unwrap().created);
        assert!(!whole(&path("d/link"), "22").unwrap().created);
        assert_eq!(fs::read_to_string(path("real")).unwrap(), "22");
        assert!(fs::symlink_metadata(path("d/link")).unwrap().is_symlink());
        assert!(whole(&path("loop"), "x").unwrap_err().to_string().contains("too many links"));
    }
}
