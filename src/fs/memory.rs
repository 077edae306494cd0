//! Files in memory. Every operation completes at once.

use super::directory::{Directory, InodeId};
use super::{Change, Completion, FilePath, FileSystem, FileSystemStats, OpId, Reply, Request};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use crate::time::TimestampMs;
use bytes::Bytes;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// A file system that lives as long as this value. Reads of published files copy nothing. A clone holds the same files and
/// goes its own way from then on.
#[derive(Clone, Debug, Default)]
pub struct MemoryFileSystem {
    directory: Directory,
    contents: SortedMap<InodeId, Content>,
    done: Vec<Completion>,
    stats: FileSystemStats,
    /// How many bytes files may take; any number without it.
    quota_bytes: Option<u64>,
}

#[derive(Clone, Debug)]
enum Content {
    Growing(Vec<u8>),
    Published(Bytes),
}

impl MemoryFileSystem {
    /// A file system without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file system without files that refuses what would make its files larger than `quota_bytes` together.
    pub fn with_quota(quota_bytes: u64) -> Self {
        Self { quota_bytes: Some(quota_bytes), ..Self::default() }
    }

    /// What a process that ended without a word leaves to the next one: all files, and counters that begin again.
    pub fn after_crash(&self) -> Self {
        let mut files = self.clone();
        files.forget_statistics();
        files
    }

    fn check_quota(&self, more_bytes: u64) -> Result<()> {
        let Some(quota) = self.quota_bytes else { return Ok(()) };
        let mut stats = FileSystemStats::default();
        self.directory.count(&mut stats);
        if more_bytes == 0 || stats.stored_bytes.saturating_add(more_bytes) <= quota {
            return Ok(());
        }
        let stored = stats.stored_bytes;
        Err(Error::new(
            ErrorKind::Quota,
            format!("the storage has room for {quota} bytes; {stored} are taken and {more_bytes} more are wanted"),
        ))
    }

    /// The content of a file, for tests and tools.
    pub fn file(&self, path: &str) -> Option<Bytes> {
        let (id, _) = self.directory.find(&FilePath::new(path).ok()?).ok()?;
        Some(match self.contents.get(&id)? {
            Content::Growing(bytes) => Bytes::copy_from_slice(bytes),
            Content::Published(bytes) => bytes.clone(),
        })
    }

    /// Puts a published file, for tests and tools.
    ///
    /// # Errors
    /// `Invalid` for what is no path, names a directory or lies below a file.
    pub fn put(&mut self, path: &str, bytes: impl Into<Bytes>) -> Result<()> {
        self.commit(&[Change::Put { file: FilePath::new(path)?, bytes: bytes.into() }])
    }

    /// The paths of all files, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.directory.paths().map(FilePath::as_str)
    }

    /// Files that are stored elsewhere: what is done to them is done here, in memory. Only their content is missing, see
    /// [`MemoryFileSystem::elsewhere`].
    pub(super) fn over(directory: Directory) -> Self {
        Self { directory, ..Self::default() }
    }

    /// The stored file whose content a read needs; `None` when it is here. Checks the range.
    pub(super) fn elsewhere(&self, file: &FilePath, range: &Range<u64>) -> Result<Option<InodeId>> {
        let (id, inode) = self.directory.find(file)?;
        check_range(file, range, inode.size_bytes)?;
        Ok((!self.contents.contains_key(&id)).then_some(id))
    }

    /// Which paths there are, and which files they name.
    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// A range of a file, whatever its paths; `None` when it is gone.
    pub(super) fn content(&self, id: InodeId, range: &Range<u64>) -> Option<Bytes> {
        let bytes = self.contents.get(&id)?.bytes();
        bytes.get(range.start as usize..range.end as usize).map(Bytes::copy_from_slice)
    }

    /// Commits so far.
    pub(super) fn commits(&self) -> u64 {
        self.stats.commits
    }

    /// Carries out one operation, of which nothing remains when it fails.
    pub(super) fn carry_out(&mut self, request: Request) -> Result<Reply> {
        self.stats.operations += 1;
        match request {
            Request::List { dir } => Ok(Reply::Entries(self.directory.list(&dir))),
            Request::Read { file, range } => self.read(&file, range).map(Reply::Bytes),
            Request::Append { file, bytes } => self.append(&file, &bytes).map(|()| Reply::Done),
            Request::Commit { changes } => self.commit(&changes).map(|()| Reply::Done),
            Request::Refresh => Ok(Reply::Refreshed(false)),
        }
    }

    /// The files that have not been through a commit, with their lengths.
    pub(super) fn unpublished(&self) -> Vec<(FilePath, u64)> {
        let len = |id| self.contents.get(&id).map_or(0, |content| content.bytes().len() as u64);
        self.directory.unpublished().map(|(path, id)| (path.clone(), len(id))).collect()
    }

    /// Lets the counters begin again, as after a restart.
    pub(super) fn forget_statistics(&mut self) {
        self.stats = FileSystemStats::default();
        self.done.clear();
    }

    fn read(&mut self, file: &FilePath, range: Range<u64>) -> Result<Bytes> {
        let (id, inode) = self.directory.find(file)?;
        check_range(file, &range, inode.size_bytes)?;
        // In range, so that both ends fit.
        let range = range.start as usize..range.end as usize;
        let bytes = match self.contents.get(&id) {
            Some(Content::Published(bytes)) => bytes.slice(range),
            Some(Content::Growing(bytes)) => Bytes::copy_from_slice(&bytes[range]),
            None => return Err(Error::corrupt(format!("{file}: has no content"))),
        };
        self.stats.read_bytes += bytes.len() as u64;
        Ok(bytes)
    }

    fn append(&mut self, file: &FilePath, bytes: &[u8]) -> Result<()> {
        self.check_quota(bytes.len() as u64)?;
        let id = self.directory.append(file, bytes.len() as u64)?;
        match self.contents.get_or_insert_with(id, || Content::Growing(Vec::new())) {
            Content::Growing(content) => content.extend_from_slice(bytes),
            Content::Published(_) => return Err(Error::invalid(format!("{file}: a published file never changes"))),
        }
        self.stats.written_bytes += bytes.len() as u64;
        Ok(())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<()> {
        let plan = self.directory.plan(changes)?;
        self.check_quota(plan.written_bytes)?;
        self.directory.apply(&plan);
        for (id, inode) in &plan.inodes {
            if inode.is_none() {
                self.contents.remove(id);
            } else if let Some(bytes) = plan.contents.get(id) {
                // Copied, since the caller's bytes may be a small piece of a large buffer.
                self.contents.insert(*id, Content::Published(Bytes::copy_from_slice(bytes)));
            } else if let Some(content) = self.contents.get_mut(id) {
                content.publish();
            }
        }
        self.stats.written_bytes += plan.written_bytes;
        self.stats.commits += 1;
        Ok(())
    }
}

impl FileSystem for MemoryFileSystem {
    fn submit(&mut self, op: OpId, request: Request) {
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
        self.directory.count(&mut stats);
        stats
    }
}

/// Several owners of one file system: what one engine leaves behind, the next one can be opened on.
impl FileSystem for Rc<RefCell<MemoryFileSystem>> {
    fn submit(&mut self, op: OpId, request: Request) {
        self.borrow_mut().submit(op, request);
    }

    fn poll(&mut self, now: TimestampMs, done: &mut Vec<Completion>) {
        self.borrow_mut().poll(now, done);
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    fn stats(&self) -> FileSystemStats {
        self.borrow().stats()
    }
}

impl Content {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Growing(bytes) => bytes,
            Self::Published(bytes) => bytes,
        }
    }

    fn publish(&mut self) {
        if let Self::Growing(bytes) = self {
            let mut bytes = std::mem::take(bytes);
            bytes.shrink_to_fit();
            *self = Self::Published(bytes.into());
        }
    }
}

/// A read must lie within the file.
pub(super) fn check_range(file: &FilePath, range: &Range<u64>, size_bytes: u64) -> Result<()> {
    if range.start > range.end {
        return Err(Error::invalid(format!("{file}: the range {range:?} ends before it begins")));
    }
    if range.end > size_bytes {
        return Err(Error::corrupt(format!("{file}: {range:?} was asked for, but the file has {size_bytes} bytes")));
    }
    Ok(())
}
