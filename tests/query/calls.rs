//! What functions and operators promise beside their numbers.

use crate::AtOnce;
use crate::small;
use crate::tables::{GRID, read_row};
use sandglass::error::{ErrorKind, Result};
use sandglass::query::aggregate::Aggregate;
use sandglass::query::binary::{Binary, Side};
use sandglass::query::call::{Argument, Context, TimeZones};
use sandglass::query::dialect::Dialect;
use sandglass::query::finish::{Order, finish};
use sandglass::query::language::ast::{BinaryOperator, Join, Matching};
use sandglass::query::series::row::Row;
use sandglass::query::transform::Transform;

fn given() -> Vec<Row> {
    let rows = [
        r#"m{i="1"} 1 2 3 4 5 6 7 8 9 10 11 12"#,
        r#"m{i="2"} 3 6 9 12 15 18 21 24 27 30 33 36"#,
        r#"n{i="1"} NaN NaN 3 _ 5 _ NaN 8 NaN 10 11 12"#,
        r#"n{i="2"} 2 NaN NaN _ 1 1 _ 8 9 9 9 9"#,
        r#"k_bucket{le="1"} 5 5 5 5 5 5 5 5 5 5 5 5"#,
        r#"k_bucket{le="2"} 10 10 10 10 10 10 10 10 10 10 10 10"#,
        r#"k_bucket{le="+Inf"} 20 20 20 20 20 20 20 20 20 20 20 20"#,
    ];
    rows.iter().map(|row| read_row(row)).collect()
}

fn promql(text: &str) -> Result<Vec<Row>> {
    small::evaluate(text, &given(), Context::new(GRID, Dialect::PromQl))
}

#[test]
fn each_dialect_has_its_own_functions() {
    for (name, in_metricsql, in_promql) in
        [("label_set", true, false), ("abs", true, true), ("union", true, false), ("label_replace", true, true)]
    {
        assert_eq!(Transform::by_name(name, Dialect::MetricsQl).is_some(), in_metricsql, "{name}");
        assert_eq!(Transform::by_name(name, Dialect::PromQl).is_some(), in_promql, "{name}");
    }
    assert!(Aggregate::by_name("limit_ratio", Dialect::MetricsQl).is_none());
    assert!(Aggregate::by_name("topk_max", Dialect::PromQl).is_none());
    assert!(Transform::by_name("nosuch", Dialect::MetricsQl).is_none());
}

#[test]
fn a_nan_is_the_last_that_topk_keeps() {
    let found = promql("topk(1, n)").unwrap();
    assert_eq!(found[0].values[2], 3.0);
    assert!(!found[0].is_present(0) && found[1].values[0] == 2.0);
    // Where there is nothing else it is kept.
    assert!(found[0].is_present(1) && found[0].values[1].is_nan());
    assert!(promql("topk(NaN, m)").unwrap_err().message().contains("NaN"));
}

#[test]
fn ratios_part_series_without_overlap() {
    assert_eq!(promql("limit_ratio(1, m)").unwrap().len(), 2);
    assert_eq!(promql("limit_ratio(0, m)").unwrap().len(), 0);
    let halves = promql("limit_ratio(0.5, m)").unwrap().len() + promql("limit_ratio(-0.5, m)").unwrap().len();
    assert_eq!(halves, 2);
    assert_eq!(promql("limitk(1, m)").unwrap(), promql("m").unwrap()[..1]);
}

#[test]
fn fractions_of_classic_histograms() {
    let at_first = |text: &str| promql(text).unwrap()[0].values[0];
    assert_eq!(at_first("histogram_fraction(0, 1, k_bucket)"), 0.25);
    assert_eq!(at_first("histogram_fraction(0.5, 1.5, k_bucket)"), 0.25);
    assert_eq!(at_first("histogram_fraction(2, 1, k_bucket)"), 0.0);
    assert_eq!(at_first("histogram_fraction(1, 1 / 0, k_bucket)"), 0.75);
}

#[test]
fn names_stay_where_the_call_asks_for_them() {
    for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
        let rows = vec![Argument::Rows(given())];
        let abs = Transform::by_name("abs", dialect).unwrap();
        let kept = abs.keep_metric_names(true).call(rows.clone(), &Context::new(GRID, dialect)).at_once().unwrap();
        assert_eq!(kept[0].shown_labels().get("__name__"), "m");
        let dropped = abs.call(rows, &Context::new(GRID, dialect)).at_once().unwrap();
        assert_eq!(dropped[0].shown_labels().get("__name__"), "");
    }
}

#[test]
fn joins_take_all_labels_with_a_prefix() {
    let mut binary = Binary::new(BinaryOperator::Multiply, Dialect::MetricsQl);
    binary.matching = Some(Matching { is_on: true, labels: vec!["i".into()] });
    binary.join = Some(Join { is_left: true, include: vec!["*".into()], prefix: Some("from_".into()) });
    let one = read_row(r#"info{i="1", version="3"} 1 1 1 1 1 1 1 1 1 1 1 1"#);
    let context = Context::new(GRID, Dialect::MetricsQl);
    let found = binary.apply(Side::Rows(given()[..2].to_vec()), Side::Rows(vec![one]), &context).at_once().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].labels.get("from_version"), "3");
    assert_eq!(found[0].labels.get("from_i"), "");
}

#[test]
fn equal_labels_end_an_answer_in_the_servers_words() {
    let twice = || vec![given()[0].clone(), given()[0].clone()];
    let error = finish(twice(), Dialect::MetricsQl, Order::Labels).unwrap_err();
    assert_eq!(error.message(), r#"duplicate output timeseries: m{i="1"}"#);
    let error = finish(twice(), Dialect::PromQl, Order::Labels).unwrap_err();
    assert_eq!(error.message(), "vector cannot contain metrics with the same labelset");
    // Rows that never meet are one series in PromQL.
    let parts = [r#"m{} 1 1 1 _ _ _ _ _ _ _ _ _"#, r#"m{} _ _ _ 2 2 2 2 2 2 2 2 2"#].map(read_row).to_vec();
    assert_eq!(finish(parts, Dialect::PromQl, Order::Labels).unwrap().len(), 1);
}

#[test]
fn too_many_values_are_a_limit() {
    let mut context = Context::new(GRID, Dialect::PromQl);
    context.max_values = 100;
    let count_values = Aggregate::by_name("count_values", Dialect::PromQl).unwrap();
    let arguments = vec![Argument::Text("v".into()), Argument::Rows(given())];
    assert_eq!(count_values.call(arguments, None, None, &context).at_once().unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn what_takes_too_long_or_too_much_is_a_limit() {
    let refused = |text: &str, rows: &[Row], max_values: usize| {
        let context = Context { max_values, ..Context::new(GRID, Dialect::MetricsQl) };
        let error = small::evaluate(text, rows, context).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{text}: {error}");
    };
    refused(r#"histogram_quantiles("phi", 0.1, 0.5, 0.9, k_bucket)"#, &given(), 2 * GRID.points);
    let buckets: Vec<Row> =
        (0..16_000).map(|le| read_row(&format!(r#"b{{le="{le}"}} 1 1 1 1 1 1 1 1 1 1 1 1"#))).collect();
    refused("buckets_limit(3, b)", &buckets, usize::MAX);
    let long = "a".repeat(16_000);
    let row = [read_row(&format!(r#"m{{v="{long}"}} 1 1 1 1 1 1 1 1 1 1 1 1"#))];
    for text in [
        r#"label_replace(m, "v", "x", "v", "(a?){60}")"#,
        r#"label_match(m, "v", "(a?){60}b")"#,
        // Each search for a match looks at all that is left.
        r#"label_transform(m, "v", "a.*b|a", "c")"#,
        r#"label_transform(m, "v", "(.+)", "$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1")"#,
    ] {
        refused(text, &row, usize::MAX);
    }
}

#[test]
fn calls_in_pieces_give_what_one_call_gives() {
    let rows: Vec<Row> = (0..5_000)
        .map(|at| read_row(&format!(r#"m{{i="{at}" j="{}"}} {at} 2 NaN 4 _ 6 7 _ 9 3 {} 12"#, at % 7, at % 5)))
        .collect();
    for (text, dialect) in [
        (r#"label_set(m, "a", "b")"#, Dialect::MetricsQl),
        (r#"labels_equal(m, "i", "j")"#, Dialect::MetricsQl),
        (r#"label_match(m, "i", "1.*")"#, Dialect::MetricsQl),
        (r#"label_transform(m, "i", "1(.)", "<$1>")"#, Dialect::MetricsQl),
        (r#"label_replace(m, "k", "$1", "i", "(.).*")"#, Dialect::PromQl),
        ("range_quantile(0.7, m)", Dialect::MetricsQl),
        ("range_trim_spikes(0.2, m)", Dialect::MetricsQl),
        ("smooth_exponential(m, 0.3)", Dialect::MetricsQl),
        ("clamp(m, 2, time())", Dialect::MetricsQl),
        ("clamp(m, 2, 5)", Dialect::PromQl),
        ("running_sum(m)", Dialect::MetricsQl),
        ("hour(m)", Dialect::PromQl),
    ] {
        let evaluated = |rows: &[Row]| small::evaluate(text, rows, Context::new(GRID, dialect)).unwrap();
        // Answers are sorted by labels.
        let sorted = |rows: Vec<Row>| {
            let mut texts: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
            texts.sort();
            texts
        };
        let singly = rows.iter().flat_map(|row| evaluated(std::slice::from_ref(row))).collect();
        assert!(sorted(evaluated(&rows)) == sorted(singly), "{text}");
    }
    // What must be one number stays one that is asked for.
    let error = small::evaluate("clamp_min(2, m)", &rows, Context::new(GRID, Dialect::MetricsQl)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn zones_come_from_the_edge() {
    struct Summer;
    impl TimeZones for Summer {
        fn offset_seconds(&self, zone: &str, _at_ms: i64) -> Option<i64> {
            (zone == "Europe/Berlin").then_some(7200)
        }
    }
    let context = Context { zones: &Summer, ..Context::new(GRID, Dialect::MetricsQl) };
    let found = small::evaluate(r#"timezone_offset("Europe/Berlin")"#, &[], context).unwrap();
    assert_eq!(found[0].values, vec![7200.0; GRID.points]);
}

#[test]
fn a_seed_gives_the_same_numbers() {
    for name in ["rand", "rand_normal", "rand_exponential"] {
        let of = |seed: u32| {
            let text = format!("{name}({seed})");
            small::evaluate(&text, &[], Context::new(GRID, Dialect::MetricsQl)).unwrap()[0].values.clone()
        };
        assert_eq!(of(1), of(1), "{name}");
        assert_ne!(of(1), of(2), "{name}");
    }
}
