//! The values of a moving window in order, and what is told of them: modes, outliers, distinct values.

use super::bounds::Bounds;
use crate::query::quantile::of_sorted;
use std::ops::Range;

/// The values of one window, sorted; NaN first.
#[derive(Debug, Default)]
pub(super) struct SortedWindow {
    sorted: Vec<f64>,
    window: Range<usize>,
}

/// In this order NaNs are least, whatever their sign.
fn key(value: f64) -> f64 {
    if value.is_nan() { -f64::NAN.abs() } else { value + 0.0 }
}

fn place(sorted: &[f64], value: f64) -> usize {
    sorted.partition_point(|found| found.total_cmp(&value).is_lt())
}

impl SortedWindow {
    /// Forgets the window.
    pub fn clear(&mut self) {
        self.sorted.clear();
        self.window = 0..0;
    }

    /// Moves to a window that begins and ends no earlier, and gives its values in order.
    pub fn move_to(&mut self, values: &[f64], bounds: &Bounds, position: usize) -> &[f64] {
        let window = bounds.first[position] as usize..bounds.end[position] as usize;
        let changed = (window.start - self.window.start).saturating_add(window.end - self.window.end);
        if window.start >= self.window.end || changed > 32 {
            self.sorted.clear();
            self.sorted.extend(values[window.clone()].iter().map(|&value| key(value)));
            self.sorted.sort_unstable_by(f64::total_cmp);
        } else {
            for &value in &values[self.window.start..window.start] {
                let at = place(&self.sorted, key(value));
                self.sorted.remove(at);
            }
            for &value in &values[self.window.end..window.end] {
                let at = place(&self.sorted, key(value));
                self.sorted.insert(at, key(value));
            }
        }
        self.window = window;
        &self.sorted
    }
}

/// The median of the distances from the median. Here NaNs are values, the least of all. `spare` is memory to work in.
pub(super) fn median_deviation(sorted: &[f64], spare: &mut Vec<f64>) -> f64 {
    let median = of_sorted(0.5, sorted);
    spare.clear();
    spare.extend(sorted.iter().map(|value| key((value - median).abs())));
    spare.sort_unstable_by(f64::total_cmp);
    of_sorted(0.5, spare)
}

/// The last value if it is far outside of the middle half of all; NaN else.
pub(super) fn outlier(sorted: &[f64], last: f64) -> f64 {
    if sorted.len() < 2 {
        return f64::NAN;
    }
    let (lower, upper) = (of_sorted(0.25, sorted), of_sorted(0.75, sorted));
    let far = 1.5 * (upper - lower);
    if last > upper + far || last < lower - far { last } else { f64::NAN }
}

/// How far the quartiles are from each other.
pub(super) fn interquartile_range(sorted: &[f64]) -> f64 {
    of_sorted(0.75, sorted) - of_sorted(0.25, sorted)
}

/// How many values differ from each other.
pub(super) fn distinct(sorted: &[f64], previous: f64) -> f64 {
    if sorted.is_empty() {
        return if previous.is_nan() { f64::NAN } else { 0.0 };
    }
    sorted.chunk_by(|one, other| one == other).count() as f64
}

/// The most frequent value, the least of several. The one before the window counts once, before all others.
pub(super) fn mode(sorted: &[f64], previous: f64) -> f64 {
    let (mut best, mut most) = (previous, usize::from(!previous.is_nan()));
    for (at, run) in sorted.chunk_by(|one, other| one == other).enumerate() {
        let count = run.len() + usize::from(at == 0 && run[0] == previous);
        if count > most {
            (best, most) = (run[0], count);
        }
    }
    best
}
