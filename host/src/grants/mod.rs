//! What a plugin asks for, what a person granted, and which bytes that person approved: answers
//! "allowed? by which rule?". Knows the checked types, not the file they were written in (`config` turns
//! text into these); does no I/O on behalf of a plugin.

mod address;
mod approval;
mod capability;
mod command;
mod definitions;
mod digest;
mod directory;
mod effective;
mod effects;
mod egress;
mod explain;
mod http;
mod intent;
pub mod learn;
mod limits;
mod lock;
mod manifest;
mod name;
mod operation;
mod place;
mod revocation;
mod secret;
pub mod shared_file;
mod socket;
pub mod units;
mod widen;
mod wording;

pub use address::is_blocked;
pub use approval::{Approval, Trust};
pub use capability::{
    Address, Grants, HostPattern, HttpGrant, HttpScheme, PathPrefix, SocketGrant, StateGrant, StateScope,
};
pub use command::{CommandGrant, MAX_COMMAND_NAME, is_command_name};
pub use definitions::{Change, ChangeKind, Definitions};
pub use digest::{Digest, DigestError};
pub use directory::{DirectoryGrant, DirectoryMode, DiskQuota, FileLock};
pub use effective::{Holding, Withheld, effective, holding};
pub use egress::{Egress, Proxy};
pub use explain::{Explanation, GrantKey, KeyStep, Share, explain, shares};
pub(crate) use http::parse_host;
pub use http::{DenyReason, HttpHost, HttpOperation, OddRequest};
pub use intent::{Intent, IntentError};
pub use limits::Limits;
pub use lock::{Lock, LockEntry, LockError};
pub(crate) use manifest::check_method;
pub use manifest::{
    Asked, AskedCommands, AskedDirectories, AskedHttp, AskedLookup, AskedName, AskedPlace, AskedSocket,
    AskedState, DEFAULT_METHODS, MANIFEST_SECTION, MAX_MANIFEST, ManifestError,
};
pub use name::{MAX_NAME, NameError, PluginName};
pub use operation::{Access, Decision, FilePath, Operation, Reason, Rule, decide};
pub use place::{HttpPlace, PlaceError};
pub use revocation::lost;
pub use secret::{
    Audience, AudienceError, AwsSigV4, Credential, OauthRefresh, SecretGrant, SecretSource, SecretUse, Sent,
    check_clear, is_secret_name,
};
pub use socket::{Naming, SocketDeny, SocketKind, SocketPlace, SocketPlaceError, parse_resolvable};
pub use widen::{Widening, widened};
pub use wording::{Difference, FieldChange, Wording};
