//! Pages of parts' files in the cache: what was read is not read again, within the budget, and never past its truth.

use crate::support::{EngineExt, Random, START, SharedFiles, config, open};
use bytes::Bytes;
use sandglass::engine::{Command, Config, Engine, SeriesData};
use sandglass::error::{Error, ErrorKind};
use sandglass::fs::{Completion, FileSystem, FileSystemStats, OpId, Reply, Request};
use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;

const SERIES: usize = 24;
const SAMPLES: i64 = 4_000;

/// What reads of samples give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    True,
    Failing,
    Lying,
}

/// Files on a disk that can be told to fail, or to read zeros, where samples are read.
struct Disk {
    files: SharedFiles,
    mood: Rc<Cell<Mood>>,
    is_in_memory: bool,
    lies: HashSet<OpId>,
    refused: Vec<Completion>,
}

impl FileSystem for Disk {
    fn submit(&mut self, op: OpId, request: Request) {
        if let Request::Read { file, .. } = &request
            && file.name() == "values.bin"
        {
            match self.mood.get() {
                Mood::True => {}
                Mood::Failing => {
                    let result = Err(Error::new(ErrorKind::Storage, "the disk is tired"));
                    return self.refused.push(Completion { op, result });
                }
                Mood::Lying => drop(self.lies.insert(op)),
            }
        }
        self.files.submit(op, request);
    }

    fn poll(&mut self, now: i64, done: &mut Vec<Completion>) {
        self.files.poll(now, done);
        for completion in done.iter_mut().filter(|completion| self.lies.remove(&completion.op)) {
            if let Ok(Reply::Bytes(bytes)) = &mut completion.result {
                *bytes = Bytes::from(vec![0; bytes.len()]);
            }
        }
        done.append(&mut self.refused);
    }

    fn is_in_memory(&self) -> bool {
        self.is_in_memory
    }

    fn stats(&self) -> FileSystemStats {
        self.files.stats()
    }
}

/// Series of values that don't compress, in one part on disk: about half a mebibyte.
fn stored() -> SharedFiles {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), config()).unwrap();
    let mut random = Random::new(7);
    let timestamps: Vec<i64> = (0..SAMPLES).map(|n| START + n * 1_000).collect();
    for number in 0..SERIES {
        let values: Vec<f64> = timestamps.iter().map(|_| random.below(1 << 40) as f64).collect();
        engine.put(&[("__name__", "m"), ("n", &number.to_string())], &timestamps, &values).unwrap();
    }
    engine.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap();
    engine.ask(Command::Close).unwrap();
    files
}

struct Life {
    engine: Engine,
    mood: Rc<Cell<Mood>>,
}

impl Life {
    fn begin(files: &SharedFiles, config: Config) -> Self {
        Self::over(files, false, config)
    }

    fn over(files: &SharedFiles, is_in_memory: bool, config: Config) -> Self {
        let mood = Rc::new(Cell::new(Mood::True));
        let (lies, refused) = (HashSet::new(), Vec::new());
        let disk = Disk { files: files.clone(), mood: mood.clone(), is_in_memory, lies, refused };
        Self { engine: open(disk, config).unwrap(), mood }
    }

    /// What a selector finds, and the bytes that were read for it.
    fn select(&mut self, selector: &str) -> (Vec<SeriesData>, u64) {
        let before = self.engine.inspect().file_system.read_bytes;
        let found = self.engine.all(selector).unwrap();
        (found, self.engine.inspect().file_system.read_bytes - before)
    }

    fn cached_bytes(&self) -> u64 {
        let memory = self.engine.inspect().memory;
        assert!(memory.cache_bytes <= memory.cache_limit_bytes, "{memory:?}");
        memory.cache_bytes
    }
}

fn values(found: &[SeriesData]) -> Vec<Vec<f64>> {
    found.iter().map(|series| series.values.clone()).collect()
}

#[test]
fn what_was_read_is_not_read_again() {
    let files = stored();
    let mut life = Life::begin(&files, config());
    let (first, first_bytes) = life.select("m");
    assert_eq!(first.len(), SERIES);
    assert!(first_bytes > 400_000, "{first_bytes} bytes were read");
    let before = life.engine.inspect().memory;
    let (second, second_bytes) = life.select("m");
    assert_eq!((values(&second), second_bytes), (values(&first), 0));
    let after = life.engine.inspect().memory;
    assert!(after.cache_hits > before.cache_hits);
    assert_eq!(after.cache_misses, before.cache_misses);
    // A part of it was read with the whole.
    assert_eq!(life.select("m{n=\"5\"}").1, 0);
}

#[test]
fn a_series_brings_its_neighbours_pages_and_no_more() {
    let files = stored();
    let mut life = Life::begin(&files, config());
    life.select("m{n=\"5\"}");
    let whole = Life::begin(&files, config()).select("m").1;
    let rest = life.select("m").1;
    assert!(rest < whole && rest > whole / 2, "{rest} bytes of {whole} were read");
}

#[test]
fn without_a_cache_no_more_is_read_than_is_asked_for() {
    let files = stored();
    let with_cache = Life::begin(&files, config()).select("m{n=\"5\"}").1;
    let mut life = Life::begin(&files, Config { cache_bytes: 0, ..config() });
    let first = life.select("m{n=\"5\"}");
    let second = life.select("m{n=\"5\"}");
    assert_eq!(values(&first.0), values(&second.0));
    // The name is known the second time.
    assert!(second.1 > 20_000 && second.1 <= first.1, "{} and {} bytes were read", first.1, second.1);
    assert!(first.1 < with_cache, "{} and {with_cache} bytes were read", first.1);
    assert_eq!(life.cached_bytes(), 0);
}

#[test]
fn what_lies_in_memory_is_not_kept_twice() {
    let files = stored();
    let mut life = Life::over(&files, true, config());
    let first = life.select("m").1;
    assert!(life.cached_bytes() < 100_000, "{} bytes are cached", life.cached_bytes());
    assert!(life.select("m").1 > first / 2);
}

#[test]
fn the_budget_holds_and_a_search_of_everything_leaves_half_to_others() {
    let files = stored();
    let mut life = Life::begin(&files, Config { cache_bytes: 256 << 10, ..config() });
    let whole = life.select("m").0;
    for _ in 0..3 {
        // The pages of one series are warm, and stay so.
        life.select("m{n=\"5\"}");
        assert_eq!(life.select("m{n=\"5\"}").1, 0);
        let (found, bytes) = life.select("m");
        assert_eq!(values(&found), values(&whole));
        life.cached_bytes();
        assert!(bytes > 0);
        assert_eq!(life.select("m{n=\"5\"}").1, 0);
    }
    // A search that does not fit finds again what the last one has left.
    let first = Life::begin(&files, Config { cache_bytes: 256 << 10, ..config() }).select("m").1;
    let again = life.select("m").1;
    assert!(again + (64 << 10) < first, "{again} bytes of {first} were read again");
    let mut random = Random::new(3);
    for _ in 0..200 {
        let number = random.below(SERIES as u64);
        let of =
            |series: &SeriesData| series.labels.iter().any(|(name, value)| name == "n" && *value == number.to_string());
        let wanted: Vec<SeriesData> = whole.iter().filter(|series| of(series)).cloned().collect();
        assert_eq!(values(&life.select(&format!("m{{n=\"{number}\"}}")).0), values(&wanted));
        life.cached_bytes();
    }
}

#[test]
fn an_export_keeps_nothing() {
    let files = stored();
    let mut life = Life::begin(&files, config());
    let uri = format!("/api/v1/export?match[]=m&end={}", START / 1_000 + SAMPLES);
    let lines = crate::support::got(&mut life.engine, &uri).body;
    assert!(lines.len() > 1_000_000);
    assert!(life.cached_bytes() < 100_000, "{} bytes are cached", life.cached_bytes());
}

#[test]
fn pages_go_with_their_part() {
    let files = stored();
    let mut life = Life::begin(&files, config());
    let before = life.cached_bytes();
    life.select("m");
    let full = life.cached_bytes();
    assert!(full - before > 400_000);
    // Another part, and one that takes the place of both.
    for number in 0..SERIES {
        let labels = [("__name__", "m"), ("n", &number.to_string()[..])];
        life.engine.put(&labels, &[START + SAMPLES * 1_000], &[1.0]).unwrap();
    }
    life.engine.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap();
    life.engine.advance(1_000).unwrap();
    assert!(life.cached_bytes() < full - 400_000, "{} bytes are cached still", life.cached_bytes());
    let (found, bytes) = life.select("m");
    assert!(bytes > 400_000);
    assert!(found.iter().all(|series| series.values.len() as i64 == SAMPLES + 1 && series.values.ends_with(&[1.0])));
}

#[test]
fn a_deletion_is_seen_at_once() {
    let files = stored();
    let mut life = Life::begin(&files, config());
    life.select("m");
    life.engine.ask(Command::DeleteSeries { selector: "m{n=\"5\"}".into() }).unwrap();
    assert!(life.select("m{n=\"5\"}").0.is_empty());
    let (found, bytes) = life.select("m");
    assert_eq!(found.len(), SERIES - 1);
    assert!(bytes < 100_000, "{bytes} bytes were read again");
}

#[test]
fn what_could_not_be_read_or_was_read_wrongly_is_read_anew() {
    let files = stored();
    let truth = values(&Life::begin(&files, config()).select("m").0);
    for (mood, kind) in [(Mood::Failing, ErrorKind::Storage), (Mood::Lying, ErrorKind::Corrupt)] {
        let mut life = Life::begin(&files, config());
        life.mood.set(mood);
        assert_eq!(life.engine.all("m").unwrap_err().kind(), kind);
        life.mood.set(Mood::True);
        assert_eq!(values(&life.select("m").0), truth, "{mood:?}");
    }
}
