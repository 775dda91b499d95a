//! Decides whether a socket may go somewhere and whether a name may be looked up, and says why not. Pure: it parses
//! and compares; the sandbox asks here before a packet leaves.

use std::fmt;
use std::net::IpAddr;

use super::http::{parse_authority, parse_host};
use super::{Grants, HostPattern, HttpHost, SocketGrant, is_blocked};

/// The kinds of sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SocketKind {
    /// A connection.
    Tcp,
    /// Datagrams.
    Udp,
}

impl fmt::Display for SocketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// Where a socket may go: everything of a `SocketGrant` that its `to` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketPlace {
    /// Which hosts.
    pub host: HostPattern,
    /// Exactly this port.
    pub port: u16,
}

/// Why a text is no such place, or no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocketPlaceError {
    /// Not host and port.
    #[error("{0:?} is not a host and a port ({1}); write for example \"db.example.org:5432\"")]
    Place(String, String),
    /// Not a name.
    #[error("{0:?} is not a host name ({1}); write for example \"db.example.org\"")]
    Name(String, String),
}

impl SocketPlace {
    /// Reads `host:port`; the host may be `*.example.org`, an IPv4 address, or an IPv6 address in brackets.
    ///
    /// # Errors
    /// When the text has another form.
    pub fn parse(text: &str) -> Result<Self, SocketPlaceError> {
        let fault = |why: &dyn fmt::Display| SocketPlaceError::Place(text.to_owned(), why.to_string());
        let (below, rest) = below(text);
        let (host, port) = parse_authority(rest).map_err(|odd| fault(&odd))?;
        let host = pattern(host, below).ok_or_else(|| fault(&"`*.` stands before a name only"))?;
        Ok(Self { host, port: port.ok_or_else(|| fault(&"no port"))? })
    }

    /// As [`super::HttpPlace::names_private`].
    #[must_use]
    pub fn names_private(&self) -> bool {
        self.host.names_private()
    }
}

/// Reads a name that may be looked up, or `*.example.org` for all below one.
///
/// # Errors
/// When the text is neither; an address needs no looking up.
pub fn parse_resolvable(text: &str) -> Result<HostPattern, SocketPlaceError> {
    let fault = |why: &dyn fmt::Display| SocketPlaceError::Name(text.to_owned(), why.to_string());
    let (below, rest) = below(text);
    match parse_host(rest).map_err(|odd| fault(&odd))? {
        HttpHost::Address(_) => Err(fault(&"an address needs no looking up")),
        name @ HttpHost::Name(_) => pattern(name, below).ok_or_else(|| fault(&"no name")),
    }
}

fn below(text: &str) -> (bool, &str) {
    text.strip_prefix("*.").map_or((false, text), |rest| (true, rest))
}

fn pattern(host: HttpHost, below: bool) -> Option<HostPattern> {
    match (host, below) {
        (HttpHost::Name(name), true) => Some(HostPattern::Below(name)),
        (HttpHost::Name(name), false) => Some(HostPattern::Name(name)),
        (HttpHost::Address(address), false) => Some(HostPattern::Address(address)),
        (HttpHost::Address(_), true) => None,
    }
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketDecision {
    /// By the grant at this index.
    Allowed(usize),
    /// By none.
    Denied(SocketDeny),
}

/// The first part that no grant fits, of the grants that fit longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SocketDeny {
    /// There is no grant of this kind at all.
    Nothing,
    /// The host.
    Host,
    /// The port.
    Port,
    /// The address, which is not on the public network.
    Private,
}

impl fmt::Display for SocketDeny {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "it holds no grant of this kind",
            Self::Host => "it holds no grant for this host",
            Self::Port => "its grants for this host are for another port",
            Self::Private => {
                "the host has a private, local or reserved address, and the grant has no `private-addresses`"
            }
        })
    }
}

/// Whether a socket may go to this address and port, and by which grant. `names` are those that were looked up for the
/// plugin and had this address; the address by itself is what a guest that looked nothing up goes to. Without an address
/// it is said of the names alone, as far as that can be said before they are looked up.
#[must_use]
pub(super) fn decide_connect(
    grants: &[SocketGrant],
    address: Option<IpAddr>,
    port: u16,
    names: &[HttpHost],
) -> SocketDecision {
    let misfit = |grant: &SocketGrant| misfit(grant, address, port, names);
    match grants.iter().position(|grant| misfit(grant).is_none()) {
        Some(index) => SocketDecision::Allowed(index),
        None => SocketDecision::Denied(grants.iter().filter_map(misfit).max().unwrap_or(SocketDeny::Nothing)),
    }
}

fn misfit(grant: &SocketGrant, address: Option<IpAddr>, port: u16, names: &[HttpHost]) -> Option<SocketDeny> {
    let by_address =
        address.is_some_and(|address| grant.host.fits(&HttpHost::Address(address.to_canonical())));
    if guarded!("socket-host", !by_address && !names.iter().any(|name| grant.host.fits(name))) {
        Some(SocketDeny::Host)
    } else if guarded!("socket-port", grant.port != port) {
        Some(SocketDeny::Port)
    } else if guarded!("socket-private", !grant.private_addresses && address.is_some_and(is_blocked)) {
        Some(SocketDeny::Private)
    } else {
        None
    }
}

/// A grant that names hosts, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Of HTTP.
    Http(usize),
    /// Of TCP.
    Tcp(usize),
    /// Of UDP.
    Udp(usize),
    /// Of look-ups.
    Resolve(usize),
}

/// Whether a name may be looked up: `None` when not; else by which grant, and whether the plugin may be told addresses
/// that are not on the public network. A host of any grant may be looked up, because going there does it too.
#[must_use]
pub(super) fn decide_lookup(grants: &Grants, name: &HttpHost) -> Option<(Naming, bool)> {
    let Grants { http, tcp, udp, resolve, .. } = grants;
    let http = http.iter().enumerate().map(|(n, g)| (Naming::Http(n), &g.host, g.private_addresses));
    let tcp = tcp.iter().enumerate().map(|(n, g)| (Naming::Tcp(n), &g.host, g.private_addresses));
    let udp = udp.iter().enumerate().map(|(n, g)| (Naming::Udp(n), &g.host, g.private_addresses));
    let named = resolve.iter().enumerate().map(|(n, host)| (Naming::Resolve(n), host, host.names_private()));
    let fitting = http.chain(tcp).chain(udp).chain(named).filter(|(_, host, _)| host.fits(name));
    let fitting = fitting.map(|(by, _, private)| (by, private));
    fitting.reduce(|one, other| if other.1 && !one.1 { other } else { one })
}

impl HostPattern {
    /// The one host it covers; `None` when it covers many.
    #[must_use]
    pub fn as_host(&self) -> Option<HttpHost> {
        match self {
            Self::Name(name) => Some(HttpHost::Name(name.clone())),
            Self::Address(address) => Some(HttpHost::Address(*address)),
            Self::Below(_) => None,
        }
    }
}

impl fmt::Display for SocketPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
