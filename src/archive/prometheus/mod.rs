//! Prometheus' own data, as its snapshots and data directories hold it: blocks, each an index of series and their chunks in
//! segments, and the log of what is in no block yet.

pub mod chunk;
pub mod index;
pub mod log;

use crc::{CRC_32_ISCSI, Crc};
use log::{LogDirectory, LogSegment};

/// That of Castagnoli, which all of Prometheus' files have.
const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Whether bytes have this checksum. A fuzzer that had to find checksums would get no further.
pub fn is_intact(bytes: &[u8], checksum: [u8; 4]) -> bool {
    cfg!(fuzzing) || CHECKSUM.checksum(bytes) == u32::from_be_bytes(checksum)
}

/// What a file is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockFile {
    /// `meta.json`.
    Meta,
    /// `index`.
    Index,
    /// `tombstones`.
    Tombstones,
    /// `chunks/000001` and so on; counted from 0.
    Segment(u32),
}

/// The block and the file in it that the components of a path name; nothing for other paths.
pub fn place<'a>(components: &[&'a str]) -> Option<(&'a str, BlockFile)> {
    let [block, rest @ ..] = components else { return None };
    // A ULID.
    let is_block = block.len() == 26 && block.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    if !is_block {
        return None;
    }
    let file = match rest {
        ["meta.json"] => BlockFile::Meta,
        ["index"] => BlockFile::Index,
        ["tombstones"] => BlockFile::Tombstones,
        ["chunks", segment] if segment.len() == 6 => BlockFile::Segment(segment.parse::<u32>().ok()?.checked_sub(1)?),
        _ => return None,
    };
    Some((block, file))
}

/// The segment of the log that the components of a path name; nothing for other paths.
pub fn place_in_log(components: &[&str]) -> Option<LogSegment> {
    // Of six digits in old versions, of eight in new ones.
    let number =
        |digits: &str| match (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse::<u32>().ok(),
            false => None,
        };
    let (directory, name) = match components {
        ["wal", name] => (LogDirectory::InOrder, name),
        ["wal", checkpoint, name] => (LogDirectory::Checkpoint(number(checkpoint.strip_prefix("checkpoint.")?)?), name),
        ["wbl", name] => (LogDirectory::OutOfOrder, name),
        _ => return None,
    };
    Some(LogSegment { directory, number: number(name)? })
}
