//! A database that is written elsewhere and read here: it opens at any moment of the writer's life, shows what a recovery would,
//! follows what is committed, and changes nothing.

use crate::crash::{Ledger, live, small};
use crate::support::{EngineExt, Random, START, SharedFiles, SlowFiles, config, get, open, watch};
use bytes::Bytes;
use sandglass::engine::{Answer, BodyFormat, Command, Config, Engine, ExportFormat, SeriesData};
use sandglass::error::{Error, ErrorKind, Result};
use sandglass::fs::{
    Completion, FileSystem, FileSystemStats, MemoryFileSystem, MemoryReader, OpId, Request, SimFileSystem,
};
use sandglass::http::HttpRequest;
use sandglass::time::{DAY_MS, TimeRange, TimestampMs};
use sandglass::trace::lifecycle::Lifecycle;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

type Store = Rc<RefCell<MemoryFileSystem>>;

fn open_reader(store: &Store, config: Config) -> Result<Engine> {
    open(MemoryReader::open(store.clone()), Config { read_only: true, ..config })
}

fn stored(store: &Store) -> Vec<(String, Bytes)> {
    let store = store.borrow();
    store.paths().map(|path| (path.to_owned(), store.file(path).unwrap())).collect()
}

fn snapshot_files(engine: &mut Engine, name: &str) -> Vec<(String, Bytes)> {
    let Ok(Answer::Files(files)) = engine.ask(Command::SnapshotFiles { name: name.into(), layout: Default::default() })
    else {
        panic!("the snapshot {name} has no files")
    };
    let read = |file: sandglass::engine::SnapshotFile| {
        let command = Command::SnapshotRead { source: file.source, offset: 0, length: file.size_bytes };
        match engine.ask(command) {
            Ok(Answer::Bytes(bytes)) => (file.path, bytes),
            other => panic!("{}: {other:?}", file.path),
        }
    };
    files.into_iter().map(read).collect()
}

#[test]
fn a_reader_sees_what_a_recovery_would_at_any_moment_and_changes_nothing() {
    let config = Config { start_time: START + DAY_MS, ..small() };
    let (mut number, mut samples_seen) = (0, 0);
    loop {
        let files = SimFileSystem::new(number);
        files.crash_at(number);
        let mut ledger = Ledger::default();
        if let Ok(mut engine) = open(files.clone(), small()) {
            let _ = live(&mut engine, &mut ledger, false);
        }
        let store = Rc::new(RefCell::new(files.after_crash()));
        let before = stored(&store);
        let what = format!("after operation {number}");
        let mut reader = open_reader(&store, config.clone()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let seen = reader.all("m").unwrap();
        let mut recovered = open(store.borrow().clone(), config.clone()).unwrap();
        assert_eq!(seen, recovered.all("m").unwrap(), "{what}");
        samples_seen += seen.iter().map(|series| series.timestamps.len()).sum::<usize>();
        for snapshot in &ledger.snapshots {
            assert_eq!(snapshot_files(&mut reader, snapshot), snapshot_files(&mut recovered, snapshot), "{what}");
        }
        reader.advance(2 * DAY_MS).unwrap();
        reader.ask(Command::Close).unwrap();
        assert!(stored(&store) == before, "{what}: the reader has changed what is stored");
        if !files.has_crashed() {
            assert!(number > 100 && samples_seen > 1000, "{number} operations and {samples_seen} samples show little");
            return;
        }
        number += 1;
    }
}

/// A writer and its reader over one store.
struct Pair {
    store: Store,
    writer: Engine,
    reader: Engine,
}

impl Pair {
    fn new(config: Config) -> Self {
        let files = SharedFiles::default();
        let store = files.0.clone();
        let writer = open(files, config.clone()).unwrap();
        let reader = open_reader(&store, config).unwrap();
        Self { store, writer, reader }
    }

    fn put(&mut self, series: u64, from: i64, count: i64) {
        let timestamps: Vec<i64> = (0..count).map(|at| from + at * 1000).collect();
        let values: Vec<f64> = (0..count).map(|at| (series * 1000) as f64 + at as f64).collect();
        self.writer.put(&[("__name__", "m"), ("series", &series.to_string())], &timestamps, &values).unwrap();
    }
}

#[test]
fn a_reader_follows_its_writer() {
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let mut pair = Pair::new(small());
        let mut reloads = 0;
        for step in 0..40_i64 {
            for _ in 0..random.below(4) {
                pair.put(random.below(20), START + step * 60_000, 1 + random.below(50) as i64);
            }
            match random.below(8) {
                0 => drop(pair.writer.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap()),
                1 => drop(pair.writer.ask(Command::SnapshotCreate).unwrap()),
                2 => {
                    let selector = format!("m{{series=\"{}\"}}", random.below(20));
                    pair.writer.ask(Command::DeleteSeries { selector }).unwrap();
                }
                3 => pair.writer.advance(40_000).unwrap(),
                _ => {}
            }
            pair.writer.ask(Command::Sync).unwrap();
            let seen = pair.reader.all("m").unwrap();
            assert_eq!(seen, pair.writer.all("m").unwrap(), "seed {seed}, step {step}");
            let Ok(Answer::Strings(snapshots)) = pair.writer.ask(Command::SnapshotList) else { panic!() };
            let Ok(Answer::Strings(visible)) = pair.reader.ask(Command::SnapshotList) else { panic!() };
            assert_eq!(visible, snapshots);
            reloads += seen.len();
        }
        assert!(reloads > 0);
        let before = stored(&pair.store);
        pair.reader.ask(Command::Close).unwrap();
        assert!(stored(&pair.store) == before);
    }
}

#[test]
fn an_observer_of_a_reader_sees_one_storage_at_a_time() {
    // Found by the simulation: months were created again with each look for news, and never dropped.
    let mut pair = Pair::new(small());
    let mut lifecycle = Lifecycle::default();
    pair.put(1, START, 10);
    pair.writer.ask(Command::Sync).unwrap();
    let config = Config { read_only: true, ..small() };
    let (mut reader, opened) = Engine::open(Box::new(MemoryReader::open(pair.store.clone())), config).unwrap();
    reader.set_observed(true);
    reader.run(opened).unwrap();
    for round in 0..5 {
        pair.put(round, START + 2_000_000, 10);
        pair.writer.ask(Command::Sync).unwrap();
        reader.all("m").unwrap();
        watch(&mut reader, &mut lifecycle);
        let state = reader.inspect();
        let listed = state.partitions.iter().flat_map(|partition| partition.parts.iter().map(|part| part.id));
        let (live, mut listed): (Vec<_>, Vec<_>) = (lifecycle.live_parts().collect(), listed.collect());
        listed.sort_unstable();
        assert_eq!(live, listed, "round {round}");
    }
}

#[test]
fn a_search_whose_files_go_is_carried_out_again() {
    for pumps in 1..60 {
        let mut pair = Pair::new(small());
        for series in 0..200 {
            pair.put(series, START, 300);
            pair.put(series, START - 40 * DAY_MS, 300);
        }
        pair.writer.ask(Command::Sync).unwrap();
        let expected = pair.reader.all("m").unwrap();
        assert_eq!(expected.len(), 200);
        pair.put(7, START + 500_000, 1);
        pair.writer.ask(Command::Sync).unwrap();
        let ticket = pair.reader.send(Command::Select { selector: "m".into(), range: TimeRange::ALL });
        for _ in 0..pumps {
            pair.reader.pump(START, 1);
        }
        if pair.reader.completed().contains(&ticket) {
            assert!(pumps > 4, "only {} searches were interrupted", pumps - 1);
            return;
        }
        // Everything the search has opened is replaced and removed.
        pair.writer.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap();
        pair.writer.advance(60_000).unwrap();
        let Ok(Answer::Series(found)) = pair.reader.run(ticket) else { panic!("after {pumps} pumps") };
        let samples = |series: &[SeriesData]| series.iter().map(|series| series.timestamps.len()).sum::<usize>();
        assert_eq!(samples(&found), samples(&expected) + 1, "after {pumps} pumps");
        assert_eq!(found, pair.writer.all("m").unwrap(), "after {pumps} pumps");
    }
    panic!("the search never ends");
}

#[test]
fn an_export_goes_on_while_the_writer_merges() {
    let mut pair = Pair::new(small());
    for series in 0..50 {
        pair.put(series, START, 400);
    }
    pair.writer.ask(Command::Sync).unwrap();
    let Ok(Answer::Cursor(cursor)) =
        pair.reader.ask(Command::ExportOpen { format: ExportFormat::JsonLines, selector: None, range: TimeRange::ALL })
    else {
        panic!()
    };
    let mut lines = 0;
    loop {
        let Ok(Answer::Chunk(chunk)) = pair.reader.ask(Command::ExportNext { cursor }) else { panic!() };
        let Some(chunk) = chunk else { break };
        lines += chunk.iter().filter(|byte| **byte == b'\n').count();
        pair.put(lines as u64, START + 500_000, 1);
        pair.writer.ask(Command::Sync).unwrap();
        pair.writer.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap();
        pair.writer.advance(60_000).unwrap();
    }
    assert_eq!(lines, 50);
}

/// The timestamps of an export that is read to its end while the writer merges and removes what it was begun with.
fn exported_while_merging(pair: &mut Pair, begin: Command) -> Vec<i64> {
    let (mut text, cursor) = match pair.reader.ask(begin).unwrap() {
        Answer::Cursor(cursor) => (Vec::new(), cursor),
        Answer::HttpBegun(response, cursor) => (response.body, cursor),
        other => panic!("{other:?}"),
    };
    let mut chunks = 0;
    loop {
        pair.put(99, START + chunks * 1000, 1);
        pair.writer.ask(Command::Sync).unwrap();
        pair.writer.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap();
        pair.writer.advance(60_000).unwrap();
        let Answer::Chunk(chunk) = pair.reader.ask(Command::ExportNext { cursor }).unwrap() else { panic!() };
        let Some(chunk) = chunk else { break };
        text.extend(chunk);
        chunks += 1;
    }
    assert!(chunks > 2, "{chunks} chunks");
    let text = String::from_utf8(text).unwrap();
    let times = |line: &str| -> Vec<i64> {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["timestamps"].as_array().unwrap().iter().map(|time| time.as_i64().unwrap()).collect()
    };
    text.lines().filter(|line| line.contains("\"series\":\"1\"")).flat_map(times).collect()
}

#[test]
fn an_export_goes_on_in_the_midst_of_a_series_whose_files_go() {
    const SAMPLES: i64 = 100_000;
    let open = Command::ExportOpen {
        format: ExportFormat::JsonLines,
        selector: Some("m{series=\"1\"}".into()),
        range: TimeRange::ALL,
    };
    for begin in [open, get(&format!("/api/v1/export?match[]=m{{series=\"1\"}}&start=0&end={}", START + DAY_MS * 9))] {
        let mut pair = Pair::new(small());
        for half in 0..2 {
            pair.put(1, START + half * SAMPLES / 2 * 1000, SAMPLES / 2);
            pair.writer.ask(Command::Sync).unwrap();
        }
        let found = exported_while_merging(&mut pair, begin);
        assert!(found == (0..SAMPLES).map(|at| START + at * 1000).collect::<Vec<_>>(), "{} samples", found.len());
    }
}

#[test]
fn a_request_whose_files_go_is_carried_out_again() {
    let year = format!("start=0&end={}", START + DAY_MS);
    let mut interrupted = 0;
    for (uri, expected) in [
        ("/api/v1/query?query=count(count_over_time(m[60d]))".to_owned(), ",\"50\"]"),
        (format!("/api/v1/series?match[]=m&{year}"), "{\"__name__\":\"m\",\"series\":\"49\"}"),
        (format!("/api/v1/label/series/values?{year}"), "\"49\""),
        (format!("/api/v1/export?match[]=m&{year}"), "\"series\":\"0\""),
    ] {
        for pumps in 1..200 {
            let mut pair = Pair::new(small());
            for series in 0..50 {
                pair.put(series, START - 300_000, 300);
                pair.put(series, START - 40 * DAY_MS, 300);
            }
            pair.writer.ask(Command::Sync).unwrap();
            pair.reader.all("m").unwrap();
            pair.put(7, START - 1, 1);
            pair.writer.ask(Command::Sync).unwrap();
            let ticket = pair.reader.send(get(&uri));
            for _ in 0..pumps {
                pair.reader.pump(START, 1);
            }
            if pair.reader.completed().contains(&ticket) {
                break;
            }
            interrupted += 1;
            pair.writer.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap();
            pair.writer.advance(60_000).unwrap();
            let response = match pair.reader.run(ticket).unwrap() {
                Answer::Http(response) | Answer::HttpBegun(response, _) => response,
                other => panic!("{other:?}"),
            };
            let body = String::from_utf8_lossy(&response.body).into_owned();
            assert_eq!(response.status, 200, "{uri} after {pumps} pumps: {body}");
            assert!(body.contains(expected), "{uri} after {pumps} pumps: {body}");
        }
    }
    assert!(interrupted > 4, "only {interrupted} requests were interrupted");
}

#[test]
fn a_reader_is_refused_what_would_change_something() {
    let mut pair = Pair::new(config());
    pair.put(1, START, 3);
    let Ok(Answer::Snapshot(name)) = pair.writer.ask(Command::SnapshotCreate) else { panic!() };
    pair.writer.ask(Command::Sync).unwrap();
    let before = stored(&pair.store);
    let reader = &mut pair.reader;
    let body = Bytes::from_static(b"m 1\n");
    let ingest = Command::Ingest {
        format: BodyFormat::Prometheus,
        body,
        timestamp: START,
        extra_labels: Vec::new(),
        first_line: 1,
        body_number: 1,
    };
    let refused = [
        Command::Flush,
        Command::Sync,
        Command::ForceMerge { partition_prefix: String::new() },
        ingest,
        Command::SnapshotCreate,
        Command::SnapshotDelete { name: name.clone() },
        Command::SnapshotDeleteAll,
        Command::DeleteSeries { selector: "m".into() },
    ];
    for command in refused {
        let error = reader.ask(command.clone()).expect_err(&format!("{command:?} was carried out"));
        assert_eq!(error.kind(), ErrorKind::Locked, "{command:?}");
        assert!(error.message().contains("for reading only"), "{error}");
    }
    assert_eq!(reader.series(&[("__name__", "m")]).unwrap_err().kind(), ErrorKind::Locked);
    let mut fetch = |uri: &str| {
        let request = HttpRequest {
            method: "GET".into(),
            uri: uri.into(),
            content_type: String::new(),
            content_encoding: String::new(),
            body: Bytes::new(),
        };
        match reader.ask(Command::Http(request)) {
            Ok(Answer::Http(response)) => (response.status, String::from_utf8(response.body).unwrap()),
            other => panic!("{other:?}"),
        }
    };
    for uri in ["/snapshot/create", "/snapshot/delete_all", "/internal/force_flush", "/internal/force_merge"] {
        let (status, body) = fetch(uri);
        assert_eq!(status, 500, "{uri}: {body}");
        assert!(body.contains("for reading only"), "{uri}: {body}");
    }
    let (status, body) = fetch("/snapshot/list");
    assert!(status == 200 && body.contains(&name), "{body}");
    assert_eq!(snapshot_files(reader, &name), snapshot_files(&mut pair.writer, &name));
    assert!(stored(&pair.store) == before);
}

/// A reader's files, of which some requests fail.
struct FailingFiles<F> {
    files: MemoryReader,
    /// Why a request fails, if it does.
    fails: F,
    done: Vec<Completion>,
}

impl<F: FnMut(&Request) -> Option<Error>> FailingFiles<F> {
    fn new(files: &SharedFiles, fails: F) -> Self {
        Self { files: MemoryReader::open(files.0.clone()), fails, done: Vec::new() }
    }
}

impl<F: FnMut(&Request) -> Option<Error>> FileSystem for FailingFiles<F> {
    fn submit(&mut self, op: OpId, request: Request) {
        match (self.fails)(&request) {
            Some(error) => self.done.push(Completion { op, result: Err(error) }),
            None => self.files.submit(op, request),
        }
    }

    fn poll(&mut self, now: TimestampMs, done: &mut Vec<Completion>) {
        self.files.poll(now, done);
        done.append(&mut self.done);
    }

    fn stats(&self) -> FileSystemStats {
        self.files.stats()
    }
}

#[test]
fn what_a_search_that_was_given_up_has_looked_for_is_not_missed() {
    let files = SharedFiles::default();
    let mut writer = open(files.clone(), small()).unwrap();
    let (is_held, is_lost) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let lost = is_lost.clone();
    let read =
        FailingFiles::new(&files, move |_| lost.get().then(|| Error::new(ErrorKind::Locked, "the files are gone")));
    let mut reader = open(SlowFiles::new(read, is_held.clone()), Config { read_only: true, ..small() }).unwrap();
    assert_eq!(reader.all("m").unwrap(), []);
    writer.put(&[("__name__", "m")], &[START], &[1.0]).unwrap();
    writer.ask(Command::Sync).unwrap();

    is_held.set(true);
    let given_up = reader.send(Command::Select { selector: "m".into(), range: TimeRange::ALL });
    for _ in 0..10 {
        reader.pump(START, 1000);
    }
    assert!(reader.cancel(given_up));
    is_held.set(false);
    let seen = reader.all("m").unwrap();
    assert_eq!(seen.len(), 1, "the reader has stayed with what it saw before");
    assert_eq!(seen, writer.all("m").unwrap());

    // Nothing is found under its ticket, not even when all others are told of an end.
    is_lost.set(true);
    let told = reader.send(Command::Select { selector: "m".into(), range: TimeRange::ALL });
    assert_eq!(reader.run(told).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(reader.completed(), []);
    assert!(reader.take(given_up).is_none());
}

#[test]
fn a_piece_of_an_export_is_read_again_when_its_files_may_be_gone_and_for_no_other_reason() {
    const SAMPLES: usize = 100_000;
    let mut random = Random::new(1);
    let files = SharedFiles::default();
    let mut writer = open(files.clone(), small()).unwrap();
    let timestamps: Vec<i64> = (0..SAMPLES as i64).map(|at| START + at * 1000).collect();
    let values: Vec<f64> = (0..SAMPLES).map(|_| random.below(1 << 40) as f64).collect();
    writer.put(&[("__name__", "m")], &timestamps, &values).unwrap();
    writer.ask(Command::Sync).unwrap();
    for (kind, is_read_again) in [
        (ErrorKind::NotFound, true),
        (ErrorKind::Corrupt, true),
        (ErrorKind::Storage, true),
        (ErrorKind::Unsupported, false),
        (ErrorKind::Invalid, false),
    ] {
        // The next range that is read fails, and no other one.
        let fails_with = Rc::new(Cell::new(None));
        let next = fails_with.clone();
        let read = FailingFiles::new(&files, move |request| match request {
            Request::Read { .. } => next.take().map(|kind| Error::new(kind, "the range can't be read")),
            _ => None,
        });
        let mut reader = open(read, Config { read_only: true, ..small() }).unwrap();
        let open = Command::ExportOpen { format: ExportFormat::JsonLines, selector: None, range: TimeRange::ALL };
        let Answer::Cursor(cursor) = reader.ask(open).unwrap() else { panic!() };
        let (mut found, mut chunks, mut failures) = (0, 0, 0);
        loop {
            // The first chunk begins the series.
            if chunks == 1 && failures == 0 {
                fails_with.set(Some(kind));
            }
            let chunk = match reader.ask(Command::ExportNext { cursor }) {
                Ok(Answer::Chunk(Some(chunk))) => String::from_utf8(chunk.to_vec()).unwrap(),
                Ok(Answer::Chunk(None)) => break,
                Err(error) => {
                    assert_eq!(error.kind(), kind, "{error}");
                    failures += 1;
                    continue;
                }
                other => panic!("{other:?}"),
            };
            chunks += 1;
            for line in chunk.lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                found += line["timestamps"].as_array().unwrap().len();
            }
        }
        assert!(
            fails_with.get().is_none() && chunks > 2,
            "{kind:?}: nothing was read behind the first of {chunks} chunks"
        );
        assert_eq!(failures == 0, is_read_again, "{kind:?}: {failures} failures");
        assert_eq!(found, SAMPLES, "{kind:?}");
    }
}
