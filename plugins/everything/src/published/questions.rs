//! Questions to the person, to the model, and for the client's directories, with the answers told back in full.
//! Must not wait: a function returns its question and is called again with the answer.

use kennel_sdk::prelude::*;

use super::{nothing, schema};

/// Lists the current MCP roots provided by the client. Demonstrates the roots protocol capability even though this server doesn't access files.
#[tool(
    name = "get-roots-list",
    title = "Get Roots List Tool",
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = nothing()
)]
pub(crate) fn roots_list(context: Context) -> Result<Outcome<String>> {
    let Some(roots) = context.roots("roots")? else {
        return Outcome::ask(Questions::new().roots("roots"), &());
    };
    if roots.is_empty() {
        return Ok(Outcome::Complete(
            "The client supports roots but no roots are currently configured.\n\nThis could mean:\n1. The client hasn't \
             provided any roots yet\n2. The client provided an empty roots list\n3. The roots configuration is still being \
             loaded"
                .into(),
        ));
    }
    let shown: Vec<String> = roots
        .iter()
        .zip(1..)
        .map(|(root, at)| {
            let name = root.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("Unnamed Root");
            format!("{at}. {name}\n   URI: {}", root.uri)
        })
        .collect();
    Ok(Outcome::Complete(format!(
        "Current MCP Roots ({} total):\n\n{}\n\nNote: This server demonstrates the roots protocol capability but doesn't \
         actually access files. The roots are provided by the MCP client and can be used by servers that need file system \
         access.",
        roots.len(),
        shown.join("\n\n")
    )))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sampling {
    prompt: String,
    #[serde(default = "hundred")]
    max_tokens: f64,
}

const fn hundred() -> f64 {
    100.0
}

fn sampling_schema() -> Value {
    let properties = json!({
        "prompt": { "type": "string", "description": "The prompt to send to the LLM" },
        "maxTokens": { "default": 100, "description": "Maximum number of tokens to generate", "type": "number" },
    });
    schema(&properties, &["prompt"])
}

/// Trigger a Request from the Server for LLM Sampling
#[tool(
    name = "trigger-sampling-request",
    title = "Trigger Sampling Request Tool",
    read_only = false,
    destructive = false,
    idempotent = false,
    open_world,
    input_schema = sampling_schema()
)]
pub(crate) fn sampling(args: Sampling, context: Context) -> Result<Outcome<String>> {
    if let Some(result) = context.sampled("model")? {
        let shown = kennel_sdk::serde_json::to_string_pretty(&result)?;
        return Ok(Outcome::Complete(format!("LLM sampling result: \n{shown}")));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is too large becomes the largest"
    )]
    let most = args.max_tokens as u32;
    let question = json!({
        "messages": [{
            "role": "user",
            "content": {
                "type": "text",
                "text": format!("Resource trigger-sampling-request context: {}", args.prompt),
            },
        }],
        "systemPrompt": "You are a helpful test server.",
        "maxTokens": most,
        "temperature": 0.7,
    });
    Outcome::ask(Questions::new().sample("model", &question), &())
}

/// The form, with one field of each kind.
fn form() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "title": "String", "type": "string", "description": "Your full, legal name" },
            "check": { "title": "Boolean", "type": "boolean", "description": "Agree to the terms and conditions" },
            "firstLine": {
                "title": "String with default",
                "type": "string",
                "description": "Favorite first line of a story",
                "default": "It was a dark and stormy night.",
            },
            "email": {
                "title": "String with email format",
                "type": "string",
                "format": "email",
                "description": "Your email address (will be verified, and never shared with anyone else)",
            },
            "homepage": {
                "type": "string",
                "format": "uri",
                "title": "String with uri format",
                "description": "Portfolio / personal website",
            },
            "birthdate": {
                "title": "String with date format",
                "type": "string",
                "format": "date",
                "description": "Your date of birth",
            },
            "integer": {
                "title": "Integer",
                "type": "integer",
                "description":
                    "Your favorite integer (do not give us your phone number, pin, or other sensitive info)",
                "minimum": 1,
                "maximum": 100,
                "default": 42,
            },
            "number": {
                "title": "Number in range 1-1000",
                "type": "number",
                "description": "Favorite number (there are no wrong answers)",
                "minimum": 0,
                "maximum": 1000,
                "default": 3.14,
            },
            "untitledSingleSelectEnum": {
                "type": "string",
                "title": "Untitled Single Select Enum",
                "description": "Choose your favorite friend",
                "enum": ["Monica", "Rachel", "Joey", "Chandler", "Ross", "Phoebe"],
                "default": "Monica",
            },
            "untitledMultipleSelectEnum": {
                "type": "array",
                "title": "Untitled Multiple Select Enum",
                "description": "Choose your favorite instruments",
                "minItems": 1,
                "maxItems": 3,
                "items": { "type": "string", "enum": ["Guitar", "Piano", "Violin", "Drums", "Bass"] },
                "default": ["Guitar"],
            },
            "titledSingleSelectEnum": {
                "type": "string",
                "title": "Titled Single Select Enum",
                "description": "Choose your favorite hero",
                "oneOf": [
                    { "const": "hero-1", "title": "Superman" },
                    { "const": "hero-2", "title": "Green Lantern" },
                    { "const": "hero-3", "title": "Wonder Woman" },
                ],
                "default": "hero-1",
            },
            "titledMultipleSelectEnum": {
                "type": "array",
                "title": "Titled Multiple Select Enum",
                "description": "Choose your favorite types of fish",
                "minItems": 1,
                "maxItems": 3,
                "items": {
                    "anyOf": [
                        { "const": "fish-1", "title": "Tuna" },
                        { "const": "fish-2", "title": "Salmon" },
                        { "const": "fish-3", "title": "Trout" },
                    ],
                },
                "default": ["fish-1"],
            },
            "legacyTitledEnum": {
                "type": "string",
                "title": "Legacy Titled Single Select Enum",
                "description": "Choose your favorite type of pet",
                "enum": ["pet-1", "pet-2", "pet-3", "pet-4", "pet-5"],
                "enumNames": ["Cats", "Dogs", "Birds", "Fish", "Reptiles"],
                "default": "pet-1",
            },
        },
        "required": ["name"],
    })
}

/// The fields that are told back, with their words.
const TOLD: [(&str, &str); 7] = [
    ("name", "Name"),
    ("check", "Agreed to terms"),
    ("email", "Email"),
    ("homepage", "Homepage"),
    ("birthdate", "Birthdate"),
    ("integer", "Favorite Integer"),
    ("number", "Favorite Number"),
];

/// Trigger a Request from the Server for User Elicitation
#[tool(
    name = "trigger-elicitation-request",
    title = "Trigger Elicitation Request Tool",
    read_only = false,
    destructive = false,
    idempotent = false,
    open_world = false,
    input_schema = nothing()
)]
pub(crate) fn elicitation(context: Context) -> Result<Outcome<Vec<Content>>> {
    let Some(answer) = context.answer::<Value>("form")? else {
        let message = "Please provide inputs for the following fields:";
        return Outcome::ask(Questions::new().form_with_schema("form", message, &form()), &());
    };
    let mut content = match &answer {
        Answer::Accepted(fields) => {
            let told = |value: &Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let lines: Vec<String> = TOLD
                .iter()
                .filter_map(|(key, word)| fields.get(key).map(|value| format!("- {word}: {}", told(value))))
                .collect();
            vec![
                Content::text("✅ User provided the requested information!"),
                Content::text(format!("User inputs:\n{}", lines.join("\n"))),
            ]
        }
        Answer::Declined => vec![Content::text("❌ User declined to provide the requested information.")],
        Answer::Cancelled => vec![Content::text("⚠️ User cancelled the elicitation dialog.")],
    };
    content.push(raw(&context, "form")?);
    Ok(Outcome::Complete(content))
}

/// The answer as it came.
fn raw(context: &Context, key: &str) -> Result<Content> {
    let answer: Value = kennel_sdk::serde_json::from_str(context.raw_answer(key).unwrap_or("null"))?;
    Ok(Content::text(format!("\nRaw result: {}", kennel_sdk::serde_json::to_string_pretty(&answer)?)))
}
