//! The list of guards is the truth: each has its place in the sources, a row, and tests that are there; and the host that
//! people run has no switch for any of them. That the tests turn red without them is for `cargo xtask mutate-guards`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kennel_tests::guards::{SWITCH, read};
use kennel_tests::{kennel_bin, source_root};

/// All sources below a folder, with their texts.
fn sources(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.insert(path, text);
        }
    }
    found
}

/// The names in `guarded!("…"` of a source.
fn named(source: &str) -> impl Iterator<Item = &str> {
    source.match_indices("guarded!(").filter_map(|(at, call)| {
        let rest = source[at + call.len()..].trim_start().strip_prefix('"')?;
        rest.split_once('"').map(|(name, _)| name)
    })
}

#[test]
fn every_guard_is_in_the_list_and_in_the_sources() {
    let listed: BTreeSet<String> = read(&source_root()).unwrap().into_keys().collect();
    let mut placed = BTreeSet::new();
    for (path, text) in sources(&source_root().join("host/src")) {
        if !path.ends_with("src/guard.rs") {
            placed.extend(named(&text).map(str::to_owned));
        }
    }
    assert_eq!(placed, listed, "tests/guards.toml and the sources name different guards");
    assert!(listed.len() > 100, "{}", listed.len());
}

#[test]
fn every_test_of_a_guard_is_there() {
    let files = sources(&source_root());
    let mut faults = Vec::new();
    for (name, guard) in read(&source_root()).unwrap() {
        if guard.tests.is_empty() {
            faults.push(format!("{name} has no test"));
        }
        for test in &guard.tests {
            let (binary, _) = test.split_once("::").unwrap();
            let function = format!("fn {}(", test.rsplit("::").next().unwrap());
            let of_binary = |path: &Path| match binary {
                "kennel" => path.starts_with(source_root().join("host/src")),
                "stdio" => path.starts_with(source_root().join("host/tests/stdio")),
                file => path == source_root().join("tests/tests").join(file).with_extension("rs"),
            };
            if !files.iter().any(|(path, text)| of_binary(path) && text.contains(&function)) {
                faults.push(format!("{name}: there is no test {test}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// An ordinary build has nothing that could switch a guard off: not even the name of the variable is in it.
#[test]
fn the_host_has_no_switches() {
    let binary = std::fs::read(kennel_bin()).unwrap();
    let holds = |text: &str| binary.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("KENNEL_HOME"), "texts of the binary are not found this way");
    assert!(!holds(SWITCH), "this kennel was built with the feature `mutate`");
}
