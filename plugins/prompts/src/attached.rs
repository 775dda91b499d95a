//! The file and the log that a prompt attaches, read when it is picked.
//! Needs them in a granted directory. Must not attach more than a bound of either.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use kennel_sdk::prelude::*;
use kennel_sdk::setting;
use percent_encoding::percent_decode_str;
use url::Url;

/// Bytes of a file or log that are attached.
const MOST: u64 = 256 << 10;

/// The file of a `file:` URI.
///
/// # Errors
/// [`Error::Invalid`] when it is no such URI; else when the file cannot be read, is no text or is too long.
pub(crate) fn file(uri: &str) -> Result<ResourceContents> {
    let path = path(uri)?;
    let cannot = |error: std::io::Error| {
        Error::from(error)
            .context(format!("cannot read {path} (it must be in a directory granted to this plugin)"))
    };
    let mut bytes = Vec::new();
    File::open(&path).map_err(cannot)?.take(MOST + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MOST {
        bail!("{path} has more than {MOST} bytes; name a smaller file");
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::failed(format!("{path} is no text; name a source file")))?;
    Ok(ResourceContents::text(uri, text).mime(mime(&path)))
}

/// The path of a `file:` URI of this machine.
fn path(uri: &str) -> Result<String> {
    let wrong = || Error::invalid(format!("fileUri is {uri}; write file:///path/to/file"));
    let url = Url::parse(uri).map_err(|_| wrong())?;
    if url.scheme() != "file" || !matches!(url.host_str(), None | Some("" | "localhost")) {
        return Err(wrong());
    }
    percent_decode_str(url.path()).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| wrong())
}

/// A source file's MIME type by its name.
fn mime(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or("") {
        "py" => "text/x-python",
        "rs" => "text/x-rust",
        "js" | "mjs" | "cjs" => "text/javascript",
        "ts" | "tsx" => "text/x-typescript",
        "go" => "text/x-go",
        "c" | "h" => "text/x-c",
        "cc" | "cpp" | "hpp" => "text/x-c++",
        "java" => "text/x-java",
        "rb" => "text/x-ruby",
        "sh" => "text/x-shellscript",
        "html" => "text/html",
        "css" => "text/css",
        "md" => "text/markdown",
        "json" => "application/json",
        "toml" => "application/toml",
        "yaml" | "yml" => "application/yaml",
        "xml" => "application/xml",
        _ => "text/plain",
    }
}

/// What the log says of the last `timeframe`; none when no log is set.
///
/// # Errors
/// [`Error::Invalid`] when `timeframe` is no span of time; else when the log cannot be read.
pub(crate) fn log(timeframe: &str) -> Result<Option<ResourceContents>> {
    let span = humantime::parse_duration(timeframe.trim()).map_err(|_| {
        Error::invalid(format!("timeframe is {timeframe}; write a span of time such as 1h, 30m or 2days"))
    })?;
    let Some(path) = setting::<String>("log-file")? else { return Ok(None) };
    let text = tail(&path).map_err(|error| {
        Error::from(error).context(format!(
            "cannot read the log {path} (the setting `log-file`, in a directory granted to this plugin)"
        ))
    })?;
    let since = SystemTime::now().checked_sub(span).unwrap_or(SystemTime::UNIX_EPOCH);
    let uri = format!("logs://recent?timeframe={}", timeframe.trim().replace(' ', ""));
    Ok(Some(ResourceContents::text(uri, recent(&text, since)).mime("text/plain")))
}

/// The end of a file, from the beginning of a line.
fn tail(path: &str) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let start = file.seek(SeekFrom::End(0))?.saturating_sub(MOST);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(match text.split_once('\n') {
        Some((_, whole)) if start > 0 => whole.to_owned(),
        _ => text,
    })
}

/// The lines since a time. One without a time of its own goes with the one above.
fn recent(text: &str, since: SystemTime) -> String {
    let mut is_recent = false;
    let mut kept = String::new();
    for line in text.lines() {
        if let Some(time) = time(line) {
            is_recent = time >= since;
        }
        if is_recent {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The time a line begins with, in brackets or not.
fn time(line: &str) -> Option<SystemTime> {
    let text = line.trim_start().trim_start_matches('[');
    let stamp = text.get(.."2026-03-14 15:32:11".len())?;
    humantime::parse_rfc3339_weak(stamp).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn only_what_is_recent_is_kept() {
        let log =
            "[2024-03-14 15:32:11] ERROR: old\n  its trace\n2024-03-14T16:00:00.123Z INFO new\n  its rest\n";
        let since = humantime::parse_rfc3339("2024-03-14T15:59:59Z").unwrap();
        assert_eq!(recent(log, since), "2024-03-14T16:00:00.123Z INFO new\n  its rest\n");
        assert_eq!(recent("no time\n", since), "");
        assert_eq!(time("2024-13-14 15:32:11"), None);
        assert_eq!(time("é"), None);
    }

    #[test]
    fn uris_name_files_of_this_machine() {
        assert_eq!(path("file:///a%20b/c.py").unwrap(), "/a b/c.py");
        assert_eq!(path("file://localhost/c").unwrap(), "/c");
        for uri in ["", "/a", "https://x/y", "file://other/c", "file:///%ff"] {
            assert!(path(uri).is_err(), "{uri}");
        }
    }
}
