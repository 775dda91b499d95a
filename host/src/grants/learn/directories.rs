//! Directories of a proposal: for each one that was given, where was read and where was changed. Touches no file.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Access, DirectoryGrant, DirectoryMode, DiskQuota, Intent, Rule};
use super::{Seen, common, rounded};

/// Least bytes that a plugin may add where it changes something; more are rounded up to a power of two.
const LEAST_BYTES: u64 = 1 << 20;
/// The same of files.
const LEAST_FILES: u64 = 16;

/// Something done below one of the directories that were given.
struct Touch<'a> {
    /// The directory it was done in, from the given one on.
    inside: Vec<&'a str>,
    /// What it was done to, from the given one on.
    parts: Vec<&'a str>,
    /// Whether it was done to a file.
    file: bool,
    changes: bool,
    bytes: u64,
}

/// One or two of each that was used: where something is changed is granted to be changed, and the rest to be read.
pub(super) fn learn(done: &[(&Seen, Rule)], bounds: &[DirectoryGrant]) -> Vec<DirectoryGrant> {
    let mut touched: BTreeMap<usize, Vec<Touch<'_>>> = BTreeMap::new();
    for (one, rule) in done {
        if let (Intent::File(access, path), Rule::Directory(index)) = (&one.intent, rule)
            && let Some(bound) = bounds.get(*index)
        {
            touched.entry(*index).or_default().push(Touch::of(*access, path, one.bytes, bound));
        }
    }
    let used = touched.into_iter().filter_map(|(index, touches)| Some((bounds.get(index)?, touches)));
    used.flat_map(|(bound, touches)| within(bound, &touches)).collect()
}

fn within(bound: &DirectoryGrant, touches: &[Touch<'_>]) -> Vec<DirectoryGrant> {
    let changed = above(touches.iter().filter(|touch| touch.changes));
    let (there, elsewhere): (Vec<_>, Vec<_>) = touches
        .iter()
        .partition(|touch| changed.as_ref().is_some_and(|changed| touch.parts.starts_with(changed)));
    let read = above(elsewhere.iter().copied());
    let read = read.map(|read| grant(bound, &read, &elsewhere, DirectoryMode::ReadOnly));
    let changed = changed.map(|changed| grant(bound, &changed, &there, DirectoryMode::ReadWrite));
    read.into_iter().chain(changed).collect()
}

/// The deepest directory that holds all.
fn above<'a, 'b: 'a>(touches: impl Iterator<Item = &'a Touch<'b>>) -> Option<Vec<&'b str>> {
    touches.map(|touch| touch.inside.clone()).reduce(|mut above, other| {
        above.truncate(common(&above, &other));
        above
    })
}

fn grant(
    bound: &DirectoryGrant,
    inside: &[&str],
    touches: &[&Touch<'_>],
    mode: DirectoryMode,
) -> DirectoryGrant {
    let mut guest = bound.guest.trim_end_matches('/').to_owned();
    let mut host = bound.host.clone();
    for part in inside {
        guest.push('/');
        guest.push_str(part);
        host.push(part);
    }
    if guest.is_empty() {
        guest.push('/');
    }
    let quota = match mode {
        DirectoryMode::ReadOnly => bound.quota,
        DirectoryMode::ReadWrite => {
            let changed = touches.iter().filter(|touch| touch.changes);
            let paths: BTreeSet<_> = changed.clone().map(|touch| &touch.parts).collect();
            let bytes = changed.fold(0_u64, |sum, touch| sum.saturating_add(touch.bytes));
            DiskQuota {
                bytes: rounded(bytes, LEAST_BYTES).min(bound.quota.bytes),
                files: rounded(paths.len() as u64, LEAST_FILES).min(bound.quota.files),
            }
        }
    };
    DirectoryGrant {
        host,
        guest,
        mode,
        quota,
        extensions: extensions(bound, inside, touches),
        lock: bound.lock,
    }
}

/// Those that all the files have; none when one has none, or when there was no file.
fn extensions(bound: &DirectoryGrant, inside: &[&str], touches: &[&Touch<'_>]) -> Vec<String> {
    // The directory itself, when it was a file before or after, has no name below itself.
    let files = touches.iter().filter(|touch| touch.file);
    let files: Vec<&str> = files
        .map(|touch| touch.parts.get(inside.len()..).and_then(<[&str]>::last).copied().unwrap_or_default())
        .collect();
    if !bound.extensions.is_empty() {
        let one =
            |extension: &String| DirectoryGrant { extensions: vec![extension.clone()], ..bound.clone() };
        let used =
            bound.extensions.iter().filter(|extension| files.iter().any(|file| one(extension).shows(file)));
        let used: Vec<_> = used.cloned().collect();
        return if used.is_empty() { bound.extensions.clone() } else { used };
    }
    let each: Option<BTreeSet<String>> = files.into_iter().map(extension).collect();
    each.unwrap_or_default().into_iter().collect()
}

/// What stands after the last dot of a name, if a grant can say so. As for `DirectoryGrant::shows`, case does not count.
fn extension(file: &str) -> Option<String> {
    let (stem, extension) = file.rsplit_once('.')?;
    let plain = !stem.is_empty() && !extension.is_empty() && !extension.contains(['\\', '*', '\0']);
    plain.then(|| extension.to_ascii_lowercase())
}

impl<'a> Touch<'a> {
    fn of(access: Access, path: &'a str, bytes: u64, bound: &DirectoryGrant) -> Self {
        let rest = path.strip_prefix(bound.guest.trim_end_matches('/')).unwrap_or_default();
        let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        let mut inside = parts.clone();
        // What is listed is entered itself; everything else is done in the directory that holds it.
        if access != Access::List {
            inside.pop();
        }
        let file = matches!(access, Access::Read | Access::Write);
        Self { inside, parts, file, changes: matches!(access, Access::Write | Access::Directory), bytes }
    }
}

/// Whether all that `new` grants is granted by `old` too, by the same path: it is the same directory or one in it.
pub(super) fn holds(old: &DirectoryGrant, new: &DirectoryGrant) -> bool {
    let Some(rest) = new.guest.strip_prefix(old.guest.trim_end_matches('/')) else { return false };
    let below = rest.is_empty() || rest.starts_with('/');
    let host = old.host.join(rest.trim_start_matches('/'));
    below
        && old.covers(&DirectoryGrant {
            host: if host == new.host { old.host.clone() } else { new.host.clone() },
            guest: old.guest.clone(),
            quota: if new.mode == DirectoryMode::ReadOnly { old.quota } else { new.quota },
            ..new.clone()
        })
}
