//! What jobs share: the storage, the clock, the trace, and the notes by which the scheduler knows who waits for what.
//!
//! A [`Context`] is a cheap handle that jobs clone. It is single-threaded. Leaf futures (`operation.rs`, `waiting.rs`) note what
//! they wait for; the scheduler looks at these notes instead of using wakers.

use super::arrivals::Arrivals;
use super::block_cache::BlockCache;
use super::clock::Clock;
use super::health::Health;
use super::job::{Lane, Notes, Wait};
use super::mailbox::Mailbox;
use super::memory_budget::MemoryBudget;
use super::room::Room;
use super::task_id::TaskId;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{FilePath, FileSystem, FileSystemStats, Notice};
use crate::time::TimestampMs;
use crate::trace::event::Event;
use crate::trace::ring::EventRing;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

/// The place that is in trouble when the storage itself says so.
const STORAGE: &str = "storage";

pub(super) struct Shared {
    pub(super) mailbox: Mailbox,
    pub(super) clock: Clock,
    pub(super) notes: Notes,
    trace: RefCell<EventRing>,
    block_cache: BlockCache,
    arrivals: Arrivals,
    memory: MemoryBudget,
    room: Room,
    health: Health,
    shutting_down: Cell<bool>,
    /// What was broken and is left out, where that is wanted.
    left_out: RefCell<Option<Vec<(FilePath, Error)>>>,
}

/// A job's door to storage, work, time and the trace.
#[derive(Clone)]
pub struct Context(pub(super) Rc<Shared>);

impl Context {
    /// A context over a file system, with its clock at `now`.
    pub fn new(fs: Box<dyn FileSystem>, now: TimestampMs) -> Self {
        Self(Rc::new(Shared {
            mailbox: Mailbox::new(fs),
            clock: Clock::new(now),
            notes: Notes::default(),
            trace: RefCell::default(),
            block_cache: BlockCache::default(),
            arrivals: Arrivals::default(),
            memory: MemoryBudget::default(),
            room: Room::default(),
            health: Health::default(),
            shutting_down: Cell::new(false),
            left_out: RefCell::default(),
        }))
    }

    /// The instant at which the present pump began. It does not move while a job runs. Between two pumps it may go back: people
    /// set their clocks.
    pub fn now(&self) -> TimestampMs {
        self.0.clock.now()
    }

    /// Hands a new job to the scheduler; it starts in a later turn of the same pump.
    pub fn spawn(&self, lane: Lane, job: impl Future<Output = ()> + 'static) -> TaskId {
        self.0.notes.spawn(lane, Box::pin(job))
    }

    /// Drops a job at its next suspension. Cancelling one that has ended does nothing.
    pub fn cancel(&self, task: TaskId) {
        self.0.notes.cancelled.borrow_mut().push(task);
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
            let is_over = self.storage_lost().is_some();
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
        self.0.mailbox.lost()
    }

    /// What the storage is asked for from now on comes to its end without another turn.
    pub fn leave(&self) {
        self.0.mailbox.with_fs(|fs| fs.leave());
    }

    /// The file system's counters.
    pub fn file_system_stats(&self) -> FileSystemStats {
        self.0.mailbox.with_fs(|fs| fs.stats())
    }

    /// Whether what is stored lies in memory already.
    pub fn files_are_in_memory(&self) -> bool {
        self.0.mailbox.with_fs(|fs| fs.is_in_memory())
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
        for notice in self.0.mailbox.collect(self.now()) {
            match notice {
                Notice::Trouble(error) => self.trouble(STORAGE, &error, "it is tried again"),
                Notice::Over => self.trouble_is_over(STORAGE),
            }
        }
    }

    pub(super) fn is_satisfied(&self, wait: &Wait) -> bool {
        match wait {
            Wait::Op(op) => self.0.mailbox.has(*op),
            Wait::Until(deadline) => self.0.clock.has_reached(*deadline),
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
