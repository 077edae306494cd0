//! Subqueries: rows over an inner grid become samples.

use super::call::READ_BEFORE_MS;
use crate::query::dialect::Dialect;
use crate::query::series::grid::Grid;
use crate::query::series::row::Row;

/// The grid that the inner expression of `expression[window:step]` is evaluated on: multiples of its step, one of them at least, though it
/// may lie in no window. `None` when there are more than `most_points`.
pub fn inner_grid(outer: &Grid, window_ms: i64, step_ms: i64, dialect: Dialect, most_points: usize) -> Option<Grid> {
    let step_ms = step_ms.max(1);
    let (first, last) = match dialect {
        Dialect::MetricsQl => {
            let first = outer.start_ms.checked_sub(window_ms)?.checked_sub(READ_BEFORE_MS)?.checked_sub(step_ms)?;
            // Both ends are rounded as integers are divided: towards zero, then the end up.
            let last = outer.range_end_ms().checked_add(step_ms)?;
            let beyond = last % step_ms;
            (first - first % step_ms, if beyond > 0 { last + (step_ms - beyond) } else { last })
        }
        Dialect::PromQl => {
            let before = outer.start_ms.checked_sub(window_ms)?;
            (before.div_euclid(step_ms).checked_add(1)?.checked_mul(step_ms)?, outer.end_ms())
        }
    };
    let points = usize::try_from((last - first).max(0) / step_ms).ok()?.checked_add(1)?;
    (points <= most_points).then_some(Grid::new(first, step_ms, points))
}

/// The values of a row that are there, with their instants.
pub fn samples_of(row: &Row, grid: &Grid, timestamps: &mut Vec<i64>, values: &mut Vec<f64>) {
    timestamps.clear();
    values.clear();
    for (position, &value) in row.values.iter().enumerate() {
        if row.is_present(position) {
            timestamps.push(grid.at(position));
            values.push(value);
        }
    }
}
