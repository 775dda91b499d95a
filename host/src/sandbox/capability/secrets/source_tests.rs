#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Only a file that is ours alone, and only values that can be kept and sent. The environment and the keyring are
//! tried through the binary.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use secrecy::ExposeSecret as _;

use super::*;

fn file(dir: &tempfile::TempDir, name: &str, bytes: &[u8], mode: u32) -> SecretSource {
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    SecretSource::File(path)
}

#[test]
fn a_file_of_ours_alone_is_read_without_its_line_break() {
    let dir = tempfile::tempdir().unwrap();
    for bytes in [&b"12345678"[..], b"12345678\n", b"12345678\r\n"] {
        let value = read(&file(&dir, "token", bytes, 0o600), true).unwrap();
        assert_eq!(value.expose_secret(), "12345678");
        assert!(!format!("{value:?}").contains("1234"));
    }
    assert!(read(&file(&dir, "longest", &[b'x'; LONGEST], 0o400), true).is_ok());
    assert!(read(&file(&dir, "lines", b"12345678\nmore\n", 0o600), false).is_ok());
}

#[test]
fn other_files_and_values_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
        let refused = read(&file(&dir, "open", b"12345678", mode), true);
        assert!(matches!(refused, Err(SourceError::Exposed(_))), "{mode:o} {refused:?}");
    }
    file(&dir, "token", b"12345678", 0o600);
    symlink(dir.path().join("token"), dir.path().join("link")).unwrap();
    let refused = read(&SecretSource::File(dir.path().join("link")), true);
    assert!(matches!(refused, Err(SourceError::Link(_))), "{refused:?}");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        dir.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    for name in ["pipe", "."] {
        let refused = read(&SecretSource::File(dir.path().join(name)), true);
        assert!(matches!(refused, Err(SourceError::NotFile(_))), "{name} {refused:?}");
    }
    let refused = read(&SecretSource::File(dir.path().join("none")), true);
    assert!(matches!(refused, Err(SourceError::Open { .. })), "{refused:?}");
    for (bytes, sent) in [(&b"1234567\n"[..], true), (b"", true), (b"1234567", false)] {
        let refused = read(&file(&dir, "short", bytes, 0o600), sent);
        assert!(matches!(refused, Err(SourceError::Short(_))), "{refused:?}");
    }
    let refused = read(&file(&dir, "long", &[b'x'; LONGEST + 1], 0o600), true);
    assert!(matches!(refused, Err(SourceError::Long(_))), "{refused:?}");
    for (bytes, sent) in [(&b"12345678\nmore"[..], true), (b"1234567\xff8", true), (b"1234567\08", false)] {
        let refused = read(&file(&dir, "odd", bytes, 0o600), sent);
        assert!(matches!(refused, Err(SourceError::NotText(_))), "{refused:?}");
        assert!(!refused.unwrap_err().to_string().contains("1234567"));
    }
}
