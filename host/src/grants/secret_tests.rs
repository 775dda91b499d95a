#![allow(clippy::unwrap_used, clippy::expect_used)]
//! A secret's audience lies within what is granted, goes over TLS, and is exactly what was written.

use proptest::prelude::*;

use super::*;
use crate::grants::{Grants, Operation, decide};

fn place(url: &str) -> HttpPlace {
    HttpPlace::parse(url).unwrap()
}

fn grant(url: &str, methods: &[&str]) -> HttpGrant {
    let HttpPlace { scheme, host, port, path } = place(url);
    let methods = methods.iter().map(|method| (*method).to_owned()).collect();
    HttpGrant { scheme, host, port, methods, path, private_addresses: false }
}

fn audience(url: &str, methods: Option<&[&str]>, grants: &[HttpGrant]) -> Result<Audience, AudienceError> {
    let methods = methods.map(|methods| methods.iter().map(|method| (*method).to_owned()).collect());
    Audience::new(place(url), methods, false, grants)
}

#[test]
fn an_audience_lies_within_the_grants() {
    let grants = [grant("https://*.example.org/v1", &["GET"]), grant("https://api.example.org", &["POST"])];
    for (url, methods, said) in [
        ("https://api.example.org/v1", None, "GET,POST https://api.example.org/v1"),
        ("https://api.example.org/v1/x", Some(&["POST"][..]), "POST https://api.example.org/v1/x"),
        ("https://*.example.org/v1", None, "GET https://*.example.org/v1"),
    ] {
        assert_eq!(audience(url, methods, &grants).unwrap().to_string(), said);
    }
    for (url, methods) in [
        ("https://example.org/v1", None),
        ("https://*.org/v1", None),
        ("https://b.example.org/v2", None),
        ("https://b.example.org/v1", Some(&["POST"][..])),
        ("https://api.example.org:8443/v1", None),
        ("https://api.example.org/v1", Some(&["GET", "PUT"][..])),
        ("https://api.example.org/v1", Some(&[][..])),
    ] {
        let refused = audience(url, methods, &grants);
        assert!(matches!(refused, Err(AudienceError::Ungranted(_))), "{url}: {refused:?}");
    }
}

#[test]
fn in_the_clear_only_to_this_machine_and_when_it_is_said() {
    for (url, clear, fine) in [
        ("https://api.example.org", false, true),
        ("http://api.example.org", false, false),
        ("http://api.example.org", true, false),
        ("http://10.0.0.1", true, false),
        ("http://*.localhost", true, false),
        ("http://localhost:1", false, false),
        ("http://localhost:1", true, true),
        ("http://127.0.0.1:1", false, false),
        ("http://127.0.0.1:1", true, true),
        ("http://[::1]:1", true, true),
    ] {
        assert_eq!(check_clear(&place(url), clear).is_ok(), fine, "{url} {clear}");
        let made = Audience::new(place(url), None, clear, &[grant(url, &["GET"])]);
        assert_eq!(made.is_ok(), fine, "{url} {clear}");
    }
}

#[test]
fn messages() {
    let sent = |credential, url| {
        let audience = Audience::new(place(url), None, false, &[grant(url, &["GET", "POST"])]).unwrap();
        SecretUse::Sent(Box::new(Sent { credential, audience }))
    };
    let named = |from, used| SecretGrant { name: "token".into(), from, used }.to_string();
    let keyring = SecretSource::Keyring { service: "github".into(), user: "ada".into() };
    let file = SecretSource::File("/run/token".into());
    let oauth = OauthRefresh {
        token_url: place("https://auth.example.org/token"),
        client_id: "kennel".into(),
        client_secret: Some(SecretSource::Env("CLIENT_SECRET".into())),
        scope: None,
    };
    let aws = AwsSigV4 {
        access_key_id: "AKIDEXAMPLE".into(),
        session_token: None,
        region: "eu-central-1".into(),
        service: "s3".into(),
    };
    let api = "https://api.example.org/v1";
    let lines = [
        named(SecretSource::Env("GITHUB_TOKEN".into()), SecretUse::Exposed),
        named(keyring, sent(Credential::Bearer, api)),
        named(file.clone(), sent(Credential::Header("x-api-key".into()), api)),
        named(file.clone(), sent(Credential::Query("key".into()), api)),
        named(file.clone(), sent(Credential::Basic("ada".into()), api)),
        named(file.clone(), sent(Credential::OauthRefresh(oauth), api)),
        named(file, sent(Credential::AwsSigV4(aws), "https://*.s3.amazonaws.com")),
        audience("https://b.org", None, &[]).unwrap_err().to_string(),
        Audience::new(place("http://b.org"), None, true, &[]).unwrap_err().to_string(),
        Audience::new(place("http://localhost"), None, false, &[]).unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Whatever was granted and written: what an audience takes, the grants allow; and it takes nothing beside its
    /// own place, read naively.
    #[test]
    fn a_secret_goes_nowhere_that_is_not_granted(
        granted in prop::sample::subsequence(vec![
            ("https://a.org", "GET"), ("https://*.a.org/v1", "POST"), ("https://b.a.org/v1/x", "GET"), ("http://a.org", "GET"),
        ], 0..4),
        url in prop::sample::select(vec![
            "https://a.org", "https://*.a.org", "https://b.a.org/v1", "https://b.a.org/v1/x", "https://b.a.org/v1/xy", "http://a.org",
        ]),
        (secure, host, method, path) in (
            any::<bool>(),
            prop::sample::select(vec!["a.org", "b.a.org", "c.b.a.org", "xa.org"]),
            prop::sample::select(vec!["GET", "POST", "PUT"]),
            prop::sample::select(vec!["/", "/v1", "/v1/x", "/v1/xy", "/v1/x/y"]),
        ),
    ) {
        let grants: Vec<_> = granted.iter().map(|(url, method)| grant(url, &[method])).collect();
        let Ok(audience) = audience(url, None, &grants) else { return Ok(()) };
        let scheme = if secure { HttpScheme::Https } else { HttpScheme::Http };
        let operation = HttpOperation::parse(method, scheme, host, path).unwrap();
        if audience.misses(&operation).is_none() {
            prop_assert!(secure);
            let held = Grants { http: grants, ..Grants::default() };
            prop_assert!(decide(&held, &Operation::Http(&operation)).is_allowed());
            let (pattern, prefix) = url.strip_prefix("https://").unwrap().split_once('/').unwrap_or((url.strip_prefix("https://").unwrap(), ""));
            let named = pattern.strip_prefix('*').map_or(host == pattern, |suffix| host.ends_with(suffix));
            let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
            let wanted: Vec<_> = prefix.split('/').filter(|part| !part.is_empty()).collect();
            prop_assert!(named && parts.starts_with(&wanted), "{url} {operation}");
        }
    }
}
