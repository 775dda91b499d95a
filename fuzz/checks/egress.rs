//! What must hold of the rules of outbound HTTP for any request and any grant: a request is read in one way, the way the URL
//! standard reads it; what is written into `Host` reads as the same place; and what is allowed lies in the grant by a reading
//! that is not ours. Shared by the fuzzer and by the replay of its corpus (`host/tests/corpus/`).

use std::net::IpAddr;

use kennel::grants::{
    Decision, Grants, HostPattern, HttpGrant, HttpHost, HttpOperation, HttpPlace, HttpScheme, Operation, Rule,
};
use url::{Host, Url};

/// The input: method, scheme, authority, path and the granted URL, one a line. Panics when something does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.splitn(5, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (method, scheme, authority, path, granted) = (next(), next(), next(), next(), next());
    let (scheme, name) =
        if scheme == "https" { (HttpScheme::Https, "https") } else { (HttpScheme::Http, "http") };
    let operation = match HttpOperation::parse(method, scheme, authority, path) {
        Ok(operation) => operation,
        Err(why) => return assert_eq!(why.to_string().lines().count(), 1),
    };
    let shown = operation.to_string();
    assert!(
        shown.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ' || !byte.is_ascii()),
        "{shown:?}"
    );

    // The URL standard reads the same host and port, and leaves the path's segments as they are.
    let url = Url::parse(&format!("{name}://{authority}{}", if path.is_empty() { "/" } else { path }))
        .unwrap_or_else(|error| panic!("{error}, but read as {shown}"));
    assert!(same_host(operation.host(), &url), "{shown} is {url}");
    assert_eq!(Some(operation.port()), url.port_or_known_default(), "{shown} is {url}");
    assert!(url.username().is_empty() && url.password().is_none(), "{shown} is {url}");
    let segments = |path: &str| path.split('/').count();
    assert_eq!(segments(if path.is_empty() { "/" } else { path }), segments(url.path()), "{shown} is {url}");

    // What goes into `Host` is the same place again.
    let again = HttpOperation::parse(method, scheme, &operation.authority(), path);
    assert_eq!(again.as_ref(), Ok(&operation), "read otherwise the second time");

    let decide = |http: Vec<HttpGrant>| {
        kennel::grants::decide(&Grants { http, ..Grants::default() }, &Operation::Http(&operation))
    };
    assert!(!decide(vec![]).is_allowed(), "allowed without a grant: {shown}");
    let Ok(place) = HttpPlace::parse(granted) else { return };
    let grant = |methods: &[&str]| HttpGrant {
        scheme: place.scheme,
        host: place.host.clone(),
        port: place.port,
        path: place.path.clone(),
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        private_addresses: false,
    };
    assert!(!decide(vec![grant(&[])]).is_allowed(), "allowed without a method: {shown}");
    if let Decision::Allowed(rule) = decide(vec![grant(&[method])]) {
        assert_eq!(rule, Rule::Http(0));
        assert_eq!(place.scheme, scheme, "{shown} by {granted}");
        assert_eq!(Some(place.port), url.port_or_known_default(), "{shown} by {granted}");
        let prefix = place.path.as_str().trim_end_matches('/');
        let below = url.path().strip_prefix(prefix);
        assert!(below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')), "{shown} by {granted}");
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        match &place.host {
            HostPattern::Name(name) => assert_eq!(name, host, "{shown} by {granted}"),
            HostPattern::Below(name) => {
                assert!(host.ends_with(&format!(".{name}")), "{shown} by {granted}");
            }
            HostPattern::Address(address) => {
                assert_eq!(Some(*address), address_of(&url), "{shown} by {granted}");
            }
        }
    }
}

fn address_of(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.to_canonical()),
        Host::Domain(_) => None,
    }
}

fn same_host(host: &HttpHost, url: &Url) -> bool {
    match (host, url.host()) {
        (HttpHost::Address(address), _) => Some(address.to_canonical()) == address_of(url),
        (HttpHost::Name(name), Some(Host::Domain(domain))) => domain.trim_end_matches('.') == name,
        (HttpHost::Name(_), _) => false,
    }
}
