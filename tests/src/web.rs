//! A real web server on loopback, in the clear or over TLS, whose answers a test writes, good ones and bad: it remembers
//! what it was asked. The certificate is of its own making, for hosts that trust it through `egress.ca-file`.
//! It must not be reachable from another machine, and it knows nothing of plugins.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long a connection may be idle: longer than anything that a test waits for.
const IDLE: Duration = Duration::from_secs(120);

/// What one request said.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query, as they came.
    pub target: String,
    /// Header fields in the order they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The address that was dialled.
    pub dialled: Option<IpAddr>,
}

impl Asked {
    /// The path, as it came.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Method and path, as in `GET /users`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path())
    }

    /// A parameter of the query, decoded; none when it is not there.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .map(|(key, value)| (decoded(key), decoded(value)))
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// A header field, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null when there is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex = [rest.next().unwrap_or(b'?'), rest.next().unwrap_or(b'?')];
                let hex = String::from_utf8_lossy(&hex).into_owned();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap_or(b'?'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// None is not a word.
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    pieces: Vec<Vec<u8>>,
    pause: Duration,
    wait: Duration,
    cut: bool,
}

impl Answer {
    /// A status with no body.
    pub fn status(status: u16) -> Self {
        Self {
            status: Some(status),
            headers: Vec::new(),
            body: Vec::new(),
            pieces: Vec::new(),
            pause: Duration::ZERO,
            wait: Duration::ZERO,
            cut: false,
        }
    }

    /// 200 with JSON.
    pub fn json(value: &Value) -> Self {
        Self::status(200).header("content-type", "application/json; charset=utf-8").body(value.to_string())
    }

    /// 200 with a content type.
    pub fn of(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).header("content-type", content_type).body(body)
    }

    /// Hangs up without a word.
    pub fn nothing() -> Self {
        Self { status: None, cut: true, ..Self::status(200) }
    }

    /// A failure with JSON.
    pub fn failure(status: u16, value: &Value) -> Self {
        Self { status: Some(status), ..Self::json(value) }
    }

    /// 302 to a URL.
    pub fn redirect(to: &str) -> Self {
        Self::status(302).header("location", to)
    }

    /// 200 in chunks with a pause between them.
    pub fn pieces<P: Into<Vec<u8>>>(pieces: impl IntoIterator<Item = P>, pause: Duration) -> Self {
        Self { pieces: pieces.into_iter().map(Into::into).collect(), pause, ..Self::status(200) }
    }

    /// 200 with a text, on a connection of its own.
    pub fn once_only(text: &str) -> Self {
        Self::status(200).header("connection", "close").body(text)
    }

    /// Adds a header field; after `connection: close` the server hangs up.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits before the first byte.
    #[must_use]
    pub fn slow(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Hangs up in the middle of the body (or of the head, when there is none).
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.cut = true;
        self
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        std::thread::sleep(self.wait);
        let Some(status) = self.status else { return Ok(()) };
        let mut head = format!("HTTP/1.1 {status} Said\r\n");
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.pieces.is_empty() {
            write!(to, "{head}transfer-encoding: chunked\r\n\r\n")?;
            for piece in &self.pieces {
                write!(to, "{:x}\r\n", piece.len())?;
                to.write_all(piece)?;
                to.write_all(b"\r\n")?;
                to.flush()?;
                std::thread::sleep(self.pause);
            }
            return if self.cut { Ok(()) } else { to.write_all(b"0\r\n\r\n") };
        }
        if self.cut && self.body.is_empty() {
            return to.write_all(head.as_bytes());
        }
        // A 304 and a 204 have no body, and so no length.
        if !matches!(status, 204 | 304) {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        write!(to, "{head}\r\n")?;
        let sent = if self.cut { self.body.len() / 2 } else { self.body.len() };
        to.write_all(&self.body[..sent])
    }
}

type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    asked: Mutex<Vec<Asked>>,
    once: Mutex<HashMap<String, VecDeque<Answer>>>,
    /// The addresses dialled, for each connection, whether or not a request came.
    dialled: Mutex<Vec<IpAddr>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running server. Its threads end with the process.
pub struct WebServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    certificate: Option<TempDir>,
}

impl std::fmt::Debug for WebServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl WebServer {
    /// In the clear, on a free port of loopback.
    pub fn clear(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::clear_at("127.0.0.1:0", handler)
    }

    /// In the clear, at an address.
    pub fn clear_at(address: &str, handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(address, Box::new(handler), None, serve)
    }

    /// Over TLS, with a certificate for 127.0.0.1 and localhost.
    #[cfg(feature = "tls")]
    pub fn tls(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::tls_at("127.0.0.1:0", &["127.0.0.1", "localhost"], handler)
    }

    /// Over TLS at an address, with a certificate for these names.
    #[cfg(feature = "tls")]
    pub fn tls_at<S: AsRef<str>>(
        address: &str,
        names: &[S],
        handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let names: Vec<_> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate can be made");
        let folder = TempDir::new().expect("a temporary folder");
        let der = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, made.cert.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
        std::fs::write(folder.path().join("ca.pem"), pem).expect("the folder takes a file");
        let key =
            rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider speaks TLS")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("the key is the certificate's");
        let config = Arc::new(config);
        Self::start(address, Box::new(handler), Some(folder), move |stream, shared, dialled| {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            serve(rustls::StreamOwned::new(connection, stream), shared, dialled)
        })
    }

    fn start(
        address: &str,
        handler: Box<Handler>,
        certificate: Option<TempDir>,
        talk: impl Fn(TcpStream, &Shared, IpAddr) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("the port has a number");
        let shared = Arc::new(Shared {
            handler,
            asked: Mutex::default(),
            once: Mutex::default(),
            dialled: Mutex::default(),
        });
        let (all, talk) = (Arc::clone(&shared), Arc::new(talk));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, talk) = (Arc::clone(&all), Arc::clone(&talk));
                std::thread::spawn(move || {
                    let dialled = stream.local_addr()?.ip().to_canonical();
                    lock(&shared.dialled).push(dialled);
                    stream.set_read_timeout(Some(IDLE))?;
                    // An answer is several writes, none of which has to wait for the one before to have arrived.
                    stream.set_nodelay(true)?;
                    // Whoever hangs up in the middle is no fault of the server's.
                    talk(stream, &shared, dialled)
                });
            }
        });
        Self { address, shared, certificate }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Host and port.
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// The URL, without a slash at its end.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// The file with the certificate to trust.
    pub fn certificate(&self) -> Option<std::path::PathBuf> {
        self.certificate.as_ref().map(|folder: &TempDir| Path::new(folder.path()).join("ca.pem"))
    }

    /// The lines of `kennel.toml` that make the host trust this server; none in the clear.
    pub fn trust(&self) -> String {
        self.certificate().map(|file| format!("[egress]\nca-file = {file:?}\n")).unwrap_or_default()
    }

    /// Answers the next request for a method and path so, before the handler is asked; several in turn.
    pub fn once(&self, line: &str, answer: Answer) {
        lock(&self.shared.once).entry(line.to_owned()).or_default().push_back(answer);
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// The last request.
    #[track_caller]
    pub fn last(&self) -> Asked {
        lock(&self.shared.asked).last().cloned().expect("the server was asked something")
    }

    /// Methods and paths of the requests so far.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.shared.asked).iter().map(Asked::line).collect()
    }

    /// The addresses that were dialled so far, one for each connection.
    pub fn dialled(&self) -> Vec<IpAddr> {
        // What was sent to loopback has arrived by then, and nothing can be waited for that must not come.
        std::thread::sleep(Duration::from_millis(100));
        lock(&self.shared.dialled).clone()
    }
}

fn serve<S: Read + Write>(stream: S, shared: &Shared, dialled: IpAddr) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(mut asked) = read(&mut stream)? {
        asked.dialled = Some(dialled);
        let line = asked.line();
        lock(&shared.asked).push(asked.clone());
        let once = lock(&shared.once).get_mut(&line).and_then(VecDeque::pop_front);
        let answer = once.unwrap_or_else(|| (shared.handler)(&asked));
        answer.write(stream.get_mut())?;
        stream.get_mut().flush()?;
        let closes = answer.headers.iter().any(|(name, value)| name == "connection" && value == "close");
        if answer.cut || closes {
            break;
        }
    }
    Ok(())
}

/// A request; none when the client hung up before one.
fn read(stream: &mut impl BufRead) -> io::Result<Option<Asked>> {
    let next = |stream: &mut dyn BufRead| {
        let mut line = String::new();
        match stream.read_line(&mut line)? {
            0 => Ok(None),
            _ => Ok::<_, io::Error>(Some(line.trim_end().to_owned())),
        }
    };
    let Some(first) = next(stream)? else { return Ok(None) };
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut asked = Asked { method, target, ..Asked::default() };
    while let Some(field) = next(stream)? {
        let Some((name, value)) = field.split_once(':') else { break };
        asked.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if asked.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = next(stream)?.unwrap_or_default();
            let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk)?;
            if size == 0 {
                break;
            }
            asked.body.extend_from_slice(&chunk[..size]);
        }
    } else if let Some(length) = asked.header("content-length") {
        let mut body = vec![0; length.parse().map_err(io::Error::other)?];
        stream.read_exact(&mut body)?;
        asked.body = body;
    }
    Ok(Some(asked))
}
