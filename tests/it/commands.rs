//! Commands that their caller gives up.

use super::support::{EngineExt, START, config, open};
use sandglass::engine::{Answer, Command, Engine};
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::time::TimeRange;

/// A database with more samples than one turn reads.
fn filled() -> Engine {
    let mut engine = open(MemoryFileSystem::default(), config()).unwrap();
    let timestamps: Vec<i64> = (0..20_000).map(|i| START - i * 1000).collect();
    let values: Vec<f64> = (0..20_000).map(f64::from).collect();
    for series in ["a", "b", "c", "d"] {
        engine.put(&[("__name__", series)], &timestamps, &values).unwrap();
    }
    engine.flush().unwrap();
    engine
}

fn select() -> Command {
    Command::Select { selector: "{__name__!=\"\"}".into(), range: TimeRange::ALL }
}

fn jobs(engine: &Engine) -> u64 {
    engine.inspect().scheduler.lanes.iter().map(|lane| lane.jobs).sum()
}

#[test]
fn a_read_that_is_given_up_is_dropped_at_any_point_and_holds_up_no_close() {
    let mut engine = filled();
    let jobs_before = jobs(&engine);
    let mut midway = 0;
    for pumps in 0..40 {
        let ticket = engine.send(select());
        for _ in 0..pumps {
            engine.pump(START, 1);
        }
        let answered = engine.completed().contains(&ticket);
        midway += u32::from(pumps > 1 && !answered);
        assert_eq!(engine.cancel(ticket), !answered, "after {pumps} pumps");
        assert!(!engine.cancel(ticket));
        engine.pump(START, u64::MAX);
        assert_eq!(engine.take(ticket).is_some(), answered);
        assert_eq!(engine.completed(), []);
        assert_eq!(jobs(&engine), jobs_before);
    }
    assert!(midway > 3, "the jobs ended too soon to be given up midway: {midway}");
    assert_eq!(engine.all("a").unwrap()[0].values.len(), 20_000);
    let given_up = engine.send(select());
    assert!(engine.cancel(given_up));
    assert!(matches!(engine.ask(Command::Close), Ok(Answer::Done)));
}

#[test]
fn what_changes_something_goes_on() {
    let mut engine = filled();
    engine.put(&[("__name__", "late")], &[START], &[1.0]).unwrap();
    let flush = engine.send(Command::Flush);
    assert!(!engine.cancel(flush));
    engine.run(flush).unwrap();
    assert_eq!(engine.all("late").unwrap().len(), 1);
}

#[test]
fn an_export_that_is_given_up_is_over() {
    let mut engine = filled();
    let Answer::Cursor(cursor) = engine.ask(Command::ExportOpen { selector: None, range: TimeRange::ALL }).unwrap()
    else {
        panic!("an export has a cursor")
    };
    let next = engine.send(Command::ExportNext { cursor });
    engine.pump(START, 1);
    assert!(engine.cancel(next));
    engine.pump(START, u64::MAX);
    engine.ask(Command::ExportClose { cursor }).unwrap();
    assert!(engine.ask(Command::ExportNext { cursor }).is_err());
}
