//! The differences that the tools show: working tree, index, and a commit.
//! Must not change anything.

use bstr::ByteSlice as _;
use std::collections::BTreeSet;

use crate::changes::{self, Change, File, Sides};
use crate::failure::{Failure, Result, quoted};
use crate::index::Index;
use crate::patch::{self, Style};
use crate::repo::Repo;
use crate::revision;
use crate::trees::{self, Leaf, Leaves};
use crate::worktree::{State, Worktree, mode};

/// What changed on disk since it was staged, by path. What is in conflict is not in it.
pub(crate) fn changes(index: &Index, worktree: &Worktree<'_>) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for entry in index.staged() {
        let file = |leaf: Leaf| Some(File { path: entry.path.clone(), leaf });
        let old = if entry.announced { None } else { file(entry.leaf) };
        match worktree.state(&entry)? {
            State::Same => {}
            State::Gone if entry.announced => {}
            State::Gone => changes.push(Change { old, new: None, alike: None }),
            State::Changed(now) => changes.push(Change { old, new: file(now), alike: None }),
        }
    }
    Ok(changes)
}

/// The answer of a tool, as lines that end where git's output does.
fn shown(patch: Vec<u8>, conflicts: &[String]) -> String {
    let mut text = String::new();
    for path in conflicts {
        text.push_str(&format!("* Unmerged path {path}\n"));
    }
    text.push_str(&patch.to_str_lossy());
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

fn unmerged(index: &Index) -> Vec<String> {
    index.conflicts().iter().map(|conflict| quoted(conflict.path.as_bstr())).collect()
}

/// How a patch with so many lines around a change is written.
fn style(context_lines: i64) -> Result<Style> {
    let context = u32::try_from(context_lines).map_err(|_| {
        Failure::new(format!(
            "context_lines is {context_lines}, which is no number of lines; give 0 to {}",
            u32::MAX
        ))
    })?;
    Ok(Style { context, headers: true })
}

/// `git diff`.
pub(crate) fn of_worktree(repo: &Repo, context_lines: i64) -> Result<String> {
    let style = style(context_lines)?;
    let worktree = Worktree::of(repo, &format!("diff --unified={context_lines}"))?;
    let index = Index::load(repo)?;
    let sides = Sides { objects: &repo.objects, worktree: Some(&worktree) };
    let patch = patch::of(&changes(&index, &worktree)?, sides, style)?;
    Ok(shown(patch, &unmerged(&index)))
}

/// `git diff --cached`.
pub(crate) fn of_index(repo: &Repo, context_lines: i64) -> Result<String> {
    let style = style(context_lines)?;
    let index = Index::load(repo)?;
    let mut before = trees::leaves(&repo.objects, repo.head_tree()?.as_ref())?;
    for conflict in index.conflicts() {
        before.remove(&conflict.path);
    }
    let sides = Sides { objects: &repo.objects, worktree: None };
    let changes = changes::between(&before, &index.leaves(), sides)?;
    Ok(shown(patch::of(&changes, sides, style)?, &unmerged(&index)))
}

/// `git diff TARGET`: from a commit or a tree to the files on disk.
pub(crate) fn from(repo: &Repo, target: &str, context_lines: i64) -> Result<String> {
    let found = revision::parse(repo, target)?;
    let command = format!("diff --unified={context_lines} {target}");
    let style = style(context_lines)?;
    let worktree = Worktree::of(repo, &command)?;
    ambiguous(&worktree, target, &command)?;
    let (id, kind) = repo.peel(found.id)?;
    let tree = match kind {
        gix_object::Kind::Commit => repo.commit(&id)?.tree,
        gix_object::Kind::Tree => id,
        _ => {
            return Err(Failure::new(format!(
                "'{target}' is a single file; git_diff compares commits and trees: show the file with git_show"
            )));
        }
    };
    let index = Index::load(repo)?;
    let mut before = trees::leaves(&repo.objects, Some(&tree))?;
    let mut after = Leaves::new();
    for entry in index.staged() {
        match worktree.state(&entry)? {
            State::Same => {
                after.insert(entry.path, entry.leaf);
            }
            State::Changed(now) => {
                after.insert(entry.path, now);
            }
            State::Gone => {}
        }
    }
    let in_conflict: BTreeSet<_> = index.conflicts().into_iter().map(|conflict| conflict.path).collect();
    for path in &in_conflict {
        if let Some(about) = worktree.look(path.as_bstr())? {
            let old = before.get(path).map_or(trees::FILE, |leaf| leaf.mode);
            let leaf = Leaf { mode: mode(&about, old), id: worktree.name(path.as_bstr())? };
            after.insert(path.clone(), leaf);
        } else {
            before.remove(path);
        }
    }
    let sides = Sides { objects: &repo.objects, worktree: Some(&worktree) };
    let changes = changes::between(&before, &after, sides)?;
    Ok(shown(patch::of(&changes, sides, style)?, &unmerged(&index)))
}

/// A name that is a revision and a file is neither, for git.
pub(crate) fn ambiguous(worktree: &Worktree<'_>, name: &str, command: &str) -> Result<()> {
    if !name.contains(':') && worktree.look(name.into()).ok().flatten().is_some() {
        return Err(Failure::command(
            command,
            128,
            &format!(
                "fatal: ambiguous argument '{name}': both revision and filename\nUse '--' to separate paths from \
                 revisions, like this:\n'git <command> [<revision>...] -- [<file>...]'"
            ),
        ));
    }
    Ok(())
}
