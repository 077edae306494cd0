//! Files in a browser's origin private file system, in a dedicated worker.
//!
//! | below `sandglass/<directory>/` | what lies there                                                      |
//! | ---                            | ---                                                                  |
//! | `files/<number>`               | the content of a large file, or of all small files of one commit     |
//! | `journal-a`, `journal-b`       | paths, inodes, sizes and where contents lie: `src/fs/journal.rs`     |
//!
//! Paths and sizes are held in memory while the database is open; contents are only ever read from the storage. A hard link is a second
//! path with the same inode. A stored file goes when the last inode in it has gone; its number is that of the first.
//!
//! Unpublished files are known in memory alone; their bytes are stored once [`PUT_BYTES`] have come together, in a stored file of their own. A commit
//! writes the files that it publishes and that are not stored yet into one, since every stored file costs an opening and a flush, and flushes all;
//! then comes one record of the journal: only that makes them files of the database. Stored files
//! that no path leads to are removed at the next start, those of unpublished files among them: nobody could have committed them any more.
//!
//! A file is read and written through a *handle*, which excludes all others. The journal's two stay open: they are the lock
//! of the database. At most [`MAX_HANDLES`] more are open, since WebKit fails beyond 252. Opening one takes a turn of the
//! event loop, so what needs a file whose handle is not open completes later; everything else completes at once.

use super::directory::{CommitPlan, Directory, InodeId};
use super::journal::{self, Journal, JournalFile, Location, MAX_JOURNAL_BYTES, Record};
use super::memory::check_range;
use super::{Change, Completion, FilePath, FileSystem, FileSystemStats, OpId, Reply, Request};
use crate::collections::sort;
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use crate::time::TimestampMs;
use bytes::Bytes;
use js_sys::{Function, IteratorNext, Promise, Reflect, Uint8Array};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::{Rc, Weak};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions, FileSystemGetFileOptions,
    FileSystemReadWriteOptions, FileSystemSyncAccessHandle, StorageManager,
};

/// Handles of files that are open or being opened at any time, the journal's two aside.
pub const MAX_HANDLES: usize = 32;

/// An unpublished file's bytes are stored when so many have come together.
const PUT_BYTES: usize = 512 << 10;

/// What is read in one call.
const READ_BYTES: u64 = 1 << 20;

/// A page that is being reloaded lets go of its handles a moment after the new one has begun.
const PATIENCE_MS: u32 = 750;
const PAUSE_MS: u32 = 50;

/// How often it is looked whether handles get open, and how many looks an opening outlives. It is longer than a busy disk takes.
const LOOK_MS: u32 = 10_000;
const MAX_LOOKS: usize = 3;

/// A database's files in the origin private file system.
pub struct OpfsFileSystem(Rc<Shared>);

struct Shared {
    state: RefCell<State>,
    /// Called when completions have become known outside of `submit` and `poll`. Must not call back into the engine.
    notify: Box<dyn Fn()>,
}

struct State {
    journal: Journal<SyncFile>,
    directory: Directory,
    growing: SortedMap<InodeId, Growing>,
    /// Where published files lie.
    locations: SortedMap<InodeId, Location>,
    stored: SortedMap<u64, Stored>,
    handles: Handles,
    /// Operations in the order of submission, those under way among them.
    pending: Vec<Pending>,
    done: Vec<Completion>,
    stats: FileSystemStats,
}

/// A stored file that published files lie in.
#[derive(Default)]
struct Stored {
    inodes: u64,
    /// Where the last of them ends.
    end: u64,
}

/// An unpublished file: how many bytes are stored, in a file of its own, and what comes behind them.
#[derive(Default)]
struct Growing {
    stored_bytes: u64,
    tail: Vec<u8>,
}

struct Pending {
    op: OpId,
    request: Request,
    flight: Option<Flight>,
}

/// What an operation that waits for a handle has done so far.
enum Flight {
    Append { inode: InodeId, created: bool },
    Commit { plan: CommitPlan, content: NewContent },
}

/// What a commit has to store before it is one.
struct NewContent {
    /// Files that are written together.
    small: Vec<InodeId>,
    /// Files that have begun to be stored.
    large: Vec<InodeId>,
    /// Stored files that are not written and flushed yet.
    unwritten: Vec<u64>,
}

impl OpfsFileSystem {
    /// Opens or creates the database in `sandglass/<directory>/` and reads its journal. `notify` is called, from the browser's event loop,
    /// whenever [`FileSystem::poll`] has something new; it must not call into the file system or the engine, only schedule a
    /// call. Everything is let go when the value is dropped.
    ///
    /// # Errors
    /// `Unsupported` without such a file system, outside of a dedicated worker, and for a database of another version; `Locked`
    /// when it is open elsewhere; `Corrupt` when the journal is damaged or a file is missing: nothing was changed then;
    /// `Storage` and `Quota` when the browser refuses.
    pub async fn open(directory: &str, notify: impl Fn() + 'static) -> Result<Self> {
        let home = subdirectory(&subdirectory(&root().await?, "sandglass", true).await?, directory, true).await?;
        let locked = |error: Error| match error.kind() {
            ErrorKind::Locked => Error::new(
                ErrorKind::Locked,
                format!("the database {directory} is open in another tab or worker; close it there"),
            ),
            _ => error,
        };
        let journals = [
            open_file(&home, "journal-a", true).await.map_err(locked)?,
            open_file(&home, "journal-b", true).await.map_err(locked)?,
        ];
        let files = subdirectory(&home, "files", true).await?;
        let found = stored_numbers(&files).await?;
        let mut contents = [Vec::new(), Vec::new()];
        for (journal, content) in journals.iter().zip(&mut contents) {
            let len = journal.len()?;
            if len > 2 * MAX_JOURNAL_BYTES {
                return Err(Error::corrupt(format!("the journal has {len} bytes, which is no journal's length")));
            }
            journal.read(0..len, content)?;
        }
        let stats =
            FileSystemStats { read_bytes: (contents[0].len() + contents[1].len()) as u64, ..Default::default() };
        let replayed = journal::replay([&contents[0], &contents[1]])?;
        if replayed.is_none() && !found.is_empty() {
            return Err(half_deleted(format!("there are {} files, but no journal that leads to them", found.len())));
        }
        let journal = Journal::start(journals, replayed.as_ref())?;
        let journal::Replayed { paths, sizes, mut locations, .. } = replayed.unwrap_or_default();
        let mut directory = Directory::restore(paths, &sizes)?;
        // No number stands for another content later: readers may still ask for the first. What is stored and was never published
        // counts as well, since it can't always be removed now.
        let last = found.last().copied().max(sizes.last().map(|(last, _)| *last));
        directory.reserve_inodes(last.map_or(0, |last| last + 1));
        locations.retain(|id, _| directory.inode(*id).is_some());
        let is_missing = |id| locations.get(&id).is_none_or(|location| found.binary_search(&location.stored).is_err());
        if let Some((path, id)) = directory.published().find(|(_, id)| is_missing(*id)) {
            let number = locations.get(&id).map_or(id, |location| location.stored);
            return Err(half_deleted(format!("the file {path} is missing, which was stored in files/{number}")));
        }
        let mut stored = SortedMap::<u64, Stored>::new();
        for (id, location) in &locations {
            let size_bytes = directory.inode(*id).map_or(0, |inode| inode.size_bytes);
            stored.get_or_insert_with(location.stored, Stored::default).add(location.offset + size_bytes);
        }
        for number in found.iter().filter(|number| !stored.contains_key(number)) {
            let _ = JsFuture::from(files.remove_entry(&number.to_string())).await;
        }
        Ok(Self(Rc::new(Shared {
            state: RefCell::new(State {
                journal,
                directory,
                growing: SortedMap::new(),
                locations,
                stored,
                handles: Handles { files, slots: SortedMap::new(), uses: 0, openings: 0, is_watched: false },
                pending: Vec::new(),
                done: Vec::new(),
                stats,
            }),
            notify: Box::new(notify),
        })))
    }

    /// Handles of files that are open or being opened now, the journal's two aside.
    pub fn open_handles(&self) -> usize {
        self.0.state.borrow().handles.slots.len()
    }
}

impl FileSystem for OpfsFileSystem {
    fn submit(&mut self, op: OpId, request: Request) {
        let mut state = self.0.state.borrow_mut();
        state.pending.push(Pending { op, request, flight: None });
        state.advance(&Rc::downgrade(&self.0));
    }

    fn poll(&mut self, _: TimestampMs, done: &mut Vec<Completion>) {
        done.append(&mut self.0.state.borrow_mut().done);
    }

    fn stats(&self) -> FileSystemStats {
        let state = self.0.state.borrow();
        let mut stats = state.stats;
        state.directory.count(&mut stats);
        stats
    }
}

// ---- carrying out ------------------------------------------------------------------------------------------------------

impl State {
    /// Carries out every operation as far as it goes.
    fn advance(&mut self, me: &Weak<Shared>) {
        let mut at = 0;
        while at < self.pending.len() {
            if !self.may_start(at) {
                at += 1;
                continue;
            }
            let mut pending = self.pending.remove(at);
            let result = match self.carry_out(me, &pending.request, &mut pending.flight) {
                Ok(Some(reply)) => Ok(reply),
                Err(error) => Err(error),
                Ok(None) => {
                    self.pending.insert(at, pending);
                    at += 1;
                    continue;
                }
            };
            self.stats.operations += 1;
            self.done.push(Completion { op: pending.op, result });
        }
        self.handles.end_turn();
    }

    /// Commits go one at a time; everything else only waits for operations on the same files.
    fn may_start(&self, at: usize) -> bool {
        let request = &self.pending[at].request;
        let is_commit = |request: &Request| matches!(request, Request::Commit { .. });
        !self.pending[..at]
            .iter()
            .any(|before| (is_commit(request) && is_commit(&before.request)) || request.must_follow(&before.request))
    }

    /// Begins an operation or goes on with it. `None` while it waits for a handle.
    fn carry_out(
        &mut self,
        me: &Weak<Shared>,
        request: &Request,
        flight: &mut Option<Flight>,
    ) -> Result<Option<Reply>> {
        let done = |is_done: bool| is_done.then_some(Reply::Done);
        match request {
            Request::List { dir } => Ok(Some(Reply::Entries(self.directory.list(dir)))),
            Request::Read { file, range } => Ok(self.read(me, file, range)?.map(Reply::Bytes)),
            Request::Append { file, bytes } => self.append(me, file, bytes, flight).map(done),
            Request::Commit { changes } => self.commit(me, changes, flight).map(done),
            Request::Refresh => Ok(Some(Reply::Refreshed(false))),
        }
    }

    fn read(&mut self, me: &Weak<Shared>, file: &FilePath, range: &Range<u64>) -> Result<Option<Bytes>> {
        let (inode, known) = self.directory.find(file)?;
        check_range(file, range, known.size_bytes)?;
        let growing = self.growing.get(&inode);
        let stored_bytes = growing.map_or(known.size_bytes, |growing| growing.stored_bytes);
        let location = self.locations.get(&inode).copied().unwrap_or(Location { stored: inode, offset: 0 });
        let stored = range.start.min(stored_bytes)..range.end.min(stored_bytes);
        let mut bytes = Vec::new();
        if !stored.is_empty() {
            let Some(handle) = self.handles.get(me, location.stored, false).map_err(|error| error.at(file))? else {
                return Ok(None);
            };
            self.stats.read_bytes += stored.end - stored.start;
            handle
                .read(location.offset + stored.start..location.offset + stored.end, &mut bytes)
                .map_err(|error| error.at(file))?;
        }
        if let Some(growing) = growing {
            let (from, to) = (range.start.saturating_sub(stored_bytes), range.end.saturating_sub(stored_bytes));
            bytes.extend_from_slice(growing.tail.get(from as usize..to as usize).unwrap_or(&[]));
        }
        Ok(Some(bytes.into()))
    }

    /// Answers whether it is done.
    fn append(
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
    fn store_tail(&mut self, me: &Weak<Shared>, inode: InodeId, durably: bool) -> Result<bool> {
        let Some(growing) = self.growing.get_mut(&inode) else { return Err(changed_kind()) };
        let Some(handle) = self.handles.get(me, inode, growing.stored_bytes == 0)? else { return Ok(false) };
        handle.write(growing.stored_bytes, &growing.tail)?;
        growing.stored_bytes += growing.tail.len() as u64;
        growing.tail = Vec::new();
        if durably {
            handle.flush()?;
        }
        Ok(true)
    }

    /// Writes files that are not stored yet one behind the other. Answers whether it is done.
    fn store_together(&mut self, me: &Weak<Shared>, plan: &CommitPlan, small: &[InodeId]) -> Result<bool> {
        let Some(first) = small.first() else { return Ok(true) };
        let Some(handle) = self.handles.get(me, *first, true)? else { return Ok(false) };
        let mut bytes = Vec::new();
        for id in small {
            let tail = self.growing.get(id).map(|growing| &growing.tail[..]);
            let content = plan.contents.get(id).map(|content| &content[..]);
            bytes.extend_from_slice(tail.or(content).unwrap_or(&[]));
        }
        handle.write(0, &bytes)?;
        handle.flush()?;
        Ok(true)
    }

    /// Answers whether it is done.
    fn commit(&mut self, me: &Weak<Shared>, changes: &[Change], flight: &mut Option<Flight>) -> Result<bool> {
        if flight.is_none() {
            let plan = self.directory.plan(changes)?;
            let content = self.new_content(&plan);
            *flight = Some(Flight::Commit { plan, content });
        }
        let Some(Flight::Commit { plan, content }) = flight else { return Err(changed_kind()) };
        let mut failure = None;
        let small = &content.small;
        content.unwritten.retain(|number| {
            if failure.is_some() {
                return true;
            }
            let stored = match small.first() == Some(number) {
                true => self.store_together(me, plan, small),
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
        let new_locations = content.locations(plan);
        if let Some(error) = failure.or_else(|| self.log(plan, &new_locations).err()) {
            // A record that could not be taken back may still lead here at the next start, which removes what it does not lead to.
            if let Some(number) = content.small.first()
                && !self.journal.is_broken()
            {
                self.handles.remove_file(*number);
            }
            return Err(error);
        }
        self.directory.apply(plan);
        for (id, size_bytes, location) in new_locations {
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
                    self.stored.remove(&location.stored);
                    self.handles.remove_file(location.stored);
                }
            }
        }
        self.stats.written_bytes += plan.written_bytes;
        self.stats.commits += 1;
        Ok(true)
    }

    fn new_content(&self, plan: &CommitPlan) -> NewContent {
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
        let unwritten = small.first().into_iter().chain(&large).copied().collect();
        NewContent { small, large, unwritten }
    }

    /// Makes a commit durable whose contents are.
    fn log(&mut self, plan: &CommitPlan, new_locations: &[(InodeId, u64, Location)]) -> Result<()> {
        let mut record = Record::default();
        for (id, size_bytes, location) in new_locations {
            record.file(*id, *size_bytes, *location);
        }
        for (path, id) in &plan.paths {
            record.entry(path, *id);
        }
        let (directory, locations) = (&self.directory, &self.locations);
        self.journal.commit(&record, || {
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
            record
        })
    }
}

impl NewContent {
    /// Where the new files lie once they are stored, with their lengths.
    fn locations(&self, plan: &CommitPlan) -> Vec<(InodeId, u64, Location)> {
        let size_of = |id: &InodeId| plan.inodes.get(id).copied().flatten().map_or(0, |inode| inode.size_bytes);
        let mut offset = 0;
        let small = self.small.iter().map(|id| {
            let location = Location { stored: self.small.first().copied().unwrap_or(*id), offset };
            offset += size_of(id);
            (*id, size_of(id), location)
        });
        let mut locations: Vec<_> = small.collect();
        locations.extend(self.large.iter().map(|id| (*id, size_of(id), Location { stored: *id, offset: 0 })));
        locations
    }
}

impl Stored {
    fn add(&mut self, end: u64) {
        self.inodes += 1;
        self.end = self.end.max(end);
    }
}

/// Runs one step of the file system from the browser's event loop, and tells the owner when there is something to poll.
fn with_state(me: &Weak<Shared>, step: impl FnOnce(&mut State)) {
    let Some(shared) = me.upgrade() else { return };
    let has_done = {
        let mut state = shared.state.borrow_mut();
        step(&mut state);
        state.advance(me);
        !state.done.is_empty()
    };
    if has_done {
        (shared.notify)();
    }
}

fn changed_kind() -> Error {
    Error::new(ErrorKind::Storage, "the operation has changed its kind")
}

// ---- handles -----------------------------------------------------------------------------------------------------------

/// The handles that are open.
struct Handles {
    files: FileSystemDirectoryHandle,
    slots: SortedMap<u64, Slot>,
    uses: u64,
    openings: u64,
    /// Somebody looks from time to time whether the browser gets on with opening.
    is_watched: bool,
}

enum Slot {
    Opening {
        /// Which of all openings it is: one that was given up may still come to its end.
        opening: u64,
        /// So often it was found to be under way.
        looks: usize,
        /// Nothing leads to the file any more: it is removed when it is open.
        is_wanted: bool,
    },
    /// The next that asks is told why.
    Failed(Error),
    Open {
        file: SyncFile,
        last_use: u64,
        /// Somebody asked for it and is told in this very turn, so that it must not be closed for others before.
        is_new: bool,
    },
}

impl Handles {
    /// The stored file of a number; `None` while it is being opened or waits for its turn. Asked again after each opening.
    fn get(&mut self, me: &Weak<Shared>, number: u64, create: bool) -> Result<Option<&SyncFile>> {
        match self.slots.get_mut(&number) {
            Some(Slot::Opening { is_wanted, .. }) => {
                *is_wanted = true;
                return Ok(None);
            }
            Some(Slot::Failed(error)) => {
                let error = error.clone();
                self.slots.remove(&number);
                return Err(error);
            }
            Some(Slot::Open { .. }) => {}
            None => {
                if self.slots.len() < MAX_HANDLES || self.close_least_used() {
                    self.openings += 1;
                    let opening = self.openings;
                    self.slots.insert(number, Slot::Opening { opening, looks: 0, is_wanted: true });
                    spawn_local(open_slot(me.clone(), self.files.clone(), number, create, opening));
                    if !std::mem::replace(&mut self.is_watched, true) {
                        spawn_local(watch(me.clone()));
                    }
                }
                return Ok(None);
            }
        }
        self.uses += 1;
        let uses = self.uses;
        Ok(self.slots.get_mut(&number).and_then(|slot| match slot {
            Slot::Open { file, last_use, is_new } => {
                *last_use = uses;
                *is_new = false;
                Some(&*file)
            }
            _ => None,
        }))
    }

    /// Closes the handle of a file that is not written any more: Chromium sets a megabyte or more of the quota aside for each
    /// that was written, until it is closed.
    fn close(&mut self, number: u64) {
        self.slots.remove(&number);
    }

    /// Makes room for one more; answers whether there is some.
    fn close_least_used(&mut self) -> bool {
        let idle = self.slots.iter().filter_map(|(number, slot)| match slot {
            Slot::Open { last_use, is_new: false, .. } => Some((*last_use, *number)),
            _ => None,
        });
        let least_used = idle.min();
        least_used.is_some_and(|(_, number)| self.slots.remove(&number).is_some())
    }

    /// All that wait have been asked: who did not take what was new does not need it any more.
    fn end_turn(&mut self) {
        self.slots.retain(|_, slot| {
            if let Slot::Open { is_new, .. } = slot {
                *is_new = false;
            }
            !matches!(slot, Slot::Failed(_))
        });
    }

    /// Lets fail what the browser has not opened for too long.
    fn give_up_what_stalls(&mut self) {
        let mut is_watched = false;
        self.slots.retain(|_, slot| {
            if let Slot::Opening { looks, .. } = slot {
                *looks += 1;
                is_watched |= *looks < MAX_LOOKS;
                if *looks >= MAX_LOOKS {
                    *slot = Slot::Failed(Error::new(ErrorKind::Storage, "OPFS: the browser does not open the file"));
                }
            }
            true
        });
        self.is_watched = is_watched;
    }

    /// Removes a file that nothing leads to any more. What is left is removed at the next start.
    fn remove_file(&mut self, number: u64) {
        if let Some(Slot::Opening { is_wanted, .. }) = self.slots.get_mut(&number) {
            *is_wanted = false;
            return;
        }
        self.slots.remove(&number);
        let removed = self.files.remove_entry(&number.to_string());
        spawn_local(async move {
            let _ = JsFuture::from(removed).await;
        });
    }
}

/// Looks from time to time whether the browser gets on with opening, as long as there is something to open.
async fn watch(me: Weak<Shared>) {
    let mut goes_on = true;
    while std::mem::take(&mut goes_on) {
        pause(LOOK_MS).await;
        with_state(&me, |state| {
            state.handles.give_up_what_stalls();
            goes_on = state.handles.is_watched;
        });
    }
}

async fn open_slot(me: Weak<Shared>, files: FileSystemDirectoryHandle, number: u64, create: bool, opening: u64) {
    let opened = open_file(&files, &number.to_string(), create).await;
    with_state(&me, move |state| {
        let is_wanted = match state.handles.slots.get(&number) {
            Some(Slot::Opening { opening: current, is_wanted, .. }) if *current == opening => *is_wanted,
            // It was given up, and is let go of.
            _ => return,
        };
        if !is_wanted {
            drop(opened);
            state.handles.slots.remove(&number);
            state.handles.remove_file(number);
            return;
        }
        // What was published can't be less than was flushed then.
        let expected = state.stored.get(&number).map_or(0, |stored| stored.end);
        let checked = opened.and_then(|file| match file.len()? {
            len if len < expected => Err(half_deleted(format!("files/{number} has {len} bytes instead of {expected}"))),
            _ => Ok(file),
        });
        let slot = match checked {
            Ok(file) => Slot::Open { file, last_use: 0, is_new: true },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Slot::Failed(half_deleted(format!("files/{number} is missing")))
            }
            // The database is ours all the same, and whoever has this file may let go of it.
            Err(error) if error.kind() == ErrorKind::Locked => {
                Slot::Failed(Error::new(ErrorKind::Storage, error.message()))
            }
            Err(error) => Slot::Failed(error),
        };
        state.handles.slots.insert(number, slot);
    });
}

/// An open handle, which excludes all others until it is dropped.
struct SyncFile(FileSystemSyncAccessHandle);

impl SyncFile {
    /// Adds the bytes of a range, all of which must be there.
    fn read(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<()> {
        let len = range.end.saturating_sub(range.start);
        bytes
            .try_reserve_exact(usize::try_from(len).unwrap_or(usize::MAX))
            .map_err(|_| Error::new(ErrorKind::Limit, format!("{len} bytes don't fit into memory")))?;
        let mut at = range.start;
        while at < range.end {
            // The browser gets an array of its own: WebKit copies the whole memory behind a view of it.
            let piece = Uint8Array::new_with_length((range.end - at).min(READ_BYTES) as u32);
            let count = self.0.read_with_js_u8_array_and_options(&piece, &position(at)).map_err(error_of)?;
            if count != f64::from(piece.length()) {
                let why = format!("{count} bytes are stored where {} were asked for, at {at}", piece.length());
                return Err(Error::corrupt(why));
            }
            let old_len = bytes.len();
            bytes.resize(old_len + piece.length() as usize, 0);
            piece.copy_to(&mut bytes[old_len..]);
            at += u64::from(piece.length());
        }
        Ok(())
    }
}

impl JournalFile for SyncFile {
    fn len(&self) -> Result<u64> {
        let len = self.0.get_size().map_err(error_of)?;
        if len >= 0.0 {
            Ok(len as u64)
        } else {
            Err(Error::new(ErrorKind::Storage, format!("OPFS: a file of {len} bytes")))
        }
    }

    /// Writes all bytes or leaves the file as long as it was.
    fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let len_before = self.len()?;
        let written = self.0.write_with_js_u8_array_and_options(&Uint8Array::from(bytes), &position(at));
        // At the limit browsers answer with fewer bytes, or with numbers such as 4294967288, instead of an error.
        let error = match written {
            Ok(count) if count == bytes.len() as f64 => return Ok(()),
            Ok(count) => Error::new(
                ErrorKind::Quota,
                format!("OPFS: of {} bytes {count} were written; there is no room left", bytes.len()),
            ),
            Err(error) => error_of(error),
        };
        // Should that fail as well, the next write goes to the same place.
        let _ = self.0.truncate_with_f64(len_before as f64);
        Err(error)
    }

    fn flush(&self) -> Result<()> {
        self.0.flush().map_err(error_of)
    }
}

impl Drop for SyncFile {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn position(at: u64) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at(at as f64);
    options
}

// ---- directories -------------------------------------------------------------------------------------------------------

/// The origin's own directory.
pub(super) async fn root() -> Result<FileSystemDirectoryHandle> {
    let unsupported = |why: &str| {
        Error::new(
            ErrorKind::Unsupported,
            format!(
                "this environment has no origin private file system ({why}), as in private windows of some browsers or with storage switched off; use storage \"indexeddb\" or \"memory\""
            ),
        )
    };
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let storage = property(&property(&js_sys::global(), "navigator"), "storage");
    if !property(&storage, "getDirectory").is_function() {
        return Err(unsupported("navigator.storage.getDirectory is missing"));
    }
    let storage: StorageManager = storage.unchecked_into();
    let root = JsFuture::from(storage.get_directory()).await.map_err(|why| unsupported(error_of(why).message()))?;
    Ok(root.unchecked_into())
}

/// Opens a directory; makes it as well, if it is to `create` one.
pub(super) async fn subdirectory(
    dir: &FileSystemDirectoryHandle,
    name: &str,
    create: bool,
) -> Result<FileSystemDirectoryHandle> {
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(create);
    let found = JsFuture::from(dir.get_directory_handle_with_options(name, &options)).await;
    found.map(JsCast::unchecked_into).map_err(|error| error_of(error).at(name))
}

/// Opens a file for this worker alone. Waits a moment for one that has it open and is about to end.
async fn open_file(dir: &FileSystemDirectoryHandle, name: &str, create: bool) -> Result<SyncFile> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(create);
    let mut waited_ms = 0;
    loop {
        let mut opened = JsFuture::from(dir.get_file_handle_with_options(name, &options)).await;
        if let Ok(file) = &opened {
            if !Reflect::has(file, &"createSyncAccessHandle".into()).unwrap_or(false) {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "storage \"opfs\" runs in a dedicated worker only, where files have synchronous handles; open the database in a worker, or use storage \"indexeddb\"",
                ));
            }
            opened = JsFuture::from(file.unchecked_ref::<FileSystemFileHandle>().create_sync_access_handle()).await;
        }
        match opened.map_err(error_of) {
            Ok(handle) => return Ok(SyncFile(handle.unchecked_into())),
            Err(error) if error.kind() != ErrorKind::Locked || waited_ms >= PATIENCE_MS => return Err(error.at(name)),
            Err(_) => pause(PAUSE_MS).await,
        }
        waited_ms += PAUSE_MS;
    }
}

/// The numbers of the files that are stored, sorted. Names that are no numbers are not ours.
async fn stored_numbers(files: &FileSystemDirectoryHandle) -> Result<Vec<u64>> {
    let names = files.keys();
    let mut numbers = Vec::new();
    loop {
        let next = JsFuture::from(names.next().map_err(error_of)?).await.map_err(error_of)?;
        let next: IteratorNext = next.unchecked_into();
        if next.done() {
            break;
        }
        let name = next.value().as_string().unwrap_or_default();
        numbers.extend(name.parse::<u64>().ok().filter(|number| *number < 1 << 53 && number.to_string() == name));
    }
    sort::sort(&mut numbers);
    Ok(numbers)
}

async fn pause(ms: u32) {
    let passed = Promise::new(&mut |resolve, _| {
        let set_timeout = Reflect::get(&js_sys::global(), &"setTimeout".into()).ok();
        match set_timeout.and_then(|found| found.dyn_into::<Function>().ok()) {
            Some(set_timeout) => drop(set_timeout.call2(&JsValue::UNDEFINED, &resolve, &ms.into())),
            None => drop(resolve.call0(&JsValue::UNDEFINED)),
        }
    });
    let _ = JsFuture::from(passed).await;
}

fn half_deleted(what: String) -> Error {
    Error::corrupt(format!(
        "{what}; the browser or somebody has deleted part of the database. Nothing was changed: copy what is left if it matters, then destroy the database and fill it again"
    ))
}

/// What the browser has thrown.
pub(super) fn error_of(thrown: JsValue) -> Error {
    let text = |key: &str| Reflect::get(&thrown, &key.into()).ok().and_then(|text| text.as_string());
    let name = text("name").unwrap_or_default();
    let message = text("message").unwrap_or_else(|| format!("{thrown:?}"));
    let kind = match name.as_str() {
        "QuotaExceededError" => ErrorKind::Quota,
        "NoModificationAllowedError" => ErrorKind::Locked,
        "NotFoundError" => ErrorKind::NotFound,
        "NotAllowedError" | "SecurityError" => ErrorKind::Unsupported,
        "TypeError" => ErrorKind::Invalid,
        _ => ErrorKind::Storage,
    };
    Error::new(kind, format!("OPFS: {name}: {message}"))
}
