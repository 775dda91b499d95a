//! The one way of the calls that may ask before they answer, for both eras. What differs between the three methods is
//! in [`Askable`]; nothing here knows which of them it runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use rmcp::model::{ErrorData, InputRequiredResult, MetaObject, Task};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;

use super::askable::{Again, Askable};
use super::client::is_modern;
use super::error;
use super::handler::KennelHandler;
use super::questions::seal::{self, Binding};
use super::questions::{REFUSED, Round, Settled, ask};
use super::tasks::{AsTask, Entered};
use crate::catalog::api::{Backend, CallFailure, CallInfo, ClientCan, Done, Usage};
use crate::catalog::types::{Outcome, Pending, Resumption};

/// Set in a request's `_meta` to `true`, it asks for what the call used; in the result it holds that.
const USAGE: &str = "io.kennel/usage";

/// How one entry of a plugin ended.
pub(super) enum Step<A> {
    /// It is over: with an answer, or with a failure that the method tells as one.
    Over(A),
    /// It asks.
    Asks(Pending),
    /// The host asks whether the plugin may have more; without a yes this is how the call ends, if it ran.
    Offers(Pending, Option<Result<A, ErrorData>>),
}

/// How a request ends.
pub(super) enum Ended<A> {
    /// With its answer.
    Complete(A),
    /// With questions; the client comes again with the answers.
    InputRequired(InputRequiredResult),
    /// With a task; the client asks after it.
    Task(Task),
}

/// Enters a plugin once and tells what came in the protocol's words.
///
/// # Errors
/// The JSON-RPC error of a failure that is not told as a result.
pub(super) async fn step<B: Backend, A: Askable>(
    backend: &B,
    call: &A,
    info: CallInfo,
    modern: bool,
    usage: bool,
) -> Result<Step<A::Answer>, ErrorData> {
    match call.run(backend, info).await {
        Ok(Done { outcome: Outcome::Complete(output), usage: used }) => {
            let mut answer = A::complete(output);
            if usage {
                add_usage(&used, A::meta(&mut answer));
            }
            Ok(Step::Over(answer))
        }
        Ok(Done { outcome: Outcome::InputRequired(pending), .. }) => Ok(Step::Asks(pending)),
        Ok(Done { outcome: Outcome::Offer(pending, otherwise), .. }) => {
            let otherwise = otherwise.map(|otherwise| match *otherwise {
                Ok(output) => Ok(A::complete(output)),
                Err(failure) => call.failed(failure, modern),
            });
            Ok(Step::Offers(pending, otherwise))
        }
        Err(failure) => call.failed(failure, modern).map(Step::Over),
    }
}

impl<B: Backend> KennelHandler<B> {
    /// Answers a request that may ask.
    ///
    /// With `as_task` the call may become a task, for which it is answered.
    ///
    /// A newer client gets the questions of a round with a sealed state and comes again with both; an older one is asked
    /// here, by requests of the server. Answers that come with no state are for the questions that the call then asks.
    ///
    /// # Errors
    /// As [`step`], when the call was cancelled, and for a state that is not accepted.
    pub(super) async fn call<A: Askable>(
        &self,
        call: &A,
        again: Again,
        as_task: Option<AsTask>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Ended<A::Answer>, ErrorData> {
        let (mut info, events) = self.client.call_info(context);
        info.approver = self.client.approver(context, &self.shared.sessions, &info.client);
        let exchange = async {
            unless_cancelled(context, self.backend.ready()).await?;
            if is_modern(context) {
                self.call_modern(call, again, as_task, info, context).await
            } else {
                self.call_older(call, info, context).await.map(Ended::Complete)
            }
        };
        events.carry(&context.peer, exchange).await
    }

    async fn call_modern<A: Askable>(
        &self,
        call: &A,
        again: Again,
        mut as_task: Option<AsTask>,
        mut info: CallInfo,
        context: &RequestContext<RoleServer>,
    ) -> Result<Ended<A::Answer>, ErrorData> {
        let binding = || Binding {
            method: A::METHOD.to_owned(),
            name: call.name().to_owned(),
            arguments: seal::digest(&call.arguments()),
            caller: info.client.caller.to_string(),
        };
        let (can, usage) = (info.client.can, wants_usage(context));
        let mut given = again.responses;
        if let Some(state) = &again.state {
            let round = self.shared.seals.open(state, &binding()).map_err(|fault| error::of_state(&fault))?;
            match round.settle(given.take().unwrap_or_default()) {
                Settled::All(resumption) => info.resumption = Some(Arc::new(resumption)),
                Settled::Missing(round, refused) => {
                    return match round.again().and_then(|round| self.ask(binding(), &round, refused)) {
                        Ok(asks) => Ok(Ended::InputRequired(asks)),
                        Err(failure) => call.failed(failure, true).map(Ended::Complete),
                    };
                }
            }
        }
        loop {
            let entered = async {
                match &mut as_task {
                    Some(as_task) => as_task.enter(&self.backend, call, info.clone(), usage, context).await,
                    None => step(&self.backend, call, info.clone(), true, usage).await.map(Entered::Step),
                }
            };
            let pending = match unless_cancelled(context, entered).await?? {
                Entered::Task(task) => return Ok(Ended::Task(task)),
                Entered::Step(Step::Over(answer)) => return Ok(Ended::Complete(answer)),
                // The client may never come again, so nothing is kept for it.
                Entered::Step(Step::Asks(pending) | Step::Offers(pending, _)) => pending,
            };
            let asked = Round::of(pending, can).and_then(|round| {
                // A yes is for a question that was shown, never for one that was foreseen.
                if round.asks_nothing() || guarded!("ask-foreseen", round.is_of_host()) {
                    return self.ask(binding(), &round, BTreeMap::new()).map(Ok);
                }
                // Whoever sends answers with its first request knows what will be asked: once.
                match round.settle(given.take().unwrap_or_default()) {
                    Settled::All(resumption) => Ok(Err(resumption)),
                    Settled::Missing(round, refused) => self.ask(binding(), &round, refused).map(Ok),
                }
            });
            match asked {
                Ok(Ok(asks)) => return Ok(Ended::InputRequired(asks)),
                Ok(Err(resumption)) => info.resumption = Some(Arc::new(resumption)),
                Err(failure) => return call.failed(failure, true).map(Ended::Complete),
            }
        }
    }

    /// The result that asks a newer client.
    fn ask(
        &self,
        binding: Binding,
        round: &Round,
        refused: BTreeMap<String, String>,
    ) -> Result<InputRequiredResult, CallFailure> {
        let requests = round.requests()?;
        let state = self.shared.seals.seal(binding, round).map_err(|fault| {
            CallFailure::Internal(format!(
                "plugin `{}`: its questions cannot be asked: {fault}",
                round.asker().plugin
            ))
        })?;
        let mut asks = InputRequiredResult::new((!requests.is_empty()).then_some(requests), Some(state));
        if !refused.is_empty() {
            let mut meta = MetaObject::new();
            meta.insert(
                REFUSED.to_owned(),
                refused.into_iter().map(|(key, why)| (key, Value::from(why))).collect(),
            );
            asks = asks.with_meta(meta);
        }
        Ok(asks)
    }

    async fn call_older<A: Askable>(
        &self,
        call: &A,
        mut info: CallInfo,
        context: &RequestContext<RoleServer>,
    ) -> Result<A::Answer, ErrorData> {
        let (can, usage) = (info.client.can, wants_usage(context));
        let mut opened = Vec::new();
        loop {
            let step = step(&self.backend, call, info.clone(), false, usage);
            let pending = match unless_cancelled(context, step).await?? {
                Step::Over(answer) => {
                    ask::completed(&context.peer, opened).await;
                    return Ok(answer);
                }
                Step::Offers(pending, otherwise) => {
                    let answered = match self.offer_older(pending, can, context).await {
                        Ok(answered) => answered,
                        Err(failure) => return call.failed(failure, false),
                    };
                    if !answered.allows()
                        && let Some(otherwise) = otherwise
                    {
                        self.backend.declined(&answered, &info);
                        ask::completed(&context.peer, opened).await;
                        return otherwise;
                    }
                    info.resumption = Some(Arc::new(answered));
                    continue;
                }
                Step::Asks(pending) => pending,
            };
            let asked = async {
                let round = Round::of(pending, can)?;
                let resumption = ask::ask(&context.peer, &round, &context.ct).await?;
                Ok((round.opened(&resumption), resumption))
            };
            match asked.await {
                Ok((urls, resumption)) => {
                    opened.extend(urls);
                    info.resumption = Some(Arc::new(resumption));
                }
                Err(failure) => return call.failed(failure, false),
            }
        }
    }
}

impl<B: Backend> KennelHandler<B> {
    /// Asks an older client the host's own question. Whatever comes instead of an answer stands for a no.
    ///
    /// # Errors
    /// When the call was cancelled.
    async fn offer_older(
        &self,
        pending: Pending,
        can: ClientCan,
        context: &RequestContext<RoleServer>,
    ) -> Result<Resumption, CallFailure> {
        let round = Round::of(pending, can)?;
        match ask::ask(&context.peer, &round, &context.ct).await {
            Err(CallFailure::Cancelled) => Err(CallFailure::Cancelled),
            Err(why) => {
                tracing::info!("a question of the host's has no answer, which is a no: {why}");
                Ok(round.unanswered())
            }
            Ok(answered) => Ok(answered),
        }
    }
}

/// Whether a request asks for what its call used.
pub(super) fn wants_usage(context: &RequestContext<RoleServer>) -> bool {
    context.meta.get(USAGE) == Some(&Value::Bool(true))
}

fn add_usage(usage: &Usage, meta: &mut Option<MetaObject>) {
    if let Ok(usage) = serde_json::to_value(usage) {
        meta.get_or_insert_default().insert(USAGE.to_owned(), usage);
    }
}

/// What the library is told for a request that was cancelled; its client hears nothing.
pub(super) fn cancelled() -> ErrorData {
    ErrorData::internal_error("the call was cancelled", None)
}

/// Waits for a future, unless the request is cancelled first.
///
/// # Errors
/// When it was cancelled.
pub(super) async fn unless_cancelled<F: Future>(
    context: &RequestContext<RoleServer>,
    future: F,
) -> Result<F::Output, ErrorData> {
    tokio::select! {
        biased;
        () = context.ct.cancelled() => Err(cancelled()),
        output = future => Ok(output),
    }
}
