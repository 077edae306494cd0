//! How long the text of a query takes until it is an expression, and back, in microseconds.
//!
//! `cargo bench --bench queries`: medians of many rounds, after a warm-up.

use std::hint::black_box;
use std::time::Instant;

use sandglass::query::dialect::Dialect;
use sandglass::query::language::{parse, print};

/// As dashboards have them.
const QUERIES: &[(&str, &str)] = &[
    ("a rate", "rate(http_requests_total{job=\"api\"}[5m])"),
    (
        "busy share",
        "100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\",instance=~\"web.+\"}[5m])) * 100",
    ),
    (
        "quantile of a histogram",
        "histogram_quantile(0.99, sum by (le, route) (rate(request_duration_seconds_bucket{env=\"prod\"}[$__rate]))) > 0.5",
    ),
    (
        "a join",
        "sum by (instance, job) (rate(node_cpu_seconds_total{mode!=\"idle\",instance=~\"web.*\"}[5m])) / on (instance, job) group_left () count by (instance, job) (node_cpu_seconds_total{mode=\"idle\"}) * 100",
    ),
];

fn main() {
    println!("{:28} {:>8} {:>10} {:>10}", "query", "bytes", "parse, µs", "print, µs");
    for (name, text) in QUERIES {
        let text = text.replace("$__rate", "5m");
        let expression = parse(&text, Dialect::MetricsQl).unwrap();
        let parsing = microseconds(|| drop(black_box(parse(black_box(&text), Dialect::MetricsQl))));
        let printing = microseconds(|| drop(black_box(print(black_box(&expression)))));
        println!("{name:28} {:>8} {parsing:>10.2} {printing:>10.2}", text.len());
    }
}

/// The median of many rounds of a hundred calls.
fn microseconds(call: impl Fn()) -> f64 {
    let mut rounds: Vec<f64> = (0..300)
        .map(|_| {
            let begin = Instant::now();
            (0..100).for_each(|_| call());
            begin.elapsed().as_secs_f64() * 1e6 / 100.0
        })
        .collect();
    rounds.sort_unstable_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}
