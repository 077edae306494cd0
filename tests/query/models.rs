//! Aggregates and joins against the plainest loops that give the same, on seeded random rows.

use crate::AtOnce;
use sandglass::query::aggregate::Aggregate;
use sandglass::query::binary::{Binary, Side};
use sandglass::query::call::{Argument, Context};
use sandglass::query::dialect::Dialect;
use sandglass::query::language::ast::{BinaryOperator, Grouping, Join, Matching};
use sandglass::query::series::grid::Grid;
use sandglass::query::series::labels::Labels;
use sandglass::query::series::row::Row;

const GRID: Grid = Grid::new(0, 1_000, 37);

/// A small generator of numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// A value of few, or a gap.
    fn value(&mut self) -> f64 {
        if self.below(4) == 0 { f64::NAN } else { self.below(20) as f64 - 5.0 }
    }
}

fn rows(random: &mut Random, count: u64, groups: u64) -> Vec<Row> {
    (0..count)
        .map(|number| {
            let labels = [
                ("__name__".into(), "x".into()),
                ("group".into(), format!("{}", random.below(groups)).into()),
                ("number".into(), format!("{number}").into()),
            ];
            Row::new(Labels::new(labels), (0..GRID.points).map(|_| random.value()).collect())
        })
        .collect()
}

fn by_group() -> Grouping {
    Grouping { is_without: false, labels: vec!["group".into()] }
}

/// What a plain loop makes of the values of one instant.
fn model(name: &str, values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let mean = sum / count;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match name {
        _ if values.is_empty() => f64::NAN,
        "sum" => sum,
        "avg" => mean,
        "min" => sorted[0],
        "max" => sorted[sorted.len() - 1],
        "count" => count,
        "group" => 1.0,
        "stddev" => variance.sqrt(),
        "stdvar" => variance,
        "sum2" => values.iter().map(|value| value * value).sum(),
        "geomean" => values.iter().product::<f64>().powf(1.0 / count),
        "median" => (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0,
        "distinct" => {
            sorted.dedup();
            sorted.len() as f64
        }
        _ => panic!("there is no model of {name}"),
    }
}

fn is_near(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-9 * (1.0 + a.abs())
}

#[test]
fn aggregates_are_what_loops_make() {
    let metricsql = "sum avg min max count group stddev stdvar sum2 geomean median distinct";
    let promql = "sum avg min max count group stddev stdvar";
    let mut random = Random(7);
    for (dialect, names) in [(Dialect::MetricsQl, metricsql), (Dialect::PromQl, promql)] {
        let context = Context::new(GRID, dialect);
        for name in names.split(' ') {
            let rows = rows(&mut random, 40, 5);
            let aggregate = Aggregate::by_name(name, dialect).unwrap();
            let found = aggregate
                .call(vec![Argument::Rows(rows.clone())], Some(&by_group()), None, &context)
                .at_once()
                .unwrap();
            assert_eq!(found.len(), 5, "{name}");
            for row in &found {
                let group: Vec<&Row> =
                    rows.iter().filter(|other| other.labels.get("group") == row.labels.get("group")).collect();
                for at in 0..GRID.points {
                    let values: Vec<f64> = group.iter().map(|row| row.values[at]).filter(|v| !v.is_nan()).collect();
                    let expected = model(name, &values);
                    assert!(is_near(row.values[at], expected), "{name}: {} not {expected}", row.values[at]);
                }
            }
        }
    }
}

#[test]
fn a_folder_gives_what_a_call_gives() {
    let rows = rows(&mut Random(11), 30, 4);
    for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
        let sum = Aggregate::by_name("sum", dialect).unwrap();
        let mut folder = sum.folder(Some(by_group()), Some(2), GRID.points).unwrap();
        rows.iter().for_each(|row| folder.push(&row.labels, &row.values));
        assert_eq!(folder.len(), 2);
        let called = sum
            .call(vec![Argument::Rows(rows.clone())], Some(&by_group()), Some(2), &Context::new(GRID, dialect))
            .at_once();
        let shown = |rows: Vec<Row>| format!("{rows:?}");
        assert_eq!(shown(folder.finish()), shown(called.unwrap()));
    }
}

#[test]
fn topk_keeps_as_many_as_it_is_told_and_no_worse_ones() {
    let rows = rows(&mut Random(13), 30, 4);
    for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
        let context = Context::new(GRID, dialect);
        let topk = Aggregate::by_name("topk", dialect).unwrap();
        let arguments = vec![Argument::Rows(vec![context.number(3.0)]), Argument::Rows(rows.clone())];
        let found = topk.call(arguments, None, None, &context).at_once().unwrap();
        for at in 0..GRID.points {
            let sorted = |rows: &[Row]| {
                let mut values: Vec<f64> = rows.iter().map(|row| row.values[at]).filter(|v| !v.is_nan()).collect();
                values.sort_by(|a, b| b.total_cmp(a));
                values
            };
            assert_eq!(sorted(&found), sorted(&rows)[..3]);
        }
    }
}

#[test]
fn joins_are_what_loops_make() {
    let mut random = Random(17);
    let many = rows(&mut random, 25, 6);
    let mut one = rows(&mut random, 6, 1);
    for (number, row) in one.iter_mut().enumerate() {
        row.labels.set("group", number.to_string());
        row.labels.set("tint", format!("t{number}"));
    }
    for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
        let mut binary = Binary::new(BinaryOperator::Subtract, dialect);
        binary.matching = Some(Matching { is_on: true, labels: vec!["group".into()] });
        binary.join = Some(Join { is_left: true, include: vec!["tint".into()], prefix: None });
        let found = binary
            .apply(Side::Rows(many.clone()), Side::Rows(one.clone()), &Context::new(GRID, dialect))
            .at_once()
            .unwrap();
        assert_eq!(found.len(), many.len());
        for row in &found {
            let mine = many.iter().find(|other| other.labels.get("number") == row.labels.get("number")).unwrap();
            let other = one.iter().find(|other| other.labels.get("group") == row.labels.get("group")).unwrap();
            assert_eq!(row.labels.get("tint"), other.labels.get("tint"));
            assert_eq!(row.shown_labels().get("__name__"), "");
            for at in 0..GRID.points {
                assert!(is_near(row.values[at], mine.values[at] - other.values[at]));
            }
        }
    }
}

#[test]
fn sums_in_promql_lose_nothing() {
    let context = Context::new(GRID, Dialect::PromQl);
    let row = |value: f64| Row::new(Labels::default(), vec![value; GRID.points]);
    let of = |name: &str, values: &[f64]| {
        let rows = values.iter().map(|value| row(*value)).collect();
        let aggregate = Aggregate::by_name(name, Dialect::PromQl).unwrap();
        aggregate.call(vec![Argument::Rows(rows)], None, None, &context).at_once().unwrap()[0].values[0]
    };
    assert_eq!(of("sum", &[1e16, 1.0, -1e16]), 1.0);
    assert_eq!(of("avg", &[1.7e308, 1.7e308, 1.7e308]), 1.7e308);
    assert_eq!(of("sum", &[f64::INFINITY, 1.0]), f64::INFINITY);
    assert!(of("sum", &[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
}
