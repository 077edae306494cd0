//! The power is cut, or an operation fails, at every storage operation of a whole life: open, append, flush, merge, snapshot, close.
//!
//! After a restart the database must open, hold all that was acknowledged as durable, and nothing that was never put in.

use crate::support::{EngineExt, START, config, open};
use sandglass::engine::{Command, Config, Engine};
use sandglass::error::Result;
use sandglass::fs::sim::SimFileSystem;
use sandglass::time::DAY_MS;
use std::collections::BTreeSet;

/// A sample as (series, timestamp, value).
type Sample = (u64, i64, i64);

/// What a life has come to when it ended, by itself or by a crash.
#[derive(Default)]
pub struct Ledger {
    offered: BTreeSet<Sample>,
    accepted: BTreeSet<Sample>,
    durable: BTreeSet<Sample>,
    pub snapshots: Vec<String>,
}

pub fn small() -> Config {
    Config { memory_bytes: 1 << 20, ..config() }
}

fn put(engine: &mut Engine, ledger: &mut Ledger, series: u64, from: i64, count: i64) -> Result<()> {
    let timestamps: Vec<i64> = (0..count).map(|i| from + i * 1_000).collect();
    let values: Vec<f64> = timestamps.iter().map(|timestamp| (timestamp % 1_000_003) as f64).collect();
    let samples: Vec<Sample> = timestamps.iter().map(|timestamp| (series, *timestamp, timestamp % 1_000_003)).collect();
    ledger.offered.extend(&samples);
    let name = series.to_string();
    engine.put(&[("__name__", "m"), ("series", &name)], &timestamps, &values)?;
    ledger.accepted.extend(&samples);
    Ok(())
}

/// One life. `forgiving`: faults are skipped, as a program would that tries again later; else the first one ends it.
pub fn live(engine: &mut Engine, ledger: &mut Ledger, forgiving: bool) -> Result<()> {
    let check = |result: Result<()>| if forgiving { Ok(()) } else { result };
    for round in 0..3 {
        for series in 0..3 {
            check(put(engine, ledger, series, START + round * 500_000, 40))?;
            check(put(engine, ledger, series, START - 40 * DAY_MS + round * 500_000, 15))?;
        }
        check(engine.advance(2_500))?;
        let before = ledger.accepted.clone();
        match engine.ask(Command::Sync) {
            Ok(_) => ledger.durable = before,
            Err(error) => check(Err(error))?,
        }
        check(put(engine, ledger, 9, START + round * 1_000, 1))?;
        check(engine.advance(8_000))?;
        if round == 1 {
            check(engine.ask(Command::ForceMerge { partition_prefix: String::new() }).map(drop))?;
        }
        match engine.ask(Command::SnapshotCreate) {
            Ok(sandglass::engine::Answer::Snapshot(name)) => ledger.snapshots.push(name),
            Ok(other) => panic!("{other:?}"),
            Err(error) => check(Err(error))?,
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

/// Opens what a crash has left and compares.
fn check_survivors(files: SimFileSystem, ledger: &Ledger, what: &str) {
    let start_time = START + DAY_MS;
    let mut engine = open(files, Config { start_time, ..small() })
        .unwrap_or_else(|error| panic!("{what}: cannot be opened: {error}"));
    let found = contents(&mut engine);
    let lost: Vec<_> = ledger.durable.difference(&found).take(3).collect();
    assert!(lost.is_empty(), "{what}: durable samples are lost, such as {lost:?}");
    let invented: Vec<_> = found.difference(&ledger.offered).take(3).collect();
    assert!(invented.is_empty(), "{what}: samples that nobody put in, such as {invented:?}");
    for snapshot in &ledger.snapshots {
        let files = engine.ask(Command::SnapshotFiles { name: snapshot.clone(), layout: Default::default() });
        assert!(files.is_ok(), "{what}: the snapshot {snapshot} is lost");
    }
    // And it goes on working.
    let mut after = Ledger::default();
    put(&mut engine, &mut after, 0, start_time, 3).unwrap();
    engine.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap();
    assert_eq!(contents(&mut engine), &found | &after.accepted, "{what}: after going on");
    engine.ask(Command::Close).unwrap();
}

#[test]
fn a_crash_at_any_operation_loses_nothing_durable() {
    let mut number = 0;
    loop {
        let files = SimFileSystem::new(number);
        files.crash_at(number);
        let mut ledger = Ledger::default();
        if let Ok(mut engine) = open(files.clone(), small()) {
            let _ = live(&mut engine, &mut ledger, false);
        }
        if !files.has_crashed() {
            assert!(number > 100, "a life of only {number} operations shows little");
            check_survivors(files.restarted(), &ledger, "no crash");
            return;
        }
        let survivors = files.restarted();
        // A second crash, while the first one is being recovered from.
        let second = survivors.restarted();
        second.crash_at(number % 17);
        let _ = open(second.clone(), Config { start_time: START + DAY_MS / 2, ..small() });
        check_survivors(second.restarted(), &ledger, &format!("two crashes, the first at operation {number}"));
        check_survivors(survivors, &ledger, &format!("crash at operation {number}"));
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
        // Opening may fail, and then succeeds when it is tried again.
        let mut engine = match open(files.clone(), small()) {
            Ok(engine) => engine,
            Err(_) => open(files.clone(), small()).unwrap_or_else(|error| panic!("{what}: {error}")),
        };
        live(&mut engine, &mut ledger, true).unwrap();
        let is_last = files.operations() <= number;
        check_survivors(files.restarted(), &ledger, &what);
        if is_last {
            return;
        }
        number += 1;
    }
}
