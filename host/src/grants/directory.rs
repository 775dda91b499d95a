//! A directory of the host: what a grant of one says, and which files and acts it covers. Touches no file.

use std::fmt;
use std::path::PathBuf;

use super::Access;

/// A directory of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryGrant {
    /// Absolute, exists, and holds none of Kennel's own files (DESIGN 4.6; checked by file identity).
    pub host: PathBuf,
    /// Absolute path under which the guest sees it, without `.` or `..`.
    pub guest: String,
    /// What may be done there.
    pub mode: DirectoryMode,
    /// What the plugin may add there.
    pub quota: DiskQuota,
    /// Only files with these extensions, written without the dot; all files when there are none. Directories are not
    /// meant: they can always be entered.
    pub extensions: Vec<String>,
    /// What keeps other programs from a file while a call has it open.
    pub lock: FileLock,
}

/// A lock that the host takes for a call on every file it opens in a directory, because WASI knows none. Other programs are
/// kept out as far as they take the same lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileLock {
    /// None: whoever else writes there must be trusted not to at the same time.
    #[default]
    None,
    /// SQLite's own, on the bytes that every `sqlite3` locks: shared with other readers for a file that is opened to be read,
    /// of this call alone for one that is opened to be written.
    Sqlite,
}

/// What may be done in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DirectoryMode {
    /// Read and list.
    ReadOnly,
    /// Also write, create, rename and delete.
    ReadWrite,
}

/// What a plugin may add to a directory over what was there when the host started. What it removes makes
/// room again, but never more than it had added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskQuota {
    /// Bytes.
    pub bytes: u64,
    /// Files and directories.
    pub files: u64,
}

impl DirectoryMode {
    /// Whether this may be done at all.
    #[must_use]
    pub fn allows(self, access: Access) -> bool {
        match access {
            Access::Read | Access::List => true,
            Access::Write | Access::Directory => self == Self::ReadWrite,
        }
    }
}

impl DirectoryGrant {
    /// Whether a file with this path's last name is granted. ASCII case does not count: on some disks it is no
    /// difference.
    #[must_use]
    pub fn shows(&self, path: &str) -> bool {
        let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let fits = |extension: &String| {
            name.len()
                .checked_sub(extension.len() + 1)
                .filter(|dot| *dot > 0)
                .and_then(|dot| name.get(dot..)?.strip_prefix('.'))
                .is_some_and(|end| end.eq_ignore_ascii_case(extension))
        };
        self.extensions.is_empty() || self.extensions.iter().any(fits)
    }

    /// Whether files are told apart by their names: then a link at the end of a path is not followed, because it would
    /// give a file another name than its own.
    #[must_use]
    pub fn by_name(&self) -> bool {
        !self.extensions.is_empty()
    }

    /// Whether all that `other` grants is granted by this one too, in the same place.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let Self { host, guest, mode, quota, extensions, lock } = other;
        let files = self.extensions.is_empty()
            || (!extensions.is_empty() && extensions.iter().all(|one| self.extensions.contains(one)));
        self.host == *host
            && self.guest == *guest
            && self.mode >= *mode
            && self.quota.bytes >= quota.bytes
            && self.quota.files >= quota.files
            && files
            // A lock only takes away: it makes a call wait, and refuses it.
            && self.lock <= *lock
    }
}

impl fmt::Display for DirectoryMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "read-only",
            Self::ReadWrite => "read-write",
        })
    }
}

impl fmt::Display for DirectoryGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "directory {} as {}, {}", self.host.display(), self.guest, self.mode)?;
        match self.extensions.as_slice() {
            [] => {}
            some => write!(f, ", only *.{}", some.join(", *."))?,
        }
        match self.lock {
            FileLock::None => Ok(()),
            FileLock::Sqlite => f.write_str(", each file locked as SQLite locks it"),
        }
    }
}
