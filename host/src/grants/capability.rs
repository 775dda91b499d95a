//! The things a person can grant, each exact and already checked. Text becomes these values once, in
//! `config`; nothing after it sees a string that should be a host pattern or a path.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{CommandGrant, DirectoryGrant, SecretGrant};

/// Everything one plugin holds. Empty means: nothing but computation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grants {
    /// Directories of the host, seen under guest paths.
    pub directories: Vec<DirectoryGrant>,
    /// Outbound HTTP.
    pub http: Vec<HttpGrant>,
    /// Outbound TCP.
    pub tcp: Vec<SocketGrant>,
    /// UDP to a place, and what it answers.
    pub udp: Vec<SocketGrant>,
    /// Names that may be looked up, besides those that a grant of HTTP, TCP or UDP names.
    pub resolve: Vec<HostPattern>,
    /// Environment variables with their values (never the host's own environment).
    pub env: BTreeMap<String, String>,
    /// Secrets, without their values.
    pub secrets: Vec<SecretGrant>,
    /// A store of its own.
    pub state: Option<StateGrant>,
    /// Command components that it may run.
    pub commands: Option<CommandGrant>,
    /// May ask the person.
    pub elicit: bool,
    /// May ask the client's model.
    pub sample: bool,
    /// May ask which directories the client works in.
    pub roots: bool,
}

/// Outbound HTTP to one kind of place. A request is allowed when one grant fits it in every part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpGrant {
    /// `http` or `https`.
    pub scheme: HttpScheme,
    /// Which hosts.
    pub host: HostPattern,
    /// Exactly this port.
    pub port: u16,
    /// Exactly these methods, upper case; empty means none.
    pub methods: Vec<String>,
    /// Paths that begin so, by whole segments.
    pub path: PathPrefix,
    /// Whether loopback, private, link-local and metadata addresses are allowed: only when the grant
    /// itself names such an address or `localhost`, or says `private-addresses = true`.
    pub private_addresses: bool,
}

/// TCP or UDP to one kind of place. Always outward: nothing may listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketGrant {
    /// Which hosts.
    pub host: HostPattern,
    /// Exactly this port.
    pub port: u16,
    /// As for [`HttpGrant::private_addresses`].
    pub private_addresses: bool,
}

/// The schemes of outbound HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpScheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

/// Which hosts: one name, all names below one, or one address. Lower case, without a trailing dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This name.
    Name(String),
    /// Names that end in `.` and this; not the name itself. Written `*.example.org`.
    Below(String),
    /// This address.
    Address(IpAddr),
}

/// A path prefix that begins with `/`; `/v1` fits `/v1` and `/v1/x`, not `/v10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// `None` unless the text begins with `/` and holds neither `..` segments nor a query.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let plain = text.starts_with('/')
            && !text.contains(['?', '#', '\\'])
            && text.split('/').all(|segment| segment != ".." && segment != ".");
        plain.then(|| Self(text.to_owned()))
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address a request would go to, after parsing and resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Host as the guest wrote it, normalised as in [`HostPattern`].
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A store of the plugin's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateGrant {
    /// Bytes of keys and values of all callers together, with 64 more for each entry, about what it
    /// takes on the disk besides.
    pub quota: u64,
    /// Whose store it is.
    pub scope: StateScope,
}

/// Whose store it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateScope {
    /// One for all callers.
    Plugin,
    /// One for each caller.
    Caller,
}
