//! What a plugin asks for, what a person granted, and which bytes that person approved: answers
//! "allowed? by which rule?". Knows the checked types, not the file they were written in (`config` turns
//! text into these); does no I/O on behalf of a plugin.

mod address;
mod approval;
mod capability;
mod definitions;
mod digest;
mod effective;
mod egress;
mod http;
mod limits;
mod lock;
mod manifest;
mod name;
mod place;
pub mod shared_file;
mod socket;
pub mod units;

pub use address::is_blocked;
pub use approval::{Approval, Trust};
pub use capability::{
    Address, DirectoryGrant, DirectoryMode, DiskQuota, Grants, HostPattern, HttpGrant, HttpScheme,
    PathPrefix, SocketGrant, StateGrant, StateScope,
};
pub use definitions::{Change, ChangeKind, Definitions};
pub use digest::{Digest, DigestError};
pub use effective::{Holding, Withheld, effective, holding};
pub use egress::{Egress, Proxy};
pub(crate) use http::parse_host;
pub use http::{Decision, DenyReason, HttpHost, HttpOperation, OddRequest, decide};
pub use limits::Limits;
pub use lock::{Lock, LockEntry, LockError};
pub(crate) use manifest::check_method;
pub use manifest::{
    Asked, AskedDirectories, AskedHttp, AskedLookup, AskedName, AskedPlace, AskedSocket, AskedState,
    DEFAULT_METHODS, MANIFEST_SECTION, MAX_MANIFEST, ManifestError,
};
pub use name::{MAX_NAME, NameError, PluginName};
pub use place::{HttpPlace, PlaceError};
pub use socket::{
    SocketDecision, SocketDeny, SocketKind, SocketPlace, SocketPlaceError, decide_connect, decide_lookup,
    parse_resolvable,
};
