//! Which names a glob pattern matches, as npm `minimatch` with `dot: true` reads it: `*`, `?`, `**`,
//! `[…]`, `{a,b}`, `!` in front. (Not its `+(a|b)` and `{1..3}`.)
//! Must not walk directories.

/// Whether a relative path matches.
pub(crate) fn matches(path: &str, pattern: &str) -> bool {
    // A comment matches nothing; an empty pattern only an empty path.
    if pattern.starts_with('#') {
        return false;
    }
    if pattern.is_empty() {
        return path.is_empty();
    }
    fast_glob::glob_match(pattern, path)
}

/// Whether the directory tree leaves a path out: a pattern without `*` is also looked for at any depth,
/// and takes what lies below with it.
pub(crate) fn excludes(path: &str, pattern: &str) -> bool {
    matches(path, pattern)
        || (!pattern.contains('*')
            && (matches(path, &format!("**/{pattern}")) || matches(path, &format!("**/{pattern}/**"))))
}
