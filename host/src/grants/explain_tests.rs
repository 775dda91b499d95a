#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::grants::{
    Digest, DirectoryGrant, DirectoryMode, DiskQuota, HttpGrant, HttpPlace, StateGrant, StateScope,
};

fn http(url: &str, methods: &[&str]) -> HttpGrant {
    let HttpPlace { scheme, host, port, path } = HttpPlace::parse(url).unwrap();
    let methods = methods.iter().map(ToString::to_string).collect();
    HttpGrant { scheme, host, port, methods, path, private_addresses: false }
}

fn granted() -> Grants {
    let directory = |guest: &str, mode| DirectoryGrant {
        host: format!("/srv{guest}").into(),
        guest: guest.to_owned(),
        mode,
        quota: DiskQuota { bytes: 1, files: 1 },
        extensions: Vec::new(),
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
        tcp: vec![],
        udp: vec![],
        resolve: vec![],
        env: [("BASE".to_owned(), "https://base.example".to_owned()), ("TOKEN".to_owned(), "t".to_owned())]
            .into(),
        secrets: Vec::new(),
        state: Some(StateGrant { quota: 2 << 20, scope: StateScope::Plugin }),
        elicit: true,
        sample: false,
        roots: true,
    }
}

fn asked() -> Asked {
    Asked::parse(
        br#"{"asks":{"directories":{"mode":"read-only"},"state":{"quota":"1MiB"},"elicit":true,
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
            "state 1MiB",
            "state 2MiB",
            "state 3MiB",
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
