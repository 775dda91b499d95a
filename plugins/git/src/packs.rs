//! Reading objects out of pack files, piece by piece: a pack is never read whole.
//! Needs the index of each pack in memory. Must not write.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::ZlibDecoder;
use gix_hash::{ObjectId, oid};
use gix_object::Kind;
use gix_pack::data::entry::Header;

use crate::failure::{Failure, Result};
use crate::objects::LARGEST;

/// The bytes at the start of an entry that hold its header: a size, and a distance or an object's name.
const HEADER: usize = 48;

/// A pack with its index.
pub(crate) struct Pack {
    index: gix_pack::index::File<Vec<u8>>,
    path: PathBuf,
    file: RefCell<Option<File>>,
}

/// What an entry is: an object, or changes to another.
pub(crate) enum Entry {
    Whole(Kind, Vec<u8>),
    /// Changes to the entry at this offset.
    Offset(u64, Vec<u8>),
    /// Changes to the object of this name.
    Named(ObjectId, Vec<u8>),
}

impl Pack {
    /// Every pack of a folder of objects.
    pub(crate) fn all(objects: &Path) -> Result<Vec<Self>> {
        let folder = objects.join("pack");
        let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
        let mut packs = Vec::new();
        for entry in entries.flatten() {
            let index = entry.path();
            let path = index.with_extension("pack");
            if index.extension().is_none_or(|extension| extension != "idx") || !path.is_file() {
                continue;
            }
            let bytes = std::fs::read(&index).map_err(|error| Failure::io("read", &index, &error))?;
            let index = gix_pack::index::File::from_data(bytes, index.clone(), gix_hash::Kind::Sha1)
                .map_err(|error| Failure::corrupt(&index.display().to_string(), error))?;
            packs.push(Self { index, path, file: RefCell::new(None) });
        }
        Ok(packs)
    }

    /// How many objects are in it.
    pub(crate) fn len(&self) -> u64 {
        u64::from(self.index.num_objects())
    }

    /// Where an object starts.
    pub(crate) fn offset(&self, id: &oid) -> Option<u64> {
        self.index.lookup(id).map(|at| self.index.pack_offset_at_index(at))
    }

    /// The names with this beginning.
    pub(crate) fn matching(&self, prefix: gix_hash::Prefix) -> Vec<ObjectId> {
        let mut found = 0..0;
        self.index.lookup_prefix(prefix, Some(&mut found));
        found.map(|at| self.index.oid_at_index(at).to_owned()).collect()
    }

    /// Reads the entry at an offset.
    pub(crate) fn entry(&self, offset: u64) -> Result<Entry> {
        let broken = |why: String| Failure::corrupt(&self.path.display().to_string(), why);
        let mut file = self.file.borrow_mut();
        let file = match &mut *file {
            Some(file) => file,
            none => {
                none.insert(File::open(&self.path).map_err(|error| Failure::io("open", &self.path, &error))?)
            }
        };
        let failed = |error: std::io::Error| Failure::io("read", &self.path, &error);
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut start = Vec::with_capacity(HEADER);
        file.by_ref().take(HEADER as u64).read_to_end(&mut start).map_err(failed)?;
        let entry = gix_pack::data::Entry::from_bytes(&start, offset, gix_hash::Kind::Sha1)
            .map_err(|error| broken(error.to_string()))?;
        if entry.decompressed_size > LARGEST {
            return Err(Failure::new(format!(
                "an object of {} bytes is more than this plugin reads ({LARGEST})",
                entry.decompressed_size
            )));
        }
        file.seek(SeekFrom::Start(entry.data_offset)).map_err(failed)?;
        let mut data = Vec::new();
        ZlibDecoder::new(BufReader::new(&*file))
            .take(entry.decompressed_size)
            .read_to_end(&mut data)
            .map_err(failed)?;
        if data.len() as u64 != entry.decompressed_size {
            return Err(broken(format!("the object at {offset} is cut off")));
        }
        Ok(match entry.header {
            Header::Commit => Entry::Whole(Kind::Commit, data),
            Header::Tree => Entry::Whole(Kind::Tree, data),
            Header::Blob => Entry::Whole(Kind::Blob, data),
            Header::Tag => Entry::Whole(Kind::Tag, data),
            Header::RefDelta { base_id } => Entry::Named(base_id, data),
            Header::OfsDelta { base_distance } => {
                let base = offset.checked_sub(base_distance).filter(|_| base_distance > 0);
                Entry::Offset(
                    base.ok_or_else(|| broken(format!("the object at {offset} has no base")))?,
                    data,
                )
            }
        })
    }
}

/// The object that comes of changes to a base. None when the changes do not fit.
pub(crate) fn apply(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let mut rest = delta;
    if size(&mut rest)? != base.len() as u64 {
        return None;
    }
    let wanted = size(&mut rest).filter(|wanted| *wanted <= LARGEST)?;
    let wanted = usize::try_from(wanted).ok()?;
    let mut out = Vec::with_capacity(wanted);
    while let Some((command, tail)) = rest.split_first() {
        rest = tail;
        if command & 0x80 == 0 {
            let count = usize::from(*command);
            if count == 0 {
                return None;
            }
            let (literal, tail) = rest.split_at_checked(count)?;
            out.extend_from_slice(literal);
            rest = tail;
        } else {
            let mut number = |bits: std::ops::Range<u32>| -> Option<usize> {
                let mut value = 0;
                for (place, bit) in bits.enumerate() {
                    if command & (1 << bit) != 0 {
                        let (byte, tail) = rest.split_first()?;
                        value |= usize::from(*byte) << (8 * place);
                        rest = tail;
                    }
                }
                Some(value)
            };
            let from = number(0..4)?;
            let count = match number(4..7)? {
                0 => 0x1_0000,
                count => count,
            };
            out.extend_from_slice(base.get(from..from.checked_add(count)?)?);
        }
        if out.len() > wanted {
            return None;
        }
    }
    (out.len() == wanted).then_some(out)
}

/// A size at the start of changes: seven bits a byte, the lowest first.
fn size(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn changes_are_applied() {
        // From "hello world": copy 6 bytes of it, insert "there".
        let delta = [11, 11, 0x90, 6, 5, b't', b'h', b'e', b'r', b'e'];
        assert_eq!(apply(b"hello world", &delta).unwrap(), b"hello there");
    }

    #[test]
    fn changes_that_do_not_fit_are_none() {
        for delta in [
            &[][..],
            &[11],
            &[10, 11, 0x90, 6],
            &[11, 11, 0x90, 6],
            &[11, 11, 0x90, 12],
            &[11, 5, 0x91, 9, 5],
            &[11, 1, 0],
            &[11, 2, 5, b'a'],
            &[0x8b, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
        ] {
            assert_eq!(apply(b"hello world", delta), None, "{delta:?}");
        }
    }
}
