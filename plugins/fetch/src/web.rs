//! One request for a page: GET with an agent's name, and its answer as text.
//! Must not follow redirects: whoever asks decides whether the next place may be asked.

use std::time::Duration;

use encoding_rs::Encoding;
use kennel_sdk::http::{self, HttpError};
use kennel_sdk::prelude::*;
use url::Url;

/// How many redirects are followed, as by the reference's HTTP client.
pub(crate) const REDIRECTS: usize = 20;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The place cannot be asked: it is not granted, or it is no place. A person has to be told in these words.
    Refused(Error),
    /// It was asked in vain. The text names the failure as the reference does.
    Failed(String),
    /// What the reference tells in a sentence of its own.
    Told(String),
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) text: String,
    /// Where it redirects to.
    pub(crate) next: Option<Url>,
}

/// Asks once.
pub(crate) fn get(url: &Url, agent: &str, timeout: Duration) -> Result<Answer, Trouble> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Trouble::Failed(format!(
            "UnsupportedProtocol(\"Request URL has an unsupported protocol '{}://'.\")",
            url.scheme()
        )));
    }
    let response = http::get(url.as_str())
        .header("user-agent", agent)
        .header("accept", "*/*")
        .timeout(timeout)
        .redirects(0)
        .call()
        .map_err(Trouble::from)?;
    let status = response.status();
    let content_type = response.header("content-type").unwrap_or_default().to_owned();
    let location = response.header("location").filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308));
    let next = location.map(|location| redirected(url, location)).transpose()?;
    let bytes = response.bytes().map_err(Trouble::from)?;
    Ok(Answer { status, text: decoded(&bytes, &content_type), content_type, next })
}

/// Asks, and follows redirects wherever they lead, as far as that is granted.
pub(crate) fn get_followed(url: &Url, agent: &str, timeout: Duration) -> Result<Answer, Trouble> {
    follow(url, agent, timeout, |_| Ok(()))
}

/// Asks, and follows redirects to the places that `may_go` lets pass.
pub(crate) fn follow(
    url: &Url,
    agent: &str,
    timeout: Duration,
    may_go: impl Fn(&Url) -> Result<(), Trouble>,
) -> Result<Answer, Trouble> {
    let mut answer = get(url, agent, timeout)?;
    for _ in 0..REDIRECTS {
        let Some(next) = answer.next.take() else { return Ok(answer) };
        may_go(&next)?;
        answer = get(&next, agent, timeout)?;
    }
    match answer.next {
        None => Ok(answer),
        Some(_) => Err(Trouble::Failed("TooManyRedirects('Exceeded maximum allowed redirects.')".into())),
    }
}

/// Where a redirect leads. The fragment goes along unless the redirect names another.
fn redirected(from: &Url, location: &str) -> Result<Url, Trouble> {
    let mut next = from.join(location).map_err(|error| {
        Trouble::Failed(format!("RemoteProtocolError('Invalid URL in location header: {error}.')"))
    })?;
    if next.fragment().is_none() {
        next.set_fragment(from.fragment());
    }
    Ok(next)
}

impl From<HttpError> for Trouble {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Timeout { .. } => Self::Failed("ReadTimeout('')".into()),
            // The host names the second way to end early by its code.
            HttpError::Transport { why, .. }
                if why.contains("was closed") || why.contains("HttpResponseIncomplete") =>
            {
                Self::Failed("RemoteProtocolError('Server disconnected without sending a response.')".into())
            }
            HttpError::Transport { why, .. } if why.contains("was refused") => {
                Self::Failed("ConnectError('All connection attempts failed')".into())
            }
            HttpError::Transport { why, .. } => Self::Failed(format!("TransportError('{why}')")),
            other => Self::Refused(other.into()),
        }
    }
}

/// The text of a body: in the character set that the answer names, UTF-8 when it names none or one that nobody knows.
fn decoded(bytes: &[u8], content_type: &str) -> String {
    let label = charset(content_type).unwrap_or_default().to_ascii_lowercase();
    match label.as_str() {
        // Web pages mean another character set by these names; the reference takes them at their word.
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin-1" | "latin1" | "l1" | "8859" => {
            bytes.iter().map(|byte| char::from(*byte)).collect()
        }
        "ascii" | "us-ascii" => {
            bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' }).collect()
        }
        _ => match Encoding::for_label_no_replacement(label.as_bytes()) {
            Some(encoding) if encoding != encoding_rs::UTF_8 => {
                encoding.decode_without_bom_handling(bytes).0.into_owned()
            }
            _ => String::from_utf8_lossy(bytes).into_owned(),
        },
    }
}

/// The value of `charset` in a content type.
fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn texts_are_read_in_the_character_set_they_say() {
        for (content_type, bytes, text) in [
            ("text/html", &b"\xc3\xbc"[..], "ü"),
            ("text/html; charset=utf-8", b"\xef\xbb\xbfx", "\u{feff}x"),
            ("text/html; Charset=\"ISO-8859-1\"", b"\xfc\x80", "ü\u{80}"),
            ("text/html; charset=windows-1252", b"\x80", "€"),
            ("text/html; charset=shift_jis", b"\x93\xfa", "日"),
            ("text/html; charset=nobody-knows", b"\xc3\xbc\xff", "ü\u{fffd}"),
            ("text/html; charset=ascii", b"a\xff", "a\u{fffd}"),
        ] {
            assert_eq!(decoded(bytes, content_type), text, "{content_type}");
        }
    }

    #[test]
    fn redirects_keep_the_fragment() {
        let from = Url::parse("http://h/a/b?x#f").unwrap();
        assert_eq!(redirected(&from, "../c").unwrap().as_str(), "http://h/c#f");
        assert_eq!(redirected(&from, "//other/#g").unwrap().as_str(), "http://other/#g");
        assert!(redirected(&from, "http://[").is_err());
    }
}
