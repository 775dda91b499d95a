//! The two answers: what time it is in a zone, and what a time of today is in another.
//! Must not decide how answers are worded around the values: errors are plain sentences here.

use jiff::civil::Time;
use jiff::tz::AmbiguousOffset;
use jiff::{Timestamp, Zoned};
use kennel_sdk::prelude::*;

use crate::zone;

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Moment {
    timezone: String,
    datetime: String,
    day_of_week: String,
    is_dst: bool,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Conversion {
    source: Moment,
    target: Moment,
    time_difference: String,
}

impl Moment {
    fn new(timezone: &str, time: &Zoned) -> Self {
        Self {
            timezone: timezone.to_owned(),
            datetime: time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            day_of_week: time.strftime("%A").to_string(),
            is_dst: time.time_zone().to_offset_info(time.timestamp()).dst().is_dst(),
        }
    }
}

/// The time it is in a zone.
pub(crate) fn current(timezone: &str) -> Result<Moment, String> {
    let zone = zone::named(timezone)?;
    Ok(Moment::new(timezone, &Timestamp::now().to_zoned(zone)))
}

/// What a time of today in one zone is in another.
pub(crate) fn converted(source: &str, time: &str, target: &str) -> Result<Conversion, String> {
    converted_at(Timestamp::now(), source, time, target)
}

fn converted_at(now: Timestamp, source: &str, time: &str, target: &str) -> Result<Conversion, String> {
    let source_zone = zone::named(source)?;
    let target_zone = zone::named(target)?;
    let wall = wall_time(time).ok_or("Invalid time format. Expected HH:MM [24-hour format]")?;

    // Today is the source's today.
    let date = now.to_zoned(source_zone.clone()).date();
    let ambiguous = source_zone.to_ambiguous_zoned(date.to_datetime(wall));
    if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
        return Err(format!(
            "Invalid time: {time} does not exist in {source} on {date} (skipped by a clock change)"
        ));
    }
    // Of an hour that comes twice, the first.
    let from = ambiguous.earlier().map_err(|error| format!("Invalid time: {error}"))?;
    let to = from.with_time_zone(target_zone);
    let seconds = to.offset().seconds() - from.offset().seconds();
    Ok(Conversion {
        source: Moment::new(source, &from),
        target: Moment::new(target, &to),
        time_difference: difference(seconds),
    })
}

/// `HH:MM`, where each part may have one digit.
fn wall_time(text: &str) -> Option<Time> {
    let part = |text: &str| -> Option<i8> {
        let fits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { text.parse().ok() } else { None }
    };
    let (hour, minute) = text.split_once(':')?;
    Time::new(part(hour)?, part(minute)?, 0, 0).ok()
}

/// Hours with their sign: one decimal for whole hours, up to two for others.
fn difference(seconds: i32) -> String {
    let hours = f64::from(seconds) / 3600.0;
    if seconds % 3600 == 0 {
        return format!("{hours:+.1}h");
    }
    let text = format!("{hours:+.2}");
    format!("{}h", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn at(now: &str, source: &str, time: &str, target: &str) -> Result<Conversion, String> {
        converted_at(now.parse().unwrap(), source, time, target)
    }

    #[test]
    fn zones_with_odd_offsets() {
        let made = at("2026-11-21T10:00:00Z", "Europe/Warsaw", "12:30", "Asia/Kathmandu").unwrap();
        assert_eq!(made.source.datetime, "2026-11-21T12:30:00+01:00");
        assert_eq!(made.target.datetime, "2026-11-21T17:15:00+05:45");
        assert_eq!(made.time_difference, "+4.75h");
        let made = at("2026-11-21T10:00:00Z", "America/St_Johns", "23:59", "Australia/Lord_Howe").unwrap();
        assert_eq!(made.target.datetime, "2026-11-22T14:29:00+11:00");
        assert_eq!((made.target.day_of_week.as_str(), made.target.is_dst), ("Sunday", true));
        assert_eq!(made.time_difference, "+14.5h");
        let made = at("2026-11-21T10:00:00Z", "Europe/Warsaw", "1:3", "America/New_York").unwrap();
        assert_eq!(made.target.datetime, "2026-11-20T19:03:00-05:00");
        assert_eq!(made.time_difference, "-6.0h");
        assert_eq!(at("2026-11-21T10:00:00Z", "UTC", "0:0", "GMT").unwrap().time_difference, "+0.0h");
    }

    #[test]
    fn clock_changes() {
        // 29 March 2026: 02:00 becomes 03:00. 25 October 2026: 03:00 becomes 02:00.
        let error = at("2026-03-29T10:00:00Z", "Europe/Warsaw", "02:30", "UTC").unwrap_err();
        assert_eq!(
            error,
            "Invalid time: 02:30 does not exist in Europe/Warsaw on 2026-03-29 (skipped by a clock change)"
        );
        let made = at("2026-10-25T10:00:00Z", "Europe/Warsaw", "02:30", "UTC").unwrap();
        assert_eq!(made.source.datetime, "2026-10-25T02:30:00+02:00");
        assert!(made.source.is_dst);
    }

    #[test]
    fn times_that_are_none() {
        for time in [
            "25:00",
            "24:00",
            "12:60",
            " 12:00",
            "12:00 ",
            "12",
            "",
            "012:00",
            "12:000",
            "+1:00",
            "١٢:٣٠",
            "a:b",
        ] {
            assert_eq!(
                at("2026-11-21T10:00:00Z", "UTC", time, "UTC").unwrap_err(),
                "Invalid time format. Expected HH:MM [24-hour format]",
                "{time}"
            );
        }
    }
}
