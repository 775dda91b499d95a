//! The arguments of the tools, as the published server describes them.
//! Must not check values: the host does, against these schemas.

use kennel_sdk::api::Number;

kennel_sdk::arguments! {
    #[serde(deny_unknown_fields)]
    CreateOrUpdateFile {
        /// Project ID or URL-encoded path
        project_id: String,
        /// Path where to create/update the file
        file_path: String,
        /// Content of the file
        content: String,
        /// Commit message
        commit_message: String,
        /// Branch to create/update the file in
        branch: String,
        /// Path of the file to move/rename
        previous_path: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    SearchRepositories {
        /// Search query
        search: String,
        /// Page number for pagination (default: 1)
        page: Option<Number>,
        /// Number of results per page (default: 20)
        per_page: Option<Number>,
    }

    #[serde(deny_unknown_fields)]
    CreateRepository {
        /// Repository name
        name: String,
        /// Repository description
        description: Option<String>,
        /// Repository visibility level
        #[schemars(extend("enum" = ["private", "internal", "public"]))]
        visibility: Option<String>,
        /// Initialize with README.md
        initialize_with_readme: Option<bool>,
    }

    #[serde(deny_unknown_fields)]
    GetFileContents {
        /// Project ID or URL-encoded path
        project_id: String,
        /// Path to the file or directory
        file_path: String,
        /// Branch/tag/commit to get contents from
        r#ref: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    File {
        /// Path where to create the file
        file_path: String,
        /// Content of the file
        content: String,
    }

    #[serde(deny_unknown_fields)]
    PushFiles {
        /// Project ID or URL-encoded path
        project_id: String,
        /// Branch to push to
        branch: String,
        /// Array of files to push
        files: Vec<File>,
        /// Commit message
        commit_message: String,
    }

    #[serde(deny_unknown_fields)]
    CreateIssue {
        /// Project ID or URL-encoded path
        project_id: String,
        /// Issue title
        title: String,
        /// Issue description
        description: Option<String>,
        /// Array of user IDs to assign
        assignee_ids: Option<Vec<Number>>,
        /// Array of label names
        labels: Option<Vec<String>>,
        /// Milestone ID to assign
        milestone_id: Option<Number>,
    }

    #[serde(deny_unknown_fields)]
    CreateMergeRequest {
        /// Project ID or URL-encoded path
        project_id: String,
        /// Merge request title
        title: String,
        /// Merge request description
        description: Option<String>,
        /// Branch containing changes
        source_branch: String,
        /// Branch to merge into
        target_branch: String,
        /// Create as draft merge request
        draft: Option<bool>,
        /// Allow commits from upstream members
        allow_collaboration: Option<bool>,
    }

    #[serde(deny_unknown_fields)]
    ForkRepository {
        /// Project ID or URL-encoded path
        project_id: String,
        /// Namespace to fork to (full path)
        namespace: Option<String>,
    }

    #[serde(deny_unknown_fields)]
    CreateBranch {
        /// Project ID or URL-encoded path
        project_id: String,
        /// Name for the new branch
        branch: String,
        /// Source branch/commit for new branch
        r#ref: Option<String>,
    }
}
