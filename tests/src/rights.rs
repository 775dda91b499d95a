//! Shows that a plugin holds nothing it does not need: everything granted, it works; without any one grant, it fails.
//! It must not know what a plugin does.

use crate::home::Home;

/// Runs `works` in a fresh home with all `grants` (a name for messages, and lines of `kennel.toml`) after `first`, and
/// then without each in turn. `works` says by an error that something failed.
///
/// # Panics
/// When it fails with all grants, or does not without one of them.
#[track_caller]
pub fn each_grant_is_needed(
    plugin: &str,
    first: &str,
    grants: &[(&str, String)],
    works: impl Fn(&Home) -> Result<(), String>,
) {
    assert!(!grants.is_empty(), "`{plugin}` is said to need no grant");
    let run = |without: Option<usize>| {
        let home = Home::new(plugin);
        let kept = grants.iter().enumerate().filter(|(at, _)| Some(*at) != without);
        let lines: String = kept.map(|(_, (_, lines))| lines.as_str()).collect();
        home.plugin(plugin).config(&format!("{first}{lines}")).approve();
        works(&home)
    };
    if let Err(why) = run(None) {
        panic!("`{plugin}` fails with all its grants: {why}");
    }
    for (at, (name, _)) in grants.iter().enumerate() {
        assert!(
            run(Some(at)).is_err(),
            "`{plugin}` works without its grant `{name}`, so it does not need it"
        );
    }
}
