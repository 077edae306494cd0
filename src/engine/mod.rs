//! The engine as a deterministic function of its inputs: commands, storage completions and the passing of time go in;
//! answers, storage requests and events come out. Nothing inside reads a clock, blocks or calls back.
//!
//! ```
//! use sandglass::engine::{Answer, Clock, Command, Config, Engine};
//! use sandglass::fs::memory::MemoryFileSystem;
//! use sandglass::time::TimeRange;
//!
//! let config = Config { clock: Clock::Manual, ..Config::new(1_710_000_000_000) };
//! let (mut engine, opened) = Engine::open(Box::new(MemoryFileSystem::default()), config)?;
//! engine.run(opened)?;
//! let series = engine.series(&[("__name__", "temperature"), ("room", "attic")])?;
//! if let Some(ticket) = engine.append(series, &[1_710_000_000_000, 1_710_000_010_000], &[19.5, 19.75])? {
//!     engine.run(ticket)?;
//! }
//! let flushed = engine.send(Command::Flush);
//! engine.run(flushed)?;
//! let selected = engine.send(Command::Select { selector: "temperature".into(), range: TimeRange::ALL });
//! let Answer::Series(series) = engine.run(selected)? else { unreachable!() };
//! assert_eq!(series[0].values, [19.5, 19.75]);
//! # Ok::<(), sandglass::error::Error>(())
//! ```

pub mod answer;
mod api;
pub mod command;
pub mod config;
mod cursors;
mod execute;
mod export;
mod follow;
mod metrics;
mod push;
mod query_log;
mod restore;
mod restoring;
mod selection;
mod served_trace;
pub mod state;
mod tickets;
mod transfer;

pub use crate::formats::body::Format as BodyFormat;
pub use crate::formats::export::ExportFormat;
pub use answer::{Answer, IngestError, IngestResult, Labels, PushPiece, SeriesData, SnapshotFile};
pub use command::{Command, SeriesHandle, Ticket};
pub use config::{AuthKeys, Clock, Config, Origin};
pub use state::EngineState;

use crate::error::{Error, ErrorKind, Result};
use crate::executor::{StandingStill, Stopwatch, Surroundings};
use crate::fs::FileSystem;
use crate::query::call::{TimeZones, UtcOnly};
use crate::query::dialect::Dialect;
use crate::runtime::{Context, Lane, MemoryShare, Pumped, Scheduler, Signal, TaskId, Units};
use crate::storage::ingest::Appended;
use crate::storage::{Storage, StorageOptions};
use crate::time::TimestampMs;
use crate::trace::event::StampedEvent;
use cursors::Cursors;
use follow::Following;
use query_log::QueryLog;
use restoring::Restoring;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use tickets::Tickets;

/// While more commands than these are under way, a new one is not given a turn before the next pump.
const MOST_TRIED_AT_ONCE: usize = 16;

/// Work that it takes to answer a ticket.
const ANSWER_UNITS: u64 = 10;

/// Where a database stands between `open` and `close`.
enum Phase {
    Opening,
    Open(Rc<Storage>),
    /// New commands are refused, and those under way run to their end before all is flushed.
    Closing,
    /// All was flushed, or why not: whoever closes it gets this.
    Closed(Result<()>),
    /// It could not be opened, or was taken away; every command gets this error.
    Failed(Error),
}

/// What the engine and its jobs share.
struct Shared {
    phase: RefCell<Phase>,
    /// Raised when the phase changes.
    phase_changed: Signal,
    tickets: Tickets,
    cursors: Cursors,
    config: Config,
    following: Following,
    restoring: RefCell<Restoring>,
    /// Whether a restore that is coming to its end is not wanted any more.
    gives_up_restore: Cell<bool>,
    queries: QueryLog,
    /// What queries know beside what is stored.
    surroundings: RefCell<Surroundings>,
}

impl Shared {
    /// The storage, once it is open.
    async fn storage(&self, context: &Context) -> Result<Rc<Storage>> {
        loop {
            let seen = self.phase_changed.version();
            match &*self.phase.borrow() {
                Phase::Opening => {}
                Phase::Open(storage) => return Ok(storage.clone()),
                Phase::Closing | Phase::Closed(_) => return Err(closed()),
                Phase::Failed(error) => return Err(error.clone()),
            }
            context.changed(&self.phase_changed, seen).await;
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.replace(phase);
        self.phase_changed.raise();
    }

    /// Flushes all and stops. Whoever comes while somebody else does so waits for it.
    async fn close(&self, context: &Context) -> Result<()> {
        match self.storage(context).await {
            Ok(storage) => self.close_storage(context, &storage).await,
            Err(error) if error.kind() == ErrorKind::Closed => self.closing_ends(context).await,
            Err(error) => Err(error),
        }
    }

    async fn close_storage(&self, context: &Context, storage: &Storage) -> Result<()> {
        self.enter(Phase::Closing);
        self.tickets.wait_for_all(context).await;
        self.cursors.end_exports();
        let result = storage.close().await;
        self.enter(Phase::Closed(result.clone()));
        result
    }

    async fn closing_ends(&self, context: &Context) -> Result<()> {
        loop {
            let seen = self.phase_changed.version();
            match &*self.phase.borrow() {
                Phase::Closed(result) => return result.clone(),
                Phase::Failed(error) => return Err(error.clone()),
                Phase::Opening | Phase::Open(_) | Phase::Closing => {}
            }
            context.changed(&self.phase_changed, seen).await;
        }
    }
}

/// A database: the storage, the scheduler that drives it, and the commands under way.
pub struct Engine {
    context: Context,
    scheduler: Scheduler,
    shared: Rc<Shared>,
    clock: Clock,
    /// The engine's time when it is moved by hand.
    manual_now: TimestampMs,
    /// Calls of `tick` that have not run to their end, with the instants they lead to.
    ticks: VecDeque<(Ticket, TimestampMs)>,
}

impl Engine {
    /// Starts to open a database. The ticket is answered with `Done` when it is open, or with the reason why it is not;
    /// the engine has to be pumped until then. Commands may be sent at once, they wait.
    ///
    /// # Errors
    /// `Invalid` for a config that can't be used.
    pub fn open(fs: Box<dyn FileSystem>, config: Config) -> Result<(Self, Ticket)> {
        config.check()?;
        let options = StorageOptions::from_config(config.retention_ms, config.dedup_interval_ms, config.start_time)?;
        let options = StorageOptions {
            cache_bytes: config.cache_bytes,
            memory_bytes: config.memory_bytes,
            precision_bits: config.precision_bits,
            final_merge_delay_ms: config.final_merge_delay_ms,
            log_interval_ms: config.log_interval_ms(),
            read_only: config.read_only,
            gives_retention: config.gives_retention,
            gives_dedup_interval: config.gives_dedup_interval,
            ..options
        };
        let context = Context::new(fs, config.start_time);
        if config.origin.is_some() {
            context.leave_out_broken_parts();
        }
        let shared = Rc::new(Shared {
            phase: RefCell::new(Phase::Opening),
            phase_changed: Signal::default(),
            tickets: Tickets::new(context.memory().clone()),
            cursors: Cursors::default(),
            config: config.clone(),
            following: Following::new(options),
            restoring: RefCell::default(),
            gives_up_restore: Cell::default(),
            queries: QueryLog::default(),
            surroundings: RefCell::new(Surroundings { zones: Rc::new(UtcOnly), stopwatch: Rc::new(StandingStill) }),
        });
        let engine = Self {
            scheduler: Scheduler::new(context.clone()),
            context: context.clone(),
            shared: shared.clone(),
            clock: config.clock,
            manual_now: config.start_time,
            ticks: VecDeque::new(),
        };
        let ticket = engine.shared.tickets.give_out();
        engine.context.spawn(Lane::Query, async move {
            let result = follow::open(&context, &shared.following).await;
            if let Ok(storage) = &result
                && shared.config.read_only
            {
                storage.enter();
            }
            let (phase, answer) = match result {
                Ok(storage) => (Phase::Open(storage), Ok(Answer::Done)),
                Err(error) => (Phase::Failed(error.clone()), Err(error)),
            };
            shared.enter(phase);
            shared.tickets.answer(ticket, answer);
        });
        Ok((engine, ticket))
    }

    /// Which language queries speak that don't say.
    pub fn dialect(&self) -> Dialect {
        self.shared.config.dialect
    }

    /// Lets queries know zones; at first they know UTC alone.
    pub fn set_time_zones(&mut self, zones: Rc<dyn TimeZones>) {
        self.shared.surroundings.borrow_mut().zones = zones;
    }

    /// A number that hardly any other engine has, so that answers, exports and bodies of others are not taken for its own.
    pub fn set_epoch(&mut self, epoch: u32) {
        self.context.arrivals().set_epoch(epoch);
        // Far from the last number that there is.
        self.shared.cursors.count_from(1 + epoch / 4);
    }

    /// Lets queries time out, and time the steps of their traces; at first each takes no time.
    pub fn set_stopwatch(&mut self, stopwatch: Rc<dyn Stopwatch>) {
        self.shared.surroundings.borrow_mut().stopwatch = stopwatch;
    }

    // ---- ingestion ----------------------------------------------------------------------------------------------------

    /// The handle of one series; the same labels give the same handle. Nothing is written before it gets a sample.
    ///
    /// # Errors
    /// `Invalid` when no label is left after those with empty values are dropped.
    pub fn series(&mut self, labels: &[(&str, &str)]) -> Result<SeriesHandle> {
        self.open_for_writing()?.series_handle(labels).map(SeriesHandle)
    }

    /// Adds samples of one series. `None`: they are accepted. `Some`: they will be when the ticket is answered; a series'
    /// first samples must look at the index, and a writer who is far ahead of the flush has to wait.
    ///
    /// # Errors
    /// `Invalid` for columns of different lengths and for an unknown handle; `Quota` or what else the storage says when it takes
    /// nothing and as much as may waits for it. Nothing was accepted then.
    pub fn append(&mut self, series: SeriesHandle, timestamps: &[i64], values: &[f64]) -> Result<Option<Ticket>> {
        if timestamps.len() != values.len() {
            return Err(Error::invalid(format!("{} timestamps came with {} values", timestamps.len(), values.len())));
        }
        let storage = self.open_for_writing()?;
        match storage.try_append(series.0, timestamps, values)? {
            Appended::Accepted if !storage.is_behind() => Ok(None),
            Appended::Accepted => Ok(Some(self.wait_for_room(storage))),
            Appended::NeedsPreparation => {
                let (timestamps, values) = (timestamps.to_vec(), values.to_vec());
                let (ticket, _) = self.spawn(move |storage, _| async move {
                    storage.append_run(series.0, &timestamps, &values).await?;
                    storage.wait_for_room().await;
                    Ok(Answer::Done)
                });
                self.try_at_once(ticket)
            }
        }
    }

    /// Adds one sample to each of many series at one instant. Answers as [`Engine::append`] does.
    ///
    /// # Errors
    /// `Invalid` for columns of different lengths and for an unknown handle.
    pub fn append_row(&mut self, series: &[u32], timestamp: TimestampMs, values: &[f64]) -> Result<Option<Ticket>> {
        if series.len() != values.len() {
            return Err(Error::invalid(format!("{} series came with {} values", series.len(), values.len())));
        }
        let storage = self.open_for_writing()?;
        match storage.try_append_row(series, timestamp, values)? {
            Appended::Accepted if !storage.is_behind() => Ok(None),
            Appended::Accepted => Ok(Some(self.wait_for_room(storage))),
            Appended::NeedsPreparation => {
                let (series, values) = (series.to_vec(), values.to_vec());
                let (ticket, _) = self.spawn(move |storage, _| async move {
                    storage.append_row(&series, timestamp, &values).await?;
                    storage.wait_for_room().await;
                    Ok(Answer::Done)
                });
                self.try_at_once(ticket)
            }
        }
    }

    /// Submits a command; its answer is found under the ticket after some pumps.
    pub fn send(&mut self, command: Command) -> Ticket {
        match command {
            Command::Close => self.close(),
            command => {
                // The command itself waits for the end of what it gives up.
                if matches!(command, Command::RestoreAbort) {
                    self.shared.gives_up_restore.set(true);
                }
                let only_reads = command.only_reads();
                let (ticket, job) = if self.shared.config.read_only {
                    self.send_to_reader(command)
                } else {
                    self.spawn(move |storage, shared| execute::execute(storage, shared, command))
                };
                if only_reads {
                    self.shared.tickets.note_read(ticket, job);
                }
                ticket
            }
        }
    }

    /// Gives up a command that only reads: its job is dropped with all it holds, and nothing is found under the ticket any
    /// more. A command that changes something goes on, and so does one that has been answered. Tells whether it was given up.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        let job = self.shared.tickets.give_up_read(ticket);
        job.inspect(|job| self.context.cancel(*job)).is_some()
    }

    /// Manual clock: moves time on by `ms` and runs all that falls due, in order. Answered with `Done`.
    ///
    /// # Errors
    /// `Invalid` with a real clock and for negative spans; `Closed` after `Close`.
    pub fn tick(&mut self, ms: i64) -> Result<Ticket> {
        if self.clock != Clock::Manual {
            return Err(Error::invalid("tick moves a manual clock only; open the database with clock: \"manual\""));
        }
        if ms < 0 {
            return Err(Error::invalid(format!("time can't be moved by {ms} ms; it goes forward only")));
        }
        self.open_storage()?;
        let from = self.ticks.back().map_or(self.manual_now, |(_, target)| *target);
        let target = from.checked_add(ms).filter(|target| *target <= crate::time::MAX_TIMESTAMP_MS);
        let target = target.ok_or_else(|| Error::invalid(format!("{ms} ms from now lies behind the year 9999")))?;
        let ticket = self.shared.tickets.give_out();
        self.ticks.push_back((ticket, target));
        Ok(ticket)
    }

    // ---- driving ------------------------------------------------------------------------------------------------------

    /// Runs jobs until none can go on or `budget` units of work are spent. With a real clock `wall_now` becomes the
    /// engine's time; a manual clock ignores it.
    pub fn pump(&mut self, wall_now: TimestampMs, budget: Units) -> Pumped {
        let mut pumped = self.pump_jobs(wall_now, budget);
        if let Some(error) = self.context.storage_lost()
            && !matches!(&*self.shared.phase.borrow(), Phase::Failed(_))
        {
            self.give_up(&error);
            pumped = Pumped { has_work: false, next_due: None, waits_for_storage: false, ..pumped };
        }
        pumped
    }

    /// The storage is not ours any more: nothing is tried again, and whoever waits or asks is told why.
    fn give_up(&mut self, error: &Error) {
        self.shared.phase.replace(Phase::Failed(error.clone()));
        self.scheduler.clear();
        self.ticks.clear();
        self.shared.cursors.end_exports();
        self.shared.cursors.end_ingests();
        self.context.degraded(error, format!("the database has stopped: {error}"));
        for ticket in self.shared.tickets.take_unanswered() {
            self.shared.tickets.answer(ticket, Err(error.clone()));
        }
    }

    fn pump_jobs(&mut self, wall_now: TimestampMs, budget: Units) -> Pumped {
        if self.clock == Clock::Real {
            return self.scheduler.pump(wall_now, budget);
        }
        let mut spent = 0;
        loop {
            let mut pumped = self.scheduler.pump(self.manual_now, budget.saturating_sub(spent));
            spent += pumped.spent;
            pumped.spent = spent;
            // Time stands still while anything can go on at the present instant.
            if pumped.has_work || pumped.waits_for_storage || self.context.storage_lost().is_some() {
                return pumped;
            }
            let Some(&(ticket, target)) = self.ticks.front() else {
                pumped.next_due = None;
                return pumped;
            };
            match pumped.next_due.filter(|due| *due <= target) {
                Some(due) => self.manual_now = due.max(self.manual_now),
                None => {
                    self.manual_now = target;
                    self.ticks.pop_front();
                    // Jobs must see the new instant before anybody learns of it.
                    let settled = self.scheduler.pump(target, 0);
                    self.shared.tickets.answer(ticket, Ok(Answer::Done));
                    spent += settled.spent;
                }
            }
            if spent >= budget {
                pumped.has_work = true;
                return pumped;
            }
        }
    }

    /// The page goes away, and this thread may never get another turn: what the storage is asked for from now on comes to its end
    /// nevertheless, where that is possible. To be called before the last [`Command::Sync`]. Answers whether there is a log: without one, rows
    /// are handed over one part after the other, which takes turns.
    pub fn leave(&mut self) -> bool {
        self.context.leave();
        matches!(&*self.shared.phase.borrow(), Phase::Open(storage) if storage.has_log())
    }

    /// After that last command has been pumped: what could not be added yet, since its series have to be looked up, goes to the log.
    /// Nothing may be asked of this engine afterwards.
    pub fn log_waiting_rows(&self) {
        if let Phase::Open(storage) = &*self.shared.phase.borrow() {
            storage.log_waiting_rows();
        }
    }

    /// Tickets that were answered since the last call.
    pub fn completed(&mut self) -> Vec<Ticket> {
        self.shared.tickets.take_completed()
    }

    /// Takes the answer to a ticket, once.
    pub fn take(&mut self, ticket: Ticket) -> Option<Result<Answer>> {
        self.shared.tickets.take(ticket).map(|(answer, _)| answer)
    }

    /// As [`Engine::take`], with the memory that counts as taken for as long as the answer is held.
    pub fn take_held(&mut self, ticket: Ticket) -> Option<(Result<Answer>, MemoryShare)> {
        self.shared.tickets.take(ticket)
    }

    /// Pumps until `ticket` is answered: for callers whose storage answers at once, such as tests and examples. A real
    /// clock stands still meanwhile.
    ///
    /// # Errors
    /// The command's own; `Storage` when nothing can go on and there still is no answer.
    pub fn run(&mut self, ticket: Ticket) -> Result<Answer> {
        let mut idle_pumps = 0;
        loop {
            if let Some(answer) = self.shared.tickets.take_untold(ticket) {
                return answer;
            }
            let pumped = self.pump(self.now(), Units::MAX);
            idle_pumps = if pumped.has_work || pumped.spent > 0 { 0 } else { idle_pumps + 1 };
            if idle_pumps > 10_000 {
                return Err(Error::new(ErrorKind::Storage, "the storage back end does not answer"));
            }
        }
    }

    /// The engine's time.
    pub fn now(&self) -> TimestampMs {
        match self.clock {
            Clock::Real => self.context.now(),
            Clock::Manual => self.manual_now,
        }
    }

    /// Whether `Close` has been answered, or opening has failed.
    pub fn is_closed(&self) -> bool {
        self.stopped().is_some()
    }

    /// Why nothing can be asked any more: the database was closed, could not be opened, or has lost its storage.
    pub fn stopped(&self) -> Option<Error> {
        match &*self.shared.phase.borrow() {
            Phase::Opening | Phase::Open(_) | Phase::Closing => None,
            Phase::Closed(_) => Some(closed()),
            Phase::Failed(error) => Some(error.clone()),
        }
    }

    // ---- room ---------------------------------------------------------------------------------------------------------

    /// Tells how many bytes the storage has left, of how many in all; `None` when that is not known. Until the next report all
    /// that is written counts against it. What adds data is refused before the last [`HEAD_ROOM_BYTES`] are touched.
    ///
    /// [`HEAD_ROOM_BYTES`]: crate::runtime::room::HEAD_ROOM_BYTES
    pub fn set_room_bytes(&mut self, left_bytes: Option<u64>, quota_bytes: u64) {
        self.context.room().report(left_bytes, quota_bytes);
    }

    /// Whether a new report is worth asking for; it counts as asked for then. Room is a matter of the world outside, so that its
    /// clock counts, whatever clock the engine follows.
    pub fn wants_room(&mut self, wall_now: TimestampMs) -> bool {
        self.context.room().wants_report(wall_now)
    }

    // ---- seeing inside ------------------------------------------------------------------------------------------------

    /// Turns the trace on or off.
    pub fn set_observed(&mut self, observed: bool) {
        self.context.with_trace(|trace| trace.set_enabled(observed));
    }

    /// The events since the last call; none while the engine is not observed.
    pub fn events(&mut self) -> Vec<StampedEvent> {
        self.context.with_trace(|trace| trace.drain().collect())
    }

    /// The oldest of the events that are meant for people, in words, once: those who do not observe learn of them so.
    pub fn hint(&mut self) -> Option<String> {
        self.context.with_trace(|trace| trace.take_hint())
    }

    /// The whole state; of a reader, what its last call saw, and it looks for news then. Cheap enough for a page that draws it with each frame.
    pub fn inspect(&self) -> EngineState {
        let storage = match &*self.shared.phase.borrow() {
            Phase::Open(storage) => Some(storage.clone()),
            _ => None,
        };
        self.look_for_news();
        EngineState::of(self, storage.as_deref())
    }

    // ---- inside -------------------------------------------------------------------------------------------------------

    fn open_storage(&self) -> Result<Rc<Storage>> {
        match &*self.shared.phase.borrow() {
            Phase::Open(storage) => Ok(storage.clone()),
            Phase::Opening if self.shared.check_not_restoring().is_err() => Err(Error::invalid(
                "what was restored is taking the place of the database; wait until restore() has ended",
            )),
            Phase::Opening => Err(Error::invalid("the database is still being opened; wait for open() first")),
            Phase::Closing | Phase::Closed(_) => Err(closed()),
            Phase::Failed(error) => Err(error.clone()),
        }
    }

    fn open_for_writing(&self) -> Result<Rc<Storage>> {
        let storage = self.open_storage()?;
        self.shared.check_not_restoring()?;
        if self.shared.config.read_only { Err(self.shared.config.read_only_error()) } else { Ok(storage) }
    }

    /// One job waits for all: a page may have made a hundred thousand calls.
    fn wait_for_room(&mut self, storage: Rc<Storage>) -> Ticket {
        let (ticket, is_first) = self.shared.tickets.give_out_for_room();
        if is_first {
            let shared = self.shared.clone();
            self.context.spawn(Lane::Query, async move {
                loop {
                    storage.wait_for_room().await;
                    let answered = shared.tickets.answer_some_for_room();
                    if answered == 0 {
                        return;
                    }
                    storage.context().spend(ANSWER_UNITS * answered as u64).await;
                }
            });
        }
        ticket
    }

    /// Gives a new job one turn: where storage answers at once, a look into the index is over before the caller could wait.
    /// Behind many others it would not be its turn.
    fn try_at_once(&mut self, ticket: Ticket) -> Result<Option<Ticket>> {
        if self.shared.tickets.under_way() > MOST_TRIED_AT_ONCE {
            return Ok(Some(ticket));
        }
        self.scheduler.pump(self.now(), 1);
        match self.shared.tickets.take_untold(ticket) {
            Some(answer) => answer.map(|_| None),
            None => Ok(Some(ticket)),
        }
    }

    /// Runs a command as a job, once the storage is open.
    fn spawn<F>(&mut self, command: impl FnOnce(Rc<Storage>, Rc<Shared>) -> F + 'static) -> (Ticket, TaskId)
    where
        F: Future<Output = Result<Answer>> + 'static,
    {
        let ticket = self.shared.tickets.give_out();
        let (context, shared) = (self.context.clone(), self.shared.clone());
        shared.tickets.command_began(ticket);
        let job = self.context.spawn(Lane::Query, async move {
            let result = match shared.storage(&context).await {
                Ok(storage) => command(storage, shared.clone()).await,
                Err(error) => Err(error),
            };
            shared.tickets.command_ended(ticket, result);
        });
        (ticket, job)
    }

    fn close(&mut self) -> Ticket {
        let ticket = self.shared.tickets.give_out();
        let (context, shared) = (self.context.clone(), self.shared.clone());
        self.context.spawn(Lane::Query, async move {
            let closed = shared.close(&context).await;
            shared.tickets.answer(ticket, closed.map(|()| Answer::Done));
        });
        // A tick that has not run yet would hold up nobody's close.
        for (tick, _) in std::mem::take(&mut self.ticks) {
            self.shared.tickets.answer(tick, Err(closed()));
        }
        ticket
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the database is closed; open it again")
}
