//! The operations that were submitted and are not done, and who takes them further.

use super::flight::Flight;
use super::handles::Handles;
use super::readers::Readers;
use super::sync_file::SyncFile;
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::directory::{Directory, InodeId};
use crate::fs::journal::{Journal, Location};
use crate::fs::{Completion, FileSystemStats, OpId, Reply, Request};
use std::cell::RefCell;
use std::rc::Weak;

pub(super) struct Shared {
    pub(super) state: RefCell<State>,
    /// Called when completions have become known outside of `submit` and `poll`. Must not call back into the engine.
    pub(super) notify: Box<dyn Fn()>,
}

pub(super) struct State {
    pub(super) journal: Journal<SyncFile>,
    pub(super) directory: Directory,
    pub(super) growing: SortedMap<InodeId, Growing>,
    /// Where published files lie.
    pub(super) locations: SortedMap<InodeId, Location>,
    pub(super) stored: SortedMap<u64, Stored>,
    /// What the journal holds of stored files that are not there yet.
    pub(super) unstored: SortedMap<u64, Vec<u8>>,
    pub(super) handles: Handles,
    /// Operations in the order of submission, those under way among them.
    pub(super) pending: Vec<Pending>,
    pub(super) done: Vec<Completion>,
    pub(super) stats: FileSystemStats,
    /// Who reads beside this writer.
    pub(super) readers: Option<Readers>,
    /// The storage has refused something for want of room, and nothing is kept for readers.
    pub(super) is_short_of_room: bool,
    /// The page goes away, and nobody waits for another turn.
    pub(super) is_leaving: bool,
}

/// A stored file that published files lie in.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) inodes: u64,
    /// Where the last of them ends.
    pub(super) end: u64,
}

/// An unpublished file: how many bytes are stored, in a file of its own, and what comes behind them.
#[derive(Default)]
pub(super) struct Growing {
    pub(super) stored_bytes: u64,
    pub(super) tail: Vec<u8>,
}

pub(super) struct Pending {
    pub(super) op: OpId,
    pub(super) request: Request,
    pub(super) flight: Option<Flight>,
}

impl Stored {
    pub(super) fn add(&mut self, end: u64) {
        self.inodes += 1;
        self.end = self.end.max(end);
    }
}

impl State {
    /// Carries out every operation as far as it goes.
    pub(super) fn advance(&mut self, me: &Weak<Shared>) {
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
            if matches!(pending.request, Request::Append { .. } | Request::Commit { .. }) {
                self.note_room(result.as_ref().err());
            }
            self.stats.operations += 1;
            self.done.push(Completion { op: pending.op, result });
        }
        self.handles.end_turn();
    }

    /// The storage has taken what was written, or has refused it.
    fn note_room(&mut self, error: Option<&Error>) {
        self.is_short_of_room = error.is_some_and(|error| error.kind() == ErrorKind::Quota);
        if self.is_short_of_room {
            self.handles.remove_all_leaving();
        }
    }

    /// Lets what is under way wait for its turns, and all that comes end without any.
    pub(super) fn leave(&mut self, me: &Weak<Shared>) {
        self.is_leaving = true;
        self.advance(me);
    }

    /// Commits go one at a time, but for those of a page that goes away; everything else only waits for operations on the same files.
    fn may_start(&self, at: usize) -> bool {
        let request = &self.pending[at].request;
        let is_commit = |request: &Request| matches!(request, Request::Commit { .. }) && !self.is_leaving;
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
}

/// Runs one step of the file system from the browser's event loop, and tells the owner when there is something to poll.
pub(super) fn with_state(me: &Weak<Shared>, step: impl FnOnce(&mut State)) {
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

pub(super) fn changed_kind() -> Error {
    Error::new(ErrorKind::Storage, "the operation has changed its kind")
}
