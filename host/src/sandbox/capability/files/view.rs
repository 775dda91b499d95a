//! The interface itself, method by method: what only looks goes to wasmtime-wasi, what opens or changes
//! goes to `disk`. Must not answer with anything but an error code: texts could hold the host's paths.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{self as wasi, Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags,
    PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};
use wasmtime_wasi::runtime::spawn_blocking;

use crate::grants::{
    Access, Decision, DirectoryGrant, FileLock, FilePath, Intent, Operation, Reason, decide,
};

use super::books::Opened;
use super::disk::{self, How, Offset};
use super::listing::{self, Listing};
use super::lock::{Hold, Refused};
use super::stream::{Reader, Writer};
use super::{Call, Held};

/// Bytes of a path; Linux's PATH_MAX. Checked before a path is copied to a thread.
const MAX_PATH: usize = 4096;
/// Fuel for one trip to the disk, over the byte count.
const TRIP: u64 = 2_000;

type Fd = Resource<Descriptor>;

/// The file system as one call sees it.
pub(super) struct FilesView<'a> {
    pub(super) inner: WasiFilesystemCtxView<'a>,
    pub(super) call: &'a mut Call,
}

fn same(fd: &Fd) -> Fd {
    Resource::new_borrow(fd.rep())
}

fn listing(stream: &Resource<DirectoryEntryStream>) -> Resource<Listing> {
    Resource::new_borrow(stream.rep())
}

impl FilesView<'_> {
    fn held(&self, fd: &Fd) -> FsResult<Held> {
        self.call.held.get(&fd.rep()).cloned().ok_or_else(|| ErrorCode::BadDescriptor.into())
    }

    fn dir(&self, fd: &Fd) -> FsResult<(wasi::Dir, usize)> {
        match self.inner.table.get(fd)? {
            Descriptor::Dir(dir) => Ok((dir.clone(), self.held(fd)?.account)),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    fn file(&self, fd: &Fd) -> FsResult<(wasi::File, Held)> {
        match self.inner.table.get(fd)? {
            Descriptor::File(file) => Ok((file.clone(), self.held(fd)?)),
            Descriptor::Dir(_) => Err(ErrorCode::BadDescriptor.into()),
        }
    }

    /// A file in a directory in which things may be changed.
    fn writable_file(&self, fd: &Fd) -> FsResult<(wasi::File, Held)> {
        let (file, held) = self.file(fd)?;
        self.may(fd, Access::Write, FilePath::Held(held.account))?;
        Ok((file, held))
    }

    /// What the grants say.
    fn allows(&self, access: Access, path: FilePath<'_>) -> bool {
        decide(&self.call.grants, &Operation::File { access, path }).is_allowed()
    }

    /// Asks the grants and notes what they said. `fd` is what is held, or the directory that a path begins in.
    fn may(&self, fd: &Fd, access: Access, path: FilePath<'_>) -> FsResult<()> {
        let decision = decide(&self.call.grants, &Operation::File { access, path });
        self.record(fd, access, path, decision);
        match decision {
            Decision::Allowed(_) => {
                if matches!(access, Access::Write | Access::Directory) {
                    self.call.counters.effect();
                }
                let (FilePath::Below(account, _) | FilePath::Held(account)) = path else { return Ok(()) };
                if let Some(rule) = self.call.rules.get(account) {
                    self.call.counters.allowed(rule);
                }
                Ok(())
            }
            Decision::Denied(reason) => {
                if let Reason::ReadOnly(account) = reason
                    && let Some(grant) = self.call.grants.directories.get(account)
                {
                    // One question for all that is written in a folder.
                    self.call.counters.refused(Intent::File(Access::Directory, grant.guest.clone()));
                }
                let rule = |account: usize| self.call.rules.get(account).map_or("a directory", |rule| rule);
                self.call.counters.denied(&match reason {
                    Reason::ReadOnly(account) => format!("to write: {}", rule(account)),
                    Reason::Extension(account) => format!("a file with another extension: {}", rule(account)),
                    other => other.to_string(),
                });
                Err(ErrorCode::NotPermitted.into())
            }
        }
    }

    /// Tells whoever records.
    fn record(&self, fd: &Fd, access: Access, path: FilePath<'_>, decision: Decision) {
        if let Some(recorder) = self.call.counters.recorder()
            && let Some(at) = self.path(fd, path)
        {
            recorder.file(access, &at, decision);
        }
    }

    /// The same, of something that was only found to be a file when it was looked at.
    fn record_file(&self, fd: &Fd, access: Access, path: FilePath<'_>) {
        self.record(fd, access, path, decide(&self.call.grants, &Operation::File { access, path }));
    }

    fn records(&self) -> bool {
        self.call.counters.recorder().is_some()
    }

    /// The path that the plugin sees, while somebody records. `..` is taken as the words have it: what lies behind
    /// links, whoever reads the record looks up.
    fn path(&self, fd: &Fd, path: FilePath<'_>) -> Option<Arc<str>> {
        let at = self.call.held.get(&fd.rep())?.at.clone()?;
        let FilePath::Below(_, rest) = path else { return Some(at) };
        let mut parts: Vec<&str> = at.split('/').filter(|part| !part.is_empty()).collect();
        for part in rest.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        Some(format!("/{}", parts.join("/")).into())
    }

    /// Whether a link at the end of a path may be followed, of a guest that asks for it.
    fn follow(&self, at: PathFlags, account: usize) -> PathFlags {
        let grant = self.call.grants.directories.get(account);
        if grant.is_some_and(DirectoryGrant::by_name) { PathFlags::empty() } else { at }
    }

    /// How a path may be looked at, once it is known to be a directory or a file that is granted.
    async fn looked_at(&mut self, fd: &Fd, at: PathFlags, path: &str) -> FsResult<PathFlags> {
        self.trip(path)?;
        let (_, account) = self.dir(fd)?;
        let at = self.follow(at, account);
        let below = FilePath::Below(account, path);
        self.may(fd, Access::List, below)?;
        let granted = self.allows(Access::Read, below);
        if self.records()
            && let Ok(found) = self.inner.stat_at(same(fd), at, path.to_owned()).await
            && found.type_ != DescriptorType::Directory
        {
            self.record_file(fd, Access::Read, below);
        }
        if !granted {
            let found = self.inner.stat_at(same(fd), at, path.to_owned()).await?;
            if found.type_ != DescriptorType::Directory {
                return Err(ErrorCode::NotPermitted.into());
            }
        }
        Ok(at)
    }

    /// Whether files under this grant are locked for the call.
    fn locks(&self, account: usize) -> bool {
        self.call.grants.directories.get(account).is_some_and(|grant| grant.lock == FileLock::Sqlite)
    }

    /// Locks a file that was opened, for as long as the call lasts.
    async fn lock(&mut self, file: &Arc<Opened>, account: usize, hold: Hold) -> FsResult<()> {
        let Err(refused) = self.call.locks.take(file, hold).await else { return Ok(()) };
        let rule = self.call.rules.get(account).map_or("a directory", |rule| rule);
        let (why, code) = match refused {
            Refused::InUse => ("a file is in use by another process".to_owned(), ErrorCode::Busy),
            Refused::TooMany => ("too many locked files in one call".to_owned(), ErrorCode::Quota),
            Refused::Failed(error) => (format!("a file cannot be locked ({error})"), ErrorCode::Unsupported),
        };
        self.call.counters.denied(&format!("{why}: {rule}"));
        Err(code.into())
    }

    fn trip(&self, path: &str) -> FsResult<()> {
        if path.len() > MAX_PATH {
            return Err(ErrorCode::NameTooLong.into());
        }
        self.call.counters.charge(TRIP + path.len() as u64);
        Ok(())
    }

    fn hold(&mut self, fd: &Fd, held: Held) {
        self.call.held.insert(fd.rep(), held);
    }
}

impl preopens::Host for FilesView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        let directories = preopens::Host::get_directories(&mut self.inner)?;
        // In the order of the grants, as they were opened.
        for (account, (fd, _)) in directories.iter().enumerate() {
            let guest = self.call.grants.directories.get(account).filter(|_| self.records());
            let at = guest.map(|grant| grant.guest.as_str().into());
            self.hold(fd, Held { account, at, file: None });
        }
        Ok(directories)
    }
}

impl types::Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.inner.convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner.filesystem_error_code(error)
    }
}

impl HostDescriptor for FilesView<'_> {
    async fn open_at(
        &mut self,
        fd: Fd,
        at: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
        self.trip(&path)?;
        let (dir, account) = self.dir(&fd)?;
        let unsupported = DescriptorFlags::FILE_INTEGRITY_SYNC
            | DescriptorFlags::DATA_INTEGRITY_SYNC
            | DescriptorFlags::REQUESTED_WRITE_SYNC;
        if flags.intersects(unsupported) {
            return Err(ErrorCode::Unsupported.into());
        }
        let how = How {
            follow: self.follow(at, account).contains(PathFlags::SYMLINK_FOLLOW),
            create: open.contains(OpenFlags::CREATE),
            exclusive: open.contains(OpenFlags::EXCLUSIVE),
            truncate: open.contains(OpenFlags::TRUNCATE),
            locked_first: self.locks(account),
            directory: open.contains(OpenFlags::DIRECTORY),
            only_directory: !self.allows(Access::Read, FilePath::Below(account, &path)),
            read: flags.contains(DescriptorFlags::READ),
            write: flags.contains(DescriptorFlags::WRITE),
        };
        if how.directory && (how.create || how.exclusive || how.truncate) {
            return Err(ErrorCode::Invalid.into());
        }
        let changes = how.create || guarded!("truncate", how.truncate) || how.write;
        let access = if changes { Access::Write } else { Access::List };
        let below = FilePath::Below(account, &path);
        self.may(&fd, access, below)?;
        let at = if self.records() { self.path(&fd, below) } else { None };
        let books = Arc::clone(&self.call.books);
        let (descriptor, opened) =
            spawn_blocking(move || disk::open(&books, account, &dir, &path, how)).await?;
        if let (Some(recorder), Some(at), Some(_), false) =
            (self.call.counters.recorder(), &at, &opened, changes)
        {
            let read = Operation::File { access: Access::Read, path: FilePath::Held(account) };
            recorder.file(Access::Read, at, decide(&self.call.grants, &read));
        }
        let opened = opened.map(Arc::new);
        if let Some(file) = &opened
            && how.locked_first
        {
            self.lock(file, account, if changes { Hold::Alone } else { Hold::Shared }).await?;
            if how.truncate {
                let (books, file) = (Arc::clone(&self.call.books), Arc::clone(file));
                spawn_blocking(move || disk::set_size(&books, account, file.file(), 0)).await?;
            }
        }
        let fd = self.inner.table.push(descriptor)?;
        self.hold(&fd, Held { account, at, file: opened });
        self.call.counters.file_opened();
        Ok(fd)
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.call.held.remove(&fd.rep());
        HostDescriptor::drop(&mut self.inner, fd)
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: u64) -> FsResult<u64> {
        let (file, held) = self.writable_file(&fd)?;
        self.call.counters.charge(TRIP + bytes.len() as u64);
        let books = Arc::clone(&self.call.books);
        let written = bytes.len() as u64;
        if let (Some(recorder), Some(path)) = (self.call.counters.recorder(), &held.at) {
            recorder.wrote(path, written);
        }
        spawn_blocking(move || disk::write(&books, held.account, &file.file, &bytes, Offset::At(offset)))
            .await?;
        Ok(written)
    }

    async fn set_size(&mut self, fd: Fd, size: u64) -> FsResult<()> {
        let (file, held) = self.writable_file(&fd)?;
        self.call.counters.charge(TRIP);
        if let (Some(recorder), Some(path)) = (self.call.counters.recorder(), &held.at) {
            recorder.wrote(path, size);
        }
        let books = Arc::clone(&self.call.books);
        Ok(spawn_blocking(move || disk::set_size(&books, held.account, &file.file, size)).await?)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&fd, Offset::At(offset))
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&fd, Offset::End)
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.trip(&path)?;
        let (dir, account) = self.dir(&fd)?;
        self.may(&fd, Access::Directory, FilePath::Below(account, &path))?;
        let books = Arc::clone(&self.call.books);
        Ok(spawn_blocking(move || disk::create_directory(&books, account, &dir.dir, &path)).await?)
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.trip(&path)?;
        let (dir, account) = self.dir(&fd)?;
        self.may(&fd, Access::Directory, FilePath::Below(account, &path))?;
        let books = Arc::clone(&self.call.books);
        Ok(spawn_blocking(move || disk::remove_directory(&books, account, &dir.dir, &path)).await?)
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.trip(&path)?;
        let (dir, account) = self.dir(&fd)?;
        self.may(&fd, Access::Write, FilePath::Below(account, &path))?;
        let books = Arc::clone(&self.call.books);
        Ok(spawn_blocking(move || disk::unlink(&books, account, &dir.dir, &path)).await?)
    }

    async fn rename_at(&mut self, from: Fd, path: String, into: Fd, new: String) -> FsResult<()> {
        self.trip(&path)?;
        self.trip(&new)?;
        let (dir, account) = self.dir(&from)?;
        let (to, to_account) = self.dir(&into)?;
        self.may(&from, Access::Directory, FilePath::Below(account, &path))?;
        self.may(&into, Access::Directory, FilePath::Below(to_account, &new))?;
        // Each grant has its quota, so what moves between two is copied and counted, as between disks.
        if guarded!("between-grants", account != to_account) {
            return Err(ErrorCode::CrossDevice.into());
        }
        if self.records()
            && let Ok(found) = self.inner.stat_at(same(&from), PathFlags::empty(), path.clone()).await
            && found.type_ != DescriptorType::Directory
        {
            self.record_file(&from, Access::Write, FilePath::Below(account, &path));
            self.record_file(&into, Access::Write, FilePath::Below(to_account, &new));
        }
        let only_directory = !self.allows(Access::Write, FilePath::Below(account, &path))
            || !self.allows(Access::Write, FilePath::Below(to_account, &new));
        let books = Arc::clone(&self.call.books);
        let rename =
            move || disk::rename(&books, account, (&dir.dir, &path), (&to.dir, &new), only_directory);
        Ok(spawn_blocking(rename).await?)
    }

    async fn symlink_at(&mut self, _fd: Fd, _path: String, _to: String) -> FsResult<()> {
        // The guest could not follow it out, but other programs that read the directory would.
        guarded!("symbolic-links", Err(ErrorCode::NotPermitted.into()), without self.inner.symlink_at(_fd, _path, _to).await)
    }

    async fn link_at(
        &mut self,
        _fd: Fd,
        _at: PathFlags,
        _path: String,
        _to: Fd,
        _new: String,
    ) -> FsResult<()> {
        // A second name would take a file's bytes out of the books.
        guarded!("hard-links", Err(ErrorCode::NotPermitted.into()), without self.inner.link_at(_fd, _at, _path, _to, _new).await)
    }

    async fn set_times(&mut self, fd: Fd, a: NewTimestamp, m: NewTimestamp) -> FsResult<()> {
        let held = self.held(&fd)?;
        // Of a directory or a file: what may be done to either under this grant is the same.
        self.may(&fd, Access::Write, FilePath::Held(held.account))?;
        self.inner.set_times(fd, a, m).await
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        at: PathFlags,
        path: String,
        a: NewTimestamp,
        m: NewTimestamp,
    ) -> FsResult<()> {
        let at = self.looked_at(&fd, at, &path).await?;
        let held = self.held(&fd)?;
        self.may(&fd, Access::Directory, FilePath::Below(held.account, &path))?;
        self.inner.set_times_at(fd, at, path, a, m).await
    }

    async fn read(&mut self, fd: Fd, length: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        let read = self.inner.read(fd, length, offset).await?;
        self.call.counters.charge(TRIP + read.0.len() as u64);
        Ok(read)
    }

    fn read_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynInputStream>> {
        let held = self.held(&fd)?;
        let stream = self.inner.read_via_stream(fd, offset)?;
        let inner = self.inner.table.delete(stream)?;
        let counters = Arc::clone(&self.call.counters);
        let reader: DynInputStream = Box::new(Reader { inner, counters, _held: held });
        Ok(self.inner.table.push(reader)?)
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        self.trip("")?;
        let (dir, account) = self.dir(&fd)?;
        self.may(&fd, Access::List, FilePath::Held(account))?;
        let held = self.held(&fd)?;
        let begun = spawn_blocking(move || Listing::begin(&dir.dir, held)).await?;
        let begun = self.inner.table.push(begun)?;
        // The handle is typed for the guest; what the table holds under it is for us to say.
        Ok(Resource::new_own(begun.rep()))
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        self.trip("")?;
        self.inner.stat(fd).await
    }

    async fn stat_at(&mut self, fd: Fd, at: PathFlags, path: String) -> FsResult<DescriptorStat> {
        let at = self.looked_at(&fd, at, &path).await?;
        self.inner.stat_at(fd, at, path).await
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        self.looked_at(&fd, PathFlags::empty(), &path).await?;
        self.inner.readlink_at(fd, path).await
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        self.trip("")?;
        self.inner.metadata_hash(fd).await
    }

    async fn metadata_hash_at(&mut self, fd: Fd, at: PathFlags, path: String) -> FsResult<MetadataHashValue> {
        let at = self.looked_at(&fd, at, &path).await?;
        self.inner.metadata_hash_at(fd, at, path).await
    }

    async fn advise(&mut self, fd: Fd, offset: u64, length: u64, advice: Advice) -> FsResult<()> {
        self.trip("")?;
        self.inner.advise(fd, offset, length, advice).await
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        self.trip("")?;
        self.inner.sync(fd).await
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        self.trip("")?;
        self.inner.sync_data(fd).await
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        self.inner.get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        self.inner.get_type(fd).await
    }

    async fn is_same_object(&mut self, a: Fd, b: Fd) -> wasmtime::Result<bool> {
        self.inner.is_same_object(a, b).await
    }
}

impl FilesView<'_> {
    fn writer(&mut self, fd: &Fd, offset: Offset) -> FsResult<Resource<DynOutputStream>> {
        let (file, held) = self.writable_file(&same(fd))?;
        let writer: DynOutputStream =
            Box::new(Writer::new(file, held, offset, Arc::clone(&self.call.counters)));
        Ok(self.inner.table.push(writer)?)
    }
}

impl HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let id = listing(&stream);
        loop {
            let mut next = self.inner.table.get_mut(&id)?.next();
            if next.is_none()
                && let Some(rest) = self.inner.table.get_mut(&id)?.rest()
            {
                self.trip("")?;
                let (rest, read) = spawn_blocking(move || listing::piece(rest)).await;
                let listing = self.inner.table.get_mut(&id)?;
                listing.put(rest, read);
                next = listing.next();
            }
            let Some(entry) = next.transpose()? else { return Ok(None) };
            self.call.counters.charge(100 + entry.name.len() as u64);
            let held = self.inner.table.get(&id)?.held();
            let below = FilePath::Below(held.account, &entry.name);
            let directory = entry.type_ == DescriptorType::Directory;
            if directory || self.allows(Access::Read, below) {
                if let (Some(recorder), Some(at), false) =
                    (self.call.counters.recorder(), &held.at, directory)
                {
                    recorder.listed(at, &entry.name);
                }
                return Ok(Some(entry));
            }
        }
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.inner.table.delete(Resource::<Listing>::new_own(stream.rep()))?;
        Ok(())
    }
}
