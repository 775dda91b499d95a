//! A plugin that asks what the end-to-end tests tell it to, and gives back the answers as they came.
//! Must not be of use to anybody else.

use kennel_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Ask {
    /// The questions of each round: `{"key", "form": {"message", "schema"}}`, `{"key", "url": {"message", "url", "id"}}`,
    /// `{"key", "sample": params}` or `{"key", "roots": true}`.
    rounds: Vec<Vec<Value>>,
    /// Ask the last round again and again.
    #[serde(default)]
    forever: bool,
}

/// The answers of the rounds so far.
type Rounds = Vec<serde_json::Map<String, Value>>;

/// Asks, round after round.
#[tool]
fn ask(args: Ask, context: Context) -> Result<Outcome<String>> {
    let mut done: Rounds = context.continuation()?.unwrap_or_default();
    let round = |at: usize| args.rounds.get(at).or_else(|| args.rounds.last().filter(|_| args.forever));
    if context.is_resumed() {
        let mut answers = serde_json::Map::new();
        for question in round(done.len()).into_iter().flatten() {
            let key = question["key"].as_str().unwrap_or_default();
            if let Some(answer) = context.raw_answer(key) {
                answers.insert(key.to_owned(), serde_json::from_str(answer)?);
            }
        }
        done.push(answers);
    }
    match round(done.len()) {
        None => Ok(Outcome::Complete(serde_json::to_string(&done)?)),
        Some(questions) => Outcome::ask(questions.iter().fold(Questions::new(), add), &done),
    }
}

fn add(questions: Questions, asked: &Value) -> Questions {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = text(&asked["key"]);
    let (form, url) = (&asked["form"], &asked["url"]);
    if form.is_object() {
        questions.form_with_schema(key, text(&form["message"]), &form["schema"])
    } else if url.is_object() {
        questions.url(key, text(&url["message"]), text(&url["url"]), text(&url["id"]))
    } else if asked["sample"].is_object() {
        questions.sample(key, &asked["sample"])
    } else {
        questions.roots(key)
    }
}

/// Asks only what the client can answer.
#[tool]
fn ask_politely(context: Context) -> Result<Outcome<String>> {
    if context.is_resumed() {
        return Ok(Outcome::Complete(context.sampled_text("model")?.unwrap_or_else(|| "(no model)".into())));
    }
    if !context.capabilities().sampling {
        return Err(Error::MissingCapability("sampling".into()));
    }
    Outcome::ask(Questions::new().sample_text("model", "What is the capital of France?", 20), &())
}

#[derive(Deserialize, JsonSchema)]
struct Name {
    /// What you are called.
    name: String,
}

fn name(context: &Context) -> Result<Outcome<String>> {
    match context.answer::<Name>("name")? {
        None => Outcome::ask(Questions::new().form::<Name>("name", "What is your name?"), &()),
        Some(Answer::Accepted(Name { name })) => Ok(Outcome::Complete(format!("Hello, {name}!"))),
        Some(_) => Ok(Outcome::Complete("Hello, stranger!".into())),
    }
}

/// Greets whoever answers.
#[prompt]
fn greet(context: Context) -> Result<Outcome<String>> {
    name(&context)
}

/// A greeting for whoever answers.
#[resource("asker:///greeting", mime = "text/plain")]
fn greeting(context: Context) -> Result<Outcome<String>> {
    name(&context)
}

plugin! {
    tools: [ask, ask_politely],
    prompts: [greet],
    resources: [greeting],
    asks: { elicit: true, sample: true, roots: true },
}
