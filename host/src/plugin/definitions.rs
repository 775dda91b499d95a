//! What a plugin says of itself: its tools, prompts and resource templates, read once per version with
//! nothing granted and checked here, so that nothing after it meets a name or schema that cannot be.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::grants::Wording;
use crate::observe::escape_for_people;
use crate::sandbox::contract::{Prompt, ResourceTemplate, Tool};
use crate::sandbox::{
    CallContext, CallError, Complete, Functions, GetPrompt, ListPrompts, ListResources, ListTemplates,
    ListTools, Program, json,
};

/// Most tools, prompts or templates of a plugin, each.
const MAX_ITEMS: usize = 1_000;
/// Longest name: what the strictest model accepts, `^[a-zA-Z0-9_-]{1,64}$`.
const MAX_NAME: usize = 64;
/// Longest schema, in bytes.
const MAX_SCHEMA: usize = 256 << 10;

/// A version's definitions, as it listed them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Definitions {
    /// Tools, in the plugin's order.
    pub tools: Vec<Tool>,
    /// Prompts, in the plugin's order.
    pub prompts: Vec<Prompt>,
    /// Resource templates, in the plugin's order.
    pub templates: Vec<ResourceTemplate>,
    /// Whether it has resources at all.
    pub resources: bool,
    /// Whether it completes arguments.
    pub completion: bool,
    /// Exported functions that cannot be tools, with the reason; one line each.
    #[serde(default)]
    pub left_out: Vec<String>,
}

/// Why a plugin's definitions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionsError {
    /// The plugin failed while listing.
    #[error("it fails when asked for its {what}: {}", plainly(.error))]
    Listing {
        /// `tools`, `prompts` or `templates`.
        what: &'static str,
        /// How.
        error: CallError,
    },
    /// Too many of a kind.
    #[error("it lists more than {MAX_ITEMS} {0}")]
    TooMany(&'static str),
    /// A name no client could use.
    #[error("its {what} {} has no usable name; use 1 to {MAX_NAME} of a-z, A-Z, 0-9, \"_\" and \"-\"", quoted(.name))]
    Name {
        /// `tool` or `prompt`.
        what: &'static str,
        /// The name, escaped.
        name: String,
    },
    /// Two of one name.
    #[error("it lists the {what} {} twice", quoted(.name))]
    Twice {
        /// `tool`, `prompt` or `template`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Functions, none of which can be a tool.
    #[error("none of the functions it exports can be a tool: {}", .0.first().map_or("it exports none", String::as_str))]
    NoFunctions(Vec<String>),
    /// A schema that is none.
    #[error("the {which} schema of its tool {tool:?} is unusable: {why}")]
    Schema {
        /// The tool.
        tool: String,
        /// `input` or `output`.
        which: &'static str,
        /// What is wrong.
        why: String,
    },
}

/// The bounds of listing are the same for all, so the advice to raise one would be wrong.
fn plainly(error: &CallError) -> String {
    match error {
        CallError::Limit(hit) => format!("limit: {} ({}), more than listing may take", hit.budget, hit.bound),
        error => error.to_string(),
    }
}

/// A name that may hold anything, for people.
fn quoted(name: &str) -> String {
    escape_for_people(&format!("{name:?}")).into_owned()
}

impl Definitions {
    /// Asks a program that holds nothing, and checks its answers.
    ///
    /// # Errors
    /// When the program fails or lists what no client could use.
    pub async fn list(program: &Arc<Program>) -> Result<Self, DefinitionsError> {
        let failed = |what| move |error| DefinitionsError::Listing { what, error };
        let context = CallContext::unattended;
        let mut found = Self {
            resources: program.offers::<ListResources>(),
            completion: program.offers::<Complete>(),
            ..Self::default()
        };
        if program.offers::<ListTools>() {
            found.tools = program.call(ListTools(), context()).await.result.map_err(failed("tools"))?;
        }
        if program.offers::<GetPrompt>() {
            found.prompts = program.call(ListPrompts(), context()).await.result.map_err(failed("prompts"))?;
        }
        if found.resources {
            found.templates =
                program.call(ListTemplates(), context()).await.result.map_err(failed("templates"))?;
        }
        found.check()?;
        Ok(found)
    }

    /// Of a component that exports plain functions: what its types say, without running it.
    ///
    /// # Errors
    /// When none of them can be a tool, or no client could use them.
    pub fn of_functions(functions: Functions) -> Result<Self, DefinitionsError> {
        let Functions { tools, left_out } = functions;
        if tools.is_empty() {
            return Err(DefinitionsError::NoFunctions(left_out));
        }
        let found = Self { tools, left_out, ..Self::default() };
        found.check()?;
        Ok(found)
    }

    fn check(&self) -> Result<(), DefinitionsError> {
        let mut tools = self.tools.iter().map(|tool| tool.name.as_str());
        let mut prompts = self.prompts.iter().map(|prompt| prompt.name.as_str());
        let templates = self.templates.iter().map(|template| template.uri_template.as_str());
        unique("tool", "tools", tools.clone())?;
        unique("prompt", "prompts", prompts.clone())?;
        unique("template", "templates", templates)?;
        tools.try_for_each(|name| usable("tool", name))?;
        prompts.try_for_each(|name| usable("prompt", name))?;
        for tool in &self.tools {
            schema(&tool.name, "input", &tool.input_schema)?;
            if let Some(output) = &tool.output_schema {
                schema(&tool.name, "output", output)?;
            }
        }
        Ok(())
    }

    /// The words that a person approves.
    ///
    /// # Errors
    /// Never for definitions that were checked; a record that is no JSON otherwise.
    pub fn wording(&self) -> serde_json::Result<Wording> {
        fn values<T: Serialize>(
            items: &[T],
            name: impl Fn(&T) -> &str,
        ) -> serde_json::Result<BTreeMap<String, Value>> {
            items.iter().map(|item| Ok((name(item).to_owned(), serde_json::to_value(item)?))).collect()
        }
        Ok(Wording {
            tools: values(&self.tools, |tool| &tool.name)?,
            prompts: values(&self.prompts, |prompt| &prompt.name)?,
            templates: values(&self.templates, |template| &template.uri_template)?,
        })
    }

    /// The same version with other words: those that a person approved.
    ///
    /// # Errors
    /// When the words are of another contract than this host speaks.
    pub fn worded(&self, words: Wording) -> serde_json::Result<Self> {
        fn items<T: DeserializeOwned>(values: BTreeMap<String, Value>) -> serde_json::Result<Vec<T>> {
            values.into_values().map(serde_json::from_value).collect()
        }
        Ok(Self {
            tools: items(words.tools)?,
            prompts: items(words.prompts)?,
            templates: items(words.templates)?,
            resources: self.resources,
            completion: self.completion,
            left_out: self.left_out.clone(),
        })
    }
}

fn unique<'a>(
    what: &'static str,
    many: &'static str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), DefinitionsError> {
    let mut seen = HashSet::new();
    for name in names {
        if seen.len() == MAX_ITEMS {
            return Err(DefinitionsError::TooMany(many));
        }
        if !seen.insert(name) {
            return Err(DefinitionsError::Twice { what, name: short(name) });
        }
    }
    Ok(())
}

fn usable(what: &'static str, name: &str) -> Result<(), DefinitionsError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(DefinitionsError::Name { what, name: short(name) })
    }
}

fn schema(tool: &str, which: &'static str, text: &str) -> Result<(), DefinitionsError> {
    let fault = |why: String| DefinitionsError::Schema { tool: tool.to_owned(), which, why };
    if text.len() > MAX_SCHEMA {
        return Err(fault(format!("it is longer than {} KiB", MAX_SCHEMA >> 10)));
    }
    let value = json::parse(text).map_err(|error| fault(error.to_string()))?;
    // MCP 2026-07-28, "Tools": the root of an input schema has type "object".
    if which == "input" && value.get("type").and_then(Value::as_str) != Some("object") {
        return Err(fault("its root is not of type \"object\"".into()));
    }
    Ok(())
}

/// Part of a name that may be anything, for a message.
fn short(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}
