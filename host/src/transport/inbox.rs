//! The way in of a pipe: requests wait here until one of a bounded number of places is free; cancellations and
//! answers pass them by. Drops no request: when too many bytes wait, it makes the reader wait.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorCode, ErrorData, GetExtensions as _,
    RequestId, ServerJsonRpcMessage,
};
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::front_door::{Refusal, answered_id, id_text};
use super::outbox::Outbox;
use crate::mcp::Alone;

/// What a waiting message takes besides its text: it waits in its parsed form.
const OVERHEAD: usize = 1024;

/// What a request is told that came too late to be begun.
const GOING: &str = "the server is going; ask the next one";

/// What a question of ours is answered when no answer can come any more.
const UNHEARD: &str = "the client has closed its input, so nobody can answer";

/// Most change streams one client may hold open. They last, so they take no place of a request.
const MAX_STREAMS: usize = 64;

pub(super) struct Inbox {
    state: Mutex<State>,
    /// For the protocol: something arrived, a place is free, or it is over.
    arrived: Arc<Notify>,
    /// For the reading thread: there is room.
    room: Condvar,
    in_flight: usize,
    queued_bytes: usize,
    drain: Duration,
    /// Cancelled when nothing is left but change streams, so that they end too.
    closing: CancellationToken,
}

#[derive(Default)]
struct State {
    urgent: VecDeque<(ClientJsonRpcMessage, usize)>,
    /// In the order they came, so also of their numbers.
    queue: VecDeque<Waiting>,
    live: HashMap<RequestId, Place>,
    /// Our own requests that the client has not answered.
    asked: HashSet<RequestId>,
    running: usize,
    streams: usize,
    bytes: usize,
    next: u64,
    initialized: bool,
    /// Calls can run, so the drain's clock can.
    ready: bool,
    ended: Option<Instant>,
    abandoned: bool,
    closed: bool,
}

struct Waiting {
    number: u64,
    /// None when it was cancelled.
    message: Option<ClientJsonRpcMessage>,
    bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Queued { number: u64, stream: bool },
    Running,
    Stream,
}

/// Whether an answer is likely to be followed by another at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// No request is being worked on.
    Nothing,
    /// Others are, or wait for it.
    More,
}

impl Inbox {
    pub(super) fn new(
        in_flight: usize,
        queued_bytes: usize,
        drain: Duration,
        closing: CancellationToken,
    ) -> Self {
        Self {
            state: Mutex::default(),
            arrived: Arc::new(Notify::new()),
            room: Condvar::new(),
            in_flight: in_flight.max(1),
            queued_bytes,
            drain,
            closing,
        }
    }

    pub(super) fn waker(&self) -> Arc<Notify> {
        self.arrived.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for another message; false when it is over.
    pub(super) fn wait_for_room(&self) -> bool {
        let mut state = self.lock();
        while guarded!("inbox-bytes", state.bytes >= self.queued_bytes) && state.ended.is_none() {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.ended.is_none()
    }

    /// Takes a request in, or says why not.
    pub(super) fn request(
        &self,
        id: RequestId,
        request: ClientRequest,
        declares_version: bool,
        bytes: usize,
    ) -> Result<(), Refusal> {
        let refuse =
            |code: ErrorCode, message: String| Err(Refusal { id: Some(id_text(&id)), code: code.0, message });
        let mut state = self.lock();
        if state.closed {
            return refuse(ErrorCode::INTERNAL_ERROR, GOING.into());
        }
        match &request {
            ClientRequest::InitializeRequest(_) => state.initialized = true,
            ClientRequest::DiscoverRequest(_) => {}
            _ if declares_version || state.initialized => {}
            _ => {
                let text = "request _meta is missing io.modelcontextprotocol/protocolVersion, and there was no initialize";
                return refuse(ErrorCode::INVALID_PARAMS, text.into());
            }
        }
        if guarded!("one-id", state.live.contains_key(&id)) {
            return refuse(
                ErrorCode::INVALID_REQUEST,
                "a request with this id is still being worked on".into(),
            );
        }
        let stream = matches!(request, ClientRequest::SubscriptionsListenRequest(_));
        if guarded!("streams", stream && state.streams >= MAX_STREAMS) {
            let text = format!("a client may hold {MAX_STREAMS} subscriptions open; close one first");
            return refuse(ErrorCode::INVALID_REQUEST, text);
        }
        state.streams += usize::from(stream);
        let number = state.next;
        state.next += 1;
        state.live.insert(id.clone(), Place::Queued { number, stream });
        let message = ClientJsonRpcMessage::request(request, id);
        state.push(number, message, bytes + OVERHEAD);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes in a notification that keeps its place among the requests.
    pub(super) fn notification(&self, notification: ClientNotification, bytes: usize) {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.push(number, ClientJsonRpcMessage::notification(notification), bytes + OVERHEAD);
        drop(state);
        self.arrived.notify_one();
    }

    /// Takes in the client's answer to a request of ours, which a running call may be waiting for.
    pub(super) fn response(&self, message: ClientJsonRpcMessage, bytes: usize) {
        let mut state = self.lock();
        if let Some(id) = answered_id(&message) {
            state.asked.remove(id);
        }
        state.bytes += bytes + OVERHEAD;
        state.urgent.push_back((message, bytes + OVERHEAD));
        drop(state);
        self.arrived.notify_one();
    }

    /// A request of ours goes out. When nothing more will come in it is answered here.
    pub(super) fn asked(&self, id: RequestId) {
        let mut state = self.lock();
        if state.ended.is_some() {
            state.unheard(id);
            drop(state);
            self.arrived.notify_one();
        } else {
            state.asked.insert(id);
        }
    }

    /// A request of ours is taken back.
    pub(super) fn taken_back(&self, id: &RequestId) {
        self.lock().asked.remove(id);
    }

    /// Cancels a request: one that waits is gone without an answer, one that runs is told.
    pub(super) fn cancel(&self, id: &RequestId, notification: ClientNotification) {
        let mut state = self.lock();
        let Some(place) = state.live.remove(id) else { return };
        match place {
            Place::Queued { number, stream } => {
                state.streams -= usize::from(stream);
                if let Ok(index) = state.queue.binary_search_by_key(&number, |waiting| waiting.number) {
                    let waiting = &mut state.queue[index];
                    waiting.message = None;
                    let bytes = std::mem::take(&mut waiting.bytes);
                    state.bytes -= bytes;
                }
                drop(state);
                self.room.notify_one();
            }
            Place::Running | Place::Stream => {
                state.leave(place);
                state.urgent.push_back((ClientJsonRpcMessage::notification(notification), 0));
            }
        }
        self.arrived.notify_one();
    }

    /// A request is being answered. None when nobody waits for that any longer; else what comes after it.
    pub(super) fn answered(&self, id: &RequestId) -> Option<Then> {
        let mut state = self.lock();
        let place = state.live.remove(id)?;
        state.leave(place);
        let wake = !state.queue.is_empty() || state.ended.is_some();
        let then = if state.running == 0 && state.queue.is_empty() { Then::Nothing } else { Then::More };
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        Some(then)
    }

    /// Nothing more will come in: what is here is worked on for the length of the drain, and no question waits on.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ended.get_or_insert_with(Instant::now);
        for id in std::mem::take(&mut state.asked) {
            state.unheard(id);
        }
        drop(state);
        self.room.notify_all();
        self.arrived.notify_one();
    }

    /// Calls can run from now on. Until then the drain does not pass: whoever pipes in one request and
    /// closes the pipe shall have the answer, also when plugins must be compiled first.
    pub(super) fn ready(&self) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.ready, true) && state.ended.is_some() {
            state.ended = Some(Instant::now());
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// Takes no more in, and gives an answer for each request that was never begun.
    pub(super) fn close(&self) -> Vec<ServerJsonRpcMessage> {
        let mut state = self.lock();
        state.closed = true;
        state.bytes = 0;
        state.urgent.clear();
        let queue = std::mem::take(&mut state.queue);
        let mut answers = Vec::new();
        for message in queue.into_iter().filter_map(|waiting| waiting.message) {
            if let ClientJsonRpcMessage::Request(request) = message {
                state.live.remove(&request.id);
                let error = ErrorData::internal_error(GOING, None);
                answers.push(ServerJsonRpcMessage::error(error, Some(request.id)));
            }
        }
        answers
    }

    /// Nobody is left to answer to.
    pub(super) fn abandon(&self) {
        self.lock().abandoned = true;
        self.end();
    }

    /// The next message for the protocol; none when it is over. Dropping the future loses nothing.
    pub(super) async fn next(&self, outbox: &Outbox) -> Option<ClientJsonRpcMessage> {
        loop {
            let until = {
                let mut state = self.lock();
                if state.abandoned {
                    return None;
                }
                let full = guarded!("in-flight", state.running >= self.in_flight);
                let place_free = !full && guarded!("unread-answers", outbox.has_room(), without true);
                if let Some((message, bytes)) = state.take(place_free) {
                    drop(state);
                    if bytes > 0 {
                        self.room.notify_one();
                    }
                    return Some(message);
                }
                let idle = state.running == 0 && state.queue.is_empty();
                if state.ended.is_some() && idle {
                    self.closing.cancel();
                }
                match state.ended {
                    Some(_) if idle && state.streams == 0 => return None,
                    Some(ended) if state.ready && ended.elapsed() >= self.drain => return None,
                    Some(ended) if state.ready => Some(ended + self.drain),
                    _ => None,
                }
            };
            let arrived = self.arrived.notified();
            match until {
                None => arrived.await,
                Some(until) => {
                    tokio::select! {
                        () = arrived => {}
                        () = tokio::time::sleep_until(until) => {}
                    }
                }
            }
        }
    }
}

impl State {
    fn unheard(&mut self, id: RequestId) {
        let error = ErrorData::internal_error(UNHEARD, None);
        self.urgent.push_back((ClientJsonRpcMessage::error(error, Some(id)), 0));
    }

    fn push(&mut self, number: u64, message: ClientJsonRpcMessage, bytes: usize) {
        self.bytes += bytes;
        self.queue.push_back(Waiting { number, message: Some(message), bytes });
    }

    fn take(&mut self, place_free: bool) -> Option<(ClientJsonRpcMessage, usize)> {
        if let Some((message, bytes)) = self.urgent.pop_front() {
            self.bytes -= bytes;
            return Some((message, bytes));
        }
        loop {
            let last = self.queue.len() == 1;
            let front = self.queue.front_mut()?;
            if let Some(ClientJsonRpcMessage::Request(request)) = &mut front.message {
                let stream = matches!(self.live.get(&request.id), Some(Place::Queued { stream: true, .. }));
                if !stream && !place_free {
                    return None;
                }
                if last && self.running == 0 {
                    request.request.extensions_mut().insert(Alone);
                }
                self.running += usize::from(!stream);
                let place = if stream { Place::Stream } else { Place::Running };
                self.live.insert(request.id.clone(), place);
            }
            let front = self.queue.pop_front()?;
            self.bytes -= front.bytes;
            if let Some(message) = front.message {
                return Some((message, front.bytes));
            }
        }
    }

    fn leave(&mut self, place: Place) {
        match place {
            Place::Running => self.running -= 1,
            Place::Stream => self.streams -= 1,
            Place::Queued { stream, .. } => self.streams -= usize::from(stream),
        }
    }
}
