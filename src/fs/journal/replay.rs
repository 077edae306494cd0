//! Reading a journal: what it says, and where it goes on.

use super::format::{
    HEAD_BYTES, Location, NUMBERS_END, TAG_CONTENT, TAG_ENTRY, TAG_FILE, TAG_GONE, bytes_for, head, record_at,
    record_head, take_bytes, take_number, take_path,
};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, Result};
use crate::fs::FilePath;
use crate::fs::directory::InodeId;

/// What a journal says, and where it goes on.
#[derive(Debug, Default)]
pub(in crate::fs) struct Replayed {
    /// The inode that each path names.
    pub paths: SortedMap<FilePath, InodeId>,
    /// The length of each file in bytes; of files that are gone as well.
    pub sizes: SortedMap<InodeId, u64>,
    /// Where each file lies; files that are gone as well.
    pub locations: SortedMap<InodeId, Location>,
    /// Stored files that may not be there yet, or not whole, and what they hold.
    pub contents: SortedMap<u64, Vec<u8>>,
    pub(super) place: Place,
}

/// The end of the log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) slot: usize,
    pub(super) generation: u64,
    pub(super) sequence: u64,
    pub(super) checkpoint_end: u64,
    pub(super) end: u64,
}

/// Reads a journal from the contents of its two files. `None` when neither holds a whole one: the database is new, or it has
/// lost its journal.
///
/// # Errors
/// `Unsupported` for another version's journal, `Corrupt` for one that is damaged before its end.
pub(in crate::fs) fn replay(contents: [&[u8]; 2]) -> Result<Option<Replayed>> {
    let heads = [head(contents[0])?, head(contents[1])?];
    let first = usize::from(heads[1] > heads[0]);
    for slot in [first, 1 - first] {
        let Some(generation) = heads[slot] else { continue };
        if let Some(replayed) = replay_file(contents[slot], slot, generation)? {
            return Ok(Some(replayed));
        }
        // Its checkpoint is not whole: the process ended while it was written, and the other file is still valid.
    }
    Ok(None)
}

fn replay_file(content: &[u8], slot: usize, generation: u64) -> Result<Option<Replayed>> {
    let mut replayed = Replayed::default();
    let mut at = HEAD_BYTES;
    let mut last: Option<u64> = None;
    while let Some((sequence, payload)) = record_at(content, at, generation)
        && last.is_none_or(|last| sequence == last + 1)
    {
        replayed.apply(payload).ok_or_else(|| {
            Error::corrupt(format!("journal-{}: the record at byte {at} can't be understood", name_of(slot)))
        })?;
        // Within the content, which `record_at` has checked.
        at += bytes_for(payload.len() as u64) as usize;
        replayed.place.sequence = sequence;
        if last.replace(sequence).is_none() {
            replayed.place.checkpoint_end = at as u64;
        }
    }
    let Some(last) = last else { return Ok(None) };
    // Nothing is written before what came before it is durable.
    let is_later = |at: usize| record_head(content, at, generation).is_some_and(|(sequence, ..)| sequence > last + 1);
    // Within a record that is not whole anything may lie, a file's bytes among it.
    let broken_bytes = record_head(content, at, generation).map_or(0, |(_, len, _)| bytes_for(len));
    let behind = at.saturating_add(usize::try_from(broken_bytes).unwrap_or(usize::MAX));
    if let Some(later) = (behind..content.len()).step_by(8).find(|&at| is_later(at)) {
        return Err(Error::corrupt(format!(
            "journal-{}: the record at byte {at} is damaged, since a later one follows at byte {later}",
            name_of(slot)
        )));
    }
    let mut total = 0_u64;
    if replayed.sizes.values().any(|size| {
        total = total.saturating_add(*size);
        total >= NUMBERS_END
    }) {
        return Err(Error::corrupt(format!("journal-{}: its files are larger than any storage", name_of(slot))));
    }
    replayed.place.slot = slot;
    replayed.place.generation = generation;
    replayed.place.end = at as u64;
    Ok(Some(replayed))
}

impl Replayed {
    /// Differs from one commit to the next, and between a journal and one that has taken its place.
    pub fn version(&self) -> (u64, u64) {
        (self.place.generation, self.place.sequence)
    }

    /// Carries out one record; `None` when it has no meaning.
    fn apply(&mut self, mut payload: &[u8]) -> Option<()> {
        while let Some((tag, rest)) = payload.split_first() {
            payload = rest;
            match *tag {
                TAG_FILE => {
                    let inode = take_number(&mut payload)?;
                    self.sizes.insert(inode, take_number(&mut payload)?);
                    let (stored, offset) = (take_number(&mut payload)?, take_number(&mut payload)?);
                    self.locations.insert(inode, Location { stored, offset });
                }
                TAG_ENTRY => {
                    let inode = take_number(&mut payload)?;
                    let path = take_path(&mut payload)?;
                    self.paths.insert(path, inode);
                }
                TAG_GONE => {
                    let path = take_path(&mut payload)?;
                    self.paths.remove(&path);
                }
                TAG_CONTENT => {
                    let stored = take_number(&mut payload)?;
                    self.contents.insert(stored, take_bytes(&mut payload)?.to_vec());
                }
                _ => return None,
            }
        }
        Some(())
    }
}

/// The files are called `journal-a` and `journal-b`.
fn name_of(slot: usize) -> char {
    if slot == 0 { 'a' } else { 'b' }
}
