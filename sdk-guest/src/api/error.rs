//! Why a service did not do it, in words for a model: what happened, in the service's own words, and what to do.
//! Must not be longer than a line, whatever a service sends.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::wait;
use crate::Error;
use crate::http::HttpError;

/// The most characters of a service's own words.
const SAID: usize = 400;

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The request cannot be made of these arguments.
    Invalid,
    /// The host of this plugin does not let it go there.
    Denied,
    /// 401: the credential is missing, wrong or expired.
    Credential,
    /// 403: the credential may not.
    Forbidden,
    /// 404 and 410: nothing is there, or nothing that the credential may see.
    NotFound,
    /// 409: it clashes with what is there.
    Conflict,
    /// Any other 4xx: the service does not take the request.
    Rejected,
    /// 429, or a 403 that says when to come again: too many requests.
    Limited,
    /// 5xx: the service has trouble of its own.
    Broken,
    /// No answer in time.
    Timeout,
    /// No connection, or one that broke off.
    Unreachable,
    /// An answer that is not what the service is known to send.
    Unreadable,
}

/// Why there is no answer, or no good one.
#[derive(Debug, Clone)]
pub struct ApiError(Box<Failure>);

/// What is known of a failure; behind a pointer, because it travels in every result.
#[derive(Debug, Clone)]
struct Failure {
    service: String,
    kind: Kind,
    status: Option<u16>,
    said: String,
    wait: Option<Duration>,
    body: Option<Value>,
    source: Option<HttpError>,
}

impl ApiError {
    /// An error without a request.
    pub(super) fn new(service: &str, kind: Kind, said: impl fmt::Display) -> Self {
        Self(Box::new(Failure {
            service: service.to_owned(),
            kind,
            status: None,
            said: line(&said.to_string()),
            wait: None,
            body: None,
            source: None,
        }))
    }

    /// Too early: the service asked to wait this long.
    pub(super) fn limited(service: &str, wait: Duration) -> Self {
        let mut error = Self::new(service, Kind::Limited, "it asked to wait");
        error.0.wait = Some(wait);
        error
    }

    /// A request without an answer.
    pub(super) fn transport(service: &str, error: &HttpError) -> Self {
        let kind = match error {
            HttpError::Denied { .. } => Kind::Denied,
            HttpError::Timeout { .. } => Kind::Timeout,
            HttpError::Url { .. } | HttpError::Request { .. } => Kind::Invalid,
            HttpError::TooLarge { .. } | HttpError::Body { .. } | HttpError::Redirects { .. } => {
                Kind::Unreadable
            }
            HttpError::Transport { .. } | HttpError::Status { .. } => Kind::Unreachable,
        };
        let mut made = Self::new(service, kind, error);
        made.0.source = Some(error.clone());
        made
    }

    /// An answer that is no success.
    pub(super) fn status<'a>(
        service: &str,
        status: u16,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
    ) -> Self {
        let wait = wait::asked(&header, wait::now());
        let kind = match status {
            401 => Kind::Credential,
            429 => Kind::Limited,
            403 if wait.is_some() => Kind::Limited,
            403 => Kind::Forbidden,
            404 | 410 => Kind::NotFound,
            409 => Kind::Conflict,
            400..=499 => Kind::Rejected,
            500..=599 => Kind::Broken,
            _ => Kind::Unreadable,
        };
        let value = serde_json::from_slice::<Value>(body).ok();
        let said = value.as_ref().and_then(words).or_else(|| plain_text(&header, body));
        let said = said.unwrap_or_else(|| reason(status).to_owned());
        let mut error = Self::new(service, kind, said);
        error.0.status = Some(status);
        error.0.wait = wait;
        error.0.body = value;
        error
    }

    /// What kind of failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The status, when there was an answer.
    #[must_use]
    pub fn status_code(&self) -> Option<u16> {
        self.0.status
    }

    /// The service's own words, or what failed: one line.
    #[must_use]
    pub fn said(&self) -> &str {
        &self.0.said
    }

    /// How long the service asks to wait.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        self.0.wait
    }

    /// The JSON that came with the failure.
    #[must_use]
    pub fn body(&self) -> Option<&Value> {
        self.0.body.as_ref()
    }

    /// What to do; empty when the host says it.
    #[must_use]
    pub fn advice(&self) -> String {
        match self.0.kind {
            Kind::Denied => String::new(),
            Kind::Invalid | Kind::Rejected => "change the arguments".into(),
            Kind::Credential => "check the secret that kennel.toml gives this plugin for the service".into(),
            Kind::Forbidden => "give the credential the right to it, or use another".into(),
            Kind::NotFound => "check the names, and that the credential may see it".into(),
            Kind::Conflict => "look at what is there now, and try again".into(),
            Kind::Limited => match self.0.wait {
                Some(wait) => format!("try again in {} s", wait.as_secs().max(1)),
                None => "try again later".into(),
            },
            Kind::Broken | Kind::Timeout => "try again later".into(),
            Kind::Unreachable => "check that the service runs and the address is right, and try again".into(),
            Kind::Unreadable => "check that the address is the service's".into(),
        }
    }

    /// The failure as an error of the plugin that begins with `prefix`, as in `OpenAI API error: …`. A denial stays
    /// one, so that the host says how to grant it.
    #[must_use]
    pub fn prefixed(&self, prefix: &str) -> Error {
        let words = match (self.0.kind, self.advice()) {
            (Kind::Denied, _) => return Error::denied(format!("{prefix}: {}", self.0.said)),
            (_, advice) => format!("{prefix}: {}; {advice}", self.coded()),
        };
        Error::failed(words)
    }

    /// The words with the status in front.
    fn coded(&self) -> String {
        match self.0.status {
            Some(status) => format!("{status} {}", self.0.said),
            None => self.0.said.clone(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (service, coded) = (&self.0.service, self.coded());
        match self.0.kind {
            // Exactly the source's words: whoever prints the sources as well repeats nothing.
            Kind::Denied => return formatter.write_str(&self.0.said),
            Kind::Invalid | Kind::Unreachable => write!(formatter, "{coded}")?,
            Kind::Credential => write!(formatter, "{service} does not accept the credential ({coded})")?,
            Kind::Forbidden => write!(formatter, "{service} refuses this ({coded})")?,
            Kind::NotFound => write!(formatter, "{service} finds nothing there ({coded})")?,
            Kind::Conflict => write!(formatter, "{service} has something else there ({coded})")?,
            Kind::Rejected => write!(formatter, "{service} does not take this ({coded})")?,
            Kind::Limited => write!(formatter, "{service} gets too many requests ({coded})")?,
            Kind::Broken => write!(formatter, "{service} has trouble of its own ({coded})")?,
            Kind::Timeout => write!(formatter, "{service} took too long to answer")?,
            Kind::Unreadable => write!(formatter, "{service} answers otherwise than it should ({coded})")?,
        }
        write!(formatter, "; {}", self.advice())
    }
}

impl StdError for ApiError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // Only a denial is told by its kind; other sources are in the text already.
        self.0.source.as_ref().filter(|_| self.0.kind == Kind::Denied).map(|error| error as _)
    }
}

/// A service's own words in the places where services put them.
fn words(body: &Value) -> Option<String> {
    const PLACES: [&str; 10] = [
        "/error/message",
        "/message",
        "/error_message",
        "/error_description",
        "/detail",
        "/errors/0/message",
        "/error",
        "/title",
        "/message/error",
        "/Message",
    ];
    let text = PLACES.iter().find_map(|place| body.pointer(place)?.as_str())?;
    Some(text.to_owned()).filter(|text| !text.trim().is_empty())
}

/// The first line of an answer that says it is plain text: pages of proxies are not words.
fn plain_text<'a>(header: &impl Fn(&str) -> Option<&'a str>, body: &[u8]) -> Option<String> {
    header("content-type").filter(|kind| kind.starts_with("text/plain"))?;
    let text = String::from_utf8_lossy(body);
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

/// One line of bounded length.
fn line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(SAID) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// What a status says when nothing else does (RFC 9110, section 15).
const fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "no reason given",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn status(status: u16, headers: &[(&str, &'static str)], body: &str) -> ApiError {
        let find = |name: &str| headers.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        ApiError::status("GitHub", status, find, body.as_bytes())
    }

    #[test]
    fn each_status_says_what_happened_and_what_to_do() {
        for (code, headers, body, says) in [
            (
                401,
                &[][..],
                r#"{"message":"Bad credentials"}"#,
                "GitHub does not accept the credential (401 Bad credentials); check the secret that kennel.toml gives \
                 this plugin for the service",
            ),
            (
                403,
                &[],
                r#"{"error":{"message":"no\nright"}}"#,
                "GitHub refuses this (403 no right); give the credential the right to it, or use another",
            ),
            (
                403,
                &[("retry-after", "9")],
                "{}",
                "GitHub gets too many requests (403 Forbidden); try again in 9 s",
            ),
            (
                404,
                &[],
                "<html>",
                "GitHub finds nothing there (404 Not Found); check the names, and that the credential may see it",
            ),
            (422, &[], r#"{"error":"x"}"#, "GitHub does not take this (422 x); change the arguments"),
            (429, &[], "", "GitHub gets too many requests (429 Too Many Requests); try again later"),
            (
                503,
                &[("content-type", "text/plain")],
                "\n down \n now",
                "GitHub has trouble of its own (503 down); try again later",
            ),
        ] {
            assert_eq!(status(code, headers, body).to_string(), says);
        }
    }

    #[test]
    fn failures_on_the_way() {
        let denied = ApiError::transport("GitHub", &HttpError::Denied { host: "h".into() });
        assert_eq!(
            Error::from(denied.clone()),
            Error::denied("a request to h is not granted to this plugin")
        );
        assert_eq!(
            denied.prefixed("Flux API error"),
            Error::denied("Flux API error: a request to h is not granted to this plugin")
        );
        let slow = ApiError::transport("GitHub", &HttpError::Timeout { host: "h".into() });
        assert_eq!(Error::from(slow), Error::failed("GitHub took too long to answer; try again later"));
    }

    #[test]
    fn long_words_are_cut_and_prefixes_stand_in_front() {
        let long = status(500, &[("content-type", "text/plain; charset=utf-8")], &"ä".repeat(1000));
        assert_eq!(long.said().chars().count(), SAID + 1);
        assert_eq!(
            status(401, &[], "").prefixed("OpenAI API error").to_string(),
            "OpenAI API error: 401 Unauthorized; check the secret that kennel.toml gives this plugin for the service"
        );
    }
}
