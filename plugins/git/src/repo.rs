//! Opening a repository: where its parts lie, what it is set to, and where `HEAD` is.
//! As GitPython finds it. Must not change anything.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use bstr::ByteSlice as _;
use gix_hash::ObjectId;
use gix_object::Kind;

use crate::access;
use crate::failure::{Failure, Result};
use crate::objects::Objects;
use crate::refs::{Points, Refs};
use crate::trees::{self, Commit};

/// The largest `.git` file that is read.
const LARGEST_POINTER: u64 = 1 << 20;

/// An open repository.
pub(crate) struct Repo {
    pub(crate) git_dir: PathBuf,
    pub(crate) common: PathBuf,
    /// None in a bare repository.
    worktree: Option<PathBuf>,
    config: gix_config::File,
    pub(crate) objects: Objects,
    pub(crate) refs: Refs,
    /// Commits whose parents were not fetched.
    shallow: HashSet<ObjectId>,
}

/// Where `HEAD` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Head {
    /// On a branch (its full name), which has no commit when it is unborn.
    Branch(String, Option<ObjectId>),
    /// At a commit of no branch.
    Detached(ObjectId),
}

impl Repo {
    /// Opens the repository at a path that a caller gave.
    pub(crate) fn open(repo_path: &str) -> Result<Self> {
        let path = access::check(repo_path)?;
        let folder = Path::new(&path);
        if !folder.exists() {
            return Err(Failure::new(path));
        }
        let found = match git_dir_of(&folder.join(".git")) {
            Some(git_dir) => Some((git_dir, folder.to_owned())),
            None if folder.join(".git").is_file() => None,
            None if is_git_dir(folder) => {
                Some((folder.to_owned(), folder.parent().unwrap_or(folder).to_owned()))
            }
            None => None,
        };
        let Some((git_dir, worktree)) = found else { return Err(Failure::new(path)) };
        let common = match std::fs::read_to_string(git_dir.join("commondir")) {
            Ok(common) => normal(&git_dir.join(common.trim_end_matches(['\r', '\n']))),
            Err(_) => git_dir.clone(),
        };
        let config = config(&common.join("config"))?;
        let text = |key: &str| config.string(key).map(|value| value.to_string());
        if text("extensions.objectFormat").is_some_and(|format| format != "sha1") {
            return Err(Failure::new(format!(
                "'{path}' names its objects by SHA-256; this plugin reads only SHA-1"
            )));
        }
        if text("extensions.refStorage").is_some_and(|format| format != "files") {
            return Err(Failure::new(format!(
                "'{path}' keeps its references in a table; this plugin reads only files"
            )));
        }
        let linked = git_dir != common;
        let bare = !linked && matches!(config.boolean("core.bare"), Ok(Some(true)));
        let shallow = std::fs::read_to_string(common.join("shallow")).unwrap_or_default();
        Ok(Self {
            worktree: (!bare).then_some(worktree),
            objects: Objects::at(common.join("objects")),
            refs: Refs::at(git_dir.clone(), common.clone()),
            shallow: shallow.lines().filter_map(|line| ObjectId::from_hex(line.as_bytes()).ok()).collect(),
            git_dir,
            common,
            config,
        })
    }

    /// The folder with the files, which a bare repository has not.
    pub(crate) fn worktree(&self, command: &str) -> Result<&Path> {
        self.worktree
            .as_deref()
            .ok_or_else(|| Failure::command(command, 128, "fatal: this operation must be run in a work tree"))
    }

    /// A value of the repository's settings.
    pub(crate) fn setting(&self, key: &str) -> Option<String> {
        self.config.string(key).map(|value| value.to_str_lossy().into_owned())
    }

    /// A value of a named section, such as the branch `main`'s `remote`.
    pub(crate) fn setting_of(&self, section: &str, name: &str, key: &str) -> Option<String> {
        self.config.string_by(section, name, key).map(|value| value.to_str_lossy().into_owned())
    }

    /// A value that is true or false.
    pub(crate) fn flag(&self, key: &str, default: bool) -> bool {
        self.config.boolean(key).ok().flatten().unwrap_or(default)
    }

    /// Where `HEAD` is.
    pub(crate) fn head(&self) -> Result<Head> {
        match self.refs.get("HEAD")? {
            Some(Points::At(id)) => Ok(Head::Detached(id)),
            Some(Points::To(branch)) => {
                let at = self.refs.resolve(&branch)?;
                Ok(Head::Branch(branch, at))
            }
            None => Err(Failure::corrupt("HEAD", "it is missing")),
        }
    }

    /// The commit that `HEAD` is at; none when its branch is unborn.
    pub(crate) fn head_commit(&self) -> Result<Option<ObjectId>> {
        Ok(match self.head()? {
            Head::Branch(_, at) => at,
            Head::Detached(id) => Some(id),
        })
    }

    /// The tree that `HEAD` is at.
    pub(crate) fn head_tree(&self) -> Result<Option<ObjectId>> {
        self.head_commit()?.map(|id| self.commit(&id).map(|commit| commit.tree)).transpose()
    }

    /// A commit; one whose history was cut off has no parents.
    pub(crate) fn commit(&self, id: &ObjectId) -> Result<Commit> {
        let mut commit = trees::commit(&self.objects, id)?;
        if self.shallow.contains(id) {
            commit.parents.clear();
        }
        Ok(commit)
    }

    /// Follows tags to what they are of.
    pub(crate) fn peel(&self, mut id: ObjectId) -> Result<(ObjectId, Kind)> {
        loop {
            let kind = self.objects.find(&id)?.kind;
            if kind != Kind::Tag {
                return Ok((id, kind));
            }
            id = trees::tagged(&self.objects, &id)?;
        }
    }
}

fn config(path: &Path) -> Result<gix_config::File> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Failure::io("read", path, &error)),
    };
    let meta = gix_config::file::Metadata::from(gix_config::Source::Local);
    gix_config::File::from_bytes_no_includes(&bytes, meta, gix_config::file::init::Options::default())
        .map_err(|error| Failure::corrupt("config", error))
}

/// Whether a folder is one of git's own.
fn is_git_dir(folder: &Path) -> bool {
    let head = std::fs::read(folder.join("HEAD")).unwrap_or_default();
    let names_a_ref = head.strip_prefix(b"ref:").is_some_and(|rest| rest.trim_start().starts_with(b"refs/"));
    let is_id = head.len() >= 40 && head.iter().take(40).all(u8::is_ascii_hexdigit);
    let common = match std::fs::read_to_string(folder.join("commondir")) {
        Ok(common) => normal(&folder.join(common.trim_end_matches(['\r', '\n']))),
        Err(_) => folder.to_owned(),
    };
    (names_a_ref || is_id) && common.join("objects").is_dir() && common.join("refs").is_dir()
}

/// The git folder that a `.git` is or points to.
fn git_dir_of(dot_git: &Path) -> Option<PathBuf> {
    if is_git_dir(dot_git) {
        return Some(dot_git.to_owned());
    }
    let about = std::fs::metadata(dot_git).ok()?;
    if !about.is_file() || about.len() > LARGEST_POINTER {
        return None;
    }
    let text = std::fs::read_to_string(dot_git).ok()?;
    let target = text.trim_end_matches(['\r', '\n']).strip_prefix("gitdir: ")?;
    let target = normal(&dot_git.parent()?.join(target));
    is_git_dir(&target).then_some(target)
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    PathBuf::from(access::absolute(&path.to_string_lossy()))
}
