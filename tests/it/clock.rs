//! Clocks that jump: a tab whose timers come once a minute, a laptop that slept, a clock that somebody set back.

use crate::machine::Machine;
use crate::support::{EngineExt, Random, START, SharedFiles, open, query_of};
use sandglass::engine::{Answer, Clock, Command, Config, Engine};
use sandglass::error::{Error, ErrorKind};
use sandglass::executor::{Stopwatch, Times};
use sandglass::fs::{Change, Completion, FileSystem, FileSystemStats, OpId, Request};
use sandglass::query::dialect::Dialect;
use sandglass::runtime::Lane;
use sandglass::storage::{Storage, StorageOptions};
use sandglass::time::{
    DAY_MS, HOUR_MS, MAX_RETENTION_MS, MAX_TIMESTAMP_MS, MINUTE_MS, SECOND_MS, TimeRange, TimestampMs,
};
use sandglass::trace::event::PartClass;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Samples by series and time.
type Model = BTreeMap<(u64, i64), u64>;

struct Life {
    engine: Engine,
    files: SharedFiles,
    now: TimestampMs,
    model: Model,
}

fn config(start_time: TimestampMs) -> Config {
    Config { clock: Clock::Real, retention_ms: MAX_RETENTION_MS, dedup_interval_ms: 1, ..Config::new(start_time) }
}

impl Life {
    fn begin() -> Self {
        let files = SharedFiles::default();
        let (engine, opened) = Engine::open(Box::new(files.clone()), config(START)).unwrap();
        let mut life = Self { engine, files, now: START, model: Model::new() };
        life.engine.run(opened).unwrap();
        life
    }

    /// What an edge does when its timer comes: it lets the engine work until nothing is left to do at this instant.
    fn wake(&mut self) -> Option<TimestampMs> {
        for _ in 0..10_000 {
            let pumped = self.engine.pump(self.now, 50_000);
            if !pumped.has_work {
                return pumped.next_due;
            }
        }
        panic!("it does not come to rest at {}", self.now);
    }

    fn put(&mut self, random: &mut Random) {
        let series = random.below(5);
        let name = series.to_string();
        let handle = self.engine.series(&[("__name__", "m"), ("series", &name)]).unwrap();
        // Long ago by all the clocks.
        let at = 1_000 * DAY_MS + self.model.len() as i64 * SECOND_MS;
        let value = random.below(1_000) as f64;
        let appended = self.engine.append(handle, &[at], &[value]).unwrap();
        if let Some(ticket) = appended {
            self.engine.run(ticket).unwrap();
        }
        self.model.insert((series, at), value.to_bits());
    }

    fn contents(&mut self) -> Model {
        let mut found = Model::new();
        let flushed = self.engine.send(Command::Flush);
        self.engine.run(flushed).unwrap();
        let selected = self.engine.send(Command::Select { selector: "m".into(), range: TimeRange::ALL });
        let Ok(Answer::Series(series)) = self.engine.run(selected) else { panic!("no series") };
        for series in series {
            let number = series.labels[1].1.parse().unwrap();
            found.extend(series.timestamps.iter().zip(&series.values).map(|(at, v)| ((number, *at), v.to_bits())));
        }
        found
    }

    /// Whether all is in file parts and in the index.
    fn is_durable(&self) -> bool {
        let state = self.engine.inspect();
        let is_stored = |class: PartClass| class != PartClass::InMemory;
        state.storage.waiting_bytes == 0
            && state.partitions.iter().all(|partition| partition.parts.iter().all(|part| is_stored(part.class)))
    }
}

#[test]
fn whatever_the_clock_does_samples_become_durable_within_seconds() {
    let jumps = [
        MINUTE_MS,
        10 * HOUR_MS,
        40 * DAY_MS,
        -5 * HOUR_MS,
        -40 * DAY_MS,
        3_000 * DAY_MS,
        -3_000 * DAY_MS,
        -1,
        1 - 2 * SECOND_MS,
    ];
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let mut life = Life::begin();
        for _ in 0..12 {
            for _ in 0..random.below(20) {
                life.put(&mut random);
                if random.chance(50) {
                    life.now += random.below(2_000) as i64;
                    life.wake();
                }
            }
            let jump = jumps[random.below(jumps.len() as u64) as usize];
            // Within some decades of the start.
            let is_far = (life.now + jump - START).abs() > 9_000 * DAY_MS;
            let jump = if is_far { -jump } else { jump };
            life.now += jump;
            let due = life.wake();
            assert!(due.is_none_or(|due| due > life.now), "seed {seed}: due at {due:?} at {} already", life.now);
            life.put(&mut random);
            // Twenty seconds, in steps as timers make them: when something falls due, at most a second too late.
            let end = life.now + 20 * SECOND_MS;
            let mut wakes = 0;
            while life.now < end {
                let due = life.wake().unwrap_or(end).clamp(life.now + 1, end);
                life.now = due + random.below(2) as i64 * random.below(1_000) as i64;
                wakes += 1;
            }
            life.wake();
            assert!(wakes < 200, "seed {seed}: {wakes} wakes in twenty seconds after a jump of {jump} ms");
            assert!(life.is_durable(), "seed {seed}: not durable twenty seconds after a jump of {jump} ms");
            let found = life.contents();
            assert!(found == life.model, "seed {seed}, jump of {jump} ms: {} for {}", found.len(), life.model.len());
        }
        let files = life.files.clone();
        let (engine, opened) = Engine::open(Box::new(files.clone()), config(START)).unwrap();
        let mut again = Life { engine, files, now: START, model: life.model };
        again.engine.run(opened).unwrap();
        assert!(again.contents() == again.model, "seed {seed}: after a restart");
    }
}

#[test]
fn a_late_timer_runs_what_fell_due_once() {
    let mut life = Life::begin();
    life.engine.set_observed(true);
    life.put(&mut Random::new(1));
    life.wake();
    life.engine.events();
    life.now += 40 * DAY_MS;
    life.wake();
    let spent: u64 = life.engine.inspect().scheduler.lanes.iter().map(|lane| lane.units).sum();
    let events = life.engine.events().len();
    assert!(events < 10, "{events} events after forty days in which one sample waited");
    assert!(spent < 100_000, "{spent} units of work");
}

#[test]
fn a_month_may_fall_out_of_the_retention_while_a_snapshot_is_made() {
    // As with a forced merge and a sync: the month has nothing to give any more, and the others must not miss the snapshot for it.
    let start = 1_711_929_600_000 - HOUR_MS;
    let retention_ms = 31 * DAY_MS;
    for pumps in [0, 1, 5, 20] {
        let files = SharedFiles::default();
        let config = Config { retention_ms, ..config(start) };
        let (mut engine, opened) = Engine::open(Box::new(files), config).unwrap();
        engine.run(opened).unwrap();
        for series in 0..40 {
            let handle = engine.series(&[("__name__", "m"), ("series", &series.to_string())]).unwrap();
            // In the last hour of the month that goes, and in the present one.
            for from in [start - retention_ms + MINUTE_MS, start - HOUR_MS] {
                let timestamps: Vec<i64> = (0..2_000).map(|at| from + at * SECOND_MS).collect();
                if let Some(ticket) = engine.append(handle, &timestamps, &[1.0; 2_000]).unwrap() {
                    engine.run(ticket).unwrap();
                }
            }
        }
        let months = engine.inspect().partitions.len();
        assert_eq!(months, 2);
        // What is due by then competes with the snapshot.
        for _ in 0..pumps {
            engine.pump(start + 2 * DAY_MS, 1);
        }
        let snapshot = engine.send(Command::SnapshotCreate);
        for _ in 0..1_000 {
            engine.pump(start + 2 * DAY_MS, 1);
        }
        let answer = engine.run(snapshot);
        assert!(matches!(answer, Ok(Answer::Snapshot(_))), "behind {pumps} pumps: {answer:?}");
        assert_eq!(engine.inspect().partitions.len(), 1, "the month is still there");
    }
}

#[test]
fn at_the_end_of_time_samples_behind_it_are_refused() {
    let files = SharedFiles::default();
    let config = Config { clock: Clock::Manual, ..config(MAX_TIMESTAMP_MS) };
    let mut engine = open(files.clone(), config.clone()).unwrap();
    let names = ["a", "b"];
    let handles = names.map(|name| engine.series(&[("__name__", name)]).unwrap());
    // Within the two days that samples may be ahead.
    let timestamps = [MAX_TIMESTAMP_MS - 1, MAX_TIMESTAMP_MS, MAX_TIMESTAMP_MS + 1, MAX_TIMESTAMP_MS + DAY_MS];
    engine.put(&[("__name__", names[0])], &timestamps, &[1.0; 4]).unwrap();
    for timestamp in timestamps {
        if let Some(ticket) = engine.append_row(&handles.map(|handle| handle.0), timestamp, &[2.0; 2]).unwrap() {
            engine.run(ticket).unwrap();
        }
    }
    assert_eq!(engine.inspect().ingested.rejected_too_new, 2 + 2 * 2);
    engine.ask(Command::Close).unwrap();
    let mut engine = open(files, config).unwrap();
    for (name, value) in [("a", 2.0), ("b", 2.0)] {
        let found = engine.all(name).unwrap();
        assert_eq!(found[0].timestamps, [MAX_TIMESTAMP_MS - 1, MAX_TIMESTAMP_MS], "{name}");
        assert_eq!(found[0].values, [value; 2], "{name}");
    }
}

/// A stopwatch that shows what the test sets.
struct Shown(Rc<Cell<f64>>);

impl Stopwatch for Shown {
    fn milliseconds(&self) -> f64 {
        self.0.get()
    }
}

#[test]
fn a_query_times_out_when_time_has_passed_and_not_when_a_clock_was_set() {
    for clock in [Clock::Real, Clock::Manual] {
        // By how much the clock is set while the query is under way, and how much time passes.
        for (set_by, passed_ms, is_too_long) in [
            (DAY_MS, 1_000.0, false),
            (-DAY_MS, 1_000.0, false),
            (0, 29_000.0, false),
            (0, 31_000.0, true),
            (-DAY_MS, 31_000.0, true),
            (DAY_MS, 31_000.0, true),
        ] {
            let mut engine = open(SharedFiles::default(), Config { clock, ..config(START) }).unwrap();
            let time = Rc::new(Cell::new(5.0));
            engine.set_stopwatch(Rc::new(Shown(time.clone())));
            for number in 0..40 {
                let labels = [("__name__", "m"), ("number", &*number.to_string())];
                engine.put(&labels, &[START - 60_000, START - 30_000], &[1.0, 2.0]).unwrap();
            }
            engine.flush().unwrap();
            let times = Times::Instant { time_ms: START, step_ms: None };
            let query = engine.send(Command::Query(query_of("sum(m) + count(m)", Dialect::MetricsQl, times)));
            for _ in 0..3 {
                engine.pump(START, 1);
            }
            assert!(engine.take(query).is_none(), "the query is over before its time");
            time.set(time.get() + passed_ms);
            engine.pump(START + set_by, 1);
            let is_timeout = engine.run(query).is_err_and(|error| error.is_timeout());
            assert_eq!(is_timeout, is_too_long, "{clock:?}, set by {set_by}, after {passed_ms}");
        }
    }
}

/// A storage on a machine whose clock can be set, over files that may refuse to be removed.
struct Months {
    machine: Machine,
    storage: Rc<Storage>,
    files: SharedFiles,
    keeps_files: Rc<Cell<bool>>,
}

/// Files that can't be removed for a while.
struct Stubborn {
    files: SharedFiles,
    keeps_files: Rc<Cell<bool>>,
    refused: Vec<Completion>,
}

impl FileSystem for Stubborn {
    fn submit(&mut self, op: OpId, request: Request) {
        let removes = |change: &Change| matches!(change, Change::Remove { .. });
        match &request {
            Request::Commit { changes } if self.keeps_files.get() && changes.iter().any(removes) => {
                self.refused.push(Completion { op, result: Err(Error::new(ErrorKind::Storage, "it stays")) });
            }
            _ => self.files.submit(op, request),
        }
    }
    fn poll(&mut self, now: TimestampMs, done: &mut Vec<Completion>) {
        done.append(&mut self.refused);
        self.files.poll(now, done);
    }
    fn stats(&self) -> FileSystemStats {
        self.files.stats()
    }
}

impl Months {
    fn open(files: SharedFiles, now: TimestampMs) -> Self {
        let keeps_files = Rc::<Cell<bool>>::default();
        let stubborn = Stubborn { files: files.clone(), keeps_files: keeps_files.clone(), refused: Vec::new() };
        let mut machine = Machine::new(stubborn, now);
        let options = StorageOptions::from_config(31 * DAY_MS, 0, now).unwrap();
        let context = machine.context.clone();
        let storage = machine.run(async move { Storage::open(&context, options).await }).unwrap();
        Self { machine, storage, files, keeps_files }
    }

    /// Appends a sample of the present month. What became of it is there once it is settled.
    fn append(&mut self, value: f64) -> Rc<RefCell<Option<Result<u64, Error>>>> {
        let (storage, appended) = (self.storage.clone(), Rc::<RefCell<_>>::default());
        let handle = storage.series_handle(&[("__name__", "m")]).unwrap();
        let (settled, now) = (appended.clone(), self.machine.now);
        self.machine.context.spawn(Lane::Query, async move {
            let appended = storage.append_run(handle, &[now], &[value]).await;
            settled.replace(Some(appended.map(|refused| refused.rejected())));
        });
        self.machine.tick(1_000);
        appended
    }

    fn sync(&mut self) {
        let storage = self.storage.clone();
        self.machine.run(async move { storage.sync().await }).unwrap();
    }

    fn values(&mut self) -> Vec<f64> {
        let storage = self.storage.clone();
        let found = self.machine.run(async move {
            let series = storage.find_series(&[Vec::new()], TimeRange::ALL, usize::MAX).await?;
            storage.read_all(&series, TimeRange::ALL).await
        });
        found.unwrap().into_iter().flat_map(|samples| samples.values).collect()
    }

    /// As a restart finds it.
    fn reopened(self) -> Self {
        Self::open(self.files, self.machine.now)
    }
}

#[test]
fn a_month_that_comes_back_before_it_is_buried_loses_nothing_new() {
    for is_held in [true, false] {
        let mut months = Months::open(SharedFiles::default(), START);
        assert!(months.append(1.0).take().unwrap().is_ok());
        months.sync();
        // A long search, or a storage that does not remove what it is told to.
        let mut holder = is_held.then(|| months.storage.table().partitions()[0].parts());
        months.keeps_files.set(!is_held);
        months.machine.now += 60 * DAY_MS;
        months.machine.tick(MINUTE_MS);
        assert!(months.storage.table().partitions().is_empty(), "the month is dropped");
        months.machine.now -= 60 * DAY_MS;
        let appended = months.append(2.0);
        if !is_held {
            // Nobody is left to wait for ever: a database that is to be closed waits for its commands.
            let refused = appended.take().expect("the append ends").unwrap_err();
            assert!(refused.kind() == ErrorKind::Storage && refused.message().contains("2024_03"), "{refused}");
        }
        holder.take();
        months.keeps_files.set(false);
        months.machine.tick(2 * MINUTE_MS);
        let appended = if is_held { appended } else { months.append(2.0) };
        assert_eq!(appended.take(), Some(Ok(0)), "held: {is_held}");
        months.sync();
        months.machine.tick(2 * MINUTE_MS);
        assert_eq!(months.values(), [2.0], "held: {is_held}");
        let mut months = months.reopened();
        assert_eq!(months.values(), [2.0], "held: {is_held}, after a restart");
    }
}
