//! What a transport knows of a request and the protocol's types have no place for, carried in the request's
//! extensions. Decides nothing.

use std::sync::Arc;

use rmcp::model::SubscriptionFilter;
use rmcp::service::{RequestContext, RoleServer};
use tokio_util::sync::CancellationToken;

use crate::catalog::api::Arguments;

/// The arguments of a `tools/call` as the client wrote them, so that nothing between client and plugin rewrites
/// them.
#[derive(Clone, Debug)]
pub struct RawArguments(pub Arguments);

/// A `subscriptions/listen`. The library acknowledges a stream before anybody hears for it, and knows no streams of
/// tasks, so it is given such a request as one that it does not know.
#[derive(Clone, Debug)]
pub struct Listen {
    /// What the client wants to hear of.
    pub filter: SubscriptionFilter,
    /// The tasks it wants to hear of, when it says that it does.
    pub tasks: Option<Vec<String>>,
}

/// Who calls, where the transport knows. Stable and opaque; what belongs to one caller is kept from every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(pub Arc<str>);

/// Over HTTP: whoever holds this caller's token may say that a plugin is given more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MayApprove;

/// Where the client can leave and come back for the answer; cancelled when the call says that it will take long.
#[derive(Clone, Debug, Default)]
pub struct Detached(pub CancellationToken);

/// Nothing else was being worked on or waiting when this request was handed out: the protocol's thread has time for it.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

/// What the transport put into a request's extensions: straight, or into those of the HTTP request it came with.
pub(super) fn carried<T: Clone + Send + Sync + 'static>(context: &RequestContext<RoleServer>) -> Option<&T> {
    let http = || context.extensions.get::<http::request::Parts>();
    context.extensions.get::<T>().or_else(|| http()?.extensions.get::<T>())
}
