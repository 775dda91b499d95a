//! A small blocking HTTP client over `wasi:http`, for the places a person granted.
//! Redirects are followed here, each hop is checked by the host, and credentials stay with the origin
//! they were meant for. Answers have a size limit and, if wished, a total time.
//! Must not retry: what may be done twice, the plugin knows.
//!
//! ```no_run
//! use kennel_sdk::prelude::*;
//! use std::time::Duration;
//!
//! #[derive(Deserialize)]
//! struct Release {
//!     tag_name: String,
//! }
//! # fn f() -> Result<()> {
//! let release: Release = http::get("https://api.example.org/releases/latest")
//!     .header("accept", "application/json")
//!     .query("per_page", 1)
//!     .timeout(Duration::from_secs(10))
//!     .call()?
//!     .ok()?
//!     .json()?;
//! # Ok(()) }
//! ```
//!
//! A secret never enters the plugin: write `{{secret:NAME}}` in the header that the grant names, and the
//! host puts the value in.

mod address;
mod wire;

use std::fmt;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use address::Address;

/// The most bytes of an answer's body, unless [`Request::limit`] says another number: 8 MiB.
pub const DEFAULT_LIMIT: u64 = 8 * 1024 * 1024;

/// How many redirects are followed, unless [`Request::redirects`] says another number.
pub const DEFAULT_REDIRECTS: u32 = 5;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpError {
    /// This is not a URL that can be asked.
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A header or the method cannot be sent.
    Request {
        /// The URL's host.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// The host of this plugin does not let it go there.
    Denied {
        /// The URL's host.
        host: String,
    },
    /// It took too long.
    Timeout {
        /// The URL's host.
        host: String,
    },
    /// The connection or the protocol failed.
    Transport {
        /// The URL's host.
        host: String,
        /// What failed.
        why: String,
    },
    /// The body is larger than the limit.
    TooLarge {
        /// The URL's host.
        host: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// There were more redirects than may be followed.
    Redirects {
        /// The URL's host.
        host: String,
        /// How many may be followed.
        limit: u32,
    },
    /// The status is not a success ([`Response::ok`]).
    Status {
        /// The URL's host.
        host: String,
        /// The status.
        status: u16,
    },
    /// The body is not what was wanted ([`Response::json`]).
    Body {
        /// The URL's host.
        host: String,
        /// What is wrong.
        why: String,
    },
}

impl fmt::Display for HttpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { url, why } => write!(formatter, "cannot ask {url}: {why}"),
            Self::Request { host, why } => write!(formatter, "cannot ask {host}: {why}"),
            Self::Denied { host } => write!(formatter, "a request to {host} is not granted to this plugin"),
            Self::Timeout { host } => write!(formatter, "{host} took too long to answer"),
            Self::Transport { host, why } => write!(formatter, "the request to {host} failed: {why}"),
            Self::TooLarge { host, limit } => {
                write!(formatter, "the answer of {host} is larger than {limit} bytes")
            }
            Self::Redirects { host, limit } => write!(formatter, "{host} redirects more than {limit} times"),
            Self::Status { host, status } => write!(formatter, "{host} answered with status {status}"),
            Self::Body { host, why } => write!(formatter, "the answer of {host} is not as expected: {why}"),
        }
    }
}

impl std::error::Error for HttpError {}

/// A request that is being put together. [`call`](Request::call) sends it.
#[must_use = "a request is sent by `call`"]
pub struct Request {
    method: String,
    url: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, Vec<u8>)>,
    body: Result<Body, HttpError>,
    timeout: Option<Duration>,
    limit: u64,
    redirects: u32,
}

/// What is sent.
pub(crate) enum Body {
    Empty,
    Bytes(Vec<u8>),
    Stream(Box<dyn Read>),
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold credentials.
        formatter
            .debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A GET.
pub fn get(url: impl Into<String>) -> Request {
    request("GET", url)
}

/// A HEAD.
pub fn head(url: impl Into<String>) -> Request {
    request("HEAD", url)
}

/// A POST; give it a body with [`Request::json`], [`Request::form`] or [`Request::body`].
pub fn post(url: impl Into<String>) -> Request {
    request("POST", url)
}

/// A PUT.
pub fn put(url: impl Into<String>) -> Request {
    request("PUT", url)
}

/// A PATCH.
pub fn patch(url: impl Into<String>) -> Request {
    request("PATCH", url)
}

/// A DELETE.
pub fn delete(url: impl Into<String>) -> Request {
    request("DELETE", url)
}

/// A request of any method.
pub fn request(method: impl Into<String>, url: impl Into<String>) -> Request {
    Request {
        method: method.into(),
        url: url.into(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Ok(Body::Empty),
        timeout: None,
        limit: DEFAULT_LIMIT,
        redirects: DEFAULT_REDIRECTS,
    }
}

impl Request {
    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into().into_bytes()));
        self
    }

    /// Adds a pair to the query, encoded.
    pub fn query(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// Sends this as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        self.body = serde_json::to_vec(value).map(Body::Bytes).map_err(|error| HttpError::Url {
            url: self.url.clone(),
            why: format!("the body is no JSON: {error}"),
        });
        self.default_content_type("application/json")
    }

    /// Sends these pairs as a form.
    pub fn form<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.body = Ok(Body::Bytes(text.into_bytes()));
        self.default_content_type("application/x-www-form-urlencoded")
    }

    /// Sends these bytes.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Ok(Body::Bytes(bytes.into()));
        self
    }

    /// Sends what this gives, as it comes. A redirect that wants the body again is not followed.
    pub fn stream(mut self, reader: impl Read + 'static) -> Self {
        self.body = Ok(Body::Stream(Box::new(reader)));
        self
    }

    fn default_content_type(self, value: &str) -> Self {
        if self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            return self;
        }
        self.header("content-type", value)
    }

    /// The most time for everything, the reading of the body included. The call's own deadline holds
    /// besides.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The most bytes of the answer's body; see [`DEFAULT_LIMIT`].
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// How many redirects are followed; see [`DEFAULT_REDIRECTS`]. With 0 a redirect is an answer.
    pub fn redirects(mut self, most: u32) -> Self {
        self.redirects = most;
        self
    }

    /// Sends the request and waits for the answer's head. A status such as 404 is an answer, not an
    /// error; see [`Response::ok`].
    ///
    /// # Errors
    /// Every [`HttpError`] but those of the body and [`HttpError::Status`].
    pub fn call(self) -> Result<Response, HttpError> {
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        let mut address = Address::parse(&self.url)?.with_query(&self.query)?;
        let (mut method, mut headers, mut body) = (self.method, self.headers, self.body?);
        let mut followed = 0;
        loop {
            let replay = match &body {
                Body::Empty => Some(Body::Empty),
                Body::Bytes(bytes) => Some(Body::Bytes(bytes.clone())),
                Body::Stream(_) => None,
            };
            let answer = wire::send(&method, &address, &headers, body, deadline)?;
            let target = redirect(answer.status, answer.header("location"), &method, replay.is_some());
            let Some((location, next_method)) = target.filter(|_| self.redirects > 0) else {
                return Ok(Response { head: answer, url: address, limit: self.limit });
            };
            if followed == self.redirects {
                return Err(HttpError::Redirects { host: address.authority().into(), limit: self.redirects });
            }
            followed += 1;
            let next = address.redirected(&location)?;
            if !next.same_origin(&address) {
                headers.retain(|(name, _)| !is_credential(name));
            }
            body = match (next_method == method, replay) {
                (true, Some(body)) => body,
                _ => {
                    headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
                    Body::Empty
                }
            };
            (address, method) = (next, next_method);
        }
    }
}

/// Where a redirect goes and by which method (RFC 9110, section 15.4), when it is to be followed.
fn redirect(status: u16, location: Option<&str>, method: &str, replayable: bool) -> Option<(String, String)> {
    let location = location?.to_owned();
    let safe = matches!(method, "GET" | "HEAD");
    match status {
        301 | 302 if method == "POST" => Some((location, "GET".into())),
        303 if !safe => Some((location, "GET".into())),
        301 | 302 | 303 | 307 | 308 if replayable => Some((location, method.into())),
        _ => None,
    }
}

/// Whether two URLs have one scheme, host and port, and so one owner (RFC 6454).
///
/// # Errors
/// [`HttpError::Url`] when one is no URL that can be asked.
pub(crate) fn same_origin(one: &str, other: &str) -> Result<bool, HttpError> {
    Ok(Address::parse(one)?.same_origin(&Address::parse(other)?))
}

/// Headers that are for one origin only.
fn is_credential(name: &str) -> bool {
    ["authorization", "cookie", "proxy-authorization"].iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

/// An answer: its head is here, its body is read by one of the last four methods.
#[derive(Debug)]
pub struct Response {
    head: wire::Answer,
    url: Address,
    limit: u64,
}

impl Response {
    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.head.status
    }

    /// Whether the status is from 200 to 299.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.head.status >= 200 && self.head.status < 300
    }

    /// The first header of this name, in any case, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// All headers, names and raw values, in the order they came.
    #[must_use]
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        &self.head.headers
    }

    /// The URL that answered, after redirects.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    fn host(&self) -> String {
        self.url.authority().to_owned()
    }

    /// This answer, if its status is from 200 to 299.
    ///
    /// # Errors
    /// [`HttpError::Status`].
    pub fn ok(self) -> Result<Self, HttpError> {
        if self.is_success() {
            return Ok(self);
        }
        Err(HttpError::Status { host: self.host(), status: self.status() })
    }

    /// The body as text: UTF-8, with U+FFFD for what is not.
    ///
    /// # Errors
    /// Those of [`Response::bytes`].
    pub fn text(self) -> Result<String, HttpError> {
        let bytes = self.bytes()?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// Those of [`Response::bytes`], and [`HttpError::Body`].
    pub fn json<T: DeserializeOwned>(self) -> Result<T, HttpError> {
        let host = self.host();
        let bytes = self.bytes()?;
        serde_json::from_slice(&bytes).map_err(|error| HttpError::Body { host, why: error.to_string() })
    }

    /// The body.
    ///
    /// # Errors
    /// [`HttpError::TooLarge`], [`HttpError::Timeout`] or [`HttpError::Transport`].
    pub fn bytes(self) -> Result<Vec<u8>, HttpError> {
        let host = self.host();
        let mut bytes = Vec::new();
        match self.into_reader().read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(error
                .downcast::<HttpError>()
                .unwrap_or_else(|error| HttpError::Transport { host, why: error.to_string() })),
        }
    }

    /// The body as it comes. Errors hold an [`HttpError`]; the limit holds here as well.
    pub fn into_reader(self) -> impl Read {
        let host = self.host();
        Limited { inner: self.head.body, host, limit: self.limit, left: self.limit }
    }
}

/// A reader that fails, rather than ends, at the limit.
struct Limited<R> {
    inner: R,
    host: String,
    limit: u64,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // One byte more than is left tells a body at the limit from one beyond it.
        let most = usize::try_from(self.left.saturating_add(1)).unwrap_or(usize::MAX).min(buffer.len());
        let got = self.inner.read(&mut buffer[..most])?;
        match self.left.checked_sub(got as u64) {
            Some(left) => {
                self.left = left;
                Ok(got)
            }
            None => Err(io::Error::other(HttpError::TooLarge { host: self.host.clone(), limit: self.limit })),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_limit_is_exact() {
        let read = |bytes: &[u8], limit| {
            let mut out = Vec::new();
            Limited { inner: bytes, host: "h".into(), limit, left: limit }.read_to_end(&mut out).map(|_| out)
        };
        assert_eq!(read(b"1234", 4).unwrap(), b"1234");
        let error = read(b"12345", 4).unwrap_err().downcast::<HttpError>().unwrap();
        assert_eq!(error, HttpError::TooLarge { host: "h".into(), limit: 4 });
        assert_eq!(read(b"", 0).unwrap(), b"");
        assert!(read(b"1", 0).is_err());
    }

    #[test]
    fn redirects_change_the_method_as_the_standard_says() {
        let to = |status, method: &str, replayable| {
            redirect(status, Some("/x"), method, replayable).map(|(_, method)| method)
        };
        assert_eq!(to(302, "GET", true).as_deref(), Some("GET"));
        assert_eq!(to(301, "POST", true).as_deref(), Some("GET"));
        assert_eq!(to(303, "PUT", false).as_deref(), Some("GET"));
        assert_eq!(to(307, "POST", true).as_deref(), Some("POST"));
        assert_eq!(to(307, "POST", false), None);
        assert_eq!(to(304, "GET", true), None);
        assert_eq!(redirect(302, None, "GET", true), None);
    }

    #[test]
    fn credentials_are_known_by_name() {
        assert!(is_credential("Authorization") && is_credential("cookie"));
        assert!(!is_credential("accept"));
    }

    #[test]
    fn a_denial_is_an_error_of_its_own_kind() {
        let error = crate::Error::from(HttpError::Denied { host: "h".into() });
        assert_eq!(error, crate::Error::denied("a request to h is not granted to this plugin"));
    }
}
