//! Small files that several Kennel processes read and replace: whole or not at all, one writer at a
//! time. Knows nothing of what is in them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

/// How long a writer waits for another: a writer holds the lock for milliseconds, so more means that one
/// was stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// Held while a file is read, changed and replaced. The lock is on a file beside it (`NAME.guard`),
/// because the file itself is another one after every replacement; the system frees it with the process.
#[derive(Debug)]
pub struct Guard {
    _file: File,
    path: PathBuf,
}

impl Guard {
    /// Waits for the only place among writers of `path`.
    ///
    /// # Errors
    /// When the guard file cannot be made, or another process holds it for more than 10 s
    /// ([`io::ErrorKind::TimedOut`]).
    pub fn lock(path: &Path) -> io::Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".guard");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.with_file_name(name))?;
        let until = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file, path: path.to_owned() }),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds it"));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Replaces the guarded file: a reader sees the old or the new text, also after a power cut.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        replace(&self.path, bytes)
    }
}

/// Writes a file whole or not at all. A new one is readable by the user alone; one that was there keeps its mode.
/// Writers that depend on what was there use [`Guard`].
///
/// # Errors
/// When the folder cannot be written.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(bytes)?;
    if let Some(before) = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file) {
        new.as_file().set_permissions(before.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// The text of a file of at most `max` bytes; `None` when there is no such file. Never waits for a pipe. A link is
/// followed: whoever keeps a configuration elsewhere may link it here, and only the user can.
///
/// # Errors
/// When it cannot be read, is no regular file, is longer, or is not UTF-8.
pub fn read(path: &Path, max: u64) -> io::Result<Option<String>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if guarded!("plain-files", !file.metadata()?.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut text = String::new();
    file.take(max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {max} bytes")));
    }
    Ok(Some(text))
}

/// Opens a regular file to read; a link in its place, or a pipe, is refused.
///
/// # Errors
/// When it cannot be opened, or is something else.
pub fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// A random key of the user's, made at its first use and readable by the user alone. Several processes may make it
/// at once: the first one to link its own into place wins.
///
/// # Errors
/// When it is there and cannot be read, or cannot be made.
pub fn secret_key(path: &Path) -> io::Result<[u8; 32]> {
    let read = || -> io::Result<[u8; 32]> {
        let mut key = [0; 32];
        open_plain(path)?.read_exact(&mut key)?;
        Ok(key)
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(key),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => read(),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_replaced_file_keeps_its_mode_and_a_new_one_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        replace(&path, b"one").unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!((mode(), read(&path, 3).unwrap().as_deref()), (0o644, Some("two")));
        assert_eq!(read(&path, 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("nothing"), 9).unwrap(), None);
        assert_eq!(read(folder.path(), 9).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RWXU).unwrap();
        assert_eq!(read(&pipe, 9).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
