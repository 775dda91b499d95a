//! Which path a request means, and whether it lies in a granted directory. The sandbox holds on its own; this says
//! what there is instead of a bare refusal. Must not read or change a file.

use std::fs;

use kennel_sdk::{Error, Result};

/// How many of the granted directories a refusal names.
const NAMED: usize = 4;

/// The directories that were granted, as this plugin sees them.
#[derive(Debug)]
pub(crate) struct Access {
    directories: Vec<Granted>,
}

#[derive(Debug)]
struct Granted {
    path: String,
    writable: bool,
}

impl Access {
    /// Over these absolute paths, each with whether something may be changed in it.
    pub(crate) fn new(granted: impl IntoIterator<Item = (String, bool)>) -> Self {
        let directories = granted
            .into_iter()
            .map(|(path, writable)| Granted { path: normal("/", &path), writable })
            .collect();
        Self { directories }
    }

    /// What the host opened for this plugin.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn granted() -> Self {
        use wasip2::filesystem::{preopens::get_directories, types::DescriptorFlags};
        Self::new(get_directories().into_iter().map(|(directory, path)| {
            // Where this cannot be told, the attempt will tell.
            let flags = directory.get_flags();
            (path, flags.map_or(true, |flags| flags.contains(DescriptorFlags::MUTATE_DIRECTORY)))
        }))
    }

    /// Outside a component there is nothing granted.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn granted() -> Self {
        Self::new([])
    }

    /// The absolute path that a request means. A relative one is seen from the first granted directory that has it,
    /// else from the first one.
    ///
    /// # Errors
    /// When it lies outside all granted directories, or there are none.
    pub(crate) fn resolve(&self, requested: &str) -> Result<String> {
        let Some(first) = self.directories.first() else { return Err(nothing_granted()) };
        let path = if requested.starts_with('/') {
            normal("/", requested)
        } else {
            let all = self.directories.iter().map(|directory| normal(&directory.path, requested));
            let mut there =
                all.filter(|path| self.holding(path).is_some() && fs::symlink_metadata(path).is_ok());
            there.next().unwrap_or_else(|| normal(&first.path, requested))
        };
        if requested.contains('\0') || self.holding(&path).is_none() {
            let shown = path.replace('\0', "\u{fffd}");
            return Err(Error::denied(format!(
                "{shown} is outside the granted directories: {}",
                self.named()
            )));
        }
        Ok(path)
    }

    /// Where to look when no path was given: everywhere.
    ///
    /// # Errors
    /// When nothing is granted.
    pub(crate) fn everywhere(&self) -> Result<Vec<String>> {
        if self.directories.is_empty() {
            return Err(nothing_granted());
        }
        // One that lies in another would be looked at twice.
        let outermost = self.directories.iter().enumerate().filter(|(at, directory)| {
            !self.directories.iter().enumerate().any(|(other_at, other)| {
                is_inside(&directory.path, &other.path) && (other.path != directory.path || other_at < *at)
            })
        });
        Ok(outermost.map(|(_, directory)| directory.path.clone()).collect())
    }

    /// Whether something may be changed at a path that was resolved. The sandbox refuses it in any case; this says why.
    ///
    /// # Errors
    /// When its directory was granted read-only.
    pub(crate) fn check_writable(&self, path: &str) -> Result<()> {
        match self.holding(path) {
            Some(directory) if !directory.writable => Err(Error::denied(format!(
                "{path} cannot be changed: {} was granted read-only, and only the person who runs this can allow more",
                directory.path
            ))),
            _ => Ok(()),
        }
    }

    /// The innermost directory that holds a path.
    fn holding(&self, path: &str) -> Option<&Granted> {
        let holding = self.directories.iter().filter(|directory| is_inside(path, &directory.path));
        holding.max_by_key(|directory| directory.path.len())
    }

    fn named(&self) -> String {
        let names: Vec<_> =
            self.directories.iter().take(NAMED).map(|directory| directory.path.as_str()).collect();
        let more = self.directories.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", names.join(", "))
    }
}

fn nothing_granted() -> Error {
    Error::denied("no directory is granted; the person who runs this grants one in kennel.toml")
}

/// `path` seen from `base`, with `.` and `..` worked in: absolute, no slash at the end.
fn normal(base: &str, path: &str) -> String {
    let mut stack: Vec<&str> = Vec::new();
    let before = if path.starts_with('/') { "" } else { base };
    for piece in before.split('/').chain(path.split('/')) {
        match piece {
            "" | "." => {}
            ".." => drop(stack.pop()),
            piece => stack.push(piece),
        }
    }
    format!("/{}", stack.join("/"))
}

fn is_inside(path: &str, directory: &str) -> bool {
    directory == "/"
        || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn access() -> Access {
        Access::new([
            ("/work/a/".to_owned(), true),
            ("/work/b".to_owned(), false),
            ("/work/b/c".to_owned(), true),
        ])
    }

    #[test]
    fn what_is_inside_is_taken_and_the_rest_refused() {
        for (requested, path) in [
            ("/work/a", "/work/a"),
            ("/work/a/../b/./x/", "/work/b/x"),
            ("x/../y", "/work/a/y"),
            ("../b/x", "/work/b/x"),
            (".", "/work/a"),
            ("", "/work/a"),
        ] {
            assert_eq!(access().resolve(requested).unwrap(), path);
        }
        for requested in ["/", "/work/ab", "../../etc/passwd", "/work/a/../../etc", "..", "/work/a/x\0"] {
            let why = access().resolve(requested).unwrap_err().to_string();
            assert!(
                why.ends_with("is outside the granted directories: /work/a, /work/b, /work/b/c"),
                "{why}"
            );
            assert!(!why.contains('\0'));
        }
        let why = Access::new([]).resolve("/x").unwrap_err().to_string();
        assert!(why.starts_with("no directory is granted"), "{why}");
        assert!(Access::new([("/".to_owned(), true)]).resolve("/anything").is_ok());
    }

    #[test]
    fn a_relative_path_is_found_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap().to_str().unwrap().to_owned();
        fs::create_dir_all(format!("{base}/one")).unwrap();
        fs::create_dir_all(format!("{base}/two")).unwrap();
        fs::write(format!("{base}/two/x"), "").unwrap();
        let access = Access::new([(format!("{base}/one"), true), (format!("{base}/two"), true)]);
        assert_eq!(access.resolve("x").unwrap(), format!("{base}/two/x"));
        assert_eq!(access.resolve("new").unwrap(), format!("{base}/one/new"));
    }

    #[test]
    fn the_innermost_grant_counts() {
        assert!(access().check_writable("/work/a/x").is_ok());
        assert!(access().check_writable("/work/b/c/x").is_ok());
        let why = access().check_writable("/work/b/x").unwrap_err().to_string();
        assert!(why.contains("/work/b was granted read-only"), "{why}");
        assert_eq!(access().everywhere().unwrap(), ["/work/a", "/work/b"]);
        assert!(Access::new([]).everywhere().is_err());
        let twice = Access::new([("/a".to_owned(), true), ("/a".to_owned(), true)]);
        assert_eq!(twice.everywhere().unwrap(), ["/a"]);
    }
}
