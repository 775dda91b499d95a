//! Hostile rows 17 and 20 for sockets, and what was granted: TCP, UDP and look-ups, with real servers on loopback or in
//! a network namespace of the test's own where every address is local.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kennel_tests::{Bystander, Client, Home, Names, in_own_network, words};
use serde_json::json;

/// A TCP server that reads to the end, and answers `echo: ` and what it read.
struct Echo {
    at: SocketAddr,
    dialled: Arc<AtomicUsize>,
    read: Arc<AtomicUsize>,
}

impl Echo {
    fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let echo = Self { at: listener.local_addr().unwrap(), dialled: Arc::default(), read: Arc::default() };
        let (dialled, read) = (echo.dialled.clone(), echo.read.clone());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                dialled.fetch_add(1, SeqCst);
                let read = read.clone();
                std::thread::spawn(move || {
                    let mut said = b"echo: ".to_vec();
                    let mut buffer = [0; 64 << 10];
                    while let Ok(count @ 1..) = stream.read(&mut buffer) {
                        read.fetch_add(count, SeqCst);
                        said.extend(&buffer[..count]);
                    }
                    let _ = stream.write_all(&said);
                });
            }
        });
        echo
    }

    fn dialled(&self) -> usize {
        // What was sent to loopback has arrived by then, and nothing can be waited for that must not come.
        std::thread::sleep(Duration::from_millis(100));
        self.dialled.load(SeqCst)
    }
}

/// A UDP server that answers every datagram, first from a stranger's port and then from its own.
struct Datagrams {
    at: SocketAddr,
    got: Arc<Mutex<Vec<String>>>,
}

impl Datagrams {
    fn start(address: &str) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        let stranger = UdpSocket::bind(SocketAddr::new(socket.local_addr().unwrap().ip(), 0)).unwrap();
        let server = Self { at: socket.local_addr().unwrap(), got: Arc::default() };
        let got = server.got.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((size, from)) = socket.recv_from(&mut buffer) {
                let said = String::from_utf8_lossy(&buffer[..size]).into_owned();
                got.lock().unwrap().push(said.clone());
                let _ = stranger.send_to(b"from a stranger", from);
                std::thread::sleep(Duration::from_millis(50));
                let _ = socket.send_to(format!("echo: {said}").as_bytes(), from);
            }
        });
        server
    }

    fn got(&self) -> Vec<String> {
        std::thread::sleep(Duration::from_millis(100));
        self.got.lock().unwrap().clone()
    }
}

fn home(name: &str, config: &str) -> (Home, Client) {
    let home = Home::new(name);
    home.plugin("hello").hostile_as("attacker", "attacker").config(config).approve();
    let client = home.serve();
    client.initialize();
    client.call("hello__hello", &json!({ "name": "first" }));
    (home, client)
}

fn dial(client: &Client, to: &str) -> String {
    words(&client.call("attacker__dial", &json!({ "to": to, "say": "hello" })))
}

/// Dials what must be refused, in one line that names the plugin; gives the line.
#[track_caller]
fn refused(client: &Client, tool: &str, to: &str) -> String {
    let result = client.call(&format!("attacker__{tool}"), &json!({ "to": to, "say": "hello" }));
    let said = words(&result);
    assert_eq!(result["isError"], true, "{to}: {said}");
    assert!(said.lines().count() == 1 && said.len() < 700 && said.contains("`attacker`"), "{to}: {said}");
    said
}

/// The standard library of a plugin works with what was granted, and with nothing beside it.
#[test]
fn granted_places_are_reached_and_no_others() {
    let (granted, other) = (Echo::start("127.0.0.1:0"), Echo::start("127.0.0.1:0"));
    let (udp, other_udp) = (Datagrams::start("127.0.0.1:0"), Datagrams::start("127.0.0.1:0"));
    let (port, udp_port) = (granted.at.port(), udp.at.port());
    let (_home, client) = home(
        "sockets",
        &format!(
            "[[plugins.attacker.tcp]]\nto = \"127.0.0.1:{port}\"\n[[plugins.attacker.tcp]]\nto = \"localhost:{port}\"\n\
             [[plugins.attacker.udp]]\nto = \"127.0.0.1:{udp_port}\"\n"
        ),
    );
    assert_eq!(dial(&client, &granted.at.to_string()), "echo: hello", "{}", client.stderr());
    assert_eq!(dial(&client, &format!("localhost:{port}")), "echo: hello", "{}", client.stderr());
    assert_eq!(granted.dialled(), 2);
    // A stranger's datagram comes first and is not seen.
    let result = client.call("attacker__datagram", &json!({ "to": udp.at.to_string(), "say": "hello" }));
    assert_eq!(words(&result), format!("echo: hello from {}", udp.at), "{}", client.stderr());
    Bystander::beside(&client, || {
        for (to, why) in [
            (other.at.to_string(), "another port"),
            (format!("localhost:{}", other.at.port()), "another port"),
            (format!("127.0.0.2:{port}"), "no grant for this host"),
            (format!("0.0.0.0:{port}"), ""),
            (format!("[::1]:{port}"), "no grant for this host"),
            (format!("169.254.169.254:{port}"), "no grant for this host"),
            (format!("good.test:{port}"), "no grant names this host"),
            // UDP's grant is none of TCP's.
            (udp.at.to_string(), "another port"),
        ] {
            if why.is_empty() {
                // Nowhere to go, whoever asks.
                assert_eq!(client.call("attacker__dial", &json!({ "to": to }))["isError"], true);
                continue;
            }
            let said = refused(&client, "dial", &to);
            assert!(said.contains(why) && said.contains("kennel.toml"), "{to}: {said}");
        }
        for to in [other_udp.at, granted.at] {
            let said = refused(&client, "datagram", &to.to_string());
            assert!(said.contains("UDP to") && said.contains("another port"), "{said}");
        }
    });
    assert_eq!((granted.dialled(), other.dialled()), (2, 0));
    assert_eq!((udp.got(), other_udp.got()), (vec!["hello".to_owned()], Vec::new()));
}

/// A name's grant does not cover private addresses unless it says so.
#[test]
fn a_name_for_a_private_address_needs_the_word() {
    let echo = Echo::start("127.0.0.1:0");
    let to = format!("localhost:{}", echo.at.port());
    let grant = format!("[[plugins.attacker.tcp]]\nto = \"{to}\"\nprivate-addresses = false\n");
    let (_home, client) = home("private-sockets", &grant);
    let said = refused(&client, "dial", &to);
    assert!(
        said.contains("private, local or reserved address") && said.contains("private-addresses"),
        "{said}"
    );
    let said = refused(&client, "dial", &echo.at.to_string());
    assert!(said.contains("no grant for this host"), "{said}");
    assert_eq!(echo.dialled(), 0);
}

/// No grant makes a plugin a server: not even one of the very address.
#[test]
fn nothing_listens() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_home, client) = home(
        "listening",
        &format!("[[plugins.attacker.tcp]]\nto = \"{free}\"\n[[plugins.attacker.udp]]\nto = \"{free}\"\n"),
    );
    for address in [free.to_string(), "127.0.0.1:0".to_owned(), format!("0.0.0.0:{}", free.port())] {
        let said = words(&client.call("attacker__listen", &json!({ "address": address })));
        for line in
            ["listen: PermissionDenied", "udp bind: PermissionDenied", "listen anywhere: access-denied"]
        {
            assert!(said.lines().any(|said| said == line), "{address}: {said}");
        }
    }
}

/// Sockets and bytes are counted over the call, and a call that wants more is told what to raise.
#[test]
fn sockets_and_bytes_are_bounded() {
    let echo = Echo::start("127.0.0.1:0");
    let (_home, client) = home(
        "bounded-sockets",
        &format!(
            "[plugins.attacker.limits]\nsockets = 4\nnetwork-bytes = \"1MiB\"\n[[plugins.attacker.tcp]]\nto = \"{}\"\n",
            echo.at
        ),
    );
    Bystander::beside(&client, || {
        for _ in 0..3 {
            let hoard = json!({ "to": echo.at.to_string(), "count": 1000 });
            let said = words(&client.call("attacker__hoard", &hoard));
            assert!(said.starts_with("4 then "), "{said}");
        }
        let before = echo.read.load(SeqCst);
        let pour = json!({ "to": echo.at.to_string(), "count": 10_000 });
        let poured: usize = words(&client.call("attacker__pour", &pour)).parse().unwrap();
        assert!((1 << 20..2 << 20).contains(&poured), "{poured}");
        // The bound is on what left, not on what was said to have left.
        assert!(echo.read.load(SeqCst) - before < 2 << 20);
    });
    // The sockets of a call that ended are nobody's.
    assert_eq!(dial(&client, &echo.at.to_string()), "echo: hello", "{}", client.stderr());
}

/// Row 2 for sockets: a connection that never answers ends with the call's time, and nothing of it stays.
#[test]
fn a_silent_server_ends_with_the_call() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    let (_home, client) = home(
        "silent",
        &format!(
            "[plugins.attacker.limits]\ndeadline = \"500ms\"\n[[plugins.attacker.tcp]]\nto = \"{at}\"\n"
        ),
    );
    let result = Bystander::beside(&client, || {
        client.call("attacker__dial", &json!({ "to": at.to_string(), "say": "hello" }))
    });
    assert!(words(&result).contains("wall clock"), "{result}");
    let (mut stream, _) = silent.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut read = Vec::new();
    // The end of the connection is seen, by a close or a reset: not a time-out.
    match stream.read_to_end(&mut read) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

/// A public address, of nobody in this namespace but us.
const PUBLIC: &str = "93.184.215.14";

/// Rows 19 and 20. A look-up goes out for granted names only; the addresses it had are what the name's grant covers.
#[test]
fn names_are_looked_up_by_grant_and_rebinding_reaches_nothing() {
    if !in_own_network("names_are_looked_up_by_grant_and_rebinding_reaches_nothing") {
        return;
    }
    let (names, echo) = (Names::start(), Echo::start("0.0.0.0:5432"));
    let (_home, client) = home(
        "lookups",
        "[plugins.attacker]\nresolve = [\"known.test\"]\n[[plugins.attacker.tcp]]\nto = \"db.test:5432\"\n",
    );
    names.set("db.test", &[&[PUBLIC], &["127.0.0.1"]]);
    names.set("known.test", &[&[PUBLIC]]);
    assert_eq!(dial(&client, "db.test:5432"), "echo: hello", "{}", client.stderr());
    let said = refused(&client, "dial", "db.test:5432");
    assert!(said.contains("private, local or reserved address"), "{said}");
    names.set("db.test", &[&[PUBLIC, "10.0.0.1"]]);
    refused(&client, "dial", "db.test:5432");
    assert_eq!(echo.dialled(), 1);

    let asked = names.asked().len();
    for name in ["secret-data.evil.test", "secret-data.db.test", "xdb.test", "test", "secret-data.known.test"]
    {
        let result = client.call("attacker__lookup", &json!({ "name": name }));
        assert_eq!(result["isError"], true, "{result}");
        let said = words(&result);
        assert!(said.contains("looking up") && said.contains("`attacker`"), "{said}");
        refused(&client, "dial", &format!("{name}:5432"));
    }
    assert_eq!(names.asked().len(), asked, "{:?}", names.asked());

    // To know an address is not to be allowed there.
    assert!(words(&client.call("attacker__lookup", &json!({ "name": "known.test" }))).contains("93"));
    let said = refused(&client, "dial", "known.test:5432");
    assert!(said.contains(&format!("TCP to {PUBLIC}:5432 (known.test)")), "{said}");
    let said = refused(&client, "dial", &format!("{PUBLIC}:5432"));
    assert!(said.contains("no grant for this host"), "{said}");
    assert_eq!(echo.dialled(), 1);
    names.set("db.test", &[&[PUBLIC]]);
    assert_eq!(dial(&client, "db.test:5432"), "echo: hello", "{}", client.stderr());
}
