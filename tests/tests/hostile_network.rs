//! Hostile rows 17, 18 and 19: a plugin against the network. What was not granted is refused before a packet leaves,
//! whatever it is called and whatever its name resolves to.
//! The servers are on loopback, or in a network namespace of the test's own where every address is local.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use kennel_tests::web::{Answer, WebServer};
use kennel_tests::{Bystander, Client, Home, Names, in_own_network, words};
use serde_json::{Value, json};

/// A web server that answers every request with `reached`.
fn web_server(address: &str) -> WebServer {
    WebServer::clear_at(address, |_| Answer::once_only("reached"))
}

fn home(name: &str, config: &str) -> (Home, Client) {
    let home = Home::new(name);
    home.plugin("hello").hostile_as("attacker", "attacker").config(config).approve();
    let client = home.serve();
    client.initialize();
    client.call("hello__hello", &json!({ "name": "first" }));
    (home, client)
}

fn request(method: &str, scheme: &str, authority: &str, path: &str) -> Value {
    json!({ "method": method, "scheme": scheme, "authority": authority, "path": path })
}

/// Sends a request that must be refused, in one line that names the plugin.
#[track_caller]
fn refused(client: &Client, request: &Value) -> String {
    let result = client.call("attacker__web", request);
    let said = words(&result);
    assert_eq!(result["isError"], true, "{request}: {said}");
    assert!(said.lines().count() == 1 && said.len() < 700, "{request}: {said}");
    assert!(
        said.contains("`attacker`") || said.contains("was not taken") || said.contains("the field"),
        "{request}: {said}"
    );
    said
}

#[track_caller]
fn reached(client: &Client, request: &Value) {
    let result = client.call("attacker__web", request);
    assert_eq!(words(&result), "200 reached", "{request}\n{}", client.stderr());
}

/// Row 17. Without a grant nothing leaves: no request, no socket of either kind, no look-up.
#[test]
fn without_a_grant_no_packet_leaves() {
    let server = web_server("127.0.0.1:0");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let (_home, client) = home("no-network", "");
    let authority = format!("127.0.0.1:{}", server.port());
    let said = Bystander::beside(&client, || refused(&client, &request("GET", "http", &authority, "/")));
    assert!(said.contains(&format!("GET http://{authority}/ was not granted to `attacker`")), "{said}");
    assert!(said.contains("it holds no outbound HTTP") && said.contains("kennel.toml"), "{said}");

    Bystander::beside(&client, || {
        for port in [server.port(), udp.local_addr().unwrap().port()] {
            let said =
                words(&client.call("attacker__socket", &json!({ "address": format!("127.0.0.1:{port}") })));
            assert!(said.lines().count() >= 2, "{said}");
            for line in said.lines() {
                assert!(line.ends_with("access-denied") || line.ends_with("not-supported"), "{said}");
            }
        }
        for name in ["localhost", "good.test"] {
            let result = client.call("attacker__lookup", &json!({ "name": name }));
            assert_eq!(result["isError"], true, "{result}");
            let said = words(&result);
            assert!(said.contains(&format!("looking up {name} was not granted to `attacker`")), "{said}");
        }
    });
    assert_eq!(server.dialled(), Vec::<IpAddr>::new());
    assert!(udp.recv(&mut [0; 16]).is_err(), "a datagram left");
}

/// Row 17. With a grant everything beside it is refused, and the reason is named.
#[test]
fn beside_a_grant_nothing_is_granted() {
    let (server, other) = (web_server("127.0.0.1:0"), web_server("127.0.0.1:0"));
    let base = format!("http://127.0.0.1:{}/ok", server.port());
    let (_home, client) = home(
        "one-grant",
        &format!(
            "[plugins.attacker.env]\nTARGET = \"http://127.0.0.1:{}\"\n[[plugins.attacker.http]]\nurl = \"{base}\"\nmethods = [\"GET\"]\n",
            server.port()
        ),
    );
    let at = format!("127.0.0.1:{}", server.port());
    reached(&client, &request("GET", "http", &at, "/ok"));
    reached(&client, &request("GET", "http", &at, "/ok/deeper?q=1"));
    let allowed = server.dialled().len();
    let elsewhere = format!("127.0.0.1:{}", other.port());
    Bystander::beside(&client, || {
        for (request, why) in [
            (request("GET", "http", &elsewhere, "/ok"), "another port"),
            (request("GET", "http", "127.0.0.1", "/ok"), "another port"),
            (request("GET", "https", &at, "/ok"), "another scheme"),
            (request("POST", "http", &at, "/ok"), "other methods"),
            (request("DELETE", "http", &at, "/ok"), "other methods"),
            (request("get", "http", &at, "/ok"), "other methods"),
            (request("CONNECT", "http", &at, "/ok"), "this method is not supported"),
            (request("GET", "http", &at, "/"), "other paths"),
            (request("GET", "http", &at, "/okay"), "other paths"),
            (request("GET", "http", &at, "/OK"), "other paths"),
            (request("GET", "http", &at, "/ok/../secret"), "segment"),
            (request("GET", "http", &at, "/ok/%2e%2e/secret"), "segment"),
            (request("GET", "http", &at, "/ok/..%2fsecret"), "segment"),
            (request("GET", "http", &at, "/ok/..;/secret"), "segment"),
            (request("GET", "http", &at, "/ok\\..\\secret"), ""),
            (request("GET", "ftp", &at, "/ok"), ""),
            (request("GET", "http", "good.test", "/ok"), "this host"),
        ] {
            let said = refused(&client, &request);
            assert!(said.contains(why), "{request}: {said}");
        }
        // A granted request does not turn into another one by its fields.
        for (name, value) in [
            ("host", "good.test"),
            ("x", "a\r\nGET /secret HTTP/1.1"),
            ("transfer-encoding", "chunked"),
            ("connection", "upgrade"),
        ] {
            let mut request = request("GET", "http", &at, "/ok");
            request["headers"] = json!([[name, value]]);
            refused(&client, &request);
        }
    });
    assert_eq!(server.dialled().len(), allowed);
    assert_eq!(other.dialled(), Vec::<IpAddr>::new());
}

/// Row 18. A grant of one address is not a grant of its other spellings or its neighbours.
#[test]
fn odd_spellings_of_local_addresses_are_refused() {
    let server = web_server("127.0.0.1:0");
    let port = server.port();
    let (_home, client) = home(
        "spellings",
        &format!(
            "[plugins.attacker.env]\nTARGET = \"http://good.test:{port}\"\nNAMED = \"http://localhost:{port}\"\n\
             [[plugins.attacker.http]]\nurl = \"http://good.test:{port}\"\n\
             [[plugins.attacker.http]]\nurl = \"http://localhost:{port}\"\nprivate-addresses = false\n"
        ),
    );
    let hosts = [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.01",
        "127.0.0.2",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fe80::1%25lo]",
        "[fd00:ec2::254]",
        "169.254.169.254",
        "2852039166",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "localhost.localdomain",
        "ip6-localhost",
        "a.localhost",
        "good.test@127.0.0.1",
        "127.0.0.1#good.test",
        "127.0.0.1/good.test",
        "127.0.0.1\\@good.test",
        "good.test.127.0.0.1",
        "xn--good-test",
        "g\u{43e}\u{43e}d.test",
        "127\u{3002}0\u{3002}0\u{3002}1",
        "\u{ff11}27.0.0.1",
        "good.test%00.127.0.0.1",
        "good.test:80@127.0.0.1",
    ];
    Bystander::beside(&client, || {
        for host in hosts {
            refused(&client, &request("GET", "http", &format!("{host}:{port}"), "/"));
        }
        // A granted name whose address is private, in each of its spellings.
        for host in ["localhost", "LOCALHOST", "localhost."] {
            let said = refused(&client, &request("GET", "http", &format!("{host}:{port}"), "/"));
            assert!(
                said.contains("private, local or reserved address") && said.contains("private-addresses"),
                "{said}"
            );
        }
    });
    assert_eq!(server.dialled(), Vec::<IpAddr>::new());

    // The same request is answered when a person named the address: the refusals above were the gate's.
    let (_home, client) = home(
        "named",
        &format!(
            "[plugins.attacker.env]\nTARGET = \"http://127.0.0.1:{port}\"\nNAMED = \"http://localhost:{port}\"\n\
             [[plugins.attacker.http]]\nurl = \"http://127.0.0.1:{port}\"\n[[plugins.attacker.http]]\nurl = \"http://localhost:{port}\"\n"
        ),
    );
    for host in ["127.0.0.1", "localhost", "localhost."] {
        reached(&client, &request("GET", "http", &format!("{host}:{port}"), "/"));
    }
    // Still only these.
    for host in ["127.0.0.2", "0.0.0.0", "[::1]", "127.1", "2130706433"] {
        refused(&client, &request("GET", "http", &format!("{host}:{port}"), "/"));
    }
}

/// A public address, of nobody in this namespace but us.
const PUBLIC: &str = "93.184.215.14";

const GOOD: &str = "[[plugins.attacker.http]]\nurl = \"http://good.test\"\n";

/// Row 19. The address that was checked is the address that is dialled, and each request is checked anew.
#[test]
fn a_name_that_rebinds_reaches_nothing_local() {
    if !in_own_network("a_name_that_rebinds_reaches_nothing_local") {
        return;
    }
    let (names, server) = (Names::start(), web_server("[::]:80"));
    let (_home, client) = home("rebinding", GOOD);
    let good = request("GET", "http", "good.test", "/");
    // Public first, loopback ever after: the one question of a request decides where it goes.
    names.set("good.test", &[&[PUBLIC], &["127.0.0.1"]]);
    reached(&client, &good);
    assert_eq!(server.dialled(), [PUBLIC.parse::<IpAddr>().unwrap()]);
    assert_eq!(
        names.asked().iter().filter(|asked| *asked == "good.test 1").count(),
        1,
        "{:?}",
        names.asked()
    );
    Bystander::beside(&client, || {
        let said = refused(&client, &good);
        assert!(said.contains("private, local or reserved address"), "{said}");
        // Alternating, and both at once in either order.
        names.set("good.test", &[&[PUBLIC, "127.0.0.1"], &["127.0.0.1", PUBLIC]]);
        refused(&client, &good);
        refused(&client, &good);
        names.set("good.test", &[&[PUBLIC, "::1"]]);
        refused(&client, &good);
    });
    assert_eq!(server.dialled().len(), 1, "{:?}", server.dialled());
    names.set("good.test", &[&[PUBLIC]]);
    reached(&client, &good);
    assert!(server.dialled().iter().all(|dialled| dialled.to_string() == PUBLIC));
}

/// Row 18. Whatever local address a granted name has, none is dialled; and names without a grant are not looked up,
/// so that no look-up carries data out (row 20).
#[test]
fn a_granted_name_with_a_local_address_reaches_nothing() {
    if !in_own_network("a_granted_name_with_a_local_address_reaches_nothing") {
        return;
    }
    let (names, server) = (Names::start(), web_server("[::]:80"));
    let (_home, client) = home("local-names", GOOD);
    let good = request("GET", "http", "good.test", "/");
    Bystander::beside(&client, || {
        for address in [
            "127.0.0.1",
            "127.255.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
            "2001:db8::1",
        ] {
            names.set("good.test", &[&[address]]);
            let said = refused(&client, &good);
            assert!(said.contains("private, local or reserved address"), "{address}: {said}");
        }
    });
    assert_eq!(server.dialled(), Vec::<IpAddr>::new());

    let before = names.asked().len();
    for name in ["secret-data.evil.test", "good.test.evil.test", "xgood.test", "secret-data.good.test"] {
        let said = refused(&client, &request("GET", "http", name, "/"));
        assert!(said.contains("it holds no grant for this host"), "{said}");
        client.call("attacker__lookup", &json!({ "name": name }));
    }
    // The granted name by another scheme, port or method is not looked up either.
    refused(&client, &request("GET", "https", "good.test", "/"));
    refused(&client, &request("GET", "http", "good.test:8080", "/"));
    refused(&client, &request("DELETE", "http", "good.test", "/"));
    assert_eq!(names.asked().len(), before, "{:?}", names.asked());

    // A socket finds nothing either, here where every address would answer.
    for address in ["93.184.215.14:80", "127.0.0.1:53", "[2606:4700::1111]:80"] {
        let address: SocketAddr = address.parse().unwrap();
        let said = words(&client.call("attacker__socket", &json!({ "address": address })));
        assert!(
            said.lines().all(|line| line.ends_with("access-denied") || line.ends_with("not-supported")),
            "{said}"
        );
    }
    assert_eq!(server.dialled(), Vec::<IpAddr>::new());
    names.set("good.test", &[&[PUBLIC]]);
    reached(&client, &good);
}
