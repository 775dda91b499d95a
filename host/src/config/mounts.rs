//! Where else a path of this machine can be reached through mounts (`mount --bind`, a second mount of one
//! file system). Reads the kernel's list; decides nothing.

use std::io;
use std::path::{Path, PathBuf};

/// One mount of this process's view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// `major:minor` of the file system.
    device: String,
    /// The part of the file system that is mounted.
    root: PathBuf,
    /// Where.
    point: PathBuf,
}

/// The mounts of this process. Elsewhere than on Linux there are no bind mounts, and file identity
/// already sees the rest.
pub(super) fn of_process() -> io::Result<Vec<Mount>> {
    if cfg!(target_os = "linux") {
        Ok(parse(&std::fs::read("/proc/self/mountinfo")?))
    } else {
        Ok(Vec::new())
    }
}

/// Reads the form of `proc_pid_mountinfo(5)`; lines of another form are passed over.
fn parse(text: &[u8]) -> Vec<Mount> {
    let mounts = text.split(|b| *b == b'\n').filter_map(|line| {
        let mut fields = line.split(|b| *b == b' ').skip(2);
        let device = String::from_utf8(fields.next()?.to_vec()).ok()?;
        Some(Mount { device, root: unescape(fields.next()?)?, point: unescape(fields.next()?)? })
    });
    mounts.collect()
}

/// `\040` and the like, as the kernel writes space, tab, newline and backslash.
fn unescape(field: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.iter().copied();
    while let Some(byte) = rest.next() {
        if byte == b'\\' {
            let digits = [rest.next()?, rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    Some(std::ffi::OsString::from_vec(bytes).into())
}

/// Other paths to a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Aliases {
    /// To the place itself.
    pub(super) whole: Vec<PathBuf>,
    /// To something below it.
    pub(super) part: Vec<PathBuf>,
}

/// Every other path at which `path`, or a part of what is below it, can be reached. `path` is absolute
/// and without links. A mount that hides another is still named: too many answers only refuse too much.
pub(super) fn aliases(path: &Path, mounts: &[Mount]) -> Aliases {
    // Mounts that cover the path; the last of the deepest ones is what one sees.
    let covering = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    let Some(own) = covering.max_by_key(|mount| mount.point.components().count()) else {
        return Aliases::default();
    };
    let Ok(below) = path.strip_prefix(&own.point) else { return Aliases::default() };
    let inside = join(&own.root, below);
    let mut found = Aliases::default();
    for mount in mounts.iter().filter(|mount| mount.device == own.device) {
        if let Ok(rest) = inside.strip_prefix(&mount.root) {
            found.whole.push(join(&mount.point, rest));
        } else if mount.root.starts_with(&inside) {
            found.part.push(mount.point.clone());
        }
    }
    found.whole.retain(|other| other != path);
    found
}

/// `join` without the trailing slash that an empty rest would leave.
fn join(base: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { base.to_owned() } else { base.join(rest) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const LIST: &[u8] = b"22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n\
        23 22 0:5 / /proc rw - proc proc rw\n\
        24 22 8:2 / /home rw - ext4 /dev/sda2 rw\n\
        25 22 8:2 /ada /srv/with\\040space rw - ext4 /dev/sda2 rw\n\
        26 22 8:2 /ada/.kennel/state/deep /mnt/state rw - ext4 /dev/sda2 rw\n\
        27 22 8:2 /bob /mnt/bob rw - ext4 /dev/sda2 rw\n\
        not a mount\n";

    #[test]
    fn finds_whole_part_and_nothing_else() {
        let mounts = parse(LIST);
        assert_eq!(mounts.len(), 6);
        let of = |path: &str| {
            let Aliases { whole, part } = aliases(Path::new(path), &mounts);
            [whole, part].map(|paths| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>())
        };
        let found = |whole: &[&str], part: &[&str]| {
            [whole, part].map(|paths| paths.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(of("/home/ada/.kennel/state"), found(&["/srv/with space/.kennel/state"], &["/mnt/state"]));
        assert_eq!(of("/srv/with space/.kennel/state"), found(&["/home/ada/.kennel/state"], &["/mnt/state"]));
        assert_eq!(of("/home/ada/.kennel/cache"), found(&["/srv/with space/.kennel/cache"], &[]));
        assert_eq!(of("/etc"), found(&[], &[]));
        assert_eq!(of("/home/adam"), found(&[], &[]));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn reads_the_kernels_list() {
        assert!(of_process().unwrap().iter().any(|mount| mount.point == Path::new("/")));
    }
}
