//! Secrets: where a value comes from, for which requests it is, and in which part of them it goes. Decides whether a
//! request is within a secret's audience, and why not. Never holds a value, so that nothing here can show one.

use std::fmt;
use std::path::PathBuf;

use super::effective::{both_hosts, both_paths};
use super::{DenyReason, HostPattern, HttpGrant, HttpOperation, HttpPlace, HttpScheme};

/// Longest name of a secret, in bytes.
const MAX_SECRET_NAME: usize = 64;

/// A secret that a person granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretGrant {
    /// As the plugin asks for it and writes it, as in `{{secret:NAME}}`.
    pub name: String,
    /// Where its value comes from.
    pub from: SecretSource,
    /// What it is for.
    pub used: SecretUse,
}

/// Where a value comes from, on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A variable of the host's own environment.
    Env(String),
    /// A file that nobody else can read.
    File(PathBuf),
    /// The system's keyring.
    Keyring {
        /// The service it is kept under.
        service: String,
        /// The user it is kept under.
        user: String,
    },
}

/// What a secret is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretUse {
    /// The plugin itself gets the value, as an environment variable of the secret's name.
    Exposed,
    /// The host puts it into requests; the plugin never has it.
    Sent(Box<Sent>),
}

/// How a secret is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// As what.
    pub credential: Credential,
    /// In which requests.
    pub audience: Audience,
}

/// As what a secret is sent, and so the one part of a request it may be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Where the plugin writes `{{secret:NAME}}` in this field. Lower case.
    Header(String),
    /// The value of this key of the query.
    Query(String),
    /// `authorization: Bearer …` (RFC 6750, 2.1).
    Bearer,
    /// `authorization: Basic …` with this user (RFC 7617).
    Basic(String),
    /// `authorization: Bearer …` with a token that this refresh token gets (RFC 6749, 6).
    OauthRefresh(OauthRefresh),
    /// A signature of AWS, version 4; the value is the secret access key.
    AwsSigV4(AwsSigV4),
}

/// How access tokens are got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OauthRefresh {
    /// Where; the path is the whole path. The host goes there itself, the plugin need not be granted it.
    pub token_url: HttpPlace,
    /// The client's public name.
    pub client_id: String,
    /// Where its secret comes from, when it has one.
    pub client_secret: Option<SecretSource>,
    /// What the token shall be good for; as the refresh token is when nothing is written.
    pub scope: Option<String>,
}

/// What a signature of AWS needs besides the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsSigV4 {
    /// The public name of the key.
    pub access_key_id: String,
    /// Where the session's token comes from, for keys of a session.
    pub session_token: Option<SecretSource>,
    /// Such as `eu-central-1`.
    pub region: String,
    /// Such as `s3`.
    pub service: String,
}

/// The requests that a secret is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience(HttpGrant);

/// Why a secret cannot be for such requests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudienceError {
    /// Not within what the plugin may reach.
    #[error("{0} is not within an HTTP grant of this plugin; grant it under `http`, or correct one of them")]
    Ungranted(String),
    /// In the clear.
    #[error("{0} would send it in the clear; use https")]
    Clear(String),
    /// In the clear, to this machine only.
    #[error("{0} would send it in the clear; to this machine that can be allowed with `http = true`")]
    ClearLocal(String),
}

impl Audience {
    /// Requests with these methods to this place: https, or http to this machine itself when `clear` says so; within
    /// what `grants` allow. With no methods named, all that are granted there.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn new(
        place: HttpPlace,
        methods: Option<Vec<String>>,
        clear: bool,
        grants: &[HttpGrant],
    ) -> Result<Self, AudienceError> {
        check_clear(&place, clear)?;
        let around: Vec<_> = grants.iter().filter(|grant| holds(grant, &place)).collect();
        let granted = || around.iter().flat_map(|grant| &grant.methods);
        let methods = match methods {
            Some(methods) if methods.iter().all(|method| granted().any(|granted| granted == method)) => {
                methods
            }
            Some(methods) => {
                return Err(AudienceError::Ungranted(format!("{} {place}", methods.join(","))));
            }
            None => {
                let mut all: Vec<String> = Vec::new();
                granted().for_each(|method| {
                    if !all.contains(method) {
                        all.push(method.clone());
                    }
                });
                all
            }
        };
        if around.is_empty() || methods.is_empty() {
            return Err(AudienceError::Ungranted(place.to_string()));
        }
        let HttpPlace { scheme, host, port, path } = place;
        Ok(Self(HttpGrant { scheme, host, port, methods, path, private_addresses: false }))
    }

    /// In what a request is not one of these; `None` when it is one. Asked by [`decide`](super::decide) alone.
    #[must_use]
    pub(super) fn misses(&self, operation: &HttpOperation) -> Option<DenyReason> {
        // Which addresses may be dialled is for the HTTP grant to say.
        super::http::misfit(&self.0, operation).filter(|reason| *reason != DenyReason::Private)
    }

    /// Whether a request could be for both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        a.scheme == b.scheme
            && a.port == b.port
            && both_hosts(&a.host, &b.host).is_some()
            && both_paths(&a.path, &b.path).is_some()
            && a.methods.iter().any(|method| b.methods.contains(method))
    }
}

/// A secret goes over TLS, or to this machine itself if a person says so.
///
/// # Errors
/// When it would go in the clear.
pub fn check_clear(place: &HttpPlace, clear: bool) -> Result<(), AudienceError> {
    let local = match &place.host {
        HostPattern::Address(address) => address.is_loopback(),
        HostPattern::Name(name) => name == "localhost",
        HostPattern::Below(_) => false,
    };
    match (place.scheme, local, clear) {
        (HttpScheme::Https, ..) | (HttpScheme::Http, true, true) => Ok(()),
        (HttpScheme::Http, true, false) => Err(AudienceError::ClearLocal(place.to_string())),
        (HttpScheme::Http, false, _) => Err(AudienceError::Clear(place.to_string())),
    }
}

/// Whether all of a place is within a grant's.
fn holds(grant: &HttpGrant, place: &HttpPlace) -> bool {
    grant.scheme == place.scheme
        && grant.port == place.port
        && both_hosts(&grant.host, &place.host).as_ref() == Some(&place.host)
        && both_paths(&grant.path, &place.path).as_ref() == Some(&place.path)
}

impl SecretGrant {
    /// How it is sent, unless it is the plugin's own.
    #[must_use]
    pub fn sent(&self) -> Option<&Sent> {
        match &self.used {
            SecretUse::Exposed => None,
            SecretUse::Sent(sent) => Some(sent),
        }
    }

    /// Every place that something of it is read from.
    #[must_use]
    pub fn sources(&self) -> Vec<&SecretSource> {
        let more = self.sent().and_then(|sent| match &sent.credential {
            Credential::OauthRefresh(oauth) => oauth.client_secret.as_ref(),
            Credential::AwsSigV4(aws) => aws.session_token.as_ref(),
            _ => None,
        });
        std::iter::once(&self.from).chain(more).collect()
    }

    /// Whether this and another would be put into the same part of some request by the host itself.
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        let (Some(a), Some(b)) = (self.sent(), other.sent()) else { return false };
        let same_part = match (&a.credential, &b.credential) {
            // Where the plugin writes them; it may write two.
            (Credential::Header(_), _) | (_, Credential::Header(_)) => false,
            (Credential::Query(a), Credential::Query(b)) => a == b,
            (Credential::Query(_), _) | (_, Credential::Query(_)) => false,
            _ => true,
        };
        same_part && a.audience.overlaps(&b.audience)
    }
}

/// Whether a text can name a secret: it stands between braces, in messages and in logs.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    (1..=MAX_SECRET_NAME).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// As it is written in `kennel.toml`.
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Keyring { service, user } => write!(f, "keyring:{service}/{user}"),
        }
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "the header {name}"),
            Self::Query(key) => write!(f, "{key} in the query"),
            Self::Bearer => f.write_str("bearer"),
            Self::Basic(user) => write!(f, "basic for {user}"),
            Self::OauthRefresh(oauth) => write!(f, "bearer by way of {}", oauth.token_url),
            Self::AwsSigV4(aws) => write!(f, "signature of AWS for {} in {}", aws.service, aws.region),
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HttpGrant { scheme, host, port, methods, path, .. } = &self.0;
        let place = HttpPlace { scheme: *scheme, host: host.clone(), port: *port, path: path.clone() };
        write!(f, "{} {place}", methods.join(","))
    }
}

impl fmt::Display for SecretGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, from, used } = self;
        match used {
            SecretUse::Exposed => {
                write!(f, "secret {name} from {from}, EXPOSED: the plugin itself reads it, as ${name}")
            }
            SecretUse::Sent(sent) => {
                let Sent { credential, audience } = &**sent;
                write!(f, "secret {name} from {from}, as {credential}, in {audience}")
            }
        }
    }
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
