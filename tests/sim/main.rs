//! Deterministic simulation: a seed becomes a workload, faults, a cache size and a budget, and a database lives through them
//! on [`sandglass::fs::sim`]. Every answer is compared with a model of what was promised.
//!
//! What a seed stands for changes with the workload, so that what one has found is kept as a test of its own in `tests/it/`.
//!
//! A failing seed prints what was wrong and the line that replays it. `SIM_VERBOSE=1` adds the log of all operations.
//!
//! - `cargo test --test sim`: comparisons of runs, and `SIM_SEEDS` seeds (3000) from `SIM_START` (0) on.
//! - `SIM_SEED=7 cargo test --test sim`: one seed.
//! - `SOAK_SECONDS=3600 cargo test --test sim`: seeds from `SIM_START` (by the clock) on for so long; see `make soak`.

mod damage;
mod life;
mod model;
mod plan;
mod reader;
mod run;

use life::Figures;
use plan::{Budget, Plan};
use run::Outcome;
use sandglass::encoding::zstd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.trim().parse().ok()
}

/// Runs a plan; a panic is as wrong as a wrong answer.
fn attempt(plan: Plan, is_verbose: bool) -> Result<Outcome, String> {
    // A young encoder's mistake must not look like a whole database.
    zstd::read_back_what_is_written();
    let (read_before, differ_before) = zstd::frames_read_back();
    match catch_unwind(AssertUnwindSafe(|| run::run(plan, is_verbose))) {
        Ok(result) => {
            let (read, differ) = zstd::frames_read_back();
            if differ > differ_before {
                return Err(format!("{} zstd frames are not what they were made from", differ - differ_before));
            }
            result.map(|mut outcome| {
                outcome.figures.frames_read_back = read - read_before;
                outcome
            })
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(format!("panicked: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("(no text)")))
        }
    }
}

fn replay_line(seed: u64) -> String {
    format!("SIM_SEED={seed} SIM_VERBOSE=1 cargo test --test sim")
}

fn report_failure(seed: u64, wrong: &str) {
    println!("seed {seed}: {wrong}");
    println!("  replay: {}", replay_line(seed));
}

/// Runs seeds on all processors until `next` gives no more. Returns the sum of what they came to and how many failed.
fn run_seeds(next: &(dyn Fn() -> Option<u64> + Sync), max_failures: u64) -> (Figures, u64) {
    let total = Mutex::new(Figures::default());
    let failures = AtomicU64::new(0);
    let every_minute = Mutex::new(Instant::now());
    let threads = std::env::var("SIM_THREADS").ok().and_then(|text| text.parse().ok());
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from).min(8));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = next() {
                    if failures.load(Ordering::Relaxed) >= max_failures {
                        return;
                    }
                    match attempt(Plan::of(seed), false) {
                        Ok(outcome) => lock(&total).add(&outcome.figures),
                        Err(wrong) => {
                            failures.fetch_add(1, Ordering::Relaxed);
                            report_failure(seed, &wrong);
                        }
                    }
                    let mut last = lock(&every_minute);
                    if last.elapsed() > Duration::from_secs(60) {
                        *last = Instant::now();
                        println!("{}", spell(&lock(&total)));
                    }
                }
            });
        }
    });
    let figures = *lock(&total);
    (figures, failures.into_inner())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn spell(figures: &Figures) -> String {
    format!(
        "{} seeds, {} lives, {} commands, {} storage operations, {} events, {} samples checked, {} snapshots opened; \
         {} power cuts and {} more while opening, {} commits taken back, {} operations failed, {} without room, \
         {} second writers, {} readers asked {} times, {} operations fenced off, {} damaged reads, {} short reads, {} damaged files, \
         {} zstd frames read back",
        figures.seeds,
        figures.lives,
        figures.commands,
        figures.operations,
        figures.events,
        figures.samples_checked,
        figures.snapshots_opened,
        figures.crashes,
        figures.crashes_while_opening,
        figures.lost_commits,
        figures.failed_operations,
        figures.out_of_room,
        figures.zombies,
        figures.readers,
        figures.reader_answers,
        figures.fenced,
        figures.damaged_reads,
        figures.short_reads,
        figures.damaged_files,
        figures.frames_read_back,
    )
}

// ---- the tests --------------------------------------------------------------------------------------------------------

type Test = (&'static str, fn() -> Result<String, String>);

const TESTS: &[Test] = &[
    ("the_same_seed_is_the_same_history", determinism),
    ("budgets_caches_and_merges_change_no_answer", metamorphic),
    ("some_thousand_seeds", many_seeds),
];

fn determinism() -> Result<String, String> {
    for seed in 0..40 {
        let histories = [0, 1].map(|_| attempt(Plan::of(seed), false).map(|outcome| outcome.history));
        let [first, second] = histories;
        if first.is_ok() && first != second {
            return Err(format!("seed {seed} has two histories\n  replay: {}", replay_line(seed)));
        }
    }
    Ok("40 seeds, twice each".into())
}

/// Pumps of other sizes leave the same files and answers, byte for byte; caches of other sizes and merges the same answers.
fn metamorphic() -> Result<String, String> {
    for seed in 0..25 {
        let plan = Plan::quiet(seed);
        let wrong = |what: &str, wrong: String| format!("seed {seed}, {what}: {wrong}");
        let first = attempt(plan.clone(), false).map_err(|why| wrong("unlimited budget", why))?;
        for units in [1, 700] {
            let what = format!("with a budget of {units}");
            let other = attempt(Plan { budget: Budget::Fixed(units), ..plan.clone() }, false)
                .map_err(|why| wrong(&what, why))?;
            if other.answers != first.answers {
                return Err(wrong(&what, "other answers".into()));
            }
            let paths = |outcome: &Outcome| outcome.files.paths().map(str::to_owned).collect::<Vec<_>>();
            if paths(&first) != paths(&other) {
                return Err(wrong(&what, "other files".into()));
            }
            if let Some(path) = paths(&first).into_iter().find(|path| first.files.file(path) != other.files.file(path))
            {
                return Err(wrong(&what, format!("{path} has another content")));
            }
        }
        let other =
            attempt(Plan { cache_bytes: 0, ..plan.clone() }, false).map_err(|why| wrong("without caches", why))?;
        if other.answers != first.answers {
            return Err(wrong("without caches", "other answers".into()));
        }
        if plan.dedup_interval_ms == 0 {
            let what = "with merges all the time";
            let other = attempt(Plan { merge_often: true, ..plan }, false).map_err(|why| wrong(what, why))?;
            if other.answers != first.answers {
                return Err(wrong(what, "other answers".into()));
            }
        }
    }
    Ok("25 seeds, five times each".into())
}

fn many_seeds() -> Result<String, String> {
    let (start, count) = (number("SIM_START").unwrap_or(0), number("SIM_SEEDS").unwrap_or(3_000));
    let next = AtomicU64::new(start);
    let max_failures = number("SIM_MAX_FAILURES").unwrap_or(5);
    let (figures, failures) = run_seeds(
        &|| {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            (seed < start + count).then_some(seed)
        },
        max_failures,
    );
    if failures > 0 { Err(format!("{failures} seeds failed")) } else { Ok(spell(&figures)) }
}

// ---- the command line -------------------------------------------------------------------------------------------------

fn one_seed(seed: u64) -> bool {
    let is_verbose = std::env::var_os("SIM_VERBOSE").is_some_and(|value| value != "0");
    match attempt(Plan::of(seed), is_verbose) {
        Ok(outcome) => {
            println!("seed {seed}: ok, history {:016x}\n{}", outcome.history, spell(&outcome.figures));
            true
        }
        Err(wrong) => {
            report_failure(seed, &wrong);
            false
        }
    }
}

fn soak(seconds: u64) -> bool {
    let by_clock =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let start = number("SIM_START").unwrap_or(by_clock * 1_000_000);
    println!("soaking for {seconds} s from seed {start} on");
    let (next, begin) = (AtomicU64::new(start), Instant::now());
    let is_over = AtomicBool::new(false);
    let (figures, failures) = run_seeds(
        &|| {
            is_over.fetch_or(begin.elapsed() >= Duration::from_secs(seconds), Ordering::Relaxed);
            (!is_over.load(Ordering::Relaxed)).then(|| next.fetch_add(1, Ordering::Relaxed))
        },
        number("SIM_MAX_FAILURES").unwrap_or(20),
    );
    println!("{}\n{failures} seeds failed", spell(&figures));
    failures == 0
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    if let Some(seed) = number("SIM_SEED") {
        std::process::exit(i32::from(!one_seed(seed)));
    }
    if let Some(seconds) = number("SOAK_SECONDS") {
        std::process::exit(i32::from(!soak(seconds)));
    }
    let (mut passed, mut failed, mut filtered) = (0, 0, 0);
    println!("\nrunning the simulation");
    for (name, test) in TESTS {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            filtered += 1;
            continue;
        }
        let begin = Instant::now();
        match test() {
            Ok(what) => {
                passed += 1;
                println!("test {name} ... ok ({:.1} s): {what}", begin.elapsed().as_secs_f64());
            }
            Err(wrong) => {
                failed += 1;
                println!("test {name} ... FAILED: {wrong}");
            }
        }
    }
    let outcome = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {outcome}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {filtered} filtered out\n"
    );
    std::process::exit(i32::from(failed > 0));
}
