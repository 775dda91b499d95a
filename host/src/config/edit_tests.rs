#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::fs;

use proptest::prelude::*;

use super::*;

/// A user's home with `docs` and `out` in it, and this configuration.
struct Scratch {
    _folder: tempfile::TempDir,
    root: PathBuf,
    home: Home,
    surroundings: Surroundings,
}

impl Scratch {
    fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["docs", "out", ".kennel"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let surroundings = Surroundings::new(Some(root.clone()), |_| None);
        let home = Home::locate(None, None, &surroundings).unwrap();
        fs::write(home.config_file(), config).unwrap();
        Self { _folder: folder, root, home, surroundings }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.home.config_file()).unwrap().replace(self.root.to_str().unwrap(), "~")
    }

    fn allow(&self, grants: &[Allow]) -> Result<Edited, EditError> {
        allow(&self.home, &self.surroundings, &plugin(), grants)
    }

    fn revoke(&self, grants: &[Revoke]) -> Result<Edited, EditError> {
        revoke(&self.home, &self.surroundings, &plugin(), grants)
    }

    fn said(&self, error: &EditError) -> String {
        error.to_string().replace(self.root.to_str().unwrap(), "~")
    }
}

fn plugin() -> PluginName {
    PluginName::new("fs").unwrap()
}

fn directory(path: &str, mode: Option<DirectoryMode>) -> Allow {
    Allow::Directory { path: path.to_owned(), guest: None, mode, extensions: Vec::new() }
}

fn http(url: &str, methods: &[&str]) -> Allow {
    Allow::Http { url: url.to_owned(), methods: methods.iter().map(ToString::to_string).collect() }
}

fn everything() -> Vec<Allow> {
    vec![
        Allow::Directory {
            path: "~/docs".into(),
            guest: Some("/docs".into()),
            mode: Some(DirectoryMode::ReadWrite),
            extensions: vec!["md".into()],
        },
        directory("~/out", None),
        http("https://api.example.org/v1", &[]),
        http("https://*.example.net", &["POST"]),
        Allow::Env { name: "LANG".into(), value: "C".into() },
        Allow::State("1MiB".into()),
        Allow::Elicit,
        Allow::Sample,
        Allow::Roots,
    ]
}

const WRITTEN: &str = r#"# My plugins.

new-plugins = "hold"   # be careful

# The time needs nothing.
[plugins.time]

[plugins.fs] # files
# May ask me.
elicit = true # for now
prefix = "f"

# --- directories ---

# Letters.
[[plugins.fs.directories]]
path = "~/docs" # mine
mode = "read-write"
quota = { bytes = "1MiB" }

# Results.
[[plugins.fs.directories]]
path = "~/out"

# --- the network ---

# The service.
[[plugins.fs.http]]
url = "https://api.example.org/v1"
methods = ["GET", "POST"] # both

[plugins.fs.env]
# Language.
LANG = "C"
# Zone.
TZ = "UTC"

# The end.
"#;

#[test]
fn grants_are_written_into_nothing() {
    let s = Scratch::new("");
    let edited = s.allow(&everything()).unwrap();
    assert!(edited.changed && edited.before == Grants::default());
    assert_eq!(edited.now.describe().len(), 9);
    insta::assert_snapshot!(s.text());
    // Said again, nothing is written again.
    let before = fs::metadata(s.home.config_file()).unwrap().modified().unwrap();
    assert!(!s.allow(&everything()).unwrap().changed);
    assert_eq!(fs::metadata(s.home.config_file()).unwrap().modified().unwrap(), before);
}

#[test]
fn grants_are_written_beside_what_is_there() {
    let s = Scratch::new(WRITTEN);
    s.allow(&[
        directory("~/docs", Some(DirectoryMode::ReadOnly)),
        directory("~/out", Some(DirectoryMode::ReadWrite)),
        http("https://API.example.org:443/v1/", &["PUT"]),
        http("https://new.example", &[]),
        Allow::Env { name: "LANG".into(), value: "de".into() },
        Allow::State("2MiB".into()),
        Allow::Sample,
    ])
    .unwrap();
    insta::assert_snapshot!(s.text());
}

#[test]
fn what_is_taken_back_takes_its_own_comments_only() {
    let s = Scratch::new(WRITTEN);
    let edited = s
        .revoke(&[
            Revoke::Directory("~/docs".into()),
            Revoke::Http { url: "https://api.example.org/v1".into(), methods: vec!["POST".into()] },
            Revoke::Env("LANG".into()),
            Revoke::Elicit,
        ])
        .unwrap();
    assert_eq!(edited.now.describe().len(), 3);
    insta::assert_snapshot!(s.text());
    s.revoke(&[Revoke::All]).unwrap();
    insta::assert_snapshot!(s.text());
}

#[test]
fn inline_forms_are_edited_as_they_are() {
    let s = Scratch::new(
        "[plugins]\nfs = { http = [{ url = \"http://a.example\" }, { url = \"http://b.example\" }], env = { A = \"1\" } }\n",
    );
    s.allow(&[http("http://c.example", &["PUT"]), Allow::State("1MiB".into()), Allow::Roots]).unwrap();
    s.revoke(&[
        Revoke::Http { url: "http://a.example".into(), methods: Vec::new() },
        Revoke::Env("A".into()),
    ])
    .unwrap();
    insta::assert_snapshot!(s.text());
}

#[test]
fn what_cannot_be_written_changes_nothing_and_says_why() {
    let s = Scratch::new(WRITTEN);
    let mut lines = Vec::new();
    for grants in [
        vec![directory("~/nowhere", None)],
        vec![directory("~/.kennel", None)],
        vec![Allow::Elicit, http("ftp://x", &[])],
        vec![http("https://x.example", &["get"])],
        vec![Allow::State("much".into())],
        vec![Allow::Env { name: "A B".into(), value: String::new() }],
    ] {
        lines.push(s.said(&s.allow(&grants).unwrap_err()));
    }
    for grants in [
        vec![Revoke::Directory("~/nowhere".into())],
        vec![Revoke::Elicit, Revoke::Sample],
        vec![Revoke::State],
        vec![Revoke::Env("HOME".into())],
        vec![Revoke::Http { url: "https://api.example.org/v1".into(), methods: vec!["PUT".into()] }],
    ] {
        lines.push(s.said(&s.revoke(&grants).unwrap_err()));
    }
    insta::assert_snapshot!(lines.join("\n"));
    assert_eq!(s.text(), WRITTEN);
    fs::write(s.home.config_file(), "[plugins.fs]\nelicit = 3\n").unwrap();
    assert!(matches!(s.allow(&[Allow::Sample]), Err(EditError::Config(_))));
}

#[test]
fn a_linked_configuration_stays_a_link() {
    let s = Scratch::new("");
    let kept = s.root.join("out/kennel.toml");
    fs::rename(s.home.config_file(), &kept).unwrap();
    std::os::unix::fs::symlink(&kept, s.home.config_file()).unwrap();
    s.allow(&[Allow::Elicit]).unwrap();
    assert!(fs::symlink_metadata(s.home.config_file()).unwrap().is_symlink());
    assert!(fs::read_to_string(kept).unwrap().contains("elicit = true"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is granted and taken back again, in any order: what was written before is there as it was.
    #[test]
    fn what_was_there_stays(picks in proptest::collection::vec(0..9_usize, 1..6)) {
        let s = Scratch::new("# top\n[plugins.other] # mine\nelicit = true\n\n# end\n");
        let before = s.text();
        let all = everything();
        let grants: Vec<_> = picks.iter().map(|pick| all[*pick].clone()).collect();
        for grant in &grants {
            s.allow(std::slice::from_ref(grant)).unwrap();
        }
        let written = s.text();
        for line in before.lines() {
            prop_assert!(written.contains(line), "{} is gone from {}", line, written);
        }
        let edited = s.revoke(&[Revoke::All]).unwrap();
        prop_assert_eq!(edited.now, Grants::default());
        let after = s.text();
        prop_assert_eq!(after.trim_end(), before.trim_end());
    }
}
