//! The status of the working tree, in the words of `git status`.
//! Must not change anything, not even the index.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bstr::ByteSlice as _;
use gix_hash::ObjectId;

use crate::changes::{self, Change, Sides};
use crate::differences;
use crate::failure::{Result, quoted};
use crate::history;
use crate::ignores::Ignores;
use crate::index::{Conflict, Index};
use crate::refs::Points;
use crate::repo::{Head, Repo};
use crate::revision;
use crate::trees;
use crate::worktree::Worktree;

/// What `git status` shows, without the line feed at its end.
pub(crate) fn text(repo: &Repo) -> Result<String> {
    let worktree = Worktree::of(repo, "status")?;
    let index = Index::load(repo)?;
    let tree = repo.head_tree()?;
    let sides = Sides { objects: &repo.objects, worktree: None };
    let conflicts = index.conflicts();
    let (mut before, mut after) = (trees::leaves(&repo.objects, tree.as_ref())?, index.leaves());
    for conflict in &conflicts {
        before.remove(&conflict.path);
        after.remove(&conflict.path);
    }
    let staged = changes::between(&before, &after, sides)?;
    let changed = differences::changes(&index, &worktree)?;
    let known: BTreeSet<_> = index.paths().into_iter().collect();
    let every = repo.setting("status.showUntrackedFiles").is_some_and(|value| value == "all");
    let unknown = Ignores::of(repo, &worktree)?.unknown(&known, every)?;
    let merging = repo.git_dir.join("MERGE_HEAD").exists();
    let committing = !merging && !repo.git_dir.join("CHERRY_PICK_HEAD").exists();

    let mut out = String::new();
    let is_initial = head_line(repo, &mut out)?;
    progress(repo, !conflicts.is_empty(), &mut out)?;
    if is_initial {
        out.push_str("\nNo commits yet\n\n");
    }
    let unstage = if is_initial {
        "  (use \"git rm --cached <file>...\" to unstage)\n"
    } else {
        "  (use \"git restore --staged <file>...\" to unstage)\n"
    };
    let unstage = if committing { unstage } else { "" };
    if !staged.is_empty() {
        let _ = write!(out, "Changes to be committed:\n{unstage}");
        list(&staged, &mut out);
    }
    if !conflicts.is_empty() {
        let _ = write!(out, "Unmerged paths:\n{unstage}");
        unmerged(&conflicts, &mut out);
    }
    if !changed.is_empty() {
        let remove = if changed.iter().any(|change| change.new.is_none()) { "/rm" } else { "" };
        let _ = write!(
            out,
            "Changes not staged for commit:\n  (use \"git add{remove} <file>...\" to update what will be committed)\n  \
             (use \"git restore <file>...\" to discard changes in working directory)\n"
        );
        list(&changed, &mut out);
    }
    if !unknown.is_empty() {
        out.push_str(
            "Untracked files:\n  (use \"git add <file>...\" to include in what will be committed)\n",
        );
        for path in &unknown {
            let _ = writeln!(out, "\t{}", quoted(path.as_bstr()));
        }
        out.push('\n');
    }
    if staged.is_empty() {
        out.push_str(if !changed.is_empty() || !conflicts.is_empty() {
            "no changes added to commit (use \"git add\" and/or \"git commit -a\")\n"
        } else if !unknown.is_empty() {
            "nothing added to commit but untracked files present (use \"git add\" to track)\n"
        } else if is_initial {
            "nothing to commit (create/copy files and use \"git add\" to track)\n"
        } else {
            "nothing to commit, working tree clean\n"
        });
    }
    out.pop();
    Ok(out)
}

/// Where `HEAD` is, and how its branch stands to the one it follows. Gives whether there is no commit yet.
fn head_line(repo: &Repo, out: &mut String) -> Result<bool> {
    match repo.head()? {
        Head::Branch(name, at) => {
            let short = name.strip_prefix("refs/heads/").unwrap_or(&name);
            let _ = writeln!(out, "On branch {short}");
            if let Some(at) = at {
                tracking(repo, short, at, out)?;
            }
            Ok(at.is_none())
        }
        Head::Detached(at) => {
            match detached_from(repo, at)? {
                Some((from, true)) => writeln!(out, "HEAD detached at {from}"),
                Some((from, false)) => writeln!(out, "HEAD detached from {from}"),
                None => writeln!(out, "Not currently on any branch."),
            }
            .unwrap_or_default();
            Ok(false)
        }
    }
}

/// What was checked out last, and whether `HEAD` is still there.
pub(crate) fn detached_from(repo: &Repo, at: ObjectId) -> Result<Option<(String, bool)>> {
    let log = repo.refs.log("HEAD")?.unwrap_or_default();
    let Some((to, id)) = log.iter().rev().find_map(|line| {
        let moved = line.message.strip_prefix("checkout: moving from ")?;
        Some((moved.split_once(" to ")?.1.to_owned(), line.new))
    }) else {
        return Ok(None);
    };
    let mut shown = repo.objects.short(&id)?;
    if let Some(full) = revision::find_reference(repo, &to)?
        && let Some(target) = repo.refs.resolve(&full)?
        && repo.peel(target).is_ok_and(|(target, _)| target == id)
    {
        let short = full.strip_prefix("refs/tags/").or_else(|| full.strip_prefix("refs/remotes/"));
        shown = short.unwrap_or(&full).to_owned();
    }
    Ok(Some((shown, id == at)))
}

fn tracking(repo: &Repo, branch: &str, at: ObjectId, out: &mut String) -> Result<()> {
    let Some(full) = revision::tracked_by(repo, branch) else { return Ok(()) };
    let name =
        full.strip_prefix("refs/remotes/").or_else(|| full.strip_prefix("refs/heads/")).unwrap_or(&full);
    let Some(theirs) = repo.refs.resolve(&full)? else {
        let _ = write!(
            out,
            "Your branch is based on '{name}', but the upstream is gone.\n  (use \"git branch --unset-upstream\" to \
             fixup)\n\n"
        );
        return Ok(());
    };
    let (ahead, behind) = history::ahead_behind(repo, at, theirs)?;
    let commits = |count: usize| if count == 1 { "commit" } else { "commits" };
    let _ = match (ahead, behind) {
        (0, 0) => write!(out, "Your branch is up to date with '{name}'.\n\n"),
        (ahead, 0) => write!(
            out,
            "Your branch is ahead of '{name}' by {ahead} {}.\n  (use \"git push\" to publish your local commits)\n\n",
            commits(ahead)
        ),
        (0, behind) => write!(
            out,
            "Your branch is behind '{name}' by {behind} {}, and can be fast-forwarded.\n  (use \"git pull\" to update \
             your local branch)\n\n",
            commits(behind)
        ),
        (ahead, behind) => write!(
            out,
            "Your branch and '{name}' have diverged,\nand have {ahead} and {behind} different commits each, \
             respectively.\n  (use \"git pull\" if you want to integrate the remote branch with yours)\n\n"
        ),
    };
    Ok(())
}

/// What is under way: a merge, a cherry-pick, a revert, a bisection.
fn progress(repo: &Repo, conflicts: bool, out: &mut String) -> Result<()> {
    let named = |file: &str| -> Option<ObjectId> {
        let text = std::fs::read_to_string(repo.git_dir.join(file)).ok()?;
        ObjectId::from_hex(text.trim().as_bytes()).ok()
    };
    if repo.git_dir.join("MERGE_HEAD").exists() {
        out.push_str(if conflicts {
            "You have unmerged paths.\n  (fix conflicts and run \"git commit\")\n  (use \"git merge --abort\" to abort \
             the merge)\n\n"
        } else {
            "All conflicts fixed but you are still merging.\n  (use \"git commit\" to conclude merge)\n\n"
        });
    }
    for (file, doing, verb, undo) in [
        ("CHERRY_PICK_HEAD", "cherry-picking", "cherry-pick", "cancel the cherry-pick operation"),
        ("REVERT_HEAD", "reverting", "revert", "cancel the revert operation"),
    ] {
        let Some(id) = named(file) else { continue };
        let next = if conflicts {
            format!("fix conflicts and run \"git {verb} --continue\"")
        } else {
            format!("all conflicts fixed: run \"git {verb} --continue\"")
        };
        let _ = write!(
            out,
            "You are currently {doing} commit {}.\n  ({next})\n  (use \"git {verb} --skip\" to skip this patch)\n  \
             (use \"git {verb} --abort\" to {undo})\n\n",
            repo.objects.short(&id)?
        );
    }
    if let Ok(from) = std::fs::read_to_string(repo.git_dir.join("BISECT_START")) {
        let _ = write!(
            out,
            "You are currently bisecting, started from branch '{}'.\n  (use \"git bisect reset\" to get back to the \
             original branch)\n\n",
            from.trim()
        );
    }
    Ok(())
}

fn list(changes: &[Change], out: &mut String) {
    for change in changes {
        let path = quoted(change.path().as_bstr());
        let _ = match (&change.old, &change.new) {
            (None, _) => writeln!(out, "\tnew file:   {path}"),
            (_, None) => writeln!(out, "\tdeleted:    {path}"),
            (Some(old), Some(_)) if change.alike.is_some() => {
                writeln!(out, "\trenamed:    {} -> {path}", quoted(old.path.as_bstr()))
            }
            _ if change.is_type_change() => writeln!(out, "\ttypechange: {path}"),
            (Some(old), Some(new)) if old.leaf.mode == trees::SUBMODULE && old.leaf.id != new.leaf.id => {
                writeln!(out, "\tmodified:   {path} (new commits)")
            }
            _ => writeln!(out, "\tmodified:   {path}"),
        };
    }
    out.push('\n');
}

fn unmerged(conflicts: &[Conflict], out: &mut String) {
    let there = |conflict: &Conflict| conflict.stages.map(|stage| stage.is_some());
    let both_deleted = conflicts.iter().any(|conflict| there(conflict) == [true, false, false]);
    let one_deleted =
        conflicts.iter().any(|conflict| matches!(there(conflict), [true, true, false] | [true, false, true]));
    let not_deleted = conflicts.iter().any(|conflict| there(conflict) != [true, false, false]);
    out.push_str(match (both_deleted, one_deleted, not_deleted) {
        (false, false, _) => "  (use \"git add <file>...\" to mark resolution)\n",
        (true, false, false) => "  (use \"git rm <file>...\" to mark resolution)\n",
        _ => "  (use \"git add/rm <file>...\" as appropriate to mark resolution)\n",
    });
    for conflict in conflicts {
        let what = match there(conflict) {
            [true, false, false] => "both deleted:",
            [false, true, false] => "added by us:",
            [true, true, false] => "deleted by them:",
            [false, false, true] => "added by them:",
            [true, false, true] => "deleted by us:",
            [false, true, true] => "both added:",
            _ => "both modified:",
        };
        let _ = writeln!(out, "\t{what:<17}{}", quoted(conflict.path.as_bstr()));
    }
    out.push('\n');
}

/// The name of what a reference leads to, as `git branch` shows it.
pub(crate) fn leads_to(points: &Points) -> Option<&str> {
    revision::symbolic(points).map(|name| {
        name.strip_prefix("refs/remotes/").or_else(|| name.strip_prefix("refs/heads/")).unwrap_or(name)
    })
}
