//! Commands that their caller gives up.

use super::support::{EngineExt, START, SharedFiles, SlowFiles, config, open};
use sandglass::engine::{Answer, BodyFormat, Command, Engine, ExportFormat};
use sandglass::error::ErrorKind;
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::fs::{Change, FilePath, FileSystem, OpId, Request};
use sandglass::time::TimeRange;
use std::cell::Cell;
use std::rc::Rc;

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
    let Answer::Cursor(cursor) = engine
        .ask(Command::ExportOpen { format: ExportFormat::JsonLines, selector: None, range: TimeRange::ALL })
        .unwrap()
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

fn commit(files: &SharedFiles, change: Change) {
    let mut done = Vec::new();
    let mut files = files.clone();
    files.submit(OpId(1 << 40), Request::Commit { changes: vec![change] });
    files.poll(START, &mut done);
    done.remove(0).result.unwrap();
}

#[test]
fn the_greatest_numbers_that_stored_names_can_have_do_no_harm() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), config()).unwrap();
    engine.put(&[("__name__", "m")], &[START], &[1.0]).unwrap();
    engine.ask(Command::Close).unwrap();
    let metadata = |path: &&str| path.starts_with("data/small/") && path.ends_with("/metaindex.bin");
    let part = files.0.borrow().paths().find(metadata).unwrap().replace("/metaindex.bin", "");
    let renamed = format!("{}FFFFFFFFFFFFFFFF", &part[..part.len() - 16]);
    let [from, to] = [&part, &renamed].map(|path| FilePath::new(path).unwrap());
    commit(&files, Change::Publish { from, to });
    let snapshot = "20240101000000-FFFFFFFFFFFFFFFF";
    let file = FilePath::new(&format!("snapshots/{snapshot}/metadata/file")).unwrap();
    commit(&files, Change::Put { file, bytes: "content".into() });

    let mut engine = open(files.clone(), config()).unwrap();
    for timestamp in [START + 1, START + 2] {
        engine.put(&[("__name__", "m")], &[timestamp], &[2.0]).unwrap();
        engine.ask(Command::Sync).unwrap();
        engine.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap();
    }
    assert_eq!(engine.all("m").unwrap()[0].timestamps, [START, START + 1, START + 2]);
    assert_eq!(engine.ask(Command::SnapshotCreate).unwrap_err().kind(), ErrorKind::Corrupt);
    engine.ask(Command::SnapshotDelete { name: snapshot.into() }).unwrap();
    engine.ask(Command::Close).unwrap();
    let mut engine = open(files, config()).unwrap();
    assert!(engine.ask(Command::SnapshotCreate).is_ok());
    assert_eq!(engine.all("m").unwrap()[0].timestamps.len(), 3);
}

/// A body of Prometheus text on its way in.
fn body_begun(engine: &mut Engine) -> u32 {
    let open = Command::IngestOpen {
        format: BodyFormat::Prometheus,
        compression: Default::default(),
        timestamp: START,
        extra_labels: Vec::new(),
    };
    let Answer::Cursor(ingest) = engine.ask(open).unwrap() else { panic!("a body has a number") };
    ingest
}

#[test]
fn a_body_that_is_given_up_while_a_piece_is_taken_is_over() {
    let mut engine = open(MemoryFileSystem::default(), config()).unwrap();
    let ingest = body_begun(&mut engine);
    let lines: String = (0..50_000).map(|n| format!("m 1 {}\n", START - n)).collect();
    let piece = engine.send(Command::IngestPiece { ingest, bytes: lines.into() });
    for _ in 0..5 {
        engine.pump(START, 1);
    }
    assert_eq!(engine.completed(), []);
    engine.ask(Command::IngestClose { ingest }).unwrap();
    engine.run(piece).unwrap();
    let again = engine.ask(Command::IngestPiece { ingest, bytes: "m 2\n".into() });
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_body_that_inflates_a_thousandfold_is_taken_in_many_turns() {
    const INFLATED: usize = 66 << 20;
    let mut engine = open(MemoryFileSystem::default(), config()).unwrap();
    let ingest = body_begun(&mut engine);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, &vec![b'x'; INFLATED]).unwrap();
    let bytes = packed.finish().unwrap();
    assert!(bytes.len() < INFLATED / 500);
    let piece = engine.send(Command::IngestPiece { ingest, bytes: bytes.into() });
    let mut turns = 0;
    let taken = loop {
        if let Some(answer) = engine.take(piece) {
            break answer;
        }
        engine.pump(START, 1);
        turns += 1;
    };
    taken.unwrap();
    assert!(turns > INFLATED >> 22, "{turns} turns");
    // One line that is too long is all that it was.
    let Answer::Ingested(result) = engine.ask(Command::IngestEnd { ingest }).unwrap() else { panic!() };
    assert_eq!((result.samples, result.rejected), (0, 1));
}

#[test]
fn who_closes_a_second_time_waits_for_the_first() {
    let is_held = Rc::new(Cell::new(false));
    let mut engine = open(SlowFiles::new(SharedFiles::default(), is_held.clone()), config()).unwrap();
    engine.put(&[("__name__", "m")], &[START], &[1.0]).unwrap();
    is_held.set(true);
    let [first, second] = [(); 2].map(|()| engine.send(Command::Close));
    for _ in 0..100 {
        engine.pump(START, 1_000);
    }
    assert_eq!(engine.completed(), []);
    assert_eq!(engine.ask(select()).unwrap_err().kind(), ErrorKind::Closed);
    is_held.set(false);
    engine.run(first).unwrap();
    engine.run(second).unwrap();
    engine.ask(Command::Close).unwrap();
    assert!(engine.is_closed());
}

#[test]
fn all_appends_that_are_ahead_of_the_flush_wait_as_one_job() {
    let mut engine = filled();
    let series = engine.series(&[("__name__", "a")]).unwrap();
    let timestamps: Vec<i64> = (0..10_000).map(|i| START - i).collect();
    let values = vec![0.5; timestamps.len()];
    let jobs_before = jobs(&engine);
    let mut waiting = Vec::new();
    for _ in 0..1_000 {
        waiting.extend(engine.append(series, &timestamps, &values).unwrap());
        if waiting.len() >= 100 {
            break;
        }
    }
    for i in 0..5_000 {
        waiting.push(engine.append(series, &[START - i], &[1.5]).unwrap().expect("the flush is far behind"));
    }
    engine.pump(START, 1);
    assert!(jobs(&engine) <= jobs_before + 3, "{} jobs were {jobs_before}", jobs(&engine));
    // All are answered, and no slice has more than some of the answers.
    let (mut answered, mut most) = (Vec::new(), 0);
    while answered.len() < waiting.len() {
        engine.pump(START, 1);
        let of_slice = engine.completed();
        most = most.max(of_slice.len());
        answered.extend(of_slice);
    }
    answered.sort_unstable();
    assert_eq!((answered, most), (waiting, 500));
}
