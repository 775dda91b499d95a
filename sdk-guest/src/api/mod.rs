//! One way to call a web API: a base URL that a test or a mirror may replace, arguments put into path, query and body,
//! typed answers, failures in words that say what to do, pages followed to a bound, answers kept, waits honoured.
//! Needs the grants for HTTP; state only for what outlives a call, and does without where it is not granted.
//! Must not hold a credential: the host puts it in. Must not send twice what could be done twice.
//!
//! ```no_run
//! use kennel_sdk::api::{Api, Shape};
//! use kennel_sdk::prelude::*;
//!
//! kennel_sdk::arguments! {
//!     #[serde(deny_unknown_fields)]
//!     GetIssue {
//!         owner: String,
//!         repo: String,
//!         /// Its number in the repository.
//!         issue_number: kennel_sdk::api::Number,
//!     }
//! }
//!
//! static ISSUE: Shape = kennel_sdk::shape! { number, title, state, user: kennel_sdk::shape! { login } };
//!
//! /// Get details of a specific issue.
//! #[tool(read_only)]
//! fn get_issue(args: GetIssue) -> Result<String> {
//!     let api = Api::new("GitHub", "https://api.github.com", "GITHUB_BASE_URL");
//!     let issue = api.get("/repos/{owner}/{repo}/issues/{issue_number}").args(&args).value()?;
//!     Ok(ISSUE.text(&issue)?)
//! }
//! ```

mod arguments;
mod call;
mod error;
mod events;
mod keep;
mod pages;
mod path;
mod shape;
mod wait;

use std::time::Duration;

pub use arguments::{Number, plain};
pub use call::{Call, Reply};
pub use error::{ApiError, Kind};
pub use events::Events;
pub use pages::{Cursor, Pages};
pub use path::segment;
pub use shape::Shape;

/// The most time for one request and its answer, unless [`Api::timeout`] says another.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A service: where it is, what every request to it says.
#[derive(Debug, Clone)]
pub struct Api {
    service: &'static str,
    base: String,
    headers: Vec<(&'static str, String)>,
    timeout: Duration,
    limit: u64,
    fresh: Option<Duration>,
}

impl Api {
    /// The service called `service` in messages, at the URL that the environment variable `variable` names, or at
    /// `base`. A variable that is empty counts as missing.
    #[must_use]
    pub fn new(service: &'static str, base: &str, variable: &str) -> Self {
        let other = std::env::var(variable).ok().filter(|url| !url.is_empty());
        Self::at(service, other.as_deref().unwrap_or(base))
    }

    /// The service at a URL.
    #[must_use]
    pub fn at(service: &'static str, base: &str) -> Self {
        Self {
            service,
            base: base.trim_end_matches('/').to_owned(),
            headers: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            limit: crate::http::DEFAULT_LIMIT,
            fresh: None,
        }
    }

    /// A header of every request. A value may be `{{secret:NAME}}`, which the host fills in.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The most time for one request and its answer.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The most time for one request and its answer as a person set it: the setting `timeout`, in seconds.
    ///
    /// # Errors
    /// [`crate::Error::Failed`] when it is not a number of seconds.
    pub fn settled(self) -> crate::Result<Self> {
        Ok(match crate::setting("timeout")? {
            Some(seconds) => self.timeout(Duration::from_secs(seconds)),
            None => self,
        })
    }

    /// The most bytes of one answer; see [`crate::http::DEFAULT_LIMIT`].
    #[must_use]
    pub const fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Keeps answers to GETs in `state`, where that is granted: one younger than `fresh` is given without asking, an
    /// older one is asked for with its `ETag` (RFC 9110, section 13.1.2), so that only a change is sent. With zero
    /// every answer is confirmed. What the service says about waiting is kept there too.
    #[must_use]
    pub const fn keep(mut self, fresh: Duration) -> Self {
        self.fresh = Some(fresh);
        self
    }

    /// The URL that paths are appended to, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A GET; see [`Call`] for what a path may hold.
    pub fn get<'a>(&'a self, path: &'a str) -> Call<'a> {
        Call::new(self, "GET", path)
    }

    /// A POST.
    pub fn post<'a>(&'a self, path: &'a str) -> Call<'a> {
        Call::new(self, "POST", path)
    }

    /// A PUT.
    pub fn put<'a>(&'a self, path: &'a str) -> Call<'a> {
        Call::new(self, "PUT", path)
    }

    /// A PATCH.
    pub fn patch<'a>(&'a self, path: &'a str) -> Call<'a> {
        Call::new(self, "PATCH", path)
    }

    /// A DELETE.
    pub fn delete<'a>(&'a self, path: &'a str) -> Call<'a> {
        Call::new(self, "DELETE", path)
    }
}
