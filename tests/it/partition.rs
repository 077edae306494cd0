//! Partitions: whatever is flushed, merged, interrupted and opened again, the samples stay.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use sandglass::block::dedup::Dedup;
use sandglass::collections::u64_set::U64Set;
use sandglass::error::Result;
use sandglass::fs::FilePath;
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::log::{NameOf, Replay, RowLog};
use sandglass::merge::transaction::Transaction;
use sandglass::metric::row::SeriesTable;
use sandglass::metric::tsid::Tsid;
use sandglass::part::search::{Reading, Samples};
use sandglass::partition::{IdSource, MergeLimits, Partition, PartitionOptions};
use sandglass::runtime::Context;
use sandglass::time::{DAY_MS, MINUTE_MS, PartitionName, TimeRange};
use sandglass::trace::event::{Event, PartClass};

use crate::golden_part::{data_files, part_dirs};
use crate::machine::Machine;

/// 2024-03-10.
pub const START: i64 = 1_710_000_000_000;

pub fn month() -> PartitionName {
    PartitionName::of(START)
}

pub fn options() -> PartitionOptions {
    PartitionOptions {
        max_rows_per_shard: 10_000,
        shards: 1,
        precision_bits: 64,
        dedup: None,
        retention_ms: 365 * DAY_MS,
        limits: MergeLimits { max_small_part_bytes: 10_000_000, max_output_bytes: 1 << 40 },
        final_merge_delay_ms: 0,
        deleted: Rc::new(|| Rc::new(U64Set::new())),
        series: Rc::new(SeriesTable::default()),
        ensure_index_durable: Rc::new(|| Box::pin(async { Ok(()) })),
        log: None,
        announces: true,
        ids: Rc::new(IdSource::default()),
        start_nanos: START as u64 * 1_000_000,
    }
}

pub fn open(machine: &mut Machine, options: PartitionOptions) -> Result<Rc<Partition>> {
    let context = machine.context.clone();
    let partition = machine.run(async move { Partition::open(&context, Rc::new(options), month()).await })?;
    Partition::announce(std::slice::from_ref(&partition));
    Ok(partition)
}

pub fn tsid(n: u64) -> Tsid {
    // Not in the order of n, since series come in any order.
    Tsid { metric_group_id: 7 * n % 5, job_id: n as u32 % 3, instance_id: 1, metric_id: 1_000 + n }
}

/// A small generator of numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// All samples of all series, as a multiset: value bits by series and time.
pub type Model = BTreeMap<(u64, i64), Vec<u64>>;

pub fn add(model: &mut Model, series: u64, timestamp: i64, value: f64) {
    let bits = model.entry((series, timestamp)).or_default();
    bits.push(value.to_bits());
    bits.sort_unstable();
}

pub fn content(machine: &mut Machine, partition: &Rc<Partition>, series: u64, range: TimeRange) -> Result<Model> {
    let mut numbers: Vec<u64> = (0..series).collect();
    numbers.sort_by_key(|n| tsid(*n));
    let tsids: Vec<Tsid> = numbers.iter().map(|n| tsid(*n)).collect();
    let partition = partition.clone();
    let found = machine.run(async move {
        let mut found = vec![Samples::default(); tsids.len()];
        partition.search(&partition.parts(), &tsids, range, &mut Reading::with_budget(u64::MAX), &mut found).await?;
        Ok::<_, sandglass::error::Error>(found)
    })?;
    let mut model = Model::new();
    for (n, Samples { timestamps, values }) in numbers.iter().zip(&found) {
        assert!(timestamps.is_sorted());
        for (timestamp, value) in timestamps.iter().zip(values) {
            add(&mut model, *n, *timestamp, *value);
        }
    }
    Ok(model)
}

fn within(model: &Model, range: TimeRange) -> Model {
    model.iter().filter(|((_, timestamp), _)| range.contains(*timestamp)).map(|(k, v)| (*k, v.clone())).collect()
}

#[test]
fn a_partition_holds_what_was_added_whatever_happens_to_it() {
    for seed in 1..=12 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let mut machine = Machine::new(MemoryFileSystem::new(), START);
        machine.context.with_trace(|ring| ring.set_enabled(true));
        machine.budget = if seed % 3 == 0 { 1 } else { u64::MAX };
        if seed % 2 == 0 {
            machine.context.block_cache().set_budget_bytes(0);
        }
        let series_count = 40;
        let mut options = options();
        options.max_rows_per_shard = 2_000;
        options.shards = 1 + seed as usize % 2;
        options.limits.max_small_part_bytes = 20_000;
        let indices: Vec<u32> = (0..series_count).map(|n| options.series.push(tsid(n))).collect();
        let mut partition = open(&mut machine, options.clone()).unwrap();
        partition.start_jobs();
        let mut model = Model::new();
        for step in 0..60 {
            match random.below(10) {
                0..=3 => {
                    let timestamp = START + random.below(DAY_MS as u64) as i64;
                    let chosen: Vec<u64> = (0..series_count).filter(|_| random.below(3) > 0).collect();
                    let values: Vec<f64> = chosen.iter().map(|n| (n * 10 + step) as f64 / 4.0).collect();
                    let series: Vec<u32> = chosen.iter().map(|n| indices[*n as usize]).collect();
                    partition.add_scrape(&series, timestamp, &values);
                    for (n, value) in chosen.iter().zip(&values) {
                        add(&mut model, *n, timestamp, *value);
                    }
                }
                4 | 5 => {
                    let n = random.below(series_count);
                    let count = random.below(3_000) as i64;
                    let from = START + random.below(DAY_MS as u64) as i64;
                    let timestamps: Vec<i64> = (0..count).map(|i| from + (i * 7919 % (count + 1)) * 1000).collect();
                    let values: Vec<f64> = timestamps.iter().map(|t| (t / 1000 % 1000) as f64).collect();
                    partition.add_run(indices[n as usize], &timestamps, &values);
                    for (timestamp, value) in timestamps.iter().zip(&values) {
                        add(&mut model, n, *timestamp, *value);
                    }
                }
                6 | 7 => machine.tick(random.below(20_000) as i64),
                8 => {
                    let partition = partition.clone();
                    machine.run(async move { partition.force_merge().await }).unwrap();
                }
                _ => {
                    let old = partition.clone();
                    machine.run(async move { old.shutdown().await }).unwrap();
                    drop(partition);
                    partition = open(&mut machine, options.clone()).unwrap();
                    partition.start_jobs();
                }
            }
            if step % 10 == 9 {
                let flushed = partition.clone();
                machine.run(async move { flushed.flush_raw_rows().await }).unwrap();
                assert_eq!(partition.pending_rows(), 0);
                assert_eq!(
                    content(&mut machine, &partition, series_count, TimeRange::ALL).unwrap(),
                    model,
                    "seed {seed}"
                );
                let from = START + random.below(DAY_MS as u64) as i64;
                let range = TimeRange { min: from, max: from + random.below(DAY_MS as u64) as i64 };
                assert_eq!(content(&mut machine, &partition, series_count, range).unwrap(), within(&model, range));
            }
        }
        let forced = partition.clone();
        machine.run(async move { forced.force_merge().await }).unwrap();
        assert_eq!(partition.parts().len(), 1, "seed {seed}");
        assert_eq!(content(&mut machine, &partition, series_count, TimeRange::ALL).unwrap(), model, "seed {seed}");
        machine.tick(1_000);
        // Nothing is left of merged parts, and what is on disk is what is in the list.
        let list = partition.parts();
        let entry = list.iter().next().unwrap();
        let (of_class, other) = if entry.class() == PartClass::Big { ("big", "small") } else { ("small", "big") };
        assert_eq!(machine.names(&format!("data/{of_class}/2024_03")).unwrap(), [entry.name()]);
        assert!(machine.names(&format!("data/{other}/2024_03")).unwrap().is_empty());
        check_lifecycles(&machine.context);
    }
}

/// Every part is created, then retired, then removed, each once.
fn check_lifecycles(context: &Context) {
    let mut stages = BTreeMap::new();
    let events: Vec<Event> = context.with_trace(|ring| ring.drain().map(|stamped| stamped.event).collect());
    for event in events {
        let (part, from, to) = match event {
            Event::PartCreated { part, .. } => (part, 0, 1),
            Event::PartRetired { part, .. } => (part, 1, 2),
            Event::PartRemoved { part, .. } => (part, 2, 3),
            Event::Degraded { message, .. } => panic!("{message}"),
            _ => continue,
        };
        let stage = stages.entry(part).or_insert(0);
        assert_eq!(*stage, from, "part {part}");
        *stage = to;
    }
    assert!(stages.len() > 10);
}

#[test]
fn rows_become_visible_within_a_second_and_durable_within_ten() {
    let mut machine = Machine::new(MemoryFileSystem::new(), START);
    let options = options();
    let series = options.series.push(tsid(0));
    let index_calls = Rc::new(Cell::new(0));
    let calls = index_calls.clone();
    let options = PartitionOptions {
        ensure_index_durable: Rc::new(move || {
            calls.set(calls.get() + 1);
            Box::pin(async { Ok(()) })
        }),
        ..options
    };
    let partition = open(&mut machine, options.clone()).unwrap();
    partition.start_jobs();
    machine.tick(300);
    partition.add_run(series, &[START], &[1.0]);
    machine.tick(600);
    assert!(partition.parts().is_empty());
    machine.tick(100);
    assert_eq!(partition.parts().len(), 1);
    assert_eq!(partition.parts().small[0].class(), PartClass::InMemory);
    machine.tick(8_999);
    assert!(machine.names("data/small/2024_03").unwrap().is_empty());
    assert_eq!(index_calls.get(), 0);
    machine.tick(1);
    assert_eq!(partition.parts().small[0].class(), PartClass::Small);
    assert_eq!(index_calls.get(), 1, "the index goes first");
    let names = machine.names("data/small/2024_03").unwrap();
    assert_eq!(names.len(), 1);
    assert!(names[0].starts_with("1_1_20240309160000.000_20240309160000.000_17BB"), "{names:?}");
    // Idle from here on: nothing is due but retention, and that not before the month's samples are too old.
    machine.tick(30_000);
    let next_due = machine.scheduler.next_due().unwrap();
    assert_eq!(next_due, START + 365 * DAY_MS + 2 * MINUTE_MS);
}

#[test]
fn a_snapshot_links_files_that_stay() {
    let mut machine = Machine::new(MemoryFileSystem::new(), START);
    let options = options();
    let series = options.series.push(tsid(0));
    let partition = open(&mut machine, options.clone()).unwrap();
    partition.start_jobs();
    for i in 0..3 {
        partition.add_run(series, &[START + i], &[i as f64]);
        machine.tick(12_000);
    }
    partition.add_run(series, &[START + 3], &[3.0]);
    let written = machine.context.file_system_stats().written_bytes;
    let (taken, context) = (partition.clone(), machine.context.clone());
    let snapshot = machine.run(async move {
        let snapshot = taken.snapshot("20240310000000-01").await.unwrap();
        // Merges go on while links are made.
        taken.force_merge().await.unwrap();
        let written = context.file_system_stats().written_bytes;
        context.commit(snapshot.changes.clone()).await.unwrap();
        assert_eq!(context.file_system_stats().written_bytes, written, "no byte is copied");
        snapshot
    });
    assert!(machine.context.file_system_stats().written_bytes > written);
    assert_eq!(snapshot.parts, 4);
    assert!(snapshot.linked_bytes > 0);
    assert_eq!(machine.names("data/small/snapshots/20240310000000-01/2024_03").unwrap().len(), 4);
    assert_eq!(machine.names("data/small/2024_03").unwrap().len(), 6, "four held parts, their transaction, the result");
    drop(snapshot);
    machine.tick(10);
    assert_eq!(machine.names("data/small/2024_03").unwrap().len(), 1);
}

#[test]
fn deleted_series_old_rows_and_duplicates_go_in_merges() {
    let mut machine = Machine::new(MemoryFileSystem::new(), START);
    let deleted = Rc::new(RefCell::new(Rc::new(U64Set::new())));
    let tombstones = deleted.clone();
    let options =
        PartitionOptions { deleted: Rc::new(move || tombstones.borrow().clone()), retention_ms: DAY_MS, ..options() };
    let series: Vec<u32> = (0..3).map(|n| options.series.push(tsid(n))).collect();
    let partition = open(&mut machine, options.clone()).unwrap();
    for i in 0..10 {
        partition.add_scrape(&series, START + i * 1000, &[1.0, 2.0, 3.0]);
    }
    let mut ids = U64Set::new();
    ids.insert(tsid(1).metric_id);
    deleted.replace(Rc::new(ids));
    let shut = partition.clone();
    machine.run(async move { shut.shutdown().await }).unwrap();
    let model = content(&mut machine, &partition, 3, TimeRange::ALL).unwrap();
    assert_eq!(model.len(), 20);
    assert!(model.keys().all(|(n, _)| *n != 1));

    let dedup = Dedup { interval_ms: 2000 };
    let partition = open(&mut machine, PartitionOptions { dedup: Some(dedup), ..options.clone() }).unwrap();
    assert!(partition.needs_final_deduplication());
    let merged = partition.clone();
    machine.run(async move { merged.deduplicate_finally().await }).unwrap();
    assert_eq!(content(&mut machine, &partition, 3, TimeRange::ALL).unwrap().len(), 12);
    assert!(!partition.needs_final_deduplication());

    machine.now += DAY_MS + 5_000;
    let merged = partition.clone();
    machine.run(async move { merged.force_merge().await }).unwrap();
    assert_eq!(partition.parts().len(), 1, "blocks that need no touch are kept whole");
    machine.now += DAY_MS;
    partition.start_jobs();
    machine.tick(7 * MINUTE_MS);
    assert!(partition.parts().is_empty());
    let dropped = partition.clone();
    machine.run(async move { dropped.drop_partition().await });
    machine.tick(1);
    assert!(machine.names("data/small").unwrap().is_empty());
}

#[test]
fn all_rows_of_a_merge_may_vanish() {
    let mut machine = Machine::new(MemoryFileSystem::new(), START);
    let options = PartitionOptions { retention_ms: DAY_MS, ..options() };
    let series = options.series.push(tsid(0));
    let partition = open(&mut machine, options).unwrap();
    partition.add_run(series, &[START], &[1.0]);
    let flushed = partition.clone();
    machine.run(async move {
        flushed.flush_raw_rows().await.unwrap();
        flushed.flush_to_disk().await.unwrap();
    });
    machine.now += 2 * DAY_MS;
    let merged = partition.clone();
    machine.run(async move { merged.force_merge().await }).unwrap();
    assert!(partition.parts().is_empty());
    let shut = partition.clone();
    machine.run(async move { shut.shutdown().await }).unwrap();
    assert!(machine.names("data/small/2024_03").unwrap().is_empty());
}

#[test]
fn what_an_interrupted_process_left_is_set_right() {
    let mut fs = MemoryFileSystem::new();
    let files = data_files("tiny");
    let dir = part_dirs(&files).remove(0);
    for (path, content) in &files {
        fs.put(path, content.clone()).unwrap();
        // The same part a second time: as the source of a merge that was committed but not cleaned up.
        let copy = path.replace("18EA4AA891B8650A", "00000000000000AA");
        fs.put(&copy, content.clone()).unwrap();
    }
    let old = FilePath::new(&dir.as_str().replace("18EA4AA891B8650A", "00000000000000AA")).unwrap();
    let tmp = FilePath::new("data/big/2024_03/tmp/00000000000000AB").unwrap();
    let text = Transaction { old_parts: vec![old], tmp, dst: Some(dir.clone()) }.text();
    fs.put("data/big/2024_03/txn/00000000000000AB", text).unwrap();
    fs.put("data/big/2024_03/txn/00000000000000AC.tmp.1", "half a li").unwrap();
    fs.put("data/small/2024_03/tmp/00000000000000AD/index.bin", "half").unwrap();
    fs.put("data/small/2024_03/parts.json", "{}").unwrap();
    let mut machine = Machine::new(fs, START);
    let partition = open(&mut machine, options()).unwrap();
    assert_eq!(partition.parts().len(), 1);
    assert_eq!(partition.parts().rows(), 12);
    assert_eq!(machine.names("data/small/2024_03").unwrap(), [dir.name(), "parts.json"]);
    assert!(machine.names("data/big/2024_03").unwrap().is_empty());
}

#[test]
fn a_directory_that_is_no_part_is_refused() {
    for (path, kind) in [
        ("data/small/2024_03/strange/index.bin", "strange"),
        ("data/big/2024_03/12_3_20240309160000.000_20240309160200.001_AA/index.bin", "missing"),
        ("data/small/2024_03/txn/00000000000000AB", "transaction"),
    ] {
        let mut fs = MemoryFileSystem::new();
        fs.put(path, "x").unwrap();
        let mut machine = Machine::new(fs, START);
        let error = open(&mut machine, options()).map(|_| ()).unwrap_err();
        assert_eq!(error.kind().code(), "corrupt");
        assert!(error.message().contains(kind), "{error}");
    }
}

#[test]
fn a_reader_keeps_its_parts() {
    let mut machine = Machine::new(MemoryFileSystem::new(), START);
    let options = options();
    let series = options.series.push(tsid(0));
    let partition = open(&mut machine, options).unwrap();
    partition.start_jobs();
    for i in 0..3 {
        partition.add_run(series, &[START + i], &[i as f64]);
        machine.tick(12_000);
    }
    let held = partition.parts();
    assert_eq!(held.len(), 3);
    let merged = partition.clone();
    machine.run(async move { merged.force_merge().await }).unwrap();
    machine.tick(1_000);
    for entry in held.iter() {
        assert!(entry.is_retired());
        let dir = entry.part().dir().unwrap().as_str().to_owned();
        assert_eq!(machine.names(&dir).unwrap().len(), 5, "the files of a part that is read are there");
    }
    let dropped = partition.clone();
    machine.run(async move { dropped.drop_partition().await });
    machine.tick(1_000);
    assert_eq!(
        machine.names("data/small/2024_03").unwrap().len(),
        4,
        "three parts and the transaction that lists them"
    );
    drop(held);
    machine.tick(1_000);
    assert!(machine.names("data/small/2024_03").unwrap().is_empty());
}

#[test]
fn a_month_that_was_dropped_gets_no_parts_any_more() {
    for pumps in 0..40 {
        let mut machine = Machine::new(MemoryFileSystem::new(), START);
        machine.context.with_trace(|ring| ring.set_enabled(true));
        machine.budget = 1;
        let name_of: NameOf = Rc::new(|series, name| {
            name.extend_from_slice(b"m");
            Some(u64::from(series) + 1)
        });
        let log = RowLog::new(&machine.context, Some(1_000), name_of, &Replay::default());
        let options = PartitionOptions { log: Some(log.clone()), ..options() };
        let series = options.series.push(tsid(0));
        let partition = open(&mut machine, options).unwrap();
        partition.start_jobs();
        let queue = |from: i64| {
            let timestamps: Vec<i64> = (from..from + 2_000).map(|at| START + at).collect();
            partition.add_run(series, &timestamps, &vec![1.5; timestamps.len()]);
            partition.hand_over();
        };
        (0..4).for_each(|batch| queue(batch * 2_000));
        for _ in 0..pumps {
            machine.scheduler.pump(machine.now, 1);
        }
        let is_at_work = partition.pending_conversion_rows() > 0;
        let dropped = partition.clone();
        machine.run(async move { dropped.drop_partition().await });
        machine.tick(MINUTE_MS);
        assert!(partition.parts().is_empty(), "after {pumps} pumps");
        assert_eq!(partition.pending_rows(), 0, "after {pumps} pumps");
        let events: Vec<_> = machine.context.with_trace(|ring| ring.drain().map(|event| event.event).collect());
        let dropped = events.iter().position(|event| matches!(event, Event::PartitionDropped { .. })).unwrap();
        let is_late = |event: &Event| matches!(event, Event::PartCreated { .. } | Event::RawRowsFlushed { .. });
        assert!(!events[dropped..].iter().any(is_late), "after {pumps} pumps");
        // The records go with the next commit of another month.
        log.forgotten(log.forget(Vec::new()));
        assert_eq!((log.live_records(), log.live_bytes()), (0, 0), "after {pumps} pumps");
        assert!(partition.is_gone());
        if !is_at_work {
            assert!(pumps > 4, "all was done after {pumps} pumps");
            return;
        }
    }
}
