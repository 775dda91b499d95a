//! Decides whether an outbound HTTP request was granted, and says why not. Pure: it parses and compares
//! text, resolves no name and opens no connection; the sandbox asks here before it does either.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{HostPattern, HttpGrant, HttpScheme, PathPrefix, is_blocked};

/// Longest host name, in bytes (RFC 1035, 2.3.4, without the trailing dot).
const MAX_HOST: usize = 253;
/// Longest label of a host name, in bytes (RFC 1035, 2.3.4).
const MAX_LABEL: usize = 63;
/// Longest path, in bytes, without the query.
const MAX_PATH: usize = 8 << 10;
/// Bytes of a path that are shown to a person.
const SHOWN_PATH: usize = 200;

/// What a guest wants to do, parsed once. The same value is judged, resolved, dialled and written into
/// the `Host` header, so that no two parts of the host can read one text differently.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpOperation {
    scheme: HttpScheme,
    host: HttpHost,
    port: u16,
    method: String,
    path: String,
}

/// The host of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HttpHost {
    /// A name in lower case without a trailing dot; internationalised names only as punycode.
    Name(String),
    /// An address; IPv4 in IPv6 clothes (`::ffff:0:0/96`) is undressed.
    Address(IpAddr),
}

/// Why a request is not even looked up: there is more than one way to read it, or it has no place here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OddRequest {
    /// `user:password@host`.
    #[error("a user or password before the host is not supported")]
    UserInfo,
    /// Not a host name or address.
    #[error("the host is not a name or an address")]
    Host,
    /// A number that some resolvers read as an address, such as `2130706433` or `0x7f.1`.
    #[error("the host is a number but not an IPv4 address of four decimal parts")]
    NumericHost,
    /// Empty, zero, or not a number.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// `CONNECT` and `TRACE`, which are not requests to the named resource, or not a token.
    #[error("this method is not supported")]
    Method,
    /// `.` or `..` as a segment, plain, encoded, or behind path parameters.
    #[error("the path has a `.` or `..` segment; send the path it stands for")]
    Dots,
    /// A backslash, a control character, not ASCII, no leading slash, or a broken escape.
    #[error("the path has a backslash, a control character or a broken escape, or does not begin with `/`")]
    Path,
    /// Over 8 KiB.
    #[error("the path is longer than 8192 bytes")]
    PathLength,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// By the grant at this index. Of several that fit, one that allows private addresses comes first,
    /// because a request holds all that any fitting grant gives.
    Allowed(usize),
    /// By none.
    Denied(DenyReason),
}

/// The first part of the request that no grant fits, of the grants that fit longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DenyReason {
    /// There is no grant of HTTP at all.
    Nothing,
    /// The host.
    Host,
    /// The scheme.
    Scheme,
    /// The port.
    Port,
    /// The path.
    Path,
    /// The method.
    Method,
    /// The address, which is not on the public network.
    Private,
}

impl fmt::Display for DenyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "it holds no outbound HTTP",
            Self::Host => "it holds no grant for this host",
            Self::Scheme => "its grants for this host are for another scheme",
            Self::Port => "its grants for this host are for another port",
            Self::Path => "its grants for this host are for other paths",
            Self::Method => "its grants for this place are for other methods",
            Self::Private => {
                "the host has a private, local or reserved address, which its grant does not allow"
            }
        })
    }
}

impl HttpOperation {
    /// Parses the parts of a request as the guest wrote them; `path` is without the query, and empty
    /// means `/`.
    ///
    /// # Errors
    /// When a part could be read in two ways, or is of no use here.
    pub fn parse(method: &str, scheme: HttpScheme, authority: &str, path: &str) -> Result<Self, OddRequest> {
        if !is_token(method) || matches!(method, "CONNECT" | "TRACE") {
            return Err(OddRequest::Method);
        }
        let (host, port) = parse_authority(authority)?;
        let usual = match scheme {
            HttpScheme::Http => 80,
            HttpScheme::Https => 443,
        };
        let path = if path.is_empty() { "/" } else { path };
        check_path(path)?;
        let (method, path) = (method.to_owned(), path.to_owned());
        Ok(Self { scheme, host, port: port.unwrap_or(usual), method, path })
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> HttpScheme {
        self.scheme
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &HttpHost {
        &self.host
    }

    /// The port, the scheme's own when none was written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Host and port, the port always.
    #[must_use]
    pub fn destination(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Host and port as the `Host` header has them (RFC 9110, 7.2): the scheme's own port is left out.
    #[must_use]
    pub fn authority(&self) -> String {
        match (self.scheme, self.port) {
            (HttpScheme::Http, 80) | (HttpScheme::Https, 443) => self.host.to_string(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for HttpHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

/// `GET https://host:port/path`, with the port always and the query never: queries hold secrets.
impl fmt::Display for HttpOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme;
        // The path is printable ASCII, so a byte is a character.
        let (path, more) = match self.path.get(..SHOWN_PATH) {
            Some(start) => (start, "…"),
            None => (self.path.as_str(), ""),
        };
        write!(f, "{} {scheme}://{}:{}{path}{more}", self.method, self.host, self.port)
    }
}

/// Whether a grant allows the request, and which.
#[must_use]
pub(super) fn decide(grants: &[HttpGrant], operation: &HttpOperation) -> Decision {
    let fits = |grant: &HttpGrant| misfit(grant, operation).is_none();
    let allowed = grants
        .iter()
        .position(|grant| grant.private_addresses && fits(grant))
        .or_else(|| grants.iter().position(fits));
    match allowed {
        Some(index) => Decision::Allowed(index),
        None => Decision::Denied(
            grants.iter().filter_map(|grant| misfit(grant, operation)).max().unwrap_or(DenyReason::Nothing),
        ),
    }
}

/// The first part that does not fit, in the order of [`DenyReason`].
pub(super) fn misfit(grant: &HttpGrant, operation: &HttpOperation) -> Option<DenyReason> {
    if guarded!("http-host", !grant.host.fits(&operation.host)) {
        Some(DenyReason::Host)
    } else if guarded!("http-scheme", grant.scheme != operation.scheme) {
        Some(DenyReason::Scheme)
    } else if guarded!("http-port", grant.port != operation.port) {
        Some(DenyReason::Port)
    } else if guarded!("http-path", !grant.path.fits(&operation.path)) {
        Some(DenyReason::Path)
    } else if guarded!("http-method", !grant.methods.contains(&operation.method)) {
        Some(DenyReason::Method)
    } else if !grant.private_addresses
        && matches!(operation.host, HttpHost::Address(address) if is_blocked(address))
    {
        // What a name stands for is seen when it is resolved; an address says it by itself.
        Some(DenyReason::Private)
    } else {
        None
    }
}

impl HostPattern {
    /// Whether the pattern covers this host.
    #[must_use]
    pub fn fits(&self, host: &HttpHost) -> bool {
        match (self, host) {
            (Self::Name(name), HttpHost::Name(host)) => name == host,
            (Self::Below(name), HttpHost::Name(host)) => host
                .strip_suffix(name.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|rest| !rest.is_empty()),
            (Self::Address(address), HttpHost::Address(host)) => address.to_canonical() == *host,
            (Self::Address(_), HttpHost::Name(_))
            | (Self::Name(_) | Self::Below(_), HttpHost::Address(_)) => false,
        }
    }
}

impl PathPrefix {
    /// Whether the path is the prefix or lies below it, by whole segments, byte for byte: an escape that
    /// another server might undo fits only a prefix with the same escape.
    #[must_use]
    pub fn fits(&self, path: &str) -> bool {
        let prefix = self.as_str().trim_end_matches('/');
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// A token of RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Host and port of `host[:port]`, with one reading only.
pub(super) fn parse_authority(text: &str) -> Result<(HttpHost, Option<u16>), OddRequest> {
    if guarded!("user-info", text.contains('@')) {
        return Err(OddRequest::UserInfo);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or(OddRequest::Host)?;
        // Zone identifiers (`%eth0`) do not parse, and have no place in a grant.
        let address: Ipv6Addr = address.parse().map_err(|_| OddRequest::Host)?;
        let port = match port.strip_prefix(':') {
            Some(port) => Some(parse_port(port)?),
            None if port.is_empty() => None,
            None => return Err(OddRequest::Port),
        };
        return Ok((HttpHost::Address(IpAddr::V6(address).to_canonical()), port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(parse_port(port)?)),
        None => (text, None),
    };
    Ok((parse_host(host)?, port))
}

fn parse_port(text: &str) -> Result<u16, OddRequest> {
    // `u16::from_str` also reads `+80`, and readers differ about `080`.
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten().ok_or(OddRequest::Port)
}

/// A name or an IPv4 address, with one reading only. IPv6 addresses stand in brackets, in an authority.
pub(crate) fn parse_host(text: &str) -> Result<HttpHost, OddRequest> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let plain = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > MAX_HOST || !name.split('.').all(plain) {
        return Err(OddRequest::Host);
    }
    // Of what claims to stand for other letters, only what every reader of URLs takes for the same name.
    if name.split('.').any(|label| label.starts_with("xn--"))
        && !matches!(url::Host::parse(&name), Ok(url::Host::Domain(read)) if read == name)
    {
        return Err(OddRequest::Host);
    }
    // The rule of the URL standard, "ends in a number checker": such a host is an IPv4 address or nothing,
    // because getaddrinfo reads `0x7f.1`, `017700000001` and `2130706433` as 127.0.0.1.
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    if guarded!("numeric-hosts", hex || last.bytes().all(|b| b.is_ascii_digit())) {
        let address: Ipv4Addr = name.parse().map_err(|_| OddRequest::NumericHost)?;
        return Ok(HttpHost::Address(address.into()));
    }
    Ok(HttpHost::Name(name))
}

/// Refuses each path that a server could take for another one. Nothing is rewritten: what was judged is
/// what is sent.
fn check_path(path: &str) -> Result<(), OddRequest> {
    if path.len() > MAX_PATH {
        return Err(OddRequest::PathLength);
    }
    if !path.starts_with('/') || !path.bytes().all(|b| b.is_ascii_graphic() && !b"?#".contains(&b)) {
        return Err(OddRequest::Path);
    }
    // Servers and proxies in a row may each decode once, so every depth of encoding is looked at. A round
    // that changes something makes the text shorter, so this ends.
    let mut bytes = path.as_bytes().to_vec();
    let mut first = true;
    loop {
        if bytes.iter().any(|b| *b == b'\\' || b.is_ascii_control()) {
            return Err(OddRequest::Path);
        }
        if guarded!("path-dots", bytes.split(|b| *b == b'/').any(is_dots)) {
            return Err(OddRequest::Dots);
        }
        let (decoded, whole) = percent_decoded(&bytes);
        // `%zz` as written is broken; deeper down `100%25` has become a plain `100%`, which is fine.
        if first && !whole {
            return Err(OddRequest::Path);
        }
        first = false;
        if decoded.len() == bytes.len() {
            return Ok(());
        }
        bytes = decoded;
    }
}

/// `.`, `..`, and with path parameters (`..;x`), which some servers cut off before they resolve dots.
fn is_dots(segment: &[u8]) -> bool {
    matches!(segment.split(|b| *b == b';').next(), Some(b"." | b".."))
}

/// One round of percent-decoding, and whether each `%` was followed by two hexadecimal digits.
fn percent_decoded(bytes: &[u8]) -> (Vec<u8>, bool) {
    let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let (mut out, mut whole, mut at) = (Vec::with_capacity(bytes.len()), true, 0);
    while let Some(byte) = bytes.get(at) {
        let value = if *byte == b'%' { digit(at + 1).zip(digit(at + 2)) } else { None };
        match value.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                whole &= *byte != b'%';
                out.push(*byte);
                at += 1;
            }
        }
    }
    (out, whole)
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
