//! Small files that several Kennel processes read and replace: whole or not at all, one writer at a
//! time. Knows nothing of what is in them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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

/// Writes a file whole or not at all, readable by the user alone. Writers that depend on what was there
/// use [`Guard`].
///
/// # Errors
/// When the folder cannot be written.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// The text of a file of at most `max` bytes; `None` when there is no such file.
///
/// # Errors
/// When it cannot be read, is longer, or is not UTF-8.
pub fn read(path: &Path, max: u64) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {max} bytes")));
    }
    Ok(Some(text))
}
