//! Files as content that is not text: which MIME type an extension has, and the three shapes a file takes
//! in a result.
//! Must not read files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kennel_sdk::{Content, ResourceContents};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use crate::paths::extension;

/// The type of what is neither a picture nor a sound.
const BYTES: &str = "application/octet-stream";

/// What `url.pathToFileURL` of Node.js escapes.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'~');

/// The MIME type of a picture or sound, by extension.
fn media_type(path: &str) -> Option<&'static str> {
    Some(match extension(path).as_str() {
        ".png" => "image/png",
        ".jpg" | ".jpeg" => "image/jpeg",
        ".gif" => "image/gif",
        ".webp" => "image/webp",
        ".bmp" => "image/bmp",
        ".svg" => "image/svg+xml",
        ".mp3" => "audio/mpeg",
        ".wav" => "audio/wav",
        ".ogg" => "audio/ogg",
        ".flac" => "audio/flac",
        _ => return None,
    })
}

/// The MIME type of a file's contents as a resource.
pub(crate) fn resource_type(path: &str, is_text: bool) -> &'static str {
    media_type(path).unwrap_or(if is_text { "text/plain" } else { BYTES })
}

/// A file as a piece of a result, and the same for programs.
pub(crate) fn content(path: &str, bytes: Vec<u8>) -> (Content, Value) {
    let data = STANDARD.encode(&bytes);
    match media_type(path) {
        Some(mime) if mime.starts_with("image/") => {
            (Content::image(bytes, mime), json!({ "type": "image", "data": data, "mimeType": mime }))
        }
        Some(mime) => {
            (Content::audio(bytes, mime), json!({ "type": "audio", "data": data, "mimeType": mime }))
        }
        None => {
            let uri = format!("file://{}", utf8_percent_encode(path, ESCAPED));
            let value = json!({ "uri": uri, "mimeType": BYTES, "blob": data });
            let contents = ResourceContents::blob(uri, bytes).mime(BYTES);
            (Content::embedded(contents), json!({ "type": "resource", "resource": value }))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn each_kind_has_its_shape() {
        let (_, value) = content("/a/B.PNG", vec![1, 2, 3]);
        assert_eq!(value, json!({ "type": "image", "data": "AQID", "mimeType": "image/png" }));
        let (_, value) = content("/a.flac", vec![]);
        assert_eq!(value, json!({ "type": "audio", "data": "", "mimeType": "audio/flac" }));
        let (_, value) = content("/ü b/#~c'.bin", vec![0]);
        assert_eq!(value["resource"]["uri"], "file:///%C3%BC%20b/%23%7Ec'.bin");
        assert_eq!(resource_type("/a", true), "text/plain");
        assert_eq!(resource_type("/a", false), BYTES);
    }
}
