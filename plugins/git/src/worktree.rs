//! The files of the working tree: how they differ from the index, and reading and writing one.
//! A sandbox sees no permission bits, so a file is as executable as the index says. Must not decide what is staged.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;
use gix_object::Kind;

use crate::failure::{Failure, Result};
use crate::index::{Staged, stat_of};
use crate::objects::{self, LARGEST};
use crate::repo::Repo;
use crate::text;
use crate::trees::{EXECUTABLE, FILE, LINK, Leaf, SUBMODULE};

/// A repository's files.
pub(crate) struct Worktree<'a> {
    root: &'a Path,
    text: text::Rules,
    /// Whether a folder is one, and not a link to one.
    folders: RefCell<HashMap<BString, bool>>,
}

/// How a file of the index is found on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Same,
    Gone,
    /// It is this now.
    Changed(Leaf),
}

impl<'a> Worktree<'a> {
    /// The files of a repository that has some.
    pub(crate) fn of(repo: &'a Repo, command: &str) -> Result<Self> {
        let root = repo.worktree(command)?;
        Ok(Self { root, text: text::Rules::of(repo, root), folders: RefCell::default() })
    }

    /// Where a path of the repository lies.
    pub(crate) fn place(&self, path: &BStr) -> Result<PathBuf> {
        let text = path.to_str().map_err(|_| {
            Failure::new(format!("the path '{path}' is not UTF-8, which a sandbox cannot open"))
        })?;
        Ok(self.root.join(text))
    }

    /// How something lies on disk, links not followed; none when there is nothing, or a link on the way.
    pub(crate) fn look(&self, path: &BStr) -> Result<Option<Metadata>> {
        if let Some(end) = path.rfind("/")
            && !self.is_folder(path.get(..end).unwrap_or_default().as_bstr())
        {
            return Ok(None);
        }
        let place = self.place(path)?;
        match std::fs::symlink_metadata(&place) {
            Ok(about) => Ok(Some(about)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(Failure::io("look at", &place, &error)),
        }
    }

    fn is_folder(&self, folder: &BStr) -> bool {
        if let Some(known) = self.folders.borrow().get(folder) {
            return *known;
        }
        let parent = folder.rfind("/").map(|end| folder.get(..end).unwrap_or_default().as_bstr());
        let is = parent.is_none_or(|parent| self.is_folder(parent))
            && self
                .place(folder)
                .is_ok_and(|place| std::fs::symlink_metadata(place).is_ok_and(|about| about.is_dir()));
        self.folders.borrow_mut().insert(folder.to_owned(), is);
        is
    }

    /// Forgets what was seen of folders, because files were changed.
    pub(crate) fn forget(&self) {
        self.folders.borrow_mut().clear();
    }

    /// The bytes of a file as an object has them, or a link's target.
    pub(crate) fn read(&self, path: &BStr) -> Result<Vec<u8>> {
        let place = self.place(path)?;
        let failed = |error: std::io::Error| Failure::io("read", &place, &error);
        let about = std::fs::symlink_metadata(&place).map_err(failed)?;
        if about.is_symlink() {
            let target = std::fs::read_link(&place).map_err(failed)?;
            return Ok(target.to_string_lossy().into_owned().into_bytes());
        }
        if about.len() > LARGEST {
            return Err(Failure::new(format!(
                "the file '{path}' has {} bytes, more than this plugin reads ({LARGEST})",
                about.len()
            )));
        }
        let bytes = std::fs::read(&place).map_err(failed)?;
        Ok(self.text.to_object(path, bytes))
    }

    /// How a file of the index lies on disk.
    pub(crate) fn state(&self, entry: &Staged) -> Result<State> {
        if entry.unseen {
            return Ok(State::Same);
        }
        let Some(about) = self.look(entry.path.as_bstr())? else { return Ok(State::Gone) };
        if entry.leaf.mode == SUBMODULE {
            return Ok(if about.is_dir() { self.submodule(entry) } else { State::Gone });
        }
        if about.is_dir() {
            return Ok(State::Gone);
        }
        let stat = stat_of(&about);
        let trusted = !entry.racy && !entry.announced && stat.size != 0;
        if trusted
            && stat.size == entry.stat.size
            && stat.mtime == entry.stat.mtime
            && about.is_symlink() == (entry.leaf.mode == LINK)
        {
            return Ok(State::Same);
        }
        let id = self.name(entry.path.as_bstr())?;
        if entry.leaf.mode == LINK && about.is_file() && id == entry.leaf.id {
            return Ok(State::Same);
        }
        let now = Leaf { mode: mode(&about, entry.leaf.mode), id };
        Ok(if now == entry.leaf && !entry.announced { State::Same } else { State::Changed(now) })
    }

    /// The name that a file has as an object.
    pub(crate) fn name(&self, path: &BStr) -> Result<ObjectId> {
        objects::name(Kind::Blob, &self.read(path)?)
    }

    /// A submodule is as its own `HEAD`; one that is not checked out is as it should be.
    fn submodule(&self, entry: &Staged) -> State {
        match self.nested(entry.path.as_bstr()) {
            Some(id) if id != entry.leaf.id => State::Changed(Leaf { mode: SUBMODULE, id }),
            _ => State::Same,
        }
    }

    /// The commit that a repository within this one is at.
    pub(crate) fn nested(&self, path: &BStr) -> Option<ObjectId> {
        let place = self.place(path).ok()?;
        if !place.join(".git").exists() {
            return None;
        }
        Repo::open(&place.to_string_lossy()).ok()?.head_commit().ok()?
    }

    /// Writes a file as an object has it, or a link, with its folders, in place of what is there.
    pub(crate) fn write(&self, path: &BStr, mode: u32, data: Vec<u8>) -> Result<Option<Metadata>> {
        let place = self.place(path)?;
        let failed = |error: std::io::Error| Failure::io("write", &place, &error);
        if let Some(parent) = place.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        if mode == SUBMODULE {
            std::fs::create_dir_all(&place).map_err(failed)?;
            return Ok(None);
        }
        // Never through a link that lies there.
        match std::fs::symlink_metadata(&place) {
            Ok(about) if about.is_dir() => std::fs::remove_dir(&place).map_err(failed)?,
            Ok(_) => std::fs::remove_file(&place).map_err(failed)?,
            Err(_) => {}
        }
        // A sandbox makes no links: one is a file with its target in it, as git does where there are none (`core.symlinks`).
        let bytes = if mode == LINK { data } else { self.text.to_file(path, data) };
        std::fs::write(&place, bytes).map_err(failed)?;
        self.forget();
        std::fs::symlink_metadata(&place).map(Some).map_err(failed)
    }

    /// Removes a file, and the folders that are empty then.
    pub(crate) fn remove(&self, path: &BStr) -> Result<()> {
        let place = self.place(path)?;
        match std::fs::remove_file(&place) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => return Err(Failure::io("remove", &place, &error)),
        }
        let mut folder = place.parent();
        while let Some(empty) = folder.filter(|folder| *folder != self.root) {
            if std::fs::remove_dir(empty).is_err() {
                break;
            }
            folder = empty.parent();
        }
        self.forget();
        Ok(())
    }
}

/// The mode of what lies there; `before` decides what cannot be seen.
pub(crate) fn mode(about: &Metadata, before: u32) -> u32 {
    if about.is_symlink() {
        LINK
    } else if about.is_dir() {
        SUBMODULE
    } else if before == EXECUTABLE {
        EXECUTABLE
    } else {
        FILE
    }
}
