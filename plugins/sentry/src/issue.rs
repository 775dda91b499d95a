//! An issue: which one is meant, what Sentry knows of it, and how it is told.
//! Must not follow a URL that a caller gives: only the number in it is used.

use std::fmt;

use kennel_sdk::api::{Api, ApiError};
use kennel_sdk::prelude::*;

use crate::trace;

/// An issue with the trace of its latest event.
pub(crate) struct Issue {
    pub(crate) title: String,
    id: String,
    data: Data,
    trace: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    title: String,
    status: String,
    level: String,
    first_seen: String,
    last_seen: String,
    /// A number, which Sentry writes as a text.
    count: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hash {
    latest_event: Value,
}

/// The number of the issue that an ID or a URL of sentry.io names.
fn number(text: &str) -> Result<&str, &'static str> {
    if text.is_empty() {
        return Err("Missing issue_id_or_url argument");
    }
    let url = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let id = match url {
        None => text,
        Some(rest) => {
            let rest = rest.split(['?', '#']).next().unwrap_or_default();
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
            if !host.to_ascii_lowercase().ends_with(".sentry.io") {
                return Err("Invalid Sentry URL. Must be a URL ending with .sentry.io");
            }
            let mut parts = path.trim_matches('/').split('/');
            match (parts.next(), parts.next_back()) {
                (Some("issues"), Some(id)) => id,
                _ => return Err("Invalid Sentry issue URL. Path must contain '/issues/{issue_id}'"),
            }
        }
    };
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("Invalid Sentry issue ID. Must be a numeric value.");
    }
    Ok(id)
}

fn failure(error: &ApiError) -> Error {
    error.prefixed("Error fetching Sentry issue")
}

/// What Sentry knows of an issue.
pub(crate) fn fetch(id_or_url: &str) -> Result<Issue> {
    let id = number(id_or_url).map_err(Error::failed)?;
    let api = Api::new("Sentry", "https://sentry.io/api/0", "SENTRY_BASE_URL").settled()?;
    let data: Data = api.get("/issues/{id}/").arg("id", id).read().map_err(|error| failure(&error))?;
    let hashes: Vec<Hash> =
        api.get("/issues/{id}/hashes/").arg("id", id).read().map_err(|error| failure(&error))?;
    let Some(hash) = hashes.first() else { bail!("No Sentry events found for this issue") };
    Ok(Issue { title: data.title.clone(), id: id.to_owned(), trace: trace::text(&hash.latest_event), data })
}

impl fmt::Display for Issue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Data { status, level, first_seen, last_seen, count, .. } = &self.data;
        let count = count.as_str().map_or_else(|| count.to_string(), str::to_owned);
        // Line feed and spaces at the ends are the published server's.
        write!(
            formatter,
            "\nSentry Issue: {}\nIssue ID: {}\nStatus: {status}\nLevel: {level}\nFirst Seen: {first_seen}\n\
             Last Seen: {last_seen}\nEvent Count: {count}\n\n{}\n        ",
            self.title, self.id, self.trace
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::number;

    #[test]
    fn issues_are_named_by_number_or_url() {
        for (text, id) in [
            ("123", "123"),
            ("https://acme.sentry.io/issues/123", "123"),
            ("https://acme.sentry.io/issues/123/?project=1#x", "123"),
            ("http://acme.sentry.io:443/issues/a/9/", "9"),
        ] {
            assert_eq!(number(text), Ok(id), "{text}");
        }
    }

    #[test]
    fn what_names_none_is_refused() {
        for (text, says) in [
            ("", "Missing"),
            ("12a", "numeric"),
            ("../x", "numeric"),
            ("https://evil.example/issues/1", "ending with .sentry.io"),
            ("https://sentry.io@evil.example/issues/1", "ending with .sentry.io"),
            ("https://acme.sentry.io/projects/1", "/issues/"),
            ("https://acme.sentry.io/issues", "/issues/"),
            ("https://acme.sentry.io/issues/x", "numeric"),
        ] {
            let said = number(text).unwrap_err();
            assert!(said.contains(says), "{text}: {said}");
        }
    }
}
