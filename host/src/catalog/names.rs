//! Which public names a plugin may have beside those that others have: none that is taken, that looks like one, or that
//! begins like another plugin's. Knows names only.

use std::collections::HashMap;

/// Prefixes that are Kennel's own, or that clients give to what is not a plugin's.
const RESERVED: [&str; 2] = ["kennel", "mcp"];

/// The names given away so far, of tools or of prompts.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// What a name looks like → whose it is, and all of that plugin's names that look so.
    taken: HashMap<String, (String, Vec<String>)>,
    /// What a prefix looks like → whose it is.
    prefixes: HashMap<String, String>,
}

impl Names {
    /// From now on names that begin with this prefix and `__` are this plugin's.
    pub(super) fn claim(&mut self, prefix: &str, plugin: &str) {
        if !prefix.is_empty() {
            self.prefixes.entry(looks(prefix)).or_insert_with(|| plugin.to_owned());
        }
    }

    /// Gives a public name to a plugin whose names begin with `prefix`.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub(super) fn give(&mut self, name: &str, prefix: &str, plugin: &str) -> Result<(), String> {
        let advice = "set another `prefix` in kennel.toml";
        for (at, _) in name.match_indices("__") {
            let head = looks(&name[..at]);
            if guarded!("reserved-names", RESERVED.contains(&head.as_str())) {
                return Err(format!("names that begin with \"{head}__\" are reserved; {advice}"));
            }
            // A prefix that a person gave is this plugin's whatever it begins with.
            let owner = self.prefixes.get(&head).filter(|owner| at > prefix.len() && *owner != plugin);
            if let Some(owner) = owner.filter(|_| guarded!("prefixes", true)) {
                return Err(format!("{name:?} begins like the tools of plugin `{owner}`; {advice}"));
            }
        }
        let (owner, taken) = self.taken.entry(looks(name)).or_insert_with(|| (plugin.to_owned(), Vec::new()));
        if guarded!("names", taken.iter().any(|taken| taken == name)) {
            return Err(format!("{name:?} belongs to plugin `{owner}`; {advice}"));
        }
        // What a plugin calls its own tools is its own business.
        if guarded!("like-names", owner != plugin) {
            let like = taken.first().map(String::as_str).unwrap_or_default();
            return Err(format!("{name:?} looks like {like:?} of plugin `{owner}`; {advice}"));
        }
        taken.push(name.to_owned());
        Ok(())
    }
}

/// The same for all names that a person, a model or a client may take for each other. Names are of `[A-Za-z0-9_-]`, so
/// this is what is left of Unicode's confusables (TR39), with the case and the marks that some clients fold.
fn looks(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        let c = match c.to_ascii_lowercase() {
            '-' => '_',
            '0' => 'o',
            '1' | 'i' => 'l',
            c => c,
        };
        if !(c == '_' && out.ends_with('_')) {
            out.push(c);
        }
    }
    out.replace("rn", "m").replace("vv", "w")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn owned() -> Names {
        let mut names = Names::default();
        names.claim("files", "files");
        names.give("files__read", "files", "files").unwrap();
        names.claim("", "old");
        names.give("remind_all", "", "old").unwrap();
        names
    }

    #[test]
    fn what_another_has_looks_like_or_begins_like_is_not_given() {
        let refused: Vec<_> = [
            ("remind_all", ""),
            ("Remind_All", ""),
            ("remind-all", ""),
            ("rem1nd_a1l", ""),
            ("rernind__all", ""),
            ("files__read", ""),
            ("files__write", ""),
            ("FILES__delete", ""),
            ("fi1es__read", "fi1es"),
            ("kennel__approve", ""),
            ("mcp__x__y", "mcp"),
        ]
        .map(|(name, prefix)| owned().give(name, prefix, "new").expect_err(name))
        .to_vec();
        // A prefix is a person's choice: `fi1es` only loses the names that look like another's.
        assert!(owned().give("fi1es__other", "fi1es", "new").is_ok());
        insta::assert_snapshot!(refused.join("\n"));
    }

    #[test]
    fn ones_own_names_are_ones_own_business() {
        let mut names = owned();
        names.give("files__Read", "files", "files").unwrap();
        names.give("files__read-it__all", "files", "files").unwrap();
        assert!(names.give("files__read", "files", "files").is_err(), "the very same twice");
        names.give("time__now", "time", "time").unwrap();
    }

    proptest! {
        /// Whatever two plugins call their tools, no two names given away are the same to who folds case and marks.
        #[test]
        fn no_two_plugins_share_what_a_name_looks_like(
            all in proptest::collection::vec(("[aAiI1lL0oOrnm_-]{1,6}", 0_usize..3), 1..40),
        ) {
            let mut names = Names::default();
            let mut given: Vec<(String, usize)> = Vec::new();
            for (name, plugin) in all {
                if names.give(&name, "", &plugin.to_string()).is_ok() {
                    for (other, owner) in &given {
                        prop_assert!(other != &name && (*owner == plugin || looks(other) != looks(&name)));
                    }
                    given.push((name, plugin));
                }
            }
        }
    }
}
