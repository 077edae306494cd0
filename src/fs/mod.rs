//! The file system as a mailbox: requests are submitted, completions are polled. No call blocks, none calls back.
//!
//! A *published* file never changes; it can be linked and removed. Files grow by [`Request::Append`] only below `tmp/`,
//! and become visible under their final name by one atomic [`Request::Commit`].
//!
//! Duties of an implementer, beside those on each request:
//! - every submitted operation completes exactly once, with an error at the worst;
//! - operations on one file take effect in the order in which they were submitted;
//! - a failed operation changes nothing: half a `Commit` is never seen, neither now nor after a restart;
//! - `Locked` and `Closed` are answers for good: the engine takes the first of them as the loss of the storage, whatever the
//!   operation was, and never comes back from it. What may pass is `Storage`, with a [`Notice`];
//! - directories need not exist: a directory is there as long as a path lies below it. Listing an absent one gives no entries.

mod directory;
#[cfg(target_arch = "wasm32")]
pub mod indexed_db;
#[cfg(any(target_arch = "wasm32", test))]
mod journal;
pub mod memory;
#[cfg(target_arch = "wasm32")]
pub mod opfs;
#[cfg(target_arch = "wasm32")]
pub mod opfs_reader;
pub mod overlay;
pub mod path;
#[cfg(target_arch = "wasm32")]
pub mod ranges;
pub mod sim;

#[cfg(target_arch = "wasm32")]
pub use indexed_db::IndexedDbFileSystem;
pub use memory::MemoryFileSystem;
#[cfg(target_arch = "wasm32")]
pub use opfs::OpfsFileSystem;
#[cfg(target_arch = "wasm32")]
pub use opfs_reader::OpfsReader;
pub use overlay::MemoryReader;
pub use path::FilePath;
pub use sim::SimFileSystem;

use crate::error::{Error, Result};
use crate::time::TimestampMs;
use bytes::Bytes;
use serde::Serialize;
use std::ops::Range;

/// Names one operation between its submission and its completion. Chosen by the submitter, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// What can be asked of a file system.
#[derive(Clone, Debug)]
pub enum Request {
    /// The entries directly in `dir`, sorted by name. Completes with [`Reply::Entries`].
    List {
        /// The directory to look into.
        dir: FilePath,
    },
    /// Exactly the bytes `range` of a published or an unpublished file. `Corrupt` when the file is shorter, `NotFound`
    /// when there is none. Completes with [`Reply::Bytes`].
    Read {
        /// The file to read.
        file: FilePath,
        /// Byte offsets, end excluded.
        range: Range<u64>,
    },
    /// Adds bytes to the end of a file below `tmp/`, which is created by the first append. An append of no bytes creates an empty file.
    /// Of a file that no commit has published a restart may find any part, or nothing.
    Append {
        /// The file, below a directory named `tmp`.
        file: FilePath,
        /// What to add.
        bytes: Bytes,
    },
    /// Carries out all changes in order, or none of them. What it made visible is durable when it completes, and so is the
    /// content of the published files. Changes of one commit see the effects of earlier ones.
    Commit {
        /// The changes, in order.
        changes: Vec<Change>,
    },
    /// Looks whether the writer of files that are open for reading has committed since, and shows its files from then on;
    /// what was changed here, in memory, is forgotten then. Nothing is to be seen where nobody else can write. Completes with
    /// [`Reply::Refreshed`].
    Refresh,
}

impl Request {
    /// Whether this request must take effect after `earlier`: they name the same file, or a directory and what lies below it,
    /// and one of them changes it.
    fn must_follow(&self, earlier: &Self) -> bool {
        let only_looks = |request: &Self| matches!(request, Self::List { .. } | Self::Read { .. });
        if only_looks(self) && only_looks(earlier) {
            return false;
        }
        let mut related = false;
        self.for_each_path(&mut |path| {
            earlier.for_each_path(&mut |other| {
                related |= path == other || path.below(other).is_some() || other.below(path).is_some();
            });
        });
        related
    }

    fn for_each_path(&self, visit: &mut dyn FnMut(&FilePath)) {
        match self {
            Self::List { dir: path } | Self::Read { file: path, .. } | Self::Append { file: path, .. } => visit(path),
            Self::Commit { changes } => changes.iter().for_each(|change| match change {
                Change::Publish { from, to } | Change::Link { from, to } => {
                    visit(from);
                    visit(to);
                }
                Change::Put { file: path, .. } | Change::PutBriefly { file: path, .. } | Change::Remove { path } => {
                    visit(path)
                }
            }),
            // What is under way has found its file already.
            Self::Refresh => {}
        }
    }
}

/// One step of an atomic [`Request::Commit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Renames a file, or a directory with all that lies below it. `to` must not exist, `from` must.
    Publish {
        /// The file or directory to rename.
        from: FilePath,
        /// Its new path.
        to: FilePath,
    },
    /// Hard-links a published file, or all files directly in a directory, to `to`: same content, no byte copied.
    Link {
        /// The file or directory to link.
        from: FilePath,
        /// Where the links appear.
        to: FilePath,
    },
    /// Writes a whole small file, in place of what may lie there.
    Put {
        /// The file.
        file: FilePath,
        /// Its whole content.
        bytes: Bytes,
    },
    /// As `Put`, for a file that goes again within seconds: a storage may keep it where that is quicker than where it is read from best.
    PutBriefly {
        /// The file.
        file: FilePath,
        /// Its whole content.
        bytes: Bytes,
    },
    /// Removes a file, or a directory with all that lies below it. Removing what is not there is no error.
    Remove {
        /// The file or directory.
        path: FilePath,
    },
}

/// What an operation answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The entries of a directory, sorted by name.
    Entries(Vec<Entry>),
    /// The bytes of a range.
    Bytes(Bytes),
    /// Whether there is something new to be seen.
    Refreshed(bool),
    /// The operation is done.
    Done,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The last component of its path.
    pub name: String,
    /// File or directory.
    pub kind: EntryKind,
}

/// Whether an entry is a file, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file of so many bytes.
    File {
        /// Length of the file.
        size_bytes: u64,
    },
    /// A directory: something lies below this name.
    Directory,
}

/// The outcome of one submitted operation.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The operation.
    pub op: OpId,
    /// Its answer.
    pub result: Result<Reply>,
}

/// What a file system has done and holds; shown by `inspect()` and asserted in tests ("no byte copied").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileSystemStats {
    /// Distinct files' bytes that are stored now; a hard-linked file counts once.
    pub stored_bytes: u64,
    /// Distinct files that are stored now.
    pub files: u64,
    /// Names of files, hard links included.
    pub links: u64,
    /// Bytes handed over by `Append` and `Put` since the start.
    pub written_bytes: u64,
    /// Bytes given out by `Read` since the start.
    pub read_bytes: u64,
    /// Operations completed since the start.
    pub operations: u64,
    /// Commits completed since the start.
    pub commits: u64,
}

/// What people should know of a storage's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It does not answer, or its connection is gone, for this reason. What waits is tried again or fails.
    Trouble(Error),
    /// It answers again.
    Over,
}

/// A place where a database's files live. Its duties stand at the head of this file; the one that is easily missed: an operation
/// fails with `Locked` or `Closed` only when all that come after it would fail as well.
pub trait FileSystem {
    /// Hands over one operation. Its completion is given out by a later (or the next) [`FileSystem::poll`].
    fn submit(&mut self, op: OpId, request: Request);

    /// Appends the completions that have become known to `done`. `now` is for simulators that take their time.
    fn poll(&mut self, now: TimestampMs, done: &mut Vec<Completion>);

    /// The page goes away: what is under way, and what is submitted from now on, must come to its end without this thread getting
    /// another turn. Where nothing waits for a turn there is nothing to do.
    fn leave(&mut self) {}

    /// Whether contents lie in memory, so that nothing is won by keeping what was read.
    fn is_in_memory(&self) -> bool {
        false
    }

    /// Counters since the start and what is stored now.
    fn stats(&self) -> FileSystemStats;

    /// Moves what people should know of the storage's health, such as a connection that was lost or is back, to `notices`.
    fn take_notices(&mut self, _notices: &mut Vec<Notice>) {}
}
