#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::fs;

use proptest::prelude::*;

use super::scratch::Scratch;
use super::*;

impl Scratch {
    fn allow(&self, grants: &[Allow]) -> Result<Edited, EditError> {
        allow(&self.home, &self.surroundings, &plugin(), grants)?.write()
    }

    fn revoke(&self, grants: &[Revoke]) -> Result<Edited, EditError> {
        revoke(&self.home, &self.surroundings, &plugin(), grants)?.write()
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
    Allow::Http {
        url: url.to_owned(),
        methods: methods.iter().map(ToString::to_string).collect(),
        private: false,
    }
}

fn socket(kind: SocketKind, to: &str, private: bool) -> Allow {
    Allow::Socket { kind, to: to.to_owned(), private }
}

fn exposed(name: &str) -> Allow {
    Allow::Secret(SecretText {
        name: name.into(),
        from: Some("env:HERS".into()),
        expose: true,
        ..SecretText::default()
    })
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
        socket(SocketKind::Tcp, "db.example.org:5432", true),
        socket(SocketKind::Udp, "[2001:db8::1]:53", false),
        Allow::Resolve("*.example.org".into()),
        Allow::Resolve("example.net".into()),
        exposed("PASSWORD"),
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
    assert_eq!(edited.now.describe().len(), 14);
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
fn sockets_and_names_are_one_place_each_however_they_are_spelled() {
    let s = Scratch::new(
        "[plugins.fs]\nresolve = [\"a.example\", # mine\n  \"b.example\"]\n# The database.\n[[plugins.fs.tcp]]\n\
         to = \"DB.example.:5432\" # here\n[[plugins.fs.tcp]]\nto = \"other.example:1\"\n\
         [[plugins.fs.http]]\nurl = \"https://a.example\"\n",
    );
    s.allow(&[
        socket(SocketKind::Tcp, "db.example:5432", true),
        socket(SocketKind::Udp, "db.example:5432", false),
        Allow::Http { url: "https://A.example/".into(), methods: Vec::new(), private: true },
        Allow::Resolve("A.example.".into()),
        Allow::Resolve("c.example".into()),
    ])
    .unwrap();
    let mut said = s.text();
    // What is not said again stays.
    assert!(!s.allow(&[socket(SocketKind::Tcp, "db.example:5432", false)]).unwrap().changed);
    let edited = s
        .revoke(&[
            Revoke::Socket(SocketKind::Tcp, "DB.example:5432".into()),
            Revoke::Socket(SocketKind::Udp, "db.example:5432".into()),
            Revoke::Resolve("B.example".into()),
            Revoke::Resolve("c.example".into()),
        ])
        .unwrap();
    said += "-- taken back\n";
    said += &s.text();
    assert_eq!(edited.now.describe().len(), 3);
    s.revoke(&[Revoke::Resolve("a.example".into())]).unwrap();
    assert!(!s.text().contains("resolve"));
    for gone in [
        Revoke::Socket(SocketKind::Tcp, "other.example:2".into()),
        Revoke::Socket(SocketKind::Udp, "other.example:1".into()),
        Revoke::Resolve("a.example".into()),
        Revoke::Secret("token".into()),
    ] {
        said += &format!("{}\n", s.said(&s.revoke(&[gone]).unwrap_err()));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn comments_in_a_list_go_with_their_item() {
    for (written, gone, left) in [
        ("[\"a.b\", # a\n  \"c.d\", # c\n  \"e.f\", # e\n]", "a.b", "[  \"c.d\", # c\n  \"e.f\", # e\n]"),
        ("[\"a.b\", # a\n  \"c.d\", # c\n  \"e.f\", # e\n]", "c.d", "[\"a.b\", # a\n  \"e.f\", # e\n]"),
        ("[\"a.b\", # a\n  \"c.d\", # c\n  \"e.f\", # e\n]", "e.f", "[\"a.b\", # a\n  \"c.d\", # c\n]"),
        (
            "[ # all\n  # of a\n  \"a.b\",\n  # of c\n  \"c.d\" # c\n]",
            "a.b",
            "[ # all\n  # of c\n  \"c.d\" # c\n]",
        ),
        ("[\"a.b\", \"c.d\", \"e.f\"]", "c.d", "[\"a.b\", \"e.f\"]"),
    ] {
        let s = Scratch::new(&format!("[plugins.fs]\nresolve = {written}\n"));
        s.revoke(&[Revoke::Resolve(gone.into())]).unwrap();
        assert_eq!(s.text(), format!("[plugins.fs]\nresolve = {left}\n"), "{gone} of {written}");
    }
}

#[test]
fn of_a_secret_what_is_not_said_stays_and_what_cannot_stay_goes() {
    let s = Scratch::new(
        "[plugins.fs]\n[[plugins.fs.http]]\nurl = \"https://api.example\"\n[[plugins.fs.http]]\n\
         url = \"http://127.0.0.1:1\"\nmethods = [\"GET\", \"POST\"]\n\n# The key.\n[[plugins.fs.secrets]]\nname = \"key\"\n\
         from = \"env:KEY\" # from the shell\nas = \"bearer\"\nfor = \"https://api.example/v1\"\n",
    );
    let secret = |name: &str| SecretText { name: name.into(), ..SecretText::default() };
    let mut said = String::new();
    for (what, text) in [
        ("another source", SecretText { from: Some("keyring:api/ada".into()), ..secret("key") }),
        ("another slot", SecretText { sent_as: Some(SecretAs::Header("x-key".into())), ..secret("key") }),
        (
            "another slot and place",
            SecretText {
                sent_as: Some(SecretAs::Query("k".into())),
                audience: Some("http://127.0.0.1:1".into()),
                methods: vec!["POST".into()],
                clear: true,
                ..secret("key")
            },
        ),
        (
            "not there yet",
            SecretText {
                from: Some("env:T".into()),
                sent_as: Some(SecretAs::Basic("ada".into())),
                ..secret("t")
            },
        ),
        ("nothing said", secret("t")),
        ("not granted", SecretText { audience: Some("https://other.example".into()), ..secret("key") }),
        ("given to the plugin", SecretText { expose: true, ..secret("key") }),
        ("sent again, half", SecretText { sent_as: Some(SecretAs::Bearer), ..secret("key") }),
        (
            "sent again",
            SecretText {
                sent_as: Some(SecretAs::Bearer),
                audience: Some("https://api.example".into()),
                ..secret("key")
            },
        ),
    ] {
        said += &format!("-- {what}\n");
        said += &match s.allow(&[Allow::Secret(text)]) {
            Ok(_) => s.text().split_once("# The key.").unwrap().1.trim_start().to_owned(),
            Err(error) => format!("{}\n", s.said(&error)),
        };
    }
    let http = || Revoke::Http { url: "https://api.example".into(), methods: Vec::new() };
    said += &format!("-- its place is taken back\n{}\n", s.said(&s.revoke(&[http()]).unwrap_err()));
    let edited = s.revoke(&[http(), Revoke::Secret("key".into())]).unwrap();
    assert!(edited.now.secrets.is_empty() && !s.text().contains("The key"), "{}", s.text());
    insta::assert_snapshot!(said);
}

#[test]
fn limits_are_written_as_they_are_typed() {
    let s = Scratch::new("[plugins.fs.limits]\nfuel = 1_000 # little\n");
    let limit = |name: &str, to: &str| Allow::Limit { name: name.into(), to: to.into() };
    s.allow(&[limit("fuel", "50_000_000"), limit("deadline", "2m")]).unwrap();
    assert_eq!(s.text(), "[plugins.fs.limits]\nfuel = 50000000 # little\ndeadline = \"2m\"\n");
    assert!(!s.allow(&[limit("fuel", "50000000"), limit("deadline", "2m")]).unwrap().changed);
    for wrong in [limit("fuel", "much"), limit("fule", "1")] {
        let said = s.said(&s.allow(&[wrong]).unwrap_err());
        assert!(
            said.starts_with("plugins.fs.limits.fu") && said.ends_with("; nothing was changed"),
            "{said}"
        );
    }
}

#[test]
fn everything_is_also_what_only_the_file_can_grant() {
    let s = Scratch::new(
        "[plugins.fs]\nresolve = [\"a.org\"]\nelicit = true\n[[plugins.fs.tcp]]\nto = \"a.org:1\"\n\
         [[plugins.fs.udp]]\nto = \"a.org:2\"\n[plugins.fs.settings]\nx = 1\n",
    );
    let edited = s.revoke(&[Revoke::All]).unwrap();
    assert_eq!(edited.before.describe().len(), 4);
    assert_eq!(edited.now, Grants::default());
    assert!(s.text().contains("x = 1"));
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
    fn what_was_there_stays(picks in proptest::collection::vec(0..14_usize, 1..8)) {
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
        // Of the plugin at most an empty entry is left: that it was mentioned is no grant.
        let after = s.text();
        let left: Vec<_> = after.lines().filter(|line| !line.is_empty() && *line != "[plugins.fs]").collect();
        let was: Vec<_> = before.lines().filter(|line| !line.is_empty()).collect();
        prop_assert_eq!(left, was);
    }
}
