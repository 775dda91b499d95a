//! Listing branches, and making one.
//! Must not change `HEAD` or a file.

use gix_hash::ObjectId;
use gix_object::Kind;

use crate::failure::{Failure, Result};
use crate::history;
use crate::identity;
use crate::refs::Points;
use crate::repo::{Head, Repo};
use crate::revision::{self, no_flag};
use crate::status;

/// `git branch`, with `-r` or `-a`.
pub(crate) fn list(
    repo: &Repo,
    branch_type: &str,
    contains: Option<&str>,
    not_contains: Option<&str>,
) -> Result<String> {
    no_flag("contains value", contains.unwrap_or_default())?;
    no_flag("not_contains value", not_contains.unwrap_or_default())?;
    let (flag, local, remote) = match branch_type {
        "local" => ("", true, false),
        "remote" => (" -r", false, true),
        "all" => (" -a", true, true),
        other => return Err(Failure::new(format!("Invalid branch type: {other}"))),
    };
    let mut command = format!("branch{flag}");
    for (option, value) in [(" --contains ", contains), (" --no-contains ", not_contains)] {
        command.extend(value.iter().flat_map(|value| [option, value]));
    }
    let commit = |value: Option<&str>| value.map(|value| named(repo, value, &command)).transpose();
    let (with, without) = (commit(contains)?, commit(not_contains)?);
    let wanted = |tip: ObjectId| -> Result<bool> {
        Ok(with.as_ref().map_or(Ok(true), |id| history::contains(repo, tip, id))?
            && !without.as_ref().map_or(Ok(false), |id| history::contains(repo, tip, id))?)
    };
    let head = repo.head()?;
    let mut lines = Vec::new();
    if let (Head::Detached(at), true) = (&head, local)
        && wanted(*at)?
    {
        lines.push(match status::detached_from(repo, *at)? {
            Some((from, true)) => format!("* (HEAD detached at {from})"),
            Some((from, false)) => format!("* (HEAD detached from {from})"),
            None => "* (no branch)".to_owned(),
        });
    }
    for (prefix, shown, asked) in
        [("refs/heads/", "", local), ("refs/remotes/", if local { "remotes/" } else { "" }, remote)]
    {
        for (name, points) in if asked { repo.refs.below(prefix)? } else { Vec::new() } {
            let Some(tip) = repo.refs.resolve(&name)? else { continue };
            if !matches!(repo.peel(tip), Ok((id, Kind::Commit)) if wanted(id)?) {
                continue;
            }
            let sign = if matches!(&head, Head::Branch(current, _) if *current == name) { '*' } else { ' ' };
            let arrow = status::leads_to(&points).map(|to| format!(" -> {to}")).unwrap_or_default();
            let short = name.strip_prefix(prefix).unwrap_or(&name);
            lines.push(format!("{sign} {shown}{short}{arrow}"));
        }
    }
    Ok(lines.join("\n"))
}

/// The commit that `--contains` names.
fn named(repo: &Repo, value: &str, command: &str) -> Result<ObjectId> {
    let found = revision::parse(repo, value)
        .map_err(|_| Failure::command(command, 129, &format!("error: malformed object name {value}")))?;
    match repo.peel(found.id)? {
        (id, Kind::Commit) => Ok(id),
        (id, kind) => {
            let why = format!("error: object {id} is a {kind}, not a commit\nerror: no such commit {value}");
            Err(Failure::command(command, 129, &why))
        }
    }
}

/// Makes a branch at another or at the current one; gives the answer's text.
pub(crate) fn create(repo: &Repo, name: &str, base: Option<&str>) -> Result<String> {
    no_flag("branch name", name)?;
    no_flag("base branch", base.unwrap_or_default())?;
    let (base_name, base_path) = match base.filter(|base| !base.is_empty()) {
        Some(base) => {
            let all = repo.refs.below("refs/")?;
            let path = all.into_iter().map(|(path, _)| path).find(|path| short(path) == base);
            let path = path.ok_or_else(|| Failure::new(format!("No item found with id {base}")))?;
            (base.to_owned(), path)
        }
        None => match repo.head()? {
            Head::Branch(path, _) => (short(&path).to_owned(), path),
            Head::Detached(_) => {
                return Err(Failure::new(
                    "HEAD is detached, so there is no current branch to branch from; pass base_branch",
                ));
            }
        },
    };
    let full = format!("refs/heads/{name}");
    if matches!(repo.refs.get(&full)?, Some(Points::At(_) | Points::To(_))) {
        return Err(Failure::new(format!("Cannot create branch '{name}': {full} already exists")));
    }
    check_name(&full)?;
    let tip = repo.refs.resolve(&base_path)?;
    let tip = tip.ok_or_else(|| Failure::bad_name(&base_name))?;
    let (at, kind) = repo.peel(tip)?;
    if kind != Kind::Commit {
        return Err(Failure::new(format!("'{base_name}' is a {kind}, and a branch is at a commit")));
    }
    repo.refs.make(&full, at, &format!("branch: Created from {base_name}"), &identity::of_log(repo))?;
    Ok(format!("Created branch '{name}' from '{base_name}'"))
}

/// The name that GitPython gives a reference: without the first two parts of its path.
fn short(path: &str) -> &str {
    path.splitn(3, '/').nth(2).unwrap_or(path)
}

/// GitPython's rules for a reference's name.
fn check_name(path: &str) -> Result<()> {
    let wrong = |why: &str| Err(Failure::new(format!("Invalid reference '{path}': references cannot {why}")));
    let mut previous = None;
    for character in path.chars() {
        match (previous, character) {
            (_, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\') => {
                return wrong(
                    "contain spaces, tildes (~), carets (^), colons (:), question marks (?), asterisks (*), open \
                     brackets ([) or backslashes (\\)",
                );
            }
            (None | Some('/'), '.') => return wrong("start with a period (.) or contain '/.'"),
            (Some('.'), '.') => return wrong("contain '..'"),
            (Some('/'), '/') => return wrong("contain '//'"),
            (None, '/') => return wrong("start with forward slashes '/'"),
            (Some('@'), '{') => return wrong("contain '@{'"),
            (_, other) if u32::from(other) < 32 || other == '\u{7f}' => {
                return wrong("contain ASCII control characters");
            }
            _ => {}
        }
        previous = Some(character);
    }
    match previous {
        Some('.') => wrong("end with a period (.)"),
        Some('/') => wrong("end with a forward slash (/)"),
        _ if path.split('/').any(|part| part.ends_with(".lock")) => {
            wrong("have slash-separated components that end with '.lock'")
        }
        _ => Ok(()),
    }
}
