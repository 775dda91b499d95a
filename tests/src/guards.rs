//! The list of the host's guards (`tests/guards.toml`): which row of the list of attackers each answers to, and which
//! tests turn red without it. Read by `cargo xtask mutate-guards` and by the test that holds the list against the sources.
//! It must not know what a guard does.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// The environment variable that names the guard that is switched off, in a host built with the feature `mutate`.
pub const SWITCH: &str = "KENNEL_GUARD_OFF";

/// The environment variable for the seconds that a test waits for one answer, where it is to wait less than usual.
pub const PATIENCE: &str = "KENNEL_TEST_PATIENCE";

/// One guard.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// The row of the list of attackers.
    pub row: String,
    /// Tests that fail without it, each as `BINARY::PATH`; `kennel` is the library's own tests.
    pub tests: Vec<String>,
}

/// Reads the list, by name.
///
/// # Errors
/// When it is not there or does not read.
pub fn read(source_root: &Path) -> Result<BTreeMap<String, Guard>, String> {
    let path = source_root.join("tests/guards.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}
