//! Attacks on the network: requests, sockets and look-ups as WASI takes them, no matter what they say.

use std::io::{Read as _, Write as _};

use kennel_sdk::prelude::*;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp_create_socket::create_udp_socket;

/// A request, unchecked.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Web {
    method: String,
    scheme: String,
    authority: String,
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
}

/// Sends a request and gives status and body, or fails with what the host said.
#[tool]
pub(crate) fn web(args: Web) -> Result<String> {
    ask(&args).map_err(Error::failed)
}

pub(crate) fn ask(args: &Web) -> Result<String, String> {
    let fields = Fields::new();
    for (name, value) in &args.headers {
        fields.append(name, value.as_bytes()).map_err(|error| format!("the field {name:?}: {error:?}"))?;
    }
    let request = OutgoingRequest::new(fields);
    let method = match args.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "CONNECT" => Method::Connect,
        other => Method::Other(other.to_owned()),
    };
    let scheme = match args.scheme.as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_method(&method).map_err(|()| "the method was not taken")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "the scheme was not taken")?;
    request.set_authority(Some(&args.authority)).map_err(|()| "the authority was not taken")?;
    request.set_path_with_query(Some(&args.path)).map_err(|()| "the path was not taken")?;
    let body = request.body().map_err(|()| "no body")?;
    let future = outgoing_handler::handle(request, None).map_err(|code| format!("{code:?}"))?;
    if !args.body.is_empty() {
        let stream = body.write().map_err(|()| "no stream")?;
        stream.blocking_write_and_flush(args.body.as_bytes()).map_err(|error| format!("{error:?}"))?;
    }
    OutgoingBody::finish(body, None).map_err(|code| format!("{code:?}"))?;
    future.subscribe().block();
    let response = match future.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(code))) => return Err(format!("{code:?}")),
        _ => return Err("no answer".into()),
    };
    let status = response.status();
    let incoming = response.consume().map_err(|()| "no body")?;
    let stream = incoming.stream().map_err(|()| "no stream")?;
    let mut text = Vec::new();
    while let Ok(bytes) = stream.blocking_read(64 << 10) {
        text.extend(bytes);
    }
    Ok(format!("{status} {}", String::from_utf8_lossy(&text)))
}

/// Where to.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Socket {
    address: std::net::SocketAddr,
}

/// Tries to bind, connect to and send to an address, over TCP and UDP; says of each what the host answered.
#[tool]
pub(crate) fn socket(args: Socket) -> Result<String> {
    let network = instance_network();
    let (family, remote) = address(args.address);
    let mut said = Vec::new();
    match create_tcp_socket(family) {
        Err(code) => said.push(format!("tcp: {}", code.name())),
        Ok(socket) => {
            said.push(match socket.start_connect(&network, remote) {
                Err(code) => format!("tcp connect: {}", code.name()),
                Ok(()) => {
                    socket.subscribe().block();
                    match socket.finish_connect() {
                        Ok(_) => "tcp connect: ok".into(),
                        Err(code) => format!("tcp connect: {}", code.name()),
                    }
                }
            });
        }
    }
    if let Ok(socket) = create_tcp_socket(family) {
        said.push(match socket.start_bind(&network, remote).and_then(|()| socket.finish_bind()) {
            Ok(()) => "tcp bind: ok".into(),
            Err(code) => format!("tcp bind: {}", code.name()),
        });
    }
    match create_udp_socket(family) {
        Err(code) => said.push(format!("udp: {}", code.name())),
        Ok(socket) => {
            let (_, any) = address(match args.address {
                std::net::SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
                std::net::SocketAddr::V6(_) => ([0; 16], 0).into(),
            });
            let bound = socket.start_bind(&network, any).and_then(|()| socket.finish_bind());
            let sent = bound.and_then(|()| socket.stream(None)).and_then(|(_, outgoing)| {
                outgoing.subscribe().block();
                outgoing.check_send()?;
                outgoing.send(&[wasip2::sockets::udp::OutgoingDatagram {
                    data: b"hostile".to_vec(),
                    remote_address: Some(remote),
                }])
            });
            said.push(match sent {
                Ok(count) => format!("udp: ok {count}"),
                Err(code) => format!("udp: {}", code.name()),
            });
        }
    }
    Ok(said.join("\n"))
}

fn address(address: std::net::SocketAddr) -> (IpAddressFamily, IpSocketAddress) {
    let port = address.port();
    match address.ip() {
        std::net::IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) }))
        }
        std::net::IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h] = ip.segments();
            let address = (a, b, c, d, e, f, g, h);
            let v6 = Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(v6))
        }
    }
}

/// Which name.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Name {
    name: String,
}

/// Asks for the addresses of a name.
#[tool]
pub(crate) fn lookup(args: Name) -> Result<String> {
    let stream =
        resolve_addresses(&instance_network(), &args.name).map_err(|code| Error::failed(code.name()))?;
    stream.subscribe().block();
    match stream.resolve_next_address() {
        Ok(found) => Ok(format!("{found:?}")),
        Err(code) => Err(Error::failed(code.name())),
    }
}

/// Where to by name or address, as `host:port`, and what to say there.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Dial {
    to: String,
    #[serde(default)]
    say: String,
}

/// Connects as any Rust program does, says something, and gives what was answered.
#[tool]
pub(crate) fn dial(args: Dial) -> Result<String> {
    let mut stream = std::net::TcpStream::connect(&args.to).map_err(failed)?;
    stream.write_all(args.say.as_bytes()).map_err(failed)?;
    stream.shutdown(std::net::Shutdown::Write).map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed)?;
    Ok(answer)
}

/// Sends a datagram as any Rust program does, and gives the first that comes back.
#[tool]
pub(crate) fn datagram(args: Dial) -> Result<String> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").map_err(failed)?;
    // Not connected, so that whatever comes from anywhere would be taken.
    socket.send_to(args.say.as_bytes(), &args.to).map_err(failed)?;
    let mut buffer = [0; 1024];
    let (size, from) = socket.recv_from(&mut buffer).map_err(failed)?;
    Ok(format!("{} from {from}", String::from_utf8_lossy(&buffer[..size])))
}

fn failed(error: std::io::Error) -> Error {
    Error::failed(format!("{:?}", error.kind()))
}

/// Tries to be a server, in each of the ways there are.
#[tool]
pub(crate) fn listen(args: Socket) -> Result<String> {
    let mut said = Vec::new();
    said.push(match std::net::TcpListener::bind(args.address) {
        Ok(_) => "listen: ok".to_owned(),
        Err(error) => format!("listen: {:?}", error.kind()),
    });
    said.push(match std::net::UdpSocket::bind(args.address) {
        Ok(_) => "udp bind: ok".to_owned(),
        Err(error) => format!("udp bind: {:?}", error.kind()),
    });
    // A listener on whatever port the host gives.
    let (family, any) = address(([0, 0, 0, 0], 0).into());
    let network = instance_network();
    let listening = create_tcp_socket(family).and_then(|socket| {
        socket.start_bind(&network, any)?;
        socket.finish_bind()?;
        socket.start_listen()?;
        socket.finish_listen()
    });
    said.push(match listening {
        Ok(()) => "listen anywhere: ok".to_owned(),
        Err(code) => format!("listen anywhere: {}", code.name()),
    });
    Ok(said.join("\n"))
}

/// How many.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Many {
    to: String,
    count: u32,
}

/// Opens connections and keeps all of them; says how many there were and why there were no more.
#[tool]
pub(crate) fn hoard(args: Many) -> Result<String> {
    let mut held = Vec::new();
    for _ in 0..args.count {
        match std::net::TcpStream::connect(&args.to) {
            Ok(stream) => held.push(stream),
            Err(error) => return Ok(format!("{} then {:?}", held.len(), error.kind())),
        }
    }
    Ok(format!("{} and no end", held.len()))
}

/// Writes to a connection, 64 KiB at a time; says how many bytes went.
#[tool]
pub(crate) fn pour(args: Many) -> Result<String> {
    let mut stream = std::net::TcpStream::connect(&args.to).map_err(failed)?;
    let piece = vec![b'x'; 64 << 10];
    let mut poured = 0;
    for _ in 0..args.count {
        match stream.write(&piece) {
            Ok(count) => poured += count,
            Err(_) => break,
        }
    }
    Ok(poured.to_string())
}

/// A request again and again.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Repeated {
    request: Web,
    count: u32,
}

/// Sends a request many times; says how often there was an answer, and what else there was.
#[tool]
pub(crate) fn hammer(args: Repeated) -> Result<String> {
    let (mut answered, mut refused) = (0, std::collections::BTreeMap::<String, u32>::new());
    for _ in 0..args.count {
        match ask(&args.request) {
            Ok(_) => answered += 1,
            Err(why) => *refused.entry(why).or_default() += 1,
        }
    }
    Ok(format!("{answered} answered, {refused:?}"))
}
