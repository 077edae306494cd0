//! What a query tells of the steps it took.

use super::support::{EngineExt, START, Ticking, config, got, open, query_of};
use sandglass::engine::Engine;
use sandglass::executor::{Query, QueryResult, Times, Trace};
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::query::dialect::Dialect;
use std::cell::Cell;
use std::rc::Rc;

/// Ten minutes of a scrape every 10 s, half of it in each of two parts.
fn filled() -> Engine {
    let mut engine = open(MemoryFileSystem::default(), config()).unwrap();
    for part in 0..2 {
        let timestamps: Vec<i64> = (0..30).map(|i| START - 600_000 + (part * 30 + i) * 10_000).collect();
        let values: Vec<f64> = (0..30).map(|i| (part * 30 + i) as f64).collect();
        for host in ["a", "b"] {
            engine.put(&[("__name__", "requests_total"), ("host", host)], &timestamps, &values).unwrap();
        }
        engine.flush().unwrap();
    }
    engine
}

fn ask(engine: &mut Engine, text: &str, dialect: Dialect, times: Times, is_traced: bool) -> QueryResult {
    engine.query(Query { is_traced, ..query_of(text, dialect, times) }).unwrap()
}

const RANGE: Times = Times::Range { start_ms: START - 180_000, end_ms: START - 60_000, step_ms: 60_000 };
const INSTANT: Times = Times::Instant { time_ms: START - 60_000, step_ms: None };

/// Steps one a line, each below the one that needed it; bytes are left out, since compression may change them.
fn lines(trace: &Trace) -> Vec<String> {
    let mut lines = Vec::new();
    let mut left = vec![(0, trace)];
    while let Some((level, step)) = left.pop() {
        let mut line = format!("{}{:?}", "  ".repeat(level), step.kind);
        if !step.text.is_empty() {
            line = format!("{line} {}", step.text);
        }
        let figures = step.figures;
        for (name, count) in [
            ("series", figures.series),
            ("parts", figures.parts),
            ("blocks", figures.blocks),
            ("samples", figures.samples),
            ("rows", figures.rows),
            ("points", figures.points),
        ] {
            if let Some(count) = count {
                line = format!("{line} {name}={count}");
            }
        }
        lines.push(line);
        left.extend(step.children.iter().rev().map(|child| (level + 1, child)));
    }
    lines
}

#[test]
fn each_step_stands_below_the_one_that_needed_it() {
    let mut engine = filled();
    let mut traced = |text: &str, dialect: Dialect, times: Times| {
        let result = ask(&mut engine, text, dialect, times, true);
        let trace = result.trace.unwrap();
        let read: u64 =
            steps(&trace).iter().filter(|step| step.figures.parts.is_some()).filter_map(|s| s.figures.bytes).sum();
        assert_eq!((read, trace.figures.bytes), (result.stats.bytes, Some(result.stats.bytes)), "{text}");
        lines(&trace)
    };
    assert_eq!(
        traced("sum(rate(requests_total[1m])) / (max(requests_total) + 2)", Dialect::PromQl, RANGE),
        [
            "Query sum(rate(requests_total[1m])) / (max(requests_total) + 2) series=4 blocks=6 samples=180",
            "  Parse",
            "  Expression sum(rate(requests_total[1m])) / (max(requests_total) + 2) rows=1 points=3",
            "    Expression sum(rate(requests_total[1m])) rows=1 points=3",
            "      Find requests_total series=2",
            "      Read parts=1 blocks=2 samples=60",
            "      Roll rate rows=1 points=3",
            "    Expression max(requests_total) + 2 rows=1 points=3",
            "      Expression max(requests_total) rows=1 points=3",
            "        Find requests_total series=2",
            "        Read parts=2 blocks=4 samples=120",
            "        Roll default_rollup rows=1 points=3",
            "  Finish rows=1",
        ]
    );
    assert_eq!(
        traced("max_over_time(rate(requests_total{host=\"a\"}[1m])[2m:1m])", Dialect::PromQl, INSTANT),
        [
            "Query max_over_time(rate(requests_total{host=\"a\"}[1m])[2m:1m]) series=1 blocks=1 samples=30",
            "  Parse",
            "  Expression max_over_time(rate(requests_total{host=\"a\"}[1m])[2m:1m]) rows=1 points=1",
            "    Expression rate(requests_total{host=\"a\"}[1m]) rows=1 points=2",
            "      Find requests_total{host=\"a\"} series=1",
            "      Read parts=1 blocks=1 samples=30",
            "      Roll rate rows=1 points=2",
            "  Finish rows=1",
        ]
    );
    // A window by itself is read and not rolled; nothing is read of what no series has.
    assert_eq!(
        traced("requests_total{host=\"a\"}[25s]", Dialect::MetricsQl, INSTANT),
        [
            "Query requests_total{host=\"a\"}[25s] series=1 blocks=1 samples=30",
            "  Parse",
            "  Find requests_total{host=\"a\"} series=1",
            "  Read parts=1 blocks=1 samples=30",
        ]
    );
    assert_eq!(
        traced("-nothing", Dialect::MetricsQl, INSTANT),
        [
            "Query -nothing series=0 blocks=0 samples=0",
            "  Parse",
            "  Expression -nothing rows=0 points=1",
            "    Expression nothing rows=0 points=1",
            "      Find nothing series=0",
            "      Read parts=2 blocks=0 samples=0",
            "      Roll default_rollup rows=0 points=1",
            "  Finish rows=0",
        ]
    );
}

fn steps(trace: &Trace) -> Vec<&Trace> {
    let (mut all, mut left) = (Vec::new(), vec![trace]);
    while let Some(step) = left.pop() {
        all.push(step);
        left.extend(&step.children);
    }
    all
}

#[test]
fn a_step_takes_as_long_as_those_below_it_and_unasked_the_timeout_alone_looks() {
    let mut engine = filled();
    let looked = Rc::new(Cell::new(0.0));
    engine.set_stopwatch(Rc::new(Ticking(looked.clone())));
    let text = "sum(rate(requests_total[1m])) / (max(requests_total) + 2)";
    assert_eq!(ask(&mut engine, text, Dialect::MetricsQl, RANGE, false).trace, None);
    // When the query begins, before each batch of series, and after each step.
    assert_eq!(looked.replace(0.0), 11.0);
    let trace = ask(&mut engine, text, Dialect::MetricsQl, RANGE, true).trace.unwrap();
    for step in steps(&trace) {
        let below: f64 = step.children.iter().map(|child| child.milliseconds).sum();
        assert!(step.milliseconds >= below && step.milliseconds > 0.0, "{step:?}");
    }
    assert_eq!(trace.milliseconds, looked.get() - 1.0);
}

#[test]
fn expressions_of_any_size_can_be_traced() {
    let mut engine = filled();
    let chain = vec!["1"; 20_000].join("+");
    let trace = ask(&mut engine, &chain, Dialect::MetricsQl, INSTANT, true).trace.unwrap();
    let steps = steps(&trace);
    assert!(steps.len() <= 200, "{}", steps.len());
    assert!(steps.iter().skip(1).all(|step| step.text.chars().count() <= 301));
    let union = format!("({})", vec!["requests_total offset 1s"; 2_000].join(","));
    let trace = ask(&mut engine, &union, Dialect::MetricsQl, INSTANT, true).trace.unwrap();
    assert_eq!(trace.figures.series, Some(4_000));
}

#[test]
fn a_request_is_answered_with_its_trace_in_the_servers_form() {
    let mut engine = filled();
    let mut get = |arguments: &str| {
        let time = (START - 60_000) / 1000;
        let uri = format!("/api/v1/query?query=count(requests_total)&time={time}{arguments}");
        let body = String::from_utf8(got(&mut engine, &uri).body).unwrap();
        serde_json::from_str::<serde_json::Value>(&body).unwrap()
    };
    for without in ["", "&trace=0", "&trace=false"] {
        assert_eq!(get(without).get("trace"), None, "{without:?}");
    }
    let trace = get("&trace=1")["trace"].clone();
    assert_eq!(trace["duration_msec"], 0.0);
    let message = trace["message"].as_str().unwrap();
    assert!(message.starts_with("query count(requests_total): series=2, blocks=4, samples=120, bytes="), "{message}");
    let messages: Vec<_> = trace["children"].as_array().unwrap().iter().map(|child| &child["message"]).collect();
    assert_eq!(
        messages,
        ["parse the expression", "compute count(requests_total): rows=1, points=1", "put the rows in order: rows=1"]
    );
    assert_eq!(trace["children"][1]["children"][0]["message"], "find the series of requests_total: series=2");
    assert_eq!(trace["children"][0].get("children"), None);
}
