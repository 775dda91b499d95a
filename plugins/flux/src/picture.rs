//! A generated picture: fetched from where it lies, and what it is by its first bytes.
//! Must not trust a server's word for the type: a client shows what the bytes are.

use std::time::Duration;

use kennel_sdk::api::Api;
use kennel_sdk::prelude::*;

use crate::PREFIX;

/// The largest picture, in bytes: four of these fit into one result.
const LARGEST: u64 = 4 * 1024 * 1024;

/// How long a picture may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A picture.
pub(crate) struct Picture {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mime: &'static str,
}

/// Reads a picture.
pub(crate) fn fetch(url: &str) -> Result<Picture> {
    let api = Api::at("Replicate", url).timeout(PATIENCE).limit(LARGEST).settled()?;
    let reply = api.get(url).reply().map_err(|error| error.prefixed(PREFIX))?;
    match mime(&reply.body) {
        Some(mime) => Ok(Picture { bytes: reply.body, mime }),
        None => bail!("{PREFIX}: what lies at {url} is no picture; try again"),
    }
}

/// The type of a picture by its first bytes (WHATWG MIME Sniffing, section 6.1).
fn mime(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_bytes() {
        assert_eq!(mime(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        assert_eq!(mime(b"\x89PNG\r\n\x1a\n."), Some("image/png"));
        assert_eq!(mime(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(mime(b"<html>"), None);
    }
}
