//! Repositories, files, issues and pull requests on GitHub: the tools of the published server `server-github`, and two
//! lists whose pages are followed.
//! Needs one HTTPS host, or the one that `GITHUB_BASE_URL` names, and a token that the host puts in.
//! Must not hold the token, nor know how a request is made: the SDK does.

mod arguments;
mod files;
mod service;
mod shapes;

use arguments::*;
use kennel_sdk::prelude::*;
use service::{MOST, PAGE, failure, github, told};

const ISSUES: &str = "/repos/{owner}/{repo}/issues";
const ISSUE: &str = "/repos/{owner}/{repo}/issues/{issue_number}";
const PULLS: &str = "/repos/{owner}/{repo}/pulls";
const PULL: &str = "/repos/{owner}/{repo}/pulls/{pull_number}";

/// Create or update a single file in a GitHub repository
#[tool]
fn create_or_update_file(args: CreateOrUpdateFile) -> Result<String> {
    Ok(shapes::FILE_WRITTEN.text(&files::write(&github()?, &args)?)?)
}

/// Search for GitHub repositories
#[tool(read_only)]
fn search_repositories(args: SearchRepositories) -> Result<String> {
    let (page, per_page) = (args.page.unwrap_or(1.into()), args.per_page.unwrap_or(30.into()));
    let api = github()?;
    let call = api
        .get("/search/repositories")
        .query("q", args.query)
        .query("page", page)
        .query("per_page", per_page);
    told(call.value(), Some(&shapes::REPOSITORIES_FOUND))
}

/// Create a new GitHub repository in your account
#[tool]
fn create_repository(args: CreateRepository) -> Result<String> {
    let answer = github()?.post("/user/repos").args(&args).renamed("autoInit", "auto_init").value();
    told(answer, Some(&shapes::REPOSITORY))
}

/// Get the contents of a file or directory from a GitHub repository
#[tool(read_only)]
fn get_file_contents(args: GetFileContents) -> Result<String> {
    let api = github()?;
    let call = api.get("/repos/{owner}/{repo}/contents/{+path}").args(&args).renamed("branch", "ref");
    told(call.value().map(|answer| files::contents(&answer)), None)
}

/// Push multiple files to a GitHub repository in a single commit
#[tool]
fn push_files(args: PushFiles) -> Result<String> {
    told(files::push(&github()?, &args), Some(&shapes::REFERENCE))
}

/// Create a new issue in a GitHub repository
#[tool]
fn create_issue(args: CreateIssue) -> Result<String> {
    told(github()?.post(ISSUES).args(&args).value(), None)
}

/// Create a new pull request in a GitHub repository
#[tool]
fn create_pull_request(args: CreatePullRequest) -> Result<String> {
    told(github()?.post(PULLS).args(&args).value(), Some(&shapes::PULL_REQUEST))
}

/// Fork a GitHub repository to your account or specified organization
#[tool]
fn fork_repository(args: ForkRepository) -> Result<String> {
    told(github()?.post("/repos/{owner}/{repo}/forks").args(&args).value(), Some(&shapes::FORK))
}

/// Create a new branch in a GitHub repository
#[tool]
fn create_branch(args: CreateBranch) -> Result<String> {
    told(files::branch(&github()?, &args), Some(&shapes::REFERENCE))
}

/// Get list of commits of a branch in a GitHub repository
#[tool(read_only)]
fn list_commits(args: ListCommits) -> Result<String> {
    let api = github()?;
    told(api.get("/repos/{owner}/{repo}/commits").args(&args).renamed("perPage", "per_page").value(), None)
}

/// List issues in a GitHub repository with filtering options
#[tool(read_only)]
fn list_issues(args: ListIssues) -> Result<String> {
    told(github()?.get(ISSUES).args(&args).value(), None)
}

/// Update an existing issue in a GitHub repository
#[tool]
fn update_issue(args: UpdateIssue) -> Result<String> {
    told(github()?.patch(ISSUE).args(&args).value(), None)
}

/// Add a comment to an existing issue
#[tool]
fn add_issue_comment(args: AddIssueComment) -> Result<String> {
    told(github()?.post("/repos/{owner}/{repo}/issues/{issue_number}/comments").args(&args).value(), None)
}

/// Search for code across GitHub repositories
#[tool(read_only)]
fn search_code(args: SearchCode) -> Result<String> {
    told(github()?.get("/search/code").args(&args).value(), None)
}

/// Search for issues and pull requests across GitHub repositories
#[tool(read_only)]
fn search_issues(args: SearchIssues) -> Result<String> {
    told(github()?.get("/search/issues").args(&args).value(), None)
}

/// Search for users on GitHub
#[tool(read_only)]
fn search_users(args: SearchUsers) -> Result<String> {
    told(github()?.get("/search/users").args(&args).value(), None)
}

/// Get details of a specific issue in a GitHub repository.
#[tool(read_only)]
fn get_issue(args: GetIssue) -> Result<String> {
    told(github()?.get(ISSUE).args(&args).value(), None)
}

/// Get details of a specific pull request
#[tool(read_only)]
fn get_pull_request(args: PullRequest) -> Result<String> {
    told(github()?.get(PULL).args(&args).value(), Some(&shapes::PULL_REQUEST))
}

/// List and filter repository pull requests
#[tool(read_only)]
fn list_pull_requests(args: ListPullRequests) -> Result<String> {
    told(github()?.get(PULLS).args(&args).value(), Some(&shapes::PULL_REQUEST))
}

/// Create a review on a pull request
#[tool]
fn create_pull_request_review(args: CreatePullRequestReview) -> Result<String> {
    let answer = github()?.post("/repos/{owner}/{repo}/pulls/{pull_number}/reviews").args(&args).value();
    told(answer, Some(&shapes::REVIEW))
}

/// Merge a pull request
#[tool]
fn merge_pull_request(args: MergePullRequest) -> Result<String> {
    told(github()?.put("/repos/{owner}/{repo}/pulls/{pull_number}/merge").args(&args).value(), None)
}

/// Get the list of files changed in a pull request
#[tool(read_only)]
fn get_pull_request_files(args: PullRequest) -> Result<String> {
    listed(&args, "/repos/{owner}/{repo}/pulls/{pull_number}/files", &shapes::CHANGED_FILE)
}

/// Get the combined status of all status checks for a pull request
#[tool(read_only)]
fn get_pull_request_status(args: PullRequest) -> Result<String> {
    #[derive(Deserialize)]
    struct Pull {
        head: Head,
    }
    #[derive(Deserialize)]
    struct Head {
        sha: String,
    }
    let api = github()?;
    let pull: Pull = api.get(PULL).args(&args).read().map_err(|error| failure(&error))?;
    let here = json!({ "owner": args.owner, "repo": args.repo, "sha": pull.head.sha });
    told(api.get("/repos/{owner}/{repo}/commits/{sha}/status").args(&here).value(), Some(&shapes::STATUS))
}

/// Update a pull request branch with the latest changes from the base branch
#[tool]
fn update_pull_request_branch(args: UpdatePullRequestBranch) -> Result<String> {
    let answer = github()?.put("/repos/{owner}/{repo}/pulls/{pull_number}/update-branch").args(&args).reply();
    told(answer.map(|_| json!({ "success": true })), None)
}

/// Get the review comments on a pull request
#[tool(read_only)]
fn get_pull_request_comments(args: PullRequest) -> Result<String> {
    listed(&args, "/repos/{owner}/{repo}/pulls/{pull_number}/comments", &shapes::COMMENT)
}

/// Get the reviews on a pull request
#[tool(read_only)]
fn get_pull_request_reviews(args: PullRequest) -> Result<String> {
    listed(&args, "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", &shapes::REVIEW)
}

/// List the repositories of an owner, or your own, over all pages
#[tool(read_only)]
fn list_repos(args: ListRepos) -> Result<String> {
    let path = if args.owner.is_some() { "/users/{owner}/repos" } else { "/user/repos" };
    listed(&args, path, &shapes::REPOSITORY_LISTED)
}

/// Get the issues of a repository by their state, over all pages
#[tool(read_only)]
fn get_issues(args: GetIssues) -> Result<String> {
    let Some((owner, repo)) = args.repo.split_once('/') else {
        return Err(Error::invalid(format!("`repo` is `{}`; write it as owner/name", args.repo)));
    };
    let state = args.state.as_deref().unwrap_or("open");
    listed(&json!({ "owner": owner, "repo": repo, "state": state }), ISSUES, &shapes::ISSUE_LISTED)
}

/// A list over all its pages, up to the bound.
fn listed(args: &impl Serialize, path: &str, shape: &kennel_sdk::api::Shape) -> Result<String> {
    let pages = github()?.get(path).args(args).query("per_page", PAGE).pages(MOST);
    let pages = pages.map_err(|error| failure(&error))?;
    let mut text = shape.text(&Value::Array(pages.items))?;
    if pages.more {
        text.push_str("\n(There are more than are told here.)");
    }
    Ok(text)
}

plugin! {
    tools: [
        create_or_update_file, search_repositories, create_repository, get_file_contents, push_files, create_issue,
        create_pull_request, fork_repository, create_branch, list_commits, list_issues, update_issue,
        add_issue_comment, search_code, search_issues, search_users, get_issue, get_pull_request, list_pull_requests,
        create_pull_request_review, merge_pull_request, get_pull_request_files, get_pull_request_status,
        update_pull_request_branch, get_pull_request_comments, get_pull_request_reviews, list_repos, get_issues,
    ],
    asks: {
        http: [{
            url: "https://api.github.com",
            methods: ["GET", "POST", "PUT", "PATCH"],
            url_from_env: "GITHUB_BASE_URL",
            why: "reads and changes what the tools name",
        }],
        env: [{ name: "GITHUB_BASE_URL", why: "asks another server than https://api.github.com" }],
        secrets: [{ name: "token", why: "says to GitHub who you are; the host puts it in" }],
        state: { quota: "4MiB", scope: "plugin", why: "keeps answers, so that GitHub sends only what changed" },
        settings: [{ name: "timeout", why: "how many seconds one request may take; 30 if unset" }],
    },
}
