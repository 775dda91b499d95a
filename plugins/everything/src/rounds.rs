//! Questions in rounds: several at once, one after the other, only those that the client can answer, and what is
//! kept between the rounds.
//! Must not trust what is kept less than its own memory: the host seals it.

use kennel_sdk::prelude::*;

use crate::answers::{Named, name_of};

/// Asks the person for a name.
#[tool]
pub(crate) fn test_input_required_result_elicitation(context: Context) -> Result<Outcome<String>> {
    match context.answer("user_name")? {
        None => Outcome::ask(Questions::new().form::<Named>("user_name", "What is your name?"), &()),
        Some(answer) => Ok(Outcome::Complete(format!("Hello, {}!", name_of(answer)))),
    }
}

/// Asks the client's model for a capital.
#[tool]
pub(crate) fn test_input_required_result_sampling(context: Context) -> Result<Outcome<String>> {
    match context.sampled_text("capital_question")? {
        None => {
            let question = "What is the capital of France?";
            Outcome::ask(Questions::new().sample_text("capital_question", question, 100), &())
        }
        Some(text) => Ok(Outcome::Complete(text)),
    }
}

/// Asks which directories the client works in.
#[tool]
pub(crate) fn test_input_required_result_list_roots(context: Context) -> Result<Outcome<String>> {
    match context.roots("client_roots")? {
        None => Outcome::ask(Questions::new().roots("client_roots"), &()),
        Some(roots) => {
            let uris: Vec<&str> = roots.iter().map(|root| root.uri.as_str()).collect();
            Ok(Outcome::Complete(format!("{} roots: {}", uris.len(), uris.join(", "))))
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct Okay {
    /// Whether it is.
    ok: bool,
}

/// Asks for a confirmation and remembers `kept` meanwhile.
fn confirm(context: &Context, kept: &str) -> Result<Outcome<String>> {
    match context.answer::<Okay>("confirm")? {
        None => Outcome::ask(Questions::new().form::<Okay>("confirm", "Please confirm"), kept),
        Some(answer) => {
            let same = context.continuation::<String>()?.as_deref() == Some(kept);
            let agreed = matches!(answer, Answer::Accepted(Okay { ok: true }));
            let state = if same { "state-ok" } else { "state-lost" };
            Ok(Outcome::Complete(format!("{state}, {}", if agreed { "confirmed" } else { "not confirmed" })))
        }
    }
}

/// Asks for a confirmation and checks that what it kept came back.
#[tool]
pub(crate) fn test_input_required_result_request_state(context: &Context) -> Result<Outcome<String>> {
    confirm(context, "kept over one round")
}

/// The same, for a client that changes what it should only carry.
#[tool]
pub(crate) fn test_input_required_result_tampered_state(context: &Context) -> Result<Outcome<String>> {
    confirm(context, "not to be changed")
}

/// Asks the person, the model and the client at once.
#[tool]
pub(crate) fn test_input_required_result_multiple_inputs(context: Context) -> Result<Outcome<String>> {
    let answers =
        (context.answer("user_name")?, context.sampled_text("greeting")?, context.roots("client_roots")?);
    let (Some(name), Some(greeting), Some(roots)) = answers else {
        let questions = Questions::new()
            .form::<Named>("user_name", "What is your name?")
            .sample_text("greeting", "Generate a greeting", 50)
            .roots("client_roots");
        return Outcome::ask(questions, &());
    };
    Ok(Outcome::Complete(format!("{greeting} ({}, {} roots)", name_of(name), roots.len())))
}

#[derive(Deserialize, JsonSchema)]
struct Color {
    /// Any color.
    color: String,
}

/// Asks for a name, then for a color.
#[tool]
pub(crate) fn test_input_required_result_multi_round(context: Context) -> Result<Outcome<String>> {
    // What was answered in the first round is kept for the second.
    let name = match (context.continuation::<Option<String>>()?.flatten(), context.answer("step1")?) {
        (Some(name), _) => name,
        (None, Some(answer)) => name_of(answer),
        (None, None) => {
            let question = "Step 1: What is your name?";
            return Outcome::ask(Questions::new().form::<Named>("step1", question), &None::<String>);
        }
    };
    match context.answer::<Color>("step2")? {
        None => {
            let question = "Step 2: What is your favorite color?";
            Outcome::ask(Questions::new().form::<Color>("step2", question), &Some(name))
        }
        Some(Answer::Accepted(Color { color })) => Ok(Outcome::Complete(format!("{name} likes {color}."))),
        Some(_) => Ok(Outcome::Complete(format!("{name} likes no color."))),
    }
}

/// Asks whoever this client lets it ask: the person, the model, or both.
#[tool]
pub(crate) fn test_input_required_result_capabilities(context: Context) -> Result<Outcome<String>> {
    let can = context.capabilities();
    let name: Option<Answer<Named>> = context.answer("user_name")?;
    let greeting = context.sampled_text("greeting")?;
    let mut questions = Questions::new();
    let mut open = false;
    if can.elicit_form && name.is_none() {
        questions = questions.form::<Named>("user_name", "What is your name?");
        open = true;
    }
    if can.sampling && greeting.is_none() {
        questions = questions.sample_text("greeting", "Generate a greeting", 50);
        open = true;
    }
    if open {
        return Outcome::ask(questions, &());
    }
    let name = name.map_or_else(|| "nobody in particular".into(), name_of);
    Ok(Outcome::Complete(format!("{} ({name})", greeting.unwrap_or_else(|| "Hello!".into()))))
}
