//! Files in a browser's IndexedDB, in a window or a worker.
//!
//! The database `sandglass:<name>` has four object stores:
//!
//! | store     | key                          | value                                                        |
//! | ---       | ---                          | ---                                                          |
//! | `entries` | path                         | the number of the file                                       |
//! | `inodes`  | the number of the file       | its size in bytes, or -1 while it grows                      |
//! | `chunks`  | [number of the file, index]  | [`CHUNK_BYTES`] as a `Blob`, the last shorter; `Uint8Array` below [`BLOB_BYTES`] |
//! | `meta`    | `format`, `commits`          | 1; commits since the first                                   |
//! |           | `epoch`, `lastEpoch`         | how often a writer has opened it; the same (`stored.rs`)    |
//! |           | `ended <epoch>`              | 1: the writer of that epoch has a successor                  |
//! |           | `mark`                       | a random number, made with the database                     |
//!
//! A hard link is a second entry with the same number. The first two stores are held in memory while the database is open, so
//! that listing and the checks of a commit need no answer from the browser; contents are only ever read from it.
//!
//! Unpublished files are known in memory alone, their full chunks are stored as they fill. A commit is one transaction:
//! the tails of the files it publishes, the entries, and the count of commits. What was still growing when its writer ended is
//! cleared by the next one: nobody could have committed it any more.
//!
//! Every writing transaction checks that the epoch is still the one that began when the database was opened here. A writer that
//! was put to sleep and has lost its lock meanwhile thus can't overwrite what its successor did. It is told so once and for all.
//!
//! A page that goes away gets no turn in which it could look. Its transactions are told to end as soon as they have been put
//! together, and add the key `ended <epoch>` and remove it again: where a successor has left that, the browser itself refuses all
//! of it.
//!
//! Who opens for reading takes no epoch and writes nothing. It looks at the counts of commits and of entries to see whether there
//! is news.
//!
//! A full storage still lets things be removed, if nothing at all is written with it. So a commit that only removes goes without its
//! count when there is no room for that.
//!
//! A connection can be lost at any time. It is made anew, and what was under way is tried again. Nobody knows of a commit whether
//! it took place before the end; the count of commits tells. A browser that removes a database ends its connections, and somebody else
//! may have made a new one by then: the mark tells them apart, and nobody goes on in one that he has not opened.

mod connect;
mod connection;
mod deadline;
mod flight;
mod layout;
mod reading;
mod reconnecting;
mod settling;
mod state;
mod stored;
mod transaction;
mod trouble;
mod watching;
mod writing;

pub use layout::{BLOB_BYTES, CHUNK_BYTES};

use super::overlay::Overlay;
use super::{Completion, FileSystem, FileSystemStats, Notice, OpId, Request};
use crate::collections::sorted_map::SortedMap;
use crate::error::Result;
use crate::time::TimestampMs;
use connect::{connect, factory, listing};
use deadline::finish;
use js_sys::Reflect;
use layout::PREFIX;
use reconnecting::connection;
use state::{Pending, Shared, State, with_state};
use std::cell::RefCell;
use std::rc::Rc;
use stored::{Stored, look, take_over};
use trouble::Trouble;
use web_sys::IdbDatabase;

/// A database's files in IndexedDB.
pub struct IndexedDbFileSystem(Rc<Shared>);

impl IndexedDbFileSystem {
    /// Opens or creates a database to write it, and reads its directory. `notify` is called, from the browser's event loop,
    /// whenever [`FileSystem::poll`] has something new; it must not call into the file system or the engine, only schedule a call.
    ///
    /// # Errors
    /// `Unsupported` where the browser keeps no data and for a database of another version, `Corrupt` for a directory that is
    /// none, `Locked` when others hold up the browser for too long, `Storage` and `Quota` when it refuses. Nothing is changed then.
    pub async fn open(name: &str, notify: impl Fn() + 'static) -> Result<Self> {
        let db = connect(name, true).await.map_err(Trouble::at_opening)?;
        match take_over(name, &db).await {
            Ok(stored) => Ok(Self::over(name, db, stored, false, notify)),
            Err(trouble) => {
                db.close();
                Err(trouble.at_opening())
            }
        }
    }

    /// Opens a database that another one writes. Nothing of it is changed; what [`FileSystem`] is asked to change is changed in
    /// memory.
    ///
    /// # Errors
    /// As [`IndexedDbFileSystem::open`], `NotFound` when there is no database yet.
    pub async fn open_for_reading(name: &str, notify: impl Fn() + 'static) -> Result<Self> {
        let db = connect(name, false).await.map_err(Trouble::at_opening)?;
        match look(name, &db, None).await.and_then(|stored| stored.ok_or(Trouble::Lost)) {
            Ok(stored) => Ok(Self::over(name, db, stored, true, notify)),
            Err(trouble) => {
                db.close();
                Err(trouble.at_opening())
            }
        }
    }

    fn over(name: &str, db: IdbDatabase, stored: Stored, for_reading: bool, notify: impl Fn() + 'static) -> Self {
        let Stored { standing, directory } = stored;
        Self(Rc::new_cyclic(|me| Shared {
            state: RefCell::new(State {
                name: name.into(),
                connection: Some(connection(db, me)),
                is_reopening: false,
                is_leaving: false,
                keeps_blobs: true,
                watch: None,
                rounds_in_vain: 0,
                closed: None,
                standing,
                overlay: for_reading.then(|| Overlay::over(directory.clone())),
                directory,
                growing: SortedMap::new(),
                pending: Vec::new(),
                done: Vec::new(),
                retired: Vec::new(),
                lost_connection: None,
                stats: FileSystemStats::default(),
                is_in_trouble: false,
                notices: Vec::new(),
            }),
            notify: Box::new(notify),
        }))
    }

    /// Deletes a database; one that does not exist is deleted already. Waits until other tabs have let go of it.
    ///
    /// # Errors
    /// `Unsupported` without IndexedDB, `Locked` when other tabs don't let go of it, `Storage` when the browser refuses.
    pub async fn destroy(name: &str) -> Result<()> {
        let request = factory()?.delete_database(&format!("{PREFIX}{name}")).map_err(Trouble::from)?;
        finish(&request).await.map(drop).map_err(Trouble::at_opening)
    }

    /// The names of all databases; empty where the browser can't tell.
    ///
    /// # Errors
    /// `Unsupported` without IndexedDB, `Storage` when the browser refuses.
    pub async fn list_databases() -> Result<Vec<String>> {
        let name_of = |entry| Reflect::get(&entry, &"name".into()).ok()?.as_string();
        let mut names: Vec<String> = listing()
            .await?
            .iter()
            .filter_map(|entry| Some(name_of(entry)?.strip_prefix(PREFIX)?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Lets go of the connection in the midst of all that is under way, as a browser does at times. `and_undoes`: transactions
    /// that have not completed are undone; else they may complete without telling. The next operation makes a new connection.
    pub fn lose_connection(&self, and_undoes: bool) {
        let me = Rc::downgrade(&self.0);
        with_state(&me, |state, me| {
            let flights = state.pending.iter().filter_map(|pending| pending.flight.as_ref());
            for flight in flights.filter(|_| and_undoes) {
                // It can only fail when the transaction is at its end already.
                let _ = flight.transaction.abort();
            }
            state.lose_connection(me);
            state.advance(me);
        });
    }
}

impl FileSystem for IndexedDbFileSystem {
    fn submit(&mut self, op: OpId, request: Request) {
        let mut state = self.0.state.borrow_mut();
        state.pending.push(Pending {
            op,
            request,
            flight: None,
            is_awaited: false,
            looks: 0,
            failures: 0,
            is_uncounted: false,
            in_doubt: None,
            given_up: None,
        });
        state.advance(&Rc::downgrade(&self.0));
    }

    fn poll(&mut self, _: TimestampMs, done: &mut Vec<Completion>) {
        let mut state = self.0.state.borrow_mut();
        state.retired.clear();
        state.lost_connection = None;
        done.append(&mut state.done);
    }

    fn leave(&mut self) {
        self.0.state.borrow_mut().leave(&Rc::downgrade(&self.0));
    }

    fn stats(&self) -> FileSystemStats {
        let state = self.0.state.borrow();
        let mut stats = state.stats;
        match &state.overlay {
            Some(overlay) => overlay.count(&mut stats),
            None => state.directory.count(&mut stats),
        }
        stats
    }

    fn take_notices(&mut self, notices: &mut Vec<Notice>) {
        notices.append(&mut self.0.state.borrow_mut().notices);
    }
}
