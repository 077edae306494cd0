//! Bodies that were cut or damaged: what can't be read is told, nothing panics, and no more comes out than the bytes can hold.

use sandglass::encoding::zstd;
use sandglass::error::Result;
use sandglass::formats::body::{Body, Format, Progress, parse};
use sandglass::formats::compression::Compression;
use sandglass::formats::export::ExportFormat;
use sandglass::formats::native::Layout;
use sandglass::formats::{Labels, Refused, RowSink, jsonl, prometheus};
use sandglass::metric::name::MetricName;
use sandglass::time::TimeRange;

use std::io::Write;

use crate::golden::bytes;

#[derive(Default)]
struct Counted {
    series: u32,
    label_bytes: usize,
    samples: usize,
}

impl RowSink for Counted {
    fn known(&mut self, _key: &[u8]) -> Option<u32> {
        None
    }

    fn learn(&mut self, _key: &[u8], labels: &Labels) -> Result<u32> {
        self.series += 1;
        self.label_bytes += labels.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        Ok(self.series)
    }

    fn sample(&mut self, _series: u32, _timestamp: i64, _value: f64) {
        self.samples += 1;
    }

    fn samples(&mut self, _series: u32, timestamps: &[i64], values: &[f64]) {
        assert_eq!(timestamps.len(), values.len());
        self.samples += values.len();
    }
}

/// What comes out of a body, and whether all of it could be read.
fn read(format: &Format, body: &[u8]) -> (Counted, bool) {
    read_packed(format, Compression::Detected, body)
}

fn read_packed(format: &Format, compression: Compression, body: &[u8]) -> (Counted, bool) {
    let mut reader = Body::new(format, compression);
    let (mut counted, mut refused) = (Counted::default(), Refused::default());
    reader.feed(body.to_vec());
    reader.finish();
    loop {
        match reader.next() {
            Ok(Progress::Records(records)) => {
                let (bytes, first_line) = (&records.bytes, records.first_line);
                match format {
                    Format::Prometheus => {
                        prometheus::parse(bytes, first_line, &mut refused, &mut |sample: prometheus::Sample<'_>| {
                            let labels = prometheus::parse_series(sample.series)?;
                            counted.label_bytes +=
                                labels.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
                            counted.samples += 1;
                            Ok(())
                        });
                    }
                    Format::JsonLines => jsonl::parse(bytes, first_line, &mut refused, &mut |line| {
                        counted.samples(0, line.timestamps, line.values);
                        Ok(())
                    }),
                    _ => parse(format, bytes, first_line, 5, &mut refused, &mut counted),
                }
            }
            Ok(Progress::Unpacked(_)) => {}
            Ok(Progress::Over) => return (counted, refused.count == 0),
            Err(_) => return (counted, false),
        }
    }
}

/// A protobuf field that holds bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

fn remote_write(is_v2: bool) -> Vec<u8> {
    let sample = field(2, &[&[1 << 3 | 1][..], &1.5_f64.to_le_bytes(), &[2 << 3, 0x80, 0x90, 3]].concat());
    let histogram = [8, 9, 25, 0, 0, 0, 0, 0, 0, 0x22, 0x40, 32, 0, 48, 1, 90, 4, 8, 1, 16, 2, 98, 2, 6, 1, 120, 10];
    let body = if is_v2 {
        let symbols = ["", "__name__", "m", "a", "b"].map(|text| field(4, text.as_bytes())).concat();
        let series = [field(1, &[1, 2, 3, 4]), sample, field(3, &histogram)].concat();
        [symbols, field(5, &series)].concat()
    } else {
        let label =
            |name: &str, value: &str| field(1, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat());
        let series = [label("__name__", "m"), label("a", "b"), sample, field(4, &histogram)].concat();
        [field(1, &series), field(3, &[8, 1])].concat()
    };
    // A block of snappy that holds one literal.
    assert!(body.len() < 256);
    let mut block = vec![body.len() as u8 & 0x7f | 0x80, (body.len() >> 7) as u8, 60 << 2, body.len() as u8 - 1];
    if body.len() < 128 {
        block.splice(..2, [body.len() as u8]);
    }
    block.extend(body);
    block
}

fn native(layout: Layout) -> Vec<u8> {
    let format = ExportFormat::Native(layout);
    let mut out = Vec::new();
    format.begin(TimeRange::ALL, &mut out);
    for label in ["x", "y"] {
        let name = MetricName::from_labels([("__name__", "m"), ("a", label)]);
        format.write(&name, &[1000, 2000, 3500], &[1.0, -2.5, 1e-7], &mut out).unwrap();
    }
    out
}

fn otlp() -> Vec<u8> {
    let point = r#"{"timeUnixNano":"1","count":"6","sum":9.5,"bucketCounts":["1","2"],"explicitBounds":[0.5],"attributes":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"1"}]}}}]}"#;
    format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"scope":{{}},"metrics":[{{"name":"h","histogram":{{"dataPoints":[{point}]}}}}]}}]}}]}}"#).into_bytes()
}

const PROMETHEUS: &str = "# HELP a text\n# TYPE a counter\na{b=\"c\\\"\\\\\\n\",d=\"\"} 1 5\nb 2.5e3\n{\"q.name\",\"l\"=\"v\"} +Inf 7\nc_bucket{le=\"+Inf\"} 3 # {trace=\"x\"} 0.5 1\n";
const JSON_LINES: &str = "{\"metric\":{\"__name__\":\"m\",\"a\":\"\\u00e9\\n\"},\"values\":[1,-2.5e3,\"Infinity\"],\"timestamps\":[1,2,3]}\n{\"timestamps\":[4,5],\"more\":{\"x\":[null,true]},\"values\":[0.1,2],\"metric\":{\"__name__\":\"n\"}}\n";

/// Bodies of all formats, with how many samples they hold.
fn bodies() -> Vec<(Format, Vec<u8>, usize)> {
    let format = |name: &str| Format::named(name, "1:label:symbol,2:time:custom:Jan 2 2006,3:metric:price").unwrap();
    let attribute = field(1, &[field(1, b"k"), field(2, &field(1, b"v"))].concat());
    let point =
        [&[3 << 3 | 1][..], &1_u64.to_le_bytes(), &[4 << 3 | 1], &2.5_f64.to_le_bytes(), &field(7, &attribute[2..])]
            .concat();
    let metric = [field(1, b"m"), field(5, &field(1, &point))].concat();
    let protobuf = field(1, &[field(1, &attribute), field(2, &field(2, &metric))].concat());
    vec![
        (format("prometheus"), PROMETHEUS.as_bytes().to_vec(), 4),
        (format("jsonl"), JSON_LINES.as_bytes().to_vec(), 5),
        (format("influx"), bytes("edge.influx.gz"), 13),
        (format("csv"), bytes("stocks.csv.gz")[..200].to_vec(), 10),
        (format("graphite"), b"a.b;c=d 1 5\na 2\n".to_vec(), 2),
        (format("native"), native(Layout::V1_72), 6),
        (format("native"), native(Layout::V1_82), 6),
        (format("remote_write"), remote_write(false), 6),
        (format("remote_write"), remote_write(true), 6),
        (format("otlp"), otlp(), 4),
        (format("otlp"), protobuf, 1),
    ]
}

/// What a body of so many bytes may hold: a block of native says with a few bytes that it has 16,384 equal rows.
fn most_samples(format: &Format, bytes: usize) -> usize {
    if *format == Format::Native { bytes / 16 * 16_384 } else { bytes }
}

#[test]
fn whole_bodies_are_read() {
    for (format, body, samples) in bodies() {
        let (counted, is_whole) = read(&format, &body);
        // The last line of the CSV is cut.
        let is_csv = matches!(format, Format::Csv(_));
        assert!(is_whole || is_csv, "{format:?}");
        assert!(counted.samples == samples || is_csv, "{format:?}: {} samples", counted.samples);
    }
}

#[test]
fn bodies_cut_at_every_length() {
    for (format, body, samples) in bodies() {
        for cut in 0..body.len() {
            let (counted, _) = read(&format, &body[..cut]);
            assert!(counted.samples <= samples, "{format:?} {cut}");
            assert!(counted.samples <= most_samples(&format, cut), "{format:?} {cut}");
        }
        // Messages and compressed bodies have no half of them that is right.
        if !format.has_lines() && format != Format::Native {
            assert!(!read(&format, &body[..body.len() - 1]).1, "{format:?}");
        }
    }
}

#[test]
fn bodies_with_one_bit_changed() {
    for (format, body, _) in bodies() {
        for bit in 0..body.len() * 8 {
            let mut damaged = body.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let (counted, _) = read(&format, &damaged);
            assert!(counted.samples <= most_samples(&format, body.len()), "{format:?} bit {bit}");
            assert!(counted.label_bytes <= 16 * body.len(), "{format:?} bit {bit}: {}", counted.label_bytes);
        }
    }
}

#[test]
fn packed_bodies_cut_and_with_one_bit_changed() {
    let format = Format::Graphite;
    let body = b"a.b;c=d 1 5\na 2\n".repeat(3);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&body).unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    zlib.write_all(&body).unwrap();
    let mut frame = Vec::new();
    zstd::compress(&body, zstd::Effort::Thorough, &mut frame).unwrap();
    // One literal of 48 bytes.
    let block = [&[48, 47 << 2][..], &body].concat();
    for (compression, packed) in [
        (Compression::Gzip, gzip.finish().unwrap()),
        (Compression::Deflate, zlib.finish().unwrap()),
        (Compression::Zstd, frame),
        (Compression::Snappy, block),
    ] {
        let (counted, is_whole) = read_packed(&format, compression, &packed);
        assert_eq!((counted.samples, is_whole), (6, true), "{compression:?}");
        for cut in 0..packed.len() {
            let (counted, is_whole) = read_packed(&format, compression, &packed[..cut]);
            // Nothing at all is a body without lines.
            assert!(!is_whole || counted.samples == 0 || cut + 8 >= packed.len(), "{compression:?} {cut}");
            assert!(counted.samples <= 6, "{compression:?} {cut}");
        }
        for bit in 0..packed.len() * 8 {
            let mut damaged = packed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // A changed length makes a body longer, but not without end.
            let (counted, _) = read_packed(&format, compression, &damaged);
            assert!(counted.label_bytes < 1 << 20, "{compression:?} bit {bit}: {}", counted.label_bytes);
        }
    }
}
