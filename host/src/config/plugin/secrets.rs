//! `[[plugins.NAME.secrets]]`: where each secret comes from, as what it is sent and to whom. Reads no value.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Context, PluginConfig};
use crate::config::expand::is_variable_name;
use crate::config::reader::{Faults, Item, Section};
use crate::grants::{
    Audience, AwsSigV4, Credential, Grants, HttpPlace, OauthRefresh, PluginName, SecretGrant, SecretSource,
    SecretUse, Sent, check_clear, check_method, is_secret_name,
};

/// Longest plain text among a secret's keys, in bytes.
const MAX_TEXT: usize = 512;

/// Fields that the host sets itself, or that a secret has another way into.
const NOT_FOR_SECRETS: [&str; 7] =
    ["authorization", "host", "content-length", "content-type", "range", "accept-encoding", "expect"];

/// Reads all secrets of a plugin. `grants` holds what was read before: HTTP, environment and directories.
pub(super) fn read(
    plugin: &mut Section<'_, '_>,
    grants: &Grants,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Vec<SecretGrant> {
    let mut secrets: Vec<SecretGrant> = Vec::new();
    for section in plugin.sections(faults, "secrets") {
        let (at, key) = (section.at(), section.key().to_owned());
        let Some(secret) = read_secret(section, grants, context, faults) else { continue };
        if let Some(fault) = beside(&secret, &secrets, grants) {
            faults.add(at, &key, fault);
        }
        secrets.push(secret);
    }
    secrets
}

/// What is wrong with a secret beside everything else that the plugin has.
fn beside(secret: &SecretGrant, others: &[SecretGrant], grants: &Grants) -> Option<String> {
    let name = &secret.name;
    if others.iter().any(|other| other.name == *name) {
        return Some(format!("there is another secret {name:?}; give one another name"));
    }
    if let Some(other) = others.iter().find(|other| other.collides(secret)) {
        let other = &other.name;
        return Some(format!(
            "{name:?} and {other:?} would both be put into the same part of some requests; narrow `for` or `methods` of one"
        ));
    }
    if secret.used == SecretUse::Exposed && grants.env.contains_key(name) {
        return Some(format!("{name:?} is a variable under `env` too; give one another name"));
    }
    None
}

fn read_secret(
    mut section: Section<'_, '_>,
    grants: &Grants,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<SecretGrant> {
    let expose = section.read(faults, "expose", Item::boolean).unwrap_or(false);
    let name = required(&mut section, faults, "name", "token", |item| {
        let name = item.text()?;
        if expose && !is_variable_name(name) {
            return Err(format!("{name:?} is not a name of an environment variable, which it is to be"));
        }
        if !is_secret_name(name) {
            return Err(format!("{name:?} is not a name; use at most 64 of a-z, A-Z, 0-9, \"_\" and \"-\""));
        }
        Ok(name.to_owned())
    });
    let from = required(&mut section, faults, "from", "env:GITHUB_TOKEN", |item| source(item, context));
    let used =
        if expose { Some(SecretUse::Exposed) } else { read_sent(&mut section, grants, context, faults) };
    section.finish(faults);
    Some(SecretGrant { name: name?, from: from?, used: used? })
}

fn read_sent(
    section: &mut Section<'_, '_>,
    grants: &Grants,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<SecretUse> {
    let clear = section.read(faults, "http", Item::boolean).unwrap_or(false);
    let methods = section.read(faults, "methods", |item| {
        let methods =
            item.texts()?.into_iter().map(|method| check_method(method).map(|()| method.to_owned()));
        methods.collect::<Result<Vec<_>, _>>()
    });
    let audience = required(section, faults, "for", "https://api.example.org/v1", |item| {
        let url = context.surroundings.text(item.text()?).map_err(|e| e.to_string())?;
        let place = HttpPlace::parse(&url).map_err(|e| e.to_string())?;
        Audience::new(place, methods, clear, &grants.http).map_err(|e| e.to_string())
    });
    let kind = required(section, faults, "as", "bearer", |item| match item.text()? {
        kind @ ("header" | "query" | "bearer" | "basic" | "oauth-refresh" | "aws-sigv4") => Ok(kind),
        other => Err(format!(
            "{other:?} is none of \"header\", \"query\", \"bearer\", \"basic\", \"oauth-refresh\" and \"aws-sigv4\""
        )),
    })?;
    let credential = match kind {
        "header" => required(section, faults, "header", "x-api-key", field).map(Credential::Header),
        "query" => required(section, faults, "key", "api_key", plain).map(Credential::Query),
        "basic" => required(section, faults, "user", "ada", |item| match plain(item)? {
            user if user.contains(':') => Err(format!("{user:?} holds a colon, which ends a user's name")),
            user => Ok(user),
        })
        .map(Credential::Basic),
        "oauth-refresh" => read_oauth(section, clear, context, faults).map(Credential::OauthRefresh),
        "aws-sigv4" => read_aws(section, context, faults).map(Credential::AwsSigV4),
        _ => Some(Credential::Bearer),
    };
    Some(SecretUse::Sent(Box::new(Sent { credential: credential?, audience: audience? })))
}

fn read_oauth(
    section: &mut Section<'_, '_>,
    clear: bool,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<OauthRefresh> {
    let token_url = required(section, faults, "token-url", "https://auth.example.org/token", |item| {
        let url = context.surroundings.text(item.text()?).map_err(|e| e.to_string())?;
        let place = HttpPlace::parse(&url).map_err(|e| e.to_string())?;
        if matches!(place.host, crate::grants::HostPattern::Below(_)) {
            return Err(format!("{url:?} is not one host"));
        }
        check_clear(&place, clear).map_err(|e| e.to_string())?;
        Ok(place)
    });
    let client_id = required(section, faults, "client-id", "kennel", plain);
    let client_secret = section.read(faults, "client-secret-from", |item| source(item, context));
    let scope = section.read(faults, "scope", plain);
    Some(OauthRefresh { token_url: token_url?, client_id: client_id?, client_secret, scope })
}

fn read_aws(
    section: &mut Section<'_, '_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<AwsSigV4> {
    let access_key_id = required(section, faults, "access-key-id", "AKIDEXAMPLE", |item| {
        context.surroundings.text(&plain(item)?).map_err(|e| e.to_string())
    });
    let session_token = section.read(faults, "session-token-from", |item| source(item, context));
    let region = required(section, faults, "region", "eu-central-1", plain);
    let service = required(section, faults, "service", "s3", plain);
    Some(AwsSigV4 { access_key_id: access_key_id?, session_token, region: region?, service: service? })
}

/// Takes a value that must be there.
fn required<'a, 'i, T>(
    section: &mut Section<'a, 'i>,
    faults: &mut Faults<'_>,
    name: &'static str,
    example: &str,
    read: impl FnOnce(&Item<'a, 'i>) -> Result<T, String>,
) -> Option<T> {
    let Some(item) = section.item(name) else {
        let message = format!("`{name}` is missing; write for example {name} = {example:?}");
        faults.add(section.at(), section.key(), message);
        return None;
    };
    read(&item).map_err(|message| faults.add(item.at, &item.key, message)).ok()
}

fn source(item: &Item<'_, '_>, context: &Context<'_>) -> Result<SecretSource, String> {
    let text = item.text()?;
    match text.split_once(':') {
        Some(("env", name)) if is_variable_name(name) => Ok(SecretSource::Env(name.to_owned())),
        Some(("env", name)) => Err(format!("{name:?} is not a name of an environment variable")),
        Some(("file", path)) => {
            let path = context.surroundings.path(path, context.base).map_err(|e| e.to_string())?;
            Ok(SecretSource::File(path))
        }
        Some(("keyring", entry)) => {
            let parts = entry.split_once('/').filter(|(service, user)| {
                [service, user].iter().all(|part| {
                    !part.is_empty() && !part.starts_with('-') && !part.chars().any(char::is_control)
                })
            });
            let (service, user) = parts.ok_or_else(|| {
                format!("{text:?} names no entry of the keyring; write \"keyring:SERVICE/USER\"")
            })?;
            Ok(SecretSource::Keyring { service: service.to_owned(), user: user.to_owned() })
        }
        // The text may be the secret itself, so it is not repeated.
        _ => {
            Err("is not \"env:NAME\", \"file:PATH\" or \"keyring:SERVICE/USER\"; the value itself is never \
                  written here"
                .to_owned())
        }
    }
}

fn plain(item: &Item<'_, '_>) -> Result<String, String> {
    let text = item.text()?;
    if text.is_empty() || text.len() > MAX_TEXT || text.chars().any(char::is_control) {
        return Err(format!("is empty, longer than {MAX_TEXT} bytes, or holds a control character"));
    }
    Ok(text.to_owned())
}

fn field(item: &Item<'_, '_>) -> Result<String, String> {
    let text = item.text()?;
    let name = http::HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| format!("{text:?} is not the name of a header"))?;
    let name = name.as_str();
    if name == "authorization" {
        return Err("\"authorization\" has ways of its own: as = \"bearer\" or as = \"basic\"".to_owned());
    }
    if NOT_FOR_SECRETS.contains(&name) {
        return Err(format!("{name:?} is no header for a secret"));
    }
    Ok(name.to_owned())
}

/// The files of secrets that some plugin could read by itself, as messages by the plugin that has the secret.
pub(in crate::config) fn reachable(
    plugins: &BTreeMap<PluginName, PluginConfig>,
) -> Vec<(PluginName, String)> {
    let mut found = Vec::new();
    for (name, plugin) in plugins {
        let files = plugin.grants.secrets.iter().flat_map(|secret| {
            secret.sources().into_iter().filter_map(move |source| match source {
                SecretSource::File(path) => Some((&secret.name, path)),
                _ => None,
            })
        });
        for (secret, path) in files {
            // A file that is not there yet is taken as it would be made.
            let real = path.canonicalize().or_else(|_| {
                let folder = path.parent().unwrap_or(Path::new("/")).canonicalize();
                folder.map(|folder| folder.join(path.file_name().unwrap_or_default()))
            });
            let real = real.unwrap_or_else(|_| path.clone());
            for (other, dir) in plugins
                .iter()
                .flat_map(|(name, plugin)| plugin.grants.directories.iter().map(move |dir| (name, dir)))
            {
                if real.starts_with(&dir.host) {
                    found.push((
                        name.clone(),
                        format!(
                            "the file of the secret {secret:?} lies in {}, which is granted to {other}; keep it where no \
                             plugin can read it",
                            dir.host.display()
                        ),
                    ));
                }
            }
        }
    }
    found
}
