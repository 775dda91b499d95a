//! Turns the URL of a grant or of an ask into its exact parts: scheme, host pattern, port, path
//! prefix. Decides nothing: whether a request fits is for `http`.

use std::fmt;

use url::{Host, Url};

use super::{HostPattern, HttpScheme, PathPrefix};

/// Where HTTP may go: everything of an `HttpGrant` that its URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpPlace {
    /// `http` or `https`.
    pub scheme: HttpScheme,
    /// Which hosts.
    pub host: HostPattern,
    /// Written, or the scheme's own.
    pub port: u16,
    /// `/` when none is written.
    pub path: PathPrefix,
}

/// Why a text is no such place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Not a URL at all.
    #[error("{0:?} is not a URL ({1}); write for example \"https://api.example.org/v1\"")]
    Url(String, String),
    /// Not HTTP.
    #[error("{0:?} is not http:// or https://")]
    Scheme(String),
    /// A user or password.
    #[error("{0:?} holds a user or password; secrets are not part of a grant")]
    UserInfo(String),
    /// A query or fragment.
    #[error("{0:?} has a query or fragment; a grant ends with the path")]
    Query(String),
    /// `.` or `..`, plain or encoded.
    #[error("{0:?} has a \".\" or \"..\" in its path; write the path itself")]
    Dots(String),
    /// `*` elsewhere than as the first label.
    #[error("{0:?}: \"*\" may stand only as the whole first label, as in \"https://*.example.org\"")]
    Star(String),
}

impl HttpPlace {
    /// Reads `scheme://host[:port][/path-prefix]`; the host may be `*.example.org` or an address.
    ///
    /// # Errors
    /// When the text has another form or says more than a grant can hold.
    pub fn parse(text: &str) -> Result<Self, PlaceError> {
        let owned = || text.to_owned();
        // The parser resolves dots, so they are looked for before: `/v1/../admin` must not read as `/admin`.
        let lower = text.to_ascii_lowercase().replace("%2e", ".").replace('\\', "/");
        if lower.split(['?', '#']).next().unwrap_or("").split('/').any(|s| s == "." || s == "..") {
            return Err(PlaceError::Dots(owned()));
        }
        let url = Url::parse(text).map_err(|error| PlaceError::Url(owned(), error.to_string()))?;
        let scheme = match url.scheme() {
            "http" => HttpScheme::Http,
            "https" => HttpScheme::Https,
            _ => return Err(PlaceError::Scheme(owned())),
        };
        if !url.username().is_empty() || url.password().is_some() || lower.contains('@') {
            return Err(PlaceError::UserInfo(owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(PlaceError::Query(owned()));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => host_name(name).ok_or_else(|| {
                if name.contains('*') {
                    PlaceError::Star(owned())
                } else {
                    PlaceError::Url(owned(), "empty part of the host's name".to_owned())
                }
            })?,
            Some(Host::Ipv4(address)) => HostPattern::Address(address.into()),
            // `::ffff:127.0.0.1` is 127.0.0.1, whichever way it is written.
            Some(Host::Ipv6(address)) => HostPattern::Address(address.to_canonical()),
            None => return Err(PlaceError::Url(owned(), "no host".to_owned())),
        };
        let port = url.port_or_known_default().filter(|port| *port != 0);
        let port = port.ok_or_else(|| PlaceError::Url(owned(), "no port".to_owned()))?;
        let path = url.path();
        let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
        let path = PathPrefix::new(if path.is_empty() { "/" } else { path });
        let path = path.ok_or_else(|| PlaceError::Url(owned(), "odd path".to_owned()))?;
        Ok(Self { scheme, host, port, path })
    }

    /// Whether the place itself names a host that is not on the public network, so that a grant of it needs no
    /// further word.
    #[must_use]
    pub fn names_private(&self) -> bool {
        self.host.names_private()
    }
}

impl HostPattern {
    /// Whether the pattern itself names a host that is not on the public network: a literal address names
    /// exactly itself; `localhost` and names below it are loopback by RFC 6761.
    #[must_use]
    pub fn names_private(&self) -> bool {
        match self {
            Self::Address(_) => true,
            Self::Name(name) | Self::Below(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

fn host_name(name: &str) -> Option<HostPattern> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let (below, name) = match name.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, name),
    };
    let good = !name.is_empty() && !name.contains('*') && name.split('.').all(|label| !label.is_empty());
    good.then(|| {
        let name = name.to_owned();
        if below { HostPattern::Below(name) } else { HostPattern::Name(name) }
    })
}

impl fmt::Display for HttpScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Address(std::net::IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

impl fmt::Display for HttpPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, path } = self;
        let usual = matches!((scheme, port), (HttpScheme::Http, 80) | (HttpScheme::Https, 443));
        write!(f, "{scheme}://{host}")?;
        if !usual {
            write!(f, ":{port}")?;
        }
        if path.as_str() != "/" { f.write_str(path.as_str()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_places_in_one_spelling() {
        for (text, shown) in [
            ("https://api.example.org", "https://api.example.org"),
            ("https://API.Example.ORG.:443/v1/", "https://api.example.org/v1"),
            ("http://*.example.org:8080", "http://*.example.org:8080"),
            ("http://[::ffff:127.0.0.1]:1", "http://127.0.0.1:1"),
            ("http://0x7f.1", "http://127.0.0.1"),
            ("http://[::1]/a", "http://[::1]/a"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(HttpPlace::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn refusals_say_why() {
        let say = |text: &str| HttpPlace::parse(text).unwrap_err().to_string();
        let all: Vec<_> = [
            "api.example.org",
            "ftp://example.org",
            "https://a:b@example.org",
            "https://@example.org",
            "https://example.org/?q",
            "https://example.org/#f",
            "https://example.org/a/../b",
            "https://example.org/%2E%2e/b",
            "https://example.org\\..\\b",
            "https://*",
            "https://*.",
            "https://a.*.org",
            "https://a*.org",
            "https://*.*.org",
            "https://",
            "https://a..b",
            "http://a:0",
        ]
        .iter()
        .map(|text| say(text))
        .collect();
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn private_names() {
        for (text, private) in [
            ("http://localhost", true),
            ("http://a.localhost", true),
            ("http://127.0.0.1", true),
            ("http://notlocalhost", false),
            ("https://example.org", false),
        ] {
            assert_eq!(HttpPlace::parse(text).unwrap().names_private(), private, "{text}");
        }
    }

    proptest! {
        #[test]
        fn shown_places_read_back(text in r"https?://(\*\.)?[a-z]{1,5}(\.[a-z]{2,5}){1,2}(:[1-9][0-9]{1,3})?(/[a-z0-9~%.]{1,6}){0,3}/?") {
            if let Ok(place) = HttpPlace::parse(&text) {
                prop_assert_eq!(HttpPlace::parse(&place.to_string()).unwrap(), place);
            }
        }
    }
}
