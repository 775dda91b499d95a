//! Switching to a branch, or to a commit of none, and making the files be what it has.
//! What was changed and not committed is never overwritten. Must not change a branch.

use std::collections::{BTreeMap, BTreeSet};

use bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;
use gix_object::Kind;

use crate::failure::{Failure, Result, quoted};
use crate::identity;
use crate::ignores::Ignores;
use crate::index::{Index, Staged};
use crate::repo::{Head, Repo};
use crate::revision::{self, no_flag};
use crate::trees::{self, SUBMODULE};
use crate::worktree::{State, Worktree};

/// Switches to what a caller named; gives the answer's text.
pub(crate) fn checkout(repo: &Repo, name: &str) -> Result<String> {
    no_flag("branch name", name)?;
    let found = revision::parse(repo, name)?;
    let command = format!("checkout {name}");
    let worktree = Worktree::of(repo, &command)?;
    let (id, kind) = repo.peel(found.id)?;
    match kind {
        Kind::Commit => {}
        Kind::Tree => {
            let why = format!("fatal: Cannot switch branch to a non-commit '{name}'");
            return Err(Failure::command(&command, 128, &why));
        }
        _ => {
            return Err(Failure::command(&command, 128, &format!("fatal: unable to read tree ({id})")));
        }
    }
    let branch = branch(repo, name)?;
    let commit = repo.commit(&id)?;
    let before = repo.head_commit()?;
    let old = before.map(|id| repo.commit(&id).map(|commit| commit.tree)).transpose()?;
    files(repo, &worktree, old, commit.tree, &command)?;

    let from = match repo.head()? {
        Head::Branch(name, _) => name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned(),
        Head::Detached(id) => id.to_string(),
    };
    let who = identity::of_log(repo);
    let to = branch.as_deref().and_then(|branch| branch.strip_prefix("refs/heads/")).unwrap_or(name);
    let why = format!("checkout: moving from {from} to {to}");
    match &branch {
        Some(branch) => repo.refs.switch(branch, before, id, &why, &who)?,
        // To where it is.
        None if matches!(name, "HEAD" | "@") => {}
        None => repo.refs.detach(id, &why, &who)?,
    }
    Ok(match repo.head()? {
        Head::Branch(name, _) => {
            format!("Switched to branch '{}'", name.strip_prefix("refs/heads/").unwrap_or(&name))
        }
        Head::Detached(id) => format!("HEAD is now detached at {}", id.to_hex_with_len(7)),
    })
}

/// The full name of the branch that a name stands for, if it does.
fn branch(repo: &Repo, name: &str) -> Result<Option<String>> {
    let full = match name.strip_prefix("@{-").and_then(|rest| rest.strip_suffix('}')) {
        Some(number) => {
            let Ok(number) = number.parse::<usize>() else { return Ok(None) };
            let log = repo.refs.log("HEAD")?.unwrap_or_default();
            let mut left =
                log.iter().rev().filter_map(|line| line.message.strip_prefix("checkout: moving from "));
            let Some(left) = left.nth(number.saturating_sub(1)) else { return Ok(None) };
            format!("refs/heads/{}", left.split(" to ").next().unwrap_or(left))
        }
        None => format!("refs/heads/{name}"),
    };
    Ok(repo.refs.resolve(&full)?.map(|_| full))
}

/// Makes the files and the index go from one tree to another, or changes nothing at all.
fn files(
    repo: &Repo,
    worktree: &Worktree<'_>,
    old: Option<ObjectId>,
    new: ObjectId,
    command: &str,
) -> Result<()> {
    let mut index = Index::load(repo)?;
    let conflicts = index.conflicts();
    if !conflicts.is_empty() {
        let paths: Vec<String> = conflicts
            .iter()
            .map(|conflict| format!("{}: needs merge", quoted(conflict.path.as_bstr())))
            .collect();
        let why = "error: you need to resolve your current index first";
        return Err(Failure::command_with_output(command, 1, &paths.join("\n"), why));
    }
    let (before, after) = trees::differing(&repo.objects, old.as_ref(), Some(&new))?;
    let staged: BTreeMap<BString, Staged> =
        index.staged().into_iter().map(|entry| (entry.path.clone(), entry)).collect();
    let paths: BTreeSet<&BString> = before.keys().chain(after.keys()).collect();
    let mut ignores = Ignores::of(repo, worktree)?;
    let (mut changed, mut untracked) = (Vec::new(), Vec::new());
    let (mut write, mut remove) = (Vec::new(), Vec::new());
    for path in paths {
        let (was, will) = (before.get(path), after.get(path));
        let entry = staged.get(path);
        if entry.map(|entry| &entry.leaf) == will && entry.is_none_or(|entry| !entry.announced) {
            // Staged as it will be: what lies there stays.
            continue;
        }
        match entry {
            Some(entry) if Some(&entry.leaf) != was => changed.push(path),
            Some(entry) => match worktree.state(entry)? {
                State::Changed(_) => changed.push(path),
                State::Gone if will.is_some() && blocked(worktree, path, &staged)? => untracked.push(path),
                State::Same | State::Gone => match will {
                    Some(will) => write.push((path.clone(), *will)),
                    None => remove.push(path.clone()),
                },
            },
            None if was.is_some() && will.is_some() => changed.push(path),
            None => {
                let Some(will) = will else { continue };
                let in_the_way = blocked(worktree, path, &staged)?;
                if in_the_way && !ignores.ignored(path.as_bstr(), false)? {
                    untracked.push(path);
                } else {
                    write.push((path.clone(), *will));
                }
            }
        }
    }
    refuse(&changed, &untracked, command)?;
    for path in &remove {
        worktree.remove(path.as_bstr())?;
    }
    index.remove(&|path| remove.iter().any(|gone| gone == path));
    let mut put = Vec::new();
    for (path, leaf) in write {
        let data =
            if leaf.mode == SUBMODULE { Vec::new() } else { repo.objects.expect(&leaf.id, Kind::Blob)? };
        let about = worktree.write(path.as_bstr(), leaf.mode, data)?;
        put.push((path, leaf, about));
    }
    index.put(put);
    index.save(repo, command)
}

/// Whether something that git does not know lies where a file has to be.
fn blocked(worktree: &Worktree<'_>, path: &BString, staged: &BTreeMap<BString, Staged>) -> Result<bool> {
    let Some(about) = worktree.look(path.as_bstr())? else { return Ok(false) };
    if !about.is_dir() {
        return Ok(true);
    }
    // A folder whose files all go away is no hindrance.
    let mut prefix = path.clone();
    prefix.push(b'/');
    let place = worktree.place(path.as_bstr())?;
    let entries = std::fs::read_dir(&place).map_err(|error| Failure::io("list", &place, &error))?;
    let known = staged.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix)).count();
    Ok(entries.count() > known)
}

fn refuse(changed: &[&BString], untracked: &[&BString], command: &str) -> Result<()> {
    let mut why = String::new();
    for (paths, what, advice) in [
        (
            changed,
            "Your local changes to the following files would be overwritten by checkout:",
            "Please commit your changes or stash them before you switch branches.",
        ),
        (
            untracked,
            "The following untracked working tree files would be overwritten by checkout:",
            "Please move or remove them before you switch branches.",
        ),
    ] {
        if !paths.is_empty() {
            let paths: String = paths.iter().map(|path| format!("\t{}\n", quoted(path.as_bstr()))).collect();
            why.push_str(&format!("error: {what}\n{paths}{advice}\n"));
        }
    }
    if why.is_empty() { Ok(()) } else { Err(Failure::command(command, 1, &format!("{why}Aborting"))) }
}
