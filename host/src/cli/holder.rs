//! A plugin as the verbs about grants see it: what is written for it, what its serving bytes ask for, and whether a
//! person approved those. Reads the component's manifest; compiles and runs nothing.

use crate::config::{Config, Home, Origin, PluginConfig, Surroundings};
use crate::grants::{
    Approval, Asked, Explanation, GrantKey, Intent, Lock, PluginName, Share, explain, shares,
};
use crate::plugin::{PluginFile, Serves, manifest, serves};

use super::Failure;
use super::candidates::candidates;

/// A home's configuration, its text and its lock.
pub(super) struct Written<'a> {
    home: &'a Home,
    text: String,
    pub(super) config: Config,
    lock: Lock,
}

/// A plugin and what stands behind it.
pub(super) struct Holder {
    pub(super) config: PluginConfig,
    /// What serves, or why nothing does.
    pub(super) bytes: Result<Bytes, String>,
}

/// The bytes that serve.
pub(super) struct Bytes {
    asked: Option<Asked>,
    approval: Approval,
}

impl<'a> Written<'a> {
    pub(super) fn read(home: &'a Home, surroundings: &Surroundings) -> Result<Self, Failure> {
        let text = Config::text(home)?;
        let config = Config::parse(&text, home, surroundings)?;
        let lock = Lock::load(&home.lock_file())?;
        Ok(Self { home, text, config, lock })
    }

    /// All plugins there are or this one.
    pub(super) fn holders(&self, only: Option<&PluginName>) -> Result<Vec<Holder>, Failure> {
        let folder = self.config.plugins_folder.display();
        let (mut there, _) = candidates(&self.config)
            .map_err(|error| Failure::new(format!("{folder}: cannot be listed: {error}")))?;
        if let Some(name) = only
            && there.iter().all(|plugin| plugin.name != *name)
        {
            let known: Vec<_> = there.iter().map(|plugin| plugin.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Failure::new(format!("{name}: there is no such plugin; there are: {known}")));
        }
        there.retain(|plugin| only.is_none_or(|name| plugin.name == *name));
        Ok(there.into_iter().map(|config| Holder { bytes: self.bytes(&config), config }).collect())
    }

    fn bytes(&self, plugin: &PluginConfig) -> Result<Bytes, String> {
        let path = self.config.plugins_folder.join(&plugin.file);
        let file =
            PluginFile::read(&path).map_err(|error| format!("it does not run: {}: {error}", plugin.file))?;
        match serves(self.home, &self.config, plugin, &file, &self.lock) {
            Serves::Held(reason) => Err(format!("it does not run: {reason}")),
            Serves::Bytes { file, approval, .. } => {
                let asked = manifest(&file.bytes).map_err(|error| format!("it does not run: {error}"))?;
                Ok(Bytes { asked, approval })
            }
        }
    }

    /// Where a grant of a plugin stands.
    pub(super) fn origin(&self, plugin: &PluginName, grant: &GrantKey) -> Option<Origin> {
        Origin::find(&self.text, self.home.config_file(), plugin, grant)
    }
}

impl Holder {
    pub(super) fn shares(&self) -> Vec<Share> {
        let (grants, trust) = (&self.config.grants, self.config.trust);
        match &self.bytes {
            Ok(bytes) => shares(grants, bytes.asked.as_ref(), trust, &bytes.approval),
            Err(_) => shares(grants, None, trust, &Approval::Approved)
                .into_iter()
                .map(|share| Share {
                    held: Vec::new(),
                    withheld: Some("it does not run".to_owned()),
                    ..share
                })
                .collect(),
        }
    }

    /// Why it holds nothing for want of approval, or does not run at all.
    pub(super) fn nothing(&self) -> Option<String> {
        match &self.bytes {
            Err(why) => Some(why.clone()),
            Ok(bytes) => {
                let (grants, trust) = (&self.config.grants, self.config.trust);
                crate::grants::holding(grants, bytes.asked.as_ref(), trust, &bytes.approval).unapproved
            }
        }
    }

    pub(super) fn explain(&self, intent: &Intent) -> Explanation {
        let (grants, trust) = (&self.config.grants, self.config.trust);
        match &self.bytes {
            Ok(bytes) => explain(grants, bytes.asked.as_ref(), trust, &bytes.approval, intent),
            Err(why) => {
                let granted = explain(grants, None, trust, &Approval::Approved, intent);
                let why = Some(why.clone());
                Explanation { allowed: false, by: granted.by, why, withheld: granted.allowed }
            }
        }
    }
}
