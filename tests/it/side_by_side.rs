//! Calls that run at the same time don't count each other's rows.

use crate::support::{START, config, open};
use sandglass::engine::{Answer, BodyFormat, Command, IngestError, IngestResult, Ticket};
use sandglass::engine::{Clock, Config};
use sandglass::fs::sim::SimFileSystem;

/// A body with `good` samples of a series of its own, and some that are too new.
fn body(name: &str, good: usize, too_new: usize) -> Command {
    let line = |at: i64| format!("{name} 1 {at}\n");
    let mut text: String = (0..good as i64).map(|i| line(START + i)).collect();
    text.extend((0..too_new as i64).map(|i| line(START * 2 + i)));
    Command::Ingest {
        format: BodyFormat::Prometheus,
        body: text.into(),
        timestamp: START,
        extra_labels: Vec::new(),
        first_line: 1,
        body_number: 7,
    }
}

#[test]
fn bodies_under_way_at_once_count_their_own_refusals() {
    // Found by the simulation: rows refused by a call that had to prepare first were counted twice, and the rows of others with
    // them, until the count of accepted ones underflowed.
    for seed in 0..10 {
        let files = SimFileSystem::new(seed);
        let mut engine = open(files, Config { clock: Clock::Real, ..config() }).unwrap();
        let tickets: Vec<(Ticket, usize, usize)> = (0..6)
            .map(|i| (i, 1 + i, 3 * (6 - i)))
            .map(|(i, good, too_new)| (engine.send(body(&format!("m{i}"), good, too_new)), good, too_new))
            .collect();
        // One unit at a time, so that they take turns.
        for _ in 0..10_000 {
            engine.pump(START, 1);
        }
        for (ticket, good, too_new) in tickets {
            let Some(Ok(Answer::Ingested(result))) = engine.take(ticket) else { panic!("no answer") };
            let message = "samples were dropped that are more than two days ahead".into();
            let errors = vec![IngestError { line: None, message }];
            let expected = IngestResult { series: 1, samples: good as u64, rejected: too_new as u64, errors };
            assert_eq!(result, expected);
        }
    }
}
