//! One plugin's SQLite file: every operation is one transaction, and the quota is counted in the same one,
//! so that several calls and several processes may use it at once. Must not be called on a thread that
//! may not block.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::grants::{Decision, Grants, Operation, Reason, decide};

/// Bytes an entry costs besides its key and value: what SQLite needs for the row and its index entry, so
/// that many small entries fill no more disk than few large ones.
pub(super) const ENTRY_OVERHEAD: u64 = 64;

/// Operations of one plugin at once, and connections kept open. SQLite has one writer anyway.
const LANES: usize = 4;

/// How long an operation waits for another process to finish its transaction, each of which takes
/// microseconds; what lasts longer is a stopped process.
const BUSY: Duration = Duration::from_secs(5);

/// The layout of the file below, in `user_version`.
const LAYOUT: i32 = 1;

const SCHEMA: &str = "
    CREATE TABLE entries (
        scope BLOB NOT NULL,
        key   BLOB NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (scope, key)
    );
    CREATE TABLE meta (
        one  INTEGER PRIMARY KEY CHECK (one = 1),
        used INTEGER NOT NULL CHECK (used >= 0)
    );
    INSERT INTO meta VALUES (1, 0);
    PRAGMA user_version = 1;
";

/// Why the store did not do it. The texts go to a guest: no paths.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The write would pass the quota, in bytes.
    #[error("the store may hold {0} bytes")]
    Quota(u64),
    /// There is no grant of it.
    #[error("state was not granted")]
    Denied,
    /// SQLite's file or a neighbour of it is not what it should be.
    #[error("the store is damaged; the host's log says more")]
    Damaged,
    /// Written by a later host.
    #[error("the store has layout {0}, which this host does not know")]
    Layout(i32),
    /// No room on the disk.
    #[error("the disk is full")]
    Full,
    /// Another process holds a transaction open.
    #[error("the store is busy")]
    Busy,
    /// The file cannot be opened or written.
    #[error("the store cannot be opened or written; the host's log says more")]
    Access,
    /// Anything else of SQLite's.
    #[error("the store failed; the host's log says more")]
    Other,
}

/// The part of the key space a caller sees: empty for the plugin's own, a hash for a caller's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    hash: [u8; 32],
    len: usize,
}

impl Scope {
    pub(super) fn caller(hash: [u8; 32]) -> Self {
        Self { hash, len: 32 }
    }

    fn bytes(&self) -> &[u8] {
        &self.hash[..self.len]
    }
}

/// One plugin's store.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    /// Asked whether the store may hold what it would hold.
    grants: Grants,
    idle: Mutex<Vec<Connection>>,
    lanes: Arc<Semaphore>,
}

impl Store {
    pub(super) fn new(path: PathBuf, grants: Grants) -> Self {
        Self { path, grants, idle: Mutex::default(), lanes: Arc::new(Semaphore::new(LANES)) }
    }

    /// The right to run one operation; bounds the threads a plugin can block.
    pub(super) async fn lane(&self) -> Option<OwnedSemaphorePermit> {
        // Fails only when closed, which it never is.
        Arc::clone(&self.lanes).acquire_owned().await.ok()
    }

    pub(super) fn get(&self, scope: &Scope, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|db| Ok(present(db, scope, key)?))
    }

    pub(super) fn set(&self, scope: &Scope, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.write(|tx| self.put(tx, scope, key, Some(value)).map(drop))
    }

    pub(super) fn delete(&self, scope: &Scope, key: &str) -> Result<bool, StoreError> {
        self.write(|tx| self.put(tx, scope, key, None))
    }

    /// Bytes that all callers' entries take, as the quota counts them.
    pub(super) fn used(&self) -> Result<u64, StoreError> {
        self.with(|db| {
            let used: i64 = db.query_row("SELECT used FROM meta WHERE one = 1", [], |row| row.get(0))?;
            Ok(used.unsigned_abs())
        })
    }

    pub(super) fn list(
        &self,
        scope: &Scope,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        // Every key that begins with the prefix is below the prefix followed by 0xff, a byte that UTF-8
        // never has; blobs are compared byte by byte.
        let mut end = prefix.as_bytes().to_vec();
        end.push(0xff);
        self.with(|db| {
            let mut statement = db.prepare_cached(
                "SELECT key FROM entries WHERE scope = ?1 AND key >= ?2 AND key < ?3 AND key > ?4
                 ORDER BY key LIMIT ?5",
            )?;
            // Keys are never empty, so all of them are greater than the empty one.
            let after = after.unwrap_or_default().as_bytes();
            let rows = statement
                .query_map(params![scope.bytes(), prefix.as_bytes(), end, after, limit], |row| {
                    row.get::<_, Vec<u8>>(0)
                })?;
            rows.map(|key| String::from_utf8(key?).map_err(|_| StoreError::Damaged)).collect()
        })
    }

    pub(super) fn compare_and_swap(
        &self,
        scope: &Scope,
        key: &str,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            if present(tx, scope, key)?.as_deref() != expected {
                return Ok(false);
            }
            self.put(tx, scope, key, new)?;
            Ok(true)
        })
    }

    /// Puts or removes a value and keeps the count of bytes right; says whether there was one before.
    fn put(
        &self,
        tx: &Transaction<'_>,
        scope: &Scope,
        key: &str,
        value: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        let cost = |value: u64| ENTRY_OVERHEAD + (scope.len + key.len()) as u64 + value;
        let old: Option<i64> = tx
            .prepare_cached("SELECT length(value) FROM entries WHERE scope = ?1 AND key = ?2")?
            .query_row(params![scope.bytes(), key.as_bytes()], |row| row.get(0))
            .optional()?;
        let before: i64 =
            tx.prepare_cached("SELECT used FROM meta WHERE one = 1")?.query_row([], |row| row.get(0))?;
        // SQLite's integers are signed; the CHECK and length() keep these from being negative.
        let (old, before) = (old.map(i64::unsigned_abs), before.unsigned_abs());
        let freed = old.map_or(0, cost);
        let added = value.map_or(0, |value| cost(value.len() as u64));
        let after = before.saturating_sub(freed).saturating_add(added);
        // A quota that was lowered under what is there must not keep the plugin from making room.
        if after > before
            && let Decision::Denied(reason) = decide(&self.grants, &Operation::State { bytes: after })
            && guarded!("state-quota", true)
        {
            return Err(match reason {
                Reason::Quota(quota) => StoreError::Quota(quota),
                _ => StoreError::Denied,
            });
        }
        match value {
            Some(value) => tx
                .prepare_cached(
                    "INSERT INTO entries (scope, key, value) VALUES (?1, ?2, ?3)
                     ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value",
                )?
                .execute(params![scope.bytes(), key.as_bytes(), value])?,
            None => tx
                .prepare_cached("DELETE FROM entries WHERE scope = ?1 AND key = ?2")?
                .execute(params![scope.bytes(), key.as_bytes()])?,
        };
        if after != before {
            tx.prepare_cached("UPDATE meta SET used = ?1 WHERE one = 1")?
                .execute(params![i64::try_from(after).unwrap_or(i64::MAX)])?;
        }
        Ok(old.is_some())
    }

    fn write<R>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.with(|db| {
            // Immediate: a transaction that begins by reading could not be made a writing one beside
            // another writer.
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&tx)?;
            tx.commit()?;
            Ok(result)
        })
    }

    /// Runs `work` with a connection of its own.
    fn with<R>(&self, work: impl FnOnce(&mut Connection) -> Result<R, StoreError>) -> Result<R, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut db = match idle {
            Some(db) => db,
            None => self.open()?,
        };
        let result = work(&mut db);
        // After a failure of the file's the next operation opens it anew, so that a repaired file works
        // without a restart.
        if matches!(result, Ok(_) | Err(StoreError::Quota(_) | StoreError::Denied | StoreError::Busy)) {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < LANES {
                idle.push(db);
            }
        }
        result
    }

    fn open(&self) -> Result<Connection, StoreError> {
        self.make_file().map_err(|error| {
            tracing::warn!(path = %self.path.display(), %error, "state: cannot make the store");
            match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
                _ => StoreError::Access,
            }
        })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut db = Connection::open_with_flags(&self.path, flags)?;
        db.busy_timeout(BUSY)?;
        // Switching to WAL needs the file alone for a moment, and SQLite does not wait for that by
        // itself; every process tries it at its first use.
        retry_busy(|| db.pragma_update(None, "journal_mode", "wal"))?;
        db.pragma_update(None, "synchronous", "normal")?;
        db.pragma_update(None, "trusted_schema", false)?;
        // What a burst of writes leaves behind is cut at the next checkpoint.
        db.pragma_update(None, "journal_size_limit", 4 << 20)?;
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match tx.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0))? {
            0 => tx.execute_batch(SCHEMA)?,
            LAYOUT => {}
            other => return Err(StoreError::Layout(other)),
        }
        tx.commit()?;
        Ok(db)
    }

    /// The file, empty when new, readable by this user only; SQLite gives its neighbours the same mode.
    fn make_file(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            let mut builder = DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&self.path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn present(db: &Connection, scope: &Scope, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached("SELECT value FROM entries WHERE scope = ?1 AND key = ?2")?
        .query_row(params![scope.bytes(), key.as_bytes()], |row| row.get(0))
        .optional()
}

fn retry_busy<R>(mut attempt: impl FnMut() -> rusqlite::Result<R>) -> rusqlite::Result<R> {
    const PAUSE: Duration = Duration::from_millis(10);
    let mut left = BUSY.as_millis() / PAUSE.as_millis();
    loop {
        match attempt() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && left > 0 => {
                left -= 1;
                std::thread::sleep(PAUSE);
            }
            other => return other,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        tracing::warn!(%error, "state: the store failed");
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure,
            ) => Self::Access,
            _ => Self::Other,
        }
    }
}
