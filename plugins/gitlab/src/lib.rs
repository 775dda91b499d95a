//! Projects, files, issues and merge requests on GitLab: the tools of the published server `server-gitlab`.
//! Needs one HTTPS host, or the one that `GITLAB_BASE_URL` names, and a token that the host puts in.
//! Must not hold the token, nor know how a request is made: the SDK does.

mod arguments;
mod shapes;

use arguments::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kennel_sdk::api::{Api, ApiError, Kind, Shape};
use kennel_sdk::prelude::*;

const FILE: &str = "/projects/{project_id}/repository/files/{file_path}";

fn gitlab() -> Result<Api> {
    Api::new("GitLab", "https://gitlab.com/api/v4", "GITLAB_BASE_URL").settled()
}

fn failure(error: &ApiError) -> Error {
    error.prefixed("GitLab API error")
}

fn told(answer: Result<Value, ApiError>, shape: &Shape) -> Result<String> {
    Ok(shape.text(&answer.map_err(|error| failure(&error))?)?)
}

/// A project's path, which callers may have encoded already, as the published server asks them to.
fn project(id: &str) -> String {
    id.replace("%2F", "/").replace("%2f", "/")
}

/// Create or update a single file in a GitLab project
#[tool]
fn create_or_update_file(args: CreateOrUpdateFile) -> Result<String> {
    let api = gitlab()?;
    let id = project(&args.project_id);
    let file = json!({ "project_id": id, "file_path": args.file_path });
    let there = match api.get(FILE).args(&file).query("ref", &args.branch).reply() {
        Ok(_) => true,
        Err(error) if error.kind() == Kind::NotFound => false,
        Err(error) => return Err(failure(&error)),
    };
    let call = if there { api.put(FILE) } else { api.post(FILE) };
    told(call.args(&args).arg("project_id", &id).value(), &shapes::FILE_WRITTEN)
}

/// Search for GitLab projects
#[tool(read_only)]
fn search_repositories(args: SearchRepositories) -> Result<String> {
    let (page, per_page) = (args.page.unwrap_or(1.into()), args.per_page.unwrap_or(20.into()));
    let api = gitlab()?;
    let call =
        api.get("/projects").query("search", args.search).query("page", page).query("per_page", per_page);
    let found = call.reply().map_err(|error| failure(&error))?;
    // GitLab leaves the header out when there are too many to count.
    let count: u64 = found.header("x-total").and_then(|count| count.parse().ok()).unwrap_or(0);
    let items: Value = found.read().map_err(|error| failure(&error))?;
    Ok(shapes::PROJECTS_FOUND.text(&json!({ "count": count, "items": items }))?)
}

/// Create a new GitLab project
#[tool]
fn create_repository(args: CreateRepository) -> Result<String> {
    told(gitlab()?.post("/projects").args(&args).value(), &shapes::PROJECT)
}

/// Get the contents of a file or directory from a GitLab project
#[tool(read_only)]
fn get_file_contents(args: GetFileContents) -> Result<String> {
    let api = gitlab()?;
    let here = json!({ "project_id": project(&args.project_id), "file_path": args.file_path });
    let reference = args.r#ref.as_deref().filter(|name| !name.is_empty()).unwrap_or("HEAD");
    let answer = api.get(FILE).args(&here).query("ref", reference).value().map(decoded);
    told(answer, &shapes::FILE)
}

/// A file with its content as text.
fn decoded(mut file: Value) -> Value {
    let packed =
        file.get("content").and_then(Value::as_str).map(|text| text.split_whitespace().collect::<String>());
    if let Some(bytes) = packed.and_then(|packed| STANDARD.decode(packed).ok()) {
        file["content"] = String::from_utf8_lossy(&bytes).into();
    }
    file
}

/// Push multiple files to a GitLab project in a single commit
#[tool]
fn push_files(args: PushFiles) -> Result<String> {
    let action =
        |file: &File| json!({ "action": "create", "file_path": file.file_path, "content": file.content });
    let body = json!({
        "branch": args.branch,
        "commit_message": args.commit_message,
        "actions": args.files.iter().map(action).collect::<Vec<_>>(),
    });
    let api = gitlab()?;
    let call =
        api.post("/projects/{project_id}/repository/commits").arg("project_id", &project(&args.project_id));
    told(call.json(&body).value(), &shapes::COMMIT)
}

/// Create a new issue in a GitLab project
#[tool]
fn create_issue(args: CreateIssue) -> Result<String> {
    let labels = args.labels.as_ref().map(|labels| labels.join(","));
    let api = gitlab()?;
    let call = api.post("/projects/{project_id}/issues").args(&args).arg("labels", &labels);
    told(call.arg("project_id", &project(&args.project_id)).value(), &shapes::ISSUE)
}

/// Create a new merge request in a GitLab project
#[tool]
fn create_merge_request(args: CreateMergeRequest) -> Result<String> {
    let api = gitlab()?;
    let call = api.post("/projects/{project_id}/merge_requests").args(&args);
    told(call.arg("project_id", &project(&args.project_id)).value(), &shapes::MERGE_REQUEST)
}

/// Fork a GitLab project to your account or specified namespace
#[tool]
fn fork_repository(args: ForkRepository) -> Result<String> {
    let api = gitlab()?;
    let call = api.post("/projects/{project_id}/fork").args(&args);
    told(call.arg("project_id", &project(&args.project_id)).value(), &shapes::FORK)
}

/// Create a new branch in a GitLab project
#[tool]
fn create_branch(args: CreateBranch) -> Result<String> {
    let from = args.r#ref.as_deref().filter(|name| !name.is_empty()).unwrap_or("HEAD");
    let api = gitlab()?;
    let call = api.post("/projects/{project_id}/repository/branches").args(&args).arg("ref", from);
    told(call.arg("project_id", &project(&args.project_id)).value(), &shapes::BRANCH)
}

plugin! {
    tools: [
        create_or_update_file, search_repositories, create_repository, get_file_contents, push_files, create_issue,
        create_merge_request, fork_repository, create_branch,
    ],
    asks: {
        http: [{
            url: "https://gitlab.com",
            methods: ["GET", "POST", "PUT"],
            url_from_env: "GITLAB_BASE_URL",
            why: "reads and changes what the tools name",
        }],
        env: [{ name: "GITLAB_BASE_URL", why: "asks another server than https://gitlab.com/api/v4" }],
        secrets: [{ name: "token", why: "says to GitLab who you are; the host puts it in" }],
        settings: [{ name: "timeout", why: "how many seconds one request may take; 30 if unset" }],
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn projects_and_files() {
        assert_eq!(project("a%2Fb"), "a/b");
        assert_eq!(project("42"), "42");
        assert_eq!(decoded(json!({ "content": "aGk=\n" })), json!({ "content": "hi" }));
        assert_eq!(decoded(json!([1])), json!([1]));
    }
}
