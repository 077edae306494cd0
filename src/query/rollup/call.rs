//! A rollup with all that it is called with.

use super::bounds::Bounds;
use super::sorted_window::SortedWindow;
use super::stacks::{Extremes, Moments, SquareSum, Sum};
use super::table::{Arguments, Kernel, Preparation, Rollup};
use super::window::{interval_of_gaps_ms, scrape_interval_ms, tolerated_gap_ms};
use super::{counter, over_time};
use crate::collections::equality::are_equal_columns;
use crate::encoding::decimal::{are_finite, is_stale_nan};
use crate::error::{Error, ErrorKind, Result};
use crate::metric::counter::remove_resets;
use crate::query::dialect::Dialect;
use crate::query::number;
use crate::query::series::grid::Grid;
use crate::query::series::row::Presence;
use crate::query::sum::CompensatedSum;
use crate::query::vmrange::VMRANGE;
use std::rc::Rc;

/// How old a selector's sample may be in PromQL unless the call says otherwise.
pub const PROMQL_LOOKBACK_MS: i64 = 300_000;
/// How far before its windows the server reads.
pub(super) const READ_BEFORE_MS: i64 = 300_000;

/// A number that a function is called with.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    /// At all instants the same.
    Same(f64),
    /// One an instant of the grid.
    Each(Rc<[f64]>),
}

impl Parameter {
    /// The number at an instant.
    pub fn at(&self, position: usize) -> f64 {
        match self {
            Self::Same(number) => *number,
            Self::Each(numbers) => numbers.get(position).copied().unwrap_or(f64::NAN),
        }
    }
}

/// A label that tells the rows of one series apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// Its name, such as `rollup`.
    pub name: Rc<str>,
    /// Its value, such as `min`.
    pub value: Rc<str>,
}

/// Which rows a call makes of one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowsOf<'a> {
    /// One for each entry; its label is added to the series' labels.
    Known(&'a [Option<Label>]),
    /// Those that [`RollupCall::find_rows`] finds in the samples.
    Found,
}

/// A rollup with its window and arguments.
#[derive(Clone, Debug)]
pub struct RollupCall {
    pub(super) rollup: Rollup,
    pub(super) window_ms: Option<i64>,
    pub(super) lookback_ms: Option<i64>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) label_name: Rc<str>,
    labels: Vec<Option<Label>>,
    pub(super) kernels: Vec<Kernel>,
    preparation: Preparation,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("kernel")
    }
}

/// Memory that goes from series to series.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) timestamps: Vec<i64>,
    pub(super) values: Vec<f64>,
    pub(super) bounds: Bounds,
    bounds_of: Option<(Grid, i64)>,
    pub(super) width_ms: i64,
    pub(super) gap_ms: i64,
    pub(super) has_infinite: bool,
    pub(super) sorted: SortedWindow,
    pub(super) spare: Vec<f64>,
    pub(super) sums: Vec<Sum>,
    pub(super) square_sums: Vec<SquareSum>,
    pub(super) compensated: Vec<CompensatedSum>,
    pub(super) extremes: Vec<Extremes>,
    pub(super) moments: Vec<Moments>,
}

impl RollupCall {
    /// A call. `window_ms` is what stands in brackets; `lookback_ms` how old a sample may be, if the query says so. `parameters` are the
    /// numbers and `texts` the texts among its arguments, in order.
    pub fn new(
        rollup: Rollup,
        window_ms: Option<i64>,
        lookback_ms: Option<i64>,
        parameters: Vec<Parameter>,
        texts: &[String],
    ) -> Result<Self> {
        let name = rollup.name();
        let wrong = |expected: &str| Error::new(ErrorKind::Invalid, format!("{name}() expects {expected}"));
        let (numbers, texts_are_right, expected) = match rollup.arguments() {
            Arguments::Plain => (0, texts.is_empty(), "a series alone"),
            Arguments::NumbersAfter(1) => (1, texts.is_empty(), "a series, then a number"),
            Arguments::NumbersAfter(count) => (count, texts.is_empty(), "a series, then two numbers"),
            Arguments::NumberBefore => (1, texts.is_empty(), "a number, then a series"),
            Arguments::PickAfter => (0, texts.len() <= 1, "a series, then perhaps the name of one of its rows"),
            Arguments::Quantiles => (parameters.len().max(1), texts.len() == 1, "a label, numbers, then a series"),
            Arguments::Names => (0, !texts.is_empty(), "names of rollups, then a series"),
            Arguments::LabelBefore => (0, texts.len() == 1, "a label, then a series"),
        };
        if parameters.len() != numbers || !texts_are_right {
            return Err(wrong(expected));
        }
        let is_smoothing = rollup.dialect == Dialect::PromQl && numbers == 2;
        if is_smoothing && !parameters.iter().all(|factor| matches!(factor, Parameter::Same(f) if *f > 0.0 && *f < 1.0))
        {
            return Err(wrong("factors between 0 and 1"));
        }
        let mut preparation = rollup.entry.preparation;
        let mut kernels = vec![rollup.entry.kernel];
        let mut labels = vec![None];
        let rollup_label = |value: &str| Some(Label { name: "rollup".into(), value: value.into() });
        let several: &[(&str, Kernel)] = match rollup.entry.kernel {
            Kernel::Three => &[("min", Kernel::Minimum), ("max", Kernel::Maximum), ("avg", Kernel::Average)],
            Kernel::Candlestick => &[
                ("open", Kernel::Each(over_time::open)),
                ("close", Kernel::Each(over_time::close)),
                ("low", Kernel::Each(over_time::low)),
                ("high", Kernel::Each(over_time::high)),
            ],
            _ => &[],
        };
        match rollup.entry.kernel {
            Kernel::Three | Kernel::Candlestick => match texts {
                [] => {
                    kernels = several.iter().map(|(_, kernel)| *kernel).collect();
                    labels = several.iter().map(|(value, _)| rollup_label(value)).collect();
                }
                [picked, ..] => {
                    let found = several.iter().find(|(value, _)| value == picked);
                    kernels = vec![found.ok_or_else(|| wrong("min, max or avg, or a part of a candle"))?.1];
                }
            },
            Kernel::Several => {
                (kernels, labels) = (Vec::new(), Vec::new());
                for text in texts {
                    let part = Rollup::by_name(text, rollup.dialect)
                        .filter(|part| part.arguments() == Arguments::Plain)
                        .ok_or_else(|| wrong("names of rollups that take a series alone"))?;
                    if part.entry.preparation == Preparation::RemoveResets {
                        preparation = Preparation::RemoveResets;
                    }
                    kernels.push(part.entry.kernel);
                    labels.push(rollup_label(text));
                }
            }
            Kernel::Quantiles => {
                kernels = vec![Kernel::Quantile; parameters.len()];
                let value = |phi: &Parameter| number::printed(phi.at(0)).into();
                labels = parameters
                    .iter()
                    .map(|phi| Some(Label { name: texts[0].as_str().into(), value: value(phi) }))
                    .collect();
            }
            _ => {}
        }
        let label_name = texts.first().map_or(VMRANGE, String::as_str).into();
        Ok(Self { rollup, window_ms, lookback_ms, parameters, label_name, labels, kernels, preparation })
    }

    /// Whether the rows keep the metric's name.
    pub fn keeps_name(&self) -> bool {
        self.rollup.keeps_name()
    }

    /// Which rows the call makes of one series.
    pub fn rows(&self) -> RowsOf<'_> {
        match self.rollup.entry.kernel {
            Kernel::Histogram | Kernel::CountValues => RowsOf::Found,
            _ => RowsOf::Known(&self.labels),
        }
    }

    /// The first and the last timestamp that must be read. In MetricsQL what is read is part of the meaning: neither more nor less may be.
    pub fn read_range(&self, grid: &Grid) -> (i64, i64) {
        let grid = self.shifted(grid);
        let (before_ms, end_ms) = match self.rollup.dialect {
            Dialect::MetricsQl => {
                (READ_BEFORE_MS.saturating_add(self.window_ms.unwrap_or(0).max(grid.step_ms)), grid.range_end_ms())
            }
            Dialect::PromQl => (self.promql_window_ms() - 1, grid.end_ms()),
        };
        (grid.start_ms.saturating_sub(before_ms), end_ms)
    }

    /// The samples of one series, sorted by time, with stale markers: makes of them what the windows are taken of. The bounds of the series
    /// before serve again if the timestamps are equal. The values are taken out, so that they need not be
    /// copied.
    pub fn prepare(&self, timestamps: &[i64], values: &mut Vec<f64>, grid: &Grid, scratch: &mut Scratch) {
        let grid = self.shifted(grid);
        let mut is_plain = are_finite(values);
        let drops = !self.rollup.entry.keeps_stale && !is_plain && values.iter().any(|&value| is_stale_nan(value));
        let mut are_equal = false;
        if drops {
            scratch.values.clear();
            scratch.timestamps.clear();
            for (&timestamp, &value) in timestamps.iter().zip(&*values).filter(|(_, value)| !is_stale_nan(**value)) {
                scratch.timestamps.push(timestamp);
                scratch.values.push(value);
            }
        } else {
            std::mem::swap(&mut scratch.values, values);
            are_equal = are_equal_columns(&scratch.timestamps, timestamps);
            if !are_equal {
                scratch.timestamps.clear();
                scratch.timestamps.extend_from_slice(timestamps);
            }
        }
        match self.preparation {
            Preparation::Nothing => {}
            Preparation::RemoveResets => remove_resets(&mut scratch.values),
            Preparation::Differences => counter::to_differences(&mut scratch.values),
            Preparation::GrowthDifferences => {
                remove_resets(&mut scratch.values);
                counter::to_differences(&mut scratch.values);
            }
            Preparation::Slopes => counter::to_slopes(&mut scratch.values, &scratch.timestamps),
            Preparation::GrowthSlopes => {
                remove_resets(&mut scratch.values);
                counter::to_slopes(&mut scratch.values, &scratch.timestamps);
            }
            Preparation::Intervals => counter::to_intervals(&mut scratch.values, &scratch.timestamps),
        }
        if self.preparation != Preparation::Nothing {
            is_plain = are_finite(&scratch.values);
        }
        scratch.has_infinite = !is_plain && scratch.values.iter().any(|value| value.is_infinite());
        (scratch.width_ms, scratch.gap_ms) = self.width_and_gap_ms(&scratch.timestamps, &grid);
        let bounds_of = Some((grid, scratch.width_ms));
        if !are_equal || scratch.bounds_of != bounds_of {
            scratch.bounds.fill(&scratch.timestamps, &grid, scratch.width_ms);
            scratch.bounds_of = bounds_of;
        }
    }

    /// For PromQL: which instants have a value, if a NaN among the values of the prepared series is a value and no gap; else `None`.
    pub fn presence(&self, scratch: &Scratch, values: &[f64]) -> Option<Presence> {
        if self.rollup.dialect == Dialect::MetricsQl {
            return None;
        }
        let is_absence = self.rollup.name() == "absent_over_time";
        let is_there = |position: usize| {
            if !values[position].is_nan() {
                return true;
            }
            let end = scratch.bounds.end[position] as usize;
            let has_ended = end > 0 && is_stale_nan(scratch.values[end - 1]);
            !is_absence && !has_ended && scratch.bounds.count(position) >= self.rollup.entry.least_samples
        };
        if !(0..values.len()).any(|position| values[position].is_nan() && is_there(position)) {
            return None;
        }
        let mut presence = Presence::none(values.len());
        for position in 0..values.len() {
            presence.set(position, is_there(position));
        }
        Some(presence)
    }

    /// A candle at an instant is that of the step behind it.
    pub(super) fn shifted(&self, grid: &Grid) -> Grid {
        match self.rollup.entry.kernel {
            Kernel::Candlestick => Grid { start_ms: grid.start_ms + grid.step_ms, ..*grid },
            _ => *grid,
        }
    }

    fn promql_window_ms(&self) -> i64 {
        self.window_ms.or(self.lookback_ms).unwrap_or(PROMQL_LOOKBACK_MS)
    }

    /// How wide the windows of a series are, and how much older than its window a previous sample may be.
    fn width_and_gap_ms(&self, timestamps: &[i64], grid: &Grid) -> (i64, i64) {
        if self.rollup.dialect == Dialect::PromQl {
            return (self.promql_window_ms(), 0);
        }
        let gap_ms = self.bounded_by_lookback(tolerated_gap_ms(scrape_interval_ms(timestamps, grid.step_ms)));
        let base_ms = self.base_width_ms(grid);
        (if self.rollup.entry.widens { base_ms.max(gap_ms) } else { base_ms }, gap_ms)
    }

    /// How much older than its window a previous sample may be if these are the first gaps of a series, sorted.
    pub(super) fn tolerated_gap_ms(&self, sorted: &[f64], grid: &Grid) -> i64 {
        self.bounded_by_lookback(tolerated_gap_ms(interval_of_gaps_ms(sorted, grid.step_ms)))
    }

    /// How wide MetricsQL's windows are before they are widened.
    pub(super) fn base_width_ms(&self, grid: &Grid) -> i64 {
        match self.window_ms.filter(|&window_ms| window_ms > 0) {
            Some(window_ms) => window_ms,
            None if self.rollup.name() == "default_rollup" => self.bounded_by_lookback(grid.step_ms),
            None => grid.step_ms,
        }
    }

    fn bounded_by_lookback(&self, length_ms: i64) -> i64 {
        self.lookback_ms
            .filter(|&lookback_ms| lookback_ms > 0)
            .map_or(length_ms, |lookback_ms| length_ms.min(lookback_ms))
    }
}
