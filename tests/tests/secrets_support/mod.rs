//! A web server for the tests of secrets, over TLS or in the clear: it remembers what it was asked, and gives back
//! what it got in every way that a careless or a hostile one would. And what to look for afterwards.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// The secret. Its characters are spelled differently in each encoding.
pub(crate) const CANARY: &str = "kennel/canary+7=Qx\"Z&é w%2F9~end";
/// What a byte is turned into on its way to or from the attacker.
const TURN: u8 = 0x5a;

/// What one request said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn query(&self) -> Vec<(String, String)> {
        pairs(self.target.split_once('?').map_or("", |(_, query)| query))
    }

    pub(crate) fn form(&self, key: &str) -> Option<String> {
        pairs(&self.body).into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The secret as it came, wherever it was.
    fn secret(&self) -> String {
        let bearer = self.field("authorization").and_then(|value| value.strip_prefix("Bearer "));
        bearer.or(self.field("x-api-key")).unwrap_or("nothing at all").to_owned()
    }
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'+' => bytes.push(b' '),
                b'%' => {
                    let hex = [rest.next().unwrap(), rest.next().unwrap()];
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
                }
                byte => bytes.push(byte),
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    };
    text.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

/// The server. Its threads end with the process.
pub(crate) struct Server {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    folder: Option<TempDir>,
}

impl Server {
    /// In the clear.
    pub(crate) fn clear() -> Self {
        Self::start(None)
    }

    /// Over TLS, with a certificate for 127.0.0.1 and localhost.
    pub(crate) fn tls() -> Self {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let folder = TempDir::new().unwrap();
        let der = STANDARD.encode(made.cert.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
        std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        Self { folder: Some(folder), ..Self::start(Some(Arc::new(config))) }
    }

    fn start(tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let all = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, seen) = (tls.clone(), seen.clone());
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                    // Whoever hangs up in the middle is no fault of the server's.
                    let _ = match tls {
                        None => serve(stream, &seen),
                        Some(tls) => {
                            let connection = rustls::ServerConnection::new(tls).unwrap();
                            serve(rustls::StreamOwned::new(connection, stream), &seen)
                        }
                    };
                });
            }
        });
        Self { port, seen: all, folder: None }
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.as_ref().map_or(Path::new("/none"), TempDir::path).join("ca.pem")
    }

    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve<S: Read + Write>(stream: S, seen: &Mutex<Vec<Seen>>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let request = read(&mut stream)?;
    seen.lock().unwrap().push(request.clone());
    let mut stream = stream.into_inner();
    answer(&mut stream, &request, seen)?;
    stream.flush()
}

fn read(stream: &mut impl BufRead) -> io::Result<Seen> {
    let mut line = String::new();
    let mut next = |stream: &mut dyn BufRead| {
        line.clear();
        match stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok::<_, io::Error>(line.trim_end().to_owned()),
        }
    };
    let first = next(stream)?;
    let mut words = first.split(' ').map(str::to_owned);
    let mut seen = Seen {
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        ..Seen::default()
    };
    loop {
        let field = next(stream)?;
        let Some((name, value)) = field.split_once(':') else { break };
        seen.fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut body = Vec::new();
    if seen.field("transfer-encoding") == Some("chunked") {
        loop {
            let size = usize::from_str_radix(&next(stream)?, 16).unwrap();
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk)?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else if let Some(length) = seen.field("content-length") {
        body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body)?;
    }
    seen.body = String::from_utf8_lossy(&body).into_owned();
    Ok(seen)
}

fn plain(stream: &mut impl Write, status: &str, fields: &str, body: &[u8]) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{fields}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}

fn chunks<'c>(
    stream: &mut impl Write,
    chunks: impl Iterator<Item = &'c [u8]>,
    pause: Duration,
    trailer: &str,
) -> io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-end\r\nconnection: close\r\n\r\n",
    )?;
    for chunk in chunks {
        write!(stream, "{:x}\r\n", chunk.len())?;
        stream.write_all(chunk)?;
        stream.write_all(b"\r\n")?;
        stream.flush()?;
        std::thread::sleep(pause);
    }
    write!(stream, "0\r\n{trailer}\r\n")
}

fn answer(stream: &mut impl Write, request: &Seen, all: &Mutex<Vec<Seen>>) -> io::Result<()> {
    let secret = request.secret();
    let path = request.target.split('?').next().unwrap_or_default();
    match path.rsplit('/').next().unwrap_or_default() {
        // A canary in an answer's field is not text of a field; what HTTP cannot carry there is left out.
        "spelled" => {
            let body = format!("innocent text\n{}\ninnocent text", spellings(&secret).join("\n"));
            plain(stream, "200 OK", "", body.as_bytes())
        }
        "cut" => {
            let text = format!("innocent text {secret} innocent text {secret} end");
            let (head, tail) = text.as_bytes().split_at(14 + secret.len() / 2);
            chunks(stream, [head, tail].into_iter(), Duration::from_millis(50), "")
        }
        "bytes" => {
            let text = format!("innocent text {secret}{secret} end");
            chunks(stream, text.as_bytes().chunks(1), Duration::ZERO, "")
        }
        "trailers" => chunks(stream, [&b"innocent text"[..]].into_iter(), Duration::ZERO, &format!("x-end: {secret}\r\n")),
        "redirect" => {
            let at: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let fields = format!("location: https://elsewhere.test/?t={at}\r\n");
            plain(stream, "302 Found", &fields, b"innocent text")
        }
        "gzip" => plain(stream, "200 OK", "content-encoding: gzip\r\n", b"not really"),
        "transfer" => stream.write_all(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\nconnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        ),
        "expired" => plain(stream, "401 Unauthorized", "", b"innocent text"),
        "stored" => {
            let before = all.lock().unwrap().iter().map(Seen::secret).collect::<Vec<_>>().join(" ");
            plain(stream, "200 OK", "", format!("innocent text {before}").as_bytes())
        }
        "token" => {
            let count = all.lock().unwrap().iter().filter(|seen| seen.target == "/token").count();
            let body = json!({
                "access_token": format!("access-token-of-tests-{count}"), "token_type": "Bearer", "expires_in": 3600,
                "refresh_token": format!("refresh-token-of-tests-{count}"),
            });
            plain(stream, "200 OK", "content-type: application/json\r\n", body.to_string().as_bytes())
        }
        _ => {
            let fields = format!("x-echo: {secret}\r\nx-hex: {}\r\n", hex(secret.as_bytes()));
            let body = format!("innocent text\n{} {}\n{:?}\n{}", request.method, request.target, request.fields, request.body);
            plain(stream, "200 OK", &fields, body.as_bytes())
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The spellings that are looked for everywhere; of those whose edges depend on what is beside, the inner part.
pub(crate) fn spellings(value: &str) -> Vec<String> {
    let mut all = vec![value.to_owned(), hex(value.as_bytes()), hex(value.as_bytes()).to_ascii_uppercase()];
    for before in ["", "a", "ab"] {
        let bytes = format!("{before}{value}");
        all.push(STANDARD_NO_PAD.encode(&bytes));
        all.push(URL_SAFE_NO_PAD.encode(&bytes));
    }
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    for every in [true, false] {
        let percent = |byte: u8| {
            if !every && kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
        };
        all.push(value.bytes().map(percent).collect());
    }
    let quoted = json!(value).to_string();
    all.push(quoted[1..quoted.len() - 1].to_owned());
    all.push(value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect());
    all
}

/// Panics when a text holds the canary in any spelling, or eight bytes of it in a row.
#[track_caller]
pub(crate) fn no_canary(what: &str, text: &str) {
    for spelling in spellings(CANARY) {
        let inner: String =
            spelling.chars().skip(4).take(spelling.chars().count().saturating_sub(8)).collect();
        assert!(!text.contains(&inner), "{what} holds {spelling:?}: {text:.4000}");
    }
    let ends = |at: usize| (at + 8..=CANARY.len()).find(|end| CANARY.is_char_boundary(*end));
    for piece in CANARY.char_indices().filter_map(|(at, _)| CANARY.get(at..ends(at)?)) {
        assert!(!text.contains(piece), "{what} holds a piece of the canary: {text:.4000}");
    }
}

/// What the attacker looks for in its memory, turned: pieces of every spelling, and last what is surely there.
pub(crate) fn needles() -> Vec<Vec<u8>> {
    let pieces = spellings(CANARY).into_iter().flat_map(|spelling| {
        let bytes = spelling.into_bytes();
        let middle = bytes.len() / 2;
        [bytes[4..14].to_vec(), bytes[middle - 5..middle + 5].to_vec()]
    });
    let all = pieces.chain([b"innocent text".to_vec()]);
    all.map(|piece| piece.iter().map(|byte| byte ^ TURN).collect()).collect()
}

/// What the attacker turned, as it was.
pub(crate) fn turned(bytes: &Value) -> String {
    let bytes = bytes.as_array().unwrap().iter().map(|byte| byte.as_u64().unwrap() as u8 ^ TURN);
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // RFC 2104, for keys of a block at most.
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

/// Computes the signature of a request as AWS documents it ("Create a signed AWS API request") and panics unless it
/// carries the same.
#[track_caller]
pub(crate) fn verify_aws(seen: &Seen, authority: &str, id: &str, key: &str, region: &str, service: &str) {
    let authorization = seen.field("authorization").unwrap_or_else(|| panic!("unsigned: {seen:?}"));
    let time = seen.field("x-amz-date").unwrap();
    let scope = format!("{}/{region}/{service}/aws4_request", &time[..8]);
    let rest =
        authorization.strip_prefix(&format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders="));
    let (names, signature) =
        rest.unwrap_or_else(|| panic!("{authorization}")).split_once(", Signature=").unwrap();
    assert_eq!(seen.field("host"), Some(authority));
    for name in ["host", "x-amz-date"] {
        assert!(names.split(';').any(|signed| signed == name), "{names}");
    }
    let fields: String =
        names.split(';').map(|name| format!("{name}:{}\n", seen.field(name).unwrap())).collect();
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let query: BTreeMap<_, _> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let query: Vec<_> = query.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let canonical = format!(
        "{}\n{path}\n{}\n{fields}\n{names}\n{}",
        seen.method,
        query.join("&"),
        hex(&Sha256::digest(&seen.body))
    );
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(&canonical)));
    let parts = [&time[..8], region, service, "aws4_request"];
    let key = parts.iter().fold(format!("AWS4{key}").into_bytes(), |key, part| hmac(&key, part.as_bytes()));
    assert_eq!(signature, hex(&hmac(&key, text.as_bytes())), "{canonical}");
}
