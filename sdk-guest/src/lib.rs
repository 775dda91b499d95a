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

#[doc(hidden)]
pub mod bindings;
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
pub use kennel_sdk_macros::{complete, plugin, prompt, resource, tool};
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
        ToolResult, bail, complete, http, log, plugin, progress, prompt, resource, setting, state, tool,
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
