//! Functions and operators against the answers of the servers.

use crate::small;
use sandglass::query::call::Context;
use sandglass::query::dialect::Dialect;
use sandglass::query::series::grid::Grid;
use sandglass::query::series::labels::{Labels, NAME};
use sandglass::query::series::row::{Presence, Row};

/// The instants of the answers.
pub const GRID: Grid = Grid::new(1_700_000_040_000, 60_000, 12);

/// `name{label="value"} 1 _ NaN`, where `_` is a gap.
pub fn read_row(line: &str) -> Row {
    let (shown, values) = line.rsplit_once('}').unwrap();
    let (name, mut rest) = shown.split_once('{').unwrap();
    let mut labels = Labels::default();
    labels.set(NAME, name);
    while let Some((label, behind)) = rest.split_once("=\"") {
        let (value, behind) = behind.split_once('"').unwrap();
        labels.set(label, value);
        rest = behind.trim_start_matches(", ");
    }
    let texts: Vec<&str> = values.split_whitespace().collect();
    let mut present = Presence::none(texts.len());
    let read = |(position, text): (usize, &&str)| {
        present.set(position, *text != "_");
        if *text == "_" { f64::NAN } else { text.parse().unwrap() }
    };
    let values = texts.iter().enumerate().map(read).collect();
    Row::with_presence(labels, values, present)
}

fn is_near(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) || (a - b).abs() < 1e-14
}

fn is_same(found: &[Row], expected: &[Row]) -> bool {
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| {
            found.labels == expected.labels
                && (0..GRID.points).all(|at| {
                    found.is_present(at) == expected.is_present(at) && is_near(found.values[at], expected.values[at])
                })
        })
}

fn shown(rows: &[Row]) -> String {
    let row = |row: &Row| {
        let labels: Vec<String> = row.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let value = |at: usize| if row.is_present(at) { row.values[at].to_string() } else { "_".into() };
        format!("  {{{}}} {}\n", labels.join(", "), (0..GRID.points).map(value).collect::<Vec<_>>().join(" "))
    };
    rows.iter().map(row).collect()
}

/// Runs each expression of a table. Groups of `topk` and the like come in any order.
fn check(table: &str, dialect: Dialect) {
    let given: Vec<Row> = table.lines().filter_map(|line| line.strip_prefix("given ")).map(read_row).collect();
    let mut wrong = Vec::new();
    let mut count = 0;
    let is_skipped = |line: &&str| line.is_empty() || line.starts_with('#') || line.starts_with("given ");
    let mut lines = table.lines().filter(|line| !is_skipped(line)).peekable();
    while let Some(expression) = lines.next() {
        let mut answer = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with("  ")) {
            answer.push(line.trim());
        }
        count += 1;
        let found = small::evaluate(expression, &given, Context::new(GRID, dialect));
        match (found, answer.first().and_then(|line| line.strip_prefix("error "))) {
            (Ok(mut found), None) => {
                let mut expected: Vec<Row> = answer.iter().map(|line| read_row(line)).collect();
                if expression.contains(" by (") {
                    found.sort_by(|a, b| a.labels.cmp(&b.labels));
                    expected.sort_by(|a, b| a.labels.cmp(&b.labels));
                }
                if !is_same(&found, &expected) {
                    wrong.push(format!("{expression}\n{} not\n{}", shown(&found), shown(&expected)));
                }
            }
            (Err(error), Some(expected)) if error.message().contains(expected) => {}
            (found, _) => wrong.push(format!("{expression}\n  {found:?}\n not {answer:?}\n")),
        }
    }
    assert!(count > 20, "only {count} expressions");
    assert!(wrong.is_empty(), "{} of {count} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn aggregates_are_those_of_victoria_metrics() {
    check(include_str!("tables/aggregate_metricsql.txt"), Dialect::MetricsQl);
}

#[test]
fn aggregates_are_those_of_prometheus() {
    check(include_str!("tables/aggregate_promql.txt"), Dialect::PromQl);
}

#[test]
fn operators_are_those_of_victoria_metrics() {
    check(include_str!("tables/binary_metricsql.txt"), Dialect::MetricsQl);
}

#[test]
fn operators_are_those_of_prometheus() {
    check(include_str!("tables/binary_promql.txt"), Dialect::PromQl);
}

#[test]
fn transforms_are_those_of_victoria_metrics() {
    check(include_str!("tables/transform_metricsql.txt"), Dialect::MetricsQl);
}

#[test]
fn label_functions_are_those_of_victoria_metrics() {
    check(include_str!("tables/labels_metricsql.txt"), Dialect::MetricsQl);
}

#[test]
fn histograms_are_those_of_victoria_metrics() {
    check(include_str!("tables/histogram_metricsql.txt"), Dialect::MetricsQl);
}

#[test]
fn transforms_are_those_of_prometheus() {
    check(include_str!("tables/transform_promql.txt"), Dialect::PromQl);
}

#[test]
fn newer_functions_are_those_of_the_documentation() {
    check(include_str!("tables/newer_metricsql.txt"), Dialect::MetricsQl);
}
