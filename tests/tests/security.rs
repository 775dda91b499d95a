//! `docs/security.md` says nothing that no test shows: every test it names is there, every row has one, and the versions in
//! `Cargo.lock` are those with the fixes, or a test is named that shows why it does not matter.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use kennel_tests::source_root;

fn page() -> String {
    std::fs::read_to_string(source_root().join("docs/security.md")).unwrap()
}

/// The tests that a text names, each as `` [`name`](../file.rs) ``.
fn tests(text: &str) -> Vec<(&str, &str)> {
    text.match_indices("[`")
        .filter_map(|(at, _)| {
            let (name, rest) = text[at + 2..].split_once("`](")?;
            let (file, _) = rest.split_once(')')?;
            (file.ends_with(".rs") && !name.contains('`')).then_some((name, file))
        })
        .collect()
}

/// The cells of a table's rows, by the first words of its head.
fn table<'a>(page: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let mut lines = page.lines().skip_while(|line| !line.starts_with(head));
    lines.next();
    lines
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn every_test_that_is_named_is_there() {
    let page = page();
    let named = tests(&page);
    assert!(named.len() > 80, "only {} tests are named", named.len());
    let mut faults = Vec::new();
    for (name, file) in named {
        let path = source_root().join("docs").join(file);
        match std::fs::read_to_string(&path) {
            Err(error) => faults.push(format!("{file}: {error}")),
            Ok(text) => {
                // Its own line, and before it the word that makes it a test.
                let function = format!("fn {name}(");
                let is_test = text.match_indices(&function).any(|(at, _)| {
                    let mut before = text[..at].lines().rev().take(5);
                    before.any(|line| line.contains("#[test]") || line.contains("#[tokio::test"))
                });
                if !is_test {
                    faults.push(format!("{file} has no test {name}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_promise_has_a_test() {
    let page = page();
    let rows = table(&page, "| row | attack |");
    assert!(rows.len() > 30, "{}", rows.len());
    for row in rows {
        assert!(!tests(row[3]).is_empty(), "row {} names no test", row[0]);
    }
}

fn numbers(version: &str) -> Vec<u64> {
    version
        .split('.')
        .map(|part| part.parse().unwrap_or_else(|_| panic!("{version} is no version")))
        .collect()
}

#[test]
fn the_locked_versions_have_the_fixes() {
    let lock: toml::Table =
        std::fs::read_to_string(source_root().join("Cargo.lock")).unwrap().parse().unwrap();
    let mut locked: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        locked
            .entry(package["name"].as_str().unwrap())
            .or_default()
            .push(package["version"].as_str().unwrap());
    }
    let page = page();
    let advisories = table(&page, "| advisory | crate |");
    assert!(advisories.len() > 25, "{}", advisories.len());
    for row in advisories {
        let [advisory, name, fixed, why] = row[..] else { panic!("{row:?}") };
        let versions = locked.get(name).unwrap_or_else(|| panic!("{name} is not in Cargo.lock"));
        for version in versions {
            let is_fixed = numbers(version) >= numbers(fixed);
            assert!(is_fixed || !tests(why).is_empty(), "{name} {version} has not the fix of {advisory}");
            assert!(
                is_fixed || !why.starts_with("version"),
                "{name} {version} has not the fix of {advisory}, and the page says so"
            );
        }
    }
}

/// What most advisories were in is not compiled in: neither for the host nor by anything that shares its build.
#[test]
fn the_engine_is_lean() {
    let workspace: toml::Table =
        std::fs::read_to_string(source_root().join("Cargo.toml")).unwrap().parse().unwrap();
    let dependencies = &workspace["workspace"]["dependencies"];
    let lean: [(&str, &[&str]); 3] = [
        (
            "wasmtime",
            &[
                "std",
                "runtime",
                "cranelift",
                "component-model",
                "async",
                "pooling-allocator",
                "parallel-compilation",
                "call-hook",
            ],
        ),
        ("wasmtime-wasi", &["p2"]),
        ("wasmtime-wasi-http", &["p2"]),
    ];
    for (name, allowed) in lean {
        let dependency = &dependencies[name];
        assert_eq!(dependency["default-features"].as_bool(), Some(false), "{name}");
        for feature in dependency["features"].as_array().unwrap() {
            assert!(allowed.contains(&feature.as_str().unwrap()), "{name} with {feature}");
        }
    }
}
