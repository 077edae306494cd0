//! Drives an engine a slice at a time, as a page does, and looks how long each has kept the processor.

use crate::support::{EngineExt, START, config, open, query_of};
use sandglass::engine::{Answer, Command, Config, Engine, Ticket};
use sandglass::error::Result;
use sandglass::executor::Times;
use sandglass::fs::MemoryFileSystem;
use sandglass::query::dialect::Dialect;
use sandglass::time::TimeRange;

/// Work of one slice.
const SLICE_UNITS: u64 = 20_000;
/// What a page feels. The tests' code is a few times slower than the package's, which is to stay below 8 ms.
const MAX_SLICE_MS: u64 = 120;

/// Milliseconds for which this thread has had the processor; what others take of it does not count.
pub fn cpu_ms() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0) / 1_000_000
}

/// Runs until `ticket` is answered, and fails when a slice was too long.
pub fn run_in_slices(engine: &mut Engine, ticket: Ticket, what: &str) -> Result<Answer> {
    let mut slice = 0;
    loop {
        if let Some(answer) = engine.take(ticket) {
            return answer;
        }
        let before = cpu_ms();
        engine.pump(engine.now(), SLICE_UNITS);
        let took = cpu_ms() - before;
        assert!(took <= MAX_SLICE_MS, "{what}: slice {slice} took {took} ms");
        slice += 1;
    }
}

/// As [`run_in_slices`], for a command.
pub fn ask(engine: &mut Engine, command: Command, what: &str) -> Result<Answer> {
    let ticket = engine.send(command);
    run_in_slices(engine, ticket, what)
}

/// An engine with `count` series of one sample each: `load{instance="host-<n>:9100"}`.
pub fn hosts(count: usize, config: Config) -> Engine {
    let mut engine = open(MemoryFileSystem::new(), config).unwrap();
    for n in 0..count {
        let instance = format!("host-{n}:9100");
        engine.put(&[("__name__", "load"), ("instance", &instance)], &[START], &[n as f64]).unwrap();
    }
    engine.flush().unwrap();
    engine
}

#[test]
fn many_series_are_found_exported_and_listed_in_short_slices() {
    const COUNT: usize = 60_000;
    let mut engine = hosts(COUNT, config());
    let range = TimeRange::ALL;
    for selector in ["load", "{__name__!=\"\"}", "load{instance!=\"host-7:9100\"}", "{instance!~\"host-7.*1.*\"}"] {
        let Answer::Series(found) =
            ask(&mut engine, Command::Select { selector: selector.into(), range }, selector).unwrap()
        else {
            panic!("{selector}: no series")
        };
        assert!(found.len() > COUNT * 9 / 10, "{selector}: {}", found.len());
    }
    let Answer::LabelSets(sets) = ask(&mut engine, Command::Labels { selector: None, range }, "labels").unwrap() else {
        panic!("no labels")
    };
    assert_eq!(sets.len(), COUNT);
    let Answer::Cursor(cursor) =
        ask(&mut engine, Command::ExportOpen { format: Default::default(), selector: None, range }, "export").unwrap()
    else {
        panic!("no export")
    };
    let mut lines = 0;
    while let Answer::Chunk(Some(chunk)) = ask(&mut engine, Command::ExportNext { cursor }, "chunk").unwrap() {
        lines += chunk.iter().filter(|byte| **byte == b'\n').count();
    }
    assert_eq!(lines, COUNT);
}

#[test]
fn queries_that_sort_and_match_many_values_are_answered_in_short_slices() {
    const SERIES: usize = 500;
    const INSTANTS: i64 = 2_000;
    let mut engine = open(MemoryFileSystem::new(), config()).unwrap();
    let timestamps: Vec<i64> = (0..INSTANTS).map(|at| START + at * 1_000).collect();
    for n in 0..SERIES {
        // No two series come in the same order at two instants.
        let values: Vec<f64> = (0..INSTANTS).map(|at| ((n as i64 * 7_919 + at * 104_729) % 10_007) as f64).collect();
        engine.put(&[("__name__", "load"), ("host", &n.to_string())], &timestamps, &values).unwrap();
    }
    engine.flush().unwrap();
    for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
        for text in [
            "topk(5, load)",
            "bottomk(3, load)",
            "quantile(0.9, load)",
            "load - load",
            "load > 5000",
            "load and load",
            "load or load",
            "abs(load)",
            "stddev(load + 1)",
        ] {
            let times = Times::Range { start_ms: START, end_ms: START + (INSTANTS - 1) * 1_000, step_ms: 1_000 };
            let query = query_of(text, dialect, times);
            ask(&mut engine, Command::Query(query), text).unwrap();
        }
    }
}
