//! The log: what was appended is durable within a second, whatever happens then, and is there once.

use crate::machine::Machine;
use crate::support::{EngineExt, Random, START, SharedFiles, config, open};
use sandglass::engine::{Answer, Command, Config, Engine};
use sandglass::error::{Error, ErrorKind, Result};
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::fs::sim::SimFileSystem;
use sandglass::fs::{Completion, FileSystem, FileSystemStats, MemoryReader, OpId, Request};
use sandglass::log::{NameOf, Replay, RowLog};
use sandglass::metric::row::Rows;
use sandglass::runtime::Lane;
use sandglass::time::{DAY_MS, MINUTE_MS, TimeRange};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// A sample as (series, timestamp, value).
type Sample = (u64, i64, i64);

fn logged() -> Config {
    Config { durable_within_ms: 1_000, ..config() }
}

#[derive(Default)]
struct Ledger {
    offered: BTreeSet<Sample>,
    accepted: BTreeSet<Sample>,
    durable: BTreeSet<Sample>,
    maybe_deleted: BTreeSet<u64>,
}

fn put(engine: &mut Engine, ledger: &mut Ledger, series: u64, from: i64, count: i64) -> Result<()> {
    let timestamps: Vec<i64> = (0..count).map(|i| from + i * 10).collect();
    let values: Vec<f64> = timestamps.iter().map(|timestamp| (timestamp % 1_000_003) as f64).collect();
    let samples = timestamps.iter().map(|timestamp| (series, *timestamp, timestamp % 1_000_003));
    ledger.offered.extend(samples.clone());
    engine.put(&[("__name__", "m"), ("series", &series.to_string())], &timestamps, &values)?;
    ledger.accepted.extend(samples);
    Ok(())
}

/// Nothing is older than a second after each step. `forgiving`: faults are skipped, as a program would that tries again later.
fn live(engine: &mut Engine, ledger: &mut Ledger, forgiving: bool) -> Result<()> {
    let check = |result: Result<()>| if forgiving { Ok(()) } else { result };
    for second in 0..40_i64 {
        let now = START + second * 1_000;
        check(put(engine, ledger, second as u64 % 3, now, 2))?;
        if second % 8 == 0 {
            check(put(engine, ledger, 100 + second as u64, now - 40 * DAY_MS, 1))?;
        }
        let before = ledger.accepted.clone();
        let passed = engine.advance(1_000);
        match passed {
            Ok(()) if !forgiving => ledger.durable = before,
            result => check(result)?,
        }
        match second {
            5 => match engine.ask(Command::Sync) {
                Ok(_) => ledger.durable = ledger.accepted.clone(),
                Err(error) => check(Err(error))?,
            },
            12 => check(engine.ask(Command::SnapshotCreate).map(drop))?,
            20 => {
                ledger.maybe_deleted.insert(2);
                check(engine.ask(Command::DeleteSeries { selector: "{series=\"2\"}".into() }).map(drop))?;
            }
            35 => check(engine.ask(Command::ForceMerge { partition_prefix: String::new() }).map(drop))?,
            _ => {}
        }
    }
    let before = ledger.accepted.clone();
    match engine.ask(Command::Close) {
        Ok(_) => ledger.durable = before,
        Err(error) => check(Err(error))?,
    }
    Ok(())
}

fn contents(engine: &mut Engine) -> BTreeSet<Sample> {
    engine.flush().unwrap();
    let mut found = BTreeSet::new();
    for series in engine.all("m").unwrap() {
        let number = series.labels.iter().find(|(key, _)| key == "series").unwrap().1.parse().unwrap();
        for (timestamp, value) in series.timestamps.iter().zip(&series.values) {
            assert!(found.insert((number, *timestamp, *value as i64)), "{number} has {timestamp} twice");
        }
    }
    found
}

fn check_survivors(files: SimFileSystem, ledger: &Ledger, config: Config, what: &str) {
    let start_time = START + DAY_MS;
    let mut engine = open(files, Config { start_time, ..config })
        .unwrap_or_else(|error| panic!("{what}: cannot be opened: {error}"));
    let found = contents(&mut engine);
    let is_deleted = |sample: &&Sample| ledger.maybe_deleted.contains(&sample.0);
    let lost: Vec<_> = ledger.durable.difference(&found).filter(|sample| !is_deleted(sample)).take(3).collect();
    assert!(lost.is_empty(), "{what}: durable samples are lost, such as {lost:?}");
    let invented: Vec<_> = found.difference(&ledger.offered).take(3).collect();
    assert!(invented.is_empty(), "{what}: samples that nobody put in, such as {invented:?}");
    // And it goes on working, over another crash that comes before anything was written.
    let mut after = Ledger::default();
    put(&mut engine, &mut after, 0, start_time, 3).unwrap();
    engine.advance(40_000).unwrap();
    assert_eq!(contents(&mut engine), &found | &after.accepted, "{what}: after going on");
    engine.ask(Command::Close).unwrap();
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_is_older_than_a_second() {
    let mut number = 0;
    loop {
        let files = SimFileSystem::new(number);
        files.crash_at(number);
        let mut ledger = Ledger::default();
        if let Ok(mut engine) = open(files.clone(), logged()) {
            let _ = live(&mut engine, &mut ledger, false);
        }
        if !files.has_crashed() {
            assert!(number > 150, "a life of only {number} operations shows little");
            check_survivors(files.restarted(), &ledger, logged(), "no crash");
            return;
        }
        let survivors = files.restarted();
        let second = survivors.restarted();
        second.crash_at(number % 17);
        let _ = open(second.clone(), Config { start_time: START + DAY_MS / 2, ..logged() });
        check_survivors(
            second.restarted(),
            &ledger,
            logged(),
            &format!("two crashes, the first at operation {number}"),
        );
        // One that keeps no log finds what is in it all the same.
        let next = if number % 2 == 0 { logged() } else { config() };
        check_survivors(survivors, &ledger, next, &format!("crash at operation {number}"));
        number += 1;
    }
}

#[test]
fn a_fault_at_any_operation_is_survived() {
    let mut number = 0;
    loop {
        let files = SimFileSystem::new(number);
        files.fail_at(number);
        let mut ledger = Ledger::default();
        let what = format!("operation {number} failed");
        let mut engine = match open(files.clone(), logged()) {
            Ok(engine) => engine,
            Err(_) => open(files.clone(), logged()).unwrap_or_else(|error| panic!("{what}: {error}")),
        };
        live(&mut engine, &mut ledger, true).unwrap();
        let is_last = files.operations() <= number;
        check_survivors(files.restarted(), &ledger, logged(), &what);
        if is_last {
            return;
        }
        number += 1;
    }
}

/// A session of a database that is never closed: rows of two months each second, now and then something that makes parts.
fn drip(engine: &mut Engine, ledger: &mut Ledger, random: &mut Random, start: i64) -> Result<()> {
    for second in 0.. {
        let now = start + second * 1_000;
        for scrape in 0..1 + random.below(4) as i64 {
            let month = if random.chance(30) { 40 * DAY_MS } else { 0 };
            put(engine, ledger, random.below(40), now + scrape * 100 - month, 1 + random.below(3) as i64)?;
            engine.flush()?;
        }
        let before = ledger.accepted.clone();
        engine.advance(1_000)?;
        ledger.durable = before;
        match random.below(30) {
            0 => engine.ask(Command::ForceMerge { partition_prefix: String::new() }).map(drop)?,
            1..10 => engine.ask(Command::SnapshotCreate).map(drop)?,
            _ => {}
        }
    }
    Ok(())
}

/// Files whose log is read last: each of its records comes when all else that goes on at an opening, such as a merge, has come to rest.
struct LateLog {
    files: MemoryFileSystem,
    held: VecDeque<(OpId, Request)>,
    idle_polls: u32,
}

impl LateLog {
    fn over(files: MemoryFileSystem) -> Self {
        Self { files, held: VecDeque::new(), idle_polls: 0 }
    }
}

impl FileSystem for LateLog {
    fn submit(&mut self, op: OpId, request: Request) {
        match &request {
            Request::Read { file, .. } if file.as_str().starts_with("log/") => self.held.push_back((op, request)),
            _ => self.files.submit(op, request),
        }
    }

    fn poll(&mut self, now: i64, done: &mut Vec<Completion>) {
        self.files.poll(now, done);
        self.idle_polls = if done.is_empty() { self.idle_polls + 1 } else { 0 };
        // A merge computes for a while between two operations.
        if self.idle_polls >= 2_000
            && let Some((op, request)) = self.held.pop_front()
        {
            self.files.submit(op, request);
            self.files.poll(now, done);
        }
    }

    fn stats(&self) -> FileSystemStats {
        self.files.stats()
    }
}

/// Files that keep what a crash before each commit would leave.
struct Recorded {
    files: SharedFiles,
    states: Rc<RefCell<Vec<MemoryFileSystem>>>,
}

impl FileSystem for Recorded {
    fn submit(&mut self, op: OpId, request: Request) {
        if matches!(request, Request::Commit { .. }) {
            self.states.borrow_mut().push(self.files.0.borrow().after_crash());
        }
        self.files.submit(op, request);
    }

    fn poll(&mut self, now: i64, done: &mut Vec<Completion>) {
        self.files.poll(now, done);
    }

    fn stats(&self) -> FileSystemStats {
        self.files.stats()
    }
}

#[test]
fn a_merge_that_ends_while_a_database_is_being_opened_takes_nothing_of_the_log_with_it() {
    let files = SharedFiles::default();
    for session in 0..2 {
        let mut engine = open(files.clone(), logged()).unwrap();
        for second in 0..3 {
            engine.put(&[("__name__", "m")], &[START + (session * 10 + second) * 1_000], &[1.0]).unwrap();
            engine.advance(1_000).unwrap();
        }
    }
    // Too many rows for the log become a part at once: as many as are worth a merge, in another month.
    let states = Rc::new(RefCell::new(Vec::new()));
    let mut engine = open(Recorded { files: files.clone(), states: states.clone() }, logged()).unwrap();
    let rows = 4 * sandglass::log::record::MAX_ROWS as i64 + 1;
    let month_ago = START - 40 * DAY_MS;
    for part in 0..9 {
        let timestamps: Vec<i64> = (0..rows).map(|row| month_ago + part + row * 10).collect();
        engine.put(&[("__name__", "other")], &timestamps, &vec![1.5; timestamps.len()]).unwrap();
        engine.advance(1_000).unwrap();
    }
    let mut merged = 0;
    for state in states.take() {
        let parts = |state: &MemoryFileSystem| state.paths().filter(|path| path.ends_with("/metaindex.bin")).count();
        let before = parts(&state);
        let mut again = open(LateLog::over(state), logged()).unwrap();
        let found = again.all("m").unwrap();
        assert_eq!(found.iter().map(|series| series.timestamps.len()).collect::<Vec<_>>(), [6]);
        merged += usize::from(before >= 8);
    }
    assert!(merged > 0, "no state had enough parts for a merge");
}

#[test]
fn crash_after_crash_loses_nothing_of_any_session() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let mut files = SimFileSystem::new(seed);
        let mut ledger = Ledger::default();
        for session in 0..12 {
            let start_time = START + session * 10 * MINUTE_MS;
            // Some crashes come while the last one is being mended.
            files.crash_at(if random.chance(30) { random.below(120) } else { 100 + random.below(500) });
            if let Ok(mut engine) = open(files.clone(), Config { start_time, ..logged() }) {
                let _ = drip(&mut engine, &mut ledger, &mut random, start_time);
            }
            assert!(files.has_crashed(), "seed {seed}, session {session}: it has not come to the crash");
            files = files.restarted();
            // Looked at in a copy: what the next session finds is what this crash has left.
            let what = format!("seed {seed}, session {session}");
            let copy = LateLog::over(files.contents());
            let mut engine = open(copy, Config { start_time: start_time + MINUTE_MS, ..logged() })
                .unwrap_or_else(|error| panic!("{what}: cannot be opened: {error}"));
            let found = contents(&mut engine);
            let lost: Vec<_> = ledger.durable.difference(&found).take(3).collect();
            assert!(lost.is_empty(), "{what}: durable samples are lost, such as {lost:?}");
            // What is there stays there.
            (ledger.accepted, ledger.durable) = (found.clone(), found);
        }
        check_survivors(files, &ledger, logged(), &format!("seed {seed}"));
    }
}

fn labels(series: usize) -> [(&'static str, String); 4] {
    [
        ("__name__", format!("node_metric_{}", series % 50)),
        ("instance", format!("host-{}:9100", series / 50)),
        ("job", "node".into()),
        ("mode", "idle".into()),
    ]
}

/// 40 % constant, 30 % counters, 20 % gauges of two decimals, 10 % random.
fn next_value(series: usize, last: f64, random: &mut Random) -> f64 {
    match series % 10 {
        0..4 => 42.0,
        4..7 => last + random.below(100) as f64,
        7..9 => ((last * 100.0).round() + random.below(201) as f64 - 100.0) / 100.0,
        _ => random.next() as f64 / u64::MAX as f64,
    }
}

/// Bytes that some time of scraping writes.
fn scraped_bytes(config: Config, every_ms: i64, for_ms: i64) -> u64 {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), config).unwrap();
    let handles: Vec<u32> = (0..1_000)
        .map(|series| {
            let labels = labels(series);
            let pairs: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (*key, value.as_str())).collect();
            engine.series(&pairs).unwrap().0
        })
        .collect();
    let mut values: Vec<f64> = (0..1_000).map(|series| (series * 1_000) as f64).collect();
    let mut random = Random::new(1);
    for at in (0..for_ms).step_by(every_ms as usize) {
        for (series, value) in values.iter_mut().enumerate() {
            *value = next_value(series, *value, &mut random);
        }
        if let Some(ticket) = engine.append_row(&handles, START + at, &values).unwrap() {
            engine.run(ticket).unwrap();
        }
        engine.advance(every_ms).unwrap();
    }
    engine.ask(Command::Close).unwrap();
    files.stats().written_bytes
}

fn check_ratio(every_ms: i64, for_ms: i64) {
    let before = scraped_bytes(config(), every_ms, for_ms);
    let now = scraped_bytes(logged(), every_ms, for_ms);
    let ratio = now as f64 / before as f64;
    println!("every {every_ms} ms: {before} bytes without a log, {now} with one, ratio {ratio:.3}");
    assert!(ratio < 1.3, "every {every_ms} ms: {now} bytes instead of {before}");
}

#[test]
fn scraping_writes_hardly_more_bytes_than_without_a_log() {
    check_ratio(1_000, 10 * MINUTE_MS);
    check_ratio(15_000, 60 * MINUTE_MS);
}

#[test]
#[ignore = "takes minutes; the one above has ten minutes of it"]
fn an_hour_of_scraping_each_second_writes_hardly_more_bytes_than_without_a_log() {
    check_ratio(1_000, 60 * MINUTE_MS);
}

fn log_files(files: &SharedFiles) -> Vec<String> {
    files.0.borrow().paths().filter(|path| path.starts_with("log/")).map(str::to_owned).collect()
}

#[test]
fn parts_come_after_half_a_minute_and_take_the_log_with_them() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), logged()).unwrap();
    for second in 0..29 {
        engine.put(&[("__name__", "m")], &[START + second * 1_000], &[1.0]).unwrap();
        engine.advance(1_000).unwrap();
    }
    let is_part = |path: &str| path.starts_with("data/small/2024_03/") && path.ends_with("/values.bin");
    assert_eq!(files.0.borrow().paths().filter(|path| is_part(path)).count(), 0);
    assert!(log_files(&files).len() >= 28, "{:?}", log_files(&files));
    engine.advance(5_000).unwrap();
    assert_eq!(files.0.borrow().paths().filter(|path| is_part(path)).count(), 1);
    assert!(log_files(&files).iter().all(|path| path.ends_with(".names")), "{:?}", log_files(&files));
    engine.put(&[("__name__", "m")], &[START + 60_000], &[1.0]).unwrap();
    engine.ask(Command::Sync).unwrap();
    assert_eq!(log_files(&files).iter().filter(|path| path.ends_with(".rows")).count(), 1, "sync is one record");
    let Answer::Snapshot(name) = engine.ask(Command::SnapshotCreate).unwrap() else { panic!() };
    let Answer::Files(listed) = engine.ask(Command::SnapshotFiles { name, layout: Default::default() }).unwrap() else {
        panic!()
    };
    assert!(listed.iter().all(|file| ["data/", "indexdb/", "metadata/"].iter().any(|dir| file.path.starts_with(dir))));
    engine.ask(Command::Close).unwrap();
    assert_eq!(log_files(&files), Vec::<String>::new(), "nothing stays behind an orderly end");
}

#[test]
fn rows_that_are_too_many_for_the_log_go_to_disk_within_the_second() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), logged()).unwrap();
    let timestamps: Vec<i64> = (0..200_000).map(|i| START + i).collect();
    let values = vec![1.5; timestamps.len()];
    engine.put(&[("__name__", "m")], &timestamps, &values).unwrap();
    engine.advance(1_900).unwrap();
    let crashed = SharedFiles(std::rc::Rc::new(std::cell::RefCell::new(files.0.borrow().after_crash())));
    let mut again = open(crashed, logged()).unwrap();
    assert_eq!(again.all("m").unwrap()[0].timestamps.len(), 200_000);
}

#[test]
fn many_rows_are_several_records_and_durable_as_soon_as_they_are_searchable() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), logged()).unwrap();
    let timestamps: Vec<i64> = (0..40_000).map(|i| START + i).collect();
    let values: Vec<f64> = (0..40_000).map(f64::from).collect();
    engine.put(&[("__name__", "m")], &timestamps, &values).unwrap();
    engine.ask(Command::Flush).unwrap();
    assert_eq!(log_files(&files).iter().filter(|path| path.ends_with(".rows")).count(), 2);
    let crashed = SharedFiles(std::rc::Rc::new(std::cell::RefCell::new(files.0.borrow().after_crash())));
    let mut again = open(crashed, logged()).unwrap();
    let found = again.all("m").unwrap();
    assert_eq!((&found[0].timestamps, &found[0].values), (&timestamps, &values));
    engine.advance(40_000).unwrap();
    assert!(log_files(&files).iter().all(|path| path.ends_with(".names")), "{:?}", log_files(&files));
    assert_eq!(engine.all("m").unwrap()[0].values, values);
}

#[test]
fn a_deleted_series_does_not_come_back_with_the_log() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), logged()).unwrap();
    engine.put(&[("__name__", "gone")], &[START], &[1.0]).unwrap();
    engine.put(&[("__name__", "stays")], &[START], &[2.0]).unwrap();
    engine.advance(1_000).unwrap();
    engine.ask(Command::DeleteSeries { selector: "gone".into() }).unwrap();
    let mut again = open(files.clone(), logged()).unwrap();
    assert_eq!(again.all("gone").unwrap(), []);
    assert_eq!(again.all("stays").unwrap()[0].values, [2.0]);
}

/// Files of a storage that takes nothing below a directory.
struct NoRoom {
    files: SharedFiles,
    below: Rc<Cell<&'static str>>,
    refused: Vec<Completion>,
}

impl FileSystem for NoRoom {
    fn submit(&mut self, op: OpId, request: Request) {
        match &request {
            Request::Append { file, .. } if file.as_str().starts_with(self.below.get()) => {
                self.refused.push(Completion { op, result: Err(Error::new(ErrorKind::Quota, "no room")) });
            }
            _ => self.files.submit(op, request),
        }
    }

    fn poll(&mut self, now: i64, done: &mut Vec<Completion>) {
        done.append(&mut self.refused);
        self.files.poll(now, done);
    }

    fn stats(&self) -> FileSystemStats {
        self.files.stats()
    }
}

#[test]
fn a_series_that_a_crash_gave_another_id_is_deleted_under_both() {
    let crash = |files: &SharedFiles| SharedFiles(Rc::new(RefCell::new(files.0.borrow().after_crash())));
    // The second start comes at once or later: ids begin with the instant.
    for later in [0, DAY_MS / 24] {
        let files = SharedFiles::default();
        let below = Rc::new(Cell::new("indexdb/"));
        let disk = |files: &SharedFiles| NoRoom { files: files.clone(), below: below.clone(), refused: Vec::new() };
        let mut engine = open(disk(&files), logged()).unwrap();
        engine.put(&[("__name__", "gone")], &[START], &[1.0]).unwrap();
        engine.put(&[("__name__", "stays")], &[START], &[2.0]).unwrap();
        engine.advance(1_000).unwrap();
        let files = crash(&files);
        below.set("data/");
        let mut engine = open(disk(&files), Config { start_time: START + later, ..logged() }).unwrap();
        assert!(matches!(engine.ask(Command::DeleteSeries { selector: "gone".into() }).unwrap(), Answer::Count(1)));
        assert!(log_files(&files).iter().any(|path| path.ends_with(".rows")), "{:?}", log_files(&files));
        let mut again = open(crash(&files), logged()).unwrap();
        assert_eq!(again.all("gone").unwrap(), []);
        assert_eq!(again.all("stays").unwrap()[0].values, [2.0]);
    }
}

#[test]
fn a_deletion_that_the_log_would_undo_is_refused_while_the_storage_is_full() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), logged()).unwrap();
    engine.put(&[("__name__", "known")], &[START], &[1.0]).unwrap();
    for other in 0..5_000 {
        engine.put(&[("__name__", "other"), ("number", &format!("{other:040}"))], &[START], &[1.0]).unwrap();
    }
    engine.ask(Command::Close).unwrap();
    let holds = Rc::new(Cell::new(false));
    let reads = QueuedReads { files: files.clone(), holds: holds.clone(), held: VecDeque::new() };
    let mut engine = open(reads, logged()).unwrap();
    holds.set(true);
    let series = engine.series(&[("__name__", "known")]).unwrap();
    assert!(engine.append(series, &[START + 1_000], &[2.0]).unwrap().is_some(), "it waits for its series");
    engine.leave();
    engine.log_waiting_rows();
    drop(engine);
    let below = Rc::new(Cell::new("data/"));
    let disk = NoRoom { files: files.clone(), below: below.clone(), refused: Vec::new() };
    let mut engine = open(disk, logged()).unwrap();
    let delete = |selector: &str| Command::DeleteSeries { selector: selector.into() };
    let refused = engine.ask(delete("known")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Quota, "{refused}");
    assert_eq!(engine.all("known").unwrap()[0].values, [1.0, 2.0], "nothing was deleted");
    // Others go.
    assert!(matches!(engine.ask(delete("{number=~\".*1\"}")).unwrap(), Answer::Count(500)));
    below.set("nowhere/");
    assert!(matches!(engine.ask(delete("known")).unwrap(), Answer::Count(1)));
    drop(engine);
    assert_eq!(open(files, logged()).unwrap().all("known").unwrap(), []);
}

#[test]
fn what_the_log_brings_back_is_found_on_its_own_days_alone() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), logged()).unwrap();
    for (series, day) in [("today", START), ("yesterday", START - DAY_MS)] {
        engine.put(&[("__name__", "m"), ("series", series)], &[day], &[1.0]).unwrap();
    }
    engine.advance(1_000).unwrap();
    let left = files.0.borrow().after_crash();
    let mut engine = open(left, logged()).unwrap();
    for (day, expected) in [(START, 1), (START - DAY_MS, 1), (START - 2 * DAY_MS, 0)] {
        let range = TimeRange { min: day, max: day };
        let found = engine.ask(Command::Count { selector: Some("m".into()), range }).unwrap();
        assert!(matches!(found, Answer::Count(count) if count == expected), "{found:?}, {expected}");
    }
}

#[test]
fn a_clock_that_was_set_back_loses_nothing_that_is_logged() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), logged()).unwrap();
    engine.put(&[("__name__", "m")], &[START], &[1.0]).unwrap();
    engine.advance(1_000).unwrap();
    let mut again = open(files.clone(), Config { start_time: START - 100 * DAY_MS, ..logged() }).unwrap();
    assert_eq!(again.all("m").unwrap()[0].values, [1.0]);
}

#[test]
fn a_reader_sees_what_is_logged_within_the_second() {
    let files = SharedFiles::default();
    let mut writer = open(files.clone(), logged()).unwrap();
    writer.put(&[("__name__", "m"), ("a", "b")], &[START], &[1.0]).unwrap();
    writer.advance(1_000).unwrap();
    let mut reader = open(MemoryReader::open(files.0.clone()), Config { read_only: true, ..logged() }).unwrap();
    assert_eq!(reader.all("m").unwrap()[0].values, [1.0]);
    for second in 1..70 {
        writer.put(&[("__name__", "m"), ("a", "b")], &[START + second * 1_000], &[1.0]).unwrap();
        writer.advance(1_000).unwrap();
        reader.advance(1_000).unwrap();
        let seen = reader.all("m").unwrap();
        assert_eq!(seen[0].timestamps.len() as i64, second + 1);
    }
}

/// Files whose reads wait until they are let go, and are answered then.
struct QueuedReads {
    files: SharedFiles,
    holds: Rc<Cell<bool>>,
    held: VecDeque<(OpId, Request)>,
}

impl FileSystem for QueuedReads {
    fn submit(&mut self, op: OpId, request: Request) {
        match self.holds.get() && matches!(request, Request::Read { .. }) {
            true => self.held.push_back((op, request)),
            false => self.files.submit(op, request),
        }
    }

    fn poll(&mut self, now: i64, done: &mut Vec<Completion>) {
        if !self.holds.get() {
            self.held.drain(..).for_each(|(op, request)| self.files.submit(op, request));
        }
        self.files.poll(now, done);
    }

    fn stats(&self) -> FileSystemStats {
        self.files.stats()
    }
}

#[test]
fn a_page_that_is_left_loses_no_sample_whose_series_is_being_looked_up() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), logged()).unwrap();
    engine.put(&[("__name__", "m"), ("is", "known")], &[START], &[1.0]).unwrap();
    // The index has more blocks than an opening reads.
    for other in 0..5_000 {
        engine.put(&[("__name__", "other"), ("number", &format!("{other:040}"))], &[START], &[1.0]).unwrap();
    }
    engine.ask(Command::Close).unwrap();
    let holds = Rc::new(Cell::new(false));
    let mut engine =
        open(QueuedReads { files: files.clone(), holds: holds.clone(), held: VecDeque::new() }, logged()).unwrap();
    holds.set(true);
    let mut are_waiting = Vec::new();
    for (is, samples) in [("known", [START + 1_000, START - 40 * DAY_MS]), ("new", [START + 1_000, START + 2_000])] {
        let series = engine.series(&[("__name__", "m"), ("is", is)]).unwrap();
        are_waiting.push(engine.append(series, &samples, &[2.0, 3.0]).unwrap().is_some());
    }
    let row = [engine.series(&[("__name__", "m"), ("is", "new")]).unwrap().0];
    are_waiting.push(engine.append_row(&row, START + 3_000, &[4.0]).unwrap().is_some());
    assert_eq!(are_waiting, [true; 3]);
    engine.leave();
    engine.send(Command::Sync);
    engine.pump(engine.now(), u64::MAX);
    engine.log_waiting_rows();
    drop(engine);
    // It may be left once more before the rows have come into parts.
    for _ in 0..2 {
        let mut again = open(files.clone(), logged()).unwrap();
        let mut found: Vec<_> = again.all("m").unwrap();
        found.sort_by_key(|series| series.timestamps.len());
        assert_eq!(found[0].timestamps, [START - 40 * DAY_MS, START, START + 1_000]);
        assert_eq!(found[0].values, [3.0, 1.0, 2.0]);
        assert_eq!(found[1].timestamps, [START + 1_000, START + 2_000, START + 3_000]);
        assert_eq!(found[1].values, [2.0, 3.0, 4.0]);
    }
    let mut last = open(files.clone(), logged()).unwrap();
    last.ask(Command::Close).unwrap();
    assert_eq!(log_files(&files), Vec::<String>::new());
    assert_eq!(open(files, logged()).unwrap().all("m").unwrap().len(), 2);
}

#[test]
fn a_deletion_takes_no_rows_of_others_whose_series_were_not_looked_up_yet() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), logged()).unwrap();
    // The index has more blocks than an opening reads.
    for other in 0..5_000 {
        engine.put(&[("__name__", "other"), ("number", &format!("{other:040}"))], &[START], &[1.0]).unwrap();
    }
    engine.ask(Command::Close).unwrap();
    let leave_with = |name: &str| {
        let holds = Rc::new(Cell::new(false));
        let held = VecDeque::new();
        let mut engine = open(QueuedReads { files: files.clone(), holds: holds.clone(), held }, logged()).unwrap();
        holds.set(true);
        let series = engine.series(&[("__name__", name)]).unwrap();
        assert!(engine.append(series, &[START], &[1.0]).unwrap().is_some());
        engine.leave();
        engine.send(Command::Sync);
        engine.pump(engine.now(), u64::MAX);
        engine.log_waiting_rows();
    };
    leave_with("first");
    let mut engine = open(files.clone(), logged()).unwrap();
    assert!(matches!(engine.ask(Command::DeleteSeries { selector: "first".into() }).unwrap(), Answer::Count(1)));
    engine.ask(Command::Close).unwrap();
    leave_with("second");
    let mut engine = open(files.clone(), logged()).unwrap();
    assert_eq!(engine.all("first").unwrap(), []);
    assert_eq!(engine.all("second").unwrap()[0].values, [1.0]);
}

#[test]
fn a_damaged_record_is_named_and_nothing_is_changed() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), logged()).unwrap();
    for second in 0..3 {
        engine.put(&[("__name__", "m")], &[START + second], &[1.0]).unwrap();
        engine.advance(1_000).unwrap();
    }
    let paths = log_files(&files);
    assert!(paths.len() >= 4, "{paths:?}");
    for path in paths {
        let whole = files.0.borrow().after_crash();
        let content = whole.file(&path).unwrap();
        let refused = |content: Vec<u8>| {
            let mut damaged: MemoryFileSystem = whole.clone();
            damaged.put(&path, content).unwrap();
            let before: Vec<String> = damaged.paths().map(str::to_owned).collect();
            let damaged = SharedFiles(std::rc::Rc::new(std::cell::RefCell::new(damaged)));
            let error = open(damaged.clone(), logged()).err().unwrap_or_else(|| panic!("{path} was opened"));
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.message().contains(&path), "{error}");
            assert_eq!(damaged.0.borrow().paths().map(str::to_owned).collect::<Vec<_>>(), before);
        };
        refused(content[..content.len() - 1].to_vec());
        let mut flipped = content.to_vec();
        flipped[content.len() / 2] ^= 1;
        refused(flipped);
    }
}

#[test]
fn a_page_that_is_left_loses_no_sample_whose_series_is_found_in_that_moment() {
    for rows in [1, 40_000] {
        let files = SharedFiles::default();
        let mut engine = open(files.clone(), logged()).unwrap();
        for other in 0..5_000 {
            engine.put(&[("__name__", "other"), ("number", &format!("{other:040}"))], &[START], &[1.0]).unwrap();
        }
        engine.ask(Command::Close).unwrap();
        for budget in [None, Some(1), Some(100), Some(300), Some(1_000), Some(3_000), Some(10_000), Some(100_000)] {
            let copy = SharedFiles(Rc::new(RefCell::new(files.0.borrow().after_crash())));
            let holds = Rc::new(Cell::new(false));
            let held = VecDeque::new();
            let mut engine = open(QueuedReads { files: copy.clone(), holds: holds.clone(), held }, logged()).unwrap();
            holds.set(true);
            for is in ["one", "two", "three"] {
                let series = engine.series(&[("__name__", "m"), ("is", is)]).unwrap();
                let timestamps: Vec<i64> = (0..rows).map(|row| START + row).collect();
                assert!(engine.append(series, &timestamps, &vec![2.0; timestamps.len()]).unwrap().is_some());
            }
            holds.set(budget.is_none());
            engine.leave();
            engine.send(Command::Sync);
            engine.pump(engine.now(), budget.unwrap_or(1));
            engine.log_waiting_rows();
            drop(engine);
            let mut again = open(copy, logged()).unwrap();
            let found: Vec<usize> = again.all("m").unwrap().iter().map(|series| series.timestamps.len()).collect();
            assert_eq!(found, [rows as usize; 3], "{rows} rows, {budget:?}");
        }
    }
}

#[test]
fn a_page_that_is_left_hands_over_all_months_before_one_of_them_waits() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), logged()).unwrap();
    let month_ago = START - 40 * DAY_MS;
    engine.put(&[("__name__", "many")], &[month_ago], &[1.0]).unwrap();
    engine.put(&[("__name__", "few")], &[START], &[1.0]).unwrap();
    engine.advance(1_000).unwrap();
    let timestamps: Vec<i64> = (1..300_000).map(|row| month_ago + row).collect();
    engine.put(&[("__name__", "many")], &timestamps, &vec![1.0; timestamps.len()]).unwrap();
    engine.put(&[("__name__", "few")], &[START + 1_000], &[2.0]).unwrap();
    engine.leave();
    engine.send(Command::Sync);
    engine.pump(engine.now(), 1);
    drop(engine);
    let mut again = open(files, logged()).unwrap();
    assert_eq!(again.all("few").unwrap()[0].values, [1.0, 2.0]);
}

/// Files whose commits are carried out as often as the test says, one after the other.
struct CommitsByTurns {
    files: SharedFiles,
    allowed: Rc<Cell<usize>>,
    held: VecDeque<(OpId, Request)>,
}

impl FileSystem for CommitsByTurns {
    fn submit(&mut self, op: OpId, request: Request) {
        match request {
            Request::Commit { .. } => self.held.push_back((op, request)),
            request => self.files.submit(op, request),
        }
    }

    fn poll(&mut self, now: i64, done: &mut Vec<Completion>) {
        for (op, request) in self.held.drain(..self.allowed.take().min(self.held.len())) {
            self.files.submit(op, request);
        }
        self.files.poll(now, done);
    }

    fn stats(&self) -> FileSystemStats {
        self.files.stats()
    }
}

#[test]
fn who_waits_for_the_log_waits_for_what_was_written_before_alone() {
    let allowed = Rc::new(Cell::new(0));
    let files = CommitsByTurns { files: SharedFiles::default(), allowed: allowed.clone(), held: VecDeque::new() };
    let mut machine = Machine::new(files, START);
    let name_of: NameOf = Rc::new(|_, _| Some(1));
    let log = RowLog::new(&machine.context, Some(1_000), name_of, &Replay::default());
    let write = || {
        let rows = Rows { series: vec![0], timestamps: vec![START], values: vec![1.0] };
        log.write(&rows).unwrap();
    };
    (0..2).for_each(|_| write());
    let is_settled = Rc::new(Cell::new(false));
    machine.context.spawn(Lane::Query, {
        let (log, is_settled) = (log.clone(), is_settled.clone());
        async move {
            log.settled().await;
            is_settled.set(true);
        }
    });
    for answered in 0..2 {
        machine.scheduler.pump(START, u64::MAX);
        assert!(!is_settled.get(), "after {answered} of 2 records");
        // There is always one on its way.
        write();
        allowed.set(1);
        machine.scheduler.pump(START, u64::MAX);
    }
    machine.scheduler.pump(START, u64::MAX);
    assert!(is_settled.get());
}
