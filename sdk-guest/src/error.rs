//! Why something could not be done, as the contract knows it, made so that `?` works on any error.
//! The texts are shown to a model or a person: one line saying what happened and what to do.
//! Must not hide causes: an error's sources are part of its text.

use std::error::Error as StdError;
use std::fmt;

use crate::bindings::tools::kennel::plugin::types as wit;

/// What a plugin's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done. Every `std` error becomes [`Error::Failed`] by `?`, with its
/// sources; a denial by the host ([`std::io::ErrorKind::PermissionDenied`], [`crate::state::StateError`],
/// [`crate::http::HttpError`], [`crate::command::CommandError`]) becomes [`Error::Denied`].
///
/// ```
/// use kennel_sdk::{Error, Result};
/// fn parse(text: &str) -> Result<u16> {
///     Ok(text.parse::<u16>()?)
/// }
/// assert_eq!(parse("x").unwrap_err(), Error::failed("invalid digit found in string"));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// There is no such tool, resource or prompt; the text names it.
    Unknown(String),
    /// The arguments do not fit; the text says which and why.
    Invalid(String),
    /// A grant is missing; the text says for what.
    Denied(String),
    /// The client lacks `sampling`, `elicitation` or `roots`.
    MissingCapability(String),
    /// Anything else; the text is shown to the model.
    Failed(String),
    /// A JSON-RPC error of the plugin's own.
    Protocol {
        /// The code. The host refuses codes that the protocol reserves for itself.
        code: i32,
        /// One line.
        message: String,
        /// More, for programs.
        data: Option<serde_json::Value>,
    },
}

impl Error {
    /// There is no such tool, resource or prompt.
    pub fn unknown(what: impl fmt::Display) -> Self {
        Self::Unknown(what.to_string())
    }

    /// The arguments do not fit.
    pub fn invalid(why: impl fmt::Display) -> Self {
        Self::Invalid(why.to_string())
    }

    /// A grant is missing.
    pub fn denied(what: impl fmt::Display) -> Self {
        Self::Denied(what.to_string())
    }

    /// The client lacks `sampling`, `elicitation` or `roots`.
    pub fn missing_capability(capability: impl fmt::Display) -> Self {
        Self::MissingCapability(capability.to_string())
    }

    /// Anything else that went wrong; the model reads the text.
    pub fn failed(why: impl fmt::Display) -> Self {
        Self::Failed(why.to_string())
    }

    /// A JSON-RPC error of the plugin's own, given to the client as it stands.
    pub fn protocol(code: i32, message: impl fmt::Display, data: Option<serde_json::Value>) -> Self {
        Self::Protocol { code, message: message.to_string(), data }
    }

    /// The same error with `before` and a colon in front of its text.
    #[must_use]
    pub fn context(mut self, before: impl fmt::Display) -> Self {
        let (Self::Unknown(text)
        | Self::Invalid(text)
        | Self::Denied(text)
        | Self::MissingCapability(text)
        | Self::Failed(text)
        | Self::Protocol { message: text, .. }) = &mut self;
        *text = format!("{before}: {text}");
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(text)
            | Self::Invalid(text)
            | Self::Denied(text)
            | Self::MissingCapability(text)
            | Self::Failed(text)
            | Self::Protocol { message: text, .. } => formatter.write_str(text),
        }
    }
}

/// Whether an error, or one it comes from, is the host saying no.
fn is_denial(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied)
            || matches!(error.downcast_ref(), Some(crate::state::StateError::Denied))
            || matches!(error.downcast_ref(), Some(crate::http::HttpError::Denied { .. }))
            || matches!(error.downcast_ref(), Some(crate::command::CommandError::Denied(_)))
        {
            return true;
        }
        next = error.source();
    }
    false
}

// `Error` itself is no `std::error::Error`, or this would overlap with `impl From<T> for T`.
impl<E: StdError + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Some errors already print their source.
            if !text.ends_with(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        if is_denial(&error) { Self::Denied(text) } else { Self::Failed(text) }
    }
}

impl From<Error> for wit::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Unknown(text) => Self::Unknown(text),
            Error::Invalid(text) => Self::Invalid(text),
            Error::Denied(text) => Self::Denied(text),
            Error::MissingCapability(text) => Self::MissingCapability(text),
            Error::Failed(text) => Self::Failed(text),
            Error::Protocol { code, message, data } => {
                Self::Protocol(wit::ProtocolError { code, message, data: data.map(|data| data.to_string()) })
            }
        }
    }
}

/// `context` on any result whose error becomes an [`Error`].
///
/// ```
/// use kennel_sdk::prelude::*;
/// let result: Result<u8> = "300".parse::<u8>().context("the size");
/// assert_eq!(result.unwrap_err().to_string(), "the size: number too large to fit in target type");
/// ```
pub trait ResultExt<T> {
    /// Puts `before` and a colon in front of the error's text.
    ///
    /// # Errors
    /// The error that was there.
    fn context(self, before: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> ResultExt<T> for Result<T, E> {
    fn context(self, before: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().context(before))
    }
}

/// Returns [`Error::Failed`](crate::Error::Failed) with a formatted text from the enclosing function.
///
/// ```
/// use kennel_sdk::prelude::*;
/// fn positive(number: i64) -> Result<i64> {
///     if number < 0 {
///         bail!("{number} is negative");
///     }
///     Ok(number)
/// }
/// assert_eq!(positive(-1), Err(Error::failed("-1 is negative")));
/// ```
#[macro_export]
macro_rules! bail {
    ($($format:tt)*) => {
        return ::core::result::Result::Err(::core::convert::From::from($crate::Error::failed(::std::format!($($format)*))))
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("cannot open it")
        }
    }
    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn sources_are_told_and_denials_recognised() {
        let error = Error::from(Outer(std::io::Error::other("no disk")));
        assert_eq!(error, Error::failed("cannot open it: no disk"));
        let error = Error::from(Outer(std::io::Error::new(std::io::ErrorKind::PermissionDenied, "no")));
        assert_eq!(error, Error::denied("cannot open it: no"));
        assert_eq!(
            Error::from(crate::state::StateError::Denied),
            Error::denied(crate::state::StateError::Denied)
        );
    }
}
