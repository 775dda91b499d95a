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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn as_minimatch_reads_them() {
        // Pattern, what it matches, what it does not.
        for (pattern, yes, no) in [
            ("*.txt", &["a.txt", ".txt"] as &[_], &["a/b.txt", "a.txt/x"] as &[_]),
            ("**/*.txt", &["a.txt", "a/b/c.txt", ".a/b.txt"], &["a.md"]),
            ("a/**", &["a/b", "a/b/c"], &["a", "b/a"]),
            ("a/*", &["a/b", "a/.b"], &["a/b/c", "a"]),
            ("**", &["a", "a/b"], &[]),
            ("?[ab]", &["xa"], &["xc", "a", "/a"]),
            ("[!a]", &["b"], &["a", "bb"]),
            ("{a,b/*}.rs", &["a.rs", "b/c.rs"], &["b.rs"]),
            ("!*.md", &["a.txt"], &["a.md"]),
            ("#a", &[], &["#a"]),
            ("", &[""], &["a"]),
        ] {
            for path in yes {
                assert!(matches(path, pattern), "{pattern} {path}");
            }
            for path in no {
                assert!(!matches(path, pattern), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn a_plain_name_is_left_out_of_a_tree_at_any_depth() {
        for path in ["lib", "a/lib", "lib/x", "a/lib/x/y"] {
            assert!(excludes(path, "lib"), "{path}");
        }
        assert!(!excludes("a/b.txt", "*.txt") && excludes("b.txt", "*.txt") && !excludes("libs", "lib"));
    }
}
