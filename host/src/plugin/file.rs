//! Finds component files and reads them whole, once: what was hashed is what is compiled, whatever
//! happens to the file meanwhile.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::grants::Digest;

/// Largest component read, in bytes. A Python interpreter in a component has 18 MB.
pub const MAX_COMPONENT: u64 = 64 << 20;

/// A component's bytes and their hash.
#[derive(Clone)]
pub struct PluginFile {
    /// Where it was found.
    pub path: PathBuf,
    /// Of the bytes.
    pub digest: Digest,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system says no.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Over [`MAX_COMPONENT`].
    #[error("it is larger than {} MiB, which no component needs to be", MAX_COMPONENT >> 20)]
    TooLarge,
    /// A folder, a pipe, a device.
    #[error("it is not a regular file")]
    NotAFile,
}

impl PluginFile {
    /// Reads a file, at most [`MAX_COMPONENT`] bytes of it, without ever blocking on a pipe.
    ///
    /// # Errors
    /// When it is no regular file, too large or cannot be read.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from)?);
        let meta = file.metadata()?;
        if guarded!("component-file", !meta.is_file()) {
            return Err(FileError::NotAFile);
        }
        if guarded!("component-size", meta.len() > MAX_COMPONENT) {
            return Err(FileError::TooLarge);
        }
        let bytes = whole(file, meta.len())?;
        let digest = Digest::of(&bytes);
        let bytes = guarded!("read-once", bytes, without std::fs::read(path)?);
        Ok(Self { path: path.to_owned(), digest, bytes: bytes.into() })
    }
}

/// All bytes of a file that had `length` when it was opened and may have grown since.
fn whole(file: impl Read, length: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(MAX_COMPONENT + 1).read_to_end(&mut bytes)?;
    if guarded!("component-size", bytes.len() as u64 > MAX_COMPONENT) {
        Err(FileError::TooLarge)
    } else {
        Ok(bytes)
    }
}

/// The names of the component files in a folder, sorted. A folder that is not there has none.
///
/// # Errors
/// When the folder is there and cannot be listed.
pub fn component_files(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        // A name that is not UTF-8 cannot be a plugin's name either.
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.ends_with(".wasm") && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_file_that_grows_while_it_is_read_is_read_to_the_cap() {
        let grown = std::io::repeat(7).take(MAX_COMPONENT + (1 << 20));
        assert!(matches!(whole(grown, 1), Err(FileError::TooLarge)));
        assert_eq!(whole(&b"four"[..], 1).unwrap(), b"four");
    }
}
