//! GitHub's REST API: where it is, what every request says, and its failures in the published server's words.
//! Must not know the tools.

use std::time::Duration;

use kennel_sdk::api::{Api, ApiError, Kind, Shape};
use kennel_sdk::prelude::*;

/// The most items of a list whose pages are followed: ten pages of GitHub's largest.
pub(crate) const MOST: usize = 1000;

/// The largest page that GitHub gives.
pub(crate) const PAGE: u32 = 100;

/// GitHub, or the server that `GITHUB_BASE_URL` names.
pub(crate) fn github() -> Result<Api> {
    Api::new("GitHub", "https://api.github.com", "GITHUB_BASE_URL")
        .header("accept", "application/vnd.github.v3+json")
        .header("user-agent", concat!("kennel-github/", env!("CARGO_PKG_VERSION")))
        // Every answer is confirmed: what was true a minute ago may have been changed by another tool.
        .keep(Duration::ZERO)
        .settled()
}

/// An answer as text, whole or with a shape's fields.
pub(crate) fn told(answer: Result<Value, ApiError>, shape: Option<&Shape>) -> Result<String> {
    let answer = answer.map_err(|error| failure(&error))?;
    Ok(match shape {
        Some(shape) => shape.text(&answer)?,
        None => serde_json::to_string_pretty(&answer)?,
    })
}

/// A failure as the published server says it, and what to do.
pub(crate) fn failure(error: &ApiError) -> Error {
    let label = match (error.kind(), error.status_code()) {
        (Kind::Denied | Kind::Invalid, _) => return error.clone().into(),
        (Kind::Credential, _) => "Authentication Failed",
        (Kind::Forbidden, _) => "Permission Denied",
        (Kind::NotFound, _) => "Not Found: Resource not found",
        (Kind::Conflict, _) => "Conflict",
        (Kind::Limited, _) => "Rate Limit Exceeded",
        (_, Some(422)) => "Validation Error",
        _ => "GitHub API Error",
    };
    // GitHub says there which field is wrong.
    let details =
        error.body().and_then(|body| body.get("errors")).filter(|_| error.status_code() == Some(422));
    let details = details.map(|errors| format!("; details: {errors}")).unwrap_or_default();
    Error::failed(format!("{label}: {}{details}; {}", error.said(), error.advice()))
}
