//! TCP, method by method: all of it is wasmtime-wasi's, but that sockets are counted, streams are metered, and nothing
//! listens.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Network};
use wasmtime_wasi::p2::bindings::sockets::tcp::{self, HostTcpSocket, ShutdownType};
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, SocketResult, TcpSocket};

use super::SocketsView;
use super::stream::{Reader, Writer};
use crate::grants::SocketKind;

type Socket = Resource<TcpSocket>;

impl tcp_create_socket::Host for SocketsView<'_> {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Socket> {
        let place = self.call.place(SocketKind::Tcp)?;
        let socket = tcp_create_socket::Host::create_tcp_socket(&mut self.inner, family)?;
        self.call.open.insert(socket.rep(), place);
        Ok(socket)
    }
}

impl tcp::Host for SocketsView<'_> {}

/// Methods that go to wasmtime-wasi as they are.
macro_rules! forward {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&mut self, $($argument: $type),*) -> $answer {
            HostTcpSocket::$name(&mut self.inner, $($argument),*)
        })*
    };
}

impl HostTcpSocket for SocketsView<'_> {
    async fn start_bind(
        &mut self,
        socket: Socket,
        network: Resource<Network>,
        local: IpSocketAddress,
    ) -> SocketResult<()> {
        HostTcpSocket::start_bind(&mut self.inner, socket, network, local).await
    }

    async fn start_listen(&mut self, _: Socket) -> SocketResult<()> {
        self.call.traffic.counters.denied("to listen on a TCP socket");
        self.call.denials.add(format!(
            "`{}` tried to listen on a TCP socket: plugins only connect, and no grant changes that",
            self.call.gate.plugin
        ));
        Err(ErrorCode::AccessDenied.into())
    }

    fn accept(
        &mut self,
        _: Socket,
    ) -> SocketResult<(Socket, Resource<DynInputStream>, Resource<DynOutputStream>)> {
        Err(ErrorCode::InvalidState.into())
    }

    fn finish_connect(
        &mut self,
        socket: Socket,
    ) -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let parent = Socket::new_borrow(socket.rep());
        let (input, output) = HostTcpSocket::finish_connect(&mut self.inner, socket)?;
        let traffic = &self.call.traffic;
        let table = &mut *self.inner.table;
        let reader = Reader { inner: table.delete(input)?, traffic: traffic.clone() };
        let writer = Writer { inner: table.delete(output)?, traffic: traffic.clone() };
        let input: DynInputStream = Box::new(reader);
        let output: DynOutputStream = Box::new(writer);
        Ok((table.push_child(input, &parent)?, table.push_child(output, &parent)?))
    }

    fn drop(&mut self, socket: Socket) -> wasmtime::Result<()> {
        let place = socket.rep();
        HostTcpSocket::drop(&mut self.inner, socket)?;
        self.call.open.remove(&place);
        Ok(())
    }

    forward! {
        finish_bind(socket: Socket) -> SocketResult<()>;
        start_connect(socket: Socket, network: Resource<Network>, remote: IpSocketAddress) -> SocketResult<()>;
        finish_listen(socket: Socket) -> SocketResult<()>;
        local_address(socket: Socket) -> SocketResult<IpSocketAddress>;
        remote_address(socket: Socket) -> SocketResult<IpSocketAddress>;
        is_listening(socket: Socket) -> wasmtime::Result<bool>;
        address_family(socket: Socket) -> wasmtime::Result<IpAddressFamily>;
        set_listen_backlog_size(socket: Socket, value: u64) -> SocketResult<()>;
        keep_alive_enabled(socket: Socket) -> SocketResult<bool>;
        set_keep_alive_enabled(socket: Socket, value: bool) -> SocketResult<()>;
        keep_alive_idle_time(socket: Socket) -> SocketResult<u64>;
        set_keep_alive_idle_time(socket: Socket, value: u64) -> SocketResult<()>;
        keep_alive_interval(socket: Socket) -> SocketResult<u64>;
        set_keep_alive_interval(socket: Socket, value: u64) -> SocketResult<()>;
        keep_alive_count(socket: Socket) -> SocketResult<u32>;
        set_keep_alive_count(socket: Socket, value: u32) -> SocketResult<()>;
        hop_limit(socket: Socket) -> SocketResult<u8>;
        set_hop_limit(socket: Socket, value: u8) -> SocketResult<()>;
        receive_buffer_size(socket: Socket) -> SocketResult<u64>;
        set_receive_buffer_size(socket: Socket, value: u64) -> SocketResult<()>;
        send_buffer_size(socket: Socket) -> SocketResult<u64>;
        set_send_buffer_size(socket: Socket, value: u64) -> SocketResult<()>;
        subscribe(socket: Socket) -> wasmtime::Result<Resource<DynPollable>>;
        shutdown(socket: Socket, how: ShutdownType) -> SocketResult<()>;
    }
}
