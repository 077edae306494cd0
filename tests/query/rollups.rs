//! Rollups of one series against what servers answered, and against plain loops.

use std::collections::HashMap;

use sandglass::query::dialect::Dialect;
use sandglass::query::rollup::bounds::Bounds;
use sandglass::query::rollup::subquery::inner_grid;
use sandglass::query::rollup::table::{Arguments, Rollup};
use sandglass::query::rollup::{FoundRows, Parameter, RollupCall, RowsOf, Scratch};
use sandglass::query::series::grid::Grid;

const SAMPLES: &str = include_str!("rollup_samples.txt");

fn series() -> HashMap<&'static str, (Vec<i64>, Vec<f64>)> {
    let read = |line: &'static str| {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap();
        let pair = |word: &str| {
            let (time, value) = word.split_once(':').unwrap();
            let value = if value == "stale" { f64::from_bits(0x7ff0_0000_0000_0002) } else { value.parse().unwrap() };
            (time.parse::<i64>().unwrap(), value)
        };
        (name, words.map(pair).unzip())
    };
    SAMPLES.lines().filter(|line| !line.starts_with('#')).map(read).collect()
}

fn call(rollup: Rollup, window_ms: Option<i64>, numbers: &[f64]) -> RollupCall {
    RollupCall::new(rollup, window_ms, None, numbers.iter().map(|&number| Parameter::Same(number)).collect(), &[])
        .unwrap()
}

fn numbers_of(rollup: Rollup) -> &'static [f64] {
    match rollup.arguments() {
        Arguments::NumbersAfter(2) => &[0.5, 0.1],
        Arguments::NumbersAfter(_) => &[40.0],
        Arguments::NumberBefore => &[0.9],
        _ => &[],
    }
}

fn are_close(one: f64, other: f64) -> bool {
    one == other
        || (one.is_nan() && other.is_nan())
        || (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1e-3)
}

fn answers_are_those_of(fixture: &str, dialect: Dialect) {
    let series = series();
    let mut scratch = Scratch::default();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for line in fixture.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let mut word = || words.next().unwrap();
        let (function, name) = (word(), word());
        let (window_ms, step_ms, start_ms): (i64, i64, i64) =
            (word().parse().unwrap(), word().parse().unwrap(), word().parse().unwrap());
        let expected: Vec<f64> = words.map(|word| word.parse().unwrap()).collect();
        let rollup = Rollup::by_name(function, dialect).unwrap_or_else(|| panic!("no {function}"));
        let grid = Grid::new(start_ms, step_ms, expected.len());
        let call = call(rollup, Some(window_ms), numbers_of(rollup));
        let (from, to) = call.read_range(&grid);
        let (times, values) = &series[name];
        let read = times.partition_point(|&time| time < from)..times.partition_point(|&time| time <= to);
        let mut found = vec![0.0; expected.len()];
        call.roll(&times[read.clone()], &values[read], &grid, &mut scratch, &mut found);
        compared += 1;
        if !found.iter().zip(&expected).all(|(&found, &expected)| are_close(found, expected)) {
            wrong.push(format!("{line}\n  found {found:?}"));
        }
    }
    assert!(compared > 100, "only {compared} lines");
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn rollups_give_what_victoria_metrics_gives() {
    answers_are_those_of(include_str!("rollup_metricsql.txt"), Dialect::MetricsQl);
}

#[test]
fn rollups_give_what_prometheus_gives() {
    answers_are_those_of(include_str!("rollup_promql.txt"), Dialect::PromQl);
}

/// Sorted times with gaps, and small numbers.
fn seeded(seed: u64, count: usize) -> (Vec<i64>, Vec<f64>) {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut time = 1_000_000;
    (0..count)
        .map(|_| {
            time += 1 + (next() % 2000) as i64;
            (time, (next() % 100) as f64 - 30.0)
        })
        .unzip()
}

#[test]
fn slices_of_steps_and_single_instants_give_what_the_whole_gives() {
    let (times, values) = seeded(7, 600);
    let grid = Grid::new(1_050_000, 3_000, 150);
    let (mut scratch, mut other) = (Scratch::default(), Scratch::default());
    for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
        for rollup in Rollup::all(dialect).filter(|rollup| {
            matches!(rollup.arguments(), Arguments::Plain | Arguments::NumbersAfter(_) | Arguments::NumberBefore)
        }) {
            for window_ms in [2_000, 100_000] {
                let call = call(rollup, Some(window_ms), numbers_of(rollup));
                let mut whole = vec![0.0; grid.points];
                call.roll(&times, &values, &grid, &mut scratch, &mut whole);
                call.prepare(&times, &mut values.clone(), &grid, &mut other);
                #[allow(clippy::needless_range_loop)]
                for position in 0..grid.points {
                    let mut one = [0.0];
                    call.roll_steps(0, &grid, position..position + 1, &mut other, &mut one);
                    assert!(
                        are_close(one[0], whole[position]),
                        "{rollup:?} at {position}: {} not {}",
                        one[0],
                        whole[position]
                    );
                }
            }
        }
    }
}

#[test]
fn bounds_are_open_on_the_left() {
    let grid = Grid::new(100, 50, 3);
    let bounds = Bounds::new(&[50, 51, 100, 150, 170, 200], &grid, 50);
    assert_eq!((bounds.first, bounds.end), (vec![1, 3, 4], vec![3, 4, 6]));
}

#[test]
fn infinite_and_huge_values_leave_no_trace() {
    let times: Vec<i64> = (0..400).map(|at| at * 1000).collect();
    let mut values = vec![1.0; 400];
    (values[60], values[61], values[62]) = (f64::INFINITY, 1e300, f64::NEG_INFINITY);
    let grid = Grid::new(200_000, 1_000, 100);
    for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
        let call = call(Rollup::by_name("sum_over_time", dialect).unwrap(), Some(100_000), &[]);
        let mut out = vec![0.0; 100];
        call.roll(&times, &values, &grid, &mut Scratch::default(), &mut out);
        assert!(out.iter().all(|&sum| sum == 100.0), "{out:?}");
    }
}

#[test]
fn some_rollups_make_several_rows() {
    let (times, values) = ([1_000, 2_000, 3_000], [1.0, 5.0, 3.0]);
    let grid = Grid::new(3_000, 3_000, 1);
    let rollup = Rollup::by_name("rollup", Dialect::MetricsQl).unwrap();
    let mut scratch = Scratch::default();
    let three = call(rollup, Some(3_000), &[]);
    three.prepare(&times, &mut values.to_vec(), &grid, &mut scratch);
    let RowsOf::Known(labels) = three.rows() else { panic!("rows are known") };
    let mut shown = Vec::new();
    for (row, label) in labels.iter().enumerate() {
        let mut out = [0.0];
        three.roll_steps(row, &grid, 0..1, &mut scratch, &mut out);
        shown.push((label.as_ref().unwrap().value.to_string(), out[0]));
    }
    assert_eq!(shown, [("min".to_owned(), 1.0), ("max".to_owned(), 5.0), ("avg".to_owned(), 3.0)]);

    let histogram = call(Rollup::by_name("histogram_over_time", Dialect::MetricsQl).unwrap(), Some(3_000), &[]);
    let mut found = FoundRows::default();
    histogram.prepare(&times, &mut values.to_vec(), &grid, &mut scratch);
    histogram.find_rows(1, 0..1, &scratch, 1 << 20, &mut found).unwrap();
    let ranges: Vec<_> = found.into_rows(&histogram).map(|(label, _)| label.value.to_string()).collect();
    assert_eq!(ranges, ["2.783e+00...3.162e+00", "4.642e+00...5.275e+00", "8.799e-01...1.000e+00"]);
}

#[test]
fn wrong_arguments_are_told() {
    let quantile = Rollup::by_name("quantile_over_time", Dialect::MetricsQl).unwrap();
    let error = RollupCall::new(quantile, None, None, Vec::new(), &[]).unwrap_err();
    assert_eq!(error.to_string(), "quantile_over_time() expects a number, then a series");
}

#[test]
fn subqueries_are_evaluated_at_multiples_of_their_step() {
    let outer = Grid::new(100_500, 7_000, 2);
    let inner = inner_grid(&outer, 10_000, 1_000, Dialect::PromQl, 1_000).unwrap();
    assert_eq!((inner.start_ms, inner.end_ms()), (91_000, 107_000));
    assert_eq!(inner_grid(&outer, 10_000, 1_000, Dialect::PromQl, 16), None);
}

#[test]
fn a_stale_marker_ends_a_series_for_selectors_and_is_no_sample_for_windows() {
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    let (times, values) = ([10_000, 20_000, 30_000], [1.0, 2.0, stale]);
    let grid = Grid::new(25_000, 10_000, 2);
    let mut scratch = Scratch::default();
    for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
        let mut roll = |name: &str| {
            let call = call(Rollup::by_name(name, dialect).unwrap(), Some(60_000), &[]);
            let mut out = [0.0; 2];
            call.roll(&times, &values, &grid, &mut scratch, &mut out);
            assert_eq!(call.presence(&scratch, &out), None, "a gap is no NaN");
            out
        };
        let selected = roll("default_rollup");
        assert_eq!(selected[0], 2.0);
        assert!(selected[1].is_nan());
        assert_eq!(roll("count_over_time"), [2.0, 2.0]);
        assert_eq!(roll("last_over_time"), [2.0, 2.0]);
    }
}

#[test]
fn in_promql_a_nan_among_the_samples_is_a_value() {
    let grid = Grid::new(10_000, 10_000, 2);
    let call = call(Rollup::by_name("sum_over_time", Dialect::PromQl).unwrap(), Some(5_000), &[]);
    let (mut scratch, mut out) = (Scratch::default(), [0.0; 2]);
    call.roll(&[8_000, 9_000], &[1.0, f64::NAN], &grid, &mut scratch, &mut out);
    let presence = call.presence(&scratch, &out).unwrap();
    assert_eq!([presence.get(0), presence.get(1)], [true, false]);
}

#[test]
fn a_nan_is_the_least_of_the_distances_from_a_median_too() {
    let grid = Grid::new(10_000, 10_000, 1);
    let call = call(Rollup::by_name("mad_over_time", Dialect::PromQl).unwrap(), Some(5_000), &[]);
    let (mut scratch, mut out) = (Scratch::default(), [0.0]);
    // Of NaN, 1, 2 and 3 the median is 1.5. The distances are NaN, 0.5, 0.5 and 1.5.
    call.roll(&[6_000, 7_000, 8_000, 9_000], &[2.0, f64::NAN, 3.0, 1.0], &grid, &mut scratch, &mut out);
    assert_eq!(out, [0.5]);
}
