//! What a plugin would be under one configuration and one approval: which bytes, words and grants. Reads components and
//! what was kept of approved ones; grants nothing.

use crate::config::{Config, Home, NewPlugins, PluginConfig};
use crate::grants::{Approval, Asked, Holding, Limits, Lock, PluginName, Trust, Wording, holding};
use crate::plugin::PluginFile;

use super::super::candidates::{Read, candidates};
use super::compare::PluginPlan;
use super::{Plan, PlanError};

/// One side of a comparison.
pub(super) struct Side {
    pub(super) config: PluginConfig,
    /// Of the bytes that serve.
    pub(super) sha256: String,
    /// Why none serve, when none do.
    pub(super) stands_out: Option<String>,
    pub(super) asked: Option<Asked>,
    pub(super) wording: Wording,
    pub(super) holding: Holding,
    pub(super) limits: Limits,
}

/// Makes sides.
pub(super) struct Sides<'a, 'r> {
    home: &'a Home,
    lock: &'a Lock,
    read: &'a mut Read<'r>,
}

impl<'a, 'r> Sides<'a, 'r> {
    pub(super) fn new(home: &'a Home, lock: &'a Lock, read: &'a mut Read<'r>) -> Self {
        Self { home, lock, read }
    }

    /// Each plugin that waits, beside itself when approved.
    pub(super) fn updates(&mut self, config: &Config, only: &[PluginName]) -> Result<Plan, PlanError> {
        let mut plan = Plan::default();
        for plugin in there(config, only, &mut plan)? {
            if plugin.trust == Trust::Dev {
                continue;
            }
            let compared = file_of(config, &plugin).and_then(|file| {
                let after = self.side(config, &plugin, &file, &Approval::Approved)?;
                let before = self.serving(config, &plugin, &file)?;
                // The same bytes under other words than were approved wait as well.
                let waits = self.lock.approval(&plugin.name, &file.digest) != Approval::Approved;
                let drifts = before.as_ref().is_some_and(|before| before.wording != after.wording);
                Ok((waits || drifts).then(|| PluginPlan::between(before.as_ref(), Some(&after))))
            });
            plan.take(&plugin, compared);
        }
        Ok(plan)
    }

    /// Each plugin as it stands under one configuration, beside itself under another.
    pub(super) fn between(
        &mut self,
        old: &Config,
        new: &Config,
        only: &[PluginName],
    ) -> Result<Plan, PlanError> {
        let mut plan = Plan::default();
        let before = there(old, &[], &mut Plan::default())?;
        let after = there(new, &[], &mut plan)?;
        let mut names: Vec<_> = before.iter().chain(&after).map(|plugin| plugin.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        if let Some(unknown) = only.iter().find(|name| !names.contains(name)) {
            return Err(PlanError::Unknown(unknown.clone()));
        }
        names.retain(|name| only.is_empty() || only.contains(name));
        for name in names {
            let mut now = |config: &Config, all: &[PluginConfig]| match all.iter().find(|p| p.name == name) {
                Some(plugin) => {
                    file_of(config, plugin).and_then(|file| self.serving(config, plugin, &file)).map_err(Some)
                }
                None => Ok(None),
            };
            let old = now(old, &before);
            let compared = match (old, now(new, &after)) {
                (Ok(old), Ok(new)) => Ok(Some(PluginPlan::between(old.as_ref(), new.as_ref()))),
                // What is broken before is no reason not to show what comes after.
                (Err(_), Ok(Some(new))) => Ok(Some(PluginPlan::between(None, Some(&new)))),
                (Err(_), Ok(None)) => Ok(None),
                (_, Err(why)) => Err(why.unwrap_or_default()),
            };
            if let Some(plugin) = after.iter().chain(&before).find(|plugin| plugin.name == name) {
                plan.take(plugin, compared);
            }
        }
        Ok(plan)
    }

    /// What serves under this name when its file is this one: as `serve` would have it.
    fn serving(
        &mut self,
        config: &Config,
        plugin: &PluginConfig,
        file: &PluginFile,
    ) -> Result<Option<Side>, String> {
        let approval = self.lock.approval(&plugin.name, &file.digest);
        let trusted = plugin.trust == Trust::Dev;
        if let (Approval::Changed { approved, .. }, false) = (&approval, trusted) {
            let kept = PluginFile::read(&self.home.approved().join(format!("{approved}.wasm"))).ok();
            if let Some(kept) = kept.filter(|kept| kept.digest == *approved) {
                return self
                    .side(config, plugin, &kept, &Approval::Approved)
                    .map(|side| Some(self.pinned(side)));
            }
        }
        let side = self.side(config, plugin, file, &approval)?;
        if approval == Approval::Approved && !trusted {
            return Ok(Some(self.pinned(side)));
        }
        if approval != Approval::Approved && !trusted && config.new_plugins == NewPlugins::Hold {
            let stands_out = Some("held until a person approves it".to_owned());
            return Ok(Some(Side { stands_out, wording: Wording::default(), ..side }));
        }
        Ok(Some(side))
    }

    /// With the words that were approved, if they were kept.
    fn pinned(&self, side: Side) -> Side {
        let pin = self.lock.plugins.get(&side.config.name).map(|entry| entry.definitions.hash());
        match pin.and_then(|hash| Wording::kept(&self.home.approved(), &hash)) {
            Some(wording) => Side { wording, ..side },
            None => side,
        }
    }

    fn side(
        &mut self,
        config: &Config,
        plugin: &PluginConfig,
        file: &PluginFile,
        approval: &Approval,
    ) -> Result<Side, String> {
        let reading = (self.read)(file)?;
        let holding = holding(&plugin.grants, reading.asked.as_ref(), plugin.trust, approval);
        // As `plugin::Loader::load` has it: limits of its own are for approved bytes.
        let limits = if holding.unapproved.is_none() { &plugin.limits } else { &config.limits };
        Ok(Side {
            sha256: file.digest.to_string(),
            stands_out: None,
            asked: reading.asked,
            wording: reading.wording,
            limits: limits.clone(),
            config: plugin.clone(),
            holding,
        })
    }
}

impl Plan {
    fn take(&mut self, plugin: &PluginConfig, compared: Result<Option<PluginPlan>, String>) {
        match compared {
            Ok(compared) => self.plugins.extend(compared),
            Err(why) => {
                self.faults
                    .push(super::super::shown::plain(&format!("{}: {}: {why}", plugin.name, plugin.file)));
            }
        }
    }
}

fn file_of(config: &Config, plugin: &PluginConfig) -> Result<PluginFile, String> {
    PluginFile::read(&config.plugins_folder.join(&plugin.file)).map_err(|error| error.to_string())
}

fn there(config: &Config, only: &[PluginName], plan: &mut Plan) -> Result<Vec<PluginConfig>, PlanError> {
    let folder = || config.plugins_folder.clone();
    let (mut found, faults) =
        candidates(config).map_err(|source| PlanError::Folder { folder: folder(), source })?;
    if let Some(unknown) = only.iter().find(|name| found.iter().all(|plugin| plugin.name != **name)) {
        return Err(PlanError::Unknown(unknown.clone()));
    }
    if only.is_empty() {
        plan.faults.extend(faults.iter().map(|fault| super::super::shown::plain(fault)));
    }
    found.retain(|plugin| only.is_empty() || only.contains(&plugin.name));
    Ok(found)
}
