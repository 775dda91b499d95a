//! The way out that a person configured: a private certificate authority and an HTTP proxy, with real servers on
//! loopback. What was granted decides there as everywhere.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kennel_tests::{Client, Home, words};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// A head, as lines.
fn head(stream: impl Read) -> Vec<String> {
    let lines = BufReader::with_capacity(1, stream).lines();
    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect()
}

/// What a server for `localhost` shows: a certificate of an authority of its own, whose certificate is in a file.
fn identity(authority: &Path) -> Arc<rustls::ServerConfig> {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap();
    let pem = {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(ca.der());
        let lines: Vec<_> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("A comment.\n-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    std::fs::write(authority, pem).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::new(params, ca_key);
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
    Arc::new(config)
}

/// A server with such a certificate.
fn secure_server(authority: &Path) -> SocketAddr {
    let config = identity(authority);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = config.clone();
            std::thread::spawn(move || {
                let connection = rustls::ServerConnection::new(config).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, stream);
                while !head(&mut stream).is_empty() && stream.write_all(HELLO).is_ok() {
                    let _ = stream.flush();
                }
            });
        }
    });
    address
}

/// A plain server.
fn server() -> (SocketAddr, Arc<Mutex<Vec<Vec<String>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, heads) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<Vec<String>>>>::default());
    let seen = heads.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let seen = seen.clone();
            std::thread::spawn(move || {
                loop {
                    let head = head(&mut stream);
                    if head.is_empty() || stream.write_all(HELLO).is_err() {
                        return;
                    }
                    seen.lock().unwrap().push(head);
                }
            });
        }
    });
    (address, heads)
}

/// A proxy: opens tunnels, and sends what is in absolute form to where it says. Keeps the heads it got.
fn proxy() -> (SocketAddr, Arc<Mutex<Vec<Vec<String>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, heads) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<Vec<String>>>>::default());
    let seen = heads.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = seen.clone();
            std::thread::spawn(move || serve(stream, &seen));
        }
    });
    (address, heads)
}

fn serve(mut stream: TcpStream, heads: &Mutex<Vec<Vec<String>>>) -> std::io::Result<()> {
    let head = head(&mut stream);
    if head.is_empty() {
        return Ok(());
    }
    let words: Vec<_> =
        head.first().map(|line| line.split(' ').map(str::to_owned).collect()).unwrap_or_default();
    heads.lock().unwrap().push(head.clone());
    let [method, target, ..] = words.as_slice() else { return Ok(()) };
    let mut server = if method == "CONNECT" {
        let server = TcpStream::connect(target)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        server
    } else {
        let rest = target.trim_start_matches("http://");
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut server = TcpStream::connect(authority)?;
        write!(server, "{method} /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n")?;
        server
    };
    let (mut from, mut to) = (stream.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    std::io::copy(&mut server, &mut stream)?;
    stream.shutdown(std::net::Shutdown::Both)
}

/// The same proxy for who speaks TLS to it.
fn secured(proxy: SocketAddr, config: Arc<rustls::ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            std::thread::spawn(move || relay(rustls::StreamOwned::new(connection, stream), proxy));
        }
    });
    address
}

/// Passes on what either side says until one of them ends. One thread, because a TLS stream is not to be shared.
fn relay(
    mut secure: rustls::StreamOwned<rustls::ServerConnection, TcpStream>,
    proxy: SocketAddr,
) -> std::io::Result<()> {
    let mut plain = TcpStream::connect(proxy)?;
    let mut chunk = [0; 4096];
    let mut pass = |from: &mut dyn Read, to: &mut dyn Write| match from.read(&mut chunk) {
        Ok(0) => Err(std::io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => to.write_all(&chunk[..count]).and_then(|()| to.flush()),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
        Err(error) => Err(error),
    };
    for stream in [&secure.sock, &plain] {
        stream.set_read_timeout(Some(Duration::from_millis(5)))?;
    }
    loop {
        pass(&mut secure, &mut plain)?;
        pass(&mut plain, &mut secure)?;
    }
}

fn granted(urls: &[&str]) -> String {
    let env = ["TARGET", "NAMED"].iter().zip(urls).map(|(name, url)| format!("{name} = \"{url}\"\n"));
    let grants = urls.iter().map(|url| format!("[[plugins.attacker.http]]\nurl = \"{url}\"\n"));
    format!("[plugins.attacker.env]\n{}{}", env.collect::<String>(), grants.collect::<String>())
}

fn start(home: &Home, config: &str) -> Client {
    home.hostile_as("attacker", "attacker").config(config).approve();
    let client = home.serve();
    client.initialize();
    client
}

fn request(url: &str) -> Value {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    json!({ "method": "GET", "scheme": scheme, "authority": authority, "path": format!("/{path}") })
}

fn web(client: &Client, url: &str) -> String {
    words(&client.call("attacker__web", &request(url)))
}

/// A server of a private authority is trusted when the authority is configured, and not before or otherwise.
#[test]
fn a_private_authority_is_trusted_when_configured() {
    let home = Home::new("authority");
    let folder = home.folder("authorities");
    let address = secure_server(&folder.join("ours.pem"));
    secure_server(&folder.join("other.pem"));
    let url = format!("https://localhost:{}", address.port());
    let by_address = format!("https://127.0.0.1:{}", address.port());
    let grants = granted(&[&url, &by_address]);
    for (file, trusted) in [("", false), ("other.pem", false), ("ours.pem", true)] {
        let egress = match file {
            "" => String::new(),
            file => format!("[egress]\nca-file = {:?}\n", folder.join(file)),
        };
        let client = start(&home, &format!("{egress}{grants}"));
        for _ in 0..2 {
            let said = web(&client, &url);
            if trusted {
                assert_eq!(said, "200 hello", "{}", client.stderr());
            } else {
                assert!(
                    said.contains("TlsCertificateError") || said.contains("ConfigurationError"),
                    "{said}"
                );
            }
        }
        // The certificate is for a name, and this is another.
        assert!(!web(&client, &by_address).contains("hello"));
    }
}

/// Everything goes through the proxy, to the address that was checked, and only what was granted.
#[test]
fn a_proxy_is_used_and_decides_nothing() {
    let home = Home::new("proxy");
    let authority = home.folder("authorities").join("ours.pem");
    let secure = secure_server(&authority);
    let (plain, reached) = server();
    let (proxy, asked) = proxy();
    let secure_url = format!("https://localhost:{}", secure.port());
    let plain_url = format!("http://127.0.0.1:{}", plain.port());
    let egress = format!("[egress]\nca-file = {authority:?}\nproxy = \"http://user:pa%20ss@{proxy}\"\n");
    let grants = granted(&[&plain_url, &secure_url]);
    let client = start(&home, &format!("{egress}{grants}"));
    assert_eq!(web(&client, &format!("{plain_url}/a")), "200 hello", "{}", client.stderr());
    assert_eq!(web(&client, &secure_url), "200 hello", "{}", client.stderr());
    let lines = || asked.lock().unwrap().iter().map(|head| head[0].clone()).collect::<Vec<_>>();
    assert_eq!(
        lines(),
        [format!("CONNECT {plain} HTTP/1.1"), format!("CONNECT 127.0.0.1:{} HTTP/1.1", secure.port())]
    );
    // Who asks is said to the proxy, and to nobody behind it.
    assert!(
        asked
            .lock()
            .unwrap()
            .iter()
            .all(|head| { head.iter().any(|line| line == "proxy-authorization: Basic dXNlcjpwYSBzcw==") })
    );
    assert_eq!(*reached.lock().unwrap(), [["GET /a HTTP/1.1".to_owned(), format!("host: {plain}")]]);
    let said = web(&client, "http://169.254.169.254/latest");
    assert!(said.contains("was not granted"), "{said}");
    assert_eq!(lines().len(), 2);

    // A proxy that looks names up gets plain requests in absolute form; exceptions go straight.
    let more = "proxy-resolves = true\nno-proxy = [\"localhost\"]\n";
    let client = start(&home, &format!("{egress}{more}{grants}"));
    assert_eq!(web(&client, &format!("{plain_url}/b")), "200 hello", "{}", client.stderr());
    assert_eq!(web(&client, &secure_url), "200 hello", "{}", client.stderr());
    assert_eq!(lines()[2..], [format!("GET {plain_url}/b HTTP/1.1")]);
    assert!(!client.stderr().contains("pa%20ss") && !client.stderr().contains("dXNlcjpwYSBzcw"));
}

/// A proxy behind TLS is spoken to as one that shows whom it is; else nothing is said to it.
#[test]
fn a_proxy_behind_tls_shows_who_it_is() {
    let home = Home::new("secure-proxy");
    let folder = home.folder("authorities");
    let (ours, other) = (folder.join("ours.pem"), folder.join("other.pem"));
    let (plain, reached) = server();
    let (proxy, asked) = proxy();
    let secure_proxy = secured(proxy, identity(&ours));
    identity(&other);
    let url = format!("http://127.0.0.1:{}", plain.port());
    let egress = |authority: &Path| {
        let proxy = format!("https://ada:word@localhost:{}", secure_proxy.port());
        format!("[egress]\nca-file = {authority:?}\nproxy = {proxy:?}\n{}", granted(&[&url]))
    };
    let client = start(&home, &egress(&other));
    assert!(!web(&client, &url).contains("hello"));
    assert!(asked.lock().unwrap().is_empty() && reached.lock().unwrap().is_empty());
    let client = start(&home, &egress(&ours));
    assert_eq!(web(&client, &format!("{url}/a")), "200 hello", "{}", client.stderr());
    assert_eq!(asked.lock().unwrap()[0][0], format!("CONNECT {plain} HTTP/1.1"));
    assert_eq!(reached.lock().unwrap().len(), 1);
}

/// A proxy that is not there is an error, and never a way around it.
#[test]
fn without_the_proxy_nothing_goes() {
    let (plain, reached) = server();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::new("no-proxy");
    let url = format!("http://127.0.0.1:{}", plain.port());
    let client = start(&home, &format!("[egress]\nproxy = \"http://{nobody}\"\n{}", granted(&[&url])));
    let said = web(&client, &url);
    assert!(said.contains("ConnectionRefused"), "{said}");
    assert!(reached.lock().unwrap().is_empty());
}

/// Calls of a plugin share its connections.
#[test]
fn connections_are_kept_between_calls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(Mutex::new(0));
    let count = connections.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            *count.lock().unwrap() += 1;
            std::thread::spawn(
                move || while !head(&mut stream).is_empty() && stream.write_all(HELLO).is_ok() {},
            );
        }
    });
    let url = format!("http://127.0.0.1:{port}");
    let home = Home::new("kept");
    let client = start(&home, &granted(&[&url]));
    for _ in 0..5 {
        assert_eq!(web(&client, &url), "200 hello", "{}", client.stderr());
    }
    let many = words(&client.call("attacker__hammer", &json!({ "request": request(&url), "count": 50 })));
    assert!(many.starts_with("50 answered"), "{many}");
    // On a machine under load a call may come later than a connection is kept.
    let opened = *connections.lock().unwrap();
    assert!(opened < 6, "{opened} connections for 55 requests");
}
