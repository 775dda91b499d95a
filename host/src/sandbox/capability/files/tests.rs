#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use types::{
    DescriptorFlags as Flags, ErrorCode, HostDescriptor as _, HostDirectoryEntryStream as _, NewTimestamp,
    OpenFlags as Open, PathFlags as At,
};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{FsResult, StreamError};

use super::*;
use crate::grants::{DirectoryMode, DiskQuota};
use crate::sandbox::capability::test_limits;

type Fd = Resource<Descriptor>;

fn rw() -> Flags {
    Flags::READ | Flags::WRITE
}

/// One call of a plugin that was granted some directories.
struct Guest {
    call: Call,
    wasi: WasiCtx,
    table: ResourceTable,
    roots: Vec<Fd>,
}

fn grant(host: &Path, mode: DirectoryMode, bytes: u64, files: u64) -> DirectoryGrant {
    let host = host.to_owned();
    DirectoryGrant {
        guest: "/d".into(),
        host,
        mode,
        quota: DiskQuota { bytes, files },
        extensions: Vec::new(),
        lock: Default::default(),
    }
}

fn configured(directories: Vec<DirectoryGrant>) -> Result<Configured, ConfigureError> {
    let grants = Grants { directories, ..Grants::default() };
    Configured::configure(&Configure {
        plugin: "p",
        grants: &grants,
        limits: &test_limits(),
        egress: &crate::grants::Egress::default(),
        state_dir: None,
    })
}

impl Guest {
    fn of(plugin: &Configured) -> Self {
        let mut wasi = WasiCtxBuilder::new().build();
        let call = plugin.begin(&mut wasi, &Arc::default());
        let mut guest = Self { call, wasi, table: ResourceTable::new(), roots: Vec::new() };
        guest.roots =
            preopens::Host::get_directories(&mut guest.fs()).unwrap().into_iter().map(|(fd, _)| fd).collect();
        guest
    }

    fn new(dir: &Path, bytes: u64, files: u64) -> Self {
        Self::of(&configured(vec![grant(dir, DirectoryMode::ReadWrite, bytes, files)]).unwrap())
    }

    fn fs(&mut self) -> FilesView<'_> {
        FilesView {
            inner: WasiFilesystemCtxView { ctx: self.wasi.filesystem(), table: &mut self.table },
            call: &mut self.call,
        }
    }

    fn root(&self) -> Fd {
        Resource::new_borrow(self.roots[0].rep())
    }

    async fn open(&mut self, path: &str, open: Open, flags: Flags) -> Result<Fd, ErrorCode> {
        let root = self.root();
        code(self.fs().open_at(root, At::SYMLINK_FOLLOW, path.into(), open, flags).await)
    }

    async fn write(&mut self, fd: &Fd, length: usize, offset: u64) -> Result<u64, ErrorCode> {
        let fd = Resource::new_borrow(fd.rep());
        code(self.fs().write(fd, vec![1; length], offset).await)
    }

    /// Creates or opens a file, writes it and closes it.
    async fn put(&mut self, path: &str, length: usize) -> Result<(), ErrorCode> {
        let fd = self.open(path, Open::CREATE, rw()).await?;
        let written = self.write(&fd, length, 0).await;
        self.close(fd);
        written.map(drop)
    }

    async fn unlink(&mut self, path: &str) -> Result<(), ErrorCode> {
        let root = self.root();
        code(self.fs().unlink_file_at(root, path.into()).await)
    }

    async fn rename(&mut self, from: &str, to: &str) -> Result<(), ErrorCode> {
        let (a, b) = (self.root(), self.root());
        code(self.fs().rename_at(a, from.into(), b, to.into()).await)
    }

    async fn mkdir(&mut self, path: &str) -> Result<(), ErrorCode> {
        let root = self.root();
        code(self.fs().create_directory_at(root, path.into()).await)
    }

    async fn rmdir(&mut self, path: &str) -> Result<(), ErrorCode> {
        let root = self.root();
        code(self.fs().remove_directory_at(root, path.into()).await)
    }

    async fn set_size(&mut self, fd: &Fd, size: u64) -> Result<(), ErrorCode> {
        let fd = Resource::new_borrow(fd.rep());
        code(self.fs().set_size(fd, size).await)
    }

    fn close(&mut self, fd: Fd) {
        types::HostDescriptor::drop(&mut self.fs(), fd).unwrap();
    }

    fn added(&self) -> (u64, u64) {
        self.call.books.added(0)
    }
}

fn code<T>(result: FsResult<T>) -> Result<T, ErrorCode> {
    result.map_err(|error| error.downcast().expect("an error code, not a trap"))
}

/// Bytes of files and number of entries below, as the disk has them.
fn on_disk(dir: &Path) -> (u64, u64) {
    let (mut bytes, mut entries) = (0, 0);
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        entries += 1;
        if entry.file_type().unwrap().is_dir() {
            let (b, n) = on_disk(&entry.path());
            bytes += b;
            entries += n;
        } else {
            bytes += entry.metadata().unwrap().len();
        }
    }
    (bytes, entries)
}

fn temp() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn mkfifo(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
}

#[test]
fn it_takes_the_place_of_wasi_s_own() {
    let mut linker: Linker<CallState> = Linker::new(&wasmtime::Engine::default());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    link(&mut linker).unwrap();
    // And leaves the linker as strict as it was.
    assert!(wasmtime_wasi::p2::add_to_linker_async(&mut linker).is_err());
}

#[tokio::test]
async fn bytes_are_bounded_however_they_are_added() {
    let dir = temp();
    let mut guest = Guest::new(dir.path(), 1000, 10);
    let fd = guest.open("f", Open::CREATE, rw()).await.unwrap();
    assert_eq!(guest.write(&fd, 400, 0).await, Ok(400));
    assert_eq!(guest.write(&fd, 400, 0).await, Ok(400), "overwriting adds nothing");
    assert_eq!(guest.added(), (400, 1));
    // Holes, at once and far away, and offsets that overflow.
    assert_eq!(guest.write(&fd, 1, 1 << 43).await, Err(ErrorCode::InsufficientSpace));
    assert_eq!(guest.write(&fd, 1, u64::MAX).await, Err(ErrorCode::FileTooLarge));
    assert_eq!(guest.set_size(&fd, 1 << 43).await, Err(ErrorCode::InsufficientSpace));
    assert_eq!(guest.set_size(&fd, 1001).await, Err(ErrorCode::InsufficientSpace));
    assert_eq!(guest.set_size(&fd, 1000).await, Ok(()));
    assert_eq!(guest.write(&fd, 0, 5000).await, Ok(0), "an empty write adds nothing");
    assert_eq!(guest.added(), (1000, 1));
    // Another file has no room, until the first one shrinks.
    assert_eq!(guest.put("g", 1).await, Err(ErrorCode::InsufficientSpace));
    assert_eq!(guest.set_size(&fd, 10).await, Ok(()));
    assert_eq!(guest.put("g", 990).await, Ok(()));
    // Truncating by opening.
    let again = guest.open("g", Open::TRUNCATE, rw()).await.unwrap();
    assert_eq!(guest.added(), (10, 2));
    guest.close(again);
    guest.close(fd);
    assert_eq!(on_disk(dir.path()), guest.added());
}

#[tokio::test]
async fn streams_are_booked_and_charged() {
    let dir = temp();
    let mut guest = Guest::new(dir.path(), 100_000, 10);
    let fd = guest.open("f", Open::CREATE, rw()).await.unwrap();
    guest.call.counters.take_due();
    let same = Resource::new_borrow(fd.rep());
    let stream = guest.fs().append_via_stream(same).ok().unwrap();
    // The stream outlives its descriptor.
    guest.close(fd);
    let mut written = 0;
    let end = loop {
        let out = guest.table.get_mut(&stream).unwrap();
        out.ready().await;
        match out.check_write() {
            Ok(0) => panic!("ready, but not writable"),
            Ok(room) => {
                out.write(vec![7; room.min(30_000)].into()).unwrap();
                written += 30_000;
            }
            Err(error) => break error,
        }
    };
    // Three pieces of 30 000 fit, the fourth does not.
    assert_eq!(written, 120_000);
    let StreamError::LastOperationFailed(error) = end else { panic!("{end:?}") };
    assert_eq!(
        error.downcast_ref::<std::io::Error>().unwrap().raw_os_error(),
        Some(rustix::io::Errno::NOSPC.raw_os_error())
    );
    assert!(matches!(guest.table.get_mut(&stream).unwrap().check_write(), Err(StreamError::Closed)));
    assert_eq!(guest.added(), (90_000, 1));
    assert_eq!(on_disk(dir.path()), (90_000, 1));
    assert!(guest.call.counters.take_due() >= 120_000);

    // Positioned writing goes on where it was, and reading is charged.
    let fd = guest.open("g", Open::CREATE, rw()).await.unwrap();
    let same = Resource::new_borrow(fd.rep());
    let stream = guest.fs().write_via_stream(same, 2).ok().unwrap();
    for piece in ["ab", "cd"] {
        guest.table.get_mut(&stream).unwrap().blocking_write_and_flush(piece.into()).await.unwrap();
    }
    assert_eq!(fs::read(dir.path().join("g")).unwrap(), b"\0\0abcd");
    guest.call.counters.take_due();
    let stream = guest.fs().read_via_stream(fd, 0).ok().unwrap();
    let read = guest.table.get_mut(&stream).unwrap().blocking_read(100).await.unwrap();
    assert_eq!(&read[..], b"\0\0abcd");
    assert_eq!(guest.call.counters.take_due(), 6);
}

#[tokio::test]
async fn a_write_over_what_was_permitted_is_refused() {
    let dir = temp();
    let mut guest = Guest::new(dir.path(), 1 << 20, 10);
    let fd = guest.open("f", Open::CREATE, rw()).await.unwrap();
    let stream = guest.fs().write_via_stream(fd, 0).ok().unwrap();
    let out = guest.table.get_mut(&stream).unwrap();
    assert!(matches!(out.write(vec![0; (64 << 10) + 1].into()), Err(StreamError::Trap(_))));
    out.write(vec![0; 1].into()).unwrap();
    assert!(matches!(out.write(vec![0; 1].into()), Err(StreamError::Trap(_))), "one at a time");
}

#[tokio::test]
async fn files_and_directories_are_bounded() {
    let dir = temp();
    let mut guest = Guest::new(dir.path(), 1000, 3);
    guest.put("a", 1).await.unwrap();
    guest.put("a", 1).await.unwrap();
    guest.mkdir("d").await.unwrap();
    assert_eq!(guest.mkdir("d").await, Err(ErrorCode::Exist));
    guest.put("d/b", 1).await.unwrap();
    assert_eq!(guest.put("c", 1).await, Err(ErrorCode::InsufficientSpace));
    assert_eq!(guest.mkdir("e").await, Err(ErrorCode::InsufficientSpace));
    assert_eq!(guest.added(), (2, 3));
    guest.unlink("d/b").await.unwrap();
    guest.rmdir("d").await.unwrap();
    guest.put("c", 1).await.unwrap();
    guest.put("e", 1).await.unwrap();
    assert_eq!(on_disk(dir.path()), guest.added());
    assert_eq!(guest.open("a", Open::CREATE | Open::EXCLUSIVE, rw()).await.map(drop), Err(ErrorCode::Exist));
}

#[tokio::test]
async fn a_removed_file_takes_room_until_nobody_has_it_open() {
    let dir = temp();
    let plugin = configured(vec![grant(dir.path(), DirectoryMode::ReadWrite, 1000, 9)]).unwrap();
    let (mut one, mut two) = (Guest::of(&plugin), Guest::of(&plugin));
    one.put("f", 1000).await.unwrap();
    let mine = one.open("f", Open::empty(), Flags::READ).await.unwrap();
    let theirs = two.open("f", Open::empty(), rw()).await.unwrap();
    one.unlink("f").await.unwrap();
    assert_eq!(one.put("g", 1).await, Err(ErrorCode::InsufficientSpace));
    one.close(mine);
    assert_eq!(one.put("g", 1).await, Err(ErrorCode::InsufficientSpace));
    // Even through a stream, and when a call ends without closing anything.
    let stream = two.fs().read_via_stream(Resource::new_borrow(theirs.rep()), 0).ok().unwrap();
    two.close(theirs);
    assert_eq!(one.put("g", 1).await, Err(ErrorCode::InsufficientSpace));
    let _ = stream;
    drop(two);
    assert_eq!(one.put("g", 1000).await, Ok(()));
    assert_eq!(one.added(), on_disk(dir.path()));
}

#[tokio::test]
async fn replacing_gives_back_what_was_replaced() {
    let dir = temp();
    let mut guest = Guest::new(dir.path(), 1000, 10);
    guest.put("a", 300).await.unwrap();
    guest.put("b", 200).await.unwrap();
    guest.rename("a", "b").await.unwrap();
    assert_eq!(guest.added(), (300, 1));
    guest.rename("b", "b").await.unwrap();
    assert_eq!(guest.added(), (300, 1));
    guest.mkdir("x").await.unwrap();
    guest.mkdir("y").await.unwrap();
    guest.rename("x", "y").await.unwrap();
    assert_eq!(guest.added(), (300, 2));
    assert_eq!(guest.rename("gone", "b").await, Err(ErrorCode::NoEntry));
    assert_eq!(guest.added(), (300, 2));
    assert_eq!(guest.added(), on_disk(dir.path()));
}

#[tokio::test]
async fn what_others_put_there_gives_no_credit() {
    let dir = temp();
    fs::write(dir.path().join("old"), vec![0; 5000]).unwrap();
    let mut guest = Guest::new(dir.path(), 1000, 10);
    guest.unlink("old").await.unwrap();
    assert_eq!(guest.added(), (0, 0));
    assert_eq!(guest.put("new", 1001).await, Err(ErrorCode::InsufficientSpace));
}

#[derive(Clone, Debug)]
enum Step {
    Write(u8, usize, u64),
    Size(u8, u64),
    Truncate(u8),
    Append(u8, usize),
    Unlink(u8),
    Rename(u8, u8),
    Mkdir(u8),
    Rmdir(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0u8..4;
    prop_oneof![
        (name(), 0usize..300, 0u64..400).prop_map(|(n, l, o)| Step::Write(n, l, o)),
        (name(), 0u64..900).prop_map(|(n, s)| Step::Size(n, s)),
        name().prop_map(Step::Truncate),
        (name(), 0usize..300).prop_map(|(n, l)| Step::Append(n, l)),
        name().prop_map(Step::Unlink),
        (name(), name()).prop_map(|(a, b)| Step::Rename(a, b)),
        name().prop_map(Step::Mkdir),
        name().prop_map(Step::Rmdir),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The disk is the oracle: in a directory that was empty the books say what is there, and it never
    /// passes the quota.
    #[test]
    fn the_books_say_what_is_on_the_disk(steps in prop::collection::vec(step(), 1..50)) {
        let dir = temp();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut guest = Guest::new(dir.path(), 1000, 3);
            for step in steps {
                let name = |n: u8| format!("n{n}");
                // What fails is as good a step as what succeeds.
                match step.clone() {
                    Step::Write(n, length, offset) => {
                        if let Ok(fd) = guest.open(&name(n), Open::CREATE, rw()).await {
                            let _ = guest.write(&fd, length, offset).await;
                            guest.close(fd);
                        }
                    }
                    Step::Size(n, size) => {
                        if let Ok(fd) = guest.open(&name(n), Open::empty(), rw()).await {
                            let _ = guest.set_size(&fd, size).await;
                            guest.close(fd);
                        }
                    }
                    Step::Truncate(n) => {
                        if let Ok(fd) = guest.open(&name(n), Open::CREATE | Open::TRUNCATE, rw()).await {
                            guest.close(fd);
                        }
                    }
                    Step::Append(n, length) => {
                        if let Ok(fd) = guest.open(&name(n), Open::CREATE, rw()).await {
                            if let Ok(stream) = guest.fs().append_via_stream(Resource::new_borrow(fd.rep())) {
                                let mut stream = guest.table.delete(stream).unwrap();
                                let _ = stream.blocking_write_and_flush(vec![2; length].into()).await;
                            }
                            guest.close(fd);
                        }
                    }
                    Step::Unlink(n) => drop(guest.unlink(&name(n)).await),
                    Step::Rename(a, b) => drop(guest.rename(&name(a), &name(b)).await),
                    Step::Mkdir(n) => drop(guest.mkdir(&name(n)).await),
                    Step::Rmdir(n) => drop(guest.rmdir(&name(n)).await),
                }
                let found = on_disk(dir.path());
                assert_eq!(guest.added(), found, "after {step:?}");
                assert!(found.0 <= 1000 && found.1 <= 3, "over the quota after {step:?}");
            }
        });
    }
}

/// Calls of one plugin share the quota, also when they race.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_race_do_not_pass_the_quota() {
    let dir = temp();
    let plugin = configured(vec![grant(dir.path(), DirectoryMode::ReadWrite, 1000, 4)]).unwrap();
    let calls: Vec<_> = (0..4)
        .map(|n| {
            let mut guest = Guest::of(&plugin);
            tokio::spawn(async move {
                for round in 0..100u64 {
                    // All at one file, and each at its own.
                    for name in ["shared".to_owned(), format!("own{n}")] {
                        if let Ok(fd) = guest.open(&name, Open::CREATE, rw()).await {
                            let _ = guest.write(&fd, 100, round * 10).await;
                            let _ = guest.set_size(&fd, round % 7 * 50).await;
                            guest.close(fd);
                        }
                        if round % 3 == 0 {
                            let _ = guest.unlink(&name).await;
                        }
                    }
                }
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let found = on_disk(dir.path());
    assert_eq!(plugin.books.added(0), found);
    assert!(found.0 <= 1000 && found.1 <= 4);
}

#[tokio::test]
async fn a_read_only_grant_changes_nothing() {
    let dir = temp();
    fs::write(dir.path().join("f"), "text").unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    let plugin = configured(vec![grant(dir.path(), DirectoryMode::ReadOnly, 1 << 20, 100)]).unwrap();
    let mut guest = Guest::of(&plugin);
    let before = fs::metadata(dir.path().join("f")).unwrap().modified().unwrap();

    let no = Err(ErrorCode::NotPermitted);
    for (open, flags) in [
        (Open::TRUNCATE, Flags::READ),
        (Open::TRUNCATE, Flags::empty()),
        (Open::empty(), Flags::WRITE),
        (Open::empty(), rw()),
        (Open::CREATE, Flags::READ),
        (Open::CREATE | Open::EXCLUSIVE, Flags::READ),
    ] {
        for path in ["f", "new", "d/new"] {
            assert_eq!(guest.open(path, open, flags).await.map(drop), no, "{path} {open:?} {flags:?}");
        }
    }
    assert_eq!(guest.unlink("f").await, no);
    assert_eq!(guest.rename("f", "g").await, no);
    assert_eq!(guest.mkdir("e").await, no);
    assert_eq!(guest.rmdir("d").await, no);

    let fd = guest.open("f", Open::empty(), Flags::READ).await.unwrap();
    let fd = || Resource::<Descriptor>::new_borrow(fd.rep());
    assert_eq!(guest.write(&fd(), 1, 0).await.map(drop), no);
    assert_eq!(guest.set_size(&fd(), 0).await, no);
    assert_eq!(code(guest.fs().set_times(fd(), NewTimestamp::Now, NewTimestamp::Now).await), no);
    assert_eq!(code(guest.fs().write_via_stream(fd(), 0)).map(drop), no);
    assert_eq!(code(guest.fs().append_via_stream(fd())).map(drop), no);
    let root = guest.root();
    let times =
        guest.fs().set_times_at(root, At::empty(), "f".into(), NewTimestamp::Now, NewTimestamp::Now).await;
    assert_eq!(code(times), no);

    assert_eq!(code(guest.fs().read(fd(), 9, 0).await).unwrap(), (b"text".to_vec(), false));
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"text");
    assert_eq!(fs::metadata(dir.path().join("f")).unwrap().modified().unwrap(), before);
    assert_eq!(on_disk(dir.path()), (4, 2));
}

#[tokio::test]
async fn links_are_not_planted() {
    let dir = temp();
    let mut guest = Guest::new(dir.path(), 1000, 10);
    guest.put("f", 1).await.unwrap();
    for target in ["../../etc/passwd", "/etc/passwd", "f"] {
        let root = guest.root();
        let made = guest.fs().symlink_at(root, target.into(), "l".into()).await;
        assert_eq!(code(made), Err(ErrorCode::NotPermitted));
    }
    let (a, b) = (guest.root(), guest.root());
    let made = guest.fs().link_at(a, At::empty(), "f".into(), b, "l".into()).await;
    assert_eq!(code(made), Err(ErrorCode::NotPermitted));
    assert!(!dir.path().join("l").exists());
}

#[tokio::test]
async fn nothing_outside_is_reached() {
    let outer = temp();
    let dir = outer.path().join("granted");
    fs::create_dir(&dir).unwrap();
    let secret = outer.path().join("secret");
    fs::write(&secret, "outside").unwrap();
    for (target, link) in [
        (secret.as_path(), "absolute"),
        (Path::new("../secret"), "relative"),
        (Path::new("/proc/self/root"), "magic"),
        (Path::new(".."), "up"),
        (Path::new("../not-there"), "dangling"),
    ] {
        std::os::unix::fs::symlink(target, dir.join(link)).unwrap();
    }
    let mut guest = Guest::new(&dir, 1000, 10);
    let before = on_disk(outer.path());
    let absolute = secret.to_str().unwrap().to_owned();
    let tail = secret.strip_prefix("/").unwrap().to_str().unwrap().to_owned();
    for path in [
        "../secret",
        &absolute,
        "absolute",
        "relative",
        "up/secret",
        "up",
        "absolute/",
        "relative/",
        "./../granted/../secret",
        "dangling",
        &format!("magic/{tail}"),
        "",
        "a\0b",
        &"x".repeat(300),
        &"x/".repeat(5000),
    ] {
        for open in [Open::empty(), Open::CREATE, Open::TRUNCATE, Open::CREATE | Open::EXCLUSIVE] {
            assert!(guest.open(path, open, rw()).await.is_err(), "opened {path} with {open:?}");
        }
        let root = guest.root();
        assert!(guest.fs().stat_at(root, At::SYMLINK_FOLLOW, path.into()).await.is_err(), "statted {path}");
        // A link itself may be looked at and renamed, what it names may not.
        if path.contains(['/', '.']) || path.is_empty() {
            assert!(guest.mkdir(path).await.is_err(), "made {path}");
            assert!(guest.rename("f", path).await.is_err(), "renamed to {path}");
        }
    }
    assert_eq!(fs::read(&secret).unwrap(), b"outside");
    assert_eq!(on_disk(outer.path()), before);
    assert_eq!(guest.added(), (0, 0));
}

#[tokio::test]
async fn only_files_and_directories_are_opened_and_nothing_waits() {
    let dir = temp();
    mkfifo(&dir.path().join("fifo"));
    std::os::unix::fs::symlink("fifo", dir.path().join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let mut guest = Guest::new(dir.path(), 1000, 10);
    for path in ["fifo", "link", "socket"] {
        for (open, flags) in [
            (Open::empty(), Flags::READ),
            (Open::empty(), Flags::WRITE),
            (Open::empty(), rw()),
            (Open::CREATE, rw()),
            (Open::TRUNCATE, rw()),
            (Open::DIRECTORY, Flags::READ),
        ] {
            let opened = tokio::time::timeout(Duration::from_secs(20), guest.open(path, open, flags));
            let opened = opened.await.unwrap_or_else(|_| panic!("{path} blocks"));
            assert_eq!(opened.map(drop), Err(ErrorCode::NotPermitted), "{path} {open:?} {flags:?}");
        }
    }
}

/// The look before the opening is not what keeps a FIFO out: it is swapped in between here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fifo_that_is_swapped_in_does_not_block() {
    let dir = temp();
    fs::write(dir.path().join("file"), "x").unwrap();
    mkfifo(&dir.path().join("fifo"));
    let done = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (dir, done) = (dir.path().to_owned(), Arc::clone(&done));
        move || {
            // Two names are exchanged, so that both kinds stand under `file` in turn.
            while !done.load(Relaxed) {
                let (a, b) = (dir.join("file"), dir.join("fifo"));
                rustix::fs::renameat_with(
                    rustix::fs::CWD,
                    &a,
                    rustix::fs::CWD,
                    &b,
                    rustix::fs::RenameFlags::EXCHANGE,
                )
                .unwrap();
            }
        }
    });
    let mut guest = Guest::new(dir.path(), 1000, 10);
    let (mut opened, mut refused, mut blocked) = (0, 0, None);
    for round in 0..2_000 {
        let open = guest.open("file", Open::empty(), Flags::READ);
        match tokio::time::timeout(Duration::from_secs(20), open).await {
            Ok(Ok(fd)) => {
                opened += 1;
                let same = Resource::new_borrow(fd.rep());
                let kind = code(guest.fs().get_type(same).await).unwrap();
                assert_eq!(kind, types::DescriptorType::RegularFile);
                guest.close(fd);
            }
            Ok(Err(ErrorCode::NotPermitted)) => refused += 1,
            Ok(Err(other)) => panic!("{other:?}"),
            Err(_) => {
                blocked = Some(round);
                break;
            }
        }
    }
    done.store(true, Relaxed);
    swapper.join().unwrap();
    if let Some(round) = blocked {
        // A writer frees the thread that waits for one, so that the test ends.
        for name in ["file", "fifo"] {
            drop(fs::OpenOptions::new().read(true).write(true).open(dir.path().join(name)));
        }
        panic!("opening blocked in round {round}");
    }
    assert!(opened > 0 && refused > 0, "{opened} opened, {refused} refused: nothing was swapped");
}

/// A directory swapped for a link that leads out, while paths through it are opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_swapped_in_leads_nowhere() {
    let outer = temp();
    let dir = outer.path().join("granted");
    fs::create_dir_all(dir.join("sub")).unwrap();
    fs::write(dir.join("sub/f"), "inside").unwrap();
    fs::write(outer.path().join("f"), "outside").unwrap();
    std::os::unix::fs::symlink("..", dir.join("link")).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (dir, done) = (dir.clone(), Arc::clone(&done));
        move || {
            while !done.load(Relaxed) {
                rustix::fs::renameat_with(
                    rustix::fs::CWD,
                    dir.join("sub"),
                    rustix::fs::CWD,
                    dir.join("link"),
                    rustix::fs::RenameFlags::EXCHANGE,
                )
                .unwrap();
            }
        }
    });
    let mut guest = Guest::new(&dir, 1000, 10);
    for _ in 0..2_000 {
        if let Ok(fd) = guest.open("sub/f", Open::empty(), Flags::READ).await {
            let same = Resource::new_borrow(fd.rep());
            assert_eq!(code(guest.fs().read(same, 99, 0).await).unwrap().0, b"inside");
            guest.close(fd);
        }
    }
    done.store(true, Relaxed);
    swapper.join().unwrap();
}

#[tokio::test]
async fn the_directory_is_the_one_that_was_opened() {
    let outer = temp();
    let (dir, other) = (outer.path().join("dir"), outer.path().join("other"));
    fs::create_dir(&dir).unwrap();
    fs::create_dir(&other).unwrap();
    fs::write(other.join("secret"), "x").unwrap();
    let plugin = configured(vec![grant(&dir, DirectoryMode::ReadWrite, 1000, 10)]).unwrap();
    fs::rename(&dir, outer.path().join("moved")).unwrap();
    std::os::unix::fs::symlink(&other, &dir).unwrap();
    let mut guest = Guest::of(&plugin);
    assert_eq!(guest.open("secret", Open::empty(), Flags::READ).await.map(drop), Err(ErrorCode::NoEntry));
    guest.put("mine", 1).await.unwrap();
    assert!(outer.path().join("moved/mine").exists());
}

#[tokio::test]
async fn nothing_moves_between_grants_but_by_copying() {
    let (one, two) = (temp(), temp());
    let plugin = configured(vec![
        grant(one.path(), DirectoryMode::ReadWrite, 1000, 10),
        grant(two.path(), DirectoryMode::ReadWrite, 0, 0),
    ])
    .unwrap();
    let mut guest = Guest::of(&plugin);
    guest.put("f", 10).await.unwrap();
    let (a, b) = (guest.root(), Resource::new_borrow(guest.roots[1].rep()));
    let moved = guest.fs().rename_at(a, "f".into(), b, "f".into()).await;
    assert_eq!(code(moved), Err(ErrorCode::CrossDevice));
    let b = Resource::new_borrow(guest.roots[1].rep());
    let made = guest.fs().open_at(b, At::empty(), "g".into(), Open::CREATE, rw()).await;
    assert_eq!(code(made).map(drop), Err(ErrorCode::InsufficientSpace), "each grant has its own quota");
}

#[tokio::test]
async fn a_large_directory_is_listed_in_pieces() {
    let dir = temp();
    let mut want: Vec<String> = (0..1000).map(|n| format!("f{n:04}")).collect();
    for name in &want {
        fs::write(dir.path().join(name), "").unwrap();
    }
    mkfifo(&dir.path().join("z"));
    want.push("z".into());
    let mut guest = Guest::new(dir.path(), 0, 0);
    let root = guest.root();
    let stream = guest.fs().read_directory(root).await.ok().unwrap();
    let mut got = Vec::new();
    loop {
        let same = Resource::new_borrow(stream.rep());
        let Some(entry) = code(guest.fs().read_directory_entry(same).await).unwrap() else { break };
        let fifo = entry.type_ == types::DescriptorType::Fifo;
        assert_eq!(fifo, entry.name == "z");
        got.push(entry.name);
    }
    got.sort();
    assert_eq!(got, want);
    assert!(guest.call.counters.take_due() > 100 * 1001, "a listing is paid for by the entry");
    types::HostDirectoryEntryStream::drop(&mut guest.fs(), stream).unwrap();
    let inside = guest.open("f0000/x", Open::empty(), rw()).await;
    assert_eq!(inside.map(drop), Err(ErrorCode::NotDirectory));
}

#[tokio::test]
async fn descriptors_are_bounded_by_the_table() {
    let dir = temp();
    fs::write(dir.path().join("f"), "").unwrap();
    let mut guest = Guest::new(dir.path(), 10, 10);
    guest.table.set_max_capacity(20);
    let mut open = 0;
    loop {
        let root = guest.root();
        match guest.fs().open_at(root, At::empty(), "f".into(), Open::empty(), Flags::READ).await {
            Ok(_) => open += 1,
            Err(error) => {
                assert!(error.downcast().is_err(), "a full table ends the call");
                break;
            }
        }
        assert!(open <= 20);
    }
    assert_eq!(open, 19);
}

#[test]
fn places_that_are_never_granted() {
    let home = std::env::home_dir().unwrap();
    for path in ["/", "/proc", "/proc/self", "/sys", "/sys/kernel", "/dev"] {
        if Path::new(path).exists() {
            assert!(
                configured(vec![grant(Path::new(path), DirectoryMode::ReadOnly, 0, 0)]).is_err(),
                "{path}"
            );
        }
    }
    assert!(configured(vec![grant(&home, DirectoryMode::ReadOnly, 0, 0)]).is_err());

    // By identity: through a link, and what contains the home.
    let dir = temp();
    let (link, user) = (dir.path().join("link"), dir.path().join("homes/me"));
    fs::create_dir_all(user.join("project")).unwrap();
    std::os::unix::fs::symlink("/", &link).unwrap();
    assert!(configured(vec![grant(&link, DirectoryMode::ReadOnly, 0, 0)]).is_err());
    let check = |path: &Path| place::check(&fs::File::open(path).unwrap(), Some(&user));
    assert_eq!(check(&user), Err(Refusal::Home));
    assert_eq!(check(&dir.path().join("homes")), Err(Refusal::Home));
    assert_eq!(check(&user.join("project")), Ok(()));
    assert_eq!(check(Path::new("/")), Err(Refusal::Root));
}

#[test]
fn refusals_say_what_and_what_to_do() {
    let tell = |path: &Path| {
        let refused = configured(vec![grant(path, DirectoryMode::ReadOnly, 0, 0)]);
        refused.err().unwrap().to_string()
    };
    insta::assert_snapshot!(tell(Path::new("/")), @"plugin `p` cannot be given the directory /: it is the root of the file system; grant a folder that holds only what the plugin needs");
    insta::assert_snapshot!(tell(Path::new("/proc")), @"plugin `p` cannot be given the directory /proc: it is part of a pseudo file system (such as /proc, /sys, /dev or a FUSE mount); grant a folder on a disk");
    insta::assert_snapshot!(tell(Path::new("/not/there")), @"plugin `p` cannot be given the directory /not/there: no such file or directory; create it or correct its `host` path in kennel.toml");
}
