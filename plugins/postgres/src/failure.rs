//! Why the database did not answer: its own error, or what went wrong on the way to it.
//! Must not repeat what the server said where that could tell of data the caller may not see: the caller of this decides.

use std::fmt;

use fallible_iterator::FallibleIterator as _;
use kennel_sdk::prelude::*;
use postgres_protocol::message::backend::ErrorResponseBody;

/// What the server answered in the place of rows (protocol, "Error and Notice Message Fields").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerError {
    /// SQLSTATE, five characters.
    pub(crate) code: String,
    /// One line, in the server's language.
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
}

/// `query_canceled`: the statement took longer than it may.
const QUERY_CANCELED: &str = "57014";

impl ServerError {
    pub(crate) fn read(body: &ErrorResponseBody) -> Self {
        let mut read = Self::default();
        let mut fields = body.fields();
        // A broken field ends the list; what was read so far is told.
        while let Ok(Some(field)) = fields.next() {
            let text = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => read.code = text,
                b'M' => read.message = text,
                b'D' => read.detail = Some(text),
                b'H' => read.hint = Some(text),
                _ => {}
            }
        }
        read
    }

    /// Whether the statement was ended because it took too long.
    pub(crate) fn is_timeout(&self) -> bool {
        self.code == QUERY_CANCELED
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for more in [&self.detail, &self.hint].into_iter().flatten() {
            write!(f, "; {}", more.replace('\n', " "))?;
        }
        write!(f, " (SQLSTATE {})", self.code)
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server says why.
    Server(ServerError),
    /// Anything else.
    Other(Error),
}

impl Failure {
    /// Something that is not as the protocol has it, or that this plugin does not do.
    pub(crate) fn other(why: impl fmt::Display) -> Self {
        Self::Other(Error::failed(why))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Server(error) => Self::failed(error),
            Failure::Other(error) => error,
        }
    }
}
