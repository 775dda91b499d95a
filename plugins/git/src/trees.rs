//! Trees and commits as this plugin uses them: flat lists of files by path, and what differs between two.
//! Needs the objects. Must not look at the working tree.

use std::collections::BTreeMap;

use bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;
use gix_object::{CommitRef, Kind, TagRef, TreeRefIter, WriteTo as _};

use crate::failure::{Failure, Result};
use crate::objects::Objects;

/// Modes of a tree's entries.
pub(crate) const TREE: u32 = 0o040_000;
pub(crate) const FILE: u32 = 0o100_644;
pub(crate) const EXECUTABLE: u32 = 0o100_755;
pub(crate) const LINK: u32 = 0o120_000;
pub(crate) const SUBMODULE: u32 = 0o160_000;

/// How deep folders may lie in one another.
const DEEPEST: usize = 512;

/// A file of a tree, a link or a submodule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) mode: u32,
    pub(crate) id: ObjectId,
}

/// All files of a tree by path.
pub(crate) type Leaves = BTreeMap<BString, Leaf>;

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: BString,
    pub(crate) mode: u32,
    pub(crate) id: ObjectId,
}

/// The entries of a tree in their order.
pub(crate) fn entries(objects: &Objects, tree: &ObjectId) -> Result<Vec<Entry>> {
    let data = objects.expect(tree, Kind::Tree)?;
    let mut entries = Vec::new();
    for entry in TreeRefIter::from_bytes(&data, gix_hash::Kind::Sha1) {
        let entry = entry.map_err(|error| Failure::corrupt(&tree.to_string(), error))?;
        entries.push(Entry {
            name: entry.filename.to_owned(),
            mode: mode(u32::from(entry.mode.value())),
            id: entry.oid.to_owned(),
        });
    }
    Ok(entries)
}

/// The mode that git takes an entry's for: old repositories have others.
fn mode(mode: u32) -> u32 {
    match mode & 0o170_000 {
        0o100_000 if mode & 0o100 != 0 => EXECUTABLE,
        0o100_000 => FILE,
        0o120_000 => LINK,
        0o040_000 => TREE,
        _ => SUBMODULE,
    }
}

/// Every file of a tree; none is the empty tree.
pub(crate) fn leaves(objects: &Objects, tree: Option<&ObjectId>) -> Result<Leaves> {
    let mut leaves = Leaves::new();
    if let Some(tree) = tree {
        collect(objects, tree, BStr::new(""), &mut leaves, 0)?;
    }
    Ok(leaves)
}

fn collect(
    objects: &Objects,
    tree: &ObjectId,
    folder: &BStr,
    leaves: &mut Leaves,
    depth: usize,
) -> Result<()> {
    if depth > DEEPEST {
        return Err(Failure::corrupt(&tree.to_string(), "its folders lie too deep"));
    }
    for entry in entries(objects, tree)? {
        let path = below(folder, entry.name.as_bstr());
        if entry.mode == TREE {
            collect(objects, &entry.id, path.as_bstr(), leaves, depth + 1)?;
        } else {
            leaves.insert(path, Leaf { mode: entry.mode, id: entry.id });
        }
    }
    Ok(())
}

/// A name in a folder; the top has no name.
pub(crate) fn below(folder: &BStr, name: &BStr) -> BString {
    let mut path = folder.to_owned();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The files that differ between two trees, of each side: equal folders are not opened.
pub(crate) fn differing(
    objects: &Objects,
    old: Option<&ObjectId>,
    new: Option<&ObjectId>,
) -> Result<(Leaves, Leaves)> {
    let mut sides = (Leaves::new(), Leaves::new());
    compare(objects, old, new, BStr::new(""), &mut sides, 0)?;
    Ok(sides)
}

fn compare(
    objects: &Objects,
    old: Option<&ObjectId>,
    new: Option<&ObjectId>,
    folder: &BStr,
    sides: &mut (Leaves, Leaves),
    depth: usize,
) -> Result<()> {
    if old == new {
        return Ok(());
    }
    if depth > DEEPEST {
        return Err(Failure::corrupt("a tree", "its folders lie too deep"));
    }
    let named = |tree: Option<&ObjectId>| -> Result<BTreeMap<BString, Entry>> {
        let entries = tree.map(|tree| entries(objects, tree)).transpose()?.unwrap_or_default();
        Ok(entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect())
    };
    let (mut before, after) = (named(old)?, named(new)?);
    let mut pairs: Vec<(BString, Option<Entry>, Option<Entry>)> = Vec::new();
    for (name, entry) in after {
        pairs.push((name.clone(), before.remove(&name), Some(entry)));
    }
    pairs.extend(before.into_iter().map(|(name, entry)| (name, Some(entry), None)));
    for (name, before, after) in pairs {
        if before == after {
            continue;
        }
        let path = below(folder, name.as_bstr());
        let tree =
            |entry: &Option<Entry>| entry.as_ref().filter(|entry| entry.mode == TREE).map(|entry| entry.id);
        compare(objects, tree(&before).as_ref(), tree(&after).as_ref(), path.as_bstr(), sides, depth + 1)?;
        for (entry, side) in [(before, &mut sides.0), (after, &mut sides.1)] {
            if let Some(entry) = entry.filter(|entry| entry.mode != TREE) {
                side.insert(path.clone(), Leaf { mode: entry.mode, id: entry.id });
            }
        }
    }
    Ok(())
}

/// Writes the trees of these files, and gives the top one's name.
pub(crate) fn write(objects: &Objects, leaves: &Leaves) -> Result<ObjectId> {
    let files: Vec<(&BStr, Leaf)> = leaves.iter().map(|(path, leaf)| (path.as_bstr(), *leaf)).collect();
    write_folder(objects, &files, 0)
}

/// `files` are sorted, and `skip` is how many bytes of their paths are the folder's own.
fn write_folder(objects: &Objects, files: &[(&BStr, Leaf)], skip: usize) -> Result<ObjectId> {
    let name = |path: &BStr| -> BString {
        let rest = path.get(skip..).unwrap_or_default();
        rest.split_str("/").next().unwrap_or_default().into()
    };
    let mut entries = Vec::new();
    let mut rest = files;
    while let Some((path, leaf)) = rest.first() {
        let first = name(path);
        let is_folder = path.get(skip + first.len()) == Some(&b'/');
        // Those of one folder stand together: `/` ends its name.
        let count = if is_folder {
            let prefix = path.get(..=skip + first.len()).unwrap_or_default();
            rest.iter().take_while(|(path, _)| path.starts_with(prefix)).count().max(1)
        } else {
            1
        };
        let (these, others) = rest.split_at(count.min(rest.len()));
        entries.push(if is_folder {
            Entry { id: write_folder(objects, these, skip + first.len() + 1)?, name: first, mode: TREE }
        } else {
            Entry { id: leaf.id, name: first, mode: leaf.mode }
        });
        rest = others;
    }
    // A folder is sorted as if its name ended with a slash.
    entries.sort_by(|a, b| gix_object::tree::name_order(&a.name, a.mode == TREE, &b.name, b.mode == TREE));
    let mut data = Vec::new();
    for entry in entries {
        data.extend_from_slice(format!("{:o} ", entry.mode).as_bytes());
        data.extend_from_slice(&entry.name);
        data.push(0);
        data.extend_from_slice(entry.id.as_slice());
    }
    objects.write(Kind::Tree, &data)
}

/// Who did something and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) name: String,
    pub(crate) email: String,
    /// Seconds since 1970.
    pub(crate) seconds: i64,
    /// Seconds east of UTC.
    pub(crate) offset: i32,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) id: ObjectId,
    pub(crate) tree: ObjectId,
    pub(crate) parents: Vec<ObjectId>,
    pub(crate) author: Signature,
    /// Seconds since 1970.
    pub(crate) committed: i64,
    pub(crate) message: String,
}

/// Reads a commit.
pub(crate) fn commit(objects: &Objects, id: &ObjectId) -> Result<Commit> {
    let data = objects.expect(id, Kind::Commit)?;
    let broken = |error: &dyn std::fmt::Display| Failure::corrupt(&id.to_string(), error);
    let commit = CommitRef::from_bytes(&data, gix_hash::Kind::Sha1).map_err(|error| broken(&error))?;
    let author = commit.author().map_err(|error| broken(&error))?;
    let time = author.time().unwrap_or_default();
    Ok(Commit {
        id: *id,
        tree: commit.tree(),
        parents: commit.parents().collect(),
        author: Signature {
            name: author.name.to_str_lossy().into_owned(),
            email: author.email.to_str_lossy().into_owned(),
            seconds: time.seconds,
            offset: time.offset,
        },
        committed: commit.time().map(|time| time.seconds).unwrap_or_default(),
        message: commit.message.to_str_lossy().into_owned(),
    })
}

/// What a tag is of.
pub(crate) fn tagged(objects: &Objects, id: &ObjectId) -> Result<ObjectId> {
    let data = objects.expect(id, Kind::Tag)?;
    let tag = TagRef::from_bytes(&data, gix_hash::Kind::Sha1)
        .map_err(|error| Failure::corrupt(&id.to_string(), error))?;
    Ok(tag.target())
}

/// Writes a commit.
pub(crate) fn write_commit(objects: &Objects, commit: &gix_object::Commit) -> Result<ObjectId> {
    let mut data = Vec::new();
    commit.write_to(&mut data).map_err(|error| Failure::new(format!("cannot write the commit: {error}")))?;
    objects.write(Kind::Commit, &data)
}
