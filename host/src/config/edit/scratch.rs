//! A user's home for the tests of edits, with folders to grant. Must not be compiled into anything else.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use crate::config::{Home, Surroundings};

/// A user's home with `docs`, `docs/in`, `out` and `o$ut` in it, and this configuration.
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
        for name in [".kennel", "docs/in", "out", "o$ut"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let surroundings = Surroundings::new(Some(root.clone()), |_| None);
        let home = Home::locate(None, None, &surroundings).unwrap();
        fs::write(home.config_file(), config).unwrap();
        Self { _folder: folder, root, home, surroundings }
    }

    /// The configuration as it stands, with `~` for the root.
    pub(super) fn text(&self) -> String {
        fs::read_to_string(self.home.config_file()).unwrap().replace(self.root.to_str().unwrap(), "~")
    }
}
