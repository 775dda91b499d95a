//! Access tokens, got with a refresh token (RFC 6749, 6) and kept until they are about to expire. The guest sees
//! neither. Must not be reached by what a plugin says: where and as whom it asks is granted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::time::Instant;
use url::form_urlencoded;
use wasmtime_wasi_http::{Error, RequestOptions};

use super::Refusal;
use crate::grants::{Credential, HttpOperation, OauthRefresh};
use crate::sandbox::capability::http::client::Bounds;
use crate::sandbox::capability::http::{Gate, shown};
use crate::sandbox::capability::network::Traffic;
use crate::sandbox::capability::secrets::{Held, Tokens};

/// Longest a token may take to be got.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a token endpoint's answer.
const MAX_ANSWER: u64 = 64 << 10;
/// Shortest and longest token, in bytes: what can be told from other text, and what a header takes.
const TOKEN: std::ops::RangeInclusive<usize> = 8..=4096;
/// How long before its end a token counts as expired.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a token is good for when nothing is said.
const USUAL: u64 = 300;

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<u64>,
    refresh_token: Option<String>,
    error: Option<String>,
}

/// The access token for the secret at this index: the one that is there, or a new one. Whoever else wants it
/// meanwhile waits for the same.
pub(super) async fn token(gate: &Arc<Gate>, index: usize) -> Result<SecretString, Refusal> {
    let gate = gate.clone();
    // A task of its own: a refresh token may be good for once, and the answer must not be lost with a call.
    let got = tokio::spawn(async move {
        let held = gate.secrets.held().get(index)?;
        let Credential::OauthRefresh(oauth) = &held.grant.sent()?.credential else { return None };
        Some(current(&gate, held, oauth).await)
    });
    let gone = || Refusal::Token { name: String::new(), why: "the host is ending".to_owned() };
    got.await.ok().flatten().ok_or_else(gone)?
}

/// Forgets the access token that was just refused.
pub(super) async fn forget(gate: &Gate, index: usize) {
    if let Some(held) = gate.secrets.held().get(index) {
        held.tokens.lock().await.access = None;
    }
}

async fn current(gate: &Gate, held: &Held, oauth: &OauthRefresh) -> Result<SecretString, Refusal> {
    let mut tokens = held.tokens.lock().await;
    if let Some((token, until)) = &tokens.access
        && Instant::now() < *until
    {
        return Ok(token.clone());
    }
    let name = &held.grant.name;
    refresh(gate, held, oauth, &mut tokens).await.map_err(|why| Refusal::Token { name: name.clone(), why })
}

async fn refresh(
    gate: &Gate,
    held: &Held,
    oauth: &OauthRefresh,
    tokens: &mut Tokens,
) -> Result<SecretString, String> {
    let place = &oauth.token_url;
    let authority = format!("{}:{}", place.host, place.port);
    let operation = HttpOperation::parse("POST", place.scheme, &authority, place.path.as_str());
    let operation = operation.map_err(|why| why.to_string())?;
    let form = {
        let refresh = tokens.refresh.as_ref().unwrap_or(&held.value);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", refresh.expose_secret());
        form.append_pair("client_id", &oauth.client_id);
        if let Some(secret) = &held.more {
            form.append_pair("client_secret", secret.expose_secret());
        }
        if let Some(scope) = &oauth.scope {
            form.append_pair("scope", scope);
        }
        form.finish()
    };
    let body = Full::new(Bytes::from(form)).map_err(|never| match never {}).boxed_unsync();
    let request = Request::post(place.path.as_str())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .header(header::ACCEPT_ENCODING, "identity")
        .body(body)
        .map_err(|error| error.to_string())?;
    let bounds = Bounds::new(Instant::now() + PATIENCE, RequestOptions::default(), MAX_ANSWER, MAX_ANSWER);
    // The host's own request, which is none of the call's traffic.
    let traffic = Traffic { counters: Arc::default(), bound: u64::MAX };
    let sent = gate.client.send(&operation, place.names_private(), request, bounds, &traffic).await;
    let failed = |error: Error| format!("{place} cannot be reached ({error:?})");
    let response = sent.map_err(failed)?;
    let status = response.status();
    let bytes = response.into_body().collect().await.map_err(failed)?.to_bytes();
    let answer: Answer = serde_json::from_slice(&bytes)
        .map_err(|_| format!("{place} answers {} and no JSON", status.as_u16()))?;
    let (Some(access), true) = (answer.access_token, status.is_success()) else {
        let why = answer.error.map_or_else(String::new, |error| format!(" ({})", shown(&error)));
        return Err(format!("{place} answers {}{why}; get a new refresh token", status.as_u16()));
    };
    let access = SecretString::from(access);
    if answer.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(format!("{place} gives a token of another kind than bearer"));
    }
    let sound = |token: &SecretString| {
        let token = token.expose_secret();
        TOKEN.contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !sound(&access) {
        return Err(format!("{place} gives a token that cannot be kept or sent"));
    }
    // Known to the scrubber before anything of it leaves.
    gate.secrets.learn_token(&held.grant.name, "access token", &access);
    if let Some(newer) = answer.refresh_token.map(SecretString::from).filter(sound) {
        gate.secrets.learn_token(&held.grant.name, "refresh token", &newer);
        tokens.refresh = Some(newer);
    }
    let left = Duration::from_secs(answer.expires_in.unwrap_or(USUAL)).saturating_sub(MARGIN);
    let until = Instant::now().checked_add(left).unwrap_or_else(Instant::now);
    tokens.access = Some((access.clone(), until));
    Ok(access)
}
