#![allow(clippy::unwrap_used, clippy::expect_used)]
use proptest::prelude::*;

use super::*;
use crate::grants::{
    Access, DirectoryGrant, DirectoryMode, DiskQuota, HttpScheme, SocketPlace, StateScope, parse_resolvable,
};

fn directory(guest: &str, mode: DirectoryMode, extensions: &[&str]) -> DirectoryGrant {
    DirectoryGrant {
        host: format!("/srv{guest}").into(),
        guest: guest.to_owned(),
        mode,
        quota: DiskQuota { bytes: 64 << 20, files: 1000 },
        extensions: extensions.iter().map(ToString::to_string).collect(),
        lock: Default::default(),
    }
}

fn http(url: &str, methods: &[&str], private_addresses: bool) -> HttpGrant {
    let HttpPlace { scheme, host, port, path } = HttpPlace::parse(url).unwrap();
    let methods = methods.iter().map(ToString::to_string).collect();
    HttpGrant { scheme, host, port, methods, path, private_addresses }
}

fn socket(to: &str, private_addresses: bool) -> SocketGrant {
    let SocketPlace { host, port } = SocketPlace::parse(to).unwrap();
    SocketGrant { host, port, private_addresses }
}

/// Wide, and of every kind.
fn bounds() -> Grants {
    Grants {
        directories: vec![
            directory("/docs", DirectoryMode::ReadWrite, &[]),
            directory("/notes", DirectoryMode::ReadOnly, &["md", "tar.gz"]),
        ],
        http: vec![
            http("http://*.b.t", &["GET", "POST"], false),
            http("http://a.b.t/v", &["PUT"], true),
            http("https://a.t/v", &["GET"], false),
            http("https://a.t/w", &["GET"], false),
        ],
        tcp: vec![socket("*.b.t:8", false), socket("127.0.0.1:9", true)],
        udp: vec![socket("*.b.t:8", true)],
        resolve: vec![parse_resolvable("*.r.t").unwrap()],
        env: [("A".to_owned(), "1".to_owned())].into(),
        secrets: Vec::new(),
        state: Some(StateGrant { quota: 1 << 20, scope: StateScope::Caller }),
        commands: Some(CommandGrant {
            folder: "/srv/commands".into(),
            only: vec!["wc".to_owned(), "cut".to_owned()],
        }),
        elicit: true,
        sample: true,
        roots: true,
    }
}

fn any_operation() -> impl Strategy<Value = Intent> {
    let text = prop_oneof![
        "(read|write|list|mkdir) /docs(/[ab]){0,3}(/[ab](\\.md|\\.TXT|\\.tar\\.gz)?)?",
        "(read|list|write) /notes(/[ab]){0,2}/[ab](\\.md|\\.tar\\.gz|\\.txt)",
        "(GET|POST|PUT|HEAD) http://(a|b\\.a|c)\\.b\\.t(:81)?(/[vw]){0,3}/?",
        "(GET|POST) https://a\\.t(/[vw]|/%7B|/\\{){0,3}",
        "(tcp|udp) ([ab]\\.b\\.t|127\\.0\\.0\\.1):[89]",
        "resolve [ab]\\.([br]\\.t|t)",
        "(elicit|sample|roots|state)",
        "state [1-9][0-9]{0,6}B",
        "run (wc|cut|sort)",
    ];
    text.prop_map(|text| text.parse().unwrap())
}

fn trace() -> impl Strategy<Value = Vec<Seen>> {
    let one = (any_operation(), 0..10_000_000_u64).prop_map(|(intent, bytes)| {
        let denied = match decide(&bounds(), &intent.operation()) {
            Decision::Allowed(_) => None,
            Decision::Denied(reason) => Some(reason),
        };
        let written = matches!(intent, Intent::File(Access::Write, _)) && denied.is_none();
        Seen { bytes: if written { bytes } else { 0 }, ..Seen::once(intent, denied) }
    });
    proptest::collection::vec(one, 0..24)
}

fn says(text: &str) -> Intent {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What lies one step outside of a grant alone, given what was done under it.
fn outside(alone: &Grants, covered: &[&Seen]) -> Vec<Intent> {
    let mut all = Vec::new();
    for grant in &alone.directories {
        let (above, name) = grant.guest.rsplit_once('/').unwrap();
        let ending = grant.extensions.first().map(|one| format!(".{one}")).unwrap_or_default();
        all.push(says(&format!("read {above}/{name}x/f{ending}")));
        all.push(says(&format!("read {above}/f{ending}")));
        all.push(says(&format!("list {above}/")));
        if grant.mode == DirectoryMode::ReadOnly {
            all.push(says(&format!("write {}/f{ending}", grant.guest)));
            all.push(says(&format!("mkdir {}/f", grant.guest)));
        }
        if !grant.extensions.is_empty() {
            all.push(says(&format!("read {}/f.other", grant.guest)));
            all.push(says(&format!("read {}/f", grant.guest)));
        }
    }
    for grant in &alone.http {
        let HttpGrant { scheme, host, port, methods, path, .. } = grant;
        let path = path.as_str().trim_end_matches('/');
        let method = &methods[0];
        all.push(says(&format!("DELETE {scheme}://{host}:{port}{path}")));
        all.push(says(&format!("{method} {scheme}://x.{host}:{port}{path}")));
        all.push(says(&format!("{method} {scheme}://{host}:{}{path}", port + 1)));
        let other = if *scheme == HttpScheme::Http { HttpScheme::Https } else { HttpScheme::Http };
        all.push(says(&format!("{method} {other}://{host}:{port}{path}")));
        if let Some((above, _)) = path.rsplit_once('/') {
            all.push(says(&format!("{method} {scheme}://{host}:{port}{above}/")));
            all.push(says(&format!("{method} {scheme}://{host}:{port}{path}x")));
        }
    }
    for (word, grants) in [("tcp", &alone.tcp), ("udp", &alone.udp)] {
        for SocketGrant { host, port, .. } in grants {
            all.push(says(&format!("{word} {host}:{}", port + 1)));
            all.push(says(&format!("{word} other.t:{port}")));
        }
    }
    for host in &alone.resolve {
        all.push(says(&format!("resolve x.{host}")));
    }
    if let Some(state) = &alone.state {
        let most = covered.iter().filter_map(|one| match one.intent {
            Intent::State(bytes) => Some(bytes),
            _ => None,
        });
        assert!(state.quota <= most.max().unwrap().max(LEAST_STATE / 2) * 2, "{state}");
        all.push(Intent::State(state.quota + 1));
    }
    if let Some(commands) = &alone.commands {
        let ran = |name: &String| covered.iter().any(|one| one.intent.command() == Some(name));
        assert!(commands.only.iter().all(ran), "{commands}");
        all.push(says("run other"));
    }
    all
}

/// Whether nothing deeper would do for a directory or path: what was done under it parts right there, or is done there.
fn is_deepest(at: &str, done: &[String]) -> bool {
    let at = at.trim_end_matches('/');
    let next: Option<Vec<&str>> = done
        .iter()
        .map(|path| {
            path.strip_prefix(at)?.trim_start_matches('/').split('/').next().filter(|next| !next.is_empty())
        })
        .collect();
    next.is_none_or(|next| next.iter().any(|one| *one != next[0]))
}

proptest! {
    /// A learned policy replays its trace without a denial, gives nothing that was not given before, and what lies one
    /// step outside of each grant is denied by it.
    #[test]
    fn what_was_learned_is_what_was_done(seen in trace()) {
        let bounds = bounds();
        let learned = learn(&seen, &bounds);
        prop_assert!(learned.left.is_empty(), "{learned:?}");
        for one in seen.iter().filter(|one| one.denied.is_none()) {
            prop_assert!(decide(&learned.grants, &one.intent.operation()).is_allowed(), "{} by {learned:?}", one.intent);
        }
        for (alone, covered) in &learned.parts {
            let covered: Vec<&Seen> = covered.iter().map(|number| &seen[*number]).collect();
            prop_assert_eq!(covered.is_empty(), !alone.env.is_empty(), "{:?}", alone);
            prop_assert!(covered.iter().all(|one| decide(alone, &one.intent.operation()).is_allowed()));
            for intent in outside(alone, &covered) {
                prop_assert!(!decide(alone, &intent.operation()).is_allowed(), "{intent} by {alone:?}");
                // What another grant allows was done under that one, or lies beside what was.
                if decide(&learned.grants, &intent.operation()).is_allowed() {
                    prop_assert!(learned.parts.len() > 1, "{intent}");
                    prop_assert!(decide(&bounds, &intent.operation()).is_allowed(), "{intent}");
                }
            }
            for grant in &alone.http {
                let paths = covered.iter().filter_map(|one| match &one.intent {
                    Intent::Http(request) => Some(request.path().trim_end_matches('/').to_owned()),
                    _ => None,
                });
                let paths: Vec<_> = paths.collect();
                // A brace would be read back as an escape, so nothing with one can be written.
                let plain = paths.iter().all(|path| !path.contains('{'));
                prop_assert!(!plain || is_deepest(grant.path.as_str(), &paths), "{alone:?}");
            }
            for grant in &alone.directories {
                let inside = covered.iter().map(|one| match &one.intent {
                    Intent::File(Access::List, path) => path.clone(),
                    Intent::File(_, path) => path.rsplit_once('/').unwrap().0.to_owned(),
                    other => panic!("{other}"),
                });
                prop_assert!(is_deepest(&grant.guest, &inside.collect::<Vec<_>>()), "{alone:?}");
                let changed = covered.iter().any(|one| matches!(one.intent, Intent::File(Access::Write | Access::Directory, _)));
                prop_assert_eq!(grant.mode == DirectoryMode::ReadWrite, changed);
                let bytes: u64 = covered.iter().map(|one| one.bytes).sum();
                prop_assert!(!changed || grant.quota.bytes >= bytes.min(64 << 20), "{alone:?}");
            }
        }
    }

    /// Nothing is allowed that the bounds do not allow, and nothing of a kind that was never used.
    #[test]
    fn what_was_learned_is_within_its_bounds(seen in trace(), intent in any_operation()) {
        let bounds = bounds();
        let learned = learn(&seen, &bounds).grants;
        let operation = intent.operation();
        prop_assert!(!decide(&learned, &operation).is_allowed() || decide(&bounds, &operation).is_allowed(), "{intent}");
        let kind = |intent: &Intent| std::mem::discriminant(intent);
        let used = seen.iter().any(|one| one.denied.is_none() && kind(&one.intent) == kind(&intent));
        let named = matches!(intent, Intent::Lookup(_));
        prop_assert!(used || named || !decide(&learned, &operation).is_allowed(), "{intent} by {learned:?}");
    }

    /// What was learned is not learned wider from what it allows itself.
    #[test]
    fn learning_under_what_was_learned_gives_the_same(seen in trace()) {
        let first = learn(&seen, &bounds()).grants;
        let again = learn(&seen, &first).grants;
        prop_assert_eq!(lost(&again, &first), Vec::<String>::new());
        prop_assert_eq!(lost(&first, &again), Vec::<String>::new());
    }
}

fn learned(lines: &[&str]) -> Vec<String> {
    let seen: Vec<_> = lines.iter().map(|line| Seen::once(says(line), None)).collect();
    let mut lines = learn(&seen, &bounds()).grants.describe();
    lines.retain(|line| line != "environment variable A");
    lines
}

#[test]
fn what_is_changed_and_what_is_read_are_two_grants() {
    let both =
        learned(&["read /docs/a/x.md", "list /docs/a/b", "write /docs/out/y.txt", "read /docs/out/z.txt"]);
    assert_eq!(
        both,
        [
            "directory /srv/docs/a as /docs/a, read-only, only *.md",
            "directory /srv/docs/out as /docs/out, read-write, only *.txt",
        ]
    );
    let inside = learned(&["list /docs", "mkdir /docs/a/b"]);
    assert_eq!(
        inside,
        ["directory /srv/docs as /docs, read-only", "directory /srv/docs/a as /docs/a, read-write"]
    );
    // The whole of the extension stays when the person said it whole.
    assert_eq!(
        learned(&["read /notes/a/x.tar.gz"]),
        ["directory /srv/notes/a as /notes/a, read-only, only *.tar.gz"]
    );
    assert_eq!(
        learned(&["read /docs/a/.profile", "read /docs/a/b.md"]),
        ["directory /srv/docs/a as /docs/a, read-only"]
    );
}

#[test]
fn paths_of_requests_are_written_as_they_are_read_again() {
    assert_eq!(
        learned(&[
            "GET https://a.t/v/%7Bx%7D/1",
            "GET http://x.b.t/a//b",
            "GET https://a.t/w/1/",
            "POST http://x.b.t/c"
        ]),
        [
            "HTTP GET http://x.b.t/a//b",
            "HTTP POST http://x.b.t/c",
            "HTTP GET https://a.t/v/%7Bx%7D/1",
            "HTTP GET https://a.t/w/1",
        ]
    );
    assert_eq!(learned(&["GET https://a.t/v/{x}/1"]), ["HTTP GET https://a.t/v"]);
}

#[test]
fn a_name_that_is_granted_needs_no_grant_to_be_looked_up() {
    assert_eq!(
        learned(&["resolve a.b.t", "resolve a.r.t", "tcp a.b.t:8"]),
        ["TCP a.b.t:8", "to look up a.r.t"]
    );
}

#[test]
fn what_was_refused_once_it_was_dialled_is_not_learned() {
    let request = says("GET http://x.b.t/a");
    let private = Reason::Http(crate::grants::DenyReason::Private);
    let seen = [Seen::once(request.clone(), None), Seen::once(request, Some(private))];
    assert_eq!(learn(&seen, &bounds()).grants.http, []);
}

#[test]
fn private_addresses_are_learned_where_they_were_met() {
    let mut one = Seen::once(says("udp a.b.t:8"), None);
    assert!(!learn(&[one.clone()], &bounds()).grants.udp[0].private_addresses);
    one.private = true;
    assert!(learn(&[one.clone()], &bounds()).grants.udp[0].private_addresses);
    one.intent = says("tcp a.b.t:8");
    assert!(!learn(&[one], &bounds()).grants.tcp[0].private_addresses, "the bound does not allow them");
}

#[test]
fn what_is_held_already_is_known() {
    let held = bounds();
    let give = |grants: &Grants| gives(&held, grants);
    let directories = |grant| Grants { directories: vec![grant], ..Grants::default() };
    assert!(give(&directories(directory("/docs/a", DirectoryMode::ReadWrite, &["md"]))));
    assert!(give(&directories(directory("/notes/a", DirectoryMode::ReadOnly, &["md"]))));
    assert!(!give(&directories(directory("/notes/a", DirectoryMode::ReadOnly, &[]))));
    assert!(!give(&directories(directory("/notes", DirectoryMode::ReadWrite, &["md"]))));
    assert!(!give(&directories(directory("/docsx", DirectoryMode::ReadOnly, &[]))));
    let elsewhere =
        DirectoryGrant { host: "/srv/x/a".into(), ..directory("/docs/a", DirectoryMode::ReadOnly, &[]) };
    assert!(!give(&directories(elsewhere)));
    assert!(give(&Grants { http: vec![http("http://c.b.t/x", &["GET"], false)], ..Grants::default() }));
    assert!(!give(&Grants { http: vec![http("http://c.b.t/x", &["PUT"], false)], ..Grants::default() }));
}
