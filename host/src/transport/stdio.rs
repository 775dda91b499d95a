//! MCP over a pair of pipes: a thread reads and a thread writes, so that neither a slow client nor a slow call
//! holds up the protocol. Frames messages and decides when it is over; knows no method but by the front door.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{ClientJsonRpcMessage, ErrorData, JsonRpcMessage, ServerNotification};
use rmcp::service::{
    QuitReason, RoleServer, RxJsonRpcMessage, Service, TxJsonRpcMessage, serve_directly_with_ct,
};
use rmcp::transport::Transport;
use tokio_util::sync::CancellationToken;

use super::front_door::{self, Admitted};
use super::inbox::{Inbox, Then};
use super::outbox::Outbox;
use crate::mcp::{Backend, KennelHandler};

/// How much is read from the pipe at once, in bytes.
const READ_AT_ONCE: usize = 256 << 10;

/// How long a client may take to read the last answers.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The bounds of one connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// Largest message, in bytes.
    pub max_message: usize,
    /// Requests worked on at once; change streams do not count.
    pub in_flight: usize,
    /// Bytes of requests that may wait behind those; then nothing more is read.
    pub queued_bytes: usize,
    /// Bytes of answers that may wait for the client before no new request is begun.
    pub output_bytes: usize,
    /// How long calls may go on after the end of input.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_message: front_door::MAX_MESSAGE,
            in_flight: 256,
            queued_bytes: 64 << 20,
            output_bytes: 8 << 20,
            drain: Duration::from_secs(1),
        }
    }
}

/// Why a connection could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A thread or a descriptor could not be had.
    #[error("cannot serve over standard input and output: {0}")]
    Io(#[from] std::io::Error),
    /// The protocol's task panicked.
    #[error("the protocol's task failed: {0}; this is a fault in Kennel, please report it")]
    Protocol(#[from] tokio::task::JoinError),
}

/// Serves one client over this process's standard input and output until input ends or the process is asked
/// to stop (SIGINT, SIGTERM); then what completes within the drain is answered and the rest is cancelled.
///
/// Run it on a current-thread runtime of its own, where no guest can hold it up.
///
/// # Errors
/// When the pipes cannot be used at all.
pub async fn serve_process<B: Backend>(
    handler: KennelHandler<B>,
    options: Options,
) -> Result<(), ServeError> {
    // Descriptors of our own: the standard library's have locks and buffers that we do not want.
    let input = std::fs::File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let output = std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    // A parent may have left them in a mode that fails instead of waiting.
    for end in [&input, &output] {
        let flags = rustix::fs::fcntl_getfl(end).map_err(std::io::Error::from)?;
        if flags.contains(rustix::fs::OFlags::NONBLOCK) {
            rustix::fs::fcntl_setfl(end, flags.difference(rustix::fs::OFlags::NONBLOCK))
                .map_err(std::io::Error::from)?;
        }
    }
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    serve(handler, input, output, options, stop).await
}

/// Serves one client over any two pipes, until `input` ends or `stop` is done.
///
/// # Errors
/// When threads cannot be had, or the protocol's task failed.
pub async fn serve<B: Backend>(
    handler: KennelHandler<B>,
    input: impl Read + Send + 'static,
    output: impl Write + AsFd + Send + 'static,
    options: Options,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let backend = handler.backend().clone();
    let ready = async move { backend.ready().await };
    let closing = handler.closing();
    serve_service(handler, ready, closing, input, output, options, stop).await
}

/// Serves one client with any server of the protocol library, for comparison: the arguments of tool calls come
/// in the extension [`RawArguments`](crate::mcp::RawArguments). The drain does not pass before `ready` is
/// done; `closing` is cancelled when nothing is left but change streams, which should end then.
///
/// # Errors
/// When threads cannot be had, or the protocol's task failed.
pub async fn serve_service<S: Service<RoleServer>>(
    service: S,
    ready: impl Future<Output = ()> + Send + 'static,
    closing: CancellationToken,
    input: impl Read + Send + 'static,
    output: impl Write + AsFd + Send + 'static,
    options: Options,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let inbox = Arc::new(Inbox::new(options.in_flight, options.queued_bytes, options.drain, closing));
    let pipe = output.as_fd().try_clone_to_owned()?;
    let outbox = Arc::new(Outbox::new(pipe, options.output_bytes, inbox.waker()));

    // The threads are not waited for: one may sit in a read or a write that never ends.
    std::thread::Builder::new().name("kennel-stdout".into()).spawn({
        let (inbox, outbox) = (inbox.clone(), outbox.clone());
        move || {
            if outbox.write_all(output) {
                inbox.abandon();
            }
        }
    })?;
    std::thread::Builder::new().name("kennel-stdin".into()).spawn({
        let (inbox, outbox) = (inbox.clone(), outbox.clone());
        let max_message = options.max_message;
        move || {
            read_all(input, max_message, &inbox, &outbox);
            inbox.end();
        }
    })?;

    // Ends with the runtime at the latest.
    tokio::spawn({
        let inbox = inbox.clone();
        async move {
            ready.await;
            inbox.ready();
        }
    });

    let cancel = CancellationToken::new();
    let pipes = Pipes { inbox: inbox.clone(), outbox, cancel: cancel.clone() };
    // Without the library's handshake, which a stray notification or a failed initialize ends for good. The
    // inbox sees to it that a client says which era it is of.
    let service = serve_directly_with_ct(service, pipes, None, cancel);
    let mut served = std::pin::pin!(service.waiting());
    let reason = tokio::select! {
        reason = &mut served => reason,
        () = stop => {
            // Whoever stops us does not wait for plugins to load.
            inbox.ready();
            inbox.end();
            served.await
        }
    };
    match reason? {
        QuitReason::JoinError(error) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Reads messages until the end, one a line.
fn read_all(input: impl Read, max: usize, inbox: &Inbox, outbox: &Outbox) {
    let mut input = BufReader::with_capacity(READ_AT_ONCE, input);
    let max = guarded!("message-size", max, without usize::MAX);
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut line = Vec::new();
    while inbox.wait_for_room() {
        line.clear();
        line.shrink_to(READ_AT_ONCE);
        match input.by_ref().take(limit).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "standard input cannot be read any further");
                return;
            }
        }
        if line.len() > max && line.last() != Some(&b'\n') {
            outbox.put_direct(&front_door::too_long(&line, max).to_json());
            line = Vec::new();
            if input.skip_until(b'\n').is_err() {
                return;
            }
            continue;
        }
        let message = line.trim_ascii();
        if message.is_empty() {
            continue;
        }
        let bytes = message.len();
        match front_door::admit(message) {
            Admitted::Refused(refusal) => outbox.put_direct(&refusal.to_json()),
            Admitted::Ping(id) => outbox.put_direct(&front_door::pong(&id)),
            Admitted::Request { id, request, declares_version } => {
                if let Err(refusal) = inbox.request(id, *request, declares_version, bytes) {
                    outbox.put_direct(&refusal.to_json());
                }
            }
            Admitted::Cancel(id, notification) => inbox.cancel(&id, *notification),
            Admitted::Notification(notification) => inbox.notification(*notification, bytes),
            Admitted::Response(message) => inbox.response(*message, bytes),
            Admitted::Dropped(why) => tracing::debug!(%why, "a message was dropped"),
        }
    }
}

/// The two pipes as the protocol library sees them.
struct Pipes {
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox>,
    cancel: CancellationToken,
}

/// The library logs it; there is nobody else to tell.
#[derive(Debug, thiserror::Error)]
#[error("an answer could not be written as JSON: {0}")]
struct PipeError(#[from] serde_json::Error);

impl Transport<RoleServer> for Pipes {
    type Error = PipeError;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), PipeError>> + Send + 'static {
        match &item {
            JsonRpcMessage::Request(request) => self.inbox.asked(request.id.clone()),
            JsonRpcMessage::Notification(notification) => {
                if let ServerNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.inbox.taken_back(id);
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
        let id = front_door::answered_id(&item);
        let is_answer = id.is_some();
        // Here and not in the future: the library polls those in any order.
        let put = match id {
            Some(id) => match self.inbox.answered(id) {
                // Cancelled while its answer was on the way.
                None => Ok(()),
                Some(then) => self.outbox.put(&item, then).or_else(|error| {
                    let message = format!("the answer could not be written as JSON: {error}");
                    let error = ErrorData::internal_error(message, None);
                    self.outbox.put(&TxJsonRpcMessage::<RoleServer>::error(error, Some(id.clone())), then)
                }),
            },
            None => self.outbox.put(&item, Then::More),
        };
        let outbox = self.outbox.clone();
        async move {
            put?;
            if !is_answer {
                outbox.room().await;
            }
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let message: Option<ClientJsonRpcMessage> = self.inbox.next(&self.outbox).await;
        if message.is_none() {
            // Whatever still runs has had its time, and what waits will not get any.
            for answer in self.inbox.close() {
                if let Err(error) = self.outbox.put(&answer, Then::More) {
                    tracing::error!(%error, "a last answer could not be written as JSON");
                }
            }
            self.cancel.cancel();
        }
        message.map(front_door::for_library)
    }

    async fn close(&mut self) -> Result<(), PipeError> {
        if tokio::time::timeout(LAST_WORDS, self.outbox.finish()).await.is_err() {
            tracing::info!("the client did not read its last answers");
        }
        Ok(())
    }
}
