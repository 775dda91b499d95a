//! The contract's records as plain data, named as in `wit/` (snake_case). They carry what a plugin
//! said between the sandbox and the protocol; they check nothing and know neither wasmtime nor MCP.
//!
//! Where the contract has JSON as text, these have it parsed: whoever makes one of these records
//! from a plugin's words parses with [`super::json::parse`], which refuses what the contract refuses.
//! Call arguments alone stay text ([`super::api::Arguments`]), because a plugin wants them as text.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::api::CallFailure;
pub use super::approving::{NO, ONCE, SESSION};
pub use super::asking::{MAX_ROUNDS, Spent};
pub use crate::sandbox::LogLevel;

/// A JSON object with its keys in the order they were written.
pub type JsonObject = Map<String, Value>;

/// Who a piece of content is meant for, or who says a prompt's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// Hints on how a client may use a piece of content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotations {
    /// The intended readers; empty means unsaid.
    pub audience: Vec<Role>,
    /// From 0 (may be left out) to 1 (must be shown).
    pub priority: Option<f64>,
    /// When the content last changed, ISO 8601.
    pub last_modified: Option<String>,
}

/// The background an icon is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IconTheme {
    /// A light background.
    Light,
    /// A dark background.
    Dark,
}

/// A picture that a client may show beside a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Icon {
    /// An `https:` or `data:` URI.
    pub src: String,
    /// The MIME type, when the URI does not tell.
    pub mime_type: Option<String>,
    /// Sizes such as `48x48`, or `any`; empty means unsaid.
    pub sizes: Vec<String>,
    /// The background it is made for, when it matters.
    pub theme: Option<IconTheme>,
}

/// Plain text.
#[derive(Clone, Debug, PartialEq)]
pub struct TextContent {
    /// The text.
    pub text: String,
    /// Hints for the client.
    pub annotations: Option<Annotations>,
    /// The `_meta` object, as the plugin wrote it.
    pub meta: Option<JsonObject>,
}

/// A picture or a sound.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaContent {
    /// The raw bytes.
    pub data: Vec<u8>,
    /// The MIME type.
    pub mime_type: String,
    /// Hints for the client.
    pub annotations: Option<Annotations>,
    /// The `_meta` object, as the plugin wrote it.
    pub meta: Option<JsonObject>,
}

/// What a resource holds.
#[derive(Clone, Debug, PartialEq)]
pub enum ResourceBody {
    /// UTF-8 text.
    Text(String),
    /// Raw bytes.
    Blob(Vec<u8>),
}

/// The contents of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceContents {
    /// The resource's URI.
    pub uri: String,
    /// The MIME type, when known.
    pub mime_type: Option<String>,
    /// The contents themselves.
    pub body: ResourceBody,
    /// The `_meta` object, as the plugin wrote it.
    pub meta: Option<JsonObject>,
}

/// A resource's contents inside a message or a tool's result.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddedResource {
    /// The resource.
    pub contents: ResourceContents,
    /// Hints for the client.
    pub annotations: Option<Annotations>,
    /// The `_meta` object, as the plugin wrote it.
    pub meta: Option<JsonObject>,
}

/// A resource that can be read: an entry of a list, or a link in a result.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceInfo {
    /// The URI.
    pub uri: String,
    /// A short name for programs.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// The MIME type, when known.
    pub mime_type: Option<String>,
    /// Size in bytes before any encoding, when known.
    pub size: Option<u64>,
    /// Hints for the client.
    pub annotations: Option<Annotations>,
    /// Pictures.
    pub icons: Vec<Icon>,
    /// The `_meta` object, as the plugin wrote it.
    pub meta: Option<JsonObject>,
}

/// A piece of a tool's result or of a prompt's message.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Text.
    Text(TextContent),
    /// A picture.
    Image(MediaContent),
    /// A sound.
    Audio(MediaContent),
    /// A resource with its contents.
    Embedded(EmbeddedResource),
    /// A resource to be read by its URI.
    Link(ResourceInfo),
}

/// A form for the person.
#[derive(Clone, Debug, PartialEq)]
pub struct ElicitForm {
    /// What is asked and why.
    pub message: String,
    /// A flat JSON Schema of the answer.
    pub schema: JsonObject,
}

/// A URL for the person to open.
#[derive(Clone, Debug, PartialEq)]
pub struct ElicitUrl {
    /// What is asked and why.
    pub message: String,
    /// The URL, `https:` only.
    pub url: String,
    /// A name for this interaction, unique within the plugin.
    pub elicitation_id: String,
}

/// Something only the person or the model behind the client can answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Ask the person to fill in a form.
    ElicitForm(ElicitForm),
    /// Send the person to a URL.
    ElicitUrl(ElicitUrl),
    /// Ask the model: the params object of `sampling/createMessage`.
    Sample(JsonObject),
    /// Ask which directories the client works in.
    ListRoots,
    /// The host's own: whether the plugin may have this, in the host's words.
    Allow(String),
}

/// What a person allowed for a call, and what it waits for a word about. Goes round with a call's questions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Leave {
    /// Operations that a person allowed for this call, as [`crate::grants::Intent`] writes them.
    pub allowed: Vec<String>,
    /// The plugin is entered with neither answers nor a continuation: what waited was its first entry.
    pub fresh: bool,
    /// A question of the host's was put aside, so that none is asked again in this call.
    pub aside: bool,
    /// The question is the host's own.
    pub offer: Option<Offer>,
}

/// Something that was denied and that a person may allow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The operation, as [`crate::grants::Intent`] writes it.
    pub operation: String,
    /// What the person is asked to allow, in the words that were shown. A yes is for nothing else.
    pub what: String,
    /// The answers that the plugin was entered with.
    pub answers: Vec<(String, Value)>,
}

/// A question under the key by which its answer comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyedQuestion {
    /// Unique among the questions asked together.
    pub key: String,
    /// The question.
    pub question: Question,
}

/// The plugin that asked, so that its answers find it again and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Its name in `kennel.toml`.
    pub plugin: String,
    /// SHA-256 of its component, as hexadecimal digits.
    pub digest: String,
    /// How long its questions wait for their answers.
    pub answer_within: Duration,
}

/// A call that goes on once its questions are answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Who asks.
    pub asker: Asker,
    /// What the call has asked so far, these questions included.
    pub spent: Spent,
    /// The questions, asked together.
    pub questions: Vec<KeyedQuestion>,
    /// What the plugin needs to go on.
    pub continuation: Vec<u8>,
    /// What a person allowed for the call.
    pub leave: Leave,
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The question's key.
    pub key: String,
    /// The client's result object.
    pub value: Value,
}

/// What a plugin gets when it is entered again after `input-required`.
#[derive(Clone, Debug, PartialEq)]
pub struct Resumption {
    /// Who asked. The catalog enters no other plugin.
    pub asker: Asker,
    /// What the call has asked so far.
    pub spent: Spent,
    /// As the plugin left it.
    pub continuation: Vec<u8>,
    /// The answers that came.
    pub answers: Vec<Answer>,
    /// What a person allowed for the call.
    pub leave: Leave,
}

/// What a tool says of its effects, after the host made it true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToolAnnotations {
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// It may destroy something.
    pub destructive: Option<bool>,
    /// Calling it twice is like calling it once.
    pub idempotent: Option<bool>,
    /// It reaches beyond this machine.
    pub open_world: Option<bool>,
}

/// Whether a tool may or must run as a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskSupport {
    /// Never.
    #[default]
    Forbidden,
    /// If the client likes.
    Optional,
    /// Always.
    Required,
}

/// A tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// In a [`super::api::Snapshot`] the name clients use, prefix included.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema of the arguments.
    pub input_schema: Arc<JsonObject>,
    /// JSON Schema of `structured`, when the tool gives it.
    pub output_schema: Option<Arc<JsonObject>>,
    /// Hints.
    pub annotations: Option<ToolAnnotations>,
    /// Pictures.
    pub icons: Vec<Icon>,
    /// Whether it may run as a task.
    pub task_support: TaskSupport,
    /// The `_meta` object, as the plugin wrote it.
    pub meta: Option<JsonObject>,
}

/// What a tool gives back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolResult {
    /// For the model.
    pub content: Vec<Content>,
    /// For programs.
    pub structured: Option<Value>,
    /// The tool failed and `content` says why.
    pub is_error: bool,
    /// The `_meta` object, as the plugin wrote it.
    pub meta: Option<JsonObject>,
}

/// How a plugin's function ends when it may ask before it answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<T> {
    /// It is done.
    Complete(T),
    /// It needs answers first.
    InputRequired(Pending),
    /// It was denied something that a person may allow, and the host asks: with a yes the call is made again. Without one
    /// this is how it ends; none when it did not run yet.
    Offer(Pending, Option<Box<Result<T, CallFailure>>>),
}

/// A family of resources.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceTemplate {
    /// RFC 6570.
    pub uri_template: String,
    /// A short name for programs.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What they are.
    pub description: Option<String>,
    /// The MIME type, when they all have the same.
    pub mime_type: Option<String>,
    /// Hints for the client.
    pub annotations: Option<Annotations>,
    /// Pictures.
    pub icons: Vec<Icon>,
    /// The `_meta` object, as the plugin wrote it.
    pub meta: Option<JsonObject>,
}

/// An argument of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptArgument {
    /// Unique within the prompt.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What to put there.
    pub description: Option<String>,
    /// Whether it must be given.
    pub required: bool,
}

/// A prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// In a [`super::api::Snapshot`] the name clients use, prefix included.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its arguments, in order.
    pub arguments: Vec<PromptArgument>,
    /// Pictures.
    pub icons: Vec<Icon>,
    /// The `_meta` object, as the plugin wrote it.
    pub meta: Option<JsonObject>,
}

/// A message of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptMessage {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: Content,
}

/// A prompt, filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptResult {
    /// What it is for.
    pub description: Option<String>,
    /// The messages.
    pub messages: Vec<PromptMessage>,
    /// The `_meta` object, as the plugin wrote it.
    pub meta: Option<JsonObject>,
}

/// What is being completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A prompt, by the name clients use.
    Prompt(String),
    /// A resource template, by its text.
    Template(String),
}

/// One request for completions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletionCall {
    /// What is being filled in.
    pub reference: Reference,
    /// The argument's or variable's name.
    pub argument: String,
    /// What was typed so far.
    pub value: String,
    /// Arguments settled before, in the order of their names.
    pub settled: Vec<(String, String)>,
}

/// Proposals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completions {
    /// The best first.
    pub values: Vec<String>,
    /// How many there are in all, when known.
    pub total: Option<u32>,
    /// Whether there are more than `values`.
    pub has_more: bool,
}
