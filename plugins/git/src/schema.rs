//! The schemas of the arguments as the original publishes them, titles included.
//! Must not differ from what `lib` takes.

use kennel_sdk::prelude::*;

const TIMESTAMPS: &str = "Accepts: ISO 8601 format (e.g., '2024-01-15T14:30:25'), relative dates (e.g., '2 weeks \
                          ago', 'yesterday'), or absolute dates (e.g., '2024-01-15', 'Jan 15 2024')";

/// An object with these properties, of which the first `required` have to be there.
fn object(title: &str, required: usize, properties: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = properties.iter().map(|(name, _)| *name).take(required).collect();
    let properties: serde_json::Map<String, Value> =
        properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "properties": properties, "required": names, "type": "object", "title": format!("{title}Arguments") })
}

fn repo_path() -> (&'static str, Value) {
    ("repo_path", text("Repo Path"))
}

fn context_lines() -> (&'static str, Value) {
    ("context_lines", json!({ "default": 3, "title": "Context Lines", "type": "integer" }))
}

fn text(title: &str) -> Value {
    json!({ "title": title, "type": "string" })
}

fn optional(title: &str) -> Value {
    json!({ "anyOf": [{ "type": "string" }, { "type": "null" }], "default": null, "title": title })
}

fn described(mut schema: Value, words: &str) -> Value {
    schema["description"] = words.into();
    schema
}

/// Only the repository.
pub(crate) fn repo(title: &str) -> Value {
    object(title, 1, &[repo_path()])
}

/// The repository and how much is shown around a change.
pub(crate) fn diff_of(title: &str) -> Value {
    object(title, 1, &[repo_path(), context_lines()])
}

pub(crate) fn diff() -> Value {
    object("diff", 2, &[repo_path(), ("target", text("Target")), context_lines()])
}

pub(crate) fn commit() -> Value {
    object("commit", 2, &[repo_path(), ("message", text("Message"))])
}

pub(crate) fn add() -> Value {
    let files = json!({ "items": { "type": "string" }, "minItems": 1, "title": "Files", "type": "array" });
    object("add", 2, &[repo_path(), ("files", files)])
}

pub(crate) fn log() -> Value {
    let bound = |title: &str, which: &str| {
        described(optional(title), &format!("{which} timestamp for filtering commits. {TIMESTAMPS}"))
    };
    let most = json!({ "default": 10, "title": "Max Count", "type": "integer" });
    object(
        "log",
        1,
        &[
            repo_path(),
            ("max_count", most),
            ("start_timestamp", bound("Start Timestamp", "Start")),
            ("end_timestamp", bound("End Timestamp", "End")),
        ],
    )
}

pub(crate) fn create_branch() -> Value {
    let base = optional("Base Branch");
    object("create_branch", 2, &[repo_path(), ("branch_name", text("Branch Name")), ("base_branch", base)])
}

pub(crate) fn checkout() -> Value {
    object("checkout", 2, &[repo_path(), ("branch_name", text("Branch Name"))])
}

pub(crate) fn show() -> Value {
    object("show", 2, &[repo_path(), ("revision", text("Revision"))])
}

pub(crate) fn branch() -> Value {
    let which =
        "Whether to list local branches ('local'), remote branches ('remote') or all branches('all').";
    let sha = |title: &str, not: &str| {
        let words = format!(
            "The commit sha that branch should {not}contain. Do not pass anything to this param if no commit sha is \
             specified"
        );
        described(optional(title), &words)
    };
    object(
        "branch",
        2,
        &[
            ("repo_path", described(text("Repo Path"), "The path to the Git repository.")),
            ("branch_type", described(text("Branch Type"), which)),
            ("contains", sha("Contains", "")),
            ("not_contains", sha("Not Contains", "NOT ")),
        ],
    )
}
