//! One budget of memory for all that runs: who gets nothing is told so, and the database lives.

use crate::slices::{ask, hosts, run_in_slices};
use crate::support::{EngineExt, START, SharedFiles, config, get, open};
use sandglass::engine::{Answer, Command, Config, Engine};
use sandglass::error::ErrorKind;
use sandglass::fs::MemoryFileSystem;
use sandglass::time::TimeRange;

/// 64 MB of memory, of which a quarter is given out by request.
const MEMORY_BYTES: u64 = 64 << 20;

/// An engine with one series of so many samples, a second apart.
fn long_series(samples: i64) -> Engine {
    let mut engine = open(MemoryFileSystem::new(), Config { memory_bytes: MEMORY_BYTES, ..config() }).unwrap();
    for from in (0..samples).step_by(100_000) {
        let run = from..(from + 100_000).min(samples);
        let timestamps: Vec<i64> = run.clone().map(|n| START - (samples - n) * 1_000).collect();
        let values: Vec<f64> = run.map(|n| (n * 7_919 % 1_000) as f64).collect();
        engine.put(&[("__name__", "m")], &timestamps, &values).unwrap();
    }
    engine.flush().unwrap();
    engine
}

fn select() -> Command {
    Command::Select { selector: "m".into(), range: TimeRange::ALL }
}

#[test]
fn concurrent_selects_share_a_budget_and_the_database_lives() {
    let mut engine = long_series(300_000);
    let tickets: Vec<_> = (0..8).map(|_| engine.send(select())).collect();
    let answers: Vec<_> = tickets
        .into_iter()
        .map(|ticket| {
            loop {
                // Answers stay where they are until all are there, as when nobody takes them.
                engine.pump(engine.now(), 1_000_000);
                if engine.completed().contains(&ticket) || !engine.pump(engine.now(), 1).has_work {
                    break ticket;
                }
            }
        })
        .collect();
    let (mut found, mut refused) = (0, 0);
    for ticket in answers {
        match engine.run(ticket) {
            Ok(Answer::Series(series)) => {
                assert_eq!(series[0].timestamps.len(), 300_000);
                found += 1;
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
                refused += 1;
            }
        }
    }
    // Three times 4.8 MB fit into 16.
    assert_eq!((found, refused), (3, 5));
    assert_eq!(engine.all("m").unwrap()[0].timestamps.len(), 300_000);
}

#[test]
fn what_is_too_much_for_a_select_can_be_exported() {
    const SAMPLES: usize = 1_500_000;
    let mut engine = long_series(SAMPLES as i64);
    let refused = ask(&mut engine, select(), "select").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Limit, "{refused}");
    let Answer::Cursor(cursor) = ask(
        &mut engine,
        Command::ExportOpen { format: Default::default(), selector: None, range: TimeRange::ALL },
        "export",
    )
    .unwrap() else {
        panic!("no export")
    };
    let (mut samples, mut last) = (0, 0);
    loop {
        let ticket = engine.send(Command::ExportNext { cursor });
        let Answer::Chunk(chunk) = run_in_slices(&mut engine, ticket, "chunk").unwrap() else { panic!("no chunk") };
        let Some(chunk) = chunk else { break };
        assert!(chunk.len() <= 1 << 20, "a chunk of {} bytes", chunk.len());
        for line in chunk.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: serde_json::Value = serde_json::from_slice(line).unwrap();
            for timestamp in line["timestamps"].as_array().unwrap() {
                let timestamp = timestamp.as_i64().unwrap();
                assert!(timestamp > last, "{timestamp} comes behind {last}");
                last = timestamp;
                samples += 1;
            }
        }
    }
    assert_eq!(samples, SAMPLES);
    let part = TimeRange { min: START - 200_000_000, max: START };
    let found = ask(&mut engine, Command::Select { selector: "m".into(), range: part }, "a part").unwrap();
    let Answer::Series(found) = found else { panic!("no series") };
    assert_eq!(found[0].timestamps.len(), 200_000);
}

#[test]
fn pieces_of_an_export_are_deduplicated_as_the_whole_is() {
    let config = Config { dedup_interval_ms: 7_000, ..config() };
    let mut engine = open(MemoryFileSystem::new(), config).unwrap();
    let timestamps: Vec<i64> = (0..120_000).map(|n| START - n * 1_300).rev().collect();
    let values: Vec<f64> = (0..120_000).map(f64::from).collect();
    engine.put(&[("__name__", "m")], &timestamps, &values).unwrap();
    engine.flush().unwrap();
    let whole = engine.all("m").unwrap().remove(0);
    let Answer::Cursor(cursor) =
        engine.ask(Command::ExportOpen { format: Default::default(), selector: None, range: TimeRange::ALL }).unwrap()
    else {
        panic!("no export")
    };
    let (mut timestamps, mut values) = (Vec::new(), Vec::new());
    let mut lines = 0;
    while let Answer::Chunk(Some(chunk)) = engine.ask(Command::ExportNext { cursor }).unwrap() {
        for line in chunk.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: serde_json::Value = serde_json::from_slice(line).unwrap();
            timestamps.extend(line["timestamps"].as_array().unwrap().iter().filter_map(serde_json::Value::as_i64));
            values.extend(line["values"].as_array().unwrap().iter().filter_map(serde_json::Value::as_f64));
            lines += 1;
        }
    }
    assert!(lines > 1);
    assert_eq!((timestamps, values), (whole.timestamps, whole.values));
}

#[test]
fn series_beyond_memory_are_refused_and_those_that_are_there_go_on() {
    let config = || Config { memory_bytes: MEMORY_BYTES, ..config() };
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), config()).unwrap();
    let label = "x".repeat(16_000);
    let put = |engine: &mut Engine, number: u64| {
        engine.put(&[("__name__", "m"), ("long", &label), ("number", &number.to_string())], &[START], &[1.0])
    };
    let mut accepted = 0;
    let error = loop {
        match put(&mut engine, accepted) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 2_000, "nothing was refused");
    };
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(error.message().contains(&format!("{accepted} series")), "{error}");
    assert!(accepted > 500, "{accepted}");
    put(&mut engine, 0).unwrap();
    put(&mut engine, accepted + 1).unwrap_err();
    engine.ask(Command::Close).unwrap();
    let mut again = open(files, config()).unwrap();
    put(&mut again, accepted).unwrap();
    again.flush().unwrap();
    let selector = Some(format!("m{{number=\"{accepted}\"}}"));
    let counted = again.ask(Command::Count { selector, range: TimeRange::ALL }).unwrap();
    assert!(matches!(counted, Answer::Count(1)), "{counted:?}");
}

#[test]
fn a_reply_that_is_too_long_for_memory_is_refused_and_the_database_lives() {
    let mut engine = hosts(1_500, Config { memory_bytes: MEMORY_BYTES, ..config() });
    let (start, end) = (START / 1_000, START / 1_000 + 299);
    let asked = |selector: &str| {
        get(&format!("/api/v1/query_range?query={selector}&start={start}&end={end}&step=1&dialect=promql"))
    };
    let replied = |engine: &mut Engine, selector: &str| match engine.ask(asked(selector)).unwrap() {
        Answer::Http(reply) => (reply.status, String::from_utf8(reply.body).unwrap()),
        other => panic!("{other:?}"),
    };
    let (status, body) = replied(&mut engine, "load");
    assert_eq!(status, 422, "{}", &body[..200.min(body.len())]);
    assert!(body.contains("memory"), "{body}");
    let (status, body) = replied(&mut engine, "sum(load)");
    assert_eq!(status, 200, "{body}");
}
