//! Which plugins there are to speak about: those of the files in the plugins folder and those that the
//! configuration names. Runs none of them.

use std::io;

use crate::config::{Config, PluginConfig};
use crate::grants::{Asked, Wording};
use crate::plugin::{PluginFile, component_files};

/// What a component says of itself, read without granting it anything.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Its manifest.
    pub asked: Option<Asked>,
    /// The words of its tools, prompts and templates.
    pub wording: Wording,
}

/// Reads a component, for verbs that must know what is in one; says in one sentence why it cannot be read.
pub type Read<'a> = dyn FnMut(&PluginFile) -> Result<Reading, String> + 'a;

/// The plugins there are, by name; and a sentence for each file that is none.
pub(super) fn candidates(config: &Config) -> io::Result<(Vec<PluginConfig>, Vec<String>)> {
    let (mut plugins, mut faults) = (Vec::new(), Vec::new());
    let files = component_files(&config.plugins_folder)?;
    for file in &files {
        match config.plugins_of_file(file) {
            Ok(found) => plugins.extend(found),
            Err(error) => faults.push(error.to_string()),
        }
    }
    plugins.extend(config.plugins.values().filter(|plugin| !files.contains(&plugin.file)).cloned());
    plugins.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((plugins, faults))
}
