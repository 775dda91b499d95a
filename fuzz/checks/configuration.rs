//! What must hold of the configuration for any text: it reads or it has faults, each one line that names the file and a
//! line that is there; it reads the same twice; and what it grants is never Kennel's own. Shared by the fuzzer and by the
//! replay of its corpus (`host/tests/corpus/`).

use std::path::PathBuf;
use std::sync::LazyLock;

use kennel::config::{Config, Home, Surroundings};

/// A user's home in a scratch folder, with two folders to grant and one of Kennel's.
static PLACE: LazyLock<(PathBuf, Home, Surroundings)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    let root = folder.canonicalize().expect("it is there");
    for sub in ["docs", "out", ".kennel/plugins"] {
        std::fs::create_dir_all(root.join(sub)).expect("a folder in it");
    }
    let surroundings = Surroundings::new(Some(root.clone()), |name| match name {
        "PORT" => Some("8080".into()),
        "SUB" => Some("docs".into()),
        _ => None,
    });
    let home = Home::locate(None, None, &surroundings).expect("a home");
    (root, home, surroundings)
});

/// Panics when something does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (root, home, surroundings) = &*PLACE;
    let read = Config::parse(text, home, surroundings);
    let again = Config::parse(text, home, surroundings);
    match (&read, &again) {
        (Ok(one), Ok(two)) => assert_eq!(one.plugins, two.plugins, "read otherwise the second time"),
        (Err(one), Err(two)) => assert_eq!(one.to_string(), two.to_string(), "other faults the second time"),
        _ => panic!("read once and refused once: {text:?}"),
    }
    match read {
        Ok(config) => {
            for plugin in config.plugins.values() {
                for grant in &plugin.grants.directories {
                    assert!(!root.starts_with(&grant.host), "{} holds Kennel's home", grant.host.display());
                    let own = grant.host.starts_with(root.join(".kennel"));
                    assert!(!own, "{} is Kennel's own", grant.host.display());
                }
            }
        }
        Err(error) => {
            let lines = text.lines().count() + 1;
            assert!(!error.faults().is_empty(), "{error}");
            for fault in error.faults() {
                let said = fault.to_string();
                let place = format!("{}:", home.config_file().display());
                let rest = said.strip_prefix(&place).unwrap_or_else(|| panic!("no file: {said:?}"));
                let line: String = rest.chars().take_while(char::is_ascii_digit).collect();
                let line: usize = line.parse().unwrap_or_else(|_| panic!("no line: {said:?}"));
                assert!((1..=lines).contains(&line), "line {line} of {lines}: {said:?}");
                let deceives = |c: char| {
                    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
                };
                assert!(!said.contains(deceives), "not one plain line: {said:?}");
            }
        }
    }
}
