//! A secret as `kennel allow` takes it. Never the value: that stays where it is kept.

use std::path::Path;

use super::absolute;
use crate::cli::Failure;
use crate::config::edit::{SecretAs, SecretText};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct SecretArgs {
    /// A secret, by the name that the plugin asks for; what you leave out stays as it is written
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// Where its value comes from: `env:NAME`, `file:PATH` or `keyring:SERVICE/USER`
    #[arg(long, value_name = "SOURCE", requires = "secret")]
    from: Option<String>,
    /// Into which requests it goes: this scheme, host, port and path prefix, which --http grants
    #[arg(long = "for", value_name = "URL", requires = "secret")]
    audience: Option<String>,
    /// It may go to this machine itself in the clear
    #[arg(long, requires = "secret")]
    clear: bool,
    /// The plugin itself gets the value, as an environment variable; it can then give it away
    #[arg(long, requires = "secret", conflicts_with_all = ["audience", "clear"])]
    expose: bool,
}

impl SecretArgs {
    /// The secret, if there is one, sent as `sent_as` in requests with `methods`.
    pub(super) fn text(
        &self,
        sent_as: Option<&str>,
        methods: &[String],
        here: &Path,
    ) -> Result<Option<SecretText>, Failure> {
        let Some(name) = &self.secret else { return Ok(None) };
        if self.expose && (sent_as.is_some() || !methods.is_empty()) {
            return Err(Failure::new(
                "--expose: the plugin itself gets the secret, so it goes into no request; leave out --as and --methods",
            ));
        }
        let from = match self.from.as_deref().map(|from| (from, from.strip_prefix("file:"))) {
            Some((_, Some(path))) => Some(format!("file:{}", absolute(path, here)?)),
            Some((from, None)) => Some(from.to_owned()),
            None => None,
        };
        Ok(Some(SecretText {
            name: name.clone(),
            from,
            sent_as: sent_as.map(credential).transpose()?,
            audience: self.audience.clone(),
            methods: methods.to_vec(),
            clear: self.clear,
            expose: self.expose,
        }))
    }
}

fn credential(text: &str) -> Result<SecretAs, Failure> {
    let (word, of) = text.split_once(':').map_or((text, None), |(word, of)| (word, Some(of.to_owned())));
    Ok(match (word, of) {
        ("bearer", None) => SecretAs::Bearer,
        ("basic", Some(user)) => SecretAs::Basic(user),
        ("header", Some(name)) => SecretAs::Header(name),
        ("query", Some(key)) => SecretAs::Query(key),
        ("oauth-refresh" | "aws-sigv4", _) => {
            return Err(Failure::new(format!(
                "--as {word}: needs more than fits here; write the secret into kennel.toml (docs/authors.md shows how)"
            )));
        }
        _ => {
            return Err(Failure::new(format!(
                "--as {text}: write bearer, basic:USER, header:NAME or query:KEY"
            )));
        }
    })
}
