//! Whether a plugin needs what it is granted: its work is done with all grants, and fails without any one of them.
//! It must not know any one plugin.

use crate::client::Client;
use crate::home::Home;

/// Does the work with all grants, and then without each in turn, in a home of its own each time.
///
/// `grants` are tables of `kennel.toml` under names for messages; `common` is what stands before them. `work` says what went
/// wrong, which must be nothing with all grants.
#[track_caller]
pub fn each_grant_is_needed(
    plugin: &str,
    common: &str,
    grants: &[(&str, String)],
    work: impl Fn(&Client) -> Result<(), String>,
) {
    let attempt = |without: Option<usize>| {
        let home = Home::new("needed");
        let kept = grants.iter().enumerate().filter(|(at, _)| Some(*at) != without);
        let config = kept.fold(common.to_owned(), |config, (_, (_, lines))| format!("{config}\n{lines}\n"));
        home.plugin(plugin).config(&config).approve();
        let client = home.serve();
        client.initialize();
        work(&client)
    };
    if let Err(error) = attempt(None) {
        panic!("`{plugin}` fails with all of its grants: {error}");
    }
    for (at, (name, _)) in grants.iter().enumerate() {
        match attempt(Some(at)) {
            Ok(()) => panic!("`{plugin}` does its work without the grant of {name}"),
            Err(error) => eprintln!("without {name}: {error}"),
        }
    }
}
