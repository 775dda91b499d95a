//! What is known of a file without reading it.
//! Must not judge paths: they come from `access`.

use std::fs::{self, Metadata};
use std::io;

use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::Failure;
use crate::format::date;

/// Size, times and kind, one a line. WASI tells neither permission bits nor the time of birth: the former
/// are said to be unknown, the latter is the last change of status, as Node.js has it on systems without.
pub(crate) fn lines(path: &str) -> Result<String, Failure> {
    let found = fs::metadata(path).map_err(Failure::at("stat", path))?;
    let time = |time: io::Result<std::time::SystemTime>| date(time.ok());
    Ok([
        format!("size: {}", found.len()),
        format!("created: {}", time(found.created())),
        format!("modified: {}", time(found.modified())),
        format!("accessed: {}", time(found.accessed())),
        format!("isDirectory: {}", found.is_dir()),
        format!("isFile: {}", found.is_file()),
        "permissions: unknown".to_owned(),
    ]
    .join("\n"))
}

// Without doc comments: they would become descriptions in the published schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    File,
    Directory,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Existence {
    /// Whether there is something at the path
    pub(crate) exists: bool,
    /// What it is, when there is something
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Kind")]
    #[serde(rename = "type", default)]
    pub(crate) kind: Option<Kind>,
}

/// Whether there is something at a path, and what.
pub(crate) fn existence(path: &str) -> Result<Existence, Failure> {
    let kind = |found: &Metadata| match (found.is_file(), found.is_dir()) {
        (true, _) => Kind::File,
        (_, true) => Kind::Directory,
        _ => Kind::Other,
    };
    match fs::metadata(path) {
        Ok(found) => Ok(Existence { exists: true, kind: Some(kind(&found)) }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Existence { exists: false, kind: None }),
        Err(error) => Err(Failure::at("stat", path)(error)),
    }
}
