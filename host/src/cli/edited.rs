//! What the verbs that edit grants share: their line in the audit, what they say, and paths as they are written.

use std::io::Write;
use std::path::Path;

use crate::config::edit::{Edited, Prepared};
use crate::config::{Home, Surroundings};
use crate::grants::{Lock, PluginName};
use crate::observe::audit::{self, Change};

use super::Failure;
use super::approve::user;

/// Writes an edit and says what it did. The audit's line comes before the file: no change without its line.
///
/// # Errors
/// When one of them cannot be written; then nothing was changed.
pub(super) fn put(
    edit: Prepared,
    what: &'static str,
    plugin: &PluginName,
    home: &Home,
    surroundings: &Surroundings,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let Edited { before, now, .. } = edit.edited().clone();
    if before != now {
        // Which bytes it is about is said where it can be; a lock that does not read is another verb's to tell.
        let lock = Lock::load(&home.lock_file()).ok();
        let digest = lock.and_then(|lock| lock.plugins.get(plugin).map(|entry| entry.sha256));
        let by = user(surroundings);
        let change = Change { plugin: plugin.to_string(), digest, by, what, before, now };
        audit::note(&home.audit(), &super::audit::options(edit.audit()), &[change])?;
    }
    tell(plugin, &edit.write()?, out)
}

/// A path as it is written into the file, where relative paths would begin elsewhere and `$` has a meaning.
pub(super) fn absolute(path: &str, here: &Path) -> Result<String, Failure> {
    if path == "~" || path.starts_with("~/") {
        return Ok(path.replace('$', "$$"));
    }
    let joined = here.join(path);
    // Without `.` and the slash at the end, but with links as they are: a person reads it.
    let clean: std::path::PathBuf = joined.components().collect();
    let text = clean.to_str().ok_or_else(|| Failure::new(format!("{}: is not UTF-8", clean.display())))?;
    Ok(text.replace('$', "$$"))
}

/// Prints what an edit gave and took.
fn tell(plugin: &PluginName, edited: &Edited, out: &mut dyn Write) -> Result<(), Failure> {
    let (before, now) = (edited.before.describe(), edited.now.describe());
    for line in before.iter().filter(|line| !now.contains(line)) {
        writeln!(out, "{plugin}: taken back: {line}")?;
    }
    for line in now.iter().filter(|line| !before.contains(line)) {
        writeln!(out, "{plugin}: granted: {line}")?;
    }
    match (edited.changed, before == now) {
        (false, _) => writeln!(out, "{plugin}: nothing to change")?,
        (true, true) => writeln!(out, "{plugin}: changed")?,
        _ => {}
    }
    Ok(())
}
