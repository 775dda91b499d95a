//! The arguments of the tools, as the published server describes them.
//! Must not check values: the host does, against these schemas.

use kennel_sdk::api::Number;
use kennel_sdk::prelude::*;

// A comment of a review: at a position of the diff, or at a line of the file. What stood here as documentation would be
// in the published schema.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ReviewComment {
    Position(AtPosition),
    Line(AtLine),
}

kennel_sdk::arguments! {
    #[serde(deny_unknown_fields)]
    CreateOrUpdateFile {
        /// Repository owner (username or organization)
        owner: String,
        /// Repository name
        repo: String,
        /// Path where to create/update the file
        path: String,
        /// Content of the file
        content: String,
        /// Commit message
        message: String,
        /// Branch to create/update the file in
        branch: String,
        /// SHA of the file being replaced (required when updating existing files)
        sha: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    SearchRepositories {
        /// Search query (see GitHub search syntax)
        query: String,
        /// Page number for pagination (default: 1)
        page: Option<Number>,
        /// Number of results per page (default: 30, max: 100)
        #[serde(rename = "perPage")]
        per_page: Option<Number>,
    }

    #[serde(deny_unknown_fields)]
    CreateRepository {
        /// Repository name
        name: String,
        /// Repository description
        description: Option<String>,
        /// Whether the repository should be private
        private: Option<bool>,
        /// Initialize with README.md
        #[serde(rename = "autoInit")]
        auto_init: Option<bool>,
    }

    #[serde(deny_unknown_fields)]
    GetFileContents {
        /// Repository owner (username or organization)
        owner: String,
        /// Repository name
        repo: String,
        /// Path to the file or directory
        path: String,
        /// Branch to get contents from
        branch: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    File {
        path: String,
        content: String,
    }

    #[serde(deny_unknown_fields)]
    PushFiles {
        /// Repository owner (username or organization)
        owner: String,
        /// Repository name
        repo: String,
        /// Branch to push to (e.g., 'main' or 'master')
        branch: String,
        /// Array of files to push
        files: Vec<File>,
        /// Commit message
        message: String,
    }

    #[serde(deny_unknown_fields)]
    CreateIssue {
        owner: String,
        repo: String,
        title: String,
        body: Option<String>,
        assignees: Option<Vec<String>>,
        milestone: Option<Number>,
        labels: Option<Vec<String>>,
    }

    #[serde(deny_unknown_fields)]
    CreatePullRequest {
        /// Repository owner (username or organization)
        owner: String,
        /// Repository name
        repo: String,
        /// Pull request title
        title: String,
        /// Pull request body/description
        body: Option<String>,
        /// The name of the branch where your changes are implemented
        head: String,
        /// The name of the branch you want the changes pulled into
        base: String,
        /// Whether to create the pull request as a draft
        draft: Option<bool>,
        /// Whether maintainers can modify the pull request
        maintainer_can_modify: Option<bool>,
    }

    #[serde(deny_unknown_fields)]
    ForkRepository {
        /// Repository owner (username or organization)
        owner: String,
        /// Repository name
        repo: String,
        /// Optional: organization to fork to (defaults to your personal account)
        organization: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    CreateBranch {
        /// Repository owner (username or organization)
        owner: String,
        /// Repository name
        repo: String,
        /// Name for the new branch
        branch: String,
        /// Optional: source branch to create from (defaults to the repository's default branch)
        from_branch: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    ListCommits {
        owner: String,
        repo: String,
        sha: Option<String>,
        page: Option<Number>,
        #[serde(rename = "perPage")]
        per_page: Option<Number>,
    }

    #[serde(deny_unknown_fields)]
    ListIssues {
        owner: String,
        repo: String,
        #[schemars(extend("enum" = ["asc", "desc"]))]
        direction: Option<String>,
        labels: Option<Vec<String>>,
        page: Option<Number>,
        per_page: Option<Number>,
        since: Option<String>,
        #[schemars(extend("enum" = ["created", "updated", "comments"]))]
        sort: Option<String>,
        #[schemars(extend("enum" = ["open", "closed", "all"]))]
        state: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    UpdateIssue {
        owner: String,
        repo: String,
        issue_number: Number,
        title: Option<String>,
        body: Option<String>,
        assignees: Option<Vec<String>>,
        milestone: Option<Number>,
        labels: Option<Vec<String>>,
        #[schemars(extend("enum" = ["open", "closed"]))]
        state: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    AddIssueComment {
        owner: String,
        repo: String,
        issue_number: Number,
        body: String,
    }

    #[serde(deny_unknown_fields)]
    SearchCode {
        q: String,
        #[schemars(extend("enum" = ["asc", "desc"]))]
        order: Option<String>,
        #[schemars(extend("minimum" = 1))]
        page: Option<Number>,
        #[schemars(extend("minimum" = 1, "maximum" = 100))]
        per_page: Option<Number>,
    }

    #[serde(deny_unknown_fields)]
    SearchIssues {
        q: String,
        #[schemars(extend("enum" = ["asc", "desc"]))]
        order: Option<String>,
        #[schemars(extend("minimum" = 1))]
        page: Option<Number>,
        #[schemars(extend("minimum" = 1, "maximum" = 100))]
        per_page: Option<Number>,
        #[schemars(extend("enum" = [
            "comments", "reactions", "reactions-+1", "reactions--1", "reactions-smile", "reactions-thinking_face",
            "reactions-heart", "reactions-tada", "interactions", "created", "updated",
        ]))]
        sort: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    SearchUsers {
        q: String,
        #[schemars(extend("enum" = ["asc", "desc"]))]
        order: Option<String>,
        #[schemars(extend("minimum" = 1))]
        page: Option<Number>,
        #[schemars(extend("minimum" = 1, "maximum" = 100))]
        per_page: Option<Number>,
        #[schemars(extend("enum" = ["followers", "repositories", "joined"]))]
        sort: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    GetIssue {
        owner: String,
        repo: String,
        issue_number: Number,
    }

    #[serde(deny_unknown_fields)]
    PullRequest {
        /// Repository owner (username or organization)
        owner: String,
        /// Repository name
        repo: String,
        /// Pull request number
        pull_number: Number,
    }

    #[serde(deny_unknown_fields)]
    ListPullRequests {
        /// Repository owner (username or organization)
        owner: String,
        /// Repository name
        repo: String,
        /// State of the pull requests to return
        #[schemars(extend("enum" = ["open", "closed", "all"]))]
        state: Option<String>,
        /// Filter by head user or head organization and branch name
        head: Option<String>,
        /// Filter by base branch name
        base: Option<String>,
        /// What to sort results by
        #[schemars(extend("enum" = ["created", "updated", "popularity", "long-running"]))]
        sort: Option<String>,
        /// The direction of the sort
        #[schemars(extend("enum" = ["asc", "desc"]))]
        direction: Option<String>,
        /// Results per page (max 100)
        per_page: Option<Number>,
        /// Page number of the results
        page: Option<Number>,
    }

    #[serde(deny_unknown_fields)]
    CreatePullRequestReview {
        /// Repository owner (username or organization)
        owner: String,
        /// Repository name
        repo: String,
        /// Pull request number
        pull_number: Number,
        /// The SHA of the commit that needs a review
        commit_id: Option<String>,
        /// The body text of the review
        body: String,
        /// The review action to perform
        #[schemars(extend("enum" = ["APPROVE", "REQUEST_CHANGES", "COMMENT"]))]
        event: String,
        /// Comments to post as part of the review (specify either position or line, not both)
        comments: Option<Vec<ReviewComment>>,
    }

    #[serde(deny_unknown_fields)]
    MergePullRequest {
        /// Repository owner (username or organization)
        owner: String,
        /// Repository name
        repo: String,
        /// Pull request number
        pull_number: Number,
        /// Title for the automatic commit message
        commit_title: Option<String>,
        /// Extra detail to append to automatic commit message
        commit_message: Option<String>,
        /// Merge method to use
        #[schemars(extend("enum" = ["merge", "squash", "rebase"]))]
        merge_method: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    UpdatePullRequestBranch {
        /// Repository owner (username or organization)
        owner: String,
        /// Repository name
        repo: String,
        /// Pull request number
        pull_number: Number,
        /// The expected SHA of the pull request's HEAD ref
        expected_head_sha: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    AtPosition {
        /// The relative path to the file being commented on
        path: String,
        /// The position in the diff where you want to add a review comment
        position: Number,
        /// Text of the review comment
        body: String,
    }

    #[serde(deny_unknown_fields)]
    AtLine {
        /// The relative path to the file being commented on
        path: String,
        /// The line number in the file where you want to add a review comment
        line: Number,
        /// Text of the review comment
        body: String,
    }

    #[serde(deny_unknown_fields)]
    ListRepos {
        /// Whose repositories (username or organization); your own when left out
        owner: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    GetIssues {
        /// The repository, as owner/name
        repo: String,
        /// State of the issues to return
        #[schemars(extend("enum" = ["open", "closed", "all"], "default" = "open"))]
        state: Option<String>,
    }
}
