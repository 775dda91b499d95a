//! `wasi:sockets` over wasmtime-wasi's: outward TCP and UDP to what was granted, and look-ups of granted names.
//! It asks `grants` about every address and name and must not decide by rules of its own; nothing listens here, and
//! no name is looked up that was not granted.

mod lookup;
mod stream;
mod tcp;
mod udp;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasi::network::ErrorCode;
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::p2::SocketError;
use wasmtime_wasi::p2::bindings::sockets as wasi;
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSocketsCtxView};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use super::denials::Denials;
use super::network::{Network, System, Traffic};
use super::{Configure, ConfigureError};
use crate::grants::{
    Decision, GrantKey, Grants, HttpHost, Intent, Limits, Naming, Operation, Reason, Rule, SocketDeny,
    SocketKind, decide,
};
use crate::sandbox::{CallState, Counters};

/// Fuel for a socket or a look-up, over the byte count: about what the system calls cost.
const TRIP: u64 = 10_000;

struct HasSockets;

impl HasData for HasSockets {
    type Data<'a> = SocketsView<'a>;
}

/// Puts our view in the place of wasmtime-wasi's, which must be linked before.
pub(in crate::sandbox) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let linked = wasi::tcp::add_to_linker::<CallState, HasSockets>(linker, view)
        .and_then(|()| wasi::tcp_create_socket::add_to_linker::<CallState, HasSockets>(linker, view))
        .and_then(|()| wasi::udp::add_to_linker::<CallState, HasSockets>(linker, view))
        .and_then(|()| wasi::udp_create_socket::add_to_linker::<CallState, HasSockets>(linker, view))
        .and_then(|()| wasi::ip_name_lookup::add_to_linker::<CallState, HasSockets>(linker, view));
    linker.allow_shadowing(false);
    linked
}

fn view(state: &mut CallState) -> SocketsView<'_> {
    SocketsView {
        inner: WasiSocketsCtxView { ctx: state.wasi.sockets(), table: &mut state.table },
        call: &mut state.sockets,
    }
}

/// The sockets as one call sees them.
struct SocketsView<'a> {
    inner: WasiSocketsCtxView<'a>,
    call: &'a mut Call,
}

impl wasi::network::Host for SocketsView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.inner.convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner.network_error_code(error)
    }
}

impl wasi::network::HostNetwork for SocketsView<'_> {
    fn drop(&mut self, network: Resource<wasi::network::Network>) -> wasmtime::Result<()> {
        wasi::network::HostNetwork::drop(&mut self.inner, network)
    }
}

/// A plugin's part: what it was granted, and how many sockets all its calls may still open.
pub(in crate::sandbox) struct Configured {
    gate: Arc<Gate>,
}

struct Gate {
    plugin: String,
    /// All of them: a name may be looked up when any grant names it.
    grants: Grants,
    rules: Rules,
    network: Arc<dyn Network>,
    open: Arc<Semaphore>,
    most_open: u32,
}

impl Configured {
    /// Opens nothing and resolves nothing.
    pub(in crate::sandbox) fn configure(configure: &Configure<'_>) -> Result<Self, ConfigureError> {
        Ok(Self::over(configure, Arc::new(System::default())))
    }

    fn over(configure: &Configure<'_>, network: Arc<dyn Network>) -> Self {
        let most_open = configure.limits.sockets;
        let open = Semaphore::new(usize::try_from(most_open).unwrap_or(Semaphore::MAX_PERMITS));
        Self::with(configure, network, Arc::new(open), most_open)
    }

    /// The same under other grants: sockets that are open count together.
    pub(in crate::sandbox) fn widened(&self, configure: &Configure<'_>) -> Self {
        let Gate { network, open, most_open, .. } = &*self.gate;
        Self::with(configure, network.clone(), open.clone(), *most_open)
    }

    fn with(
        configure: &Configure<'_>,
        network: Arc<dyn Network>,
        open: Arc<Semaphore>,
        most_open: u32,
    ) -> Self {
        let gate = Gate {
            plugin: configure.plugin.to_owned(),
            grants: configure.grants.clone(),
            rules: Rules::of(configure.grants),
            network,
            open,
            most_open,
        };
        Self { gate: Arc::new(gate) }
    }

    /// The call's part; gives `wasi` what wasmtime-wasi asks about addresses.
    pub(in crate::sandbox) fn begin(
        &self,
        wasi: &mut WasiCtx,
        limits: &Limits,
        counters: &Arc<Counters>,
    ) -> Call {
        let (tcp, udp) = (!self.gate.grants.tcp.is_empty(), !self.gate.grants.udp.is_empty());
        let denials = Denials::of("sockets and look-ups");
        let known = Known::default();
        // Without a check wasmtime-wasi refuses every address; most plugins have no sockets.
        if tcp || udp {
            let (gate, known, denials) = (self.gate.clone(), known.clone(), denials.clone());
            let counters = counters.clone();
            let mut builder = WasiCtxBuilder::new();
            builder.allow_tcp(tcp).allow_udp(udp).socket_addr_check(move |address, what| {
                let allowed = gate.allows(address, what, &known, &counters, &denials);
                Box::pin(std::future::ready(allowed))
            });
            wasi.sockets().clone_from(builder.build().sockets());
        }
        Call {
            gate: self.gate.clone(),
            known,
            denials,
            open: HashMap::new(),
            lookups: 0,
            most_lookups: limits.lookups,
            traffic: Traffic { counters: counters.clone(), bound: limits.network_bytes },
        }
    }
}

impl Gate {
    /// Whether wasmtime-wasi may use an address so. Called right before the system is, with the very same address.
    fn allows(
        &self,
        address: SocketAddr,
        what: SocketAddrUse,
        known: &Known,
        counters: &Counters,
        denials: &Denials,
    ) -> bool {
        let kind = match what {
            // Any free port of the machine's choice is all that going out takes.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                let chosen = !address.ip().is_unspecified() || address.port() != 0;
                if chosen {
                    counters.denied("to bind a socket to an address of its own choice");
                    denials.add(format!(
                        "`{}` tried to bind a socket to {address}: a plugin cannot choose its own address, and no grant \
                         changes that",
                        self.plugin
                    ));
                }
                return guarded!("binding", !chosen, without true);
            }
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => return false,
            SocketAddrUse::TcpConnect => SocketKind::Tcp,
            SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => SocketKind::Udp,
        };
        let names = known.names(address.ip());
        let operation =
            Operation::Connect { kind, address: Some(address.ip()), port: address.port(), names: &names };
        // What comes is no doing of the plugin: a stranger's is dropped.
        let goes_out = !matches!(what, SocketAddrUse::UdpReceive);
        let decision = if goes_out {
            counters.decide(&self.grants, &operation)
        } else {
            decide(&self.grants, &operation)
        };
        match decision {
            Decision::Allowed(rule) => {
                counters.effect();
                if goes_out {
                    if let Some(rule) = self.rules.text(rule) {
                        counters.allowed(rule);
                    }
                    counters.reached(&place(address, &names));
                }
                true
            }
            Decision::Denied(why) => {
                if goes_out {
                    counters.denied(&format!("{kind} {}: {why}", place(address, &names)));
                    let host = names.first().cloned();
                    let host = host.unwrap_or_else(|| HttpHost::Address(address.ip().to_canonical()));
                    counters.refused(Intent::Connect(kind, [host], address.port()));
                    denials.add(self.denied(kind, address, &names, why));
                }
                false
            }
        }
    }

    fn denied(&self, kind: SocketKind, to: SocketAddr, names: &[HttpHost], why: Reason) -> String {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        format!(
            "{kind} to {to}{names} was not granted to `{}`: {why}; ask the user to grant it in kennel.toml",
            self.plugin
        )
    }
}

/// A place as the audit has it: by the first name that led there, if any did.
fn place(address: SocketAddr, names: &[HttpHost]) -> String {
    names.first().map_or_else(|| address.to_string(), |name| format!("{name}:{}", address.port()))
}

/// The texts of grants, for the audit, each kind in its order.
#[derive(Default)]
struct Rules {
    http: Vec<Arc<str>>,
    tcp: Vec<Arc<str>>,
    udp: Vec<Arc<str>>,
    resolve: Vec<Arc<str>>,
}

impl Rules {
    fn of(grants: &Grants) -> Self {
        let mut rules = Self::default();
        for (key, alone) in grants.each() {
            let kind = match key {
                GrantKey::Http(_) => &mut rules.http,
                GrantKey::Tcp(_) => &mut rules.tcp,
                GrantKey::Udp(_) => &mut rules.udp,
                GrantKey::Resolve(_) => &mut rules.resolve,
                _ => continue,
            };
            kind.push(alone.describe().join(", ").into());
        }
        rules
    }

    fn text(&self, rule: Rule) -> Option<&Arc<str>> {
        match rule {
            Rule::Tcp(index) | Rule::Lookup { by: Naming::Tcp(index), .. } => self.tcp.get(index),
            Rule::Udp(index) | Rule::Lookup { by: Naming::Udp(index), .. } => self.udp.get(index),
            Rule::Http(index) | Rule::Lookup { by: Naming::Http(index), .. } => self.http.get(index),
            Rule::Lookup { by: Naming::Resolve(index), .. } => self.resolve.get(index),
            _ => None,
        }
    }
}

/// Which names were looked up in the call, by the addresses they had. A name's grant covers these addresses and no
/// others, so that what a name comes to mean later changes nothing.
#[derive(Clone, Default)]
struct Known(Arc<Mutex<HashMap<IpAddr, Vec<HttpHost>>>>);

impl Known {
    fn names(&self, address: IpAddr) -> Vec<HttpHost> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&address.to_canonical()).cloned().unwrap_or_default()
    }

    fn add(&self, name: &HttpHost, addresses: &[IpAddr]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for address in addresses {
            let names = known.entry(address.to_canonical()).or_default();
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }

    fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A call's part.
pub(in crate::sandbox) struct Call {
    gate: Arc<Gate>,
    known: Known,
    denials: Denials,
    /// Places under the plugin's bound, by the sockets' places in the resource table.
    open: HashMap<u32, OwnedSemaphorePermit>,
    lookups: u32,
    most_lookups: u32,
    traffic: Traffic,
}

impl Call {
    /// What was refused so far, one readable line each, at most nine; leaves none.
    /// For one more call of the same instance: names count for the call that looked them up.
    pub(in crate::sandbox) fn again(&mut self) {
        self.lookups = 0;
        self.known.forget();
    }

    pub(in crate::sandbox) fn take_denials(&mut self) -> Vec<String> {
        self.denials.take()
    }

    /// A place for one more socket.
    fn place(&mut self, kind: SocketKind) -> Result<OwnedSemaphorePermit, ErrorCode> {
        let plugin = &self.gate.plugin;
        let nothing = match kind {
            SocketKind::Tcp => self.gate.grants.tcp.is_empty(),
            SocketKind::Udp => self.gate.grants.udp.is_empty(),
        };
        let counters = &self.traffic.counters;
        counters.charge(TRIP);
        if nothing {
            counters.denied(&format!("{kind}: {}", Reason::Socket(SocketDeny::Nothing)));
            self.denials.add(format!(
                "{kind} was not granted to `{plugin}`: {}; ask the user to grant it in kennel.toml",
                Reason::Socket(SocketDeny::Nothing)
            ));
            return Err(ErrorCode::AccessDenied);
        }
        let place = self.gate.open.clone().try_acquire_owned();
        let place = place.map_err(|_| {
            counters.denied(&format!("{kind}: over {} sockets at once", self.gate.most_open));
            self.denials.add(format!(
                "`{plugin}` has {} sockets open at once; ask the user to raise its limit `sockets`",
                self.gate.most_open
            ));
            ErrorCode::NewSocketLimit
        })?;
        counters.socket();
        Ok(place)
    }
}

#[cfg(test)]
#[path = "sockets/tests.rs"]
mod tests;
