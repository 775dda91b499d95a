//! Looking up names: only granted ones, each counted, and what they had is remembered for the call. Must not ask any
//! resolver before `grants` allowed the name: the question itself would carry data out.

use std::net::IpAddr;
use std::task::Poll;

use futures::FutureExt as _;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{
    Host, HostResolveAddressStream, ResolveAddressStream,
};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::{DynPollable, Pollable, SocketResult, subscribe};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

use super::{SocketsView, TRIP};
use crate::grants::{Decision, Intent, Operation, Rule, is_blocked, parse_host};

/// Addresses of a name that are told and remembered.
const MAX_ADDRESSES: usize = 32;

type Addresses = Result<std::vec::IntoIter<IpAddr>, ErrorCode>;

/// An answer, or the wait for it. Stands in the resource table in the place of wasmtime-wasi's own stream.
enum Lookup {
    Asking(AbortOnDropJoinHandle<Addresses>),
    Told(Addresses),
}

fn ours(stream: &Resource<ResolveAddressStream>) -> Resource<Lookup> {
    Resource::new_borrow(stream.rep())
}

/// What stands in the place of the guard when it is switched off.
#[cfg(feature = "mutate")]
fn anything() -> Decision {
    Decision::Allowed(Rule::Lookup { by: crate::grants::Naming::Resolve(0), private: false })
}

impl SocketsView<'_> {
    fn begin(&mut self, text: &str) -> Result<Lookup, ErrorCode> {
        let call = &mut *self.call;
        call.traffic.counters.charge(TRIP + text.len() as u64);
        // An address is told as it is; whether anything may go there is decided when it does.
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Lookup::Told(Ok(vec![address.to_canonical()].into_iter())));
        }
        let name = parse_host(text).map_err(|_| ErrorCode::InvalidArgument)?;
        let plugin = call.gate.plugin.clone();
        // Refused ones count too, or a guest could probe the grants for ever.
        call.lookups = call.lookups.saturating_add(1);
        let counters = &call.traffic.counters;
        if guarded!("look-ups-counted", call.lookups > call.most_lookups) {
            counters.denied(&format!("look-ups: over {} in one call", call.most_lookups));
            call.denials.add(format!(
                "`{plugin}` looked up more than {} names in one call; ask the user to raise its limit `lookups`",
                call.most_lookups
            ));
            return Err(ErrorCode::AccessDenied);
        }
        let decision = counters.decide(&call.gate.grants, &Operation::Lookup(&name));
        let private = match guarded!("look-ups", decision, without anything()) {
            Decision::Allowed(rule) => {
                if let Some(text) = call.gate.rules.text(rule) {
                    counters.allowed(text);
                }
                matches!(rule, Rule::Lookup { private: true, .. })
            }
            Decision::Denied(why) => {
                counters.refused(Intent::Lookup(name.clone()));
                counters.denied(&format!("to look up {name}: {why}"));
                call.denials.add(format!(
                    "looking up {name} was not granted to `{plugin}`: {why}; ask the user to grant it in kennel.toml"
                ));
                return Err(ErrorCode::AccessDenied);
            }
        };
        let (gate, known, denials) = (call.gate.clone(), call.known.clone(), call.denials.clone());
        let counters = counters.clone();
        Ok(Lookup::Asking(spawn(async move {
            let found = gate.network.resolve(&name.to_string(), 0).await;
            let found = found.map_err(|_| ErrorCode::NameUnresolvable)?;
            let addresses: Vec<_> =
                found.into_iter().map(|found| found.ip().to_canonical()).take(MAX_ADDRESSES).collect();
            if guarded!("look-ups-private", !private && addresses.iter().any(|address| is_blocked(*address)))
            {
                counters.denied(&format!("to look up {name}: a private, local or reserved address"));
                denials.add(format!(
                    "{name} was not looked up for `{plugin}`: the host has a private, local or reserved address; if \
                     that is meant, ask the user to add `private-addresses` to the grant"
                ));
                return Err(ErrorCode::AccessDenied);
            }
            known.add(&name, &addresses);
            Ok(addresses.into_iter())
        })))
    }
}

impl Host for SocketsView<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> SocketResult<Resource<ResolveAddressStream>> {
        self.inner.table.get(&network)?;
        let lookup = self.begin(&name)?;
        let stream = self.inner.table.push(lookup)?;
        Ok(Resource::new_own(stream.rep()))
    }
}

impl HostResolveAddressStream for SocketsView<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> SocketResult<Option<IpAddress>> {
        let lookup = self.inner.table.get_mut(&ours(&stream))?;
        if let Lookup::Asking(task) = lookup {
            match task.now_or_never() {
                Some(told) => *lookup = Lookup::Told(told),
                None => return Err(ErrorCode::WouldBlock.into()),
            }
        }
        match lookup {
            Lookup::Told(Ok(addresses)) => Ok(addresses.next().map(IpAddress::from)),
            Lookup::Told(Err(code)) => Err((*code).into()),
            Lookup::Asking(_) => Err(ErrorCode::WouldBlock.into()),
        }
    }

    fn subscribe(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.inner.table, ours(&stream))
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        self.inner.table.delete(Resource::<Lookup>::new_own(stream.rep()))?;
        Ok(())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| {
            if let Self::Asking(task) = self {
                match task.poll_unpin(cx) {
                    Poll::Ready(told) => *self = Self::Told(told),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}
