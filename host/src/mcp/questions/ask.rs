//! Asks an older client by requests of the server, on the stream of the call they belong to: the protocol library
//! finds it because they are sent from within the call's own task. Decides nothing about the answers.

use std::time::Duration;

use futures::future::join_all;
use rmcp::model::{
    CancelledNotificationParam, CustomNotification, InputRequest, InputResponses, ServerNotification,
    ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, RoleServer, ServiceError};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Round, Settled};
use crate::catalog::api::CallFailure;
use crate::catalog::types::Resumption;

/// Asks all questions of a round at once and waits for the answers.
///
/// # Errors
/// The call's failure: a question was refused, not answered in time, answered with something else than was asked, or
/// the call was cancelled. The questions that are open then are taken back.
pub(in crate::mcp) async fn ask(
    peer: &Peer<RoleServer>,
    round: &Round,
    cancel: &CancellationToken,
) -> Result<Resumption, CallFailure> {
    let stop = cancel.child_token();
    let (plugin, within) = (&round.asker.plugin, round.asker.answer_within);
    let questions = round.requests()?.into_iter().map(|(key, request)| {
        let stop = &stop;
        async move {
            let answer = one(peer, request, within, stop).await;
            if answer.is_err() {
                stop.cancel();
            }
            (key, answer)
        }
    });
    let mut answers = InputResponses::new();
    let mut failed = None;
    for (key, answer) in join_all(questions).await {
        match answer {
            Ok(value) => {
                answers.insert(key, value);
            }
            // Those that were taken back because of another say nothing.
            Err(Unanswered::Stopped) => {}
            Err(why) => failed = failed.or(Some((key, why))),
        }
    }
    if cancel.is_cancelled() {
        return Err(CallFailure::Cancelled);
    }
    if let Some((key, why)) = failed {
        return Err(CallFailure::Failed(format!("plugin `{plugin}` asked {key:?}, and {why}")));
    }
    match round.clone().settle(answers) {
        Settled::All(resumption) => Ok(resumption),
        Settled::Missing(_, refused) => {
            let why =
                refused.iter().map(|(key, why)| format!("{key:?}: {why}")).collect::<Vec<_>>().join("; ");
            Err(CallFailure::Failed(format!(
                "plugin `{plugin}` asked, and the client's answer does not fit: {why}"
            )))
        }
    }
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("nobody answered within {} s; a person can raise `limits.answer-within` for it in kennel.toml", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("the client refused: {0}")]
    Refused(String),
    #[error("the question was taken back")]
    Stopped,
}

async fn one(
    peer: &Peer<RoleServer>,
    request: InputRequest,
    within: Duration,
    stop: &CancellationToken,
) -> Result<Value, Unanswered> {
    let request = match request {
        InputRequest::CreateMessage(request) => ServerRequest::CreateMessageRequest(request),
        InputRequest::Elicitation(request) => ServerRequest::ElicitRequest(request),
        InputRequest::ListRoots(request) => ServerRequest::ListRootsRequest(request),
        _ => return Err(Unanswered::Refused("the host does not know how to ask this".into())),
    };
    let refused = |error: ServiceError| {
        Unanswered::Refused(match error {
            ServiceError::McpError(error) => error.message.into_owned(),
            other => other.to_string(),
        })
    };
    let sent = peer.send_cancellable_request(request, PeerRequestOptions::no_options()).await;
    let handle = sent.map_err(refused)?;
    let id = handle.id.clone();
    let (why, reason) = tokio::select! {
        biased;
        answer = handle.await_response() => {
            let answer = answer.map_err(refused)?;
            return serde_json::to_value(answer).map_err(|error| Unanswered::Refused(error.to_string()));
        }
        () = stop.cancelled() => (Unanswered::Stopped, "the call is over"),
        () = tokio::time::sleep(within) => (Unanswered::TimedOut(within), "nobody answered in time"),
    };
    let taken_back = CancelledNotificationParam::new(Some(id), Some(reason.to_owned()));
    // A client that is gone needs no word.
    let _ = peer.notify_cancelled(taken_back).await;
    Err(why)
}

/// Tells the client that pages it opened have served their purpose, because the call is over (2025-11-25,
/// "Elicitation", `notifications/elicitation/complete`).
pub(in crate::mcp) async fn completed(peer: &Peer<RoleServer>, elicitations: Vec<String>) {
    for id in elicitations {
        let told =
            CustomNotification::new("notifications/elicitation/complete", Some(json!({"elicitationId": id})));
        if peer.send_notification(ServerNotification::CustomNotification(told)).await.is_err() {
            return;
        }
    }
}
