//! A real web site on loopback: whatever a function makes of each request, and the requests that came.
//! It must not be reachable from another machine, and it knows nothing of plugins.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// What a client asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// For example `GET`.
    pub method: String,
    /// Path and query as they came.
    pub target: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    /// The first header of that name (in lower case), or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }
}

/// What a site answers.
#[derive(Debug, Clone)]
pub enum Page {
    /// A status, headers besides the length, and a body.
    Whole(u16, Vec<(String, String)>, Vec<u8>),
    /// The connection is closed without an answer.
    Nothing,
}

impl Page {
    /// A good answer of a type.
    pub fn of(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::Whole(200, vec![("content-type".into(), content_type.into())], body.into())
    }

    /// Only a status, with a text that says it.
    pub fn status(status: u16) -> Self {
        let body = format!("status {status}");
        Self::Whole(status, vec![("content-type".into(), "text/plain".into())], body.into_bytes())
    }

    /// A redirect.
    pub fn redirect(status: u16, to: &str) -> Self {
        Self::Whole(status, vec![("location".into(), to.into())], Vec::new())
    }
}

/// A running site; it is there until the process ends.
#[derive(Debug, Clone)]
pub struct Site {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Site {
    /// Starts it on a free port of loopback.
    pub fn start(answer: impl Fn(&Asked) -> Page + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let site = Self { address: listener.local_addr().expect("bound"), asked: Arc::default() };
        let (served, answer) = (site.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (served, answer) = (served.clone(), Arc::clone(&answer));
                // A client that goes away in the middle is no fault.
                std::thread::spawn(move || drop(served.serve(&stream, &*answer)));
            }
        });
        site
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One request of a connection.
    fn serve(&self, stream: &TcpStream, answer: &dyn Fn(&Asked) -> Page) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(()) };
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 || header.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':') {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        let asked = Asked { method, target, headers };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
        let Page::Whole(status, headers, body) = answer(&asked) else { return Ok(()) };
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut out = stream;
        write!(
            out,
            "HTTP/1.1 {status} Status\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        )?;
        out.write_all(&body)?;
        out.flush()
    }
}
