//! How fast bodies become samples and samples become text, in ns a sample, millions of samples a second and MB/s of text.
//!
//! `cargo bench --bench formats`: medians over many rounds, after a warm-up.

use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use sandglass::formats::{Refused, jsonl, prometheus};
use sandglass::metric::name::MetricName;

fn main() {
    println!("{:46} {:>9} {:>9} {:>9}", "", "ns/sample", "M/s", "MB/s");
    let scrape = golden("node_exporter.prom.gz");
    prometheus_text("a scrape of node_exporter", &scrape, false);
    prometheus_text("the same, labels parsed", &scrape, true);
    let samples = String::from_utf8(scrape).unwrap();
    let samples = samples.lines().filter(|line| !line.starts_with('#'));
    let stamped: Vec<_> = samples.map(|line| format!("{line} 1710000000000\n")).collect();
    prometheus_text("its samples with timestamps", stamped.concat().as_bytes(), false);
    let floats: Vec<_> = (0..2000).map(|i| format!("m{{host=\"h{i}\"}} {}\n", f64::from(i).sqrt())).collect();
    prometheus_text("floats of 17 digits", floats.concat().as_bytes(), false);

    json_lines("integers", &|i| (i * 7919 % 1000) as f64);
    json_lines("floats of 4 digits", &|i| (i * 7919 % 10_000) as f64 / 100.0);
    json_lines("floats of 17 digits", &|i| (i as f64).sqrt());
}

fn prometheus_text(name: &str, body: &[u8], with_labels: bool) {
    let mut samples = 0;
    let mut round = || {
        samples = 0;
        let mut refused = Refused::default();
        prometheus::parse(black_box(body), 1, &mut refused, &mut |sample: prometheus::Sample<'_>| {
            samples += 1;
            if with_labels {
                black_box(prometheus::parse_series(sample.series)?);
            }
            black_box(sample);
            Ok(())
        });
        assert_eq!(refused.count, 0);
    };
    round();
    let nanoseconds = median(&mut round);
    report(&format!("prometheus: {name}"), nanoseconds, samples, body.len());
}

fn json_lines(name: &str, value: &dyn Fn(u64) -> f64) {
    const SAMPLES: u64 = 8192;
    let series = MetricName::from_labels([("__name__", "cpu_usage"), ("host", "a"), ("job", "node")]);
    let timestamps: Vec<i64> = (0..SAMPLES as i64).map(|i| 1_710_000_000_000 + i * 10_000).collect();
    let values: Vec<f64> = (0..SAMPLES).map(value).collect();
    let mut body = Vec::new();
    let nanoseconds = median(&mut || {
        body.clear();
        jsonl::write_export_line(&series, black_box(&timestamps), black_box(&values), &mut body);
    });
    report(&format!("export: {name}"), nanoseconds, SAMPLES, body.len());
    let nanoseconds = median(&mut || {
        jsonl::parse(black_box(&body), 1, &mut Refused::default(), &mut |line| {
            black_box(line);
            Ok(())
        });
    });
    report(&format!("import: {name}"), nanoseconds, SAMPLES, body.len());
}

fn report(name: &str, nanoseconds: u128, samples: u64, bytes: usize) {
    let per_sample = nanoseconds as f64 / samples as f64;
    println!("{name:46} {per_sample:9.1} {:9.1} {:9.0}", 1e3 / per_sample, bytes as f64 * 1e3 / nanoseconds as f64);
}

/// The median time of a round, in ns.
fn median(round: &mut dyn FnMut()) -> u128 {
    const ROUNDS: usize = 301;
    (0..20).for_each(|_| round());
    let mut times: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}

fn golden(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}
