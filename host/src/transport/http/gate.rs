//! Who may come in at all: the names this server goes by (against DNS rebinding), the web pages that may call it,
//! and the tokens. Decides by a request's head alone; does no I/O.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use url::Url;

use crate::mcp::{Caller, MayApprove};

/// Fewest characters of a token.
pub const MIN_TOKEN: usize = 32;

/// What may come in besides what comes from this machine.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// More names that clients may call this server by (`host` or `host:port`).
    pub allowed_hosts: Vec<String>,
    /// More origins whose web pages may call it (`scheme://host[:port]`).
    pub allowed_origins: Vec<String>,
    /// Bearer tokens; each is a caller of its own. Without any, whoever reaches the address may call.
    pub tokens: Vec<String>,
    /// Those of the tokens whose callers may be asked to allow a plugin more.
    pub approvers: Vec<String>,
}

/// What is wrong with an [`Access`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// No host.
    #[error("the allowed host {0:?} is none; write it like example.com or example.com:8080")]
    Host(String),
    /// No origin.
    #[error("the allowed origin {0:?} is none; write it like https://example.com or http://localhost:3000")]
    Origin(String),
    /// A token that is easy to guess, or that no header can carry.
    #[error(
        "a token must have at least {MIN_TOKEN} characters, all visible ASCII; make one with `openssl rand -hex 32`"
    )]
    Token,
}

/// Why a request may not come in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("the request needs exactly one readable Host header")]
    NoHost,
    #[error("this server does not go by the name {0:?}; start it with --allowed-host {0} if it should")]
    Host(String),
    #[error("web pages of {0:?} may not call this server; start it with --allowed-origin {0} if they should")]
    Origin(String),
    #[error("this server needs a token it knows, as \"Authorization: Bearer TOKEN\"")]
    Token,
}

impl Denied {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoHost => StatusCode::BAD_REQUEST,
            Self::Host(_) | Self::Origin(_) => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }
}

struct Token {
    /// Compared in constant time, and never kept as it is.
    hash: blake3::Hash,
    caller: Arc<str>,
    approves: bool,
}

pub(super) struct Gate {
    hosts: Vec<(String, Option<u16>)>,
    origins: Vec<url::Origin>,
    tokens: Vec<Token>,
    open: Arc<str>,
}

impl Gate {
    /// `bound` is the address it listens at, a name that it goes by when it is one.
    pub(super) fn new(access: &Access, bound: IpAddr) -> Result<Self, AccessError> {
        let mut hosts = Vec::new();
        if !bound.is_unspecified() {
            hosts.push((bound.to_string(), None));
        }
        for text in &access.allowed_hosts {
            let authority = Authority::try_from(text.as_str())
                .ok()
                .filter(|authority| !authority.host().is_empty() && !text.contains('@'));
            let authority = authority.ok_or_else(|| AccessError::Host(text.clone()))?;
            hosts.push((host_name(&authority), authority.port_u16()));
        }
        let mut origins = Vec::new();
        for text in &access.allowed_origins {
            origins.push(origin(text).ok_or_else(|| AccessError::Origin(text.clone()))?);
        }
        let mut tokens = Vec::new();
        for text in &access.tokens {
            if guarded!("token-length", text.len() < MIN_TOKEN)
                || !text.bytes().all(|byte| byte.is_ascii_graphic())
            {
                return Err(AccessError::Token);
            }
            let hash = blake3::hash(text.as_bytes());
            // Not the hash that tokens are compared by: this one is told to plugins.
            let name = blake3::derive_key("kennel caller of an HTTP token", text.as_bytes());
            let caller = format!("http:{}", &blake3::Hash::from(name).to_hex()[..32]).into();
            tokens.push(Token { hash, caller, approves: access.approvers.contains(text) });
        }
        Ok(Self { hosts, origins, tokens, open: "http:local".into() })
    }

    /// Host and origin, which every request must have right.
    pub(super) fn check_place(&self, parts: &Parts) -> Result<(), Denied> {
        let host = only(&parts.headers, &header::HOST).ok_or(Denied::NoHost)?;
        let host = Authority::try_from(host).map_err(|_| Denied::NoHost)?;
        for authority in std::iter::once(&host).chain(parts.uri.authority()) {
            let (name, port) = (host_name(authority), authority.port_u16());
            let known = |(allowed, at): &(String, Option<u16>)| {
                *allowed == name && at.is_none_or(|at| port == Some(at))
            };
            if guarded!("http-hosts", !(is_loopback(&name) || self.hosts.iter().any(known))) {
                return Err(Denied::Host(authority.to_string()));
            }
        }
        if !parts.headers.contains_key(header::ORIGIN) {
            return Ok(());
        }
        let text = only(&parts.headers, &header::ORIGIN).unwrap_or("(unreadable)");
        let allowed = origin(text).is_some_and(|origin| {
            let local = matches!(&origin, url::Origin::Tuple(scheme, host, _)
                if matches!(scheme.as_str(), "http" | "https") && is_loopback(&bare(&host.to_string())));
            local || self.origins.contains(&origin)
        });
        if guarded!("http-origins", !allowed) { Err(Denied::Origin(text.to_owned())) } else { Ok(()) }
    }

    /// Whose request it is, and whether that caller may be asked to allow a plugin more. Without a token nobody may.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<(Caller, Option<MayApprove>), Denied> {
        if guarded!("http-tokens", self.tokens.is_empty(), without true) {
            return Ok((Caller(self.open.clone()), None));
        }
        let given = only(headers, &header::AUTHORIZATION).ok_or(Denied::Token)?;
        let (scheme, token) = given.split_once(' ').ok_or(Denied::Token)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Denied::Token);
        }
        let hash = blake3::hash(token.trim().as_bytes());
        // All are looked at, and each in constant time.
        let known = self.tokens.iter().filter(|known| known.hash == hash);
        let known = known.reduce(|_, known| known).ok_or(Denied::Token)?;
        Ok((Caller(known.caller.clone()), known.approves.then_some(MayApprove)))
    }
}

/// A header that is there once and is text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn bare(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

fn host_name(authority: &Authority) -> String {
    bare(authority.host())
}

/// The names that only this machine has. Not all of 127.0.0.0/8: nobody needs the others.
fn is_loopback(name: &str) -> bool {
    matches!(name, "localhost" | "127.0.0.1" | "::1")
}

/// An origin as a browser writes it: a scheme, a host, perhaps a port, and nothing else.
fn origin(text: &str) -> Option<url::Origin> {
    let url = Url::parse(text).ok()?;
    let origin = url.origin();
    let plain = matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && !text.ends_with('/');
    (plain && origin.is_tuple()).then_some(origin)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use axum::http::Request;
    use proptest::prelude::*;

    fn gate(access: &Access) -> Gate {
        Gate::new(access, "127.0.0.1".parse().unwrap()).unwrap()
    }

    fn place(gate: &Gate, headers: &[(&str, &str)]) -> Result<(), Denied> {
        let mut request = Request::builder().uri("/mcp");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        gate.check_place(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn hosts_and_origins() {
        let access = Access {
            allowed_hosts: vec!["Tools.example.com".into(), "other.example:8443".into()],
            allowed_origins: vec!["https://app.example.com".into()],
            tokens: vec![],
            approvers: vec![],
        };
        let gate = gate(&access);
        for host in [
            "localhost",
            "localhost:99",
            "LOCALHOST:1",
            "127.0.0.1:80",
            "[::1]:8",
            "tools.example.com:5",
            "other.example:8443",
        ] {
            assert_eq!(place(&gate, &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "other.example",
            "other.example:1",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "tools.example.com.",
            "0.0.0.0",
            "localhost@evil.example",
            "2130706433",
        ] {
            assert!(place(&gate, &[("host", host)]).is_err(), "{host}");
        }
        assert_eq!(place(&gate, &[]), Err(Denied::NoHost));
        assert_eq!(place(&gate, &[("host", "localhost"), ("host", "localhost")]), Err(Denied::NoHost));
        for origin in [
            "http://localhost:3000",
            "https://localhost",
            "http://127.0.0.1:9",
            "http://[::1]:9",
            "https://app.example.com",
            "https://app.example.com:443",
        ] {
            assert_eq!(place(&gate, &[("host", "localhost"), ("origin", origin)]), Ok(()), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://app.example.com",
            "https://app.example.com:444",
            "https://app.example.com.evil.example",
            "https://app.example.com/path",
            "https://evil@app.example.com",
            "http://localhost.evil.example",
            "file://",
            "ftp://localhost",
            "moz-extension://localhost",
            "localhost",
            "http://127.0.0.2",
        ] {
            let headers = [("host", "localhost"), ("origin", origin)];
            assert!(matches!(place(&gate, &headers), Err(Denied::Origin(_))), "{origin}");
        }
        let twice = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://localhost")];
        assert!(matches!(place(&gate, &twice), Err(Denied::Origin(_))));
    }

    #[test]
    fn what_is_no_access() {
        let with = |hosts: &[&str], origins: &[&str], tokens: &[&str]| {
            let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
            let access = Access {
                allowed_hosts: own(hosts),
                allowed_origins: own(origins),
                tokens: own(tokens),
                approvers: vec![],
            };
            Gate::new(&access, "0.0.0.0".parse().unwrap()).err()
        };
        assert_eq!(with(&["a b"], &[], &[]), Some(AccessError::Host("a b".into())));
        assert_eq!(with(&["u@h"], &[], &[]), Some(AccessError::Host("u@h".into())));
        assert_eq!(with(&[], &["example.com"], &[]), Some(AccessError::Origin("example.com".into())));
        assert_eq!(with(&[], &["https://a/b"], &[]), Some(AccessError::Origin("https://a/b".into())));
        assert_eq!(with(&[], &[], &["short"]), Some(AccessError::Token));
        assert_eq!(with(&[], &[], &[&"x ".repeat(20)]), Some(AccessError::Token));
        assert_eq!(with(&["[::1]:5", "h"], &["https://a:5"], &[&"x".repeat(32)]), None);
    }

    fn with_authorization(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn each_token_is_a_caller() {
        let (one, two) = ("a".repeat(32), "b".repeat(32));
        let tokens = vec![one.clone(), two.clone()];
        let gate = gate(&Access { tokens, approvers: vec![two.clone()], ..Access::default() });
        let asked = |value: &str| gate.caller(&with_authorization(value));
        assert_eq!(asked(&format!("Bearer {one}")).unwrap().1, None);
        assert_eq!(asked(&format!("Bearer {two}")).unwrap().1, Some(MayApprove));
        let caller = |value: &str| asked(value).map(|(caller, _)| caller);
        let first = caller(&format!("Bearer {one}")).unwrap();
        assert_eq!(caller(&format!("bearer {one}")).unwrap(), first);
        assert_ne!(caller(&format!("Bearer {two}")).unwrap(), first);
        assert!(!first.0.contains(&one) && first.0.starts_with("http:"));
        assert_eq!(gate.caller(&HeaderMap::new()), Err(Denied::Token));
        let mut twice = with_authorization(&format!("Bearer {one}"));
        twice.append(header::AUTHORIZATION, format!("Bearer {one}").parse().unwrap());
        assert_eq!(gate.caller(&twice), Err(Denied::Token));
    }

    proptest! {
        #[test]
        fn no_other_token_is_let_in(token in "[!-~]{0,40}", scheme in "(Bearer|Basic|)") {
            let right = "k".repeat(32);
            let gate = gate(&Access { tokens: vec![right.clone()], ..Access::default() });
            let let_in = gate.caller(&with_authorization(&format!("{scheme} {token}"))).is_ok();
            prop_assert_eq!(let_in, scheme == "Bearer" && token == right);
        }

        #[test]
        fn no_other_host_is_let_in(host in "[a-z0-9.:@\\[\\]-]{1,30}") {
            let gate = gate(&Access::default());
            if place(&gate, &[("host", &host)]).is_ok() {
                let name = Authority::try_from(host.as_str()).unwrap();
                prop_assert!(["localhost", "127.0.0.1", "[::1]"].contains(&name.host()), "{}", host);
            }
        }
    }
}
