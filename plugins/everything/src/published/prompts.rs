//! Prompts: plain, with arguments, with arguments that complete each other, with a resource.
//! Must not call a model: a prompt is only text for one.

use kennel_sdk::prelude::*;

use super::resources::{Family, no_id, resource_id};

/// A prompt with no arguments
#[prompt(name = "simple-prompt", title = "Simple Prompt")]
pub(crate) fn simple() -> &'static str {
    "This is a simple prompt without arguments."
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Place {
    /// Name of the city
    city: String,
    state: Option<String>,
}

/// A prompt with two arguments, one required and one optional
#[prompt(name = "args-prompt", title = "Arguments Prompt")]
pub(crate) fn place(args: Place) -> String {
    let state = args.state.filter(|state| !state.is_empty()).map(|state| format!(", {state}"));
    format!("What's weather in {}{}?", args.city, state.unwrap_or_default())
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Promotion {
    /// Choose the department.
    department: String,
    /// Choose a team member to lead the selected department.
    name: String,
}

/// First argument choice narrows values for second argument.
#[prompt(name = "completable-prompt", title = "Team Management")]
pub(crate) fn completable(args: Promotion) -> String {
    format!("Please promote {} to the head of the {} team.", args.name, args.department)
}

fn beginning(names: &[&'static str], value: &str) -> Vec<&'static str> {
    names.iter().copied().filter(|name| name.starts_with(value)).collect()
}

#[complete(prompt = "completable-prompt", argument = "department")]
pub(crate) fn departments(value: &str) -> Vec<&'static str> {
    beginning(&["Engineering", "Sales", "Marketing", "Support"], value)
}

#[complete(prompt = "completable-prompt", argument = "name")]
pub(crate) fn members(value: &str, settled: &Settled) -> Vec<&'static str> {
    let team: &[&'static str] = match settled.get("department") {
        Some("Engineering") => &["Alice", "Bob", "Charlie"],
        Some("Sales") => &["David", "Eve", "Frank"],
        Some("Marketing") => &["Grace", "Henry", "Iris"],
        Some("Support") => &["John", "Kim", "Lee"],
        _ => &[],
    };
    beginning(team, value)
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct About {
    /// Type of resource to fetch
    resource_type: String,
    /// ID of the text resource to fetch
    resource_id: String,
}

/// A prompt that includes an embedded resource reference
#[prompt(name = "resource-prompt", title = "Resource Prompt")]
pub(crate) fn resource(args: About) -> Result<Vec<Message>> {
    let family = match args.resource_type.as_str() {
        "Text" => Family::Text,
        "Blob" => Family::Blob,
        other => bail!("Invalid resourceType: {other}. Must be Text or Blob."),
    };
    let Some(id) = resource_id(&args.resource_id) else { bail!("{}", no_id(&args.resource_id)) };
    let intro = format!(
        "This prompt includes the {family} resource with id: {}. Please analyze the following resource:",
        super::number(id)
    );
    Ok(vec![Message::user(intro), Message::user(Content::embedded(family.numbered(id)))])
}
