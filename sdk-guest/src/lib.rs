//! Write Kennel plugins: annotated functions become the tools, resources and prompts of a sandboxed
//! MCP component. Start with [`tool`] and [`plugin`].
//!
//! ```
//! use kennel_sdk::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Greet {
//!     /// Who to greet.
//!     name: String,
//! }
//!
//! /// Says hello.
//! #[tool]
//! fn hello(args: Greet) -> Result<String> {
//!     Ok(format!("Hello, {}!", args.name))
//! }
//!
//! plugin! { tools: [hello] }
//! ```
//!
//! Must not give a plugin anything: what it may touch, a person grants in the host.

// The macros and generated bindings name this crate by its own name.
#[allow(unused_extern_crates)]
extern crate self as kennel_sdk;

pub mod api;
#[doc(hidden)]
pub mod bindings;
pub mod command;
mod completion;
mod content;
mod context;
mod error;
mod host;
pub mod http;
pub mod log;
mod outcome;
mod panic;
mod prompt;
mod resource;
mod schema;
pub mod state;
mod template;
mod tool;

pub use completion::{Completions, IntoCompletions, Settled};
pub use content::{
    Annotations, Content, EmbeddedResource, Icon, IconTheme, MediaContent, Message, ResourceBody,
    ResourceContents, ResourceInfo, Role, TextContent,
};
pub use context::{Caller, Capabilities, Context, Root};
pub use error::{Error, Result, ResultExt};
pub use host::{ListKind, detach, list_changed, progress, resource_updated, setting};
/// Makes a function propose values for an argument of a prompt (`prompt = "…"`) or a variable of a
/// template (`template = "…"`), named by `argument = "…"`. The function takes what was typed and, if it
/// likes, what was settled before; it returns a list, the best first.
///
/// ```
/// use kennel_sdk::prelude::*;
///
/// #[complete(prompt = "code_review", argument = "language")]
/// fn languages(value: &str) -> Vec<&'static str> {
///     ["python", "rust", "ruby"].into_iter().filter(|name| name.starts_with(value)).collect()
/// }
/// # #[derive(Deserialize, JsonSchema)] struct Review { language: String }
/// # /// Reviews.
/// # #[prompt] fn code_review(args: Review) -> String { args.language }
/// plugin! { prompts: [code_review], completions: [languages] }
/// ```
pub use kennel_sdk_macros::complete;
/// Exports what a plugin offers, and nothing else, and writes its manifest: name, version and description
/// from `Cargo.toml`, and what it asks for. Asking gives nothing; a person grants. Lists are told in the
/// order written here. Once in a crate, with paths to annotated functions.
///
/// Everything that can be asked for:
///
/// ```
/// # use kennel_sdk::prelude::*;
/// # /// Does it.
/// # #[tool] fn act() {}
/// plugin! {
///     tools: [act],
///     asks: {
///         directories: { mode: "read-write", why: "edits your files" },
///         http: [{
///             url: "https://api.example.org",
///             methods: ["GET"],
///             url_from_env: "EXAMPLE_BASE_URL",
///             why: "reads the catalogue",
///         }],
///         env: [{ name: "EXAMPLE_BASE_URL", why: "asks another server" }],
///         state: { quota: "16MiB", scope: "caller", why: "remembers what was read" },
///         settings: [{ name: "max-results", why: "how many results to show; 20 if unset" }],
///         commands: { why: "runs the checks you put there" },
///         tcp: [{ address: "db.example.org:5432", why: "runs your queries" }],
///         elicit: true,
///         sample: true,
///         roots: true,
///     },
/// }
/// ```
pub use kennel_sdk_macros::plugin;
/// Makes a function a prompt. Its arguments are the fields of a struct of strings, booleans, numbers or
/// plain enums; an `Option` need not be given. See [`IntoPromptOutcome`] for what it may return.
///
/// Options: `name`, `title`, `description`, `icons = […]`, `meta`.
///
/// ```
/// use kennel_sdk::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Review {
///     /// The change.
///     diff: String,
///     /// Only the gravest faults?
///     brief: Option<bool>,
/// }
///
/// /// Reviews a change.
/// #[prompt(title = "Code review")]
/// fn code_review(args: Review) -> Vec<Message> {
///     let how = if args.brief == Some(true) { "briefly" } else { "thoroughly" };
///     vec![Message::user(format!("Review this {how}:\n{}", args.diff))]
/// }
/// ```
pub use kennel_sdk_macros::prompt;
/// Makes a function a resource, or, over an RFC 6570 template, a family of them. The template's variables
/// are its parameters: any type that can be parsed, `Option` where a URI may lack it, `Vec` for lists
/// (`{?tag*}`). A [`Context`] may be a parameter too. See [`IntoReadOutcome`] for what it may return.
///
/// A variable matches at least one character; `{id}` ends at `/`, `?` and `#`, `{+path}` does not. Of
/// several resources the first that matches reads a URI.
///
/// Options: `name`, `title`, `description`, `mime`, `annotations`, `icons = […]`, `meta`; `size` for a
/// single resource; for a family `list = function`, which gives those there are now.
///
/// ```
/// use kennel_sdk::prelude::*;
///
/// /// One note.
/// #[resource("notes:///{id}", mime = "text/plain", list = list_notes)]
/// fn note(id: u64) -> Result<Option<String>> {
///     state::get(&format!("note/{id}"))
/// }
///
/// fn list_notes() -> Result<Vec<ResourceInfo>> {
///     let mut all = Vec::new();
///     for key in state::list("note/") {
///         let key = key?;
///         all.push(ResourceInfo::new(format!("notes:///{}", &key["note/".len()..]), key));
///     }
///     Ok(all)
/// }
/// ```
pub use kennel_sdk_macros::resource;
/// Makes a function a tool. It takes its arguments as one struct that derives `Deserialize` and
/// `JsonSchema` (or none), and the [`Context`], if it wants it. See [`IntoToolOutcome`] for what it may
/// return; with [`Json`] the tool has an output schema.
///
/// Options:
/// * `name = "…"` (the function's name), `title = "…"`, `description = …` (the doc comment)
/// * `read_only`, `destructive`, `idempotent`, `open_world`: alone for true, or `= false`. The host
///   overrides what the grants contradict.
/// * `task = "optional"` or `"required"`: may or must run as a task
/// * `input_schema = …`, `output_schema = …`: a JSON text or value in the place of the derived one;
///   `output = Type`: the schema of what a [`ToolResult`] holds
/// * `icons = […]`, `meta = json!({…})`
///
/// ```
/// use kennel_sdk::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct Divide {
///     /// What is divided.
///     dividend: f64,
///     /// By what.
///     divisor: f64,
/// }
///
/// #[derive(Serialize, JsonSchema)]
/// struct Quotient {
///     quotient: f64,
/// }
///
/// /// Divides two numbers.
/// ///
/// /// Fails when the divisor is 0.
/// #[tool(title = "Divide", read_only, open_world = false)]
/// fn divide(args: Divide) -> Result<Json<Quotient>> {
///     if args.divisor == 0.0 {
///         bail!("the divisor is 0");
///     }
///     Ok(Json(Quotient { quotient: args.dividend / args.divisor }))
/// }
/// ```
pub use kennel_sdk_macros::tool;
pub use outcome::{Answer, Outcome, Pending, Questions};
pub use prompt::{IntoPromptOutcome, PromptResult};
pub use resource::IntoReadOutcome;
pub use schemars;
pub use serde;
pub use serde_json;
pub use tool::{IntoToolOutcome, Json, Pretty, RawArgs, ToolResult};

/// What most plugins use: `use kennel_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Answer, Completions, Content, Context, Error, Icon, Json, ListKind, Message, Outcome, Pretty,
        PromptResult, Questions, RawArgs, ResourceContents, ResourceInfo, Result, ResultExt, Role, Settled,
        ToolResult, bail, command, complete, detach, http, list_changed, log, plugin, progress, prompt,
        resource, resource_updated, setting, state, tool,
    };
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{Value, json};
}

/// What the macros' output names. No promise is made about it.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings;
    pub use crate::bindings::tools::kennel::plugin::types::Error as WitError;
    pub use wit_bindgen;
    pub mod completion {
        pub use crate::completion::{Completion, CompletionCall, Entry, Of, complete};
    }
    pub mod prompt {
        pub use crate::prompt::*;
    }
    pub mod resource {
        pub use crate::resource::*;
    }
    pub mod schema {
        pub use crate::schema::{arguments, no_arguments, output};
    }
    pub mod template {
        pub use crate::template::*;
    }
    pub mod tool {
        pub use crate::tool::*;
    }
}

/// Makes `assert_distinct`, which fails the compilation when two entries of a plugin's table have one name.
macro_rules! assert_distinct {
    ($message:literal) => {
        /// Fails the compilation when two have one name.
        #[doc(hidden)]
        pub const fn assert_distinct(entries: &[Entry]) {
            let mut one = 0;
            while one < entries.len() {
                let mut other = one + 1;
                while other < entries.len() {
                    assert!(!crate::same(entries[one].name, entries[other].name), $message);
                    other += 1;
                }
                one += 1;
            }
        }
    };
}
pub(crate) use assert_distinct;

/// Whether two texts are the same, while compiling.
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}
