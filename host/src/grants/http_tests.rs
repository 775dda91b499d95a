//! Tests of the decision on outbound HTTP: tables of odd spellings, and properties against an oracle
//! that is written differently on purpose. Must not share code with what it tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

fn grant(scheme: HttpScheme, host: HostPattern, port: u16, methods: &[&str], path: &str) -> HttpGrant {
    HttpGrant {
        scheme,
        host,
        port,
        methods: methods.iter().map(ToString::to_string).collect(),
        path: PathPrefix::new(path).unwrap(),
        private_addresses: false,
    }
}

fn name(text: &str) -> HostPattern {
    HostPattern::Name(text.to_owned())
}

fn get(authority: &str, path: &str) -> Result<HttpOperation, OddRequest> {
    HttpOperation::parse("GET", HttpScheme::Https, authority, path)
}

#[test]
fn hosts_have_one_reading() {
    for (written, read) in [
        ("api.example.org", Ok("api.example.org:443")),
        ("API.Example.ORG.", Ok("api.example.org:443")),
        ("a_b.example:8443", Ok("a_b.example:8443")),
        ("xn--bcher-kva.example", Ok("xn--bcher-kva.example:443")),
        ("xn--a.example", Err(OddRequest::Host)),
        ("127.0.0.1", Ok("127.0.0.1:443")),
        ("127.0.0.1.", Ok("127.0.0.1:443")),
        ("[::1]:1", Ok("[::1]:1")),
        ("[::FFFF:7f00:1]", Ok("127.0.0.1:443")),
        ("good.example@evil.example", Err(OddRequest::UserInfo)),
        ("@evil.example", Err(OddRequest::UserInfo)),
        ("", Err(OddRequest::Host)),
        (".", Err(OddRequest::Host)),
        ("a..b", Err(OddRequest::Host)),
        ("example.org..", Err(OddRequest::Host)),
        ("-a.example", Err(OddRequest::Host)),
        ("a b", Err(OddRequest::Host)),
        ("a/b", Err(OddRequest::Host)),
        ("a%2eb", Err(OddRequest::Host)),
        ("bücher.example", Err(OddRequest::Host)),
        ("ｅxample.org", Err(OddRequest::Host)),
        ("[::1", Err(OddRequest::Host)),
        ("[fe80::1%eth0]", Err(OddRequest::Host)),
        ("[::1]1", Err(OddRequest::Port)),
        ("2130706433", Err(OddRequest::NumericHost)),
        ("0x7f000001", Err(OddRequest::NumericHost)),
        ("0x7f.1", Err(OddRequest::NumericHost)),
        ("0X7F.0x", Err(OddRequest::NumericHost)),
        ("127.1", Err(OddRequest::NumericHost)),
        ("0177.0.0.1", Err(OddRequest::NumericHost)),
        ("127.0.0.01", Err(OddRequest::NumericHost)),
        ("1.2.3.4.5", Err(OddRequest::NumericHost)),
        ("256.0.0.1", Err(OddRequest::NumericHost)),
        ("a.0x1", Err(OddRequest::NumericHost)),
        ("a:", Err(OddRequest::Port)),
        ("a:0", Err(OddRequest::Port)),
        ("a:080", Err(OddRequest::Port)),
        ("a:+80", Err(OddRequest::Port)),
        ("a:65536", Err(OddRequest::Port)),
        ("a:80:80", Err(OddRequest::Port)),
    ] {
        let got = get(written, "/").map(|operation| format!("{}:{}", operation.host, operation.port));
        assert_eq!(got, read.map(str::to_owned), "{written}");
    }
    assert_eq!(get(&format!("{}.example", "a".repeat(64)), "/"), Err(OddRequest::Host));
    assert_eq!(get(&["a"; 128].join("."), "/"), Err(OddRequest::Host));
    assert!(get(&["a"; 127].join("."), "/").is_ok());
}

#[test]
fn paths_have_one_reading() {
    for good in ["", "/", "/v1", "/v1/", "/v1//x", "/a.b/..c/...", "/100%25", "/%E2%82%AC", "/a;b=.."] {
        assert!(get("a", good).is_ok(), "{good}");
    }
    for dots in [
        "/.",
        "/..",
        "/v1/../x",
        "/v1/./x",
        "/v1/%2e%2e/x",
        "/v1/.%2E/x",
        "/v1/%252e%252e/x",
        "/v1/..%2fx",
        "/v1%2f..%2fx",
        "/v1%252f..%252fx",
        "/v1/..;/x",
        "/v1/..;a=b/x",
        "/v1/..%3bx/y",
        "/%2e",
    ] {
        assert_eq!(get("a", dots), Err(OddRequest::Dots), "{dots}");
    }
    for odd in [
        "*",
        "v1",
        "http://b/",
        "/v1\\..\\x",
        "/v1%5c..%5cx",
        "/%255c",
        "/a b",
        "/a\tb",
        "/%00",
        "/a%0d%0ab",
        "/é",
        "/%zz",
        "/%",
        "/%2",
        "/a?b",
        "/a#b",
    ] {
        assert_eq!(get("a", odd), Err(OddRequest::Path), "{odd}");
    }
    assert_eq!(get("a", &format!("/{}", "a".repeat(MAX_PATH))), Err(OddRequest::PathLength));
}

#[test]
fn methods_are_tokens_and_never_tunnels() {
    for (method, good) in
        [("GET", true), ("PROPFIND", true), ("CONNECT", false), ("TRACE", false), ("", false), ("A B", false)]
    {
        assert_eq!(HttpOperation::parse(method, HttpScheme::Http, "a", "/").is_ok(), good, "{method}");
    }
}

#[test]
fn each_part_is_needed() {
    let address =
        |first| grant(HttpScheme::Http, HostPattern::Address([first, 16, 0, 1].into()), 80, &["GET"], "/");
    let grants = [
        grant(HttpScheme::Https, name("api.example.org"), 443, &["GET", "HEAD"], "/v1"),
        grant(HttpScheme::Http, HostPattern::Below("example.org".into()), 8080, &["POST"], "/"),
        HttpGrant { private_addresses: true, ..address(10) },
        address(172),
    ];
    let decided = |method: &str, scheme, authority: &str, path: &str| {
        decide(&grants, &HttpOperation::parse(method, scheme, authority, path).unwrap())
    };
    use Decision::{Allowed, Denied};
    use HttpScheme::{Http, Https};
    for (method, scheme, authority, path, decision) in [
        ("GET", Https, "api.example.org", "/v1", Allowed(0)),
        ("HEAD", Https, "API.example.org.:443", "/v1/x", Allowed(0)),
        ("GET", Https, "api.example.org", "/v10", Denied(DenyReason::Path)),
        ("GET", Https, "api.example.org", "//v1", Denied(DenyReason::Path)),
        ("GET", Https, "api.example.org", "/V1", Denied(DenyReason::Path)),
        ("GET", Https, "api.example.org", "/%761", Denied(DenyReason::Path)),
        ("get", Https, "api.example.org", "/v1", Denied(DenyReason::Method)),
        ("POST", Https, "api.example.org", "/v1", Denied(DenyReason::Method)),
        ("GET", Https, "api.example.org", "/", Denied(DenyReason::Path)),
        ("GET", Https, "api.example.org:444", "/v1", Denied(DenyReason::Port)),
        ("GET", Http, "api.example.org:443", "/v1", Denied(DenyReason::Port)),
        ("GET", Https, "api.example.org.evil.example", "/v1", Denied(DenyReason::Host)),
        ("GET", Https, "evilapi.example.org", "/v1", Denied(DenyReason::Scheme)),
        ("POST", Http, "a.example.org:8080", "/x", Allowed(1)),
        ("POST", Http, "a.b.example.org:8080", "/x", Allowed(1)),
        ("POST", Http, "example.org:8080", "/x", Denied(DenyReason::Host)),
        ("POST", Http, "aexample.org:8080", "/x", Denied(DenyReason::Host)),
        ("GET", Http, "10.16.0.1", "/", Allowed(2)),
        ("GET", Http, "[::ffff:10.16.0.1]", "/", Allowed(2)),
        ("GET", Http, "10.16.0.2", "/", Denied(DenyReason::Host)),
        ("GET", Http, "172.16.0.1", "/", Denied(DenyReason::Private)),
    ] {
        assert_eq!(decided(method, scheme, authority, path), decision, "{method} {authority}{path}");
    }
    assert_eq!(decide(&[], &get("a", "/").unwrap()), Denied(DenyReason::Nothing));
}

#[test]
fn of_two_that_fit_the_one_with_private_addresses_counts() {
    let plain = grant(HttpScheme::Https, name("a"), 443, &["GET"], "/");
    let private = HttpGrant { private_addresses: true, ..plain.clone() };
    let operation = get("a", "/").unwrap();
    assert_eq!(decide(&[plain.clone(), private], &operation), Decision::Allowed(1));
    assert_eq!(decide(&[plain.clone(), plain], &operation), Decision::Allowed(0));
}

#[test]
fn messages() {
    let shown = |operation: HttpOperation| operation.to_string();
    insta::assert_snapshot!(shown(get("Example.org", "").unwrap()), @"GET https://example.org:443/");
    insta::assert_snapshot!(shown(get("[::1]:8", "/a/b").unwrap()), @"GET https://[::1]:8/a/b");
    assert_eq!(
        shown(get("a", &format!("/{}", "b".repeat(5000))).unwrap()).chars().count(),
        17 + SHOWN_PATH + 1
    );
}

/// What a careless server might make of a path: everything decoded as often as it goes, backslashes as
/// slashes, parameters cut, empty segments dropped, dots resolved. Segments below the root.
fn careless(path: &str) -> Vec<String> {
    let mut text = path.to_owned();
    for _ in 0..8 {
        text = percent_encoding_once(&text);
    }
    let mut out: Vec<String> = Vec::new();
    for segment in text.replace('\\', "/").split('/') {
        match segment.split(';').next().unwrap() {
            "" | "." => {}
            ".." => drop(out.pop()),
            plain => out.push(plain.to_owned()),
        }
    }
    out
}

fn percent_encoding_once(text: &str) -> String {
    let mut out = text.to_owned();
    for (code, plain) in [("%2e", "."), ("%2f", "/"), ("%5c", "\\"), ("%3b", ";"), ("%25", "%")] {
        out = out.replace(code, plain).replace(&code.to_uppercase(), plain);
    }
    out
}

/// The rules again, naively: labels and segments as lists.
fn oracle(grant: &HttpGrant, operation: &HttpOperation) -> bool {
    let labels = |text: &str| text.split('.').rev().map(str::to_owned).collect::<Vec<_>>();
    let host = match (&grant.host, operation.host()) {
        (HostPattern::Name(a), HttpHost::Name(b)) => labels(a) == labels(b),
        (HostPattern::Below(a), HttpHost::Name(b)) => {
            let (a, b) = (labels(a), labels(b));
            b.len() > a.len() && b[..a.len()] == a[..]
        }
        (HostPattern::Address(a), HttpHost::Address(b)) => a == b,
        _ => false,
    };
    let segments = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let mut prefix = segments(grant.path.as_str());
    while prefix.last().is_some_and(String::is_empty) {
        prefix.pop();
    }
    let path = segments(&operation.path);
    let path = path.len() >= prefix.len() && path[..prefix.len()] == prefix[..];
    let method = grant.methods.contains(&operation.method);
    // Both addresses that these tests know are private.
    let open = grant.private_addresses || matches!(operation.host, HttpHost::Name(_));
    host && open && path && method && grant.scheme == operation.scheme() && grant.port == operation.port()
}

fn schemes() -> impl Strategy<Value = HttpScheme> {
    prop_oneof![Just(HttpScheme::Http), Just(HttpScheme::Https)]
}

fn hosts() -> impl Strategy<Value = String> {
    // Few labels, so that suffixes and near misses are common.
    prop_oneof![
        proptest::collection::vec(prop_oneof!["a", "b", "ab"], 1..4).prop_map(|labels| labels.join(".")),
        prop_oneof![Just("10.0.0.1".to_owned()), Just("127.0.0.1".to_owned())],
    ]
}

fn patterns() -> impl Strategy<Value = HostPattern> {
    (hosts(), any::<bool>()).prop_map(|(host, below)| match host.parse() {
        Ok(address) => HostPattern::Address(address),
        Err(_) if below => HostPattern::Below(host),
        Err(_) => HostPattern::Name(host),
    })
}

fn paths() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        4 => prop_oneof!["/v1", "/v", "/a", "/", "/b/"],
        1 => prop_oneof![
            "\\.\\.", "\\.", "%2e", "%2E\\.", "%252e", "%2f", "%5c", "\\\\", ";", "\\.\\.;x", "/\\.\\./", "//", "%25", "1"
        ],
    ];
    proptest::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

fn methods() -> impl Strategy<Value = String> {
    prop_oneof!["GET", "HEAD", "POST", "get"]
}

fn ports() -> impl Strategy<Value = u16> {
    prop_oneof![Just(80), Just(443), Just(8080)]
}

fn grants() -> impl Strategy<Value = HttpGrant> {
    let path = prop_oneof!["/", "/v1", "/v1/a", "/a/", "/v"].prop_map(|text| PathPrefix::new(&text).unwrap());
    let methods = proptest::collection::vec(prop_oneof!["GET", "HEAD", "POST"], 0..3);
    (schemes(), patterns(), ports(), methods, path, any::<bool>()).prop_map(
        |(scheme, host, port, methods, path, private_addresses)| HttpGrant {
            scheme,
            host,
            port,
            methods,
            path,
            private_addresses,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Allowed exactly when the oracle finds a grant, and the grant named is one of those.
    #[test]
    fn decides_as_the_oracle(
        grants in proptest::collection::vec(grants(), 0..6),
        method in methods(), scheme in schemes(), host in hosts(), port in ports(), path in paths(),
    ) {
        if let Ok(operation) = HttpOperation::parse(&method, scheme, &format!("{host}:{port}"), &path) {
            let allowed = grants.iter().any(|grant| oracle(grant, &operation));
            match decide(&grants, &operation) {
                Decision::Allowed(index) => prop_assert!(oracle(&grants[index], &operation)),
                Decision::Denied(_) => prop_assert!(!allowed),
            }
        }
    }

    /// However careless the server, an allowed path stays below the prefix.
    #[test]
    fn allowed_paths_stay_below_the_prefix(grant in grants(), path in paths()) {
        let (method, authority) = ("GET", format!("a:{}", grant.port));
        let grant = HttpGrant { host: HostPattern::Name("a".into()), methods: vec![method.into()], ..grant };
        if let Ok(operation) = HttpOperation::parse(method, grant.scheme, &authority, &path)
            && decide(std::slice::from_ref(&grant), &operation) == Decision::Allowed(0)
        {
            let (prefix, reached) = (careless(grant.path.as_str()), careless(&path));
            prop_assert!(reached.len() >= prefix.len() && reached[..prefix.len()] == prefix[..], "{path} {reached:?}");
        }
    }

    /// Any text parses or is refused, and what parses reads the same when it is written again.
    #[test]
    fn parsing_never_panics_and_is_stable(authority in ".{0,40}|[0-9a-fx.:\\[\\]]{0,20}", path in ".{0,40}|(/|%|2|e|\\.|5|c|f){0,30}") {
        if let Ok(operation) = HttpOperation::parse("GET", HttpScheme::Http, &authority, &path) {
            let again = HttpOperation::parse("GET", HttpScheme::Http, &operation.authority(), &operation.path);
            prop_assert_eq!(again, Ok(operation));
        }
    }
}
