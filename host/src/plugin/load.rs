//! From a component's bytes to a plugin ready to call: compiled or out of the cache, read for what it
//! offers, and given what it holds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{Home, PluginConfig, default_limits};
use crate::grants::{
    self, Approval, Asked, Digest, Egress, Grants, Holding, Limits, ManifestError, PluginName, Wording,
    holding,
};
use crate::sandbox::capability::host::Host;
use crate::sandbox::capability::wasi::Surroundings;
use crate::sandbox::{
    Code, CodeError, Docs, Functions, Interface, PrepareError, Program, Sandbox, Setup, check_kind,
};

use super::cache::Cache;
use super::command;
use super::compile::Compiler;
use super::definitions::{Definitions, DefinitionsError};
use super::file::{FileError, PluginFile};
use super::section::{describe_component, docs, manifest};
use super::supply::{Stored, Supply, SupplyError};
use super::verdict::Certainty;

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
    /// Why what it offers now is not what was approved with these very bytes, when it is not.
    pub drift: Option<String>,
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
    /// It is no component.
    #[error(transparent)]
    Kind(#[from] CodeError),
    /// There is no machine code of it.
    #[error(transparent)]
    Supply(#[from] SupplyError),
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
        "it is a component but no plugin: it exports {found}; a plugin exports an interface of {CONTRACT}@{CONTRACT_VERSION}, or plain functions"
    )]
    NoPlugin {
        /// What it exports.
        found: String,
    },
    /// It is a command, and nobody said what it is run with.
    #[error(
        "it is a command, which has no tools of its own; to make it one write `kind = \"command\"`, a `description` and its `arguments` under [plugins.{0}] in kennel.toml"
    )]
    Command(PluginName),
    /// It was said to be a command and is none.
    #[error(
        "it is no command: it does not export wasi:cli/run@0.2; take `kind = \"command\"` out of [plugins.{0}] in kennel.toml"
    )]
    NoCommand(PluginName),
    /// It cannot be linked or configured.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// Its definitions cannot be used.
    #[error(transparent)]
    Definitions(#[from] DefinitionsError),
}

/// A component read, before it is given anything.
pub struct Component {
    code: Arc<Stored>,
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
    supply: Arc<Supply>,
    approved: PathBuf,
    state_dir: PathBuf,
}

impl Loader {
    /// With the process's sandbox, the user's cache, and the home that holds approved bytes and plugins' state.
    #[must_use]
    pub fn new(sandbox: Arc<Sandbox>, cache: Cache, compiler: Compiler, home: &Home) -> Self {
        let bounds = format!("{:?}", listing_limits());
        let supply = Arc::new(Supply::new(sandbox.clone(), cache, compiler, home.approved(), bounds));
        Self { sandbox, supply, approved: home.approved(), state_dir: home.state() }
    }

    /// Reads a component. One that was never seen here is compiled, and says what it offers with nothing granted;
    /// of one that was, nothing more than its bytes is looked at. One that failed before in a way that comes again is
    /// neither compiled nor run.
    ///
    /// # Errors
    /// When it is no plugin for this host, or fails while listing, now or before.
    pub async fn read(&self, file: &PluginFile) -> Result<Component, LoadError> {
        check_kind(&file.bytes)?;
        let asked = manifest(&file.bytes)?;
        if let Some(found) = self.supply.verdict(&file.digest) {
            return Err(SupplyError::Remembered(found.why).into());
        }
        let code = self.supply.of(file);
        if let Some(definitions) = self.known_definitions(&file.digest) {
            // It was compiled, linked and listed before by a Kennel with the same engine.
            let interface = describe_component(&file.bytes)?;
            check_contract(&interface)?;
            return Ok(Component { code, interface, asked, definitions: Arc::new(definitions) });
        }
        let interface = code.of_bytes(&file.bytes).await?.interface();
        check_contract(&interface)?;
        let definitions = self.definitions(file, &code, &interface).await?;
        for line in &definitions.left_out {
            tracing::warn!("{}: {line}", file.path.display());
        }
        Ok(Component { code, interface, asked, definitions: Arc::new(definitions) })
    }

    /// As [`Loader::read`], without regard to what was found before.
    ///
    /// # Errors
    /// When it is no plugin for this host, or fails while listing.
    pub async fn read_anew(&self, file: &PluginFile) -> Result<Component, LoadError> {
        self.supply.cache.forget_verdict(&file.digest).map_err(SupplyError::Store)?;
        self.read(file).await
    }

    /// Makes a plugin of a component: with what was granted if `approval` and the configuration allow,
    /// else with nothing and under the `common` limits. With a `pin` it says what was approved with these bytes, or it
    /// holds nothing.
    ///
    /// # Errors
    /// As [`Loader::read`], and when a grant cannot be given.
    pub async fn load(
        &self,
        file: &PluginFile,
        config: &PluginConfig,
        common: &Limits,
        approval: &Approval,
        pin: Option<&grants::Definitions>,
    ) -> Result<Arc<Plugin>, LoadError> {
        let started = Instant::now();
        let Component { code, interface, asked, mut definitions } = self.read(file).await?;
        match &config.command {
            Some(_) if !interface.is_command() => return Err(LoadError::NoCommand(config.name.clone())),
            None if only_command(&interface) => return Err(LoadError::Command(config.name.clone())),
            _ => {}
        }
        let (mut approval, mut drift) = (approval, None);
        let unpinned;
        let other = |pin: &&grants::Definitions| definitions.wording().is_ok_and(|now| now.hashes() != **pin);
        if let Some(pin) = guarded!("pinned-words", pin.filter(other), without None) {
            let why = "what it offers is not what was approved with these bytes";
            drift = Some(format!(
                "{why}; look at it with `kennel plan {0}` and run `kennel approve {0}`",
                config.name
            ));
            // The words that were approved serve on, if somebody kept them.
            let words = Wording::kept(&self.approved, &pin.hash());
            match words.and_then(|words| definitions.worded(words).ok()) {
                Some(approved) => definitions = Arc::new(approved),
                None => {
                    unpinned = Approval::Unapproved(why.to_owned());
                    approval = &unpinned;
                }
            }
        }
        // A command says nothing of itself; what a person wrote of it is not held against what was approved of it.
        if let Some(command) = &config.command {
            definitions =
                Arc::new(Definitions { tools: vec![command::tool(command)], ..Definitions::default() });
        }
        let holding = holding(&config.grants, asked.as_ref(), config.trust, approval);
        // What was written for approved bytes is for these alone: also settings and limits.
        let (settings, limits) = match holding.unapproved {
            None => (settings(config), &config.limits),
            Some(_) => (BTreeMap::new(), common),
        };
        let program = Program::prepare(
            &self.sandbox,
            code,
            &interface,
            Setup {
                host: Host { plugin: config.name.to_string(), settings },
                grants: &holding.grants,
                egress: &config.egress,
                limits: limits.clone(),
                surroundings: Surroundings::Live,
                state_dir: &self.state_dir,
                commands: self.supply.clone(),
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
            drift,
            interface,
            program,
        }))
    }

    /// Whether a component can be loaded, or refused, without compiling or running it.
    #[must_use]
    pub fn knows(&self, digest: &Digest) -> bool {
        self.supply.uses(digest) || self.supply.cache.holds(digest) || self.supply.verdict(digest).is_some()
    }

    /// What a component said of itself when it was loaded before.
    #[must_use]
    pub fn known_definitions(&self, digest: &Digest) -> Option<Definitions> {
        serde_json::from_slice(&self.supply.cache.definitions(digest)?).ok()
    }

    async fn definitions(
        &self,
        file: &PluginFile,
        code: &Arc<Stored>,
        interface: &Interface,
    ) -> Result<Definitions, LoadError> {
        let program = Program::prepare(
            &self.sandbox,
            code.clone(),
            interface,
            Setup {
                host: Host::default(),
                grants: &Grants::default(),
                egress: &Egress::default(),
                limits: listing_limits(),
                surroundings: Surroundings::Fixed,
                state_dir: &self.state_dir,
                commands: self.supply.clone(),
            },
        )?;
        program.link().await?;
        let found = if only_command(interface) {
            Ok(Definitions::default())
        } else if interface.is_plain() {
            Definitions::of_functions(functions(&file.bytes, code.of_bytes(&file.bytes).await?))
        } else {
            Definitions::list(&program).await
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let certainty = Certainty::of_definitions(&error);
                let error: LoadError = error.into();
                self.supply.remember(&file.digest, &error, certainty);
                return Err(error);
            }
        };
        if let Ok(text) = serde_json::to_vec(&found)
            && let Err(error) = self.supply.cache.store_definitions(&file.digest, &text)
        {
            tracing::warn!("definitions of {} cannot be stored: {error}", file.path.display());
        }
        Ok(found)
    }
}

/// Whether all that can be done with it is to run it.
fn only_command(interface: &Interface) -> bool {
    interface.is_command() && !interface.speaks() && !interface.is_plain()
}

/// The functions of a component that speaks no contract, in the words that it brings. Words that do not read take no
/// function away.
fn functions(component: &[u8], code: &Code) -> Functions {
    match docs(component) {
        Ok(docs) => code.functions(&docs.unwrap_or_default()),
        Err(why) => {
            let mut found = code.functions(&Docs::default());
            found.left_out.push(why.to_string());
            found
        }
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
    if let Some(misfit) = named.find(|name| guarded!("contract", !fits(name))) {
        let version = misfit.rsplit_once('@').map_or("no version", |(_, version)| version);
        return Err(LoadError::Version { found: format!("{CONTRACT}@{version}") });
    }
    if !interface.exports.iter().any(|name| ours(&name)) && !interface.is_plain() && !interface.is_command() {
        let mut found = interface.exports.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        if found.is_empty() {
            found = "nothing".into();
        }
        return Err(LoadError::NoPlugin { found });
    }
    Ok(())
}
