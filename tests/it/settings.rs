//! What a database remembers of how it was opened, and what it tells when that changes.

use crate::support::{EngineExt, START, SharedFiles, config, open};
use sandglass::engine::{Answer, Clock, Command, Config, Engine};
use sandglass::error::ErrorKind;
use sandglass::fs::{Change, FilePath, FileSystem, OpId, Request};
use sandglass::time::{DAY_MS, MAX_RETENTION_MS, MINUTE_MS};
use sandglass::trace::event::Event;

const FILE: &str = "metadata/sandglass_settings";
const YEAR_MS: i64 = 365 * DAY_MS;

/// Neither retention nor de-duplication is given.
fn left_out() -> Config {
    Config { clock: Clock::Manual, gives_retention: false, gives_dedup_interval: false, ..Config::new(START) }
}

fn with_retention(retention_ms: i64) -> Config {
    Config { retention_ms, gives_retention: true, ..left_out() }
}

fn in_force(engine: &Engine) -> (i64, i64) {
    let config = engine.inspect().config;
    (config.retention_ms, config.dedup_interval_ms)
}

/// Opens and closes a database; what was in force meanwhile.
fn once(files: &SharedFiles, config: Config) -> (i64, i64) {
    let mut engine = open(files.clone(), config).unwrap();
    let settings = in_force(&engine);
    engine.ask(Command::Close).unwrap();
    settings
}

fn put(files: &SharedFiles, bytes: &'static [u8]) {
    let change = Change::Put { file: FilePath::new(FILE).unwrap(), bytes: bytes.into() };
    let (mut files, mut done) = (files.clone(), Vec::new());
    files.submit(OpId(1 << 40), Request::Commit { changes: vec![change] });
    files.poll(START, &mut done);
    assert!(done.pop().unwrap().result.is_ok());
}

#[test]
fn what_is_left_out_stays_as_it_was() {
    let files = SharedFiles::default();
    assert_eq!(once(&files, left_out()), (YEAR_MS, 0), "a new database");
    let given = Config { retention_ms: 5 * YEAR_MS, dedup_interval_ms: 15_000, ..Config::new(START) };
    assert_eq!(once(&files, given), (5 * YEAR_MS, 15_000));
    assert_eq!(once(&files, left_out()), (5 * YEAR_MS, 15_000));
    // Each by itself.
    assert_eq!(once(&files, with_retention(6 * YEAR_MS)), (6 * YEAR_MS, 15_000));
    let given = Config { dedup_interval_ms: 0, gives_dedup_interval: true, ..left_out() };
    assert_eq!(once(&files, given), (6 * YEAR_MS, 0));
    assert_eq!(once(&files, left_out()), (6 * YEAR_MS, 0));
}

#[test]
fn years_of_data_outlive_an_open_that_says_nothing_of_retention() {
    let files = SharedFiles::default();
    let old = START - 3 * YEAR_MS;
    let mut engine = open(files.clone(), with_retention(5 * YEAR_MS)).unwrap();
    engine.put(&[("__name__", "old")], &[old], &[1.0]).unwrap();
    engine.ask(Command::Close).unwrap();
    let mut engine = open(files.clone(), left_out()).unwrap();
    engine.advance(10 * MINUTE_MS).unwrap();
    engine.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap();
    assert_eq!(engine.all("old").unwrap()[0].timestamps, [old]);
    assert_eq!(engine.hint(), None);
}

#[test]
fn a_directory_that_says_nothing_of_retention_loses_nothing() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), config()).unwrap();
    let old = START - 20 * YEAR_MS;
    engine.put(&[("__name__", "old")], &[old], &[1.0]).unwrap();
    engine.ask(Command::Close).unwrap();
    let change = Change::Remove { path: FilePath::new(FILE).unwrap() };
    let (mut writer, mut done) = (files.clone(), Vec::new());
    writer.submit(OpId(1 << 40), Request::Commit { changes: vec![change] });
    writer.poll(START, &mut done);

    let mut engine = open(files.clone(), left_out()).unwrap();
    assert_eq!(in_force(&engine), (MAX_RETENTION_MS, 0));
    engine.advance(10 * MINUTE_MS).unwrap();
    assert_eq!(engine.all("old").unwrap()[0].timestamps, [old]);
    engine.ask(Command::Close).unwrap();
    assert_eq!(once(&files, left_out()), (MAX_RETENTION_MS, 0));
}

#[test]
fn a_shorter_retention_is_told_before_anything_goes() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), with_retention(5 * YEAR_MS)).unwrap();
    for (name, age) in [("old", 3 * YEAR_MS), ("new", DAY_MS)] {
        engine.put(&[("__name__", name)], &[START - age], &[1.0]).unwrap();
    }
    engine.ask(Command::Close).unwrap();

    let mut engine = open(files.clone(), with_retention(YEAR_MS)).unwrap();
    // Whoever begins to watch only now learns of it, and so do those who never do.
    engine.set_observed(true);
    let told: Vec<_> = engine.events().into_iter().map(|stamped| stamped.event).collect();
    let [Event::RetentionShortened { before_ms, after_ms, partitions, message }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((*before_ms, *after_ms), (5 * YEAR_MS, YEAR_MS));
    assert_eq!(partitions, &["2021_03"]);
    assert_eq!(engine.hint().as_deref(), Some(&message[..]));
    assert_eq!(engine.hint(), None);
    // Nothing has gone yet: closed within a minute and opened with the retention it had, all is there.
    assert_eq!(engine.inspect().partitions.len(), 2);
    engine.advance(59_000).unwrap();
    engine.ask(Command::Close).unwrap();
    let mut engine = open(files.clone(), with_retention(5 * YEAR_MS)).unwrap();
    assert_eq!(engine.all("old").unwrap().len(), 1);
    assert_eq!(engine.hint(), None);
    engine.ask(Command::Close).unwrap();

    let mut engine = open(files, with_retention(YEAR_MS)).unwrap();
    engine.advance(2 * MINUTE_MS).unwrap();
    assert_eq!(engine.inspect().partitions.len(), 1);
}

#[test]
fn settings_that_cannot_be_read_are_refused_until_they_are_given() {
    for damage in [&b""[..], b"retention_ms 1", b"\xff\xfe", &[b'x'; 5000]] {
        let files = SharedFiles::default();
        once(&files, left_out());
        put(&files, damage);
        for config in [left_out(), with_retention(YEAR_MS)] {
            let refused = open(files.clone(), config).map(drop).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Corrupt);
            assert!(refused.message().contains(FILE), "{refused}");
        }
        let given = Config { dedup_interval_ms: 5, ..Config::new(START) };
        assert_eq!(once(&files, given), (YEAR_MS, 5));
        assert_eq!(once(&files, left_out()), (YEAR_MS, 5));
    }
}

#[test]
fn a_reader_goes_by_what_the_writer_has_set_and_writes_nothing() {
    let files = SharedFiles::default();
    once(&files, Config { dedup_interval_ms: 7_000, ..with_retention(2 * YEAR_MS) });
    let before: Vec<String> = files.0.borrow().paths().map(str::to_owned).collect();
    let reader = open(files.clone(), Config { read_only: true, ..left_out() }).unwrap();
    assert_eq!(in_force(&reader).0, 2 * YEAR_MS);
    assert_eq!(files.0.borrow().paths().map(str::to_owned).collect::<Vec<_>>(), before);
}

#[test]
fn a_snapshot_holds_no_settings() {
    let mut engine = open(SharedFiles::default(), config()).unwrap();
    engine.put(&[("__name__", "up")], &[START], &[1.0]).unwrap();
    let Answer::Snapshot(name) = engine.ask(Command::SnapshotCreate).unwrap() else { panic!() };
    let Answer::Files(files) = engine.ask(Command::SnapshotFiles { name, layout: Default::default() }).unwrap() else {
        panic!()
    };
    let metadata: Vec<_> =
        files.iter().map(|file| &file.path[..]).filter(|path| path.starts_with("metadata")).collect();
    assert_eq!(metadata, ["metadata/minTimestampForCompositeIndex"]);
}
