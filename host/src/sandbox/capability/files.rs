//! `wasi:filesystem` over the granted directories: our own view of wasmtime-wasi's, which adds a quota,
//! refuses planted links, and opens nothing but regular files and directories. Must not resolve a path
//! by itself: that is for cap-primitives and wasmtime-wasi, which stay beneath the granted directory.

mod books;
mod disk;
mod listing;
mod lock;
mod place;
mod stream;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use crate::grants::{Access, DirectoryGrant, FilePath, Grants, Operation, decide};
use crate::sandbox::{CallState, Counters};

use super::{Configure, ConfigureError};
use books::{Books, Opened};
use lock::Locks;
pub use place::Refusal;
use view::FilesView;

struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = FilesView<'a>;
}

/// Puts our view in the place of wasmtime-wasi's, which must be linked before.
///
/// # Errors
/// When the linker does not take the interface.
pub fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let linked = types::add_to_linker::<CallState, HasFiles>(linker, view)
        .and_then(|()| preopens::add_to_linker::<CallState, HasFiles>(linker, view));
    linker.allow_shadowing(false);
    linked
}

fn view(state: &mut CallState) -> FilesView<'_> {
    FilesView {
        inner: WasiFilesystemCtxView { ctx: state.wasi.filesystem(), table: &mut state.table },
        call: &mut state.files,
    }
}

/// A plugin's directories, opened and checked.
#[derive(Clone)]
pub struct Configured {
    template: WasiFilesystemCtx,
    books: Arc<Books>,
    grants: Arc<Grants>,
    /// The text of each grant, for the audit.
    rules: Arc<[Arc<str>]>,
}

impl Configured {
    /// Opens the granted directories. From here on they are the directories that were opened, whatever
    /// their paths come to name.
    ///
    /// # Errors
    /// When a directory cannot be opened or must not be granted: the root, a home folder or what
    /// contains one, a pseudo file system.
    pub fn configure(from: &Configure<'_>) -> Result<Self, ConfigureError> {
        let granted = &from.grants.directories;
        let mut builder = WasiCtxBuilder::new();
        for (index, grant) in granted.iter().enumerate() {
            // A second lock behind the one in `view`, by the same word.
            let path = FilePath::Held(index);
            let writes = decide(from.grants, &Operation::File { access: Access::Write, path });
            let perms = if writes.is_allowed() { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            builder
                .preopened_dir(&grant.host, &grant.guest, perms)
                .map_err(|error| refused(from, grant, Refusal::Open(place::reason(&error))))?;
        }
        let mut template = builder.build().filesystem().clone();
        // The checks look at the handles that were opened, not at the paths once more.
        let mut table = ResourceTable::new();
        let mut opened = WasiFilesystemCtxView { ctx: &mut template, table: &mut table };
        let handles = preopens::Host::get_directories(&mut opened).unwrap_or_default();
        for (index, grant) in granted.iter().enumerate() {
            let checked = match handles.get(index).and_then(|(handle, _)| table.get(handle).ok()) {
                Some(Descriptor::Dir(dir)) => place::check(&dir.dir, std::env::home_dir().as_deref()),
                _ => Err(Refusal::Open("it is not a directory".into())),
            };
            checked.map_err(|why| refused(from, grant, why))?;
        }
        let quotas = granted.iter().map(|grant| grant.quota).collect();
        let rules = granted.iter().map(|grant| grant.to_string().into()).collect();
        let directories = granted.clone();
        let grants = Arc::new(Grants { directories, ..Grants::default() });
        Ok(Self { template, books: Arc::new(Books::new(quotas)), grants, rules })
    }

    /// The same directories under other grants, which differ in what may be done there alone: what was added counts
    /// together.
    ///
    /// # Errors
    /// As [`Configured::configure`].
    pub fn widened(&self, from: &Configure<'_>) -> Result<Self, ConfigureError> {
        Ok(Self { books: Arc::clone(&self.books), ..Self::configure(from)? })
    }

    /// The part of one call; gives `wasi` its directories.
    #[must_use]
    pub fn begin(&self, wasi: &mut WasiCtx, counters: &Arc<Counters>) -> Call {
        wasi.filesystem().clone_from(&self.template);
        Call {
            books: Arc::clone(&self.books),
            grants: Arc::clone(&self.grants),
            rules: Arc::clone(&self.rules),
            counters: Arc::clone(counters),
            held: HashMap::new(),
            locks: Locks::default(),
        }
    }
}

fn refused(from: &Configure<'_>, grant: &DirectoryGrant, why: Refusal) -> ConfigureError {
    ConfigureError::Directory { plugin: from.plugin.to_owned(), path: grant.host.clone(), why }
}

/// What a call holds open.
pub struct Call {
    books: Arc<Books>,
    /// Asked for each thing that is done; accounts are the numbers of its directories.
    grants: Arc<Grants>,
    rules: Arc<[Arc<str>]>,
    counters: Arc<Counters>,
    /// By the descriptor's place in the resource table.
    held: HashMap<u32, Held>,
    /// Given back when the call is dropped, which is how every call ends.
    locks: Locks,
}

impl Call {
    /// Whether it holds a lock, which is for one call and given back with this.
    #[must_use]
    pub fn holds_a_lock(&self) -> bool {
        !self.locks.is_empty()
    }
}

/// An open descriptor: under which grant, and for a file the proof that it is open.
#[derive(Clone)]
struct Held {
    account: usize,
    /// By which path the plugin opened it, while somebody records.
    at: Option<Arc<str>>,
    file: Option<Arc<Opened>>,
}

#[cfg(test)]
mod tests;
