//! Outbound HTTP: the one gate through which a plugin's `wasi:http/outgoing-handler` reaches the network.
//! It asks `grants` whether a request was granted and bounds what one may cost. It must not decide by rules
//! of its own, follow a redirect, or open a connection to anything but an address it checked.

mod body;
mod client;
mod pool;
mod proxy;
mod secret;
mod trust;

use std::sync::Arc;
use std::time::Instant;

use http::uri::Scheme;
use http::{HeaderName, Request, Response, header};
use tokio::sync::Semaphore;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx,
    WasiHttpCtxView, WasiHttpHooks,
};

use super::denials::Denials;
use super::network::{System, Traffic};
use super::secrets;
use super::{Configure, ConfigureError};
use crate::grants::{
    Decision, DenyReason, Grants, HttpOperation, HttpScheme, Intent, Limits, OddRequest, Operation, Reason,
    Rule,
};
use crate::sandbox::{CallState, Counters};
use client::{Bounds, Client};
use trust::Trust;

/// Bytes of one set of header or trailer fields, as wasmtime counts them in memory.
const FIELDS: usize = 64 << 10;
/// Bytes of a request body the guest may hand over in one write.
const CHUNK: usize = 64 << 10;
/// Bytes of path and query together; common servers take 8 to 16 KiB.
const MAX_TARGET: usize = 16 << 10;

/// Fields about the connection, which is the host's, beside [`DEFAULT_FORBIDDEN_HEADERS`]
/// (RFC 9110, 7.6.1).
const CONNECTION_FIELDS: [HeaderName; 3] = [header::TE, header::TRAILER, header::EXPECT];

/// Puts outbound HTTP behind `wasi:http`. `wasi:io` and `wasi:clocks` must have been linked before.
pub(in crate::sandbox) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

/// A plugin's part: what it was granted, and the connections that all its calls share.
pub(in crate::sandbox) struct Configured {
    gate: Arc<Gate>,
}

struct Gate {
    plugin: String,
    grants: Grants,
    /// The text of each grant of HTTP, for the audit.
    rules: Vec<Arc<str>>,
    client: Client,
    secrets: Arc<secrets::Configured>,
}

impl Configured {
    /// Opens nothing and resolves nothing: names and certificates are looked up at the first request.
    pub(in crate::sandbox) fn configure(
        configure: &Configure<'_>,
        secrets: &Arc<secrets::Configured>,
    ) -> Result<Self, ConfigureError> {
        Ok(Self::over(
            configure,
            secrets.clone(),
            Client {
                network: Arc::new(System::default()),
                trust: Arc::new(Trust::with(&configure.egress.authorities)),
                egress: configure.egress.clone(),
                pool: Arc::default(),
                connections: Arc::new(Semaphore::new(
                    usize::try_from(configure.limits.http_connections).unwrap_or(Semaphore::MAX_PERMITS),
                )),
            },
        ))
    }

    fn over(configure: &Configure<'_>, secrets: Arc<secrets::Configured>, client: Client) -> Self {
        let (plugin, grants) = (configure.plugin.to_owned(), configure.grants.clone());
        let rules = grants.http.iter().map(|grant| grant.to_string().into()).collect();
        Self { gate: Arc::new(Gate { plugin, grants, rules, client, secrets }) }
    }

    /// The same way out under other grants: connections count together, and none that is kept is shared.
    pub(in crate::sandbox) fn widened(&self, configure: &Configure<'_>) -> Self {
        let Gate { client, secrets, .. } = &*self.gate;
        let client = Client {
            network: client.network.clone(),
            trust: client.trust.clone(),
            egress: client.egress.clone(),
            pool: Arc::default(),
            connections: client.connections.clone(),
        };
        Self::over(configure, secrets.clone(), client)
    }

    /// The call's part. Whatever the guest asks for, nothing of a request lives beyond `deadline`.
    pub(in crate::sandbox) fn begin(
        &self,
        limits: &Limits,
        counters: &Arc<Counters>,
        deadline: Instant,
    ) -> Call {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(FIELDS);
        Call {
            ctx,
            hooks: Hooks {
                gate: self.gate.clone(),
                requests: limits.http_requests,
                request_body: limits.http_request_body,
                response_body: limits.http_response_body,
                traffic: Traffic { counters: counters.clone(), bound: limits.network_bytes },
                deadline: deadline.into(),
                denials: Denials::of("HTTP requests"),
            },
        }
    }
}

/// A call's part.
pub(in crate::sandbox) struct Call {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

impl Call {
    /// What wasmtime's `wasi:http` works on.
    pub(in crate::sandbox) fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView { ctx: &mut self.ctx, table, hooks: &mut self.hooks }
    }

    /// What was refused so far, one readable line each, at most nine; leaves none.
    pub(in crate::sandbox) fn take_denials(&mut self) -> Vec<String> {
        self.hooks.denials.take()
    }
}

struct Hooks {
    gate: Arc<Gate>,
    requests: u32,
    request_body: u64,
    response_body: u64,
    traffic: Traffic,
    deadline: tokio::time::Instant,
    denials: Denials,
}

/// Why a request goes no further than the gate.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("an HTTP request of `{plugin}` was refused: {why}")]
    Odd { plugin: String, why: OddRequest },
    #[error("an HTTP request of `{plugin}` was refused: it sets `{field}`, which the host sets itself")]
    Field { plugin: String, field: HeaderName },
    #[error(
        "an HTTP request of `{plugin}` was refused: its path and query are longer than {MAX_TARGET} bytes"
    )]
    Target { plugin: String },
    #[error("an HTTP request of `{plugin}` was refused: {scheme} is not http or https")]
    Scheme { plugin: String, scheme: String },
    #[error("{operation} was not granted to `{plugin}`: {why}; ask the user to grant it in kennel.toml")]
    Denied { plugin: String, operation: Box<HttpOperation>, why: Reason },
    #[error(
        "`{plugin}` made more than {limit} HTTP requests in one call; ask the user to raise its limit `http-requests`"
    )]
    Count { plugin: String, limit: u32 },
}

impl Refusal {
    /// What the audit is told: nothing that the guest could have written at will but a name of a host.
    fn audited(&self) -> String {
        match self {
            Self::Odd { why, .. } => format!("HTTP: {why}"),
            Self::Field { field, .. } => format!("HTTP: it sets the field {}", shown(field.as_str())),
            Self::Target { .. } => "HTTP: the path and query are too long".into(),
            Self::Scheme { .. } => "HTTP: the scheme is not http or https".into(),
            Self::Denied { operation, why, .. } => {
                let scheme = operation.scheme();
                format!("HTTP {} {scheme}://{}: {why}", operation.method(), operation.destination())
            }
            Self::Count { limit, .. } => format!("HTTP: over {limit} requests in one call"),
        }
    }

    /// What the guest is told.
    fn error(&self) -> Error {
        match self {
            Self::Odd { why: OddRequest::Method, .. } => Error::HttpRequestMethodInvalid,
            Self::Odd { why: OddRequest::PathLength, .. } | Self::Target { .. } => {
                Error::HttpRequestUriTooLong
            }
            Self::Odd { .. } => Error::HttpRequestUriInvalid,
            Self::Scheme { .. } => Error::HttpProtocolError,
            Self::Denied { why: Reason::Http(DenyReason::Private), .. } => Error::DestinationIpProhibited,
            Self::Field { .. } | Self::Denied { .. } | Self::Count { .. } => Error::HttpRequestDenied,
        }
    }
}

impl Hooks {
    /// Everything that is decided before a packet leaves, name resolution included.
    fn admit(&self, request: &Request<WasiBody>) -> Result<(HttpOperation, bool), Refusal> {
        let plugin = || self.gate.plugin.clone();
        // Refused requests count too, or a guest could probe the grants for ever.
        if guarded!("http-requests", self.traffic.counters.http_request() >= self.requests) {
            return Err(Refusal::Count { plugin: plugin(), limit: self.requests });
        }
        let scheme = match request.uri().scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => HttpScheme::Https,
            Some(scheme) if *scheme == Scheme::HTTP => HttpScheme::Http,
            other => {
                let scheme = other.map_or_else(|| "no scheme".to_owned(), |scheme| shown(scheme.as_str()));
                return Err(Refusal::Scheme { plugin: plugin(), scheme });
            }
        };
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        if target.len() > MAX_TARGET {
            return Err(Refusal::Target { plugin: plugin() });
        }
        let authority = request.uri().authority().map_or("", |authority| authority.as_str());
        let operation =
            HttpOperation::parse(request.method().as_str(), scheme, authority, request.uri().path())
                .map_err(|why| Refusal::Odd { plugin: plugin(), why })?;
        // The guest cannot build such fields (`forbidden_header_filter`); if it ever can, this stops it.
        if let Some(field) = request.headers().keys().find(|name| is_forbidden(name)) {
            return Err(Refusal::Field { plugin: plugin(), field: field.clone() });
        }
        match self.traffic.counters.decide(&self.gate.grants, &Operation::Http(&operation)) {
            Decision::Allowed(rule) => {
                let Rule::Http(index) = rule else { return Ok((operation, false)) };
                let private = self.gate.grants.http.get(index).is_some_and(|grant| grant.private_addresses);
                if let Some(rule) = self.gate.rules.get(index) {
                    self.traffic.counters.allowed(rule);
                }
                Ok((operation, private))
            }
            Decision::Denied(why) => {
                self.traffic.counters.refused(Intent::Http(operation.clone()));
                Err(Refusal::Denied { plugin: plugin(), operation: Box::new(operation), why })
            }
        }
    }

    fn bounds(&self, options: Option<RequestOptions>) -> Bounds {
        Bounds::new(self.deadline, options.unwrap_or_default(), self.request_body, self.response_body)
    }
}

fn is_forbidden(name: &HeaderName) -> bool {
    guarded!(
        "connection-fields",
        DEFAULT_FORBIDDEN_HEADERS.contains(name) || CONNECTION_FIELDS.contains(name)
    )
}

/// Text of the guest, short and printable.
fn shown(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_default).collect()
}

type Sent = Result<(Response<WasiBody>, Processing), Error>;
type Processing = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Hooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    /// The gate judges schemes, so that a refusal is recorded.
    fn is_supported_scheme(&mut self, _: &Scheme) -> bool {
        true
    }

    /// The client sets it, from what was judged.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processing: Processing,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (operation, private) = match self.admit(&request) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                let error = refusal.error();
                self.traffic.counters.denied(&refusal.audited());
                self.denials.add(refusal.to_string());
                return Box::new(std::future::ready(Err(error)));
            }
        };
        if !matches!(operation.method(), "GET" | "HEAD") {
            self.traffic.counters.effect();
        }
        let (gate, traffic, denials) = (self.gate.clone(), self.traffic.clone(), self.denials.clone());
        let bounds = self.bounds(options);
        Box::new(async move {
            let sent = secret::send(&gate, &operation, private, request, bounds, &traffic, &denials).await;
            if matches!(sent, Err(Error::DestinationIpProhibited)) {
                traffic
                    .counters
                    .denied(&format!("{}: a private, local or reserved address", operation.destination()));
                if let Some(recorder) = traffic.counters.recorder() {
                    let denied = Decision::Denied(Reason::Http(DenyReason::Private));
                    recorder.decided(&Operation::Http(&operation), denied);
                }
                denials.add(format!(
                    "{operation} was not granted to `{}`: the host has a private, local or reserved address; if that \
                     is meant, ask the user to add `private-addresses` to the grant",
                    gate.plugin
                ));
            }
            // The response's body holds the connection, so there is nothing left to drive.
            Ok((sent?, Box::new(std::future::ready(Ok(()))) as Processing))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }
}

#[cfg(test)]
#[path = "http/tests.rs"]
mod tests;
