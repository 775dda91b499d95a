//! Tools that may run as a task, which a client polls instead of waiting: `task = "optional"` or `"required"`, and
//! `detach()` where the long part begins. A question before `detach` is asked in the call, one after it by the task.
//! Must not keep time itself: the host bounds and stops a task like any call.

use std::time::Duration;

use kennel_sdk::prelude::*;

use crate::answers::{Named, name_of};

/// Greets somebody at once.
#[tool(read_only, open_world = false)]
pub(crate) fn greet(args: Named) -> String {
    format!("Hello, {}!", args.name)
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Compute {
    /// How long it takes.
    #[schemars(range(min = 0.0, max = 600.0))]
    seconds: f64,
    /// A name for the result.
    label: String,
}

/// Takes its time.
#[tool(task = "optional", read_only, open_world = false)]
pub(crate) fn slow_compute(args: Compute) -> Result<String> {
    detach();
    let whole = Duration::try_from_secs_f64(args.seconds)?;
    let steps = 10;
    for step in 0..steps {
        progress(f64::from(step), f64::from(steps), None);
        std::thread::sleep(whole / steps);
    }
    Ok(format!("{} took {} s.", args.label, args.seconds))
}

/// Works in vain.
#[tool(task = "required", read_only, open_world = false)]
pub(crate) fn failing_job() -> Result<String> {
    detach();
    std::thread::sleep(Duration::from_millis(100));
    bail!("The job failed, as it always does")
}

/// Ends with an error of the protocol rather than of the tool.
#[tool(task = "optional", read_only, open_world = false)]
pub(crate) fn protocol_error_job() -> Result<String> {
    detach();
    Err(Error::protocol(1001, "The job ended with an error of its own", None))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Delete {
    /// What to delete.
    filename: String,
}

#[derive(Deserialize, JsonSchema)]
struct Confirm {
    /// Whether to delete it.
    confirm: bool,
}

/// Asks before it deletes (it has nothing that it could delete).
#[tool(task = "optional")]
pub(crate) fn confirm_delete(args: Delete, context: Context) -> Result<Outcome<String>> {
    detach();
    match context.answer::<Confirm>("confirm")? {
        None => {
            let question = format!("Delete {}?", args.filename);
            Outcome::ask(Questions::new().form::<Confirm>("confirm", question), &())
        }
        Some(Answer::Accepted(Confirm { confirm: true })) => {
            Ok(Outcome::Complete(format!("Deleted {}.", args.filename)))
        }
        Some(_) => Ok(Outcome::Complete(format!("Kept {}.", args.filename))),
    }
}

/// A name, and whether it is the right one.
#[derive(Deserialize, JsonSchema)]
struct Part {
    /// Any name.
    name: String,
    /// Whether that is the right one.
    #[serde(default)]
    confirm: bool,
}

/// Asks two things at once.
#[tool(task = "optional")]
pub(crate) fn multi_input(context: Context) -> Result<Outcome<String>> {
    detach();
    let (Some(first), Some(second)) = (context.answer::<Part>("first")?, context.answer::<Part>("second")?)
    else {
        let questions = Questions::new()
            .form::<Part>("first", "The first name?")
            .form::<Part>("second", "The second name?");
        return Outcome::ask(questions, &());
    };
    let told: Vec<String> = [first, second]
        .into_iter()
        .filter_map(Answer::accepted)
        .map(|part| if part.confirm { part.name } else { format!("{} (perhaps)", part.name) })
        .collect();
    Ok(Outcome::Complete(format!("Got {}.", told.join(" and "))))
}

/// Asks for a name in the call, then goes on as a task.
#[tool(task = "required")]
pub(crate) fn test_tool_with_task(context: Context) -> Result<Outcome<String>> {
    match context.answer("user_name")? {
        None => Outcome::ask(Questions::new().form::<Named>("user_name", "What is your name?"), &()),
        Some(answer) => {
            let name = name_of(answer);
            detach();
            std::thread::sleep(Duration::from_millis(200));
            Ok(Outcome::Complete(format!("Worked for {name}.")))
        }
    }
}
