//! Compiled code on disk, outside the plugins folder and private to the user, loaded only after a keyed
//! hash over all of it fits: loading it is as powerful as loading native code. What does not fit is
//! made again from the component's bytes.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::grants::{Digest, shared_file};
use crate::sandbox::AuthenticFile;

/// Bytes of a tag and of the key.
const TAG: usize = 32;
/// Largest stored definitions, in bytes; a verdict is smaller.
const MAX_SEALED: u64 = 16 << 20;
/// Between two looks whether another process is done compiling.
const TURN: Duration = Duration::from_millis(20);

/// The cache of one user and one set of engine settings.
pub struct Cache {
    folder: PathBuf,
    key: [u8; TAG],
    settings: String,
}

/// Why there is no cache.
#[derive(Debug, thiserror::Error)]
#[error("the cache {} cannot be used: {source}; it must be a folder of yours that nobody else can write to", folder.display())]
pub struct CacheError {
    folder: PathBuf,
    source: io::Error,
}

impl Cache {
    /// Opens the cache in `folder` for code of these engine settings, making folder and key when they
    /// are not there.
    ///
    /// # Errors
    /// When the folder or the key cannot be made or read, or belong to somebody else.
    pub fn open(folder: &Path, settings: &str) -> Result<Self, CacheError> {
        let fail = |source| CacheError { folder: folder.to_owned(), source };
        let make = |folder: &Path| DirBuilder::new().recursive(true).mode(0o700).create(folder);
        make(folder).map_err(fail)?;
        let meta = std::fs::metadata(folder).map_err(fail)?;
        let others = meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0;
        if guarded!("private-folders", others) {
            return Err(fail(io::ErrorKind::PermissionDenied.into()));
        }
        let key = shared_file::secret_key(&folder.join("key")).map_err(fail)?;
        let folder = folder.join(settings);
        make(&folder).map_err(fail)?;
        Ok(Self { folder, key, settings: settings.to_owned() })
    }

    /// The code of the component with this digest, when it is there and authentic.
    #[must_use]
    pub fn code(&self, digest: &Digest) -> Option<AuthenticFile> {
        let tag = self.tag_file(digest)?;
        let mut file = shared_file::open_plain(&self.path(digest, "code")).ok()?;
        let mut hasher = self.hasher("code", digest);
        hasher.update_reader(&mut file).ok()?;
        if guarded!("cache-tag", hasher.finalize() == blake3::Hash::from_bytes(tag), without true) {
            return Some(AuthenticFile::vouch(file));
        }
        tracing::warn!("compiled code of {} in the cache was altered; it is made again", digest.short());
        None
    }

    /// Stores code and gives it back as [`Cache::code`] would.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn store_code(&self, digest: &Digest, code: &[u8]) -> io::Result<Option<AuthenticFile>> {
        let tag = self.hasher("code", digest).update(code).finalize();
        // The tag first: code without its tag is never loaded, a tag without its code is harmless.
        shared_file::replace(&self.path(digest, "tag"), tag.as_bytes())?;
        shared_file::replace(&self.path(digest, "code"), code)?;
        Ok(self.code(digest))
    }

    /// What the component with this digest says of itself, as stored by [`Cache::store_definitions`].
    #[must_use]
    pub fn definitions(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.sealed("definitions", digest, "json")
    }

    /// Stores what a component says of itself.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn store_definitions(&self, digest: &Digest, body: &[u8]) -> io::Result<()> {
        self.seal("definitions", digest, "json", body)
    }

    /// Why the component with this digest cannot be used, as stored by [`Cache::store_verdict`].
    #[must_use]
    pub fn verdict(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.sealed("verdict", digest, "verdict")
    }

    /// Stores why a component cannot be used.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn store_verdict(&self, digest: &Digest, body: &[u8]) -> io::Result<()> {
        self.seal("verdict", digest, "verdict", body)
    }

    /// Forgets what [`Cache::store_verdict`] stored.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn forget_verdict(&self, digest: &Digest) -> io::Result<()> {
        match std::fs::remove_file(self.path(digest, "verdict")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The authentic text in a small file.
    fn sealed(&self, kind: &str, digest: &Digest, ending: &str) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        shared_file::open_plain(&self.path(digest, ending))
            .ok()?
            .take(MAX_SEALED)
            .read_to_end(&mut text)
            .ok()?;
        let (tag, body) = text.split_first_chunk::<TAG>()?;
        let real = self.hasher(kind, digest).update(body).finalize();
        guarded!("cache-words", real == blake3::Hash::from_bytes(*tag), without true).then(|| body.to_vec())
    }

    fn seal(&self, kind: &str, digest: &Digest, ending: &str, body: &[u8]) -> io::Result<()> {
        let tag = self.hasher(kind, digest).update(body).finalize();
        shared_file::replace(&self.path(digest, ending), &[tag.as_bytes(), body].concat())
    }

    /// Waits for the right to compile: one component at a time on this machine and for this user.
    ///
    /// # Errors
    /// When the lock's file cannot be made.
    pub async fn compile_turn(&self) -> io::Result<File> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(self.folder.join("turn"))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(TURN).await,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Whether code and definitions of this component are there; whether they are authentic is seen when
    /// they are loaded.
    #[must_use]
    pub fn holds(&self, digest: &Digest) -> bool {
        ["code", "json"].iter().all(|kind| self.path(digest, kind).exists())
    }

    fn path(&self, digest: &Digest, kind: &str) -> PathBuf {
        self.folder.join(format!("{digest}.{kind}"))
    }

    fn tag_file(&self, digest: &Digest) -> Option<[u8; TAG]> {
        let mut tag = [0; TAG];
        shared_file::open_plain(&self.path(digest, "tag")).ok()?.read_exact(&mut tag).ok()?;
        Some(tag)
    }

    /// Binds what is hashed to its kind, the engine's settings and the component.
    fn hasher(&self, kind: &str, digest: &Digest) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in [kind.as_bytes(), self.settings.as_bytes(), digest.as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher
    }
}
