//! Changes files and directories. What is there is replaced in one step, so that a reader, or a call that
//! is cut off, never sees half of a file.
//! Must not judge paths: they come from `access`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};

use crate::failure::{Failure, system};
use crate::paths;

fn write_new(path: &str, content: &str) -> Result<(), Failure> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(path).map_err(Failure::at("open", path))?;
    file.write_all(content.as_bytes()).map_err(Failure::on("write"))
}

/// Writes a file beside the one that is there and puts it in its place.
pub(crate) fn replace(path: &str, content: &str) -> Result<(), Failure> {
    fs::metadata(path).map_err(Failure::at("stat", path))?;
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::refused(format!("no random name for a file: {error}")))?;
    let temporary = format!("{path}.{:032x}.tmp", u128::from_be_bytes(random));
    let written = write_new(&temporary, content)
        .and_then(|()| fs::rename(&temporary, path).map_err(Failure::between("rename", &temporary, path)));
    if written.is_err() {
        // The first error is the one that counts.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Writes a whole file, new or not.
pub(crate) fn whole(path: &str, content: &str) -> Result<(), Failure> {
    match write_new(path, content) {
        Err(Failure::System { error, call: "open", .. }) if error.kind() == io::ErrorKind::AlreadyExists => {
            replace(path, content)
        }
        Err(error @ Failure::System { call: "write", .. }) => {
            // Not even half of a new file.
            let _ = fs::remove_file(path);
            Err(error)
        }
        written => written,
    }
}

/// Moves what is at `from`; never onto something.
pub(crate) fn rename(from: &str, to: &str) -> Result<(), Failure> {
    match fs::symlink_metadata(to) {
        Ok(_) => Err(Failure::refused(format!("Destination already exists: {to}"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::rename(from, to).map_err(Failure::between("rename", from, to))
        }
        Err(error) => Err(Failure::at("lstat", to)(error)),
    }
}

/// Makes a directory and those above it that are missing.
pub(crate) fn directory(path: &str) -> Result<(), Failure> {
    let mut missing = Vec::new();
    let mut at = path;
    loop {
        match fs::metadata(at) {
            Ok(found) if found.is_dir() => break,
            Ok(_) => {
                let number = if missing.is_empty() { libc::EEXIST } else { libc::ENOTDIR };
                return Err(Failure::at("mkdir", path)(system(number)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && at != "/" => {
                missing.push(at);
                at = paths::parent(at);
            }
            Err(error) => return Err(Failure::at("mkdir", path)(error)),
        }
    }
    for directory in missing.into_iter().rev() {
        match fs::create_dir(directory) {
            // Another call made it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(Failure::at("mkdir", path))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::paths::join;

    #[test]
    fn writes_replaces_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().to_str().unwrap();
        let path = join(base, "a.txt");
        whole(&path, "one").unwrap();
        whole(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        directory(&join(base, "d/e")).unwrap();
        directory(&join(base, "d/e")).unwrap();
        let onto = whole(&join(base, "d"), "x").unwrap_err().to_string();
        assert!(onto.starts_with("EISDIR: illegal operation on a directory, rename '"), "{onto}");
        let says = format!("EEXIST: file already exists, mkdir '{path}'");
        assert_eq!(directory(&path).unwrap_err().to_string(), says);
        let says = format!("Destination already exists: {path}");
        assert_eq!(rename(&join(base, "d"), &path).unwrap_err().to_string(), says);
        rename(&path, &join(base, "d/b.txt")).unwrap();
        let missing = rename(&path, &join(base, "c")).unwrap_err().to_string();
        assert_eq!(
            missing,
            format!("ENOENT: no such file or directory, rename '{path}' -> '{}'", join(base, "c"))
        );
        let mut left: Vec<_> = fs::read_dir(base).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["d"]);
    }
}
