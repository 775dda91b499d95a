//! `puppeteer_navigate`: opens a URL and waits until it is loaded, as Puppeteer's `page.goto`.
//! Must not open what is not of the web: files and the browser's own pages are the machine's, not the page's.

use std::time::{Duration, Instant};

use kennel_sdk::prelude::*;

use crate::page::{Ignored, Page};

/// Puppeteer's time for a navigation; a call's deadline may be earlier.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is left of the call's time for giving up in good order.
const AFTER: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    loader_id: Option<String>,
    error_text: Option<String>,
}

/// Opens the URL.
///
/// # Errors
/// [`Error::Failed`] with Chromium's word for it (`net::ERR_…`), or when it is not loaded in time.
pub(crate) fn go(page: &mut Page, url: &str) -> Result<()> {
    let started = Instant::now();
    let ends = (started + PATIENCE).min(page.ends().checked_sub(AFTER).unwrap_or(started));
    page.give_up_at(ends);
    let done = load(page, url);
    let late = Instant::now() >= ends;
    page.give_up_at(page.ends());
    if late && done.is_err() {
        // Or the page would go on to it under the next call's feet. If it cannot be stopped, nothing is worse.
        drop(page.command::<Ignored>("Page.stopLoading", json!({})));
        let waited = ends.saturating_duration_since(started).as_millis();
        bail!("Navigation timeout of {waited} ms exceeded");
    }
    done
}

fn load(page: &mut Page, url: &str) -> Result<()> {
    let before = page.frame()?;
    let begun: Begun = page.command("Page.navigate", json!({ "url": url, "frameId": before.id }))?;
    if let Some(error) = begun.error_text.filter(|error| {
        // An error's page without a body of its own; the server did answer.
        error != "net::ERR_HTTP_RESPONSE_CODE_FAILURE" && !error.is_empty()
    }) {
        bail!("{error} at {url}");
    }
    // Without a loader the document stayed and only its fragment changed.
    if begun.loader_id.is_some() { page.loaded(&before.id, &before.loader_id) } else { Ok(()) }
}

/// Refuses URLs of schemes that are not the web's. Chromium reads a URL as the URL Standard says: what is at or below a space
/// is no part of its beginning, tabs and line ends are none anywhere.
///
/// # Errors
/// [`Error::Failed`] naming the scheme.
pub(crate) fn of_the_web(url: &str) -> Result<()> {
    let plain: String =
        url.trim_start_matches(|c| c <= ' ').chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
    let Some((scheme, rest)) = plain.split_once(':') else {
        // Puppeteer's words for what Chromium says.
        bail!("Protocol error (Page.navigate): Cannot navigate to invalid URL");
    };
    let scheme = scheme.to_ascii_lowercase();
    let blank = rest.get(..5).is_some_and(|name| name.eq_ignore_ascii_case("blank"))
        && rest.get(5..).is_some_and(|more| more.is_empty() || more.starts_with(['#', '?']));
    match scheme.as_str() {
        "http" | "https" | "data" | "blob" => Ok(()),
        "about" if blank => Ok(()),
        _ => Err(Error::failed(format!(
            "{scheme}: is not opened: only http:, https:, data:, blob: and about:blank are, because files and the browser's own pages belong to its machine"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn only_the_web_is_opened() {
        for url in [
            "http://a",
            "HTTPS://a",
            " \u{1}https://a",
            "ht\ntp://a",
            "data:text/html,x",
            "about:blank",
            "About:Blank#x",
            "blob:https://a/1",
        ] {
            assert!(of_the_web(url).is_ok(), "{url:?}");
        }
        for url in [
            "file:///etc/passwd",
            "\u{1f} FILE:///x",
            "f\tile:///x",
            "chrome://version",
            "about:version",
            "about:blanket",
            "about:",
            "view-source:http://a",
            "javascript:alert(1)",
            "devtools://x",
            "filesystem:http://a/x",
            "a",
            "",
        ] {
            assert!(of_the_web(url).is_err(), "{url:?}");
        }
    }
}
