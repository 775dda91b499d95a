//! Numbers and times as JavaScript prints them, because the reference server does.
//! Must not read files.

use std::time::SystemTime;

use time::OffsetDateTime;
use time::macros::format_description;

const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];

/// A size in bytes for people: two decimals, powers of 1024.
pub(crate) fn size(bytes: u64) -> String {
    let step = bytes.checked_ilog2().map_or(0, |bits| bits as usize / 10).min(UNITS.len() - 1);
    if step == 0 {
        return format!("{bytes} B");
    }
    // Exact, and a half goes up, as `toFixed` does.
    let unit = 1_u128 << (10 * step);
    let hundredths = (u128::from(bytes) * 100 + unit / 2) / unit;
    format!("{}.{:02} {}", hundredths / 100, hundredths % 100, UNITS[step])
}

/// `Date.prototype.toString` where the time zone is UTC, as it is in a sandbox.
pub(crate) fn date(time: Option<SystemTime>) -> String {
    let format = format_description!(
        "[weekday repr:short] [month repr:short] [day] [year] [hour]:[minute]:[second] GMT+0000 (Coordinated Universal Time)"
    );
    time.and_then(|time| OffsetDateTime::from(time).format(format).ok())
        .unwrap_or_else(|| "Invalid Date".into())
}

/// The length of a text in JavaScript.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Blanks at the end, up to a length.
pub(crate) fn pad_end(text: &str, to: usize) -> String {
    text.to_owned() + &" ".repeat(to.saturating_sub(length(text)))
}

/// Blanks at the beginning, up to a length.
pub(crate) fn pad_start(text: &str, to: usize) -> String {
    " ".repeat(to.saturating_sub(length(text))) + text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KB"),
            (1152, "1.13 KB"),
            (1536, "1.50 KB"),
            ((1 << 20) - 1, "1024.00 KB"),
            (1 << 20, "1.00 MB"),
            (5 << 30, "5.00 GB"),
            (3 << 50, "3072.00 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn dates_and_padding() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_786_000_000);
        assert_eq!(date(Some(time)), "Thu Aug 06 2026 07:06:40 GMT+0000 (Coordinated Universal Time)");
        assert_eq!(date(None), "Invalid Date");
        assert_eq!((pad_end("🐕", 3).as_str(), pad_start("ab", 3).as_str()), ("🐕 ", " ab"));
    }
}
