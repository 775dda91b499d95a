//! Shows that a plugin holds nothing it does not need: everything granted, it works; without any one grant, it fails.
//! It must not know what a plugin does.

use crate::client::Client;
use crate::home::Home;

/// Serves the plugin in a fresh home with all `grants` (a name for messages, and lines of `kennel.toml`) after `first`,
/// and then without each in turn (`secrets` are not there without `http`). `secret` is a variable of the host's. `works` says by an error that something failed.
///
/// # Panics
/// When it fails with all grants, or does not without one of them.
#[track_caller]
pub fn each_grant_is_needed(
    plugin: &str,
    first: &str,
    grants: &[(&str, String)],
    secret: Option<(&str, &str)>,
    works: impl Fn(&Client) -> Result<(), String>,
) {
    assert!(!grants.is_empty(), "`{plugin}` is said to need no grant");
    let run = |without: Option<usize>| {
        let mut home = Home::new(plugin);
        if let Some((name, value)) = secret {
            home = home.env(name, value);
        }
        // A secret is for a place that is granted: without the place there can be no secret either.
        let no_place = without.is_some_and(|at| grants[at].0 == "http");
        let kept = grants
            .iter()
            .enumerate()
            .filter(|(at, (name, _))| Some(*at) != without && !(no_place && *name == "secrets"));
        let lines: String = kept.map(|(_, (_, lines))| lines.as_str()).collect();
        home.plugin(plugin).config(&format!("{first}{lines}")).approve();
        let client = home.serve();
        client.initialize();
        works(&client)
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
