//! Files and branches: what takes more than one request.
//! Must not overwrite what it has not seen: the file's present SHA goes with each change, so that GitHub refuses a
//! change of something else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kennel_sdk::api::{Api, ApiError, Kind};
use kennel_sdk::prelude::*;

use crate::arguments::{CreateBranch, CreateOrUpdateFile, File, PushFiles};
use crate::service::failure;
use crate::shapes::{ENTRY, FILE};

const CONTENTS: &str = "/repos/{owner}/{repo}/contents/{+path}";
const REFS: &str = "/repos/{owner}/{repo}/git/refs/heads/{+branch}";

/// A file with its content as text, or the entries of a directory.
pub(crate) fn contents(answer: &Value) -> Value {
    if answer.is_array() {
        return ENTRY.of(answer);
    }
    let mut file = FILE.of(answer);
    if let Some(text) =
        file.get("content").and_then(Value::as_str).filter(|text| !text.is_empty()).and_then(decoded)
    {
        file["content"] = text.into();
    }
    file
}

/// Text out of base64 with line breaks in it; none when it is no base64.
fn decoded(text: &str) -> Option<String> {
    let packed: String = text.split_ascii_whitespace().collect();
    Some(String::from_utf8_lossy(&STANDARD.decode(packed).ok()?).into_owned())
}

/// Writes a file in one commit.
pub(crate) fn write(api: &Api, args: &CreateOrUpdateFile) -> Result<Value> {
    let sha = match args.sha.clone().filter(|sha| !sha.is_empty()) {
        Some(sha) => Some(sha),
        None => present(api, args).map_err(|error| failure(&error))?,
    };
    api.put(CONTENTS)
        .args(args)
        .arg("content", &STANDARD.encode(&args.content))
        .arg("sha", &sha)
        .value()
        .map_err(|error| failure(&error))
}

/// The SHA of the file that is there; none when there is none. Any other failure is one: a file that could not be
/// looked at must not be taken for missing.
fn present(api: &Api, args: &CreateOrUpdateFile) -> Result<Option<String>, ApiError> {
    let get = api.get(CONTENTS).args(&json!({ "owner": args.owner, "repo": args.repo, "path": args.path }));
    match get.query("ref", &args.branch).value() {
        Ok(file) => Ok(file.get("sha").and_then(Value::as_str).map(str::to_owned)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The commit that a branch is at.
fn head(api: &Api, owner: &str, repo: &str, branch: &str) -> Result<String, ApiError> {
    #[derive(Deserialize)]
    struct Reference {
        object: Target,
    }
    let get = api.get(REFS).args(&json!({ "owner": owner, "repo": repo, "branch": branch }));
    Ok(get.read::<Reference>()?.object.sha)
}

#[derive(Deserialize)]
struct Target {
    sha: String,
}

/// Makes a branch where another is.
pub(crate) fn branch(api: &Api, args: &CreateBranch) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    struct Repository {
        default_branch: String,
    }
    let (owner, repo) = (args.owner.as_str(), args.repo.as_str());
    let from = match args.from_branch.clone().filter(|branch| !branch.is_empty()) {
        Some(branch) => branch,
        None => {
            let get = api.get("/repos/{owner}/{repo}").args(&json!({ "owner": owner, "repo": repo }));
            get.read::<Repository>()?.default_branch
        }
    };
    let sha = head(api, owner, repo, &from)?;
    api.post("/repos/{owner}/{repo}/git/refs")
        .args(&json!({ "owner": owner, "repo": repo, "ref": format!("refs/heads/{}", args.branch), "sha": sha }))
        .value()
}

/// Writes several files in one commit, and moves the branch to it.
pub(crate) fn push(api: &Api, args: &PushFiles) -> Result<Value, ApiError> {
    let here = json!({ "owner": args.owner, "repo": args.repo });
    let parent = head(api, &args.owner, &args.repo, &args.branch)?;
    let entry =
        |file: &File| json!({ "path": file.path, "mode": "100644", "type": "blob", "content": file.content });
    let entries: Vec<Value> = args.files.iter().map(entry).collect();
    let tree: Target = api
        .post("/repos/{owner}/{repo}/git/trees")
        .args(&here)
        .args(&json!({ "tree": entries, "base_tree": parent }))
        .read()?;
    let commit: Target = api
        .post("/repos/{owner}/{repo}/git/commits")
        .args(&here)
        .args(&json!({ "message": args.message, "tree": tree.sha, "parents": [parent] }))
        .read()?;
    // Not forced: a commit that somebody else made meanwhile is not thrown away.
    api.patch(REFS).args(&here).arg("branch", &args.branch).arg("sha", &commit.sha).value()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_file_is_told_as_text_and_a_directory_as_entries() {
        let file = contents(&json!({"sha": "s", "content": "aGVs\nbG8=\n", "name": "a", "secret": 1}));
        assert_eq!(file, json!({"name": "a", "sha": "s", "content": "hello"}));
        assert_eq!(contents(&json!({"content": "no base64!"}))["content"], "no base64!");
        assert_eq!(contents(&json!([{"name": "d", "content": "x"}])), json!([{"name": "d"}]));
    }
}
