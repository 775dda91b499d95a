//! Which bytes serve under a plugin's name: those in its file, or the approved ones that are kept while the file holds
//! others. Loads nothing.

use crate::config::{Config, Home, NewPlugins, PluginConfig};
use crate::grants::{Approval, Digest, Lock, Trust};

use super::file::PluginFile;

/// What serves.
#[derive(Clone)]
pub enum Serves {
    /// These bytes.
    Bytes {
        /// With where they lie.
        file: PluginFile,
        /// What a person said of them.
        approval: Approval,
        /// Why the plugin's own file waits, when these are not its bytes.
        waiting: Option<String>,
    },
    /// Nothing, before a person approves it; says so.
    Held(String),
}

/// What serves under the name of `plugin`, whose file holds `file`.
#[must_use]
pub fn serves(home: &Home, config: &Config, plugin: &PluginConfig, file: &PluginFile, lock: &Lock) -> Serves {
    let approval = lock.approval(&plugin.name, &file.digest);
    let hold = guarded!("hold", config.new_plugins == NewPlugins::Hold);
    match (&approval, plugin.trust) {
        (Approval::Changed { approved: digest, .. }, Trust::Approved) if guarded!("waiting", true) => {
            match approved(home, digest) {
                Some(kept) => Serves::Bytes {
                    file: kept,
                    approval: Approval::Approved,
                    waiting: Some(approval.to_string()),
                },
                None if hold => Serves::Held(approval.to_string()),
                // Nobody kept the approved bytes: the newcomer runs, with nothing.
                None => {
                    let waiting = Some(approval.to_string());
                    Serves::Bytes { file: file.clone(), approval, waiting }
                }
            }
        }
        (Approval::Unapproved(reason), Trust::Approved) if hold => Serves::Held(reason.clone()),
        _ => Serves::Bytes { file: file.clone(), approval, waiting: None },
    }
}

/// The approved bytes, kept by hash when they were approved.
fn approved(home: &Home, digest: &Digest) -> Option<PluginFile> {
    let kept = PluginFile::read(&home.approved().join(format!("{digest}.wasm"))).ok()?;
    guarded!("approved-as-hashed", kept.digest == *digest, without true).then_some(kept)
}
