//! Why a query gave no rows, in the reference's words. As there, a failure is told in an ordinary answer.
//! Must not hold more than one line of our own.

use std::fmt;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// SQLite, or Python's module over it, says no.
    Database(String),
    /// The server itself says no.
    Refused(String),
}

impl Failure {
    pub(crate) fn database(why: impl Into<String>) -> Self {
        Self::Database(why.into())
    }

    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(why) => write!(f, "Database error: {why}"),
            Self::Refused(why) => write!(f, "Error: {why}"),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    /// The message that `sqlite3_errmsg` has, without what the crate adds.
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(match error {
            rusqlite::Error::SqliteFailure(_, Some(message)) => message,
            rusqlite::Error::SqlInputError { msg, .. } => msg,
            other => other.to_string(),
        })
    }
}
