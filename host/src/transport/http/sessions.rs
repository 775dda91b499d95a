//! The table of sessions of older clients: bounded, and what is idle gives way. The protocol library works
//! with it as its session manager. Knows nothing of what goes on in a session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::Stream;
use rmcp::model::{ClientJsonRpcMessage, GetExtensions as _, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};

use super::buffer::Kept;
use super::plain::Plain;
use super::session::{Answer, Reader, Session, SessionError, SessionTransport};
use crate::mcp::{Caller, Detached};

/// Bytes of events that all sessions together keep for clients that are not reading.
const KEPT_BYTES: usize = 64 << 20;

pub(super) struct Sessions {
    table: Mutex<Table>,
    max: usize,
    idle: Duration,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Table {
    sessions: HashMap<SessionId, Arc<Session>>,
    reserved: usize,
}

/// A place for a session about to be made; given back on drop.
pub(super) struct Reserved(Arc<Sessions>);

impl Drop for Reserved {
    fn drop(&mut self) {
        self.0.lock().reserved -= 1;
    }
}

impl Sessions {
    /// At most `max` sessions; one that nobody used for `idle` is closed.
    pub(super) fn new(max: usize, idle: Duration) -> Arc<Self> {
        Arc::new(Self { table: Mutex::default(), max: max.max(1), idle, kept: Kept::new(KEPT_BYTES) })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &str) -> Result<Arc<Session>, SessionError> {
        self.lock().sessions.get(id).cloned().ok_or(SessionError::Ended)
    }

    /// The session with this id, if it is this caller's. Another's is as good as none.
    pub(super) fn of_caller(&self, id: &str, caller: &str) -> Option<Arc<Session>> {
        self.find(id)
            .ok()
            .filter(|session| guarded!("session-owner", session.belongs_to(caller), without true))
    }

    /// Keeps a place free for one more session. When there is none, the session that nobody used for the
    /// longest time is closed; those with a request or a reader stay.
    pub(super) fn reserve(self: &Arc<Self>) -> Result<Reserved, SessionError> {
        let mut table = self.lock();
        if guarded!("sessions", table.sessions.len() + table.reserved >= self.max) {
            let idle = table.sessions.iter().filter_map(|(id, session)| Some((session.idle_since()?, id)));
            let id = idle.min_by_key(|(since, _)| *since).map(|(_, id)| id.clone());
            let session = id.and_then(|id| table.sessions.remove(&id)).ok_or(SessionError::TooMany)?;
            session.close();
        }
        table.reserved += 1;
        Ok(Reserved(self.clone()))
    }

    /// Makes a session. The caller holds a [`Reserved`] meanwhile.
    pub(super) fn open(
        &self,
        single: bool,
    ) -> Result<(SessionId, Arc<Session>, SessionTransport), SessionError> {
        let id = new_id()?;
        let (session, transport) = Session::new(self.kept.clone(), single);
        self.lock().sessions.insert(id.clone(), session.clone());
        Ok((id, session, transport))
    }

    /// Closes a session; false when there is none.
    pub(super) fn close(&self, id: &str) -> bool {
        let session = self.lock().sessions.remove(id);
        if let Some(session) = &session {
            session.close();
        }
        session.is_some()
    }

    /// Whether any session works on a request.
    pub(super) fn are_busy(&self) -> bool {
        self.lock().sessions.values().any(|session| session.is_busy())
    }

    /// Closes what nobody used for too long, for ever.
    pub(super) async fn sweep(self: Arc<Self>) {
        let period = (self.idle / 4).clamp(Duration::from_millis(100), Duration::from_secs(60));
        loop {
            tokio::time::sleep(period).await;
            self.lock().sessions.retain(|_, session| {
                let stays = session.idle_since().is_none_or(|since| since.elapsed() < self.idle);
                if !stays {
                    session.close();
                }
                stays
            });
        }
    }
}

/// 128 random bits as hexadecimal digits: visible ASCII that nobody guesses.
fn new_id() -> Result<SessionId, SessionError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| SessionError::Random(error.to_string()))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)).into())
}

/// What our front door put beside a message.
fn beside<T: Clone + Send + Sync + 'static>(message: &ClientJsonRpcMessage) -> Option<&T> {
    let extensions = match message {
        JsonRpcMessage::Request(request) => request.request.extensions(),
        JsonRpcMessage::Notification(notification) => notification.notification.extensions(),
        JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => return None,
    };
    extensions.get::<http::request::Parts>()?.extensions.get()
}

impl SessionManager for Sessions {
    type Error = SessionError;
    type Transport = SessionTransport;

    async fn create_session(&self) -> Result<(SessionId, SessionTransport), SessionError> {
        let (id, _, transport) = self.open(false)?;
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionError> {
        let session = self.find(id)?;
        if let Some(Caller(caller)) = beside(&message) {
            session.give_to(caller.clone());
        }
        let plain = beside::<Plain>(&message).cloned();
        let answer = session.initialize(message).await?;
        if let Some(plain) = plain {
            plain.put(&answer);
        }
        Ok(answer)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionError> {
        Ok(self.find(id).is_ok())
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionError> {
        self.close(id);
        Ok(())
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        let session = self.find(id)?;
        let JsonRpcMessage::Request(request) = &message else { return Err(SessionError::NoSuchStream) };
        let request_id = request.id.clone();
        let plain = beside::<Plain>(&message).cloned().unwrap_or_default();
        let detached = beside::<Detached>(&message).cloned();
        let answer = session.request(request_id.clone(), message, detached.as_ref()).await;
        let reader = match answer {
            Ok(Answer::Stream(reader)) => Some(reader),
            Ok(Answer::Plain(message)) => {
                plain.put(&message);
                None
            }
            Ok(Answer::Nothing) => None,
            Err(error) => {
                plain.refuse(&request_id, &error);
                None
            }
        };
        Ok(Reader::stream_of(reader))
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionError> {
        self.find(id)?.accept(message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        Ok(self.find(id)?.open_common()?.into_stream())
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        Ok(self.find(id)?.resume(&last_event_id)?.into_stream())
    }
}
