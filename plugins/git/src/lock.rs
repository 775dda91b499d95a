//! git's way to change a file: `NAME.lock` keeps others away, gets the new contents, and takes the file's place.
//! Must not wait: who comes second is told.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// A lock that is held; its file is removed when it is not used.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    held: bool,
}

impl Lock {
    /// Takes a lock; none when another process holds it.
    pub(crate) fn take(path: PathBuf) -> Result<Option<Self>> {
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => Ok(Some(Self { path, held: true })),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(Failure::io("write", &path, &error)),
        }
    }

    /// Puts these bytes in the place of what the lock is for.
    pub(crate) fn replace(mut self, target: &Path, bytes: &[u8]) -> Result<()> {
        let failed = |error: std::io::Error| Failure::io("write", target, &error);
        let mut file = OpenOptions::new().write(true).truncate(true).open(&self.path).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&self.path, target).map_err(failed)?;
        // From now on a file of this name is another's.
        self.held = false;
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.held {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
