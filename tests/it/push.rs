//! What a push sends: bodies that go on where the last one has ended, and what comes late.

use super::support::{EngineExt, Random, START, config, open};
use sandglass::engine::{Answer, BodyFormat, Command, Engine, PushPiece, SeriesData};
use sandglass::error::ErrorKind;
use sandglass::formats::compression::Compression;
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::time::TimeRange;

const PROTOCOLS: [&str; 3] = ["v1.72", "v1.150", "remote_write"];

fn empty() -> Engine {
    open(MemoryFileSystem::default(), config()).unwrap()
}

/// Series of different lengths with values that take some bytes each; one is cut into several bodies.
fn filled() -> Engine {
    let mut engine = empty();
    let mut random = Random::new(7);
    for (at, rows) in [(0_i64, 60_000_i64), (1, 1), (2, 7000), (3, 20_000)] {
        let timestamps: Vec<i64> = (0..rows).map(|row| START - 60_000_000 + row * 1000 + at).collect();
        let values: Vec<f64> = (0..rows).map(|_| (random.next() >> 20) as f64).collect();
        let label = ["b", "a", "c\u{1}", "ü"][at as usize];
        engine.put(&[("__name__", "m"), ("A", label)], &timestamps, &values).unwrap();
    }
    engine.flush().unwrap();
    engine
}

fn begin(engine: &mut Engine, protocol: &str, from: &str) -> u32 {
    let (protocol, from) = (protocol.to_owned(), from.to_owned());
    let opened = Command::PushOpen { protocol, selector: None, range: TimeRange::ALL, from };
    let Answer::Cursor(cursor) = engine.ask(opened).unwrap() else { panic!("a push has a cursor") };
    cursor
}

fn next(engine: &mut Engine, cursor: u32) -> Option<PushPiece> {
    let Answer::PushPiece(piece) = engine.ask(Command::PushNext { cursor }).unwrap() else {
        panic!("a push has pieces")
    };
    piece
}

fn pieces(engine: &mut Engine, cursor: u32) -> Vec<PushPiece> {
    std::iter::from_fn(|| next(engine, cursor)).collect()
}

fn take(engine: &mut Engine, protocol: &str, body: &[u8]) -> u64 {
    let name = if protocol == "remote_write" { protocol } else { "native" };
    let opened = Command::IngestOpen {
        format: BodyFormat::named(name, "").unwrap(),
        compression: Compression::of_header("").unwrap(),
        timestamp: START,
        extra_labels: Vec::new(),
    };
    let Answer::Cursor(ingest) = engine.ask(opened).unwrap() else { panic!("a body has a number") };
    engine.ask(Command::IngestPiece { ingest, bytes: body.to_vec().into() }).unwrap();
    let Answer::Ingested(ingested) = engine.ask(Command::IngestEnd { ingest }).unwrap() else { panic!("a body ends") };
    assert_eq!((ingested.rejected, ingested.errors.len()), (0, 0), "{:?}", ingested.errors);
    ingested.samples
}

fn all(engine: &mut Engine) -> Vec<SeriesData> {
    engine.flush().unwrap();
    engine.all("{A!=\"never\"}").unwrap()
}

#[test]
fn every_body_is_whole_and_the_next_goes_on_behind_it() {
    let mut engine = filled();
    let expected = all(&mut engine);
    for protocol in PROTOCOLS {
        let cursor = begin(&mut engine, protocol, "");
        let whole = pieces(&mut engine, cursor);
        assert!(whole.len() >= 2 && whole.last().unwrap().next.is_empty(), "{protocol}: {} pieces", whole.len());
        assert_eq!(whole.iter().map(|piece| piece.samples).sum::<u64>(), 87_001);
        let mut receiver = empty();
        for piece in &whole {
            assert_eq!(take(&mut receiver, protocol, &piece.body), piece.samples);
        }
        assert_eq!(all(&mut receiver), expected, "{protocol}");
        // Whoever begins again behind a body gets just those that came behind it.
        for at in 0..whole.len() - 1 {
            let cursor = begin(&mut engine, protocol, &whole[at].next);
            assert_eq!(pieces(&mut engine, cursor), whole[at + 1..], "{protocol}, behind piece {at}");
        }
    }
}

#[test]
fn windows_without_samples_are_told_apart_from_those_with_some() {
    const HOUR_MS: i64 = 3_600_000;
    let mut engine = empty();
    let begin = START / HOUR_MS * HOUR_MS;
    // One has a sample a day, one ends with the last and begins with the first millisecond of hours, one is long.
    let daily: Vec<i64> = (0..40).map(|day| begin - 24 * HOUR_MS * day - 1).collect();
    let long: Vec<i64> = (0..40_000).map(|row| begin - 3 * HOUR_MS + row * 100).collect();
    for (number, timestamps) in
        [daily.clone(), vec![begin - 100 * HOUR_MS, begin - 98 * HOUR_MS - 1], long.clone()].into_iter().enumerate()
    {
        let labels = [("__name__", "m"), ("n", ["0", "1", "2"][number])];
        engine.put(&labels, &timestamps, &vec![1.0; timestamps.len()]).unwrap();
    }
    engine.flush().unwrap();
    let mut ask = |selector: Option<&str>, range: TimeRange, window_ms: i64| {
        let asked = Command::PushWindows { selector: selector.map(str::to_owned), range, window_ms };
        engine.ask(asked).map(|answer| {
            let Answer::Times(times) = answer else { panic!("windows have times") };
            times
        })
    };
    let windows_of = |timestamps: &[i64]| {
        let mut begins: Vec<i64> = timestamps.iter().map(|at| at / HOUR_MS * HOUR_MS).collect();
        begins.sort_unstable();
        begins.dedup();
        begins
    };
    let odd = [begin - 100 * HOUR_MS, begin - 98 * HOUR_MS - 1];
    assert_eq!(ask(Some("m{n=\"0\"}"), TimeRange::ALL, HOUR_MS).unwrap(), windows_of(&daily));
    assert_eq!(ask(Some("m{n=\"1\"}"), TimeRange::ALL, HOUR_MS).unwrap(), windows_of(&odd));
    assert_eq!(ask(None, TimeRange::ALL, HOUR_MS).unwrap(), windows_of(&[&daily[..], &odd, &long].concat()));
    // Both ends belong to a range.
    let range = TimeRange { min: odd[0], max: odd[1] - 1 };
    assert_eq!(ask(Some("m{n=\"1\"}"), range, HOUR_MS).unwrap(), [odd[0]]);
    assert_eq!(ask(Some("other"), TimeRange::ALL, HOUR_MS).unwrap(), Vec::<i64>::new());
    for (selector, window_ms) in [(None, 0), (None, -1), (Some("m{"), HOUR_MS)] {
        assert_eq!(ask(selector, TimeRange::ALL, window_ms).unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[test]
fn series_that_are_new_do_not_move_the_place() {
    let mut engine = filled();
    let cursor = begin(&mut engine, "v1.150", "");
    let first = next(&mut engine, cursor).unwrap();
    let rest: u64 = pieces(&mut engine, cursor).iter().map(|piece| piece.samples).sum();
    engine.put(&[("__name__", "m"), ("A", "Z")], &[START], &[1.0]).unwrap();
    engine.put(&[("__name__", "zz"), ("A", "ü")], &[START], &[1.0]).unwrap();
    engine.flush().unwrap();
    let cursor = begin(&mut engine, "v1.150", &first.next);
    let again: u64 = pieces(&mut engine, cursor).iter().map(|piece| piece.samples).sum();
    // The one before the place is left to another push, the one behind is sent.
    assert_eq!(again, rest + 1);
}

#[test]
fn a_window_that_has_ended_or_never_was_is_an_error() {
    let mut engine = filled();
    let cursor = begin(&mut engine, "v1.72", "");
    pieces(&mut engine, cursor);
    assert_eq!(engine.ask(Command::PushNext { cursor }).unwrap_err().kind(), ErrorKind::NotFound);
    let open = |protocol: &str, from: &str| Command::PushOpen {
        protocol: protocol.into(),
        selector: None,
        range: TimeRange::ALL,
        from: from.into(),
    };
    assert_eq!(engine.ask(open("v1.72", "x.1")).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(engine.ask(open("v2", "")).unwrap_err().kind(), ErrorKind::Invalid);
    let nothing = Command::PushOpen {
        protocol: "v1.72".into(),
        selector: Some("nothing".into()),
        range: TimeRange::ALL,
        from: String::new(),
    };
    let Answer::Cursor(cursor) = engine.ask(nothing).unwrap() else { panic!() };
    assert_eq!(next(&mut engine, cursor), None);
}

#[test]
fn what_comes_late_is_sent_once() {
    let mut engine = empty();
    let watch = |engine: &mut Engine, until| {
        engine.ask(Command::PushWatch { watch: "w".into(), until }).unwrap();
    };
    let late = |engine: &mut Engine, receiver: &mut Engine| {
        engine.flush().unwrap();
        let asked = Command::PushLate { watch: "w".into(), protocol: "v1.150".into(), selector: None };
        let Answer::Late(late) = engine.ask(asked).unwrap() else { panic!() };
        let Some((cursor, range)) = late else { return (0, None) };
        let samples = pieces(engine, cursor).iter().map(|piece| take(receiver, "v1.150", &piece.body)).sum::<u64>();
        (samples, Some((range.min, range.max)))
    };
    let mut receiver = empty();
    let sample = |engine: &mut Engine, label: &str, at: i64| {
        engine.put(&[("__name__", "m"), ("A", label)], &[at], &[1.0]).unwrap()
    };
    sample(&mut engine, "a", START - 9000);
    sample(&mut engine, "a", START - 1000);
    assert_eq!(late(&mut engine, &mut receiver), (0, None), "nobody watches");
    watch(&mut engine, START - 1000);
    assert_eq!(late(&mut engine, &mut receiver), (0, None), "all of it was there before");
    // In order, out of order in a series that is known, and a series that is new and as late as that.
    sample(&mut engine, "a", START);
    sample(&mut engine, "a", START - 5000);
    engine.put(&[("__name__", "m"), ("A", "b")], &[START - 7000, START - 6000, START - 500], &[1.0; 3]).unwrap();
    let mut row = Vec::new();
    for label in ["c", "d"] {
        row.push(engine.series(&[("__name__", "m"), ("A", label)]).unwrap().0);
    }
    if let Some(ticket) = engine.append_row(&row, START - 8000, &[1.0, 2.0]).unwrap() {
        engine.run(ticket).unwrap();
    }
    assert_eq!(late(&mut engine, &mut receiver), (5, Some((START - 8000, START - 1000))));
    assert_eq!(late(&mut engine, &mut receiver), (0, None), "once");
    let sent = all(&mut receiver);
    let times = |label: &str| {
        let of = sent.iter().find(|series| series.labels.contains(&("A".into(), label.into())));
        of.map_or(Vec::new(), |series| series.timestamps.clone())
    };
    assert_eq!(times("a"), [START - 5000]);
    assert_eq!(times("b"), [START - 7000, START - 6000]);
    assert_eq!((times("c"), times("d")), (vec![START - 8000], vec![START - 8000]));
    engine.ask(Command::PushUnwatch { watch: "w".into() }).unwrap();
    sample(&mut engine, "a", START - 4000);
    assert_eq!(late(&mut engine, &mut receiver), (0, None), "nobody watches any more");
}

#[test]
fn no_more_than_some_follow_at_once() {
    let mut engine = empty();
    let watch =
        |engine: &mut Engine, name: u32| engine.ask(Command::PushWatch { watch: name.to_string(), until: START });
    for name in 0..64 {
        watch(&mut engine, name).unwrap();
    }
    assert_eq!(watch(&mut engine, 64).unwrap_err().kind(), ErrorKind::Limit);
    watch(&mut engine, 63).unwrap();
}
