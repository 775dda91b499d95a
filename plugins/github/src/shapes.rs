//! Which fields of GitHub's answers are told: those that the published server tells, in its order.
//! Must not be more than what it tells: answers are read by a model.

use kennel_sdk::api::Shape;
use kennel_sdk::shape;

static AUTHOR: Shape = shape! { name, email, date };
static OWNER: Shape = shape! { login, id, node_id, avatar_url, url, html_url, type };
static USER: Shape = shape! { login, id, avatar_url, url, html_url };
static POINTER: Shape = shape! { sha, url };
static LABEL: Shape = shape! { id, node_id, url, name, color, default, description };
static TARGET: Shape = shape! { sha, type, url };

pub(crate) static REPOSITORY: Shape = shape! {
    id, node_id, name, full_name, private, owner: OWNER, html_url, description, fork, url, created_at, updated_at,
    pushed_at, git_url, ssh_url, clone_url, default_branch,
};

pub(crate) static FORK: Shape = shape! {
    id, node_id, name, full_name, private, owner: OWNER, html_url, description, fork, url, created_at, updated_at,
    pushed_at, git_url, ssh_url, clone_url, default_branch, parent: REPOSITORY, source: REPOSITORY,
};

pub(crate) static REPOSITORIES_FOUND: Shape = shape! { total_count, incomplete_results, items: REPOSITORY };

/// Of a file; entries of a directory lack its content.
pub(crate) static FILE: Shape = shape! {
    name, path, sha, size, url, html_url, git_url, download_url, type, content, encoding,
    _links: shape! { self, git, html },
};

pub(crate) static ENTRY: Shape = shape! { type, size, name, path, sha, url, git_url, html_url, download_url };

pub(crate) static FILE_WRITTEN: Shape = shape! { content: FILE, commit: COMMIT };

static COMMIT: Shape = shape! {
    sha, node_id, url, html_url, author: AUTHOR, committer: AUTHOR, message, tree: POINTER,
    parents: shape! { sha, url, html_url },
};

pub(crate) static REFERENCE: Shape = shape! { ref, node_id, url, object: TARGET };

static SIDE: Shape = shape! { label, ref, sha, user: USER, repo: REPOSITORY };

pub(crate) static PULL_REQUEST: Shape = shape! {
    url, id, node_id, html_url, diff_url, patch_url, issue_url, number, state, locked, title, user: USER, body,
    created_at, updated_at, closed_at, merged_at, merge_commit_sha, assignee: USER, assignees: USER,
    requested_reviewers: USER, labels: LABEL, head: SIDE, base: SIDE,
};

pub(crate) static CHANGED_FILE: Shape = shape! {
    sha, filename, status, additions, deletions, changes, blob_url, raw_url, contents_url, patch,
};

pub(crate) static STATUS: Shape = shape! {
    state, statuses: shape! { url, state, description, target_url, context, created_at, updated_at }, sha, total_count,
};

static HREF: Shape = shape! { href };

pub(crate) static COMMENT: Shape = shape! {
    url, id, node_id, pull_request_review_id, diff_hunk, path, position, original_position, commit_id,
    original_commit_id, user: USER, body, created_at, updated_at, html_url, pull_request_url, author_association,
    _links: shape! { self: HREF, html: HREF, pull_request: HREF },
};

pub(crate) static REVIEW: Shape = shape! {
    id, node_id, user: USER, body, state, html_url, pull_request_url, commit_id, submitted_at, author_association,
};

pub(crate) static REPOSITORY_LISTED: Shape = shape! { full_name, description, private, fork, html_url, default_branch, language, stargazers_count, updated_at };

pub(crate) static ISSUE_LISTED: Shape = shape! {
    number, title, state, html_url, user: shape! { login }, labels: shape! { name }, comments, created_at, updated_at,
};
