//! Puts secrets into requests that the gate let through, and takes them out of the answers. Whether a request is for
//! a secret is `grants`' to say; what is written anywhere but in a secret's own part is refused, never sent.

mod answer;
mod aws;
mod body;
mod oauth;
mod placeholder;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use http::{HeaderValue, Request, Response, StatusCode, Uri, header, request};
use secrecy::ExposeSecret as _;
use url::form_urlencoded;
use wasmtime_wasi_http::{Error, WasiBody};

use super::client::Bounds;
use super::{Denials, Gate};
use crate::grants::{Credential, HttpOperation, Operation, Sent, decide};
use crate::sandbox::capability::network::Traffic;
use crate::sandbox::capability::secrets::Held;

/// Base64 with or without its padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a request that was allowed is not sent, or its answer not given, for a secret's sake.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("it holds no secret `{0}`; ask the user to grant it in kennel.toml")]
    Unknown(String),
    #[error("the secret `{name}` is for {audience} only; ask the user to grant another one in kennel.toml")]
    Audience { name: String, audience: String },
    #[error("the secret `{name}` goes as {slot} only, and it is written in {place}")]
    Slot { name: String, slot: String, place: String },
    #[error("the secret `{0}` is a variable of the plugin's own, and is not put into requests")]
    Exposed(String),
    #[error("it sets {part} itself, where the host puts the secret `{name}`")]
    Taken { part: String, name: String },
    #[error("it asks for a range of the answer, which could give the secret `{0}` back in pieces")]
    Range(String),
    #[error("the answer is {0}, so that no secret can be looked for in it")]
    Coded(String),
    #[error("no access token can be got with the secret `{name}`: {why}")]
    Token { name: String, why: String },
    #[error("it cannot be signed with the secret `{name}`: {why}")]
    Sign { name: String, why: String },
    #[error("the secret `{0}` cannot be put into it")]
    Unfit(String),
}

impl Refusal {
    /// What the audit is told: names of secrets that the plugin holds, and nothing that it or a server wrote.
    fn audited(&self, operation: &HttpOperation) -> String {
        let why = match self {
            Self::Unknown(_) => "it holds no such secret".to_owned(),
            Self::Audience { name, audience } => format!("`{name}` is for {audience} only"),
            Self::Slot { name, slot, .. } => format!("`{name}` goes as {slot} only"),
            Self::Exposed(name) => format!("`{name}` is a variable of its own"),
            Self::Taken { name, .. } => format!("it sets the part itself where `{name}` goes"),
            Self::Range(name) => format!("it asks for a range of an answer that could hold `{name}`"),
            Self::Coded(_) => "the answer is coded, so that no secret can be looked for in it".to_owned(),
            Self::Token { name, .. } => format!("no access token was got with `{name}`"),
            Self::Sign { name, .. } => format!("it could not be signed with `{name}`"),
            Self::Unfit(name) => format!("`{name}` cannot be put into it"),
        };
        let scheme = operation.scheme();
        format!("secret in HTTP {} {scheme}://{}: {why}", operation.method(), operation.destination())
    }
}

/// What comes instead of an answer.
enum Fault {
    Refused(Refusal),
    Failed(Error),
}

impl From<Refusal> for Fault {
    fn from(why: Refusal) -> Self {
        Self::Refused(why)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Sends a request with the plugin's secrets for it, and gives the answer without them.
///
/// # Errors
/// `HttpRequestDenied` for what was refused, which is noted; else what the client says.
pub(super) async fn send(
    gate: &Arc<Gate>,
    operation: &HttpOperation,
    private: bool,
    request: Request<WasiBody>,
    bounds: Bounds,
    traffic: &Traffic,
    denials: &Denials,
) -> Result<Response<WasiBody>, Error> {
    pass(gate, operation, private, request, bounds, traffic).await.map_err(|fault| match fault {
        Fault::Failed(error) => error,
        Fault::Refused(why) => {
            traffic.counters.denied(&why.audited(operation));
            denials.add(format!("an HTTP request of `{}` was refused: {operation}: {why}", gate.plugin));
            Error::HttpRequestDenied
        }
    })
}

async fn pass(
    gate: &Arc<Gate>,
    operation: &HttpOperation,
    private: bool,
    request: Request<WasiBody>,
    bounds: Bounds,
    traffic: &Traffic,
) -> Result<Response<WasiBody>, Fault> {
    let scrubber =
        gate.secrets.scrubber().filter(|_| gate.secrets.held().iter().any(|h| h.grant.sent().is_some()));
    let Some(scrubber) = scrubber else {
        // There is nothing to put in, and nothing to look for in the answer.
        placeholder::refuse_all(&request)?;
        return Ok(gate.client.send(operation, private, request, bounds, traffic).await?);
    };
    let (request, written) = body::guarded(request, &gate.secrets);
    let passed = async {
        let (request, carried) = put_in(gate, operation, request, bounds).await?;
        carried.rules.iter().for_each(|rule| traffic.counters.allowed(rule));
        let response = gate.client.send(operation, private, request, bounds, traffic).await?;
        if response.status() == StatusCode::UNAUTHORIZED
            && let Some(index) = carried.token
        {
            oauth::forget(gate, index).await;
        }
        Ok(guarded!("secret-answers", answer::clean(response, scrubber)?, without response))
    };
    match (passed.await, written.get()) {
        (Err(_), Some(name)) => {
            let (_, sent) = lookup(gate, name)?;
            Err(misplaced(name, sent, "the body").into())
        }
        (passed, _) => passed,
    }
}

/// Which secrets a request carries.
#[derive(Default)]
struct Carried {
    /// The first that the answer could give back.
    name: Option<String>,
    /// Whose access token.
    token: Option<usize>,
    /// Those that the plugin wrote into the query itself.
    written: Vec<String>,
    /// By which grants, each once.
    rules: Vec<Arc<str>>,
}

impl Carried {
    fn note(&mut self, held: &Held) {
        self.name.get_or_insert_with(|| held.grant.name.clone());
        self.uses(held);
    }

    fn uses(&mut self, held: &Held) {
        if !self.rules.iter().any(|rule| Arc::ptr_eq(rule, &held.rule)) {
            self.rules.push(held.rule.clone());
        }
    }
}

async fn put_in(
    gate: &Arc<Gate>,
    operation: &HttpOperation,
    request: Request<WasiBody>,
    bounds: Bounds,
) -> Result<(Request<WasiBody>, Carried), Fault> {
    let (mut parts, body) = request.into_parts();
    let mut carried = Carried::default();
    fill_fields(gate, operation, &mut parts, &mut carried)?;
    fill_target(gate, operation, &mut parts, &mut carried)?;
    let mut signer = None;
    for (index, held) in gate.secrets.held().iter().enumerate() {
        let Some(sent) = held.grant.sent().filter(|_| is_for(gate, &held.grant.name, operation)) else {
            continue;
        };
        let value = held.value.expose_secret();
        match &sent.credential {
            // Where the plugin writes them, which is done.
            Credential::Header(_) => continue,
            Credential::Query(key) => add_to_query(&mut parts, key, held, &carried)?,
            Credential::Bearer => authorize(&mut parts, &format!("Bearer {value}"), held)?,
            Credential::Basic(user) => {
                let pair = STANDARD.encode(format!("{user}:{value}"));
                authorize(&mut parts, &format!("Basic {pair}"), held)?;
            }
            Credential::OauthRefresh(_) => {
                let token = oauth::token(gate, index).await?;
                carried.token = Some(index);
                authorize(&mut parts, &format!("Bearer {}", token.expose_secret()), held)?;
            }
            // Last, because it signs the rest; the key itself is not sent.
            Credential::AwsSigV4(aws) => {
                signer = Some((held, aws));
                carried.uses(held);
                continue;
            }
        }
        carried.note(held);
    }
    if let Some(name) = &carried.name
        && parts.headers.contains_key(header::RANGE)
    {
        return Err(Refusal::Range(name.clone()).into());
    }
    parts.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let request = Request::from_parts(parts, body);
    let request = match signer {
        Some((held, aws)) => aws::signed(request, operation, held, aws, bounds).await?,
        None => request,
    };
    Ok((request, carried))
}

/// Whether the grants allow the request with this secret in it.
fn is_for(gate: &Gate, name: &str, request: &HttpOperation) -> bool {
    decide(&gate.grants, &Operation::Secret { name, request }).is_allowed()
}

/// The secret of a placeholder, if it can be put into requests at all.
fn lookup<'g>(gate: &'g Gate, name: &str) -> Result<(&'g Held, &'g Sent), Refusal> {
    let held = gate.secrets.named(name).ok_or_else(|| Refusal::Unknown(name.to_owned()))?;
    let sent = held.grant.sent().ok_or_else(|| Refusal::Exposed(name.to_owned()))?;
    Ok((held, sent))
}

/// The same, if this request is for it.
fn lookup_for<'g>(
    gate: &'g Gate,
    name: &str,
    operation: &HttpOperation,
) -> Result<(&'g Held, &'g Sent), Refusal> {
    let (held, sent) = lookup(gate, name)?;
    if is_for(gate, name, operation) {
        Ok((held, sent))
    } else {
        Err(Refusal::Audience { name: name.to_owned(), audience: sent.audience.to_string() })
    }
}

fn misplaced(name: &str, sent: &Sent, place: &str) -> Refusal {
    Refusal::Slot { name: name.to_owned(), slot: sent.credential.to_string(), place: place.to_owned() }
}

/// Puts values in place of what the plugin wrote in header fields. `authorization` is taken out where it holds the
/// placeholder of a credential that the host puts in itself.
fn fill_fields(
    gate: &Gate,
    operation: &HttpOperation,
    parts: &mut request::Parts,
    carried: &mut Carried,
) -> Result<(), Refusal> {
    let mut drop_authorization = false;
    for (field, value) in &mut parts.headers {
        if *field == header::AUTHORIZATION {
            drop_authorization |= check_authorization(gate, operation, value)?;
            continue;
        }
        let text = String::from_utf8_lossy(value.as_bytes());
        if !placeholder::is_in(&text) {
            continue;
        }
        let mut last = String::new();
        let filled = placeholder::fill(&text, |name| {
            let (held, sent) = lookup_for(gate, name, operation)?;
            if sent.credential != Credential::Header(field.as_str().to_owned()) {
                return Err(misplaced(name, sent, &format!("the header {field}")));
            }
            carried.note(held);
            last = name.to_owned();
            Ok(held.value.expose_secret().to_owned())
        })?;
        let mut filled = HeaderValue::from_bytes(filled.as_bytes()).map_err(|_| Refusal::Unfit(last))?;
        filled.set_sensitive(true);
        *value = filled;
    }
    if drop_authorization {
        parts.headers.remove(header::AUTHORIZATION);
    }
    Ok(())
}

/// Whether an `authorization` is a placeholder, of a secret that the host puts there for this request.
fn check_authorization(gate: &Gate, operation: &HttpOperation, value: &HeaderValue) -> Result<bool, Refusal> {
    let text = String::from_utf8_lossy(value.as_bytes());
    let (scheme, rest) = text.split_once(' ').unwrap_or((&text, ""));
    // Libraries encode user and password; the placeholder is within.
    let decoded = LENIENT.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (user, written) = match &decoded {
        Some(pair) if scheme.eq_ignore_ascii_case("basic") && placeholder::is_in(pair) => {
            let (user, password) = pair.split_once(':').unwrap_or(("", pair));
            (Some(user), password)
        }
        _ if placeholder::is_in(&text) => (None, rest.trim()),
        _ => return Ok(false),
    };
    let wrong = |name: &str| match lookup_for(gate, name, operation) {
        Ok((_, sent)) => misplaced(name, sent, "the header authorization"),
        Err(refusal) => refusal,
    };
    let Some(name) = placeholder::whole(written) else {
        let text = decoded.as_deref().filter(|pair| placeholder::is_in(pair)).unwrap_or(&text);
        return Err(wrong(&placeholder::first(text)));
    };
    let (_, sent) = lookup_for(gate, name, operation)?;
    let fits = match (&sent.credential, user) {
        (Credential::Basic(wanted), Some(user)) => wanted == user,
        (Credential::Bearer | Credential::OauthRefresh(_), None) => scheme.eq_ignore_ascii_case("bearer"),
        _ => false,
    };
    if fits { Ok(true) } else { Err(wrong(name)) }
}

/// Puts values in place of what the plugin wrote in the query; a placeholder in the path is refused.
fn fill_target(
    gate: &Gate,
    operation: &HttpOperation,
    parts: &mut request::Parts,
    carried: &mut Carried,
) -> Result<(), Refusal> {
    let path = placeholder::decoded(parts.uri.path());
    if placeholder::is_in(&path) {
        let name = placeholder::first(&path);
        let (_, sent) = lookup(gate, &name)?;
        return Err(misplaced(&name, sent, "the path"));
    }
    let Some(query) = parts.uri.query() else { return Ok(()) };
    if !placeholder::is_in(&placeholder::decoded(query)) {
        return Ok(());
    }
    let mut pairs = Vec::new();
    for pair in query.split('&') {
        let (key, value) = form_urlencoded::parse(pair.as_bytes()).next().unwrap_or_default();
        let text = format!("{key}={value}");
        if !placeholder::is_in(&text) {
            pairs.push(pair.to_owned());
            continue;
        }
        let name = placeholder::first(&text);
        let (held, sent) = lookup_for(gate, &name, operation)?;
        if placeholder::whole(&value) != Some(&name) || sent.credential != Credential::Query(key.to_string())
        {
            return Err(misplaced(&name, sent, "the query"));
        }
        pairs.push(query_pair(&key, held));
        carried.note(held);
        carried.written.push(name);
    }
    set_query(parts, &pairs.join("&")).ok_or_else(|| Refusal::Unfit(carried.written.join(", ")))
}

fn query_pair(key: &str, held: &Held) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair(key, held.value.expose_secret()).finish()
}

fn set_query(parts: &mut request::Parts, query: &str) -> Option<()> {
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = Some(format!("{}?{query}", parts.uri.path()).parse().ok()?);
    parts.uri = Uri::from_parts(uri).ok()?;
    Some(())
}

fn add_to_query(
    parts: &mut request::Parts,
    key: &str,
    held: &Held,
    carried: &Carried,
) -> Result<(), Refusal> {
    let name = &held.grant.name;
    if carried.written.contains(name) {
        return Ok(());
    }
    let query = parts.uri.query().unwrap_or_default();
    if form_urlencoded::parse(query.as_bytes()).any(|(other, _)| other == key) {
        return Err(Refusal::Taken { part: format!("{key:?} in the query"), name: name.clone() });
    }
    let pair = query_pair(key, held);
    let query = if query.is_empty() { pair } else { format!("{query}&{pair}") };
    set_query(parts, &query).ok_or_else(|| Refusal::Unfit(name.clone()))
}

fn authorize(parts: &mut request::Parts, value: &str, held: &Held) -> Result<(), Refusal> {
    let name = held.grant.name.clone();
    if parts.headers.contains_key(header::AUTHORIZATION) {
        return Err(Refusal::Taken { part: "the header authorization".to_owned(), name });
    }
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Refusal::Unfit(name))?;
    value.set_sensitive(true);
    parts.headers.insert(header::AUTHORIZATION, value);
    Ok(())
}
