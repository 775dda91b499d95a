//! All plugins of a home and how each stands: which bytes serve under which name, what waits for a
//! person, what is broken. Keeps it so while files change.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::config::{Config, ConfigError, Home, NewPlugins, PluginConfig, Surroundings};
use crate::grants::{Approval, Digest, Lock, LockError, PluginName, Trust};
use crate::sandbox::{Sandbox, StartError};

use super::cache::{Cache, CacheError};
use super::compile::Compiler;
use super::file::{FileError, PluginFile, component_files};
use super::load::{Loader, Plugin};
use super::watch::Watch;

/// Longest wait of the first answers for plugins that have to be compiled.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a plugin stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its file serves.
    Serving,
    /// Its approved bytes serve; the file holds others, which wait for a person.
    Waiting(String),
    /// It does not run before a person approves it (`new-plugins = "hold"`).
    Held(String),
    /// It cannot be used; an older version may still serve.
    Broken(String),
}

/// A plugin and how it stands.
#[derive(Clone)]
pub struct Status {
    /// Its name; of a file that makes no plugin name, the file's.
    pub name: String,
    /// Its file's name in the plugins folder.
    pub file: String,
    /// How it stands.
    pub standing: Standing,
    /// What serves.
    pub plugin: Option<Arc<Plugin>>,
}

/// Why there is no library.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The sandbox does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The cache is unusable.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The configuration has faults.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The lock does not read.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The plugins folder cannot be listed.
    #[error("the plugins folder {folder} cannot be listed: {source}")]
    Folder {
        /// The folder.
        folder: String,
        /// Why.
        source: std::io::Error,
    },
}

/// All plugins of a home.
pub struct Library {
    home: Home,
    surroundings: Surroundings,
    loader: Loader,
    config: Arc<Config>,
    entries: BTreeMap<String, Entry>,
    statuses: watch::Sender<Arc<Vec<Status>>>,
}

struct Entry {
    status: Status,
    /// The file's bytes when they were last looked at, so that a broken file is reported once.
    seen: Option<Digest>,
    /// What was asked for then.
    config: Option<PluginConfig>,
}

impl Library {
    /// Opens a home's library; loads nothing yet.
    ///
    /// # Errors
    /// When the cache cannot be opened.
    pub fn open(
        home: Home,
        surroundings: Surroundings,
        config: Config,
        sandbox: Arc<Sandbox>,
        compiler: Compiler,
    ) -> Result<Self, LibraryError> {
        let cache = Cache::open(&home.cache(), sandbox.code_key())?;
        let loader = Loader::new(sandbox, cache, compiler, &home);
        let statuses = watch::Sender::new(Arc::default());
        Ok(Self { home, surroundings, loader, config: Arc::new(config), entries: BTreeMap::new(), statuses })
    }

    /// How the plugins stand, now and after each change.
    #[must_use]
    pub fn statuses(&self) -> watch::Receiver<Arc<Vec<Status>>> {
        self.statuses.subscribe()
    }

    /// Makes plugins, for verbs that need one alone.
    #[must_use]
    pub fn loader(&self) -> &Loader {
        &self.loader
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Looks at everything and then again after each change, for ever. `ready` is called once all plugins
    /// found at the start stand, or after [`PATIENCE`]: one that is slow to compile does not hold up the
    /// others.
    pub async fn keep(mut self, ready: impl FnOnce()) {
        // Watched before the first look, so that no change falls between the two.
        let mut watch = self.start_watch();
        {
            let mut first = pin!(self.refresh_and_report());
            if timeout(PATIENCE, &mut first).await.is_ok() {
                ready();
            } else {
                ready();
                first.await;
            }
        }
        loop {
            match &mut watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
            let folder = self.config.plugins_folder.clone();
            self.reread_config();
            self.refresh_and_report().await;
            if folder != self.config.plugins_folder {
                watch = self.start_watch();
            }
        }
    }

    fn start_watch(&self) -> Option<Watch> {
        let config_folder = self.home.config_file().parent().unwrap_or(Path::new("."));
        let folders = [self.config.plugins_folder.as_path(), self.home.root(), config_folder];
        Watch::start(&folders)
            .inspect_err(|error| {
                tracing::warn!("changes of plugins go unseen until a restart: {error}");
            })
            .ok()
    }

    fn reread_config(&mut self) {
        match Config::load(&self.home, &self.surroundings) {
            Ok(config) => self.config = Arc::new(config),
            Err(error) => tracing::error!("the configuration stays as it was: {error}"),
        }
    }

    async fn refresh_and_report(&mut self) {
        if let Err(error) = self.refresh().await {
            tracing::error!("{error}");
        }
    }

    /// Looks at every file, loads what is new or changed, and publishes the result.
    ///
    /// # Errors
    /// When the plugins folder or the lock cannot be read; then everything stays as it was.
    pub async fn refresh(&mut self) -> Result<(), LibraryError> {
        let config = self.config.clone();
        let lock = Lock::load(&self.home.lock_file())?;
        let folder = &config.plugins_folder;
        let files = component_files(folder)
            .map_err(|source| LibraryError::Folder { folder: folder.display().to_string(), source })?;

        let mut gone: Vec<String> = self.entries.keys().cloned().collect();
        let mut later = Vec::new();
        for name in &files {
            let file = PluginFile::read(&folder.join(name));
            match config.plugins_of_file(name) {
                Ok(plugins) => {
                    gone.retain(|name| plugins.iter().all(|plugin| plugin.name.as_str() != name));
                    let known = file.as_ref().map_or(true, |file| self.loader.knows(&file.digest));
                    let file = Arc::new(file);
                    for plugin in plugins {
                        if known {
                            self.look(&plugin, &file, &lock).await;
                        } else {
                            later.push((plugin, file.clone()));
                        }
                    }
                }
                Err(error) => {
                    gone.retain(|gone| gone != name);
                    self.set(broken(name, name, error.to_string()));
                }
            }
        }
        for plugin in config.plugins.values().filter(|plugin| !files.contains(&plugin.file)) {
            gone.retain(|name| plugin.name.as_str() != name);
            let why = format!("there is no {} in the plugins folder", plugin.file);
            self.set(broken(plugin.name.as_str(), &plugin.file, why));
        }
        for name in gone {
            tracing::info!(plugin = name, "gone");
            self.entries.remove(&name);
        }
        self.publish();
        // What has to be compiled comes last, the small first, and each as soon as it is ready.
        later.sort_by_key(|(_, file)| file.as_ref().as_ref().map_or(0, |file| file.bytes.len()));
        for (plugin, file) in later {
            self.look(&plugin, &file, &lock).await;
            self.publish();
        }
        Ok(())
    }

    fn publish(&self) {
        let statuses = self.entries.values().map(|entry| entry.status.clone()).collect();
        self.statuses.send_replace(Arc::new(statuses));
    }

    fn set(&mut self, entry: Entry) {
        report(self.entries.get(&entry.status.name), &entry);
        self.entries.insert(entry.status.name.clone(), entry);
    }

    async fn look(&mut self, plugin: &PluginConfig, file: &Result<PluginFile, FileError>, lock: &Lock) {
        let before = self.entries.get(plugin.name.as_str());
        let entry = self.judge(before, plugin, file, lock).await;
        self.set(entry);
    }

    /// Decides what serves under one name.
    async fn judge(
        &self,
        before: Option<&Entry>,
        plugin: &PluginConfig,
        file: &Result<PluginFile, FileError>,
        lock: &Lock,
    ) -> Entry {
        let serving = before.and_then(|entry| entry.status.plugin.as_ref());
        // What served under another configuration may hold what was taken back.
        let same_config = serving.filter(|old| old.config == *plugin);
        let status = |standing, serves: Option<Arc<Plugin>>| Status {
            name: plugin.name.to_string(),
            file: plugin.file.clone(),
            standing,
            plugin: serves,
        };
        let file = match file {
            Ok(file) => file,
            Err(error) => {
                let standing = Standing::Broken(error.to_string());
                let config = Some(plugin.clone());
                return Entry { status: status(standing, same_config.cloned()), seen: None, config };
            }
        };
        let entry = |status| Entry { status, seen: Some(file.digest), config: Some(plugin.clone()) };
        let approval = lock.approval(&plugin.name, &file.digest);
        let (bytes, approval, standing) = match (&approval, plugin.trust) {
            (Approval::Changed { approved, .. }, Trust::Approved) if guarded!("waiting", true) => {
                match self.approved(approved) {
                    Some(kept) => (kept, Approval::Approved, Standing::Waiting(approval.to_string())),
                    None => (file.clone(), approval.clone(), Standing::Serving),
                }
            }
            (Approval::Unapproved(reason), Trust::Approved)
                if guarded!("hold", !plugin.mentioned && self.config.new_plugins == NewPlugins::Hold) =>
            {
                return entry(status(Standing::Held(reason.clone()), None));
            }
            _ => (file.clone(), approval.clone(), Standing::Serving),
        };
        let unchanged = same_config.filter(|old| {
            let approved = approval == Approval::Approved || plugin.trust == Trust::Dev;
            old.digest == bytes.digest && old.holding.unapproved.is_none() == approved
        });
        if let Some(old) = unchanged {
            return entry(status(standing, Some(old.clone())));
        }
        // Bytes that were found broken are not tried again.
        if let Some(before) = before
            && before.seen == Some(file.digest)
            && before.config.as_ref() == Some(plugin)
            && matches!(before.status.standing, Standing::Broken(_))
        {
            return entry(status(before.status.standing.clone(), same_config.cloned()));
        }
        match self.loader.load(&bytes, plugin, &self.config.limits, &approval).await {
            Ok(loaded) => entry(status(standing, Some(loaded))),
            Err(error) => entry(status(Standing::Broken(error.to_string()), same_config.cloned())),
        }
    }

    /// The approved bytes, kept by hash when they were approved.
    fn approved(&self, digest: &Digest) -> Option<PluginFile> {
        let kept = PluginFile::read(&self.home.approved().join(format!("{digest}.wasm"))).ok()?;
        guarded!("approved-as-hashed", kept.digest == *digest, without true).then_some(kept)
    }

    /// One plugin's entry by name, after a refresh.
    #[must_use]
    pub fn status(&self, name: &PluginName) -> Option<&Status> {
        self.entries.get(name.as_str()).map(|entry| &entry.status)
    }
}

fn broken(name: &str, file: &str, why: String) -> Entry {
    let standing = Standing::Broken(why);
    let status = Status { name: name.to_owned(), file: file.to_owned(), standing, plugin: None };
    Entry { status, seen: None, config: None }
}

/// Says once what became of a plugin.
fn report(before: Option<&Entry>, now: &Entry) {
    let Status { name, file, standing, plugin } = &now.status;
    if before.is_some_and(|before| before.status.standing == *standing && before.seen == now.seen) {
        return;
    }
    match standing {
        Standing::Serving => {
            let digest = plugin.as_ref().map(|plugin| plugin.digest.short()).unwrap_or_default();
            tracing::info!(plugin = name, digest, "serving {file}");
        }
        Standing::Waiting(reason) => tracing::warn!(plugin = name, "{file} waits: {reason}"),
        Standing::Held(reason) => tracing::warn!(plugin = name, "{file} is held: {reason}"),
        Standing::Broken(reason) => tracing::error!(plugin = name, "{file} cannot be used: {reason}"),
    }
}
