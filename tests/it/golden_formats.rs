//! Text bodies read as the server imports them, and lines printed as it exports them.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::collections::BTreeMap;

use sandglass::error::Result;
use sandglass::formats::{Refused, jsonl, prometheus};
use sandglass::metric::name::MetricName;

use crate::golden::bytes;

/// What a store holds when all is taken: samples by series and time.
type Store = BTreeMap<MetricName, BTreeMap<i64, f64>>;

fn add(store: &mut Store, name: MetricName, timestamp: i64, value: f64) {
    // The parsers pass on what storage drops.
    if !value.is_nan() {
        store.entry(name).or_default().insert(timestamp, value);
    }
}

fn of_prometheus(body: &[u8], timestamp: i64, extra_labels: &[(&str, &str)]) -> (Store, Refused) {
    let (mut store, mut refused) = (Store::new(), Refused::default());
    prometheus::parse(body, 1, &mut refused, &mut |sample: prometheus::Sample<'_>| {
        let labels = prometheus::parse_series(sample.series)?;
        let labels = labels.iter().map(|(key, value)| (&key[..], &value[..]));
        let extra = extra_labels.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        let name = MetricName::from_labels(labels.chain(extra));
        add(&mut store, name, sample.timestamp.unwrap_or(timestamp), sample.value);
        Ok(())
    });
    (store, refused)
}

fn of_json_lines(body: &[u8]) -> (Store, Refused) {
    let (mut store, mut refused) = (Store::new(), Refused::default());
    jsonl::parse(body, 1, &mut refused, &mut |line| {
        for (&timestamp, &value) in line.timestamps.iter().zip(line.values) {
            add(&mut store, name_of(line), timestamp, value);
        }
        Ok(())
    });
    (store, refused)
}

fn name_of(line: jsonl::Line<'_>) -> MetricName {
    MetricName::from_labels(line.labels.iter().map(|(key, value)| (&**key, &**value)))
}

/// Compares with a server's export, whose floats went through decimals.
fn assert_same(store: &Store, export: &str) {
    let (expected, refused) = of_json_lines(&bytes(export));
    assert_eq!(refused, Refused::default());
    let names = |store: &Store| store.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(store), names(&expected));
    for (name, samples) in store {
        let expected = &expected[name];
        assert_eq!(samples.len(), expected.len(), "{name:?}");
        for ((timestamp, &value), (expected_timestamp, &expected)) in samples.iter().zip(expected) {
            assert_eq!(timestamp, expected_timestamp, "{name:?}");
            let is_exact = value.fract() == 0.0 && value.abs() < (1_u64 << 53) as f64;
            let is_near = !is_exact && (value - expected).abs() <= 1e-11 * expected.abs();
            assert!(value == expected || is_near, "{name:?} at {timestamp}: {value}, not {expected}");
        }
    }
}

#[test]
fn a_scrape_of_node_exporter() {
    let labels = [("instance", "node-a:9100"), ("job", "node")];
    let (store, refused) = of_prometheus(&bytes("node_exporter.prom.gz"), 1_710_000_000_000, &labels);
    assert_eq!(refused, Refused::default());
    assert_same(&store, "node_exporter.imported.jsonl.gz");
}

#[test]
fn the_edges_of_the_prometheus_format() {
    let (store, refused) = of_prometheus(&bytes("edge.prom.gz"), 1_710_000_009_000, &[]);
    assert_same(&store, "edge.imported.jsonl.gz");
    let reasons = [
        (14, "expected a value, found \"0x10 1710000001000\""),
        (16, "expected a value, found \"1_000 1710000001000\""),
        (23, "expected a value, found \"line without value\""),
    ];
    let reasons = reasons.map(|(line, reason)| (line, reason.to_owned()));
    assert_eq!(refused, Refused { count: 3, reasons: reasons.to_vec() });
}

#[test]
fn json_lines_as_imported() {
    let (store, refused) = of_json_lines(&bytes("seattle_weather.import.jsonl.gz"));
    assert_eq!(refused, Refused::default());
    assert_same(&store, "seattle_weather.imported.jsonl.gz");
}

#[test]
fn lines_as_exported() {
    for export in ["numbers.export.jsonl.gz", "node_exporter.imported.jsonl.gz", "edge.imported.jsonl.gz"] {
        let expected = String::from_utf8(bytes(export)).unwrap();
        let (mut printed, mut refused) = (Vec::new(), Refused::default());
        jsonl::parse(expected.as_bytes(), 1, &mut refused, &mut |line| {
            jsonl::write_export_line(&name_of(line), line.timestamps, line.values, &mut printed);
            Ok(())
        });
        assert_eq!(refused, Refused::default());
        let printed = String::from_utf8(printed).unwrap();
        assert_eq!(printed.lines().count(), expected.lines().count());
        for (printed, expected) in printed.lines().zip(expected.lines()) {
            // The server prints a bare NaN when the first value of a line is one.
            let expected = expected.replace("[NaN,", "[null,");
            assert!(printed == expected, "{printed:.400}\nis not\n{expected:.400}");
        }
    }
}

#[test]
fn damaged_bodies_are_refused_by_the_line() {
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    // Bytes that mean something to either format come up often.
    const TELLING: &[u8] = b"\n\n  {}[]\"\"\\\\,,::==##eE+-..0123456789nulNaInfty\t\r\0\xff\xc3";
    let bodies =
        [bytes("edge.prom.gz"), bytes("edge.imported.jsonl.gz"), bytes("node_exporter.prom.gz")[..8192].to_vec()];
    for round in 0..6000 {
        let mut body = match round % 4 {
            0 => (0..next(300)).map(|_| TELLING[next(TELLING.len())]).collect(),
            which => bodies[which - 1].clone(),
        };
        for _ in 0..1 + next(20) {
            let at = next(body.len() + 1);
            match next(4) {
                0 => body.truncate(at),
                1 => body.insert(at, TELLING[next(TELLING.len())]),
                2 if at < body.len() => drop(body.remove(at)),
                3 if at < body.len() => body[at] = next(256) as u8,
                _ => {}
            }
        }
        let lines = body.split(|&byte| byte == b'\n').count() as u64;
        let mut refused = Refused::default();
        let mut samples = 0;
        prometheus::parse(&body, 1, &mut refused, &mut |sample: prometheus::Sample<'_>| {
            samples += 1;
            check_series(sample.series)
        });
        // A refused sample was counted on both sides.
        assert!(refused.count <= lines && samples <= lines);
        let mut refused = Refused::default();
        let mut taken = 0;
        jsonl::parse(&body, 1, &mut refused, &mut |line| {
            taken += 1;
            assert!(!line.labels.is_empty() && !line.values.is_empty());
            assert_eq!(line.values.len(), line.timestamps.len());
            Ok(())
        });
        assert!(refused.count + taken <= lines);
    }
}

fn check_series(series: &[u8]) -> Result<()> {
    let labels = prometheus::parse_series(series)?;
    assert_eq!(labels[0].0, b"__name__");
    assert!(labels.iter().all(|(key, value)| !key.is_empty() && !value.is_empty()));
    Ok(())
}
