//! Which directories were granted, and whether a repository lies in one of them.
//! The sandbox holds on its own; this gives the original's words. Must not open anything.

use crate::failure::{Failure, Result};

/// The directories that the host opened for this plugin.
#[cfg(target_arch = "wasm32")]
fn granted() -> Vec<String> {
    wasip2::filesystem::preopens::get_directories().into_iter().map(|(_, path)| path).collect()
}

/// Outside a component there is nothing granted.
#[cfg(not(target_arch = "wasm32"))]
fn granted() -> Vec<String> {
    Vec::new()
}

/// Refuses a repository outside what was granted. Gives its path as Python's `os.path.abspath` would.
pub(crate) fn check(repo_path: &str) -> Result<String> {
    check_within(repo_path, &granted())
}

fn check_within(repo_path: &str, granted: &[String]) -> Result<String> {
    if repo_path.contains('\0') {
        return Err(Failure::new("embedded null byte"));
    }
    if granted.is_empty() {
        return Err(Failure::new(
            "no repository may be opened: grant this plugin a directory ([[plugins.git.directories]] in kennel.toml)",
        ));
    }
    let path = absolute(repo_path);
    let within = |directory: &String| {
        path.strip_prefix(directory.trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if granted.iter().any(within) {
        return Ok(path);
    }
    Err(Failure::new(format!(
        "Repository path '{}' is outside the allowed repository '{}'",
        shown(repo_path),
        granted.join("', '")
    )))
}

/// A path without `.`, `..` and doubled slashes; what is relative is so to the root.
pub(crate) fn absolute(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// A path as Python's `pathlib` shows it.
fn shown(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let root = if path.starts_with('/') { "/" } else { "" };
    let shown = format!("{root}{}", parts.join("/"));
    if shown.is_empty() { ".".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn only_what_was_granted() {
        let granted = ["/home/ada/project".to_owned()];
        for path in
            ["/home/ada/project", "/home/ada/project/", "/home/ada/project/sub/..", "/home//ada/./project/x"]
        {
            assert!(check_within(path, &granted).is_ok(), "{path}");
        }
        for path in
            ["/home/ada/projects", "/home/ada/project/../other", "project", "", "/", "/home/ada/project\0"]
        {
            assert!(check_within(path, &granted).is_err(), "{path}");
        }
        assert_eq!(
            check_within("other/", &granted).unwrap_err().0,
            "Repository path 'other' is outside the allowed repository '/home/ada/project'"
        );
        assert!(check_within("/x", &[]).unwrap_err().0.contains("grant this plugin a directory"));
    }
}
