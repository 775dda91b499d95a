//! Why something could not be done, in the words of the reference server: a system's error reads as
//! Node.js writes it ("ENOENT: no such file or directory, open '/x'"), because clients know these texts.
//! Must not decide what an error leads to.

use std::io;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The system said no.
    #[error("{}", in_words(.error, .call, .path.as_deref(), .to.as_deref()))]
    System {
        /// What it said.
        error: io::Error,
        /// The call as Node.js names it.
        call: &'static str,
        /// What it was about; none for an open file.
        path: Option<String>,
        /// Where to, for a call with two paths.
        to: Option<String>,
    },
    /// We said no; the text says why.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }

    /// For `map_err` after a call about a path.
    pub(crate) fn at(call: &'static str, path: &str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { error, call, path: Some(path.to_owned()), to: None }
    }

    /// For `map_err` after a call on an open file.
    pub(crate) fn on(call: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { error, call, path: None, to: None }
    }

    /// For `map_err` after a rename.
    pub(crate) fn between(call: &'static str, path: &str, to: &str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { error, call, path: Some(path.to_owned()), to: Some(to.to_owned()) }
    }

    /// Whether it is that there is no such file.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::System { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }
}

/// The system's error of this number.
pub(crate) fn system(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// Numbers, names and texts: `UV_ERRNO_MAP` of libuv, as far as calls on files can give them.
const KNOWN: &[(i32, &str, &str)] = &[
    (libc::EACCES, "EACCES", "permission denied"),
    (libc::EBADF, "EBADF", "bad file descriptor"),
    (libc::EBUSY, "EBUSY", "resource busy or locked"),
    (libc::EEXIST, "EEXIST", "file already exists"),
    (libc::EFBIG, "EFBIG", "file too large"),
    (libc::EILSEQ, "EILSEQ", "illegal byte sequence"),
    (libc::EINVAL, "EINVAL", "invalid argument"),
    (libc::EIO, "EIO", "i/o error"),
    (libc::EISDIR, "EISDIR", "illegal operation on a directory"),
    (libc::ELOOP, "ELOOP", "too many symbolic links encountered"),
    (libc::EMFILE, "EMFILE", "too many open files"),
    (libc::ENAMETOOLONG, "ENAMETOOLONG", "name too long"),
    (libc::ENFILE, "ENFILE", "file table overflow"),
    (libc::ENODEV, "ENODEV", "no such device"),
    (libc::ENOENT, "ENOENT", "no such file or directory"),
    (libc::ENOMEM, "ENOMEM", "not enough memory"),
    (libc::ENOSPC, "ENOSPC", "no space left on device"),
    (libc::ENOTDIR, "ENOTDIR", "not a directory"),
    (libc::ENOTEMPTY, "ENOTEMPTY", "directory not empty"),
    (libc::ENOTSUP, "ENOTSUP", "operation not supported on socket"),
    (libc::EPERM, "EPERM", "operation not permitted"),
    (libc::EROFS, "EROFS", "read-only file system"),
    (libc::ETXTBSY, "ETXTBSY", "text file is busy"),
    (libc::EXDEV, "EXDEV", "cross-device link not permitted"),
    // The C library's word for a path that no granted directory contains.
    #[cfg(target_os = "wasi")]
    (libc::ENOTCAPABLE, "EPERM", "operation not permitted"),
];

fn in_words(error: &io::Error, call: &str, path: Option<&str>, to: Option<&str>) -> String {
    let known = KNOWN.iter().find(|(number, ..)| Some(*number) == error.raw_os_error());
    let mut text = match known {
        Some((_, name, words)) => format!("{name}: {words}, {call}"),
        None => format!("{error}, {call}"),
    };
    for (before, path) in [(" ", path), (" -> ", to)] {
        if let Some(path) = path {
            text.push_str(&format!("{before}'{path}'"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn errors_read_as_in_node() {
        let missing = std::fs::File::open("/no/such").map_err(Failure::at("open", "/no/such")).unwrap_err();
        assert!(missing.is_missing());
        assert_eq!(missing.to_string(), "ENOENT: no such file or directory, open '/no/such'");
        let read = Failure::on("read")(system(libc::EISDIR));
        assert_eq!(read.to_string(), "EISDIR: illegal operation on a directory, read");
        let moved = Failure::between("rename", "/a", "/b")(system(libc::EXDEV));
        assert_eq!(moved.to_string(), "EXDEV: cross-device link not permitted, rename '/a' -> '/b'");
        let own = Failure::at("open", "/a")(io::Error::other("odd"));
        assert_eq!(own.to_string(), "odd, open '/a'");
    }
}
