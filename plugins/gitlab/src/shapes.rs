//! Which fields of GitLab's answers are told: those that the published server tells, in its order.
//! Must not be more than what it tells: answers are read by a model.

use kennel_sdk::api::Shape;
use kennel_sdk::shape;

static OWNER: Shape = shape! { username, id, avatar_url, web_url, name, state };
static USER: Shape = shape! { username, id, name, avatar_url, web_url };
static MILESTONE: Shape = shape! { id, iid, title, description, state, web_url };
static PARENT: Shape =
    shape! { name, path_with_namespace, owner: shape! { username, id, avatar_url }, web_url };

pub(crate) static PROJECT: Shape = shape! {
    id, name, path_with_namespace, visibility, owner: OWNER, web_url, description, fork, ssh_url_to_repo,
    http_url_to_repo, created_at, last_activity_at, default_branch,
};

pub(crate) static FORK: Shape = shape! {
    id, name, path_with_namespace, visibility, owner: OWNER, web_url, description, fork, ssh_url_to_repo,
    http_url_to_repo, created_at, last_activity_at, default_branch, forked_from_project: PARENT,
};

pub(crate) static PROJECTS_FOUND: Shape = shape! { count, items: PROJECT };

pub(crate) static FILE: Shape = shape! {
    file_name, file_path, size, encoding, content, content_sha256, ref, blob_id, last_commit_id,
};

pub(crate) static FILE_WRITTEN: Shape = shape! { file_path, branch, commit_id, content: FILE };

pub(crate) static COMMIT: Shape = shape! {
    id, short_id, title, author_name, author_email, authored_date, committer_name, committer_email, committed_date,
    web_url, parent_ids,
};

pub(crate) static BRANCH: Shape = shape! { name, commit: shape! { id, web_url } };

pub(crate) static ISSUE: Shape = shape! {
    id, iid, project_id, title, description, state, author: USER, assignees: USER, labels, milestone: MILESTONE,
    created_at, updated_at, closed_at, web_url,
};

pub(crate) static MERGE_REQUEST: Shape = shape! {
    id, iid, project_id, title, description, state, merged, author: USER, assignees: USER, source_branch,
    target_branch, diff_refs: shape! { base_sha, head_sha, start_sha }, web_url, created_at, updated_at, merged_at,
    closed_at, merge_commit_sha,
};
