//! The bytes of files: reading them, and storing what unpublished ones hold in memory.

use super::flight::Flight;
use super::opening::opened;
use super::state::{Growing, Shared, State, changed_kind};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, Result};
use crate::fs::FilePath;
use crate::fs::directory::{CommitPlan, InodeId};
use crate::fs::journal::{JournalFile, Location};
use crate::fs::memory::check_range;
use bytes::Bytes;
use std::ops::Range;
use std::rc::Weak;

/// An unpublished file's bytes are stored when so many have come together.
const PUT_BYTES: usize = 512 << 10;

impl State {
    pub(super) fn read(&mut self, me: &Weak<Shared>, file: &FilePath, range: &Range<u64>) -> Result<Option<Bytes>> {
        let (inode, known) = self.directory.find(file)?;
        check_range(file, range, known.size_bytes)?;
        let growing = self.growing.get(&inode);
        let stored_bytes = growing.map_or(known.size_bytes, |growing| growing.stored_bytes);
        let location = self.locations.get(&inode).copied().unwrap_or(Location { stored: inode, offset: 0 });
        let stored = range.start.min(stored_bytes)..range.end.min(stored_bytes);
        let mut bytes = Vec::new();
        if !stored.is_empty() {
            let range = location.offset + stored.start..location.offset + stored.end;
            if let Some(content) = self.unstored.get(&location.stored) {
                bytes.extend_from_slice(held(content, &range).map_err(|error| error.at(file))?);
            } else {
                let opened = opened(&mut self.handles, me, location.stored, false).map_err(|error| error.at(file))?;
                let Some(handle) = opened else { return Ok(None) };
                self.stats.read_bytes += range.end - range.start;
                handle.read(range, &mut bytes).map_err(|error| error.at(file))?;
            }
        }
        if let Some(growing) = growing {
            let (from, to) = (range.start.saturating_sub(stored_bytes), range.end.saturating_sub(stored_bytes));
            bytes.extend_from_slice(growing.tail.get(from as usize..to as usize).unwrap_or(&[]));
        }
        Ok(Some(bytes.into()))
    }

    /// Answers whether it is done.
    pub(super) fn append(
        &mut self,
        me: &Weak<Shared>,
        file: &FilePath,
        bytes: &Bytes,
        flight: &mut Option<Flight>,
    ) -> Result<bool> {
        let len = bytes.len() as u64;
        if flight.is_none() {
            let created = self.directory.find(file).is_err();
            let inode = self.directory.append(file, len)?;
            let growing = self.growing.get_or_insert_with(inode, Growing::default);
            growing.tail.extend_from_slice(bytes);
            self.stats.written_bytes += len;
            if growing.tail.len() < PUT_BYTES {
                return Ok(true);
            }
            *flight = Some(Flight::Append { inode, created });
        }
        let Some(Flight::Append { inode, created }) = *flight else { return Err(changed_kind()) };
        let stored = self.store_tail(me, inode, false);
        if stored.is_err() {
            self.stats.written_bytes -= len;
            self.directory.take_back_append(file, inode, len, created);
            if created {
                self.growing.remove(&inode);
                self.handles.remove_file(inode);
            } else if let Some(growing) = self.growing.get_mut(&inode) {
                growing.tail.truncate(growing.tail.len().saturating_sub(bytes.len()));
            }
        }
        stored.map_err(|error| error.at(file))
    }

    /// Writes what an unpublished file holds in memory. Answers whether it is done.
    pub(super) fn store_tail(&mut self, me: &Weak<Shared>, inode: InodeId, durably: bool) -> Result<bool> {
        let Some(growing) = self.growing.get_mut(&inode) else { return Err(changed_kind()) };
        let Some(handle) = opened(&mut self.handles, me, inode, growing.stored_bytes == 0)? else { return Ok(false) };
        handle.write(growing.stored_bytes, &growing.tail)?;
        growing.stored_bytes += growing.tail.len() as u64;
        growing.tail = Vec::new();
        if durably {
            handle.flush()?;
        }
        Ok(true)
    }

    /// Writes files that are not stored yet one behind the other. Answers whether it is done.
    pub(super) fn store_together(
        &mut self,
        me: &Weak<Shared>,
        plan: &CommitPlan,
        small: &[InodeId],
        number: u64,
    ) -> Result<bool> {
        let Some(handle) = opened(&mut self.handles, me, number, true)? else { return Ok(false) };
        let bytes = bytes_together(&self.growing, plan, small);
        handle.write(0, &bytes)?;
        handle.flush()?;
        Ok(true)
    }
}

/// A range of what the journal holds of a stored file.
pub(in crate::fs) fn held<'a>(content: &'a [u8], range: &Range<u64>) -> Result<&'a [u8]> {
    let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
    let found = content.get(at(range.start)..at(range.end));
    found.ok_or_else(|| Error::corrupt(format!("the journal holds {} bytes of it, not {range:?}", content.len())))
}

/// Files that are not stored yet, one behind the other.
pub(super) fn bytes_together(growing: &SortedMap<InodeId, Growing>, plan: &CommitPlan, small: &[InodeId]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for id in small {
        let tail = growing.get(id).map(|growing| &growing.tail[..]);
        let content = plan.contents.get(id).map(|content| &content[..]);
        bytes.extend_from_slice(tail.or(content).unwrap_or(&[]));
    }
    bytes
}
