//! One engine between its opening and its end: commands go in, time passes, answers are compared with the model.

use crate::model::{Bounds, Chosen, Model, OfferId, Tick, Wrong, labels, number};
use crate::plan::{Budget, Plan, Random};
use crate::reader::Reader;
use sandglass::engine::{Answer, BodyFormat, Clock, Command, Engine, ExportFormat, SeriesHandle, SnapshotFile, Ticket};
use sandglass::error::{Error, ErrorKind};
use sandglass::fs::sim::SimFileSystem;
use sandglass::fs::{FileSystem, MemoryFileSystem};
use sandglass::runtime::room::HEAD_ROOM_BYTES;
use sandglass::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, TimeRange};
use sandglass::trace::event::Event;
use sandglass::trace::lifecycle::Lifecycle;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

/// What one seed came to, for the figures at the end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub seeds: u64,
    pub lives: u64,
    pub crashes: u64,
    pub crashes_while_opening: u64,
    pub commands: u64,
    pub operations: u64,
    pub events: u64,
    pub samples_checked: u64,
    pub snapshots_opened: u64,
    pub failed_operations: u64,
    pub out_of_room: u64,
    pub fenced: u64,
    pub damaged_reads: u64,
    pub short_reads: u64,
    pub readers: u64,
    pub reader_answers: u64,
    pub damaged_files: u64,
    pub lost_commits: u64,
    pub zombies: u64,
}

impl Figures {
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.lives += other.lives;
        self.crashes += other.crashes;
        self.crashes_while_opening += other.crashes_while_opening;
        self.commands += other.commands;
        self.operations += other.operations;
        self.events += other.events;
        self.samples_checked += other.samples_checked;
        self.snapshots_opened += other.snapshots_opened;
        self.failed_operations += other.failed_operations;
        self.out_of_room += other.out_of_room;
        self.fenced += other.fenced;
        self.damaged_reads += other.damaged_reads;
        self.short_reads += other.short_reads;
        self.readers += other.readers;
        self.reader_answers += other.reader_answers;
        self.damaged_files += other.damaged_files;
        self.lost_commits += other.lost_commits;
        self.zombies += other.zombies;
    }

    pub fn add_faults(&mut self, files: &SimFileSystem) {
        let faults = files.faults();
        self.operations += files.operations();
        self.failed_operations += faults.failed;
        self.out_of_room += faults.out_of_room;
        self.fenced += faults.fenced;
        self.damaged_reads += faults.damaged;
        self.short_reads += faults.cut_short;
    }
}

/// A snapshot that was said to be there.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub name: String,
    pub bounds: Bounds,
    /// What the disk had seen when it was promised.
    pub commits: u64,
    pub is_uncertain: bool,
    pub files: Option<Vec<SnapshotFile>>,
}

/// What outlives an engine: the model, the snapshots, the random numbers and the record of what has happened.
pub struct World {
    pub plan: Plan,
    pub random: Random,
    pub model: Model,
    pub snapshots: Vec<Snapshot>,
    /// A snapshot may be there that nobody was told of.
    pub may_have_unknown_snapshots: bool,
    pub next_series: u64,
    pub figures: Figures,
    /// Of answers alone, which must not depend on budgets, caches and merges.
    pub answers: DefaultHasher,
    /// Of all events and answers.
    pub history: DefaultHasher,
    pub is_verbose: bool,
}

impl World {
    pub fn new(plan: Plan, is_verbose: bool) -> Self {
        let mut model = Model::default();
        model.latest = plan.start_time;
        model.retention_ms = plan.retention_ms;
        model.dedup_interval_ms = plan.dedup_interval_ms;
        Self {
            random: Random::new(plan.seed),
            model,
            snapshots: Vec::new(),
            may_have_unknown_snapshots: false,
            next_series: plan.series,
            figures: Figures::default(),
            answers: DefaultHasher::new(),
            history: DefaultHasher::new(),
            is_verbose,
            plan,
        }
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.is_verbose {
            println!("{}", what());
        }
    }
}

/// What was asked and is not answered yet.
enum Ask {
    Open,
    Append { offers: Vec<OfferId> },
    Ingest { offers: Vec<OfferId>, bad_lines: u64 },
    Flush { mark: Tick },
    Sync { mark: Tick },
    Close { mark: Tick },
    Merge,
    Snapshot { mark: Tick, began: Tick },
    SnapshotDelete { name: String },
    SnapshotDeleteAll { names: Vec<String> },
    SnapshotList { there: Vec<String> },
    SnapshotFiles { name: String },
    SnapshotRead { name: String, path: String },
    Delete { began: Tick },
    Select { chosen: Chosen, range: TimeRange, began: Tick, visible: Tick },
    Labels { chosen: Chosen, began: Tick, visible: Tick },
    LabelValues { chosen: Chosen, began: Tick, visible: Tick },
    LabelNames,
    ExportOpen { chosen: Chosen, range: TimeRange, began: Tick, visible: Tick },
    ExportNext { cursor: u32 },
    Done,
}

/// An export that is being read.
struct Export {
    chosen: Chosen,
    range: TimeRange,
    began: Tick,
    visible: Tick,
    text: Vec<u8>,
    is_waiting: bool,
}

/// A command with what is needed to judge its answer.
struct Pending {
    ask: Ask,
    what: String,
    /// Faults the disk had had when it was sent: without a new one it must not fail.
    faults_before: u64,
    sent_at: i64,
}

pub struct Life {
    pub world: Box<World>,
    pub engine: Engine,
    pub files: SimFileSystem,
    pub now: i64,
    handles: BTreeMap<u64, SeriesHandle>,
    pending: BTreeMap<u32, Pending>,
    lifecycle: Lifecycle,
    exports: BTreeMap<u32, Export>,
    downloads: BTreeMap<String, MemoryFileSystem>,
    open_failure: Option<Error>,
    reader: Option<Reader>,
    /// How many bytes the disk takes, if there is an end.
    quota_bytes: Option<u64>,
    /// When there last was one.
    last_short: Option<i64>,
    /// How often the disk had refused something for want of room when it was limited.
    out_of_room_before: u64,
    /// How often it was told that the storage writes again.
    restored: u64,
}

/// How long a command may take in simulated time, beside what the disk takes for its operations: longer than all retries together.
const PATIENCE_MS: i64 = 15 * MINUTE_MS;

/// What all of the origin may take, in a browser that tells.
const ORIGINS_BYTES: u64 = 1 << 40;
/// So long after there is room again the engine may not know of it.
const REPORT_MS: i64 = 10 * SECOND_MS;

const STALE: u64 = 0x7FF0_0000_0000_0002;

pub fn all_faults(files: &SimFileSystem) -> u64 {
    let faults = files.faults();
    faults.failed + faults.out_of_room + faults.fenced + faults.damaged + faults.cut_short
}

/// What came of an attempt to open.
pub enum Opened {
    Open(Box<Life>),
    /// The power went.
    Crashed(Box<World>),
}

impl Life {
    fn begin(mut world: Box<World>, files: &SimFileSystem, now: i64) -> Result<(Self, Ticket), Wrong> {
        let config = world.plan.config(now);
        world.model.latest = world.model.latest.max(now);
        let (mut engine, opened) =
            Engine::open(Box::new(files.clone()), config).map_err(|error| format!("the config is refused: {error}"))?;
        engine.set_observed(true);
        let life = Self {
            world,
            engine,
            files: files.clone(),
            now,
            handles: BTreeMap::new(),
            pending: BTreeMap::new(),
            lifecycle: Lifecycle::default(),
            exports: BTreeMap::new(),
            downloads: BTreeMap::new(),
            open_failure: None,
            reader: None,
            quota_bytes: None,
            last_short: None,
            out_of_room_before: 0,
            restored: 0,
        };
        Ok((life, opened))
    }

    /// Opens the database, trying again after faults.
    pub fn open(mut world: Box<World>, files: &SimFileSystem, start_time: i64) -> Result<Opened, Wrong> {
        let mut now = start_time;
        for attempt in 0..300 {
            let handle = files.next_writer();
            if attempt > 10 {
                // With every tenth read it might never come to an end.
                handle.shorten_reads(0);
            }
            let faults_before = all_faults(&handle);
            let (mut life, ticket) = Self::begin(world, &handle, now)?;
            life.expect(ticket, Ask::Open, "open".into());
            life.settle()?;
            if handle.has_crashed() {
                return Ok(Opened::Crashed(life.world));
            }
            match life.open_failure.take() {
                None => return Ok(Opened::Open(Box::new(life))),
                Some(error) if all_faults(&handle) > faults_before => {
                    if error.kind() == ErrorKind::Quota {
                        handle.set_quota_bytes(None);
                    }
                    now = life.now + SECOND_MS;
                    world = life.world;
                }
                Some(error) => return Err(format!("the database can't be opened: {error}")),
            }
        }
        Err("the database can't be opened, although no fault is left".into())
    }

    // ---- driving ------------------------------------------------------------------------------------------------------

    pub fn has_crashed(&self) -> bool {
        self.files.has_crashed()
    }

    fn expect(&mut self, ticket: Ticket, ask: Ask, what: String) {
        let faults_before = all_faults(&self.files);
        self.expect_since(ticket, ask, what, faults_before);
    }

    /// As [`Life::expect`], of a command that may have met with faults already.
    fn expect_since(&mut self, ticket: Ticket, ask: Ask, what: String, faults_before: u64) {
        self.world.figures.commands += 1;
        self.pending.insert(ticket.0, Pending { ask, what, faults_before, sent_at: self.now });
    }

    fn send(&mut self, command: Command, ask: Ask) {
        let what = format!("{command:?}");
        self.world.say(|| format!("{}: {}", self.now, what.chars().take(300).collect::<String>()));
        let ticket = self.engine.send(command);
        self.expect(ticket, ask, what);
    }

    /// One pump; true when there is more to do at this instant.
    pub fn pump(&mut self) -> Result<(bool, Option<i64>), Wrong> {
        let budget = match self.world.plan.budget {
            Budget::Unlimited => u64::MAX,
            Budget::Fixed(units) => units,
            Budget::UpTo(units) => 1 + self.world.random.below(units),
        };
        self.report_room();
        let pumped = self.engine.pump(self.now, budget);
        self.collect()?;
        let (mut has_work, mut next) = (pumped.has_work, pumped.next_due);
        if let Some(mut reader) = self.reader.take().filter(|_| !self.has_crashed())
            && let Some((reader_has_work, reader_next)) = reader.pump(self.now, budget, self.files.stats().commits)?
        {
            has_work |= reader_has_work;
            next = [next, reader_next].into_iter().flatten().min();
            self.reader = Some(reader);
        }
        let next = if has_work { None } else { [next, self.files.next_completion()].into_iter().flatten().min() };
        Ok((has_work, next))
    }

    /// What the edge does for an engine that wants to know how much room there is.
    fn report_room(&mut self) {
        if self.quota_bytes.is_some() {
            self.last_short = Some(self.now);
        }
        if self.world.plan.tells_room && self.engine.wants_room(self.now) {
            let stored_bytes = self.files.stats().stored_bytes;
            let left = self.quota_bytes.map(|quota| quota.saturating_sub(stored_bytes));
            self.engine.set_room_bytes(left, left.map_or(0, |_| ORIGINS_BYTES));
        }
    }

    /// Leaves so many bytes from now on. Who is told of it has the head-room beside.
    pub fn limit(&mut self, room: u64) {
        let head_room = if self.world.plan.tells_room { HEAD_ROOM_BYTES } else { 0 };
        let left = room + head_room;
        self.quota_bytes = Some(self.files.stats().stored_bytes + left);
        self.files.set_quota_bytes(self.quota_bytes);
        self.last_short = Some(self.now);
        self.out_of_room_before = self.files.faults().out_of_room;
        if self.world.plan.tells_room {
            self.engine.set_room_bytes(Some(left), ORIGINS_BYTES);
        }
    }

    /// There is room again: all that waited becomes durable by itself, and whoever watches is told.
    pub fn unlimit(&mut self) -> Result<(), Wrong> {
        if self.quota_bytes.take().is_none() {
            return Ok(());
        }
        self.world.say(|| format!("{}: there is room again", self.now));
        self.files.set_quota_bytes(None);
        let refused = self.files.faults().out_of_room - self.out_of_room_before;
        if self.world.plan.tells_room && refused > 0 {
            return Err(format!("the disk refused {refused} operations that the engine knew not to fit"));
        }
        let (restored, was_degraded) = (self.restored, self.engine.inspect().storage.is_degraded);
        self.settle()?;
        let (mark, faults_before) = (self.world.model.tick(), all_faults(&self.files));
        let restored = restored + u64::from(was_degraded);
        // The next attempt may come a minute after the last one, and then again.
        for _ in 0..8 {
            self.advance(20 * SECOND_MS + 5 * self.world.plan.max_delay_ms as i64)?;
        }
        if self.has_crashed() || all_faults(&self.files) != faults_before {
            return Ok(());
        }
        let storage = self.engine.inspect().storage;
        if storage.is_degraded || storage.waiting_bytes > 0 {
            return Err(format!("there is room again, and not all is written: {storage:?}"));
        }
        if self.restored < restored {
            return Err("there is room again, and nobody was told".into());
        }
        let commits = self.files.stats().commits;
        self.world.model.visible(mark);
        self.world.model.durable(mark, commits);
        Ok(())
    }

    /// Opens, asks or closes somebody who reads beside the writer.
    fn step_reader(&mut self) -> Result<(), Wrong> {
        if !self.world.plan.has_readers || self.has_crashed() {
            return Ok(());
        }
        let commits = self.files.stats().commits;
        let is_leaving = self.world.random.chance(10);
        match &mut self.reader {
            Some(reader) if !reader.is_idle() => {}
            Some(reader) => {
                self.world.figures.reader_answers += 1;
                if is_leaving { reader.close(commits) } else { reader.select(commits) }
            }
            None => {
                let clock = self.world.random.of(&[Clock::Manual, Clock::Real]);
                self.world.say(|| format!("{}: a reader comes, clock {clock:?}", self.now));
                let config = sandglass::engine::Config { clock, ..self.world.plan.config(self.now) };
                self.reader = Some(Reader::open(self.files.reader(), config, commits)?);
                self.world.figures.readers += 1;
            }
        }
        Ok(())
    }

    fn collect(&mut self) -> Result<(), Wrong> {
        for event in self.engine.events() {
            self.world.figures.events += 1;
            format!("{event:?}").hash(&mut self.world.history);
            if let Event::Degraded { message, .. } = &event.event {
                self.world.say(|| format!("    degraded: {message}"));
            }
            self.restored += u64::from(matches!(event.event, Event::Restored { .. }));
            self.lifecycle.observe(&event.event).map_err(|why| format!("illegal event: {why}: {event:?}"))?;
        }
        for ticket in self.engine.completed() {
            let Some(pending) = self.pending.remove(&ticket.0) else { continue };
            let answer =
                self.engine.take(ticket).ok_or_else(|| format!("{} was answered without an answer", pending.what))?;
            self.answered(pending, answer)?;
        }
        Ok(())
    }

    /// Until when an answer must have come that was asked for at `begin`, when the disk had seen so many operations. An export without
    /// a cache reads thousands of times, on a disk that takes seconds for each; whoever only waits has no part in that.
    fn patience_ends(&self, begin: i64, operations_before: u64) -> i64 {
        let disk_ms = (self.files.operations() - operations_before) * self.world.plan.max_delay_ms;
        begin + PATIENCE_MS + disk_ms as i64
    }

    /// Pumps until every command is answered; time passes only when nothing else can happen.
    pub fn settle(&mut self) -> Result<(), Wrong> {
        let (begin, operations) = (self.now, self.files.operations());
        loop {
            let (has_work, next) = self.pump()?;
            let until = self.patience_ends(begin, operations);
            if self.has_crashed() || self.pending.is_empty() {
                return Ok(());
            }
            if has_work {
                continue;
            }
            match next.filter(|next| *next <= until) {
                Some(next) if self.world.plan.clock == Clock::Real => self.set_now(next.max(self.now + 1)),
                _ => {
                    let waiting: Vec<&str> =
                        self.pending.values().map(|pending| &pending.what[..pending.what.len().min(200)]).collect();
                    return Err(format!("{waiting:?} hang: nothing can go on; {:?}", self.engine.inspect().scheduler));
                }
            }
        }
    }

    fn set_now(&mut self, now: i64) {
        self.now = now;
        self.world.model.latest = self.world.model.latest.max(now);
    }

    /// Lets time pass, with all that falls due in order.
    pub fn advance(&mut self, ms: i64) -> Result<(), Wrong> {
        let target = self.now + ms;
        if self.world.plan.clock == Clock::Manual {
            self.settle()?;
            if self.has_crashed() {
                return Ok(());
            }
            self.set_now(target);
            let ticket = self.engine.tick(ms).map_err(|error| format!("tick: {error}"))?;
            self.expect(ticket, Ask::Done, format!("tick by {ms} ms"));
            return self.settle();
        }
        while !self.has_crashed() {
            let (has_work, next) = self.pump()?;
            if has_work {
                continue;
            }
            if self.now >= target {
                break;
            }
            self.set_now(next.map_or(target, |next| next.max(self.now + 1)).min(target));
        }
        Ok(())
    }

    /// A tab that slept: time has passed, and nothing fell due meanwhile.
    fn jump(&mut self, ms: i64) -> Result<(), Wrong> {
        if self.world.plan.clock == Clock::Manual {
            return self.advance(ms.min(2 * HOUR_MS));
        }
        self.set_now(self.now + ms);
        // A real clock may stand back as well; the engine's never does.
        let budget = 1 + self.world.random.below(1_000);
        let back = self.world.random.below(2) as i64 * self.world.random.below(DAY_MS as u64) as i64;
        self.engine.pump(self.now, budget);
        self.engine.pump(self.now - back, budget);
        self.collect()?;
        self.pump().map(drop)
    }

    /// A hidden tab: the storage is heard of as ever, but timers come once a minute.
    fn hide(&mut self, minutes: u64) -> Result<(), Wrong> {
        if self.world.plan.clock == Clock::Manual {
            return self.advance(minutes as i64 * MINUTE_MS);
        }
        for _ in 0..minutes {
            let wake = self.now + MINUTE_MS;
            while !self.has_crashed() {
                if self.pump()?.0 {
                    continue;
                }
                match self.files.next_completion().filter(|next| *next < wake) {
                    Some(next) => self.set_now(next.max(self.now + 1)),
                    None => break,
                }
            }
            self.set_now(wake);
        }
        while !self.has_crashed() && self.pump()?.0 {}
        Ok(())
    }

    // ---- the workload -------------------------------------------------------------------------------------------------

    pub fn step(&mut self) -> Result<(), Wrong> {
        if self.world.random.chance(12) {
            self.step_reader()?;
        }
        match self.world.random.below(200) {
            0..50 => self.append_run()?,
            50..70 => self.append_row()?,
            70..84 => self.ingest()?,
            84..90 => self.append_refused()?,
            90..102 => {
                let mark = self.world.model.tick();
                self.send(Command::Flush, Ask::Flush { mark });
            }
            102..112 => {
                let mark = self.world.model.tick();
                self.send(Command::Sync, Ask::Sync { mark });
            }
            112..118 => {
                let partition_prefix = self.world.random.of(&["", "", "2024", "2024_03", "2023"]).to_owned();
                self.send(Command::ForceMerge { partition_prefix }, Ask::Merge);
            }
            118..126 => {
                let (mark, began) = (self.world.model.tick(), self.world.model.tick());
                self.send(Command::SnapshotCreate, Ask::Snapshot { mark, began });
            }
            126..130 => self.delete_snapshot()?,
            130..132 => {
                let there = self.world.snapshots.iter().map(|snapshot| snapshot.name.clone()).collect();
                self.send(Command::SnapshotList, Ask::SnapshotList { there });
            }
            132..136 => self.check_snapshot()?,
            136..142 => self.delete_series(),
            142..160 => self.select()?,
            160..168 => self.ask_labels(),
            168..178 => self.export(),
            178 => self.delete_all_snapshots()?,
            179..181 => self.cancel(),
            181..192 => {
                let ms = self.world.random.of(&[1, 300, 1_100, 2_500, 6_000, 12_000, 70_000]);
                self.advance(ms)?;
            }
            192..194 => self.rest()?,
            194 => {
                let minutes = 1 + self.world.random.below(12);
                self.hide(minutes)?;
            }
            _ => {
                let wild: &[i64] = &[MINUTE_MS, HOUR_MS, DAY_MS, 9 * DAY_MS, 40 * DAY_MS];
                let tame: &[i64] = &[MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS];
                let choices = if self.world.plan.wild_clock { wild } else { tame };
                let ms = self.world.random.of(choices);
                self.jump(ms)?;
            }
        }
        if self.world.plan.merge_often {
            self.send(Command::ForceMerge { partition_prefix: String::new() }, Ask::Merge);
        }
        if self.world.random.chance(self.world.plan.settle_percent) {
            self.settle()?;
        }
        // With nothing going wrong every pump runs out of work, so that its size must not matter.
        while self.pump()?.0 && self.world.plan.is_orderly {}
        Ok(())
    }

    fn choose_series(&mut self) -> u64 {
        let random = self.world.random.next();
        if self.world.random.chance(12) {
            self.world.next_series += 1;
            return self.world.next_series;
        }
        if self.world.random.chance(50)
            && let Some(series) = self.world.model.some_series(random)
        {
            return series;
        }
        random % self.world.plan.series.max(1)
    }

    fn choose(&mut self) -> Chosen {
        let random = self.world.random.next();
        let known = self.world.model.some_series(random >> 8).unwrap_or(0);
        match random % 6 {
            0 | 1 => Chosen::All,
            2 => Chosen::One(known),
            3 => Chosen::group(random >> 8),
            4 => Chosen::Digit((random >> 8) % 10),
            _ => Chosen::AllBut(known),
        }
    }

    fn choose_range(&mut self) -> TimeRange {
        let (now, random) = (self.now, &self.world.random);
        match random.below(6) {
            0..3 => TimeRange::ALL,
            3 => TimeRange { min: now - HOUR_MS, max: now },
            4 => {
                let min = (now / DAY_MS - random.below(5) as i64) * DAY_MS;
                TimeRange { min, max: min + DAY_MS - 1 }
            }
            _ => {
                let min = now - random.below(60 * DAY_MS as u64) as i64;
                TimeRange { min, max: min + random.below(60 * DAY_MS as u64) as i64 }
            }
        }
    }

    /// Seven digits, two of them decimals: they survive every common exponent exactly. Now and then something special.
    fn value(&mut self, is_plain: bool) -> f64 {
        let random = &self.world.random;
        if !is_plain && random.chance(4) {
            return random.of(&[f64::INFINITY, f64::NEG_INFINITY, f64::from_bits(STALE)]);
        }
        (random.below(20_000_001) as f64 - 10_000_000.0) / 100.0
    }

    /// An instant that samples may have now.
    fn instant(&mut self) -> i64 {
        let (now, retention_ms) = (self.now, self.world.plan.retention_ms);
        let random = &self.world.random;
        let back = match random.below(20) {
            0..12 => random.below(5 * SECOND_MS as u64) as i64,
            12..16 => random.below(3 * HOUR_MS as u64) as i64,
            16..18 => random.below(3 * DAY_MS as u64) as i64,
            18 => random.below(100 * DAY_MS as u64) as i64,
            // The index forgets series after one or two retention periods, whatever the future has in store for them.
            _ if retention_ms > 1_000 * DAY_MS => -(random.below(DAY_MS as u64) as i64),
            _ => 0,
        };
        (now - back).max(now - retention_ms + HOUR_MS).max(0)
    }

    fn handle(&mut self, series: u64) -> Result<SeriesHandle, Wrong> {
        if let Some(handle) = self.handles.get(&series) {
            return Ok(*handle);
        }
        let labels = labels(series);
        let text: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let handle = self.engine.series(&text).map_err(|error| format!("series(): {error}"))?;
        self.handles.insert(series, handle);
        Ok(handle)
    }

    fn append_run(&mut self) -> Result<(), Wrong> {
        let series = self.choose_series();
        let count = match self.world.random.below(100) {
            0..40 => 1,
            40..75 => 1 + self.world.random.below(6),
            75..94 => 1 + self.world.random.below(60),
            94..99 => 1 + self.world.random.below(700),
            _ => 9_000 + self.world.random.below(3_000),
        };
        let step = 1 + self.world.random.below(self.world.random.of(&[10, 15_000, 40_000])) as i64;
        let end = self.instant();
        let oldest = (self.now - self.world.plan.retention_ms + HOUR_MS).max(0);
        let mut points: Vec<(i64, f64)> = Vec::new();
        for back in (0..count as i64).rev() {
            let timestamp = end - back * step;
            if timestamp >= oldest {
                points.push((timestamp, self.value(false)));
            }
        }
        if self.world.random.chance(20) {
            points.reverse();
        }
        let random = self.world.random.next();
        if self.world.random.chance(15)
            && let Some(point) = self
                .world
                .model
                .some_point(series, random)
                .filter(|point| (oldest..=self.now + DAY_MS).contains(&point.0))
        {
            points.push((point.0, f64::from_bits(point.1)));
        }
        self.append(series, &points)
    }

    fn append(&mut self, series: u64, points: &[(i64, f64)]) -> Result<(), Wrong> {
        self.world.say(|| {
            format!("{}: append {} samples to {series}: {:?}", self.now, points.len(), &points[..points.len().min(3)])
        });
        let handle = self.handle(series)?;
        let offers: Vec<OfferId> = points
            .iter()
            .map(|(timestamp, value)| self.world.model.offer(series, (*timestamp, value.to_bits())))
            .collect();
        let (timestamps, values): (Vec<i64>, Vec<f64>) = points.iter().copied().unzip();
        let faults_before = all_faults(&self.files);
        let result = self.engine.append(handle, &timestamps, &values);
        self.after_append(result, offers, format!("append to {series}"), faults_before)
    }

    fn after_append(
        &mut self,
        result: Result<Option<Ticket>, Error>,
        offers: Vec<OfferId>,
        what: String,
        faults_before: u64,
    ) -> Result<(), Wrong> {
        match result {
            // Appending gives its job a turn at once, in which an operation of it may have failed.
            Ok(Some(ticket)) => self.expect_since(ticket, Ask::Append { offers }, what, faults_before),
            Ok(None) => self.world.model.accepted(&offers),
            Err(error) => self.failed(&what, &error, faults_before, self.now)?,
        }
        Ok(())
    }

    /// A command that failed must have a reason.
    fn failed(&mut self, what: &str, error: &Error, faults_before: u64, sent_at: i64) -> Result<(), Wrong> {
        self.world.say(|| format!("    failed: {} {error}", what.chars().take(80).collect::<String>()));
        if all_faults(&self.files) > faults_before || self.has_crashed() {
            return Ok(());
        }
        // The engine itself refuses what would not fit, as far as it knows.
        let was_short = self.last_short.is_some_and(|last_short| last_short >= sent_at - REPORT_MS);
        if error.kind() == ErrorKind::Quota && self.world.plan.tells_room && was_short {
            return Ok(());
        }
        Err(format!(
            "{} failed, although nothing was wrong: {:?} {error}",
            what.chars().take(200).collect::<String>(),
            error.kind()
        ))
    }

    fn append_row(&mut self) -> Result<(), Wrong> {
        let timestamp = self.instant();
        let count = 1 + self.world.random.below(self.world.plan.series.max(2));
        let first = self.world.random.below(self.world.plan.series.max(1));
        self.world.say(|| format!("{}: append a row of {count} series from {first} at {timestamp}", self.now));
        let (mut handles, mut values, mut offers) = (Vec::new(), Vec::new(), Vec::new());
        for series in first..first + count {
            handles.push(self.handle(series)?.0);
            let value = self.value(false);
            values.push(value);
            offers.push(self.world.model.offer(series, (timestamp, value.to_bits())));
        }
        let faults_before = all_faults(&self.files);
        let result = self.engine.append_row(&handles, timestamp, &values);
        self.after_append(result, offers, "append_row".into(), faults_before)
    }

    /// A body of text, some lines of which are broken.
    fn ingest(&mut self) -> Result<(), Wrong> {
        let is_json = self.world.random.chance(50);
        let (mut body, mut offers, mut bad_lines) = (String::new(), Vec::new(), 0);
        for _ in 0..1 + self.world.random.below(12) {
            if self.world.random.chance(12) {
                let prometheus: &[&str] =
                    &["metric_1{series=\"5\" 1 2", "metric_1 one", "{} 1", "metric_1{series=\"5\"} 1 two"];
                let json: &[&str] =
                    &["{\"metric\":", "[]", "{\"metric\":{},\"values\":[1],\"timestamps\":[1]}", "null"];
                body += self.world.random.of(if is_json { json } else { prometheus });
                body.push('\n');
                bad_lines += 1;
                continue;
            }
            if self.world.random.chance(5) {
                body.push('\n');
            }
            let mut series = self.choose_series();
            // Plain labels only: what text can spell is not what this is about.
            series += u64::from(series % 3 == 1);
            let count = if is_json { 1 + self.world.random.below(20) } else { 1 };
            let (mut timestamps, mut values) = (Vec::new(), Vec::new());
            for _ in 0..count {
                let (timestamp, value) = (self.instant(), self.value(true));
                offers.push(self.world.model.offer(series, (timestamp, value.to_bits())));
                timestamps.push(timestamp);
                values.push(value);
            }
            let labels = labels(series);
            if is_json {
                let labels: BTreeMap<String, String> = labels.into_iter().collect();
                body +=
                    &serde_json::json!({ "metric": labels, "values": values, "timestamps": timestamps }).to_string();
            } else {
                let text: Vec<String> = labels[1..].iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
                body += &format!("{}{{{}}} {} {}", labels[0].1, text.join(","), values[0], timestamps[0]);
            }
            body.push('\n');
        }
        let format = if is_json { BodyFormat::JsonLines } else { BodyFormat::Prometheus };
        let body_number = self.world.random.next() as u32 | 1;
        let command = Command::Ingest {
            format,
            body: body.into(),
            timestamp: self.now,
            extra_labels: Vec::new(),
            first_line: 1,
            body_number,
        };
        self.send(command, Ask::Ingest { offers, bad_lines });
        Ok(())
    }

    /// Samples that must never be seen.
    fn append_refused(&mut self) -> Result<(), Wrong> {
        let series = self.choose_series();
        let handle = self.handle(series)?;
        let too_old = (self.now - self.world.plan.retention_ms - 1).min(-1);
        let too_new = self.now + 2 * DAY_MS + 60_000 + 400 * DAY_MS;
        let value = self.value(true);
        let (timestamp, value) = self.world.random.of(&[
            (self.now, f64::NAN),
            (too_old, value),
            (too_new, value),
            (i64::MIN, value),
            (i64::MAX, value),
        ]);
        self.world.say(|| format!("{}: append {value} at {timestamp} to {series}, which is refused", self.now));
        let faults_before = all_faults(&self.files);
        let result = self.engine.append(handle, &[timestamp], &[value]);
        self.after_append(result, Vec::new(), "append of a sample to be refused".into(), faults_before)
    }

    fn delete_series(&mut self) {
        let mut chosen = self.choose();
        if !self.world.random.chance(10) {
            let random = self.world.random.next();
            chosen = Chosen::One(self.world.model.some_series(random).unwrap_or(0));
        }
        let began = self.world.model.delete_begins(&chosen);
        self.send(Command::DeleteSeries { selector: chosen.selector() }, Ask::Delete { began });
    }

    fn select(&mut self) -> Result<(), Wrong> {
        if self.world.random.chance(50) || self.world.plan.settle_percent == 100 {
            let mark = self.world.model.tick();
            self.send(Command::Flush, Ask::Flush { mark });
            self.settle()?;
        }
        let (chosen, range) = (self.choose(), self.choose_range());
        self.start_select(chosen, range);
        Ok(())
    }

    fn start_select(&mut self, chosen: Chosen, range: TimeRange) {
        let (began, visible) = (self.world.model.tick(), self.world.model.visible_mark());
        self.send(
            Command::Select { selector: chosen.selector(), range },
            Ask::Select { chosen, range, began, visible },
        );
    }

    fn ask_labels(&mut self) {
        let chosen = self.choose();
        let (began, visible) = (self.world.model.tick(), self.world.model.visible_mark());
        let (selector, range) = (Some(chosen.selector()), TimeRange::ALL);
        match self.world.random.below(3) {
            0 => self.send(Command::Labels { selector, range }, Ask::Labels { chosen, began, visible }),
            1 => {
                let name = "series".to_owned();
                self.send(Command::LabelValues { name, selector, range }, Ask::LabelValues { chosen, began, visible });
            }
            _ => self.send(Command::LabelNames { selector, range }, Ask::LabelNames),
        }
    }

    fn export(&mut self) {
        let open: Vec<u32> =
            self.exports.iter().filter(|(_, export)| !export.is_waiting).map(|(cursor, _)| *cursor).collect();
        match open.first() {
            Some(&cursor) if self.world.random.chance(15) => {
                self.exports.remove(&cursor);
                self.send(Command::ExportClose { cursor }, Ask::Done);
            }
            Some(&cursor) => self.next_of_export(cursor),
            None => {
                let (chosen, range) = (self.choose(), self.choose_range());
                let (began, visible) = (self.world.model.tick(), self.world.model.visible_mark());
                let selector = Some(chosen.selector());
                self.send(
                    Command::ExportOpen { format: ExportFormat::JsonLines, selector, range },
                    Ask::ExportOpen { chosen, range, began, visible },
                );
            }
        }
    }

    fn next_of_export(&mut self, cursor: u32) {
        if let Some(export) = self.exports.get_mut(&cursor) {
            export.is_waiting = true;
        }
        self.send(Command::ExportNext { cursor }, Ask::ExportNext { cursor });
    }

    fn delete_snapshot(&mut self) -> Result<(), Wrong> {
        if self.world.snapshots.is_empty() {
            return Ok(());
        }
        let at = self.world.random.below(self.world.snapshots.len() as u64) as usize;
        if self.world.snapshots[at].is_uncertain {
            return Ok(());
        }
        self.world.snapshots[at].is_uncertain = true;
        let name = self.world.snapshots[at].name.clone();
        self.send(Command::SnapshotDelete { name: name.clone() }, Ask::SnapshotDelete { name });
        Ok(())
    }

    fn delete_all_snapshots(&mut self) -> Result<(), Wrong> {
        // One that is being made may be met or not.
        self.settle()?;
        let names = self.world.snapshots.iter().map(|snapshot| snapshot.name.clone()).collect();
        self.world.snapshots.iter_mut().for_each(|snapshot| snapshot.is_uncertain = true);
        self.send(Command::SnapshotDeleteAll, Ask::SnapshotDeleteAll { names });
        Ok(())
    }

    /// Gives up what only reads and is under way.
    fn cancel(&mut self) {
        let tickets: Vec<u32> = self.pending.keys().copied().collect();
        for ticket in tickets {
            if !self.engine.cancel(Ticket(ticket)) {
                continue;
            }
            let given_up = self.pending.remove(&ticket);
            self.world.say(|| format!("{}: given up: {:?}", self.now, given_up.as_ref().map(|pending| &pending.what)));
            // What was being read is gone with whoever read it.
            if let Some(Pending { ask: Ask::ExportNext { cursor }, .. }) = given_up {
                self.exports.remove(&cursor);
            }
        }
    }

    /// Downloads a snapshot and opens it elsewhere.
    pub fn check_snapshot(&mut self) -> Result<(), Wrong> {
        self.settle()?;
        if self.world.snapshots.is_empty() || self.has_crashed() {
            return Ok(());
        }
        let at = self.world.random.below(self.world.snapshots.len() as u64) as usize;
        let snapshot = self.world.snapshots[at].clone();
        if snapshot.is_uncertain {
            return Ok(());
        }
        let faults_before = all_faults(&self.files);
        let name = snapshot.name.clone();
        self.downloads.insert(name.clone(), MemoryFileSystem::new());
        self.send(Command::SnapshotFiles { name: name.clone() }, Ask::SnapshotFiles { name: name.clone() });
        self.settle()?;
        if self.has_crashed() {
            return Ok(());
        }
        let files =
            self.world.snapshots.iter().find(|snapshot| snapshot.name == name).and_then(|found| found.files.clone());
        for file in files.unwrap_or_default() {
            let ask = Ask::SnapshotRead { name: name.clone(), path: file.path.clone() };
            self.send(Command::SnapshotRead { source: file.source, offset: 0, length: file.size_bytes }, ask);
        }
        self.settle()?;
        let Some(download) = self.downloads.remove(&name) else { return Ok(()) };
        if self.has_crashed() || all_faults(&self.files) > faults_before {
            return Ok(());
        }
        self.world.figures.snapshots_opened += 1;
        let config = sandglass::engine::Config {
            retention_ms: sandglass::time::MAX_RETENTION_MS,
            dedup_interval_ms: self.world.plan.dedup_interval_ms,
            clock: Clock::Manual,
            ..sandglass::engine::Config::new(self.world.model.latest)
        };
        let found = select_all(Box::new(download), config).map_err(|error| format!("snapshot {name}: {error}"))?;
        self.world.model.compare(&found, &snapshot.bounds).map_err(|wrong| format!("snapshot {name}: {wrong}"))
    }

    /// Left alone for a while, all becomes durable by itself.
    fn rest(&mut self) -> Result<(), Wrong> {
        self.settle()?;
        let (mark, faults_before) = (self.world.model.tick(), all_faults(&self.files));
        self.advance(20 * SECOND_MS + 4 * self.world.plan.max_delay_ms as i64 * 10)?;
        // After a failure the next attempt may come later than that.
        let is_well = !self.engine.inspect().storage.is_degraded;
        if !self.has_crashed() && all_faults(&self.files) == faults_before && is_well {
            let commits = self.files.stats().commits;
            self.world.model.visible(mark);
            self.world.model.durable(mark, commits);
        }
        Ok(())
    }

    // ---- answers ------------------------------------------------------------------------------------------------------

    fn answered(&mut self, pending: Pending, answer: Result<Answer, Error>) -> Result<(), Wrong> {
        let Pending { ask, what, faults_before, sent_at } = pending;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                format!("{what} {error}").hash(&mut self.world.history);
                let is_deletion =
                    matches!(ask, Ask::Delete { .. } | Ask::SnapshotDelete { .. } | Ask::SnapshotDeleteAll { .. })
                        && all_faults(&self.files) == faults_before;
                match ask {
                    Ask::Open => {
                        self.world.say(|| format!("    open failed: {error}"));
                        self.open_failure = Some(error);
                        return Ok(());
                    }
                    Ask::Delete { began } => self.world.model.delete_ends(began, false),
                    Ask::Snapshot { .. } => self.world.may_have_unknown_snapshots = true,
                    Ask::ExportNext { cursor } => drop(self.exports.remove(&cursor)),
                    _ => {}
                }
                if is_deletion && self.world.plan.tells_room && error.kind() == ErrorKind::Quota {
                    return Err(format!("{what} was refused, though the head-room is kept for it: {error}"));
                }
                return self.failed(&what, &error, faults_before, sent_at);
            }
        };
        let commits = self.files.stats().commits;
        let wrong = |why: Wrong| format!("{}: {why}", what.chars().take(200).collect::<String>());
        match (ask, answer) {
            (Ask::Open | Ask::Merge | Ask::Done, Answer::Done) => {}
            (Ask::Append { offers }, Answer::Done) => self.world.model.accepted(&offers),
            (Ask::Ingest { offers, bad_lines }, Answer::Ingested(result)) => {
                self.world.model.accepted(&offers);
                // Rows may have become too old while they waited.
                let all = offers.len() as u64 + bad_lines;
                if result.samples > offers.len() as u64
                    || result.samples + result.rejected != all
                    || result.rejected < bad_lines
                {
                    return Err(wrong(format!("{bad_lines} bad lines, {} samples, answered {result:?}", offers.len())));
                }
                self.remember_answer(&(result.samples, result.rejected, result.series));
            }
            (Ask::Flush { mark }, Answer::Done) => self.world.model.visible(mark),
            (Ask::Sync { mark } | Ask::Close { mark }, Answer::Done) => {
                self.world.model.visible(mark);
                self.world.model.durable(mark, commits);
            }
            (Ask::Snapshot { mark, began }, Answer::Snapshot(name)) => {
                self.world.model.visible(mark);
                self.world.model.durable(mark, commits);
                let bounds = self.world.model.bounds(&Chosen::All, TimeRange::ALL, began, mark);
                let snapshot = Snapshot { name, bounds, commits, is_uncertain: false, files: None };
                self.world.snapshots.push(snapshot);
            }
            (Ask::SnapshotDelete { name }, Answer::Done) => {
                // A list under way may have been taken before.
                let is_listing = self.pending.values().any(|pending| matches!(pending.ask, Ask::SnapshotList { .. }));
                self.world.may_have_unknown_snapshots |= is_listing;
                self.world.snapshots.retain(|snapshot| snapshot.name != name);
            }
            (Ask::SnapshotDeleteAll { names }, Answer::Done) => {
                let is_listing = self.pending.values().any(|pending| matches!(pending.ask, Ask::SnapshotList { .. }));
                self.world.may_have_unknown_snapshots |= is_listing;
                self.world.snapshots.retain(|snapshot| !names.contains(&snapshot.name));
            }
            (Ask::SnapshotList { there }, Answer::Strings(names)) => {
                self.check_snapshot_names(&names, &there).map_err(wrong)?;
            }
            (Ask::SnapshotFiles { name }, Answer::Files(files)) => {
                if let Some(snapshot) = self.world.snapshots.iter_mut().find(|snapshot| snapshot.name == name) {
                    if snapshot.files.as_ref().is_some_and(|before| *before != files) {
                        return Err(wrong("the snapshot has other files than before".into()));
                    }
                    snapshot.files = Some(files);
                }
            }
            (Ask::SnapshotRead { name, path }, Answer::Bytes(bytes)) => {
                if let Some(download) = self.downloads.get_mut(&name) {
                    download.put(&path, bytes).map_err(|error| wrong(error.to_string()))?;
                }
            }
            (Ask::Delete { began }, Answer::Count(count)) => {
                self.world.model.delete_ends(began, true);
                count.hash(&mut self.world.history);
            }
            (Ask::Select { chosen, range, began, visible }, Answer::Series(found)) => {
                let bounds = self.world.model.bounds(&chosen, range, began, visible);
                self.world.model.compare(&found, &bounds).map_err(wrong)?;
                for data in &found {
                    let mut points: Vec<(i64, u64)> =
                        data.timestamps.iter().zip(&data.values).map(|(t, v)| (*t, v.to_bits())).collect();
                    points.sort_unstable();
                    self.remember_answer(&(&data.labels, points));
                }
            }
            (Ask::Labels { chosen, began, visible }, Answer::LabelSets(sets)) => {
                let numbers = sets.iter().map(number).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
                self.check_series(&chosen, began, visible, &numbers).map_err(wrong)?;
            }
            (Ask::LabelValues { chosen, began, visible }, Answer::Strings(values)) => {
                let numbers: Option<Vec<u64>> = values.iter().map(|value| value.parse().ok()).collect();
                let numbers = numbers.ok_or_else(|| wrong(format!("{values:?} are no series")))?;
                self.check_series(&chosen, began, visible, &numbers).map_err(wrong)?;
            }
            (Ask::LabelNames, Answer::Strings(names)) => {
                let known: BTreeSet<String> = (0..3).flat_map(labels).map(|(key, _)| key).collect();
                if let Some(name) = names.iter().find(|name| !known.contains(*name)) {
                    return Err(wrong(format!("nobody put in a label {name:?}")));
                }
            }
            (Ask::ExportOpen { chosen, range, began, visible }, Answer::Cursor(cursor)) => {
                self.exports
                    .insert(cursor, Export { chosen, range, began, visible, text: Vec::new(), is_waiting: false });
            }
            (Ask::ExportNext { cursor }, Answer::Chunk(chunk)) => self.exported(cursor, chunk).map_err(wrong)?,
            (_, answer) => return Err(wrong(format!("was answered with {answer:?}"))),
        }
        what.hash(&mut self.world.history);
        Ok(())
    }

    fn remember_answer(&mut self, answer: &impl Hash) {
        answer.hash(&mut self.world.answers);
        answer.hash(&mut self.world.history);
    }

    fn check_series(&mut self, chosen: &Chosen, began: Tick, visible: Tick, found: &[u64]) -> Result<(), Wrong> {
        let (must, may) = self.world.model.series_bounds(chosen, began, visible);
        let found_set: BTreeSet<u64> = found.iter().copied().collect();
        if found_set.len() != found.len() {
            return Err(format!("some series came twice: {found:?}"));
        }
        if let Some(missing) = must.difference(&found_set).next() {
            return Err(format!("series {missing} is missing"));
        }
        match found_set.difference(&may).next() {
            Some(extra) if !self.world.model.may_be_known(*extra, began) => {
                Err(format!("series {extra} was deleted, or never there"))
            }
            _ => Ok(()),
        }
    }

    fn exported(&mut self, cursor: u32, chunk: Option<Vec<u8>>) -> Result<(), Wrong> {
        let Some(export) = self.exports.get_mut(&cursor) else { return Ok(()) };
        export.is_waiting = false;
        if let Some(chunk) = chunk {
            export.text.extend(chunk);
            return Ok(());
        }
        let Some(export) = self.exports.remove(&cursor) else { return Ok(()) };
        let mut found = Vec::new();
        // Infinities are bare words, as the server of this version writes them, and staleness markers are null.
        let text =
            String::from_utf8_lossy(&export.text).replace("+Inf", "\"Infinity\"").replace("-Inf", "\"-Infinity\"");
        for line in text.lines() {
            let line: serde_json::Value =
                serde_json::from_str(line).map_err(|error| format!("a line is no JSON: {error}"))?;
            let strings = |value: &serde_json::Value| value.as_str().map(str::to_owned);
            let metric = line["metric"].as_object().ok_or("a line without labels")?;
            let mut labels: Vec<(String, String)> =
                metric.iter().filter_map(|(key, value)| Some((key.clone(), strings(value)?))).collect();
            labels.sort();
            let numbers = |name: &str| line[name].as_array().cloned().unwrap_or_default();
            let timestamps = numbers("timestamps").iter().filter_map(serde_json::Value::as_i64).collect();
            let value = |value: &serde_json::Value| match value.as_str() {
                Some("Infinity") => f64::INFINITY,
                Some("-Infinity") => f64::NEG_INFINITY,
                _ => value.as_f64().unwrap_or(f64::from_bits(STALE)),
            };
            let values = numbers("values").iter().map(value).collect();
            found.push(sandglass::engine::SeriesData { labels, timestamps, values });
        }
        let bounds = self.world.model.bounds(&export.chosen, export.range, export.began, export.visible);
        self.world.model.compare(&found, &bounds).map_err(|wrong| format!("export: {wrong}"))
    }

    fn check_snapshot_names(&self, names: &[String], there: &[String]) -> Result<(), Wrong> {
        for snapshot in self.world.snapshots.iter().filter(|snapshot| !snapshot.is_uncertain) {
            // `there` were known when it was asked for: one that was made meanwhile may be missing.
            if !names.contains(&snapshot.name) && there.contains(&snapshot.name) {
                return Err(format!("the snapshot {} is lost; there are {names:?}", snapshot.name));
            }
        }
        let is_known = |name: &String| self.world.snapshots.iter().any(|snapshot| snapshot.name == *name);
        let is_under_way = self.pending.values().any(|pending| matches!(pending.ask, Ask::Snapshot { .. }));
        match names.iter().find(|name| !is_known(name)) {
            Some(name) if !self.world.may_have_unknown_snapshots && !is_under_way => {
                Err(format!("nobody asked for the snapshot {name}"))
            }
            _ => Ok(()),
        }
    }

    // ---- checks of the whole ------------------------------------------------------------------------------------------

    /// Compares all there is with the model, and takes it as the truth from then on.
    pub fn check_all(&mut self, adopt: bool) -> Result<(), Wrong> {
        self.settle()?;
        if self.has_crashed() {
            return Ok(());
        }
        let faults_before = all_faults(&self.files);
        for _ in 0..30 {
            let found = self.select_everything()?;
            if self.has_crashed() {
                return Ok(());
            }
            let Some(found) = found else { continue };
            let bounds = self.world.model.everything();
            self.world.model.compare(&found, &bounds).map_err(|wrong| format!("after opening: {wrong}"))?;
            if adopt {
                self.world.model.adopt(&found)?;
            }
            return Ok(());
        }
        if all_faults(&self.files) == faults_before { Err("nothing can be read".into()) } else { Ok(()) }
    }

    fn select_everything(&mut self) -> Result<Option<Vec<sandglass::engine::SeriesData>>, Wrong> {
        let faults_before = all_faults(&self.files);
        let what = "select of everything".to_owned();
        let ticket = self.engine.send(Command::Select { selector: Chosen::All.selector(), range: TimeRange::ALL });
        let (begin, operations) = (self.now, self.files.operations());
        loop {
            let (has_work, next) = self.pump()?;
            let until = self.patience_ends(begin, operations);
            match self.engine.take(ticket) {
                Some(Ok(Answer::Series(found))) => return Ok(Some(found)),
                Some(Ok(other)) => return Err(format!("{what} was answered with {other:?}")),
                Some(Err(error)) => {
                    self.failed(&what, &error, faults_before, begin)?;
                    return Ok(None);
                }
                None if self.has_crashed() => return Ok(None),
                None if has_work => {}
                None => match next.filter(|next| *next <= until) {
                    Some(next) if self.world.plan.clock == Clock::Real => self.set_now(next.max(self.now + 1)),
                    _ => return Err(format!("{what} hangs")),
                },
            }
        }
    }

    /// Every file belongs to a part, the index, a snapshot, or a merge that is under way.
    pub fn check_files(&mut self) -> Result<(), Wrong> {
        let state = self.engine.inspect();
        let disk = self.files.contents();
        let mut dirs: BTreeSet<String> = BTreeSet::new();
        let mut working: Vec<String> = Vec::new();
        for partition in &state.partitions {
            for part in partition.parts.iter().filter(|part| !part.name.is_empty()) {
                let class = if part.class == sandglass::trace::event::PartClass::Big { "big" } else { "small" };
                dirs.insert(format!("data/{class}/{}/{}", partition.name, part.name));
            }
            if !partition.merges.is_empty() {
                for class in ["big", "small"] {
                    working.push(format!("data/{class}/{}/tmp/", partition.name));
                }
            }
        }
        for table in state.index.iter().flat_map(|index| &index.tables) {
            let table = &table.table;
            dirs.extend(table.parts.iter().map(|part| format!("indexdb/{}/{}", table.name, part.name)));
            dirs.insert(format!("indexdb/{}", table.name));
            working.push(format!("indexdb/{}/tmp/", table.name));
        }
        for name in state_snapshots(&disk) {
            for root in ["data/small/snapshots", "data/big/snapshots", "indexdb/snapshots", "snapshots"] {
                working.push(format!("{root}/{name}/"));
            }
        }
        // A merge may have ended already: its sources lie there until its transaction file goes.
        for path in disk.paths().filter(|path| path.contains("/txn/")) {
            let text = disk.file(path).unwrap_or_default();
            working.extend(
                String::from_utf8_lossy(&text)
                    .lines()
                    .filter(|line| !line.contains(" -> "))
                    .map(|line| format!("{line}/")),
            );
            working.push(path.to_owned());
        }
        for path in disk.paths() {
            let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
            let is_known = path == "metadata/minTimestampForCompositeIndex"
                || dirs.contains(dir)
                || working.iter().any(|prefix| path.starts_with(prefix));
            if !is_known {
                return Err(format!("{path} belongs to nothing; parts are {dirs:?}"));
            }
        }
        for dir in dirs.iter().filter(|dir| dir.starts_with("data/")) {
            let count = disk
                .paths()
                .filter(|path| path.strip_prefix(dir.as_str()).is_some_and(|rest| rest.starts_with('/')))
                .count();
            if count != 5 {
                return Err(format!("the part {dir} has {count} files"));
            }
        }
        let live: BTreeSet<u64> = self.lifecycle.live_parts().collect();
        let listed: BTreeSet<u64> =
            state.partitions.iter().flat_map(|partition| partition.parts.iter().map(|part| part.id)).collect();
        if live != listed {
            return Err(format!("by the events the parts {live:?} are live, but {listed:?} are listed"));
        }
        let running: BTreeSet<u64> = self.lifecycle.running_merges().collect();
        let listed: BTreeSet<u64> =
            state.partitions.iter().flat_map(|partition| partition.merges.iter().map(|merge| merge.id)).collect();
        if running != listed {
            return Err(format!("by the events the merges {running:?} run, but {listed:?} are listed"));
        }
        Ok(())
    }

    // ---- the end ------------------------------------------------------------------------------------------------------

    /// Asks for an orderly end and waits for it. Whether it came.
    pub fn close(&mut self) -> Result<bool, Wrong> {
        let mark = self.world.model.tick();
        let promises_before = self.world.model.promise_count();
        self.send(Command::Close, Ask::Close { mark });
        self.settle()?;
        Ok(!self.has_crashed() && self.world.model.promise_count() > promises_before)
    }

    /// Nothing more is heard of this engine; the world goes on without it.
    pub fn end(mut self) -> Box<World> {
        let is_snapshot = |pending: &Pending| {
            matches!(pending.ask, Ask::Snapshot { .. } | Ask::SnapshotDelete { .. } | Ask::SnapshotDeleteAll { .. })
        };
        if self.pending.values().any(is_snapshot) {
            self.world.may_have_unknown_snapshots = true;
        }
        self.world.model.life_ends();
        self.world
    }

    /// The engine goes on after another writer has come.
    pub fn into_zombie(self) -> (Box<World>, Zombie) {
        let zombie = Zombie { engine: self.engine, has_accepted: false, is_promising: BTreeSet::new() };
        let mut world = self.world;
        let is_snapshot = |pending: &Pending| {
            matches!(pending.ask, Ask::Snapshot { .. } | Ask::SnapshotDelete { .. } | Ask::SnapshotDeleteAll { .. })
        };
        if self.pending.values().any(is_snapshot) {
            world.may_have_unknown_snapshots = true;
        }
        world.model.life_ends();
        (world, zombie)
    }
}

fn state_snapshots(disk: &MemoryFileSystem) -> BTreeSet<String> {
    disk.paths().filter_map(|path| Some(path.strip_prefix("snapshots/")?.split_once('/')?.0.to_owned())).collect()
}

/// An engine that does not know yet that another one has taken its place.
pub struct Zombie {
    engine: Engine,
    has_accepted: bool,
    /// Tickets that would promise durability of samples that were accepted too late.
    is_promising: BTreeSet<u32>,
}

impl Zombie {
    pub fn step(&mut self, random: &Random, now: i64) -> Result<(), Wrong> {
        self.engine.pump(now, 1 + random.below(20_000));
        let number = 900_000 + random.below(5);
        let labels = labels(number);
        let text: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        match random.below(6) {
            0..3 => {
                if let Ok(series) = self.engine.series(&text) {
                    self.has_accepted |= matches!(self.engine.append(series, &[now], &[1.0]), Ok(None));
                }
            }
            3 => drop(self.engine.send(Command::ForceMerge { partition_prefix: String::new() })),
            4 => drop(self.engine.send(Command::SnapshotCreate)),
            _ => {
                let ticket = self.engine.send(Command::Sync);
                if self.has_accepted {
                    self.is_promising.insert(ticket.0);
                }
            }
        }
        self.engine.pump(now, 1 + random.below(20_000));
        for ticket in self.engine.completed() {
            let answer = self.engine.take(ticket);
            if self.is_promising.contains(&ticket.0) && matches!(answer, Some(Ok(_))) {
                return Err("a writer that was fenced off says that its samples are durable".into());
            }
        }
        Ok(())
    }
}

/// All samples of a database that nothing happens to.
pub fn select_all(
    files: Box<dyn FileSystem>,
    config: sandglass::engine::Config,
) -> Result<Vec<sandglass::engine::SeriesData>, Error> {
    let (mut engine, opened) = Engine::open(files, config)?;
    engine.run(opened)?;
    let ticket = engine.send(Command::Select { selector: Chosen::All.selector(), range: TimeRange::ALL });
    match engine.run(ticket)? {
        Answer::Series(series) => Ok(series),
        other => Err(Error::invalid(format!("{other:?}"))),
    }
}
