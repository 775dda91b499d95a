//! What is known of the client behind a request: from the request itself, or from the handshake before. Trusts
//! none of it: a client's own name decides nothing but whose notes are whose.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use rmcp::model::{ClientCapabilities, InitializeRequestParams};
use rmcp::service::{RequestContext, RoleServer};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::carried::{Alone, Caller, Detached, MayApprove, carried};
use super::{convert, events};
use crate::catalog::api::{CallInfo, Change, ClientCan, ClientFacts, Session, Sessions};
use crate::catalog::types::LogLevel;

/// How long a newer client may make no call that could ask before what its person allowed for the session is over. Over
/// HTTP it has no session of its own.
const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);

/// What is known of an older client, whose requests rely on what was said before.
pub(super) struct Client {
    facts: RwLock<ClientFacts>,
    pub(super) level: Mutex<Option<LogLevel>>,
    /// What it is to be told from its handshake on, until the telling begins.
    untold: OnceLock<Mutex<Option<broadcast::Receiver<Change>>>>,
    /// What the person behind a session of HTTP said, which ends with it.
    session: Arc<Session>,
    pub(super) gone: CancellationToken,
    _gone_with_this: DropGuard,
}

impl Client {
    /// Nobody introduced themselves yet.
    pub(super) fn new() -> Self {
        let gone = CancellationToken::new();
        Self {
            facts: RwLock::default(),
            level: Mutex::default(),
            untold: OnceLock::new(),
            session: Arc::default(),
            _gone_with_this: gone.clone().drop_guard(),
            gone,
        }
    }

    /// Keeps what an older client says of itself once, and the `changes` from now on.
    pub(super) fn introduced(
        &self,
        request: &InitializeRequestParams,
        changes: impl FnOnce() -> broadcast::Receiver<Change>,
    ) {
        self.untold.get_or_init(|| Mutex::new(Some(changes())));
        *self.facts.write().unwrap_or_else(PoisonError::into_inner) =
            facts(Some(&request.client_info.name), &request.capabilities);
    }

    /// The changes since the handshake; once, because a client may say twice that it is ready and shall hear of a change
    /// once.
    pub(super) fn untold(&self) -> Option<broadcast::Receiver<Change>> {
        self.untold.get()?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What goes with a call, and the receiving end of its events.
    pub(super) fn call_info(&self, context: &RequestContext<RoleServer>) -> (CallInfo, events::Events) {
        let meta = &context.meta;
        let (mut client, level) = if is_modern(context) {
            let info = meta.client_info();
            let can = meta.client_capabilities().unwrap_or_default();
            (
                facts(info.as_ref().map(|info| info.name.as_str()), &can),
                meta.log_level().map(events::from_protocol),
            )
        } else {
            let facts = self.facts.read().unwrap_or_else(PoisonError::into_inner).clone();
            (facts, *self.level.lock().unwrap_or_else(PoisonError::into_inner))
        };
        if let Some(Caller(caller)) = carried(context) {
            client.caller = caller.clone();
        }
        let token = meta.get_progress_token();
        let progress = token.is_some();
        let detached = carried::<Detached>(context).cloned();
        let (sink, events) = events::channel(context.id.clone(), token, level, detached);
        let info = CallInfo {
            cancel: context.ct.clone(),
            client,
            alone: carried::<Alone>(context).is_some(),
            progress,
            log_level: level,
            sink,
            trace: convert::trace(meta),
            approver: None,
            resumption: None,
            meta: convert::meta_for_plugin(meta),
        };
        (info, events)
    }
}

impl Client {
    /// Where it is remembered what the person behind a request says when asked whether a plugin may have more; none when
    /// that person may not say. Over a pipe that is the person at the machine, over HTTP whoever has a token for it.
    pub(super) fn approver(
        &self,
        context: &RequestContext<RoleServer>,
        sessions: &Sessions,
        client: &ClientFacts,
    ) -> Option<Arc<Session>> {
        if !client.can.elicit_form {
            return None;
        }
        let caller = &client.caller;
        if carried::<Caller>(context).is_none() {
            return Some(sessions.of(caller, None));
        }
        if guarded!("ask-token", carried::<MayApprove>(context).is_none()) {
            return None;
        }
        Some(if is_modern(context) { sessions.of(caller, Some(SESSION_IDLE)) } else { self.session.clone() })
    }

    /// Whose a request is.
    pub(super) fn caller(&self, context: &RequestContext<RoleServer>) -> Arc<str> {
        if let Some(Caller(caller)) = carried(context) {
            caller.clone()
        } else if is_modern(context) {
            let info = context.meta.client_info();
            facts(info.as_ref().map(|info| info.name.as_str()), &ClientCapabilities::default()).caller
        } else {
            self.facts.read().unwrap_or_else(PoisonError::into_inner).caller.clone()
        }
    }
}

/// Whether the client can be given a task in the place of a result. Only what a request says itself counts
/// (SEP-2663, "Capability Negotiation").
pub(super) fn takes_tasks(context: &RequestContext<RoleServer>) -> bool {
    is_modern(context) && context.meta.client_capabilities().is_some_and(|can| can.supports_tasks())
}

/// The request's era: of its own saying, or of the handshake before.
pub(super) fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| !version.has_initialize())
}

fn facts(name: Option<&str>, can: &ClientCapabilities) -> ClientFacts {
    let elicitation = can.elicitation.as_ref();
    ClientFacts {
        // Over a pipe there is one client, and its name is all that tells it from another's state.
        caller: name.map(|name| format!("local:{name}")).unwrap_or_default().into(),
        name: name.map(Into::into),
        can: ClientCan {
            // Before there were modes, the capability was an empty object and meant forms.
            elicit_form: elicitation
                .is_some_and(|elicitation| elicitation.form.is_some() || elicitation.url.is_none()),
            elicit_url: elicitation.is_some_and(|elicitation| elicitation.url.is_some()),
            sampling: can.sampling.is_some(),
            sampling_tools: can.sampling.as_ref().is_some_and(|sampling| sampling.tools.is_some()),
            roots: can.roots.is_some(),
        },
    }
}
