//! What a plugin asks for, what a person granted, and which bytes that person approved: answers
//! "allowed? by which rule?". Knows the checked types, not the file they were written in (`config` turns
//! text into these); does no I/O on behalf of a plugin.

mod approval;
mod capability;
mod definitions;
mod digest;
mod effective;
mod http;
mod limits;
mod lock;
mod manifest;
mod name;
mod place;
mod secret;
pub mod shared_file;
pub mod units;

pub use approval::{Approval, Trust};
pub use capability::{
    Address, DirectoryGrant, DirectoryMode, DiskQuota, Grants, HostPattern, HttpGrant, HttpScheme,
    PathPrefix, StateGrant, StateScope,
};
pub use definitions::{Change, ChangeKind, Definitions};
pub use digest::{Digest, DigestError};
pub use effective::{Holding, Withheld, effective, holding};
pub use http::{Decision, DenyReason, HttpHost, HttpOperation, OddRequest, decide};
pub use limits::Limits;
pub use lock::{Lock, LockEntry, LockError};
pub(crate) use manifest::check_method;
pub use manifest::{
    Asked, AskedDirectories, AskedHttp, AskedName, AskedPlace, AskedState, AskedTcp, DEFAULT_METHODS,
    MANIFEST_SECTION, MAX_MANIFEST, ManifestError,
};
pub use name::{MAX_NAME, NameError, PluginName};
pub use place::{HttpPlace, PlaceError};
pub use secret::{
    Audience, AudienceError, AwsSigV4, Credential, OauthRefresh, SecretGrant, SecretSource, SecretUse, Sent,
    check_clear, is_secret_name,
};
