//! Queries that are asked again of a range that moves on: what comes of what was held and of what is new is what comes of the whole.

use super::support::{EngineExt, Random, START, config, open, query_of};
use sandglass::engine::{Command, Config, Engine};
use sandglass::executor::{Held, Query, QueryData, QueryResult, Times};
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::query::dialect::Dialect;
use sandglass::query::series::labels::Labels;
use std::collections::BTreeMap;

/// In MetricsQL, those of which only new instants are evaluated.
const LOCAL_IN_METRICSQL: &[&str] = &[
    "avg_over_time(m[1m])",
    "sum by (host) (max_over_time(m[45s]))",
    "quantile(0.5, last_over_time(m[30s]))",
    "avg(avg_over_time(m[1m])) - min(min_over_time(m[1m]))",
    "max_over_time(m[1m] offset 20s) > 40",
    "stddev(count_over_time(m[1m])) * 2 + 1",
    "quantile_over_time(0.9, m[1m])",
    "max_over_time(m[30s] offset -20s)",
    "-abs(sum(sum_over_time(m[1m])))",
    "max_over_time(m)",
];
/// Those of which it hangs on the samples, since they are read by how often a series is thought to be scraped.
const BY_SCRAPE_INTERVAL: &[&str] = &[
    "m",
    "avg(m)",
    "sum by (host) (rate(m[1m]))",
    "rate(m[1m] offset 20s) * 60",
    "sum(increase(m[1m])) / count(m)",
    "irate(m[30s])",
    "delta(m[1m])",
    "idelta(m)",
];
/// Those of which the whole range is.
const WHOLE_IN_METRICSQL: &[&str] = &[
    "changes(m[1m])",
    "increase_pure(m[1m])",
    "running_sum(max_over_time(m[1m]))",
    "range_avg(max_over_time(m[1m]))",
    "max_over_time(m[1m] @ end())",
    "sort(max_over_time(m[1m]))",
    "topk_avg(1, max_over_time(m[1m]))",
    "max_over_time(rate(m[30s])[1m:10s])",
    "max_over_time(m[1m]) default 7",
    "max_over_time(m[1m]) ^ 0",
    "max_over_time(m[1m]) > bool 3",
    "avg_over_time(m[1m]) / avg_over_time(m[1m])",
    "sum(max_over_time(m[1m])) != sum(min_over_time(m[1m]))",
    "keep_last_value(max_over_time(m[10s]))",
];
const LOCAL_IN_PROMQL: &[&str] = &[
    "m",
    "sum by (host) (rate(m[1m]))",
    "topk(2, m)",
    "m / on(host) group_left() sum by (host) (m)",
    "absent(m{host=\"a\"}) or vector(0)",
    "max_over_time(rate(m[30s])[1m:10s])",
    "count_values(\"v\", round(m, 50))",
    "quantile_over_time(scalar(sum(m)) / 1000, m[1m])",
    "m offset -20s",
    "label_replace(m, \"to\", \"$1\", \"host\", \"(.)\")",
    "m > bool 30",
    "increase(m[1m] offset 10s) ^ 0",
    "predict_linear(m[1m], 60)",
    "timestamp(m) - time()",
];
const WHOLE_IN_PROMQL: &[&str] = &["m @ end()", "m - m @ start()", "limitk(1, m)"];

/// An answer as those put it together who ask again and again.
struct Answered {
    held: Held,
    rows: BTreeMap<Labels, Vec<Option<f64>>>,
}

fn ask(engine: &mut Engine, text: &str, dialect: Dialect, times: Times, held: Option<Held>) -> QueryResult {
    let query = Query { is_followed: true, held, ..query_of(text, dialect, times) };
    engine.query(query).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The whole answer, of what was held and what is new.
fn put_together(result: QueryResult, before: Option<&Answered>, times: Times) -> Answered {
    let Times::Range { start_ms, end_ms, step_ms } = times else { panic!("{times:?}") };
    let points = ((end_ms - start_ms) / step_ms + 1) as usize;
    let kept = result.kept_points;
    let QueryData::Rows { rows, .. } = result.data else { panic!("rows are expected") };
    let mut all: BTreeMap<Labels, Vec<Option<f64>>> = BTreeMap::new();
    if let Some(before) = before.filter(|_| kept > 0) {
        let moved = ((start_ms - before.held.start_ms) / step_ms) as usize;
        for (labels, values) in &before.rows {
            let mut values = values[moved..moved + kept].to_vec();
            values.resize(points, None);
            all.insert(labels.clone(), values);
        }
    }
    for row in rows {
        let values = all.entry(row.labels.clone()).or_insert_with(|| vec![None; points]);
        for (at, value) in row.values.iter().enumerate() {
            values[kept + at] = row.is_present(at).then_some(*value);
        }
    }
    all.retain(|_, values| values.iter().any(Option::is_some));
    Answered { held: Held { standing: result.standing, start_ms, points }, rows: all }
}

fn assert_same(found: &Answered, expected: &Answered, what: &str) {
    let labels = |answered: &Answered| answered.rows.keys().cloned().collect::<Vec<_>>();
    assert_eq!(labels(found), labels(expected), "{what}");
    for ((labels, found), expected) in found.rows.iter().zip(expected.rows.values()) {
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            let is_same = match (found, expected) {
                (None, None) => true,
                // Where a window's sum is begun decides how it is rounded.
                (Some(a), Some(b)) => {
                    a.to_bits() == b.to_bits()
                        || (a - b).abs() <= 1e-11 * a.abs().max(b.abs())
                        || (a.is_nan() && b.is_nan())
                }
                _ => false,
            };
            assert!(is_same, "{what}: {labels:?} at {at}: {found:?}, and of the whole {expected:?}");
        }
    }
}

/// How samples come.
#[derive(Clone, Copy, PartialEq)]
enum Coming {
    /// Just as they like, of series that come and go.
    Anyhow,
    /// Every five seconds or nearly so.
    Scraped,
}

/// One life of a database that is asked after each of its moves; how many instants each expression has not evaluated anew.
fn live(seed: u64, coming: Coming, config: Config, expressions: &[(&str, Dialect)]) -> Vec<usize> {
    let mut random = Random::new(seed);
    let mut engine = open(MemoryFileSystem::default(), config).unwrap();
    if coming == Coming::Scraped {
        for host in ["a", "b"] {
            let timestamps: Vec<i64> = (0..200).map(|i| START - (200 - i) * 5_000 - random.below(200) as i64).collect();
            let values: Vec<f64> = (0..200).map(|i| f64::from(i) * 2.0).collect();
            engine.put(&[("__name__", "m"), ("host", host)], &timestamps, &values).unwrap();
        }
        engine.flush().unwrap();
    }
    let mut answers: Vec<Option<Answered>> = expressions.iter().map(|_| None).collect();
    let mut kept = vec![0; expressions.len()];
    let mut now = START;
    let mut hosts = vec!["a", "b"];
    let step_ms = 10_000;
    for turn in 0..40 {
        let passed = match coming {
            Coming::Anyhow => [1_000, 7_000, 10_000, 25_000][random.below(4) as usize],
            Coming::Scraped => 5_000,
        };
        now += passed;
        engine.advance(passed).unwrap();
        for host in hosts.clone() {
            let labels = [("__name__", "m"), ("host", host)];
            if coming == Coming::Scraped {
                match random.below(40) {
                    0 => {}
                    1 => engine.put(&labels, &[now - 60_000], &[random.below(100) as f64]).unwrap(),
                    _ => engine.put(&labels, &[now - random.below(200) as i64], &[400.0 + turn as f64 * 2.5]).unwrap(),
                }
                continue;
            }
            match random.below(10) {
                // Nothing comes.
                0 | 1 => {}
                // What comes late.
                2 => {
                    let late = now - random.below(180_000) as i64;
                    engine.put(&labels, &[late], &[random.below(100) as f64]).unwrap();
                }
                // Several at once.
                3 => {
                    let timestamps: Vec<i64> = (0..4).map(|back| now - back * 2_500).collect();
                    engine.put(&labels, &timestamps, &[1.0, 99.0, 3.5, 0.25]).unwrap();
                }
                _ => engine.put(&labels, &[now - random.below(900) as i64], &[random.below(100) as f64 / 4.0]).unwrap(),
            }
        }
        match random.below(12) {
            _ if coming == Coming::Scraped => {}
            0 if hosts.len() < 4 => hosts.push(["c", "d"][hosts.len() - 2]),
            1 if turn > 20 => {
                engine.ask(Command::DeleteSeries { selector: "m{host=\"b\"}".into() }).unwrap();
            }
            _ => {}
        }
        if random.chance(80) {
            engine.flush().unwrap();
        }
        let end_ms = now / step_ms * step_ms;
        let range_ms = if coming == Coming::Scraped || random.chance(90) { 240_000 } else { 120_000 };
        let times = Times::Range { start_ms: end_ms - range_ms, end_ms, step_ms };
        for (at, (text, dialect)) in expressions.iter().enumerate() {
            let before = answers[at].take();
            let result = ask(&mut engine, text, *dialect, times, before.as_ref().map(|before| before.held));
            kept[at] += result.kept_points;
            let found = put_together(result, before.as_ref(), times);
            let expected = put_together(ask(&mut engine, text, *dialect, times, None), None, times);
            assert_same(&found, &expected, &format!("{text} in {dialect:?}, seed {seed}, turn {turn}"));
            answers[at] = Some(found);
        }
    }
    kept
}

fn of_another_engine(mut held: Held) -> Held {
    held.standing.mark.epoch += 1;
    held
}

fn both<'a>(metricsql: &[&'a str], promql: &[&'a str]) -> Vec<(&'a str, Dialect)> {
    let metricsql = metricsql.iter().map(|text| (*text, Dialect::MetricsQl));
    metricsql.chain(promql.iter().map(|text| (*text, Dialect::PromQl))).collect()
}

#[test]
fn what_was_held_and_what_is_new_are_the_whole() {
    let local = both(LOCAL_IN_METRICSQL, LOCAL_IN_PROMQL);
    for seed in 0..6 {
        for (kept, (text, dialect)) in live(seed, Coming::Anyhow, config(), &local).iter().zip(&local) {
            assert!(*kept > 200, "{text} in {dialect:?} kept {kept} instants of some 900");
        }
    }
}

#[test]
fn what_sees_the_whole_range_is_evaluated_whole() {
    let whole = both(&[WHOLE_IN_METRICSQL, BY_SCRAPE_INTERVAL].concat(), WHOLE_IN_PROMQL);
    for seed in 0..3 {
        live(seed, Coming::Anyhow, config(), &whole);
        live(seed, Coming::Scraped, config(), &whole);
    }
}

#[test]
fn what_is_scraped_steadily_is_evaluated_where_it_is_new() {
    let all = both(BY_SCRAPE_INTERVAL, &[]);
    let mut kept = vec![0; all.len()];
    for seed in 0..6 {
        let of_this = live(seed, Coming::Scraped, config(), &all);
        kept.iter_mut().zip(of_this).for_each(|(kept, more)| *kept += more);
    }
    for (kept, (text, _)) in kept.iter().zip(&all) {
        assert!(*kept > 1_500, "{text} kept {kept} instants of some 6,000");
    }
}

#[test]
fn samples_that_push_others_out_are_seen() {
    let local = both(LOCAL_IN_METRICSQL, LOCAL_IN_PROMQL);
    for (seed, dedup_interval_ms) in [(100, 5_000), (101, 7_000), (102, 15_000), (103, 15_000)] {
        live(seed, Coming::Anyhow, Config { dedup_interval_ms, ..config() }, &local);
    }
}

#[test]
fn only_what_may_have_changed_is_evaluated() {
    let mut engine = open(MemoryFileSystem::default(), config()).unwrap();
    let labels = [("__name__", "m")];
    let timestamps: Vec<i64> = (0..60).map(|i| START - 600_000 + i * 10_000).collect();
    engine.put(&labels, &timestamps, &(0..60).map(f64::from).collect::<Vec<_>>()).unwrap();
    engine.flush().unwrap();
    let range = |later_ms: i64| Times::Range {
        start_ms: START - 300_000 + later_ms,
        end_ms: START - 10_000 + later_ms,
        step_ms: 10_000,
    };
    let held = |result: &QueryResult| Held { standing: result.standing, start_ms: START - 300_000, points: 30 };
    for (text, dialect, is_local) in [
        ("rate(m[1m])", Dialect::PromQl, true),
        ("rate(m[1m])", Dialect::MetricsQl, true),
        ("changes(m[1m])", Dialect::MetricsQl, false),
        ("m @ end()", Dialect::PromQl, false),
    ] {
        let first = ask(&mut engine, text, dialect, range(0), None);
        assert_eq!(first.kept_points, 0);
        // Nothing has come and nothing has moved: nothing is read, whatever the expression.
        let again = ask(&mut engine, text, dialect, range(0), Some(held(&first)));
        assert_eq!((again.kept_points, again.stats.series), (30, 0), "{text}");
        let moved = ask(&mut engine, text, dialect, range(20_000), Some(held(&first)));
        assert_eq!(moved.kept_points, if is_local { 28 } else { 0 }, "{text}");
        // Ranges that lie elsewhere, and answers of other engines.
        for (times, held) in [
            (range(-10_000), held(&first)),
            (range(5_000), held(&first)),
            (range(300_000), held(&first)),
            (range(20_000), of_another_engine(held(&first))),
        ] {
            assert_eq!(ask(&mut engine, text, dialect, times, Some(held)).kept_points, 0, "{text} {times:?}");
        }
    }
    let first = ask(&mut engine, "m", Dialect::PromQl, range(0), None);
    engine.put(&labels, &[START - 95_000], &[7.0]).unwrap();
    engine.flush().unwrap();
    assert_eq!(ask(&mut engine, "m", Dialect::PromQl, range(0), Some(held(&first))).kept_points, 21);
    assert_eq!(ask(&mut engine, "m offset -25s", Dialect::PromQl, range(0), Some(held(&first))).kept_points, 18);
    let now = ask(&mut engine, "now()", Dialect::MetricsQl, range(0), None);
    assert_eq!(ask(&mut engine, "now()", Dialect::MetricsQl, range(0), Some(held(&now))).kept_points, 0);
}
