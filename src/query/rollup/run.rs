//! From prepared samples to values: the kernel is chosen once, then runs over the instants.

use super::call::{RollupCall, Scratch};
use super::stacks::{Extremes, Moments, SquareSum, Sum, fold, fold_windows};
use super::table::Kernel;
use super::window::{Window, Windows};
use super::{counter, over_time, sorted_window};
use crate::query::dialect::Dialect;
use crate::query::quantile;
use crate::query::series::grid::Grid;
use crate::query::sum::CompensatedSum;
use std::ops::Range;

impl RollupCall {
    /// The values of all instants, for calls that make one row of a series: [`RollupCall::prepare`] and [`RollupCall::roll_steps`] at once.
    pub fn roll(&self, timestamps: &[i64], values: &[f64], grid: &Grid, scratch: &mut Scratch, out: &mut [f64]) {
        self.prepare(timestamps, &mut values.to_vec(), grid, scratch);
        self.roll_steps(0, grid, 0..grid.points, scratch, out);
    }

    /// The values of some instants of the prepared series, in the row of this place in [`RollupCall::rows`]. `out` has one for each
    /// of `steps`; NaN where there is none.
    pub fn roll_steps(&self, row: usize, grid: &Grid, steps: Range<usize>, scratch: &mut Scratch, out: &mut [f64]) {
        let Scratch { sorted, spare, sums, square_sums, compensated, extremes, moments, .. } = scratch;
        let windows = Windows {
            timestamps: &scratch.timestamps,
            values: &scratch.values,
            bounds: &scratch.bounds,
            grid: self.shifted(grid),
            width_ms: scratch.width_ms,
            reach_ms: (self.rollup.dialect == Dialect::MetricsQl).then_some(scratch.gap_ms),
        };
        let (values, bounds) = (windows.values, windows.bounds);
        let parameters = |position| {
            let at = |place: usize| self.parameters.get(place).map_or(f64::NAN, |parameter| parameter.at(position));
            [at(row), at(row + 1)]
        };
        // Where NaNs are among the values, or a sum may overflow, only a loop over each window gives what the servers give.
        let plain = |window: Range<usize>, folded: f64| -> f64 {
            if folded.is_finite() || scratch.has_infinite {
                return folded;
            }
            fold::<Sum>(&values[window]).map_or(f64::NAN, |sum| sum.0)
        };
        let kernel = self.kernels[row.min(self.kernels.len() - 1)];
        match kernel {
            Kernel::Each(compute) => each(steps, out, |position| compute(&windows.at(position, parameters(position)))),
            Kernel::Last => each(steps, out, |position| windows.last(position)),
            Kernel::Slope => each(steps, out, |position| counter::slope(&windows.at(position, [0.0; 2]))),
            Kernel::Sum => fold_windows::<Sum>(values, bounds, steps, sums, |at, window, sum| {
                out[at] = sum.map_or(f64::NAN, |sum| plain(window, sum.0));
            }),
            Kernel::Average => fold_windows::<Sum>(values, bounds, steps, sums, |at, window, sum| {
                let count = window.len() as f64;
                out[at] = sum.map_or(f64::NAN, |sum| plain(window, sum.0) / count);
            }),
            Kernel::SquareSum => {
                let start = steps.start;
                fold_windows::<SquareSum>(values, bounds, steps, square_sums, |at, _, sum| {
                    let before = || windows.at(start + at, [0.0; 2]).previous;
                    out[at] = sum.map_or_else(|| before() * before(), |sum| sum.0);
                });
            }
            Kernel::CompensatedSum => {
                fold_windows::<CompensatedSum>(values, bounds, steps, compensated, |at, _, sum| {
                    out[at] = sum.map_or(f64::NAN, CompensatedSum::total);
                })
            }
            Kernel::CompensatedAverage => {
                fold_windows::<CompensatedSum>(values, bounds, steps, compensated, |at, window, sum| {
                    out[at] = over_time::compensated_average(&values[window], sum);
                });
            }
            Kernel::Minimum => fold_windows::<Extremes>(values, bounds, steps, extremes, |at, _, found| {
                out[at] = found.map_or(f64::NAN, |found| found.least);
            }),
            Kernel::Maximum => fold_windows::<Extremes>(values, bounds, steps, extremes, |at, _, found| {
                out[at] = found.map_or(f64::NAN, |found| found.greatest);
            }),
            Kernel::Variance | Kernel::Deviation => {
                let is_root = matches!(kernel, Kernel::Deviation);
                let is_server = self.rollup.dialect == Dialect::MetricsQl;
                fold_windows::<Moments>(values, bounds, steps, moments, |at, window, found| {
                    let variance = found.map_or(f64::NAN, |found| found.squares / found.count);
                    // One sample does not vary for the server, whatever it is.
                    let variance = if is_server && window.len() == 1 { 0.0 } else { variance };
                    out[at] = if is_root { variance.sqrt() } else { variance };
                });
            }
            Kernel::Quantile
            | Kernel::Median
            | Kernel::MedianDeviation
            | Kernel::Outlier
            | Kernel::InterquartileRange
            | Kernel::Distinct
            | Kernel::Mode => {
                sorted.clear();
                for (out, position) in out.iter_mut().zip(steps) {
                    let window: Window = windows.at(position, parameters(position));
                    let in_order = sorted.move_to(values, bounds, position);
                    *out = match kernel {
                        Kernel::Median => quantile::of_sorted(0.5, in_order),
                        Kernel::MedianDeviation => sorted_window::median_deviation(in_order, spare),
                        Kernel::Outlier => sorted_window::outlier(in_order, over_time::last(&window)),
                        Kernel::InterquartileRange => sorted_window::interquartile_range(in_order),
                        Kernel::Distinct => sorted_window::distinct(in_order, window.previous),
                        Kernel::Mode => sorted_window::mode(in_order, window.previous),
                        _ => quantile::of_sorted(window.parameters[0], in_order),
                    };
                }
            }
            // These have rows of other kernels, or rows that are found.
            Kernel::Three
            | Kernel::Candlestick
            | Kernel::Quantiles
            | Kernel::Several
            | Kernel::Histogram
            | Kernel::CountValues => out.fill(f64::NAN),
        }
    }
}

fn each(steps: Range<usize>, out: &mut [f64], compute: impl Fn(usize) -> f64) {
    for (out, position) in out.iter_mut().zip(steps) {
        *out = compute(position);
    }
}
