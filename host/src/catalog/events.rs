//! Between a running guest and whoever watches its call: what the client asked to hear goes to the
//! client, what concerns everybody to all, and every log line to the host's own log.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::broadcast;

use crate::observe::escape_for_people;
use crate::plugin::Plugin;
use crate::sandbox::{Events, ListKind, json};

use super::api::{CallEvents, CallInfo, Change};
use super::relist::Relist;
use super::resources::Lists;
use super::subscribers::Subscribers;
use super::types::LogLevel;

/// The events of one call.
pub(super) struct Relay {
    pub(super) plugin: Arc<Plugin>,
    pub(super) sink: Arc<dyn CallEvents>,
    pub(super) log_level: Option<LogLevel>,
    pub(super) changes: broadcast::Sender<Change>,
    pub(super) lists: Lists,
    pub(super) relist: Relist,
    pub(super) subscribers: Subscribers,
}

impl Relay {
    pub(super) fn new(
        plugin: &Arc<Plugin>,
        call: &CallInfo,
        changes: &broadcast::Sender<Change>,
        lists: &Lists,
        relist: &Relist,
        subscribers: &Subscribers,
    ) -> Arc<Self> {
        Arc::new(Self {
            plugin: plugin.clone(),
            sink: call.sink.clone(),
            log_level: call.log_level,
            changes: changes.clone(),
            lists: lists.clone(),
            relist: relist.clone(),
            subscribers: subscribers.clone(),
        })
    }
}

impl Events for Relay {
    fn log(&self, level: LogLevel, logger: Option<&str>, data: &str) {
        let plugin = self.plugin.config.name.as_str();
        let text = escape_for_people(data);
        let logger_text = escape_for_people(logger.unwrap_or_default());
        match level {
            LogLevel::Debug => tracing::debug!(plugin, logger = %logger_text, "{text}"),
            LogLevel::Info | LogLevel::Notice => tracing::info!(plugin, logger = %logger_text, "{text}"),
            LogLevel::Warning => tracing::warn!(plugin, logger = %logger_text, "{text}"),
            _ => tracing::error!(plugin, logger = %logger_text, "{text}"),
        }
        if self.log_level.is_some_and(|least| level >= least) {
            let value = json::parse(data).unwrap_or_else(|_| Value::String(data.to_owned()));
            self.sink.log(level, logger, value);
        }
    }

    fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>) {
        self.sink.progress(done, total, message);
    }

    fn list_changed(&self, kind: ListKind) {
        if kind != ListKind::Resources {
            self.relist.wanted(&self.plugin);
        }
        let change = match kind {
            ListKind::Tools => Change::Tools,
            ListKind::Prompts => Change::Prompts,
            ListKind::Resources => {
                self.lists.forget(&self.plugin.config.name);
                Change::Resources
            }
        };
        let _ = self.changes.send(change);
    }

    fn resource_updated(&self, uri: &str) {
        // What nobody wants to hear, and what another plugin owns, is not told.
        if self.subscribers.hear(uri, &self.plugin.config.name) {
            let _ = self.changes.send(Change::ResourceUpdated(uri.to_owned()));
        }
    }

    fn detach(&self) {
        self.sink.detach();
    }
}
