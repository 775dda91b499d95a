//! The way out as configured: through a proxy, and trusting a private authority.

use super::*;
use crate::grants::{HttpHost, Proxy};

/// A proxy that opens tunnels and forwards requests in absolute form, and remembers the heads it got. Whatever it is
/// asked for, it goes to `to`: what matters is what it was asked for.
async fn proxy(to: SocketAddr) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let head = head(&mut stream).await;
                seen.lock().unwrap().push(head.clone());
                if head.contains("refuse") {
                    return stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
                }
                let mut target = TcpStream::connect(to).await?;
                if head.starts_with("CONNECT ") {
                    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                } else {
                    target.write_all(head.as_bytes()).await?;
                }
                tokio::io::copy_bidirectional(&mut stream, &mut target).await.map(drop)
            });
        }
    });
    Server { address, heads }
}

fn through(proxy: &Server, resolves: bool) -> Egress {
    let proxy = Proxy {
        tls: false,
        host: HttpHost::Address(proxy.address.ip()),
        port: proxy.address.port(),
        authorization: Some("Basic dTpw".to_owned()),
        resolves,
        except: Vec::new(),
    };
    Egress { authorities: Vec::new(), proxy: Some(proxy) }
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_address_that_was_checked() {
    let server = Server::saying(HELLO).await;
    let proxy = proxy(server.address).await;
    let liar = Liar::new(&[&["[2606:4700::1111]:80", "93.184.216.34:80"], &["10.0.0.1:80"]], proxy.address);
    let grants = vec![grant("http://a.example/", false), grant("http://b.example/", false)];
    let test = Test { network: liar.clone(), egress: through(&proxy, false), ..Test::new(grants) };
    let (mut call, _) = test.begin();
    assert_eq!(read(get(&mut call, "http://a.example/x").await.unwrap()).await.unwrap(), "hello");
    insta::assert_snapshot!(proxy.heads().join("--\n"));
    assert_eq!(server.heads(), ["GET /x HTTP/1.1\r\nhost: a.example\r\n\r\n"]);
    // An address that is not public is refused before the proxy hears of it, and so is what was not granted.
    assert_eq!(failed(get(&mut call, "http://b.example/x").await), "DestinationIpProhibited");
    assert_eq!(failed(get(&mut call, "http://c.example/x").await), "HttpRequestDenied");
    assert_eq!(proxy.heads().len(), 1);
    assert_eq!(*liar.dialled.lock().unwrap(), [proxy.address]);
}

#[tokio::test]
async fn a_proxy_that_looks_names_up_gets_them_and_nobody_here_asks() {
    let server = Server::saying(HELLO).await;
    let proxy = proxy(server.address).await;
    let liar = Liar::new(&[&["10.0.0.1:80"]], proxy.address);
    let grants = vec![
        grant("http://a.example:8080/", false),
        grant("http://localhost/", false),
        grant("http://127.0.0.1/", false),
    ];
    let test = Test { network: liar.clone(), egress: through(&proxy, true), ..Test::new(grants) };
    let (mut call, _) = test.begin();
    let answer = get(&mut call, "http://a.example:8080/x?q=1").await.unwrap();
    assert_eq!(read(answer).await.unwrap(), "hello");
    insta::assert_snapshot!(proxy.heads().join("--\n"));
    for url in ["http://localhost/", "http://127.0.0.1/"] {
        assert_eq!(failed(get(&mut call, url).await), "DestinationIpProhibited", "{url}");
    }
    assert_eq!((liar.asked.load(SeqCst), proxy.heads().len()), (0, 1));
}

#[tokio::test]
async fn https_goes_through_a_tunnel_to_the_server_itself() {
    let (address, roots) = tls_server().await;
    let proxy = proxy(address).await;
    let port = address.port();
    let grants = vec![
        grant(&format!("https://localhost:{port}/"), true),
        grant(&format!("https://other.example:{port}/"), true),
    ];
    for resolves in [false, true] {
        let trust = Arc::new(Trust::only(roots.clone()).unwrap());
        let liar = Liar::new(&[&["127.0.0.1:443"]], proxy.address);
        let egress = through(&proxy, resolves);
        let test = Test { network: liar, trust, egress, ..Test::new(grants.clone()) };
        let (mut call, _) = test.begin();
        let answer = get(&mut call, &format!("https://localhost:{port}/")).await.unwrap();
        assert_eq!(read(answer).await.unwrap(), "hello");
        // The certificate is held against the name that was asked for, whatever the proxy leads to.
        let wrong = get(&mut call, &format!("https://other.example:{port}/")).await;
        assert_eq!(failed(wrong), "TlsCertificateError");
    }
    let asked: Vec<_> = proxy.heads().iter().map(|head| head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(
        asked,
        [
            "CONNECT 127.0.0.1:443 HTTP/1.1".to_owned(),
            "CONNECT 127.0.0.1:443 HTTP/1.1".to_owned(),
            format!("CONNECT localhost:{port} HTTP/1.1"),
            format!("CONNECT other.example:{port} HTTP/1.1"),
        ]
    );
}

#[tokio::test]
async fn what_a_proxy_refuses_is_refused_and_exceptions_go_straight() {
    let server = Server::saying(HELLO).await;
    let proxy = proxy(server.address).await;
    let grants = vec![grant("http://refuse.example/", false), grant(&server.url("/"), true)];
    let mut egress = through(&proxy, true);
    egress.proxy.as_mut().unwrap().except = vec![HostPattern::Address(server.address.ip())];
    let test = Test { egress, ..Test::new(grants) };
    let (mut call, _) = test.begin();
    // In absolute form the proxy's answer is the answer.
    assert_eq!(get(&mut call, "http://refuse.example/").await.unwrap().status(), 403);
    assert_eq!(read(get(&mut call, &server.url("/")).await.unwrap()).await.unwrap(), "hello");
    assert_eq!(proxy.heads().len(), 1);
    assert_eq!(server.heads(), [format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", server.address)]);

    let grants = vec![grant("https://refuse.example/", false)];
    let test = Test { egress: through(&proxy, true), ..Test::new(grants) };
    let (mut call, _) = test.begin();
    assert_eq!(failed(get(&mut call, "https://refuse.example/").await), "HttpRequestDenied");
}

#[tokio::test]
async fn a_configured_authority_is_trusted_beside_the_machines() {
    let (address, _) = tls_server().await;
    let (address2, authority) = tls_server_of().await;
    let url = format!("https://localhost:{}/", address.port());
    let url2 = format!("https://localhost:{}/", address2.port());
    let trust = Arc::new(Trust::with(&[authority]));
    let test = Test { trust, ..Test::new(vec![grant(&url, true), grant(&url2, true)]) };
    let (mut call, _) = test.begin();
    assert_eq!(read(get(&mut call, &url2).await.unwrap()).await.unwrap(), "hello");
    assert_eq!(failed(get(&mut call, &url).await), "TlsCertificateError");
    // And only by whom it was configured for.
    let (mut call, _) = Test::new(vec![grant(&url2, true)]).begin();
    let without = failed(get(&mut call, &url2).await);
    assert!(matches!(without.as_str(), "TlsCertificateError" | "ConfigurationError"), "{without}");
}
