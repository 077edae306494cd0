//! Clocks that jump: a tab whose timers come once a minute, a laptop that slept, a clock that somebody set back.

use crate::support::{Random, START, SharedFiles};
use sandglass::engine::{Answer, Clock, Command, Config, Engine};
use sandglass::time::{DAY_MS, HOUR_MS, MAX_RETENTION_MS, MINUTE_MS, SECOND_MS, TimeRange, TimestampMs};
use sandglass::trace::event::PartClass;
use std::collections::BTreeMap;

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
