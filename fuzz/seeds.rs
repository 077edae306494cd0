//! Writes first inputs for the formats that no file of `tests/golden/` has: `seeds FOLDER`, which gets a folder for each target.

// The runtime of the coverage that everything is compiled with.
use libfuzzer_sys as _;
use sandglass_kernel::encoding::zstd::{self, Effort};
use sandglass_kernel::formats::export::ExportFormat;
use sandglass_kernel::formats::native::Layout;
use sandglass_kernel::metric::name::MetricName;
use sandglass_kernel::time::TimeRange;
use std::path::Path;

const GRAPHITE: &str = "a.b;c=d;e=f 1 5\na 2\na.b.c -1.5e3 1710000000\n";
const JSON_LINES: &str = "{\"metric\":{\"__name__\":\"m\",\"a\":\"\\u00e9\\n\"},\"values\":[1,-2.5e3,\"Infinity\",null,Inf,NaN],\"timestamps\":[1,2,3,4,5,6]}\n{\"timestamps\":[4,5],\"more\":{\"x\":[null,true]},\"values\":[0.1,2],\"metric\":{\"__name__\":\"n\"}}\n";
const CSV: &str = "a,Jan 2 2006 15:04:05.123 UTC,1.5,x,2\n\"a,b\"\"c\",Jan 12 2026 15:04:05.000 CET,1,,3e5\n";
const OTLP_POINTS: [(&str, &str); 5] = [
    ("gauge", r#"{"timeUnixNano":"1710000000000000000","asDouble":1.5,"flags":1},{"timeUnixNano":1,"asInt":"-3"}"#),
    ("sum", r#"{"timeUnixNano":"5","asInt":"5","attributes":[{"key":"b","value":{"boolValue":true}}]}"#),
    ("summary", r#"{"timeUnixNano":"5","count":"2","sum":3,"quantileValues":[{"quantile":0.5,"value":1}]}"#),
    (
        "histogram",
        r#"{"timeUnixNano":"1","count":"6","sum":9.5,"bucketCounts":["1","2"],"explicitBounds":[0.5],"attributes":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"1"}]}}}]}"#,
    ),
    (
        "exponentialHistogram",
        r#"{"timeUnixNano":"5","count":"6","sum":9.5,"scale":3,"zeroCount":"1","zeroThreshold":0.1,"positive":{"offset":2,"bucketCounts":["1","2"]},"negative":{"offset":-2,"bucketCounts":["1","2"]},"min":1,"max":2}"#,
    ),
];

/// The only argument is where they go.
fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).expect("seeds FOLDER");
    let put = |target: &str, name: &str, body: &[u8]| {
        let folder = Path::new(&folder).join(target);
        std::fs::create_dir_all(&folder)?;
        // The first byte says where a target cuts a body.
        std::fs::write(folder.join(name), [&[0x80], body].concat())
    };
    put("graphite", "lines", GRAPHITE.as_bytes())?;
    put("jsonl", "lines", JSON_LINES.as_bytes())?;
    put("csv", "lines", CSV.as_bytes())?;
    put("compression", "plain", GRAPHITE.as_bytes())?;
    let mut frame = Vec::new();
    zstd::compress(GRAPHITE.repeat(20).as_bytes(), Effort::Fast, &mut frame).expect("it can be compressed");
    put("compression", "frame", &frame)?;
    for (name, format) in [
        ("old", ExportFormat::Native(Layout::V1_72)),
        ("new", ExportFormat::Native(Layout::V1_82)),
        ("series", ExportFormat::RemoteWrite),
    ] {
        let target = if format == ExportFormat::RemoteWrite { "remote_write" } else { "native" };
        put(target, name, &exported(&format))?;
    }
    put("compression", "snappy", &exported(&ExportFormat::RemoteWrite))?;
    for (kind, points) in OTLP_POINTS {
        let metric = format!(r#"{{"name":"m","unit":"ms","{kind}":{{"dataPoints":[{points}]}}}}"#);
        let resource = r#"{"attributes":[{"key":"service.name","value":{"stringValue":"x"}}]}"#;
        let scope = format!(r#"{{"scope":{{"name":"s","version":"1"}},"metrics":[{metric}]}}"#);
        let body = format!(r#"{{"resourceMetrics":[{{"resource":{resource},"scopeMetrics":[{scope}]}}]}}"#);
        put("otlp", kind, body.as_bytes())?;
    }
    put("otlp", "protobuf", &otlp())?;
    put("remote_write", "message", &remote_write(false))?;
    put("remote_write", "message_2", &remote_write(true))
}

/// A series that is a counter, one that is a gauge, and one that does not change.
fn exported(format: &ExportFormat) -> Vec<u8> {
    let mut out = Vec::new();
    format.begin(TimeRange::ALL, &mut out);
    let timestamps: Vec<i64> = (0..60).map(|at| 1_710_000_000_000 + at * 10_000 + at % 3).collect();
    for (label, value) in
        [("x", (|at| at * 100.0) as fn(f64) -> f64), ("y", |at| (at * 7.3) % 5.0 - 1e-3), ("z", |_| 7.0)]
    {
        let name = MetricName::from_labels([("__name__", "m"), ("a", label)]);
        let values: Vec<f64> = (0..60).map(|at| value(f64::from(at))).collect();
        format.write(&name, &timestamps, &values, &mut out).expect("it can be compressed");
    }
    format.finish(&mut out);
    out
}

/// A field of a message that is bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).expect("all of this is short");
    [&[number << 3 | 2, len as u8 | 0x80, (len >> 7) as u8][..], content].concat()
}

/// A field that is a number of eight bytes.
fn fixed(number: u8, content: [u8; 8]) -> Vec<u8> {
    [&[number << 3 | 1][..], &content].concat()
}

/// A message of OTLP with a gauge, a sum and a histogram.
fn otlp() -> Vec<u8> {
    let pair = [field(1, b"k"), field(2, &field(1, b"v"))].concat();
    let time = fixed(3, 1_710_000_000_000_000_000_u64.to_le_bytes());
    let half = 0.5_f64.to_le_bytes();
    let counts = [1_u64.to_le_bytes(), 2_u64.to_le_bytes()].concat();
    let gauge = [time.clone(), fixed(4, half), field(7, &pair)];
    let sum = [time.clone(), fixed(6, 7_u64.to_le_bytes()), field(7, &pair)];
    let bounds = [fixed(5, half), field(6, &counts), field(7, &half), field(9, &pair)].concat();
    let histogram = [time, fixed(4, 3_u64.to_le_bytes()), bounds];
    let metric = |(kind, point): (u8, [Vec<u8>; 3])| {
        field(2, &[field(1, b"m"), field(kind, &field(1, &point.concat()))].concat())
    };
    let metrics = [(5, gauge), (7, sum), (9, histogram)].map(metric).concat();
    let scope = [field(1, &field(1, b"scope")), metrics].concat();
    field(1, &[field(1, &field(1, &pair)), field(2, &scope)].concat())
}

/// A message of remote write, of version 1 or 2, with a sample and a histogram.
fn remote_write(is_v2: bool) -> Vec<u8> {
    let sample = field(2, &[&fixed(1, 1.5_f64.to_le_bytes())[..], &[2 << 3, 0x80, 0x90, 3]].concat());
    let histogram = [8, 9, 25, 0, 0, 0, 0, 0, 0, 0x22, 0x40, 32, 0, 48, 1, 90, 4, 8, 1, 16, 2, 98, 2, 6, 1, 120, 10];
    if is_v2 {
        let symbols = ["", "__name__", "m", "a", "b"].map(|text| field(4, text.as_bytes())).concat();
        let series = [field(1, &[1, 2, 3, 4]), sample, field(3, &histogram)].concat();
        return [symbols, field(5, &series)].concat();
    }
    let labels = [("__name__", "m"), ("a", "b")]
        .map(|(name, value)| field(1, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat()));
    field(1, &[labels.concat(), sample, field(4, &histogram)].concat())
}
