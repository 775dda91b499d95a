//! What was recorded of files, held against the disk as it is now: which paths are directories, which are gone, and
//! where links lead. Looks at names only; opens nothing.

use std::path::{Path, PathBuf};

use crate::grants::learn::Seen;
use crate::grants::{Access, Decision, DirectoryGrant, Grants, Intent, Rule, decide};

/// What was seen, with each file and directory where a grant can be made for it: a directory that was looked into by a
/// path that is none is the one above, what is gone lay in what is still there, and what lies behind a link is needed
/// as well as the link.
pub(super) fn settle(seen: Vec<Seen>, bounds: &Grants) -> Vec<Seen> {
    let mut settled = Vec::with_capacity(seen.len());
    let mut behind: Vec<Seen> = Vec::new();
    for one in seen {
        let place = place(&one, bounds);
        let Some((bound, access, path)) = place else {
            settled.push(one);
            continue;
        };
        let (near, real) = nearest(bound, access, &path);
        if let Some(path) = real.and_then(|real| guest(bound, &real)) {
            let intent = Intent::File(access, path);
            if behind.iter().all(|known| known.intent != intent) {
                behind.push(Seen { intent, times: 0, bytes: 0, ..one.clone() });
            }
        }
        let intent = guest(bound, &near).map_or(one.intent.clone(), |path| Intent::File(access, path));
        settled.push(Seen { intent, ..one });
    }
    settled.extend(behind);
    merged(settled)
}

/// Under which directory something allowed was done, and where on the machine.
fn place<'a>(one: &Seen, bounds: &'a Grants) -> Option<(&'a DirectoryGrant, Access, PathBuf)> {
    let Intent::File(access, path) = &one.intent else { return None };
    let Decision::Allowed(Rule::Directory(index)) = decide(bounds, &one.intent.operation()) else {
        return None;
    };
    let bound = bounds.directories.get(index).filter(|_| one.denied.is_none())?;
    let rest = path.strip_prefix(bound.guest.trim_end_matches('/'))?.trim_start_matches('/');
    Some((bound, *access, bound.host.join(rest)))
}

/// The path itself as far as its directories are there, and the same without links when these lead elsewhere.
fn nearest(bound: &DirectoryGrant, access: Access, path: &Path) -> (PathBuf, Option<PathBuf>) {
    let there = |path: &Path| path == bound.host || path.is_dir();
    if access == Access::List {
        let near = path.ancestors().find(|path| there(path)).unwrap_or(&bound.host);
        let real = near.canonicalize().ok().filter(|real| real != near);
        return (near.to_owned(), real);
    }
    let name = path.file_name().filter(|_| path != bound.host);
    let above = path.parent().filter(|_| name.is_some()).unwrap_or(&bound.host);
    let near = above.ancestors().find(|path| there(path)).unwrap_or(&bound.host);
    let named = |folder: &Path| name.map_or(folder.to_owned(), |name| folder.join(name));
    let near = named(near);
    // A link at the end is followed by those who read and write; what is made or removed is the name itself.
    let followed = matches!(access, Access::Read | Access::Write).then(|| near.canonicalize().ok()).flatten();
    let real = followed.or_else(|| near.parent()?.canonicalize().ok().map(|above| named(&above)));
    let real = real.filter(|real| *real != near);
    (near, real)
}

/// The path that the plugin sees; none of what lies elsewhere.
fn guest(bound: &DirectoryGrant, path: &Path) -> Option<String> {
    let rest = path.strip_prefix(&bound.host).ok()?.to_str()?;
    let root = bound.guest.trim_end_matches('/');
    Some(if rest.is_empty() && !root.is_empty() { root.to_owned() } else { format!("{root}/{rest}") })
}

/// Each once.
fn merged(seen: Vec<Seen>) -> Vec<Seen> {
    let mut places = std::collections::HashMap::new();
    let mut merged: Vec<Seen> = Vec::with_capacity(seen.len());
    for one in seen {
        let key = (one.intent.clone(), one.denied.is_none());
        match places.get(&key).and_then(|place: &usize| merged.get_mut(*place)) {
            Some(known) => {
                known.times = known.times.saturating_add(one.times);
                known.bytes = known.bytes.saturating_add(one.bytes);
                known.private |= one.private;
            }
            None => {
                places.insert(key, merged.len());
                merged.push(one);
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::grants::{DirectoryMode, DiskQuota};

    #[test]
    fn paths_are_what_the_disk_says() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(root.join("far/deep")).unwrap();
        fs::write(root.join("far/deep/f.md"), "").unwrap();
        symlink("../far/deep", root.join("a/folder")).unwrap();
        symlink("../far/deep/f.md", root.join("a/file.md")).unwrap();
        symlink("/", root.join("a/out")).unwrap();
        let grant = DirectoryGrant {
            host: root,
            guest: "/docs".to_owned(),
            mode: DirectoryMode::ReadWrite,
            quota: DiskQuota { bytes: 1, files: 1 },
            extensions: Vec::new(),
            lock: Default::default(),
        };
        let bounds = Grants { directories: vec![grant], ..Grants::default() };
        for (did, settled) in [
            ("list /docs/a/b", "list /docs/a/b"),
            ("list /docs", "list /docs"),
            ("list /docs/a/file.md", "list /docs/a"),
            ("list /docs/a/none/none", "list /docs/a"),
            ("read /docs/a/b/f.md", "read /docs/a/b/f.md"),
            ("write /docs/a/gone/gone/f.md", "write /docs/a/f.md"),
            ("mkdir /docs/a/new", "mkdir /docs/a/new"),
            ("write /docs", "write /docs/"),
            ("list /docs/a/folder", "list /docs/a/folder, list /docs/far/deep"),
            ("read /docs/a/folder/f.md", "read /docs/a/folder/f.md, read /docs/far/deep/f.md"),
            ("read /docs/a/file.md", "read /docs/a/file.md, read /docs/far/deep/f.md"),
            ("mkdir /docs/a/folder/new", "mkdir /docs/a/folder/new, mkdir /docs/far/deep/new"),
            ("read /docs/a/out/etc", "read /docs/a/out/etc"),
            ("read /elsewhere/x", "read /elsewhere/x"),
        ] {
            let seen = settle(vec![Seen::once(did.parse().unwrap(), None)], &bounds);
            let said: Vec<_> = seen.iter().map(|one| one.intent.to_string()).collect();
            assert_eq!(said.join(", "), settled.trim_end_matches('/'), "{did}");
        }
    }
}
