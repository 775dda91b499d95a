//! Sizes, counts and durations as a person writes them ("64MiB", "500M", "30s"), and back. Knows no
//! key and no bound; those are with the thing that is measured.
//!
//! Durations are `humantime`'s. Sizes and counts are ours: `bytesize` reads through floating point,
//! takes "64Mib" for mebibytes, and has no counts.

use std::time::Duration;

/// Why a text is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// No size.
    #[error("{0:?} is not a size; write for example \"64MiB\"")]
    Size(String),
    /// No count.
    #[error("{0:?} is not a count; write for example \"500M\"")]
    Count(String),
    /// No duration.
    #[error("{0:?} is not a duration; write for example \"30s\"")]
    Duration(String),
    /// Fits the form, not 64 bits.
    #[error("{0:?} is too large")]
    TooLarge(String),
}

/// Names and values, largest first among those that divide evenly, for showing.
const SIZES: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
    ("", 1),
];

const COUNTS: &[(&str, u64)] =
    &[("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000), ("", 1)];

/// Bytes: a number with `B`, `kB`/`KB`, `MB`, `GB`, `TB` (powers of 1000), `KiB`, `MiB`, `GiB`, `TiB`
/// (powers of 1024) or nothing.
///
/// # Errors
/// When the text has another form, is not a whole number of bytes, or does not fit 64 bits.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    scaled(text, SIZES, UnitError::Size)
}

/// A count: a number with `k`, `M`, `G`, `T` (powers of 1000) or nothing.
///
/// # Errors
/// As [`parse_size`].
pub fn parse_count(text: &str) -> Result<u64, UnitError> {
    scaled(text, COUNTS, UnitError::Count)
}

/// A duration such as `30s`, `500ms`, `2m`, `1h 30m`; a unit is needed.
///
/// # Errors
/// When the text has another form.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    humantime::parse_duration(text).map_err(|_| UnitError::Duration(text.to_owned()))
}

/// The shortest exact spelling that [`parse_size`] reads back.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    show(bytes, SIZES, "B")
}

/// The shortest exact spelling that [`parse_count`] reads back.
#[must_use]
pub fn show_count(count: u64) -> String {
    show(count, COUNTS, "")
}

/// A spelling that [`parse_duration`] reads back.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

fn scaled(text: &str, units: &[(&str, u64)], bad: fn(String) -> UnitError) -> Result<u64, UnitError> {
    let wrong = || bad(text.to_owned());
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '_')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    // One space is how style guides write units; more is a typing error.
    let unit = unit.strip_prefix(' ').filter(|rest| !rest.is_empty()).unwrap_or(unit);
    let factor = units.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let plain = |digits: &str| {
        digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.ends_with(|c: char| c.is_ascii_digit())
            && !digits.contains("__")
            && !digits.contains('.')
    };
    if !plain(whole) || !plain(fraction) {
        return Err(wrong());
    }
    let large = || UnitError::TooLarge(text.to_owned());
    let whole: u64 = whole.replace('_', "").parse().map_err(|_| large())?;
    let fraction = fraction.replace('_', "");
    let fraction = fraction.trim_end_matches('0');
    let part = if fraction.is_empty() {
        0
    } else {
        // At most 12 digits can be whole for any unit here; the arithmetic is exact.
        let places = u32::try_from(fraction.len()).ok().filter(|n| *n <= 18).ok_or_else(wrong)?;
        let digits: u128 = fraction.parse().map_err(|_| wrong())?;
        let scaled = digits * u128::from(factor);
        let ten = 10_u128.pow(places);
        if !scaled.is_multiple_of(ten) {
            return Err(wrong());
        }
        u64::try_from(scaled / ten).map_err(|_| large())?
    };
    whole.checked_mul(factor).and_then(|n| n.checked_add(part)).ok_or_else(large)
}

fn show(value: u64, units: &[(&str, u64)], plain: &str) -> String {
    let even = units.iter().filter(|(_, factor)| value != 0 && value.is_multiple_of(*factor) && *factor > 1);
    let spellings = even.map(|(name, factor)| format!("{}{name}", value / factor));
    spellings.chain([format!("{value}{plain}")]).min_by_key(String::len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("4_096", 4096),
            ("64MiB", 64 << 20),
            ("64 MiB", 64 << 20),
            ("1MB", 1_000_000),
            ("1.5GiB", 3 << 29),
            ("1kB", 1000),
            ("1KB", 1000),
            ("7B", 7),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in [
            "", "MiB", "64Mib", "64mb", "-1", "+1", "1.5", "1.", ".5MB", "1.0001kB", "1e3", "64MiBs",
            "1  MB", "1 ", " 1", "_1", "1_", "1__0", "0x10", "1.2.3MB", "٣",
        ] {
            assert_eq!(parse_size(bad), Err(UnitError::Size(bad.to_owned())), "{bad}");
        }
        assert!(matches!(parse_size("18446744073709551616"), Err(UnitError::TooLarge(_))));
        assert!(matches!(parse_size("99999999999TiB"), Err(UnitError::TooLarge(_))));
    }

    #[test]
    fn counts_and_durations() {
        assert_eq!(parse_count("500M"), Ok(500_000_000));
        assert_eq!(parse_count("1.5k"), Ok(1500));
        assert!(parse_count("5MiB").is_err());
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "30", "s", "-1s", "soon"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert_eq!(show_size(64 << 20), "64MiB");
        assert_eq!(show_size(1_000_000), "1MB");
        assert_eq!(show_size(0), "0B");
        assert_eq!(show_count(20_000), "20k");
        assert_eq!(show_duration(Duration::from_secs(90)), "1m 30s");
    }

    proptest! {
        #[test]
        fn shown_sizes_read_back(bytes: u64, shift in 0_u32..64) {
            let bytes = bytes >> shift;
            prop_assert_eq!(parse_size(&show_size(bytes)), Ok(bytes));
            prop_assert_eq!(parse_count(&show_count(bytes)), Ok(bytes));
        }

        #[test]
        fn every_unit_multiplies(number in 0_u64..10_000_000, unit in 0..SIZES.len()) {
            let (name, factor) = SIZES[unit];
            prop_assert_eq!(parse_size(&format!("{number}{name}")), Ok(number * factor));
        }

        #[test]
        fn shown_durations_read_back(millis in 0_u64..1 << 40) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = (parse_size(&text), parse_count(&text), parse_duration(&text));
        }
    }
}
