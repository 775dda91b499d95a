#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::cli::testing::{Scratch, read};
use crate::cli::{approve, testing};

fn check(s: &Scratch, format: CheckFormat) -> (ExitCode, String) {
    let mut out = Vec::new();
    let code = run(&Args { format }, &s.home, &s.surroundings, &mut read, &mut out).unwrap();
    (code, s.plain(&out))
}

fn approve_all(s: &testing::Scratch) {
    let args = approve::Args { plugins: Vec::new(), all: true, revoke: false };
    approve::run(&args, &s.home, &s.surroundings, &mut read, &mut Vec::new(), &mut Vec::new()).unwrap();
}

#[test]
fn sound_home() {
    let s = Scratch::new("[plugins.fs]\nelicit = true\n[plugins.new]\nsample = true\n");
    s.plugin("fs.wasm", "{}|read");
    s.plugin("time.wasm", "|now");
    approve_all(&s);
    s.plugin("new.wasm", "|x");
    let (code, said) = check(&s, CheckFormat::Text);
    insta::assert_snapshot!(said);
    assert_eq!(code, ExitCode::SUCCESS);
}

#[test]
fn every_fault_is_found() {
    let s = Scratch::new("[plugins.gone]\n[plugins.fs]\n");
    s.plugin("fs.wasm", r#"{"asks":{"root":true}}|x"#);
    s.plugin("Odd.wasm", "|x");
    s.plugin("noise.wasm", "noise");
    std::fs::write(s.home.lock_file(), "version = 1\nplugins = 3\n").unwrap();
    let (code, said) = check(&s, CheckFormat::Text);
    insta::assert_snapshot!(said);
    assert_eq!(code, ExitCode::FAILURE);
}

#[test]
fn configuration_faults_as_json() {
    let s = Scratch::new("[limits]\nmemory = \"64Mib\"\n[plugins.a]\nfiel = 1\n");
    let (code, said) = check(&s, CheckFormat::Json);
    assert!(serde_json::from_str::<serde_json::Value>(&said).is_ok());
    insta::assert_snapshot!(said);
    assert_eq!(code, ExitCode::FAILURE);
}

#[test]
fn words_that_change_under_an_approval_are_a_fault() {
    let s = Scratch::new("");
    s.plugin("time.wasm", "|now=1");
    approve_all(&s);
    assert_eq!(check(&s, CheckFormat::Text).0, ExitCode::SUCCESS);
    let mut other = |file: &PluginFile| {
        let mut reading = read(file)?;
        let value = serde_json::Value::from("other words");
        reading.wording.tools.insert("now".to_owned(), value);
        Ok(reading)
    };
    let mut out = Vec::new();
    let args = Args { format: CheckFormat::Text };
    let code = run(&args, &s.home, &s.surroundings, &mut other, &mut out).unwrap();
    assert_eq!(code, ExitCode::FAILURE);
    assert!(s.plain(&out).contains("~ tool now"), "{}", s.plain(&out));
}
