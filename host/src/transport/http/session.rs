//! One session of an older client over HTTP: its requests in flight, its streams, and the pipe to its server.
//! Decides on which stream a message goes; knows no method but the cancellation, and nothing of HTTP.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures::Stream;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, GetExtensions as _, JsonRpcMessage, ProtocolVersion, RequestId,
    ServerJsonRpcMessage, ServerResult,
};
use rmcp::service::{OriginatingRequestId, RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::streamable_http_server::session::ServerSseMessage;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::buffer::{Buffer, Kept, Next, parse_event_id};
use crate::mcp::Detached;
use crate::transport::front_door::answered_id;

/// Requests of one session that are worked on at once; more wait on their connections.
const IN_FLIGHT: usize = 64;

/// How long a call may take before its client gets a stream instead of a plain answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// When a client that lost its stream shall come back.
const RETRY: Duration = Duration::from_millis(500);

/// How long a stream that is over is kept for a client that lost its line.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// The stream that belongs to no request, which a client opens with GET.
const COMMON: u64 = 0;

/// Why a session did not take a message.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// It was closed.
    #[error("the session has ended; initialize a new one")]
    Ended,
    /// The same id is in use.
    #[error("this id is still being worked on; give each request an id of its own")]
    IdInUse,
    /// There is no such stream, or none any more.
    #[error("there is no stream with this event id in this session")]
    NoSuchStream,
    /// The bound.
    #[error("too many sessions are open; close some or try again later")]
    TooMany,
    /// No randomness.
    #[error("the system gave no random numbers for a session's id: {0}")]
    Random(String),
}

/// A request's answer: all at once, or as a stream.
pub(super) enum Answer {
    /// This message and nothing else.
    Plain(Arc<ServerJsonRpcMessage>),
    /// A stream of messages.
    Stream(Reader),
    /// The client cancelled the request.
    Nothing,
}

pub(super) struct Session {
    to_server: mpsc::Sender<ClientJsonRpcMessage>,
    places: Arc<Semaphore>,
    state: Mutex<State>,
    kept: Arc<Kept>,
    /// For senders of notifications: a reader made room, or is gone.
    room: Notify,
    closed: CancellationToken,
    owner: OnceLock<Arc<str>>,
    /// Everything goes on the one common stream, as before there were streams of requests.
    single: bool,
}

struct State {
    streams: HashMap<u64, Open>,
    requests: HashMap<RequestId, (u64, OwnedSemaphorePermit)>,
    handshake: Option<oneshot::Sender<ServerJsonRpcMessage>>,
    /// The client's version knows priming events; older ones choke on their empty data.
    primes: bool,
    last: u64,
    used: Instant,
}

struct Open {
    buffer: Buffer,
    news: Arc<Notify>,
}

impl Session {
    pub(super) fn new(kept: Arc<Kept>, single: bool) -> (Arc<Self>, SessionTransport) {
        let (to_server, from_client) = mpsc::channel(IN_FLIGHT);
        let common = Open { buffer: Buffer::new(COMMON, kept.clone()), news: Arc::default() };
        let session = Arc::new(Self {
            to_server,
            places: Arc::new(Semaphore::new(IN_FLIGHT)),
            state: Mutex::new(State {
                streams: HashMap::from([(COMMON, common)]),
                requests: HashMap::new(),
                handshake: None,
                primes: false,
                last: COMMON,
                used: Instant::now(),
            }),
            kept,
            room: Notify::new(),
            closed: CancellationToken::new(),
            owner: OnceLock::new(),
            single,
        });
        let transport = SessionTransport { session: session.clone(), from_client };
        (session, transport)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whose it is; the first word counts.
    pub(super) fn give_to(&self, caller: Arc<str>) {
        let _ = self.owner.set(caller);
    }

    pub(super) fn belongs_to(&self, caller: &str) -> bool {
        self.owner.get().is_none_or(|owner| **owner == *caller)
    }

    pub(super) fn touch(&self) {
        self.lock().used = Instant::now();
    }

    /// Since when nobody used it; none while a request is worked on or a stream is read.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.lock();
        let busy = !state.requests.is_empty() || state.streams.values().any(|open| open.buffer.is_read());
        (!busy && state.handshake.is_none()).then_some(state.used)
    }

    /// Whether requests are being worked on.
    pub(super) fn is_busy(&self) -> bool {
        !self.lock().requests.is_empty()
    }

    /// Ends it: streams, the server behind it, everything.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    pub(super) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    async fn forward(&self, message: ClientJsonRpcMessage) -> Result<(), SessionError> {
        tokio::select! {
            sent = self.to_server.send(message) => sent.map_err(|_| SessionError::Ended),
            () = self.closed.cancelled() => Err(SessionError::Ended),
        }
    }

    /// Passes on `initialize` and gives its answer.
    pub(super) async fn initialize(
        &self,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionError> {
        let (sender, answer) = oneshot::channel();
        self.lock().handshake = Some(sender);
        self.forward(message).await?;
        tokio::select! {
            answer = answer => answer.map_err(|_| SessionError::Ended),
            () = self.closed.cancelled() => Err(SessionError::Ended),
        }
    }

    /// Takes in a message that is no request.
    pub(super) async fn accept(&self, message: ClientJsonRpcMessage) -> Result<(), SessionError> {
        self.touch();
        if let JsonRpcMessage::Notification(notification) = &message
            && let ClientNotification::CancelledNotification(cancelled) = &notification.notification
            && let Some(id) = &cancelled.params.request_id
        {
            let mut state = self.lock();
            if let Some((number, _place)) = state.requests.remove(id) {
                state.end(number);
            }
        }
        self.forward(message).await
    }

    /// Takes in a request and waits a little for its answer. A client that goes away meanwhile is not
    /// cancelled, but cannot come back for the answer either.
    pub(super) async fn request(
        self: &Arc<Self>,
        id: RequestId,
        message: ClientJsonRpcMessage,
        detached: Option<&Detached>,
    ) -> Result<Answer, SessionError> {
        let number = self.begin(id).await?;
        let waiting = Waiting { session: self, number };
        self.forward(message).await?;
        let detached = detached.map(|Detached(token)| token.clone()).unwrap_or_default();
        let news = {
            let state = self.lock();
            state.streams.get(&number).map(|open| open.news.clone())
        };
        if let Some(news) = news {
            let patience = tokio::time::sleep(PATIENCE);
            tokio::pin!(patience);
            loop {
                let notified = news.notified();
                tokio::pin!(notified);
                // Enlisted before looking, so that nothing that comes in between is missed.
                notified.as_mut().enable();
                if self.lock().streams.get(&number).is_none_or(|open| open.buffer.has_news()) {
                    break;
                }
                tokio::select! {
                    () = notified => {}
                    () = &mut patience => break,
                    () = detached.cancelled() => break,
                    () = self.closed.cancelled() => return Err(SessionError::Ended),
                }
            }
        }
        std::mem::forget(waiting);
        Ok(self.answer(number, detached))
    }

    /// Finds a place for a request.
    async fn begin(&self, id: RequestId) -> Result<u64, SessionError> {
        self.touch();
        let place = tokio::select! {
            place = self.places.clone().acquire_owned() => place.map_err(|_| SessionError::Ended)?,
            () = self.closed.cancelled() => return Err(SessionError::Ended),
        };
        let mut state = self.lock();
        state.forget_old();
        if state.requests.contains_key(&id) {
            return Err(SessionError::IdInUse);
        }
        let number = if self.single {
            COMMON
        } else {
            state.last += 1;
            let number = state.last;
            let buffer = Buffer::new(number, self.kept.clone());
            state.streams.insert(number, Open { buffer, news: Arc::default() });
            number
        };
        state.requests.insert(id, (number, place));
        Ok(number)
    }

    /// Takes in a request whose answer goes on the one stream there is.
    pub(super) async fn request_on_common(
        &self,
        id: RequestId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionError> {
        self.begin(id).await?;
        self.forward(message).await
    }

    fn answer(self: &Arc<Self>, number: u64, detached: CancellationToken) -> Answer {
        let mut state = self.lock();
        let primes = state.primes;
        let Some(open) = state.streams.get_mut(&number) else { return Answer::Nothing };
        if let Some(message) = open.buffer.only_message() {
            state.streams.remove(&number);
            return Answer::Plain(message);
        }
        if open.buffer.over_for().is_some() && !open.buffer.has_unread() {
            state.streams.remove(&number);
            return Answer::Nothing;
        }
        let first = primes.then(|| open.buffer.priming(RETRY));
        let (reader, news) = (open.buffer.attach(None), open.news.clone());
        drop(state);
        // A client that could not come back must not be sent away.
        let detached = if primes { detached } else { CancellationToken::new() };
        Answer::Stream(Reader { session: self.clone(), number, reader, news, first, detached })
    }

    /// Opens the stream that belongs to no request. Whoever read it before finds its end.
    pub(super) fn open_common(self: &Arc<Self>) -> Result<Reader, SessionError> {
        self.attach(COMMON, None, true)
    }

    /// Goes on with a stream behind the event that the client saw last.
    pub(super) fn resume(self: &Arc<Self>, last_event: &str) -> Result<Reader, SessionError> {
        let (number, index) = parse_event_id(last_event).ok_or(SessionError::NoSuchStream)?;
        self.attach(number, Some(index), false)
    }

    fn attach(
        self: &Arc<Self>,
        number: u64,
        after: Option<u64>,
        prime: bool,
    ) -> Result<Reader, SessionError> {
        let mut state = self.lock();
        state.used = Instant::now();
        let prime = prime && state.primes;
        let open = state.streams.get_mut(&number).ok_or(SessionError::NoSuchStream)?;
        let reader = open.buffer.attach(after);
        let first = prime.then(|| open.buffer.priming(RETRY));
        open.news.notify_waiters();
        let news = open.news.clone();
        drop(state);
        let detached = CancellationToken::new();
        Ok(Reader { session: self.clone(), number, reader, news, first, detached })
    }

    /// Takes a message of the server. Gives the stream that a notification found no room on.
    fn put(&self, message: ServerJsonRpcMessage) -> Option<u64> {
        let mut state = self.lock();
        match &message {
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {
                state.answer(message);
                None
            }
            JsonRpcMessage::Request(request) => {
                let number = state.stream_of(request.request.extensions()).unwrap_or(COMMON);
                state.put(number, |buffer| buffer.push(message));
                None
            }
            JsonRpcMessage::Notification(notification) => {
                let extensions = notification.notification.extensions();
                let of_request = extensions.get::<OriginatingRequestId>().is_some();
                // What comes after its request's answer is of no use any more.
                let number = match state.stream_of(extensions) {
                    Some(number) => number,
                    None if of_request => return None,
                    None => COMMON,
                };
                let full = state.streams.get(&number).is_some_and(|open| !open.buffer.has_room());
                state.put(number, |buffer| buffer.notify(message));
                full.then_some(number)
            }
        }
    }

    /// Returns when the stream has room, or nobody reads it.
    async fn room(&self, number: u64) {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            let wait = self
                .lock()
                .streams
                .get(&number)
                .is_some_and(|open| open.buffer.is_read() && !open.buffer.has_room());
            if !wait {
                return;
            }
            tokio::select! {
                () = room => {}
                () = self.closed.cancelled() => return,
            }
        }
    }
}

impl State {
    fn stream_of(&self, extensions: &rmcp::model::Extensions) -> Option<u64> {
        let OriginatingRequestId(id) = extensions.get()?;
        self.requests.get(id).map(|(number, _)| *number)
    }

    fn put(&mut self, number: u64, put: impl FnOnce(&mut Buffer)) {
        if let Some(open) = self.streams.get_mut(&number) {
            put(&mut open.buffer);
            open.news.notify_waiters();
        }
    }

    /// Puts an answer on the stream of its request, which is then over.
    fn answer(&mut self, message: ServerJsonRpcMessage) {
        if let Some(handshake) = self.handshake.take() {
            if let JsonRpcMessage::Response(response) = &message
                && let ServerResult::InitializeResult(result) = &response.result
            {
                self.primes = result.protocol_version >= ProtocolVersion::V_2025_11_25;
            }
            // The client may have gone.
            let _ = handshake.send(message);
            return;
        }
        let id = answered_id(&message);
        self.used = Instant::now();
        // Of a request that was cancelled there is nothing left.
        let Some((number, _place)) = id.and_then(|id| self.requests.remove(id)) else { return };
        self.put(number, |buffer| buffer.push(message));
        self.end(number);
    }

    fn end(&mut self, number: u64) {
        if number != COMMON
            && let Some(open) = self.streams.get_mut(&number)
        {
            open.buffer.end();
            open.news.notify_waiters();
        }
    }

    /// Drops streams that are over and that nobody came back for.
    fn forget_old(&mut self) {
        self.streams.retain(|_, open| {
            open.buffer.is_read() || open.buffer.over_for().is_none_or(|over| over < KEPT_FOR)
        });
    }
}

/// A request whose client still waits for the first word.
struct Waiting<'a> {
    session: &'a Session,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Nobody knows an event of this stream, so nobody can come back to it.
        self.session.lock().streams.remove(&self.number);
    }
}

/// A client at one of its streams.
pub(super) struct Reader {
    session: Arc<Session>,
    number: u64,
    reader: u64,
    news: Arc<Notify>,
    first: Option<ServerSseMessage>,
    detached: CancellationToken,
}

impl Reader {
    async fn next(&mut self) -> Option<ServerSseMessage> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let notified = self.news.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let next = match self.session.lock().streams.get_mut(&self.number) {
                Some(open) => open.buffer.read(self.reader),
                None => Next::Over,
            };
            match next {
                Next::Event(event) => {
                    self.session.room.notify_waiters();
                    return Some(event);
                }
                Next::Over => return None,
                Next::Wait => {}
            }
            tokio::select! {
                () = notified => {}
                () = self.detached.cancelled() => return None,
                () = self.session.closed.cancelled() => return None,
            }
        }
    }

    /// The events as a stream, which ends when there will be no more.
    pub(super) fn into_stream(self) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static {
        Self::stream_of(Some(self))
    }

    /// The events of a reader, if there is one, as a stream.
    pub(super) fn stream_of(
        reader: Option<Self>,
    ) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static {
        futures::stream::unfold(reader, |reader| async move {
            let mut reader = reader?;
            let event = reader.next().await?;
            Some((event, Some(reader)))
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.session.lock();
        state.used = Instant::now();
        if let Some(open) = state.streams.get_mut(&self.number) {
            open.buffer.detach(self.reader);
        }
        drop(state);
        self.session.room.notify_waiters();
    }
}

/// The session as its server sees it.
pub(super) struct SessionTransport {
    session: Arc<Session>,
    from_client: mpsc::Receiver<ClientJsonRpcMessage>,
}

impl Transport<RoleServer> for SessionTransport {
    type Error = SessionError;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), SessionError>> + Send + 'static {
        // Here and not in the future: the library polls those in any order.
        let full = self.session.put(item);
        let session = self.session.clone();
        async move {
            if let Some(number) = full {
                session.room(number).await;
            }
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        tokio::select! {
            message = self.from_client.recv() => message,
            () = self.session.closed.cancelled() => None,
        }
    }

    async fn close(&mut self) -> Result<(), SessionError> {
        self.session.close();
        Ok(())
    }
}
