//! UDP, method by method: all of it is wasmtime-wasi's, but that sockets are counted and datagrams are metered.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Network};
use wasmtime_wasi::p2::bindings::sockets::udp::{
    self, HostIncomingDatagramStream, HostOutgoingDatagramStream, HostUdpSocket, IncomingDatagram,
    IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream,
};
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket;
use wasmtime_wasi::p2::{DynPollable, SocketResult, UdpSocket};

use super::SocketsView;
use crate::grants::SocketKind;

type Socket = Resource<UdpSocket>;
type Incoming = Resource<IncomingDatagramStream>;
type Outgoing = Resource<OutgoingDatagramStream>;

impl udp_create_socket::Host for SocketsView<'_> {
    async fn create_udp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Socket> {
        let place = self.call.place(SocketKind::Udp)?;
        let socket = udp_create_socket::Host::create_udp_socket(&mut self.inner, family).await?;
        self.call.open.insert(socket.rep(), place);
        Ok(socket)
    }
}

impl udp::Host for SocketsView<'_> {}

/// Methods that go to wasmtime-wasi as they are.
macro_rules! forward {
    ($host:ident: $($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&mut self, $($argument: $type),*) -> $answer {
            $host::$name(&mut self.inner, $($argument),*)
        })*
    };
}

impl HostUdpSocket for SocketsView<'_> {
    async fn start_bind(
        &mut self,
        socket: Socket,
        network: Resource<Network>,
        local: IpSocketAddress,
    ) -> SocketResult<()> {
        HostUdpSocket::start_bind(&mut self.inner, socket, network, local).await
    }

    async fn stream(
        &mut self,
        socket: Socket,
        remote: Option<IpSocketAddress>,
    ) -> SocketResult<(Incoming, Outgoing)> {
        HostUdpSocket::stream(&mut self.inner, socket, remote).await
    }

    fn drop(&mut self, socket: Socket) -> wasmtime::Result<()> {
        let place = socket.rep();
        HostUdpSocket::drop(&mut self.inner, socket)?;
        self.call.open.remove(&place);
        Ok(())
    }

    forward! { HostUdpSocket:
        finish_bind(socket: Socket) -> SocketResult<()>;
        local_address(socket: Socket) -> SocketResult<IpSocketAddress>;
        remote_address(socket: Socket) -> SocketResult<IpSocketAddress>;
        address_family(socket: Socket) -> wasmtime::Result<IpAddressFamily>;
        unicast_hop_limit(socket: Socket) -> SocketResult<u8>;
        set_unicast_hop_limit(socket: Socket, value: u8) -> SocketResult<()>;
        receive_buffer_size(socket: Socket) -> SocketResult<u64>;
        set_receive_buffer_size(socket: Socket, value: u64) -> SocketResult<()>;
        send_buffer_size(socket: Socket) -> SocketResult<u64>;
        set_send_buffer_size(socket: Socket, value: u64) -> SocketResult<()>;
        subscribe(socket: Socket) -> wasmtime::Result<Resource<DynPollable>>;
    }
}

impl HostIncomingDatagramStream for SocketsView<'_> {
    fn receive(&mut self, stream: Incoming, most: u64) -> SocketResult<Vec<IncomingDatagram>> {
        if self.call.traffic.spent() {
            return Err(ErrorCode::AccessDenied.into());
        }
        let datagrams = HostIncomingDatagramStream::receive(&mut self.inner, stream, most)?;
        self.call.traffic.came(datagrams.iter().map(|datagram| datagram.data.len()).sum());
        Ok(datagrams)
    }

    forward! { HostIncomingDatagramStream:
        subscribe(stream: Incoming) -> wasmtime::Result<Resource<DynPollable>>;
        drop(stream: Incoming) -> wasmtime::Result<()>;
    }
}

impl HostOutgoingDatagramStream for SocketsView<'_> {
    fn send(&mut self, stream: Outgoing, datagrams: Vec<OutgoingDatagram>) -> SocketResult<u64> {
        if self.call.traffic.spent() {
            return Err(ErrorCode::AccessDenied.into());
        }
        let sizes: Vec<_> = datagrams.iter().map(|datagram| datagram.data.len()).collect();
        let sent = HostOutgoingDatagramStream::send(&mut self.inner, stream, datagrams)?;
        self.call.traffic.left(sizes.iter().take(usize::try_from(sent).unwrap_or(usize::MAX)).sum());
        Ok(sent)
    }

    async fn drop(&mut self, stream: Outgoing) -> wasmtime::Result<()> {
        HostOutgoingDatagramStream::drop(&mut self.inner, stream).await
    }

    forward! { HostOutgoingDatagramStream:
        check_send(stream: Outgoing) -> SocketResult<u64>;
        subscribe(stream: Outgoing) -> wasmtime::Result<Resource<DynPollable>>;
    }
}
