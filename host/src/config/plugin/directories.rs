//! `[[plugins.NAME.directories]]`: directories of the host, under the paths that the guest sees.
//! Checks that a directory exists and is none of Kennel's; opens nothing.

use std::path::PathBuf;

use super::Context;
use crate::config::reader::{Faults, Item, Section};
use crate::grants::{DirectoryGrant, DirectoryMode, DiskQuota, FileLock};

/// What a read-write directory may grow by when nothing is written.
const DEFAULT_QUOTA: DiskQuota = DiskQuota { bytes: 1 << 30, files: 100_000 };

/// Reads all directories of a plugin.
pub(super) fn read(
    plugin: &mut Section<'_, '_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Vec<DirectoryGrant> {
    let mut grants: Vec<DirectoryGrant> = Vec::new();
    for directory in plugin.sections(faults, "directories") {
        let (at, key) = (directory.at(), directory.key().to_owned());
        if let Some(grant) = read_directory(directory, context, faults) {
            match grants.iter().find(|other| other.guest == grant.guest) {
                Some(other) => {
                    let message = format!(
                        "{:?} is already {}; give one another `as`",
                        grant.guest,
                        other.host.display()
                    );
                    faults.add(at, &key, message);
                }
                None => grants.push(grant),
            }
        }
    }
    grants
}

fn read_directory(
    mut section: Section<'_, '_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<DirectoryGrant> {
    let path = section.read(faults, "path", |item| real(item.text()?, context));
    let named = section.read(faults, "as", |item| guest_path(item.text()?));
    let mode = section.read(faults, "mode", |item| match item.text()? {
        "read-only" => Ok(DirectoryMode::ReadOnly),
        "read-write" => Ok(DirectoryMode::ReadWrite),
        other => Err(format!("{other:?} is neither \"read-only\" nor \"read-write\"")),
    });
    let mode = mode.unwrap_or(DirectoryMode::ReadOnly);
    let mut quota = DEFAULT_QUOTA;
    if let Some(item) = section.item("quota") {
        if mode == DirectoryMode::ReadOnly {
            faults.add(
                item.at,
                &item.key,
                "nothing can be added here; add `mode = \"read-write\"`, or drop it",
            );
        }
        if let Some(mut section) = item.section(faults) {
            quota.bytes = section.read(faults, "bytes", Item::size).unwrap_or(quota.bytes);
            quota.files = section.read(faults, "files", Item::count).unwrap_or(quota.files);
            section.finish(faults);
        }
    }
    let extensions = section.read(faults, "extensions", |item| {
        let extensions = item.texts()?;
        if extensions.is_empty() {
            return Err(
                "no extension, so no file; name at least one, or drop the key for all files".to_owned()
            );
        }
        extensions.into_iter().map(extension).collect::<Result<Vec<_>, _>>()
    });
    let extensions = extensions.unwrap_or_default();
    let lock = section.read(faults, "lock", |item| match item.text()? {
        "sqlite" => Ok(FileLock::Sqlite),
        "none" => Ok(FileLock::None),
        other => Err(format!("{other:?} is neither \"sqlite\" nor \"none\"")),
    });
    let lock = lock.unwrap_or_default();
    let missing = section.item("path").is_none();
    if missing {
        faults.add(
            section.at(),
            section.key(),
            "`path` is missing; write for example path = \"~/Documents\"",
        );
    }
    let (at, key) = (section.at(), section.key().to_owned());
    section.finish(faults);
    let (written, host) = path?;
    let guest = named.map_or_else(
        || {
            // The path as the person wrote it, so that a plugin and its user speak of the same one; the
            // path without links when it cannot be taken word by word.
            let as_written = written.to_str().and_then(|text| guest_path(text).ok());
            as_written.or_else(|| host.to_str().and_then(|text| guest_path(text).ok()))
        },
        Some,
    );
    if guest.is_none() {
        faults.add(at, &key, "the path is not UTF-8; add `as` with the path the plugin shall see");
    }
    Some(DirectoryGrant { host, guest: guest?, mode, quota, extensions, lock })
}

/// A directory as it was written, and where it really lies: it exists and is none of Kennel's.
pub(super) fn real(text: &str, context: &Context<'_>) -> Result<(PathBuf, PathBuf), String> {
    let written = context.surroundings.path(text, context.base).map_err(|e| e.to_string())?;
    let real = written.canonicalize().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => format!("{} does not exist; make it first", written.display()),
        _ => format!("{}: {e}", written.display()),
    })?;
    if !real.is_dir() {
        return Err(format!("{} is not a directory; grant the directory it is in", written.display()));
    }
    if let Some(places) = context.places {
        let answer = places.check(&real).map_err(|e| format!("{}: {e}", real.display()))?;
        answer.map_err(|conflict| conflict.to_string())?;
    }
    Ok((written, real))
}

/// What stands after a dot at the end of a file's name.
fn extension(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && !text.starts_with('.') && !text.contains(['/', '\\', '\0', '*']);
    if plain {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not an extension; write for example \"md\", without the dot"))
    }
}

/// An absolute path of one spelling.
fn guest_path(text: &str) -> Result<String, String> {
    let path = if text.len() > 1 { text.trim_end_matches('/') } else { text };
    let plain = text.starts_with('/')
        && !path.contains(['\0', '\\'])
        && (path == "/" || path.split('/').skip(1).all(|part| !matches!(part, "" | "." | "..")));
    if plain {
        Ok(path.to_owned())
    } else {
        Err(format!("{text:?} is not an absolute path without \".\" and \"..\"; write for example \"/docs\""))
    }
}
