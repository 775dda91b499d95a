#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;
use crate::grants::{Grants, Trust};

/// A user's home with `docs` and `out` in it, and Kennel's home there.
fn user() -> (tempfile::TempDir, PathBuf, Home, Surroundings) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("docs")).unwrap();
    fs::create_dir_all(root.join("out")).unwrap();
    fs::write(root.join("file"), "").unwrap();
    let surroundings = Surroundings::new(Some(root.clone()), |name| match name {
        "PORT" => Some("8080".into()),
        "SUB" => Some("docs".into()),
        _ => None,
    });
    let home = Home::locate(None, None, &surroundings).unwrap();
    (folder, root, home, surroundings)
}

/// Every fault of a text, with the scratch folder's name taken out.
fn faults(text: &str) -> String {
    let (_folder, root, home, surroundings) = user();
    let error = Config::parse(text, &home, &surroundings).unwrap_err();
    error.to_string().replace(root.to_str().unwrap(), "~").replace("~/.kennel/kennel.toml:", "kennel.toml:")
}

const FULL: &str = r#"
plugins-folder = "~/wasm"
new-plugins = "hold"
on-denied = "ask"
page-size = 40

[tasks]
ttl = "1h"
patience = "500ms"
most = 7
most-per-caller = 3
results = "1MiB"

[limits]
memory = "32MiB"
deadline = "10s"
fuel = "500M"

[plugins.fs]
file = "filesystem.wasm"
trust = "dev"
on-denied = "deny"
prefix = ""
settings = { max-file-size = "1MB", deep = { list = [1, 2.5, true], on = 2026-01-02 } }
tools = { show = ["read_*", "list_{a,b}"], hide = ["read_secret"] }
limits = { memory = "256MiB" }
elicit = true

[[plugins.fs.directories]]
path = "~/${SUB}"

[[plugins.fs.directories]]
path = "~/out/"
as = "/out/"
mode = "read-write"
quota = { bytes = "100MiB", files = 10000 }

[[plugins.weather-us.http]]
url = "https://api.weather.gov/points"
methods = ["GET"]

[[plugins.weather-us.http]]
url = "http://127.0.0.1:${PORT}"

[[plugins.weather-us.tcp]]
to = "*.example.org:5432"

[[plugins.weather-us.udp]]
to = "127.0.0.1:${PORT}"

[[plugins.weather-us.udp]]
to = "ntp.example.org:123"
private-addresses = true

[plugins.weather-us.env]
NWS_BASE_URL = "http://127.0.0.1:8080"

[plugins.memory]
sample = true
roots = true
state = {}

resolve = ["a.example.org", "*.b.org"]

[plugins.memory2]
file = "memory.wasm"
state = { quota = "1MiB", scope = "caller" }
"#;

#[test]
fn reads_everything() {
    let (_folder, root, home, surroundings) = user();
    let config = Config::parse(FULL, &home, &surroundings).unwrap();
    assert_eq!(config.plugins_folder, root.join("wasm"));
    assert_eq!(config.new_plugins, NewPlugins::Hold);
    let fs = &config.plugins["fs"];
    assert!(fs.tools.shows("read_file") && fs.tools.shows("list_a"));
    assert!(!fs.tools.shows("read_secret") && !fs.tools.shows("write_file") && !fs.tools.shows("list_c"));
    let text = format!("{:#?}", config.plugins).replace(root.to_str().unwrap(), "~");
    insta::assert_snapshot!(text);
}

#[test]
fn no_file_is_the_defaults_and_a_named_one_must_exist() {
    let (_folder, root, home, surroundings) = user();
    let config = Config::load(&home, &surroundings).unwrap();
    assert_eq!(config.plugins_folder, home.default_plugins());
    assert_eq!((config.new_plugins, config.plugins.len()), (NewPlugins::Sandboxed, 0));
    assert_eq!(config.limits, default_limits());
    let home = Home::locate(None, Some(&root.join("my.toml")), &surroundings).unwrap();
    assert!(matches!(Config::load(&home, &surroundings), Err(ConfigError::Read { .. })));
    fs::write(root.join("my.toml"), "[plugins.a]\n").unwrap();
    assert_eq!(Config::load(&home, &surroundings).unwrap().plugins["a"].grants, Grants::default());
    fs::write(root.join("my.toml"), b"\xff").unwrap();
    assert!(matches!(Config::load(&home, &surroundings), Err(ConfigError::Read { .. })));
}

#[test]
fn limits_are_documented_once() {
    let lines = limit_keys().map(|key| {
        let (least, most) = key.bounds();
        format!("{} = {:?}  # {least} to {most}: {}", key.name, key.default_text(), key.about)
    });
    let lines: Vec<_> = lines.collect();
    insta::assert_snapshot!(lines.join("\n"));
    // What is documented is what is read.
    let text: String = limit_keys().map(|key| format!("{} = {:?}\n", key.name, key.bounds().1)).collect();
    let (_folder, _, home, surroundings) = user();
    let config = Config::parse(&format!("[limits]\n{text}"), &home, &surroundings).unwrap();
    for key in limit_keys() {
        assert_eq!(key.value_text(&config.limits), key.bounds().1, "{}", key.name);
        assert_eq!(key.value_text(&default_limits()), key.default_text(), "{}", key.name);
    }
}

#[test]
fn every_limit_has_its_bound() {
    for key in limit_keys() {
        let (least, most) = key.bounds();
        let duration = ["deadline", "answer-within", "instance-idle"].contains(&key.name);
        let over = if duration { "25h".to_owned() } else { u64::MAX.to_string() };
        let said = faults(&format!("[limits]\n{} = {over:?}", key.name));
        assert!(said.contains(&format!("the most is {most}")), "{said}");
        if !least.starts_with('0') {
            let under = if duration { "0s" } else { "0" };
            let said = faults(&format!("[plugins.a.limits]\n{} = {under:?}", key.name));
            assert!(
                said.contains(&format!("plugins.a.limits.{}", key.name)) && said.contains(&least),
                "{said}"
            );
        }
    }
}

#[test]
fn faults_name_line_and_key() {
    insta::assert_snapshot!("all_at_once", faults(include_str!("faulty.toml")));
    insta::assert_snapshot!("syntax", faults("[plugins.fs\nx = \n"));
    insta::assert_snapshot!("twice", faults("[limits]\nmemory = \"1MiB\"\nmemory = \"2MiB\"\n"));
}

#[test]
fn own_files_cannot_be_granted() {
    let (_folder, root, home, surroundings) = user();
    home.create().unwrap();
    symlink(&root, root.join("docs/up")).unwrap();
    let said = |text: &str| match Config::parse(text, &home, &surroundings) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error
            .to_string()
            .replace(root.to_str().unwrap(), "~")
            .replace("~/.kennel/kennel.toml:", "kennel.toml:"),
    };
    let grant = |path: &str| said(&format!("[[plugins.fs.directories]]\npath = \"{path}\"\n"));
    let all: Vec<_> =
        ["~/docs", "~", "~/docs/up", "~/docs/..", "~/.kennel", "~/.kennel/state", "/"].map(grant).into();
    insta::assert_snapshot!(all.join("\n"));
    let folder = |path: &str| said(&format!("plugins-folder = \"{path}\"\n"));
    let all: Vec<_> = ["~/wasm", "~", "~/docs/up", "~/.kennel/cache", "~/file/x"].map(folder).into();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn files_find_their_plugins() {
    let (_folder, _, home, surroundings) = user();
    let config = Config::parse(FULL, &home, &surroundings).unwrap();
    let names = |file: &str| -> Vec<String> {
        config.plugins_of_file(file).unwrap().iter().map(|p| p.name.to_string()).collect()
    };
    assert_eq!(names("memory.wasm"), ["memory", "memory2"]);
    assert_eq!(names("filesystem.wasm"), ["fs"]);
    assert_eq!(names("time.wasm"), ["time"]);
    let time = &config.plugins_of_file("time.wasm").unwrap()[0];
    assert!(!time.mentioned && time.trust == Trust::Approved && time.grants == Grants::default());
    assert_eq!(time.limits, config.limits);
    let said = ["fs.wasm", "Upper.wasm"].map(|file| config.plugins_of_file(file).unwrap_err().to_string());
    insta::assert_snapshot!(said.join("\n"));
}

proptest! {
    #[test]
    fn no_text_panics_and_every_fault_is_one_line_in_the_text(text in "(\\[{0,2}[a-z.]{0,9}\\]{0,2}\n?| ?= ?|\"[^\"]{0,4}\"|[\\{\\},\n]|plugins\\.a|limits|memory|directories|path){0,24}") {
        let (_folder, _, home, surroundings) = user();
        if let Err(error) = Config::parse(&text, &home, &surroundings) {
            prop_assert!(!error.faults().is_empty());
            for fault in error.faults() {
                prop_assert!(fault.line >= 1 && fault.line <= text.split('\n').count());
                prop_assert!(!fault.message.contains('\n'));
            }
        }
    }

    #[test]
    fn an_unknown_key_is_never_ignored(key in "[a-z][a-z-]{0,12}", table in 0..7_usize) {
        let table = ["", "[limits]", "[plugins.a]", "[plugins.a.tools]", "[plugins.a.state]", "[plugins.a.limits]",
            "[[plugins.a.http]]\nurl = \"https://example.org\""][table];
        let (_folder, _, home, surroundings) = user();
        let known = ["plugins", "tasks", "page-size", "plugins-folder", "new-plugins", "limits", "file", "trust", "prefix", "settings", "env",
            "tools", "elicit", "sample", "roots", "directories", "http", "state", "show", "hide", "quota", "scope", "url",
            "methods", "private-addresses"];
        if !known.contains(&key.as_str()) && limit_keys().all(|k| k.name != key) {
            let error = Config::parse(&format!("{table}\n{key} = {{}}\n"), &home, &surroundings).unwrap_err();
            prop_assert!(error.to_string().contains("unknown key"), "{}", error);
        }
    }
}

#[test]
fn the_protocols_side_is_read_and_bounded() {
    let (_folder, _, home, surroundings) = user();
    let read = Config::parse(FULL, &home, &surroundings).unwrap().protocol;
    let written = ProtocolConfig {
        page_size: 40,
        task_ttl: std::time::Duration::from_secs(3600),
        task_patience: std::time::Duration::from_millis(500),
        tasks: 7,
        tasks_per_caller: 3,
        task_results: 1 << 20,
    };
    assert_eq!(read, written);
    insta::assert_snapshot!(faults(
        "page-size = 0\n[tasks]\nttl = \"0s\"\npatience = \"2h\"\nmost = \"1M\"\nmost-per-caller = -1\nresults = \"1TiB\"\npolls = 1\n"
    ));
}
