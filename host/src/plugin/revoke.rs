//! Ends the calls that began under a rule that is gone, at once and before anything new is loaded. Knows every plugin
//! whose calls may still run, also those that serve no longer.

use std::sync::{Arc, Weak};

use crate::config::Config;
use crate::grants::{Grants, Lock, Trust, effective, lost};

use super::load::Plugin;

/// The plugins whose calls may still run.
#[derive(Default)]
pub(super) struct Alive(Vec<Weak<Plugin>>);

impl Alive {
    /// Notes a plugin that serves.
    pub(super) fn note(&mut self, plugin: &Arc<Plugin>) {
        self.0.retain(|known| known.strong_count() > 0);
        if !self.0.iter().any(|known| known.as_ptr() == Arc::as_ptr(plugin)) {
            self.0.push(Arc::downgrade(plugin));
        }
    }

    /// Ends the calls of each plugin that held more than it would now. Without a lock that reads, approvals count as
    /// they were.
    pub(super) fn revoke(&self, config: &Config, lock: Option<&Lock>) {
        for plugin in self.0.iter().filter_map(Weak::upgrade) {
            if plugin.holding.grants == Grants::default() {
                continue;
            }
            let lost = lost(&plugin.holding.grants, &now(&plugin, config, lock));
            if !lost.is_empty() && plugin.program.revoke(lost.join("; ")) {
                let (name, lost) = (plugin.config.name.as_str(), lost.join("; "));
                tracing::warn!(plugin = name, "taken back, its calls end: {lost}");
            }
        }
    }
}

/// What this very plugin would hold now. That other bytes stand under its name by now takes nothing back: calls in flight
/// finish on the old ones.
fn now(plugin: &Plugin, config: &Config, lock: Option<&Lock>) -> Grants {
    let Some(wanted) = config.plugins.get(&plugin.config.name) else { return Grants::default() };
    let approved = lock.is_none_or(|lock| match lock.plugins.get(&wanted.name) {
        // Bytes that ran because of `trust = "dev"` were never approved.
        Some(entry) => plugin.config.trust == Trust::Approved || entry.sha256 == plugin.digest,
        None => false,
    });
    if wanted.trust == Trust::Dev || approved {
        effective(&wanted.grants, plugin.asked.as_ref()).0
    } else {
        Grants::default()
    }
}
