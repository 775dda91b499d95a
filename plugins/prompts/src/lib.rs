//! Prompts for developers: commits, explanations, reviews, errors, and a project's file and log attached.
//! Needs, for files, a directory to read. Must not attach anything that was not named.

mod attached;

use kennel_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct GitCommit {
    /// Git diff or description of changes
    changes: String,
}

/// Generate a Git commit message
#[prompt(name = "git-commit")]
fn git_commit(args: GitCommit) -> Vec<Message> {
    vec![Message::user(format!(
        "Generate a concise but descriptive commit message for these changes:\n\n{}",
        args.changes
    ))]
}

#[derive(Deserialize, JsonSchema)]
struct ExplainCode {
    /// Code to explain
    code: String,
    /// Programming language
    language: Option<String>,
}

/// Explain how code works
#[prompt(name = "explain-code")]
fn explain_code(args: ExplainCode) -> Vec<Message> {
    let language = args.language.as_deref().unwrap_or("Unknown");
    vec![Message::user(format!("Explain how this {language} code works:\n\n{}", args.code))]
}

#[derive(Deserialize, JsonSchema)]
struct AnalyzeCode {
    /// Programming language
    language: String,
    /// Code to analyze; if left out, the code in the conversation
    code: Option<String>,
}

/// Analyze code for potential improvements
#[prompt(name = "analyze-code")]
fn analyze_code(args: AnalyzeCode) -> Vec<Message> {
    let language = &args.language;
    vec![Message::user(match &args.code {
        Some(code) => format!(
            "Please analyze the following {language} code for potential improvements:\n\n{}",
            fenced(language, code)
        ),
        None => format!(
            "Please analyze the {language} code in this conversation for potential improvements. If there is none yet, ask me for it."
        ),
    })]
}

/// Code between fences longer than any in it, so that it cannot end them.
fn fenced(language: &str, code: &str) -> String {
    let longest = code.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let name: String =
        language.chars().filter(|character| !character.is_whitespace() && *character != '`').collect();
    format!("{fence}{}\n{}\n{fence}", name.to_lowercase(), code.trim_end_matches('\n'))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AnalyzeProject {
    /// Time period to analyze logs, such as 1h, 30m or 2days
    timeframe: String,
    /// URI of code file to review
    file_uri: String,
}

/// Analyze project logs and code
#[prompt(name = "analyze-project")]
fn analyze_project(args: AnalyzeProject) -> Result<Vec<Message>> {
    let log = attached::log(&args.timeframe)?;
    let file = attached::file(&args.file_uri)?;
    let attach = |contents| Message::user(Content::embedded(contents));
    Ok(match log {
        Some(log) => vec![
            Message::user("Analyze these system logs and the code file for any issues:"),
            attach(log),
            attach(file),
        ],
        None => vec![
            Message::user("Analyze this code file for any issues (no log is set for this project):"),
            attach(file),
        ],
    })
}

#[derive(Deserialize, JsonSchema)]
struct DebugError {
    /// Error message
    error: String,
    /// What was tried already
    tried: Option<String>,
}

/// Debug an error step by step
#[prompt(name = "debug-error")]
fn debug_error(args: DebugError) -> Vec<Message> {
    let mut messages = vec![
        Message::user(format!("Here's an error I'm seeing: {}", args.error)),
        Message::assistant("I'll help analyze this error. What have you tried so far?"),
    ];
    if let Some(tried) = args.tried {
        messages.push(Message::user(format!("I've tried this, but the error persists: {tried}")));
    }
    messages
}

#[derive(Deserialize, JsonSchema)]
struct CodeReview {
    /// Programming language
    language: String,
    /// The change, as a diff
    diff: String,
}

/// Review a change
#[prompt]
fn code_review(args: CodeReview) -> Vec<Message> {
    vec![Message::user(format!(
        "Please review this {} change. Name faults first, the gravest at the top, each with its line and a way to mend it:\n\n{}",
        args.language,
        fenced("diff", &args.diff)
    ))]
}

#[derive(Deserialize, JsonSchema)]
struct DebugAssistant {
    /// The error message
    error_message: String,
}

/// Find the cause of an error together
#[prompt]
fn debug_assistant(args: DebugAssistant) -> Vec<Message> {
    vec![
        Message::user(format!("I'm seeing this error:\n\n{}", fenced("", &args.error_message))),
        Message::assistant(
            "I'll help debug that. What were you doing when it came, and what have you tried so far?",
        ),
    ]
}

const LANGUAGES: [&str; 20] = [
    "Bash",
    "C",
    "C#",
    "C++",
    "CSS",
    "Dart",
    "Go",
    "HTML",
    "Haskell",
    "Java",
    "JavaScript",
    "Kotlin",
    "Lua",
    "PHP",
    "Python",
    "Ruby",
    "Rust",
    "SQL",
    "Swift",
    "TypeScript",
];

fn languages(typed: &str) -> Vec<&'static str> {
    let typed = typed.to_lowercase();
    LANGUAGES.into_iter().filter(|name| name.to_lowercase().starts_with(&typed)).collect()
}

#[complete(prompt = "explain-code", argument = "language")]
fn explained(typed: &str) -> Vec<&'static str> {
    languages(typed)
}

#[complete(prompt = "analyze-code", argument = "language")]
fn analyzed(typed: &str) -> Vec<&'static str> {
    languages(typed)
}

#[complete(prompt = "code_review", argument = "language")]
fn reviewed(typed: &str) -> Vec<&'static str> {
    languages(typed)
}

plugin! {
    prompts: [git_commit, explain_code, analyze_code, analyze_project, debug_error, code_review, debug_assistant],
    completions: [explained, analyzed, reviewed],
    asks: {
        directories: { mode: "read-only", why: "attaches the file and the log that analyze-project names" },
        settings: [{ name: "log-file", why: "the log that analyze-project attaches; none if unset" }],
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn code_cannot_end_its_fence() {
        assert_eq!(fenced("Rust", "a\n"), "```rust\na\n```");
        assert_eq!(fenced("x y`", "````\n"), "`````xy\n````\n`````");
    }

    #[test]
    fn languages_are_completed_whatever_the_case() {
        assert_eq!(languages("ja"), ["Java", "JavaScript"]);
        assert_eq!(languages("").len(), LANGUAGES.len());
        assert!(languages("x").is_empty());
    }
}
