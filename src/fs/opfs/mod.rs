//! Files in a browser's origin private file system, in a dedicated worker.
//!
//! | below `sandglass/<directory>/` | what lies there                                                      |
//! | ---                            | ---                                                                  |
//! | `files/<number>`               | the content of a large file, or of all small files of one commit     |
//! | `journal-a`, `journal-b`       | paths, inodes, sizes, where contents lie, and those of whole small files: `src/fs/journal/` |
//!
//! Paths and sizes are held in memory while the database is open; contents are only ever read from the storage. A hard link is a second
//! path with the same inode. A stored file goes when the last inode in it has gone.
//!
//! Unpublished files are known in memory alone; their bytes are stored once half a megabyte has come together, in a stored file of their own. A commit
//! writes the files that it publishes and that are not stored yet into one, since every stored file costs an opening and a flush, and flushes all;
//! an empty one is open for the next commit beforehand. Then comes one record of the journal: only that makes them files of the database. Stored files
//! that no path leads to are removed at the next start, those of unpublished files among them: nobody could have committed them any more.
//! A commit of up to 64 KiB in files that go again within seconds, such as a record of the log, has its contents in the journal's record and no stored file:
//! one flush makes it durable. When the page goes away there is no time for flushes: every commit's contents go into the journal with its record then, and the next
//! start stores what is too much to stay there and has not got into a file.
//!
//! A file is read and written through a *handle*, which excludes all others. The journal's two stay open: they are the lock
//! of the database. At most [`MAX_HANDLES`] more are open, since WebKit fails beyond 252. Opening one takes a turn of the
//! event loop, so what needs a file whose handle is not open completes later; everything else completes at once.

mod browser_directory;
mod committing;
mod contents;
mod flight;
mod handles;
mod opening;
mod readers;
mod state;
mod sync_file;

pub(super) use browser_directory::{passing_error_of, root, subdirectory};
pub(super) use contents::held;
pub use handles::MAX_HANDLES;
pub use readers::Readers;

use super::directory::Directory;
use super::journal::{self, HEAD_BYTES, Journal, JournalFile, MAX_JOURNAL_BYTES, holds_journal};
use super::{Completion, FileSystem, FileSystemStats, OpId, Request};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use crate::time::TimestampMs;
use browser_directory::{as_passing, half_deleted, home_of, stored_numbers};
use committing::may_be_held;
use handles::Handles;
use state::{Pending, Shared, State, Stored};
use std::cell::RefCell;
use std::rc::Rc;
use sync_file::open_file;
use wasm_bindgen_futures::JsFuture;

/// A database's files in the origin private file system.
pub struct OpfsFileSystem(Rc<Shared>);

impl OpfsFileSystem {
    /// Opens or creates the database in `sandglass/<directory>/` and reads its journal. `readers` are those who may
    /// read it meanwhile, if any. `notify` is called, from the browser's event loop,
    /// whenever [`FileSystem::poll`] has something new; it must not call into the file system or the engine, only schedule a
    /// call. Everything is let go when the value is dropped.
    ///
    /// # Errors
    /// `Unsupported` without such a file system, outside of a dedicated worker, and for a database of another version; `Locked`
    /// when it is open elsewhere; `Corrupt` when the journal is damaged or a file is missing: nothing was changed then;
    /// `Storage` and `Quota` when the browser refuses.
    pub async fn open(directory: &str, readers: Option<Readers>, notify: impl Fn() + 'static) -> Result<Self> {
        let home = home_of(directory).await?;
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
            let head_bytes = len.min(HEAD_BYTES as u64);
            journal.read(0..head_bytes, content)?;
            if holds_journal(content)? {
                journal.read(head_bytes..len, content)?;
            }
        }
        let stats =
            FileSystemStats { read_bytes: (contents[0].len() + contents[1].len()) as u64, ..Default::default() };
        let replayed = journal::replay([&contents[0], &contents[1]])?;
        if replayed.is_none() && !found.is_empty() {
            return Err(half_deleted(format!("there are {} files, but no journal that leads to them", found.len())));
        }
        let journal = Journal::start(journals, replayed.as_ref())?;
        let journal::Replayed { paths, sizes, mut locations, contents, .. } = replayed.unwrap_or_default();
        let mut directory = Directory::restore(paths, &sizes)?;
        // No number stands for another content later: readers may still ask for the first. What is stored and was never published
        // counts as well, since it can't always be removed now.
        let of_contents = locations.values().map(|location| location.stored).max();
        let last = found.last().copied().max(sizes.last().map(|(last, _)| *last)).max(of_contents);
        directory.reserve_inodes(last.map_or(0, |last| last + 1));
        locations.retain(|id, _| directory.inode(*id).is_some());
        let is_there = |number: u64| found.binary_search(&number).is_ok() || contents.contains_key(&number);
        let is_missing = |id| locations.get(&id).is_none_or(|location| !is_there(location.stored));
        if let Some((path, id)) = directory.published().find(|(_, id)| is_missing(*id)) {
            let number = locations.get(&id).map_or(id, |location| location.stored);
            return Err(half_deleted(format!("the file {path} is missing, which was stored in files/{number}")));
        }
        let mut stored = SortedMap::<u64, Stored>::new();
        for (id, location) in &locations {
            let size_bytes = directory.inode(*id).map_or(0, |inode| inode.size_bytes);
            stored.get_or_insert_with(location.stored, Stored::default).add(location.offset + size_bytes);
        }
        for number in found.iter().filter(|number| !stored.contains_key(*number)) {
            let _ = JsFuture::from(files.remove_entry(&number.to_string())).await;
        }
        let (mut unstored, mut is_short) = (SortedMap::new(), Vec::new());
        for (number, content) in contents.into_iter().filter(|(number, _)| stored.contains_key(number)) {
            if may_be_held(&unstored, content.len()) {
                unstored.insert(number, content);
                continue;
            }
            // The page that went away has not come to flushing this, or even to writing it.
            let file = open_file(&files, &number.to_string(), true).await.map_err(as_passing)?;
            let stored = file.write(0, &content).and_then(|()| file.flush());
            drop(file);
            match stored {
                // The journal goes on holding it, and room can be made only in a database that is open.
                Err(error) if error.kind() == ErrorKind::Quota => {
                    is_short.push(number);
                    unstored.insert(number, content);
                }
                stored => stored?,
            }
        }
        // What the journal holds needs no file.
        let has_file = |number: &&u64| found.binary_search(number).is_ok() || is_short.contains(*number);
        for number in unstored.keys().filter(has_file) {
            let _ = JsFuture::from(files.remove_entry(&number.to_string())).await;
        }
        let shared = Rc::new(Shared {
            state: RefCell::new(State {
                journal,
                directory,
                growing: SortedMap::new(),
                locations,
                stored,
                unstored,
                handles: Handles::new(files),
                pending: Vec::new(),
                done: Vec::new(),
                stats,
                readers,
                is_short_of_room: false,
                is_leaving: false,
            }),
            notify: Box::new(notify),
        });
        shared.state.borrow_mut().prepare_spare(&Rc::downgrade(&shared));
        Ok(Self(shared))
    }

    /// Handles of files that are open or being opened now, the journal's two aside.
    pub fn open_handles(&self) -> usize {
        self.0.state.borrow().handles.count()
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

    fn leave(&mut self) {
        self.0.state.borrow_mut().leave(&Rc::downgrade(&self.0));
    }

    fn stats(&self) -> FileSystemStats {
        let state = self.0.state.borrow();
        let mut stats = state.stats;
        state.directory.count(&mut stats);
        stats
    }
}
