//! A home with a plugins folder for tests of the verbs. A "component" is a text: its manifest, and the
//! names of its tools behind a bar.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::Reading;
use crate::config::{Home, Surroundings};
use crate::grants::{Asked, Wording};
use crate::plugin::PluginFile;

pub(super) struct Scratch {
    _folder: tempfile::TempDir,
    pub(super) root: PathBuf,
    pub(super) home: Home,
    pub(super) surroundings: Surroundings,
}

impl Scratch {
    pub(super) fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let surroundings =
            Surroundings::new(Some(root.clone()), |name| (name == "LOGNAME").then(|| "ada".into()));
        let home = Home::locate(None, None, &surroundings).unwrap();
        home.create().unwrap();
        fs::create_dir(home.default_plugins()).unwrap();
        fs::create_dir(root.join("docs")).unwrap();
        fs::write(home.config_file(), config).unwrap();
        Self { _folder: folder, root, home, surroundings }
    }

    pub(super) fn plugin(&self, file: &str, component: &str) {
        fs::write(self.home.default_plugins().join(file), component).unwrap();
    }

    /// Without the scratch folder's name and the time.
    pub(super) fn plain(&self, text: &[u8]) -> String {
        let text = std::str::from_utf8(text).unwrap().replace(self.root.to_str().unwrap(), "~");
        let mut out = String::new();
        for line in text.lines() {
            let when = line.split_once("(20").and_then(|(a, b)| Some((a, b.split_once(", by ")?.1)));
            out += &when.map_or(line.to_owned(), |(a, b)| format!("{a}([time], by {b}"));
            out.push('\n');
        }
        out
    }
}

pub(super) fn read(file: &PluginFile) -> Result<Reading, String> {
    let text = std::str::from_utf8(&file.bytes).map_err(|_| "it is no component".to_owned())?;
    let (manifest, tools) = text.split_once('|').ok_or("it is no component")?;
    let asked = if manifest.is_empty() { None } else { Some(Asked::parse(manifest.as_bytes())) };
    let asked = asked.transpose().map_err(|error| error.to_string())?;
    let tools = tools
        .split_whitespace()
        .map(|tool| tool.split_once('=').unwrap_or((tool, "")))
        .map(|(name, says)| (name.to_owned(), json!({ "description": says, "input_schema": "{}" })));
    Ok(Reading { asked, wording: Wording { tools: tools.collect(), ..Wording::default() } })
}
