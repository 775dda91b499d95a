//! Where the browser listens: the setting `address`, and what is said to it as `Host`.
//! Must not resolve or dial anything.

use kennel_sdk::prelude::*;

/// Where Chromium listens when it is started with `--remote-debugging-port=9222`.
const DEFAULT: &str = "127.0.0.1:9222";

/// A host and a port, as a person wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// The setting `address`, or the usual place.
    ///
    /// # Errors
    /// [`Error::Failed`] naming the setting, when it is not a host and a port.
    pub(crate) fn of_the_browser() -> Result<Self> {
        let setting: Option<String> = setting("address")?;
        Self::parse(setting.as_deref().unwrap_or(DEFAULT))
    }

    fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::failed(format!(
                "the setting `address` is \"{text}\": write a host and a port, such as \"{DEFAULT}\""
            ))
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        // An IPv6 address stands in brackets, or its last group would be taken for the port.
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let fits = match bare {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
            }
        };
        if fits { Ok(Self { host: host.to_owned(), port }) } else { Err(wrong()) }
    }

    /// Host and port for dialling: an IPv6 address without its brackets.
    pub(crate) fn to_dial(&self) -> (&str, u16) {
        (self.host.trim_start_matches('[').trim_end_matches(']'), self.port)
    }

    /// What goes into the `Host` field. Chromium answers to addresses and `localhost` only, so that no web page can
    /// reach it through a name of its own; a person who granted another name has made that decision already.
    pub(crate) fn authority(&self) -> String {
        let literal = self.host.starts_with('[') || self.host.parse::<std::net::Ipv4Addr>().is_ok();
        let host = if literal { self.host.as_str() } else { "localhost" };
        format!("{host}:{}", self.port)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (text, dial, authority) in [
            ("127.0.0.1:9222", ("127.0.0.1", 9222), "127.0.0.1:9222"),
            ("[::1]:9", ("::1", 9), "[::1]:9"),
            ("localhost:65535", ("localhost", 65535), "localhost:65535"),
            ("browser.test:1", ("browser.test", 1), "localhost:1"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(
                (address.to_dial(), address.authority().as_str(), address.to_string()),
                (dial, authority, text.to_owned())
            );
        }
        for text in
            ["", "9222", ":9222", "a:0", "a:65536", "::1:9222", "[a]:1", "http://a:1", "a b:1", "a:1/x"]
        {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains("`address`") && error.contains("127.0.0.1:9222"), "{text}: {error}");
        }
    }
}
