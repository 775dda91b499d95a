//! Which directories are never granted, and which files are never opened, because of where they are.
//! Judges open handles by identity and file system; must not judge by spelling.

use std::fs::{File, metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::OnceLock;

/// Why a directory cannot be granted, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot be opened.
    #[error("{0}; create it or correct its `host` path in kennel.toml")]
    Open(String),
    /// It is the root of the file system.
    #[error("it is the root of the file system; grant a folder that holds only what the plugin needs")]
    Root,
    /// It is the user's home folder or contains it.
    #[error("it is or contains your home folder; grant a folder that holds only what the plugin needs")]
    Home,
    /// It is a view of the system rather than of files.
    #[error(
        "it is part of a pseudo file system (such as /proc, /sys, /dev or a FUSE mount); grant a folder on a disk"
    )]
    Pseudo,
}

/// Whether the opened directory may be granted at all.
pub(super) fn check(dir: &File, home: Option<&Path>) -> Result<(), Refusal> {
    let open = |error: io::Error| Refusal::Open(reason(&error));
    let found = dir.metadata().map_err(open)?;
    if !found.is_dir() {
        return Err(Refusal::Open("it is not a directory".into()));
    }
    let is = |path: &Path| {
        metadata(path).is_ok_and(|other| (other.dev(), other.ino()) == (found.dev(), found.ino()))
    };
    if guarded!("root-and-home", is(Path::new("/"))) {
        return Err(Refusal::Root);
    }
    // The home folder as it is spelled and as it really lies: either may run through a link.
    let real = home.and_then(|home| home.canonicalize().ok());
    for home in home.into_iter().chain(real.as_deref()) {
        if guarded!("root-and-home", home.ancestors().any(is)) {
            return Err(Refusal::Home);
        }
    }
    if guarded!("pseudo-folders", is_pseudo(dir).map_err(open)?) {
        return Err(Refusal::Pseudo);
    }
    Ok(())
}

/// Whether an open file or directory lies in a file system whose contents are the system's own: there a
/// read can block for ever, change the machine, or tell its secrets.
pub(super) fn is_pseudo(file: &File) -> io::Result<bool> {
    // devtmpfs cannot be told from tmpfs by its magic number, so it is known by its device.
    static DEVICES: OnceLock<Option<u64>> = OnceLock::new();
    let devices = DEVICES.get_or_init(|| {
        let (dev, root) = (metadata("/dev").ok()?, metadata("/").ok()?);
        (dev.dev() != root.dev()).then_some(dev.dev())
    });
    Ok(devices.is_some_and(|devices| file.metadata().is_ok_and(|found| found.dev() == devices))
        || has_pseudo_magic(file)?)
}

#[cfg(target_os = "linux")]
fn has_pseudo_magic(file: &File) -> io::Result<bool> {
    // statfs(2) and linux/magic.h.
    const MAGIC: [u32; 24] = [
        0x0000_9fa0, // proc
        0x6265_6572, // sysfs
        0x0000_1cd1, // devpts
        0x0027_e0eb, // cgroup
        0x6367_7270, // cgroup2
        0x6462_6720, // debugfs
        0x7472_6163, // tracefs
        0x7363_6673, // securityfs
        0xcafe_4a11, // bpf
        0x6165_676c, // pstore
        0xde5e_81e4, // efivarfs
        0x4249_4e4d, // binfmt_misc
        0x6265_6570, // configfs
        0x1980_0202, // mqueue
        0x9584_58f6, // hugetlbfs
        0x6e73_6673, // nsfs
        0x0000_0187, // autofs
        0xf97c_ff8c, // selinuxfs
        0x4341_5d53, // smackfs
        0x6573_5546, // FUSE: its server may answer when it likes
        0x6573_5543, // fusectl
        0x6759_6969, // rpc_pipefs
        0x0765_5821, // resctrl
        0x534f_434b, // sockfs
    ];
    // The field's type differs between architectures; the numbers have 32 bits in all of them.
    let found = rustix::fs::fstatfs(file)?.f_type as u32;
    Ok(MAGIC.contains(&found))
}

#[cfg(not(target_os = "linux"))]
fn has_pseudo_magic(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// The system's reason without its number.
pub(super) fn reason(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = plain.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
