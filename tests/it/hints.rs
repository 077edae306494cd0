//! What the format's rules do in silence is told once: dropped samples, cut labels, labels that JSON can't hold.

use crate::support::{EngineExt, START, SharedFiles, config, open};
use sandglass::engine::{Answer, BodyFormat, Command, Config, Engine, ExportFormat, IngestResult};
use sandglass::time::{DAY_MS, TimeRange};
use sandglass::trace::event::{DropReason, Event};

fn engine() -> Engine {
    open(SharedFiles::default(), Config { retention_ms: 365 * DAY_MS, ..config() }).unwrap()
}

fn ingest(engine: &mut Engine, format: BodyFormat, body: &str) -> IngestResult {
    let command = Command::Ingest {
        format,
        body: body.to_owned().into(),
        timestamp: START,
        extra_labels: vec![("job".into(), "app".into())],
        first_line: 1,
        body_number: 1,
    };
    match engine.ask(command).unwrap() {
        Answer::Ingested(result) => result,
        other => panic!("{other:?}"),
    }
}

/// Appends one sample, and tells what is said of it.
fn said_of(engine: &mut Engine, timestamp: i64, value: f64) -> Option<String> {
    engine.put(&[("__name__", "t")], &[timestamp], &[value]).unwrap();
    engine.hint()
}

#[test]
fn a_call_of_which_nothing_is_left_is_told_with_its_likely_cause() {
    for (timestamp, value, words) in [
        (START / 1_000, 1.0, "they look like seconds"),
        (START * 1_000, 1.0, "they look like microseconds"),
        (START * 1_000_000, 1.0, "they look like nanoseconds"),
        (START - 400 * DAY_MS, 1.0, "longer retention"),
        (START + 3 * DAY_MS, 1.0, "clock that is off"),
        (START, f64::NAN, "not a number"),
    ] {
        let mut engine = engine();
        let said = said_of(&mut engine, timestamp, value).unwrap_or_default();
        assert!(said.contains(words), "{timestamp}: {said}");
        assert_eq!(said_of(&mut engine, timestamp, value), None, "once");
        assert_eq!(engine.inspect().ingested.rejected(), 2, "counted each time");
        // Those who begin to watch now learn of it, too.
        engine.set_observed(true);
        let events = engine.events();
        assert!(
            matches!(&events[..], [told] if matches!(&told.event, Event::SamplesDropped { samples: 1, message, .. } if *message == said)),
            "{events:?}"
        );
    }
}

#[test]
fn each_reason_is_told_by_itself_and_parts_of_a_call_are_not() {
    let mut engine = engine();
    assert!(said_of(&mut engine, 0, 1.0).is_some());
    assert!(said_of(&mut engine, START * 1_000, 1.0).is_some());
    assert!(said_of(&mut engine, START, 1.0).is_none());

    let mut engine = self::engine();
    engine.put(&[("__name__", "t")], &[0, START], &[1.0, 1.0]).unwrap();
    engine.put(&[("__name__", "t")], &[], &[]).unwrap();
    assert_eq!(engine.hint(), None);
    let rows = [engine.series(&[("__name__", "row")]).unwrap().0];
    engine.append_row(&rows, 5, &[1.0]).unwrap();
    assert!(engine.hint().unwrap().contains("all 1 samples"));
}

#[test]
fn a_body_says_why_its_samples_were_dropped() {
    let mut engine = engine();
    let line =
        |timestamp: i64| format!("{{\"metric\":{{\"__name__\":\"t\"}},\"values\":[1],\"timestamps\":[{timestamp}]}}\n");
    let result = ingest(&mut engine, BodyFormat::JsonLines, &line(START / 1_000));
    assert_eq!((result.samples, result.rejected, result.errors.len()), (0, 1, 1));
    assert_eq!(result.errors[0].line, None);
    assert!(result.errors[0].message.contains("seconds"), "{:?}", result.errors);
    assert!(engine.hint().is_some());
    let result = ingest(&mut engine, BodyFormat::JsonLines, &(line(START / 1_000) + &line(START)));
    assert_eq!((result.samples, result.rejected), (1, 1));
    assert_eq!(result.errors[0].message, "samples were dropped that are older than the retention");
    assert_eq!(engine.hint(), None);
}

#[test]
fn the_name_stays_wherever_it_comes_and_cut_labels_are_told() {
    let wide = |name_at: usize, count: usize| -> Vec<(String, String)> {
        let mut labels: Vec<(String, String)> = (0..count).map(|i| (format!("k{i:02}"), "x".into())).collect();
        labels.insert(name_at, ("__name__".into(), "wide".into()));
        labels
    };
    let mut engine = engine();
    let mut handles = Vec::new();
    for name_at in [0, 15, 40] {
        let labels = wide(name_at, 40);
        let pairs: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        handles.push(engine.series(&pairs).unwrap());
    }
    assert_eq!(handles, [handles[0]; 3]);
    assert!(engine.hint().unwrap().contains("at most 30 labels"));
    assert_eq!(engine.inspect().ingested.labels_cut, 33);

    // In a body the label that is added to each line stays, too, and both formats have one rule.
    let body = |labels: &[(String, String)]| {
        let inner: Vec<String> = labels.iter().map(|(key, value)| format!("{key:?}:{value:?}")).collect();
        format!("{{\"metric\":{{{}}},\"values\":[1],\"timestamps\":[{START}]}}\n", inner.join(","))
    };
    let lines = body(&wide(40, 40)) + &body(&wide(0, 40));
    assert_eq!(ingest(&mut engine, BodyFormat::JsonLines, &lines).series, 1);
    let text: Vec<String> = (0..40).map(|i| format!("k{i:02}=\"x\"")).collect();
    ingest(&mut engine, BodyFormat::Prometheus, &format!("wide{{{}}} 1\n", text.join(",")));
    engine.flush().unwrap();
    let found = engine.all("wide").unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].labels.len(), 30);
    assert!(found[0].labels.contains(&("job".into(), "app".into())), "{:?}", found[0].labels);
    assert_eq!(engine.hint(), None);
}

#[test]
fn an_export_tells_of_labels_that_json_cannot_hold() {
    let mut engine = engine();
    let body = b"m{a=\"x\xff\"} 1\nm{a=\"x\xfe\"} 2\nplain 3\n";
    let command = Command::Ingest {
        format: BodyFormat::Prometheus,
        body: body[..].into(),
        timestamp: START,
        extra_labels: Vec::new(),
        first_line: 1,
        body_number: 1,
    };
    engine.ask(command).unwrap();
    engine.flush().unwrap();
    let mut export = |selector: &str| {
        engine
            .ask(Command::ExportOpen {
                format: ExportFormat::JsonLines,
                selector: Some(selector.into()),
                range: TimeRange::ALL,
            })
            .unwrap();
        engine.hint()
    };
    assert_eq!(export("plain"), None);
    assert!(export("m").unwrap().contains("2 series"));
    assert_eq!(export("m"), None);
}

#[test]
fn of_several_reasons_the_commonest_is_told() {
    let mut engine = engine();
    engine.put(&[("__name__", "t")], &[0, START, START], &[1.0, f64::NAN, f64::NAN]).unwrap();
    engine.set_observed(true);
    let events = engine.events();
    assert!(
        matches!(&events[0].event, Event::SamplesDropped { reason: DropReason::NotANumber, samples: 3, .. }),
        "{events:?}"
    );
}
