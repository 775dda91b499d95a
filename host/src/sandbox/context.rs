//! What a call is told about its surroundings, and whom it may tell things. Plain values; no wasmtime.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Counters;

/// Whom a call is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Stable and opaque; empty when the host does not know.
    pub id: String,
    /// The client program's name, as it calls itself.
    pub client: Option<String>,
}

/// What the client behind a call can answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCapabilities {
    /// It can show forms.
    pub elicit_form: bool,
    /// It can send a person to a URL.
    pub elicit_url: bool,
    /// It can ask its model.
    pub sampling: bool,
    /// Its model may be given tools in a sampling request.
    pub sampling_tools: bool,
    /// It tells its working directories.
    pub roots: bool,
    /// It asked for progress of this call.
    pub progress: bool,
}

/// How grave a log message is (RFC 5424).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For whoever debugs the plugin.
    Debug,
    /// Ordinary.
    Info,
    /// Ordinary but worth a look.
    Notice,
    /// Something may be wrong.
    Warning,
    /// Something is wrong.
    Error,
    /// A part is not usable.
    Critical,
    /// Somebody must act.
    Alert,
    /// Nothing is usable.
    Emergency,
}

/// The lists a client may keep a copy of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// Tools.
    Tools,
    /// Resources and their templates.
    Resources,
    /// Prompts.
    Prompts,
}

/// Where a call's notes go. Called on the guests' threads, so every method returns at once: it may
/// drop what it cannot take.
pub trait Events: Send + Sync {
    /// A log message; `data` is JSON text, not yet checked.
    fn log(&self, level: LogLevel, logger: Option<&str>, data: &str);
    /// How far the call is; both numbers are finite.
    fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>);
    /// One of the plugin's lists is different from now on.
    fn list_changed(&self, kind: ListKind);
    /// A resource has new contents.
    fn resource_updated(&self, uri: &str);
    /// The call will take long.
    fn detach(&self);
}

/// Drops everything: for calls that nobody watches, such as listing at load.
pub struct NoEvents;

impl Events for NoEvents {
    fn log(&self, _: LogLevel, _: Option<&str>, _: &str) {}
    fn progress(&self, _: f64, _: Option<f64>, _: Option<&str>) {}
    fn list_changed(&self, _: ListKind) {}
    fn resource_updated(&self, _: &str) {}
    fn detach(&self) {}
}

/// One call's surroundings.
#[derive(Clone)]
pub struct CallContext {
    /// Whom it is for.
    pub caller: Caller,
    /// What the client can answer.
    pub capabilities: ClientCapabilities,
    /// Ends the call when cancelled.
    pub cancel: CancellationToken,
    /// It may use the thread that makes it for its first slice.
    pub begin_here: bool,
    /// Where its notes go.
    pub events: Arc<dyn Events>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// W3C trace context.
    pub tracestate: Option<String>,
    /// Where it is counted: whoever made it sees what was used and decided even when the call is dropped.
    pub counters: Arc<Counters>,
}

impl CallContext {
    /// A call that nobody watches and nobody cancels.
    #[must_use]
    pub fn unattended() -> Self {
        Self {
            caller: Caller::default(),
            capabilities: ClientCapabilities::default(),
            cancel: CancellationToken::new(),
            begin_here: false,
            events: Arc::new(NoEvents),
            traceparent: None,
            tracestate: None,
            counters: Arc::default(),
        }
    }
}
