//! What a job may wait for: storage, work, time, and a change of state. Nothing else suspends.
//!
//! A [`Context`] is a cheap handle that jobs clone. It is single-threaded. Leaf futures note what they wait for; the
//! scheduler looks at these notes instead of using wakers.

use super::block_cache::BlockCache;
use super::health::Health;
use super::room::Room;
use super::scheduler::Lane;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{
    Change, Completion, Entry, EntryKind, FilePath, FileSystem, FileSystemStats, Notice, OpId, Reply, Request,
};
use crate::time::TimestampMs;
use crate::trace::event::Event;
use crate::trace::ring::EventRing;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

/// Work is counted in units of roughly one row handled once; see [`Context::spend`].
pub type Units = u64;

/// A job: it owns all it touches.
pub type Job = Pin<Box<dyn Future<Output = ()>>>;

/// The place that is in trouble when the storage itself says so.
const STORAGE: &str = "storage";

/// Names a job for the lifetime of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

/// A counter of changes that a job can wait on: "the list of parts has changed", "this merge has ended".
#[derive(Clone, Debug, Default)]
pub struct Signal(Rc<Cell<u64>>);

impl Signal {
    /// Tells all who wait.
    pub fn raise(&self) {
        self.0.set(self.0.get() + 1);
    }

    /// The present count, to be handed to [`Context::changed`].
    pub fn version(&self) -> u64 {
        self.0.get()
    }
}

/// What bytes are written for, which says whether they may take the head-room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// They add data: what would eat into the head-room is refused.
    Data,
    /// They are needed to get rid of data.
    Upkeep,
}

/// What a suspended job waits for. Any one of several suffices.
#[derive(Debug)]
pub(super) enum Wait {
    Op(OpId),
    /// By the steady clock.
    Until(TimestampMs),
    Signal(Signal, u64),
    /// Its share of work is used up; it can go on in its next turn.
    Turn,
}

pub(super) struct Shared {
    fs: RefCell<Box<dyn FileSystem>>,
    next_op: Cell<u64>,
    next_task: Cell<u64>,
    completed: RefCell<HashMap<OpId, Result<Reply>>>,
    in_flight: RefCell<HashSet<OpId>>,
    scratch: RefCell<Vec<Completion>>,
    now: Cell<TimestampMs>,
    /// As `now` at the start, and ahead of it by as much as that was ever set back. Deadlines count by it, so that none moves away.
    steady_now: Cell<TimestampMs>,
    /// Units left in the turn of the job that is being polled.
    pub(super) turn_units_left: Cell<i64>,
    pub(super) waits: RefCell<Vec<Wait>>,
    pub(super) spawned: RefCell<Vec<(TaskId, Lane, Job)>>,
    pub(super) cancelled: RefCell<Vec<TaskId>>,
    trace: RefCell<EventRing>,
    block_cache: BlockCache,
    room: Room,
    health: Health,
    shutting_down: Cell<bool>,
    /// Why the storage will never carry out anything again.
    lost: RefCell<Option<Error>>,
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
            room: Room::default(),
            health: Health::default(),
            shutting_down: Cell::new(false),
            lost: RefCell::default(),
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
    fn steady(&self, deadline: TimestampMs) -> TimestampMs {
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

    // ---- work and time ---------------------------------------------------------------------------------------------

    /// Accounts for work done, roughly one unit a row handled once (10 to 50 ns), and lets others run when this job's turn
    /// is used up. Long work calls it at least every few thousand units, since no slice on the calling thread may last
    /// longer than 8 ms.
    pub fn spend(&self, units: Units) -> Spend<'_> {
        let left = self.0.turn_units_left.get() - units as i64;
        self.0.turn_units_left.set(left);
        Spend { context: self, is_turn_over: left <= 0 }
    }

    /// Waits until the clock has reached `deadline`; as long as that is from now, whatever becomes of the clock.
    pub fn sleep_until(&self, deadline: TimestampMs) -> Changed<'_> {
        self.first_of(&[], deadline)
    }

    /// Waits until `signal` has been raised since `seen` was read from it.
    pub fn changed<'a>(&'a self, signal: &'a Signal, seen: u64) -> Changed<'a> {
        self.first_of(&[(signal, seen)], TimestampMs::MAX)
    }

    /// Waits until `deadline` or until `signal` has been raised since `seen`, whichever comes first.
    pub fn changed_or_until<'a>(&'a self, signal: &'a Signal, seen: u64, deadline: TimestampMs) -> Changed<'a> {
        self.first_of(&[(signal, seen)], deadline)
    }

    /// Waits until `deadline`, or until one of the signals, three at the most, has been raised since its count was read; the end of
    /// time is no deadline.
    pub fn first_of<'a>(&'a self, signals: &[(&'a Signal, u64)], deadline: TimestampMs) -> Changed<'a> {
        let deadline = (deadline != TimestampMs::MAX).then(|| self.steady(deadline));
        Changed { context: self, signals: std::array::from_fn(|at| signals.get(at).copied()), deadline }
    }

    // ---- storage ---------------------------------------------------------------------------------------------------

    /// The entries directly in `dir`, sorted by name; none when it does not exist.
    pub fn list(&self, dir: &FilePath) -> List {
        List(self.operation(Request::List { dir: dir.clone() }))
    }

    /// Exactly the bytes `range` of a file. The read is submitted at once, so that several may be under way.
    pub fn read(&self, file: &FilePath, range: Range<u64>) -> Read {
        let wanted_len = range.end.saturating_sub(range.start);
        let operation = self.operation(Request::Read { file: file.clone(), range });
        Read { operation, file: file.clone(), wanted_len }
    }

    /// A whole small file; `None` when it does not exist.
    pub async fn read_small_file(&self, file: &FilePath) -> Result<Option<Bytes>> {
        let size = self.list(&file.parent()).await?.iter().find_map(|entry| match entry.kind {
            EntryKind::File { size_bytes } if entry.name == file.name() => Some(size_bytes),
            _ => None,
        });
        match size {
            Some(size_bytes) => self.read(file, 0..size_bytes).await.map(Some),
            None => Ok(None),
        }
    }

    /// Adds bytes to a file below `tmp/`.
    ///
    /// # Errors
    /// `Quota` when data would eat into the head-room; what the storage says.
    pub fn append(&self, file: &FilePath, bytes: Bytes, purpose: Purpose) -> Done {
        let room = &self.0.room;
        if purpose == Purpose::Data
            && let Err(refused) = room.check(bytes.len() as u64, file.as_str())
        {
            return Done { operation: Err(refused), removes: false };
        }
        room.written(bytes.len() as u64);
        self.write(Request::Append { file: file.clone(), bytes }, false)
    }

    /// Carries out all changes or none; they are durable when it returns.
    pub fn commit(&self, changes: Vec<Change>) -> Done {
        let mut removes = false;
        for change in &changes {
            match change {
                Change::Put { bytes, .. } => self.0.room.written(bytes.len() as u64),
                Change::Remove { .. } => removes = true,
                _ => {}
            }
        }
        self.write(Request::Commit { changes }, removes)
    }

    fn write(&self, request: Request, removes: bool) -> Done {
        Done { operation: Ok(self.operation(request)), removes }
    }

    /// Takes down what became of a write.
    fn note(&self, result: &Result<Reply>, removes: bool) {
        match result {
            Ok(_) if removes => self.0.room.removed(),
            Ok(_) => {}
            Err(error) => {
                self.0.health.storage_failed(error);
                if error.kind() == ErrorKind::Quota {
                    self.0.room.falls_short();
                }
            }
        }
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

    /// Looks whether the writer of files that are open for reading has committed since; they are what it left from then on.
    pub async fn refresh(&self) -> Result<bool> {
        match self.operation(Request::Refresh).await? {
            Reply::Refreshed(has_moved) => Ok(has_moved),
            reply => Err(unexpected(&reply)),
        }
    }

    /// Why the storage will never carry out anything again: another one has taken the files over, or they are gone.
    pub fn storage_lost(&self) -> Option<Error> {
        self.0.lost.borrow().clone()
    }

    /// The file system's counters.
    pub fn file_system_stats(&self) -> FileSystemStats {
        self.0.fs.borrow().stats()
    }

    /// Decoded index blocks of all parts, shared by all jobs.
    pub fn block_cache(&self) -> &BlockCache {
        &self.0.block_cache
    }

    #[inline(never)]
    fn operation(&self, request: Request) -> Operation {
        let op = OpId(self.0.next_op.get());
        self.0.next_op.set(op.0 + 1);
        self.0.in_flight.borrow_mut().insert(op);
        self.0.fs.borrow_mut().submit(op, request);
        // Memory answers at once, so that a job over it never suspends for storage.
        self.collect_completions();
        Operation { context: self.clone(), op, finished: false }
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

    /// The ring of events, for the engine's edge.
    pub fn with_trace<T>(&self, use_ring: impl FnOnce(&mut EventRing) -> T) -> T {
        use_ring(&mut self.0.trace.borrow_mut())
    }
}

fn unexpected(reply: &Reply) -> Error {
    Error::new(ErrorKind::Storage, format!("the storage back end answered with the wrong kind of reply: {reply:?}"))
}

// The leaves of all jobs. They are types of their own, whose `poll` is never inlined: the compiler would repeat what an `async fn`
// does in every job that awaits it.

/// See [`Context::spend`].
#[must_use = "futures do nothing unless awaited"]
pub struct Spend<'a> {
    context: &'a Context,
    is_turn_over: bool,
}

impl Future for Spend<'_> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.is_turn_over) { self.context.end_turn() } else { Poll::Ready(()) }
    }
}

impl Context {
    #[inline(never)]
    fn end_turn(&self) -> Poll<()> {
        self.0.waits.borrow_mut().push(Wait::Turn);
        Poll::Pending
    }
}

/// See [`Context::changed_or_until`].
#[must_use = "futures do nothing unless awaited"]
pub struct Changed<'a> {
    context: &'a Context,
    signals: [Option<(&'a Signal, u64)>; 3],
    /// By the steady clock.
    deadline: Option<TimestampMs>,
}

impl Future for Changed<'_> {
    type Output = ();

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<()> {
        let signals = || self.signals.iter().flatten();
        let has_changed = signals().any(|(signal, seen)| signal.version() != *seen);
        if has_changed || self.deadline.is_some_and(|deadline| self.context.0.steady_now.get() >= deadline) {
            return Poll::Ready(());
        }
        let mut waits = self.context.0.waits.borrow_mut();
        waits.extend(signals().map(|(signal, seen)| Wait::Signal((*signal).clone(), *seen)));
        waits.extend(self.deadline.map(Wait::Until));
        Poll::Pending
    }
}

/// See [`Context::list`].
#[must_use = "futures do nothing unless awaited"]
pub struct List(Operation);

impl Future for List {
    type Output = Result<Vec<Entry>>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        self.0.poll_reply().map(|reply| match reply? {
            Reply::Entries(entries) => Ok(entries),
            reply => Err(unexpected(&reply)),
        })
    }
}

/// See [`Context::read`].
#[must_use = "futures do nothing unless awaited"]
pub struct Read {
    operation: Operation,
    file: FilePath,
    wanted_len: u64,
}

impl Future for Read {
    type Output = Result<Bytes>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        self.operation.poll_reply().map(|reply| match reply? {
            Reply::Bytes(bytes) if bytes.len() as u64 == self.wanted_len => Ok(bytes),
            Reply::Bytes(bytes) => Err(Error::corrupt(format!(
                "{}: {} bytes were read where {} were asked for",
                self.file,
                bytes.len(),
                self.wanted_len
            ))),
            reply => Err(unexpected(&reply)),
        })
    }
}

/// A change of storage, see [`Context::commit`].
#[must_use = "futures do nothing unless awaited"]
pub struct Done {
    /// What was refused at once is its reason.
    operation: Result<Operation>,
    removes: bool,
}

impl Future for Done {
    type Output = Result<()>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let removes = self.removes;
        match &mut self.operation {
            Err(refused) => Poll::Ready(Err(refused.clone())),
            Ok(operation) => operation.poll_reply().map(|result| {
                operation.context.note(&result, removes);
                result.map(drop)
            }),
        }
    }
}

/// One storage operation under way.
struct Operation {
    context: Context,
    op: OpId,
    finished: bool,
}

impl Future for Operation {
    type Output = Result<Reply>;

    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        self.poll_reply()
    }
}

impl Operation {
    #[inline(never)]
    fn poll_reply(&mut self) -> Poll<Result<Reply>> {
        let result = self.context.0.completed.borrow_mut().remove(&self.op);
        match result {
            Some(result) => {
                self.finished = true;
                Poll::Ready(result)
            }
            None => {
                self.context.0.waits.borrow_mut().push(Wait::Op(self.op));
                Poll::Pending
            }
        }
    }
}

impl Drop for Operation {
    #[inline(never)]
    fn drop(&mut self) {
        if !self.finished {
            self.context.0.in_flight.borrow_mut().remove(&self.op);
            self.context.0.completed.borrow_mut().remove(&self.op);
        }
    }
}
