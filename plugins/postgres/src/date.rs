//! Dates, times and intervals of PostgreSQL's text format as the original's driver gives them: a date becomes the instant
//! that JavaScript's `Date` writes, an interval an object of its parts.
//! A sandbox has no time zone, so a time without one is UTC's (the original takes the zone of its machine).
//! Must not fail on any text: what is no date is null, as there.

use crate::json::{Json, Object};

const MS_PER_DAY: i64 = 86_400_000;
/// The furthest instant that JavaScript has (ECMA-262, 21.4.1.1).
const FURTHEST: i64 = 8_640_000_000_000_000;

/// A `date`, `timestamp` or `timestamptz`.
pub(crate) fn date(text: &str) -> Json {
    instant(text).filter(|ms| ms.abs() <= FURTHEST).map_or(Json::Null, |ms| Json::Text(iso(ms)))
}

/// Milliseconds since 1970 in UTC; none for `infinity` and what is no date.
fn instant(text: &str) -> Option<i64> {
    let (text, before_christ) = match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    // There is no year 0: 1 BC comes before 1.
    let year = if before_christ { 1 - year } else { year };
    let midnight = days(year, month, day)?.checked_mul(MS_PER_DAY)?;
    midnight.checked_add(time.map_or(Some(0), time_of_day)?)
}

/// Milliseconds since midnight of `HH:MM:SS[.ffffff][±HH[:MM[:SS]]]`, less the offset.
fn time_of_day(text: &str) -> Option<i64> {
    let zone = text.find(['+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at_checked(zone)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.splitn(3, ':').map(str::parse::<i64>);
    let (hour, minute, second) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    // JavaScript multiplies the fraction as a double and cuts what is below a millisecond.
    let fraction: f64 = format!("0.{fraction}0").parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "below a thousand")]
    let ms = (fraction * 1000.0) as i64;
    let offset = match zone.strip_prefix('-') {
        Some(west) => -seconds(west)?,
        None => seconds(zone.strip_prefix('+').unwrap_or("0"))?,
    };
    Some((hour * 3600 + minute * 60 + second - offset) * 1000 + ms)
}

/// `HH[:MM[:SS]]` in seconds.
fn seconds(text: &str) -> Option<i64> {
    let mut sum = 0;
    for (part, unit) in text.splitn(3, ':').zip([3600, 60, 1]) {
        sum += part.parse::<i64>().ok()? * unit;
    }
    Some(sum)
}

/// Days since 1970-01-01 of the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `days_from_civil`); none for years no database has.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if year.abs() > 10_000_000 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// The other way (`civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + of_era + i64::from(month <= 2), month, date)
}

/// As `Date.prototype.toISOString` writes it.
fn iso(ms: i64) -> String {
    let (year, month, day) = civil(ms.div_euclid(MS_PER_DAY));
    let of_day = ms.rem_euclid(MS_PER_DAY);
    let (second, ms) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let year = if (0..=9999).contains(&year) { format!("{year:04}") } else { format!("{year:+07}") };
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// An `interval` in the style `postgres`: `1 year 2 mons -3 days -04:05:06.789`.
pub(crate) fn interval(text: &str) -> Json {
    let mut object = Object::default();
    let mut number = None;
    for word in text.split_ascii_whitespace() {
        if word.contains(':') {
            clock(word, &mut object);
        } else if let Ok(count) = word.parse::<f64>() {
            number = Some(count);
        } else if let Some(count) = number.take() {
            let unit = match word {
                "year" | "years" => "years",
                "mon" | "mons" => "months",
                "day" | "days" => "days",
                _ => continue,
            };
            set(&mut object, unit, count);
        }
    }
    Json::Object(object)
}

/// The part `±HH:MM:SS.ffffff` of an interval.
fn clock(text: &str, object: &mut Object) {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1.0, text),
        None => (1.0, text.trim_start_matches('+')),
    };
    let (text, fraction) = text.split_once('.').unwrap_or((text, ""));
    for (part, unit) in text.splitn(3, ':').zip(["hours", "minutes", "seconds"]) {
        set(object, unit, sign * part.parse().unwrap_or(0.0));
    }
    let micros: f64 = format!("{fraction:0<6.6}").parse().unwrap_or(0.0);
    set(object, "milliseconds", sign * (micros / 1000.0));
}

/// What is zero is left out.
fn set(object: &mut Object, unit: &str, count: f64) {
    if count != 0.0 {
        object.set(unit, Json::Number(count));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// What the original's driver gave for these texts, in UTC.
    #[test]
    fn dates_are_the_drivers() {
        for (text, expected) in [
            ("2024-02-29", Some("2024-02-29T00:00:00.000Z")),
            ("2024-02-29 12:34:56.789123", Some("2024-02-29T12:34:56.789Z")),
            ("2024-02-29 12:34:56+05:30", Some("2024-02-29T07:04:56.000Z")),
            ("1890-01-01 00:00:00+00:53:28", Some("1889-12-31T23:06:32.000Z")),
            ("0044-03-15 BC", Some("-000043-03-15T00:00:00.000Z")),
            ("0001-01-01 00:00:00 BC", Some("0000-01-01T00:00:00.000Z")),
            ("0099-12-31", Some("0099-12-31T00:00:00.000Z")),
            ("10000-01-01 00:00:00-01", Some("+010000-01-01T01:00:00.000Z")),
            ("294276-12-31 00:00:00", None),
            ("infinity", None),
            ("-infinity", None),
            ("1e9-01-01", None),
            ("9999999999999999999-01-01", None),
            ("x", None),
            ("", None),
        ] {
            let expected = expected.map_or(Json::Null, Json::from);
            assert_eq!(date(text), expected, "{text}");
        }
    }

    #[test]
    fn every_day_comes_back() {
        for day in (-1_000_000..1_000_000).step_by(97) {
            let (year, month, date) = civil(day);
            assert_eq!(days(year, month, date), Some(day));
        }
    }

    #[test]
    fn intervals_are_the_drivers() {
        for (text, expected) in [
            ("00:00:00", "{}"),
            ("1 year 2 mons -3 days", r#"{"years":1,"months":2,"days":-3}"#),
            ("-04:05:06.789", r#"{"hours":-4,"minutes":-5,"seconds":-6,"milliseconds":-789}"#),
            ("1 day 00:00:00.0015", r#"{"days":1,"milliseconds":1.5}"#),
            ("-1 years -1 mons +100:00:00", r#"{"years":-1,"months":-1,"hours":100}"#),
        ] {
            assert_eq!(serde_json::to_string(&interval(text)).unwrap(), expected, "{text}");
        }
    }
}
