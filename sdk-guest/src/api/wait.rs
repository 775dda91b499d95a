//! What a service says about when to ask again: `Retry-After` (RFC 9110, section 10.2.3) and the `RateLimit` headers in
//! their three spellings. Where state is granted it is remembered, so that the next call does not ask in vain.
//! Must not remember for long: a person may have changed the credential meanwhile.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::state;

/// How long a wait is remembered at most; after it one request is tried again.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Values from here on are moments (seconds since 1970), below it lengths: nobody waits for thirty years.
const MOMENTS: u64 = 1_000_000_000;

/// Where a wait is remembered.
const KEY: &str = "api/wait";

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How long the service asks to wait: `header` gives a header's text. None when it asks for nothing.
pub(super) fn asked<'a>(header: impl Fn(&str) -> Option<&'a str>, now: u64) -> Option<Duration> {
    let length = |text: &str| {
        let number: u64 = text.trim().parse().ok()?;
        Some(Duration::from_secs(if number >= MOMENTS { number.saturating_sub(now) } else { number }))
    };
    let moment = |text: &str| {
        let at = httpdate::parse_http_date(text).ok()?;
        Some(Duration::from_secs(at.duration_since(UNIX_EPOCH).ok()?.as_secs().saturating_sub(now)))
    };
    if let Some(text) = header("retry-after") {
        return length(text).or_else(|| moment(text));
    }
    if !used_up(&header) {
        return None;
    }
    ["x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset"]
        .into_iter()
        .find_map(|name| header(name).and_then(length))
}

/// Whether the service says that nothing is left for now.
pub(super) fn used_up<'a>(header: impl Fn(&str) -> Option<&'a str>) -> bool {
    ["x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining"]
        .into_iter()
        .any(|name| header(name).is_some_and(|text| text.trim() == "0"))
}

/// Remembers a wait from now on.
pub(super) fn remember(wait: Duration) {
    let until = now().saturating_add(wait.min(REMEMBERED).as_secs());
    // Without state, or with a full one, the next call asks and is told again.
    let _ = state::set(KEY, &until);
}

/// What is left of a remembered wait.
pub(super) fn remembered() -> Option<Duration> {
    let until: u64 = state::get(KEY).ok().flatten()?;
    let left = until.saturating_sub(now());
    // A clock that was set back must not make it longer.
    (left > 0 && left <= REMEMBERED.as_secs()).then(|| Duration::from_secs(left))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn wait(headers: &[(&str, &'static str)]) -> Option<u64> {
        let find = |name: &str| headers.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        asked(find, NOW).map(|wait| wait.as_secs())
    }

    #[test]
    fn the_spellings_of_a_wait() {
        assert_eq!(wait(&[("retry-after", "7")]), Some(7));
        assert_eq!(wait(&[("retry-after", "Fri, 15 Jan 2027 08:00:30 GMT")]), Some(30));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1800000090")]), Some(90));
        assert_eq!(wait(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "12")]), Some(12));
        assert_eq!(wait(&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "1800000090")]), None);
        assert_eq!(wait(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000000")]), Some(0));
    }
}
