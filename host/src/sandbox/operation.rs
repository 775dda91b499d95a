//! What can be asked of a plugin: one type an export, with what it gives back and how large that is.

use std::future::Future;

use wasmtime::component::Instance;
use wasmtime::{Result, Store};

use super::bindings::exports::kennel::plugin::{completion, prompts, resources, tools};
use super::bindings::kennel::plugin::types as wit;
use super::{CallState, contract};

/// The exports a component has.
pub(super) struct Exports {
    pub(super) tools: Option<tools::GuestIndices>,
    pub(super) resources: Option<resources::GuestIndices>,
    pub(super) prompts: Option<prompts::GuestIndices>,
    pub(super) completion: Option<completion::GuestIndices>,
}

/// Size of something that came out of a guest, in bytes of text and data.
pub(super) trait Weigh {
    fn weight(&self) -> usize;
}

/// One question to a plugin.
pub trait Operation: Send + Sized + 'static {
    /// What it gives back.
    type Output: Send + 'static;
    /// The export it needs, for messages.
    const EXPORT: &'static str;
}

/// How an operation enters the guest; kept apart so that no other room sees wasmtime.
pub(super) trait Enter: Operation {
    fn offered(exports: &Exports) -> bool;

    fn weight(output: &Self::Output) -> usize;

    fn enter(
        self,
        exports: &Exports,
        store: &mut Store<CallState>,
        instance: &Instance,
    ) -> impl Future<Output = Result<std::result::Result<Self::Output, wit::Error>>> + Send;
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $input:ty),*) -> $output:ty = $export:ident.$call:ident, $text:literal;)*) => {$(
        $(#[$doc])*
        pub struct $name($(pub $input),*);

        impl Operation for $name {
            type Output = $output;
            const EXPORT: &'static str = $text;
        }

        impl Enter for $name {
            fn offered(exports: &Exports) -> bool {
                exports.$export.is_some()
            }

            fn weight(output: &Self::Output) -> usize {
                Weigh::weight(output)
            }

            async fn enter(
                self,
                exports: &Exports,
                store: &mut Store<CallState>,
                instance: &Instance,
            ) -> Result<std::result::Result<Self::Output, wit::Error>> {
                let Some(indices) = &exports.$export else {
                    return Err(wasmtime::Error::msg(concat!("no export ", $text)));
                };
                let guest = indices.load(&mut *store, instance)?;
                let Self($($arg),*) = self;
                guest.$call(&mut *store $(, &$arg)*).await
            }
        }
    )*};
}

operations! {
    /// All tools.
    ListTools() -> Vec<contract::Tool> = tools.call_list_tools, "tools";
    /// Runs a tool.
    CallTool(call: contract::ToolCall) -> contract::ToolOutcome = tools.call_call_tool, "tools";
    /// The resources there are now.
    ListResources() -> Vec<contract::ResourceInfo> = resources.call_list_resources, "resources";
    /// The resource templates.
    ListTemplates() -> Vec<contract::ResourceTemplate> = resources.call_list_templates, "resources";
    /// Reads a resource.
    ReadResource(call: contract::ResourceCall) -> contract::ReadOutcome = resources.call_read_resource, "resources";
    /// A client wants to hear of a resource.
    Subscribe(uri: String) -> () = resources.call_subscribe, "resources";
    /// No client wants to hear of a resource any longer.
    Unsubscribe(uri: String) -> () = resources.call_unsubscribe, "resources";
    /// All prompts.
    ListPrompts() -> Vec<contract::Prompt> = prompts.call_list_prompts, "prompts";
    /// Fills in a prompt.
    GetPrompt(call: contract::PromptCall) -> contract::PromptOutcome = prompts.call_get_prompt, "prompts";
    /// Proposes values for an argument.
    Complete(call: contract::CompletionCall) -> contract::Completions = completion.call_complete, "completion";
}

/// Bytes a record costs besides its texts, so that a list of a million empty ones is not free.
const RECORD: usize = 32;

impl Weigh for () {
    fn weight(&self) -> usize {
        0
    }
}

impl Weigh for String {
    fn weight(&self) -> usize {
        self.len()
    }
}

impl<T: Weigh> Weigh for Option<T> {
    fn weight(&self) -> usize {
        self.as_ref().map_or(0, Weigh::weight)
    }
}

impl<T: Weigh> Weigh for Vec<T> {
    fn weight(&self) -> usize {
        self.iter().map(Weigh::weight).sum::<usize>() + self.len() * RECORD
    }
}

/// Sums the weights of the named fields.
macro_rules! weigh {
    ($($record:ty { $($field:ident),* })*) => {$(
        impl Weigh for $record {
            fn weight(&self) -> usize {
                RECORD $(+ self.$field.weight())*
            }
        }
    )*};
}

weigh! {
    wit::Icon { src, mime_type, sizes }
    wit::Annotations { last_modified }
    wit::TextContent { text, annotations, meta }
    wit::ResourceContents { uri, mime_type, body, meta }
    wit::EmbeddedResource { contents, annotations, meta }
    wit::ResourceInfo { uri, name, title, description, mime_type, annotations, icons, meta }
    wit::ElicitForm { message, schema }
    wit::ElicitUrl { message, url, elicitation_id }
    wit::KeyedQuestion { key, question }
    tools::Tool { name, title, description, input_schema, output_schema, icons, meta }
    tools::ToolResult { content, structured, meta }
    resources::ResourceTemplate { uri_template, name, title, description, mime_type, annotations, icons, meta }
    prompts::PromptArgument { name, title, description }
    prompts::Prompt { name, title, description, arguments, icons, meta }
    prompts::PromptMessage { content }
    prompts::PromptResult { description, messages, meta }
    completion::Completions { values }
}

impl Weigh for wit::MediaContent {
    fn weight(&self) -> usize {
        RECORD + self.data.len() + self.mime_type.weight() + self.annotations.weight() + self.meta.weight()
    }
}

impl Weigh for wit::Pending {
    fn weight(&self) -> usize {
        RECORD + self.questions.weight() + self.continuation.len()
    }
}

impl Weigh for wit::ResourceBody {
    fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Blob(data) => data.len(),
        }
    }
}

impl Weigh for wit::Content {
    fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.weight(),
            Self::Image(media) | Self::Audio(media) => media.weight(),
            Self::Embedded(resource) => resource.weight(),
            Self::Link(link) => link.weight(),
        }
    }
}

impl Weigh for wit::Question {
    fn weight(&self) -> usize {
        match self {
            Self::ElicitForm(form) => form.weight(),
            Self::ElicitUrl(url) => url.weight(),
            Self::Sample(params) => params.weight(),
            Self::ListRoots => 0,
        }
    }
}

/// The same for each kind of outcome.
macro_rules! weigh_outcome {
    ($($outcome:ty),*) => {$(
        impl Weigh for $outcome {
            fn weight(&self) -> usize {
                match self {
                    Self::Complete(result) => result.weight(),
                    Self::InputRequired(pending) => pending.weight(),
                }
            }
        }
    )*};
}

weigh_outcome!(tools::ToolOutcome, resources::ReadOutcome, prompts::PromptOutcome);
