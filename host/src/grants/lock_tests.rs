#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use super::*;

fn entry(bytes: &[u8]) -> LockEntry {
    let schema = json!({"type": "object"});
    LockEntry {
        sha256: Digest::of(bytes),
        definitions: Definitions::of([("read_file", &schema)], [], [("note:///{id}", &schema)]),
        approved_at: UNIX_EPOCH + Duration::from_secs(1_790_000_000),
        approved_by: "ada".to_owned(),
    }
}

#[test]
fn writes_and_reads_back() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("kennel.lock");
    let name = PluginName::new("fs").unwrap();
    assert_eq!(Lock::load(&path).unwrap(), Lock::default());
    let (written, _) = Lock::update(&path, |lock| lock.plugins.insert(name.clone(), entry(b"one"))).unwrap();
    assert_eq!(Lock::load(&path).unwrap(), written);
    insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap());

    assert_eq!(written.approval(&name, &Digest::of(b"one")), Approval::Approved);
    let changed = written.approval(&name, &Digest::of(b"two"));
    assert_eq!(changed, Approval::Changed { approved: Digest::of(b"one"), found: Digest::of(b"two") });
    let other = written.approval(&PluginName::new("fs2").unwrap(), &Digest::of(b"one"));
    assert!(
        matches!(other, Approval::Unapproved(_)),
        "approval of bytes under one name is none under another"
    );
    insta::assert_snapshot!(format!("{changed}\n{other}"));
}

#[test]
fn is_readable_by_the_user_alone_and_untouched_when_nothing_changes() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("kennel.lock");
    Lock::update(&path, |_| ()).unwrap();
    assert!(!path.exists());
    Lock::update(&path, |l| l.plugins.insert(PluginName::new("a").unwrap(), entry(b"1"))).unwrap();
    let before = std::fs::metadata(&path).unwrap();
    assert_eq!(before.permissions().mode() & 0o777, 0o600);
    Lock::update(&path, |l| l.plugins.insert(PluginName::new("a").unwrap(), entry(b"1"))).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().ino(), before.ino());
}

#[test]
fn writers_at_once_lose_nothing() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("kennel.lock");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let path = &path;
            scope.spawn(move || {
                for i in 0..5 {
                    let name = PluginName::new(&format!("p{writer}-{i}")).unwrap();
                    Lock::update(path, |lock| lock.plugins.insert(name, entry(&[writer, i]))).unwrap();
                    Lock::load(path).unwrap();
                }
            });
        }
    });
    assert_eq!(Lock::load(&path).unwrap().plugins.len(), 40);
}

#[test]
fn a_broken_lock_is_an_error_and_never_empty() {
    let digest = Digest::of(b"");
    let good = format!("sha256 = \"{digest}\"\ndefinitions = \"{}\"\n", Definitions::default().hash());
    let when = "approved-at = \"2026-01-02T03:04:05Z\"\napproved-by = \"ada\"\n";
    assert!(Lock::parse(&format!("version = 1\n[plugins.a]\n{good}{when}"), Path::new("l")).is_ok());
    let said: Vec<_> = [
        "".to_owned(),
        "version = 2".to_owned(),
        "version = 1\nplugin = {}".to_owned(),
        "version = 1\n[plugins.a".to_owned(),
        "version = 1\n[plugins.a]\nsha256 = \"00\"".to_owned(),
        format!("version = 1\n[plugins.A]\n{good}{when}"),
        format!("version = 1\n[plugins.a]\n{good}approved-at = \"today\"\napproved-by = \"ada\""),
        format!("version = 1\n[plugins.a]\n{good}{when}[plugins.a.tools]\nx = \"{digest}\""),
    ]
    .iter()
    .map(|text| Lock::parse(text, Path::new("kennel.lock")).unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn every_prefix_of_a_lock_is_refused_or_complete() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("kennel.lock");
    let name = PluginName::new("fs").unwrap();
    let (lock, _) = Lock::update(&path, |lock| lock.plugins.insert(name, entry(b"one"))).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    for end in 0..text.len() {
        if let Ok(read) = Lock::parse(&text[..end], &path) {
            assert!(read == lock || read == Lock::default(), "{}", &text[..end]);
        }
    }
}
