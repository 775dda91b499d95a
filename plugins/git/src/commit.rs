//! Making a commit of what is staged.
//! No hook is run: a sandbox starts no program. Must not stage anything.

use bstr::BString;
use gix_hash::ObjectId;

use crate::failure::{Failure, Result};
use crate::identity::{self, Part};
use crate::index::Index;
use crate::repo::Repo;
use crate::trees;

/// What a merge leaves that a commit concludes.
const OF_A_MERGE: [&str; 4] = ["MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "AUTO_MERGE"];
/// Programs that git would run, of which the first two may refuse.
const HOOKS: [&str; 3] = ["pre-commit", "commit-msg", "post-commit"];

/// Commits what is staged; gives the answer's text.
pub(crate) fn commit(repo: &Repo, message: &str) -> Result<String> {
    let index = Index::load(repo)?;
    let before = repo.head_commit()?;
    let merged = merged(repo)?;
    let leaves = index.leaves();
    let conflicts = index.conflicts();
    if merged.is_empty() && conflicts.is_empty() {
        let nothing = match repo.head_tree()? {
            None => leaves.is_empty() && index.staged().is_empty(),
            Some(tree) => trees::leaves(&repo.objects, Some(&tree))? == leaves,
        };
        if nothing {
            return Err(Failure::new(
                "No changes staged for commit. Use git_add to stage changes first; git_status shows what is \
                 currently staged.",
            ));
        }
    }
    if !conflicts.is_empty() {
        let paths: Vec<String> = conflicts.iter().map(|conflict| conflict.path.to_string()).collect();
        return Err(Failure::new(format!(
            "these files are in conflict: {}; resolve them and stage them with git_add first",
            paths.join(", ")
        )));
    }
    if repo.git_dir.join("MERGE_AUTOSTASH").exists() {
        return Err(Failure::new(
            "this merge put changes aside (--autostash), which this plugin cannot bring back; conclude it with \
             `git commit`",
        ));
    }
    let (author, committer) = (identity::of(repo, Part::Author)?, identity::of(repo, Part::Committer)?);
    let tree = trees::write(&repo.objects, &leaves)?;
    let parents = before.into_iter().chain(merged.iter().copied()).collect();
    let commit = gix_object::Commit {
        tree,
        parents,
        author,
        committer: committer.clone(),
        encoding: None,
        message: BString::from(message),
        extra_headers: Vec::new(),
    };
    let id = trees::write_commit(&repo.objects, &commit)?;
    let first = if before.is_none() { "commit (initial): " } else { "" };
    repo.refs.advance(id, before, &format!("{first}{message}"), &committer)?;
    if !merged.is_empty() {
        for name in OF_A_MERGE {
            let path = repo.git_dir.join(name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Failure::io("remove", &path, &error));
                }
                _ => {}
            }
        }
    }
    Ok(format!("Changes committed successfully with hash {id}{}", not_run(repo)))
}

/// The commits that a merge under way brings in.
fn merged(repo: &Repo) -> Result<Vec<ObjectId>> {
    let Ok(text) = std::fs::read_to_string(repo.git_dir.join("MERGE_HEAD")) else { return Ok(Vec::new()) };
    text.split_whitespace()
        .map(|word| {
            ObjectId::from_hex(word.as_bytes()).map_err(|error| Failure::corrupt("MERGE_HEAD", error))
        })
        .collect()
}

/// Says which programs git would have run.
fn not_run(repo: &Repo) -> String {
    let there: Vec<&str> =
        HOOKS.into_iter().filter(|hook| repo.common.join("hooks").join(hook).is_file()).collect();
    if there.is_empty() {
        return String::new();
    }
    format!("\nNot run, because a sandbox starts no programs: the hooks {}.", there.join(", "))
}
