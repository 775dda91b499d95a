//! From a component's bytes to a plugin ready to call: compiled or out of the cache, read for what it
//! offers, and given what it holds.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::config::{PluginConfig, default_limits};
use crate::grants::{Approval, Asked, Digest, Grants, Holding, Limits, ManifestError, holding};
use crate::sandbox::capability::host::Host;
use crate::sandbox::capability::wasi::Surroundings;
use crate::sandbox::{Code, CodeError, Interface, PrepareError, Program, Sandbox, Setup, check_kind};

use super::cache::Cache;
use super::compile::{CompileError, Compiler};
use super::definitions::{Definitions, DefinitionsError};
use super::file::{FileError, PluginFile};
use super::section::manifest;
use super::verdict::{Certainty, Verdict};

/// The contract's package and the version this host speaks.
const CONTRACT: &str = "kennel:plugin";
const CONTRACT_VERSION: &str = "0.1.0";
/// How long a component may take to say what it offers.
const LISTING: Duration = Duration::from_secs(5);

/// A plugin ready to call.
pub struct Plugin {
    /// As the person wants it.
    pub config: PluginConfig,
    /// Of the component.
    pub digest: Digest,
    /// Bytes of the component.
    pub size: u64,
    /// From bytes to ready.
    pub load_time: Duration,
    /// What the component asks for.
    pub asked: Option<Asked>,
    /// What its calls get.
    pub holding: Holding,
    /// What it offers.
    pub definitions: Arc<Definitions>,
    /// Its imports and exports.
    pub interface: Interface,
    /// Runs its calls.
    pub program: Arc<Program>,
}

/// Why bytes are not a plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its manifest does not read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Its stored code does not load.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// It was built for another version of the contract.
    #[error(
        "it was built for {found}, this Kennel speaks {CONTRACT}@{CONTRACT_VERSION}; build it with an SDK of that version"
    )]
    Version {
        /// What it names.
        found: String,
    },
    /// It offers nothing of the contract.
    #[error(
        "it is a component but no plugin: it exports {found}; a plugin exports an interface of {CONTRACT}@{CONTRACT_VERSION}"
    )]
    NoPlugin {
        /// What it exports.
        found: String,
    },
    /// It cannot be linked or configured.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// Its definitions cannot be used.
    #[error(transparent)]
    Definitions(#[from] DefinitionsError),
    /// The cache cannot be written.
    #[error("its compiled code cannot be stored: {0}")]
    Store(std::io::Error),
    /// It was found before that it cannot be used.
    #[error("{0} (known from before; `kennel inspect --list FILE` tries again)")]
    Remembered(String),
}

/// A component read and compiled, before it is given anything.
pub struct Component {
    /// Its machine code.
    pub code: Arc<Code>,
    /// Its imports and exports.
    pub interface: Interface,
    /// What it asks for.
    pub asked: Option<Asked>,
    /// What it offers.
    pub definitions: Arc<Definitions>,
}

/// Makes plugins.
pub struct Loader {
    sandbox: Arc<Sandbox>,
    cache: Cache,
    compiler: Compiler,
    state_dir: PathBuf,
    /// The bounds under which components are compiled, fitted and listed; the engine's settings are the cache's.
    basis: String,
    /// One component under several names is loaded once.
    codes: Mutex<HashMap<Digest, Weak<Code>>>,
}

impl Loader {
    /// With the process's sandbox, the user's cache, and where plugins keep their state.
    #[must_use]
    pub fn new(sandbox: Arc<Sandbox>, cache: Cache, compiler: Compiler, state_dir: PathBuf) -> Self {
        let basis = format!("{}; {}; {:?}", Compiler::bounds(), sandbox.bounds(), listing_limits());
        Self { sandbox, cache, compiler, state_dir, basis, codes: Mutex::default() }
    }

    /// Reads and compiles a component, and lists what it offers with nothing granted. One that failed before in a way
    /// that comes again is neither compiled nor run.
    ///
    /// # Errors
    /// When it is no plugin for this host, or fails while listing, now or before.
    pub async fn read(&self, file: &PluginFile) -> Result<Component, LoadError> {
        check_kind(&file.bytes)?;
        let asked = manifest(&file.bytes)?;
        if let Some(found) = self.verdict(&file.digest) {
            return Err(LoadError::Remembered(found.why));
        }
        let code = self.code(file).await?;
        let interface = code.interface();
        check_contract(&interface)?;
        let definitions = self.definitions(file, &code).await?;
        Ok(Component { code, interface, asked, definitions: Arc::new(definitions) })
    }

    /// As [`Loader::read`], without regard to what was found before.
    ///
    /// # Errors
    /// When it is no plugin for this host, or fails while listing.
    pub async fn read_anew(&self, file: &PluginFile) -> Result<Component, LoadError> {
        self.cache.forget_verdict(&file.digest).map_err(LoadError::Store)?;
        self.read(file).await
    }

    fn verdict(&self, digest: &Digest) -> Option<Verdict> {
        Verdict::recall(&self.cache, digest, &self.basis)
    }

    fn remember(&self, digest: &Digest, error: &LoadError, certainty: Certainty) {
        Verdict::remember(&self.cache, digest, &self.basis, &error.to_string(), certainty);
    }

    /// Makes a plugin of a component: with what was granted if `approval` and the configuration allow,
    /// else with nothing and under the `common` limits.
    ///
    /// # Errors
    /// As [`Loader::read`], and when a grant cannot be given.
    pub async fn load(
        &self,
        file: &PluginFile,
        config: &PluginConfig,
        common: &Limits,
        approval: &Approval,
    ) -> Result<Arc<Plugin>, LoadError> {
        let started = Instant::now();
        let Component { code, interface, asked, definitions } = self.read(file).await?;
        let holding = holding(&config.grants, asked.as_ref(), config.trust, approval);
        // What was written for approved bytes is for these alone: also settings and limits.
        let (settings, limits) = match holding.unapproved {
            None => (settings(config), &config.limits),
            Some(_) => (BTreeMap::new(), common),
        };
        let program = Program::prepare(
            &self.sandbox,
            &code,
            Setup {
                host: Host { plugin: config.name.to_string(), settings },
                grants: &holding.grants,
                limits: limits.clone(),
                surroundings: Surroundings::Live,
                state_dir: &self.state_dir,
            },
        )?;
        Ok(Arc::new(Plugin {
            config: config.clone(),
            digest: file.digest,
            size: file.bytes.len() as u64,
            load_time: started.elapsed(),
            asked,
            holding,
            definitions,
            interface,
            program,
        }))
    }

    async fn code(&self, file: &PluginFile) -> Result<Arc<Code>, LoadError> {
        if let Some(code) = self.loaded(&file.digest) {
            return Ok(code);
        }
        let stored = self.cache.code(&file.digest).and_then(|stored| {
            // Stored by a wasmtime with the same name for its settings and other innards: made again.
            self.sandbox.load(&stored).inspect_err(|error| tracing::warn!("{error}; it is made again")).ok()
        });
        let code = Arc::new(match stored {
            Some(code) => code,
            None => self.compile(file).await?,
        });
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|_, code| code.strong_count() > 0);
        codes.insert(file.digest, Arc::downgrade(&code));
        Ok(code)
    }

    fn loaded(&self, digest: &Digest) -> Option<Arc<Code>> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).get(digest)?.upgrade()
    }

    async fn compile(&self, file: &PluginFile) -> Result<Code, LoadError> {
        let _turn = self.cache.compile_turn().await.map_err(LoadError::Store)?;
        // Another process may have compiled it, or given up, while this one waited for its turn.
        if let Some(found) = self.verdict(&file.digest) {
            return Err(LoadError::Remembered(found.why));
        }
        if let Some(code) = self.cache.code(&file.digest).and_then(|stored| self.sandbox.load(&stored).ok()) {
            return Ok(code);
        }
        let code = match self.compiler.compile(&file.bytes).await {
            Ok(code) => code,
            Err(error) => {
                let certainty = Certainty::of_compile(&error);
                let error = error.into();
                self.remember(&file.digest, &error, certainty);
                return Err(error);
            }
        };
        let stored = self.cache.store_code(&file.digest, &code).map_err(LoadError::Store)?;
        let stored = stored.ok_or_else(|| LoadError::Store(std::io::ErrorKind::InvalidData.into()))?;
        self.sandbox.load(&stored).map_err(|error| {
            // Made just now by this very engine: it needs more than an instance can have, and always will.
            let error = error.into();
            self.remember(&file.digest, &error, Certainty::Certain);
            error
        })
    }

    /// Whether a component can be loaded, or refused, without compiling or running it.
    #[must_use]
    pub fn knows(&self, digest: &Digest) -> bool {
        self.loaded(digest).is_some() || self.cache.holds(digest) || self.verdict(digest).is_some()
    }

    /// What a component said of itself when it was loaded before.
    #[must_use]
    pub fn known_definitions(&self, digest: &Digest) -> Option<Definitions> {
        serde_json::from_slice(&self.cache.definitions(digest)?).ok()
    }

    async fn definitions(&self, file: &PluginFile, code: &Arc<Code>) -> Result<Definitions, LoadError> {
        if let Some(found) = self.known_definitions(&file.digest) {
            return Ok(found);
        }
        let program = Program::prepare(
            &self.sandbox,
            code,
            Setup {
                host: Host::default(),
                grants: &Grants::default(),
                limits: listing_limits(),
                surroundings: Surroundings::Fixed,
                state_dir: &self.state_dir,
            },
        )?;
        let found = match Definitions::list(&program).await {
            Ok(found) => found,
            Err(error) => {
                let certainty = Certainty::of_definitions(&error);
                let error = error.into();
                self.remember(&file.digest, &error, certainty);
                return Err(error);
            }
        };
        if let Ok(text) = serde_json::to_vec(&found)
            && let Err(error) = self.cache.store_definitions(&file.digest, &text)
        {
            tracing::warn!("definitions of {} cannot be stored: {error}", file.path.display());
        }
        Ok(found)
    }
}

/// What listing may use; the same for all, so that what was listed does not depend on who asked.
fn listing_limits() -> Limits {
    Limits { deadline: LISTING, ..default_limits() }
}

fn settings(config: &PluginConfig) -> BTreeMap<String, String> {
    config.settings.iter().map(|(key, value)| (key.clone(), value.to_string())).collect()
}

/// Tells a component of another contract, or of none, before linking says it less well.
fn check_contract(interface: &Interface) -> Result<(), LoadError> {
    let ours = |name: &&String| name.starts_with(CONTRACT) && name[CONTRACT.len()..].starts_with('/');
    // 0.x: a change of the minor version may change anything, a patch only adds.
    let fits = |name: &&String| {
        name.rsplit_once('@').is_some_and(|(_, version)| {
            let mut parts = version.split('.');
            parts.next() == Some("0") && parts.next() == Some("1")
        })
    };
    let mut named = interface.imports.iter().chain(&interface.exports).filter(ours);
    if let Some(misfit) = named.find(|name| !fits(name)) {
        let version = misfit.rsplit_once('@').map_or("no version", |(_, version)| version);
        return Err(LoadError::Version { found: format!("{CONTRACT}@{version}") });
    }
    if !interface.exports.iter().any(|name| ours(&name)) {
        let mut found = interface.exports.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        if found.is_empty() {
            found = "nothing".into();
        }
        return Err(LoadError::NoPlugin { found });
    }
    Ok(())
}
