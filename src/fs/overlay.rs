//! Files that somebody else writes, opened for reading.
//!
//! Opening a database changes files: it carries out what a crash has interrupted and clears what nobody needs. A reader does the
//! same, but in memory, on top of the directory as the writer's last commit has left it. No byte of what is stored changes.
//! Contents are read from the store, by the number of the file and not by its path, since the reader may have moved it and
//! the writer may have put another file in its place.

use super::directory::{Directory, InodeId};
use super::{Completion, FilePath, FileSystem, FileSystemStats, MemoryFileSystem, OpId, Reply, Request};
use crate::error::{Error, ErrorKind, Result};
use crate::time::TimestampMs;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// The stored files with the reader's own changes in memory.
#[derive(Debug, Default)]
pub(super) struct Overlay(MemoryFileSystem);

/// What a read has to be told by the stored files.
pub(super) struct StoredRange {
    /// The stored file.
    pub(super) inode: InodeId,
    /// Its name, by which it was asked for.
    pub(super) file: FilePath,
    /// The bytes.
    pub(super) range: Range<u64>,
}

/// How far memory got with an operation.
pub(super) enum Step {
    /// To its end.
    Done(Reply),
    /// What was asked for lies in a stored file.
    Stored(StoredRange),
}

impl Overlay {
    /// The directory as it is stored, with nothing changed.
    pub fn over(directory: Directory) -> Self {
        Self(MemoryFileSystem::over(directory))
    }

    /// Carries out one operation, of which nothing remains when it fails. `Refresh` is the store's own business.
    pub fn carry_out(&mut self, request: Request) -> Result<Step> {
        if let Request::Read { file, range } = &request
            && let Some(stored) = self.0.elsewhere(file, range)?
        {
            return Ok(Step::Stored(StoredRange { inode: stored, file: file.clone(), range: range.clone() }));
        }
        self.0.carry_out(request).map(Step::Done)
    }

    /// Fills in what can be seen now.
    pub fn count(&self, stats: &mut FileSystemStats) {
        self.0.directory().count(stats);
    }
}

/// Files in memory that somebody else writes, opened for reading: what readers of stored files do, where it can be looked at.
#[derive(Debug)]
pub struct MemoryReader {
    store: Rc<RefCell<MemoryFileSystem>>,
    seen_commits: u64,
    overlay: Overlay,
    done: Vec<Completion>,
    stats: FileSystemStats,
}

impl MemoryReader {
    /// Opens what is stored now.
    pub fn open(store: Rc<RefCell<MemoryFileSystem>>) -> Self {
        let mut reader = Self {
            store,
            seen_commits: 0,
            overlay: Overlay::default(),
            done: Vec::new(),
            stats: FileSystemStats::default(),
        };
        reader.look();
        reader
    }

    fn look(&mut self) {
        let store = self.store.borrow();
        self.seen_commits = store.commits();
        self.overlay = Overlay::over(store.directory().clone());
    }

    fn carry_out(&mut self, request: Request) -> Result<Reply> {
        if let Request::Refresh = request {
            let has_moved = self.store.borrow().commits() != self.seen_commits;
            if has_moved {
                self.look();
            }
            return Ok(Reply::Refreshed(has_moved));
        }
        match self.overlay.carry_out(request)? {
            Step::Done(reply) => Ok(reply),
            Step::Stored(StoredRange { inode, file, range }) => {
                let bytes = self.store.borrow().content(inode, &range);
                let bytes = bytes.ok_or_else(|| gone(&file))?;
                self.stats.read_bytes += bytes.len() as u64;
                Ok(Reply::Bytes(bytes))
            }
        }
    }
}

impl FileSystem for MemoryReader {
    fn submit(&mut self, op: OpId, request: Request) {
        self.stats.operations += 1;
        let result = self.carry_out(request);
        self.done.push(Completion { op, result });
    }

    fn poll(&mut self, _: TimestampMs, done: &mut Vec<Completion>) {
        done.append(&mut self.done);
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    fn stats(&self) -> FileSystemStats {
        let mut stats = self.stats;
        self.overlay.count(&mut stats);
        stats
    }
}

/// Whether this may come from a file that is not what it was: the writer has removed it, or is about to. Its range may hold other bytes
/// by then, and a browser says in words of its own that a file is gone.
pub fn may_have_moved(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::Storage)
}

/// The writer has removed a file that the reader was still looking into.
pub(super) fn gone(file: &FilePath) -> Error {
    Error::new(ErrorKind::NotFound, format!("{file}: the writer has removed it in the meantime"))
}
