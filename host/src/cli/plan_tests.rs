#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::cli::approve;
use crate::cli::testing::{Scratch, read};

const CONFIG: &str = r#"
[plugins.fs]
env = { TOKEN = "t" }
[[plugins.fs.directories]]
path = "~/docs"
as = "/docs"
mode = "read-write"
"#;
const FS: &str = r#"{"asks":{"directories":{"mode":"read-only"}}}|read=Reads. list=Lists."#;
const UPDATE: &str = r#"{"asks":{"directories":{"mode":"read-write"},"env":[{"name":"TOKEN"}]}}|read=Reads,sends. write=Writes."#;

fn plan(s: &Scratch, plugins: &[&str], file: Option<&Path>, format: Format) -> (ExitCode, String) {
    let plugins = plugins.iter().map(|name| PluginName::new(name).unwrap()).collect();
    let args = Args { plugins, file: file.map(Path::to_owned), format };
    let (mut out, mut failed) = (Vec::new(), Vec::new());
    let code = match run(&args, &s.home, &s.surroundings, &mut read, &mut out, &mut failed) {
        Ok(code) => code,
        Err(error) => {
            writeln!(failed, "{error}").unwrap();
            ExitCode::FAILURE
        }
    };
    (code, format!("{}{}", s.plain(&out), s.plain(&failed)))
}

fn approve(s: &Scratch, name: &str) {
    let args = approve::Args { plugins: vec![PluginName::new(name).unwrap()], all: false, revoke: false };
    let (mut out, mut failed) = (Vec::new(), Vec::new());
    approve::run(&args, &s.home, &s.surroundings, &mut read, &mut out, &mut failed).unwrap();
}

#[test]
fn an_update_shows_what_it_would_change_and_nothing_else_does() {
    let s = Scratch::new(CONFIG);
    s.plugin("fs.wasm", FS);
    let (code, new) = plan(&s, &[], None, Format::Text);
    assert_eq!(code, ExitCode::from(CHANGES));
    approve(&s, "fs");
    assert_eq!(plan(&s, &[], None, Format::Text), (ExitCode::SUCCESS, "no update waits\n".to_owned()));
    s.plugin("fs.wasm", UPDATE);
    let (code, update) = plan(&s, &["fs"], None, Format::Text);
    assert_eq!(code, ExitCode::from(CHANGES));
    insta::assert_snapshot!(format!("{new}---\n{update}"));
    let (code, json) = plan(&s, &[], None, Format::Json);
    assert_eq!(code, ExitCode::from(CHANGES));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["plugins"][0]["definitions"][1]["fields"][0]["new"], "Reads,sends.", "{json}");
    approve(&s, "fs");
    assert_eq!(plan(&s, &[], None, Format::Text).0, ExitCode::SUCCESS);
}

#[test]
fn another_configuration_shows_what_it_would_change() {
    let s = Scratch::new(CONFIG);
    s.plugin("fs.wasm", FS);
    s.plugin("stranger.wasm", "|x");
    approve(&s, "fs");
    let other = s.root.join("kennel.toml.new");
    std::fs::write(&other, CONFIG).unwrap();
    let same = plan(&s, &[], Some(&other), Format::Text);
    assert_eq!(same, (ExitCode::SUCCESS, "nothing would change\n".to_owned()));
    let text = format!(
        "new-plugins = \"hold\"\npage-size = 7\n{}[plugins.fs.limits]\nfuel = \"7M\"\n",
        CONFIG
            .replace("env = ", "prefix = \"f\"\nsettings = { a = 1 }\ntools = { hide = [\"list\"] }\nenv = ")
            .replace("read-write", "read-only")
            .replace("/docs\"\nmode", "/d\"\nmode"),
    );
    std::fs::write(&other, text).unwrap();
    let (code, shown) = plan(&s, &[], Some(&other), Format::Text);
    assert_eq!(code, ExitCode::from(CHANGES));
    insta::assert_snapshot!(shown);
    // Nothing was written.
    assert_eq!(std::fs::read_to_string(s.home.config_file()).unwrap(), CONFIG);
    let (code, shown) = plan(&s, &["stranger"], Some(&other), Format::Text);
    assert_eq!(code, ExitCode::from(CHANGES));
    assert!(!shown.contains("fs") && shown.contains("stranger"), "{shown}");
}

#[test]
fn what_cannot_be_planned_is_said() {
    let s = Scratch::new(CONFIG);
    s.plugin("fs.wasm", "noise");
    let other = s.root.join("other.toml");
    let mut said = vec![plan(&s, &[], None, Format::Text), plan(&s, &["nobody"], None, Format::Text)];
    said.push(plan(&s, &[], Some(&other), Format::Text));
    std::fs::write(&other, "\nunknown = 1\n").unwrap();
    said.push(plan(&s, &[], Some(&other), Format::Text));
    assert!(said.iter().all(|(code, _)| *code == ExitCode::FAILURE), "{said:?}");
    insta::assert_snapshot!(said.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(""));
}
