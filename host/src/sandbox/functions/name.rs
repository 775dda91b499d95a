//! The names of tools made of exported functions: `interface_function`, or `function` at the root. The words of WIT hold
//! no `_`, so the mark is unmistakable. Pure; the same exports have the same names, in whatever order.

use std::collections::HashMap;

use crate::grants::Digest;

/// Longest name, in characters; the prefix of the plugin comes before it (`plugin/definitions.rs`).
const MAX_NAME: usize = 48;
/// Characters of the hash that ends a name which was cut.
const HASH: usize = 8;

/// Where a function is: the exported interface as it is written (`package:name/interface@version`), if it is in one,
/// and its own name.
pub(super) type Export<'a> = (Option<&'a str>, &'a str);

/// A name for each, in their order: the shortest that no other has.
pub(super) fn names(exports: &[Export<'_>]) -> Vec<String> {
    let spelled: Vec<Vec<String>> = exports.iter().map(|export| spellings(*export)).collect();
    let mut taken: HashMap<&str, usize> = HashMap::new();
    for name in spelled.iter().flatten() {
        *taken.entry(name).or_default() += 1;
    }
    let pick = |names: &Vec<String>| {
        let unique = names.iter().find(|name| taken.get(name.as_str()) == Some(&1));
        unique.or(names.last()).cloned().unwrap_or_default()
    };
    spelled.iter().map(pick).collect()
}

/// Shortest first: the interface's own name, with its package's, with the version too.
fn spellings((interface, function): Export<'_>) -> Vec<String> {
    let Some(full) = interface else { return vec![legal(function)] };
    let (path, version) = full.split_once('@').unwrap_or((full, ""));
    let words: Vec<_> = path.split([':', '/']).collect();
    let mut all: Vec<String> = (1..=words.len())
        .map(|count| legal(&format!("{}_{function}", words[words.len() - count..].join("_"))))
        .collect();
    if !version.is_empty() {
        all.push(legal(&format!("{}_{version}_{function}", words.join("_"))));
    }
    all.dedup();
    all
}

/// Of `[a-zA-Z0-9_-]`, and not too long.
fn legal(name: &str) -> String {
    let legal: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' })
        .collect();
    if legal.len() <= MAX_NAME {
        return legal;
    }
    let hash = Digest::of(name.as_bytes()).to_string();
    format!("{}-{}", &legal[..MAX_NAME - HASH - 1], &hash[..HASH])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_the_shortest_that_nobody_else_has() {
        let long = "very-long-word".repeat(5);
        let exports = [
            (None, "add"),
            (Some("docs:adder/calc@0.1.0"), "add"),
            (Some("docs:adder/more@0.1.0"), "add"),
            (Some("other:adder/more@0.1.0"), "add"),
            (Some("other:adder/more@0.2.0"), "add"),
            (Some("inline"), "add"),
            (None, long.as_str()),
        ];
        insta::assert_snapshot!(names(&exports).join("\n"));
        let mut turned = exports;
        turned.reverse();
        let mut names_turned = names(&turned);
        names_turned.reverse();
        assert_eq!(names(&exports), names_turned, "the order does not matter");
    }

    proptest! {
        #[test]
        fn names_are_legal_and_unique(
            exports in proptest::collection::hash_set(
                (proptest::option::of("[ab]:[ab]/[a-b]{1,40}(@0\\.[12]\\.0)?"), "[ab](-[ab]{1,30}){0,2}"),
                0..30,
            ),
        ) {
            let exports: Vec<_> = exports.iter().map(|(i, f)| (i.as_deref(), f.as_str())).collect();
            let names = names(&exports);
            let mut unique = names.clone();
            unique.sort();
            unique.dedup();
            prop_assert_eq!(unique.len(), names.len());
            prop_assert!(names.iter().all(|name| (1..=MAX_NAME).contains(&name.len())));
        }
    }
}
