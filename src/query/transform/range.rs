//! What all values of a row say about each of them.

use super::fill;
use super::{Call, Function, Known, Names};
use crate::error::Result;
use crate::query::quantile;
use crate::query::series::row::Row;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::behind_number("range_quantile", Known::MetricsQl, Names::Keep, |call| {
        let quantile = call.arguments.number()?;
        range_quantile(call, quantile)
    }),
    Function::row_by_row("range_median", Known::MetricsQl, (1, 1), Names::Keep, |call| range_quantile(call, 0.5)),
    Function::row_by_row("range_stddev", Known::MetricsQl, (1, 1), Names::Keep, |call| {
        level(call, |values, _| moments(values).1.sqrt())
    }),
    Function::row_by_row("range_stdvar", Known::MetricsQl, (1, 1), Names::Keep, |call| {
        level(call, |values, _| moments(values).1)
    }),
    Function::row_by_row("range_mad", Known::MetricsQl, (1, 1), Names::Keep, |call| {
        level(call, |values, scratch| quantile::median_deviation(values.iter().copied(), scratch))
    }),
    Function::row_by_row("range_zscore", Known::MetricsQl, (1, 1), Names::Keep, |call| {
        fill::each(call, |values| {
            let (mean, variance) = moments(values);
            values.iter_mut().for_each(|value| *value = (*value - mean) / variance.sqrt());
        })
    }),
    Function::behind_number("range_trim_zscore", Known::MetricsQl, Names::Keep, |call| {
        let most = call.arguments.number()?.abs();
        fill::each(call, |values| {
            let (mean, variance) = moments(values);
            trim(values, |value| (value - mean).abs() / variance.sqrt() > most);
        })
    }),
    Function::behind_number("range_trim_outliers", Known::MetricsQl, Names::Keep, |call| {
        let factor = call.arguments.number()?;
        let mut scratch = Vec::new();
        fill::each(call, |values| {
            let most = factor * quantile::median_deviation(values.iter().copied(), &mut scratch);
            let median = quantile::of(0.5, values.iter().copied(), &mut scratch);
            trim(values, |value| (value - median).abs() > most);
        })
    }),
    Function::behind_number("range_trim_spikes", Known::MetricsQl, Names::Keep, |call| {
        let share = call.arguments.number()? / 2.0;
        let mut scratch = Vec::new();
        fill::each(call, |values| {
            quantile::sort_into(values.iter().copied(), &mut scratch);
            let most = quantile::of_sorted(1.0 - share, &scratch);
            let least = quantile::of_sorted(share, &scratch);
            trim(values, |value| value > most || value < least);
        })
    }),
    Function::rows("range_normalize", Known::MetricsQl, (1, usize::MAX), Names::Keep, range_normalize),
    Function::row_by_row("range_linear_regression", Known::MetricsQl, (1, 1), Names::Keep, range_linear_regression),
];

/// Mean and variance of the values that are there.
fn moments(values: &[f64]) -> (f64, f64) {
    let (mut mean, mut squares, mut count) = (0.0, 0.0, 0.0);
    for &value in values.iter().filter(|value| !value.is_nan()) {
        count += 1.0;
        let before = value - mean;
        mean += before / count;
        squares += before * (value - mean);
    }
    if count == 0.0 { (f64::NAN, f64::NAN) } else { (mean, squares / count) }
}

/// The same number at each instant, gaps included.
fn level(call: &mut Call, of: fn(&[f64], &mut Vec<f64>) -> f64) -> Result<Vec<Row>> {
    let mut scratch = Vec::new();
    fill::each(call, |values| {
        let number = of(values, &mut scratch);
        values.fill(number);
    })
}

fn trim(values: &mut [f64], is_cut: impl Fn(f64) -> bool) {
    values.iter_mut().filter(|value| is_cut(**value)).for_each(|value| *value = f64::NAN);
}

/// In gaps there is nothing.
fn range_quantile(call: &mut Call, quantile: f64) -> Result<Vec<Row>> {
    let mut scratch = Vec::new();
    fill::each(call, |values| {
        let number = quantile::of(quantile, values.iter().copied(), &mut scratch);
        values.iter_mut().filter(|value| !value.is_nan()).for_each(|value| *value = number);
    })
}

/// From 0 at a row's least value to 1 at its greatest; rows without finite bounds are left out.
fn range_normalize(call: &mut Call) -> Result<Vec<Row>> {
    let mut made = Vec::new();
    while call.arguments.left() > 0 {
        for mut row in call.arguments.rows()? {
            let there = row.values.iter().copied().filter(|value| !value.is_nan());
            let (least, most) =
                there.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), v| (least.min(v), most.max(v)));
            if (most - least).is_infinite() {
                continue;
            }
            row.values.iter_mut().for_each(|value| *value = (*value - least) / (most - least));
            made.push(row);
        }
    }
    Ok(made)
}

/// The straight line that lies nearest to the values, at all instants.
fn range_linear_regression(call: &mut Call) -> Result<Vec<Row>> {
    let step = call.context.grid.step_ms as f64 / 1e3;
    fill::each(call, |values| {
        let (mut count, mut sum_x, mut sum_y, mut sum_xy, mut sum_xx) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (position, &y) in values.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
            let x = position as f64 * step;
            count += 1.0;
            sum_x += x;
            sum_y += y;
            sum_xy += x * y;
            sum_xx += x * x;
        }
        let spread = sum_xx - sum_x * sum_x / count;
        let slope = if spread.abs() >= 1e-6 { (sum_xy - sum_x * sum_y / count) / spread } else { 0.0 };
        let first = sum_y / count - slope * sum_x / count;
        values.iter_mut().enumerate().for_each(|(position, value)| *value = first + slope * position as f64 * step);
    })
}
