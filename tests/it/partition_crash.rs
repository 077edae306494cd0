//! Partitions on a disk that fails or loses power at every single operation.

use std::cell::RefCell;
use std::rc::Rc;

use sandglass::error::{ErrorKind, Result};
use sandglass::fs::sim::SimFileSystem;
use sandglass::partition::{Partition, PartitionOptions};
use sandglass::runtime::{Context, Lane};
use sandglass::time::TimeRange;

use crate::machine::Machine;
use crate::partition::{Model, START, add, content, month, open, options, tsid};

const SERIES: u64 = 5;

/// What was added, and what of it is durable for sure.
#[derive(Default)]
struct Ledger {
    added: Model,
    durable: Model,
}

type SharedLedger = Rc<RefCell<Ledger>>;

fn prepared_options() -> (PartitionOptions, Vec<u32>) {
    let mut options = options();
    // Small enough for some merges to make big parts.
    options.limits.max_small_part_bytes = 1_500;
    let indices = (0..SERIES).map(|n| options.series.push(tsid(n))).collect();
    (options, indices)
}

fn add_scrape(partition: &Rc<Partition>, indices: &[u32], ledger: &SharedLedger, at: i64) {
    let values: Vec<f64> = (0..SERIES).map(|n| (at % 1000 + n as i64) as f64).collect();
    partition.add_scrape(indices, at, &values);
    for (n, value) in values.iter().enumerate() {
        add(&mut ledger.borrow_mut().added, n as u64, at, *value);
    }
}

async fn make_durable(partition: &Rc<Partition>, ledger: &SharedLedger) -> Result<()> {
    let added = ledger.borrow().added.clone();
    partition.flush_raw_rows().await?;
    partition.flush_to_disk().await?;
    ledger.borrow_mut().durable = added;
    Ok(())
}

/// Flushes, forced and background merges, a snapshot and an orderly end. Goes on after errors as a database would.
async fn work(context: Context, options: PartitionOptions, indices: Vec<u32>, ledger: SharedLedger) -> Vec<ErrorKind> {
    let mut errors = Vec::new();
    let mut note = |result: Result<()>| errors.extend(result.err().map(|error| error.kind()));
    let partition = loop {
        match Partition::open(&context, Rc::new(options.clone()), month()).await {
            Ok(partition) => break partition,
            Err(error) => note(Err(error)),
        }
    };
    partition.start_jobs();
    for round in 0..3 {
        for i in 0..4 {
            add_scrape(&partition, &indices, &ledger, START + round * 1_000 + i * 100);
        }
        note(make_durable(&partition, &ledger).await);
    }
    note(partition.force_merge().await);
    for round in 3..6 {
        add_scrape(&partition, &indices, &ledger, START + round * 1_000);
        context.sleep_until(context.now() + 7_000).await;
    }
    note(
        async {
            let snapshot = partition.snapshot("20240310000000-01").await?;
            context.commit(snapshot.changes).await
        }
        .await,
    );
    note(partition.force_merge().await);
    add_scrape(&partition, &indices, &ledger, START + 9_000);
    note(make_durable(&partition, &ledger).await);
    for _ in 0..3 {
        let added = ledger.borrow().added.clone();
        let result = partition.shutdown().await;
        if result.is_ok() {
            ledger.borrow_mut().durable = added;
            break;
        }
        note(result);
    }
    errors
}

/// Runs the work until it ends or the power is gone.
fn run_work(disk: &SimFileSystem) -> (SharedLedger, Option<Vec<ErrorKind>>) {
    let mut machine = Machine::new(disk.clone(), START);
    let (options, indices) = prepared_options();
    let ledger = SharedLedger::default();
    let errors = Rc::new(RefCell::new(None));
    let slot = errors.clone();
    let job = work(machine.context.clone(), options, indices, ledger.clone());
    machine.context.spawn(Lane::Query, async move {
        let errors = job.await;
        slot.replace(Some(errors));
    });
    while errors.borrow().is_none() && !disk.has_crashed() {
        machine.tick(100);
    }
    let errors = errors.take();
    (ledger, errors)
}

/// What is durable is there, and nothing that was not added, nor anything twice.
fn check(found: &Model, ledger: &Ledger, what: &str) {
    for (key, values) in &ledger.durable {
        assert_eq!(found.get(key), Some(values), "{what}: a durable sample of {key:?} is lost");
    }
    for (key, values) in found {
        assert_eq!(ledger.added.get(key), Some(values), "{what}: {key:?} was not added so");
    }
}

fn reopen(disk: &SimFileSystem) -> Result<Model> {
    let mut machine = Machine::new(disk.clone(), START + 60_000);
    let (options, _) = prepared_options();
    let partition = open(&mut machine, options)?;
    let found = content(&mut machine, &partition, SERIES, TimeRange::ALL)?;
    // It merges as well as ever.
    let merged = partition.clone();
    machine.run(async move { merged.force_merge().await })?;
    assert_eq!(content(&mut machine, &partition, SERIES, TimeRange::ALL)?, found);
    Ok(found)
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_that_was_durable() {
    for (seed, max_delay_ms) in [(1, 0), (2, 30), (3, 900)] {
        let good = SimFileSystem::new(seed).with_delays(max_delay_ms);
        let (ledger, errors) = run_work(&good);
        assert_eq!(errors, Some(Vec::new()));
        check(&reopen(&good.restarted()).unwrap(), &ledger.borrow(), "a good run");
        for number in 0..good.operations() {
            let disk = SimFileSystem::new(seed).with_delays(max_delay_ms);
            disk.crash_at(number);
            let (ledger, errors) = run_work(&disk);
            assert!(errors.is_none() && disk.has_crashed());
            let what = format!("seed {seed}, power cut at operation {number}");
            let found = reopen(&disk.restarted()).unwrap();
            check(&found, &ledger.borrow(), &what);
            // And once more while it is opened again.
            let again = disk.restarted();
            again.crash_at(number % 12);
            let mut machine = Machine::new(again.clone(), START);
            let context = machine.context.clone();
            machine.context.spawn(Lane::Query, async move {
                let _ = Partition::open(&context, Rc::new(prepared_options().0), month()).await;
            });
            machine.tick(20_000);
            assert_eq!(reopen(&again.restarted()).unwrap(), found, "{what}, and again at {}", number % 12);
        }
    }
}

#[test]
fn a_failure_of_any_operation_is_survived() {
    for max_delay_ms in [0, 30] {
        let good = SimFileSystem::new(7).with_delays(max_delay_ms);
        run_work(&good);
        for number in 0..good.operations() {
            let disk = SimFileSystem::new(7).with_delays(max_delay_ms);
            disk.fail_with(ErrorKind::Quota);
            disk.fail_at(number);
            let (ledger, errors) = run_work(&disk);
            let errors = errors.unwrap();
            assert!(errors.iter().all(|kind| *kind == ErrorKind::Quota), "{errors:?}");
            let ledger = ledger.borrow();
            assert_eq!(ledger.durable, ledger.added, "failure at operation {number}: the orderly end made all durable");
            check(&reopen(&disk.restarted()).unwrap(), &ledger, &format!("failure at operation {number}"));
        }
    }
}
