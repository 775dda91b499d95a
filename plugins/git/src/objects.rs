//! The objects of a repository by name: loose ones, those in packs, and those of the folders it borrows from.
//! Needs the folder `objects`. Must not know what is in an object.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use gix_hash::{ObjectId, oid};
use gix_object::Kind;

use crate::failure::{Failure, Result};
use crate::packs::{Entry, Pack, apply};

/// The most bytes of one object: it is held in memory, twice when it is made of changes.
pub(crate) const LARGEST: u64 = 32 << 20;
/// The most changes upon changes for one object, far above git's own 4095.
const LONGEST_CHAIN: usize = 10_000;
/// How often one folder of objects may borrow from another, as in git.
const DEEPEST_LOAN: usize = 5;
/// The fewest digits of a shortened name, as in git.
const SHORTEST: usize = 7;

/// The objects of a repository.
pub(crate) struct Objects {
    folders: Vec<PathBuf>,
    packs: OnceCell<Vec<Pack>>,
}

/// An object with its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) data: Vec<u8>,
}

impl Objects {
    /// The objects in this folder.
    pub(crate) fn at(folder: PathBuf) -> Self {
        let mut folders = Vec::new();
        collect(folder, &mut folders, 0);
        Self { folders, packs: OnceCell::new() }
    }

    fn packs(&self) -> Result<&[Pack]> {
        if let Some(packs) = self.packs.get() {
            return Ok(packs);
        }
        let mut all = Vec::new();
        for folder in &self.folders {
            all.extend(Pack::all(folder)?);
        }
        Ok(self.packs.get_or_init(|| all))
    }

    /// The object of this name; none when there is none.
    pub(crate) fn get(&self, id: &oid) -> Result<Option<Object>> {
        self.get_within(id, LONGEST_CHAIN)
    }

    fn get_within(&self, id: &oid, mut chain: usize) -> Result<Option<Object>> {
        for folder in &self.folders {
            if let Some(object) = loose(&path(folder, id))? {
                return Ok(Some(object));
            }
        }
        for pack in self.packs()? {
            let Some(mut offset) = pack.offset(id) else { continue };
            let mut deltas = Vec::new();
            let mut object = loop {
                chain = chain
                    .checked_sub(1)
                    .ok_or_else(|| Failure::corrupt(&id.to_string(), "too many changes upon changes"))?;
                match pack.entry(offset)? {
                    Entry::Whole(kind, data) => break Object { kind, data },
                    Entry::Offset(base, delta) => {
                        deltas.push(delta);
                        offset = base;
                    }
                    Entry::Named(base, delta) => {
                        deltas.push(delta);
                        break self.get_within(&base, chain)?.ok_or_else(|| {
                            Failure::corrupt(&id.to_string(), format!("its base {base} is missing"))
                        })?;
                    }
                }
            };
            while let Some(delta) = deltas.pop() {
                object.data = apply(&object.data, &delta)
                    .ok_or_else(|| Failure::corrupt(&id.to_string(), "its changes do not fit its base"))?;
            }
            return Ok(Some(object));
        }
        Ok(None)
    }

    /// The object of this name, which has to be there.
    pub(crate) fn find(&self, id: &oid) -> Result<Object> {
        self.get(id)?.ok_or_else(|| missing(id))
    }

    /// The bytes of an object that has to be of this kind.
    pub(crate) fn expect(&self, id: &oid, kind: Kind) -> Result<Vec<u8>> {
        let object = self.find(id)?;
        if object.kind != kind {
            return Err(Failure::corrupt(&id.to_string(), format!("it is a {}, not a {kind}", object.kind)));
        }
        Ok(object.data)
    }

    /// Whether there is such an object.
    pub(crate) fn contains(&self, id: &oid) -> Result<bool> {
        Ok(self.folders.iter().any(|folder| path(folder, id).is_file())
            || self.packs()?.iter().any(|pack| pack.offset(id).is_some()))
    }

    /// Writes an object unless it is there, and gives its name.
    pub(crate) fn write(&self, kind: Kind, data: &[u8]) -> Result<ObjectId> {
        let id = name(kind, data)?;
        if self.contains(&id)? {
            return Ok(id);
        }
        let Some(folder) = self.folders.first() else { return Ok(id) };
        let target = path(folder, &id);
        let failed = |error: std::io::Error| Failure::io("write", &target, &error);
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder
            .write_all(&gix_object::encode::loose_header(kind, data.len() as u64))
            .and_then(|()| encoder.write_all(data))
            .map_err(failed)?;
        let bytes = encoder.finish().map_err(failed)?;
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        // Under its name only when it is whole.
        let aside = target.with_file_name(format!("tmp_obj_{}", id.to_hex_with_len(12)));
        std::fs::write(&aside, bytes).and_then(|()| std::fs::rename(&aside, &target)).map_err(failed)?;
        Ok(id)
    }

    /// The names that start with these hexadecimal digits, of which there are at least four.
    pub(crate) fn matching(&self, digits: &str) -> Result<Vec<ObjectId>> {
        let digits = digits.to_ascii_lowercase();
        let Ok(prefix) = gix_hash::Prefix::from_hex(&digits) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for pack in self.packs()? {
            found.extend(pack.matching(prefix));
        }
        let (Some(first), Some(rest)) = (digits.get(..2), digits.get(2..)) else { return Ok(Vec::new()) };
        for folder in &self.folders {
            let Ok(entries) = std::fs::read_dir(folder.join(first)) else { continue };
            let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
            found.extend(
                names
                    .filter(|name| name.starts_with(rest))
                    .filter_map(|name| ObjectId::from_hex(format!("{first}{name}").as_bytes()).ok()),
            );
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The shortest beginning of a name that git shows: unique, and longer the more objects are in packs.
    pub(crate) fn short(&self, id: &oid) -> Result<String> {
        let full = id.to_string();
        let packed: u64 = self.packs()?.iter().map(Pack::len).sum();
        // Names meet by chance from the square root of all on, and a digit has four bits: git's own rule.
        let bits = usize::try_from(packed.checked_ilog2().unwrap_or(0)).unwrap_or(0);
        let mut length = bits.div_ceil(2).max(SHORTEST);
        if id.is_null() {
            return Ok(full.get(..length).unwrap_or(&full).to_owned());
        }
        let others = self.matching(full.get(..length).unwrap_or(&full))?;
        let shared = |other: &ObjectId| {
            let other = other.to_string();
            other.bytes().zip(full.bytes()).take_while(|(a, b)| a == b).count()
        };
        for other in others.iter().filter(|other| other.as_ref() != id) {
            length = length.max(shared(other) + 1);
        }
        Ok(full.get(..length).unwrap_or(&full).to_owned())
    }
}

/// Adds a folder and those it borrows from.
fn collect(folder: PathBuf, folders: &mut Vec<PathBuf>, depth: usize) {
    if depth > DEEPEST_LOAN || folders.contains(&folder) {
        return;
    }
    let lenders = std::fs::read_to_string(folder.join("info/alternates")).unwrap_or_default();
    folders.push(folder.clone());
    for lender in lenders.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        collect(folder.join(lender), folders, depth + 1);
    }
}

/// Where a loose object lies.
fn path(folder: &Path, id: &oid) -> PathBuf {
    let name = id.to_string();
    let (first, rest) = name.split_at(2);
    folder.join(first).join(rest)
}

/// What GitPython says of an object that is not there.
pub(crate) fn missing(id: &oid) -> Failure {
    Failure::new(format!("SHA b'{id}' could not be resolved, git returned: b'{id} missing'"))
}

/// The name that an object of these bytes has.
pub(crate) fn name(kind: Kind, data: &[u8]) -> Result<ObjectId> {
    gix_object::compute_hash(gix_hash::Kind::Sha1, kind, data)
        .map_err(|error| Failure::corrupt("an object", error))
}

/// Reads a loose object; none when there is no such file.
fn loose(path: &Path) -> Result<Option<Object>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io("open", path, &error)),
    };
    let mut bytes = Vec::new();
    ZlibDecoder::new(BufReader::new(file))
        .take(LARGEST + 64)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::io("read", path, &error))?;
    let broken = || Failure::corrupt(&path.display().to_string(), "it is no object");
    let end = bytes.iter().take(64).position(|byte| *byte == 0).ok_or_else(broken)?;
    let header = bytes.get(..end).and_then(|header| std::str::from_utf8(header).ok()).ok_or_else(broken)?;
    let (kind, size) = header.split_once(' ').ok_or_else(broken)?;
    let kind = Kind::from_bytes(kind.as_bytes()).map_err(|_| broken())?;
    let size: u64 = size.parse().map_err(|_| broken())?;
    if size > LARGEST {
        return Err(Failure::new(format!(
            "an object of {size} bytes is more than this plugin reads ({LARGEST})"
        )));
    }
    bytes.drain(..=end);
    if bytes.len() as u64 != size {
        return Err(Failure::corrupt(&path.display().to_string(), "it is cut off"));
    }
    Ok(Some(Object { kind, data: bytes }))
}
