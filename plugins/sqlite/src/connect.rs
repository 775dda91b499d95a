//! Opens the database so that it is right beside other programs, although WASI has no locks: the host locks the file when it is
//! opened (`lock = "sqlite"` in the grant) and holds the lock until the call ends. So the file is opened first, what else lies
//! there is looked at under the lock, and then SQLite opens it without locks of its own.
//!
//! - To read, a shared lock: nobody changes the file, so SQLite may take it for immutable. A journal beside it belongs to
//!   a writer that is at work, or that was interrupted; the latter is rolled back under a lock of our own. A database with a
//!   write-ahead log changes beside the file, so it is not shared.
//! - To write, a lock of our own. A log is then kept in memory (SQLite's `locking_mode = EXCLUSIVE`), and written into the
//!   file when the call ends.
//!
//! Must not run a query.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rusqlite::{Connection, OpenFlags};

use crate::failure::Failure;

/// What is to be done with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Nothing is changed.
    Read,
    /// Something may be.
    Write,
}

/// How long a reader that may not write waits for the journal of a writer to go.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// Bytes 18 and 19 of a file's header: 2 says that it has a write-ahead log (SQLite's file format, 1.3).
const VERSIONS: std::ops::Range<usize> = 18..20;

/// What would mean something else in a URI.
const IN_A_URI: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#').add(b' ');

/// SQLite's own system layer without its locks.
const LAYER: &CStr = c"unix-none";

/// An open database and the file whose lock it stands on.
pub(crate) struct Database {
    // Closed before the file.
    pub(crate) connection: Connection,
    _file: File,
}

/// What was found under the lock.
enum Found {
    /// The file, and nothing else to look at.
    Quiet(File),
    /// A journal lies beside it.
    Journal,
    /// It has a write-ahead log.
    Log,
    /// There is no such file.
    Nothing,
}

/// Opens the database at a path; to write, or when only a writer can set it right, it is made if it is not there.
pub(crate) fn open(path: &str, purpose: Purpose) -> Result<Database, Failure> {
    if purpose == Purpose::Read
        && let Found::Quiet(file) = look(path)?
    {
        return to_read(path, file);
    }
    match File::options().read(true).write(true).create(true).truncate(false).open(path) {
        Ok(file) => to_write(path, file, purpose),
        Err(error) if may_not(&error) && purpose == Purpose::Read => to_read_alone(path),
        Err(error) if may_not(&error) => Err(Failure::database(format!(
            "attempt to write a readonly database: writing to {path} was not granted"
        ))),
        Err(error) => Err(unable(path, &error)),
    }
}

/// Of a reader that cannot set right what it finds: waits for writers, and then says what it is.
fn to_read_alone(path: &str) -> Result<Database, Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        let why = match look(path)? {
            Found::Quiet(file) => return to_read(path, file),
            Found::Journal if Instant::now() < until => {
                std::thread::sleep(PAUSE);
                continue;
            }
            Found::Journal => {
                "a writer is at work or was interrupted; open it once with something that may write"
            }
            Found::Log => {
                "it has a write-ahead log, which only whoever may write can read; grant the directory read-write, \
                           or run `PRAGMA journal_mode = DELETE` on it"
            }
            Found::Nothing => "there is no such file, and none may be made",
        };
        return Err(Failure::database(format!("unable to open database file {path}: {why}")));
    }
}

/// Locks the file against writers, and looks at what only then holds.
fn look(path: &str) -> Result<Found, Failure> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(unable(path, &error)),
    };
    let mut header = Vec::new();
    (&mut file).take(VERSIONS.end as u64).read_to_end(&mut header).map_err(|error| unable(path, &error))?;
    if header.get(VERSIONS).is_some_and(|versions| versions.contains(&2)) {
        return Ok(Found::Log);
    }
    match std::fs::metadata(format!("{path}-journal")) {
        Ok(found) if found.len() > 0 => Ok(Found::Journal),
        _ => Ok(Found::Quiet(file)),
    }
}

fn to_read(path: &str, file: File) -> Result<Database, Failure> {
    let uri = format!("file:{}?immutable=1", utf8_percent_encode(path, IN_A_URI));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(uri, flags, LAYER)?;
    ready(connection, file)
}

fn to_write(path: &str, mut file: File, purpose: Purpose) -> Result<Database, Failure> {
    let mut header = Vec::new();
    (&mut file).take(VERSIONS.end as u64).read_to_end(&mut header).map_err(|error| unable(path, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(path, flags, LAYER)?;
    if header.get(VERSIONS).is_some_and(|versions| versions.contains(&2)) {
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    if purpose == Purpose::Read {
        connection.pragma_update(None, "query_only", true)?;
    }
    ready(connection, file)
}

/// What every connection of Python's `sqlite3` has, and no files but the database's own.
fn ready(connection: Connection, file: File) -> Result<Database, Failure> {
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(Database { connection, _file: file })
}

fn may_not(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

fn unable(path: &str, error: &io::Error) -> Failure {
    Failure::database(match error.kind() {
        ErrorKind::ResourceBusy => {
            format!("database is locked: {path} is in use by another process; try again")
        }
        ErrorKind::IsADirectory => format!("unable to open database file: {path} is a directory"),
        _ => format!("unable to open database file {path}: {error}"),
    })
}
