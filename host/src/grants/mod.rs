//! What a plugin asks for, what a person granted, and which bytes that person approved: answers
//! "allowed? by which rule?". Knows the configuration; does no I/O on behalf of a plugin.

mod capability;
mod http;
mod limits;

pub use capability::{
    Address, DirectoryGrant, DirectoryMode, DiskQuota, Grants, HostPattern, HttpGrant, HttpScheme,
    PathPrefix, StateGrant, StateScope,
};
pub use http::{Decision, DenyReason, HttpHost, HttpOperation, OddRequest, decide};
pub use limits::Limits;
