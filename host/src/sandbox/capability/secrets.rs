//! A plugin's secrets with their values: read once when the plugin is configured, given to the guest only where a
//! person exposed them, and known to the scrubber of everything the plugin gives. Where they go in a request is for
//! `http`; whether they may is for `grants`.

mod source;

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Configure, ConfigureError};
use crate::grants::{Credential, SecretGrant, SecretSource, SecretUse};
use crate::observe::Scrubber;

pub use source::SourceError;

/// Access tokens of one secret that are still looked for in what comes back.
const TOKENS_KEPT: usize = 4;

/// A plugin's secrets.
pub(in crate::sandbox) struct Configured {
    held: Vec<Held>,
    /// None for a plugin without secrets, which pays nothing for those of others.
    scrubber: Option<Arc<Scrubber>>,
}

/// One secret.
pub(in crate::sandbox) struct Held {
    pub(in crate::sandbox) grant: SecretGrant,
    /// Its text, for the audit.
    pub(in crate::sandbox) rule: Arc<str>,
    pub(in crate::sandbox) value: SecretString,
    /// The client's secret or the session's token, where the credential has one.
    pub(in crate::sandbox) more: Option<SecretString>,
    /// What was got with it.
    pub(in crate::sandbox) tokens: Mutex<Tokens>,
}

/// What a refresh token got so far.
#[derive(Default)]
pub(in crate::sandbox) struct Tokens {
    pub(in crate::sandbox) access: Option<(SecretString, Instant)>,
    /// A newer refresh token, in place of the one that was configured.
    pub(in crate::sandbox) refresh: Option<SecretString>,
}

impl Configured {
    /// Reads every value.
    ///
    /// # Errors
    /// When one cannot be read or cannot be used.
    pub(in crate::sandbox) fn configure(from: &Configure<'_>) -> Result<Self, ConfigureError> {
        let mut held = Vec::new();
        for grant in &from.grants.secrets {
            let read = |source: &SecretSource| {
                source::read(source, grant.used != SecretUse::Exposed).map_err(|why| ConfigureError::Secret {
                    plugin: from.plugin.to_owned(),
                    name: grant.name.clone(),
                    why,
                })
            };
            let value = read(&grant.from)?;
            let more = grant.sources().get(1).map(|source| read(source)).transpose()?;
            let rule = grant.to_string().into();
            held.push(Held { grant: grant.clone(), rule, value, more, tokens: Mutex::default() });
        }
        let scrubber = (!held.is_empty()).then(Scrubber::shared);
        if let Some(scrubber) = &scrubber {
            for held in &held {
                scrubber.learn(&held.grant.name, held.value.expose_secret(), 1);
                if let Some(more) = &held.more {
                    let what = match held.grant.sent().map(|sent| &sent.credential) {
                        Some(Credential::AwsSigV4(_)) => "session token",
                        _ => "client secret",
                    };
                    scrubber.learn(&format!("{} ({what})", held.grant.name), more.expose_secret(), 1);
                }
            }
        }
        Ok(Self { held, scrubber })
    }

    /// None at all.
    #[cfg(test)]
    pub(in crate::sandbox) fn none() -> Arc<Self> {
        Arc::new(Self { held: Vec::new(), scrubber: None })
    }

    /// These, for requests.
    pub(in crate::sandbox) fn held(&self) -> &[Held] {
        &self.held
    }

    /// The one of this name.
    pub(in crate::sandbox) fn named(&self, name: &str) -> Option<&Held> {
        self.held.iter().find(|held| held.grant.name == name)
    }

    /// What takes their values out of everything that the plugin gives or is given.
    pub(in crate::sandbox) fn scrubber(&self) -> Option<&Arc<Scrubber>> {
        self.scrubber.as_ref()
    }

    /// What is exposed to the plugin: variables with their values.
    pub(in crate::sandbox) fn exposed(&self) -> impl Iterator<Item = (String, String)> {
        let exposed = self.held.iter().filter(|held| held.grant.used == SecretUse::Exposed);
        exposed.map(|held| (held.grant.name.clone(), held.value.expose_secret().to_owned()))
    }

    /// Whether a source gives another value by now, or none.
    pub(in crate::sandbox) fn changed(&self) -> bool {
        self.held.iter().any(|held| {
            let values = std::iter::once(&held.value).chain(&held.more);
            held.grant.sources().into_iter().zip(values).any(|(source, value)| {
                let now = source::read(source, held.grant.used != SecretUse::Exposed);
                now.map_or(true, |now| now.expose_secret() != value.expose_secret())
            })
        })
    }

    /// An access token that was got with a refresh token, so that it is found in what comes back.
    pub(in crate::sandbox) fn learn_token(&self, name: &str, what: &str, value: &SecretString) {
        if let Some(scrubber) = &self.scrubber {
            scrubber.learn(&format!("{name} ({what})"), value.expose_secret(), TOKENS_KEPT);
        }
    }
}
