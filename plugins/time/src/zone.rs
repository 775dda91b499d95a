//! IANA zones by their exact names, with the errors that Python's `zoneinfo` gives for bad ones.
//! Must not look at files: the zone database is in the component.

use jiff::tz::TimeZone;
use kennel_sdk::prelude::*;

/// The zone that the tools' descriptions name, from the setting `local-timezone`.
pub(crate) fn local() -> Result<String> {
    let name: String = setting("local-timezone")?.unwrap_or_else(|| "UTC".to_owned());
    if find(&name).is_none() {
        return Err(Error::failed(format!(
            "invalid local-timezone '{name}': not a known IANA timezone name"
        )));
    }
    Ok(name)
}

/// The zone of this exact name. The database itself would ignore case.
fn find(name: &str) -> Option<TimeZone> {
    let zone = TimeZone::get(name).ok()?;
    (zone.iana_name() == Some(name)).then_some(zone)
}

/// The zone of this name, or why there is none.
pub(crate) fn named(name: &str) -> Result<TimeZone, String> {
    key_fits(name)
        .and_then(|()| find(name).ok_or_else(|| format!("'No time zone found with key {name}'")))
        .map_err(|why| format!("Invalid timezone: {why}"))
}

/// `zoneinfo` reads a key as a path, and refuses some before it looks.
fn key_fits(name: &str) -> Result<(), String> {
    if name.contains('\0') {
        return Err("embedded null byte".to_owned());
    }
    if name.starts_with('/') {
        return Err(format!("ZoneInfo keys may not be absolute paths, got: {name}"));
    }
    let normal = normalised(name);
    if normal.len() != name.len() {
        return Err(format!("ZoneInfo keys must be normalized relative paths, got: {name}"));
    }
    if normal == ".." || normal.starts_with("../") {
        return Err(format!("ZoneInfo keys must refer to subdirectories of TZPATH, got: {name}"));
    }
    Ok(())
}

/// POSIX `normpath` of a relative path.
fn normalised(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn names_are_exact() {
        for name in ["UTC", "Europe/Warsaw", "Etc/UTC", "Asia/Calcutta", "GMT"] {
            assert!(named(name).is_ok(), "{name}");
        }
        assert_eq!(
            named("europe/warsaw").unwrap_err(),
            "Invalid timezone: 'No time zone found with key europe/warsaw'"
        );
    }

    #[test]
    fn keys_that_are_no_keys() {
        for (name, says) in [
            ("/etc", "may not be absolute paths, got: /etc"),
            ("Europe/", "must be normalized relative paths, got: Europe/"),
            ("a/../b", "must be normalized"),
            ("../etc", "must refer to subdirectories of TZPATH, got: ../etc"),
            ("a\0b", "embedded null byte"),
            ("é", "'No time zone found with key é'"),
        ] {
            let error = named(name).unwrap_err();
            assert!(error.contains(says), "{name}: {error}");
        }
    }
}
