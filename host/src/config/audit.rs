//! What `kennel.toml` says of the audit: what happens when it cannot be written, and how much of it is kept. Read when a
//! process starts; a change takes effect with the next start.

use std::time::Duration;

use super::reader::{Faults, Section};
use crate::grants::units;

const MINUTE: Duration = Duration::from_secs(60);
/// As durations are shown.
const YEAR: Duration = Duration::from_secs(31_557_600);

/// How the audit is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditConfig {
    /// `when-full`: whether calls go on when they can leave no line (`"say"`), or are refused (`"refuse"`).
    pub goes_on: bool,
    /// `max-size`: bytes after which a segment ends, 4 KiB to 4 GiB.
    pub max_size: u64,
    /// `max-age`: age at which a segment ends, a minute to a year.
    pub max_age: Duration,
    /// `keep`: how long a segment is kept after its last line, a minute to a hundred years.
    pub keep: Duration,
    /// `max-total`: bytes of all segments together, 16 KiB to 1 TiB; beyond, the oldest are removed.
    pub max_total: u64,
}

impl Default for AuditConfig {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self { goes_on: false, max_size: 64 << 20, max_age: DAY, keep: DAY * 90, max_total: 1 << 30 }
    }
}

pub(super) fn read(root: &mut Section<'_, '_>, faults: &mut Faults<'_>) -> AuditConfig {
    let mut config = AuditConfig::default();
    let Some(mut audit) = root.section(faults, "audit") else { return config };
    let goes_on = audit.read(faults, "when-full", |item| match item.text()? {
        "refuse" => Ok(false),
        "say" => Ok(true),
        other => Err(format!("{other:?} is neither \"refuse\" nor \"say\"")),
    });
    config.goes_on = goes_on.unwrap_or(config.goes_on);
    for (name, least, most, value) in [
        ("max-size", 4 << 10, 4 << 30, &mut config.max_size),
        ("max-total", 16 << 10, 1 << 40, &mut config.max_total),
    ] {
        let size = audit.read(faults, name, |item| within(item.size()?, least, most, units::show_size));
        *value = size.unwrap_or(*value);
    }
    for (name, most, value) in
        [("max-age", YEAR, &mut config.max_age), ("keep", YEAR * 100, &mut config.keep)]
    {
        let time =
            audit.read(faults, name, |item| within(item.duration()?, MINUTE, most, units::show_duration));
        *value = time.unwrap_or(*value);
    }
    audit.finish(faults);
    config
}

fn within<T: PartialOrd + Copy>(value: T, least: T, most: T, show: fn(T) -> String) -> Result<T, String> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("{} is not from {} to {}", show(value), show(least), show(most)))
    }
}
