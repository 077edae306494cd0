//! Ranges of values, in which both histograms count as the server does.

use crate::AtOnce;
use sandglass::query::aggregate::Aggregate;
use sandglass::query::call::{Argument, Context};
use sandglass::query::dialect::Dialect;
use sandglass::query::rollup::table::Rollup;
use sandglass::query::rollup::{FoundRows, RollupCall, Scratch};
use sandglass::query::series::grid::Grid;
use sandglass::query::series::labels::Labels;
use sandglass::query::series::row::Row;

const TABLE: &str = include_str!("tables/vmrange.txt");
const GRID: Grid = Grid::new(1_000, 1_000, 1);

/// What `histogram_over_time` names the range of a value.
fn of_rollup(value: f64) -> Vec<String> {
    let rollup = Rollup::by_name("histogram_over_time", Dialect::MetricsQl).unwrap();
    let call = RollupCall::new(rollup, Some(1_000), None, Vec::new(), &[]).unwrap();
    let (mut scratch, mut found) = (Scratch::default(), FoundRows::default());
    call.prepare(&[1_000], &mut vec![value], &GRID, &mut scratch);
    call.find_rows(1, 0..1, &scratch, 1 << 20, &mut found).unwrap();
    found.into_rows(&call).map(|(label, _)| label.value.to_string()).collect()
}

/// What `histogram` names it, of whose ranges only the upper bounds are left: the least one up to which there is something, and the one below.
fn of_aggregate(value: f64) -> Vec<String> {
    let histogram = Aggregate::by_name("histogram", Dialect::MetricsQl).unwrap();
    let rows = vec![Row::new(Labels::default(), vec![value])];
    let context = Context::new(GRID, Dialect::MetricsQl);
    let found = histogram.call(vec![Argument::Rows(rows)], None, None, &context).at_once().unwrap();
    let mut bounds: Vec<(f64, f64, &str)> =
        found.iter().map(|row| (row.labels.get("le").parse().unwrap(), row.values[0], row.labels.get("le"))).collect();
    bounds.sort_by(|one, other| one.0.total_cmp(&other.0));
    let full = bounds.iter().find(|(_, count, _)| *count == 1.0).map(|(_, _, bound)| bound);
    let empty = bounds.iter().find(|(_, count, _)| *count == 0.0).map_or("0", |(_, _, bound)| bound);
    full.map(|full| format!("{empty}...{full}")).into_iter().collect()
}

#[test]
fn both_histograms_count_a_value_in_the_range_that_the_server_takes() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let (text, range) = line.split_once(' ').unwrap();
        let value: f64 = text.parse().unwrap();
        let expected: Vec<&str> = Some(range).filter(|range| *range != "-").into_iter().collect();
        for (name, found) in [("histogram_over_time", of_rollup(value)), ("histogram", of_aggregate(value))] {
            if found != expected {
                wrong.push(format!("{name}({text}): {found:?}, not {range}"));
            }
            compared += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 300, "only {compared} were compared");
}
