//! POSIX paths as text, as `node:path` computes with them: resolving, joining, what lies within what.
//! Must not look at a disk: links are `access`'s matter.

/// The pieces of a path: what stands between slashes, without empty ones and `.`.
pub(crate) fn pieces(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|piece| !piece.is_empty() && *piece != ".")
}

/// `path` seen from the absolute path `base`, with `.` and `..` worked in: absolute, no slash at the end.
pub(crate) fn resolve(base: &str, path: &str) -> String {
    let mut stack: Vec<&str> = Vec::new();
    let before = if path.starts_with('/') { "" } else { base };
    for piece in pieces(before).chain(pieces(path)) {
        if piece == ".." {
            stack.pop();
        } else {
            stack.push(piece);
        }
    }
    format!("/{}", stack.join("/"))
}

/// An entry of a directory.
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.ends_with('/') { format!("{directory}{name}") } else { format!("{directory}/{name}") }
}

/// What is left of `path` behind `directory`, both resolved; none when it lies elsewhere.
pub(crate) fn inside<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    if directory == "/" {
        return path.strip_prefix('/');
    }
    match path.strip_prefix(directory)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

/// The directory a path is in.
pub(crate) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        None | Some(("", _)) => "/",
        Some((parent, _)) => parent,
    }
}

/// The last piece of a path.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// From the last dot of the name on, in lower case; empty for `name` and `.name`.
pub(crate) fn extension(path: &str) -> String {
    match name(path).rfind('.') {
        None | Some(0) => String::new(),
        Some(dot) => name(path)[dot..].to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_node_does() {
        for (base, path, all) in [
            ("/a", "b/../../c", "/c"),
            ("/a", "/x//y/./z/", "/x/y/z"),
            ("/a", "", "/a"),
            ("/a", "../../..", "/"),
            ("/", "b", "/b"),
        ] {
            assert_eq!(resolve(base, path), all, "{base} {path}");
        }
        assert_eq!((parent("/a/b"), parent("/a"), parent("/")), ("/a", "/", "/"));
        assert_eq!([".hidden", "a.TXT", "a.", "a", "a.b/c"].map(extension), ["", ".txt", ".", "", ""]);
        assert_eq!(inside("/a/b", "/a"), Some("b"));
        assert_eq!(inside("/ab", "/a"), None);
        assert_eq!(inside("/a", "/a"), Some(""));
        assert_eq!(inside("/a", "/"), Some("a"));
    }

    proptest! {
        // The standard library, which parts paths by components, is the judge.
        #[test]
        fn inside_is_what_starts_with_it(path in "(/[ab.]{0,3}){0,5}", directory in "(/[ab.]{0,3}){0,3}") {
            let (path, directory) = (resolve("/", &path), resolve("/", &directory));
            prop_assert!(!path.split('/').any(|piece| piece == ".."));
            let rest = inside(&path, &directory);
            prop_assert_eq!(rest.is_some(), std::path::Path::new(&path).starts_with(&directory));
            if let Some(rest) = rest {
                prop_assert_eq!(resolve(&directory, rest), path);
            }
        }
    }
}
