//! Calls by public name: find the owner, check the arguments, run, check the result. Every failure
//! becomes one line that names the plugin.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::observe::Captured as Printed;
use crate::observe::audit::Arguments as Told;
use crate::plugin::Plugin;
use crate::sandbox::{self, CallError, Finished, Usage, contract};

use super::api::{Arguments, Backend, CallFailure, CallInfo, Change, Done, Snapshot};
use super::approving::Before;
use super::audited::Line;
use super::convert;
use super::events::Relay;
use super::types::{
    CompletionCall, Completions, Content, Outcome, Pending, PromptResult, Reference, ResourceContents,
    ResourceInfo, Resumption, TextContent, ToolResult,
};
use super::view::ToolEntry;
use super::{Catalog, asking, command, json};

impl Backend for Catalog {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.view().snapshot.clone()
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    async fn ready(&self) {
        // The sender lives in this very catalog, so waiting cannot fail.
        let _ = self.shared.ready.subscribe().wait_for(|ready| *ready).await;
    }

    async fn call_tool(
        &self,
        name: &str,
        arguments: Arguments,
        call: CallInfo,
    ) -> Result<Done<ToolResult>, CallFailure> {
        let mut line = self.line("tools/call", name, &call, Told::Text(arguments.clone())).await?;
        let done = self.tool(&mut line, name, &arguments, call).await;
        line.answered(&done);
        done
    }

    async fn list_resources(&self, call: CallInfo) -> Result<Vec<ResourceInfo>, CallFailure> {
        let view = self.view();
        let lists = join_all(view.with_resources.iter().map(|plugin| self.resources_of(plugin, &call))).await;
        let mut seen = std::collections::HashSet::new();
        let mut all = Vec::new();
        for resource in lists.iter().flat_map(|list| list.iter()) {
            // The first owner keeps a URI.
            if seen.insert(resource.uri.as_str()) {
                all.push(resource.clone());
            }
        }
        Ok(all)
    }

    async fn read_resource(
        &self,
        uri: &str,
        call: CallInfo,
    ) -> Result<Done<Vec<ResourceContents>>, CallFailure> {
        let mut line = self.line("resources/read", uri, &call, Told::None).await?;
        let done = self.read(&mut line, uri, call).await;
        line.answered(&done);
        done
    }

    async fn subscribe(&self, uri: &str, call: CallInfo) -> Result<(), CallFailure> {
        let plugin = self.resource_owner(uri, &call).await?;
        let start = |context| plugin.program.call(sandbox::Subscribe(uri.to_owned()), context);
        let finished = self.run(&plugin, ("resources/subscribe", uri), &call, start).await?;
        if let Err(CallError::Plugin(contract::Error::Unknown(_))) = &finished.result {
            return Err(CallFailure::NotFound(uri.to_owned()));
        }
        outcome(&plugin, finished)?;
        if self.shared.subscribers.add(uri, &plugin.config.name) {
            Ok(())
        } else {
            Err(CallFailure::Busy("too many resources are subscribed to; try again later".into()))
        }
    }

    async fn unsubscribe(&self, uri: &str, call: CallInfo) -> Result<(), CallFailure> {
        let Some(owner) = self.shared.subscribers.remove(uri) else { return Ok(()) };
        let view = self.view();
        // A plugin that is gone need not be told.
        let Some(plugin) = view.with_resources.iter().find(|plugin| plugin.config.name == owner) else {
            return Ok(());
        };
        let start = |context| plugin.program.call(sandbox::Unsubscribe(uri.to_owned()), context);
        let finished = self.run(plugin, ("resources/unsubscribe", uri), &call, start).await?;
        outcome(plugin, finished).map(|_| ())
    }

    async fn get_prompt(
        &self,
        name: &str,
        arguments: BTreeMap<String, String>,
        call: CallInfo,
    ) -> Result<Done<PromptResult>, CallFailure> {
        let told = serde_json::to_string(&arguments).map_or(Told::None, |text| Told::Text(text.into()));
        let mut line = self.line("prompts/get", name, &call, told).await?;
        let done = self.prompt(&mut line, name, arguments, call).await;
        line.answered(&done);
        done
    }

    fn declined(&self, answered: &Resumption, call: &CallInfo) {
        self.remember_declined(answered, call);
    }

    async fn complete(&self, request: CompletionCall, call: CallInfo) -> Result<Completions, CallFailure> {
        let view = self.view();
        let (plugin, reference) = match &request.reference {
            Reference::Prompt(name) => {
                let entry = view.prompts.get(name).ok_or_else(|| CallFailure::NotFound(name.clone()))?;
                (&entry.plugin, contract::Reference::Prompt(entry.name.clone()))
            }
            Reference::Template(template) => {
                let owner = view.templates.iter().find(|(text, _)| text == template);
                let (_, plugin) = owner.ok_or_else(|| CallFailure::NotFound(template.clone()))?;
                (plugin, contract::Reference::Template(template.clone()))
            }
        };
        if !plugin.definitions.completion {
            return Ok(Completions::default());
        }
        let operation = sandbox::Complete(contract::CompletionCall {
            reference,
            argument: request.argument.clone(),
            value: request.value.clone(),
            settled: request.settled.clone(),
        });
        let name = match &request.reference {
            Reference::Prompt(name) => name,
            Reference::Template(template) => template,
        };
        let start = |context| plugin.program.call(operation, context);
        let finished = self.run(plugin, ("completion/complete", name), &call, start).await?;
        outcome(plugin, finished).map(|(completions, _, _)| convert::completions(completions))
    }
}

impl Catalog {
    async fn tool(
        &self,
        line: &mut Line,
        name: &str,
        arguments: &Arguments,
        call: CallInfo,
    ) -> Result<Done<ToolResult>, CallFailure> {
        let view = self.view();
        let entry = view.tools.get(name).ok_or_else(|| CallFailure::NotFound(name.to_owned()))?;
        let plugin = &entry.plugin;
        line.of(plugin);
        asking::same(plugin, &call)?;
        let value: Value = serde_json::from_str(arguments).map_err(|error| {
            CallFailure::InvalidArguments(format!("invalid arguments: not JSON: {error}"))
        })?;
        entry
            .input
            .check(&value)
            .map_err(|why| CallFailure::InvalidArguments(format!("invalid arguments for {name:?}: {why}")))?;
        let command = match &plugin.config.command {
            Some(command) => Some(command::line(command, &value)?),
            None => None,
        };
        drop(value);
        let held = match self.hold(plugin, call, ("tools/call", name))? {
            Before::Run(held) => held,
            Before::Ask(pending) => return Ok(asks(pending)),
        };
        let call = &held.call;
        let context = self.context(plugin, call, line);
        let mut finished = if let Some(command) = command {
            command::finished(plugin, held.plugin.program.call(command, context).await)
        } else {
            let operation = sandbox::CallTool(contract::ToolCall {
                name: entry.name.clone(),
                arguments: arguments.to_string(),
                resumption: resumption(call),
                meta: meta(call),
            });
            held.plugin.program.call(operation, context).await
        };
        let spent = Self::ended(&held.plugin, call, line, &mut finished);
        let answer = Self::tool_answer(entry, finished, spent);
        held.after(line, answer)
    }

    /// What a tool that ended is answered with.
    fn tool_answer(
        entry: &ToolEntry,
        finished: Finished<contract::ToolOutcome>,
        spent: asking::Spent,
    ) -> Result<Done<ToolResult>, CallFailure> {
        let plugin = &entry.plugin;
        let (outcome, usage, denials) = outcome(plugin, finished)?;
        let mut outcome = convert::tool_outcome(outcome, (asking::asker(plugin), spent))
            .map_err(|broken| breach(plugin, &broken))?;
        if let Outcome::Complete(result) = &mut outcome {
            if let Some(schema) = &entry.output
                && !result.is_error
            {
                let Some(structured) = &result.structured else {
                    return Err(breach(plugin, &"result lacks the structured part that its schema promises"));
                };
                schema.check(structured).map_err(|why| {
                    breach(plugin, &format!("result does not fit its output schema: {why}"))
                })?;
            }
            if result.is_error && !denials.is_empty() {
                let text = denials.join("\n");
                result.content.push(Content::Text(TextContent { text, annotations: None, meta: None }));
            }
        }
        Ok(Done { outcome, usage })
    }

    async fn read(
        &self,
        line: &mut Line,
        uri: &str,
        call: CallInfo,
    ) -> Result<Done<Vec<ResourceContents>>, CallFailure> {
        let plugin = self.resource_owner(uri, &call).await?;
        line.of(&plugin);
        asking::same(&plugin, &call)?;
        let held = match self.hold(&plugin, call, ("resources/read", uri))? {
            Before::Run(held) => held,
            Before::Ask(pending) => return Ok(asks(pending)),
        };
        let call = &held.call;
        let operation = sandbox::ReadResource(contract::ResourceCall {
            uri: uri.to_owned(),
            resumption: resumption(call),
            meta: meta(call),
        });
        let mut finished = held.plugin.program.call(operation, self.context(&plugin, call, line)).await;
        let spent = Self::ended(&held.plugin, call, line, &mut finished);
        if let Err(CallError::Plugin(contract::Error::Unknown(_))) = &finished.result {
            return Err(CallFailure::NotFound(uri.to_owned()));
        }
        let answer = outcome(&plugin, finished).and_then(|(outcome, usage, _)| {
            let outcome = convert::read_outcome(outcome, (asking::asker(&plugin), spent))
                .map_err(|broken| breach(&plugin, &broken))?;
            Ok(Done { outcome, usage })
        });
        held.after(line, answer)
    }

    async fn prompt(
        &self,
        line: &mut Line,
        name: &str,
        arguments: BTreeMap<String, String>,
        call: CallInfo,
    ) -> Result<Done<PromptResult>, CallFailure> {
        let view = self.view();
        let entry = view.prompts.get(name).ok_or_else(|| CallFailure::NotFound(name.to_owned()))?;
        let plugin = &entry.plugin;
        line.of(plugin);
        asking::same(plugin, &call)?;
        if let Some(missing) = entry.required.iter().find(|required| !arguments.contains_key(*required)) {
            return Err(CallFailure::InvalidArguments(format!(
                "the prompt {name:?} needs the argument {missing:?}"
            )));
        }
        let held = match self.hold(plugin, call, ("prompts/get", name))? {
            Before::Run(held) => held,
            Before::Ask(pending) => return Ok(asks(pending)),
        };
        let call = &held.call;
        let operation = sandbox::GetPrompt(contract::PromptCall {
            name: entry.name.clone(),
            arguments: arguments.into_iter().collect(),
            resumption: resumption(call),
            meta: meta(call),
        });
        let mut finished = held.plugin.program.call(operation, self.context(plugin, call, line)).await;
        let spent = Self::ended(&held.plugin, call, line, &mut finished);
        let answer = outcome(plugin, finished).and_then(|(outcome, usage, _)| {
            let outcome = convert::prompt_outcome(outcome, (asking::asker(plugin), spent))
                .map_err(|broken| breach(plugin, &broken))?;
            Ok(Done { outcome, usage })
        });
        held.after(line, answer)
    }

    /// Runs what asks nothing and has no arguments worth a digest.
    async fn run<T, F: Future<Output = Finished<T>> + Send>(
        &self,
        plugin: &Arc<Plugin>,
        (method, name): (&'static str, &str),
        call: &CallInfo,
        start: impl FnOnce(sandbox::CallContext) -> F,
    ) -> Result<Finished<T>, CallFailure> {
        let mut line = self.line(method, name, call, Told::None).await?;
        line.of(plugin);
        let finished = start(self.context(plugin, call, &line)).await;
        line.finished(&finished, None);
        Self::tell(plugin, &finished);
        Ok(finished)
    }

    /// What is noted when a plugin answered: what it asks, its line, what it printed.
    fn ended<T: asking::MayAsk>(
        plugin: &Plugin,
        call: &CallInfo,
        line: &mut Line,
        finished: &mut Finished<T>,
    ) -> asking::Spent {
        let spent = asking::admit(plugin, call, finished, line.counters());
        line.finished(finished, asking::told(&finished.result));
        Self::tell(plugin, finished);
        spent
    }

    fn context(&self, plugin: &Arc<Plugin>, call: &CallInfo, line: &Line) -> sandbox::CallContext {
        let can = &call.client.can;
        sandbox::CallContext {
            caller: sandbox::Caller {
                id: call.client.caller.to_string(),
                client: call.client.name.as_deref().map(str::to_owned),
            },
            capabilities: sandbox::ClientCapabilities {
                elicit_form: can.elicit_form,
                elicit_url: can.elicit_url,
                sampling: can.sampling,
                sampling_tools: can.sampling_tools,
                roots: can.roots,
                progress: call.progress,
            },
            cancel: call.cancel.clone(),
            begin_here: call.alone,
            events: Relay::new(
                plugin,
                call,
                &self.shared.changes,
                &self.shared.lists,
                &self.shared.relist,
                &self.shared.subscribers,
            ),
            traceparent: call.trace.traceparent.clone(),
            tracestate: call.trace.tracestate.clone(),
            counters: line.counters().clone(),
        }
    }

    /// One plugin's resources; none when it fails, which the log tells.
    async fn resources_of(&self, plugin: &Arc<Plugin>, call: &CallInfo) -> Arc<Vec<ResourceInfo>> {
        let (name, caller) = (&plugin.config.name, &call.client.caller);
        if let Some(kept) = self.shared.lists.get(name, caller) {
            return kept;
        }
        let start = |context| plugin.program.call(sandbox::ListResources(), context);
        let finished = self.run(plugin, ("resources/list", name.as_str()), call, start).await;
        let listed = finished.and_then(|finished| outcome(plugin, finished)).and_then(|(list, _, _)| {
            let made: Result<Vec<_>, _> = list.into_iter().map(convert::resource).collect();
            made.map_err(|broken| breach(plugin, &broken))
        });
        match listed {
            Ok(list) => {
                let list = Arc::new(list);
                self.shared.lists.put(name, caller, list.clone());
                list
            }
            Err(failure) => {
                tracing::warn!("its resources are left out of the list: {failure}");
                Arc::default()
            }
        }
    }

    /// Whose a URI is: the plugin that lists it, or else the one whose template fits best.
    async fn resource_owner(&self, uri: &str, call: &CallInfo) -> Result<Arc<Plugin>, CallFailure> {
        let view = self.view();
        for plugin in &view.with_resources {
            if self.resources_of(plugin, call).await.iter().any(|resource| resource.uri == uri) {
                return Ok(plugin.clone());
            }
        }
        view.template_owner(uri).cloned().ok_or_else(|| CallFailure::NotFound(uri.to_owned()))
    }

    /// What the guest printed, and what it was denied, in the host's log.
    fn tell<T>(plugin: &Plugin, finished: &Finished<T>) {
        let name = plugin.config.name.as_str();
        for (stream, printed) in [("stdout", &finished.stdout), ("stderr", &finished.stderr)] {
            Printed { plugin: name, stream, text: &printed.text, dropped: printed.dropped }.log();
        }
        for denial in &finished.denials {
            tracing::warn!(plugin = name, "denied: {denial}");
        }
    }
}

fn resumption(call: &CallInfo) -> Option<contract::Resumption> {
    let from: &Resumption = call.resumption.as_deref().filter(|from| !from.leave.fresh)?;
    let answers = from
        .answers
        .iter()
        .map(|answer| contract::Answer { key: answer.key.clone(), value: answer.value.to_string() });
    Some(contract::Resumption { continuation: from.continuation.clone(), answers: answers.collect() })
}

/// The host's own question, before anything ran.
fn asks<T>(pending: Pending) -> Done<T> {
    Done { outcome: Outcome::Offer(pending, None), usage: Usage::default() }
}

fn meta(call: &CallInfo) -> Option<String> {
    call.meta.as_ref().and_then(|meta| serde_json::to_string(meta).ok())
}

fn breach(plugin: &Plugin, what: &dyn std::fmt::Display) -> CallFailure {
    CallFailure::Failed(format!("plugin `{}` broke the contract: {what}", plugin.config.name))
}

/// Parts a call that ended into its answer and its costs, or says why there is none.
fn outcome<T>(plugin: &Plugin, finished: Finished<T>) -> Result<(T, Usage, Vec<String>), CallFailure> {
    let Finished { result, usage, denials, .. } = finished;
    let error = match result {
        Ok(answer) => return Ok((answer, usage, denials)),
        Err(error) => error,
    };
    let name = &plugin.config.name;
    let mut text = format!("plugin `{name}`: {error}");
    for denial in &denials {
        text.push_str("; ");
        text.push_str(denial);
    }
    if let (CallError::Plugin(contract::Error::Denied(_)), Some(_)) = (&error, &plugin.holding.unapproved) {
        text.push_str("; nobody approved this plugin, so it holds nothing: ask the user");
    }
    Err(match error {
        CallError::Limit(_) => CallFailure::Limit(text),
        CallError::Panicked { .. } | CallError::Trapped(_) | CallError::Exited(_) => CallFailure::Trap(text),
        CallError::Cancelled => CallFailure::Cancelled,
        CallError::Revoked(_) => CallFailure::Revoked(text),
        CallError::Busy(_) => CallFailure::Busy(text),
        CallError::Unsupported(_) | CallError::NoCode(_) | CallError::Internal(_) => {
            CallFailure::Internal(text)
        }
        CallError::Plugin(error) => match error {
            contract::Error::Unknown(what) => CallFailure::NotFound(what),
            contract::Error::Invalid(why) => CallFailure::InvalidArguments(why),
            contract::Error::Denied(_) => CallFailure::Denied(text),
            contract::Error::MissingCapability(which) => CallFailure::MissingCapability(which),
            // The plugin's own words, as its author wrote them for the model.
            contract::Error::Failed(words) if denials.is_empty() => CallFailure::Failed(words),
            contract::Error::Failed(_) => CallFailure::Failed(text),
            contract::Error::Protocol(error) => CallFailure::Protocol {
                code: error.code,
                message: error.message,
                data: error.data.and_then(|data| json::parse(&data).ok()),
            },
        },
    })
}
