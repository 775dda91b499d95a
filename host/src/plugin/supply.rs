//! Machine code of components: authenticated out of the cache, or made again from bytes with the very hash. A
//! component whose definitions are known is given none before its first call, because an idle plugin needs none.
//! Must not give code of other bytes than those that were hashed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::future::BoxFuture;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use crate::grants::Digest;
use crate::sandbox::{Code, CodeError, CodeSource, CommandSource, Found, Sandbox, check_kind};

use super::cache::Cache;
use super::compile::{CompileError, Compiler};
use super::file::{FileError, PluginFile};
use super::verdict::{Certainty, Verdict};

/// Why there is no machine code.
#[derive(Debug, thiserror::Error)]
pub enum SupplyError {
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Its stored code does not load.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The cache cannot be written.
    #[error("its compiled code cannot be stored: {0}")]
    Store(std::io::Error),
    /// It was found before that it cannot be used.
    #[error("{0} (known from before; `kennel inspect --list FILE` tries again)")]
    Remembered(String),
    /// Nothing is left to compile.
    #[error(
        "its compiled code is no longer in the cache, and no file holds the bytes with the hash {} any more; put that file back, or call again once the new one serves",
        .0.short()
    )]
    Gone(Digest),
}

/// Gives machine code, at most once for each component that is in use.
pub(super) struct Supply {
    sandbox: Arc<Sandbox>,
    pub(super) cache: Cache,
    compiler: Compiler,
    /// Where approved bytes are kept by hash.
    approved: PathBuf,
    /// The bounds under which components are listed, in words.
    listing: String,
    /// One component under several names is loaded once.
    known: Mutex<HashMap<Digest, Weak<Stored>>>,
}

impl Supply {
    pub(super) fn new(
        sandbox: Arc<Sandbox>,
        cache: Cache,
        compiler: Compiler,
        approved: PathBuf,
        listing: String,
    ) -> Self {
        Self { sandbox, cache, compiler, approved, listing, known: Mutex::default() }
    }

    /// What was found of a component that cannot be used, under the bounds of now.
    pub(super) fn verdict(&self, digest: &Digest) -> Option<Verdict> {
        // Without one the bounds are not asked for, which only a running sandbox knows.
        self.cache.verdict(digest)?;
        Verdict::recall(&self.cache, digest, &self.basis())
    }

    /// Remembers that a component cannot be used, if it would come again.
    pub(super) fn remember(&self, digest: &Digest, error: &dyn std::fmt::Display, certainty: Certainty) {
        Verdict::remember(&self.cache, digest, &self.basis(), &error.to_string(), certainty);
    }

    /// The bounds under which components are compiled, fitted and listed; the engine's settings are the cache's.
    fn basis(&self) -> String {
        format!("{}; {}; {}", Compiler::bounds(), self.sandbox.bounds(), self.listing)
    }

    /// The code of a component, which nothing is done for yet.
    pub(super) fn of(self: &Arc<Self>, file: &PluginFile) -> Arc<Stored> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, stored| stored.strong_count() > 0);
        let stored = known.get(&file.digest).and_then(Weak::upgrade).unwrap_or_else(|| {
            Arc::new(Stored {
                supply: self.clone(),
                digest: file.digest,
                paths: Mutex::default(),
                code: OnceCell::new(),
            })
        });
        known.insert(file.digest, Arc::downgrade(&stored));
        let mut paths = stored.paths.lock().unwrap_or_else(PoisonError::into_inner);
        if !paths.contains(&file.path) {
            paths.push(file.path.clone());
        }
        drop(paths);
        stored
    }

    /// Whether a component is in use already.
    pub(super) fn uses(&self, digest: &Digest) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).is_some_and(|stored| stored.strong_count() > 0)
    }

    /// The code in the cache, when it is authentic and fits.
    async fn cached(self: &Arc<Self>, digest: Digest) -> Option<Code> {
        let supply = self.clone();
        // Hashing tens of MB is no work for a thread that others wait for.
        let load = move || {
            let stored = supply.cache.code(&digest)?;
            // Stored by a wasmtime with the same name for its settings and other innards: made again.
            supply.sandbox.load(&stored).inspect_err(|error| tracing::warn!("{error}; it is made again")).ok()
        };
        spawn_blocking(load).await.ok().flatten()
    }

    async fn compile(self: &Arc<Self>, digest: Digest, bytes: &[u8]) -> Result<Code, SupplyError> {
        let _turn = self.cache.compile_turn().await.map_err(SupplyError::Store)?;
        // Another process may have compiled it, or given up, while this one waited for its turn.
        if let Some(found) = self.verdict(&digest) {
            return Err(SupplyError::Remembered(found.why));
        }
        if let Some(code) = self.cached(digest).await {
            return Ok(code);
        }
        let compiled = self.compiler.compile(bytes).await;
        let made = compiled.inspect_err(|error| {
            self.remember(&digest, error, Certainty::of_compile(error));
        })?;
        let stored = self.cache.store_code(&digest, &made).map_err(SupplyError::Store)?;
        let stored = stored.ok_or_else(|| SupplyError::Store(std::io::ErrorKind::InvalidData.into()))?;
        let loaded = self.sandbox.load(&stored).inspect_err(|error| {
            if matches!(error, CodeError::Stored(_)) {
                // Made just now by this very engine: it needs more than an instance can have, and always will.
                self.remember(&digest, error, Certainty::Certain);
            }
        });
        Ok(loaded?)
    }
}

impl CommandSource for Supply {
    fn find(self: Arc<Self>, file: PathBuf) -> BoxFuture<'static, Result<Option<Found>, String>> {
        Box::pin(async move {
            let read = spawn_blocking(move || PluginFile::read(&file)).await.map_err(|e| e.to_string())?;
            let file = match read {
                Err(FileError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                read => read.map_err(|error| error.to_string())?,
            };
            check_kind(&file.bytes).map_err(|error| error.to_string())?;
            let code = self.of(&file);
            // Compiled here, while its bytes are at hand: it is wanted now.
            let interface = code.of_bytes(&file.bytes).await.map_err(|error| error.to_string())?.interface();
            if !interface.is_command() {
                return Err("it is no command: it does not export wasi:cli/run@0.2".to_owned());
            }
            Ok(Some(Found { digest: file.digest, interface, code }))
        })
    }
}

/// The machine code of one component, made when it is first wanted.
pub(super) struct Stored {
    supply: Arc<Supply>,
    digest: Digest,
    /// Files that held its bytes when they were read.
    paths: Mutex<Vec<PathBuf>>,
    code: OnceCell<Arc<Code>>,
}

impl Stored {
    /// The code, made of these bytes if it must be made. Whoever asks meanwhile waits for the same.
    ///
    /// # Errors
    /// When the bytes do not compile, or the code cannot be stored.
    pub(super) async fn of_bytes(&self, bytes: &[u8]) -> Result<&Arc<Code>, SupplyError> {
        self.code
            .get_or_try_init(|| async {
                Ok(Arc::new(match self.supply.cached(self.digest).await {
                    Some(code) => code,
                    None => self.supply.compile(self.digest, bytes).await?,
                }))
            })
            .await
    }

    /// The same, with the bytes looked for only if the code must be made.
    async fn of_files(&self) -> Result<&Arc<Code>, SupplyError> {
        self.code
            .get_or_try_init(|| async {
                Ok(Arc::new(match self.supply.cached(self.digest).await {
                    Some(code) => code,
                    None => self.supply.compile(self.digest, &self.bytes().await?).await?,
                }))
            })
            .await
    }

    /// The component's bytes, from a file that holds exactly these.
    async fn bytes(&self) -> Result<Arc<[u8]>, SupplyError> {
        let digest = self.digest;
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner).clone();
        paths.push(self.supply.approved.join(format!("{digest}.wasm")));
        let find = move || {
            let files = paths.iter().filter_map(|path| PluginFile::read(path).ok());
            files
                .filter(|file| guarded!("compiled-as-hashed", file.digest == digest, without true))
                .map(|file| file.bytes)
                .next()
        };
        spawn_blocking(find).await.ok().flatten().ok_or(SupplyError::Gone(digest))
    }
}

impl CodeSource for Stored {
    fn code(self: Arc<Self>) -> BoxFuture<'static, Result<Arc<Code>, String>> {
        Box::pin(async move { self.of_files().await.cloned().map_err(|error| error.to_string()) })
    }
}
