//! Takes the values of a plugin's secrets out of everything that a call gives: results, errors, log lines, notes. One
//! way out for all of it, so that no room behind has to think of secrets. Decides nothing.

use std::sync::Arc;

use crate::observe::Scrubber;

use super::bindings::exports::kennel::plugin::{completion, prompts, resources, tools};
use super::bindings::kennel::plugin::types as wit;
use super::{CallError, Events, ListKind, LogLevel};

/// Something of which no value may be left.
pub(super) trait Scrub {
    fn scrub(&mut self, by: &Scrubber);
}

/// Texts that are JSON, and must stay so.
trait ScrubJson {
    fn scrub_json(&mut self, by: &Scrubber);
}

impl ScrubJson for String {
    fn scrub_json(&mut self, by: &Scrubber) {
        by.clean_json(self);
    }
}

impl ScrubJson for Option<String> {
    fn scrub_json(&mut self, by: &Scrubber) {
        if let Some(text) = self {
            by.clean_json(text);
        }
    }
}

impl Scrub for () {
    fn scrub(&mut self, _: &Scrubber) {}
}

impl Scrub for String {
    fn scrub(&mut self, by: &Scrubber) {
        by.clean(self);
    }
}

impl<T: Scrub> Scrub for Option<T> {
    fn scrub(&mut self, by: &Scrubber) {
        self.iter_mut().for_each(|value| value.scrub(by));
    }
}

impl<T: Scrub> Scrub for Vec<T> {
    fn scrub(&mut self, by: &Scrubber) {
        self.iter_mut().for_each(|value| value.scrub(by));
    }
}

/// Scrubs the named fields: texts and records first, JSON texts after the semicolon. Fields are named one by one as
/// the parts of a record are, so that one without text has no name here.
macro_rules! scrub {
    ($($record:ty { $($field:ident),*; $($json:ident),* })*) => {$(
        impl Scrub for $record {
            fn scrub(&mut self, by: &Scrubber) {
                $(self.$field.scrub(by);)*
                $(self.$json.scrub_json(by);)*
            }
        }
    )*};
}

scrub! {
    wit::Icon { src, mime_type, sizes; }
    wit::Annotations { last_modified; }
    wit::TextContent { text, annotations; meta }
    wit::ResourceContents { uri, mime_type, body; meta }
    wit::EmbeddedResource { contents, annotations; meta }
    wit::ResourceInfo { uri, name, title, description, mime_type, annotations, icons; meta }
    wit::ElicitForm { message; schema }
    wit::ElicitUrl { message, url, elicitation_id; }
    wit::KeyedQuestion { key, question; }
    wit::Pending { questions; }
    wit::ProtocolError { message; data }
    tools::Tool { name, title, description, icons; input_schema, output_schema, meta }
    tools::ToolResult { content; structured, meta }
    resources::ResourceTemplate { uri_template, name, title, description, mime_type, annotations, icons; meta }
    prompts::PromptArgument { name, title, description; }
    prompts::Prompt { name, title, description, arguments, icons; meta }
    prompts::PromptMessage { content; }
    prompts::PromptResult { description, messages; meta }
    completion::Completions { values; }
}

impl Scrub for wit::MediaContent {
    fn scrub(&mut self, by: &Scrubber) {
        by.mask(&mut self.data);
        self.mime_type.scrub(by);
        self.annotations.scrub(by);
        self.meta.scrub_json(by);
    }
}

impl Scrub for wit::ResourceBody {
    fn scrub(&mut self, by: &Scrubber) {
        match self {
            Self::Text(text) => text.scrub(by),
            Self::Blob(data) => {
                by.mask(data);
            }
        }
    }
}

impl Scrub for wit::Content {
    fn scrub(&mut self, by: &Scrubber) {
        match self {
            Self::Text(text) => text.scrub(by),
            Self::Image(media) | Self::Audio(media) => media.scrub(by),
            Self::Embedded(resource) => resource.scrub(by),
            Self::Link(link) => link.scrub(by),
        }
    }
}

impl Scrub for wit::Question {
    fn scrub(&mut self, by: &Scrubber) {
        match self {
            Self::ElicitForm(form) => form.scrub(by),
            Self::ElicitUrl(url) => url.scrub(by),
            Self::Sample(params) => params.scrub_json(by),
            Self::ListRoots => {}
        }
    }
}

/// The same for each kind of outcome.
macro_rules! scrub_outcome {
    ($($outcome:ty),*) => {$(
        impl Scrub for $outcome {
            fn scrub(&mut self, by: &Scrubber) {
                match self {
                    Self::Complete(result) => result.scrub(by),
                    Self::InputRequired(pending) => pending.scrub(by),
                }
            }
        }
    )*};
}

scrub_outcome!(tools::ToolOutcome, resources::ReadOutcome, prompts::PromptOutcome);

impl Scrub for wit::Error {
    fn scrub(&mut self, by: &Scrubber) {
        match self {
            Self::Unknown(text)
            | Self::Invalid(text)
            | Self::Denied(text)
            | Self::MissingCapability(text)
            | Self::Failed(text) => text.scrub(by),
            Self::Protocol(error) => error.scrub(by),
        }
    }
}

impl Scrub for CallError {
    fn scrub(&mut self, by: &Scrubber) {
        match self {
            Self::Panicked { message, place } => {
                message.scrub(by);
                place.scrub(by);
            }
            Self::Trapped(text) | Self::NoCode(text) | Self::Internal(text) => text.scrub(by),
            Self::Plugin(error) => error.scrub(by),
            Self::Revoked(text) => text.scrub(by),
            Self::Limit(_) | Self::Exited(_) | Self::Cancelled | Self::Busy(_) | Self::Unsupported(_) => {}
        }
    }
}

/// A call's notes on their way out.
pub(super) struct ScrubbedEvents {
    to: Arc<dyn Events>,
    by: Arc<Scrubber>,
}

impl ScrubbedEvents {
    pub(super) fn new(to: Arc<dyn Events>, by: Arc<Scrubber>) -> Self {
        Self { to, by }
    }
}

impl Events for ScrubbedEvents {
    fn log(&self, level: LogLevel, logger: Option<&str>, data: &str) {
        let mut data = data.to_owned();
        self.by.clean_json(&mut data);
        let logger = logger.map(|logger| self.by.text(logger));
        self.to.log(level, logger.as_deref(), &data);
    }

    fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>) {
        let message = message.map(|message| self.by.text(message));
        self.to.progress(done, total, message.as_deref());
    }

    fn list_changed(&self, kind: ListKind) {
        self.to.list_changed(kind);
    }

    fn resource_updated(&self, uri: &str) {
        self.to.resource_updated(&self.by.text(uri));
    }

    fn detach(&self) {
        self.to.detach();
    }
}
