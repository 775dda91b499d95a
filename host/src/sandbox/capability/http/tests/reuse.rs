//! Connections are kept for the next request of the same plugin to the same place, and for nothing else.

use super::*;

/// A server that keeps connections: answers each head with `hello`, and says for each request on which connection
/// (by number) it came. Connections are closed after `most` answers, without a word of it.
struct Keeper {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<(usize, String)>>>,
}

impl Keeper {
    async fn start(most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let seen = seen.clone();
                tokio::spawn(async move {
                    for _ in 0..most {
                        let head = head(&mut stream).await;
                        if !head.ends_with("\r\n\r\n") {
                            break;
                        }
                        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
                        if stream.read_exact(&mut body).await.is_err() {
                            break;
                        }
                        seen.lock().unwrap().push((number, head.lines().next().unwrap().to_owned()));
                        if stream.write_all(HELLO.as_bytes()).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { address, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The connection of each request, in the order of the requests.
    fn connections(&self) -> Vec<usize> {
        self.requests.lock().unwrap().iter().map(|(number, _)| *number).collect()
    }
}

async fn hello(call: &mut Call, url: &str) {
    assert_eq!(read(get(call, url).await.unwrap()).await.unwrap(), "hello");
}

async fn post(call: &mut Call, url: &str) -> Result<Bytes, Error> {
    let body = Full::new(Bytes::from_static(b"data")).map_err(|never| match never {}).boxed_unsync();
    let request = request("POST", url).header("content-length", "4").body(body).unwrap();
    read(send(call, request, None).await?).await
}

fn begin(test: &Test, configured: &Configured) -> (Call, Arc<Counters>) {
    let counters = Arc::new(Counters::default());
    (configured.begin(&test.limits, &counters, Instant::now() + test.deadline), counters)
}

#[tokio::test]
async fn calls_of_a_plugin_share_connections_and_each_pays_for_its_own() {
    let server = Keeper::start(100).await;
    let test = Test::new(vec![grant(&server.url("/"), true)]);
    let configured = test.configured();
    let (mut one, first) = begin(&test, &configured);
    hello(&mut one, &server.url("/a")).await;
    assert_eq!(post(&mut one, &server.url("/b")).await.unwrap(), "hello");
    hello(&mut one, &server.url("/c")).await;
    drop(one);
    let paid = first.moved();
    let (mut other, second) = begin(&test, &configured);
    hello(&mut other, &server.url("/d")).await;
    assert_eq!(server.connections(), [0, 0, 0, 0]);
    assert_eq!(first.moved(), paid);
    let head = format!("GET /d HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
    assert_eq!(second.moved(), (head.len() + HELLO.len()) as u64);
}

#[tokio::test]
async fn no_other_plugin_place_or_scheme_gets_a_kept_connection() {
    let (server, other) = (Keeper::start(100).await, Keeper::start(100).await);
    let by_name = format!("http://localhost:{}/", server.address.port());
    let grants = vec![grant(&server.url("/"), true), grant(&other.url("/"), true), grant(&by_name, true)];
    let test = Test::new(grants);
    let (one, two) = (test.configured(), test.configured());
    let (mut call, _) = begin(&test, &one);
    hello(&mut call, &server.url("/")).await;
    hello(&mut call, &other.url("/")).await;
    hello(&mut call, &by_name).await;
    let (mut call, _) = begin(&test, &two);
    hello(&mut call, &server.url("/")).await;
    assert_eq!(server.connections(), [0, 1, 2]);
    assert_eq!(other.connections(), [0]);
}

#[tokio::test]
async fn a_kept_connection_needs_a_grant_that_allows_its_address() {
    let server = Keeper::start(100).await;
    let url = format!("http://a.example:{}", server.address.port());
    let private = HttpGrant { path: PathPrefix::new("/private").unwrap(), ..grant(&url, true) };
    let liar = Liar::new(&[&["127.0.0.1:1"]], server.address);
    let test = Test { network: liar, ..Test::new(vec![private, grant(&url, false)]) };
    let (mut call, _) = test.begin();
    hello(&mut call, &format!("{url}/private")).await;
    assert_eq!(failed(get(&mut call, &format!("{url}/other")).await), "DestinationIpProhibited");
    hello(&mut call, &format!("{url}/private")).await;
    assert_eq!(server.connections(), [0, 0]);
}

#[tokio::test]
async fn a_connection_with_something_left_is_cut() {
    let server = Keeper::start(100).await;
    let test = Test::new(vec![grant(&server.url("/"), true)]);
    let (mut call, _) = test.begin();
    // The body is not read, and a body that never comes keeps the server from answering anything else.
    drop(get(&mut call, &server.url("/")).await.unwrap());
    hello(&mut call, &server.url("/")).await;
    assert_eq!(server.connections(), [0, 1]);
}

#[tokio::test]
async fn what_the_server_closed_meanwhile_is_no_error() {
    let server = Keeper::start(1).await;
    let test = Test::new(vec![grant(&server.url("/"), true)]);
    let (mut call, _) = test.begin();
    for _ in 0..20 {
        hello(&mut call, &server.url("/")).await;
    }
    assert_eq!(server.connections(), (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn kept_connections_give_way_to_a_new_place_and_go_with_the_plugin() {
    let (server, other) = (Keeper::start(100).await, Keeper::start(100).await);
    let mut test = Test::new(vec![grant(&server.url("/"), true), grant(&other.url("/"), true)]);
    test.limits.http_connections = 1;
    let configured = test.configured();
    let (mut call, _) = begin(&test, &configured);
    hello(&mut call, &server.url("/")).await;
    hello(&mut call, &other.url("/")).await;
    hello(&mut call, &server.url("/")).await;
    assert_eq!((server.connections(), other.connections()), (vec![0, 1], vec![0]));

    // The server sees its end as soon as nobody can ask for it any more.
    let cut = Arc::new(tokio::sync::Notify::new());
    let told = cut.clone();
    let watched = Server::start(move |mut stream| {
        let told = told.clone();
        async move {
            stream.write_all(HELLO.as_bytes()).await?;
            let _ = stream.read(&mut [0; 1]).await;
            told.notify_one();
            Ok(())
        }
    })
    .await;
    let test = Test::new(vec![grant(&watched.url("/"), true)]);
    let configured = test.configured();
    let (mut call, _) = begin(&test, &configured);
    hello(&mut call, &watched.url("/")).await;
    drop((call, configured));
    tokio::time::timeout(PATIENCE, cut.notified()).await.expect("the connection outlives its plugin");
}

#[tokio::test]
async fn a_calls_bytes_are_bounded_over_all_its_requests() {
    let body = "x".repeat(64 << 10);
    let server =
        Server::saying(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
    let mut test = Test::new(vec![grant(&server.url("/"), true)]);
    test.limits.network_bytes = 256 << 10;
    let (mut call, counters) = test.begin();
    let mut whole = 0;
    let error = loop {
        match get(&mut call, &server.url("/")).await {
            Ok(response) => match read(response).await {
                Ok(_) => whole += 1,
                Err(error) => break error,
            },
            Err(error) => break error,
        }
        assert!(whole < 10);
    };
    assert!(format!("{error:?}").contains("network-bytes"), "{error:?}");
    assert!((2..5).contains(&whole), "{whole}");
    assert!(counters.moved() < 384 << 10, "{}", counters.moved());
}
