//! The contract's records as the other rooms may see them: plain values, documented in `wit/`.

pub use super::bindings::exports::kennel::plugin::completion::{CompletionCall, Completions, Reference};
pub use super::bindings::exports::kennel::plugin::prompts::{
    Prompt, PromptArgument, PromptCall, PromptMessage, PromptOutcome, PromptResult,
};
pub use super::bindings::exports::kennel::plugin::resources::{ReadOutcome, ResourceCall, ResourceTemplate};
pub use super::bindings::exports::kennel::plugin::tools::{
    TaskSupport, Tool, ToolAnnotations, ToolCall, ToolOutcome, ToolResult,
};
pub use super::bindings::kennel::plugin::types::{
    Annotations, Answer, Content, ElicitForm, ElicitUrl, EmbeddedResource, Error, Icon, IconTheme,
    KeyedQuestion, MediaContent, Pending, ProtocolError, Question, ResourceBody, ResourceContents,
    ResourceInfo, Resumption, Role, TextContent,
};
