//! What `git_log` and `git_show` give: commits with their messages and patches, files, folders.
//! Must not change anything.

use bstr::ByteSlice as _;
use gix_object::Kind;

use crate::changes::{self, Sides};
use crate::dates;
use crate::failure::{Failure, Result};
use crate::history;
use crate::patch::{self, Style};
use crate::repo::{Head, Repo};
use crate::revision;
use crate::trees::{self, Commit, TREE};

/// `git_log`'s arguments.
pub(crate) struct Log<'a> {
    pub(crate) max_count: i64,
    pub(crate) since: Option<&'a str>,
    pub(crate) until: Option<&'a str>,
}

/// The commits that `HEAD` leads to, one entry each.
pub(crate) fn log(repo: &Repo, wanted: &Log<'_>) -> Result<Vec<String>> {
    for (name, value) in [("start_timestamp", wanted.since), ("end_timestamp", wanted.until)] {
        revision::no_flag(name, value.unwrap_or_default())?;
    }
    let head = match repo.head()? {
        Head::Detached(id) | Head::Branch(_, Some(id)) => id,
        Head::Branch(name, None) => {
            return Err(Failure::new(format!("Reference at '{name}' does not exist")));
        }
    };
    let now = dates::now();
    let time =
        |text: Option<&str>| text.filter(|text| !text.is_empty()).map(|text| dates::approximate(text, &now));
    // Below zero is no bound, as for git.
    let most = usize::try_from(wanted.max_count).ok();
    let commits = history::log(repo, head, most, time(wanted.since), time(wanted.until))?;
    Ok(commits.iter().map(entry).collect())
}

fn entry(commit: &Commit) -> String {
    let author = &commit.author;
    format!(
        "Commit: {}\nAuthor: {}\nDate: {}\nMessage: {}\n",
        commit.id,
        author.name,
        dates::shown(author.seconds, author.offset, "%Y-%m-%d %H:%M:%S%:z"),
        commit.message
    )
}

/// A commit with its patch, a file's contents, or a folder's entries.
pub(crate) fn show(repo: &Repo, revision: &str) -> Result<String> {
    revision::no_flag("revision", revision)?;
    let found = revision::parse(repo, revision)?;
    match found.kind {
        Kind::Blob => Ok(repo.objects.find(&found.id)?.data.to_str_lossy().into_owned()),
        Kind::Tree => {
            let entries = trees::entries(&repo.objects, &found.id)?;
            let shown = entries.iter().map(|entry| {
                let slash = if entry.mode == TREE { "/" } else { "" };
                format!("{}{slash}", entry.name)
            });
            Ok(shown.collect::<Vec<_>>().join("\n"))
        }
        Kind::Commit | Kind::Tag => {
            let id = revision::commit(repo, revision)?;
            with_patch(repo, &repo.commit(&id)?)
        }
    }
}

fn with_patch(repo: &Repo, commit: &Commit) -> Result<String> {
    let author = &commit.author;
    let mut out = format!(
        "commit {}\nAuthor: {} <{}>\nDate:   {}\n\n",
        commit.id,
        author.name,
        author.email,
        dates::shown(author.seconds, author.offset, "%Y-%m-%d %H:%M:%S %z")
    );
    for line in commit.message.trim_end_matches('\n').split('\n') {
        out.push_str(&format!("    {line}\n"));
    }
    let parent = commit.parents.first().map(|id| repo.commit(id)).transpose()?;
    let sides = Sides { objects: &repo.objects, worktree: None };
    let (old, new) =
        trees::differing(&repo.objects, parent.as_ref().map(|parent| &parent.tree), Some(&commit.tree))?;
    let changes = changes::between(&old, &new, sides)?;
    let style = Style { context: 3, headers: false };
    for change in changes.iter().flat_map(patch::split) {
        let name = |prefix: &str, file: &Option<changes::File>| {
            file.as_ref().map_or_else(|| "/dev/null".to_owned(), |file| format!("{prefix}{}", file.path))
        };
        out.push_str(&format!("\n--- {}\n+++ {}\n", name("a/", &change.old), name("b/", &change.new)));
        out.push_str(&patch::of(&[change], sides, style)?.to_str_lossy());
    }
    Ok(out)
}
