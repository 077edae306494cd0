//! A writer whose files another one has taken over: it stops, says so to everybody, and tries nothing again.

use crate::support::{EngineExt, START, config, open};
use sandglass::engine::{Command, Config};
use sandglass::error::ErrorKind;
use sandglass::fs::SimFileSystem;
use sandglass::trace::event::Event;

#[test]
fn a_writer_that_was_fenced_stops() {
    let files = SimFileSystem::new(1);
    let small = Config { memory_bytes: 1 << 20, ..config() };
    let mut engine = open(files.clone(), small).unwrap();
    engine.set_observed(true);
    let labels = [("__name__", "m")];
    let series = engine.series(&labels).unwrap();
    engine.put(&labels, &[START], &[1.0]).unwrap();
    engine.ask(Command::Sync).unwrap();
    files.fail_with(ErrorKind::Locked);
    (files.operations()..files.operations() + 10_000).for_each(|number| files.fail_at(number));
    // Appends that wait for a flush, which will never come, and commands of all kinds.
    let mut tickets = Vec::new();
    for at in 0..300 {
        let timestamps: Vec<i64> = (0..1000).map(|i| START + at * 1000 + i).collect();
        match engine.append(series, &timestamps, &[1.0; 1000]) {
            Ok(ticket) => tickets.extend(ticket),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Locked),
        }
    }
    assert!(!tickets.is_empty(), "no append has to wait");
    let refused = [engine.tick(3_600_000).unwrap(), engine.send(Command::Sync)];
    for ticket in refused {
        assert_eq!(engine.run(ticket).unwrap_err().kind(), ErrorKind::Locked, "{ticket:?}");
    }
    // Some have found room in memory before; nobody waits for ever.
    for ticket in tickets {
        let answer = engine.take(ticket).expect("an append is not answered");
        assert!(answer.as_ref().err().is_none_or(|error| error.kind() == ErrorKind::Locked), "{answer:?}");
    }
    let operations = files.operations();
    for _ in 0..100 {
        let pumped = engine.pump(START, u64::MAX);
        assert_eq!((pumped.has_work, pumped.next_due, pumped.waits_for_storage), (false, None, false));
    }
    assert_eq!(files.operations(), operations, "the storage is asked again");
    assert_eq!(engine.append(series, &[START], &[1.0]).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(engine.ask(Command::SnapshotList).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(engine.ask(Command::Close).unwrap_err().kind(), ErrorKind::Locked);
    let says_so = |event: &Event| matches!(event, Event::Degraded { message, .. } if message.contains("has stopped"));
    let events = engine.events();
    assert!(events.iter().any(|stamped| says_so(&stamped.event)), "nobody is told");
    let promises = |event: &Event| matches!(event, Event::Degraded { message, .. } if message.contains("tried again"));
    assert!(!events.iter().any(|stamped| promises(&stamped.event)), "{events:?}");
}

#[test]
fn a_writer_that_is_fenced_while_it_closes_comes_to_an_end() {
    for number in 0..20 {
        let files = SimFileSystem::new(number);
        let mut engine = open(files.clone(), config()).unwrap();
        engine.put(&[("__name__", "m")], &[START], &[1.0]).unwrap();
        files.fail_with(ErrorKind::Locked);
        (files.operations() + number..files.operations() + 10_000).for_each(|number| files.fail_at(number));
        let last = engine.ask(Command::Close);
        if last.is_ok() {
            assert!(number > 0);
            return;
        }
        assert_eq!(last.unwrap_err().kind(), ErrorKind::Locked);
    }
    panic!("closing needs more operations than were tried");
}
