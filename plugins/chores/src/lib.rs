//! Work that takes long, asks in between, or says that things changed, as the end-to-end tests of tasks and of change
//! streams want it.
//! Must not be of use to anybody else.

use std::time::Duration;

use kennel_sdk::prelude::*;
use kennel_sdk::{detach, list_changed, resource_updated};

#[derive(Deserialize, JsonSchema)]
struct Chore {
    /// How long it takes, in milliseconds.
    #[serde(default)]
    ms: u64,
    /// What to say at the end.
    #[serde(default)]
    say: String,
}

/// Says at once that it takes long, reports progress once, and takes its time.
#[tool(task = "optional")]
fn chore(args: Chore) -> Result<String> {
    detach();
    progress(1.0, 2.0, "half done");
    std::thread::sleep(Duration::from_millis(args.ms));
    Ok(format!("done: {}", args.say))
}

/// Takes its time and says nothing of it.
#[tool(task = "optional")]
fn quiet_chore(args: Chore) -> Result<String> {
    std::thread::sleep(Duration::from_millis(args.ms));
    Ok(format!("done: {}", args.say))
}

/// Runs only as a task.
#[tool(task = "required")]
fn errand(args: Chore) -> Result<String> {
    std::thread::sleep(Duration::from_millis(args.ms));
    Ok(format!("done: {}", args.say))
}

/// Fails after a while, as a tool.
#[tool(task = "optional")]
fn failing(args: Chore) -> Result<String> {
    detach();
    std::thread::sleep(Duration::from_millis(args.ms));
    Err(Error::failed(args.say))
}

/// Fails after a while, with an error of the protocol.
#[tool(task = "optional")]
fn broken(args: Chore) -> Result<String> {
    detach();
    Err(Error::protocol(7, args.say, None))
}

/// Never ends by itself.
#[tool(task = "optional")]
#[expect(clippy::empty_loop, reason = "that is what the tool is for")]
fn endless() -> Result<String> {
    detach();
    loop {}
}

/// Gives back so many bytes of text.
#[tool(task = "optional")]
fn heavy(args: Chore) -> Result<String> {
    detach();
    Ok("x".repeat(usize::try_from(args.ms).unwrap_or(0)))
}

#[derive(Deserialize, JsonSchema)]
struct Sure {
    /// Really?
    really: bool,
}

/// Asks two things in the middle of a task, and one more afterwards.
#[tool(task = "optional")]
fn careful(context: Context) -> Result<Outcome<String>> {
    detach();
    let round: u32 = context.continuation()?.unwrap_or(0);
    let sure = |key: &str| -> Result<bool> {
        Ok(matches!(context.answer::<Sure>(key)?, Some(Answer::Accepted(Sure { really: true }))))
    };
    match round {
        0 => Outcome::ask(Questions::new().form::<Sure>("a", "First?").form::<Sure>("b", "Second?"), &1),
        1 if sure("a")? && sure("b")? => Outcome::ask(Questions::new().form::<Sure>("a", "Third?"), &2),
        2 if sure("a")? => Ok(Outcome::Complete("all sure".into())),
        _ => Ok(Outcome::Complete("not sure".into())),
    }
}

/// Asks before it becomes a task.
#[tool(task = "required")]
fn asks_first(context: Context) -> Result<Outcome<String>> {
    match context.answer::<Sure>("sure")? {
        None => Outcome::ask(Questions::new().form::<Sure>("sure", "Sure?"), &()),
        Some(Answer::Accepted(Sure { really })) => Ok(Outcome::Complete(format!("sure: {really}"))),
        Some(_) => Ok(Outcome::Complete("declined".into())),
    }
}

/// A chore that may have changed.
#[resource("chore:///{id}", mime = "text/plain", list = list_chores)]
fn chore_text(id: u64) -> Result<Option<String>> {
    Ok((id < 3).then(|| format!("chore {id}")))
}

fn list_chores() -> Result<Vec<ResourceInfo>> {
    Ok((0..3).map(|id| ResourceInfo::new(format!("chore:///{id}"), format!("chore-{id}"))).collect())
}

#[derive(Deserialize, JsonSchema)]
struct Touch {
    /// Which resource has new contents.
    uri: String,
}

/// Says that a resource has new contents.
#[tool]
fn touch(args: Touch) -> Result<String> {
    resource_updated(&args.uri);
    Ok(args.uri)
}

#[derive(Deserialize, JsonSchema)]
struct Shuffle {
    /// `tools`, `prompts` or `resources`.
    list: String,
}

/// Says that a list is different.
#[tool]
fn shuffle(args: Shuffle) -> Result<String> {
    list_changed(match args.list.as_str() {
        "tools" => ListKind::Tools,
        "prompts" => ListKind::Prompts,
        _ => ListKind::Resources,
    });
    Ok(args.list)
}

#[derive(Serialize, JsonSchema)]
struct Traced {
    traceparent: Option<String>,
    tracestate: Option<String>,
    meta: Option<Value>,
}

/// What reached it of the request's `_meta`.
#[tool(icons = [Icon::new("https://example.org/chores.png")])]
fn traced(context: Context) -> Result<Json<Traced>> {
    let (traceparent, tracestate) = context.trace();
    Ok(Json(Traced { traceparent, tracestate, meta: context.meta()? }))
}

plugin! {
    tools: [
        chore, quiet_chore, errand, failing, broken, endless, heavy, careful, asks_first, touch, shuffle, traced,
    ],
    resources: [chore_text],
    asks: { elicit: true },
}
