//! Tasks that are kept between calls: tools make, move on and delete them, resources show them, prompts review and order them.
//! Needs state. Must not answer a missing task with success.

mod store;

use std::time::{Duration, SystemTime};

use kennel_sdk::prelude::*;
use store::{Status, Task};

/// How far back a weekly review looks for what was completed.
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[derive(Deserialize, JsonSchema)]
struct NewTask {
    /// What is to be done, in a few words.
    #[schemars(length(min = 1))]
    title: String,
    /// What belongs to it.
    description: String,
}

/// Creates a task. It is pending.
#[tool(destructive = false, idempotent = false, open_world = false, output = Task)]
fn create_task(args: NewTask) -> Result<ToolResult> {
    if args.title.trim().is_empty() {
        return Err(Error::invalid("the title is blank: say what is to be done"));
    }
    let task = store::create(args.title, args.description)?;
    list_changed(ListKind::Resources);
    told(&format!("Created the task {}: {}", task.id, task.title), &task)
}

#[derive(Deserialize, JsonSchema)]
struct NewStatus {
    /// The task's id.
    id: String,
    /// How far it is.
    status: Status,
}

/// Sets how far a task is.
#[tool(destructive = false, idempotent, open_world = false, output = Task)]
fn update_task_status(args: NewStatus) -> Result<ToolResult> {
    let task = store::set_status(&args.id, args.status)?;
    resource_updated(&task.uri());
    told(&format!("The task {} is {}: {}", task.id, task.status.name(), task.title), &task)
}

#[derive(Deserialize, JsonSchema)]
struct ById {
    /// The task's id.
    id: String,
}

/// Deletes a task.
#[tool(destructive, idempotent = false, open_world = false, output = Task)]
fn delete_task(args: ById) -> Result<ToolResult> {
    let task = store::delete(&args.id)?;
    list_changed(ListKind::Resources);
    told(&format!("Deleted the task {}: {}", task.id, task.title), &task)
}

fn told(text: &str, task: &Task) -> Result<ToolResult> {
    ToolResult::new().text(text).structured(task)
}

/// One task.
#[resource("task://{id}", title = "A task", mime = "application/json", list = list_tasks)]
fn task(id: String) -> Result<Option<Pretty<Task>>> {
    Ok(store::read(&id)?.map(Pretty))
}

fn list_tasks() -> Result<Vec<ResourceInfo>> {
    Ok(store::all()?.iter().map(info).collect())
}

fn info(task: &Task) -> ResourceInfo {
    ResourceInfo {
        meta: Some(json!({ "status": task.status, "createdAt": task.created_at }).to_string()),
        ..ResourceInfo::new(task.uri(), format!("task-{}", task.id))
            .title(&task.title)
            .description(&task.description)
            .mime("application/json")
    }
}

#[complete(template = "task://{id}", argument = "id")]
fn ids(typed: &str) -> Result<Vec<String>> {
    Ok(store::all()?.into_iter().map(|task| task.id).filter(|id| id.starts_with(typed)).collect())
}

#[derive(Deserialize, JsonSchema)]
struct Review {
    /// Whether the tasks that were completed within the last seven days are part of it; they are not if left out.
    include_completed: Option<bool>,
}

/// Reviews the week: what is open, and, if you like, what was completed in it.
#[prompt(title = "Weekly review")]
fn weekly_review(args: Review) -> Result<Vec<Message>> {
    let since = SystemTime::now().checked_sub(WEEK).map(store::time).unwrap_or_default();
    let completed = args.include_completed == Some(true);
    let tasks: Vec<_> = store::all()?
        .into_iter()
        .filter(|task| match task.status {
            Status::Completed => completed && task.updated_at >= since,
            Status::Pending | Status::InProgress => true,
        })
        .collect();
    let question = if completed {
        "Review my week. Sum up what was completed, say what is stuck, and propose what to do next week. These are my open tasks \
         and those completed in the last seven days:"
    } else {
        "Review my week. Say what is stuck and propose what to do next week. These are my open tasks:"
    };
    with_tasks(question, &tasks)
}

/// Orders the open tasks by what should be done first.
#[prompt(title = "Task prioritization")]
fn task_prioritization() -> Result<Vec<Message>> {
    let mut tasks = store::all()?;
    tasks.retain(|task| task.status != Status::Completed);
    with_tasks(
        "Order these tasks by urgency and importance, the first to do first, and give the reason for each place in a sentence:",
        &tasks,
    )
}

/// A question and the tasks it is about, each as the resource that it is.
fn with_tasks(question: &str, tasks: &[Task]) -> Result<Vec<Message>> {
    if tasks.is_empty() {
        return Ok(vec![Message::user("There are no such tasks. Say so, and offer to create one.")]);
    }
    let mut messages = vec![Message::user(question)];
    for task in tasks {
        let text = serde_json::to_string_pretty(task)?;
        let contents = ResourceContents::text(task.uri(), text).mime("application/json");
        messages.push(Message::user(Content::embedded(contents)));
    }
    Ok(messages)
}

plugin! {
    tools: [create_task, update_task_status, delete_task],
    resources: [task],
    prompts: [weekly_review, task_prioritization],
    completions: [ids],
    asks: {
        state: { quota: "16MiB", scope: "plugin", why: "keeps the tasks" },
    },
}
