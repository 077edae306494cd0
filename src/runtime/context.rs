//! What jobs share: the storage, the clock, the trace, and the notes by which the scheduler knows who waits for what.
//!
//! A [`Context`] is a cheap handle that jobs clone. It is single-threaded. Leaf futures (`operation.rs`, `waiting.rs`) note what
//! they wait for; the scheduler looks at these notes instead of using wakers.

use super::arrivals::Arrivals;
use super::block_cache::BlockCache;
use super::health::Health;
use super::job::{Job, Lane, TaskId, Wait};
use super::memory_budget::MemoryBudget;
use super::room::Room;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Completion, FilePath, FileSystem, FileSystemStats, Notice, OpId, Reply};
use crate::time::TimestampMs;
use crate::trace::event::Event;
use crate::trace::ring::EventRing;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::rc::Rc;

/// The place that is in trouble when the storage itself says so.
const STORAGE: &str = "storage";

pub(super) struct Shared {
    pub(super) fs: RefCell<Box<dyn FileSystem>>,
    pub(super) next_op: Cell<u64>,
    pub(super) next_task: Cell<u64>,
    pub(super) completed: RefCell<HashMap<OpId, Result<Reply>>>,
    pub(super) in_flight: RefCell<HashSet<OpId>>,
    pub(super) scratch: RefCell<Vec<Completion>>,
    pub(super) now: Cell<TimestampMs>,
    /// As `now` at the start, and ahead of it by as much as that was ever set back. Deadlines count by it, so that none moves away.
    pub(super) steady_now: Cell<TimestampMs>,
    /// Units left in the turn of the job that is being polled.
    pub(super) turn_units_left: Cell<i64>,
    pub(super) waits: RefCell<Vec<Wait>>,
    pub(super) spawned: RefCell<Vec<(TaskId, Lane, Job)>>,
    pub(super) cancelled: RefCell<Vec<TaskId>>,
    pub(super) trace: RefCell<EventRing>,
    pub(super) block_cache: BlockCache,
    pub(super) arrivals: Arrivals,
    pub(super) memory: MemoryBudget,
    pub(super) room: Room,
    pub(super) health: Health,
    pub(super) shutting_down: Cell<bool>,
    /// Why the storage will never carry out anything again.
    pub(super) lost: RefCell<Option<Error>>,
    /// What was broken and is left out, where that is wanted.
    pub(super) left_out: RefCell<Option<Vec<(FilePath, Error)>>>,
}

/// A job's door to storage, work, time and the trace.
#[derive(Clone)]
pub struct Context(pub(super) Rc<Shared>);

impl Context {
    /// A context over a file system, with its clock at `now`.
    pub fn new(fs: Box<dyn FileSystem>, now: TimestampMs) -> Self {
        Self(Rc::new(Shared {
            fs: RefCell::new(fs),
            next_op: Cell::new(0),
            next_task: Cell::new(0),
            completed: RefCell::default(),
            in_flight: RefCell::default(),
            scratch: RefCell::default(),
            now: Cell::new(now),
            steady_now: Cell::new(now),
            turn_units_left: Cell::new(0),
            waits: RefCell::default(),
            spawned: RefCell::default(),
            cancelled: RefCell::default(),
            trace: RefCell::default(),
            block_cache: BlockCache::default(),
            arrivals: Arrivals::default(),
            memory: MemoryBudget::default(),
            room: Room::default(),
            health: Health::default(),
            shutting_down: Cell::new(false),
            lost: RefCell::default(),
            left_out: RefCell::default(),
        }))
    }

    /// The instant at which the present pump began. It does not move while a job runs. Between two pumps it may go back: people
    /// set their clocks.
    pub fn now(&self) -> TimestampMs {
        self.0.now.get()
    }

    /// A pump begins.
    pub(super) fn set_now(&self, now: TimestampMs) {
        let passed = now.saturating_sub(self.now()).max(0);
        self.0.now.set(now);
        self.0.steady_now.set(self.0.steady_now.get().saturating_add(passed));
    }

    /// An instant as the steady clock has it, as seen from now.
    pub(super) fn steady(&self, deadline: TimestampMs) -> TimestampMs {
        self.0.steady_now.get().saturating_add(deadline.saturating_sub(self.now()))
    }

    /// When a deadline by the steady clock will come, if nobody sets the clock until then.
    pub(super) fn due(&self, steady_deadline: TimestampMs) -> TimestampMs {
        self.now().saturating_add(steady_deadline.saturating_sub(self.0.steady_now.get()))
    }

    /// Hands a new job to the scheduler; it starts in a later turn of the same pump.
    pub fn spawn(&self, lane: Lane, job: impl Future<Output = ()> + 'static) -> TaskId {
        let id = TaskId(self.0.next_task.get());
        self.0.next_task.set(id.0 + 1);
        self.0.spawned.borrow_mut().push((id, lane, Box::pin(job)));
        id
    }

    /// Drops a job at its next suspension. Cancelling one that has ended does nothing.
    pub fn cancel(&self, task: TaskId) {
        self.0.cancelled.borrow_mut().push(task);
    }

    /// Whether background merges should give up: the database is closing.
    pub fn is_shutting_down(&self) -> bool {
        self.0.shutting_down.get()
    }

    /// Tells background merges to give up at their next block.
    pub fn begin_shutdown(&self) {
        self.0.shutting_down.set(true);
    }

    /// Lets parts be left out that are broken, for whoever wants to see what is whole.
    pub fn leave_out_broken_parts(&self) {
        self.0.left_out.borrow_mut().get_or_insert_default();
    }

    /// Leaves out the part in `dir`, if that is wanted.
    ///
    /// # Errors
    /// `error`, when it is not, or when it says something else than that the part is broken.
    pub fn leave_out(&self, dir: &FilePath, error: Error) -> Result<()> {
        match &mut *self.0.left_out.borrow_mut() {
            Some(left_out) if error.kind() == ErrorKind::Corrupt => left_out.push((dir.clone(), error)),
            _ => return Err(error),
        }
        Ok(())
    }

    /// What was left out, and why.
    pub fn left_out(&self) -> Vec<(FilePath, Error)> {
        self.0.left_out.borrow().clone().unwrap_or_default()
    }

    /// What room the storage has left.
    pub fn room(&self) -> &Room {
        &self.0.room
    }

    /// What keeps data from becoming durable.
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// Says that `place` can't write what waits there, and what follows from that. To be said at each failure; observers are told
    /// once.
    pub fn trouble(&self, place: &str, error: &Error, consequence: &str) {
        self.0.health.storage_failed(error);
        if self.0.health.begin(place, error) {
            let is_over = self.0.lost.borrow().is_some();
            let consequence = if is_over { "what waits is not stored, and nothing is done again" } else { consequence };
            self.degraded(error, format!("{place}: {error}; {consequence}"));
        }
    }

    /// Says that nothing waits at `place` any more. May be said at any time.
    pub fn trouble_is_over(&self, place: &str) {
        if let Some(kind) = self.0.health.end(place) {
            self.emit(|| Event::Restored { code: kind.code() });
        }
    }

    /// Tells observers of a fault that was contained.
    pub fn degraded(&self, error: &Error, message: String) {
        self.emit(|| Event::Degraded { code: error.kind().code(), message });
    }

    /// Why the storage will never carry out anything again: another one has taken the files over, or they are gone.
    pub fn storage_lost(&self) -> Option<Error> {
        self.0.lost.borrow().clone()
    }

    /// What the storage is asked for from now on comes to its end without another turn.
    pub fn leave(&self) {
        self.0.fs.borrow_mut().leave();
    }

    /// The file system's counters.
    pub fn file_system_stats(&self) -> FileSystemStats {
        self.0.fs.borrow().stats()
    }

    /// Whether what is stored lies in memory already.
    pub fn files_are_in_memory(&self) -> bool {
        self.0.fs.borrow().is_in_memory()
    }

    /// The memory that all jobs draw from.
    pub fn memory(&self) -> &MemoryBudget {
        &self.0.memory
    }

    /// Decoded index blocks and pages of data of all parts, shared by all jobs.
    pub fn block_cache(&self) -> &BlockCache {
        &self.0.block_cache
    }

    /// What has become searchable, one thing after the other.
    pub fn arrivals(&self) -> &Arrivals {
        &self.0.arrivals
    }

    /// Moves what the file system has finished to where jobs find it.
    pub(super) fn collect_completions(&self) {
        let mut scratch = self.0.scratch.take();
        self.0.fs.borrow_mut().poll(self.now(), &mut scratch);
        let mut notices = Vec::new();
        self.0.fs.borrow_mut().take_notices(&mut notices);
        for notice in notices {
            match notice {
                Notice::Trouble(error) => self.trouble(STORAGE, &error, "it is tried again"),
                Notice::Over => self.trouble_is_over(STORAGE),
            }
        }
        let mut in_flight = self.0.in_flight.borrow_mut();
        let mut completed = self.0.completed.borrow_mut();
        for Completion { op, result } in scratch.drain(..) {
            if let Err(error) = &result
                && matches!(error.kind(), ErrorKind::Locked | ErrorKind::Closed)
            {
                self.0.lost.borrow_mut().get_or_insert_with(|| error.clone());
            }
            // Nobody waits for the operations of a job that was cancelled.
            if in_flight.remove(&op) {
                completed.insert(op, result);
            }
        }
        self.0.scratch.replace(scratch);
    }

    pub(super) fn is_satisfied(&self, wait: &Wait) -> bool {
        match wait {
            Wait::Op(op) => self.0.completed.borrow().contains_key(op),
            Wait::Until(deadline) => self.0.steady_now.get() >= *deadline,
            Wait::Signal(signal, seen) => signal.version() != *seen,
            Wait::Turn => true,
        }
    }

    // ---- trace -----------------------------------------------------------------------------------------------------

    /// Adds a fact to the trace; `event` is called only when somebody watches.
    pub fn emit(&self, event: impl FnOnce() -> Event) {
        let mut trace = self.0.trace.borrow_mut();
        if trace.is_enabled() {
            trace.push(self.now(), event());
        }
    }

    /// Adds a fact that the people behind the program should learn of, even when nobody watches yet.
    pub fn announce(&self, event: Event) {
        self.0.trace.borrow_mut().announce(self.now(), event);
    }

    /// The ring of events, for the engine's edge.
    pub fn with_trace<T>(&self, use_ring: impl FnOnce(&mut EventRing) -> T) -> T {
        use_ring(&mut self.0.trace.borrow_mut())
    }
}
