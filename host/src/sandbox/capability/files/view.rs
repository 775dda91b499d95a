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

use super::disk::{self, How, Offset};
use super::listing::{self, Listing};
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

    /// A directory in which things may be changed.
    fn writable_dir(&self, fd: &Fd) -> FsResult<(wasi::Dir, usize)> {
        let (dir, account) = self.dir(fd)?;
        if disk::may_write(&dir) { Ok((dir, account)) } else { Err(ErrorCode::NotPermitted.into()) }
    }

    /// A file in a directory in which things may be changed.
    fn writable_file(&self, fd: &Fd) -> FsResult<(wasi::File, Held)> {
        let (file, held) = self.file(fd)?;
        if file.perms.write_not_permitted() {
            return Err(ErrorCode::NotPermitted.into());
        }
        Ok((file, held))
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
            self.hold(fd, Held { account, file: None });
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
            follow: at.contains(PathFlags::SYMLINK_FOLLOW),
            create: open.contains(OpenFlags::CREATE),
            exclusive: open.contains(OpenFlags::EXCLUSIVE),
            truncate: open.contains(OpenFlags::TRUNCATE),
            directory: open.contains(OpenFlags::DIRECTORY),
            read: flags.contains(DescriptorFlags::READ),
            write: flags.contains(DescriptorFlags::WRITE),
        };
        if how.directory && (how.create || how.exclusive || how.truncate) {
            return Err(ErrorCode::Invalid.into());
        }
        if (how.create || guarded!("truncate", how.truncate) || how.write) && !disk::may_write(&dir) {
            return Err(ErrorCode::NotPermitted.into());
        }
        let books = Arc::clone(&self.call.books);
        let (descriptor, opened) =
            spawn_blocking(move || disk::open(&books, account, &dir, &path, how)).await?;
        let fd = self.inner.table.push(descriptor)?;
        self.hold(&fd, Held { account, file: opened.map(Arc::new) });
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
        spawn_blocking(move || disk::write(&books, held.account, &file.file, &bytes, Offset::At(offset)))
            .await?;
        Ok(written)
    }

    async fn set_size(&mut self, fd: Fd, size: u64) -> FsResult<()> {
        let (file, held) = self.writable_file(&fd)?;
        self.call.counters.charge(TRIP);
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
        let (dir, account) = self.writable_dir(&fd)?;
        let books = Arc::clone(&self.call.books);
        Ok(spawn_blocking(move || disk::create_directory(&books, account, &dir.dir, &path)).await?)
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.trip(&path)?;
        let (dir, account) = self.writable_dir(&fd)?;
        let books = Arc::clone(&self.call.books);
        Ok(spawn_blocking(move || disk::remove_directory(&books, account, &dir.dir, &path)).await?)
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.trip(&path)?;
        let (dir, account) = self.writable_dir(&fd)?;
        let books = Arc::clone(&self.call.books);
        Ok(spawn_blocking(move || disk::unlink(&books, account, &dir.dir, &path)).await?)
    }

    async fn rename_at(&mut self, fd: Fd, path: String, to: Fd, new: String) -> FsResult<()> {
        self.trip(&path)?;
        self.trip(&new)?;
        let (dir, account) = self.writable_dir(&fd)?;
        let (to, to_account) = self.writable_dir(&to)?;
        // Each grant has its quota, so what moves between two is copied and counted, as between disks.
        if guarded!("between-grants", account != to_account) {
            return Err(ErrorCode::CrossDevice.into());
        }
        let books = Arc::clone(&self.call.books);
        Ok(spawn_blocking(move || disk::rename(&books, account, (&dir.dir, &path), (&to.dir, &new))).await?)
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
        self.trip(&path)?;
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
        let (dir, _) = self.dir(&fd)?;
        let begun = spawn_blocking(move || Listing::begin(&dir.dir)).await?;
        let begun = self.inner.table.push(begun)?;
        // The handle is typed for the guest; what the table holds under it is for us to say.
        Ok(Resource::new_own(begun.rep()))
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        self.trip("")?;
        self.inner.stat(fd).await
    }

    async fn stat_at(&mut self, fd: Fd, at: PathFlags, path: String) -> FsResult<DescriptorStat> {
        self.trip(&path)?;
        self.inner.stat_at(fd, at, path).await
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        self.trip(&path)?;
        self.inner.readlink_at(fd, path).await
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        self.trip("")?;
        self.inner.metadata_hash(fd).await
    }

    async fn metadata_hash_at(&mut self, fd: Fd, at: PathFlags, path: String) -> FsResult<MetadataHashValue> {
        self.trip(&path)?;
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
        let entry = next.transpose()?;
        self.call.counters.charge(entry.as_ref().map_or(0, |entry| 100 + entry.name.len() as u64));
        Ok(entry)
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.inner.table.delete(Resource::<Listing>::new_own(stream.rep()))?;
        Ok(())
    }
}
