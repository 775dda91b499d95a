//! Tests of the gate against real servers on the loopback, through the hook that wasmtime calls. The
//! network is real too, but for the tests that need a resolver that lies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::network::{self, Network, System};
use super::trust::Trust;
use super::*;
use crate::grants::{Egress, Grants, HostPattern, HttpGrant, PathPrefix};

#[path = "tests/egress.rs"]
mod egress;
#[path = "tests/reuse.rs"]
mod reuse;

/// Longer than any test takes; it only keeps a broken one from hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that reads heads and answers each connection with what `answer` does.
struct Server {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start<F, R>(answer: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        tokio::spawn(async move {
            let answer = Arc::new(answer);
            while let Ok((mut stream, _)) = listener.accept().await {
                let (seen, answer) = (seen.clone(), answer.clone());
                tokio::spawn(async move {
                    let head = head(&mut stream).await;
                    seen.lock().unwrap().push(head);
                    answer(stream).await
                });
            }
        });
        Self { address, heads }
    }

    async fn saying(text: impl Into<String>) -> Self {
        let text = Arc::new(text.into());
        Self::start(move |mut stream| {
            let text = text.clone();
            async move {
                stream.write_all(text.as_bytes()).await?;
                stream.shutdown().await
            }
        })
        .await
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A resolver that gives its answers in turn, the last one again and again, and a network that records
/// what is dialled and goes to `to` instead.
struct Liar {
    answers: Mutex<VecDeque<Vec<SocketAddr>>>,
    asked: AtomicUsize,
    dialled: Mutex<Vec<SocketAddr>>,
    to: SocketAddr,
}

impl Liar {
    fn new(answers: &[&[&str]], to: SocketAddr) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(parse).collect()),
            asked: AtomicUsize::new(0),
            dialled: Mutex::default(),
            to,
        })
    }
}

impl Network for Liar {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        self.asked.fetch_add(1, SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(std::future::ready(Ok(answer.unwrap_or_default())))
    }

    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        self.dialled.lock().unwrap().push(address);
        Box::pin(TcpStream::connect(self.to))
    }
}

fn nowhere() -> SocketAddr {
    "127.0.0.1:9".parse().unwrap()
}

/// GET and POST below `/` of the URL's host and port.
fn grant(url: &str, private_addresses: bool) -> HttpGrant {
    let url = url::Url::parse(url).unwrap();
    HttpGrant {
        scheme: if url.scheme() == "http" { HttpScheme::Http } else { HttpScheme::Https },
        host: match url.host().unwrap() {
            url::Host::Domain(name) => HostPattern::Name(name.to_owned()),
            url::Host::Ipv4(address) => HostPattern::Address(address.into()),
            url::Host::Ipv6(address) => HostPattern::Address(address.into()),
        },
        port: url.port_or_known_default().unwrap(),
        methods: vec!["GET".into(), "POST".into(), "HEAD".into()],
        path: PathPrefix::new("/").unwrap(),
        private_addresses,
    }
}

struct Test {
    grants: Grants,
    limits: Limits,
    network: Arc<dyn Network>,
    trust: Arc<Trust>,
    egress: Egress,
    deadline: Duration,
}

impl Test {
    fn new(http: Vec<HttpGrant>) -> Self {
        Self {
            grants: Grants { http, ..Grants::default() },
            limits: super::super::test_limits(),
            network: Arc::new(System::default()),
            trust: Arc::default(),
            egress: Egress::default(),
            deadline: PATIENCE,
        }
    }

    fn configured(&self) -> Configured {
        let configure = Configure {
            plugin: "weather",
            grants: &self.grants,
            limits: &self.limits,
            egress: &self.egress,
            state_dir: None,
        };
        Configured::over(
            &configure,
            secrets::Configured::none(),
            Client {
                network: self.network.clone(),
                trust: self.trust.clone(),
                egress: self.egress.clone(),
                pool: Arc::default(),
                connections: Arc::new(Semaphore::new(self.limits.http_connections as usize)),
            },
        )
    }

    fn begin(&self) -> (Call, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        let call = self.configured().begin(&self.limits, &counters, Instant::now() + self.deadline);
        (call, counters)
    }
}

fn request(method: &str, url: &str) -> http::request::Builder {
    Request::builder().method(method).uri(url)
}

fn empty() -> WasiBody {
    Empty::new().map_err(|never: std::convert::Infallible| match never {}).boxed_unsync()
}

async fn send(
    call: &mut Call,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<Response<WasiBody>, Error> {
    let sending = Pin::from(call.hooks.send_request(request, options, Box::new(std::future::ready(Ok(())))));
    tokio::time::timeout(PATIENCE, sending).await.expect("the request hangs").map(|(response, _)| response)
}

async fn get(call: &mut Call, url: &str) -> Result<Response<WasiBody>, Error> {
    send(call, request("GET", url).body(empty()).unwrap(), None).await
}

async fn read(response: Response<WasiBody>) -> Result<Bytes, Error> {
    let reading = response.into_body().collect();
    Ok(tokio::time::timeout(PATIENCE, reading).await.expect("the body hangs")?.to_bytes())
}

/// The error as text: the type has no equality.
fn failed<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => "no error".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

#[tokio::test]
async fn a_granted_request_goes_out_with_our_host_and_is_counted() {
    let server = Server::saying(HELLO).await;
    let test = Test::new(vec![grant(&server.url("/"), true)]);
    let (mut call, counters) = test.begin();
    let response = get(&mut call, &server.url("/a/b?q=1")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(read(response).await.unwrap(), "hello");
    assert_eq!(server.heads(), [format!("GET /a/b?q=1 HTTP/1.1\r\nhost: {}\r\n\r\n", server.address)]);
    let sent = server.heads()[0].len() as u64;
    assert_eq!(counters.take_due(), sent + HELLO.len() as u64);
    assert_eq!(call.take_denials(), Vec::<String>::new());
}

#[tokio::test]
async fn without_a_grant_no_name_is_resolved_and_nothing_is_dialled() {
    let liar = Liar::new(&[&["1.1.1.1:80"]], nowhere());
    let place = HttpGrant { path: PathPrefix::new("/v1").unwrap(), ..grant("http://a.example", false) };
    let test = Test { network: liar.clone(), ..Test::new(vec![place]) };
    let (mut call, _) = test.begin();
    for (method, url) in [
        ("GET", "http://b.example/v1"),
        ("GET", "https://a.example:80/v1"),
        ("GET", "http://a.example:81/v1"),
        ("GET", "http://a.example/v10"),
        ("DELETE", "http://a.example/v1"),
        ("GET", "http://secret-as-a-name.a.example/v1"),
        ("GET", "http://a.example@evil.example/v1"),
        ("GET", "http://2130706433/v1"),
        ("GET", "http://a.example/v1/%2e%2e/x"),
        ("CONNECT", "http://a.example/v1"),
        ("GET", "ftp://a.example/v1"),
    ] {
        let refused = send(&mut call, request(method, url).body(empty()).unwrap(), None).await;
        assert!(refused.is_err(), "{method} {url}");
    }
    assert_eq!((liar.asked.load(SeqCst), liar.dialled.lock().unwrap().len()), (0, 0));
    insta::assert_snapshot!(call.take_denials().join("\n"), @"
    GET http://b.example:80/v1 was not granted to `weather`: it holds no grant for this host; ask the user to grant it in kennel.toml
    GET https://a.example:80/v1 was not granted to `weather`: its grants for this host are for another scheme; ask the user to grant it in kennel.toml
    GET http://a.example:81/v1 was not granted to `weather`: its grants for this host are for another port; ask the user to grant it in kennel.toml
    GET http://a.example:80/v10 was not granted to `weather`: its grants for this host are for other paths; ask the user to grant it in kennel.toml
    DELETE http://a.example:80/v1 was not granted to `weather`: its grants for this place are for other methods; ask the user to grant it in kennel.toml
    GET http://secret-as-a-name.a.example:80/v1 was not granted to `weather`: it holds no grant for this host; ask the user to grant it in kennel.toml
    an HTTP request of `weather` was refused: a user or password before the host is not supported
    an HTTP request of `weather` was refused: the host is a number but not an IPv4 address of four decimal parts
    3 more HTTP requests were refused
    ");
    assert!(call.take_denials().is_empty());
}

#[tokio::test]
async fn a_plugin_without_grants_reads_why() {
    let (mut call, _) = Test::new(Vec::new()).begin();
    assert_eq!(failed(get(&mut call, "https://a.example/b?key=s3cret").await), "HttpRequestDenied");
    insta::assert_snapshot!(call.take_denials().join("\n"), @"GET https://a.example:443/b was not granted to `weather`: it holds no outbound HTTP; ask the user to grant it in kennel.toml");
}

#[tokio::test]
async fn what_no_grant_can_allow_is_refused_by_its_own_name() {
    let (mut call, _) = Test::new(vec![grant("http://a.example", false)]).begin();
    let long = format!("http://a.example/?{}", "q".repeat(MAX_TARGET));
    for (method, url, error) in [
        ("GET", "ftp://a.example/", "HttpProtocolError"),
        ("GET", "/only/a/path", "HttpProtocolError"),
        ("TRACE", "http://a.example/", "HttpRequestMethodInvalid"),
        ("GET", "http://0x7f.1/", "HttpRequestUriInvalid"),
        ("GET", &long, "HttpRequestUriTooLong"),
    ] {
        let sent = send(&mut call, request(method, url).body(empty()).unwrap(), None).await;
        assert_eq!(failed(sent), error, "{method} {url}");
    }
    insta::assert_snapshot!(call.take_denials().join("\n"), @r"
    an HTTP request of `weather` was refused: ftp is not http or https
    an HTTP request of `weather` was refused: no scheme is not http or https
    an HTTP request of `weather` was refused: this method is not supported
    an HTTP request of `weather` was refused: the host is a number but not an IPv4 address of four decimal parts
    an HTTP request of `weather` was refused: its path and query are longer than 16384 bytes
    ");
}

#[tokio::test]
async fn fields_of_the_connection_are_the_hosts() {
    let liar = Liar::new(&[&["1.1.1.1:80"]], nowhere());
    let test = Test { network: liar.clone(), ..Test::new(vec![grant("http://a.example", false)]) };
    let (mut call, _) = test.begin();
    let forbidden = call.hooks.forbidden_header_filter();
    for field in
        ["host", "connection", "transfer-encoding", "te", "trailer", "upgrade", "proxy-authorization"]
    {
        assert!(forbidden(&HeaderName::from_static(field)), "{field}");
        let forged = request("GET", "http://a.example/").header(field, "x").body(empty()).unwrap();
        assert_eq!(failed(send(&mut call, forged, None).await), "HttpRequestDenied", "{field}");
    }
    assert!(!forbidden(&header::AUTHORIZATION) && !forbidden(&header::ACCEPT));
    assert!(liar.dialled.lock().unwrap().is_empty());
}

#[tokio::test]
async fn addresses_that_are_not_public_need_a_grant_that_says_so() {
    for url in [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://0.0.0.0/",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[fd00:ec2::254]/",
    ] {
        let liar = Liar::new(&[], nowhere());
        let mut place = grant(url, false);
        if let HostPattern::Address(address) = &mut place.host {
            *address = address.to_canonical();
        }
        let test = Test { network: liar.clone(), ..Test::new(vec![place]) };
        let (mut call, _) = test.begin();
        assert_eq!(failed(get(&mut call, url).await), "DestinationIpProhibited", "{url}");
        assert!(liar.dialled.lock().unwrap().is_empty(), "{url}");
        assert_eq!(call.take_denials().len(), 1, "{url}");
    }
}

#[tokio::test]
async fn one_private_address_among_public_ones_refuses_the_name() {
    let liar = Liar::new(&[&["1.1.1.1:80", "127.0.0.1:80"]], nowhere());
    let test = Test { network: liar.clone(), ..Test::new(vec![grant("http://a.example", false)]) };
    let (mut call, _) = test.begin();
    assert_eq!(failed(get(&mut call, "http://a.example/").await), "DestinationIpProhibited");
    assert!(liar.dialled.lock().unwrap().is_empty());
    insta::assert_snapshot!(call.take_denials().join("\n"), @"GET http://a.example:80/ was not granted to `weather`: the host has a private, local or reserved address; if that is meant, ask the user to add `private-addresses` to the grant");
}

#[tokio::test]
async fn a_name_that_changes_its_answer_is_dialled_where_it_was_checked() {
    let server = Server::saying(HELLO).await;
    let liar = Liar::new(&[&["1.1.1.1:80"], &["127.0.0.1:80"]], server.address);
    let test = Test { network: liar.clone(), ..Test::new(vec![grant("http://a.example", false)]) };
    let (mut call, _) = test.begin();
    let response = get(&mut call, "http://a.example/").await.unwrap();
    assert_eq!(read(response).await.unwrap(), "hello");
    let public: SocketAddr = "1.1.1.1:80".parse().unwrap();
    assert_eq!((liar.asked.load(SeqCst), liar.dialled.lock().unwrap().clone()), (1, vec![public]));
    assert_eq!(failed(get(&mut call, "http://a.example/").await), "DestinationIpProhibited");
    assert_eq!(liar.dialled.lock().unwrap().clone(), vec![public]);
}

#[tokio::test]
async fn a_redirect_is_the_guests_to_follow() {
    let server =
        Server::saying("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
            .await;
    let (mut call, _) = Test::new(vec![grant(&server.url("/"), true)]).begin();
    let response = get(&mut call, &server.url("/")).await.unwrap();
    assert_eq!((response.status().as_u16(), server.heads().len()), (302, 1));
    assert_eq!(failed(get(&mut call, "http://127.0.0.1:1/").await), "HttpRequestDenied");
}

/// Sends `first`, then `again` every few milliseconds until the other side hangs up.
async fn dripping(first: &'static str, again: &'static [u8], pause: Duration) -> Server {
    Server::start(move |mut stream| async move {
        stream.write_all(first.as_bytes()).await?;
        loop {
            stream.write_all(again).await?;
            tokio::time::sleep(pause).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_dripping_body_ends_at_the_calls_deadline() {
    let pause = Duration::from_millis(10);
    let server = dripping("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b"x", pause).await;
    let deadline = Duration::from_millis(400);
    let (mut call, _) = Test { deadline, ..Test::new(vec![grant(&server.url("/"), true)]) }.begin();
    let response = get(&mut call, &server.url("/")).await.unwrap();
    assert_eq!(failed(read(response).await), "HttpResponseTimeout");
}

#[tokio::test]
async fn a_dripping_head_ends_at_the_calls_deadline() {
    let server = dripping("HTTP/1.1 200 OK\r\nx: ", b"x", Duration::from_millis(10)).await;
    let deadline = Duration::from_millis(400);
    let (mut call, _) = Test { deadline, ..Test::new(vec![grant(&server.url("/"), true)]) }.begin();
    assert_eq!(failed(get(&mut call, &server.url("/")).await), "ConnectionReadTimeout");
}

#[tokio::test]
async fn the_guests_own_timeouts_are_kept() {
    let silent = Server::start(|mut stream| async move {
        stream.read_u8().await?;
        Ok(())
    })
    .await;
    let (mut call, _) = Test::new(vec![grant(&silent.url("/"), true)]).begin();
    let short = Some(Duration::from_millis(50));
    let options = RequestOptions { first_byte_timeout: short, ..RequestOptions::default() };
    let sent = send(&mut call, request("GET", &silent.url("/")).body(empty()).unwrap(), Some(options)).await;
    assert_eq!(failed(sent), "ConnectionReadTimeout");

    let pause = Duration::from_secs(3600);
    let server = dripping("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", b"x", pause).await;
    let (mut call, _) = Test::new(vec![grant(&server.url("/"), true)]).begin();
    let options = RequestOptions { between_bytes_timeout: short, ..RequestOptions::default() };
    let sent = send(&mut call, request("GET", &server.url("/")).body(empty()).unwrap(), Some(options)).await;
    assert_eq!(failed(read(sent.unwrap()).await), "ConnectionReadTimeout");
}

#[tokio::test]
async fn an_endless_body_ends_at_its_bound() {
    let server = Server::start(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
        let chunk = [b"400\r\n".as_slice(), &[b'x'; 0x400], b"\r\n"].concat();
        loop {
            stream.write_all(&chunk).await?;
        }
    })
    .await;
    let (mut call, counters) = Test::new(vec![grant(&server.url("/"), true)]).begin();
    let response = get(&mut call, &server.url("/")).await.unwrap();
    assert_eq!(failed(read(response).await), "HttpResponseBodySize(Some(1048576))");
    let received = counters.take_due();
    assert!((1 << 20..2 << 20).contains(&received), "{received}");
}

#[tokio::test]
async fn a_body_that_declares_too_much_is_not_begun() {
    let server = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n").await;
    let (mut call, _) = Test::new(vec![grant(&server.url("/"), true)]).begin();
    assert_eq!(failed(get(&mut call, &server.url("/")).await), "HttpResponseBodySize(Some(1048577))");
    // The length of what HEAD would have got is no body.
    let head = request("HEAD", &server.url("/")).body(empty()).unwrap();
    assert_eq!(send(&mut call, head, None).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_request_body_is_bounded() {
    let got = Arc::new(AtomicUsize::new(0));
    let counted = got.clone();
    let server = Server::start(move |mut stream| {
        let counted = counted.clone();
        async move {
            let mut buffer = vec![0; 64 << 10];
            loop {
                match stream.read(&mut buffer).await? {
                    0 => return Ok(()),
                    more => counted.fetch_add(more, SeqCst),
                };
            }
        }
    })
    .await;
    let (mut call, _) = Test::new(vec![grant(&server.url("/"), true)]).begin();
    let piece = || Ok::<_, Error>(http_body::Frame::data(Bytes::from(vec![b'x'; 64 << 10])));
    let endless = StreamBody::new(futures::stream::repeat_with(piece)).boxed_unsync();
    let posted = send(&mut call, request("POST", &server.url("/")).body(endless).unwrap(), None).await;
    assert_eq!(failed(posted), "HttpRequestBodySize(Some(1048576))");
    assert!(got.load(SeqCst) <= (1 << 20) + 4096, "{got:?}");

    let heads = server.heads().len();
    let declared = Full::new(Bytes::from_static(b"x")).map_err(|never| match never {}).boxed_unsync();
    let declared =
        request("POST", &server.url("/")).header("content-length", "1048577").body(declared).unwrap();
    assert_eq!(failed(send(&mut call, declared, None).await), "HttpRequestBodySize(Some(1048576))");
    assert_eq!(server.heads().len(), heads);
}

#[tokio::test]
async fn a_head_too_large_is_refused() {
    let long = |bytes: usize| format!("x: {}\r\n", "x".repeat(bytes));
    for fields in [long(65_536), long(100_000), long(1 << 20), "x: y\r\n".repeat(200)] {
        let server = Server::saying(format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).await;
        let (mut call, _) = Test::new(vec![grant(&server.url("/"), true)]).begin();
        let got = failed(get(&mut call, &server.url("/")).await);
        assert_eq!(got, "HttpResponseHeaderSectionSize(Some(65536))", "{} bytes", fields.len());
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_switches_protocols_is_an_error() {
    for (answer, error) in [
        ("", "HttpResponseIncomplete"),
        ("HTTP/1.1 200 OK\r\nx", "HttpResponseIncomplete"),
        ("not http at all\r\n\r\n", "HttpProtocolError"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            "HttpUpgradeFailed",
        ),
    ] {
        let server = Server::saying(answer).await;
        let (mut call, _) = Test::new(vec![grant(&server.url("/"), true)]).begin();
        assert_eq!(failed(get(&mut call, &server.url("/")).await), error, "{answer}");
    }
    let server = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    let (mut call, _) = Test::new(vec![grant(&server.url("/"), true)]).begin();
    let response = get(&mut call, &server.url("/")).await.unwrap();
    assert_eq!(failed(read(response).await), "HttpResponseIncomplete");
}

#[tokio::test]
async fn of_ten_thousand_requests_a_hundred_go_out() {
    let server = Server::saying(HELLO).await;
    let (mut call, _) = Test::new(vec![grant(&server.url("/"), true)]).begin();
    for number in 0..10_000 {
        match get(&mut call, &server.url("/")).await {
            Ok(response) => {
                read(response).await.unwrap();
                assert!(number < 100);
            }
            Err(error) => {
                assert!(matches!(error, Error::HttpRequestDenied), "{error:?}");
                assert!(number >= 100);
            }
        }
    }
    assert_eq!(server.heads().len(), 100);
    insta::assert_snapshot!(call.take_denials().join("\n"), @"`weather` made more than 100 HTTP requests in one call; ask the user to raise its limit `http-requests`");
}

#[tokio::test]
async fn connections_are_bounded_over_all_calls_and_freed_with_the_response() {
    let server =
        dripping("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b"x", Duration::from_millis(10)).await;
    let mut test = Test::new(vec![grant(&server.url("/"), true)]);
    test.limits.http_connections = 1;
    let configured = test.configured();
    let begin =
        || configured.begin(&test.limits, &Arc::new(Counters::default()), Instant::now() + test.deadline);
    let (mut one, mut other) = (begin(), begin());
    let held = get(&mut one, &server.url("/")).await.unwrap();
    let options =
        RequestOptions { connect_timeout: Some(Duration::from_millis(50)), ..RequestOptions::default() };
    let second = || request("GET", &server.url("/")).body(empty()).unwrap();
    assert_eq!(failed(send(&mut other, second(), Some(options)).await), "ConnectionLimitReached");
    assert_eq!(server.heads().len(), 1);
    drop(held);
    assert!(send(&mut other, second(), None).await.is_ok());
}

#[tokio::test]
async fn a_dropped_response_cuts_the_connection() {
    let (cut, mut was_cut) = tokio::sync::mpsc::channel(1);
    let server = Server::start(move |mut stream| {
        let cut = cut.clone();
        async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").await?;
            let read = stream.read(&mut [0; 1]).await;
            cut.send(!matches!(read, Ok(1..))).await.map_err(io::Error::other)
        }
    })
    .await;
    let (mut call, _) = Test::new(vec![grant(&server.url("/"), true)]).begin();
    // A body that never comes would keep the connection waiting for it.
    let never = StreamBody::new(futures::stream::pending::<Result<http_body::Frame<Bytes>, Error>>());
    let post =
        request("POST", &server.url("/")).header("content-length", "9").body(never.boxed_unsync()).unwrap();
    drop(send(&mut call, post, None).await.unwrap());
    assert_eq!(tokio::time::timeout(PATIENCE, was_cut.recv()).await.unwrap(), Some(true));
}

#[tokio::test]
async fn an_address_that_refuses_gives_way_to_the_next() {
    let server = Server::saying(HELLO).await;
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    assert!(network::dial(&System::default(), &[closed, server.address]).await.is_ok());
    let (mut call, _) = Test::new(vec![grant(&format!("http://{closed}"), true)]).begin();
    assert_eq!(failed(get(&mut call, &format!("http://{closed}/")).await), "ConnectionRefused");
}

/// A server with a certificate for `localhost` by an authority made on the spot.
async fn tls_server() -> (SocketAddr, rustls::RootCertStore) {
    let (address, authority) = tls_server_of().await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.into()).unwrap();
    (address, roots)
}

/// The same, with the authority's certificate as DER.
async fn tls_server_of() -> (SocketAddr, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
    let authority = made.der().to_vec();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.der().clone()], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut head = [0; 1024];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(HELLO.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (address, authority)
}

#[tokio::test]
async fn tls_trusts_only_the_named_host_under_a_known_authority() {
    let (address, roots) = tls_server().await;
    let port = address.port();
    let (right, wrong) = (format!("https://localhost:{port}/"), format!("https://other.example:{port}/"));
    let liar = Liar::new(&[&["127.0.0.1:1"]], address);
    let grants = vec![grant(&right, true), grant(&wrong, true)];
    let trust = Arc::new(Trust::only(roots).unwrap());
    let test = Test { network: liar.clone(), trust, ..Test::new(grants.clone()) };
    let (mut call, _) = test.begin();
    assert_eq!(read(get(&mut call, &right).await.unwrap()).await.unwrap(), "hello");
    assert_eq!(failed(get(&mut call, &wrong).await), "TlsCertificateError");

    let (_, others) = tls_server().await;
    let trust = Arc::new(Trust::only(others).unwrap());
    let (mut call, _) = Test { network: liar, trust, ..Test::new(grants) }.begin();
    assert_eq!(failed(get(&mut call, &right).await), "TlsCertificateError");
}

#[tokio::test]
async fn a_tls_handshake_that_never_ends_ends_at_the_deadline() {
    let server = Server::start(|_| async { Ok(()) }).await;
    let url = format!("https://{}/", server.address);
    let trust = Arc::new(Trust::only(rustls::RootCertStore::empty()).unwrap());
    let deadline = Duration::from_millis(300);
    let (mut call, _) = Test { trust, deadline, ..Test::new(vec![grant(&url, true)]) }.begin();
    assert_eq!(failed(get(&mut call, &url).await), "ConnectionTimeout");
}

#[test]
fn links_beside_the_base_of_wasi() {
    let engine = wasmtime::Engine::default();
    let mut linker = Linker::<CallState>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    link(&mut linker).unwrap();
    let test = Test::new(Vec::new());
    let configure = Configure {
        plugin: "p",
        grants: &test.grants,
        limits: &test.limits,
        egress: &test.egress,
        state_dir: None,
    };
    assert!(Configured::configure(&configure, &secrets::Configured::none()).is_ok());
}
