//! `[plugins.NAME.env]`: environment variables with their values, never the host's own.

use std::collections::BTreeMap;

use crate::config::expand::is_variable_name;
use crate::config::reader::{Faults, Section};

/// Reads all variables of a plugin.
pub(super) fn read(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for (name, item) in section.every() {
        let value = match item.text() {
            _ if !is_variable_name(name) => Err("is not a name of an environment variable".to_owned()),
            Ok(value) if value.contains('\0') => Err("holds a NUL character".to_owned()),
            other => other,
        };
        match value {
            Ok(value) => {
                env.insert(name.to_owned(), value.to_owned());
            }
            Err(message) => faults.add(item.at, &item.key, message),
        }
    }
    env
}
