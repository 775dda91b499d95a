//! Reads a directory piece by piece: however many entries it has, only a few are in memory. (wasmtime-wasi
//! collects all of them.) Must not look at what the entries hold.

use std::collections::VecDeque;
use std::fs::File;
use std::io;

use cap_primitives::fs::{FileType, FileTypeExt as _, ReadDir, read_base_dir};
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorType, DirectoryEntry, ErrorCode};

use super::Held;

/// Entries read at once.
const PIECE: usize = 256;

type Entry = Result<DirectoryEntry, ErrorCode>;

/// A directory that is being listed.
pub(super) struct Listing {
    held: Held,
    rest: Option<ReadDir>,
    read: VecDeque<Entry>,
}

impl Listing {
    /// Begins; blocks.
    pub(super) fn begin(dir: &File, held: Held) -> io::Result<Self> {
        Ok(Self { held, rest: Some(read_base_dir(dir)?), read: VecDeque::new() })
    }

    /// The directory, as it was opened.
    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    /// The next entry of those already read.
    pub(super) fn next(&mut self) -> Option<Entry> {
        self.read.pop_front()
    }

    /// What is left to read; to be given to [`piece`] and back to [`Listing::put`].
    pub(super) fn rest(&mut self) -> Option<ReadDir> {
        self.rest.take()
    }

    pub(super) fn put(&mut self, rest: Option<ReadDir>, read: VecDeque<Entry>) {
        self.rest = rest;
        self.read.extend(read);
    }
}

/// Reads some entries; blocks.
pub(super) fn piece(mut rest: ReadDir) -> (Option<ReadDir>, VecDeque<Entry>) {
    let read: VecDeque<Entry> = rest
        .by_ref()
        .take(PIECE)
        .map(|entry| {
            let entry = entry?;
            let type_ = kind(entry.file_type()?);
            let name = entry.file_name().into_string().map_err(|_| ErrorCode::IllegalByteSequence)?;
            Ok(DirectoryEntry { type_, name })
        })
        .collect();
    let done = read.len() < PIECE;
    ((!done).then_some(rest), read)
}

fn kind(found: FileType) -> DescriptorType {
    if found.is_file() {
        DescriptorType::RegularFile
    } else if found.is_dir() {
        DescriptorType::Directory
    } else if found.is_symlink() {
        DescriptorType::SymbolicLink
    } else if found.is_block_device() {
        DescriptorType::BlockDevice
    } else if found.is_char_device() {
        DescriptorType::CharacterDevice
    } else if found.is_fifo() {
        DescriptorType::Fifo
    } else if found.is_socket() {
        DescriptorType::Socket
    } else {
        DescriptorType::Unknown
    }
}
