#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::grants::{
    Audience, CommandGrant, Credential, Digest, DirectoryGrant, DirectoryMode, DiskQuota, HostPattern,
    HttpGrant, HttpPlace, SecretGrant, SecretSource, SecretUse, Sent, SocketGrant, StateGrant, StateScope,
};

fn http(url: &str, methods: &[&str]) -> HttpGrant {
    let HttpPlace { scheme, host, port, path } = HttpPlace::parse(url).unwrap();
    let methods = methods.iter().map(ToString::to_string).collect();
    HttpGrant { scheme, host, port, methods, path, private_addresses: false }
}

fn sent(name: &str, url: &str) -> SecretGrant {
    let place = HttpPlace::parse(url).unwrap();
    let grants = [http(url, &["GET", "POST"])];
    let audience = Audience::new(place, Some(vec!["GET".into()]), false, &grants).unwrap();
    let from = SecretSource::Env("K".into());
    let sent = Sent { credential: Credential::Bearer, audience };
    SecretGrant { name: name.into(), from, used: SecretUse::Sent(Box::new(sent)) }
}

fn granted() -> Grants {
    let directory = |guest: &str, mode| DirectoryGrant {
        host: format!("/srv{guest}").into(),
        guest: guest.to_owned(),
        mode,
        quota: DiskQuota { bytes: 1, files: 1 },
        extensions: Vec::new(),
        lock: Default::default(),
    };
    Grants {
        directories: vec![
            directory("/docs", DirectoryMode::ReadOnly),
            directory("/out", DirectoryMode::ReadWrite),
        ],
        http: vec![
            http("https://other.example", &["GET"]),
            http("https://*.example.org", &["GET", "POST"]),
            http("https://base.example", &["GET"]),
        ],
        tcp: vec![SocketGrant {
            host: HostPattern::Name("db.example".into()),
            port: 1,
            private_addresses: false,
        }],
        udp: vec![],
        resolve: vec![HostPattern::Name("api.example.org".into()), HostPattern::Name("names.example".into())],
        env: [("BASE".to_owned(), "https://base.example".to_owned()), ("TOKEN".to_owned(), "t".to_owned())]
            .into(),
        secrets: vec![
            sent("key", "https://api.example.org/v1"),
            SecretGrant { name: "own".into(), from: SecretSource::Env("O".into()), used: SecretUse::Exposed },
            sent("other", "https://other.example"),
        ],
        state: Some(StateGrant { quota: 2 << 20, scope: StateScope::Plugin }),
        commands: Some(CommandGrant {
            folder: "/srv/commands".into(),
            only: vec!["wc".to_owned(), "cut".to_owned()],
        }),
        elicit: true,
        sample: false,
        roots: true,
    }
}

fn asked() -> Asked {
    Asked::parse(
        br#"{"asks":{"directories":{"mode":"read-only"},"state":{"quota":"1MiB"},"elicit":true,
            "secrets":[{"name":"key"},{"name":"other"}],"resolve":[{"name":"names.example"}],
            "http":[{"url":"https://api.example.org/v1","methods":["GET"],"url-from-env":"BASE"}],
            "env":[{"name":"BASE"}]}}"#,
    )
    .unwrap()
}

#[test]
fn each_answer_names_its_grant_and_what_is_missing() {
    let digest = Digest::of(b"x");
    let changed = Approval::Changed { approved: digest, found: Digest::of(b"y") };
    let mut lines = Vec::new();
    for (name, asked, approval) in [
        ("asks for less", Some(asked()), Approval::Approved),
        ("does not ask", None, Approval::Approved),
        ("not approved", None, changed),
    ] {
        lines.push(format!("-- {name}"));
        for text in [
            "read /docs/a",
            "write /docs/a",
            "write /out/a",
            "read /etc/a",
            "GET https://api.example.org/v1/x",
            "POST https://api.example.org/v1/x",
            "GET https://base.example/",
            "GET https://other.example/",
            "GET https://nowhere.example/",
            "env BASE",
            "env TOKEN",
            "env HOME",
            "env own",
            "env key",
            "secret key GET https://api.example.org/v1",
            "secret key GET https://api.example.org/",
            "secret key POST https://api.example.org/v1",
            "secret other GET https://other.example/",
            "secret own GET https://api.example.org/v1",
            "secret none GET https://api.example.org/v1",
            "tcp db.example:1",
            "resolve api.example.org",
            "resolve db.example",
            "resolve names.example",
            "resolve nowhere.example",
            "state 1MiB",
            "state 2MiB",
            "state 3MiB",
            "run wc",
            "run sort",
            "elicit",
            "sample",
            "roots",
        ] {
            let intent = text.parse().unwrap();
            let said = explain(&granted(), asked.as_ref(), Trust::Approved, &approval, &intent);
            let held = holding(&granted(), asked.as_ref(), Trust::Approved, &approval);
            assert_eq!(said.allowed, decide(&held.grants, &intent.operation()).is_allowed(), "{text}");
            assert!(!said.allowed || said.by.is_some(), "{text}: by nothing");
            let word = if said.allowed { "allowed" } else { "denied" };
            let by = said.by.map_or_else(|| "-".to_owned(), |key| format!("{key:?}"));
            let withheld = if said.withheld { " [withheld]" } else { "" };
            lines.push(format!("{text}: {word} {by}{withheld} {}", said.why.unwrap_or_default()));
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_grant_is_shown_with_what_of_it_is_held() {
    let shares = shares(&granted(), Some(&asked()), Trust::Approved, &Approval::Approved);
    assert_eq!(shares.len(), granted().describe().len());
    let lines: Vec<_> = shares
        .iter()
        .map(|s| {
            format!(
                "{:?} {} | {} | {}",
                s.key,
                s.granted,
                s.held.join("; "),
                s.withheld.as_deref().unwrap_or("-")
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}
