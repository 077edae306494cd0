//! A log of commits in two files that take turns: what makes several changes one where a storage has no transactions.
//!
//! Pure format and order of steps; the files are behind [`JournalFile`]. All numbers are little-endian.
//!
//! | bytes  | the head of a file                                                    |
//! | ---    | ---                                                                   |
//! | 0..8   | magic `sandglas`                                                      |
//! | 8..12  | version of the layout; these 32 bytes are the same in every version   |
//! | 12..16 | zero                                                                  |
//! | 16..24 | generation: the file with the greater one is valid                    |
//! | 24..32 | xxhash64 of bytes 0..24                                               |
//!
//! Records follow at offsets that are multiples of 8. The first is the *checkpoint*, which holds the whole directory; each
//! later one is a commit.
//!
//! | bytes  | a record                                                              |
//! | ---    | ---                                                                   |
//! | 0..8   | sequence number, one greater than that of the record before           |
//! | 8..16  | length of the content                                                 |
//! | 16..24 | xxhash64 of the content, with the generation as its seed              |
//! | 24..32 | xxhash64 of bytes 0..24, with the generation as its seed              |
//! | 32..   | content: tagged entries, see [`Record`]                               |
//!
//! An entry is a byte that tells its kind, and numbers of 8 bytes: 1 a file (inode, length, stored file, offset in it), 2 a path and its inode (inode,
//! length, path), 3 a path that is gone (length, path), 4 what a stored file holds (stored file, length, bytes).
//!
//! A record is flushed before the commit is acknowledged and before the next is written. So what lies behind the last whole
//! record was never acknowledged and is ignored. A record that is broken while the head of a later one is whole can only be
//! damage. Bytes of an older generation may follow the end; their checksums have another seed.
//!
//! A record may hold contents as well: those of small files that will soon go again, which need no file then, and those of a process that is about to end,
//! which has no time to flush them before the record that makes them known. A checkpoint carries over what is still needed and lies nowhere else.
//!
//! Who opens a journal flushes what was found before anything else, as the process before may have been killed ahead of its flush.
//!
//! When the log has grown, a checkpoint goes to the other file, with the next generation, and is flushed; then the head of the old file
//! is overwritten with zeros and flushed; only then may commits follow in the new file. So whichever file is found whole holds everything that
//! was acknowledged. Files keep their room: a checkpoint needs none as long as the directory has not grown, and
//! [`ROOM_BYTES`] are always ahead of the log's end, so that files can be removed when the storage is full.

mod format;
mod replay;
#[cfg(test)]
mod tests;
mod writer;

#[cfg(target_arch = "wasm32")]
pub(super) use format::{HEAD_BYTES, holds_journal};
pub(super) use format::{Location, Record};
pub(super) use replay::{Replayed, replay};
pub(super) use writer::{Journal, JournalFile, MAX_JOURNAL_BYTES};
