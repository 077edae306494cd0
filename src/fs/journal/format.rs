//! Heads and records as bytes, as the tables in `mod.rs` have them.

use crate::error::{Error, ErrorKind, Result};
use crate::fs::FilePath;
use crate::fs::directory::InodeId;
use xxhash_rust::xxh64::xxh64;

/// The layout that this version reads and writes: the journal's records, and the stored files that they point into.
pub(in crate::fs) const LAYOUT: u32 = 1;

const MAGIC: [u8; 8] = *b"sandglas";
pub(in crate::fs) const HEAD_BYTES: usize = 32;

/// Greater numbers are damage; far from where sums of them could overflow.
pub(super) const NUMBERS_END: u64 = 1 << 53;

pub(super) const TAG_FILE: u8 = 1;
pub(super) const TAG_ENTRY: u8 = 2;
pub(super) const TAG_GONE: u8 = 3;
pub(super) const TAG_CONTENT: u8 = 4;

/// Where the bytes of a file lie: from `offset` on in the stored file of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) struct Location {
    pub stored: u64,
    pub offset: u64,
}

/// What a commit or a checkpoint says, as it is put together.
#[derive(Default)]
pub(in crate::fs) struct Record {
    pub(super) content: Vec<u8>,
    /// The directory becomes larger by it.
    pub(super) adds: bool,
}

impl Record {
    /// A file that the record makes known: its length, and where its bytes lie.
    pub fn file(&mut self, inode: InodeId, size_bytes: u64, location: Location) {
        self.adds = true;
        self.content.push(TAG_FILE);
        for number in [inode, size_bytes, location.stored, location.offset] {
            self.content.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// What a stored file holds, which may not be stored yet: who finds the record stores it.
    pub fn content(&mut self, stored: u64, bytes: &[u8]) {
        self.content.push(TAG_CONTENT);
        self.content.extend_from_slice(&stored.to_le_bytes());
        self.put_bytes(bytes);
    }

    /// Says that a number was given out and must not be again, whatever has become of its file: as an empty file without a name,
    /// which versions that know nothing of this take for one that is gone.
    pub fn number_used(&mut self, inode: InodeId) {
        self.file(inode, 0, Location { stored: inode, offset: 0 });
    }

    /// The inode that a path names from now on; `None` for a path that is gone.
    pub fn entry(&mut self, path: &FilePath, inode: Option<InodeId>) {
        match inode {
            Some(inode) => {
                self.adds = true;
                self.content.push(TAG_ENTRY);
                self.content.extend_from_slice(&inode.to_le_bytes());
            }
            None => self.content.push(TAG_GONE),
        }
        self.put_bytes(path.as_str().as_bytes());
    }

    /// Bytes behind their number, as [`take_bytes`] takes them.
    fn put_bytes(&mut self, bytes: &[u8]) {
        self.content.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.content.extend_from_slice(bytes);
    }
}

pub(super) fn head_bytes(generation: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&u64::from(LAYOUT).to_le_bytes());
    bytes.extend_from_slice(&generation.to_le_bytes());
    let checksum = xxh64(&bytes, 0);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// What a record with a content of this length takes in the file; any length may stand in one that is damaged.
pub(super) fn bytes_for(content_len: u64) -> u64 {
    content_len.saturating_add(HEAD_BYTES as u64).checked_next_multiple_of(8).unwrap_or(u64::MAX)
}

pub(super) fn bytes_of(Record { content, .. }: &Record, sequence: u64, generation: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((HEAD_BYTES + content.len()).next_multiple_of(8));
    for number in [sequence, content.len() as u64, xxh64(content, generation)] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let checksum = xxh64(&bytes, generation);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// Whether a file that begins with these bytes, [`HEAD_BYTES`] or all that there are, can hold a journal: of the two files that take turns
/// one is read.
#[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only OPFS asks for it"))]
pub(in crate::fs) fn holds_journal(first: &[u8]) -> Result<bool> {
    head(first).map(|generation| generation.is_some())
}

/// The generation of a file; `None` without a whole head.
pub(super) fn head(content: &[u8]) -> Result<Option<u64>> {
    let Some(head) = content.get(..HEAD_BYTES) else { return Ok(None) };
    let generation = number_at(head, 16);
    if head[..8] != MAGIC || number_at(head, 24) != xxh64(&head[..24], 0) || generation >= NUMBERS_END {
        return Ok(None);
    }
    let layout = number_at(head, 8) & u64::from(u32::MAX);
    if layout != u64::from(LAYOUT) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the database has layout {layout}, this version of sandglass knows layout {LAYOUT}; open it with the version that wrote it. \
                 Nothing was changed"
            ),
        ));
    }
    Ok(Some(generation))
}

/// A whole record: its sequence number and its content.
pub(super) fn record_at(content: &[u8], at: usize, generation: u64) -> Option<(u64, &[u8])> {
    let (sequence, len, checksum) = record_head(content, at, generation)?;
    let payload = content.get(at + HEAD_BYTES..)?.get(..usize::try_from(len).ok()?)?;
    (xxh64(payload, generation) == checksum).then_some((sequence, payload))
}

/// The whole head of a record: sequence number, length and checksum of the content.
pub(super) fn record_head(content: &[u8], at: usize, generation: u64) -> Option<(u64, u64, u64)> {
    let head = content.get(at..)?.get(..HEAD_BYTES)?;
    let sequence = number_at(head, 0);
    // The checksum comes last: it costs more, and nearly every place is ruled out before.
    let is_whole = sequence < NUMBERS_END && number_at(head, 24) == xxh64(&head[..24], generation);
    is_whole.then(|| (sequence, number_at(head, 8), number_at(head, 16)))
}

fn number_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |number| u64::from_le_bytes(*number))
}

pub(super) fn take_number(payload: &mut &[u8]) -> Option<u64> {
    let (number, rest) = payload.split_first_chunk()?;
    *payload = rest;
    Some(u64::from_le_bytes(*number)).filter(|number| *number < NUMBERS_END)
}

pub(super) fn take_path(payload: &mut &[u8]) -> Option<FilePath> {
    let path = take_bytes(payload)?;
    FilePath::new(std::str::from_utf8(path).ok()?).ok().filter(|path| !path.as_str().is_empty())
}

/// Bytes behind their number.
pub(super) fn take_bytes<'a>(payload: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_number(payload)?).ok()?;
    let (bytes, rest) = payload.split_at_checked(len)?;
    *payload = rest;
    Some(bytes)
}
