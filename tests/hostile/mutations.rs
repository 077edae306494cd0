//! Thousands of damaged data directories, each opened, read, merged and written to. Nothing may panic or hang, errors are typed, and
//! a damage that nobody notices changes no more than what it is in.

use crate::archive::{self, Files};
use crate::mutate::{Random2, mutate};
use crate::support::{EngineExt, START, config, open};
use sandglass::engine::{Answer, Command};
use sandglass::error::{Error, ErrorKind};
use sandglass::time::TimeRange;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const FIXTURES: [&str; 8] = [
    "tiny",
    "tiny_v1.150.0",
    "deleted",
    "txn-absolute-done",
    "txn-absolute-pending",
    "page-txn-data-relative",
    "page-txn-index-absolute",
    "one-row-blocks-502200",
];

/// One engine's life over damaged files may take so long; whole ones take a few milliseconds.
const MAX_LIFE: Duration = Duration::from_secs(10);

fn fixtures() -> Vec<Files> {
    FIXTURES.iter().map(|name| archive::read(name)).collect()
}

fn expect_typed(error: &Error, what: &str) {
    let is_expected =
        matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Limit | ErrorKind::NotFound | ErrorKind::Unsupported);
    assert!(is_expected, "{what}: {:?}: {error}", error.kind());
}

/// Does all that a user may do; every step may fail, but only in a typed way.
fn live(files: &Files) -> Result<(), (String, Error)> {
    let at = |step: &str| {
        let step = step.to_owned();
        move |error: Error| (step, error)
    };
    let mut engine = open(archive::disk(files), config()).map_err(at("open"))?;
    let range = TimeRange::ALL;
    let mut failed = None;
    let mut note = |step: &str, error: Error| {
        expect_typed(&error, step);
        failed.get_or_insert((step.to_owned(), error));
    };
    let all = "{__name__!=\"\"}";
    for (step, command) in [
        ("select", Command::Select { selector: all.into(), range }),
        ("labels", Command::Labels { selector: Some("{__name__=~\".*a.*\"}".into()), range }),
        ("names", Command::LabelNames { selector: None, range }),
        ("merge", Command::ForceMerge { partition_prefix: String::new() }),
        ("delete", Command::DeleteSeries { selector: "nothing_of_that_name".into() }),
        ("select again", Command::Select { selector: all.into(), range }),
    ] {
        if let Err(error) = engine.ask(command) {
            note(step, error);
        }
    }
    if let Err(error) = engine.put(&[("__name__", "fresh")], &[START], &[7.0]).and_then(|()| engine.flush()) {
        note("append", error);
    }
    match engine.ask(Command::ExportOpen { format: Default::default(), selector: None, range }) {
        Ok(Answer::Cursor(cursor)) => loop {
            match engine.ask(Command::ExportNext { cursor }) {
                Ok(Answer::Chunk(Some(_))) => {}
                Ok(_) => break,
                Err(error) => {
                    note("export", error);
                    break;
                }
            }
        },
        Ok(_) => {}
        Err(error) => note("export", error),
    }
    if let Err(error) = engine.ask(Command::Close) {
        note("close", error);
    }
    failed.map_or(Ok(()), Err)
}

/// One damaged directory; whether anything was noticed.
fn attempt(fixtures: &[Files], seed: u64) -> bool {
    let random = Random2::new(seed);
    let at = random.below(fixtures.len());
    let mut files = fixtures[at].clone();
    let mut what = format!("seed {seed}, {}: {}", FIXTURES[at], mutate(&mut files, &random));
    if random.below(8) == 0 {
        what = format!("{what}; {}", mutate(&mut files, &random));
    }
    let begin = Instant::now();
    let lived = std::panic::catch_unwind(|| live(&files));
    assert!(begin.elapsed() < MAX_LIFE, "{what}: {:?}", begin.elapsed());
    match lived {
        Ok(Ok(())) => false,
        Ok(Err((step, error))) => {
            expect_typed(&error, &format!("{what}: {step}"));
            true
        }
        Err(panic) => {
            let message = panic.downcast_ref::<String>().cloned();
            panic!(
                "{what}: {}",
                message.or(panic.downcast_ref::<&str>().map(|text| text.to_string())).unwrap_or_default()
            )
        }
    }
}

/// Seeds from `first` on, in as many threads as there are processors, while `goes_on` says so; how many, and how many were noticed.
fn run(first: u64, goes_on: impl Fn(u64) -> bool + Sync) -> (u64, u64) {
    let fixtures = fixtures();
    let (next, noticed) = (AtomicU64::new(first), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !goes_on(seed) {
                        return;
                    }
                    noticed.fetch_add(u64::from(attempt(&fixtures, seed)), Ordering::Relaxed);
                }
            });
        }
    });
    (next.into_inner() - first, noticed.into_inner())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn ten_thousand_damaged_directories_end_in_typed_errors_or_answers() {
    let (first, count) = (number("FUZZ_START", 0), number("FUZZ_COUNT", 10_000));
    let (_, noticed) = run(first, |seed| seed < first + count);
    // Damage that nobody notices is damage to values, or to what nobody needs.
    assert!(noticed > count / 3, "{noticed} of {count} were noticed");
}

/// `make fuzz`.
#[test]
#[ignore = "runs as long as FUZZ_SECONDS says"]
fn damaged_directories_for_as_long_as_one_likes() {
    let seconds = number("FUZZ_SECONDS", 60);
    let begin = Instant::now();
    zstd_reads_back();
    let (count, noticed) = run(number("FUZZ_START", 1_000_000), |_| begin.elapsed() < Duration::from_secs(seconds));
    println!("{count} damaged directories, {noticed} of them noticed, in {seconds} s");
}

/// Frames of payloads of all kinds are read back by the other decoder.
fn zstd_reads_back() {
    frames(number("FUZZ_START", 0), 20_000);
}

#[test]
fn frames_are_read_back_by_another_decoder() {
    frames(0, 2_000);
}

fn frames(first: u64, count: u64) {
    use sandglass::encoding::zstd::{Effort, compress, frames_read_back, read_back_what_is_written};
    read_back_what_is_written();
    let before = frames_read_back().0;
    let mut out = Vec::new();
    for seed in first..first + count {
        let random = Random2::new(seed);
        let len = [0, 1, 70, 500, 9_000, 66_000, 140_000][random.below(7)];
        let len = random.below(len + 1);
        let (distinct, repeats) = (random.below(256) + 1, random.below(40) + 1);
        let mut payload: Vec<u8> = Vec::with_capacity(len);
        while payload.len() < len {
            let from = payload.len().saturating_sub(random.below(4_000) + 1);
            if random.below(3) == 0 && !payload.is_empty() {
                let end = (from + repeats).min(payload.len());
                payload.extend_from_within(from..end);
            } else {
                payload.push((random.below(distinct)) as u8);
            }
        }
        out.clear();
        let effort = if seed % 2 == 0 { Effort::Fast } else { Effort::Thorough };
        compress(&payload, effort, &mut out).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    let (read, differ) = frames_read_back();
    assert!(read - before >= count && differ == 0, "{differ} of {read} differ");
}
