//! What changes the disk or opens a file, each with its booking. All of it blocks, and each function
//! holds the books' work lock; paths go to cap-primitives, which keeps them beneath the directory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use cap_fs_ext::{OpenOptionsFollowExt as _, OpenOptionsSyncExt as _};
use cap_primitives::fs::{self as cap, DirOptions, FollowSymlinks, OpenOptions};
use rustix::io::Errno;
use wasmtime_wasi::OpenMode;
use wasmtime_wasi::filesystem as wasi;

use super::books::{Books, Opened};
use super::place::is_pseudo;

/// Another may create or remove the file while we open it; so often we try again.
const ATTEMPTS: usize = 8;

/// How a path is to be opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    pub(super) follow: bool,
    pub(super) create: bool,
    pub(super) exclusive: bool,
    pub(super) truncate: bool,
    /// Nothing is cut off yet, because the file has to be locked first.
    pub(super) locked_first: bool,
    pub(super) directory: bool,
    /// Under this name only a directory may be opened.
    pub(super) only_directory: bool,
    pub(super) read: bool,
    pub(super) write: bool,
}

/// Where a write begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Offset {
    At(u64),
    End,
}

/// Opens a regular file or directory, and nothing else: a FIFO would block for ever, a device is not a
/// file. Looked at before it is opened, because opening a device can do something, and again afterwards,
/// because it can be swapped in between; the opening itself never waits.
pub(super) fn open(
    books: &Arc<Books>,
    account: usize,
    dir: &wasi::Dir,
    path: &str,
    how: How,
) -> io::Result<(wasi::Descriptor, Option<Opened>)> {
    let _work = books.work();
    let follow = if how.follow { FollowSymlinks::Yes } else { FollowSymlinks::No };
    if let Ok(found) = cap::stat(&dir.dir, Path::new(path), follow) {
        let kind = found.file_type();
        if guarded!("special-files", !(kind.is_file() || kind.is_dir() || kind.is_symlink())) {
            return Err(Errno::PERM.into());
        }
    }
    let mut options = OpenOptions::new();
    // As wasmtime-wasi: creating and truncating open for writing, and what is not written is read.
    let write = how.write || how.create || how.truncate;
    options
        .read(how.read || !how.write)
        .write(write)
        .follow(follow)
        .nonblock(guarded!("special-files", true));
    let file = find_or_create(books, account, dir, Path::new(path), how, &options)?;

    let found = file.metadata()?;
    let mut mode = OpenMode::empty();
    mode.set(OpenMode::READ, how.read || !how.write);
    mode.set(OpenMode::WRITE, write);
    if is_pseudo(&file)? {
        return Err(Errno::PERM.into());
    }
    if found.is_dir() {
        return Ok((wasi::Descriptor::Dir(wasi::Dir::new(file, dir.perms, mode, false)), None));
    }
    if guarded!("special-files", !found.is_file()) || how.only_directory {
        return Err(Errno::PERM.into());
    }
    if how.directory {
        return Err(Errno::NOTDIR.into());
    }
    // Not by O_TRUNC: that would not say how much it freed.
    if how.truncate && !how.locked_first && found.len() > 0 {
        file.set_len(0)?;
        books.give_bytes(account, found.len());
    }
    let file = wasi::File::new(file, dir.perms, mode, false);
    let opened = Opened::note(books, account, Arc::clone(&file.file))?;
    Ok((wasi::Descriptor::File(file), Some(opened)))
}

/// Opens what is there, or creates a file and books it: the two are kept apart so that it is known which
/// of them happened.
fn find_or_create(
    books: &Books,
    account: usize,
    dir: &wasi::Dir,
    path: &Path,
    how: How,
    options: &OpenOptions,
) -> io::Result<File> {
    if !how.create {
        return cap::open(&dir.dir, path, options);
    }
    let mut new = options.clone();
    new.create_new(true);
    let mut last = Errno::LOOP.into();
    for _ in 0..ATTEMPTS {
        if !how.exclusive {
            match cap::open(&dir.dir, path, options) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
        }
        book_new(books, account, &dir.dir, path)?;
        match cap::open(&dir.dir, path, &new) {
            Ok(file) => return Ok(file),
            Err(error) => {
                books.give_file(account);
                if how.exclusive || error.kind() != io::ErrorKind::AlreadyExists {
                    return Err(error);
                }
                // Made by another meanwhile, or a link that leads nowhere, through which nothing is made.
                last = error;
            }
        }
    }
    Err(last)
}

/// Writes all of `bytes`; gives where the next write would begin.
pub(super) fn write(
    books: &Books,
    account: usize,
    file: &File,
    bytes: &[u8],
    offset: Offset,
) -> io::Result<u64> {
    let _work = books.work();
    let before = file.metadata()?.len();
    let start = match offset {
        Offset::At(start) => start,
        Offset::End => before,
    };
    let end = start.checked_add(bytes.len() as u64).ok_or(Errno::FBIG)?;
    // Holes count: what is read back as zeroes can be filled later.
    let growth = if bytes.is_empty() { 0 } else { end.saturating_sub(before) };
    books.take_bytes(account, growth)?;
    let result = match offset {
        Offset::At(start) => file.write_all_at(bytes, start).map(|()| end),
        Offset::End => append(file, bytes, before).and_then(|()| Ok(file.metadata()?.len())),
    };
    if result.is_err() {
        let after = file.metadata().map_or(end, |found| found.len());
        books.give_bytes(account, growth.saturating_sub(after.saturating_sub(before)));
    }
    result
}

/// Appends, also beside other programs that append to the same file.
#[cfg(target_os = "linux")]
fn append(file: &File, mut bytes: &[u8], end: u64) -> io::Result<()> {
    use rustix::io::{ReadWriteFlags, pwritev2};
    while !bytes.is_empty() {
        match pwritev2(file, &[io::IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::NOSYS | Errno::OPNOTSUPP) => {
                let end = file.metadata().map_or(end, |found| found.len());
                return file.write_all_at(bytes, end);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn append(file: &File, bytes: &[u8], end: u64) -> io::Result<()> {
    file.write_all_at(bytes, end)
}

/// Makes a file longer or shorter.
pub(super) fn set_size(books: &Books, account: usize, file: &File, size: u64) -> io::Result<()> {
    let _work = books.work();
    let before = file.metadata()?.len();
    let growth = size.saturating_sub(before);
    books.take_bytes(account, growth)?;
    match file.set_len(size) {
        Ok(()) => {
            books.give_bytes(account, before.saturating_sub(size));
            Ok(())
        }
        Err(error) => {
            books.give_bytes(account, growth);
            Err(error)
        }
    }
}

/// Books what is about to be made. That it is there already is said rather than that there is no room,
/// because programs go on from there.
fn book_new(books: &Books, account: usize, dir: &File, path: &Path) -> io::Result<()> {
    books.take_file(account).map_err(|full| match identity(dir, path) {
        Some(_) => Errno::EXIST.into(),
        None => full,
    })
}

pub(super) fn create_directory(books: &Books, account: usize, dir: &File, path: &str) -> io::Result<()> {
    let _work = books.work();
    book_new(books, account, dir, Path::new(path))?;
    cap::create_dir(dir, Path::new(path), &DirOptions::new()).inspect_err(|_| books.give_file(account))
}

pub(super) fn remove_directory(books: &Books, account: usize, dir: &File, path: &str) -> io::Result<()> {
    let _work = books.work();
    cap::remove_dir(dir, Path::new(path))?;
    books.give_file(account);
    Ok(())
}

pub(super) fn unlink(books: &Arc<Books>, account: usize, dir: &File, path: &str) -> io::Result<()> {
    let _work = books.work();
    // What is removed is given back when this, or whoever else has it open, lets go of it.
    let _watch = watch(books, account, dir, Path::new(path));
    cap::remove_file(dir, Path::new(path))
}

/// Renames within one grant; nothing but a directory when `only_directory`.
pub(super) fn rename(
    books: &Arc<Books>,
    account: usize,
    from: (&File, &str),
    to: (&File, &str),
    only_directory: bool,
) -> io::Result<()> {
    let _work = books.work();
    let watch = watch(books, account, to.0, Path::new(to.1));
    let source = identity(from.0, Path::new(from.1));
    if only_directory && !source.is_some_and(|(_, is_dir)| is_dir) {
        return Err(Errno::PERM.into());
    }
    let target = identity(to.0, Path::new(to.1));
    cap::rename(from.0, Path::new(from.1), to.0, Path::new(to.1))?;
    drop(watch);
    // An empty directory that was replaced is gone.
    if let Some((target, true)) = target
        && source.is_none_or(|(source, _)| source != target)
    {
        books.give_file(account);
    }
    Ok(())
}

/// Which file a path names, without following a last link, and whether it is a directory.
fn identity(dir: &File, path: &Path) -> Option<((u64, u64), bool)> {
    use cap_primitives::fs::MetadataExt as _;
    let found = cap::stat(dir, path, FollowSymlinks::No).ok()?;
    Some(((found.dev(), found.ino()), found.is_dir()))
}

/// Holds what a path names, when it is a file, so that the books see it go. No access is asked for: what
/// may be removed need not be readable.
fn watch(books: &Arc<Books>, account: usize, dir: &File, path: &Path) -> Option<Opened> {
    use cap_primitives::fs::OpenOptionsExt as _;
    let kind = cap::stat(dir, path, FollowSymlinks::No).ok()?.file_type();
    if !kind.is_file() {
        return None;
    }
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No);
    // With O_PATH nothing waits, and openat2 takes no O_NONBLOCK beside it.
    #[cfg(target_os = "linux")]
    options.custom_flags(rustix::fs::OFlags::PATH.bits().cast_signed());
    #[cfg(not(target_os = "linux"))]
    options.nonblock(true);
    let file = cap::open(dir, path, &options).ok()?;
    Opened::note(books, account, Arc::new(file)).ok()
}
