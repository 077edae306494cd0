//! The operations that were submitted and are not done, and who takes them further.

use super::connection::Connection;
use super::deadline::Timer;
use super::flight::{Effect, Epoch, Flight, Growing};
use super::layout::CHUNK_BYTES;
use super::stored::Standing;
use super::transaction::{Access, end, transaction};
use super::trouble::{Attempt, Trouble};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, Result};
use crate::fs::directory::{CommitPlan, Directory, InodeId};
use crate::fs::memory::check_range;
use crate::fs::overlay::{self, Overlay};
use crate::fs::{Completion, FileSystemStats, Notice, OpId, Reply, Request};
use std::cell::RefCell;
use std::rc::Weak;
use web_sys::IdbTransaction;

/// How often an operation is tried again after the connection was lost.
pub(super) const MAX_FAILURES: usize = 5;
/// An unpublished file's bytes are stored when so many have come together: a transaction costs about as much as 100 KB, and a flush.
const PUT_BYTES: usize = 8 * CHUNK_BYTES;

pub(super) struct Shared {
    pub(super) state: RefCell<State>,
    /// Called when completions have become known outside of `submit` and `poll`. Must not call back into the engine.
    pub(super) notify: Box<dyn Fn()>,
}

pub(super) struct State {
    pub(super) name: String,
    pub(super) connection: Option<Connection>,
    pub(super) is_reopening: bool,
    /// The page goes away: no transaction waits for another turn.
    pub(super) is_leaving: bool,
    /// Whether the browser stores a `Blob`. WebKit's private windows don't.
    pub(super) keeps_blobs: bool,
    /// Somebody looks from time to time whether the browser gets on.
    pub(super) watch: Option<Timer>,
    /// How often in a row there was no new connection, for all pauses and attempts.
    pub(super) rounds_in_vain: usize,
    /// Why nothing can be done any more.
    pub(super) closed: Option<Error>,
    pub(super) standing: Standing,
    pub(super) directory: Directory,
    /// What is done to the files of another one, who writes them.
    pub(super) overlay: Option<Overlay>,
    pub(super) growing: SortedMap<InodeId, Growing>,
    /// Operations in the order of submission, those under way among them.
    pub(super) pending: Vec<Pending>,
    pub(super) done: Vec<Completion>,
    /// Handlers that may be running at this moment; dropped at the next poll.
    pub(super) retired: Vec<Flight>,
    /// Likewise for the handlers of a connection.
    pub(super) lost_connection: Option<Connection>,
    pub(super) stats: FileSystemStats,
    /// Observers were told that something is wrong with the storage, and not yet that it is over.
    pub(super) is_in_trouble: bool,
    pub(super) notices: Vec<Notice>,
}

pub(super) struct Pending {
    pub(super) op: OpId,
    pub(super) request: Request,
    pub(super) flight: Option<Flight>,
    /// Something is awaited that is no transaction: the look for news, which takes several, or the bytes of a `Blob`.
    pub(super) is_awaited: bool,
    /// So often it was found to be under way.
    pub(super) looks: usize,
    pub(super) failures: usize,
    /// A commit that only removes, and that the storage has refused for want of room. It is not counted, since that would write.
    pub(super) is_uncounted: bool,
    /// A commit that may have taken place before the connection was lost.
    pub(super) in_doubt: Option<CommitPlan>,
    /// What it fails with if it turns out not to have taken place: it was tried often enough.
    pub(super) given_up: Option<Error>,
}

impl Pending {
    /// Whether nothing is being done for it.
    pub(super) fn waits(&self) -> bool {
        self.flight.is_none() && !self.is_awaited
    }
}

pub(super) enum Step {
    Done(Reply),
    UnderWay(Flight),
    /// Nothing was begun: what it is about depends on the end of another one.
    Waits,
}

/// Runs one step of the file system from the browser's event loop, and tells the owner when there is something to poll.
pub(super) fn with_state(me: &Weak<Shared>, step: impl FnOnce(&mut State, &Weak<Shared>)) {
    let Some(shared) = me.upgrade() else { return };
    let has_done = {
        let mut state = shared.state.borrow_mut();
        step(&mut state, me);
        !state.done.is_empty() || !state.notices.is_empty()
    };
    if has_done {
        (shared.notify)();
    }
}

impl State {
    /// Starts every operation that nothing stands in the way of.
    pub(super) fn advance(&mut self, me: &Weak<Shared>) {
        let mut at = 0;
        while at < self.pending.len() {
            if self.pending[at].flight.is_some() || self.pending[at].is_awaited || !self.may_start(at) {
                at += 1;
                continue;
            }
            if let Some(error) = &self.closed {
                let error = error.clone();
                self.complete(at, Err(error));
                continue;
            }
            if self.connection.is_none() {
                self.reopen(me);
                return;
            }
            if self.overlay.is_some() && matches!(self.pending[at].request, Request::Refresh) {
                self.start_looking(me, at);
                at += 1;
                continue;
            }
            let request = self.pending[at].request.clone();
            match self.start(me, at, &request) {
                Ok(Step::Done(reply)) => self.complete(at, Ok(reply)),
                Ok(Step::UnderWay(flight)) => {
                    self.pending[at].flight = Some(flight);
                    self.pending[at].looks = 0;
                    self.watch(me);
                    at += 1;
                }
                Ok(Step::Waits) => at += 1,
                Err(trouble) => self.fail_operation(at, trouble),
            }
        }
    }

    /// Lets what is under way, and all that comes, end without another turn.
    pub(super) fn leave(&mut self, me: &Weak<Shared>) {
        self.is_leaving = true;
        for op in self.pending.iter().map(|pending| pending.op).collect::<Vec<_>>() {
            let Some(at) = self.pending.iter().position(|pending| pending.op == op) else { continue };
            self.begin_anew(at);
        }
        self.advance(me);
    }

    /// Takes back a transaction that waits for its answers, in a turn that may not come: it would hold up what is asked for now, until
    /// the browser ends both. What it was to write is asked for once more, in a transaction that waits for nothing.
    fn begin_anew(&mut self, at: usize) {
        let Some(flight) = self.pending[at].flight.take() else { return };
        // A reading one was told to come to its end as it began, and one that knows its epoch then.
        let has_ended = matches!(flight.effect, Effect::Read { .. }) || flight.epoch.get() != Epoch::Unknown;
        if has_ended || end(&flight.transaction).is_ok() || flight.transaction.abort().is_err() {
            self.pending[at].flight = Some(flight);
            return;
        }
        if let (Request::Append { file, bytes }, Effect::Append { inode, created, .. }) =
            (&self.pending[at].request, &flight.effect)
        {
            let (file, len) = (file.clone(), bytes.len() as u64);
            self.take_back_append(&file, *inode, len, *created);
        }
        self.retired.push(flight);
    }

    /// Commits go one at a time, but for those of a page that goes away, which will not learn how the one before has ended; everything
    /// else only waits for operations on the same files.
    fn may_start(&self, at: usize) -> bool {
        let request = &self.pending[at].request;
        let is_commit = |request: &Request| matches!(request, Request::Commit { .. }) && !self.is_leaving;
        !self.pending[..at]
            .iter()
            .any(|before| (is_commit(request) && is_commit(&before.request)) || request.must_follow(&before.request))
    }

    /// Whether a commit under way changes a file of this plan, by whatever name. Both would count its names without knowing of the other,
    /// and leave a file that has lost all of them.
    fn is_being_changed(&self, plan: &CommitPlan) -> bool {
        self.pending.iter().filter_map(|pending| pending.flight.as_ref()).any(|flight| match &flight.effect {
            Effect::Commit(other) => plan.inodes.keys().any(|id| other.inodes.contains_key(id)),
            Effect::Read { .. } | Effect::Append { .. } => false,
        })
    }

    pub(super) fn complete(&mut self, at: usize, result: Result<Reply>) {
        let pending = self.pending.remove(at);
        self.retired.extend(pending.flight);
        self.stats.operations += 1;
        self.done.push(Completion { op: pending.op, result });
    }

    /// An operation failed: for good, or the connection did and the operation is tried again on a new one.
    pub(super) fn fail_operation(&mut self, at: usize, trouble: Trouble) {
        if matches!(trouble, Trouble::Stalled) {
            self.trouble(Trouble::Stalled.into());
        }
        if trouble.is_about_blobs() {
            self.keeps_blobs = false;
        }
        let pending = &mut self.pending[at];
        if trouble.is_loss() && pending.failures < MAX_FAILURES {
            pending.failures += 1;
            self.connection = None;
        } else if pending.in_doubt.is_some() {
            // It can't be said to have failed before a new connection has told.
            pending.given_up = Some(trouble.into());
            self.connection = None;
        } else {
            self.complete(at, Err(trouble.into()));
        }
    }

    fn start(&mut self, me: &Weak<Shared>, at: usize, request: &Request) -> Attempt<Step> {
        let op = self.pending[at].op;
        if let Some(overlay) = &mut self.overlay {
            return match overlay.carry_out(request.clone())? {
                overlay::Step::Stored(stored) => self.start_reading(me, at, stored.inode, &stored.range),
                overlay::Step::Done(reply) => Ok(Step::Done(reply)),
            };
        }
        match request {
            Request::List { dir } => Ok(Step::Done(Reply::Entries(self.directory.list(dir)))),
            Request::Read { file, range } => {
                let (inode, known) = self.directory.find(file)?;
                check_range(file, range, known.size_bytes)?;
                self.start_reading(me, at, inode, range)
            }
            Request::Append { file, bytes } => {
                let len = bytes.len() as u64;
                let created = self.directory.find(file).is_err();
                let inode = self.directory.append(file, len)?;
                let growing = self.growing.get_or_insert_with(inode, Growing::default);
                if growing.tail.len() + bytes.len() < PUT_BYTES {
                    growing.tail.extend_from_slice(bytes);
                    self.stats.written_bytes += len;
                    return Ok(Step::Done(Reply::Done));
                }
                let started = self.start_append(me, op, inode, created, bytes);
                if started.is_err() {
                    self.take_back_append(file, inode, len, created);
                }
                started.map(Step::UnderWay)
            }
            Request::Refresh => Ok(Step::Done(Reply::Refreshed(false))),
            Request::Commit { changes } => {
                let plan = self.directory.plan(changes)?;
                if self.is_being_changed(&plan) {
                    return Ok(Step::Waits);
                }
                self.start_commit(me, op, plan, !self.pending[at].is_uncounted).map(Step::UnderWay)
            }
        }
    }

    pub(super) fn transaction(&self, stores: &[&str], access: Access) -> Attempt<IdbTransaction> {
        let Some(connection) = &self.connection else {
            return Err(Trouble::Lost);
        };
        Ok(transaction(&connection.db, stores, access)?)
    }

    pub(super) fn trouble(&mut self, error: Error) {
        self.is_in_trouble = true;
        self.notices.push(Notice::Trouble(error));
    }

    pub(super) fn answers_again(&mut self) {
        if std::mem::take(&mut self.is_in_trouble) {
            self.notices.push(Notice::Over);
        }
    }
}
