//! What can be asked of a plugin: one type an export, with what it gives back and how large that is.

use std::collections::HashMap;
use std::future::Future;

use wasmtime::component::{ComponentExportIndex, Instance, InstancePre};
use wasmtime::{Result, Store};

use super::bindings::exports::kennel::plugin::{completion, prompts, resources, tools};
use super::bindings::kennel::plugin::types as wit;
use super::capability::stdio::Capture;
use super::code::Code;
use super::command::{RunCommand, is_run};
use super::functions::{self, Docs, Function};
use super::scrubbed::Scrub;
use super::{CallState, Interface, contract};
use crate::observe::Scrubber;

/// Which of the contract's interfaces a component exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) tools: bool,
    pub(super) resources: bool,
    pub(super) prompts: bool,
    pub(super) completion: bool,
    /// Instead of any of these.
    pub(super) functions: bool,
    pub(super) command: bool,
}

impl Offers {
    /// By the names of its exports.
    pub(super) fn of(interface: &Interface) -> Self {
        let has = |interface_name: &str| {
            let prefix = format!("kennel:plugin/{interface_name}@");
            interface.exports.iter().any(|name| name.starts_with(&prefix))
        };
        Self {
            tools: has("tools"),
            resources: has("resources"),
            prompts: has("prompts"),
            completion: has("completion"),
            functions: interface.is_plain(),
            command: interface.is_command(),
        }
    }
}

/// Where a component has what each operation calls, once it has code. Looked up once: a call looks for nothing.
pub(super) struct Exports {
    contract: Vec<Option<ComponentExportIndex>>,
    /// Plain functions, by the names of their tools.
    functions: HashMap<String, Function>,
    command: Option<ComponentExportIndex>,
}

impl Exports {
    /// An interface that is not there is an absence; a function that its interface lacks is an error.
    ///
    /// # Errors
    /// When a function is missing.
    pub(super) fn find(pre: &InstancePre<CallState>) -> Result<Self> {
        let component = pre.component();
        let ty = component.component_type();
        let find = |(interface, function): &(&str, &str)| {
            let prefix = format!("kennel:plugin/{interface}@");
            let mut names = ty.exports(pre.engine()).map(|(name, _)| name);
            let Some(name) = names.find(|name| name.starts_with(&prefix)) else { return Ok(None) };
            let interface = component.get_export_index(None, name);
            let found = interface.and_then(|index| component.get_export_index(Some(&index), function));
            found
                .map(Some)
                .ok_or_else(|| wasmtime::Error::msg(format!("its export {name} has no {function}")))
        };
        let contract = FUNCTIONS.iter().map(find).collect::<Result<_>>()?;
        // The words are in the definitions, which were read before.
        let plain = Code { component: component.clone() }.interface().is_plain();
        let found = plain.then(|| functions::find(component, &Docs::default()).functions);
        let functions =
            found.into_iter().flatten().map(|function| (function.tool.clone(), function)).collect();
        let name = ty.exports(pre.engine()).map(|(name, _)| name).find(|name| is_run(name));
        let interface = name.and_then(|name| component.get_export_index(None, name));
        let command = interface.and_then(|index| component.get_export_index(Some(&index), "run"));
        Ok(Self { contract, functions, command })
    }
}

impl Exports {
    /// Where a command begins.
    pub(super) fn command(&self) -> Option<ComponentExportIndex> {
        self.command
    }
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
    fn offered(offers: Offers) -> bool;

    fn weight(output: &Self::Output) -> usize;

    fn scrub(output: &mut Self::Output, by: &Scrubber);

    /// What a command is run with, for what is none.
    fn command(&self) -> Option<&RunCommand> {
        None
    }

    /// Takes what was printed, if that is part of the answer. Else it goes to the log.
    fn printed(_output: &mut Self::Output, _out: &Capture, _err: &Capture) {}

    fn enter(
        self,
        exports: &Exports,
        store: &mut Store<CallState>,
        instance: &Instance,
    ) -> impl Future<Output = Result<std::result::Result<Self::Output, wit::Error>>> + Send;
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $input:ty),*) -> $output:ty = $export:ident, $interface:literal, $function:literal;)*) => {
        /// Names an operation's function in [`FUNCTIONS`] and [`Exports`].
        enum Place { $($name),* }

        /// The contract's interface and function of each operation.
        const FUNCTIONS: &[(&str, &str)] = &[$(($interface, $function)),*];
    $(
        $(#[$doc])*
        pub struct $name($(pub $input),*);

        impl Operation for $name {
            type Output = $output;
            const EXPORT: &'static str = $interface;
        }

        impl $name {
            /// Enters the contract's function.
            async fn speak(
                self,
                exports: &Exports,
                store: &mut Store<CallState>,
                instance: &Instance,
            ) -> Result<std::result::Result<$output, wit::Error>> {
                let Some(index) = exports.contract.get(Place::$name as usize).copied().flatten() else {
                    return Err(wasmtime::Error::msg(concat!("no export ", $interface)));
                };
                let Self($($arg),*) = self;
                let function = instance.get_typed_func::<
                    ($(&$input,)*),
                    (std::result::Result<$output, wit::Error>,),
                >(&mut *store, index)?;
                let (answer,) = function.call_async(&mut *store, ($(&$arg,)*)).await?;
                Ok(answer)
            }

            fn spoken(offers: Offers) -> bool {
                offers.$export
            }
        }
    )*};
}

/// Operations that only the contract has.
macro_rules! enter {
    ($($name:ident)*) => {$(
        impl Enter for $name {
            fn offered(offers: Offers) -> bool {
                Self::spoken(offers)
            }

            fn weight(output: &Self::Output) -> usize {
                Weigh::weight(output)
            }

            fn scrub(output: &mut Self::Output, by: &Scrubber) {
                Scrub::scrub(output, by);
            }

            async fn enter(
                self,
                exports: &Exports,
                store: &mut Store<CallState>,
                instance: &Instance,
            ) -> Result<std::result::Result<Self::Output, wit::Error>> {
                self.speak(exports, store, instance).await
            }
        }
    )*};
}

operations! {
    /// All tools.
    ListTools() -> Vec<contract::Tool> = tools, "tools", "list-tools";
    /// Runs a tool.
    CallTool(call: contract::ToolCall) -> contract::ToolOutcome = tools, "tools", "call-tool";
    /// The resources there are now.
    ListResources() -> Vec<contract::ResourceInfo> = resources, "resources", "list-resources";
    /// The resource templates.
    ListTemplates() -> Vec<contract::ResourceTemplate> = resources, "resources", "list-templates";
    /// Reads a resource.
    ReadResource(call: contract::ResourceCall) -> contract::ReadOutcome = resources, "resources", "read-resource";
    /// A client wants to hear of a resource.
    Subscribe(uri: String) -> () = resources, "resources", "subscribe";
    /// No client wants to hear of a resource any longer.
    Unsubscribe(uri: String) -> () = resources, "resources", "unsubscribe";
    /// All prompts.
    ListPrompts() -> Vec<contract::Prompt> = prompts, "prompts", "list-prompts";
    /// Fills in a prompt.
    GetPrompt(call: contract::PromptCall) -> contract::PromptOutcome = prompts, "prompts", "get-prompt";
    /// Proposes values for an argument.
    Complete(call: contract::CompletionCall) -> contract::Completions = completion, "completion", "complete";
}

enter! { ListTools ListResources ListTemplates ReadResource Subscribe Unsubscribe ListPrompts GetPrompt Complete }

impl Enter for CallTool {
    fn offered(offers: Offers) -> bool {
        Self::spoken(offers) || offers.functions
    }

    fn weight(output: &Self::Output) -> usize {
        Weigh::weight(output)
    }

    fn scrub(output: &mut Self::Output, by: &Scrubber) {
        Scrub::scrub(output, by);
    }

    async fn enter(
        self,
        exports: &Exports,
        store: &mut Store<CallState>,
        instance: &Instance,
    ) -> Result<std::result::Result<Self::Output, wit::Error>> {
        match exports.functions.get(&self.0.name) {
            Some(function) => functions::call(function, &self.0, store, instance).await,
            None => self.speak(exports, store, instance).await,
        }
    }
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
