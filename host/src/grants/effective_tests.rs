#![allow(clippy::unwrap_used, clippy::expect_used)]
//! The rule "effective ⊆ granted and ⊆ asked", against a naive reading of both, request by request.

use super::*;
use crate::grants::{
    AskedCommands, AskedDirectories, AskedHttp, AskedLookup, AskedName, AskedState, CommandGrant, Digest,
    DirectoryMode, DiskQuota, HttpScheme,
};
use crate::grants::{Audience, Credential, SecretGrant, SecretSource, SecretUse, Sent};
use proptest::prelude::*;

/// One HTTP request, read naively: no code is shared with the intersection under test.
#[derive(Clone, Debug)]
struct Request {
    scheme: HttpScheme,
    host: String,
    port: u16,
    method: String,
    path: String,
}

fn host_fits(pattern: &HostPattern, host: &str) -> bool {
    match pattern {
        HostPattern::Name(name) => host == name,
        HostPattern::Below(name) => host.ends_with(&format!(".{name}")),
        HostPattern::Address(address) => host == address.to_string(),
    }
}

fn path_fits(prefix: &PathPrefix, path: &str) -> bool {
    let parts = |text: &str| text.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    parts(path).starts_with(&parts(prefix.as_str()))
}

fn granted_fits(grants: &Grants, r: &Request) -> bool {
    grants.http.iter().any(|g| {
        g.scheme == r.scheme
            && host_fits(&g.host, &r.host)
            && g.port == r.port
            && g.methods.contains(&r.method)
            && path_fits(&g.path, &r.path)
    })
}

fn asked_fits(asked: &Asked, env: &BTreeMap<String, String>, r: &Request) -> bool {
    asked.http.iter().any(|a| {
        let at = |p: &HttpPlace| {
            p.scheme == r.scheme
                && host_fits(&p.host, &r.host)
                && p.port == r.port
                && path_fits(&p.path, &r.path)
        };
        let by_place = match &a.place {
            Some(AskedPlace::Any) => true,
            Some(AskedPlace::At(place)) => at(place),
            None => false,
        };
        let by_env = a.url_from_env.as_ref().and_then(|n| env.get(n)).and_then(|v| HttpPlace::parse(v).ok());
        a.methods.contains(&r.method) && (by_place || by_env.is_some_and(|p| at(&p)))
    })
}

fn place() -> impl Strategy<Value = HttpPlace> {
    let scheme = prop_oneof![Just("http"), Just("https")];
    let host = prop_oneof![
        Just("a.org"),
        Just("b.a.org"),
        Just("c.b.a.org"),
        Just("xa.org"),
        Just("*.a.org"),
        Just("*.b.a.org"),
        Just("127.0.0.1"),
        Just("*.org")
    ];
    let port = prop_oneof![Just(""), Just(":8080")];
    let path = prop_oneof![Just(""), Just("/"), Just("/v1"), Just("/v1/"), Just("/v1/x"), Just("/v10")];
    (scheme, host, port, path)
        .prop_map(|(s, h, p, path)| HttpPlace::parse(&format!("{s}://{h}{p}{path}")).unwrap())
}

fn methods() -> impl Strategy<Value = Vec<String>> {
    prop::sample::subsequence(vec!["GET".to_owned(), "HEAD".to_owned(), "POST".to_owned()], 0..=3)
}

prop_compose! {
    fn http_grant()(place in place(), methods in methods(), private_addresses: bool) -> HttpGrant {
        let HttpPlace { scheme, host, port, path } = place;
        HttpGrant { scheme, host, port, methods, path, private_addresses }
    }
}

fn host() -> impl Strategy<Value = HostPattern> {
    place().prop_filter_map("a name", |place| match place.host {
        HostPattern::Address(_) => None,
        host => Some(host),
    })
}

prop_compose! {
    fn socket_grant()(place in place(), private_addresses: bool) -> SocketGrant {
        SocketGrant { host: place.host, port: place.port, private_addresses }
    }
}

fn sockets() -> impl Strategy<Value = Vec<SocketGrant>> {
    prop::collection::vec(socket_grant(), 0..3)
}

fn asked_sockets() -> impl Strategy<Value = Vec<AskedSocket>> {
    let ask = prop::option::of(place().prop_map(|place| SocketPlace { host: place.host, port: place.port }));
    prop::collection::vec(ask.prop_map(|place| AskedSocket { place, why: None }), 0..3)
}

fn state_scope() -> impl Strategy<Value = StateScope> {
    prop_oneof![Just(StateScope::Plugin), Just(StateScope::Caller)]
}

fn mode() -> impl Strategy<Value = DirectoryMode> {
    prop_oneof![Just(DirectoryMode::ReadOnly), Just(DirectoryMode::ReadWrite)]
}

prop_compose! {
    fn directory()(name in "[a-c]", mode in mode()) -> DirectoryGrant {
        let guest = format!("/{name}");
        DirectoryGrant { host: guest.clone().into(), guest, mode, quota: DiskQuota { bytes: 1, files: 1 }, extensions: Vec::new(), lock: Default::default() }
    }
}

fn secret() -> impl Strategy<Value = SecretGrant> {
    let sent = || {
        let place = HttpPlace::parse("https://a.org").unwrap();
        let HttpPlace { scheme, host, port, path } = place.clone();
        let methods = vec!["GET".to_owned()];
        let grant = HttpGrant { scheme, host, port, methods, path, private_addresses: false };
        let audience = Audience::new(place, None, false, &[grant]).unwrap();
        SecretUse::Sent(Box::new(Sent { credential: Credential::Bearer, audience }))
    };
    ("[ABC]", any::<bool>()).prop_map(move |(name, exposed)| SecretGrant {
        name,
        from: SecretSource::Env("X".to_owned()),
        used: if exposed { SecretUse::Exposed } else { sent() },
    })
}

fn commands() -> impl Strategy<Value = CommandGrant> {
    prop::sample::subsequence(vec!["wc", "cut"], 0..3).prop_map(|only| CommandGrant {
        folder: "/srv/commands".into(),
        only: only.iter().map(ToString::to_string).collect(),
    })
}

prop_compose! {
    fn grants()(
        directories in prop::collection::vec(directory(), 0..3),
        http in prop::collection::vec(http_grant(), 0..4),
        env in prop::collection::btree_map("[AB]", prop_oneof![place().prop_map(|p| p.to_string()), "[a-z]{0,3}"], 0..3),
        secrets in prop::collection::vec(secret(), 0..3),
        state in prop::option::of((0_u64..100, state_scope()).prop_map(|(quota, scope)| StateGrant { quota, scope })),
        (tcp, udp) in (sockets(), sockets()),
        resolve in prop::collection::vec(host(), 0..3),
        commands in prop::option::of(commands()),
        elicit: bool,
        sample: bool,
        roots: bool,
    ) -> Grants {
        Grants { directories, http, tcp, udp, resolve, env, secrets, state, commands, elicit, sample, roots }
    }
}

prop_compose! {
    fn asked_http()(
        place in prop::option::of(prop_oneof![
            1 => Just(AskedPlace::Any),
            5 => place().prop_map(AskedPlace::At),
        ]),
        url_from_env in prop::option::of("[ABC]"),
        methods in methods(),
    ) -> AskedHttp {
        AskedHttp { place, url_from_env, methods, why: None }
    }
}

prop_compose! {
    fn asked()(
        directories in prop::option::of(mode().prop_map(|mode| AskedDirectories { mode, why: None })),
        http in prop::collection::vec(asked_http(), 0..4),
        env in prop::collection::vec("[ABC]".prop_map(|name| AskedName { name, why: None }), 0..3),
        secrets in prop::collection::vec("[ABD]".prop_map(|name| AskedName { name, why: None }), 0..3),
        state in prop::option::of(
            (prop::option::of(0_u64..100), state_scope()).prop_map(|(quota, scope)| AskedState { quota, scope, why: None })),
        (tcp, udp) in (asked_sockets(), asked_sockets()),
        resolve in prop::collection::vec(prop::option::of(host()), 0..3),
        commands: bool,
        elicit: bool,
        sample: bool,
        roots: bool,
    ) -> Asked {
        let resolve = resolve.into_iter().map(|host| AskedLookup { host, why: None }).collect();
        let more = Asked::default();
        let commands = commands.then_some(AskedCommands { why: None });
        Asked { directories, http, tcp, udp, resolve, env, secrets, state, commands, elicit, sample, roots, ..more }
    }
}

prop_compose! {
    fn request()(
        secure: bool,
        host in prop_oneof![
            Just("a.org"), Just("b.a.org"), Just("c.b.a.org"), Just("d.c.b.a.org"), Just("xa.org"), Just("org"),
            Just("127.0.0.1"), Just("x.127.0.0.1")
        ],
        port in prop_oneof![Just(80_u16), Just(443), Just(8080)],
        method in prop_oneof![Just("GET"), Just("HEAD"), Just("POST"), Just("PUT")],
        path in prop_oneof![Just("/"), Just("/v1"), Just("/v1/x"), Just("/v1/x/y"), Just("/v10"), Just("/v1x")],
    ) -> Request {
        let scheme = if secure { HttpScheme::Https } else { HttpScheme::Http };
        Request { scheme, host: host.to_owned(), port, method: method.to_owned(), path: path.to_owned() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn http_is_exactly_what_both_allow(
        granted in grants(),
        asked in asked(),
        requests in prop::collection::vec(request(), 1..64),
    ) {
        let (held, _) = effective(&granted, Some(&asked));
        for r in &requests {
            let both = granted_fits(&granted, r) && asked_fits(&asked, &granted.env, r);
            prop_assert_eq!(granted_fits(&held, r), both, "{:?}", r);
        }
        // Private addresses never come from the ask: every held grant lies in a granted one that has them.
        for part in held.http.iter().filter(|part| part.private_addresses) {
            prop_assert!(granted.http.iter().any(|g| g.private_addresses && g.port == part.port));
        }
    }

    #[test]
    fn sockets_are_exactly_what_both_allow(
        granted in grants(),
        asked in asked(),
        name in prop::sample::select(vec!["a.org", "b.a.org", "c.b.a.org", "xa.org", "org", "127.0.0.1"]),
        port in prop::sample::select(vec![80_u16, 443, 8080]),
    ) {
        let (held, _) = effective(&granted, Some(&asked));
        for (granted, asked, held) in [(&granted.tcp, &asked.tcp, &held.tcp), (&granted.udp, &asked.udp, &held.udp)] {
            let fits = |grants: &[SocketGrant], private: bool| {
                grants.iter().any(|g| host_fits(&g.host, name) && g.port == port && (!private || g.private_addresses))
            };
            let wanted = asked.iter().any(|ask| {
                ask.place.as_ref().is_none_or(|place| host_fits(&place.host, name) && place.port == port)
            });
            for private in [false, true] {
                prop_assert_eq!(fits(held, private), fits(granted, private) && wanted);
            }
        }
        let listed = |hosts: &[HostPattern]| hosts.iter().any(|host| host_fits(host, name));
        let wanted = asked.resolve.iter().any(|ask| ask.host.as_ref().is_none_or(|host| host_fits(host, name)));
        prop_assert_eq!(listed(&held.resolve), listed(&granted.resolve) && wanted);
    }

    #[test]
    fn nothing_is_more_than_granted_or_asked(granted in grants(), asked in asked()) {
        let (held, withheld) = effective(&granted, Some(&asked));
        for d in &held.directories {
            prop_assert!(granted.directories.iter().any(|g| g.host == d.host && g.guest == d.guest && d.mode <= g.mode));
            prop_assert!(asked.directories.as_ref().is_some_and(|a| d.mode <= a.mode));
        }
        for (name, value) in &held.env {
            prop_assert_eq!(granted.env.get(name), Some(value));
            prop_assert!(asked.env_names().any(|n| n == name));
        }
        for secret in &granted.secrets {
            let asked_for = asked.secrets.iter().any(|asked| asked.name == secret.name);
            prop_assert_eq!(held.secrets.contains(secret), asked_for);
        }
        prop_assert!(held.secrets.iter().all(|secret| granted.secrets.contains(secret)));
        if let Some(state) = held.state {
            let (g, a) = (granted.state.unwrap(), asked.state.clone().unwrap());
            prop_assert!(state.quota <= g.quota && a.quota.is_none_or(|most| state.quota <= most));
            let narrow = state.scope == StateScope::Caller;
            prop_assert!(narrow || (g.scope == StateScope::Plugin && a.scope == StateScope::Plugin));
        }
        prop_assert!(!held.elicit || (granted.elicit && asked.elicit));
        prop_assert!(!held.sample || (granted.sample && asked.sample));
        prop_assert!(!held.roots || (granted.roots && asked.roots));
        // Whatever is missing is reported, and nothing is reported when all of it is held.
        if held != granted {
            fn doubled<T: PartialEq>(all: &[T]) -> bool {
                all.iter().enumerate().any(|(i, one)| all[..i].contains(one))
            }
            let doubled = doubled(&granted.http) || doubled(&granted.tcp) || doubled(&granted.udp);
            prop_assert!(doubled || granted.resolve.len() > 1 || !withheld.is_empty());
        }
        // Taking twice takes no more.
        prop_assert_eq!(effective(&held, Some(&asked)).0.directories, held.directories);
    }

    #[test]
    fn only_approved_or_dev_bytes_hold_anything(granted in grants(), asked in prop::option::of(asked())) {
        let digest = Digest::of(b"x");
        for other in [
            Approval::Unapproved("new".to_owned()),
            Approval::Changed { approved: digest, found: Digest::of(b"y") },
        ] {
            let held = holding(&granted, asked.as_ref(), Trust::Approved, &other);
            prop_assert_eq!(&held.grants, &Grants::default());
            prop_assert!(held.unapproved.is_some());
            prop_assert_eq!(held.withheld.len(), granted.describe().len());
            let dev = holding(&granted, asked.as_ref(), Trust::Dev, &other);
            prop_assert_eq!(&dev.grants, &effective(&granted, asked.as_ref()).0);
        }
        let held = holding(&granted, asked.as_ref(), Trust::Approved, &Approval::Approved);
        prop_assert_eq!(held.grants, effective(&granted, asked.as_ref()).0);
        prop_assert_eq!(held.unapproved, None);
        prop_assert_eq!(effective(&granted, None), (granted.clone(), Vec::new()));
    }
}

#[test]
fn what_is_withheld_reads_well() {
    let HttpPlace { scheme, host, port, path } = HttpPlace::parse("https://*.example.org").unwrap();
    let methods = vec!["GET".to_owned(), "POST".to_owned()];
    let name = |text: &str| crate::grants::parse_resolvable(text).unwrap();
    let granted = Grants {
        directories: vec![DirectoryGrant {
            host: "/home/ada/docs".into(),
            guest: "/docs".to_owned(),
            mode: DirectoryMode::ReadWrite,
            quota: DiskQuota { bytes: 1, files: 1 },
            extensions: Vec::new(),
            lock: Default::default(),
        }],
        http: vec![HttpGrant { scheme, host, port, methods, path, private_addresses: true }],
        env: BTreeMap::from([
            ("TOKEN".to_owned(), "t".to_owned()),
            ("BASE".to_owned(), "not a URL".to_owned()),
        ]),
        tcp: vec![SocketGrant { host: name("*.example.org"), port: 5432, private_addresses: true }],
        udp: vec![SocketGrant { host: name("ntp.org"), port: 123, private_addresses: false }],
        resolve: vec![name("*.example.org"), name("other.org")],
        secrets: vec![SecretGrant {
            name: "DB_PASSWORD".to_owned(),
            from: SecretSource::File("/home/ada/db".into()),
            used: SecretUse::Exposed,
        }],
        state: Some(StateGrant { quota: 16 << 20, scope: StateScope::Plugin }),
        commands: Some(CommandGrant { folder: "/srv/commands".into(), only: vec!["wc".to_owned()] }),
        elicit: true,
        sample: true,
        roots: true,
    };
    let asked = Asked::parse(
        br#"{"asks":{"directories":{"mode":"read-only"},"state":{"quota":"1MiB"},
            "http":[{"url":"https://api.example.org/v1","methods":["GET"],"url-from-env":"BASE"}],
            "tcp":[{"address":"db.example.org:5432","why":"rows"}],"udp":[{"address":"ntp.org:124"}],
            "resolve":[{"name":"a.example.org"}]}}"#,
    )
    .unwrap();
    let (_, withheld) = effective(&granted, Some(&asked));
    let lines: Vec<_> = withheld.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
    insta::assert_snapshot!(asked.describe().join("\n"));
}
