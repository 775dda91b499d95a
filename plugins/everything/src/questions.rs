//! Single questions to the person and to the model. Each function is written once: whether the client is asked by a
//! request of the server or by a result that it answers is the host's business.
//! Must not wait: a function returns its question and is called again with the answer.

use kennel_sdk::prelude::*;

use crate::answers::told;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Ask {
    /// What to ask the model.
    prompt: String,
}

/// Asks the client's model.
#[tool]
pub(crate) fn test_sampling(args: Ask, context: Context) -> Result<Outcome<String>> {
    match context.sampled_text("model")? {
        None => Outcome::ask(Questions::new().sample_text("model", &args.prompt, 100), &()),
        Some(text) => Ok(Outcome::Complete(format!("LLM response: {text}"))),
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Message {
    /// What to tell the person.
    message: String,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "the answer is shown as it came")]
struct Contact {
    /// How you are called here.
    username: String,
    /// Where to write to.
    #[schemars(extend("format" = "email"))]
    email: String,
}

/// Asks the person for a name and an address.
#[tool]
pub(crate) fn test_elicitation(args: Message, context: Context) -> Result<Outcome<String>> {
    match context.answer::<Value>("contact")? {
        None => Outcome::ask(Questions::new().form::<Contact>("contact", args.message), &()),
        Some(answer) => Ok(Outcome::Complete(told("User response", &answer))),
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Inactive,
    Pending,
}

/// A form that is filled in already.
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
struct Profile {
    /// Your name.
    name: String,
    /// Your age in years.
    age: i32,
    /// Your score.
    score: f64,
    /// Whether you are here.
    status: Status,
    /// Whether somebody checked that.
    verified: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self { name: "John Doe".into(), age: 30, score: 95.5, status: Status::Active, verified: true }
    }
}

/// Asks the person with a form whose fields have defaults.
#[tool]
pub(crate) fn test_elicitation_sep1034_defaults(context: Context) -> Result<Outcome<String>> {
    match context.answer::<Value>("profile")? {
        None => {
            let message = "Please review and update the form fields with defaults";
            Outcome::ask(Questions::new().form::<Profile>("profile", message), &())
        }
        Some(answer) => Ok(Outcome::Complete(told("Elicitation completed", &answer))),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Plain {
    Option1,
    Option2,
    Option3,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Titled {
    #[schemars(title = "First Option")]
    Value1,
    #[schemars(title = "Second Option")]
    Value2,
    #[schemars(title = "Third Option")]
    Value3,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Old {
    Opt1,
    Opt2,
    Opt3,
}

/// A form with every kind of choice.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "the answer is shown as it came")]
struct Choices {
    /// One of three.
    untitled_single: Plain,
    /// One of three, with names for people.
    titled_single: Titled,
    /// One of three, with names for people as they were written once.
    #[schemars(extend("enumNames" = ["Option One", "Option Two", "Option Three"]))]
    legacy_enum: Old,
    /// Some of three.
    untitled_multi: Vec<Plain>,
    /// Some of three, with names for people.
    titled_multi: Vec<Titled>,
}

/// Asks the person with a form of choices.
#[tool]
pub(crate) fn test_elicitation_sep1330_enums(context: Context) -> Result<Outcome<String>> {
    match context.answer::<Value>("choices")? {
        None => {
            let message = "Please select options from the enum fields";
            Outcome::ask(Questions::new().form::<Choices>("choices", message), &())
        }
        Some(answer) => Ok(Outcome::Complete(told("Elicitation completed", &answer))),
    }
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "the answer is shown as it came")]
struct Confirmation {
    /// Whether to go on.
    proceed: bool,
}

/// Reports progress, then asks the person.
#[tool]
pub(crate) fn test_streaming_elicitation(context: Context) -> Result<Outcome<String>> {
    match context.answer::<Value>("confirmation")? {
        None => {
            progress(1.0, 2.0, "asking");
            Outcome::ask(Questions::new().form::<Confirmation>("confirmation", "Shall this go on?"), &())
        }
        Some(answer) => Ok(Outcome::Complete(told("Elicitation completed", &answer))),
    }
}

/// Cannot do without the client's model, and says so before it does anything.
#[tool]
pub(crate) fn test_missing_capability(context: Context) -> Result<&'static str> {
    if !context.capabilities().sampling {
        return Err(Error::missing_capability("sampling"));
    }
    Ok("This client lets servers ask its model.")
}
