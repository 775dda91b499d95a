//! The way out of this machine that a person configured for all plugins. Grants nothing: a proxy and an authority say
//! how a granted host is reached, never whether.

use std::fmt;

use super::{HostPattern, HttpHost};

/// The way out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// Certificate authorities trusted beside the machine's own, as DER.
    pub authorities: Vec<Vec<u8>>,
    /// The proxy that HTTP goes through.
    pub proxy: Option<Proxy>,
}

/// An HTTP proxy. It is dialled as configured, whatever address it has.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Whether the connection to the proxy is TLS.
    pub tls: bool,
    /// Its host.
    pub host: HttpHost,
    /// Its port.
    pub port: u16,
    /// What it is told of who asks: the value of `Proxy-Authorization`. Secret.
    pub authorization: Option<String>,
    /// Whether it looks names up itself. Then the host cannot check the addresses of names, and plain `http` goes in
    /// absolute form; else the proxy is only ever told an address that was checked.
    pub resolves: bool,
    /// Hosts that are reached without it.
    pub except: Vec<HostPattern>,
}

impl Proxy {
    /// Whether requests to this host go through it.
    #[must_use]
    pub fn serves(&self, host: &HttpHost) -> bool {
        !self.except.iter().any(|except| except.fits(host))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tls, host, port, authorization, resolves, except } = self;
        f.debug_struct("Proxy")
            .field("tls", tls)
            .field("host", &host.to_string())
            .field("port", port)
            .field("authorization", &authorization.as_ref().map(|_| "hidden"))
            .field("resolves", resolves)
            .field("except", except)
            .finish()
    }
}
