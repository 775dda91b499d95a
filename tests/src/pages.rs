//! A web server on loopback for browsers: a table of pages, and a few paths that go wrong in a way of their own.
//! It must not be reachable from another machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// The running server; it stops answering when the process ends.
///
/// Besides its pages: `/redirect/PATH` leads to `/PATH`, `/silent` takes the request and says nothing, `/cut` ends in the
/// middle of its body, `/empty` hangs up without a word. Everything else is a 404 with a body.
#[derive(Debug, Clone)]
pub struct Pages {
    address: SocketAddr,
}

impl Pages {
    /// Starts it on a free port with these pages: a path with its slash, and HTML.
    pub fn start(pages: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let pages: Arc<Vec<(String, String)>> =
            Arc::new(pages.iter().map(|(path, html)| ((*path).to_owned(), (*html).to_owned())).collect());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let pages = pages.clone();
                // A browser that hangs up is no fault.
                std::thread::spawn(move || drop(serve(&stream, &pages)));
            }
        });
        Self { address }
    }

    /// The address of the root, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn serve(stream: &TcpStream, pages: &[(String, String)]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split_whitespace().nth(1).unwrap_or("/").to_owned();
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line)?;
        }
        let answer = |status: &str, more: &str, length: usize, body: &str| {
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\n{more}content-length: {length}\r\n\r\n"
            );
            (&mut &*stream).write_all((head + body).as_bytes())
        };
        if let Some((_, html)) = pages.iter().find(|(known, _)| *known == path) {
            answer("200 OK", "", html.len(), html)?;
        } else if let Some(to) = path.strip_prefix("/redirect") {
            answer("302 Found", &format!("location: {to}\r\n"), 0, "")?;
        } else if path == "/silent" {
            // Longer than any test waits.
            std::thread::sleep(Duration::from_secs(600));
        } else if path == "/cut" {
            return answer("200 OK", "", 1000, "<p>half");
        } else if path == "/empty" {
            return Ok(());
        } else {
            answer("404 Not Found", "", 12, "<p>Not found")?;
        }
    }
}
