//! Reads one file as text. Must not judge paths: they come from `access`.

use std::fs::File;
use std::io::Read as _;

use kennel_sdk::{Result, bail};

use crate::failure;

/// The most bytes of a file that are read at once, here and where files are parsed: 1 MB, in binary.
pub(crate) const MOST: u64 = 1 << 20;

/// The whole of a text file.
pub(crate) fn text(path: &str) -> Result<String> {
    let file = File::open(path).map_err(failure::at(path))?;
    let metadata = file.metadata().map_err(failure::at(path))?;
    if metadata.is_dir() {
        return Err(failure::is_directory(path));
    }
    let mut bytes = Vec::new();
    // It may grow between the look and the reading.
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(failure::at(path))?;
    if bytes.len() as u64 > MOST {
        let size = metadata.len().max(bytes.len() as u64);
        bail!(
            "{path} has {size} bytes, and read_file gives {MOST} at most; use grep to find the part that is needed"
        );
    }
    if let Some(at) = memchr::memchr(0, &bytes) {
        bail!("{path} is binary, not text: byte {at} is zero");
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            bail!("{path} is binary, not text: byte {} is not UTF-8", error.utf8_error().valid_up_to())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn one_megabyte_of_text_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let most = usize::try_from(MOST).unwrap();
        for (name, bytes, says) in [
            ("empty", Vec::new(), None),
            ("most", vec![b'x'; most], None),
            ("more", vec![b'x'; most + 1], Some("has 1048577 bytes")),
            ("zero", b"ab\0".to_vec(), Some("binary, not text: byte 2 is zero")),
            ("latin", b"na\xefve".to_vec(), Some("binary, not text: byte 2 is not UTF-8")),
        ] {
            std::fs::write(path(name), &bytes).unwrap();
            match (text(&path(name)), says) {
                (Ok(text), None) => assert_eq!(text.into_bytes(), bytes),
                (Err(why), Some(says)) => assert!(why.to_string().contains(says), "{why}"),
                (other, _) => panic!("{name}: {other:?}"),
            }
        }
        assert!(text(&path("absent")).unwrap_err().to_string().ends_with("absent does not exist"));
        assert!(text(&path("")).unwrap_err().to_string().contains("is a directory"));
    }
}
