#![allow(clippy::unwrap_used, clippy::expect_used)]
//! The decisions about sockets and look-ups, against a naive reading of the grants.

use std::net::IpAddr;

use super::*;
use proptest::prelude::*;

fn grant(to: &str, private_addresses: bool) -> SocketGrant {
    let SocketPlace { host, port } = SocketPlace::parse(to).unwrap();
    SocketGrant { host, port, private_addresses }
}

fn name(text: &str) -> HttpHost {
    HttpHost::Name(text.to_owned())
}

fn decided(grants: &[SocketGrant], to: &str, names: &[&str]) -> SocketDecision {
    let names: Vec<_> = names.iter().copied().map(name).collect();
    let to: std::net::SocketAddr = to.parse().unwrap();
    decide_connect(grants, Some(to.ip()), to.port(), &names)
}

#[test]
fn places_are_read_in_one_way() {
    for text in ["db.example.org:5432", "*.example.org:1", "127.0.0.1:65535", "[::1]:53", "localhost:5432"] {
        assert_eq!(SocketPlace::parse(text).unwrap().to_string(), text);
    }
    for (text, same) in [("DB.Example.org.:5432", "db.example.org:5432"), ("[::ffff:1.2.3.4]:5", "1.2.3.4:5")]
    {
        assert_eq!(SocketPlace::parse(text).unwrap().to_string(), same);
    }
    let odd = [
        "db.example.org",
        "db.example.org:0",
        "db.example.org:http",
        "db.example.org:65536",
        ":5432",
        "*:5432",
        "*.1.2.3.4:5432",
        "a.*.org:1",
        "::1:53",
        "user@db:1",
        "2130706433:80",
        "tcp://db:1",
        "db:1/x",
        "",
    ];
    let said: Vec<_> = odd.iter().map(|text| SocketPlace::parse(text).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(said.join("\n"));
    for text in ["example.org", "*.example.org", "localhost"] {
        assert_eq!(parse_resolvable(text).unwrap().to_string(), text);
    }
    let odd = ["1.2.3.4", "example.org:53", "*", "", "[::1]", "b\u{fc}cher.example"];
    let said: Vec<_> = odd.iter().map(|text| parse_resolvable(text).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn an_address_is_what_it_was_granted_as() {
    let grants = [grant("db.example.org:5432", false), grant("10.0.0.7:25", true), grant("*.b.org:9", true)];
    use SocketDecision::{Allowed, Denied};
    for (to, names, answer) in [
        // The address of a granted name, but only of one that was looked up.
        ("93.184.216.34:5432", &["db.example.org"][..], Allowed(0)),
        ("93.184.216.34:5432", &[], Denied(SocketDeny::Host)),
        ("93.184.216.34:5432", &["example.org"], Denied(SocketDeny::Host)),
        ("93.184.216.34:5433", &["db.example.org"], Denied(SocketDeny::Port)),
        // A private address needs a grant that says so, whatever name it came by.
        ("127.0.0.1:5432", &["db.example.org"], Denied(SocketDeny::Private)),
        ("[::ffff:127.0.0.1]:5432", &["db.example.org"], Denied(SocketDeny::Private)),
        ("[64:ff9b::7f00:1]:5432", &["db.example.org"], Denied(SocketDeny::Private)),
        ("127.0.0.1:9", &["a.b.org"], Allowed(2)),
        ("127.0.0.1:9", &["b.org"], Denied(SocketDeny::Host)),
        // A literal address is granted by itself, in any of its clothes.
        ("10.0.0.7:25", &[], Allowed(1)),
        ("[::ffff:10.0.0.7]:25", &[], Allowed(1)),
        ("10.0.0.8:25", &[], Denied(SocketDeny::Host)),
        ("10.0.0.7:26", &[], Denied(SocketDeny::Port)),
    ] {
        assert_eq!(decided(&grants, to, names), answer, "{to} {names:?}");
    }
    assert_eq!(decided(&[], "1.1.1.1:53", &["a"]), Denied(SocketDeny::Nothing));
}

#[test]
fn names_of_any_grant_may_be_looked_up_and_no_others() {
    let grants = Grants {
        tcp: vec![grant("db.example.org:5432", false), grant("db.example.org:5433", true)],
        udp: vec![grant("*.ntp.org:123", false)],
        resolve: vec![parse_resolvable("other.org").unwrap(), parse_resolvable("localhost").unwrap()],
        ..Grants::default()
    };
    for (text, answer) in [
        ("db.example.org", Some(true)),
        ("a.ntp.org", Some(false)),
        ("ntp.org", None),
        ("other.org", Some(false)),
        ("a.other.org", None),
        ("localhost", Some(true)),
        ("secret.db.example.org", None),
        ("example.org", None),
    ] {
        assert_eq!(decide_lookup(&grants, &name(text)).map(|(_, private)| private), answer, "{text}");
    }
    assert_eq!(decide_lookup(&Grants::default(), &name("db.example.org")), None);
}

fn place() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a.org:1",
        "a.org:2",
        "*.a.org:1",
        "*.b.a.org:1",
        "1.1.1.1:1",
        "127.0.0.1:1",
        "127.0.0.1:2",
        "[2606:4700::1111]:1",
        "[fe80::1]:2",
    ])
}

proptest! {
    /// Allowed exactly when one grant, read naively, covers address, port and privacy by itself.
    #[test]
    fn a_socket_goes_where_one_grant_says(
        grants in prop::collection::vec((place(), any::<bool>()), 0..5),
        ip in prop::sample::select(vec!["1.1.1.1", "127.0.0.1", "2606:4700::1111", "fe80::1", "::ffff:127.0.0.1", "8.8.8.8"]),
        port in 1_u16..3,
        names in prop::sample::subsequence(vec!["a.org", "b.a.org", "c.b.a.org", "xa.org"], 0..=4),
    ) {
        let ip: IpAddr = ip.parse().unwrap();
        let public = ["1.1.1.1", "2606:4700::1111", "8.8.8.8"].contains(&ip.to_string().as_str());
        let covers = |(text, private): &(&str, bool)| {
            let (host, at) = text.rsplit_once(':').unwrap();
            let host_fits = match host.strip_prefix('*') {
                Some(suffix) => names.iter().any(|name| name.ends_with(suffix)),
                None => {
                    names.contains(&host)
                        || host.trim_matches(['[', ']']).parse() == Ok(ip.to_canonical())
                }
            };
            host_fits && at == port.to_string() && (public || *private)
        };
        let expected = grants.iter().any(covers);
        let granted: Vec<_> = grants.iter().map(|(text, private)| grant(text, *private)).collect();
        let looked_up: Vec<_> = names.iter().copied().map(name).collect();
        let decision = decide_connect(&granted, Some(ip), port, &looked_up);
        prop_assert_eq!(matches!(decision, SocketDecision::Allowed(_)), expected, "{:?}", decision);
        if let SocketDecision::Allowed(index) = decision {
            prop_assert!(covers(&grants[index]));
        }
    }

    #[test]
    fn no_text_panics(text: String) {
        let _ = (SocketPlace::parse(&text), parse_resolvable(&text));
    }
}
