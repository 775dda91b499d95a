//! `kennel:plugin/host`: log, progress, the call's context and settings. Needs no grant; every text is
//! cut and every note counted here, so that nothing behind it has to be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

use crate::grants::Limits;
use crate::sandbox::bindings::kennel::plugin::host as wit;
use crate::sandbox::{CallContext, CallState, Counters};

/// Longest log text passed on, in bytes.
const MAX_LOG_TEXT: usize = 8 << 10;
/// Longest text of a progress note, a logger's name or a URI passed on, in bytes.
const MAX_NOTE_TEXT: usize = 1 << 10;
/// Longest panic message and place kept, in bytes.
const MAX_PANIC_TEXT: usize = 4 << 10;
/// Notices of changed lists and resources passed on for a call.
const MAX_NOTICES: u32 = 256;

/// Puts `kennel:plugin/host` behind its import.
///
/// # Errors
/// When the linker already holds it.
pub(in crate::sandbox) fn link(linker: &mut Linker<CallState>) -> Result<()> {
    wit::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}

/// A plugin's part: its name and its non-secret settings, as JSON texts.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The name the plugin stands under.
    pub plugin: String,
    /// `settings` of `kennel.toml`.
    pub settings: BTreeMap<String, String>,
}

/// What the guest's panic hook said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct Panicked {
    pub(in crate::sandbox) message: String,
    pub(in crate::sandbox) place: String,
}

/// A call's part.
pub(in crate::sandbox) struct Call {
    host: Arc<Host>,
    context: CallContext,
    counters: Arc<Counters>,
    started: Instant,
    deadline: Duration,
    max_log_lines: u32,
    max_progress_notes: u32,
    progress_notes: u32,
    notices: u32,
    panicked: Option<Panicked>,
}

impl Call {
    pub(in crate::sandbox) fn begin(
        host: &Arc<Host>,
        limits: &Limits,
        context: CallContext,
        counters: &Arc<Counters>,
        started: Instant,
    ) -> Self {
        Self {
            host: host.clone(),
            context,
            counters: counters.clone(),
            started,
            deadline: limits.deadline,
            max_log_lines: limits.log_lines,
            max_progress_notes: limits.progress_notes,
            progress_notes: 0,
            notices: 0,
            panicked: None,
        }
    }

    pub(in crate::sandbox) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(in crate::sandbox) fn take_panic(&mut self) -> Option<Panicked> {
        self.panicked.take()
    }

    fn notice(&mut self) -> bool {
        self.notices += 1;
        !guarded!("notices", self.notices > MAX_NOTICES)
    }
}

/// Cuts a text to at most `max` bytes at a character's border.
fn cut(mut text: String, max: usize) -> String {
    if guarded!("note-size", text.len() > max) {
        text.truncate(text.floor_char_boundary(max));
        text.push('…');
    }
    text
}

/// What a text passed over the border costs: a byte is a unit.
fn charge(call: &Call, texts: &[&str]) {
    call.counters.charge(texts.iter().map(|text| text.len() as u64).sum());
}

impl wit::Host for CallState {
    fn log(&mut self, level: wit::LogLevel, logger: Option<String>, data: String) -> Result<()> {
        let call = &self.host;
        charge(call, &[&data]);
        if !guarded!("log-lines", call.counters.log_line() >= call.max_log_lines) {
            let logger = logger.map(|name| cut(name, MAX_NOTE_TEXT));
            // A cut JSON text is no JSON any longer; it is passed on as a string.
            let data = if guarded!("note-size", data.len() > MAX_LOG_TEXT) {
                serde_json::Value::String(cut(data, MAX_LOG_TEXT)).to_string()
            } else {
                data
            };
            call.context.events.log(level.into(), logger.as_deref(), &data);
        }
        Ok(())
    }

    fn progress(&mut self, done: f64, total: Option<f64>, message: Option<String>) -> Result<()> {
        let call = &mut self.host;
        charge(call, &[message.as_deref().unwrap_or_default()]);
        call.progress_notes += 1;
        if !guarded!("progress", call.progress_notes > call.max_progress_notes) && done.is_finite() {
            let message = message.map(|text| cut(text, MAX_NOTE_TEXT));
            call.context.events.progress(done, total.filter(|total| total.is_finite()), message.as_deref());
        }
        Ok(())
    }

    fn list_changed(&mut self, kind: wit::ListKind) -> Result<()> {
        if self.host.notice() {
            self.host.context.events.list_changed(kind.into());
        }
        Ok(())
    }

    fn resource_updated(&mut self, uri: String) -> Result<()> {
        charge(&self.host, &[&uri]);
        if self.host.notice() && uri.len() <= MAX_NOTE_TEXT {
            self.host.context.events.resource_updated(&uri);
        }
        Ok(())
    }

    fn panicked(&mut self, message: String, place: String) -> Result<()> {
        charge(&self.host, &[&message, &place]);
        self.host.panicked =
            Some(Panicked { message: cut(message, MAX_PANIC_TEXT), place: cut(place, MAX_PANIC_TEXT) });
        Ok(())
    }

    fn detach(&mut self) -> Result<()> {
        if self.host.notice() {
            self.host.context.events.detach();
        }
        Ok(())
    }

    fn context(&mut self) -> Result<wit::CallContext> {
        let call = &self.host;
        let left = call.deadline.saturating_sub(call.started.elapsed());
        let can = &call.context.capabilities;
        Ok(wit::CallContext {
            plugin: call.host.plugin.clone(),
            caller: wit::Caller {
                id: call.context.caller.id.clone(),
                client: call.context.caller.client.clone(),
            },
            capabilities: wit::Capabilities {
                elicit_form: can.elicit_form,
                elicit_url: can.elicit_url,
                sampling: can.sampling,
                sampling_tools: can.sampling_tools,
                roots: can.roots,
                progress: can.progress,
            },
            deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            traceparent: call.context.traceparent.clone(),
            tracestate: call.context.tracestate.clone(),
        })
    }

    fn setting(&mut self, key: String) -> Result<Option<String>> {
        let value = self.host.host.settings.get(&key).cloned();
        charge(&self.host, &[&key, value.as_deref().unwrap_or_default()]);
        Ok(value)
    }
}

impl From<wit::LogLevel> for crate::sandbox::LogLevel {
    fn from(level: wit::LogLevel) -> Self {
        match level {
            wit::LogLevel::Debug => Self::Debug,
            wit::LogLevel::Info => Self::Info,
            wit::LogLevel::Notice => Self::Notice,
            wit::LogLevel::Warning => Self::Warning,
            wit::LogLevel::Error => Self::Error,
            wit::LogLevel::Critical => Self::Critical,
            wit::LogLevel::Alert => Self::Alert,
            wit::LogLevel::Emergency => Self::Emergency,
        }
    }
}

impl From<wit::ListKind> for crate::sandbox::ListKind {
    fn from(kind: wit::ListKind) -> Self {
        match kind {
            wit::ListKind::Tools => Self::Tools,
            wit::ListKind::Resources => Self::Resources,
            wit::ListKind::Prompts => Self::Prompts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However often a guest says that a list is new, those who keep one are told so often and no more.
    #[test]
    fn notices_are_counted() {
        let counters = Arc::new(Counters::default());
        let limits = crate::sandbox::capability::test_limits();
        let mut call =
            Call::begin(&Arc::default(), &limits, CallContext::unattended(), &counters, Instant::now());
        let passed = (0..100_000).filter(|_| call.notice()).count();
        assert_eq!(passed, MAX_NOTICES as usize);
    }
}
