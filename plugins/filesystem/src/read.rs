//! Reads files: whole, the first lines, the last lines. Never more of a file in memory than the answer
//! needs, and never an answer over the limit.
//! Must not judge paths: they come from `access`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use crate::failure::{Failure, system};
use crate::format::size;

/// Bytes read at once where not the whole file is wanted.
const CHUNK: usize = 16 << 10;

/// Over the limit on a file's size.
pub(crate) fn too_large(path: &str, limit: u64) -> Failure {
    Failure::refused(format!(
        "File too large: {path} is over {}; use head or tail, or raise the setting max-file-size",
        size(limit)
    ))
}

/// Opens a file for reading, with its size.
fn open(path: &str) -> Result<(File, u64), Failure> {
    let file = File::open(path).map_err(Failure::at("open", path))?;
    let found = file.metadata().map_err(Failure::on("fstat"))?;
    // As Node.js: a directory can be opened, but not read.
    if found.is_dir() { Err(Failure::on("read")(system(libc::EISDIR))) } else { Ok((file, found.len())) }
}

/// The whole file, at most `limit` bytes.
pub(crate) fn bytes(path: &str, limit: u64) -> Result<Vec<u8>, Failure> {
    let (file, length) = open(path)?;
    if length > limit {
        return Err(too_large(path, limit));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    // It may grow while it is read.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(Failure::on("read"))?;
    if bytes.len() as u64 > limit { Err(too_large(path, limit)) } else { Ok(bytes) }
}

/// The whole file as text; what is not UTF-8 is replaced by U+FFFD.
pub(crate) fn text(path: &str, limit: u64) -> Result<String, Failure> {
    bytes(path, limit).map(lossy)
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The first `lines` lines, rounded up; none for a negative number.
pub(crate) fn head(path: &str, lines: f64, limit: u64) -> Result<String, Failure> {
    let (mut file, _) = open(path)?;
    let mut kept: Vec<u8> = Vec::new();
    let mut chunk = vec![0; CHUNK];
    let mut found = 0.0;
    while found < lines {
        let read = file.read(&mut chunk).map_err(Failure::on("read"))?;
        if read == 0 {
            break;
        }
        for line in chunk[..read].split_inclusive(|byte| *byte == b'\n') {
            kept.extend_from_slice(line);
            if line.ends_with(b"\n") {
                found += 1.0;
                if found >= lines {
                    break;
                }
            }
        }
        if kept.len() as u64 > limit {
            return Err(too_large(path, limit));
        }
    }
    if kept.ends_with(b"\n") {
        kept.pop();
    }
    Ok(lossy(kept))
}

/// The last `lines` lines, where a line end at the very end begins an empty one; none for a negative
/// number. Windows' line ends are made plain.
pub(crate) fn tail(path: &str, lines: f64, limit: u64) -> Result<String, Failure> {
    let (mut file, length) = open(path)?;
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    let (mut position, mut found, mut held) = (length, 0.0, 0);
    while position > 0 && found < lines {
        let wanted = position.min(CHUNK as u64);
        position -= wanted;
        file.seek(SeekFrom::Start(position)).map_err(Failure::on("read"))?;
        let mut chunk = Vec::new();
        (&mut file).take(wanted).read_to_end(&mut chunk).map_err(Failure::on("read"))?;
        if chunk.is_empty() {
            break;
        }
        held += chunk.len() as u64;
        if held > limit.saturating_add(CHUNK as u64) {
            return Err(too_large(path, limit));
        }
        found += chunk.iter().map(|byte| f64::from(u8::from(*byte == b'\n'))).sum::<f64>();
        chunks.push(chunk);
    }
    chunks.reverse();
    let text = crate::edit::plain_line_ends(&lossy(chunks.concat()));
    let from = starts_of_last(&text, lines.max(1.0));
    let last = text.get(from..).unwrap_or_default();
    if last.len() as u64 > limit { Err(too_large(path, limit)) } else { Ok(last.to_owned()) }
}

/// Where the last `lines` lines begin.
fn starts_of_last(text: &str, lines: f64) -> usize {
    let mut left = lines.trunc();
    for (at, _) in text.rmatch_indices('\n') {
        left -= 1.0;
        if left <= 0.0 {
            return at + 1;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    const NO_LIMIT: u64 = u64::MAX;

    fn file(text: &str) -> (tempfile::NamedTempFile, String) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        (file, path)
    }

    #[test]
    fn limits_hold_for_all_of_them() {
        let (_file, path) = file("12345\n7\n");
        assert_eq!(text(&path, 8).unwrap(), "12345\n7\n");
        assert_eq!(
            text(&path, 7).unwrap_err().to_string(),
            format!(
                "File too large: {path} is over 7 B; use head or tail, or raise the setting max-file-size"
            )
        );
        assert!(head(&path, 1.0, 3).is_err());
        assert!(tail(&path, 3.0, 3).is_err());
        assert_eq!(tail(&path, 2.0, 3).unwrap(), "7\n");
        assert_eq!(
            (head(&path, -1.0, 9).unwrap(), tail(&path, -1.0, 9).unwrap()),
            (String::new(), String::new())
        );
    }

    #[test]
    fn a_directory_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        for result in [text(path, 9), head(path, 1.0, 9), tail(path, 1.0, 9)] {
            assert_eq!(result.unwrap_err().to_string(), "EISDIR: illegal operation on a directory, read");
        }
    }

    #[test]
    fn broken_text_is_replaced() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"a\xff\xe2\x82\nb").unwrap();
        assert_eq!(text(file.path().to_str().unwrap(), 9).unwrap(), "a\u{fffd}\u{fffd}\nb");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn first_and_last_lines(
            lines in proptest::collection::vec("[a-zü]{0,3000}", 0..40), end in any::<bool>(), count in 1_u8..50,
        ) {
            let all = lines.join("\n") + if end { "\n" } else { "" };
            let (_file, path) = file(&all);
            let first: Vec<&str> = all.lines().take(count.into()).collect();
            prop_assert_eq!(head(&path, count.into(), NO_LIMIT).unwrap(), first.join("\n"));
            let parts: Vec<&str> = all.split('\n').collect();
            let last = &parts[parts.len().saturating_sub(count.into())..];
            prop_assert_eq!(tail(&path, count.into(), NO_LIMIT).unwrap(), last.join("\n"));
        }
    }
}
