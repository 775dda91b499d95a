//! Prompts: plain, with arguments that complete, with a resource, with a picture, and one that asks first.
//! Must not call a model: a prompt is only text for one.

use kennel_sdk::prelude::*;

/// A prompt without arguments.
#[prompt(title = "Simple prompt")]
pub(crate) fn test_simple_prompt() -> &'static str {
    "This is a simple prompt for testing."
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Two {
    /// The first argument.
    arg1: String,
    /// The second argument.
    arg2: String,
}

/// A prompt with two arguments.
#[prompt(title = "Prompt with arguments")]
pub(crate) fn test_prompt_with_arguments(args: Two) -> String {
    format!("Prompt with arguments: arg1='{}', arg2='{}'", args.arg1, args.arg2)
}

/// Values for the first argument.
#[complete(prompt = "test_prompt_with_arguments", argument = "arg1")]
pub(crate) fn first_argument(value: &str) -> Vec<&'static str> {
    ["paris", "park", "party", "test", "testing"].into_iter().filter(|word| word.starts_with(value)).collect()
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct About {
    /// The URI of the resource to embed.
    #[serde(rename = "resourceUri")]
    resource_uri: String,
}

/// A prompt about a resource, which it brings along.
#[prompt(title = "Prompt with a resource")]
pub(crate) fn test_prompt_with_embedded_resource(args: About) -> Vec<Message> {
    let resource = ResourceContents::text(args.resource_uri, "Embedded resource content for testing.")
        .mime("text/plain");
    vec![
        Message::user(Content::embedded(resource)),
        Message::user("Please process the embedded resource above."),
    ]
}

/// A prompt about a picture, which it brings along.
#[prompt(title = "Prompt with a picture")]
pub(crate) fn test_prompt_with_image() -> Vec<Message> {
    vec![
        Message::user(Content::image(crate::contents::PICTURE, "image/png")),
        Message::user("Please analyze the image above."),
    ]
}

#[derive(Deserialize, JsonSchema)]
struct Background {
    /// What the prompt should know.
    context: String,
}

/// A prompt that asks the person for its context.
#[prompt(title = "Prompt that asks")]
pub(crate) fn test_input_required_result_prompt(context: Context) -> Result<Outcome<String>> {
    let question = "What context should the prompt use?";
    match context.answer::<Background>("user_context")? {
        None => Outcome::ask(Questions::new().form::<Background>("user_context", question), &()),
        Some(Answer::Accepted(background)) => {
            Ok(Outcome::Complete(format!("Use this context: {}", background.context)))
        }
        Some(_) => Ok(Outcome::Complete("Do without further context.".into())),
    }
}
