//! Points in time as a person gives them: what git's `--since` and `GIT_AUTHOR_DATE` take.
//! Everything without a zone is in UTC: a sandbox does not know the machine's. Must not read the clock but by `now`.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// This moment, in UTC.
pub(crate) fn now() -> Zoned {
    Timestamp::now().to_zoned(TimeZone::UTC)
}

/// A point in time that is given in full; seconds since 1970.
pub(crate) fn exact(text: &str) -> Option<i64> {
    gix_date::parse(text.trim(), None).ok().map(|time| time.seconds)
}

/// The same with seconds east of UTC.
pub(crate) fn exact_with_offset(text: &str) -> Option<(i64, i32)> {
    gix_date::parse(text.trim(), None).ok().map(|time| (time.seconds, time.offset))
}

/// A point in time as git's `approxidate` reads it, seconds since 1970: what it cannot read at all is now.
pub(crate) fn approximate(text: &str, now: &Zoned) -> i64 {
    let text = text.trim();
    // A day alone is that day at this time.
    if let Some(day) = day(text) {
        return seconds(day.to_datetime(now.time()));
    }
    if let Ok(time) = gix_date::parse(text, Some(now.clone())) {
        return time.seconds;
    }
    words(text, now)
}

fn day(text: &str) -> Option<Date> {
    let parts: Vec<&str> = text.split(['-', '/']).collect();
    let [year, month, day] = parts.as_slice() else { return None };
    if year.len() != 4 {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// In UTC.
fn seconds(time: DateTime) -> i64 {
    time.to_zoned(TimeZone::UTC).map(|time| time.timestamp().as_second()).unwrap_or_default()
}

/// A text of months, days, numbers and times in any order.
fn words(text: &str, now: &Zoned) -> i64 {
    let (mut date, mut time) = (now.date(), now.time());
    let (mut month, mut number, mut year) = (None, None, None);
    let lower = text.to_ascii_lowercase();
    for word in lower.split(|c: char| !c.is_ascii_alphanumeric() && c != ':').filter(|word| !word.is_empty())
    {
        if let Some(clock) = clock(word) {
            time = clock;
        } else if let Ok(value) = word.trim_end_matches(['s', 't', 'n', 'd', 'r', 'h']).parse::<i16>() {
            match value {
                1..=31 if number.is_none() => number = Some(value),
                1970..=2099 => year = Some(value),
                _ => {}
            }
        } else if let Some(found) = named(word, &MONTHS) {
            month = i8::try_from(found + 1).ok();
        } else if let Some(found) = named(word, &DAYS) {
            let wanted = i8::try_from(found).ok().and_then(|n| Weekday::from_monday_zero_offset(n).ok());
            let back = wanted.map_or(0, |wanted| date.weekday().since(wanted));
            // The one before today.
            date = date.saturating_sub(if back == 0 { 7 } else { back }.days());
        } else {
            let hour = match word {
                "midnight" => 0,
                "noon" => 12,
                "tea" => 17,
                "yesterday" => {
                    date = date.saturating_sub(1.days());
                    continue;
                }
                "never" => return 0,
                _ => continue,
            };
            if now.hour() < hour && date == now.date() {
                date = date.saturating_sub(1.days());
            }
            time = Time::constant(hour, 0, 0, 0);
        }
    }
    if month.is_some() || year.is_some() || number.is_some() {
        let month_or_now = month.unwrap_or_else(|| now.month());
        let day = number.and_then(|day| i8::try_from(day).ok()).unwrap_or_else(|| now.day());
        let given = |year| Date::new(year, month_or_now, day).ok();
        let this_year = year.unwrap_or_else(|| now.year());
        // Without a year it is in the past.
        let found = match given(this_year) {
            Some(found) if year.is_none() && found > now.date() => given(this_year - 1),
            found => found,
        };
        date = found.unwrap_or(date);
    }
    seconds(date.to_datetime(time))
}

/// `14:30` or `14:30:25`.
fn clock(word: &str) -> Option<Time> {
    let mut parts = word.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
    if parts.next().is_some() {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, second.parse().ok()?, 0).ok()
}

/// Which of these names a word of three letters or more begins.
fn named(word: &str, names: &[&str]) -> Option<usize> {
    (word.len() >= 3).then(|| names.iter().position(|name| name.starts_with(word)))?
}

/// A point in time in its own zone, as Python shows a `datetime`.
pub(crate) fn shown(seconds: i64, offset: i32, format: &str) -> String {
    let zone = jiff::tz::Offset::from_seconds(offset).unwrap_or(jiff::tz::Offset::UTC);
    Timestamp::from_second(seconds)
        .map(|time| time.to_zoned(TimeZone::fixed(zone)).strftime(format).to_string())
        .unwrap_or_else(|_| seconds.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn at(text: &str) -> String {
        let now: Zoned = "2026-11-21T10:20:30[UTC]".parse().unwrap();
        shown(approximate(text, &now), 0, "%Y-%m-%d %H:%M:%S")
    }

    #[test]
    fn what_people_write() {
        for (text, wanted) in [
            ("2024-01-15T14:30:25", "2024-01-15 14:30:25"),
            ("2024-01-15 14:30:25 +0200", "2024-01-15 12:30:25"),
            ("2024-01-15", "2024-01-15 10:20:30"),
            ("2 weeks ago", "2026-11-07 10:20:30"),
            ("yesterday", "2026-11-20 10:20:30"),
            ("Jan 15 2024", "2024-01-15 10:20:30"),
            ("15 January 2024", "2024-01-15 10:20:30"),
            ("Jan 15, 2024 08:00", "2024-01-15 08:00:00"),
            ("Dec 24", "2025-12-24 10:20:30"),
            ("last friday", "2026-11-20 10:20:30"),
            ("noon", "2026-11-20 12:00:00"),
            ("1700000000", "2023-11-14 22:13:20"),
            ("never", "1970-01-01 00:00:00"),
            ("nonsense", "2026-11-21 10:20:30"),
            ("", "2026-11-21 10:20:30"),
            ("99 99 9999", "2026-11-21 10:20:30"),
        ] {
            assert_eq!(at(text), wanted, "{text}");
        }
    }
}
