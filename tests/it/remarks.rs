//! What Prometheus warns of, by queries and by requests.

use super::support::{EngineExt, START, config, got, open, query_of};
use sandglass::engine::Engine;
use sandglass::executor::Times;
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::query::dialect::Dialect;

const INSTANT: Times = Times::Instant { time_ms: START - 60_000, step_ms: None };
const RANGE: Times = Times::Range { start_ms: START - 180_000, end_ms: START - 60_000, step_ms: 60_000 };

/// Two gauges, a counter, and a histogram of which one bucket holds less than the one in it, beside what is no bucket.
fn filled() -> Engine {
    let mut engine = open(MemoryFileSystem::default(), config()).unwrap();
    let timestamps: Vec<i64> = (0..60).map(|i| START - 600_000 + i * 10_000).collect();
    let mut put = |labels: &[(&str, &str)], value: f64| {
        engine.put(labels, &timestamps, &vec![value; timestamps.len()]).unwrap();
    };
    for name in ["temperature", "pressure", "requests_total"] {
        put(&[("__name__", name), ("room", "attic")], 5.0);
    }
    for (bound, count) in [("1", 10.0), ("2", 8.0), ("+Inf", 20.0), ("wide", 1.0)] {
        put(&[("__name__", "latency_bucket"), ("le", bound)], count);
    }
    engine.flush().unwrap();
    engine
}

/// Warnings, and behind them infos.
fn remarks(engine: &mut Engine, text: &str, dialect: Dialect, times: Times) -> Vec<String> {
    let result = engine.query(query_of(text, dialect, times)).unwrap();
    result.warnings.into_iter().chain(result.infos).collect()
}

#[test]
fn prometheus_warns_in_its_words_and_metricsql_does_not() {
    let mut engine = filled();
    let quantile = |value: &str, place: &str| {
        format!("PromQL warning: quantile value should be between 0 and 1, got {value} ({place})")
    };
    let ratio = "PromQL warning: ratio value should be between -1 and 1, got -3, capping to -1 (1:13)";
    let bucket = |value: &str, place: &str| {
        format!("PromQL warning: bucket label \"le\" is missing or has a malformed value of \"{value}\" ({place})")
    };
    let forced = |place: &str| {
        format!(
            "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) ({place})"
        )
    };
    let no_counter = |name: &str, place: &str| {
        format!(
            "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"{name}\" ({place})"
        )
    };
    let sort = "PromQL warning: sort is ineffective for range queries since results are always ordered by labels";
    for (text, times, expected) in [
        ("quantile(1.5, temperature)", INSTANT, vec![quantile("1.5", "1:10")]),
        ("quantile_over_time(-1, temperature[5m])", RANGE, vec![quantile("-1", "1:20")]),
        ("quantile_over_time(NaN, nothing[5m])", RANGE, vec![]),
        ("limit_ratio(-3, temperature)", INSTANT, vec![ratio.to_owned()]),
        ("histogram_quantile(2, latency_bucket)", INSTANT, vec![bucket("wide", "1:23"), quantile("2", "1:20")]),
        ("sum(\n  histogram_quantile(0.9, latency_bucket))", RANGE, vec![bucket("wide", "2:27"), forced("2:27")]),
        ("histogram_quantile(0.9, requests_total)", INSTANT, vec![bucket("", "1:25")]),
        ("sum(rate(temperature[5m]))", RANGE, vec![no_counter("temperature", "1:10")]),
        (
            "sum(increase({__name__=~\"temperature|pressure|requests_total\"}[5m]))",
            INSTANT,
            vec![no_counter("pressure", "1:14"), no_counter("temperature", "1:14")],
        ),
        ("rate(requests_total[5m]) + irate(temperature[5m])", RANGE, vec![]),
        ("rate(nothing[5m])", RANGE, vec![]),
        ("rate(temperature[5m:1m])", INSTANT, vec![no_counter("temperature", "1:6")]),
        ("1 + sort(temperature)", RANGE, vec![format!("{sort} (1:5)")]),
        ("sort(temperature)", INSTANT, vec![]),
    ] {
        let mut found = remarks(&mut engine, text, Dialect::PromQl, times);
        found.sort_by_key(|remark| (remark.contains("info"), remark.clone()));
        assert_eq!(found, expected, "{text}");
        let in_metricsql = text.replace("limit_ratio(-3", "limitk(1");
        assert_eq!(remarks(&mut engine, &in_metricsql, Dialect::MetricsQl, times), [""; 0], "{in_metricsql}");
    }
}

#[test]
fn a_reply_tells_warnings_from_infos() {
    let mut engine = filled();
    let query = "rate(temperature[5m])%2Bquantile(7,rate(temperature[5m]))";
    let uri = format!("/api/v1/query?dialect=promql&query={query}&time={}", START / 1000 - 60);
    let reply: serde_json::Value = serde_json::from_slice(&got(&mut engine, &uri).body).unwrap();
    assert_eq!(reply["status"], "success");
    assert_eq!(
        reply["warnings"],
        serde_json::json!(["PromQL warning: quantile value should be between 0 and 1, got 7 (1:32)"])
    );
    // The same of two places is two infos.
    let places: Vec<&str> = reply["infos"].as_array().unwrap().iter().filter_map(|info| info.as_str()).collect();
    assert_eq!(places.len(), 2, "{places:?}");
    assert!(
        places[0].ends_with("\"temperature\" (1:6)") && places[1].ends_with("\"temperature\" (1:39)"),
        "{places:?}"
    );
    let reply: serde_json::Value =
        serde_json::from_slice(&got(&mut engine, &uri.replace("=promql", "=metricsql")).body).unwrap();
    assert_eq!((reply.get("warnings"), reply.get("infos")), (None, None));
}
