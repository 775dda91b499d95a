//! Asks the browser's HTTP side where its WebSocket is: one GET of `/json/version`.
//! Must not follow what the answer says of hosts: only the path is taken, the address is the granted one.

use std::io::{Read as _, Write as _};

use kennel_sdk::prelude::*;

use crate::address::Address;
use crate::timed::Timed;

/// The most bytes of the answer, head and body.
const MOST: usize = 64 << 10;

/// Header fields of the answer that are looked at; Chromium sends two.
const FIELDS: usize = 32;

/// Where the browser's own target begins; the rest of the path is new each time that a browser starts.
const BROWSER: &str = "/devtools/browser/";

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "webSocketDebuggerUrl")]
    socket: String,
}

/// The path of the browser's WebSocket, which is also the name of this run of the browser.
///
/// # Errors
/// [`Error::Failed`] when what answers is no browser, or stays silent.
pub(crate) fn socket_path(stream: &mut Timed, address: &Address) -> Result<String> {
    let request =
        format!("GET /json/version HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", address.authority());
    stream.write_all(request.as_bytes()).map_err(|error| unanswered(&error))?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(path) = path_in(&bytes)? {
            return Ok(path);
        }
        let count = stream.read(&mut buffer).map_err(|error| unanswered(&error))?;
        if count == 0 {
            bail!("no whole answer to /json/version: it hung up");
        }
        bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if bytes.len() > MOST {
            bail!("the answer to /json/version has more than {MOST} bytes");
        }
    }
}

fn unanswered(error: &std::io::Error) -> Error {
    Error::failed(match error.kind() {
        std::io::ErrorKind::TimedOut => "no answer to /json/version within the call's time".to_owned(),
        _ => format!("no answer to /json/version: {error}"),
    })
}

/// The path in an answer; none while the answer is not complete.
fn path_in(bytes: &[u8]) -> Result<Option<String>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let start = match head.parse(bytes) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => bail!("what answers is no browser: {error}"),
    };
    if head.code != Some(200) {
        bail!("what answers is no browser: /json/version has the status {}", head.code.unwrap_or(0));
    }
    let length = head
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("content-length"))
        .and_then(|field| std::str::from_utf8(field.value).ok()?.trim().parse::<usize>().ok());
    let Some(length) = length.filter(|length| *length <= MOST) else {
        bail!("what answers is no browser: /json/version does not say its length, or it is too long");
    };
    let Some(body) = start.checked_add(length).and_then(|end| bytes.get(start..end)) else {
        return Ok(None);
    };
    let version: Version = serde_json::from_slice(body).context("what answers is no browser")?;
    let path = version.socket.find(BROWSER).and_then(|at| version.socket.get(at..));
    match path.filter(|path| path.bytes().all(|byte| byte.is_ascii_graphic())) {
        Some(path) => Ok(Some(path.to_owned())),
        None => bail!("what answers is no browser: its WebSocket is {:?}", version.socket),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn answer(status: &str, body: &str) -> Vec<u8> {
        format!(
            "HTTP/1.1 {status}\r\nContent-Length:{}\r\nContent-Type:application/json\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    #[test]
    fn only_the_path_is_taken_once_all_is_there() {
        let whole =
            answer("200 OK", r#"{"webSocketDebuggerUrl":"ws://elsewhere.test:1/devtools/browser/a-b"}"#);
        for cut in 0..whole.len() {
            assert_eq!(path_in(&whole[..cut]).unwrap(), None, "{cut}");
        }
        assert_eq!(path_in(&whole).unwrap().as_deref(), Some("/devtools/browser/a-b"));
    }

    #[test]
    fn others_are_told_apart() {
        for wrong in [
            answer("404 Not Found", "{}"),
            answer("200 OK", "{}"),
            answer("200 OK", "hello"),
            answer("200 OK", r#"{"webSocketDebuggerUrl":"ws://a/devtools/page/1"}"#),
            answer("200 OK", r#"{"webSocketDebuggerUrl":"ws://a/devtools/browser/1\r\nx: y"}"#),
            b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
            b"220 mail.test ESMTP\r\n".to_vec(),
        ] {
            let error = path_in(&wrong).unwrap_err().to_string();
            assert!(error.contains("no browser"), "{error}");
        }
    }
}
