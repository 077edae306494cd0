//! Commits: the contents are stored first, then the journal says so, then it is so in memory.

use super::browser_directory::pause;
use super::contents::bytes_together;
use super::flight::{Flight, NewContent};
use super::state::{Shared, State, Stored, changed_kind, with_state};
use crate::collections::sorted_map::SortedMap;
use crate::error::Result;
use crate::fs::Change;
use crate::fs::directory::{CommitPlan, InodeId};
use crate::fs::journal::{JournalFile, Location, Record};
use std::rc::Weak;
use wasm_bindgen_futures::spawn_local;

/// Contents go into a journal that is no longer than this: every start reads it.
const MAX_JOURNAL_WITH_CONTENTS_BYTES: u64 = 4 << 20;

/// Files that go again within seconds, such as records of the log, are held by the journal when a commit has no others and no more of them.
const MAX_HELD_BYTES: usize = 64 << 10;

/// So many bytes of them at the most: checkpoints carry them over.
const MAX_ALL_HELD_BYTES: usize = 256 << 10;

impl State {
    /// Answers whether it is done.
    pub(super) fn commit(
        &mut self,
        me: &Weak<Shared>,
        changes: &[Change],
        flight: &mut Option<Flight>,
    ) -> Result<bool> {
        let commits_before = self.stats.commits;
        if !matches!(flight, Some(Flight::Commit { commits_before: then, .. }) if *then == commits_before) {
            if let Some(Flight::Commit { content: NewContent { together: Some(number), held: None, .. }, .. }) = flight
            {
                self.handles.remove_file(*number);
            }
            let plan = self.directory.plan(changes)?;
            let content = self.new_content(&plan);
            *flight = Some(Flight::Commit { plan, content, commits_before });
        }
        let Some(Flight::Commit { plan, content, .. }) = flight else { return Err(changed_kind()) };
        // What can't be had in this way may be had in the ordinary one, if there are turns for it.
        if self.is_leaving && self.commit_last(plan, content)? {
            self.apply(me, plan, content);
            return Ok(true);
        }
        let mut failure = None;
        let (small, together) = (&content.small, content.together);
        content.unwritten.retain(|number| {
            if failure.is_some() {
                return true;
            }
            let stored = match Some(*number) == together {
                true => self.store_together(me, plan, small, *number),
                false => self.store_tail(me, *number, true),
            };
            match stored {
                Ok(true) => self.handles.close(*number),
                Ok(false) => return true,
                Err(error) => {
                    failure = Some(error);
                    return true;
                }
            }
            false
        });
        if failure.is_none() && !content.unwritten.is_empty() {
            return Ok(false);
        }
        if let Some(error) = failure.or_else(|| self.log(plan, content).err()) {
            // A record that could not be taken back may still lead here at the next start, which removes what it does not lead to.
            if let Some(number) = content.together
                && content.held.is_none()
                && !self.journal.is_broken()
            {
                self.handles.remove_file(number);
            }
            return Err(error);
        }
        self.apply(me, plan, content);
        Ok(true)
    }

    /// What a commit has made durable is so.
    fn apply(&mut self, me: &Weak<Shared>, plan: &CommitPlan, content: &mut NewContent) {
        if let Some(number) = content.together {
            match content.held.take() {
                Some(bytes) => drop(self.unstored.insert(number, bytes)),
                None => self.prepare_spare(me),
            }
        }
        self.directory.apply(plan);
        for (id, size_bytes, location) in content.locations(plan) {
            self.growing.remove(&id);
            self.locations.insert(id, location);
            self.stored.get_or_insert_with(location.stored, Stored::default).add(location.offset + size_bytes);
        }
        for (id, _) in plan.inodes.iter().filter(|(_, inode)| inode.is_none()) {
            if self.growing.remove(id).is_some() {
                self.handles.remove_file(*id);
            }
            if let Some(location) = self.locations.remove(id)
                && let Some(stored) = self.stored.get_mut(&location.stored)
            {
                stored.inodes -= 1;
                if stored.inodes == 0 {
                    let end = stored.end;
                    self.stored.remove(&location.stored);
                    self.let_go(me, location.stored, end);
                }
            }
        }
        self.stats.written_bytes += plan.written_bytes;
        self.stats.commits += 1;
    }

    /// Makes a commit known as the page goes away, with its contents in the journal: writing is enough to outlive the page, flushing takes longer
    /// than a page may have. Answers whether that could be done.
    fn commit_last(&mut self, plan: &CommitPlan, content: &NewContent) -> Result<bool> {
        if !content.large.is_empty() {
            return Ok(false);
        }
        let bytes = bytes_together(&self.growing, plan, &content.small);
        if self.journal.end() + bytes.len() as u64 > MAX_JOURNAL_WITH_CONTENTS_BYTES {
            return Ok(false);
        }
        let mut record = record_of(plan, &content.locations(plan));
        let Some(number) = content.together else { return Ok(self.journal.commit_last(&record).is_ok()) };
        record.content(number, &bytes);
        let file = self.handles.get(number)?;
        let committed = match file.map(|file| file.write(0, &bytes)) {
            // There is no room for it later either.
            Some(Err(_)) => false,
            _ => self.journal.commit_last(&record).is_ok(),
        };
        if !committed {
            return Ok(false);
        }
        match file {
            Some(file) => drop(file.flush()),
            None => drop(self.unstored.insert(number, bytes)),
        }
        self.handles.close(number);
        Ok(true)
    }

    /// Removes a stored file that nothing leads to any more, after a moment in which readers may go on reading it.
    fn let_go(&mut self, me: &Weak<Shared>, number: u64, len_bytes: u64) {
        if self.unstored.remove(&number).is_some() {
            return;
        }
        let Some(readers) = self.readers.as_ref().filter(|_| !self.is_short_of_room) else {
            return self.handles.remove_file(number);
        };
        self.handles.leave(number, len_bytes);
        let (me, readers) = (me.clone(), readers.clone());
        spawn_local(async move {
            if readers.are_there().await {
                pause(readers.delay_ms).await;
            }
            with_state(&me, |state| state.handles.remove_leaving(number));
        });
    }

    fn new_content(&mut self, plan: &CommitPlan) -> NewContent {
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for (id, _) in plan.inodes.iter().filter(|(_, inode)| inode.is_some()) {
            match self.growing.get(id) {
                Some(growing) if growing.stored_bytes > 0 => large.push(*id),
                Some(_) => small.push(*id),
                None if plan.contents.contains_key(id) => small.push(*id),
                // Only the count of its names has changed.
                None => {}
            }
        }
        let held = if large.is_empty() { self.content_to_hold(plan, &small) } else { None };
        let together = match (&held, small.first()) {
            (_, None) => None,
            (Some(_), _) => Some(self.directory.new_number()),
            (None, Some(first)) => Some(self.handles.use_spare().unwrap_or(*first)),
        };
        let in_file = together.filter(|_| held.is_none());
        let unwritten = in_file.into_iter().chain(large.iter().copied()).collect();
        NewContent { small, together, held, large, unwritten }
    }

    /// The bytes of new files, if the journal is to hold them.
    fn content_to_hold(&mut self, plan: &CommitPlan, small: &[InodeId]) -> Option<Vec<u8>> {
        let are_brief = !plan.has_lasting_contents && small.iter().all(|id| plan.contents.contains_key(id));
        let bytes: usize = plan.contents.values().map(|content| content.len()).sum();
        let fits = are_brief
            && !small.is_empty()
            && may_be_held(&self.unstored, bytes)
            && !self.is_short_of_room
            && self.journal.has_room_for(bytes as u64);
        fits.then(|| bytes_together(&self.growing, plan, small))
    }

    /// Makes a commit durable whose contents are.
    fn log(&mut self, plan: &CommitPlan, content: &NewContent) -> Result<()> {
        let mut record = record_of(plan, &content.locations(plan));
        if let (Some(number), Some(bytes)) = (content.together, &content.held) {
            record.content(number, bytes);
        }
        if self.is_leaving {
            return self.journal.commit_last(&record);
        }
        let held_bytes = bytes_of(&self.unstored) as u64;
        let (directory, locations, unstored) = (&self.directory, &self.locations, &self.unstored);
        self.journal.commit(&record, held_bytes, || {
            let mut record = Record::default();
            // Each file once, whatever its names: a checkpoint is no longer than the log that it takes the place of.
            for (id, location) in locations {
                record.file(*id, directory.inode(*id).map_or(0, |inode| inode.size_bytes), *location);
            }
            for (path, id) in directory.published().filter(|(_, id)| locations.contains_key(id)) {
                record.entry(path, Some(id));
            }
            if let Some(last) = directory.last_inode().filter(|last| !locations.contains_key(last)) {
                record.number_used(last);
            }
            for (number, bytes) in unstored {
                record.content(*number, bytes);
            }
            record
        })
    }
}

/// Whether the journal may hold a content of this length beside those that it holds.
pub(super) fn may_be_held(held: &SortedMap<u64, Vec<u8>>, len: usize) -> bool {
    len <= MAX_HELD_BYTES && bytes_of(held) + len <= MAX_ALL_HELD_BYTES
}

fn bytes_of(held: &SortedMap<u64, Vec<u8>>) -> usize {
    held.values().map(Vec::len).sum()
}

fn record_of(plan: &CommitPlan, new_locations: &[(InodeId, u64, Location)]) -> Record {
    let mut record = Record::default();
    for (id, size_bytes, location) in new_locations {
        record.file(*id, *size_bytes, *location);
    }
    for (path, id) in &plan.paths {
        record.entry(path, *id);
    }
    record
}
