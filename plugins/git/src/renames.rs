//! Finding renames among added and deleted files, as git does: the same contents first, then the same name, then by
//! how much was copied. Must not know where the files came from.

use std::cmp::Reverse;
use std::collections::HashMap;

use bstr::{BStr, ByteSlice};
use gix_hash::ObjectId;

use crate::changes::{Change, File, Sides};
use crate::failure::Result;
use crate::text::is_binary;

/// All of it, in git's scale.
const ALL: u64 = 60_000;
/// How much has to be alike, and how much more for the same name elsewhere.
const ENOUGH: u64 = ALL / 2;
const ENOUGH_FOR_NAME: u64 = ALL * 3 / 4;
/// With more pairs than the square of this, only the same contents are looked for (`diff.renameLimit`).
const LIMIT: usize = 1000;
/// How many of the most alike are kept for each added file.
const CANDIDATES: usize = 4;
/// The largest piece of a file that is compared at once.
const PIECE: usize = 64;
/// Of git's hash of a piece.
const HASHES: u32 = 107_927;

/// The same changes, where an added and a deleted file that are alike are one.
pub(crate) fn find(changes: Vec<Change>, sides: Sides<'_>) -> Result<Vec<Change>> {
    let (mut gone, mut made, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change { old: Some(old), new: None, .. } => gone.push(old),
            Change { old: None, new: Some(new), .. } => made.push(new),
            other => rest.push(other),
        }
    }
    let mut search = Search { sides, known: HashMap::new(), pairs: Vec::new(), gone, made };
    if !search.gone.is_empty() && !search.made.is_empty() {
        search.same_contents();
        search.same_name()?;
        search.most_alike()?;
    }
    rest.extend(search.pairs);
    rest.extend(search.gone.into_iter().map(|old| Change { old: Some(old), new: None, alike: None }));
    rest.extend(search.made.into_iter().map(|new| Change { old: None, new: Some(new), alike: None }));
    Ok(rest)
}

struct Search<'a> {
    sides: Sides<'a>,
    /// What is known of contents by name.
    known: HashMap<ObjectId, Pieces>,
    pairs: Vec<Change>,
    gone: Vec<File>,
    made: Vec<File>,
}

/// How many bytes of a file have each hash, and how many it has.
struct Pieces {
    size: u64,
    counts: HashMap<u32, u64>,
}

fn name(file: &File) -> &BStr {
    let path = file.path.as_bstr();
    path.rfind("/").and_then(|slash| path.get(slash + 1..)).map_or(path, ByteSlice::as_bstr)
}

fn is_regular(file: &File) -> bool {
    file.leaf.mode & 0o170_000 == 0o100_000
}

impl Search<'_> {
    fn pair(&mut self, gone: usize, made: usize, score: u64) {
        let (old, new) = (self.gone.remove(gone), self.made.remove(made));
        let alike = u32::try_from(score * 100 / ALL).unwrap_or(100);
        self.pairs.push(Change { old: Some(old), new: Some(new), alike: Some(alike) });
    }

    fn same_contents(&mut self) {
        let mut at = 0;
        while let Some(new) = self.made.get(at) {
            let fits = |old: &&File| {
                old.leaf.id == new.leaf.id
                    && (old.leaf.mode == new.leaf.mode || (is_regular(old) && is_regular(new)))
            };
            let found = self
                .gone
                .iter()
                .enumerate()
                .filter(|(_, old)| fits(old))
                .max_by_key(|(place, old)| (name(old) == name(new), Reverse(*place)))
                .map(|(place, _)| place);
            match found {
                Some(gone) => self.pair(gone, at, ALL),
                None => at += 1,
            }
        }
    }

    /// Where one file of a name is gone and one was made elsewhere.
    fn same_name(&mut self) -> Result<()> {
        let only = |files: &[File]| {
            let mut names: HashMap<Vec<u8>, Option<usize>> = HashMap::new();
            for (at, file) in files.iter().enumerate() {
                names.entry(name(file).to_vec()).and_modify(|one| *one = None).or_insert(Some(at));
            }
            names
        };
        let (gone, made) = (only(&self.gone), only(&self.made));
        let mut both: Vec<(File, File)> = Vec::new();
        for (name, place) in gone {
            if let (Some(gone), Some(Some(made))) = (place, made.get(&name))
                && let (Some(old), Some(new)) = (self.gone.get(gone), self.made.get(*made))
            {
                both.push((old.clone(), new.clone()));
            }
        }
        for (old, new) in both {
            let score = self.score(&old, &new, ENOUGH_FOR_NAME)?;
            if score >= ENOUGH_FOR_NAME
                && let Some(gone) = self.gone.iter().position(|file| *file == old)
                && let Some(made) = self.made.iter().position(|file| *file == new)
            {
                self.pair(gone, made, score);
            }
        }
        Ok(())
    }

    fn most_alike(&mut self) -> Result<()> {
        if self.gone.len() * self.made.len() > LIMIT * LIMIT {
            return Ok(());
        }
        let (gone, made) = (self.gone.clone(), self.made.clone());
        let mut found = Vec::new();
        for (to, new) in made.iter().enumerate() {
            let mut best = Vec::new();
            for (from, old) in gone.iter().enumerate() {
                let score = self.score(old, new, ENOUGH)?;
                if score >= ENOUGH {
                    best.push((Reverse((score, name(old) == name(new))), to, from));
                }
            }
            best.sort_unstable();
            best.truncate(CANDIDATES);
            found.extend(best);
        }
        found.sort_unstable();
        for (Reverse((score, _)), to, from) in found {
            let (Some(new), Some(old)) = (made.get(to), gone.get(from)) else { continue };
            if let Some(gone) = self.gone.iter().position(|file| file == old)
                && let Some(made) = self.made.iter().position(|file| file == new)
            {
                self.pair(gone, made, score);
            }
        }
        Ok(())
    }

    /// How alike two files are, when it can be `enough`.
    fn score(&mut self, old: &File, new: &File, enough: u64) -> Result<u64> {
        if !is_regular(old) || !is_regular(new) {
            return Ok(0);
        }
        for file in [old, new] {
            if !self.known.contains_key(&file.leaf.id) {
                let pieces = Pieces::of(&self.sides.bytes(file)?);
                self.known.insert(file.leaf.id, pieces);
            }
        }
        let (Some(old), Some(new)) = (self.known.get(&old.leaf.id), self.known.get(&new.leaf.id)) else {
            return Ok(0);
        };
        let most = old.size.max(new.size);
        let delta = most - old.size.min(new.size);
        if new.size == 0 || most * (ALL - enough) < delta * ALL {
            return Ok(0);
        }
        let copied: u64 = old
            .counts
            .iter()
            .map(|(hash, count)| new.counts.get(hash).map_or(0, |other| *count.min(other)))
            .sum();
        Ok(copied * ALL / most)
    }
}

impl Pieces {
    /// git's `hash_chars`: lines, cut where they are long, without the `\r` at the end of a text's.
    fn of(bytes: &[u8]) -> Self {
        let text = !is_binary(bytes);
        let mut counts = HashMap::new();
        let (mut first, mut second, mut length) = (0_u32, 0_u32, 0_usize);
        let mut rest = bytes.iter().copied().peekable();
        let mut keep = |first: u32, second: u32, length: usize| {
            let hash = first.wrapping_add(second.wrapping_mul(0x61)) % HASHES;
            *counts.entry(hash).or_insert(0) += length as u64;
        };
        while let Some(byte) = rest.next() {
            if text && byte == b'\r' && rest.peek() == Some(&b'\n') {
                continue;
            }
            let before = first;
            first = (first << 7) ^ (second >> 25);
            second = (second << 7) ^ (before >> 25);
            first = first.wrapping_add(u32::from(byte));
            length += 1;
            if length == PIECE || byte == b'\n' {
                keep(first, second, length);
                (first, second, length) = (0, 0, 0);
            }
        }
        if length > 0 {
            keep(first, second, length);
        }
        Self { size: bytes.len() as u64, counts }
    }
}
