//! Whether bytes are approved: a grant belongs to bytes, never to a name. Only the answer and its
//! wording are here; the record is `lock`.

use std::fmt;

use super::Digest;

/// Whose bytes get a plugin's grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Only bytes that a person approved.
    #[default]
    Approved,
    /// Any bytes in the file, swapped at once: for the plugin's author.
    Dev,
}

/// What the lock says about a plugin's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// A person approved these bytes.
    Approved,
    /// Nobody approved any bytes under this name; says so.
    Unapproved(String),
    /// Other bytes were approved; they keep serving.
    Changed {
        /// The approved ones.
        approved: Digest,
        /// These.
        found: Digest,
    },
}

impl fmt::Display for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approved => f.write_str("approved"),
            Self::Unapproved(reason) => f.write_str(reason),
            Self::Changed { approved, found } => write!(
                f,
                "the file is now {}, approved is {}; look at it and run `kennel approve`",
                found.short(),
                approved.short()
            ),
        }
    }
}
