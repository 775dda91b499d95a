//! A system's error in words that a model can act on. Must not decide what an error leads to.

use std::io;

use kennel_sdk::Error;

/// For `map_err` after a call about a path.
pub(crate) fn at(path: &str) -> impl FnOnce(io::Error) -> Error {
    move |error| match error.kind() {
        io::ErrorKind::NotFound => Error::failed(format!("{path} does not exist")),
        io::ErrorKind::PermissionDenied => Error::denied(format!(
            "{path} is not granted: a link that leads out, or more than the grant allows"
        )),
        io::ErrorKind::NotADirectory => {
            Error::failed(format!("{path} cannot be: a part of the path is a file"))
        }
        io::ErrorKind::IsADirectory => is_directory(path),
        _ => Error::from(error).context(path),
    }
}

/// A directory where a file is wanted.
pub(crate) fn is_directory(path: &str) -> Error {
    Error::failed(format!("{path} is a directory; list_directory shows what is in it"))
}
