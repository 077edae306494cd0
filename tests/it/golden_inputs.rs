//! Bodies of all formats, taken in by the engine as the server takes them, and taken out again.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use sandglass::encoding::decimal::STALE_NAN_BITS;
use sandglass::engine::{Answer, BodyFormat, Command, Config, Engine, ExportFormat, IngestResult};
use sandglass::error::ErrorKind;
use sandglass::formats::compression::Compression;
use sandglass::formats::csv::{CsvColumns, CsvFormat};
use sandglass::formats::native::Layout;
use sandglass::formats::{Refused, influx, jsonl};
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::http::{HttpRequest, HttpResponse};
use sandglass::metric::name::MetricName;
use sandglass::time::TimeRange;

use crate::golden::bytes;
use crate::support::{EngineExt, answered, config, open};

/// Samples by series, sorted.
type Store = BTreeMap<MetricName, Vec<(i64, f64)>>;

fn store_of(export: &[u8]) -> Store {
    let (mut store, mut refused) = (Store::new(), Refused::default());
    jsonl::parse(export, 1, &mut refused, &mut |line| {
        let name = MetricName::from_labels(line.labels.iter().map(|(key, value)| (&**key, &**value)));
        let samples = line.timestamps.iter().copied().zip(line.values.iter().copied());
        store.entry(name).or_default().extend(samples);
        Ok(())
    });
    assert_eq!(refused, Refused::default());
    for samples in store.values_mut() {
        samples.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    }
    store
}

/// Compares stores whose floats went through decimals of different blocks.
fn assert_same(store: &Store, expected: &Store) {
    let names = |store: &Store| store.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(store), names(expected));
    for (name, samples) in store {
        let expected = &expected[name];
        assert_eq!(samples.len(), expected.len(), "{name:?}");
        for (sample, expected) in samples.iter().zip(expected) {
            let is_near = (sample.1 - expected.1).abs() <= 1e-11 * expected.1.abs();
            // Of the stale marker the server prints no more than that it is a NaN; no other is stored.
            let is_same = match expected.1.is_nan() {
                true => sample.1.to_bits() == STALE_NAN_BITS,
                false => sample.1 == expected.1 || is_near,
            };
            assert!(sample.0 == expected.0 && is_same, "{name:?}: {sample:?}, not {expected:?}");
        }
    }
}

/// An engine of the year 2026, so that no sample of the bodies is too new.
fn engine() -> Engine {
    let config = Config { start_time: 1_796_000_000_000, ..config() };
    open(MemoryFileSystem::default(), config).unwrap()
}

fn ingest(engine: &mut Engine, format: &BodyFormat, body: &[u8], piece: usize) -> IngestResult {
    let opened = Command::IngestOpen {
        format: format.clone(),
        compression: Compression::Detected,
        timestamp: 1_710_000_009_000,
        extra_labels: vec![],
    };
    let Answer::Cursor(ingest) = engine.ask(opened).unwrap() else { panic!("no body") };
    for bytes in body.chunks(piece) {
        engine.ask(Command::IngestPiece { ingest, bytes: bytes.to_vec().into() }).unwrap();
    }
    let Answer::Ingested(result) = engine.ask(Command::IngestEnd { ingest }).unwrap() else { panic!("no result") };
    engine.ask(Command::Flush).unwrap();
    result
}

fn export(engine: &mut Engine, format: ExportFormat) -> Vec<u8> {
    let opened = Command::ExportOpen { format, selector: None, range: TimeRange::ALL };
    let Answer::Cursor(cursor) = engine.ask(opened).unwrap() else { panic!("no export") };
    let mut body = Vec::new();
    while let Answer::Chunk(Some(piece)) = engine.ask(Command::ExportNext { cursor }).unwrap() {
        body.extend(piece);
    }
    body
}

fn stored(engine: &mut Engine) -> Store {
    store_of(&export(engine, ExportFormat::JsonLines))
}

/// A body and what the server has of it afterwards.
fn assert_imported(format: &BodyFormat, body: &[u8], expected: &str) {
    let expected = store_of(&bytes(expected));
    for piece in [997, usize::MAX] {
        let mut engine = engine();
        let result = ingest(&mut engine, format, body, piece);
        assert_eq!((result.rejected, result.errors), (0, vec![]));
        assert_eq!(result.series, expected.len() as u64);
        assert_eq!(result.samples, expected.values().map(|samples| samples.len() as u64).sum::<u64>());
        assert_same(&stored(&mut engine), &expected);
    }
}

fn stocks() -> BodyFormat {
    let format = "1:label:symbol,2:time:custom:Jan 2 2006,3:metric:stock_price";
    BodyFormat::Csv(CsvFormat::parse(format).unwrap())
}

#[test]
fn influx_lines_as_imported() {
    let options = influx::Options { precision: influx::Precision::of_argument("ns"), ..influx::Options::default() };
    assert_imported(&BodyFormat::Influx(options), &bytes("edge.influx.gz"), "edge_influx.imported.jsonl.gz");
    let options = influx::Options { database: "tsbs".into(), ..influx::Options::default() };
    assert_imported(&BodyFormat::Influx(options), &bytes("tsbs_devops.influx.gz"), "tsbs_devops.imported.jsonl.gz");
}

#[test]
fn csv_as_imported() {
    assert_imported(&stocks(), &bytes("stocks.csv.gz"), "stocks.imported.jsonl.gz");
}

#[test]
fn a_remote_write_of_prometheus_as_imported() {
    let body = bytes("prometheus_remote_write.snappy.gz");
    assert_imported(&BodyFormat::RemoteWrite, &body, "prometheus_remote_write.imported.jsonl.gz");
}

/// The exports of two servers, one on either side of the change of headers, are too large to be kept in the repository.
#[test]
fn native_exports_of_both_kinds_as_imported() {
    let inputs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/inputs");
    if !inputs.exists() {
        return;
    }
    for (body, expected) in [
        ("mixed.native.gz", "expected/mixed.native.v1.79.5.jsonl.gz"),
        ("mixed_v1.150.0.native.gz", "expected/mixed_v1.150.0.native.v1.150.0.jsonl.gz"),
    ] {
        let compressed = std::fs::read(inputs.join(body)).unwrap();
        let mut engine = engine();
        let result = ingest(&mut engine, &BodyFormat::Native, &compressed, 60_000);
        assert_eq!((result.rejected, result.errors), (0, vec![]));
        let mut text = Vec::new();
        let file = std::fs::File::open(inputs.join(expected)).unwrap();
        flate2::read::GzDecoder::new(file).read_to_end(&mut text).unwrap();
        let (mut store, mut expected) = (stored(&mut engine), store_of(&text));
        // Blocks of this series have no exponent that suits all of its values, and the server has merged them.
        let is_wide = |name: &MetricName| name.value(b"kind") == b"wide_range";
        store.retain(|name, _| !is_wide(name));
        expected.retain(|name, _| !is_wide(name));
        assert_same(&store, &expected);
    }
}

#[test]
fn lines_with_a_mark_or_in_utf_16_are_lines() {
    let text = String::from_utf8(bytes("edge.influx.gz")).unwrap();
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let options = influx::Options::default();
    for body in [format!("\u{feff}{text}").into_bytes(), utf16] {
        assert_imported(&BodyFormat::Influx(options.clone()), &body, "edge_influx.imported.jsonl.gz");
    }
}

#[test]
fn what_goes_out_comes_in_again() {
    let mut first = engine();
    ingest(&mut first, &stocks(), &bytes("stocks.csv.gz"), usize::MAX);
    ingest(&mut first, &BodyFormat::RemoteWrite, &bytes("prometheus_remote_write.snappy.gz"), usize::MAX);
    let expected = stored(&mut first);
    let columns = CsvColumns::parse("__timestamp__:unix_ms,symbol,__value__").unwrap();
    for (out, back) in [
        (ExportFormat::JsonLines, BodyFormat::JsonLines),
        (ExportFormat::Prometheus, BodyFormat::Prometheus),
        (ExportFormat::Native(Layout::V1_72), BodyFormat::Native),
        (ExportFormat::Native(Layout::V1_82), BodyFormat::Native),
    ] {
        let body = export(&mut first, out.clone());
        let mut second = engine();
        let result = ingest(&mut second, &back, &body, 10_000);
        assert_eq!(result.rejected, 0, "{out:?}: {:?}", result.errors);
        assert_same(&stored(&mut second), &expected);
    }
    let csv = String::from_utf8(export(&mut first, ExportFormat::Csv(columns))).unwrap();
    assert!(csv.lines().any(|line| line == "946684800000,MSFT,39.81"), "{csv:.400}");
}

fn request(engine: &mut Engine, uri: &str, encoding: &str, body: &[u8]) -> HttpResponse {
    let request = HttpRequest {
        method: "POST".into(),
        uri: uri.into(),
        content_type: String::new(),
        content_encoding: encoding.into(),
        body: body.to_vec().into(),
    };
    answered(engine, request)
}

#[test]
fn requests_bring_bodies_in_and_take_them_out() {
    let mut engine = engine();
    let mut taken = |uri: &str, encoding: &str, body: &[u8]| {
        let response = request(&mut engine, uri, encoding, body);
        (response.status, String::from_utf8_lossy(&response.body).into_owned())
    };
    let nothing = |status: u16| (status, String::new());
    let csv = "/prometheus/api/v1/import/csv?format=1:label:symbol,2:time:custom:Jan%202%202006,3:metric:stock_price";
    assert_eq!(taken(csv, "", &bytes("stocks.csv.gz")), nothing(204));
    assert_eq!(taken("/api/v1/write", "snappy", &bytes("prometheus_remote_write.snappy.gz")), nothing(204));
    assert_eq!(taken("/write?db=d&precision=s&extra_label=x=y", "", b"m f=1 1710000000\nbad\n"), nothing(204));
    let scrape = "/api/v1/import/prometheus/metrics/job/a?timestamp=1710000000000";
    assert_eq!(taken(scrape, "", b"scraped 3\n"), nothing(204));
    let point = r#"{"timeUnixNano":"1710000000000000000","asInt":"3"}"#;
    let metrics = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"o","sum":{{"dataPoints":[{point}]}}}},{{}}]}}]}}]}}"#
    );
    let (status, reply) = taken("/opentelemetry/v1/metrics", "", metrics.as_bytes());
    assert!(status == 200 && reply.contains("a metric has no name"), "{reply}");
    let (status, reply) = taken("/api/v1/write", "", b"nonsense");
    assert!(status == 400 && reply.contains("compressed by snappy"), "{reply}");
    assert_eq!(taken("/api/v1/import/csv", "", b"1").0, 400);
    assert_eq!(taken("/api/v1/import", "br", b"1").0, 400);
    assert_eq!(taken("/api/v1/export", "", b"").0, 400);

    engine.ask(Command::Flush).unwrap();
    let mut got = |uri: &str| String::from_utf8(request(&mut engine, uri, "", b"").body).unwrap();
    assert_eq!(
        got("/api/v1/export?match[]={__name__=~%22m_f%7Cscraped%7Co%22}&start=0"),
        "{\"metric\":{\"__name__\":\"m_f\",\"db\":\"d\",\"x\":\"y\"},\"values\":[1],\"timestamps\":[1710000000000]}\n\
         {\"metric\":{\"__name__\":\"o\"},\"values\":[3],\"timestamps\":[1710000000000]}\n\
         {\"metric\":{\"__name__\":\"scraped\",\"job\":\"a\"},\"values\":[3],\"timestamps\":[1710000000000]}\n"
    );
    let exported = "/select/0/prometheus/api/v1/export/csv?format=job,__value__,__timestamp__:rfc3339&match[]=scraped&match[]={job='a'}";
    assert_eq!(got(exported), "a,3,2024-03-09T16:00:00Z\n");
    assert_eq!(
        got("/api/v1/export?format=prometheus&match=m_f&start=1710000000&end=2024-03-09T16:00:00Z"),
        "m_f{db=\"d\",x=\"y\"} 1 1710000000000\n"
    );
    assert_eq!(got("/api/v1/export?match=m_f&start=1710000001"), "");
    let native = request(&mut engine, "/api/v1/export/native?match[]=stock_price&layout=v1.150", "", b"");
    assert_eq!((native.status, native.content_type), (200, "VictoriaMetrics/native"));
    assert_eq!(request(&mut engine, "/api/v1/import/native", "", &native.body).status, 204);
}

#[test]
fn a_body_ends_with_its_first_error() {
    let mut engine = engine();
    let opened = Command::IngestOpen {
        format: BodyFormat::Graphite,
        compression: Compression::Gzip,
        timestamp: 0,
        extra_labels: vec![],
    };
    let Answer::Cursor(ingest) = engine.ask(opened).unwrap() else { panic!("no body") };
    let error = engine.ask(Command::IngestPiece { ingest, bytes: "not compressed".into() }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let error = engine.ask(Command::IngestEnd { ingest }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
