#![allow(clippy::unwrap_used, clippy::expect_used)]
//! What is asked about is what was asked for, the very operation and little beside it.

use proptest::prelude::*;

use super::*;
use crate::grants::{DirectoryGrant, DiskQuota, HttpScheme, lost};

fn manifest(text: &str) -> Asked {
    Asked::parse(format!("{{\"asks\": {text}}}").as_bytes()).unwrap()
}

fn intent(text: &str) -> Intent {
    text.parse().unwrap()
}

/// Reads and writes in two folders, some hosts, sockets and names, in every way a manifest can say it.
fn asked() -> Asked {
    manifest(
        r#"{
            "directories": {"mode": "read-write"},
            "http": [
                {"url": "https://api.t/v1", "methods": ["GET", "POST"]},
                {"url": "https://*.b.t", "methods": ["GET"]},
                {"url": "http://localhost:8", "methods": ["GET"]},
                {"url-from-env": "TARGET", "methods": ["PUT"]}
            ],
            "tcp": [{"address": "db.t:5"}, {"address": "*.many.t:6"}, {"address": "127.0.0.1:7"}],
            "udp": [{"address": "time.t:9"}, {"address": "db.t:9"}],
            "resolve": [{"name": "only.t"}, {"name": "db.t"}],
            "state": {"quota": "5MiB"}, "elicit": true, "sample": true
        }"#,
    )
}

fn directory(guest: &str, mode: DirectoryMode) -> DirectoryGrant {
    DirectoryGrant {
        host: format!("/srv{guest}").into(),
        guest: guest.into(),
        mode,
        quota: DiskQuota { bytes: 1, files: 1 },
        extensions: Vec::new(),
        lock: Default::default(),
    }
}

fn holds(write: bool, http: bool) -> Grants {
    let mode = if write { DirectoryMode::ReadWrite } else { DirectoryMode::ReadOnly };
    let api = HttpGrant {
        scheme: HttpScheme::Https,
        host: HostPattern::Name("api.t".into()),
        port: 443,
        methods: vec!["GET".into()],
        path: PathPrefix::new("/v1/x").unwrap(),
        private_addresses: false,
    };
    Grants {
        directories: vec![directory("/a", mode), directory("/b", DirectoryMode::ReadOnly)],
        http: if http { vec![api] } else { Vec::new() },
        env: [("TARGET".to_owned(), "http://10.0.0.1/in".to_owned())].into(),
        ..Grants::default()
    }
}

#[test]
fn what_a_person_is_asked() {
    let mut lines = Vec::new();
    for text in [
        "GET https://api.t/v1/y",
        "HEAD https://api.t/v1",
        "POST https://api.t/v1/y",
        "GET https://api.t/v2",
        "DELETE https://api.t/v1",
        "GET http://api.t/v1",
        "GET https://api.t:8443/v1",
        "GET https://c.b.t/z",
        "GET https://b.t/z",
        "GET http://localhost:8/",
        "GET http://127.0.0.1:8/",
        "PUT http://10.0.0.1/in/x",
        "PUT http://10.0.0.1/out",
        "write /a/x",
        "mkdir /b/x",
        "write /c/x",
        "read /c/x",
        "tcp db.t:5",
        "tcp db.t:6",
        "tcp 127.0.0.1:7",
        "tcp 127.0.0.2:7",
        "udp time.t:9",
        "resolve time.t",
        "resolve x.many.t",
        "resolve db.t",
        "resolve only.t",
        "resolve other.t",
        "env HOME",
        "state",
        "state 2MiB",
        "elicit",
        "sample",
        "roots",
    ] {
        let wider = widened(&holds(false, true), Some(&asked()), &intent(text));
        lines.push(format!("{text}: {}", wider.map_or("not asked".into(), |wider| wider.what)));
    }
    insta::assert_snapshot!(lines.join("\n"));
    // Who asks for nothing, or for anything at all, names nobody in particular.
    assert_eq!(widened(&holds(false, true), None, &intent("GET https://api.t/v1/y")), None);
    let anything = manifest(r#"{"http": [{"url": "*"}], "tcp": [{"address": "*"}]}"#);
    for (text, is_asked) in [
        ("GET https://any.t/", true),
        ("GET http://169.254.169.254/latest", false),
        ("GET http://localhost/", false),
        ("tcp any.t:1", true),
        ("tcp [::1]:1", false),
        ("tcp 10.0.0.1:1", false),
    ] {
        assert_eq!(widened(&Grants::default(), Some(&anything), &intent(text)).is_some(), is_asked, "{text}");
    }
}

/// Everything of the world in which the properties are looked at.
fn operations() -> Vec<Intent> {
    let mut all: Vec<Intent> =
        ["state", "state 2MiB", "elicit", "sample", "roots", "env HOME"].map(intent).into();
    for scheme in ["http", "https"] {
        for host in [
            "api.t",
            "b.t",
            "c.b.t",
            "d.c.b.t",
            "localhost:8",
            "127.0.0.1:8",
            "10.0.0.1",
            "api.t:8443",
            "evil.t",
        ] {
            for path in ["/", "/v1", "/v1/x", "/v2", "/in", "/v10"] {
                all.extend(
                    ["GET", "HEAD", "POST", "PUT"]
                        .map(|how| intent(&format!("{how} {scheme}://{host}{path}"))),
                );
            }
        }
    }
    for host in ["db.t", "x.many.t", "time.t", "127.0.0.1", "10.0.0.1", "evil.t"] {
        for port in 5..10 {
            all.extend(["tcp", "udp"].map(|kind| intent(&format!("{kind} {host}:{port}"))));
        }
    }
    all.extend(
        ["db.t", "x.many.t", "time.t", "only.t", "evil.t"].map(|name| intent(&format!("resolve {name}"))),
    );
    for folder in ["/a", "/a/in", "/b", "/c"] {
        all.extend(["read", "write", "list", "mkdir"].map(|how| intent(&format!("{how} {folder}/x"))));
    }
    all
}

/// Where something happens: what a person was told.
fn place(of: &Intent) -> String {
    match of {
        Intent::Http(request) => format!("{}://{}", request.scheme(), request.destination()),
        Intent::Connect(kind, [host], port) => format!("{kind} {host}:{port}"),
        Intent::Lookup(name) => name.to_string(),
        Intent::File(_, path) => path.split('/').nth(1).unwrap_or_default().to_owned(),
        Intent::State(_) => "state".into(),
        other => other.to_string(),
    }
}

proptest! {
    /// A yes allows what was denied; takes nothing away; gives nothing that was not asked for, and nothing at another place.
    #[test]
    fn a_yes_is_for_what_was_asked(write in any::<bool>(), http in any::<bool>(), at in any::<prop::sample::Index>()) {
        let (asked, all) = (asked(), operations());
        let held = effective(&holds(write, http), Some(&asked)).0;
        let denied = at.get(&all);
        let Some(wider) = widened(&held, Some(&asked), denied) else { return Ok(()) };
        prop_assert!(!decide(&held, &denied.operation()).is_allowed());
        prop_assert!(decide(&wider.grants, &denied.operation()).is_allowed());
        prop_assert_eq!(lost(&held, &wider.grants), Vec::<String>::new());
        prop_assert_eq!(effective(&wider.grants, Some(&asked)).0, wider.grants.clone());
        for other in &all {
            let more = decide(&wider.grants, &other.operation()).is_allowed()
                && !decide(&held, &other.operation()).is_allowed();
            // A socket's host may be looked up, and a look-up may stand for the one socket that is asked for there.
            let by_name = |of: &Intent| match of {
                Intent::Connect(_, [host], _) | Intent::Lookup(host) => Some(host.clone()),
                Intent::Http(request) => Some(request.host().clone()),
                _ => None,
            };
            let looked_up = matches!(other, Intent::Lookup(_)) || matches!(denied, Intent::Lookup(_));
            let same = place(other) == place(denied) || looked_up && by_name(other) == by_name(denied);
            prop_assert!(!more || same, "{} gives {}", denied, other);
        }
    }
}
