//! Whole queries over stored samples, in both languages, by commands and by requests.

use super::support::{EngineExt, START, Ticking, answered, config, get, got, open, query_of};
use sandglass::engine::{Answer, Command, Config, Engine};
use sandglass::error::{ErrorKind, Result};
use sandglass::executor::{Limits, Query, QueryData, QueryResult, Times};
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::http::HttpRequest;
use sandglass::query::dialect::Dialect;
use sandglass::runtime::Units;
use std::cell::Cell;
use std::rc::Rc;

/// Ten minutes of a scrape every 10 s: two counters that grow by 5 and by 20, and a gauge that goes up by 1.
fn filled() -> Engine {
    let mut engine = open(MemoryFileSystem::default(), config()).unwrap();
    let timestamps: Vec<i64> = (0..60).map(|i| START - 600_000 + i * 10_000).collect();
    let ramp = |by: f64| (0..60).map(|i| f64::from(i) * by).collect::<Vec<f64>>();
    for (host, by) in [("a", 5.0), ("b", 20.0)] {
        let labels = [("__name__", "requests_total"), ("host", host), ("job", "web")];
        engine.put(&labels, &timestamps, &ramp(by)).unwrap();
    }
    engine.put(&[("__name__", "temperature"), ("room", "attic")], &timestamps, &ramp(1.0)).unwrap();
    engine.flush().unwrap();
    engine
}

fn ask(engine: &mut Engine, text: &str, dialect: Dialect, times: Times) -> Result<QueryResult> {
    engine.query(query_of(text, dialect, times))
}

/// Rows as text: labels and values.
fn shown(result: QueryResult) -> Vec<String> {
    match result.data {
        QueryData::Rows { rows, .. } => {
            let row = |row: &sandglass::query::series::row::Row| {
                let labels: Vec<String> = row.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let values: Vec<String> = (0..row.values.len())
                    .map(|at| if row.is_present(at) { row.values[at].to_string() } else { "-".into() })
                    .collect();
                format!("{{{}}} {}", labels.join(","), values.join(" "))
            };
            rows.iter().map(row).collect()
        }
        QueryData::Scalar(value) => vec![format!("scalar {value}")],
        QueryData::Text(text) => vec![format!("text {text}")],
        QueryData::Matrix(series) => {
            series.iter().map(|one| format!("{} samples from {:?}", one.values.len(), one.timestamps.first())).collect()
        }
    }
}

const RANGE: Times = Times::Range { start_ms: START - 300_000, end_ms: START - 180_000, step_ms: 60_000 };
const INSTANT: Times = Times::Instant { time_ms: START - 60_000, step_ms: None };

#[test]
fn both_languages_compute_over_stored_samples() {
    let mut engine = filled();
    let mut both = |text: &str, times: Times, expected: &[&str]| {
        for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
            let found = ask(&mut engine, text, dialect, times).map(shown);
            assert_eq!(found.unwrap(), expected, "{text} in {dialect:?}");
        }
    };
    both("1 + 2", RANGE, &["{} 3 3 3"]);
    both("temperature", RANGE, &["{__name__=temperature,room=attic} 30 36 42"]);
    both("rate(requests_total[1m])", RANGE, &["{host=a,job=web} 0.5 0.5 0.5", "{host=b,job=web} 2 2 2"]);
    both("sum by (job) (rate(requests_total[1m]))", RANGE, &["{job=web} 2.5 2.5 2.5"]);
    both("temperature offset 1m", RANGE, &["{__name__=temperature,room=attic} 24 30 36"]);
    both("temperature @ end()", RANGE, &["{__name__=temperature,room=attic} 42 42 42"]);
    both("sum(max_over_time(temperature[2m:1m]))", INSTANT, &["{} 54"]);
    both(
        "requests_total{host=\"b\"} / on(job) group_right() requests_total{host=\"a\"}",
        INSTANT,
        &["{host=a,job=web} 4"],
    );
    both("topk(1, requests_total)", INSTANT, &["{__name__=requests_total,host=b,job=web} 1080"]);
    both("absent(nothing{a=\"b\"})", INSTANT, &["{a=b} 1"]);
    both("\"text\"", INSTANT, &["text text"]);
    both("temperature[25s]", INSTANT, &["3 samples from Some(1710071920000)"]);
}

#[test]
fn what_is_absent_is_told_once_for_all_series() {
    let mut engine = filled();
    let mut both = |text: &str, expected: &[&str]| {
        for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
            assert_eq!(ask(&mut engine, text, dialect, RANGE).map(shown).unwrap(), expected, "{text} in {dialect:?}");
        }
    };
    both("absent_over_time(nothing{a=\"b\",c=~\"d\"}[1m])", &["{a=b} 1 1 1"]);
    both("sum(absent_over_time(nothing[1m]))", &["{} 1 1 1"]);
    both("absent_over_time(requests_total[1m])", &[]);
    both("absent_over_time(temperature[1m] offset 6m)", &["{} 1 - -"]);
}

#[test]
fn a_window_by_itself_is_its_samples() {
    let mut engine = filled();
    let mut samples = |text: &str, dialect: Dialect| -> Vec<Vec<(i64, f64)>> {
        let QueryData::Matrix(series) = ask(&mut engine, text, dialect, INSTANT).unwrap().data else {
            panic!("{text} is no matrix");
        };
        let pairs = |one: &sandglass::executor::RawSeries| {
            one.timestamps.iter().copied().zip(one.values.iter().copied()).collect()
        };
        series.iter().map(pairs).collect()
    };
    let at = |before_s: i64, value: f64| (START - 60_000 - before_s * 1_000, value);
    let stored = vec![vec![at(10, 53.0), at(0, 54.0)]];
    for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
        assert_eq!(samples("temperature[15s]", dialect), stored);
        assert_eq!(samples("(temperature[15s])", dialect), stored);
        assert_eq!(samples("temperature[15s] @ end()", dialect), stored);
    }
    // A subquery's window is open at its beginning in PromQL alone.
    assert_eq!(samples("sum(temperature)[2m:1m]", Dialect::PromQl), [[at(60, 48.0), at(0, 54.0)]]);
    assert_eq!(samples("sum(temperature)[2m:1m]", Dialect::MetricsQl), [[at(120, 42.0), at(60, 48.0), at(0, 54.0)]]);
    let error = ask(&mut engine, "temperature[1m]", Dialect::PromQl, RANGE).unwrap_err();
    assert!(error.message().contains("invalid expression type \"range vector\" for range query"), "{error}");
}

#[test]
fn a_subquery_of_metrics_ql_has_a_start_and_an_end_of_its_own() {
    let mut engine = filled();
    let mut first = |text: &str, dialect: Dialect| ask(&mut engine, text, dialect, RANGE).map(shown).unwrap();
    let seconds = |ms: i64| ms / 1_000;
    // It reaches one step beyond the query's end.
    let end = seconds(START - 180_000 + 60_000);
    assert_eq!(first("max_over_time(end()[2m:1m])", Dialect::MetricsQl), [format!("{{}} {end} {end} {end}")]);
    assert_eq!(
        first("max_over_time((temperature @ end())[2m:1m])", Dialect::PromQl),
        ["{__name__=temperature,room=attic} 42 42 42"].map(|row| row.replace("__name__=temperature,", ""))
    );
}

#[test]
fn prom_ql_predicts_from_when_it_is_asked() {
    let mut engine = filled();
    let mut found = |text: &str, dialect: Dialect| ask(&mut engine, text, dialect, RANGE).map(shown).unwrap();
    let text = "round(predict_linear(temperature[1m] offset 1m, 60))";
    assert_eq!(found(text, Dialect::PromQl), ["{room=attic} 36 42 48"]);
    assert_eq!(found(text, Dialect::MetricsQl), ["{__name__=temperature,room=attic} 30 36 42"]);
    // Though the window stands still, the prediction moves on.
    let text = "round(predict_linear(temperature[1m] @ start(), 0))";
    assert_eq!(found(text, Dialect::PromQl), ["{room=attic} 30 36 42"]);
    assert_eq!(found(text, Dialect::MetricsQl), ["{__name__=temperature,room=attic} 30 30 30"]);
    let text = "round(quantile_over_time((time() - 1710071700) / 120, temperature[1m] @ end()))";
    assert_eq!(found(text, Dialect::PromQl), ["{room=attic} 37 40 42"]);
}

#[test]
fn numbers_of_a_text_have_rules_of_their_own_in_metrics_ql() {
    let mut engine = filled();
    for (text, expected) in [
        ("NaN == bool NaN", vec!["{} 1"]),
        ("NaN > bool 1", vec!["{} 0"]),
        ("NaN or 7", vec![]),
        ("1 and NaN", vec!["{} 1"]),
        ("1 unless NaN", vec![]),
        ("NaN default 2", vec!["{} 2"]),
        ("vector(NaN) == bool NaN", vec![]),
    ] {
        assert_eq!(ask(&mut engine, text, Dialect::MetricsQl, INSTANT).map(shown).unwrap(), expected, "{text}");
    }
    let found = ask(&mut engine, "timestamp(temperature + 1)", Dialect::PromQl, INSTANT).map(shown).unwrap();
    assert_eq!(found, [format!("{{room=attic}} {}", (START - 60_000) / 1_000)]);
}

#[test]
fn an_instant_behind_at_may_be_computed_from_samples() {
    let mut engine = filled();
    let text = format!("temperature @ ({} + min(temperature @ end()) * 0)", (START - 120_000) / 1000);
    let found = ask(&mut engine, &text, Dialect::MetricsQl, RANGE).map(shown).unwrap();
    assert_eq!(found, ["{__name__=temperature,room=attic} 48 48 48"]);
}

#[test]
fn limits_name_their_figures() {
    let mut engine = filled();
    let mut limited = |text: &str, dialect: Dialect, limits: Limits| {
        engine.query(Query { limits, ..query_of(text, dialect, RANGE) }).map(|_| ()).unwrap_err()
    };
    // Groups, and rows that are found in samples, are counted while they grow, and not when all of them are there.
    let few = Limits { values: 5, ..Limits::default() };
    for (text, words) in [
        ("sum by (host) (requests_total)", "2 rows of 3 instants are 6 values, more than the 5"),
        (
            "count_values_over_time(\"v\", temperature[5m])",
            "finds 2 rows or more in one series, which at 3 instants are more than the 5",
        ),
        ("histogram_over_time(temperature[5m])", "histogram_over_time finds 2 rows or more in one series"),
    ] {
        let error = limited(text, Dialect::MetricsQl, few);
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
    for (limits, words) in [
        (Limits { series: 1, ..Limits::default() }, "2 series match, which is more than the 1"),
        (Limits { samples: 10, ..Limits::default() }, "more samples match than the 10 that one search may read"),
        (Limits { points: 2, ..Limits::default() }, "the range has 3 instants, more than the 2"),
        (Limits { values: 4, ..Limits::default() }, "2 rows of 3 instants are 6 values, more than the 4"),
    ] {
        let error = limited("requests_total", Dialect::PromQl, limits);
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
}

#[test]
fn rows_that_an_expression_holds_draw_from_the_budget_of_memory() {
    let mut engine = open(MemoryFileSystem::default(), Config { memory_bytes: 2 << 20, ..config() }).unwrap();
    let timestamps: Vec<i64> = (0..60).map(|i| START - 600_000 + i * 10_000).collect();
    for number in 0..200 {
        engine.put(&[("__name__", "m"), ("number", &number.to_string())], &timestamps, &[1.0; 60]).unwrap();
    }
    engine.flush().unwrap();
    // 200 rows of 600 instants are 1 MB; the least budget is 16 MiB.
    let range = Times::Range { start_ms: START - 600_000, end_ms: START - 1_000, step_ms: 1_000 };
    assert!(ask(&mut engine, "m + m", Dialect::MetricsQl, range).is_ok());
    let nested = format!("{}m{}", "m + (".repeat(20), ")".repeat(20));
    let error = ask(&mut engine, &nested, Dialect::MetricsQl, range).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.message().contains("more bytes of memory are needed"), "{error}");
    // All of it goes back, also what an answer has taken.
    let ticket = engine.send(Command::Query(query_of("m", Dialect::MetricsQl, range)));
    let (answer, memory) = loop {
        engine.pump(engine.now(), Units::MAX);
        if let Some(held) = engine.take_held(ticket) {
            break held;
        }
    };
    assert!(memory.bytes() > 900_000, "{}", memory.bytes());
    drop((answer, memory));
    assert!(ask(&mut engine, "m + m", Dialect::MetricsQl, range).is_ok());
}

#[test]
fn requests_are_answered_in_the_words_of_the_api() {
    let mut engine = filled();
    let mut get = |uri: &str| {
        let response = got(&mut engine, uri);
        (response.status, String::from_utf8(response.body).unwrap())
    };
    let time = (START - 60_000) / 1000;
    assert_eq!(
        get(&format!("/prometheus/api/v1/query?query=temperature&time={time}")),
        (
            200,
            format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{"__name__":"temperature","room":"attic"}},"value":[{time},"54"]}}]}}}}"#
            )
        )
    );
    let (status, body) = get(&format!("/api/v1/query_range?query=sum(temperature&start={time}&end={time}&step=15"));
    assert_eq!(status, 400);
    assert!(
        body.contains(r#""errorType":"bad_data","error":"invalid parameter \"query\": 1:16: parse error: "#),
        "{body}"
    );
    let (_, body) = get("/api/v1/label/host/values");
    assert_eq!(body, r#"{"status":"success","data":["a","b"]}"#);
    let (_, body) = get("/api/v1/series?match[]=requests_total{host=%22a%22}");
    assert_eq!(body, r#"{"status":"success","data":[{"__name__":"requests_total","host":"a","job":"web"}]}"#);
    let (_, body) = get("/api/v1/labels");
    assert_eq!(body, r#"{"status":"success","data":["__name__","host","job","room"]}"#);
    let (status, body) = get("/api/v1/series");
    assert_eq!((status, body.contains("no match[] parameter")), (400, true));
}

#[test]
fn what_servers_tell_of_themselves_is_told() {
    let mut engine = filled();
    let mut get = |uri: &str| {
        let response = got(&mut engine, uri);
        (response.status, response.content_type, String::from_utf8(response.body).unwrap())
    };
    const JSON: &str = "application/json";

    let (status, content_type, body) = get("/prometheus/api/v1/status/tsdb?topN=1&focusLabel=host");
    assert_eq!((status, content_type), (200, JSON));
    assert_eq!(
        body,
        concat!(
            r#"{"status":"success","data":{"totalSeries":3,"totalLabelValuePairs":8,"#,
            r#""seriesCountByMetricName":[{"name":"requests_total","value":2}],"#,
            r#""seriesCountByLabelName":[{"name":"__name__","value":3}],"#,
            r#""seriesCountByFocusLabelValue":[{"name":"a","value":1}],"#,
            r#""seriesCountByLabelValuePair":[{"name":"__name__=requests_total","value":2}],"#,
            r#""labelValueCountByLabelName":[{"name":"__name__","value":2}]}}"#
        )
    );
    let has_series = |body: &str, count: u64| body.contains(&format!("\"totalSeries\":{count},"));
    assert!(has_series(&get("/api/v1/status/tsdb?date=2023-01-01").2, 0));
    assert!(has_series(&get("/api/v1/status/tsdb?date=1970-01-01&match[]=temperature").2, 1));
    assert_eq!(get("/api/v1/status/tsdb?topN=all").0, 400);

    let (start, end) = (START / 1000 - 120, START / 1000 - 60);
    let range = format!("/api/v1/query_range?query=sum(temperature)&start={start}&end={end}&step=15");
    assert_eq!([get(&range).0, get(&range).0], [200, 200]);
    let (status, content_type, body) = get("/api/v1/status/top_queries?topN=5&maxLifetime=1m");
    assert_eq!((status, content_type), (200, JSON));
    let told = concat!(
        r#"{"topN":"5","maxLifetime":"1m","search.queryStats.lastQueriesCount":2000,"#,
        r#""search.queryStats.minQueryDuration":"0s","#,
        r#""topByCount":[{"query":"sum(temperature)","timeRangeSeconds":60,"count":2}],"#
    );
    assert!(body.starts_with(told), "{body}");
    assert_eq!(get("/api/v1/status/active_queries"), (200, JSON, r#"{"status":"ok","data":[]}"#.into()));

    let (status, content_type, body) = get("/metrics");
    assert_eq!((status, content_type), (200, "text/plain; charset=utf-8"));
    for line in ["vm_rows_added_to_storage_total 180", "vm_timeseries 3", "vm_rows{type=\"storage/inmemory\"} 180"] {
        assert!(body.lines().any(|found| found == line), "{line} in\n{body}");
    }
    assert!(body.lines().all(|line| line.split(' ').count() == 2), "{body}");

    let newest = START - 10_000;
    assert_eq!(
        get("/federate?match[]=temperature&match[]=requests_total{host=%22a%22}").2,
        format!("requests_total{{job=\"web\",host=\"a\"}} 295 {newest}\ntemperature{{room=\"attic\"}} 59 {newest}\n")
    );
    assert_eq!(get("/federate?match[]=temperature&max_lookback=5s").2, "");
    assert_eq!(get("/federate").0, 400);

    // Slashes may be doubled, and what an Influx client asks first is answered.
    assert_eq!(get("//api//v1/labels").0, 200);
    assert_eq!(get("/ping").0, 204);
    assert!(get("/query?q=SHOW%20DATABASES").2.contains("_internal"));
}

#[test]
fn a_range_without_bounds_is_the_last_five_minutes_of_metricsql_alone() {
    let mut engine = filled();
    let mut get = |uri: &str| {
        let response = got(&mut engine, uri);
        (response.status, String::from_utf8(response.body).unwrap())
    };
    let (status, body) = get("/api/v1/query_range?query=count(temperature)");
    let (first, last) = (START / 1000 - 300, START / 1000);
    assert_eq!((status, body.contains(&format!(r#""values":[[{first},"1"],[{last},"1"]]"#))), (200, true), "{body}");
    for (expression, kind) in [("temperature[1m]", "range vector"), ("\"a\"", "string")] {
        let (status, body) =
            get(&format!("/api/v1/query_range?query={expression}&dialect=promql&start=1&end=2&step=1"));
        let told = format!(
            r#""bad_data","error":"invalid parameter \"query\": invalid expression type \"{kind}\" for range query"#
        );
        assert!(status == 400 && body.contains(&told), "{body}");
    }
    let (status, body) = get("/api/v1/query_range?query=count(temperature)&dialect=promql");
    assert!(status == 400 && body.contains(r#"invalid parameter \"start\""#), "{body}");
}

#[test]
fn a_query_that_is_too_slow_is_told_as_a_timeout() {
    let mut engine = filled();
    let time = Rc::new(Cell::new(0.0));
    engine.set_stopwatch(Rc::new(Ticking(time.clone())));
    let mut get = |timeout: &str| {
        let response = got(&mut engine, &format!("/api/v1/query_range?query=sum(rate(requests_total[1m])){timeout}"));
        (response.status, String::from_utf8(response.body).unwrap())
    };
    let (status, body) = get("&timeout=0.001");
    assert!(status == 503 && body.contains(r#""errorType":"timeout""#), "{body}");
    assert!(body.contains("the query has taken longer than its timeout of 1 ms"), "{body}");
    assert_eq!(get("").0, 200);
}

#[test]
fn lengths_of_time_below_zero_are_refused_by_name() {
    let mut engine = filled();
    let mut get = |uri: &str| {
        let response = got(&mut engine, uri);
        (response.status, String::from_utf8(response.body).unwrap())
    };
    for path in
        ["/api/v1/query?query=temperature", "/api/v1/query_range?query=temperature", "/federate?match[]=temperature"]
    {
        let names: &[&str] = if path.starts_with("/federate") {
            &["max_lookback"]
        } else {
            &["timeout", "lookback_delta", "max_lookback"]
        };
        for name in names {
            for length in ["-1", "-0.0001", "-300"] {
                let (status, body) = get(&format!("{path}&{name}={length}"));
                let told = format!(r#"invalid parameter \"{name}\": \"{length}\" is below 0"#);
                assert!(status == 400 && body.contains(&told), "{path} {name}={length}: {status} {body}");
            }
            assert_eq!(get(&format!("{path}&{name}=1h")).0, 200, "{path} {name}");
        }
    }
    // A step has words of its own.
    for (path, expected) in [("query", 422), ("query_range", 400)] {
        let (status, body) = get(&format!("/api/v1/{path}?query=temperature&step=-1"));
        assert!(
            status == expected && body.contains("zero or negative query resolution step widths"),
            "{status} {body}"
        );
    }
}

#[test]
fn a_long_export_comes_in_pieces_and_its_lines_can_be_cut() {
    let mut engine = open(MemoryFileSystem::default(), config()).unwrap();
    let timestamps: Vec<i64> = (0..50_000).map(|i| START - 50_000_000 + i * 1_000).collect();
    let values: Vec<f64> = (0..50_000).map(f64::from).collect();
    engine.put(&[("__name__", "long")], &timestamps, &values).unwrap();
    engine.flush().unwrap();

    let Answer::HttpBegun(response, cursor) = engine.ask(get("/api/v1/export?match[]=long")).unwrap() else {
        panic!("the export came whole")
    };
    assert_eq!((response.status, response.body.is_empty()), (200, false));
    engine.ask(Command::ExportClose { cursor }).unwrap();
    engine.ask(Command::ExportNext { cursor }).unwrap_err();

    let mut lengths = |uri: &str| -> Vec<usize> {
        let body = got(&mut engine, uri).body;
        let lines = std::str::from_utf8(&body).unwrap().lines();
        lines.map(|line| line.split("\"timestamps\":").nth(1).unwrap().split(',').count()).collect()
    };
    assert_eq!(lengths("/api/v1/export?match[]=long").iter().sum::<usize>(), 50_000);
    let cut = lengths("/api/v1/export?match[]=long&max_rows_per_line=7000");
    assert_eq!((cut.iter().sum::<usize>(), cut.iter().max()), (50_000, Some(&7_000)));
    // As on the server, what is no number of samples cuts nothing.
    assert_eq!(lengths("/api/v1/export?match[]=long&max_rows_per_line=0"), lengths("/api/v1/export?match[]=long"));
}

/// The body of a reply to a request, which must be a good one.
fn body_of(engine: &mut Engine, uri: &str) -> String {
    let response = got(engine, uri);
    let body = String::from_utf8(response.body).unwrap();
    assert!(response.status < 300, "{uri}: {body}");
    body
}

#[test]
fn extra_filters_hold_for_all_that_a_request_asks_for() {
    let mut engine = filled();
    let time = (START - 60_000) / 1000;
    let extra = "extra_label=host=a";
    let found = body_of(&mut engine, &format!("/api/v1/query?query=sum(requests_total)by(host)&time={time}&{extra}"));
    assert!(found.contains(r#""host":"a""#) && !found.contains(r#""host":"b""#), "{found}");
    for (uri, expected) in [
        ("/api/v1/label/host/values?", r#"["a"]"#),
        ("/api/v1/label/host/values?match[]=requests_total&", r#"["a"]"#),
        ("/api/v1/labels?match=requests_total&", r#"["__name__","host","job"]"#),
        ("/api/v1/labels?", r#"["__name__","host","job"]"#),
    ] {
        let found = body_of(&mut engine, &format!("{uri}{extra}"));
        assert!(found.contains(expected), "{uri}: {found}");
    }
    for uri in ["/api/v1/series?match[]={job=\"web\"}", "/api/v1/export?match[]={job=\"web\"}"] {
        let found = body_of(&mut engine, &format!("{uri}&{extra}"));
        assert!(found.contains(r#""host":"a""#) && !found.contains(r#""host":"b""#), "{found}");
    }
    // Any of these, and all of those.
    let any = "extra_filters[]={host=\"b\"}&extra_filters[]={room=\"attic\"}";
    let count = |engine: &mut Engine, more: &str| {
        let uri = format!("/api/v1/query?query=count({{__name__!=\"\"}})&time={time}&{any}{more}");
        body_of(engine, &uri).split("\"value\":").nth(1).unwrap_or("nothing").to_owned()
    };
    assert!(count(&mut engine, "").contains("\"2\""));
    assert!(count(&mut engine, "&extra_label=job=web").contains("\"1\""));
    assert!(body_of(&mut engine, &format!("/api/v1/series/count?{extra}")).contains("[1]"));
    // What is absent has the labels that are written, and no others.
    let absent = format!("/api/v1/query?query=absent(nope{{x=\"y\"}})&time={time}");
    assert_eq!(body_of(&mut engine, &absent), body_of(&mut engine, &format!("{absent}&{any}&{extra}")));
    // Conditions that multiply are refused before they are made.
    let labels: String = (0..30_000).map(|_| "&extra_label=a=b").collect();
    let many = format!("/api/v1/query?query=a%2Ba&time={time}&extra_filters[]=x&extra_filters[]=y{labels}");
    assert_eq!(got(&mut engine, &many).status, 400);
    assert_eq!(got(&mut engine, &format!("/api/v1/query?query=up&time={time}&extra_label=host")).status, 400);
    let mut deleted = |arguments: &str| {
        let uri = format!("/api/v1/admin/tsdb/delete_series?match={{job=\"web\"}}&{arguments}");
        let Command::Http(request) = get(&uri) else { unreachable!() };
        answered(&mut engine, HttpRequest { method: "POST".into(), ..request }).status
    };
    assert_eq!(deleted("start=0"), 400);
    assert_eq!(deleted(extra), 204);
    assert!(body_of(&mut engine, "/api/v1/label/host/values").contains(r#"["b"]"#));
}

#[test]
fn arguments_mean_what_they_mean_for_the_server() {
    let mut engine = filled();
    let time = (START - 60_000) / 1000;
    let mut value = |arguments: &str| {
        let found = body_of(&mut engine, &format!("/api/v1/query?{arguments}"));
        found
            .split("\"value\":")
            .nth(1)
            .map_or("nothing".to_owned(), |value| value.split('"').nth(1).unwrap().to_owned())
    };
    assert_eq!(value(&format!("query=sum(requests_total)/7&time={time}&round_digits=1")), "192.9");
    assert_eq!(value(&format!("query=sum(requests_total)/7&time={time}&round_digits=-1")), "190");
    // An hour after the last sample only a window of more than an hour has one.
    let later = time + 3_600;
    assert_eq!(value(&format!("query=temperature&time={later}")), "nothing");
    assert_eq!(value(&format!("query=temperature&time={later}&max_lookback=2h")), "59");
    assert_eq!(value(&format!("query={{}}&time={time}")), "nothing");
    assert_eq!(value(&format!("query=count({{}})&time={time}")), "nothing");
    assert_eq!(value(&format!("query=017%2B0&time={time}")), "15");
    assert_eq!(value(&format!("query=count(temperature{{room=~\"att{{x|attic\"}})&time={time}")), "1");
    assert_eq!(got(&mut engine, "/api/v1/series?match[]={a=\"\"}&dialect=promql").status, 400);
    for uri in
        ["/api/v1/export?match[]=temperature&start=-2h", "/api/v1/export?match[]=temperature&start=now-2h&end=now"]
    {
        assert!(body_of(&mut engine, uri).contains("attic"), "{uri}");
    }
    let columns = body_of(&mut engine, "/api/v1/export/csv?match[]=temperature&format=room,,__value__");
    assert!(columns.starts_with("attic,,"), "{columns}");
    let newest = |range: &str| format!("/federate?match[]=temperature{range}");
    let until = time - 120;
    assert!(body_of(&mut engine, &newest("")).contains(" 59 "));
    assert!(body_of(&mut engine, &newest(&format!("&start={}&end={until}", until - 60))).contains(" 42 "));
}
