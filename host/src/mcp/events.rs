//! What a running call tells its client: progress and log lines, in order and before the result. The guest is
//! never made to wait: what finds no room is dropped.

// Log messages are deprecated in the protocol, and clients will go on asking for them for years.
#![expect(deprecated)]

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{
    LoggingLevel, LoggingMessageNotification, LoggingMessageNotificationParam, ProgressNotification,
    ProgressNotificationParam, ProgressToken, RequestId, ServerNotification,
};
use rmcp::service::{OriginatingRequestId, Peer, RoleServer};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::carried::Detached;
use crate::catalog::api::CallEvents;
use crate::catalog::types::LogLevel;

/// Events of one call that may wait for a client that reads slowly.
const ROOM: usize = 256;

/// For a call whose client asked for nothing.
struct Silent {
    detached: Option<Detached>,
}

impl CallEvents for Silent {
    fn log(&self, _: LogLevel, _: Option<&str>, _: Value) {}
    fn progress(&self, _: f64, _: Option<f64>, _: Option<&str>) {}
    fn detach(&self) {
        detach(self.detached.as_ref());
    }
}

/// Meaningful only where a client can poll, which stdio's cannot.
fn detach(detached: Option<&Detached>) {
    if let Some(Detached(token)) = detached {
        token.cancel();
    }
}

struct Sender {
    /// The call's request, by which a transport with several streams finds the right one.
    request: RequestId,
    detached: Option<Detached>,
    queue: mpsc::Sender<ServerNotification>,
    token: Option<ProgressToken>,
    level: Option<LogLevel>,
    /// The last progress sent; the protocol wants it to grow.
    last: Mutex<f64>,
}

impl Sender {
    fn push(&self, notification: ServerNotification) {
        if self.queue.try_send(notification).is_err() {
            tracing::trace!("an event of a call was dropped because the client does not keep up");
        }
    }
}

impl CallEvents for Sender {
    fn log(&self, level: LogLevel, logger: Option<&str>, data: Value) {
        if self.level.is_none_or(|least| level < least) {
            return;
        }
        let mut param = LoggingMessageNotificationParam::new(to_protocol(level), data);
        param.logger = logger.map(str::to_owned);
        let mut notification = LoggingMessageNotification::new(param);
        notification.extensions.insert(OriginatingRequestId(self.request.clone()));
        self.push(ServerNotification::LoggingMessageNotification(notification));
    }

    fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>) {
        let Some(token) = &self.token else { return };
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            // Also refuses what is no number.
            if !(done.is_finite() && done > *last) {
                return;
            }
            *last = done;
        }
        let mut param = ProgressNotificationParam::new(token.clone(), done);
        param.total = total.filter(|total| total.is_finite());
        param.message = message.map(str::to_owned);
        let mut notification = ProgressNotification::new(param);
        notification.extensions.insert(OriginatingRequestId(self.request.clone()));
        self.push(ServerNotification::ProgressNotification(notification));
    }

    fn detach(&self) {
        detach(self.detached.as_ref());
    }
}

/// The receiving end of a call's events.
pub(super) struct Events {
    queue: Option<mpsc::Receiver<ServerNotification>>,
}

/// Makes the two ends for a call whose client gave this progress token and wants log lines from this level
/// on; without either, nothing is carried.
pub(super) fn channel(
    request: RequestId,
    token: Option<ProgressToken>,
    level: Option<LogLevel>,
    detached: Option<Detached>,
) -> (Arc<dyn CallEvents>, Events) {
    if token.is_none() && level.is_none() {
        return (Arc::new(Silent { detached }), Events { queue: None });
    }
    let (queue, receiver) = mpsc::channel(ROOM);
    let sender = Sender { request, detached, queue, token, level, last: Mutex::new(f64::NEG_INFINITY) };
    (Arc::new(sender), Events { queue: Some(receiver) })
}

impl Events {
    /// Runs `call` and carries its events meanwhile; everything that was said before `call` ended has been
    /// handed on when this returns.
    pub(super) async fn carry<F: Future>(self, peer: &Peer<RoleServer>, call: F) -> F::Output {
        let Some(mut queue) = self.queue else { return call.await };
        let over = CancellationToken::new();
        let carry = async {
            loop {
                let notification = tokio::select! {
                    biased;
                    notification = queue.recv() => notification,
                    () = over.cancelled() => queue.try_recv().ok(),
                };
                let Some(notification) = notification else { break };
                if peer.send_notification(notification).await.is_err() {
                    break;
                }
            }
        };
        let call = async {
            let outcome = call.await;
            over.cancel();
            outcome
        };
        tokio::join!(call, carry).0
    }
}

pub(super) fn to_protocol(level: LogLevel) -> LoggingLevel {
    match level {
        LogLevel::Debug => LoggingLevel::Debug,
        LogLevel::Info => LoggingLevel::Info,
        LogLevel::Notice => LoggingLevel::Notice,
        LogLevel::Warning => LoggingLevel::Warning,
        LogLevel::Error => LoggingLevel::Error,
        LogLevel::Critical => LoggingLevel::Critical,
        LogLevel::Alert => LoggingLevel::Alert,
        LogLevel::Emergency => LoggingLevel::Emergency,
    }
}

pub(super) fn from_protocol(level: LoggingLevel) -> LogLevel {
    match level {
        LoggingLevel::Debug => LogLevel::Debug,
        LoggingLevel::Info => LogLevel::Info,
        LoggingLevel::Notice => LogLevel::Notice,
        LoggingLevel::Warning => LogLevel::Warning,
        LoggingLevel::Error => LogLevel::Error,
        LoggingLevel::Critical => LogLevel::Critical,
        LoggingLevel::Alert => LogLevel::Alert,
        LoggingLevel::Emergency => LogLevel::Emergency,
    }
}
