//! The plugin `git`: one repository for a model, with the tools, texts and errors of PyPI `mcp-server-git`, in the
//! directory that was granted. No `git` is run: repositories are read and written here.
//! Here stand the tools as clients see them; must not hold what they do.

mod access;
mod branches;
mod changes;
mod checkout;
mod commit;
mod dates;
mod differences;
mod failure;
mod history;
mod identity;
mod ignores;
mod index;
mod objects;
mod packs;
mod patch;
mod refs;
mod renames;
mod repo;
mod revision;
mod schema;
mod show;
mod staging;
mod status;
mod text;
mod trees;
mod worktree;

use failure::Failure;
use kennel_sdk::prelude::*;
use repo::Repo;

/// Lines around a change when nobody says how many.
const fn three() -> i64 {
    3
}

/// Commits in a log when nobody says how many.
const fn ten() -> i64 {
    10
}

#[derive(Deserialize)]
struct OfRepo {
    repo_path: String,
}

#[derive(Deserialize)]
struct Diff {
    repo_path: String,
    #[serde(default = "three")]
    context_lines: i64,
}

#[derive(Deserialize)]
struct DiffFrom {
    repo_path: String,
    target: String,
    #[serde(default = "three")]
    context_lines: i64,
}

#[derive(Deserialize)]
struct Commit {
    repo_path: String,
    message: String,
}

#[derive(Deserialize)]
struct Add {
    repo_path: String,
    files: Vec<String>,
}

#[derive(Deserialize)]
struct Log {
    repo_path: String,
    #[serde(default = "ten")]
    max_count: i64,
    start_timestamp: Option<String>,
    end_timestamp: Option<String>,
}

#[derive(Deserialize)]
struct CreateBranch {
    repo_path: String,
    branch_name: String,
    base_branch: Option<String>,
}

#[derive(Deserialize)]
struct Checkout {
    repo_path: String,
    branch_name: String,
}

#[derive(Deserialize)]
struct Show {
    repo_path: String,
    revision: String,
}

#[derive(Deserialize)]
struct Branch {
    repo_path: String,
    branch_type: String,
    contains: Option<String>,
    not_contains: Option<String>,
}

/// A text for the model, or why not as the original's SDK words it.
fn answer(
    tool: &str,
    repo_path: &str,
    work: impl FnOnce(&Repo) -> Result<String, Failure>,
) -> Result<ToolResult> {
    match Repo::open(repo_path).and_then(|repo| work(&repo)) {
        Ok(text) => Ok(ToolResult::new().text(text)),
        Err(why) => Ok(ToolResult::error(format!("Error executing tool {tool}: {why}"))),
    }
}

#[tool(
    description = "Shows the working tree status",
    input_schema = schema::repo("status"),
    read_only, destructive = false, idempotent, open_world = false
)]
fn git_status(args: OfRepo) -> Result<ToolResult> {
    answer("git_status", &args.repo_path, |repo| Ok(format!("Repository status:\n{}", status::text(repo)?)))
}

#[tool(
    description = "Shows changes in the working directory that are not yet staged",
    input_schema = schema::diff_of("diff_unstaged"),
    read_only, destructive = false, idempotent, open_world = false
)]
fn git_diff_unstaged(args: Diff) -> Result<ToolResult> {
    answer("git_diff_unstaged", &args.repo_path, |repo| {
        Ok(format!("Unstaged changes:\n{}", differences::of_worktree(repo, args.context_lines)?))
    })
}

#[tool(
    description = "Shows changes that are staged for commit",
    input_schema = schema::diff_of("diff_staged"),
    read_only, destructive = false, idempotent, open_world = false
)]
fn git_diff_staged(args: Diff) -> Result<ToolResult> {
    answer("git_diff_staged", &args.repo_path, |repo| {
        Ok(format!("Staged changes:\n{}", differences::of_index(repo, args.context_lines)?))
    })
}

#[tool(
    description = "Shows differences between branches or commits",
    input_schema = schema::diff(),
    read_only, destructive = false, idempotent, open_world = false
)]
fn git_diff(args: DiffFrom) -> Result<ToolResult> {
    answer("git_diff", &args.repo_path, |repo| {
        revision::no_flag("target", &args.target)?;
        Ok(format!(
            "Diff with {}:\n{}",
            args.target,
            differences::from(repo, &args.target, args.context_lines)?
        ))
    })
}

#[tool(
    description = "Records changes to the repository",
    input_schema = schema::commit(),
    read_only = false, destructive = false, idempotent = false, open_world = false
)]
fn git_commit(args: Commit) -> Result<ToolResult> {
    answer("git_commit", &args.repo_path, |repo| commit::commit(repo, &args.message))
}

#[tool(
    description = "Adds file contents to the staging area",
    input_schema = schema::add(),
    read_only = false, destructive = false, idempotent, open_world = false
)]
fn git_add(args: Add) -> Result<ToolResult> {
    answer("git_add", &args.repo_path, |repo| {
        Ok(if staging::add(repo, &args.files)? {
            "Files staged successfully".to_owned()
        } else {
            "No changes were staged: the given paths had nothing new to stage. git_status shows what is modified or \
             untracked."
                .to_owned()
        })
    })
}

#[tool(
    description = "Unstages all staged changes",
    input_schema = schema::repo("reset"),
    read_only = false, destructive, idempotent, open_world = false
)]
fn git_reset(args: OfRepo) -> Result<ToolResult> {
    answer("git_reset", &args.repo_path, |repo| {
        staging::reset(repo)?;
        Ok("All staged changes reset".to_owned())
    })
}

#[tool(
    description = "Shows the commit logs",
    input_schema = schema::log(),
    read_only, destructive = false, idempotent, open_world = false
)]
fn git_log(args: Log) -> Result<ToolResult> {
    answer("git_log", &args.repo_path, |repo| {
        let wanted = show::Log {
            max_count: args.max_count,
            since: args.start_timestamp.as_deref(),
            until: args.end_timestamp.as_deref(),
        };
        Ok(format!("Commit history:\n{}", show::log(repo, &wanted)?.join("\n")))
    })
}

#[tool(
    description = "Creates a new branch from an optional base branch",
    input_schema = schema::create_branch(),
    read_only = false, destructive = false, idempotent = false, open_world = false
)]
fn git_create_branch(args: CreateBranch) -> Result<ToolResult> {
    answer("git_create_branch", &args.repo_path, |repo| {
        branches::create(repo, &args.branch_name, args.base_branch.as_deref())
    })
}

#[tool(
    description = "Switches branches",
    input_schema = schema::checkout(),
    read_only = false, destructive = false, idempotent = false, open_world = false
)]
fn git_checkout(args: Checkout) -> Result<ToolResult> {
    answer("git_checkout", &args.repo_path, |repo| checkout::checkout(repo, &args.branch_name))
}

#[tool(
    description = "Shows the contents of a commit, or of a file or directory given as <revision>:<path>",
    input_schema = schema::show(),
    read_only, destructive = false, idempotent, open_world = false
)]
fn git_show(args: Show) -> Result<ToolResult> {
    answer("git_show", &args.repo_path, |repo| show::show(repo, &args.revision))
}

#[tool(
    description = "List Git branches",
    input_schema = schema::branch(),
    read_only, destructive = false, idempotent, open_world = false
)]
fn git_branch(args: Branch) -> Result<ToolResult> {
    answer("git_branch", &args.repo_path, |repo| {
        branches::list(repo, &args.branch_type, args.contains.as_deref(), args.not_contains.as_deref())
    })
}

plugin! {
    tools: [
        git_status, git_diff_unstaged, git_diff_staged, git_diff, git_commit, git_add, git_reset, git_log,
        git_create_branch, git_checkout, git_show, git_branch,
    ],
    asks: {
        directories: { mode: "read-write", why: "the repository that it reads and, unless granted read-only, changes" },
        env: [
            { name: "GIT_AUTHOR_NAME", why: "who wrote a commit, in place of the repository's user.name" },
            { name: "GIT_AUTHOR_EMAIL", why: "the same, in place of user.email" },
            { name: "GIT_AUTHOR_DATE", why: "when a commit was written, in place of now" },
            { name: "GIT_COMMITTER_NAME", why: "who made a commit, in place of user.name" },
            { name: "GIT_COMMITTER_EMAIL", why: "the same, in place of user.email" },
            { name: "GIT_COMMITTER_DATE", why: "when a commit was made, in place of now" },
        ],
    },
}
