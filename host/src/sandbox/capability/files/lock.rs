//! SQLite's own lock on the files that a call opens, where the grant says so: WASI knows no locks, so the host takes it in
//! the guest's place, before the guest gets the descriptor, and holds it until the call has ended, however it ends.
//!
//! The bytes are those of SQLite's "lock-byte page" (`PENDING_BYTE` in its `os.h`, `unixLock` in its `os_unix.c`), so every
//! `sqlite3` of the machine keeps out and is kept out. The locks belong to the open file (`F_OFD_SETLK`), not to the
//! process: a lock of the process would be gone as soon as any call closed the same file.
//! Must not wait on a thread, and must not decide who may open what.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::books::{Inode, Opened};

/// The bytes at 1 GiB; nothing is ever stored there.
const PENDING: i64 = 0x4000_0000;
const SHARED: i64 = PENDING + 2;
const SHARED_LENGTH: i64 = 510;
/// The pending, the reserved and all shared bytes.
const ALL_LENGTH: i64 = SHARED + SHARED_LENGTH - PENDING;

/// How long a call waits for others; as long as Python's `sqlite3` does when nothing else is said.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(10);
/// Locked files of one call, each of which holds a descriptor of the host until the call ends.
const MOST: usize = 64;

/// What a call needs of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    /// That nobody writes: SQLite's SHARED.
    Shared,
    /// That nobody else reads or writes: SQLite's EXCLUSIVE.
    Alone,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum Refused {
    /// Others had the file for all the time a call waits.
    InUse,
    /// The call holds as many as it may.
    TooMany,
    /// The system or the file system has no such locks.
    Failed(io::Error),
}

/// The locks of one call.
#[derive(Debug, Default)]
pub(super) struct Locks {
    held: HashMap<Inode, (Hold, Arc<Opened>)>,
}

impl Locks {
    /// Whether it holds none.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Sees to it that the call has this lock on the file; waits for others for at most 5 s.
    pub(super) async fn take(&mut self, file: &Arc<Opened>, hold: Hold) -> Result<(), Refused> {
        match self.held.get(&file.inode()) {
            Some((held, _)) if *held >= hold => return Ok(()),
            // The lock belongs to the other opening, so it would keep this one out too.
            Some((_, other)) => {
                system::unlock(other.file()).map_err(Refused::Failed)?;
                self.held.remove(&file.inode());
            }
            None if guarded!("file-locks", self.held.len() >= MOST) => return Err(Refused::TooMany),
            None => {}
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let locked = system::attempt(file.file(), hold).map_err(Refused::Failed)?;
            if !guarded!("file-lock", !locked) {
                self.held.insert(file.inode(), (hold, Arc::clone(file)));
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(Refused::InUse);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;
    use std::io;

    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;

    use super::{ALL_LENGTH, Hold, PENDING, SHARED, SHARED_LENGTH};

    /// Takes the lock if nobody stands against it.
    pub(super) fn attempt(file: &File, hold: Hold) -> io::Result<bool> {
        match hold {
            // At once: SQLite takes its bytes one after the other only to let readers finish first.
            Hold::Alone => set(file, libc::F_WRLCK, PENDING, ALL_LENGTH),
            // As SQLite does: through the pending byte, which a writer that waits for readers holds.
            Hold::Shared => {
                if !set(file, libc::F_RDLCK, PENDING, 1)? {
                    return Ok(false);
                }
                let shared = set(file, libc::F_RDLCK, SHARED, SHARED_LENGTH);
                set(file, libc::F_UNLCK, PENDING, 1)?;
                shared
            }
        }
    }

    pub(super) fn unlock(file: &File) -> io::Result<()> {
        set(file, libc::F_UNLCK, PENDING, ALL_LENGTH).map(drop)
    }

    /// Whether the lock was set; not when another stands against it.
    fn set(file: &File, kind: libc::c_int, start: i64, length: i64) -> io::Result<bool> {
        let narrow = |number: libc::c_int| libc::c_short::try_from(number).map_err(io::Error::other);
        let lock = libc::flock {
            l_type: narrow(kind)?,
            l_whence: narrow(libc::SEEK_SET)?,
            l_start: start,
            l_len: length,
            // Has to be 0 for locks of an open file.
            l_pid: 0,
        };
        match fcntl(file, FcntlArg::F_OFD_SETLK(&lock)) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;
    use std::io;

    use super::Hold;

    /// Without locks of an open file there is no lock that would hold.
    pub(super) fn attempt(_: &File, _: Hold) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn unlock(_: &File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;
