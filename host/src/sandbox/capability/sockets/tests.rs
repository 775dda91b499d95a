//! Tests of the gate on its own: what wasmtime-wasi asks it, and a resolver that lies. With a guest in front of it it
//! is tested end to end.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::future::BoxFuture;
use tokio::net::TcpStream;
use wasi::ip_name_lookup::{Host as _, HostResolveAddressStream as _};
use wasmtime::component::ResourceTable;

use super::*;
use crate::grants::{Egress, SocketGrant, SocketPlace, parse_resolvable};
use crate::sandbox::capability::test_limits;

/// Gives its answers in turn, the last one again and again.
struct Liar {
    answers: Mutex<VecDeque<Vec<SocketAddr>>>,
    asked: AtomicUsize,
}

impl Liar {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| {
            answer.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect::<Vec<_>>()
        };
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(parse).collect()),
            asked: AtomicUsize::default(),
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

    fn connect(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }
}

fn grant(to: &str, private_addresses: bool) -> SocketGrant {
    let SocketPlace { host, port } = SocketPlace::parse(to).unwrap();
    SocketGrant { host, port, private_addresses }
}

struct Guest {
    call: Call,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl Guest {
    fn new(grants: &Grants, network: Arc<dyn Network>) -> Self {
        let (limits, egress) = (test_limits(), Egress::default());
        let configure = Configure { plugin: "p", grants, limits: &limits, egress: &egress, state_dir: None };
        let configured = Configured::over(&configure, network);
        let mut wasi = WasiCtxBuilder::new().build();
        let call = configured.begin(&mut wasi, &limits, &Arc::default());
        Self { call, wasi, table: ResourceTable::new() }
    }

    fn view(&mut self) -> SocketsView<'_> {
        let inner = WasiSocketsCtxView { ctx: self.wasi.sockets(), table: &mut self.table };
        SocketsView { inner, call: &mut self.call }
    }

    async fn lookup(&mut self, name: &str) -> Result<Vec<String>, String> {
        let mut view = self.view();
        let network = wasi::instance_network::Host::instance_network(&mut view.inner).unwrap();
        let stream = view.resolve_addresses(network, name.to_owned());
        let stream = stream.map_err(|error| error.downcast().unwrap().name().to_owned())?;
        let mut found = Vec::new();
        loop {
            let same = Resource::new_borrow(stream.rep());
            match view.resolve_next_address(same).map_err(|error| error.downcast().unwrap()) {
                Ok(Some(wasi::network::IpAddress::Ipv4((a, b, c, d)))) => {
                    found.push(format!("{a}.{b}.{c}.{d}"));
                }
                Ok(Some(address)) => found.push(format!("{address:?}")),
                Ok(None) => return Ok(found),
                Err(ErrorCode::WouldBlock) => tokio::task::yield_now().await,
                Err(code) => return Err(code.name().to_owned()),
            }
        }
    }

    fn may(&self, to: &str, what: SocketAddrUse) -> bool {
        let call = &self.call;
        call.gate.allows(to.parse().unwrap(), what, &call.known, &call.denials, &call.traffic.counters)
    }
}

#[tokio::test]
async fn a_name_that_rebinds_reaches_nothing_local() {
    let liar = Liar::new(&[&["93.184.216.34"], &["127.0.0.1"], &["93.184.216.35", "10.0.0.1"]]);
    let grants = Grants { tcp: vec![grant("a.org:80", false)], ..Grants::default() };
    let mut guest = Guest::new(&grants, liar);
    // Before the name was looked up its address is a stranger's.
    assert!(!guest.may("93.184.216.34:80", SocketAddrUse::TcpConnect));
    assert_eq!(guest.lookup("a.org").await.unwrap(), ["93.184.216.34"]);
    assert!(guest.may("93.184.216.34:80", SocketAddrUse::TcpConnect));
    for _ in 0..2 {
        assert_eq!(guest.lookup("a.org").await.unwrap_err(), "access-denied");
    }
    for to in ["127.0.0.1:80", "10.0.0.1:80", "93.184.216.35:80", "93.184.216.34:81"] {
        assert!(!guest.may(to, SocketAddrUse::TcpConnect), "{to}");
    }
    assert!(!guest.may("93.184.216.34:80", SocketAddrUse::UdpSend));
    insta::assert_snapshot!(guest.call.take_denials().join("\n"));
}

#[tokio::test]
async fn a_name_without_a_grant_is_not_asked_for() {
    let liar = Liar::new(&[&["93.184.216.34"]]);
    let resolve = vec![parse_resolvable("*.b.org").unwrap()];
    let grants = Grants { tcp: vec![grant("a.org:80", false)], resolve, ..Grants::default() };
    let mut guest = Guest::new(&grants, liar.clone());
    for (name, code) in [
        ("secret.a.org", "access-denied"),
        ("b.org", "access-denied"),
        ("2130706433", "invalid-argument"),
        ("a.org:80", "invalid-argument"),
        ("user@a.org", "invalid-argument"),
    ] {
        assert_eq!(guest.lookup(name).await.unwrap_err(), code, "{name}");
    }
    // An address is told as it is, by nobody.
    assert_eq!(guest.lookup("127.0.0.1").await.unwrap(), ["127.0.0.1"]);
    assert_eq!(liar.asked.load(SeqCst), 0);
    assert_eq!(guest.lookup("x.b.org").await.unwrap(), ["93.184.216.34"]);
    // That a name may be looked up lets nothing go there.
    assert!(!guest.may("93.184.216.34:80", SocketAddrUse::TcpConnect));
    assert_eq!(liar.asked.load(SeqCst), 1);
}

#[tokio::test]
async fn lookups_are_counted_refused_ones_too() {
    let liar = Liar::new(&[&["93.184.216.34"]]);
    let grants = Grants { tcp: vec![grant("*.a.org:80", false)], ..Grants::default() };
    let mut guest = Guest::new(&grants, liar.clone());
    let most = test_limits().lookups;
    for number in 0..most / 2 {
        assert!(guest.lookup("not.granted").await.is_err());
        assert!(guest.lookup(&format!("{number}.a.org")).await.is_ok());
    }
    assert!(guest.lookup("one-more.a.org").await.is_err());
    assert_eq!(liar.asked.load(SeqCst), most as usize / 2);
    let said = guest.call.take_denials();
    assert!(said.iter().any(|line| line.contains("raise its limit `lookups`")), "{said:?}");
}

#[tokio::test]
async fn nothing_listens_and_no_address_is_chosen() {
    let grants = Grants {
        tcp: vec![grant("0.0.0.0:8080", true), grant("127.0.0.1:8080", true)],
        udp: vec![grant("127.0.0.1:8080", true)],
        ..Grants::default()
    };
    let guest = Guest::new(&grants, Liar::new(&[]));
    for bind in [SocketAddrUse::TcpBind, SocketAddrUse::UdpBind] {
        assert!(guest.may("0.0.0.0:0", bind) && guest.may("[::]:0", bind));
        for to in ["0.0.0.0:8080", "127.0.0.1:0", "127.0.0.1:8080"] {
            assert!(!guest.may(to, bind), "{to}");
        }
    }
    for what in [SocketAddrUse::TcpListen, SocketAddrUse::TcpAccept] {
        assert!(!guest.may("127.0.0.1:8080", what) && !guest.may("0.0.0.0:0", what));
    }
    assert!(guest.may("127.0.0.1:8080", SocketAddrUse::TcpConnect));
    assert!(guest.may("127.0.0.1:8080", SocketAddrUse::UdpReceive));
    assert!(!guest.may("127.0.0.1:8081", SocketAddrUse::UdpReceive));
}

#[tokio::test]
async fn sockets_are_bounded_over_all_calls_and_freed_when_dropped() {
    use wasi::tcp_create_socket::Host as _;
    let grants = Grants { tcp: vec![grant("127.0.0.1:1", true)], ..Grants::default() };
    let mut guest = Guest::new(&grants, Liar::new(&[]));
    let family = wasi::network::IpAddressFamily::Ipv4;
    let most = test_limits().sockets;
    let mut held: Vec<_> =
        (0..most).map(|_| guest.view().create_tcp_socket(family).map_err(|_| ()).unwrap()).collect();
    assert!(guest.view().create_tcp_socket(family).is_err());
    wasi::tcp::HostTcpSocket::drop(&mut guest.view(), held.pop().unwrap()).unwrap();
    assert!(guest.view().create_tcp_socket(family).is_ok());
    let said = guest.call.take_denials();
    assert!(said.iter().any(|line| line.contains("raise its limit `sockets`")), "{said:?}");
}
