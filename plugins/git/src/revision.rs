//! What a revision names, as GitPython's `rev_parse` reads it, with its errors.
//! Must not walk the history but to a parent; searches are `history`'s.

use gix_hash::ObjectId;
use gix_object::Kind;

use crate::dates;
use crate::failure::{Failure, Result, repr};
use crate::history;
use crate::refs::Points;
use crate::repo::{Head, Repo};
use crate::trees::{self, TREE};
use crate::{index, objects};

/// An object that a revision names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: ObjectId,
    pub(crate) kind: Kind,
}

impl Found {
    /// As Python shows GitPython's object.
    fn shown(self) -> String {
        let class = match self.kind {
            Kind::Commit => "Commit",
            Kind::Tree => "Tree",
            Kind::Blob => "Blob",
            Kind::Tag => "TagObject",
        };
        format!("<git.{class} \"{}\">", self.id)
    }
}

/// Refuses what a command line would take for an option.
pub(crate) fn no_flag(what: &str, value: &str) -> Result<()> {
    if value.starts_with('-') {
        return Err(Failure::new(format!("Invalid {what}: '{value}' - cannot start with '-'")));
    }
    Ok(())
}

/// The object that a revision names.
pub(crate) fn parse(repo: &Repo, revision: &str) -> Result<Found> {
    if let Some(pattern) = revision.strip_prefix(":/") {
        return by_message(repo, None, pattern);
    }
    if let Some(spec) = revision.strip_prefix(':') {
        return in_index(repo, spec);
    }
    let Some(first) = first_token(revision) else { return named(repo, revision) };
    let (anchor, mut rest) = revision.split_at(first);
    let (mut found, mut reference) = if anchor.is_empty() {
        if !rest.starts_with('@') {
            return Err(Failure::new(format!(
                "Revision specifier must start with an object name: {revision}"
            )));
        }
        if !rest.starts_with("@{") {
            rest = rest.get(1..).unwrap_or_default();
        }
        (head(repo)?, None)
    } else if rest.starts_with('@') {
        let name = reference_named(repo, anchor)?;
        (of_reference(repo, &name)?, Some(name))
    } else {
        (named(repo, anchor)?, None)
    };
    while let Some(token) = rest.chars().next() {
        if token == '@' {
            if !rest.starts_with("@{") {
                return Err(Failure::new(format!("Invalid @ token in revision specifier: {revision}")));
            }
            let (content, tail) = braced(revision, rest.get(2..).unwrap_or_default())?;
            found = in_log(repo, reference.take(), content)?;
            rest = tail;
            continue;
        }
        let tail = rest.get(token.len_utf8()..).unwrap_or_default();
        if token == ':' {
            return in_tree(repo, found, tail);
        }
        reference = None;
        if token == '^'
            && let Some(inner) = tail.strip_prefix('{')
        {
            let (content, tail) = braced(revision, inner)?;
            found = peeled(repo, found, content, revision)?;
            rest = tail;
            continue;
        }
        let digits = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = tail.split_at(digits);
        // More than any history has.
        let number: usize = if number.is_empty() { 1 } else { number.parse().unwrap_or(usize::MAX) };
        rest = tail;
        found = match token {
            '~' => ancestor(repo, found, number, revision)?,
            '^' => parent(repo, found, number, revision)?,
            other => return Err(Failure::new(format!("Invalid token: {}", repr(&other.to_string())))),
        };
    }
    Ok(found)
}

/// The commit that a revision names or is a tag of.
pub(crate) fn commit(repo: &Repo, revision: &str) -> Result<ObjectId> {
    to_commit(repo, parse(repo, revision)?)
}

/// Where the first sign that is no name stands.
fn first_token(revision: &str) -> Option<usize> {
    let mut characters = revision.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '^' | '~' | ':' => return Some(at),
            '@' => {
                let next = characters.peek().map(|(_, next)| *next);
                if next == Some('{') || (at == 0 && matches!(next, None | Some('^' | '~' | ':'))) {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// What stands before the closing brace, and what after it.
fn braced<'a>(revision: &str, inner: &'a str) -> Result<(&'a str, &'a str)> {
    let (mut depth, mut escaped) = (1, false);
    for (at, character) in inner.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (content, tail) = inner.split_at(at);
            return Ok((content, tail.get(1..).unwrap_or_default()));
        }
    }
    Err(Failure::new(format!("Missing closing brace to define type in {revision}")))
}

fn found(repo: &Repo, id: ObjectId) -> Result<Found> {
    Ok(Found { id, kind: repo.objects.find(&id)?.kind })
}

/// The object of a name: a hexadecimal one, a reference, or what `git describe` gives.
fn named(repo: &Repo, name: &str) -> Result<Found> {
    let hexadecimal = (4..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal && name.len() == 40 {
        if let Ok(id) = ObjectId::from_hex(name.as_bytes()) {
            return found(repo, id);
        }
    }
    // git itself asks references first for what is shorter.
    if let Some(full) = find_reference(repo, name)?
        && let Some(id) = repo.refs.resolve(&full)?
    {
        return found(repo, id);
    }
    if hexadecimal && let Some(id) = unique(repo, name)? {
        return found(repo, id);
    }
    let described = name.strip_suffix("-dirty").unwrap_or(name);
    let digits = match described.rsplit_once("-g") {
        Some((before, digits)) if !before.is_empty() => Some(digits),
        _ if described != name => Some(described),
        _ => None,
    };
    if let Some(digits) = digits
        && (4..=40).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        && let Some(id) = unique(repo, digits)?
    {
        return found(repo, id);
    }
    Err(Failure::bad_name(name))
}

/// The only object whose name starts with these digits; of several, the only commit.
fn unique(repo: &Repo, digits: &str) -> Result<Option<ObjectId>> {
    let all = repo.objects.matching(digits)?;
    Ok(match all.as_slice() {
        [one] => Some(*one),
        _ => None,
    })
}

/// The full name of a reference that may be given short.
pub(crate) fn find_reference(repo: &Repo, name: &str) -> Result<Option<String>> {
    for full in [
        name.to_owned(),
        format!("refs/{name}"),
        format!("refs/tags/{name}"),
        format!("refs/heads/{name}"),
        format!("refs/remotes/{name}"),
        format!("refs/remotes/{name}/HEAD"),
    ] {
        if repo.refs.resolve(&full)?.is_some() {
            return Ok(Some(full));
        }
    }
    Ok(None)
}

fn reference_named(repo: &Repo, name: &str) -> Result<String> {
    find_reference(repo, name)?
        .ok_or_else(|| Failure::new(format!("BadObject: Couldn't find reference named {}", repr(name))))
}

fn of_reference(repo: &Repo, name: &str) -> Result<Found> {
    let id = repo.refs.resolve(name)?.ok_or_else(|| no_reference(name))?;
    let (id, kind) = repo.peel(id)?;
    Ok(Found { id, kind })
}

fn no_reference(name: &str) -> Failure {
    Failure::new(format!("Reference at {} does not exist", repr(name)))
}

fn head(repo: &Repo) -> Result<Found> {
    match repo.head()? {
        Head::Detached(id) | Head::Branch(_, Some(id)) => found(repo, id),
        Head::Branch(name, None) => Err(no_reference(&name)),
    }
}

/// The commit that an object is or is a tag of.
fn to_commit(repo: &Repo, object: Found) -> Result<ObjectId> {
    let (id, kind) = repo.peel(object.id)?;
    if kind != Kind::Commit {
        return Err(Failure::new(format!(
            "Cannot convert object {} to type commit",
            Found { id, kind }.shown()
        )));
    }
    Ok(id)
}

fn too_few(revision: &str, step: char, number: usize) -> Failure {
    Failure::bad_name(&format!(
        "Invalid revision spec '{revision}' - not enough parent commits to reach '{step}{number}'"
    ))
}

fn ancestor(repo: &Repo, from: Found, generations: usize, revision: &str) -> Result<Found> {
    let mut id = to_commit(repo, from)?;
    for _ in 0..generations {
        let commit = repo.commit(&id)?;
        id = *commit.parents.first().ok_or_else(|| too_few(revision, '~', generations))?;
    }
    Ok(Found { id, kind: Kind::Commit })
}

fn parent(repo: &Repo, of: Found, number: usize, revision: &str) -> Result<Found> {
    let id = to_commit(repo, of)?;
    let Some(place) = number.checked_sub(1) else { return Ok(Found { id, kind: Kind::Commit }) };
    let commit = repo.commit(&id)?;
    let id = *commit.parents.get(place).ok_or_else(|| too_few(revision, '^', number))?;
    Ok(Found { id, kind: Kind::Commit })
}

/// `REV^{…}`.
fn peeled(repo: &Repo, object: Found, wanted: &str, revision: &str) -> Result<Found> {
    if let Some(pattern) = wanted.strip_prefix('/') {
        return by_message(repo, Some(object), pattern);
    }
    let untagged = || repo.peel(object.id).map(|(id, kind)| Found { id, kind });
    let of_type = |object: Found, kind: Kind| {
        if object.kind == kind {
            return Ok(object);
        }
        Err(Failure::new(format!(
            "Could not accommodate requested object type {}, got {}",
            repr(wanted),
            object.kind
        )))
    };
    match wanted {
        "" => untagged(),
        "object" => Ok(object),
        "commit" => Ok(Found { id: to_commit(repo, object)?, kind: Kind::Commit }),
        "tree" if object.kind == Kind::Tree => Ok(object),
        "tree" => {
            let commit = repo.commit(&to_commit(repo, object)?)?;
            Ok(Found { id: commit.tree, kind: Kind::Tree })
        }
        "blob" => of_type(untagged()?, Kind::Blob),
        "tag" => of_type(object, Kind::Tag),
        other => Err(Failure::new(format!("Invalid output type: {other} ( in {revision} )"))),
    }
}

/// `:PATH` and `:STAGE:PATH`.
fn in_index(repo: &Repo, spec: &str) -> Result<Found> {
    if spec.is_empty() {
        return Err(Failure::new("':' must be followed by a path"));
    }
    let (stage, path) = match spec.split_once(':') {
        Some((stage @ ("0" | "1" | "2" | "3"), path)) => (stage.parse().unwrap_or(0), path),
        _ => (0, spec),
    };
    let index = index::Index::load(repo)?;
    let id = index.at_stage(path.into(), stage).ok_or_else(|| {
        Failure::bad_name(&format!("Path {} did not exist in the index at stage {stage}", repr(path)))
    })?;
    found(repo, id)
}

/// `REV:PATH`.
fn in_tree(repo: &Repo, object: Found, path: &str) -> Result<Found> {
    let mut tree =
        if object.kind == Kind::Tree { object.id } else { repo.commit(&to_commit(repo, object)?)?.tree };
    if path.is_empty() {
        return Ok(Found { id: tree, kind: Kind::Tree });
    }
    let missing = |name: &str| Failure::new(repr(&format!("Blob or Tree named {} not found", repr(name))));
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let entries = trees::entries(&repo.objects, &tree)?;
        let entry = entries.iter().find(|entry| entry.name == part).ok_or_else(|| missing(part))?;
        match (parts.peek().is_some(), entry.mode) {
            (true, TREE) => tree = entry.id,
            (true, _) => return Err(missing(path)),
            (false, trees::SUBMODULE) => return Err(objects::missing(&entry.id)),
            (false, _) => return found(repo, entry.id),
        }
    }
    Err(missing(path))
}

/// The youngest commit whose message matches, of all or of those that an object leads to.
fn by_message(repo: &Repo, from: Option<Found>, pattern: &str) -> Result<Found> {
    if pattern.is_empty() {
        return Err(Failure::new("Revision search requires a pattern"));
    }
    let (pattern_text, negated) = match pattern.strip_prefix('!') {
        Some(rest) if rest.starts_with('-') => (rest.get(1..).unwrap_or_default(), true),
        Some(rest) if rest.starts_with('!') => (rest, false),
        Some(_) => return Err(Failure::new("Need one character after /!, typically -")),
        None => (pattern, false),
    };
    let starts = match from {
        Some(object) => vec![to_commit(repo, object)?],
        None => history::tips(repo)?,
    };
    let none = || Failure::bad_name(&format!("No commit found matching message pattern {}", repr(pattern)));
    let regex = regex_lite::Regex::new(pattern_text).map_err(|_| none())?;
    for commit in history::Walk::new(repo, &starts)? {
        let commit = commit?;
        if regex.is_match(&commit.message) != negated {
            return Ok(Found { id: commit.id, kind: Kind::Commit });
        }
    }
    Err(none())
}

/// `REF@{…}`: an earlier place of a reference, a branch left before, or the branch that it follows.
fn in_log(repo: &Repo, reference: Option<String>, content: &str) -> Result<Found> {
    let content = content.strip_prefix('+').unwrap_or(content);
    if let Some(number) = content.strip_prefix('-') {
        if reference.is_some() {
            return Err(Failure::new("Previous checkout selectors do not take an explicit ref"));
        }
        if number == "0" {
            return Err(Failure::new("Negative zero is invalid in reflog selector"));
        }
        return left_before(repo, content, number);
    }
    if matches!(content.to_ascii_lowercase().as_str(), "u" | "upstream" | "push") {
        return upstream(repo, reference);
    }
    let name = match (reference, repo.head()?) {
        (Some(name), _) | (None, Head::Branch(name, _)) => name,
        (None, Head::Detached(_)) => "HEAD".to_owned(),
    };
    let log = || -> Result<Vec<crate::refs::LogLine>> {
        repo.refs.log(&name)?.ok_or_else(|| {
            Failure::new(format!(
                "[Errno 2] No such file or directory: '{}/logs/{name}'",
                repo.git_dir.display()
            ))
        })
    };
    if let Ok(number) = content.parse::<usize>()
        && number < 100_000_000
    {
        if number == 0 {
            return of_reference(repo, &name);
        }
        let log = log()?;
        let line = log
            .len()
            .checked_sub(number + 1)
            .and_then(|at| log.get(at))
            .ok_or_else(|| Failure::new(format!("Invalid revlog index: {number}")))?;
        return found(repo, line.new);
    }
    let when = dates::exact(content)
        .ok_or_else(|| Failure::new("Support for additional @{...} modes not implemented"))?;
    let log = log()?;
    let line = log.iter().rev().find(|line| line.seconds <= when).or(log.first());
    let line = line.ok_or_else(|| Failure::new(format!("Invalid revlog date: {content}")))?;
    found(repo, line.new)
}

/// `@{-N}`.
fn left_before(repo: &Repo, content: &str, number: &str) -> Result<Found> {
    let wrong = || Failure::new(format!("Invalid previous checkout selector: {content}"));
    let number: usize = number.parse().map_err(|_| wrong())?;
    let log = repo.refs.log("HEAD")?.unwrap_or_default();
    let left = log
        .iter()
        .rev()
        .filter_map(|line| line.message.strip_prefix("checkout: moving from "))
        .nth(number.checked_sub(1).ok_or_else(wrong)?)
        .ok_or_else(wrong)?;
    named(repo, left.split(" to ").next().unwrap_or(left))
}

/// `@{upstream}`.
fn upstream(repo: &Repo, reference: Option<String>) -> Result<Found> {
    let branch = match (reference, repo.head()?) {
        (Some(name), _) | (None, Head::Branch(name, _)) => name,
        (None, Head::Detached(_)) => return Err(Failure::bad_name("@{upstream}")),
    };
    let short = branch.strip_prefix("refs/heads/").unwrap_or(&branch);
    let tracked =
        tracked_by(repo, short).ok_or_else(|| Failure::bad_name(&format!("{short}@{{upstream}}")))?;
    of_reference(repo, &tracked)
}

/// The full name of the reference that a local branch follows, whether or not it is there.
pub(crate) fn tracked_by(repo: &Repo, branch: &str) -> Option<String> {
    let remote = repo.setting_of("branch", branch, "remote")?;
    let merge = repo.setting_of("branch", branch, "merge")?;
    if remote == "." {
        return Some(merge);
    }
    Some(format!("refs/remotes/{remote}/{}", merge.strip_prefix("refs/heads/")?))
}

/// Whether a reference leads to another.
pub(crate) fn symbolic(points: &Points) -> Option<&str> {
    match points {
        Points::To(name) => Some(name),
        Points::At(_) => None,
    }
}
