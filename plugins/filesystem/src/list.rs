//! Lists directories: plain, with sizes, as a tree, and what matches a pattern.
//! Links are not followed, and only named where they lead inside: what `access` says of them counts. What
//! is no link lies where its directory lies, and is not looked at again.
//! Must not read contents.

use std::fs;

use serde::Serialize;

use crate::access::Access;
use crate::collate;
use crate::failure::Failure;
use crate::format::{pad_end, pad_start, size};
use crate::glob;
use crate::paths::{self, inside, join};

/// An entry of a directory; a link is not what it points to.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) is_directory: bool,
    is_link: bool,
}

/// The entries of a directory in the order of their bytes, as Node.js gives them. A name that is not
/// UTF-8 cannot be asked for and is left out.
pub(crate) fn entries(path: &str) -> Result<Vec<Entry>, Failure> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path).map_err(Failure::at("scandir", path))? {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.raw_os_error() == Some(libc::EILSEQ) => continue,
            Err(error) => return Err(Failure::at("scandir", path)(error)),
        };
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().map_err(Failure::at("lstat", &join(path, &name)))?;
        all.push(Entry { name, is_directory: kind.is_dir(), is_link: kind.is_symlink() });
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

fn tag(entry: &Entry) -> &'static str {
    if entry.is_directory { "[DIR]" } else { "[FILE]" }
}

/// One entry a line.
pub(crate) fn plain(path: &str) -> Result<String, Failure> {
    let lines =
        entries(path)?.iter().map(|entry| format!("{} {}", tag(entry), entry.name)).collect::<Vec<_>>();
    Ok(lines.join("\n"))
}

/// One entry a line with its size, and a summary.
pub(crate) fn with_sizes(path: &str, by_size: bool) -> Result<String, Failure> {
    let mut all = entries(path)?
        .into_iter()
        .map(|entry| {
            // What cannot be looked at, such as a link out of the directory, counts as empty.
            let bytes = fs::metadata(join(path, &entry.name)).map_or(0, |found| found.len());
            (entry, bytes)
        })
        .collect::<Vec<_>>();
    if by_size {
        all.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    } else {
        all.sort_by(|(one, _), (other, _)| collate::compare(&one.name, &other.name));
    }
    let mut lines = Vec::new();
    let (mut files, mut directories, mut total) = (0_u64, 0_u64, 0_u64);
    for (entry, bytes) in &all {
        let column = if entry.is_directory {
            directories += 1;
            String::new()
        } else {
            files += 1;
            total = total.saturating_add(*bytes);
            pad_start(&size(*bytes), 10)
        };
        lines.push(format!("{} {} {column}", tag(entry), pad_end(&entry.name, 30)));
    }
    lines.push(String::new());
    lines.push(format!("Total: {files} files, {directories} directories"));
    lines.push(format!("Combined size: {}", size(total)));
    Ok(lines.join("\n"))
}

/// An entry of a tree.
#[derive(Serialize)]
struct Node {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    children: Option<Vec<Node>>,
}

/// Everything below a directory, as JSON.
pub(crate) fn tree(access: &Access, path: &str, exclude: &[String]) -> Result<String, Failure> {
    let root = access.validate(path)?;
    let nodes = branch(&root, &root, exclude)?;
    serde_json::to_string_pretty(&nodes).map_err(|error| Failure::refused(error.to_string()))
}

fn branch(root: &str, path: &str, exclude: &[String]) -> Result<Vec<Node>, Failure> {
    let mut nodes = Vec::new();
    for entry in entries(path)? {
        let below = join(path, &entry.name);
        let relative = inside(&below, root).unwrap_or(&below);
        if exclude.iter().any(|pattern| glob::excludes(relative, pattern)) {
            continue;
        }
        let children = if entry.is_directory { Some(branch(root, &below, exclude)?) } else { None };
        let kind = if entry.is_directory { "directory" } else { "file" };
        nodes.push(Node { name: entry.name, kind, children });
    }
    Ok(nodes)
}

/// The paths of everything below `root` that matches, a directory before what is in it.
pub(crate) fn search(
    access: &Access,
    root: &str,
    pattern: &str,
    exclude: &[String],
) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    look_below(access, root, root, pattern, exclude, &mut found)?;
    Ok(found)
}

fn look_below(
    access: &Access,
    root: &str,
    path: &str,
    pattern: &str,
    exclude: &[String],
    found: &mut Vec<String>,
) -> Result<(), Failure> {
    for entry in entries(path)? {
        let full = join(path, &entry.name);
        if entry.is_link && access.validate(&full).is_err() {
            continue;
        }
        let relative = inside(&full, root).unwrap_or(&full);
        if exclude.iter().any(|pattern| glob::matches(relative, pattern)) {
            continue;
        }
        let (descend, name) = (entry.is_directory, full.clone());
        if glob::matches(relative, pattern) {
            found.push(full);
        }
        if descend {
            // A directory that cannot be read hides only what is in it.
            let _ = look_below(access, root, &name, pattern, exclude, found);
        }
    }
    Ok(())
}

/// Paths that begin with what was typed, for a person who fills one in: entries of the directory typed so
/// far, with a slash behind directories; without one, the granted directories.
pub(crate) fn complete(access: &Access, typed: &str) -> Vec<String> {
    let granted = access.directories().iter().map(|directory| format!("{directory}/"));
    let mut all: Vec<String> = granted.filter(|directory| directory.starts_with(typed)).collect();
    if let Some((directory, begun)) = typed.rsplit_once('/')
        && let Ok(real) = access.validate(if directory.is_empty() { "/" } else { directory })
    {
        for entry in entries(&real).unwrap_or_default() {
            if entry.name.starts_with(begun) {
                let slash = if entry.is_directory { "/" } else { "" };
                all.push(format!("{directory}/{}{slash}", entry.name));
            }
        }
    }
    all.sort_by(|one, other| collate::compare(paths::name(one), paths::name(other)));
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// A directory with files, a link out of it and a link that leads nowhere.
    fn folder() -> (tempfile::TempDir, String, Access) {
        let folder = tempfile::tempdir().unwrap();
        let outer = folder.path().canonicalize().unwrap().to_str().unwrap().to_owned();
        let base = join(&outer, "in");
        fs::create_dir_all(join(&base, "B/deep")).unwrap();
        fs::write(join(&base, "B/deep/x.rs"), [0; 1536]).unwrap();
        fs::write(join(&base, "a.rs"), "x").unwrap();
        fs::write(join(&outer, "secret.rs"), "secret").unwrap();
        std::os::unix::fs::symlink("../secret.rs", join(&base, "out.rs")).unwrap();
        std::os::unix::fs::symlink("nowhere", join(&base, "gone")).unwrap();
        let access = Access::new([(base.clone(), true)]);
        (folder, base, access)
    }

    #[test]
    fn plain_and_with_sizes() {
        let (_folder, base, _) = folder();
        assert_eq!(plain(&base).unwrap(), "[DIR] B\n[FILE] a.rs\n[FILE] gone\n[FILE] out.rs");
        let deep = with_sizes(&join(&base, "B/deep"), false).unwrap();
        assert_eq!(
            deep,
            "[FILE] x.rs                              1.50 KB\n\nTotal: 1 files, 0 directories\nCombined size: 1.50 KB"
        );
        let names = with_sizes(&base, false).unwrap();
        assert!(names.starts_with("[FILE] a.rs") && names.contains("\nTotal: 3 files, 1 directories\n"));
        assert!(
            plain(&join(&base, "a.rs"))
                .unwrap_err()
                .to_string()
                .starts_with("ENOTDIR: not a directory, scandir '")
        );
    }

    #[test]
    fn trees_and_searches_stay_inside() {
        let (_folder, base, access) = folder();
        let tree: serde_json::Value =
            serde_json::from_str(&tree(&access, &base, &["gone".into()]).unwrap()).unwrap();
        let deep = serde_json::json!([{ "name": "x.rs", "type": "file" }]);
        let inner = serde_json::json!([{ "name": "deep", "type": "directory", "children": deep }]);
        assert_eq!(
            tree,
            serde_json::json!([
                { "name": "B", "type": "directory", "children": inner },
                { "name": "a.rs", "type": "file" },
                { "name": "out.rs", "type": "file" },
            ])
        );
        let found = search(&access, &base, "**/*.rs", &[]).unwrap();
        assert_eq!(found, [join(&base, "B/deep/x.rs"), join(&base, "a.rs")]);
        assert_eq!(
            search(&access, &base, "**", &["B".into(), "gone".into()]).unwrap(),
            [join(&base, "a.rs")]
        );
    }

    #[test]
    fn completes_directories_then_entries() {
        let (_folder, base, access) = folder();
        assert_eq!(complete(&access, ""), [format!("{base}/")]);
        assert_eq!(complete(&access, &format!("{base}/B")), [format!("{base}/B/")]);
        assert_eq!(complete(&access, &format!("{base}/B/deep/")), [format!("{base}/B/deep/x.rs")]);
        assert!(complete(&access, &format!("{base}/../")).is_empty());
    }
}
