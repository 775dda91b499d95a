//! Ends the calls that began under a rule that is gone, at once: beside the library, which may be busy compiling, and
//! before anything new is loaded. Knows every plugin whose calls may still run, also those that serve no longer.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::config::{Config, Home, OnDenied, Surroundings};
use crate::grants::{Grants, Lock, Trust, effective, lost};

use super::load::Plugin;
use super::watch::Watch;

/// Takes back what a person took back.
pub(super) struct Revoker {
    home: Home,
    surroundings: Arc<Surroundings>,
    state: Mutex<State>,
}

/// The plugins whose calls may still run, and what was written when it was last looked.
#[derive(Default)]
struct State {
    alive: Vec<Weak<Plugin>>,
    written: Option<Written>,
}

struct Written {
    config: Config,
    /// None when it does not read: then approvals count as they were.
    lock: Option<Lock>,
}

impl Revoker {
    pub(super) fn new(home: Home, surroundings: Arc<Surroundings>) -> Self {
        Self { home, surroundings, state: Mutex::default() }
    }

    /// Notes a plugin that serves from now on. What was taken back while it was made is taken from it as well.
    pub(super) fn note(&self, plugin: &Arc<Plugin>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.alive.retain(|known| known.strong_count() > 0);
        if state.alive.iter().any(|known| known.as_ptr() == Arc::as_ptr(plugin)) {
            return;
        }
        state.alive.push(Arc::downgrade(plugin));
        if let Some(written) = &state.written {
            written.hold_against(plugin);
        }
    }

    /// Looks at what is written now, and ends the calls of each plugin that holds more. A configuration with faults takes
    /// nothing back, as it gives nothing.
    pub(super) fn look(&self) {
        let Ok(config) = Config::load(&self.home, &self.surroundings) else { return };
        let lock = Lock::load(&self.home.lock_file()).ok();
        let written = Written { config, lock };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for plugin in state.alive.iter().filter_map(Weak::upgrade) {
            written.hold_against(&plugin);
        }
        state.written = Some(written);
    }

    /// Looks after each change, for ever.
    pub(super) async fn keep(&self) {
        match Watch::start(&folders(&self.home)) {
            Ok(mut watch) => loop {
                watch.changed().await;
                self.look();
            },
            // The library says that changes go unseen.
            Err(_) => std::future::pending().await,
        }
    }
}

/// The folders in which the configuration and the lock lie.
pub(super) fn folders(home: &Home) -> Vec<std::path::PathBuf> {
    let config = home.config_file();
    // Where the file is named, and where it really lies, for whoever linked it here.
    let mut all = vec![home.root().to_owned()];
    for file in [Some(config.to_owned()), config.canonicalize().ok()].into_iter().flatten() {
        let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
        if !all.contains(&folder) {
            all.push(folder);
        }
    }
    all
}

impl Written {
    fn hold_against(&self, plugin: &Plugin) {
        if !self.may_ask(plugin) && plugin.program.revoke_wider("what was allowed on being asked") {
            let name = plugin.config.name.as_str();
            tracing::warn!(
                plugin = name,
                "nobody is to be asked about it any more: calls under such answers end"
            );
        }
        if plugin.holding.grants == Grants::default() {
            return;
        }
        let lost = lost(&plugin.holding.grants, &self.grants(plugin)).join("; ");
        if !lost.is_empty() && plugin.program.revoke(&lost) {
            tracing::warn!(plugin = plugin.config.name.as_str(), "taken back, its calls end: {lost}");
        }
    }

    /// Whether what a person allowed on being asked still holds.
    fn may_ask(&self, plugin: &Plugin) -> bool {
        let wanted = self.config.plugins.get(&plugin.config.name);
        let on_denied = wanted.map_or(self.config.on_denied, |wanted| wanted.on_denied);
        on_denied == OnDenied::Ask && self.is_approved(plugin)
    }

    /// Whether these very bytes may hold anything.
    fn is_approved(&self, plugin: &Plugin) -> bool {
        let name = &plugin.config.name;
        let trust = self.config.plugins.get(name).map_or(Trust::Approved, |wanted| wanted.trust);
        let approved = self.lock.as_ref().is_none_or(|lock| match lock.plugins.get(name) {
            // Bytes that ran because of `trust = "dev"` were never approved.
            Some(entry) => plugin.config.trust == Trust::Approved || entry.sha256 == plugin.digest,
            None => false,
        });
        trust == Trust::Dev || approved
    }

    /// What this very plugin would hold now. That other bytes stand under its name by now takes nothing back: calls in
    /// flight finish on the old ones.
    fn grants(&self, plugin: &Plugin) -> Grants {
        let Some(wanted) = self.config.plugins.get(&plugin.config.name) else { return Grants::default() };
        if self.is_approved(plugin) {
            effective(&wanted.grants, plugin.asked.as_ref()).0
        } else {
            Grants::default()
        }
    }
}
