//! Which path a request really means, and whether it lies in a granted directory.
//! The sandbox holds on its own; this gives the reference server's answers and keeps every later call on
//! a path without links. Must not read or change a file.

use std::collections::VecDeque;
use std::fs;

use unicode_normalization::UnicodeNormalization;

use crate::failure::{Failure, system};
use crate::paths::{self, inside, join, resolve};

/// Links followed in one path, as Linux does.
const MOST_LINKS: usize = 40;

/// The directories that were granted.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    directories: Vec<String>,
    /// Those of them in which nothing may be changed.
    read_only: Vec<String>,
}

impl Access {
    /// Over these absolute paths, each with whether something may be changed in it.
    pub(crate) fn new(granted: impl IntoIterator<Item = (String, bool)>) -> Self {
        let (mut directories, mut read_only) = (Vec::new(), Vec::new());
        for (directory, writable) in granted {
            let directory = resolve("/", &directory);
            if !writable {
                read_only.push(directory.clone());
            }
            directories.push(directory);
        }
        Self { directories, read_only }
    }

    /// What the host opened for this plugin.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn granted() -> Self {
        use wasip2::filesystem::{preopens::get_directories, types::DescriptorFlags};
        Self::new(get_directories().into_iter().map(|(directory, path)| {
            // Where this cannot be told, the attempt will tell.
            let writable =
                directory.get_flags().map_or(true, |flags| flags.contains(DescriptorFlags::MUTATE_DIRECTORY));
            (path, writable)
        }))
    }

    /// Outside a component there is nothing granted.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn granted() -> Self {
        Self::new([])
    }

    /// Whether something may be changed at a path that was validated. The sandbox refuses it in any case;
    /// this says why and what to do.
    pub(crate) fn check_writable(&self, path: &str) -> Result<(), Failure> {
        match self.holding(path) {
            Some((directory, _)) if self.read_only.iter().any(|other| other == directory) => {
                Err(Failure::refused(format!(
                    "Access denied - read-only: {path} lies in {directory}, which was granted read-only; \
                     only the person who runs this can allow changes"
                )))
            }
            _ => Ok(()),
        }
    }

    /// The directories, in the order granted.
    pub(crate) fn directories(&self) -> &[String] {
        &self.directories
    }

    /// The innermost directory that holds a resolved path, and the path from there.
    fn holding<'a>(&self, path: &'a str) -> Option<(&str, &'a str)> {
        self.directories
            .iter()
            .filter_map(|directory| Some((directory.as_str(), inside(path, directory)?)))
            .max_by_key(|(directory, _)| directory.len())
    }

    fn holds(&self, path: &str) -> bool {
        !path.contains('\0') && self.holding(path).is_some()
    }

    fn outside(&self, what: &str, path: &str) -> Failure {
        let all = self.directories.join(", ");
        Failure::refused(format!("Access denied - {what} outside allowed directories: {path} not in {all}"))
    }

    /// The path that a request means: absolute, without links, in a granted directory. What does not
    /// exist yet is allowed where its nearest existing directory is.
    ///
    /// # Errors
    /// [`Failure::Refused`] for what lies outside; the system's error for what cannot be looked at.
    pub(crate) fn validate(&self, requested: &str) -> Result<String, Failure> {
        let expanded = expand_home(requested, std::env::var("HOME").ok().as_deref())?;
        if is_windows(&expanded) {
            return Err(Failure::refused(format!(
                "Access denied - Windows-style path received on a POSIX host: {requested}"
            )));
        }
        let absolute = self.absolute(&expanded);
        if !self.holds(&absolute) {
            return Err(self.outside("path", &absolute));
        }
        match self.real_path(&absolute) {
            Err(missing) if missing.is_missing() => {}
            found => return found,
        }
        self.nearest(&absolute).map_err(|error| {
            if error.is_missing() {
                let parent = paths::parent(&absolute);
                Failure::refused(format!("Parent directory does not exist: {parent}"))
            } else {
                error
            }
        })
    }

    /// A relative path is seen from the first granted directory that it does not leave.
    fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') {
            return resolve("/", path);
        }
        let mut candidates = self.directories.iter().map(|directory| resolve(directory, path));
        let first = candidates.next().unwrap_or_else(|| resolve("/", path));
        if self.holds(&first) {
            return first;
        }
        candidates.find(|candidate| self.holds(candidate)).unwrap_or(first)
    }

    /// Follows every link in `absolute`, which must be resolved and within. (The standard library's
    /// `canonicalize` does not exist under WASI, and would look above the granted directories.)
    fn real_path(&self, absolute: &str) -> Result<String, Failure> {
        let at = |error| Failure::at("realpath", absolute)(error);
        let (mut current, mut ahead) = self.start(absolute).ok_or_else(|| self.outside("path", absolute))?;
        let mut links = 0;
        while let Some(piece) = ahead.pop_front() {
            if piece == ".." {
                current = paths::parent(&current).to_owned();
                if !self.holds(&current) {
                    // It left one granted directory; perhaps it enters another, or the same again.
                    let rest = ahead.make_contiguous().join("/");
                    let target = resolve(&current, &rest);
                    (current, ahead) =
                        self.start(&target).ok_or_else(|| self.outside("symlink target", &target))?;
                }
                continue;
            }
            let next = join(&current, &piece);
            if !fs::symlink_metadata(&next).map_err(at)?.is_symlink() {
                current = next;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(at(system(libc::ELOOP)));
            }
            // The sandbox does not tell targets that are absolute: they count as outside.
            let target =
                fs::read_link(&next).ok().and_then(|target| target.into_os_string().into_string().ok());
            let Some(target) = target else { return Err(self.outside("symlink target", &next)) };
            if target.starts_with('/') {
                let rest = ahead.make_contiguous().join("/");
                let target = resolve(&resolve("/", &target), &rest);
                (current, ahead) =
                    self.start(&target).ok_or_else(|| self.outside("symlink target", &target))?;
            } else {
                for piece in paths::pieces(&target).rev() {
                    ahead.push_front(piece.to_owned());
                }
            }
        }
        Ok(current)
    }

    /// The granted directory that holds a resolved path, and the pieces from there on.
    fn start(&self, path: &str) -> Option<(String, VecDeque<String>)> {
        let (directory, rest) = self.holding(path)?;
        Some((directory.to_owned(), paths::pieces(rest).map(str::to_owned).collect()))
    }

    /// For a path that does not exist as it is spelled: the one whose pieces are canonically equivalent
    /// (file systems differ in how they keep "é"), and from the first missing piece on as requested.
    fn nearest(&self, absolute: &str) -> Result<String, Failure> {
        let Some((mut current, mut ahead)) = self.start(absolute) else {
            return Err(self.outside("path", absolute));
        };
        while let Some(piece) = ahead.pop_front() {
            let exact = join(&current, &piece);
            let found = if fs::symlink_metadata(&exact).is_ok() {
                exact
            } else {
                let mut equivalent = equivalents(&current, &piece)?;
                let Some(one) = equivalent.pop() else {
                    return Ok(ahead.iter().fold(exact, |path, piece| join(&path, piece)));
                };
                if !equivalent.is_empty() {
                    return Err(Failure::refused(format!("Ambiguous Unicode path component: {piece}")));
                }
                join(&current, &one)
            };
            current = self.real_path(&found)?;
        }
        Ok(current)
    }
}

/// The entries of a directory that are canonically equivalent to a name.
fn equivalents(directory: &str, name: &str) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(Failure::at("scandir", directory))? {
        let Ok(entry) = entry.map(|entry| entry.file_name()) else { continue };
        let Some(entry) = entry.to_str() else { continue };
        if entry.nfc().eq(name.nfc()) {
            found.push(entry.to_owned());
        }
    }
    Ok(found)
}

/// `~` at the beginning is the home folder where the plugin was told one. Where it was not, this must not
/// become a folder of that name.
fn expand_home(path: &str, home: Option<&str>) -> Result<String, Failure> {
    match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => match home {
            Some(home) => Ok(format!("{home}{rest}")),
            None => Err(Failure::refused(format!(
                "Access denied - the home folder is not known here, write the whole path: {path}"
            ))),
        },
        _ => Ok(path.to_owned()),
    }
}

/// `C:\…`, `C:/…` or `C:`.
fn is_windows(path: &str) -> bool {
    let mut chars = path.chars();
    chars.next().is_some_and(|drive| drive.is_ascii_alphabetic())
        && chars.next() == Some(':')
        && matches!(chars.next(), None | Some('/' | '\\'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::symlink;

    fn folder() -> (tempfile::TempDir, String, Access) {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap().to_str().unwrap().to_owned();
        fs::create_dir_all(join(&base, "in/deep")).unwrap();
        fs::create_dir_all(join(&base, "out")).unwrap();
        fs::write(join(&base, "in/file"), "x").unwrap();
        fs::write(join(&base, "out/secret"), "x").unwrap();
        let access = Access::new([(join(&base, "in"), true)]);
        (folder, base, access)
    }

    fn refusal(access: &Access, path: &str) -> String {
        access.validate(path).unwrap_err().to_string()
    }

    #[test]
    fn what_is_inside_is_allowed_and_the_rest_is_not() {
        let (_folder, base, access) = folder();
        let directory = join(&base, "in");
        assert_eq!(access.validate(&join(&base, "in/deep/../file")).unwrap(), join(&base, "in/file"));
        assert_eq!(access.validate("file").unwrap(), join(&base, "in/file"));
        assert_eq!(access.validate(&directory).unwrap(), directory);
        assert_eq!(access.validate("new/one").unwrap(), join(&base, "in/new/one"));
        for path in [join(&base, "out/secret"), format!("{directory}/../out/secret"), format!("{directory}x")]
        {
            let real = resolve("/", &path);
            let says = format!("Access denied - path outside allowed directories: {real} not in {directory}");
            assert_eq!(refusal(&access, &path), says);
        }
        assert_eq!(
            refusal(&access, "C:\\x"),
            "Access denied - Windows-style path received on a POSIX host: C:\\x"
        );
        assert_eq!(
            refusal(&access, &join(&base, "in/file/x")),
            format!("ENOTDIR: not a directory, realpath '{}'", join(&base, "in/file/x"))
        );
        assert!(refusal(&access, "a\0b").starts_with("Access denied - path outside"));
        assert!(refusal(&Access::new([]), "/etc").starts_with("Access denied - path outside"));
    }

    #[test]
    fn links_are_followed_as_far_as_they_stay_inside() {
        let (_folder, base, access) = folder();
        let link = |to: &str, name: &str| symlink(to, join(&base, name)).unwrap();
        link("../file", "in/deep/up");
        link("deep/up", "in/chain");
        link(&join(&base, "in/deep"), "in/absolute");
        link("../in/file", "in/around");
        link("../out/secret", "in/escape");
        link(&join(&base, "out"), "in/escape-too");
        link("loop", "in/loop");
        link("gone", "in/dangling");
        for name in ["in/deep/up", "in/chain", "in/absolute/up", "in/around"] {
            assert_eq!(access.validate(&join(&base, name)).unwrap(), join(&base, "in/file"), "{name}");
        }
        for (name, target) in [("in/escape", "out/secret"), ("in/escape-too/secret", "out/secret")] {
            let says = format!(
                "Access denied - symlink target outside allowed directories: {} not in {}",
                join(&base, target),
                join(&base, "in")
            );
            assert_eq!(refusal(&access, &join(&base, name)), says);
        }
        assert!(
            refusal(&access, "loop").starts_with("ELOOP: too many symbolic links encountered, realpath '")
        );
        assert_eq!(
            refusal(&access, "dangling"),
            format!("Parent directory does not exist: {}", join(&base, "in"))
        );
    }

    #[test]
    fn names_are_found_by_canonical_equivalence() {
        let (_folder, base, access) = folder();
        fs::write(join(&base, "in/caf\u{e9}"), "x").unwrap();
        assert_eq!(access.validate("cafe\u{301}").unwrap(), join(&base, "in/caf\u{e9}"));
        fs::write(join(&base, "in/A\u{30a}"), "x").unwrap();
        fs::write(join(&base, "in/\u{212b}"), "x").unwrap();
        assert_eq!(refusal(&access, "\u{c5}"), "Ambiguous Unicode path component: \u{c5}");
    }

    #[test]
    fn the_innermost_grant_says_whether_something_may_be_changed() {
        let granted = [("/a", false), ("/a/b", true), ("/a/b/c", false)];
        let access = Access::new(granted.map(|(path, writable)| (path.to_owned(), writable)));
        for (path, writable) in
            [("/a/x", false), ("/a/b", true), ("/a/b/x", true), ("/a/b/c/x", false), ("/a/bc", false)]
        {
            assert_eq!(access.check_writable(path).is_ok(), writable, "{path}");
        }
        assert_eq!(
            access.check_writable("/a/x").unwrap_err().to_string(),
            "Access denied - read-only: /a/x lies in /a, which was granted read-only; \
             only the person who runs this can allow changes"
        );
    }

    #[test]
    fn home_is_where_it_was_said_to_be() {
        assert_eq!(expand_home("~/x", Some("/h")).unwrap(), "/h/x");
        assert_eq!(expand_home("~", Some("/h")).unwrap(), "/h");
        assert_eq!(expand_home("~x", None).unwrap(), "~x");
        assert!(expand_home("~/x", None).unwrap_err().to_string().starts_with("Access denied"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        /// Whatever is asked for, and wherever links lead: what is allowed really lies inside.
        #[test]
        fn nothing_outside_is_ever_allowed(
            links in proptest::collection::vec(("[abc]", "(/|\\.\\./|[abc]/|in/|out/){0,4}[abc]?"), 0..5),
            asked in proptest::collection::vec("(/|\\.\\./|[abc]/|in/|out/){0,5}[abc]?", 1..8),
        ) {
            let (_folder, base, access) = folder();
            for (at, (name, target)) in links.iter().enumerate() {
                let target = target.strip_prefix('/').map_or(target.clone(), |rest| join(&base, rest));
                if !target.is_empty() {
                    let place = if at % 2 == 0 { "in" } else { "in/deep" };
                    let _ = symlink(&target, join(&join(&base, place), name));
                }
            }
            for path in asked {
                let path = path.strip_prefix('/').map_or(path.clone(), |rest| join(&base, rest));
                let Ok(allowed) = access.validate(&path) else { continue };
                let mut existing = std::path::PathBuf::from(&allowed);
                while fs::symlink_metadata(&existing).is_err() {
                    prop_assert!(existing.pop());
                }
                let real = existing.canonicalize().unwrap();
                prop_assert_eq!(&real, &existing, "a link is left in {}", allowed);
                prop_assert!(real.starts_with(join(&base, "in")), "{} leads to {}", path, real.display());
            }
        }
    }
}
