//! What changed between two lists of files: added, deleted, modified, of another type, renamed.
//! Must not show anything.

use bstr::{BString, ByteSlice as _};

use crate::failure::Result;
use crate::objects::Objects;
use crate::renames;
use crate::trees::{Leaf, Leaves, SUBMODULE};
use crate::worktree::Worktree;

/// A file on one side of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: BString,
    pub(crate) leaf: Leaf,
}

/// A change of one file. At least one side is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) old: Option<File>,
    pub(crate) new: Option<File>,
    /// Of a rename: how alike the two are, of a hundred.
    pub(crate) alike: Option<u32>,
}

impl Change {
    /// The path that it is sorted by and shown under.
    pub(crate) fn path(&self) -> &BString {
        static NONE: BString = BString::new(Vec::new());
        self.new.as_ref().or(self.old.as_ref()).map_or(&NONE, |file| &file.path)
    }

    /// Whether the type of a file changed, such as from a file to a link.
    pub(crate) fn is_type_change(&self) -> bool {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => old.leaf.mode & 0o170_000 != new.leaf.mode & 0o170_000,
            _ => false,
        }
    }
}

/// Where the bytes of the two sides are.
#[derive(Clone, Copy)]
pub(crate) struct Sides<'a> {
    pub(crate) objects: &'a Objects,
    /// The new side is on disk where its object does not exist.
    pub(crate) worktree: Option<&'a Worktree<'a>>,
}

impl Sides<'_> {
    /// The bytes of a file.
    pub(crate) fn bytes(&self, file: &File) -> Result<Vec<u8>> {
        if file.leaf.mode == SUBMODULE {
            return Ok(format!("Subproject commit {}\n", file.leaf.id).into_bytes());
        }
        if let Some(worktree) = self.worktree
            && !self.objects.contains(&file.leaf.id)?
        {
            return worktree.read(file.path.as_bstr());
        }
        self.objects.find(&file.leaf.id).map(|object| object.data)
    }
}

/// The changes from one list to another by path, renames found.
pub(crate) fn between(old: &Leaves, new: &Leaves, sides: Sides<'_>) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let file = |path: &BString, leaf: &Leaf| File { path: path.clone(), leaf: *leaf };
    for (path, leaf) in old {
        let after = new.get(path);
        if after != Some(leaf) {
            changes.push(Change {
                old: Some(file(path, leaf)),
                new: after.map(|after| file(path, after)),
                alike: None,
            });
        }
    }
    for (path, leaf) in new.iter().filter(|(path, _)| !old.contains_key(*path)) {
        changes.push(Change { old: None, new: Some(file(path, leaf)), alike: None });
    }
    let mut changes = renames::find(changes, sides)?;
    changes.sort_by(|a, b| a.path().cmp(b.path()));
    Ok(changes)
}
