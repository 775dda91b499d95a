//! Several things in one call, so that some of them are allowed and others are not.

use std::io::Write as _;

use kennel_sdk::prelude::*;

use crate::network::{Web, ask};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Mixed {
    /// A file to which a byte is appended.
    #[serde(default)]
    append: Option<String>,
    /// Whether it counts in its store.
    #[serde(default)]
    count: bool,
    /// Requests, in this order.
    #[serde(default)]
    requests: Vec<Web>,
}

/// Appends to a file, counts, sends requests, and says what came of each; fails when any of it did.
#[tool]
pub(crate) fn mixed(args: Mixed) -> Result<String> {
    let mut said: Vec<Result<String, String>> = Vec::new();
    if let Some(path) = &args.append {
        let appended = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| file.write_all(b"x"));
        said.push(appended.map(|()| "appended".into()).map_err(|error| error.kind().to_string()));
    }
    if args.count {
        let counted = state::update("count", |old: Option<u64>| Ok(Some(old.unwrap_or(0) + 1)));
        said.push(
            counted.map(|count| format!("counted {}", count.unwrap_or(0))).map_err(|_| "not counted".into()),
        );
    }
    said.extend(args.requests.iter().map(ask));
    let failed = said.iter().any(Result::is_err);
    let lines: Vec<_> = said.into_iter().map(|one| one.unwrap_or_else(|why| format!("no: {why}"))).collect();
    if failed { Err(Error::failed(lines.join("\n"))) } else { Ok(lines.join("\n")) }
}
