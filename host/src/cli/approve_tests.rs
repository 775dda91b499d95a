#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::cli::testing::{Scratch, read};

const CONFIG: &str = r#"
[plugins.fs]
env = { TOKEN = "t" }
[[plugins.fs.directories]]
path = "~/docs"
as = "/docs"
mode = "read-write"
[plugins.mine]
trust = "dev"
"#;
const FS: &str = r#"{"asks":{"directories":{"mode":"read-only","why":"to read"}}}|read=1 list=1"#;

fn scratch() -> Scratch {
    let s = Scratch::new(CONFIG);
    s.plugin("fs.wasm", FS);
    s.plugin("time.wasm", "|now");
    s.plugin("mine.wasm", "|mine");
    s
}

/// Code, output and errors of `kennel approve WORDS`.
fn approve(s: &Scratch, words: &[&str]) -> (ExitCode, String) {
    let args = Args {
        plugins: words.iter().filter(|w| !w.starts_with('-')).map(|w| PluginName::new(w).unwrap()).collect(),
        all: words.contains(&"--all"),
        revoke: words.contains(&"--revoke"),
    };
    let (mut out, mut failed) = (Vec::new(), Vec::new());
    let code = run(&args, &s.home, &s.surroundings, &mut read, &mut out, &mut failed).unwrap();
    (code, format!("{}{}", s.plain(&out), s.plain(&failed).replace('\n', " [stderr]\n")))
}

fn approval(s: &Scratch, name: &str) -> Approval {
    let lock = Lock::load(&s.home.lock_file()).unwrap();
    let file = PluginFile::read(&s.home.default_plugins().join(format!("{name}.wasm"))).unwrap();
    lock.approval(&PluginName::new(name).unwrap(), &file.digest)
}

#[test]
fn shows_first_and_writes_when_told() {
    let s = scratch();
    let (code, shown) = approve(&s, &[]);
    insta::assert_snapshot!(shown);
    assert_eq!(code, ExitCode::FAILURE);
    assert!(!s.home.lock_file().exists());

    let (code, _) = approve(&s, &["fs"]);
    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(approval(&s, "fs"), Approval::Approved);
    assert!(matches!(approval(&s, "time"), Approval::Unapproved(_)));

    approve(&s, &["--all"]);
    assert_eq!(approval(&s, "time"), Approval::Approved);
    assert!(matches!(approval(&s, "mine"), Approval::Unapproved(_)), "dev plugins need none");
    assert_eq!(approve(&s, &["--all"]), (ExitCode::SUCCESS, "nothing waits for approval\n".to_owned()));
}

#[test]
fn changed_bytes_show_what_changed_and_old_bytes_are_kept() {
    let s = scratch();
    approve(&s, &["fs"]);
    let kept = s.home.approved().join(format!("{}.wasm", Digest::of(FS.as_bytes())));
    assert_eq!(fs::read_to_string(&kept).unwrap(), FS);
    s.plugin("fs.wasm", "{}|read=2 write=1 \u{1b}[2J");
    assert!(matches!(approval(&s, "fs"), Approval::Changed { .. }));
    let (_, shown) = approve(&s, &[]);
    insta::assert_snapshot!(shown);
    assert!(kept.exists());
    approve(&s, &["fs"]);
    assert_eq!(approval(&s, "fs"), Approval::Approved);
}

#[test]
fn a_kept_copy_that_was_changed_is_mended() {
    let s = scratch();
    approve(&s, &["fs"]);
    let kept = s.home.approved().join(format!("{}.wasm", Digest::of(FS.as_bytes())));
    fs::write(&kept, "other").unwrap();
    approve(&s, &["fs"]);
    assert_eq!(fs::read_to_string(&kept).unwrap(), FS);
}

#[test]
fn nothing_is_approved_when_bytes_cannot_be_kept() {
    let s = scratch();
    // A folder in the place of the copy, for which no user, not even root, can write a file.
    let kept = s.home.approved().join(format!("{}.wasm", Digest::of(FS.as_bytes())));
    fs::create_dir(&kept).unwrap();
    let args = Args { plugins: Vec::new(), all: true, revoke: false };
    let (mut out, mut failed) = (Vec::new(), Vec::new());
    let error = run(&args, &s.home, &s.surroundings, &mut read, &mut out, &mut failed).unwrap_err();
    assert!(matches!(error, ApproveError::Keep { .. }), "{error}");
    assert!(matches!(approval(&s, "time"), Approval::Unapproved(_)));
}

#[test]
fn revoking_takes_word_and_bytes_back() {
    let s = scratch();
    approve(&s, &["--all"]);
    let (code, said) = approve(&s, &["--revoke", "fs", "nobody"]);
    insta::assert_snapshot!(said);
    assert_eq!(code, ExitCode::FAILURE);
    assert!(matches!(approval(&s, "fs"), Approval::Unapproved(_)));
    assert_eq!(approval(&s, "time"), Approval::Approved);
    // The other plugin's bytes and words.
    assert_eq!(fs::read_dir(s.home.approved()).unwrap().count(), 2);
}

#[test]
fn what_cannot_be_approved_is_said_and_harms_nothing_else() {
    let s = scratch();
    s.plugin("broken.wasm", "noise");
    s.plugin("Odd.wasm", "|x");
    fs::remove_file(s.home.default_plugins().join("mine.wasm")).unwrap();
    let (code, said) = approve(&s, &["--all"]);
    insta::assert_snapshot!(
        said.lines()
            .filter(|l| l.ends_with("[stderr]") || l.starts_with("app"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    assert_eq!(code, ExitCode::FAILURE);
    assert_eq!(approval(&s, "fs"), Approval::Approved);

    let args = Args { plugins: vec![PluginName::new("nope").unwrap()], all: false, revoke: false };
    let (mut out, mut failed) = (Vec::new(), Vec::new());
    let error = run(&args, &s.home, &s.surroundings, &mut read, &mut out, &mut failed).unwrap_err();
    insta::assert_snapshot!(error.to_string());
}
