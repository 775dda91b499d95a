//! `[plugins.NAME.state]`: a store of its own.

use crate::config::reader::{Faults, Item, Section};
use crate::grants::{StateGrant, StateScope};

/// A store when nothing is written, in bytes.
const DEFAULT_QUOTA: u64 = 16 << 20;

/// Reads the store of a plugin, if it is to have one.
pub(super) fn read(plugin: &mut Section<'_, '_>, faults: &mut Faults<'_>) -> Option<StateGrant> {
    let mut state = plugin.section(faults, "state")?;
    let quota = state.read(faults, "quota", Item::size).unwrap_or(DEFAULT_QUOTA);
    let scope = state.read(faults, "scope", |item| match item.text()? {
        "plugin" => Ok(StateScope::Plugin),
        "caller" => Ok(StateScope::Caller),
        other => Err(format!("{other:?} is neither \"plugin\" nor \"caller\"")),
    });
    state.finish(faults);
    Some(StateGrant { quota, scope: scope.unwrap_or(StateScope::Plugin) })
}
