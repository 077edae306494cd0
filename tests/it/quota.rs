//! A storage that is full: what is refused and how, what goes on, and what becomes of all that waits once there is room.

use crate::support::{EngineExt, Random, START, config, open};
use sandglass::engine::{Answer, Clock, Command, Config, Engine};
use sandglass::error::{Error, ErrorKind};
use sandglass::fs::sim::SimFileSystem;
use sandglass::fs::{Completion, FileSystem, FileSystemStats, Notice, OpId, Request};
use sandglass::runtime::room::HEAD_ROOM_BYTES;
use sandglass::time::{DAY_MS, MINUTE_MS, TimestampMs};
use sandglass::trace::event::{Event, PartClass};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

/// A sample as (series, timestamp, value bits).
type Sample = (u64, i64, u64);

/// A disk that may refuse to write for a reason of its own, or not answer to commits until it is itself again.
#[derive(Clone)]
struct Moody {
    files: SimFileSystem,
    refuses_with: Rc<Cell<Option<ErrorKind>>>,
    refused: Vec<Completion>,
    hangs: Rc<Cell<bool>>,
    hanging: Vec<(OpId, Request)>,
}

impl FileSystem for Moody {
    fn submit(&mut self, op: OpId, request: Request) {
        match self.refuses_with.get() {
            Some(kind) if matches!(request, Request::Append { .. } | Request::Commit { .. }) => {
                self.refused.push(Completion { op, result: Err(Error::new(kind, "the disk is in a mood")) });
            }
            _ if self.hangs.get() && matches!(request, Request::Commit { .. }) => self.hanging.push((op, request)),
            _ => self.files.submit(op, request),
        }
    }
    fn poll(&mut self, now: TimestampMs, done: &mut Vec<Completion>) {
        done.append(&mut self.refused);
        if !self.hangs.get() {
            self.hanging.drain(..).for_each(|(op, request)| self.files.submit(op, request));
        }
        self.files.poll(now, done);
    }
    fn stats(&self) -> FileSystemStats {
        self.files.stats()
    }
}

/// An engine over a disk with a quota, what was accepted, and what the edge does beside.
struct Life {
    engine: Engine,
    files: SimFileSystem,
    refuses_with: Rc<Cell<Option<ErrorKind>>>,
    hangs: Rc<Cell<bool>>,
    random: Random,
    quota_bytes: u64,
    /// Whether the disk is asked what it has left, as a browser is.
    is_asked: bool,
    accepted: BTreeSet<Sample>,
    events: Vec<Event>,
}

impl Life {
    fn begin(seed: u64, is_asked: bool, config: Config) -> Self {
        let files = SimFileSystem::new(seed);
        let refuses_with = Rc::default();
        let hangs = Rc::default();
        let disk = Moody {
            files: files.clone(),
            refuses_with: Rc::clone(&refuses_with),
            refused: Vec::new(),
            hangs: Rc::clone(&hangs),
            hanging: Vec::new(),
        };
        let mut engine = open(disk, config).unwrap();
        engine.set_observed(true);
        let random = Random::new(seed);
        Self {
            engine,
            files,
            refuses_with,
            hangs,
            random,
            quota_bytes: u64::MAX,
            is_asked,
            accepted: BTreeSet::new(),
            events: Vec::new(),
        }
    }

    /// Leaves so many bytes from now on.
    fn leave(&mut self, bytes: u64) {
        self.quota_bytes = self.files.stats().stored_bytes + bytes;
        self.files.set_quota_bytes(Some(self.quota_bytes));
        self.report();
    }

    fn report(&mut self) {
        if self.is_asked {
            let left = self.quota_bytes.saturating_sub(self.files.stats().stored_bytes);
            self.engine.set_room_bytes(Some(left), self.quota_bytes);
        }
    }

    fn put(&mut self, series: u64, from: i64, count: i64) -> Result<(), Error> {
        let timestamps: Vec<i64> = (0..count).map(|i| from + i * 1_000).collect();
        let values: Vec<f64> = timestamps.iter().map(|_| self.random.below(1 << 30) as f64).collect();
        let name = series.to_string();
        self.engine.put(&[("__name__", "m"), ("series", &name)], &timestamps, &values)?;
        self.accepted.extend(timestamps.iter().zip(&values).map(|(at, value)| (series, *at, value.to_bits())));
        Ok(())
    }

    /// Lets time pass in the steps in which an edge looks after the engine.
    fn pass(&mut self, ms: i64) {
        for _ in 0..ms.div_euclid(500).max(1) {
            self.engine.advance(ms.min(500)).unwrap();
            if self.engine.wants_room(self.engine.now()) {
                self.report();
            }
        }
        self.take_events();
    }

    /// Lets seconds of a real clock pass.
    fn wake_for(&mut self, seconds: i64) {
        for _ in 0..seconds {
            let now = self.engine.now() + 1_000;
            while self.engine.pump(now, 1_000_000).has_work {}
        }
        self.take_events();
    }

    fn take_events(&mut self) {
        self.events.extend(self.engine.events().into_iter().map(|stamped| stamped.event));
    }

    fn count(&mut self, is_counted: impl Fn(&Event) -> bool) -> usize {
        self.take_events();
        self.events.iter().filter(|event| is_counted(event)).count()
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.engine.ask(Command::Sync).map(drop)
    }

    /// What a restart finds when the process ends now.
    fn after_a_kill(&self) -> BTreeSet<Sample> {
        let disk = self.files.restarted();
        let mut engine = open(disk, Config { start_time: self.engine.now(), ..config() }).unwrap();
        contents(&mut engine)
    }
}

fn contents(engine: &mut Engine) -> BTreeSet<Sample> {
    let mut found = BTreeSet::new();
    for series in engine.all("{__name__!=\"\"}").unwrap() {
        let number = series.labels.iter().find(|(key, _)| key == "series").unwrap().1.parse().unwrap();
        for (timestamp, value) in series.timestamps.iter().zip(&series.values) {
            assert!(found.insert((number, *timestamp, value.to_bits())), "{number} has {timestamp} twice");
        }
    }
    found
}

fn is_degraded(event: &Event) -> bool {
    matches!(event, Event::Degraded { .. })
}

fn is_restored(event: &Event) -> bool {
    matches!(event, Event::Restored { code: "quota" })
}

#[test]
fn a_full_disk_loses_nothing_and_goes_on_when_there_is_room() {
    let mut full = 0;
    for n in 0..40 {
        let left = n * 617;
        for is_asked in [false, true] {
            let what = format!("{left} bytes left, asked: {is_asked}");
            let mut life = Life::begin(n, is_asked, Config { memory_bytes: 1 << 20, ..config() });
            for series in 0..5 {
                life.put(series, START - 40 * DAY_MS, 700).unwrap();
            }
            // Files that live in a snapshot alone: what can be freed.
            life.sync().unwrap();
            life.engine.ask(Command::SnapshotCreate).unwrap();
            life.engine.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap();
            life.pass(1_000);
            life.leave(left);

            let mut durable = life.accepted.clone();
            let mut round = 0;
            let refused = loop {
                round += 1;
                assert!(round < 200, "{what}: it does not become full");
                let at = START + round * 100_000;
                life.put(round as u64 % 5, at, 40).unwrap();
                // New series come all the while.
                life.put(1_000 + round as u64, at, 3).unwrap();
                life.pass(1_500);
                if round % 3 == 0 {
                    match life.sync() {
                        Ok(()) => durable = life.accepted.clone(),
                        Err(error) => break error,
                    }
                }
            };
            assert_eq!(refused.kind(), ErrorKind::Quota, "{what}: {refused}");
            assert!(durable.is_subset(&life.after_a_kill()), "{what}: something durable is lost");

            // Reading goes on, and writing into memory, for a while without new parts in the storage.
            let before = life.accepted.len();
            for more in 0..20 {
                life.put(more % 5, START + 50_000_000 + more as i64 * 60_000, 20).unwrap();
                life.put(5_000 + more, START, 2).unwrap();
                life.pass(2_500);
                life.engine.flush().unwrap();
                assert!(contents(&mut life.engine) == life.accepted, "{what}: reads while it is full");
            }
            assert!(life.accepted.len() > before);
            // A merge may have made a little room meanwhile.
            let is_full = life.sync().is_err();
            if is_full {
                full += 1;
                let state = life.engine.inspect().storage;
                assert!(state.is_degraded && state.waiting_bytes > 0, "{what}: {state:?}");
                assert_eq!(state.last_storage_error.unwrap().code, "quota");
            }
            let (told, over) = (life.count(is_degraded), life.count(is_restored));
            assert!(
                told - over <= 2 && (!is_full || told > over) && told < 10,
                "{what}: told {told} times, and {over} times that it was over"
            );

            // Room comes of deleting a snapshot, and nobody has to do anything more.
            life.engine.ask(Command::SnapshotDeleteAll).unwrap();
            life.pass(2 * MINUTE_MS);
            let state = life.engine.inspect().storage;
            assert!(!state.is_degraded && state.waiting_bytes == 0, "{what}: {state:?}");
            assert!(life.count(is_restored) >= 1, "{what}: not told that it is over");
            assert!(life.after_a_kill() == life.accepted, "{what}: what waited is not durable");
            life.put(1, START + 80_000_000, 1).unwrap();
            life.engine.ask(Command::Close).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }
    assert!(full > 60, "only {full} of 80 were full for long");
}

#[test]
fn what_a_deletion_left_waiting_is_written_without_anything_new() {
    // Found by the simulation: the refused flush was the command's own, and nobody else knew of what it left in memory.
    let mut life = Life::begin(4, false, config());
    life.put(1, START, 10).unwrap();
    life.put(2, START, 10).unwrap();
    life.sync().unwrap();
    life.leave(0);
    life.engine.ask(Command::DeleteSeries { selector: "m{series=\"1\"}".into() }).unwrap_err();
    assert!(life.engine.inspect().storage.is_degraded);
    life.leave(1 << 20);
    life.pass(3 * MINUTE_MS);
    let storage = life.engine.inspect().storage;
    assert!(!storage.is_degraded && storage.waiting_bytes == 0, "{storage:?}");
    life.accepted.retain(|(series, ..)| *series == 2);
    assert_eq!(life.after_a_kill(), life.accepted);
}

#[test]
fn what_comes_after_a_full_storage_is_durable_as_soon_as_ever() {
    // Found by the simulation: once a sync had got through, what came next still waited as long as the attempts before had become rare.
    let mut life = Life::begin(3, false, config());
    life.put(1, START, 10).unwrap();
    life.leave(0);
    life.pass(10 * MINUTE_MS);
    assert!(life.engine.inspect().storage.is_degraded);
    life.leave(1 << 20);
    life.sync().unwrap();
    life.put(1, START + MINUTE_MS, 10).unwrap();
    life.pass(11_000);
    assert_eq!(life.after_a_kill(), life.accepted);
}

#[test]
fn what_falls_out_of_the_retention_makes_room() {
    let config = Config { retention_ms: 60 * DAY_MS, memory_bytes: 1 << 20, ..config() };
    for is_asked in [false, true] {
        let mut life = Life::begin(1, is_asked, config.clone());
        for series in 0..20 {
            life.put(series, START - 50 * DAY_MS, 1_000).unwrap();
        }
        life.sync().unwrap();
        life.leave(3_000);
        life.accepted.clear();
        for series in 0..20 {
            life.put(series, START, 100).unwrap();
        }
        assert_eq!(life.sync().unwrap_err().kind(), ErrorKind::Quota);
        // The old month is over.
        life.engine.advance(30 * DAY_MS).unwrap();
        life.report();
        life.pass(3 * MINUTE_MS);
        assert!(life.count(|event| matches!(event, Event::PartitionDropped { .. })) == 1);
        life.sync().unwrap();
        assert!(life.after_a_kill() == life.accepted);
    }
}

#[test]
fn series_are_deleted_from_the_head_room() {
    let mut life = Life::begin(3, true, config());
    for series in 0..50 {
        life.put(series, START, 10).unwrap();
    }
    life.sync().unwrap();
    // Nothing that adds data goes any more.
    life.leave(2_000);
    life.engine.set_room_bytes(Some(2_000), 1 << 40);
    assert_eq!(life.engine.inspect().storage.head_room_bytes, HEAD_ROOM_BYTES);
    for series in 50..80 {
        life.put(series, START, 10).unwrap();
    }
    let refused = life.sync().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Quota);
    for said in ["needs", "2000 left", "2097152 are kept", "delete snapshots"] {
        assert!(refused.message().contains(said), "{refused}");
    }
    // One that is in the storage, and one whose name waits in memory.
    for series in ["7", "60"] {
        life.engine.ask(Command::DeleteSeries { selector: format!("{{series=\"{series}\"}}") }).unwrap();
        life.accepted.retain(|(number, ..)| number.to_string() != series);
    }
    // And a name that is gone may come again.
    life.put(7, START + 1, 1).unwrap();
    life.engine.flush().unwrap();
    assert!(contents(&mut life.engine) == life.accepted);
    let stored: BTreeSet<_> = life.accepted.iter().filter(|sample| sample.0 < 50 && sample.0 != 7).copied().collect();
    assert!(life.after_a_kill() == stored, "the deletion is durable, what waits is not");
    life.leave(1 << 30);
    life.pass(MINUTE_MS);
    assert!(life.after_a_kill() == life.accepted);
}

#[test]
fn a_deletion_is_confirmed_once_it_is_durable_and_no_sooner() {
    // Found by the simulation: asked for again, the deletion found no series any more and was confirmed for that.
    let files = SimFileSystem::new(1);
    let mut engine = open(files.clone(), config()).unwrap();
    engine.put(&[("__name__", "gone")], &[START], &[1.0]).unwrap();
    engine.ask(Command::Sync).unwrap();
    files.set_quota_bytes(Some(files.stats().stored_bytes));
    let delete = || Command::DeleteSeries { selector: "gone".into() };
    for attempt in 0..2 {
        let refused = engine.ask(delete());
        assert_eq!(refused.map_err(|error| error.kind()).err(), Some(ErrorKind::Quota), "attempt {attempt}");
        assert!(engine.all("gone").unwrap().is_empty());
    }
    let mut after_crash = open(files.restarted(), config()).unwrap();
    assert_eq!(after_crash.all("gone").unwrap().len(), 1);
    files.set_quota_bytes(None);
    engine.ask(delete()).unwrap();
    let mut after_crash = open(files.restarted(), config()).unwrap();
    assert!(after_crash.all("gone").unwrap().is_empty());
}

#[test]
fn too_much_that_waits_is_refused_and_nothing_is_half_accepted() {
    for kind in [ErrorKind::Quota, ErrorKind::Storage] {
        let mut life = Life::begin(4, false, Config { cache_bytes: 0, ..config() });
        life.put(0, START, 1).unwrap();
        life.sync().unwrap();
        if kind == ErrorKind::Quota {
            life.leave(0);
        } else {
            life.refuses_with.set(Some(kind));
        }
        let limit = life.engine.inspect().storage.waiting_limit_bytes;
        assert_eq!(limit, 4 << 20);
        let mut at = START;
        let refused = loop {
            at += 10_000_000;
            match life.put(1, at - 100 * DAY_MS, 10_000) {
                Ok(()) => life.pass(1_000),
                Err(error) => break error,
            }
            assert!(at < START + 1_000 * 10_000_000, "nothing is ever refused");
        };
        assert_eq!(refused.kind(), kind, "{refused}");
        assert!(refused.message().contains("4194304"), "{refused}");
        assert!(life.engine.inspect().storage.waiting_bytes > limit / 2);
        // Of a body nothing is taken either.
        let lines: String = (0..50_000).map(|n| format!("body{{series=\"9\"}} {n} {}\n", START + n)).collect();
        let ingested = life.engine.ask(Command::Ingest {
            format: sandglass::engine::BodyFormat::Prometheus,
            body: lines.into(),
            timestamp: START,
            extra_labels: Vec::new(),
            first_line: 1,
            body_number: 1,
        });
        assert_eq!(ingested.unwrap_err().kind(), kind);
        life.engine.flush().unwrap();
        assert!(contents(&mut life.engine) == life.accepted, "reads, and nothing that was refused");
        // In-memory parts have not become many meanwhile.
        let parts = life.engine.inspect().partitions.iter().map(|partition| partition.parts.len()).max();
        assert!(parts < Some(64), "{parts:?} parts");

        life.files.set_quota_bytes(None);
        life.refuses_with.set(None);
        life.pass(2 * MINUTE_MS);
        assert!(!life.engine.inspect().storage.is_degraded);
        life.put(1, START, 10_000).unwrap();
        life.sync().unwrap();
        assert!(life.after_a_kill() == life.accepted);
    }
}

#[test]
fn a_body_of_which_nothing_was_taken_can_be_tried_again_whatever_others_write() {
    let mut life = Life::begin(4, false, Config { cache_bytes: 0, ..config() });
    life.put(1, START, 1).unwrap();
    life.sync().unwrap();
    life.leave(0);
    for rows in [10_000, 1_000, 100] {
        let mut at = START;
        while life.put(1, at - 100 * DAY_MS, rows).is_ok() {
            at += 10_000_000;
            life.pass(1_000);
            assert!(at < START + 1_000 * 10_000_000, "nothing is ever refused");
        }
    }
    let other = life.engine.series(&[("__name__", "m"), ("series", "1")]).unwrap();
    let open = Command::IngestOpen {
        format: sandglass::engine::BodyFormat::Prometheus,
        compression: Default::default(),
        timestamp: START,
        extra_labels: Vec::new(),
    };
    let Answer::Cursor(ingest) = life.engine.ask(open).unwrap() else { panic!() };
    let lines: String = (0..5_000).map(|n| format!("body 1 {}\n", START + n)).collect();
    let piece = life.engine.send(Command::IngestPiece { ingest, bytes: lines.into() });
    let mut others = 0;
    let refused = loop {
        if let Some(answer) = life.engine.take(piece) {
            break answer.unwrap_err();
        }
        life.engine.pump(START, 1);
        if others < 20 {
            life.engine.append(other, &[START + others], &[1.0]).unwrap();
            others += 1;
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Quota);
    assert!(others > 1);
    life.files.set_quota_bytes(None);
    life.pass(2 * MINUTE_MS);
    life.engine.ask(Command::IngestPiece { ingest, bytes: Default::default() }).unwrap();
    let Answer::Ingested(result) = life.engine.ask(Command::IngestEnd { ingest }).unwrap() else { panic!() };
    assert_eq!((result.samples, result.rejected), (5_000, 0));
    life.engine.flush().unwrap();
    assert_eq!(life.engine.all("body").unwrap()[0].timestamps.len(), 5_000);
}

#[test]
fn a_disk_that_does_not_answer_is_told_of_and_does_not_fill_the_memory() {
    let mut life = Life::begin(9, false, Config { clock: Clock::Real, cache_bytes: 0, ..config() });
    life.put(1, START, 10).unwrap();
    life.wake_for(20);
    assert!(life.after_a_kill() == life.accepted);
    life.hangs.set(true);
    life.put(1, START + MINUTE_MS, 10).unwrap();
    life.wake_for(12);
    // Who has slept for a night knows nothing of the disk.
    let morning = life.engine.now() + DAY_MS / 2;
    life.engine.pump(morning, 1_000_000);
    life.wake_for(8);
    assert_eq!(life.count(is_degraded), 0);
    life.wake_for(40);
    assert_eq!(life.count(is_degraded), 1);
    assert_eq!(life.engine.inspect().storage.last_storage_error.unwrap().code, "storage");
    let mut at = START;
    let refused = loop {
        at += 10_000_000;
        match life.put(1, at - 100 * DAY_MS, 10_000) {
            Ok(()) => life.wake_for(1),
            Err(error) => break error,
        }
        assert!(at < START + 1_000 * 10_000_000, "nothing is ever refused");
    };
    assert_eq!(refused.kind(), ErrorKind::Storage, "{refused}");
    assert!(refused.message().contains("4194304"), "{refused}");
    assert!(contents(&mut life.engine) == life.accepted, "what waits can't be read");

    life.hangs.set(false);
    life.wake_for(30);
    let state = life.engine.inspect().storage;
    assert!(!state.is_degraded && state.waiting_bytes == 0, "{state:?}");
    assert_eq!(life.count(|event| matches!(event, Event::Restored { code: "storage" })), 1);
    assert!(life.after_a_kill() == life.accepted);
}

#[test]
fn merges_that_do_not_fit_are_put_off_and_made_up_for() {
    let mut life = Life::begin(5, false, config());
    // Fourteen parts of data and of the index, one less than a merge wants.
    for round in 0..14 {
        for series in 0..10 {
            life.put(100 * round + series, START + round as i64 * 60_000, 50).unwrap();
        }
        life.sync().unwrap();
    }
    let small = |life: &Life| life.engine.inspect().partitions[0].parts.len();
    assert_eq!(small(&life), 14);
    let part_bytes = life.engine.inspect().partitions[0].parts.iter().map(|part| part.bytes).max().unwrap();
    life.engine.set_room_bytes(Some(3 * part_bytes), 0);
    for round in 14..16 {
        for series in 0..10 {
            life.put(100 * round + series, START + round as i64 * 60_000, 10).unwrap();
        }
        life.pass(7_000);
    }
    life.pass(MINUTE_MS);
    let put_off = life.count(|event| matches!(event, Event::MergePutOff { .. } | Event::IndexMergePutOff { .. }));
    assert!((1..=3).contains(&put_off), "told {put_off} times");
    assert_eq!(life.engine.inspect().storage.merges_put_off, put_off as u64);
    assert!(small(&life) >= 14, "{} parts", small(&life));

    // Somebody who insists is told, and nothing is changed.
    let before: Vec<_> = life.engine.inspect().partitions[0].parts.iter().map(|part| part.id).collect();
    let refused = life.engine.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Quota, "{refused}");
    let after: Vec<_> = life.engine.inspect().partitions[0].parts.iter().map(|part| part.id).collect();
    assert_eq!(before, after);

    life.engine.set_room_bytes(Some(1 << 30), 0);
    life.pass(MINUTE_MS);
    assert!(small(&life) < 5, "{} parts", small(&life));
    assert!(life.engine.inspect().index.unwrap().tables[0].table.parts.len() < 5);
    assert!(life.after_a_kill() == life.accepted);
}

#[test]
fn a_merge_that_runs_out_of_room_does_no_harm() {
    // The disk says that there is room, and then there is not.
    let mut life = Life::begin(6, false, config());
    for round in 0..20 {
        for series in 0..10 {
            life.put(series, START + round as i64 * 60_000, 50).unwrap();
        }
        life.sync().unwrap();
    }
    life.leave(500);
    let writes = life.files.stats().operations;
    let refused = life.engine.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Quota);
    life.pass(10 * MINUTE_MS);
    let tries = life.files.stats().operations - writes;
    assert!(tries < 500, "{tries} operations in ten minutes in which nothing can be done");
    assert!(contents(&mut life.engine) == life.accepted);
    assert!(life.after_a_kill() == life.accepted);
}

#[test]
fn closing_a_full_database_tells_what_was_not_stored() {
    let mut life = Life::begin(7, false, config());
    life.put(1, START, 5).unwrap();
    life.sync().unwrap();
    let stored = life.accepted.clone();
    life.leave(0);
    life.put(1, START + 10_000, 7).unwrap();
    let refused = life.engine.ask(Command::Close).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Quota);
    assert!(refused.message().starts_with("7 samples were not stored"), "{refused}");
    assert!(life.engine.is_closed());
    assert!(life.after_a_kill() == stored);
}

#[test]
fn in_memory_parts_are_no_file_parts() {
    let mut life = Life::begin(8, false, config());
    life.put(1, START, 5).unwrap();
    life.sync().unwrap();
    life.leave(0);
    for round in 0..100 {
        life.put(1, START + round * 10_000, 5).unwrap();
        life.pass(1_500);
    }
    let state = life.engine.inspect();
    let parts = &state.partitions[0].parts;
    let in_memory = parts.iter().filter(|part| part.class == PartClass::InMemory).count();
    assert!((1..40).contains(&in_memory), "{in_memory} of {} parts", parts.len());
    // A snapshot would have to hold them.
    assert_eq!(life.engine.ask(Command::SnapshotCreate).unwrap_err().kind(), ErrorKind::Quota);
    life.leave(1 << 20);
    life.engine.ask(Command::SnapshotCreate).unwrap();
    assert!(life.after_a_kill() == life.accepted);
}

/// A disk that says how it is, as one does whose connection may break.
struct Telling {
    files: SimFileSystem,
    notices: Rc<RefCell<Vec<Notice>>>,
}

impl FileSystem for Telling {
    fn submit(&mut self, op: OpId, request: Request) {
        self.files.submit(op, request);
    }
    fn poll(&mut self, now: TimestampMs, done: &mut Vec<Completion>) {
        self.files.poll(now, done);
    }
    fn stats(&self) -> FileSystemStats {
        self.files.stats()
    }
    fn take_notices(&mut self, notices: &mut Vec<Notice>) {
        notices.append(&mut self.notices.borrow_mut());
    }
}

#[test]
fn what_a_storage_says_of_itself_is_told_when_it_begins_and_when_it_is_over() {
    let notices = Rc::new(RefCell::new(Vec::new()));
    let mut engine = open(Telling { files: SimFileSystem::new(1), notices: notices.clone() }, config()).unwrap();
    engine.set_observed(true);
    for round in 0..2 {
        for what in ["the connection is gone", "there is no new one"] {
            notices.borrow_mut().push(Notice::Trouble(Error::new(ErrorKind::Storage, what)));
            engine.advance(500).unwrap();
        }
        let state = engine.inspect().storage;
        assert!(state.is_degraded, "round {round}");
        notices.borrow_mut().push(Notice::Over);
        engine.advance(500).unwrap();
        assert!(!engine.inspect().storage.is_degraded, "round {round}");
        let told: Vec<Event> = engine.events().into_iter().map(|stamped| stamped.event).collect();
        let told: Vec<&Event> =
            told.iter().filter(|event| is_degraded(event) || matches!(event, Event::Restored { .. })).collect();
        let [Event::Degraded { code: "storage", message }, Event::Restored { code: "storage" }] = told[..] else {
            panic!("round {round}: {told:?}")
        };
        assert!(message.contains("the connection is gone"), "round {round}: {message}");
    }
}
