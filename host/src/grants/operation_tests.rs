#![allow(clippy::unwrap_used, clippy::expect_used)]
use proptest::prelude::*;

use super::*;
use crate::grants::{
    Audience, Credential, DirectoryGrant, DirectoryMode, DiskQuota, HostPattern, HttpGrant, HttpPlace,
    HttpScheme, SecretGrant, SecretSource, SecretUse, Sent, SocketGrant, StateGrant, StateScope,
};

fn directory(guest: &str, mode: DirectoryMode, extensions: &[&str]) -> DirectoryGrant {
    DirectoryGrant {
        host: format!("/srv{guest}").into(),
        guest: guest.to_owned(),
        mode,
        quota: DiskQuota { bytes: 1, files: 1 },
        extensions: extensions.iter().map(ToString::to_string).collect(),
        lock: Default::default(),
    }
}

fn docs() -> Grants {
    let directories = vec![
        directory("/docs", DirectoryMode::ReadOnly, &[]),
        directory("/docs/notes", DirectoryMode::ReadWrite, &["md", "tar.gz"]),
        directory("/other", DirectoryMode::ReadWrite, &[]),
    ];
    Grants { directories, ..Grants::default() }
}

fn on(grants: &Grants, access: Access, path: &str) -> Decision {
    decide(grants, &Operation::File { access, path: FilePath::Guest(path) })
}

#[test]
fn files_by_directory_mode_and_extension() {
    use Access::{Directory, List, Read, Write};
    let allowed = |n| Decision::Allowed(Rule::Directory(n));
    let denied = Decision::Denied;
    for (access, path, expected) in [
        (Read, "/docs", allowed(0)),
        (Read, "/docs/", allowed(0)),
        (Read, "/docs/a/b.txt", allowed(0)),
        (List, "/docs/a", allowed(0)),
        (Write, "/docs/a", denied(Reason::ReadOnly(0))),
        (Directory, "/docs/a", denied(Reason::ReadOnly(0))),
        (Read, "/docsa", denied(Reason::Outside)),
        (Read, "/doc", denied(Reason::Outside)),
        (Read, "/", denied(Reason::Outside)),
        (Read, "docs/a", denied(Reason::OddPath)),
        (Read, "/docs/../etc", denied(Reason::OddPath)),
        (Read, "/docs/notes/a.md", allowed(1)),
        (Read, "/docs/notes/a.MD", allowed(1)),
        (Write, "/docs/notes/deep/a.tar.gz", allowed(1)),
        (Write, "/docs/notes/a.gz", denied(Reason::Extension(1))),
        (Read, "/docs/notes/.md", denied(Reason::Extension(1))),
        (Read, "/docs/notes/amd", denied(Reason::Extension(1))),
        (Read, "/docs/notes/a.md/b", denied(Reason::Extension(1))),
        (List, "/docs/notes/a.pem", allowed(1)),
        (Directory, "/docs/notes/sub", allowed(1)),
        (Write, "/other/x", allowed(2)),
    ] {
        assert_eq!(on(&docs(), access, path), expected, "{access:?} {path}");
    }
    assert_eq!(on(&Grants::default(), Read, "/docs"), denied(Reason::NoDirectory));
}

#[test]
fn the_rest_by_what_is_held() {
    let none = Grants::default();
    let all = Grants {
        env: [("A".to_owned(), "b".to_owned())].into(),
        state: Some(StateGrant { quota: 10, scope: StateScope::Plugin }),
        elicit: true,
        sample: true,
        roots: true,
        ..Grants::default()
    };
    for (operation, rule, reason) in [
        (Operation::Env("A"), Rule::Env, Reason::Env),
        (Operation::State { bytes: 10 }, Rule::State, Reason::NoState),
        (Operation::Elicit, Rule::Elicit, Reason::Elicit),
        (Operation::Sample, Rule::Sample, Reason::Sample),
        (Operation::Roots, Rule::Roots, Reason::Roots),
    ] {
        assert_eq!(decide(&all, &operation), Decision::Allowed(rule));
        assert_eq!(decide(&none, &operation), Decision::Denied(reason));
    }
    assert_eq!(decide(&all, &Operation::Env("B")), Decision::Denied(Reason::Env));
    assert_eq!(decide(&all, &Operation::State { bytes: 11 }), Decision::Denied(Reason::Quota(10)));
}

fn http(url: &str) -> HttpGrant {
    let HttpPlace { scheme, host, port, path } = HttpPlace::parse(url).unwrap();
    HttpGrant { scheme, host, port, methods: vec!["GET".into()], path, private_addresses: false }
}

#[test]
fn a_secret_goes_into_requests_that_are_for_it_and_granted() {
    let wide = [http("https://a.org"), http("https://*.b.org")];
    let audience = |url: &str| {
        Audience::new(HttpPlace::parse(url).unwrap(), Some(vec!["GET".into()]), false, &wide).unwrap()
    };
    let sent = |name: &str, url: &str| SecretGrant {
        name: name.into(),
        from: SecretSource::Env("S".into()),
        used: SecretUse::Sent(Box::new(Sent { credential: Credential::Bearer, audience: audience(url) })),
    };
    let own =
        SecretGrant { name: "own".into(), from: SecretSource::Env("S".into()), used: SecretUse::Exposed };
    let secrets = vec![sent("a", "https://a.org/v1"), own, sent("b", "https://x.b.org")];
    // Of the second place less is held than was granted.
    let held = Grants {
        http: vec![http("https://a.org"), http("https://x.b.org/v1")],
        secrets,
        ..Grants::default()
    };
    let none = Grants { http: held.http.clone(), ..Grants::default() };
    use DenyReason::{Host, Method, Path, Port, Scheme};
    for (name, method, scheme, host, path, expected) in [
        ("a", "GET", HttpScheme::Https, "a.org", "/v1/x", Ok(0)),
        ("b", "GET", HttpScheme::Https, "x.b.org", "/v1", Ok(2)),
        ("a", "GET", HttpScheme::Https, "a.org", "/v10", Err(Reason::Audience(0, Path))),
        ("a", "GET", HttpScheme::Https, "x.b.org", "/v1", Err(Reason::Audience(0, Host))),
        ("b", "GET", HttpScheme::Https, "a.org", "/", Err(Reason::Audience(2, Host))),
        ("a", "POST", HttpScheme::Https, "a.org", "/v1", Err(Reason::Http(Method))),
        ("a", "GET", HttpScheme::Http, "a.org", "/v1", Err(Reason::Http(Scheme))),
        ("a", "GET", HttpScheme::Https, "a.org:444", "/v1", Err(Reason::Http(Port))),
        ("b", "GET", HttpScheme::Https, "x.b.org", "/", Err(Reason::Http(Path))),
        ("own", "GET", HttpScheme::Https, "a.org", "/v1", Err(Reason::Exposed(1))),
        ("c", "GET", HttpScheme::Https, "a.org", "/v1", Err(Reason::NoSecret)),
    ] {
        let request = HttpOperation::parse(method, scheme, host, path).unwrap();
        let operation = Operation::Secret { name, request: &request };
        let expected = expected.map_or_else(Decision::Denied, |index| Decision::Allowed(Rule::Secret(index)));
        assert_eq!(decide(&held, &operation), expected, "{name} {request}");
        assert_eq!(decide(&none, &operation), Decision::Denied(Reason::NoSecret));
    }
    // What is exposed is a variable, and what is sent is none.
    assert_eq!(decide(&held, &Operation::Env("own")), Decision::Allowed(Rule::Secret(1)));
    assert_eq!(decide(&held, &Operation::Env("a")), Decision::Denied(Reason::Env));
}

#[test]
fn a_look_up_is_by_the_grant_that_gives_most() {
    let host = |name: &str| HostPattern::Name(name.into());
    let place = |name: &str, private_addresses| SocketGrant { host: host(name), port: 1, private_addresses };
    let grants = Grants {
        http: vec![http("https://a.org"), http("https://b.org")],
        tcp: vec![place("c.org", false), place("b.org", true)],
        udp: vec![place("c.org", false), place("d.org", false)],
        resolve: vec![host("a.org"), host("e.org"), host("localhost")],
        ..Grants::default()
    };
    for (name, by, private) in [
        ("a.org", Naming::Http(0), false),
        ("b.org", Naming::Tcp(1), true),
        ("c.org", Naming::Tcp(0), false),
        ("d.org", Naming::Udp(1), false),
        ("e.org", Naming::Resolve(1), false),
        ("localhost", Naming::Resolve(2), true),
    ] {
        let decision = decide(&grants, &Operation::Lookup(&HttpHost::Name(name.into())));
        assert_eq!(decision, Decision::Allowed(Rule::Lookup { by, private }), "{name}");
    }
}

fn mode() -> impl Strategy<Value = DirectoryMode> {
    prop_oneof![Just(DirectoryMode::ReadOnly), Just(DirectoryMode::ReadWrite)]
}

prop_compose! {
    fn any_directory()(
        guest in "(/[ab]){1,2}",
        mode in mode(),
        extensions in proptest::collection::vec("[mt]d", 0..2),
    ) -> DirectoryGrant {
        let extensions: Vec<_> = extensions.iter().map(String::as_str).collect();
        directory(&guest, mode, &extensions)
    }
}

fn access() -> impl Strategy<Value = Access> {
    proptest::sample::select(vec![Access::Read, Access::Write, Access::List, Access::Directory])
}

proptest! {
    /// What is allowed lies in the directory that is named as the rule, by whole segments, and is within its mode and
    /// extensions; of several it is the deepest. By a descriptor of that directory the answer is the same.
    #[test]
    fn an_allowed_path_lies_in_its_rules_directory(
        directories in proptest::collection::vec(any_directory(), 0..4),
        access in access(),
        path in "(/[ab]){0,3}(/[ab](\\.md|\\.td|\\.MD)?)?",
    ) {
        let grants = Grants { directories, ..Grants::default() };
        let decision = on(&grants, access, &path);
        if let Decision::Allowed(Rule::Directory(index)) = decision {
            let grant = &grants.directories[index];
            let below = format!("{path}/").strip_prefix(&format!("{}/", grant.guest)).map(str::to_owned);
            let below = below.expect("the path lies below");
            let writes = matches!(access, Access::Write | Access::Directory);
            prop_assert!(!writes || grant.mode == DirectoryMode::ReadWrite);
            if matches!(access, Access::Read | Access::Write) && !grant.extensions.is_empty() {
                let lower = path.to_ascii_lowercase();
                let fits = grant.extensions.iter().any(|e| lower.ends_with(&format!(".{e}")));
                prop_assert!(fits, "{}", path);
            }
            for other in &grants.directories {
                let deeper = format!("{path}/").starts_with(&format!("{}/", other.guest));
                prop_assert!(!deeper || other.guest.len() <= grant.guest.len());
            }
            let below = FilePath::Below(index, below.trim_end_matches('/'));
            prop_assert_eq!(decide(&grants, &Operation::File { access, path: below }), decision);
            let held = FilePath::Held(index);
            prop_assert_eq!(decide(&grants, &Operation::File { access, path: held }), decision);
        }
    }

    /// A directory that covers another allows whatever the other allowed.
    #[test]
    fn a_wider_directory_denies_nothing_that_was_allowed(
        one in any_directory(),
        other in any_directory(),
        access in access(),
        path in "(/[ab]){0,3}(/[ab](\\.md|\\.td)?)?",
    ) {
        let alone = |grant: &DirectoryGrant| Grants { directories: vec![grant.clone()], ..Grants::default() };
        if one.covers(&other) && on(&alone(&other), access, &path).is_allowed() {
            prop_assert!(on(&alone(&one), access, &path).is_allowed());
        }
        prop_assert!(one.covers(&one));
    }
}
